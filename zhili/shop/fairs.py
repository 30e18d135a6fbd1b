"""兑换日: the village calls its groups one after the other, everybody gets a number, and in the evening it is counted.

A fair day opens and closes by a person's act inside its announced hours; a queue number is paper as well as screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Sum

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.periods import SHANGHAI, today
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.people.models import Household, User
from zhili.shop.access import must
from zhili.shop.busy import busy_is_said
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import FairDay, Order, OrderLine, Poll, PollAnswer, Shop, Ticket

QUOTA_MAX: Final = 100_000_00
OPTIONS_MAX: Final = 30


def plan_fair_day(
    *,
    by: User,
    shop: Shop,
    on: date,
    opens_at: time,
    closes_at: time,
    groups: Sequence[str] = (),
    quota_points: int = 0,
    quota_orders: int = 0,
) -> FairDay:
    """Announce a fair day. groups: the order in which groups are called; quotas: 0 means none. Raises ShopError."""
    must(by, "shop.manage", shop.place, "安排兑换日")
    if on < today():
        raise ShopError("兑换日要在今天或以后", field="on", hint="请改日期。")
    if closes_at <= opens_at:
        raise ShopError("结束时间要晚于开始时间", field="closes_at", hint="请核对时间。")
    if not 0 <= quota_points <= QUOTA_MAX or not 0 <= quota_orders <= 10_000:
        raise ShopError("限额不对", field="quota_points", hint="0 表示不限。")
    with transaction.atomic():
        Shop.objects.select_for_update(no_key=True).get(pk=shop.pk)
        if FairDay.objects.filter(shop=shop, on=on).exclude(status=FairDay.Status.DROPPED).exists():
            raise Conflict(f"{on:%-m月%-d日}已经安排了兑换日", field="on", hint="请改日期，或先取消那一天。")
        made = FairDay.objects.create(
            place=shop.place, shop=shop, on=on, opens_at=opens_at, closes_at=closes_at, groups=list(groups),
            quota_points=quota_points, quota_orders=quota_orders, by=by,
        )  # fmt: skip
        record("shop.plan_fair_day", by=by, place=shop.place, target=made, on=on.isoformat())
    return made


@busy_is_said
def cancel_fair_day(*, by: User, fair_day: FairDay, reason: str) -> FairDay:
    """不办了: only what has not begun. The reason stands on the public price list until the day is over."""
    reason = reason.strip()
    if not 2 <= len(reason) <= 60:
        raise ShopError("请写明为什么取消，2 到 60 个字", field="reason", hint="会贴在公开的价目页上。")
    with transaction.atomic():
        row = _locked(fair_day)
        must(by, "shop.manage", row.place, "取消兑换日")
        if row.status == FairDay.Status.DROPPED:
            return row
        if row.status != FairDay.Status.PLANNED:
            raise Conflict(f"这个兑换日{row.get_status_display()}，不能取消", hint="进行中的请办“收市”。")
        row.status, row.reason = FairDay.Status.DROPPED, reason
        row.save(update_fields=["status", "reason"])
        record(
            "shop.cancel_fair_day", by=by, place=row.place, target=row, on=row.on.isoformat(), reason=reason
        )
    return row


def open_fair_day(*, by: User, fair_day: FairDay) -> FairDay:
    """开市: on its day only."""
    with transaction.atomic():
        row = _locked(fair_day)
        must(by, "shop.serve", row.place, "开始兑换日")
        if row.status == FairDay.Status.OPEN:
            return row
        if row.status == FairDay.Status.CLOSED:
            raise Conflict("这个兑换日已经结束", hint="请另外安排一天。")
        if row.status == FairDay.Status.DROPPED:
            raise Conflict("这个兑换日已经取消", hint="请另外安排一天。")
        if now().astimezone(SHANGHAI).date() != row.on:
            raise ShopError(
                f"{row}还没有到，或已经过了", hint=f"只能在{row.on:%-m月%-d日}当天开始。", word="closed"
            )
        row.status = FairDay.Status.OPEN
        row.save(update_fields=["status"])
        record("shop.open_fair_day", by=by, place=row.place, target=row)
    return row


@busy_is_said
def take_number(*, by: User, fair_day: FairDay, household: Household) -> Ticket:
    """取号: one number per household; asking again gives the same."""
    with transaction.atomic():
        row = _locked(fair_day)
        must(by, "shop.serve", row.place, "发号")
        if row.status in (FairDay.Status.CLOSED, FairDay.Status.DROPPED):
            raise ShopError(f"这个兑换日{row.get_status_display()}", hint="请下次再来。", word="closed")
        if not household.place.startswith(row.place) or not household.is_open:
            raise ShopError("这一户不归这个超市", hint="请核对户编号。")
        known = Ticket.objects.filter(fair_day=row, household=household).first()
        if known is not None:
            return known
        last = Ticket.objects.filter(fair_day=row).aggregate(last=Max("number"))["last"] or 0
        made = Ticket.objects.create(
            place=household.place, fair_day=row, household=household, number=last + 1, group=household.group
        )
        record("shop.take_number", by=by, place=household.place, target=made, number=made.number)
    return made


def pass_over(*, by: User, ticket: Ticket) -> Ticket:
    """过号: nobody answered; the number may come back at the end of the queue's list."""
    with transaction.atomic():
        row = Ticket.objects.select_for_update(no_key=True).select_related("fair_day").get(pk=ticket.pk)
        must(by, "shop.serve", row.fair_day.place, "叫号")
        if row.status == Ticket.Status.SERVED:
            raise Conflict(f"{row.number} 号已经兑过", hint="请叫下一号。")
        row.status = Ticket.Status.PASSED
        row.save(update_fields=["status"])
        record("shop.pass_over", by=by, place=row.place, target=row)
    return row


