"""积分到期 at the desk and by command: announced 30 days before, posted on the day, once (L-11)."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine
from django.test import Client

from tests.books import PLAIN_BOOK, make_book
from tests.month import approved, home
from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.scope import set_scope
from zhili.config.command import main
from zhili.ledger.announcing import announce_expiry, announcements, expire_announced
from zhili.ledger.errors import LedgerError
from zhili.ledger.queries import balances
from zhili.ledger.verify import verify
from zhili.notices.actions import close_notice, open_notice
from zhili.web.expiry import announce, lapse, plans

YEARLY = PLAIN_BOOK.replace("{policy: years, years: 2}", '{policy: yearly, on: "01-10"}')


@pytest.fixture
def clock():
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=True) as traveller:
        yield traveller


def stage(cast, clock, text: str):
    """October is posted: 2 points each for 1001 and 3001. Today is 11 November 2026."""
    cast.book = make_book(cast, text)
    cast.desk = f"/desk/{cast.place}/ledger/expiry/"
    approved(cast)
    approved(cast, by=cast.clerk, household=home(cast, "3001"), channel="counter")
    clock.move_to("2026-11-03 10:00:00+08:00")
    notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
    clock.move_to("2026-11-11 10:00:00+08:00")
    close_notice(by=cast.clerk, notice=notice)
    return cast


@pytest.fixture
def village(cast, clock):
    return stage(cast, clock, YEARLY)


def browser(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def spend(village) -> int:
    set_scope(["511702"])
    owner = village.household.pk
    return balances(village.place, [owner])[owner, "spend"].balance


def test_what_lapses_is_announced_then_posted_once(village, clock):
    client = browser(village.clerk)
    page = client.get(village.desk).content.decode()
    assert "4 分" in page and "2 个存折" in page and "2027年1月10日" in page
    assert client.post(village.desk, {"purse": "spend", "do": "announce"}).status_code == 302
    assert "已经公告" in client.get(village.desk).content.decode() and spend(village) == 200
    clock.move_to("2027-01-10 08:00:00+08:00")
    client = browser(village.clerk)
    assert client.post(village.desk, {"purse": "spend", "do": "post"}).status_code == 302
    assert spend(village) == 0
    merit = balances(village.place, [village.household.pk])[village.household.pk, "merit"].balance
    assert merit == 200 and verify([village.place]).ok
    assert client.post(village.desk, {"purse": "spend", "do": "post"}).status_code == 422
    set_scope(["511702"])
    assert Entry.objects.filter(action="ledger.announce_expiry", actor_id=village.clerk.pk).count() == 1
    assert Entry.objects.get(action="ledger.expire_announced").detail == {"count": 2}


def test_earlier_than_announced_is_refused_in_words(village, clock):
    client = browser(village.clerk)
    client.post(village.desk, {"purse": "spend", "do": "announce"})
    for moment in ("2026-12-20 10:00:00+08:00", "2027-01-09 23:00:00+08:00"):
        clock.move_to(moment)
        early = browser(village.clerk).post(village.desk, {"purse": "spend", "do": "post"})
        assert early.status_code == 422 and "2027-01-10" in early.content.decode()
    assert spend(village) == 200


def test_unannounced_is_refused(village, clock):
    clock.move_to("2027-01-10 08:00:00+08:00")
    answer = browser(village.clerk).post(village.desk, {"purse": "spend", "do": "post"})
    assert answer.status_code == 422 and "还没有公告" in answer.content.decode() and spend(village) == 200


def test_too_late_for_this_year_means_next_year(village, clock):
    clock.move_to("2026-12-12 10:00:00+08:00")
    assert [plan.on for plan in plans(village.place)] == [date(2028, 1, 10)]
    with pytest.raises(LedgerError, match="30 天"):
        announce(by=village.clerk, place=village.place, plan=plans(village.place, date(2027, 1, 10))[0])
    with pytest.raises(ZhiliError, match="不能定在"):
        plans(village.place, date(2027, 3, 1))


def test_announcing_twice_or_nothing_or_backwards_is_refused(village):
    def say(purse: str = "spend", until: date = date(2026, 12, 31), on: date = date(2027, 1, 10)):
        return announce_expiry(by=village.clerk, place=village.place, purse=purse, on=on, earned_until=until)

    with pytest.raises(LedgerError, match="没有会到期"):
        say(until=date(2026, 10, 1))
    with pytest.raises(LedgerError, match="到期日以前"):
        say(until=date(2027, 1, 10))
    say()
    with pytest.raises(LedgerError, match="已经公告过"):
        say()
    assert len(announcements(village.place)) == 1


def test_only_the_clerk_of_this_village(village):
    said = announce(by=village.clerk, place=village.place, plan=plans(village.place)[0])
    for person in (village.villager, village.supervisor, village.county, village.township,
                   village.stranger_clerk, village.system_admin):  # fmt: skip
        with pytest.raises(NotAllowed):
            announce(by=person, place=village.place, plan=plans(village.place)[0])
        with pytest.raises(NotAllowed):
            expire_announced(by=person, place=village.place, announcement=said, period="2027-01")
        assert browser(person).get(village.desk).status_code in (403, 404)
        assert browser(person).post(village.desk, {"purse": "spend"}).status_code in (403, 404)
        set_scope(["511702"])
    client = browser(village.clerk)
    assert client.post(village.desk, {"purse": "merit"}).status_code == 404
    assert client.get(village.desk.replace(village.place, village.next_place)).status_code == 404


def test_what_was_earned_n_years_ago_lapses_on_a_first_of_month(cast, clock):
    village = stage(cast, clock, PLAIN_BOOK.replace("to: 2027-12-31", "to: null"))
    (plan,) = plans(village.place)
    assert (plan.on, plan.earned_until, plan.points) == (date(2027, 1, 1), date(2025, 1, 1), 0)
    clock.move_to("2028-10-20 10:00:00+08:00")
    (plan,) = plans(village.place)
    assert (plan.on, plan.earned_until, plan.points) == (date(2028, 12, 1), date(2026, 12, 1), 400)
    announce(by=village.clerk, place=village.place, plan=plan)
    clock.move_to("2028-12-03 10:00:00+08:00")
    (plan,) = plans(village.place)
    assert plan.ripe and lapse(by=village.clerk, place=village.place, plan=plan) == 2


def test_a_book_without_expiry_has_an_empty_page(cast, clock):
    village = stage(cast, clock, PLAIN_BOOK.replace(", expiry: {policy: years, years: 2}", ""))
    page = browser(village.clerk).get(village.desk)
    assert page.status_code == 200 and "没有会按日期到期" in page.content.decode()


def test_the_command(village, clock, capsys, monkeypatch):
    monkeypatch.setattr("zhili.config.setup.ready", lambda: None)  # the test's own database is up already
    words = ["ledger", "expire", "--place", village.place]
    assert main(words) == 1 and "还没有公告" in capsys.readouterr().err
    assert main([*words, "--announce", "--on", "2027-02-01"]) == 1
    assert main([*words, "--announce", "--json"]) == 0
    assert '"points": "4"' in capsys.readouterr().out
    assert main([*words, "--announce"]) == 1 and main(words) == 1
    clock.move_to("2027-01-12 08:00:00+08:00")
    capsys.readouterr()
    assert main(words) == 0 and "已入账 2 笔" in capsys.readouterr().out
    assert main(words) == 1
    assert main(["ledger", "expire", "--place", "999999999999"]) == 1
    assert spend(village) == 0
