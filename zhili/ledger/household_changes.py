"""Households that split, merge, move away or close, and their points with them (L-12).

Two brothers divide the yard: the clerk writes who goes where, which share of the points goes with them, and
on what basis (分家协议, a council's minute). The change and the transfers are one deed: both or neither. Points
before and after are equal, counting the village's account of points that left with their holders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.ledger import entries
from zhili.ledger.actions import close_accounts
from zhili.ledger.errors import LedgerError
from zhili.ledger.posting import NewTransfer, post
from zhili.ledger.queries import Balance, balances
from zhili.people import household_actions

if TYPE_CHECKING:
    from zhili.people.models import Household, Resident, User


def split_household(
    *,
    by: User | None,
    household: Household,
    code: str,
    residents: Sequence[Resident | UUID],
    head: Resident | UUID,
    share_percent: int,
    period: str,
    basis: str,
    on: date | None = None,
    **details: Any,
) -> Household:
    """分户: some residents found a household of their own and take share_percent of every purse along.

    Whole hundredths, rounded down: the rest stays. What is set aside for orders stays. Returns the new
    household.
    """
    if not 0 <= share_percent <= 100:
        raise LedgerError("分走的积分比例要在 0 到 100 之间", field="share_percent", hint="例如平分填 50。")
    with transaction.atomic():
        new = household_actions.split_household(
            by=by,
            household=household,
            code=code,
            residents=residents,
            head=head,
            basis=basis,
            on=on,
            **details,
        )
        _hand_over(household, new, by, period, basis, on, lambda b: _share(b, share_percent), "分户划转")
    return new


def merge_households(
    *, by: User | None, household: Household, into: Household, period: str, basis: str, on: date | None = None
) -> Household:
    """并户: everything `household` holds goes to `into`; its purses are closed."""
    with transaction.atomic():
        _nothing_reserved(household)
        _hand_over(household, into, by, period, basis, on, lambda b: b.balance, "并户划转")
        merged = household_actions.merge_households(by=by, household=household, into=into, basis=basis, on=on)
        close_accounts(household.place, household.pk, on=on or today())
    return merged


def move_away(
    *, by: User | None, household: Household, period: str, basis: str, on: date | None = None, to: str = ""
) -> Household:
    """迁出: the household leaves the village; its points leave the village's books with it, as lines with a
    basis."""
    with transaction.atomic():
        _nothing_reserved(household)
        _hand_over(household, None, by, period, basis, on, lambda b: b.balance, "迁出注销")
        moved = household_actions.move_away(by=by, household=household, basis=basis, on=on, to=to)
        close_accounts(household.place, household.pk, on=on or today())
    return moved


def close_household(
    *, by: User | None, household: Household, period: str, basis: str, on: date | None = None
) -> Household:
    """销户: nobody is left; what the household still holds is written off by name."""
    with transaction.atomic():
        _nothing_reserved(household)
        _hand_over(household, None, by, period, basis, on, lambda b: b.balance, "销户注销")
        closed = household_actions.close_household(by=by, household=household, basis=basis, on=on)
        close_accounts(household.place, household.pk, on=on or today())
    return closed


def settle_death(
    *,
    by: User | None,
    resident: Resident,
    period: str,
    heir: UUID | None,
    basis: str,
    on: date,
    new_head: Resident | UUID | None = None,
) -> Resident:
    """去世, where points are kept by person: they go to `heir` (a resident or the household), or are written
    off."""
    with transaction.atomic():
        _nothing_reserved(resident)
        _hand_over(resident, heir, by, period, basis, on, lambda b: b.balance, "去世划转")
        dead = household_actions.record_death(by=by, resident=resident, on=on, basis=basis, new_head=new_head)
        close_accounts(resident.place, resident.pk, on=on)
    return dead


def _hand_over(
    source: Household | Resident,
    target: Household | Resident | UUID | None,
    by: User | None,
    period: str,
    basis: str,
    on: date | None,
    part: Callable[[Balance], int],
    note: str,
) -> None:
    """Post one line per purse that has something to move."""
    taker = target if target is None or isinstance(target, UUID) else target.pk
    cause = {"basis": basis.strip()[:200], "actor": 0 if by is None else by.pk, "channel": "counter"}
    news: list[NewTransfer] = []
    for (_, purse), balance in sorted(
        balances(source.place, [source.pk]).items(), key=lambda item: item[0][1]
    ):
        points = part(balance)
        if points:
            news.append(entries.handover(uuid7(), source.pk, taker, points, purse, on or today(), cause))
    if news:
        post(news, place=source.place, by=by, period=period, note=note)


def _share(balance: Balance, percent: int) -> int:
    part = abs(balance.balance) * percent // 100
    return -part if balance.balance < 0 else min(part, balance.available)


def _nothing_reserved(owner: Household | Resident) -> None:
    if any(balance.reserved for balance in balances(owner.place, [owner.pk]).values()):
        raise LedgerError("这个户还有未领取的兑换", hint="请先领取或取消兑换，再办理。", word="reserved")