def queue_of(fair_day: FairDay) -> list[Ticket]:
    """Who waits, in the order the groups are called, then by number; passed-over numbers last. One statement."""
    order = {group: place for place, group in enumerate(fair_day.groups)}
    rows = (
        Ticket.objects.filter(fair_day=fair_day)
        .exclude(status=Ticket.Status.SERVED)
        .select_related("household")
    )
    return sorted(
        rows,
        key=lambda one: (one.status == Ticket.Status.PASSED, order.get(one.group, len(order)), one.number),
    )


def served(fair_day: FairDay, household_id: UUID) -> None:
    """The household got its goods: its number is done."""
    Ticket.objects.filter(fair_day=fair_day, household=household_id).update(status=Ticket.Status.SERVED)


@busy_is_said
def close_fair_day(*, by: User, fair_day: FairDay) -> FairDay:
    """收市: the day's tally is written down and stays. Doing it twice is once."""
    with transaction.atomic():
        row = _locked(fair_day)
        must(by, "shop.serve", row.place, "结束兑换日")
        if row.status == FairDay.Status.CLOSED:
            return row
        if row.status != FairDay.Status.OPEN:
            raise ShopError(f"{row}{row.get_status_display()}", hint="没有开始的，不办了请在列表里取消。")
        row.status, row.tally = FairDay.Status.CLOSED, tally_of(row)
        row.save(update_fields=["status", "tally"])
        record("shop.close_fair_day", by=by, place=row.place, target=row, **row.tally["sums"])
    return row


def tally_of(fair_day: FairDay) -> dict[str, Any]:
    """What went over the table: {"sums": {orders, households, points, proxies}, "goods": [{title, quantity, points}]}.

    points as hundredths. Two statements.
    """
    done = Order.objects.filter(fair_day=fair_day, status=Order.Status.HANDED_OVER)
    sums = done.aggregate(
        orders=Count("pk"), households=Count("household", distinct=True), points=Sum("points")
    )
    lines = OrderLine.objects.filter(order__in=done).values("title", "points").order_by("title", "points")
    goods = [
        {"title": row["title"], "quantity": row["count"], "points": row["points"] * row["count"]}
        for row in lines.annotate(count=Sum("quantity"))
    ]
    proxies = done.exclude(collector=None, collector_relation="").count()
    return {"sums": {**sums, "points": sums["points"] or 0, "proxies": proxies}, "goods": goods}


