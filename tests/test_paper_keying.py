"""U-34: a sheet of twenty rows is keyed in with the keyboard alone, in few enough strokes for twenty rows a minute."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import browser as tools
from zhili.claims.actions import print_sheets
from zhili.claims.models import Sheet
from zhili.common.periods import period_of, today
from zhili.people.models import Household

pytestmark = pytest.mark.browser
ROWS = 20
STROKES = 11
"""For one row: at four strokes a second, which a clerk who types with four fingers does, 21 rows a minute."""


def test_twenty_rows_by_keyboard_alone(stage, open_page, chromium):
    """U-34, X-01: focus stands in the first box, Enter and ↓ lead through the lines, nothing needs the mouse."""
    cast, day = stage.cast, today()
    with stage.inside():
        home = Household.objects.get(place=cast.place, code="3004")
        period = period_of(day, "month").code
        sheet = print_sheets(by=cast.clerk, place=cast.place, period=period, households=[home])[0]
    path = f"/desk/{cast.place}/sheets/{sheet.number}/"
    page = open_page(path, as_="clerk", size="1280")
    page.wait_for_function("document.activeElement.id === 'item-1'")
    strokes = 0

    def press(*keys: str) -> None:
        nonlocal strokes
        for key in keys:
            page.keyboard.press(key)
            strokes += 1

    for _ in range(2):  # room for all rows first; what stands on the page then stays
        page.focus("button[value=more]")
        page.keyboard.press("Enter")
        page.wait_for_load_state()
    page.wait_for_function("document.activeElement.id === 'item-1'")
    for n in range(ROWS):
        press(*"hj01", "Enter", *f"{day - timedelta(days=n):%m%d}", "ArrowDown")
    assert page.text_content("tr:nth-child(3) [data-said]") == "清扫一段公共道路"
    assert strokes / ROWS <= STROKES
    press("Enter")  # an empty row code: to the buttons
    page.wait_for_function("document.activeElement.value === 'check'")
    press("Enter")
    page.wait_for_selector("text=20 行都能收")
    assert tools.overflow(page) == 0
    page.focus("button[value=save]")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=已录入 20 行")
    with stage.inside():
        assert Sheet.objects.get(pk=sheet.pk).rows.count() == ROWS


@pytest.mark.parametrize("path", ["cards/", "sheets/", "sheets/print/"])
def test_the_pages_of_paper_fit_and_read(stage, open_page, chromium, path):
    """U-03, U-09: nothing sticks out at 360, targets are large enough, axe finds nothing serious."""
    page = open_page(f"/desk/{stage.cast.place}/{path}", as_="clerk", size="360")
    assert tools.overflow(page) == 0 and tools.small_targets(page, 40) == []
    found = tools.axe(chromium, stage.url, f"/desk/{stage.cast.place}/{path}", cookies=page.context.cookies())
    assert found == []
