"""积分超市 for machines: what is on offer, a card's purse, redeem, order, hand over, call off.

A redemption's id is a UUIDv7 made by the caller and its key for ever: the same id with the same body answers 200 with the
order that is there, with another body 409. PIN, signature and second person are the pages' (proof_form.py): what needs
one of them is refused here in words, since a wrong PIN must be counted even where the request is undone.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from zhili.common import planned
from zhili.common.api import (
    Line,
    NewKey,
    Page,
    PagingQuery,
    PlaceCode,
    Points,
    PointsText,
    answers,
    caller,
    page_of,
    points_text,
)  # fmt: skip
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.points import parse_points
from zhili.common.policy import may
from zhili.ledger.queries import balances
from zhili.people.models import Household, User
from zhili.people.queries import find_by_card
from zhili.shop import actions
from zhili.shop.access import access_order
from zhili.shop.errors import ShopError
from zhili.shop.models import Order, OrderLine, Shop
from zhili.shop.money import SPEND
from zhili.shop.queries import find_waiting, offers, shop_for, shops_for
from zhili.shop.wishes import LINES_MAX, QUANTITY_MAX
from zhili.shop.writing import is_new

router = Router(tags=["积分超市"])
Card = Annotated[Line, Field(min_length=1, max_length=300)]


class ShopRow(Schema):
    """One open shop where households of the village may redeem. kind: own, township or partner."""

    id: UUID
    title: str
    kind: str
    address: str
    hours: str
    only_fair_days: bool
    paused: str


@router.get(
    "/villages/{place}/shops", auth=caller(), response=answers(list[ShopRow]), summary="本村可去的超市"
)
def list_shops(request: HttpRequest, place: PlaceCode) -> Any:
    """The village's own, its partners', the township's."""
    _looks(request, place)
    return [
        ShopRow(id=one.pk, title=one.title, kind=one.kind, address=one.address, hours=one.hours,
                only_fair_days=one.only_fair_days, paused=one.paused) for one in shops_for(place)
    ]  # fmt: skip


class OfferRow(Schema):
    """A good at the price in force. free: what may still be had. limit: per household and limit_period (0: none)."""

    good: UUID
    code: str
    title: str
    category: str
    unit: str
    points: Points
    free: int
    limit: int
    limit_period: str


@router.get(
    "/villages/{place}/shops/{shop_id}/offers",
    auth=caller(),
    response=answers(list[OfferRow]),
    summary="价目和余量",
)
def list_offers(request: HttpRequest, place: PlaceCode, shop_id: UUID) -> Any:
    """Today's price list with what is left on the shelf."""
    _looks(request, place)
    return [
        OfferRow(good=one.good.pk, code=one.good.code, title=one.good.title, category=one.good.category,
                 unit=one.good.unit, points=points_text(one.points), free=one.good.free, limit=one.good.limit_count,
                 limit_period=one.good.limit_period) for one in offers(_shop(place, shop_id))
    ]  # fmt: skip


def _looks(request: HttpRequest, place: str) -> None:
    """Who lives in the village or works with its shop; the open page is there for everybody else."""
    by: Any = request.user
    if by.home_place != place and not may(by, "shop.see", place):
        raise NotFound("没有这一页。")


def _shop(place: str, id: UUID) -> Shop:
    found = shop_for(place, id)
    if found is None:
        raise NotFound("没有这个超市。")
    return found


def _household(place: str, text: str) -> Household:
    """By id, number or what the card says; whatever is not of this village is simply not found."""
    try:
        found = planned.first(Household, "place = %s AND id = %s", [place, UUID(text)])
    except ValueError:
        found = find_by_card(place, text)
    if found is None:
        raise ShopError("没有找到这一户", field="household", hint="请核对户编号，或重新扫卡。")
    return found


class CardIn(Schema):
    """What the scanner read or somebody typed: the card's code, its whole address, or the household's number."""

    card: Card


