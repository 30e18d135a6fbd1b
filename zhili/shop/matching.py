"""三方核对: the shelf, the money and the points of one month, each worked out again from its single lines.

By the moment of booking, so that a month that is over gives the same figures for ever. Every sum that is kept somewhere
(stock on the shelf, balance of an account) is compared with its lines; every order with its line in the ledger and its
goods; every difference is a sentence. Pieces as integers, money in fen, points in hundredths. A fixed number of
statements, however many lines.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q, Sum

from zhili.common.hashing import digest
from zhili.common.money import format_yuan
from zhili.common.periods import SHANGHAI, next_period, parse_code
from zhili.common.points import format_points
from zhili.ledger.flows import Flow, Redeemed, monthly_flows, redemptions, reserved_at
from zhili.ledger.funding import village_accounts
from zhili.shop.models import Fund, FundAccount, FundEntry, Good, Order, OrderLine, OrderReversal, StockMove
from zhili.shop.money import SPEND

FORMAT: Final = "zhili-reconciliation/1"
DIFFERENCES_MAX: Final = 50
TAKEN: Final = (Order.Status.HANDED_OVER, Order.Status.REVERSED)
JUMP_PERCENT: Final = 20
"""A delivery's unit cost is flagged where it differs from the one before by more than this."""


@dataclass(frozen=True, slots=True)
class Span:
    """One month: [start, end)."""

    start: datetime
    end: datetime


def span_of(month: str) -> Span:
    """2026-10 → its first moment and the first one after it, on the village's clock. Raises PeriodError."""
    period = parse_code(month)
    if period.kind != "month":
        period = parse_code("")  # says in words what a month looks like
    return Span(_midnight(period.start), _midnight(next_period(period).start))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=SHANGHAI)


def figures(place: str, month: str, previous: str = "") -> dict[str, Any]:
    """The whole sheet: {"goods", "funds", "books", "points", "jumps", "differences", …}, whole numbers and words only.

    previous: digest of the month before, so that a chain of months can be followed. 18 statements at the most.
    """
    span = span_of(month)
    wrong: list[str] = []
    found: dict[str, Any] = {
        "format": FORMAT, "place": place, "month": month, "previous": previous,
        "goods": _goods(place, span, wrong), "funds": _funds(place, span, wrong), "books": _books(place, span, wrong),
        "points": _points(place, span, wrong) if len(place) == 12 else None, "jumps": _jumps(place, span),
    }  # fmt: skip
    _orders_and_shelf(place, span, wrong)
    return found | {"differences": wrong[:DIFFERENCES_MAX], "more": max(0, len(wrong) - DIFFERENCES_MAX)}


def canonical(facts: Mapping[str, Any]) -> bytes:
    """The bytes the digest is taken of: sorted keys, no spaces, UTF-8."""
    return json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest_of(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical figures, hex: what anybody who has the figures can work out again."""
    return digest("sha256", canonical(facts)).hex()


_GOODS = """
SELECT g.id, s.title, g.code, g.title, g.unit, g.stock, g.value_fen,
  coalesce(sum(m.quantity) FILTER (WHERE m.at < %(start)s), 0), coalesce(sum(m.fen) FILTER (WHERE m.at < %(start)s), 0),
  coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'in' AND m.now), 0), coalesce(sum(m.fen) FILTER (WHERE m.kind = 'in' AND m.now), 0),
  coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'out' AND m.now), 0), coalesce(sum(m.fen) FILTER (WHERE m.kind = 'out' AND m.now), 0),
  coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'back' AND m.now), 0), coalesce(sum(m.fen) FILTER (WHERE m.kind = 'back' AND m.now), 0),
  coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'count' AND m.now), 0), coalesce(sum(m.fen) FILTER (WHERE m.kind = 'count' AND m.now), 0),
  coalesce(sum(m.quantity) FILTER (WHERE m.at < %(end)s), 0), coalesce(sum(m.fen) FILTER (WHERE m.at < %(end)s), 0),
  coalesce(sum(m.quantity), 0), coalesce(sum(m.fen), 0)
FROM shop_good g JOIN shop_shop s ON s.id = g.shop_id
LEFT JOIN LATERAL (SELECT kind, at, quantity, CASE WHEN quantity < 0 THEN -fen ELSE fen END AS fen,
                          at >= %(start)s AND at < %(end)s AS now FROM shop_stockmove WHERE good_id = g.id) m ON true
