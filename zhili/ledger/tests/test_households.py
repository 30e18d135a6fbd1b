"""Points follow people (L-12): split, merge, move away, close, death; total before = after."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from zhili.common.errors import ZhiliError
from zhili.ledger import actions, household_changes, queries
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Account
from zhili.ledger.tests.stories import DAY, PERIOD, PLACE, give
from zhili.ledger.verify import verify

pytestmark = pytest.mark.django_db
ON = date(2022, 8, 1)
ASK = dict(period=PERIOD, basis="分家协议", on=ON)


def total(purse: str) -> int:
    return sum(a.balance for a in Account.objects.filter(purse=purse, kind__in=["holder", "moved"]))


def spend(owner) -> int:
    return queries.balances(PLACE, [owner.pk])[owner.pk, "spend"].balance


def test_split(cast) -> None:
    """L-12: the stated share, rounded down, goes with them; the line says why."""
    home = cast.household
    give(home.pk, 333)
    before = total("spend"), total("merit")
    new = household_changes.split_household(
        by=cast.clerk, household=home, code="1009", residents=[cast.villager.resident], head=cast.villager.resident,
        share_percent=50, **ASK,
    )  # fmt: skip
    assert (spend(home), spend(new)) == (167, 166)
    assert (total("spend"), total("merit")) == before
    line = queries.statement(PLACE, new.pk, purse="spend").entries[0]
    assert (line.code, line.cause["basis"], line.cause["actor"]) == ("household", "分家协议", cast.clerk.pk)
    assert verify([PLACE]).ok


@pytest.mark.parametrize("share", [-1, 101])
def test_a_share_is_a_share(cast, share: int) -> None:
    """L-12: more than all, or less than nothing, is refused before anything happens."""
    with pytest.raises(LedgerError):
        household_changes.split_household(
            by=cast.clerk, household=cast.household, code="1009", residents=[cast.villager.resident],
            head=cast.villager.resident, share_percent=share, **ASK,
        )  # fmt: skip


def test_merge(cast) -> None:
    """L-12: all goes over, a debt too; the old purses are closed and take nothing."""
    home, into = cast.household, cast.clerk.resident.household
    give(home.pk, 200)
    give(home.pk, -500, purses=["merit"], negative=["merit"])
    give(into.pk, 100)
    before = total("spend"), total("merit")
    household_changes.merge_households(by=cast.clerk, household=home, into=into, **ASK)
    found = queries.balances(PLACE, [home.pk, into.pk])
    assert (found[into.pk, "spend"].balance, found[into.pk, "merit"].balance) == (300, -200)
    assert found[home.pk, "spend"].balance == found[home.pk, "merit"].balance == 0
    assert (total("spend"), total("merit")) == before
    with pytest.raises(LedgerError):
        give(home.pk, 100)
    assert verify([PLACE]).ok


@pytest.mark.parametrize("debt", [False, True])
def test_move_away(cast, debt: bool) -> None:
    """L-12: points leave with the household as lines, none stays behind."""
    home = cast.household
    give(home.pk, 200)
    if debt:
        give(home.pk, -500, purses=["merit"], negative=["merit"])
    before = total("spend"), total("merit")
    household_changes.move_away(by=cast.clerk, household=home, to="外省", **ASK)
    assert spend(home) == 0 and (total("spend"), total("merit")) == before
    home.refresh_from_db()
    assert home.closed_on == ON and verify([PLACE]).ok


def test_nothing_waits_at_the_counter(cast) -> None:
    """L-12, C-06: an order not yet fetched stops the change; nothing is half done."""
    home = cast.household
    give(home.pk, 200)
    actions.reserve(
        uuid4(), place=PLACE, owner=home.pk, amount=50, by=None, period=PERIOD, occurred_on=DAY, cause={}
    )
    for change in (household_changes.move_away, household_changes.close_household):
        with pytest.raises(LedgerError, match="未领取"):
            change(by=cast.clerk, household=home, **ASK)
    home.refresh_from_db()
    assert home.is_open and spend(home) == 200


def test_a_refused_change_moves_no_points(cast) -> None:
    """L-12: people in the house, or a person without the right: the points stay where they are."""
    home = cast.household
    give(home.pk, 200)
    for by in (cast.clerk, cast.villager, cast.stranger_clerk):
        with pytest.raises(ZhiliError):
            household_changes.close_household(by=by, household=home, **ASK)
    assert spend(home) == 200 and verify([PLACE]).ok


def test_the_database_refuses_to_close_a_household_with_points(cast) -> None:
    """L-12: even code that forgets the points cannot close a household that has some."""
    home = cast.household
    give(home.pk, 200)
    home.status, home.closed_on = "closed", ON
    with pytest.raises(IntegrityError, match="还有积分"), transaction.atomic():
        home.save()
    other = cast.clerk.resident.household
    other.status, other.closed_on = "closed", ON
    other.save()


def test_death_where_points_are_personal(cast) -> None:
    """L-12: a person's points go to the named heir, or are written off by name."""
    dead, heir = cast.villager.resident, cast.head.resident
    give(dead.pk, 200)
    before = total("spend")
    household_changes.settle_death(
        by=cast.clerk, resident=dead, heir=heir.pk, period=PERIOD, basis="继承", on=ON
    )
    assert (spend(dead), spend(heir), total("spend")) == (0, 200, before)
    assert verify([PLACE]).ok
