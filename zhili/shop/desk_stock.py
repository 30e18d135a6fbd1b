"""入库 and 盘点: a delivery note with several goods, a count of the whole shelf, the second signature, the suppliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.money import format_yuan
from zhili.common.paging import Column, Filter, table
from zhili.common.policy import may, requires
from zhili.people.models import User
from zhili.shop.access import access_count, access_supplier
from zhili.shop.actions import (
    Arrived,
    Counted,
    add_supplier,
    ask_count,
    edit_supplier,
    sign_count,
    take_delivery,
)
from zhili.shop.desk import address, at, rights, shop_at
from zhili.shop.desk_goods import yuan_column
from zhili.shop.errors import ShopError
from zhili.shop.forms import CountForm, DeliveryForm, SignForm, SupplierForm
from zhili.shop.looking import funds_with_cash, shops_at, suppliers_of
from zhili.shop.models import Good, Shop, StockCount, StockMove, Supplier


def _shelf(shop: Shop, *, active: bool = True) -> QuerySet[Good]:
    rows = Good.objects.filter(shop=shop).order_by("code")
    return rows.filter(active=True) if active else rows


def _refuse_partner(shop: Shop) -> None:
    if not shop.keeps_stock:
        raise ShopError(f"“{shop}”是合作商户，货由商户自己管", hint="这里不用入库和盘点。")


@requires("shop.stock")
def delivery(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """登记到货: a hidden number makes a double tap one delivery."""
    user = at(request, place, "shop.stock")
    found = shop_at(user, place, shop)
    _refuse_partner(found)
    funds = funds_with_cash(place)
    form = DeliveryForm(
        request.POST if request.method == "POST" else None, place=place, goods=list(_shelf(found)), funds=funds,
        suppliers=list(Supplier.objects.filter(place=place).order_by("title")),
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                moves = _take(user, place, form.cleaned_data)
        except ZhiliError as error:
            show_error(form, error)
        else:
            pieces, cost = sum(move.quantity for move in moves), format_yuan(sum(move.fen for move in moves))
            messages.success(
                request, f"已入库：{len(moves)} 种、{pieces} 件，成本 {cost} 元。库存和资金账都记上了。"
            )
            return redirect("desk_shop_moves", place)
    context = {
        "place": place, "shop": found, "form": form, "funds": funds, "funds_url": address("desk_funds", place),
        **rights(user, place),
    }  # fmt: skip
    return render(request, "shop/desk_stock_in.html", context, status=422 if form.errors else 200)


def _take(user: User, place: str, data: dict[str, Any]) -> list[StockMove]:
    supplier = data["supplier"]
    if data["new_supplier"].strip():
        supplier = add_supplier(
            by=user, place=place, title=data["new_supplier"], related_to=data["related_to"]
        )
    lines = [Arrived(good, quantity, fen) for good, quantity, fen in data["lines"]]
    return take_delivery(
        by=user, lines=lines, fund=data["fund"], id=data["id"], supplier=supplier,
        donated_by=data["donated_by"] if data["donated"] else "", paper=data["paper"], on=data["on"],
    )  # fmt: skip


@requires("shop.see")
def moves(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/moves/: everything that came in, went out or was found different."""
    user = at(request, place)
    rows = StockMove.objects.filter(place=place).select_related("good", "supplier", "fund", "order", "by")
    listed = table(
        request, rows,
        [
            Column("on", "日期", lambda r: r.on, order="on", kind="date"),
            Column("kind", "类型", lambda r: r.get_kind_display()),
            Column("good", "物品", lambda r: r.good.title, order="good__title",
                   url=lambda r: reverse("desk_good", args=[place, r.good_id]), width=24),
            Column("quantity", "数量", lambda r: f"{r.quantity:+d}", order="quantity", kind="number",
                   export=lambda r: r.quantity),
            yuan_column("fen", "成本（元）", lambda r: r.fen, order="fen"),
            Column("from", "供货方或捐物方", lambda r: f"{r.donated_by}捐" if r.donated_by else str(r.supplier or "")),
            Column("fund", "资金", lambda r: str(r.fund or "")),
            Column("paper", "单据号", lambda r: r.paper),
            Column("by", "经手人", lambda r: str(r.by)),
            Column("at", "登记时间", lambda r: r.at, order="at", kind="date", shown=False),
        ],
        title="库存流水", default_order=["-at", "-id"],
        filters=[
            Filter("kind", "类型", StockMove.Kind.choices, lambda r, v: r.filter(kind=v)),
            Filter("q", "物品", "text", lambda r, v: r.filter(good__title__icontains=v)),
            Filter("from", "从哪天", "date", lambda r, v: r.filter(on__gte=v)),
            Filter("to", "到哪天", "date", lambda r, v: r.filter(on__lte=v)),
        ],
        on_export=lambda n: record("shop.export", by=user, place=place, count=n),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    context = {
        "place": place,
        "table": listed,
        "shops": [s for s in shops_at(place) if s.keeps_stock],
        **rights(user, place),
    }
    return render(request, "shop/desk_moves.html", context)


@requires("shop.see")
def counts(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/counts/: all count sheets, the waiting one first."""
    user = at(request, place)
    rows = list(StockCount.objects.filter(shop__place=place).select_related("shop", "by", "signed_by")[:200])
    for row in rows:
        row.differing = sum(line["book"] != line["found"] for line in row.lines)  # type: ignore[attr-defined]
    rows.sort(key=lambda row: row.status != StockCount.Status.WAITING)
    waiting = {row.shop_id for row in rows if row.status == StockCount.Status.WAITING}
    shops = [shop for shop in shops_at(place) if shop.keeps_stock and shop.closed_on is None]
    context = {
        "place": place, "counts": rows, "shops": [(shop, shop.pk in waiting) for shop in shops], **rights(user, place),
    }  # fmt: skip
    return render(request, "shop/desk_counts.html", context)


@requires("shop.stock")
def counting(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """盘点: every good in one form; Tab goes from box to box, Enter hands the sheet in."""
    user = at(request, place, "shop.stock")
    found = shop_at(user, place, shop)
    _refuse_partner(found)
    goods = [good for good in _shelf(found, active=False) if good.active or good.stock]
    form = CountForm(request.POST if request.method == "POST" else None, goods=goods)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            counted = [Counted(good, number, reason) for good, number, reason in data["counted"]]
            made = ask_count(by=user, shop=found, counted=counted, id=data["id"])
            messages.success(request, "盘点单交上去了。请监督委员来签字，签了库存才改。")
            return redirect("desk_shop_count", place, made.pk)
        except ZhiliError as error:
            show_error(form, error)
    waiting = StockCount.objects.filter(shop=found, status=StockCount.Status.WAITING).first()
    context = {"place": place, "shop": found, "form": form, "waiting": waiting}
    return render(request, "shop/desk_count_form.html", context, status=422 if form.errors else 200)


@dataclass(slots=True)
class CountLine:
    """One good of a count sheet, to read."""

    good: Good | None
    book: int
    found: int
    reason: str

    @property
    def difference(self) -> int:
        return self.found - self.book

    @property
    def yuan(self) -> str:
        """What the difference costs at today's average, "" without one."""
        return format_yuan(self.difference * self.good.unit_cost_fen) if self.good and self.difference else ""


@requires("shop.see")
def count(request: HttpRequest, place: str, stockcount: UUID) -> HttpResponse:
    """One sheet: what was counted, and the second person's signature or refusal (C-18)."""
    user = at(request, place)
    found = access_count(user, stockcount)
    if found.place != place:
        raise NotFound("没有这张盘点单。")
    may_sign = (
        found.status == StockCount.Status.WAITING and may(user, "shop.sign", place) and user.pk != found.by_id
    )
    if request.method == "POST" and not may_sign:
        raise NotAllowed("您不能在这张盘点单上签字。清点的人不能自己签，签过的不能再签。")
    form = SignForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        agree = form.cleaned_data["decision"] == "agree"
        try:
            sign_count(by=user, count=found, agree=agree, note=form.cleaned_data["note"])
            messages.success(
                request, "已签字，库存按清点数改好了。" if agree else "已退回，库存没有变，请店员重新清点。"
            )
            return redirect("desk_shop_count", place, found.pk)
        except ZhiliError as error:
            show_error(form, error)
    goods = Good.objects.in_bulk([UUID(line["good"]) for line in found.lines])
    lines = [
        CountLine(goods.get(UUID(line["good"])), line["book"], line["found"], line["reason"])
        for line in found.lines
    ]
    lines.sort(key=lambda line: (not line.difference, line.good.code if line.good else ""))
    context = {
        "place": place, "count": found, "lines": lines, "form": form, "may_sign": may_sign,
        "differing": sum(bool(line.difference) for line in lines), "own": user.pk == found.by_id,
    }  # fmt: skip
    return render(request, "shop/desk_count.html", context, status=422 if form.errors else 200)


@requires("shop.see")
def suppliers(request: HttpRequest, place: str) -> HttpResponse:
    """供货方: who delivers, for how much, and which have a declared tie (G-15)."""
    user = at(request, place)
    listed = table(
        request, suppliers_of(place),
        [
            Column("title", "供货方", lambda r: r.title, order="title", width=30,
                   url=(lambda r: reverse("desk_supplier", args=[place, r.pk])) if may(user, "shop.stock", place) else None),
            Column("related", "申报的关系", lambda r: f"提醒：{r.related_to}" if r.related_to else "没有",
                   order="related_to", kind="state", export=lambda r: r.related_to),
            Column("deliveries", "进货次数", lambda r: r.deliveries or 0, order="deliveries", kind="number"),
            yuan_column("fen", "进货金额（元）", lambda r: r.fen or 0, order="fen"),
            Column("last", "最近一次", lambda r: r.last, order="last", kind="date"),
        ],
        title="供货方", default_order="title",
        filters=[Filter("tie", "关系", [("1", "有申报的关系"), ("0", "没有")],
                        lambda r, v: r.exclude(related_to="") if v == "1" else r.filter(related_to=""))],
        on_export=lambda n: record("shop.export", by=user, place=place, count=n),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    return render(
        request, "shop/desk_suppliers.html", {"place": place, "table": listed, **rights(user, place)}
    )


@requires("shop.stock")
def adding_supplier(request: HttpRequest, place: str) -> HttpResponse:
    return _supplier_form(request, at(request, place, "shop.stock"), place, None)


@requires("shop.stock")
def supplier(request: HttpRequest, place: str, supplier: UUID) -> HttpResponse:
    user = at(request, place, "shop.stock")
    found = access_supplier(user, supplier)
    if found.place != place:
        raise NotFound("没有这个供货方。")
    return _supplier_form(request, user, place, found)


def _supplier_form(request: HttpRequest, user: User, place: str, found: Supplier | None) -> HttpResponse:
    first = {"title": found.title, "related_to": found.related_to} if found is not None else None
    form = SupplierForm(request.POST if request.method == "POST" else None, initial=first)
    if request.method == "POST" and form.is_valid():
        try:
            if found is None:
                add_supplier(by=user, place=place, **form.cleaned_data)
            else:
                edit_supplier(by=user, supplier=found, **form.cleaned_data)
            messages.success(request, "已保存。")
            return redirect("desk_suppliers", place)
        except ZhiliError as error:
            show_error(form, error)
    context = {"place": place, "form": form, "title": "修改供货方" if found else "添加供货方"}
    return render(request, "shop/desk_supplier.html", context, status=422 if form.errors else 200)


urlpatterns = [
    path("<str:place>/shop/<uuid:shop>/in/", delivery, name="desk_stock_in"),
    path("<str:place>/shop/moves/", moves, name="desk_shop_moves"),
    path("<str:place>/shop/counts/", counts, name="desk_shop_counts"),
    path("<str:place>/shop/<uuid:shop>/count/", counting, name="desk_shop_count_new"),
    path("<str:place>/shop/counts/<uuid:stockcount>/", count, name="desk_shop_count"),
    path("<str:place>/shop/suppliers/", suppliers, name="desk_suppliers"),
    path("<str:place>/shop/suppliers/add/", adding_supplier, name="desk_supplier_add"),
    path("<str:place>/shop/suppliers/<uuid:supplier>/", supplier, name="desk_supplier"),
]