WHERE g.place = %(place)s GROUP BY g.id, s.title ORDER BY s.title, g.code
"""  # noqa: E501 - one pair of columns a line


def _goods(place: str, span: Span, wrong: list[str]) -> list[dict[str, Any]]:
    """Every good that lay there or moved: opening + in - out + back ± count = closing, by pieces and by cost."""
    with connection.cursor() as cursor:
        cursor.execute(_GOODS, {"place": place, "start": span.start, "end": span.end})
        rows = cursor.fetchall()
    lines = []
    for _, shop, code, title, unit, stock, value, *sums in rows:
        pieces, fen = [int(n) for n in sums[0::2]], [int(n) for n in sums[1::2]]
        name = f"“{title}”（{code}）"
        if pieces[0] + sum(pieces[1:5]) != pieces[5] or fen[0] + sum(fen[1:5]) != fen[5]:
            wrong.append(f"{name}期初加减本月不等于期末")
        if pieces[6] != stock:
            wrong.append(f"{name}库存记 {stock}{unit}，按流水应是 {pieces[6]}{unit}")
        if fen[6] != value:
            wrong.append(f"{name}库存成本记 {format_yuan(value)} 元，按流水应是 {format_yuan(fen[6])} 元")
        if any(pieces[:6]) or any(fen[:6]):
            names = ("opening", "in", "out", "back", "count", "closing")
            lines.append(
                {"shop": shop, "code": code, "title": title, "unit": unit}
                | dict(zip(names, pieces, strict=False))
                | {f"{word}_fen": amount for word, amount in zip(names, fen, strict=False)}
            )
    return lines


_CASH = ("deposit", "purchase", "settle", "payout")


def _funds(place: str, span: Span, wrong: list[str]) -> list[dict[str, Any]]:
    """Every fund: opening + deposits - purchases - settlements - payouts = closing."""
    entries = FundEntry.objects.filter(place=place).filter(Q(debit="cash") | Q(credit="cash"))
    values = ("fund", "code", "credit")
    sums: dict[str, dict[tuple[UUID, str], int]] = {}
    for when, rows in (
        ("before", entries.filter(at__lt=span.start)),
        ("now", entries.filter(at__gte=span.start, at__lt=span.end)),
        ("ever", entries),
    ):
        sums[when] = defaultdict(int)
        for fund, code, credit, fen in rows.values_list(*values).annotate(sum=Sum("fen")).order_by():
            sums[when][fund, code] += fen if credit == "cash" else -fen
    kept = {
        one.fund_id: one.balance
        for one in FundAccount.objects.filter(place=place, kind="cash")
        if one.fund_id
    }
    lines = []
    for fund in Fund.objects.filter(place=place).order_by("opened_on", "title", "pk"):
        opening = sum(fen for (key, _), fen in sums["before"].items() if key == fund.pk)
        moved = {code: sums["now"][fund.pk, code] for code in _CASH}
        ever = sum(fen for (key, _), fen in sums["ever"].items() if key == fund.pk)
        if ever != kept.get(fund.pk, 0):
            wrong.append(
                f"“{fund}”结余记 {format_yuan(kept.get(fund.pk, 0))} 元，按流水应是 {format_yuan(ever)} 元"
            )
        other = sum(fen for (key, code), fen in sums["now"].items() if key == fund.pk and code not in _CASH)
        if other:
            wrong.append(f"“{fund}”有不属于拨入、进货、结算、兑现的收支 {format_yuan(other)} 元")
        closing = opening + sum(moved.values()) + other
        lines.append({"title": fund.title, "opening": opening} | moved | {"closing": closing})
    return lines


def _books(place: str, span: Span, wrong: list[str]) -> dict[str, int]:
    """The shelf's cost as the money books have it, and each kind of move against its entries."""
    accounts = {
        row["kind"]: row["c"] - row["d"]
        for row in FundAccount.objects.filter(place=place)
        .values("kind")
        .annotate(c=Sum("credits"), d=Sum("debits"))
    }
    shelf = Good.objects.filter(place=place).aggregate(sum=Sum("value_fen"))["sum"] or 0
    if accounts.get("goods", 0) != shelf:
        wrong.append(
            f"资金账上库存物品 {format_yuan(accounts.get('goods', 0))} 元，货架成本合计 {format_yuan(shelf)} 元"
        )
    if sum(accounts.values()):
        wrong.append(f"资金账借贷不平，差 {format_yuan(sum(accounts.values()))} 元")
    moves = StockMove.objects.filter(place=place, at__gte=span.start, at__lt=span.end)
    by_move = {
        (kind, plus): fen
        for kind, plus, fen in moves.values_list("kind", _truth(quantity__gt=0))
        .annotate(sum=Sum("fen"))
        .order_by()
    }
    entries = FundEntry.objects.filter(place=place, move__in=moves)
    by_entry: dict[tuple[str, bool], int] = {
        (kind, plus): fen
        for kind, plus, fen in entries.values_list("move__kind", _truth(move__quantity__gt=0))
        .annotate(sum=Sum("fen"))
        .order_by()
    }
    for key in sorted(set(by_move) | set(by_entry)):
        if by_move.get(key, 0) != by_entry.get(key, 0):
            kind = StockMove.Kind(key[0]).label
            wrong.append(
                f"{kind}的物品成本 {format_yuan(by_move.get(key, 0))} 元，资金账上是 {format_yuan(by_entry.get(key, 0))} 元"
            )
    lost = by_move.get(("count", False), 0)
    return {"shrinkage": lost, "found": by_move.get(("count", True), 0)}


