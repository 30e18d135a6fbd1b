"""兑换: reserve → hand over → done, or cancel, or time out; at the counter in one step.

The order of locks, always the same (C-07), each left out where a deed does not need it:

1. the order's row (orders that wait: several by id, those somebody else holds are passed over);
2. the fair day;
3. the household's row, without its key, so that what only names the household waits for nobody;
4. the goods by id;
5. the village's book;
6. the shop's counter;
7. the money accounts, by kind (sql/02_money.sql);
8. at the commit, by the database: rows that are named (none of the above is locked against that), then the audit chain.

Nobody waits longer than three seconds (people/scope.py): then it is "忙，请再点一次" and nothing was moved (busy.py).
Everything that can be refused is refused before points move, and a refusal undoes the whole.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from zhili.audit.actions import record
from zhili.common import clock, planned
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.ledger import actions as ledger
from zhili.people.household_actions import lock_open
from zhili.people.models import Household, Resident, User
from zhili.people.queries import active_delegation
from zhili.shop.busy import busy_is_said, once_by_key
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.fairs import served
from zhili.shop.models import FairDay, Good, Order, OrderLine, Shop, StockMove
from zhili.shop.money import SPEND, period_for, settings_of
from zhili.shop.proofs import NO_PROOF, Proof, check_proof
from zhili.shop.wishes import PricedLine, Wanted, check_quota, check_window, priced
from zhili.shop.writing import write_order

_TAKE: Final = (
    "UPDATE shop_good SET reserved = reserved + %s WHERE id = %s AND stock >= reserved + %s RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who comes for the goods, and how that was made sure of. collector: somebody of another household (代领)."""

    collector: Resident | None = None
    relation: str = ""
    proof: Proof = NO_PROOF
    paper_number: str = ""
    fair_day: FairDay | None = None
    on: date | None = None


@once_by_key
@busy_is_said
def reserve(
    *,
    by: User,
    id: UUID,
    shop: Shop,
    household: Household,
    wanted: Sequence[Wanted],
    channel: str = Order.Channel.PHONE,
    owner: UUID | None = None,
    fair_day: FairDay | None = None,
) -> Order:
    """Set goods and points aside; the pick-up code is in the order. Same id and body: the same order.

    Raises ShopError (sold out, over the limit, closed, price changed), LedgerError (not enough points), Conflict.
    """
    body = _body("reserve", shop, household, wanted, channel)
    with transaction.atomic():
        known = _known(id, body)
        if known is not None:
            return known
        household = _ready(by, shop, household, fair_day)
        lines = priced(shop, household, wanted)
        _take(lines, reserve_only=True)
        order = _new(by, id, shop, household, lines, channel, body, Order.Status.RESERVED, owner)
        order.fair_day = fair_day
        order.expires_on = today() + timedelta(days=settings_of(household.place).hold_days)
        order.pick_up_code = _pick_up_code()
        ledger.reserve(
            order.transfer, place=order.place, owner=order.owner, amount=order.points, by=by,
            period=period_for(order.place, order.on), occurred_on=order.on, cause=_cause(order), purse=SPEND,
        )  # fmt: skip
        write_order(order, _lines_of(order, lines), [])
        record("shop.reserve", by=by, place=order.place, target=order, points=order.points,
               on_behalf_of=order.on_behalf_of_id)  # fmt: skip
    return order


@once_by_key
@busy_is_said
def redeem(
    *,
    by: User,
    id: UUID,
    shop: Shop,
    household: Household,
    wanted: Sequence[Wanted],
    channel: str = Order.Channel.COUNTER,
    visit: Visit | None = None,
    owner: UUID | None = None,
) -> Order:
    """At the counter: goods over the table and points off the card in one step. Same id and body: the same order.

    visit.proof is asked above the village's cap, for 代领 and for the server's own household (N-07). Raises as
    reserve().
    """
    visit = visit or Visit()
    body = _body("redeem", shop, household, wanted, channel)
    with transaction.atomic():
        known = _known(id, body)
        if known is not None:
            return known
        _may_serve(by, shop)
        household = _ready(by, shop, household, visit.fair_day, on=visit.on)
        lines = priced(shop, household, wanted, on=visit.on)
        total = sum(line.points * line.quantity for line in lines)
        proof = check_proof(by, household, total, visit.proof, proxy=visit.collector is not None)
        check_quota(visit.fair_day, household, total)
        _take(lines, reserve_only=False)
        order = _new(
            by, id, shop, household, lines, channel, body, Order.Status.HANDED_OVER, owner, on=visit.on
        )
        _collected(order, by, visit, proof)
        transfer = ledger.NewTransfer(
            order.transfer, ledger.AccountKey("holder", order.owner, SPEND),
            ledger.AccountKey("redeemed", None, SPEND), order.points, "redeem", order.on, _cause(order),
        )  # fmt: skip
        ledger.post(
            [transfer], place=order.place, by=by, period=period_for(order.place, order.on), note="兑换"
        )
        rows = _lines_of(order, lines)
        write_order(order, rows, _moves_of(order, rows, by))
        _number_done(order)
        record(
            "shop.redeem", by=by, place=order.place, target=order, points=order.points, proxy=order.is_proxy
        )
    return order


