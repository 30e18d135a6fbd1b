"""Paper of the shop: the price list for the wall, the list of a fair day to write on, the sheet for counting the shelf."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from .papers import _check_paper, _check_rows
from .render import PrintError, compile_pdf, plain, qr_svg

GOODS_A_LIST = 8
"""Columns of the fair-day list; what else the shop has goes into 其他 by its code."""


@dataclass(frozen=True)
class PriceRow:
    """One good. points: decimal text for one unit; limit: how many a household may take, in words."""

    code: str
    title: str
    unit: str
    points: str
    limit: str = ""
    category: str = ""


@dataclass(frozen=True)
class PriceSheet:
    """价目表 of one shop."""

    village: str
    shop: str
    period: str
    rows: list[PriceRow]
    printed_on: date
    where: str = ""
    hours: str = ""
    phone: str = ""
    page_url: str = ""
    demo: bool = False


@dataclass(frozen=True)
class RedeemHome:
    """A row of the fair-day list; empty for one to write in. name masked; points: what may be spent, text."""

    code: str = ""
    name: str = ""
    points: str = ""


@dataclass(frozen=True)
class RedeemGroup:
    title: str
    homes: list[RedeemHome]


@dataclass(frozen=True)
class RedeemList:
    """兑换登记表. fair: 11月28日兑换日; goods: the columns; others: the rest of the shelf, for the foot."""

    village: str
    shop: str
    fair: str
    groups: list[RedeemGroup]
    goods: list[PriceRow]
    printed_on: date
    others: list[PriceRow] = field(default_factory=list)
    phone: str = ""
    with_points: bool = True
    demo: bool = False


@dataclass(frozen=True)
class CountRow:
    """One good on the shelf; the book's figure is left out, so that whoever counts does count."""

    code: str
    title: str
    unit: str
    category: str = ""


@dataclass(frozen=True)
class CountSheet:
    """盘点表."""

    village: str
    shop: str
    rows: list[CountRow]
    printed_on: date
    demo: bool = False


def price_list_pdf(sheet: PriceSheet, paper: Literal["a3", "a4"] = "a4") -> bytes:
    """Large type, by category; A3 is the same at 1.41 times."""
    _check_paper(paper, ("a3", "a4"))
    _check_rows(len(sheet.rows), "价目表")
    if not sheet.rows:
        raise PrintError("今天没有价目，价目表没有打印。请先公布价目表。")
    data = plain(sheet) | {"look": paper, "page_svg": qr_svg(sheet.page_url)}
    title = f"{sheet.village}{sheet.shop}价目表"
    return compile_pdf("price_list.typ", data, title=title, printed_on=sheet.printed_on)


def redeem_list_pdf(sheet: RedeemList) -> bytes:
    """A4 across, every group on a page of its own."""
    _check_rows(sum(len(group.homes) for group in sheet.groups), "兑换登记表")
    if not sheet.groups or not sheet.goods:
        raise PrintError("没有户或没有价目，兑换登记表没有打印。请先公布价目表，或换一个组。")
    if len(sheet.goods) > GOODS_A_LIST:
        raise PrintError(f"兑换登记表最多 {GOODS_A_LIST} 列物品。请把其余的放到“其他”里。")
    return compile_pdf(
        "redeem_list.typ",
        plain(sheet),
        title=f"{sheet.village}{sheet.shop}兑换登记表",
        printed_on=sheet.printed_on,
    )


def count_sheet_pdf(sheet: CountSheet) -> bytes:
    """A4, a box to write the pieces in, two to sign."""
    _check_rows(len(sheet.rows), "盘点表")
    if not sheet.rows:
        raise PrintError("超市里还没有物品，盘点表没有打印。请先登记物品。")
    return compile_pdf(
        "count_sheet.typ",
        plain(sheet),
        title=f"{sheet.village}{sheet.shop}盘点表",
        printed_on=sheet.printed_on,
    )