def _truth(**condition: int) -> ExpressionWrapper:
    return ExpressionWrapper(Q(**condition), output_field=BooleanField())


def _points(place: str, span: Span, wrong: list[str]) -> dict[str, int]:
    """The ledger against the orders: every redemption has its order and every order its redemption."""
    flows = monthly_flows(place, SPEND, before=span.end)
    month = f"{span.start:%Y-%m}"
    before = sum((flow for flow in flows if flow.month < month), Flow())
    now = next((flow for flow in flows if flow.month == month), Flow(month))
    everything = sum(monthly_flows(place, SPEND), Flow())
    held = village_accounts(place, SPEND).get("holder", 0)
    if everything.growth != held:
        wrong.append(
            f"各户兑换积分合计 {format_points(held)} 分，按流水应是 {format_points(everything.growth)} 分"
        )
    lines = redemptions(place, SPEND, span.start, span.end)
    payouts = [line for line in lines if "settlement" in line.cause]
    paid: dict[UUID, int] = defaultdict(int)
    for line in payouts:
        fen = int(line.cause["fen"])
        paid[UUID(line.cause["settlement"])] += fen if line.points > 0 else -fen
    orders = _match_orders(place, span, [line for line in lines if "settlement" not in line.cause], wrong)
    _match_payouts(place, paid, wrong)
    waiting = _match_reserved(place, span, wrong)
    backed = FundEntry.objects.filter(place=place, at__gte=span.start, at__lt=span.end).aggregate(
        sum=Sum("ledger_points")
    )
    if (backed["sum"] or 0) != now.funded:
        wrong.append(
            f"本月拨入折合 {format_points(backed['sum'] or 0)} 分，台账资金入池 {format_points(now.funded)} 分"
        )
    return {
        "opening": before.growth, "funded": now.funded, "issued": now.issued, "redeemed": now.redeemed,
        "expired": now.expired, "other": now.other, "closing": before.growth + now.growth,
        "payouts": sum(line.points for line in payouts), **orders, **waiting,
    }  # fmt: skip


def _match_orders(place: str, span: Span, lines: Sequence[Redeemed], wrong: list[str]) -> dict[str, int]:
    """An order counts in the month of its line in the ledger; one that was taken back counts there, and once more with
    its counter-entry in the month of that."""
    taken, back = _by_key(lines, 1), _by_key(lines, -1)
    by_key = {
        order.transfer: order
        for order in Order.objects.filter(place=place).filter(
            Q(transfer__in=[*taken, *back])
            | Q(status__in=TAKEN, ended_at__gte=span.start, ended_at__lt=span.end)
        )
    }
    _unbooked(
        place, span, [order for key, order in by_key.items() if key not in taken and key not in back], wrong
    )
    sums = {"orders": 0, "order_points": 0, "reversed": 0, "proxies": 0}
    for key, points in sorted(taken.items()):
        order = by_key.get(key)
        if order is None:
            wrong.append(f"台账兑换了 {format_points(points)} 分，没有对应的兑换单（流水 {str(key)[:8]}）")
        elif points != order.points or order.status not in TAKEN:
            mine = f"{format_points(order.points)} 分（{order.get_status_display()}）"
            wrong.append(f"兑换单 {order} 是 {mine}，台账里兑换 {format_points(points)} 分")
        else:
            sums["orders"] += 1
            sums["order_points"] += points
            sums["proxies"] += order.is_proxy
    for key, points in sorted(back.items()):
        order = by_key.get(key)
        if order is None or order.status != Order.Status.REVERSED or points != order.points:
            wrong.append(f"台账退回了 {format_points(points)} 分，和兑换单对不上（流水 {str(key)[:8]}）")
        else:
            sums["reversed"] += points
    decided = OrderReversal.objects.filter(
        place=place, status=OrderReversal.Status.DONE, decided_at__gte=span.start, decided_at__lt=span.end
    )
    for one in decided.exclude(order__transfer__in=list(back)).select_related("order"):
        wrong.append(f"兑换单 {one.order} 已冲正，台账里没有退回这一笔")
    return sums


def _by_key(lines: Sequence[Redeemed], sign: int) -> dict[UUID, int]:
    """Key of the order → points redeemed (sign 1) or taken back (sign -1)."""
    found: dict[UUID, int] = defaultdict(int)
    for line in lines:
        if line.points * sign > 0:
            found[line.key] += line.points * sign
    return dict(found)


