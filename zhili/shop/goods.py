"""Goods onto the shelf: shops, suppliers, deliveries, counts with a second signature, price lists frozen per period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.periods import parse_code, today
from zhili.people.models import User
from zhili.shop.access import must
from zhili.shop.busy import busy_is_said
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import (
    Good,
    Order,
    OrderLine,
    Price,
    PriceList,
    Shop,
    StockCount,
    StockMove,
)

QUANTITY_MAX: Final = 100_000
PRICE_MAX: Final = 10_000_00
GOODS_MAX: Final = 500
PRICE_KINDS: Final = ("month", "two_months", "quarter", "half_year", "year")
LIMIT_PERIODS: Final = ("month", "quarter", "half_year", "year", "ever")
_GOOD_FIELDS: Final = frozenset(
    {"title", "category", "unit", "limit_count", "limit_period", "active", "supplier"}
)


def open_shop(*, by: User, place: str, title: str, kind: str = Shop.Kind.OWN, **facts: Any) -> Shop:
    """A shop of a village, of a township for the villages below it, or a partner's. facts: address, hours,
    only_fair_days. Raises NotAllowed, ShopError."""
    must(by, "shop.manage", place, "开办超市")
    title = _text(title, "名称", 40, field="title")
    if (kind == Shop.Kind.TOWNSHIP) != (len(place) == 9):
        raise ShopError("乡镇办的超市属于乡镇，村办的属于村", field="kind", hint="请核对类型。")
    if kind not in Shop.Kind.values or len(place) not in (9, 12):
        raise ShopError("超市要办在一个村或一个乡镇", field="kind", hint="请核对类型。")
    _check_words(facts)
    with transaction.atomic():
        try:
            with transaction.atomic():
                made = Shop.objects.create(place=place, title=title, kind=kind, **facts)
        except IntegrityError as error:
            raise Conflict(f"已经有一个“{title}”", field="title", hint="请换一个名称。") from error
        record("shop.open", by=by, place=place, target=made, kind=kind)
    return made


def edit_shop(*, by: User, shop: Shop, **facts: Any) -> Shop:
    """Change title, address, hours, only_fair_days or paused (a reason; "" opens again)."""
    must(by, "shop.manage", shop.place, "修改超市")
    unknown = set(facts) - {"title", "address", "hours", "only_fair_days", "paused"}
    if unknown:
        raise ValueError(f"not a field of a shop: {sorted(unknown)}")
    _check_words(facts)
    with transaction.atomic():
        for name, value in facts.items():
            setattr(shop, name, value.strip() if isinstance(value, str) else value)
        try:
            with transaction.atomic():
                shop.save(update_fields=list(facts))
        except IntegrityError as error:
            raise Conflict(f"已经有一个“{shop.title}”", field="title", hint="请换一个名称。") from error
        record("shop.edit", by=by, place=shop.place, target=shop, changed=sorted(facts))
    return shop


@busy_is_said
def close_shop(*, by: User, shop: Shop) -> Shop:
    """停办, for good: once the shelf is empty, nobody waits for goods and no fair day is announced. Raises ShopError."""
    must(by, "shop.manage", shop.place, "停办超市")
    with transaction.atomic():
        row = Shop.objects.select_for_update(no_key=True).get(pk=shop.pk)
        if row.closed_on is not None:
            return row
        left = Good.objects.filter(shop=row, stock__gt=0).count()
        if left:
            raise ShopError(f"货架上还有 {left} 种东西", hint="请先兑完，或盘点调出，写明去向。")
        if Order.objects.filter(shop=row, status=Order.Status.RESERVED).exists():
            raise ShopError("还有预订没有来取", hint="请先交给本户，或取消预订。")
        if row.fair_days.filter(status__in=["planned", "open"]).exists():
            raise ShopError("还有安排好的兑换日", hint="请先取消或办完兑换日。")
        row.closed_on = today()
        row.save(update_fields=["closed_on"])
        record("shop.close", by=by, place=row.place, target=row)
    return row


def add_good(*, by: User, shop: Shop, code: str, title: str, **facts: Any) -> Good:
    """A new kind of thing, with an empty shelf. facts: category, unit, limit_count, limit_period, supplier."""
    must(by, "shop.stock", shop.place, "添加物品")
    code, title = _text(code, "货号", 12, field="code"), _text(title, "名称", 40, field="title")
    _check_facts(facts, shop.place)
    if not shop.keeps_stock:
        raise ShopError("合作商户的货由商户自己管", hint="在柜台直接填写积分即可。")
    with transaction.atomic():
        if Good.objects.filter(shop=shop).count() >= GOODS_MAX:
            raise ShopError(f"一个超市最多 {GOODS_MAX} 种物品", hint="请把不用的物品下架后重复使用。")
        try:
            with transaction.atomic():
                made = Good.objects.create(place=shop.place, shop=shop, code=code, title=title, **facts)
        except IntegrityError as error:
            raise Conflict(f"货号 {code} 已经有了", field="code", hint="请换一个货号。") from error
        record("shop.add_good", by=by, place=shop.place, target=made, code=code)
    return made


def edit_good(*, by: User, good: Good, **facts: Any) -> Good:
    """Change words, limits or whether it is on offer. Stock and price have acts of their own (C-18)."""
    must(by, "shop.stock", good.place, "修改物品")
    _check_facts(facts, good.place)
    if "title" in facts:
        facts["title"] = _text(facts["title"], "名称", 40, field="title")
    with transaction.atomic():
        for name, value in facts.items():
            setattr(good, name, value.strip() if isinstance(value, str) else value)
        good.save(update_fields=list(facts))
        record("shop.edit_good", by=by, place=good.place, target=good, changed=sorted(facts))
    return good


@dataclass(frozen=True, slots=True)
class Counted:
    """What was found of one good, and why it differs from the book (empty where it does not)."""

    good: Good
    found: int
    reason: str = ""


@busy_is_said
def ask_count(*, by: User, shop: Shop, counted: Sequence[Counted], id: UUID | None = None) -> StockCount:
    """盘点: hand in what was counted. Nothing changes until a second person signs. Same id again: the same sheet.

    Raises ShopError, Conflict while another sheet waits.
    """
    must(by, "shop.stock", shop.place, "盘点")
    if not counted:
        raise ShopError("还没有填清点数", hint="请至少填一种物品。")
    with transaction.atomic():
        Shop.objects.select_for_update(no_key=True).get(pk=shop.pk)
        known = StockCount.objects.filter(pk=id, shop=shop, by=by).first() if id else None
        if known is not None:
            return known
        # Not locked: behind the shop's row that would be the wrong order. Whoever signs compares once more.
        goods = Good.objects.filter(shop=shop, pk__in=[one.good.pk for one in counted])
        shelf = {good.pk: good for good in goods}
        lines = []
        for one in counted:
            good = shelf.get(one.good.pk)
            if good is None:
                raise ShopError("有物品不属于这个超市", hint="请刷新后再填。")
            if not 0 <= one.found <= QUANTITY_MAX:
                raise ShopError(f"“{good}”的清点数不对", field="found", hint="请填 0 或正整数。")
            if one.found != good.stock and len(one.reason.strip()) < 2:
                raise ShopError(
                    f"“{good}”账上 {good.stock}{good.unit}，清点 {one.found}{good.unit}，要写明原因",
                    field="reason", hint="例如：包装破损 2 袋。", word="reason",
                )  # fmt: skip
            lines.append(
                {
                    "good": str(good.pk),
                    "book": good.stock,
                    "found": one.found,
                    "reason": one.reason.strip()[:100],
                }
            )
        if StockCount.objects.filter(shop=shop, status=StockCount.Status.WAITING).exists():
            raise Conflict("还有一张盘点单等着签字", hint="请先办完那一张。")
        made = StockCount.objects.create(id=id or uuid7(), place=shop.place, shop=shop, lines=lines, by=by)
        record(
            "shop.ask_count",
            by=by,
            place=shop.place,
            target=made,
            differing=sum(x["book"] != x["found"] for x in lines),
        )
    return made


@busy_is_said
def sign_count(*, by: User, count: StockCount, agree: bool, note: str = "") -> StockCount:
    """The second signature: the shelf is adjusted by moves, or the count is refused. One statement for all moves.

    Raises Conflict where the shelf moved since, NotAllowed for whoever counted.
    """
    with transaction.atomic():
        row = StockCount.objects.select_for_update(no_key=True).get(pk=count.pk)
        must(by, "shop.sign", row.place, "在盘点单上签字")
        if by.pk == row.by_id:
            raise NotAllowed("清点的人不能自己签字", hint="请监督委员来签。")
        if row.status != StockCount.Status.WAITING:
            raise Conflict(f"这张盘点单已经{row.get_status_display()}", hint="请刷新后查看。")
        row.status = StockCount.Status.SIGNED if agree else StockCount.Status.REFUSED
        row.signed_by, row.signed_at, row.note = by, now(), note.strip()[:200]
        row.save(update_fields=["status", "signed_by", "signed_at", "note"])
        if agree:
            _adjust(row)
        record("shop.sign_count", by=by, place=row.place, target=row, agreed=agree)
    return row


def _adjust(count: StockCount) -> None:
    lines = {UUID(line["good"]): line for line in count.lines}
    goods = Good.objects.select_for_update(no_key=True).filter(pk__in=lines).order_by("pk")
    moves = []
    for good in goods:
        line = lines[good.pk]
        if good.stock != line["book"]:
            raise Conflict(f"“{good}”在清点以后又有出入库", hint="请退回这张盘点单，重新清点。", word="moved")
        if line["found"] < good.reserved:
            raise ShopError(
                f"“{good}”有 {good.reserved}{good.unit}已被预订，只找到 {line['found']}{good.unit}",
                hint="请先取消预订，再签字。", word="reserved",
            )  # fmt: skip
        if line["found"] != good.stock:
            moves.append(StockMove(place=count.place, good=good, kind="count", quantity=line["found"] - good.stock,
                                   count=count, by=count.by))  # fmt: skip
    StockMove.objects.bulk_create(moves)


@busy_is_said
def publish_prices(*, by: User, shop: Shop, period: str, points: Mapping[UUID, int]) -> PriceList:
    """价目表: freeze the prices of a period. points: good → hundredths for one unit. Raises ShopError, Conflict."""
    must(by, "shop.manage", shop.place, "公布价目表")
    known = parse_code(period)
    if known.kind not in PRICE_KINDS:
        raise ShopError("价目表按月、季度、半年或年公布", field="period", hint="请重新选。")
    if known.end < today():
        raise ShopError(f"{known.title}已经过了", field="period", hint="请选本期或下一期。")
    with transaction.atomic():
        Shop.objects.select_for_update(no_key=True).get(pk=shop.pk)  # two lists over the same days: one waits
        if PriceList.objects.filter(shop=shop, starts__lte=known.end, ends__gte=known.start).exists():
            raise Conflict(
                f"{known.title}的价目表已经公布，价格不再改",
                field="period",
                hint="新物品可以补进去。",
                word="frozen",
            )
        row = PriceList.objects.create(
            place=shop.place, shop=shop, period=period, starts=known.start, ends=known.end, by=by
        )
        _add_prices(row, points)
        record("shop.publish_prices", by=by, place=shop.place, target=row, period=period, goods=len(points))
    return row


def add_prices(*, by: User, price_list: PriceList, points: Mapping[UUID, int]) -> None:
    """Put goods that came later onto the list in force. What stands there stays as it is."""
    must(by, "shop.manage", price_list.place, "补充价目表")
    with transaction.atomic():
        _add_prices(price_list, points)
        record("shop.add_prices", by=by, place=price_list.place, target=price_list, goods=len(points))


def _add_prices(row: PriceList, points: Mapping[UUID, int]) -> None:
    goods = {good.pk: good for good in Good.objects.filter(shop=row.shop_id, pk__in=list(points))}
    if len(goods) != len(points) or not points:
        raise ShopError("价目表里没有物品，或有物品不属于这个超市", hint="请刷新后再填。")
    for key, price in points.items():
        if not 0 < price <= PRICE_MAX:
            raise ShopError(
                f"“{goods[key]}”的积分价不对", field="points", hint="请填 0.01 到 10000 之间的分。"
            )
    if Price.objects.filter(price_list=row, good__in=goods).exists():
        raise Conflict("有物品在本期价目表里已经有价", hint="本期价格不再改，请留到下一期。", word="frozen")
    Price.objects.bulk_create(
        Price(place=row.place, price_list=row, good=goods[key], points=price) for key, price in points.items()
    )


@busy_is_said
def take_back(*, by: User, order: Order, line: OrderLine, quantity: int, reason: str) -> StockMove:
    """Goods that come back to the shelf after their order was reversed in the ledger (退回)."""
    must(by, "shop.stock", order.shop.place, "登记退回")
    reason = _text(reason, "原因", 100, field="reason")
    if line.good is None or order.status != Order.Status.HANDED_OVER:
        raise ShopError("只有领走的物品才能退回", hint="请核对兑换单。")
    with transaction.atomic():
        Order.objects.select_for_update(of=("self",), no_key=True).get(pk=order.pk)
        out = order.moves.filter(good=line.good).values_list("quantity", "fen", "kind")
        gone = -sum(q for q, _, _ in out)
        if not 0 < quantity <= gone:
            raise ShopError(f"最多退回 {gone}{line.good.unit}", field="quantity", hint="请核对数量。")
        cost = sum(fen for _, fen, kind in out if kind == "out") - sum(
            fen for _, fen, kind in out if kind == "back"
        )
        move = StockMove.objects.create(place=line.good.place, good=line.good, kind="back", quantity=quantity,
                                        fen=cost * quantity // gone, order=order, by=by)  # fmt: skip
        record("shop.take_back", by=by, place=order.place, target=order, quantity=quantity, reason=reason)
    return move


def _check_words(facts: Mapping[str, Any]) -> None:
    """What a page shows of a shop fits its column; a title is never empty."""
    if "title" in facts:
        _text(facts["title"], "名称", 40, field="title")
    for name, what in (("address", "地点"), ("hours", "开放时间"), ("paused", "暂停原因")):
        if len(str(facts.get(name, "")).strip()) > 60:
            raise ShopError(f"{what}最多写 60 个字", field=name, hint="请写短一点。")


def _check_facts(facts: Mapping[str, Any], place: str) -> None:
    unknown = set(facts) - _GOOD_FIELDS
    if unknown:
        raise ValueError(f"not a field of a good: {sorted(unknown)}")
    if facts.get("limit_period", "month") not in LIMIT_PERIODS:
        raise ShopError("限兑周期不对", field="limit_period", hint="请从下拉表里选。")
    if not 0 <= facts.get("limit_count", 0) <= 999:
        raise ShopError("每户限兑要在 0 到 999 之间", field="limit_count", hint="0 表示不限。")
    for name, what, most in (("category", "类别", 20), ("unit", "单位", 6)):
        if len(str(facts.get(name, "")).strip()) > most:
            raise ShopError(f"{what}最多写 {most} 个字", field=name, hint="请写短一点。")
    if "unit" in facts and not str(facts["unit"]).strip():
        raise ShopError("单位没有填", field="unit", hint="例如：块、袋、瓶。")
    if facts.get("supplier") is not None and facts["supplier"].place != place:
        raise ShopError("供货方不属于这里", field="supplier", hint="请重新选。")


def _text(value: str, what: str, most: int, *, field: str) -> str:
    text = value.strip()
    if not 1 <= len(text) <= most:
        raise ShopError(f"{what}要填 1 到 {most} 个字", field=field, hint="请核对。")
    return text


__all__ = ["Counted", "add_good", "add_prices", "ask_count", "close_shop", "edit_good", "edit_shop", "open_shop",
           "publish_prices", "sign_count", "take_back"]  # fmt: skip
