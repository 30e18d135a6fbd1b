"""叫号: the numbers of a fair day are called group after group; several tables may call at the same time.

A number is called, served, or passed over; whoever was passed over is called again when the others are through. The
hall sees the number alone, never a name.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Max

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.policy import may
from zhili.people.models import Household, User
from zhili.shop.errors import ShopError
from zhili.shop.fairs import queue_of
from zhili.shop.models import FairDay, Ticket


def call_next(*, by: User, fair_day: FairDay) -> Ticket:
    """The next number in the order of the groups; those passed over come last. Two tables never get the same one."""
    with transaction.atomic():
        row = _open_day(by, fair_day)
        rest = [one for one in queue_of(row) if one.called_at is None or one.status == Ticket.Status.PASSED]
        if not rest:
            raise ShopError("后面没有人排队了", hint="有人来了先取号。", word="empty")
        return _call(by, rest[0])


def call_number(*, by: User, ticket: Ticket) -> Ticket:
    """This one now: somebody who missed the call stands here, or needs help."""
    with transaction.atomic():
        _open_day(by, ticket.fair_day)
        row = Ticket.objects.select_for_update(no_key=True).get(pk=ticket.pk)
        if row.status == Ticket.Status.SERVED:
            raise ShopError(f"{row.number} 号已经兑过", hint="请叫下一号。")
        return _call(by, row)


def take_group_numbers(*, by: User, fair_day: FairDay, group: str) -> int:
    """Numbers for every household of a group at once, by household number, before the day begins; how many are new.

    Five statements whatever the group's size.
    """
    with transaction.atomic():
        row = _locked(fair_day)
        _must(by, row)
        if row.status == FairDay.Status.CLOSED:
            raise ShopError("这个兑换日已经结束", hint="请下次再来。", word="closed")
        homes = Household.objects.filter(
            place__startswith=row.place, group=group, status__in=Household.OPEN
        ).exclude(pk__in=Ticket.objects.filter(fair_day=row).values("household"))
        last = Ticket.objects.filter(fair_day=row).aggregate(last=Max("number"))["last"] or 0
        news = [
            Ticket(place=home.place, fair_day=row, household=home, number=number, group=home.group)
            for number, home in enumerate(homes.order_by("place", "code"), start=last + 1)
        ]
        Ticket.objects.bulk_create(news)
        record("shop.take_numbers", by=by, place=row.place, target=row, group=group, count=len(news))
    return len(news)


@dataclass(frozen=True, slots=True)
class Hall:
    """What everybody in the hall may see: numbers. calling: newest first; ahead: who is next; counts of the day."""

    calling: list[int]
    ahead: list[int]
    waiting: int
    served: int


def hall(fair_day: FairDay, ahead: int = 6) -> Hall:
    """Numbers called and not yet served, and those that follow. Two statements."""
    rows = queue_of(fair_day)
    called = [one for one in rows if one.called_at is not None and one.status == Ticket.Status.WAITING]
    called.sort(key=lambda one: one.called_at or now(), reverse=True)
    rest = [one.number for one in rows if one.called_at is None and one.status == Ticket.Status.WAITING]
    served = Ticket.objects.filter(fair_day=fair_day, status=Ticket.Status.SERVED).aggregate(n=Count("pk"))[
        "n"
    ]
    return Hall([one.number for one in called[:3]], rest[:ahead], len(rest), served)


def _call(by: User, ticket: Ticket) -> Ticket:
    ticket.status, ticket.called_at = Ticket.Status.WAITING, now()
    ticket.save(update_fields=["status", "called_at"])
    record("shop.call_number", by=by, place=ticket.place, target=ticket, number=ticket.number)
    return ticket


def _open_day(by: User, fair_day: FairDay) -> FairDay:
    row = _locked(fair_day)
    _must(by, row)
    if row.status != FairDay.Status.OPEN:
        raise ShopError(
            f"{row}{row.get_status_display()}，不能叫号", hint="请先点“开始兑换”。", word="closed"
        )
    return row


def _locked(fair_day: FairDay) -> FairDay:
    return (
        FairDay.objects.select_for_update(of=("self",), no_key=True)
        .select_related("shop")
        .get(pk=fair_day.pk)
    )


def _must(by: User, row: FairDay) -> None:
    if not may(by, "shop.serve", row.place):
        raise NotAllowed("您的身份不能叫号", hint="请找店员或村文书。")