def _unbooked(place: str, span: Span, orders: Sequence[Order], wrong: list[str]) -> None:
    """Handed over in the month, and no line of the month says so: unless it fell a moment beyond midnight."""
    booked = {line.key for line in redemptions(place, SPEND, *_around(span))} if orders else set()
    for order in orders:
        if order.transfer not in booked:
            wrong.append(f"兑换单 {order} 已领走 {format_points(order.points)} 分，台账里没有这一笔")


def _around(span: Span) -> tuple[datetime, datetime]:
    """Handed over a moment before midnight, posted a moment after it: not a difference."""
    return span.start - timedelta(days=1), span.end + timedelta(days=1)


def _match_payouts(place: str, paid: Mapping[UUID, int], wrong: list[str]) -> None:
    known = dict(
        FundEntry.objects.filter(place=place, code="payout", pk__in=list(paid)).values_list("pk", "fen")
    )
    for key, fen in sorted(paid.items()):
        if known.get(key) != fen:
            booked = format_yuan(known.get(key, 0))
            wrong.append(f"按分兑现名单合计 {format_yuan(fen)} 元，资金账付出 {booked} 元")


def _match_reserved(place: str, span: Span, wrong: list[str]) -> dict[str, int]:
    pending = reserved_at(place, SPEND, span.end)
    rows = Order.objects.filter(place=place, made_at__lt=span.end).filter(
        Q(status=Order.Status.RESERVED) | Q(ended_at__gte=span.end, expires_on__isnull=False)
    )
    waiting = dict(rows.values_list("transfer", "points"))
    for key in sorted(set(pending) | set(waiting)):
        if pending.get(key, 0) != waiting.get(key, 0):
            wrong.append(
                f"台账预留 {format_points(pending.get(key, 0))} 分，等待领取的兑换单 "
                f"{format_points(waiting.get(key, 0))} 分（流水 {str(key)[:8]}）"
            )
    return {"reserved": sum(pending.values()), "waiting": sum(waiting.values())}


def _orders_and_shelf(place: str, span: Span, wrong: list[str]) -> None:
    """What left the shelf for orders of the month is what stands in them, good by good."""
    done = Order.objects.filter(
        shop__place=place, status__in=TAKEN, ended_at__gte=span.start, ended_at__lt=span.end
    )
    wanted = _by_good(
        OrderLine.objects.filter(order__in=done, good__isnull=False)
        .values_list("good")
        .annotate(n=Sum("quantity"))
    )
    left = _by_good(
        StockMove.objects.filter(order__in=done, kind="out").values_list("good").annotate(n=-Sum("quantity"))
    )
    differing = [key for key in set(wanted) | set(left) if wanted.get(key, 0) != left.get(key, 0)]
    for good in Good.objects.filter(pk__in=differing).order_by("code"):
        wrong.append(
            f"“{good}”兑换单上 {wanted.get(good.pk, 0)}{good.unit}，出库 {left.get(good.pk, 0)}{good.unit}"
        )


def _by_good(rows: Any) -> dict[UUID, int]:
    pairs: Iterable[tuple[UUID, int]] = rows.order_by()
    return dict(pairs)


_JUMPS = """
SELECT title, code, unit, at, quantity, fen, before_quantity, before_fen FROM (
  SELECT g.title, g.code, g.unit, m.at, m.quantity, m.fen, m.id,
         lag(m.quantity) OVER w AS before_quantity, lag(m.fen) OVER w AS before_fen
    FROM shop_stockmove m JOIN shop_good g ON g.id = m.good_id
   WHERE m.place = %(place)s AND m.kind = 'in' AND m.donated_by = '' AND m.fen > 0
  WINDOW w AS (PARTITION BY m.good_id ORDER BY m.at, m.id)) d
WHERE at >= %(start)s AND at < %(end)s AND before_fen > 0
  AND abs(fen * before_quantity - before_fen * quantity) * 100 > %(percent)s * before_fen * quantity
ORDER BY code, at, id
"""


def _jumps(place: str, span: Span) -> list[dict[str, Any]]:
    """Deliveries of the month whose unit cost differs by more than JUMP_PERCENT from the delivery before."""
    with connection.cursor() as cursor:
        cursor.execute(
            _JUMPS, {"place": place, "start": span.start, "end": span.end, "percent": JUMP_PERCENT}
        )
        return [
            {"title": title, "code": code, "unit": unit, "quantity": quantity, "fen": fen // quantity,
             "before": before_fen // before, "percent": (fen * before * 100) // (before_fen * quantity) - 100}
            for title, code, unit, _, quantity, fen, before, before_fen in cursor.fetchall()
        ]  # fmt: skip
