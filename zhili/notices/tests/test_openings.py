"""期初: base points and block starts reach every passbook before the lines of their period (L-06, X-12)."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine

from tests.books import PLAIN_BOOK, SMALL_BOOK, make_book
from tests.month import approved, deduction, home
from zhili.audit.models import Entry
from zhili.claims.actions import post_openings
from zhili.claims.models import Opening
from zhili.common.errors import NotAllowed
from zhili.common.points import CENTI
from zhili.ledger.actions import close_period
from zhili.ledger.queries import balances, heads, latest_head, statement
from zhili.ledger.verify import verify
from zhili.notices.actions import close_notice, open_notice
from zhili.notices.errors import NoticeError
from zhili.people.models import Household

OPENING_DAY = "2026-11-02 09:00:00+08:00"
BASE, START = 1 * CENTI, 15 * CENTI


@pytest.fixture
def village(cast):
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        cast.book = make_book(cast, SMALL_BOOK)
        yield cast


def open_it(village, at: str = OPENING_DAY, period: str = "2026-10"):
    with time_machine.travel(at, tick=False):
        return open_notice(by=village.clerk, place=village.place, period=period)


def close_it(village, notice, at: str = "2026-11-10 09:00:00+08:00"):
    with time_machine.travel(at, tick=False):
        return close_notice(by=village.clerk, notice=notice)


def merit(village, code: str) -> int:
    owner = home(village, code).pk
    return balances(village.place, [owner])[owner, "merit"].balance


def test_a_notice_brings_the_openings_of_its_period_before_its_lines(village, client):
    """Every open household, not only those on the notice; the villager reads 期初; the poster's head has them."""
    approved(village)
    notice = open_it(village)
    assert merit(village, "1001") == merit(village, "2002") == BASE + START
    head = latest_head(village.place)
    assert head is not None and (head.seq, notice.ledger_head) == (1, head.head)
    close_it(village, notice)
    codes = [row.code for row in statement(village.place, village.household.pk, purse="merit").entries]
    assert codes[-1] == "award" and set(codes[:-1]) == {"opening"}
    assert verify([village.place]).ok
    client.force_login(village.villager)
    assert "期初" in client.get("/m/passbook/").content.decode()


def test_a_deduction_finds_the_start_it_is_taken_from(village):
    deduction(village)
    close_it(village, open_it(village))
    owner = home(village, "1002").pk
    spend = statement(village.place, owner, purse="spend").entries[-1]
    assert (spend.points, spend.short) == (-5 * CENTI, 0)


def test_the_yearly_base_comes_once_and_a_monthly_start_every_month(village):
    approved(village)
    close_it(village, open_it(village))
    with time_machine.travel("2026-11-20 09:00:00+08:00", tick=False):
        approved(village, occurred_on=date(2026, 11, 18))
    open_it(village, "2026-12-01 09:00:00+08:00", "2026-11")
    assert merit(village, "2002") == BASE + 2 * START
    assert Opening.objects.filter(source="base", purse="merit", owner=home(village, "2002").pk).count() == 1


def test_a_book_without_openings_writes_nothing(cast):
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        make_book(cast, PLAIN_BOOK)
        approved(cast)
    open_it(cast)
    assert heads(cast.place, 5) == [] and not Entry.objects.filter(action="claims.openings").exists()


def test_a_refused_notice_leaves_no_openings(village):
    """All or nothing: a leak found at the end takes the openings back with it."""
    approved(village)
    Household.objects.filter(pk=village.household.pk).update(code="13800138000")
    with pytest.raises(NoticeError):
        open_it(village)
    assert not Opening.objects.exists() and heads(village.place, 5) == []


@pytest.mark.parametrize("period", ["2026-11", "2026-Q3", "ever"])
def test_a_period_that_cannot_hang_gets_no_openings(village, period):
    approved(village)
    with pytest.raises(NoticeError):
        open_it(village, period=period)
    assert not Opening.objects.exists()


def test_a_closed_period_takes_no_openings(village):
    """L-08."""
    approved(village)
    with time_machine.travel(OPENING_DAY, tick=False):
        close_period(village.place, "2026-10", by=village.clerk)
    with pytest.raises(NoticeError, match="结账"):
        open_it(village)
    assert not Opening.objects.exists()


def test_openings_post_once(village):
    """Base and block starts for every open household; again and again gives the same."""
    Household.objects.filter(code="3004").update(status="moved", closed_on=date(2026, 10, 1))
    with time_machine.travel("2026-10-05 09:00:00+08:00", tick=False):
        posted = post_openings(place=village.place, on=date(2026, 10, 5), by=village.clerk)
        assert posted is not None and posted.count == 36  # 9 households, base and start, 2 purses
        assert post_openings(place=village.place, on=date(2026, 10, 9), by=village.clerk) is None
        for person in (village.supervisor, village.county, village.villager, village.stranger_clerk):
            with pytest.raises(NotAllowed):
                post_openings(place=village.place, by=person)
    assert merit(village, "1001") == BASE + START and merit(village, "3004") == 0
    with time_machine.travel("2026-11-05 09:00:00+08:00", tick=False):
        post_openings(place=village.place, by=village.clerk)
    assert merit(village, "1001") == BASE + 2 * START


def test_a_newcomer_gets_openings_later(village):
    """Idempotent per account: a household that came after the first run is credited, the others are not again."""
    with time_machine.travel("2026-10-05 09:00:00+08:00", tick=False):
        post_openings(place=village.place, by=village.clerk)
        Household.objects.create(place=village.place, code="9001")
        post_openings(place=village.place, by=village.clerk)
    assert merit(village, "9001") == merit(village, "1001") == BASE + START
