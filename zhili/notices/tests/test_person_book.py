"""A book by person: points are the person's, a child's are the household's, openings go to persons."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine

from tests.books import PLAIN_BOOK, SMALL_BOOK, make_book
from tests.month import approved, claim_for, home
from zhili.claims.actions import post_openings
from zhili.claims.errors import ClaimError
from zhili.ledger.queries import balances
from zhili.notices.actions import close_notice, open_notice
from zhili.notices.queries import public_lines
from zhili.people.models import Household, Resident

PERSON_BOOK = PLAIN_BOOK.replace("unit: household", "unit: resident")


@pytest.fixture
def village(cast):
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        cast.book = make_book(cast, PERSON_BOOK)
        yield cast


def hang_and_close(village):
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        notice = open_notice(by=village.clerk, place=village.place, period="2026-10")
    with time_machine.travel("2026-11-10 09:00:00+08:00", tick=False):
        return close_notice(by=village.clerk, notice=notice)


def test_it_must_be_said_who_did_it(village):
    """Bad input: no person, a person of another household, one who had left."""
    for resident, words in ((None, "写明是谁"), (village.clerk.resident, "不是这一户")):
        with pytest.raises(ClaimError, match=words) as error:
            claim_for(village, resident=resident)
        assert error.value.field == "resident"
    gone = village.head.resident
    Resident.objects.filter(pk=gone.pk).update(status="moved", left_on=date(2026, 9, 1))
    gone.refresh_from_db()
    with pytest.raises(ClaimError, match="已迁出"):
        claim_for(village, resident=gone)


def test_caps_are_each_persons_own_and_a_child_counts_for_the_household(village):
    """P-07: four sweepings each; the child's points stand in the household's account, unnamed."""
    child = Resident.objects.create(place=village.place, household=village.household, name="钱小宝",
                                    relation="grandchild", birth_date=date(2016, 5, 1))  # fmt: skip
    son, head = village.villager.resident, village.head.resident
    for day in range(1, 6):
        for person in (son, head):
            approved(village, resident=person, occurred_on=date(2026, 10, day))
    approved(village, resident=child)
    notice = hang_and_close(village)
    found = balances(village.place, [son.pk, head.pk, village.household.pk, child.pk])
    assert found[son.pk, "merit"].balance == found[head.pk, "merit"].balance == 800
    assert (found[village.household.pk, "merit"].balance, found[child.pk, "merit"].balance) == (200, 0)
    assert "钱" not in str(public_lines(notice))


def test_points_stay_with_the_person_when_the_household_merges(village):
    """A household that closed meanwhile does not take its people's points along."""
    approved(village, resident=village.head.resident)
    heir = home(village, "1002")
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        notice = open_notice(by=village.clerk, place=village.place, period="2026-10")
    Household.objects.filter(pk=village.household.pk).update(
        status="merged", closed_on=date(2026, 11, 5), successor=heir
    )
    with time_machine.travel("2026-11-10 09:00:00+08:00", tick=False):
        close_notice(by=village.clerk, notice=notice)
    found = balances(village.place, [village.head.resident.pk, heir.pk])
    assert (found[village.head.resident.pk, "merit"].balance, found[heir.pk, "merit"].balance) == (200, 0)


def test_openings_go_to_grown_people(cast):
    """Base and starts per person; a child has no account of its own."""
    child = Resident.objects.create(place=cast.place, household=cast.household, name="小宝",
                                    relation="grandchild", birth_date=date(2016, 5, 1))  # fmt: skip
    with time_machine.travel("2026-10-05 09:00:00+08:00", tick=False):
        make_book(cast, SMALL_BOOK.replace("unit: household", "unit: resident"))
        assert (
            post_openings(place=cast.place, by=cast.clerk).count == 44
        )  # 11 people, base and start, 2 purses
    found = balances(cast.place, [child.pk, cast.head.resident.pk])
    assert (found[child.pk, "merit"].balance, found[cast.head.resident.pk, "merit"].balance) == (0, 1600)
