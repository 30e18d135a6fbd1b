"""Doors in a real browser: log-in, front page, refusals, 长辈版 (U-01, U-03, U-04, U-08, W-02, W-08)."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import browser as tools

pytestmark = pytest.mark.browser

DOORS = ["/", "/login/", "/places/", "/nothing-here/", "/open/511702109200/"]


@pytest.mark.parametrize("size", ["360", "1280"])
@pytest.mark.parametrize("path", DOORS)
def test_a_door_fits_and_nothing_on_it_is_blocked(open_page, path, size):
    """U-21, W-02: no sideways scrolling, no refused style, script or address."""
    page = open_page(path, size=size)
    tools.shoot(page, "door" + path.replace("/", "-").rstrip("-"))
    assert tools.overflow(page) == 0
    assert not [c for c in page.complaints if "404" not in c], page.complaints
    large = open_page(path, size=size, elder=True)
    tools.shoot(large, "door" + path.replace("/", "-").rstrip("-") + "-elder")
    assert tools.overflow(large) == 0
    assert float(large.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")) >= 24
    assert tools.small_targets(large, 60) == []
    assert tools.small_targets(page, 40) == []


@pytest.mark.parametrize("path", DOORS)
def test_axe_finds_nothing_serious(chromium, stage, path):
    """U-04, U-09."""
    assert tools.axe(chromium, stage.url, path) == []


@pytest.mark.parametrize("javascript", [True, False])
def test_logging_in_with_and_without_script(open_page, javascript):
    """U-20: the wrong password is refused in Chinese with the name kept; the right one opens the product."""
    page = open_page("/login/", javascript=javascript)
    page.fill("[name=login]", "clerk")
    page.fill("[name=password]", "not-the-password")
    page.click("button.button--wide")
    assert page.input_value("[name=login]") == "clerk"
    assert page.locator("[role=alert]").count() == 1
    tools.shoot(page, f"login-wrong-{'script' if javascript else 'plain'}")
    page.fill("[name=password]", "zhili-demo-2026")
    page.click("button.button--wide")
    assert "/login/" not in page.url


def test_large_type_is_remembered_with_the_person(open_page, stage):
    """U-08: the switch works without script and stays with the account on another device."""
    page = open_page("/password/", as_="elder2", javascript=False)
    assert page.locator("html.elder").count() == 0
    page = open_page("/places/", as_="elder2", javascript=False)
    page.goto("/m/")
    page.click("text=长辈版")
    expect(page.locator("html.elder")).to_have_count(1)
    assert open_page("/password/", as_="elder2").locator("html.elder").count() == 1