class PurseRow(Schema):
    """Whose card, and what it may spend. available: without what is set aside for orders."""

    household: UUID
    household_code: str
    group: str
    balance: Points
    available: Points


@router.post(
    "/villages/{place}/shop/card", auth=caller("shop.serve"), response=answers(PurseRow), summary="刷卡看余额"
)
def read_card(request: HttpRequest, place: PlaceCode, body: CardIn) -> Any:
    """A household's spendable points by its card; an old card finds nothing. For who keeps the counter."""
    _serves(request, place)
    home = _household(place, body.card)
    held = balances(place, [home.pk])[home.pk, SPEND]
    return PurseRow(household=home.pk, household_code=home.code, group=home.group,
                    balance=points_text(held.balance), available=points_text(held.available))  # fmt: skip


def _serves(request: HttpRequest, place: str) -> User:
    by: Any = request.user
    if not may(by, "shop.serve", place):
        raise NotAllowed("只有店员能办理兑换", hint="请到柜台找店员。")
    found: User = by
    return found


class WantedIn(Schema):
    """seen_points: the price the person saw; another one now is refused (422). title: at a partner's, without good."""

    good: UUID | None = None
    quantity: int = Field(ge=1, le=QUANTITY_MAX)
    seen_points: PointsText | None = None
    title: Annotated[Line, Field(max_length=40)] = ""


class OrderIn(Schema):
    """household: its id, its number, or what its card says."""

    id: NewKey
    shop: UUID
    household: Card
    wanted: list[WantedIn] = Field(min_length=1, max_length=LINES_MAX)


class OrderLineRow(Schema):
    """points: of one unit."""

    good: UUID | None
    title: str
    quantity: int
    points: Points


class OrderRow(Schema):
    """One redemption. pick_up_code: six digits while it waits, for the household's own people and the counter."""

    id: UUID
    number: int
    shop: UUID
    household: UUID
    household_code: str
    status: str
    status_title: str
    channel: str
    points: Points
    lines: list[OrderLineRow]
    pick_up_code: str
    expires_on: date | None
    proxy: bool
    made_at: datetime
    ended_at: datetime | None


def order_row(order: Order, lines: list[OrderLine]) -> OrderRow:
    waits = order.status == Order.Status.RESERVED
    return OrderRow(
        id=order.pk, number=order.number, shop=order.shop_id, household=order.household_id,
        household_code=order.household.code, status=order.status, status_title=order.get_status_display(),
        channel=order.channel, points=points_text(order.points), pick_up_code=order.pick_up_code if waits else "",
        expires_on=order.expires_on if waits else None, proxy=order.is_proxy, made_at=order.made_at,
        ended_at=order.ended_at,
        lines=[OrderLineRow(good=one.good_id, title=one.title, quantity=one.quantity, points=points_text(one.points))
               for one in lines],
    )  # fmt: skip


def _wanted(body: OrderIn) -> list[actions.Wanted]:
    return [
        actions.Wanted(one.good, one.quantity,
                       None if one.seen_points is None else parse_points(one.seen_points), one.title)
        for one in body.wanted
    ]  # fmt: skip


def _answer(order: Order) -> Any:
    lines = sorted(order.lines.all(), key=lambda one: str(one.good_id))
    return Status(201 if is_new(order) else 200, order_row(order, lines))


@router.post(
    "/villages/{place}/redemptions",
    auth=caller("shop.serve"),
    response=answers(OrderRow, created=True),
    summary="柜台兑换",
)
def redeem(request: HttpRequest, place: PlaceCode, body: OrderIn) -> Any:
    """Goods over the table and points off the card, in one step and once. Above the village's cap: at the page."""
    by = _serves(request, place)
    order = actions.redeem(by=by, id=body.id, shop=_shop(place, body.shop), wanted=_wanted(body),
                           household=_household(place, body.household))  # fmt: skip
    return _answer(order)


