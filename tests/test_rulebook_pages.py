"""Rule book pages in a real browser, at 360 and 1280 px and in large type (U-01, U-03, U-04, U-08, U-11, U-21)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests import browser as tools

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def books(stage) -> Iterator[SimpleNamespace]:
    """The book in force there, one that needs a legal opinion, one that is blocked, one asking for opinions."""
    from zhili.common.periods import today
    from zhili.rulebook.queries import in_force
    from zhili.rulebook.tests.procedure import BLOCKED, NEEDS_REVIEW, make

    with stage.inside():
        bound = in_force(stage.cast.place, today()) or make(stage.cast, "in_force")
        asked = make(stage.cast, "consultation")
        found = SimpleNamespace(
            bound=bound.pk,
            code=bound.items.all()[0].code,
            review=make(stage.cast, "filed", text=NEEDS_REVIEW).pk,
            blocked=make(stage.cast, text=BLOCKED).pk,
            asked=asked.pk,
            version=asked.version,
        )
    yield found


# name → (who, path with {book key})
PAGES = {
    "desk-rulebooks": ("clerk", "/desk/{place}/rulebooks/"),
    "desk-rulebook-new": ("clerk", "/desk/{place}/rulebooks/new/"),
    "desk-rulebook": ("elder", "/desk/{place}/rulebooks/{bound}/"),
    "desk-rulebook-check": ("clerk", "/desk/{place}/rulebooks/{blocked}/check/"),
    "desk-rulebook-override": ("township", "/desk/{place}/rulebooks/{review}/override/"),
    "desk-rulebook-adopt": ("elder", "/desk/{place}/rulebooks/{asked}/adopt/"),
    "desk-rulebook-edit": ("clerk", "/desk/{place}/rulebooks/{blocked}/edit/"),
    "desk-rulebook-compare": ("clerk", "/desk/{place}/rulebooks/{blocked}/compare/"),
    "desk-rulebook-try": ("clerk", "/desk/{place}/rulebooks/{bound}/try/?item={code}&on=2026-03-01&times=5"),
    "desk-rulebook-whatif": ("clerk", "/desk/{place}/rulebooks/{asked}/whatif/?year=2026"),
    "phone-rules": ("villager", "/m/rules/"),
    "phone-rules-search": ("villager", "/m/rules/?q=路"),
    "phone-rule": ("villager", "/m/rules/{code}/"),
    "open-rules": (None, "/open/{place}/rules/"),
    "open-rules-version": (None, "/open/{place}/rules/{version}/"),
}


def address(name: str, stage: SimpleNamespace, books: SimpleNamespace) -> tuple[str | None, str]:
    who, path = PAGES[name]
    return who, path.format(place=stage.cast.place, **vars(books))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", ["360", "1280"])
def test_a_page_fits_and_nothing_on_it_is_blocked(open_page, stage, books, name, size):
    """U-21, W-02: no sideways scrolling, no refused style, script or address; targets large enough in 长辈版."""
    who, path = address(name, stage, books)
    page = open_page(path, as_=who, size=size)
    assert page.locator("h1").count() == 1
    tools.shoot(page, name, full=True)
    assert tools.overflow(page) == 0
    assert not page.complaints, page.complaints
    assert tools.small_targets(page, 40) == []
    large = open_page(path, as_=who, size=size, elder=True)
    assert tools.overflow(large) == 0
    if size == "360":
        tools.shoot(large, name + "-elder", full=True)
        # The frame of the desk is checked with the desk itself; villagers' pages have 60 px throughout.
        assert name.startswith("desk") or tools.small_targets(large, 60) == []


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(chromium, stage, books, name):
    """U-04, U-09."""
    who, path = address(name, stage, books)
    cookies = [{"name": "sessionid", "value": stage.session[who], "url": stage.url}] if who else None
    for size in ("360", "1280"):
        assert tools.axe(chromium, stage.url, path, size=size, cookies=cookies) == []


def test_a_faulty_file_is_mended_on_the_page_without_script(open_page, stage):
    """Bad input, U-20: upload, see every fault with its line, mend the text in place, save."""
    from tests.books import SMALL_BOOK

    wrong = SMALL_BOOK.replace("settlement: month", "settlement: monthly").replace(
        "points: -5", "points: 很多"
    )
    page = open_page(f"/desk/{stage.cast.place}/rulebooks/new/", as_="clerk", size="1280", javascript=False)
    page.get_by_label("上传文件：填好的 Excel 模板或 YAML").check()
    page.set_input_files(
        "input[type=file]", {"name": "细则.yaml", "mimeType": "text/yaml", "buffer": wrong.encode()}
    )
    page.get_by_role("button", name="存为草稿").click()
    assert "第 6 行" in page.content()
    tools.shoot(page, "desk-rulebook-faults", full=True)
    assert tools.overflow(page) == 0
    page.locator("textarea[name=text]").fill(SMALL_BOOK)
    page.get_by_role("button", name="存为草稿").click()
    assert "已存为第" in page.content() and "红线检查" in page.content()
