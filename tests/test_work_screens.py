"""Claims, reviews, notices and the book in a real browser: they fit, nothing is blocked, axe finds nothing serious."""

from __future__ import annotations

import pytest

from tests import browser as tools

pytestmark = pytest.mark.browser

PLACE = "511702109200"
DESK, OPEN = f"/desk/{PLACE}", f"/open/{PLACE}"
PHONE = [
    ("villager", "/m/claims/"),
    ("villager", "/m/claims/new/"),
    ("villager", "/m/claims/for/"),
    ("villager", "/m/claims/new/HJ01/"),
    ("villager", "/m/notice/"),
    ("villager", "/m/passbook/"),
    ("clerk", "/m/field/"),
    ("clerk", "/m/field/activity/"),
    ("reviewer2", "/m/review/"),
    ("elder", "/m/review/"),
    ("reviewer", "/m/review/"),
]
OFFICE = [
    ("clerk", f"{DESK}/claims/"),
    ("clerk", f"{DESK}/claims/new/?h=3001"),
    ("reviewer2", f"{DESK}/reviews/"),
    ("elder", f"{DESK}/reviews/"),
    ("reviewer", f"{DESK}/reviews/"),
    ("clerk", f"{DESK}/recusals/"),
    ("clerk", f"{DESK}/notices/"),
    ("clerk", f"{DESK}/notices/open/"),
    ("clerk", f"{DESK}/notices/2/"),
    ("supervisor", f"{DESK}/objections/"),
    ("clerk", f"{DESK}/ledger/"),
    ("clerk", f"{DESK}/ledger/batches/"),
    ("clerk", f"{DESK}/ledger/reversals/"),
    ("clerk", f"{DESK}/ledger/check/"),
]
PUBLIC = [
    (None, f"{OPEN}/notices/"),
    (None, f"{OPEN}/notices/2/"),
    (None, f"{OPEN}/notices/2/1/"),
    (None, f"{OPEN}/objections/"),
    (None, f"{OPEN}/ledger/"),
    (None, f"{OPEN}/receipt/"),
    (None, f"{OPEN}/receipt/?code=AAAA-BBBB-CCCC"),
]
SCREENS = [*PHONE, *OFFICE, *PUBLIC]


def name_of(person: str | None, path: str) -> str:
    plain = path.replace(PLACE, "place").replace("/", "-").replace("?", "_").replace("=", "_")
    return f"work-{person or 'anybody'}{plain}".rstrip("-")


@pytest.mark.parametrize("size", ["360", "1280"])
@pytest.mark.parametrize("person, path", SCREENS)
def test_a_screen_fits_in_both_type_sizes(open_page, person, path, size):
    """U-01, U-02, U-03, W-02: nothing sticks out, nothing is blocked, targets are large enough."""
    page = open_page(path, as_=person, size=size)
    page.wait_for_load_state("networkidle")
    tools.shoot(page, name_of(person, path), full=True)
    assert tools.overflow(page) == 0
    assert [text for text in page.complaints if "404" not in text] == []
    if size == "360" and path.startswith("/m/"):
        assert tools.small_targets(page, 44) == []
        large = open_page(path, as_=person, size=size, elder=True)
        tools.shoot(large, name_of(person, path) + "-elder", full=True)
        assert tools.overflow(large) == 0
        assert tools.small_targets(large, 60) == []


@pytest.mark.parametrize("person, path", SCREENS)
def test_axe_finds_nothing_serious_on_a_screen(chromium, stage, person, path):
    """U-04, U-09."""
    cookies = [{"name": "sessionid", "value": stage.session[person], "url": stage.url}] if person else None
    size = "1280" if path.startswith("/desk") else "360"
    assert tools.axe(chromium, stage.url, path, size=size, cookies=cookies) == []
