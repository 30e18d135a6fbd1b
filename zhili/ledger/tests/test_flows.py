"""Where a purse's points went, by month: every kind of line, and what is left is what the holders hold (L-05, L-14)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
import time_machine

from zhili.common.periods import SHANGHAI, today
from zhili.ledger import actions, entries
from zhili.ledger.flows import Flow, monthly_flows, redemptions, reserved_at, spread
from zhili.ledger.funding import village_accounts
from zhili.ledger.models import Account, Transfer
from zhili.ledger.tests.stories import PLACE, cause, give

pytestmark = pytest.mark.django_db
SPEND = "spend"


def award(owner: UUID, points: int, day: date) -> None:
    news = entries.award(uuid4(), owner, points, ["merit", SPEND], day, cause())
    actions.post(news, place=PLACE, by=None, period="2026-12")


def reserve(owner: UUID, points: int, day: date) -> UUID:
    key = uuid4()
    actions.reserve(key, place=PLACE, owner=owner, amount=points, by=None, period="2026-12", occurred_on=day,
                    cause={"order": str(key)}, purse=SPEND)  # fmt: skip
    return key


def reverse(id: UUID) -> None:
    keys = {a.id: actions.AccountKey(a.kind, a.owner, a.purse) for a in Account.objects.all()}
    back = entries.reversal(Transfer.objects.get(id=id), keys, by=1, approved_by=2, reason="记错")
    actions.post([back], place=PLACE, by=None, period="2026-12")


def test_every_kind_of_line_has_its_column_and_its_month():
    """L-14: two months with award, deduction, redemption, void, expiry and counter-entries of each; the sums agree."""
    one, two = uuid4(), uuid4()
    with time_machine.travel("2026-10-31 23:59:00+08:00", tick=False) as clock:
        actions.post(
            [entries.fund(uuid4(), 10_000, SPEND, today(), {"fund": "f"})],
            place=PLACE,
            by=None,
            period="2026-12",
        )
        award(one, 1_000, today())
        award(two, 500, today())
        clock.move_to("2026-11-01 00:01:00+08:00")
        taken, off, open_ = (reserve(one, n, today()) for n in (200, 100, 50))
        actions.settle([taken], place=PLACE, by=None, period="2026-12", occurred_on=today())
        actions.void([off], place=PLACE, by=None, period="2026-12", occurred_on=today())
        actions.post(
            [entries.expiry(uuid4(), two, 300, SPEND, today(), {"earned_until": "x"})],
            place=PLACE,
            by=None,
            period="2026-12",
        )
        reverse(Transfer.objects.get(code="award", credit__in=_holders(two)).id)
        moment = today()
    assert monthly_flows(PLACE, SPEND) == [
        Flow("2026-10", 10_000, 1_500, 0, 0, 0), Flow("2026-11", 0, 0, 200, 300, 200)
    ]  # fmt: skip
    assert sum(monthly_flows(PLACE, SPEND), Flow()).growth == village_accounts(PLACE, SPEND)["holder"] == 800
    assert [flow.funded for flow in monthly_flows(PLACE, "merit")] == [0]
    assert monthly_flows("511702109201", SPEND) == []
    start, end = _midnights(moment)
    assert [(line.key, line.points) for line in redemptions(PLACE, SPEND, start, end)] == [(taken, 200)]
    assert reserved_at(PLACE, SPEND, end) == {open_: 50} and reserved_at(PLACE, SPEND, start) == {}
    assert monthly_flows(PLACE, SPEND, since=start) == monthly_flows(PLACE, SPEND)[1:]
    assert monthly_flows(PLACE, SPEND, before=start) == monthly_flows(PLACE, SPEND)[:1]


def _holders(owner: UUID) -> list[UUID]:
    return list(Account.objects.filter(kind="holder", owner=owner, purse=SPEND).values_list("id", flat=True))


def _midnights(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), tzinfo=SHANGHAI)
    return start, start + timedelta(days=1)


def test_a_redemption_taken_back_names_the_deed_it_takes_back():
    """L-04: of a reservation that was settled, and of one posted at once."""
    owner, direct = uuid4(), uuid4()
    with time_machine.travel("2026-11-03 10:00:00+08:00", tick=False):
        award(owner, 1_000, today())
        key = reserve(owner, 200, today())
        actions.settle([key], place=PLACE, by=None, period="2026-12", occurred_on=today())
        line = actions.NewTransfer(direct, entries.holder(owner, SPEND), entries.village("redeemed", SPEND), 100, "redeem",
                                   today(), {"order": str(direct)})  # fmt: skip
        actions.post([line], place=PLACE, by=None, period="2026-12")
        for id in (Transfer.objects.get(pending_of=key).id, direct):
            reverse(id)
        start, end = _midnights(today())
    found = [(one.key, one.points) for one in redemptions(PLACE, SPEND, start, end)]
    assert found == [(key, 200), (direct, 100), (key, -200), (direct, -100)]
    assert all(one.cause["order"] == str(one.key) for one in redemptions(PLACE, SPEND, start, end))
    assert monthly_flows(PLACE, SPEND)[0].redeemed == 0


def test_spread_of_nothing_and_of_few():
    """G-12: an empty village, households without a purse, and the lower middle one of an even number."""
    assert (spread(PLACE, SPEND, []).households, spread(PLACE, SPEND, []).top_percent) == (0, None)
    owners = [uuid4() for _ in range(20)]
    for n, owner in enumerate(owners[:4], start=1):
        give(owner, 100 * n)
    found = spread(PLACE, "merit", [[owner] for owner in owners])
    assert (found.households, found.median, found.points, found.top, found.top_percent) == (
        20,
        0,
        1_000,
        700,
        70,
    )
    both = spread(PLACE, "merit", [owners[:2], owners[2:4]])
    assert (both.median, both.top) == (300, 700)
