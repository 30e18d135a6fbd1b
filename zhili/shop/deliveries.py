"""到货: one delivery note with several goods, paid from a fund or given in kind, and where it came from (G-15).

Locks in the order of ordering.py (C-07), with the fund's row before all of it: fund, goods by id, money accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.people.models import User
from zhili.shop.access import must
from zhili.shop.busy import busy_is_said
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import Fund, Good, StockMove, Supplier

QUANTITY_MAX: Final = 100_000
FEN_MAX: Final = 1_000_000_00
LINES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Arrived:
    """One kind of good of a delivery: how many pieces, and what they cost together in fen."""

    good: Good
    quantity: int
    fen: int


def add_supplier(*, by: User, place: str, title: str, related_to: str = "") -> Supplier:
    """Name a supplier; related_to: a declared tie to somebody who runs the shop, shown to the supervisor (G-15)."""
    must(by, "shop.stock", place, "登记供货方")
    title, related_to = _title(title), _tie(related_to)
    with transaction.atomic():
        found, made = Supplier.objects.get_or_create(
            place=place, title=title, defaults={"related_to": related_to}
        )
        if made:
            record("shop.supplier", by=by, place=place, target=found, related=bool(found.related_to))
    return found


def edit_supplier(*, by: User, supplier: Supplier, title: str, related_to: str) -> Supplier:
    """Correct the name, declare a tie or take it back. The audit row says whether a tie is declared, never whose."""
    must(by, "shop.stock", supplier.place, "修改供货方")
    supplier.title, supplier.related_to = _title(title), _tie(related_to)
    with transaction.atomic():
        try:
            with transaction.atomic():
                supplier.save(update_fields=["title", "related_to"])
        except IntegrityError as error:
            raise Conflict(f"已经有“{supplier.title}”", field="title", hint="请直接用那一个。") from error
        record(
            "shop.edit_supplier",
            by=by,
            place=supplier.place,
            target=supplier,
            related=bool(related_to.strip()),
        )
    return supplier


def stock_in(
    *, by: User, good: Good, quantity: int, fen: int, fund: Fund, id: UUID | None = None,
    supplier: Supplier | None = None, donated_by: str = "", paper: str = "", on: date | None = None,
) -> StockMove:  # fmt: skip
    """A delivery of one good: `quantity` pieces that cost `fen` together. See take_delivery()."""
    (move,) = take_delivery(
        by=by, lines=[Arrived(good, quantity, fen)], fund=fund, id=id or uuid7(), supplier=supplier,
        donated_by=donated_by, paper=paper, on=on,
    )  # fmt: skip
    return move


@busy_is_said
def take_delivery(
    *, by: User, lines: Sequence[Arrived], fund: Fund, id: UUID, supplier: Supplier | None = None,
    donated_by: str = "", paper: str = "", on: date | None = None,
) -> list[StockMove]:  # fmt: skip
    """What arrived on one note, all or nothing: paid from `fund`, or given in kind (donated_by).

    The money books follow in the same statement; a fund is never overdrawn. Same id and content again: the same
    moves, nothing happens twice. One audit row and the same statements however many goods.
    Raises NotAllowed, ShopError, Conflict.
    """
    place = fund.place
    must(by, "shop.stock", place, "登记入库")
    day = on or today()
    _check(lines, place, day)
    if supplier is not None and supplier.place != place:
        raise ShopError("供货方不属于这里", field="supplier", hint="请重新选。")
    with transaction.atomic():
        Fund.objects.select_for_update(no_key=True).get(pk=fund.pk)
        keys = sorted(line.good.pk for line in lines)
        list(Good.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk"))
        known = list(StockMove.objects.filter(delivery=id))
        if known:
            if {(m.good_id, m.quantity, m.fen) for m in known} != {
                (x.good.pk, x.quantity, x.fen) for x in lines
            }:
                raise Conflict("这张入库单已经登记过，内容不同", hint="请刷新后核对。", word="key_used")
            return known
        moves = [
            StockMove(
                place=place, good=line.good, kind="in", quantity=line.quantity, fen=line.fen, fund=fund, delivery=id,
                supplier=supplier, donated_by=donated_by.strip()[:40], paper=paper.strip()[:40], by=by, on=day,
            ) for line in sorted(lines, key=lambda line: str(line.good.pk))
        ]  # fmt: skip
        try:
            with transaction.atomic():
                StockMove.objects.bulk_create(moves)
        except IntegrityError as error:
            if "fund_account_not_overdrawn" not in str(error):
                raise
            raise ShopError(
                f"“{fund}”的可用资金不够这次进货，没有入库", field="fund",
                hint="请先登记拨入资金，或换一笔资金。", word="fund_short",
            ) from error  # fmt: skip
        record("shop.stock_in", by=by, place=place, target=moves[0], quantity=sum(x.quantity for x in lines),
               fen=sum(x.fen for x in lines), goods=len(lines))  # fmt: skip
    return moves


def _check(lines: Sequence[Arrived], place: str, day: date) -> None:
    if not 1 <= len(lines) <= LINES_MAX:
        raise ShopError(
            "还没有填到货的数量" if not lines else f"一张入库单最多 {LINES_MAX} 种",
            hint="请至少填一种物品的数量和金额。",
        )
    if len({line.good.pk for line in lines}) != len(lines):
        raise ShopError("同一种物品请只写一行", field="quantity", hint="请把数量加在一起。")
    for line in lines:
        if line.good.place != place:
            raise ShopError(
                "资金和物品不属于同一个地方", field="fund", hint="请选办这个超市的村或乡镇的资金。"
            )
        if not 0 < line.quantity <= QUANTITY_MAX:
            raise ShopError(
                f"“{line.good}”的数量要在 1 到 {QUANTITY_MAX} 之间", field="quantity", hint="请核对。"
            )
        if not 0 <= line.fen <= FEN_MAX:
            raise ShopError(
                f"“{line.good}”的金额不对", field="fen", hint="请填这一批一共花了多少元，最多 100 万元。"
            )
    if day > today():
        raise ShopError("入库日期还没有到", field="on", hint="请改成今天或以前。")


def _title(text: str) -> str:
    title = text.strip()
    if not 1 <= len(title) <= 60:
        raise ShopError("名称要填 1 到 60 个字", field="title", hint="请核对。")
    return title


def _tie(text: str) -> str:
    tie = text.strip()
    if len(tie) > 60:
        raise ShopError(
            "关系最多写 60 个字", field="related_to", hint="写清是什么关系就行，例如：店员的兄弟开的店。"
        )
    return tie