@router.post(
    "/villages/{place}/orders",
    auth=caller("shop.order"),
    response=answers(OrderRow, created=True),
    summary="预订",
)
def reserve(request: HttpRequest, place: PlaceCode, body: OrderIn) -> Any:
    """Set goods and points aside; they come back by themselves where nobody collects them."""
    by: Any = request.user
    order = actions.reserve(by=by, id=body.id, shop=_shop(place, body.shop), wanted=_wanted(body),
                            household=_household(place, body.household))  # fmt: skip
    return _answer(order)


class OrderFilter(Schema):
    """status; household: its number."""

    status: Literal[tuple(Order.Status.values)] | None = None  # type: ignore[valid-type]
    household: Annotated[Line, Field(max_length=20)] = ""


@router.get(
    "/villages/{place}/orders",
    auth=caller("shop.see"),
    response=answers(Page[OrderRow]),
    summary="本村的兑换单",
)
def list_orders(
    request: HttpRequest, place: PlaceCode, paging: PagingQuery, filters: Annotated[OrderFilter, Query()]
) -> Any:
    """Newest first. Pick-up codes are shown to who keeps the counter only."""
    by: Any = request.user
    if not may(by, "shop.see", place):
        raise NotFound("没有这个村。")
    rows = Order.objects.filter(place=place).select_related("household").prefetch_related("lines")
    if filters.status:
        rows = rows.filter(status=filters.status)
    if filters.household:
        rows = rows.filter(household__code=filters.household)
    serves = may(by, "shop.serve", place)

    def shown(cut: list[Order]) -> list[OrderRow]:
        found = [order_row(one, list(one.lines.all())) for one in cut]
        return found if serves else [one.model_copy(update={"pick_up_code": ""}) for one in found]

    return page_of(rows.order_by("-made_at", "-id"), paging, shown)


class CodeIn(Schema):
    """The six digits somebody reads out at the counter."""

    shop: UUID
    code: str = Field(pattern=r"^[0-9]{6}$", examples=["012345"])


@router.post(
    "/villages/{place}/orders/find",
    auth=caller("shop.serve"),
    response=answers(OrderRow),
    summary="凭取货码找单",
)
def find(request: HttpRequest, place: PlaceCode, body: CodeIn) -> Any:
    """The order that waits under a pick-up code; then hand it over by its id, which may be sent again."""
    _serves(request, place)
    order = find_waiting(_shop(place, body.shop), body.code)
    if order is None or order.place != place:
        raise NotFound("没有等待领取的兑换单。")
    return order_row(order, list(order.lines.order_by("good_id")))


@router.get("/orders/{order_id}", auth=caller("shop.order"), response=answers(OrderRow), summary="一张兑换单")
def one_order(request: HttpRequest, order_id: UUID) -> Any:
    """For the household's own people, those who act for it, and the shop's."""
    order = access_order(request.user, order_id)  # type: ignore[arg-type]
    return order_row(order, list(order.lines.order_by("good_id")))


@router.post(
    "/orders/{order_id}/hand-over", auth=caller("shop.serve"), response=answers(OrderRow), summary="领取"
)
def hand_over(request: HttpRequest, order_id: UUID) -> Any:
    """Somebody of the household came for it. Doing it twice is once."""
    by: Any = request.user
    order = actions.hand_over(by=by, order=access_order(by, order_id))
    return order_row(order, list(order.lines.order_by("good_id")))


class Why(Schema):
    """Why, in words."""

    reason: Annotated[Line, Field(max_length=100)] = ""


@router.post(
    "/orders/{order_id}/cancel", auth=caller("shop.order"), response=answers(OrderRow), summary="取消预订"
)
def cancel(request: HttpRequest, order_id: UUID, body: Why) -> Any:
    """Points and goods are free again, once."""
    by: Any = request.user
    order = actions.cancel(by=by, order=access_order(by, order_id), reason=body.reason)
    return order_row(order, list(order.lines.order_by("good_id")))