def tally_words(fair_day: FairDay) -> str:
    """全天 86 户、91 单，共 1203.5 分，代领 4 单。"""
    sums = fair_day.tally["sums"]
    return (
        f"全天 {sums['households']} 户、{sums['orders']} 单，共 {format_points(sums['points'])} 分，"
        f"代领 {sums['proxies']} 单。"
    )


def open_poll(
    *, by: User, shop: Shop, title: str, options: Sequence[str], closes_on: date, most: int = 3
) -> Poll:
    """进货前问一问: households choose up to `most` of the options until a day (G-15)."""
    must(by, "shop.manage", shop.place, "征询需求")
    wanted = [text.strip()[:30] for text in options if text.strip()]
    if not 2 <= len(wanted) <= OPTIONS_MAX or len(set(wanted)) != len(wanted):
        raise ShopError(f"请写 2 到 {OPTIONS_MAX} 种不同的物品", field="options", hint="一行一种。")
    if closes_on < today():
        raise ShopError("截止日期已经过了", field="closes_on", hint="请改成今天或以后。")
    if not 1 <= most <= len(wanted):
        raise ShopError(f"每户最多选几种要在 1 到 {len(wanted)} 之间", field="most", hint="请核对。")
    with transaction.atomic():
        made = Poll.objects.create(
            place=shop.place, shop=shop, title=title.strip()[:40] or "想换什么", most=most, closes_on=closes_on, by=by,
            options=[{"code": str(n), "title": text} for n, text in enumerate(wanted, start=1)],
        )  # fmt: skip
        record("shop.open_poll", by=by, place=shop.place, target=made, options=len(wanted))
    return made


def answer_poll(*, by: User, poll: Poll, household: Household, chosen: Sequence[str]) -> PollAnswer:
    """One answer per household; a later one replaces it while the poll is open."""
    if not may(by, "shop.order", household):
        raise NotAllowed("您不能替这一户选", hint="请本户的人来选。")
    picked = list(dict.fromkeys(chosen))
    known = {option["code"] for option in poll.options}
    if not 1 <= len(picked) <= poll.most or not set(picked) <= known:
        raise ShopError(f"请选 1 到 {poll.most} 种", field="chosen", hint="请重新选。")
    if not poll.is_open:
        raise ShopError("征询已经截止", hint="谢谢，下次请早点选。", word="closed")
    if not household.place.startswith(poll.place):
        raise ShopError("这一户不归这个超市", hint="请核对。")
    with transaction.atomic():
        row, _ = PollAnswer.objects.update_or_create(
            poll=poll,
            household=household,
            defaults={"place": household.place, "chosen": picked, "by": by, "at": now()},
        )
        record("shop.answer_poll", by=by, place=household.place, target=row)
    return row


def close_poll(*, by: User, poll: Poll) -> Poll:
    """提前截止: enough have answered. Doing it twice is once."""
    with transaction.atomic():
        row = Poll.objects.select_for_update(no_key=True).get(pk=poll.pk)
        must(by, "shop.manage", row.place, "截止征询")
        if not row.is_open:
            return row
        row.ended_at = now()
        row.save(update_fields=["ended_at"])
        record("shop.close_poll", by=by, place=row.place, target=row)
    return row


def poll_result(poll: Poll) -> list[tuple[str, int]]:
    """(option, how many households want it), most wanted first. One statement."""
    counts = {option["code"]: 0 for option in poll.options}
    for chosen in PollAnswer.objects.filter(poll=poll).values_list("chosen", flat=True):
        for code in chosen:
            counts[code] += 1
    return sorted(
        ((option["title"], counts[option["code"]]) for option in poll.options), key=lambda one: -one[1]
    )


def _locked(fair_day: FairDay) -> FairDay:
    return (
        FairDay.objects.select_for_update(of=("self",), no_key=True)
        .select_related("shop")
        .get(pk=fair_day.pk)
    )