@busy_is_said
def hand_over(*, by: User, order: Order, visit: Visit | None = None) -> Order:
    """Somebody came for an order: goods out, reserved points become redeemed. Doing it twice is once."""
    visit = visit or Visit()
    with transaction.atomic():
        order = _locked(order)
        _may_serve(by, order.shop)
        if order.status == Order.Status.HANDED_OVER:
            return order
        _still_waiting(order)
        household = order.household
        check_window(order.shop, visit.fair_day)
        proof = check_proof(by, household, order.points, visit.proof, proxy=visit.collector is not None)
        lines = list(order.lines.select_related("good").order_by("good_id"))
        _release(lines)
        order.status = Order.Status.HANDED_OVER
        _collected(order, by, visit, proof)
        ledger.settle([order.transfer], place=order.place, by=by, period=period_for(order.place, today()),
                      occurred_on=today())  # fmt: skip
        order.save()
        StockMove.objects.bulk_create(_moves_of(order, lines, by))
        _number_done(order)
        record(
            "shop.hand_over",
            by=by,
            place=order.place,
            target=order,
            points=order.points,
            proxy=order.is_proxy,
        )
    return order


@busy_is_said
def cancel(*, by: User, order: Order, reason: str) -> Order:
    """Called off before the goods left: points and goods are free again, once."""
    with transaction.atomic():
        order = _locked(order)
        if not (may(by, "shop.order", order.household) or may(by, "shop.serve", order.shop.place)):
            raise NotAllowed("您不能取消这张兑换单", hint="请本户的人或店员来取消。")
        if order.status == Order.Status.CANCELLED:
            return order
        _still_waiting(order)
        _give_up([order], Order.Status.CANCELLED, by, reason.strip()[:100] or "本户取消")
        record("shop.cancel", by=by, place=order.place, target=order, reason=order.reason)
    return order


def expire_orders(place: str, *, on: date | None = None) -> int:
    """The daily job: orders nobody came for. Points and goods come back once, however often it runs (C-06)."""
    day = on or today()
    with transaction.atomic():
        rows = Order.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        rows = rows.filter(place=place, status=Order.Status.RESERVED, expires_on__lt=day)
        overdue = list(rows.order_by("pk"))
        if overdue:
            _give_up(overdue, Order.Status.EXPIRED, None, "逾期未领")
        for order in overdue:
            record("shop.expire", by=None, place=place, target=order)
    return len(overdue)


def _give_up(orders: Sequence[Order], status: str, by: User | None, reason: str) -> None:
    """Locked orders of one village: goods and points are free again, in one batch of the book."""
    place = orders[0].place
    _release(list(OrderLine.objects.filter(order__in=orders)))
    ledger.void([order.transfer for order in orders], place=place, by=by, period=period_for(place, today()),
                occurred_on=today())  # fmt: skip
    for order in orders:
        order.status, order.reason, order.ended_at = status, reason, clock.now()
    Order.objects.bulk_update(orders, ["status", "reason", "ended_at"])


def _known(id: UUID, body: str) -> Order | None:
    found = planned.first(Order, "id = %s", [id])
    if found is not None and found.digest != body:
        raise Conflict("这张单子已经办过，内容不同", hint="请刷新后核对。", word="key_used")
    return found


def _body(verb: str, shop: Shop, household: Household, wanted: Sequence[Wanted], channel: str) -> str:
    facts = [verb, str(shop.pk), str(household.pk), channel,
             sorted([str(one.good or one.title), one.quantity, one.seen_points or 0] for one in wanted)]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def _may_serve(by: User, shop: Shop) -> None:
    if not may(by, "shop.serve", shop.place):
        raise NotAllowed("只有店员能办理兑换", hint="请到柜台找店员。")


def _ready(
    by: User, shop: Shop, household: Household, fair: FairDay | None, on: date | None = None
) -> Household:
    """The household, locked: its limits and quotas hold against a second counter."""
    if not may(by, "shop.order", household):
        raise NotAllowed("您不能替这一户兑换", hint="请本户的人来，或先办理代办。")
    if not household.place.startswith(shop.place):
        raise ShopError("这一户不归这个超市", hint="请到本村的超市兑换。")
    if on is None:
        check_window(shop, fair)
    return lock_open(household, no_key=True)


