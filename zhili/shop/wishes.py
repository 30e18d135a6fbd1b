"""Everything that can be wrong with a wish, said before anything moves: window, quota, price, limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db.models import Sum

from zhili.common import clock, planned
from zhili.common.periods import SHANGHAI, period_of, today
from zhili.common.points import format_points
from zhili.people.models import Household
from zhili.shop.errors import ShopError
from zhili.shop.models import FairDay, Good, Order, OrderLine, Shop

LINES_MAX: Final = 30
QUANTITY_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One kind of good: how many, and the price the person saw (hundredths; None: whatever the list says).

    At a partner's there is no good: title and points say what it was.
    """

    good: UUID | None
    quantity: int
    seen_points: int | None = None
    title: str = ""


def check_window(shop: Shop, fair: FairDay | None) -> None:
    if shop.closed_on is not None:
        raise ShopError(f"{shop}已经停办", hint="请到别的超市兑换。", word="closed")
    if shop.paused:
        raise ShopError(f"{shop}暂停兑换：{shop.paused}", hint="请过几天再来，积分不会少。", word="closed")
    if fair is None:
        if shop.only_fair_days:
            raise ShopError(f"{shop}只在兑换日开放", hint="兑换日的时间见公告。", word="closed")
        return
    # As it stands now, locked: closing it and its quotas hold against every counter.
    fair = FairDay.objects.select_for_update(no_key=True).get(pk=fair.pk)
    moment = clock.now().astimezone(SHANGHAI)
    inside = moment.date() == fair.on and fair.opens_at <= moment.time() <= fair.closes_at
    if fair.shop_id != shop.pk or fair.status != FairDay.Status.OPEN or not inside:
        raise ShopError(
            f"{fair}的时间是 {fair.opens_at:%H:%M} 到 {fair.closes_at:%H:%M}，现在不在兑换时间",
            hint="请在兑换时间内来。", word="closed",
        )  # fmt: skip


def check_quota(fair: FairDay | None, household: Household, total: int) -> None:
    if fair is None:
        return
    done = Order.objects.filter(fair_day=fair, status=Order.Status.HANDED_OVER)
    if fair.quota_orders and done.count() >= fair.quota_orders:
        raise ShopError(f"今天限 {fair.quota_orders} 单，已经兑完", hint="请下次兑换日早点来。", word="quota")
    used = done.filter(household=household).aggregate(sum=Sum("points"))["sum"] or 0
    if fair.quota_points and used + total > fair.quota_points:
        left = format_points(max(0, fair.quota_points - used))
        raise ShopError(
            f"今天每户限兑 {format_points(fair.quota_points)} 分，本户还可兑 {left} 分",
            hint="请减少数量。",
            word="quota",
        )


@dataclass(slots=True)
class PricedLine:
    good: Good | None
    title: str
    quantity: int
    points: int


def priced(
    shop: Shop, household: Household, wanted: Sequence[Wanted], on: date | None = None
) -> list[PricedLine]:
    """Goods with the price in force. Says what changed since the person looked; checks the household's limits."""
    if not 1 <= len(wanted) <= LINES_MAX:
        raise ShopError(
            "请选要兑换的物品" if not wanted else f"一次最多 {LINES_MAX} 种", hint="请回到上一页选择。"
        )
    for one in wanted:
        if not 1 <= one.quantity <= QUANTITY_MAX:
            raise ShopError(f"数量要在 1 到 {QUANTITY_MAX} 之间", field="quantity", hint="请核对。")
    if not shop.keeps_stock:
        return [_at_partner(one) for one in wanted]
    keys = [one.good for one in wanted if one.good is not None]
    if len(set(keys)) != len(wanted):
        raise ShopError("同一种物品请只写一行", field="quantity", hint="请改数量。")
    day = on or today()
    found = _prices(shop, keys, day)
    lines = []
    for one in sorted(wanted, key=lambda one: str(one.good)):
        good, points = found.get(one.good, (None, 0)) if one.good is not None else (None, 0)
        if good is None or not good.active:
            raise ShopError(
                "有物品本期没有价格，或已经下架", field="good", hint="请刷新价目表后再选。", word="no_price"
            )
        if one.seen_points is not None and one.seen_points != points:
            raise ShopError(
                f"“{good}”现在是 {format_points(points)} 分，您看到的是 {format_points(one.seen_points)} 分",
                field="good", hint="请刷新价目表后再定。", word="price_changed",
            )  # fmt: skip
        lines.append(PricedLine(good, good.title, one.quantity, points))
    _within_limits(household, lines, day)
    return lines


def _prices(shop: Shop, goods: Sequence[UUID], day: date) -> dict[UUID, tuple[Good, int]]:
    """Good → itself and its price at this shop on this day."""
    found = planned.ask(
        f"SELECT p.points, {planned.columns(Good)} FROM shop_price p JOIN shop_pricelist l ON l.id = p.price_list_id"  # noqa: S608
        " JOIN shop_good ON shop_good.id = p.good_id"
        " WHERE p.good_id = ANY(%s) AND l.shop_id = %s AND l.starts <= %s AND l.ends >= %s",
        [list(goods), shop.pk, day, day],
    )
    priced = [(planned.made(Good, row), points) for points, *row in found]
    return {good.pk: (good, points) for good, points in priced}


def _at_partner(one: Wanted) -> PricedLine:
    title = one.title.strip()
    if not 1 <= len(title) <= 40 or not one.seen_points or one.seen_points <= 0:
        raise ShopError("请填物品名称和积分", field="title", hint="例如：食盐一袋，2.5 分。")
    return PricedLine(None, title, one.quantity, one.seen_points)


def _within_limits(household: Household, lines: Sequence[PricedLine], day: date) -> None:
    limited = [line for line in lines if line.good is not None and line.good.limit_count]
    if not limited:
        return
    starts = {line.good.pk: period_of(day, line.good.limit_period).start for line in limited if line.good}
    had: dict[UUID, int] = {}
    rows = OrderLine.objects.filter(
        order__household=household, good__in=list(starts), order__on__gte=min(starts.values()),
        order__status__in=[Order.Status.RESERVED, Order.Status.HANDED_OVER],
    )  # fmt: skip
    for good, quantity, when in rows.values_list("good_id", "quantity", "order__on"):
        if good is not None and when >= starts[good]:
            had[good] = had.get(good, 0) + quantity
    for line in limited:
        assert line.good is not None
        used = had.get(line.good.pk, 0)
        if used + line.quantity > line.good.limit_count:
            title = period_of(day, line.good.limit_period).title
            raise ShopError(
                f"“{line.good}”每户{title}限兑 {line.good.limit_count}{line.good.unit}，本户已兑 {used}{line.good.unit}",
                field="quantity", hint="请减少数量，或换别的物品。", word="limit",
            )  # fmt: skip
