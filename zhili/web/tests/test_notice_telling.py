"""告知单, 广播稿 and the list of doors: the notice for people who read no phone (U-24, U-36)."""

from __future__ import annotations

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.books import make_book
from tests.month import approved, deduction, home
from zhili.audit.models import Entry
from zhili.claims.tests.test_phone import browser
from zhili.notices.actions import open_notice
from zhili.people.models import Household, Resident
from zhili.web.notice_telling import doors, loudspeaker
from zhili.web.tests.test_print import _reader, _text


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-11-03 10:00:00+08:00", tick=True) as traveller:
        yield traveller


def without_a_phone(village, code: str, name: str) -> Household:
    """A household nobody of which has a log-in."""
    made = Household.objects.create(place=village.place, code=code, group="2组", opened_on="2020-01-01")
    Resident.objects.create(
        place=village.place, household=made, name=name, relation="head", birth_date="1944-05-01"
    )
    return made


@pytest.fixture
def notice(cast):
    make_book(cast)
    cast.granny = without_a_phone(cast, "2901", "演示奶奶")
    approved(cast)
    approved(cast, by=cast.clerk, household=cast.granny, channel="counter")
    deduction(cast)
    return open_notice(by=cast.clerk, place=cast.place, period="2026-10")


def address(notice, rest: str) -> str:
    return f"/desk/{notice.place}/notices/{notice.number}/{rest}"


def test_only_doors_without_a_phone_are_on_the_list(cast, notice):
    """U-24: who has a log-in is told there; the others by a slip brought to the door."""
    page = browser(cast.clerk).get(address(notice, "tell/")).content.decode()
    assert "2901" in page and "演示奶奶" in page and "1 户没有人用手机登录" in page
    assert "演示乙" not in page  # household 1001 has two log-ins


def test_the_loudspeaker_names_nobody(notice):
    """U-24, M-09: what is read out to everybody says when and where, no name, no number of a household, no points."""
    words = loudspeaker(notice, 3, 3)
    assert "11月10日" in words and "0818-0000000" in words and "不写名字也收" in words
    assert not any(name in words for name in ("演示", "2901", "1002", "分，", "扣"))


def test_the_slip_says_the_lines_themselves(cast, notice):
    """U-24: the content itself, not only where to look; with the way to object and room for a thumb."""
    done = browser(cast.clerk).get(address(notice, "slips.pdf"))
    text = _text(done.content)
    assert done["Content-Type"] == "application/pdf"
    for said in (
        "2901户",
        "演示奶奶",
        "清扫一段公共道路",
        "+2",
        "11月10日前",
        "0818-0000000",
        "收到人签字或手印",
    ):
        assert said in text
    assert "1001户" not in text and "1002户" not in text
    assert Entry.objects.filter(action="notices.print_slips").count() == 1


def test_all_households_or_one(cast, notice):
    client = browser(cast.clerk)
    whole = _text(client.get(address(notice, "slips.pdf") + "?who=all").content)
    assert all(f"{code}户" in whole for code in ("1001", "1002", "2901")) and "−5" in whole
    one = _text(client.get(address(notice, "slips.pdf") + f"?household={cast.household.pk}").content)
    assert "1001户" in one and "1002户" not in one
    refused = client.get(address(notice, "slips.pdf") + "?group=9组")
    assert refused.status_code == 400 and "没有要送告知单的户" in refused.content.decode()


def test_many_doors_take_few_statements_and_no_slip_is_cut(cast):
    """Fifteen households: three statements, whole slips on every page."""
    make_book(cast)
    for number in range(15):
        neighbour = without_a_phone(cast, f"29{number + 10}", "演示邻居")
        approved(cast, by=cast.clerk, household=neighbour, channel="counter")
    hanging = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
    with CaptureQueriesContext(connection) as few:
        assert len(doors(hanging)) == 15
    assert len(few) <= 4
    pages = _reader(browser(cast.clerk).get(address(hanging, "slips.pdf")).content).pages
    texts = [page.extract_text().replace(" ", "") for page in pages]
    assert len(pages) > 1
    for text in texts:
        assert text.count("积分公示告知单") == text.count("送达人") > 1


@pytest.mark.parametrize(
    "who", ["reviewer", "supervisor", "villager", "shopkeeper", "stranger_clerk", "bank"]
)
@pytest.mark.parametrize("rest", ["tell/", "slips.pdf"])
def test_only_the_clerk_prints_what_goes_to_the_door(cast, notice, who, rest):
    """A-02, A-04: the same answer for a foreign village as for none."""
    assert browser(getattr(cast, who)).get(address(notice, rest)).status_code in (403, 404)


def test_home_numbers_follow_the_notice(cast, notice):
    """A line taken down is not brought to the door."""
    notice.lines.filter(household=home(cast, "1002")).update(status="dropped")
    assert "1002" not in [door.household.code for door in doors(notice)]