def _take(lines: Sequence[PricedLine], *, reserve_only: bool) -> None:
    """Goods by id; the last piece goes to exactly one (C-01). Locks the shelf until the end of the transaction."""
    goods = sorted((line for line in lines if line.good is not None), key=lambda line: str(line.good.pk))  # type: ignore[union-attr]
    for line in goods:
        assert line.good is not None
        added = line.quantity if reserve_only else 0
        if not planned.ask(_TAKE, [added, line.good.pk, line.quantity]):
            left = Good.objects.get(pk=line.good.pk).free
            raise ShopError(
                f"“{line.good}”已兑完" if left <= 0 else f"“{line.good}”只剩 {left}{line.good.unit}",
                field="quantity", hint="请换别的物品，积分没有动。", word="sold_out",
            )  # fmt: skip


def _release(lines: Sequence[OrderLine]) -> None:
    """What was set aside is free again. Locks the shelf, goods by id."""
    held: Counter[UUID] = Counter()
    for line in lines:
        if line.good_id is not None:
            held[line.good_id] += line.quantity
    for good in sorted(held):
        Good.objects.filter(pk=good).update(reserved=F("reserved") - held[good])


def _new(
    by: User, id: UUID, shop: Shop, household: Household, lines: Sequence[PricedLine], channel: str, body: str,
    status: str, owner: UUID | None, on: date | None = None,
) -> Order:  # fmt: skip
    principal = None
    # Whoever hands over does so as the counter; an order may be somebody's for a neighbour.
    if status == Order.Status.RESERVED and (by.resident is None or by.resident.household_id != household.pk):
        given = active_delegation(by, household, "redeem")
        principal = given.principal if given is not None else None
    return Order(
        id=id, place=household.place, shop=shop, household=household, owner=_payer(household, owner), transfer=id,
        points=sum(line.points * line.quantity for line in lines), status=status, channel=channel, digest=body,
        made_by=by, on_behalf_of=principal, on=on or today(),
    )  # fmt: skip


def _payer(household: Household, owner: UUID | None) -> UUID:
    """Whose points pay: the household's, or those of a person of it. Nobody else's, whatever a form says."""
    if owner is None or owner == household.pk:
        return household.pk
    if not Resident.objects.filter(pk=owner, household=household).exists():
        raise NotAllowed("不能用别家的积分兑换", hint="请选本户的人。")
    return owner


def _lines_of(order: Order, lines: Sequence[PricedLine]) -> list[OrderLine]:
    return [
        OrderLine(place=order.place, order=order, good=line.good, title=line.title, quantity=line.quantity,
                  points=line.points) for line in lines
    ]  # fmt: skip


def _moves_of(order: Order, lines: Sequence[OrderLine], by: User) -> list[StockMove]:
    """What leaves the shelf; nothing where a partner only confirms."""
    return [
        StockMove(place=line.good.place, good=line.good, kind="out", quantity=-line.quantity, order=order, by=by,
                  on=order.on) for line in lines if line.good is not None
    ]  # fmt: skip


def _number_done(order: Order) -> None:
    if order.fair_day is not None:
        served(order.fair_day, order.household_id)


def _collected(order: Order, by: User, visit: Visit, proof: Proof) -> None:
    order.handed_by, order.ended_at = by, clock.now()
    order.collector, order.collector_relation = visit.collector, visit.relation.strip()[:20]
    order.proof, order.signature, order.second = proof.kind, proof.signature, proof.second
    order.paper_number = visit.paper_number.strip()[:30]
    order.fair_day = visit.fair_day or order.fair_day


def _locked(order: Order) -> Order:
    found = (
        Order.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk=order.pk)
        .select_related("shop", "household")
        .first()
    )
    if found is None:
        raise ShopError("没有这张兑换单", hint="请核对取货码。")
    return found


def _still_waiting(order: Order) -> None:
    if order.status != Order.Status.RESERVED:
        raise Conflict(f"这张兑换单{order.get_status_display()}", hint="请刷新后查看。", word="ended")


def _cause(order: Order) -> dict[str, Any]:
    """Ids only: who served, through which channel, whose order."""
    return {
        "order": str(order.pk), "shop": str(order.shop_id), "channel": order.channel, "actor": order.made_by_id,
        "delegate": order.made_by_id if order.on_behalf_of_id else None,
    }  # fmt: skip


def _pick_up_code() -> str:
    return f"{int.from_bytes(clock.random_bytes(4), 'big') % 1_000_000:06d}"
