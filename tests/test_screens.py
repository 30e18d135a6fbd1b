"""The first screens of phone and desk in a real browser (U-01 to U-04, U-10, U-14, U-20, U-21, U-60 to U-62, W-02)."""

from __future__ import annotations

import pytest

from tests import browser as tools

pytestmark = pytest.mark.browser

PLACE = "511702109200"
SCREENS = [
    ("villager", "/m/"), ("villager", "/m/me/"), ("villager", "/m/shop/"), ("villager", "/m/help/"),
    ("clerk", "/m/"), ("clerk", f"/desk/{PLACE}/"), ("township", "/places/"), ("stranger", "/m/"),
    ("audit_admin", f"/desk/{PLACE}/"), ("stranger_clerk", "/desk/511702109201/"),
]  # fmt: skip


def name_of(person: str, path: str) -> str:
    return f"{person}{path.replace(PLACE, 'place').replace('/', '-')}".rstrip("-")


@pytest.mark.parametrize("size", ["360", "1280"])
@pytest.mark.parametrize("person, path", SCREENS)
def test_a_screen_fits_in_both_type_sizes(open_page, person, path, size):
    """U-01, U-02, U-03, U-21, W-02: nothing sticks out, nothing is blocked, targets are large enough."""
    page = open_page(path, as_=person, size=size)
    page.wait_for_load_state("networkidle")
    tools.shoot(page, name_of(person, path), full=True)
    assert tools.overflow(page) == 0
    assert page.complaints == []
    if size == "360":
        assert tools.small_targets(page, 44) == []
    large = open_page(path, as_=person, size=size, elder=True)
    tools.shoot(large, name_of(person, path) + "-elder", full=True)
    assert tools.overflow(large) == 0
    if path.startswith("/m/"):
        assert float(large.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")) >= 24
        assert tools.small_targets(large, 60) == []


@pytest.mark.parametrize("elder", ["0", "1"])
@pytest.mark.parametrize("person, path", SCREENS)
def test_axe_finds_nothing_serious_on_a_screen(chromium, stage, person, path, elder):
    """U-04, U-09."""
    cookies = [
        {"name": "sessionid", "value": stage.session[person], "url": stage.url},
        {"name": "elder", "value": elder, "url": stage.url},
    ]
    size = "1280" if path.startswith("/desk") else "360"
    assert tools.axe(chromium, stage.url, path, size=size, cookies=cookies) == []


@pytest.mark.parametrize("percent", [100, 125, 150, 175, 200])
@pytest.mark.parametrize("elder", [False, True])
def test_home_takes_every_font_setting_on_the_smallest_phone(open_page, percent, elder):
    """U-02: WeChat enlarges text by up to twice; at 320 pixels nothing is cut off and nothing overlaps the edge."""
    page = open_page("/m/", as_="villager", size="320", elder=elder)
    page.evaluate(
        "p => { document.documentElement.style.fontSize = p }", f"{(24 if elder else 17) * percent / 100}px"
    )
    tools.shoot(page, f"font-{percent}{'-elder' if elder else ''}", full=True)
    assert tools.overflow(page) == 0
    cut = page.evaluate(
        "Array.from(document.querySelectorAll('a, button, p, h1')).filter(x => x.offsetParent !== null"
        " && x.clientWidth > 1 && x.scrollWidth > x.clientWidth + 1).map(x => x.textContent.trim().slice(0, 20))"
    )
    assert cut == []


def test_large_type_home_has_four_actions_and_no_more(open_page):
    """U-10: 我的积分 · 我要加分 · 去兑换 · 有问题."""
    page = open_page("/m/", as_="villager", elder=True)
    titles = page.eval_on_selector_all(
        ".big-actions a span", "all => all.map(x => x.firstChild.textContent.trim())"
    )
    assert titles == ["我的积分", "我要加分", "去兑换", "有问题"]
    assert page.eval_on_selector_all("main a", "all => all.length") <= 5  # the four and the notice


def test_home_works_without_script_and_weighs_little(open_page):
    """U-14, U-20: no script needed; under 200 KB over the wire."""
    sizes: list[int] = []
    page = open_page("/login/", as_="villager", javascript=False)
    page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length") or 20_000)))
    page.goto("/m/")
    assert "分" in page.inner_text(".figure")
    assert sum(sizes) < 200_000


def test_every_chart_has_its_table_and_its_sentence(open_page):
    """U-62: with script a picture; without, the table stands open."""
    plain = open_page(f"/desk/{PLACE}/", as_="clerk", size="1280", javascript=False)
    assert plain.locator(".chart").count() == 3
    assert plain.locator(".chart table:visible").count() == 3
    assert all(len(text) > 15 for text in plain.locator(".chart__sentence").all_inner_texts())
    drawn = open_page(f"/desk/{PLACE}/", as_="clerk", size="1280")
    drawn.wait_for_selector(".chart canvas")
    assert drawn.locator(".chart canvas").count() == 3
