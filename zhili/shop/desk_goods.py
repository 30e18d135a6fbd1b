"""物品 at the desk: the shelf as a table, one good with its moves, its picture, and what nobody takes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.money import format_yuan
from zhili.common.paging import Column, Filter, Table, table
from zhili.common.periods import today
from zhili.common.policy import open_to_all, requires
from zhili.people.models import User
from zhili.shop.access import access_good
from zhili.shop.actions import add_good, drop_picture, edit_good, set_picture
from zhili.shop.desk import address, at, rights, shop_at
from zhili.shop.forms import LIMIT_CHOICES, GoodForm
from zhili.shop.looking import LOW, SLOW_DAYS, shops_at, slow_goods, with_price
from zhili.shop.models import Good, Price, Shop, StockMove
from zhili.shop.pictures import picture_of

LIMITS = dict(LIMIT_CHOICES)
STATES = [("on", "在架"), ("low", "快没了"), ("unpriced", "本期没有价"), ("off", "已下架")]
DAYS = [("30", "30 天"), ("60", "60 天"), ("90", "90 天"), ("180", "半年")]


def yuan_column(key: str, title: str, fen: Any, order: str | None = None, *, shown: bool = True) -> Column:
    """Money of a row: yuan on the screen, a number in the workbook."""
    return Column(
        key, title, lambda r: format_yuan(fen(r)), order=order, kind="number", export=lambda r: fen(r) / 100, shown=shown
    )  # fmt: skip


def limit_words(good: Good) -> str:
    """每月 2 块; "" without a limit."""
    return f"{LIMITS.get(good.limit_period, '')} {good.limit_count}{good.unit}" if good.limit_count else ""


def _state(good: Any) -> str:
    if not good.active:
        return "已下架"
    if good.free_now <= 0:
        return "提醒：兑完了"
    return "提醒：快没了" if good.free_now <= LOW else "正常"


def columns(place: str, *, several: bool) -> list[Column]:
    found = [
        Column("code", "货号", lambda r: r.code, order="code"),
        Column(
            "title",
            "名称",
            lambda r: r.title,
            order="title",
            url=lambda r: reverse("desk_good", args=[place, r.pk]),
            width=24,
        ),
        Column("category", "类别", lambda r: r.category, order="category"),
        Column("price", "本期价", lambda r: r.price, order="price", kind="points"),
        Column("stock", "库存", lambda r: r.stock, order="stock", kind="number"),
        Column("reserved", "已预订", lambda r: r.reserved, order="reserved", kind="number", shown=False),
        Column("free", "还能兑", lambda r: r.free_now, order="free_now", kind="number"),
        yuan_column("cost", "单位成本（元）", lambda r: r.unit_cost_fen, shown=False),
        yuan_column("value", "库存成本（元）", lambda r: r.value_fen, order="value_fen"),
        Column("limit", "每户限兑", limit_words),
        Column("state", "状态", _state, kind="state"),
        Column("supplier", "常用供货方", lambda r: str(r.supplier or ""), shown=False),
        Column("added", "上架日期", lambda r: r.added_on, order="added_on", kind="date", shown=False),
    ]
    if several:
        found.insert(3, Column("shop", "超市", lambda r: str(r.shop), order="shop__title"))
    return found


def _by_state(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    if value == "off":
        return rows.filter(active=False)
    rows = rows.filter(active=True)
    if value == "low":
        return rows.filter(free_now__lte=LOW)
    return rows.filter(price=None) if value == "unpriced" else rows


@requires("shop.see")
def goods(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/goods/: everything on the shelves of this place."""
    user = at(request, place)
    shops = [shop for shop in shops_at(place) if shop.keeps_stock]
    rows = with_price(Good.objects.filter(shop__in=shops).select_related("shop", "supplier"))
    rows = rows.annotate(free_now=F("stock") - F("reserved"))
    categories = Good.objects.filter(shop__in=shops).exclude(category="").order_by("category")
    filters = [
        Filter("q", "名称或货号", "text", lambda r, v: r.filter(Q(title__icontains=v) | Q(code__iexact=v))),
        Filter("category", "类别", lambda: [(one, one) for one in categories.values_list("category", flat=True).distinct()],
               lambda r, v: r.filter(category=v)),
        Filter("state", "状态", STATES, _by_state),
    ]  # fmt: skip
    if len(shops) > 1:
        choices = [(str(shop.pk), shop.title) for shop in shops]
        filters.append(Filter("shop", "超市", choices, lambda r, v: r.filter(shop=v)))
    listed = table(
        request, rows, columns(place, several=len(shops) > 1), title="物品", filters=filters,
        default_order=["-active", "shop", "code"], on_export=lambda n: record("shop.export", by=user, place=place, count=n),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    context = {
        "place": place,
        "table": listed,
        "shops": shops,
        "add_to": shops[0] if shops else None,
        **rights(user, place),
    }
    return render(request, "shop/desk_goods.html", context)


def good_at(user: User, place: str, good: UUID) -> Good:
    found = access_good(user, good)
    if found.place != place:
        raise NotFound("没有这种物品。")
    return found


def _moves(request: HttpRequest, user: User, found: Good) -> Table | HttpResponse:
    rows = StockMove.objects.filter(good=found).select_related("supplier", "fund", "order", "by")
    listed: list[Column] = [
        Column("on", "日期", lambda r: r.on, order="on", kind="date"),
        Column("kind", "类型", lambda r: r.get_kind_display()),
        Column(
            "quantity",
            "数量",
            lambda r: f"{r.quantity:+d}",
            order="quantity",
            kind="number",
            export=lambda r: r.quantity,
        ),
        yuan_column("fen", "成本（元）", lambda r: r.fen, order="fen"),
        Column("from", "来源或去向", _why),
        Column("paper", "单据号", lambda r: r.paper),
        Column("by", "经手人", lambda r: str(r.by)),
        Column("at", "登记时间", lambda r: r.at, order="at", kind="date", shown=False),
    ]
    return table(
        request, rows, listed, title=f"{found.title}的进出", default_order=["-at", "-id"], page_size=30,
        filters=[Filter("kind", "类型", StockMove.Kind.choices, lambda r, v: r.filter(kind=v))],
        on_export=lambda n: record("shop.export", by=user, place=found.place, target=found, count=n),
    )  # fmt: skip


def _why(move: StockMove) -> str:
    if move.kind == StockMove.Kind.IN:
        return f"{move.donated_by}捐" if move.donated_by else str(move.supplier or move.fund)
    if move.order is not None:
        return f"兑换单 {move.order}"
    return "盘点"


@requires("shop.see")
def good(request: HttpRequest, place: str, good: UUID) -> HttpResponse:
    """One good: what is left, what it costs, its limits, every move."""
    user = at(request, place)
    found = good_at(user, place, good)
    listed = _moves(request, user, found)
    if isinstance(listed, HttpResponse):
        return listed
    day = today()
    prices = Price.objects.filter(good=found).select_related("price_list").order_by("-price_list__starts")[:6]
    context = {
        "place": place,
        "good": found,
        "table": listed,
        "cost": format_yuan(found.unit_cost_fen),
        "value": format_yuan(found.value_fen),
        "prices": prices,
        "now": next((p for p in prices if p.price_list.starts <= day <= p.price_list.ends), None),
        "limit": limit_words(found),
        **rights(user, place),
    }
    return render(request, "shop/desk_good.html", context)


@requires("shop.stock")
def adding(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """添加物品."""
    user = at(request, place, "shop.stock")
    found = shop_at(user, place, shop)
    return _form(request, user, found, None)


@requires("shop.stock")
def editing(request: HttpRequest, place: str, good: UUID) -> HttpResponse:
    """Words, limits, picture, on offer or not. The code and the shelf stay."""
    user = at(request, place, "shop.stock")
    found = good_at(user, place, good)
    return _form(request, user, found.shop, found)


def _form(request: HttpRequest, user: User, shop: Shop, good: Good | None) -> HttpResponse:
    posted = request.method == "POST"
    form = GoodForm(
        request.POST if posted else None, request.FILES if posted else None, place=shop.place, good=good
    )
    if posted and form.is_valid():
        try:
            with transaction.atomic():
                saved = _save(
                    user, shop, good, form.cleaned_data, drop=request.POST.get("drop_picture") == "1"
                )
        except ZhiliError as error:
            if error.field is None and form.cleaned_data.get("picture"):
                error.field = "picture"
            show_error(form, error)
        else:
            if good is None:
                messages.success(request, f"“{saved}”添加好了，库存从 0 开始。可以接着添加，或去入库。")
                return redirect("desk_good_add" if "more" in request.POST else "desk_goods", *(
                    [shop.place, shop.pk] if "more" in request.POST else [shop.place]
                ))  # fmt: skip
            messages.success(request, f"“{saved}”改好了。")
            return redirect("desk_good", shop.place, saved.pk)
    current = Good.objects.get(pk=good.pk) if good is not None else None
    context = {"place": shop.place, "shop": shop, "good": current, "form": form}
    return render(request, "shop/desk_good_form.html", context, status=422 if form.errors else 200)


def _save(user: User, shop: Shop, good: Good | None, data: dict[str, Any], *, drop: bool) -> Good:
    picture = data.pop("picture", None)
    saved = add_good(by=user, shop=shop, **data) if good is None else edit_good(by=user, good=good, **data)
    if picture:
        set_picture(by=user, good=saved, data=picture)
    elif drop:
        drop_picture(by=user, good=saved)
    return saved


@requires("shop.see")
def slow(request: HttpRequest, place: str) -> HttpResponse:
    """滞销: what lies there, since when, and how much money lies there with it (G-15)."""
    user = at(request, place)
    asked = request.GET.get("days", "")
    days = int(asked) if asked in dict(DAYS) else SLOW_DAYS
    shops = [shop for shop in shops_at(place) if shop.keeps_stock]
    rows = slow_goods(shops, days)
    day = today()

    def since(row: Any) -> Any:
        return row.last_out or row.came_on

    listed = table(
        request, rows,
        [
            Column("code", "货号", lambda r: r.code, order="code"),
            Column("title", "名称", lambda r: r.title, order="title", width=24,
                   url=lambda r: address("desk_good", place, r.pk)),
            Column("last", "最近一次兑出", lambda r: r.last_out, order="last_out", kind="date"),
            Column("came", "第一次到货", lambda r: r.came_on, order="came_on", kind="date"),
            Column("days", "多少天没人换", lambda r: (day - since(r)).days, kind="number"),
            Column("stock", "库存", lambda r: r.stock, order="stock", kind="number"),
            yuan_column("value", "压着的钱（元）", lambda r: r.value_fen, order="value_fen"),
        ],
        title=f"{days} 天没人换的物品", default_order=["-value_fen", "code"],
        filters=[Filter("days", "多少天", DAYS, lambda r, v: r)],
        on_export=lambda n: record("shop.export", by=user, place=place, count=n),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    tied = sum(slow_goods(shops, days).order_by().values_list("value_fen", flat=True))
    context = {
        "place": place, "table": listed, "days": days, "tied": format_yuan(tied), "polls_url": address("desk_polls", place),
    }  # fmt: skip
    return render(request, "shop/desk_slow.html", context)


def _jpeg(data: bytes, cache: str) -> HttpResponse:
    return HttpResponse(
        data, content_type="image/jpeg",
        headers={
            "X-Content-Type-Options": "nosniff", "Content-Disposition": "inline", "Cache-Control": cache,
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )  # fmt: skip


@requires("shop.see")
def picture(request: HttpRequest, place: str, good: UUID) -> HttpResponse:
    """A good's picture for the desk, also of one that is on no list yet."""
    user = at(request, place)
    return _jpeg(picture_of(good_at(user, place, good), small=request.GET.get("small") == "1"), "no-store")


@open_to_all
def open_picture(request: HttpRequest, place: str, good: UUID) -> HttpResponse:
    """/open/<place>/shop/goods/<id>.jpg: of goods that stand on a price list in force here, and of nothing else."""
    day = today()
    listed = Price.objects.filter(
        good=OuterRef("pk"), price_list__starts__lte=day, price_list__ends__gte=day
    ).values("pk")[:1]
    found = (
        Good.objects.filter(pk=good, active=True, shop__closed_on=None, place__in=[place, place[:9]])
        .annotate(listed=Subquery(listed))
        .exclude(listed=None)
        .first()
    )
    if found is None:
        raise NotFound("没有这张图片。")
    return _jpeg(picture_of(found, small=request.GET.get("small") == "1"), "public, max-age=3600")


urlpatterns = [
    path("<str:place>/shop/goods/", goods, name="desk_goods"),
    path("<str:place>/shop/<uuid:shop>/goods/add/", adding, name="desk_good_add"),
    path("<str:place>/shop/goods/<uuid:good>/", good, name="desk_good"),
    path("<str:place>/shop/goods/<uuid:good>/edit/", editing, name="desk_good_edit"),
    path("<str:place>/shop/goods/<uuid:good>/picture/", picture, name="desk_good_picture"),
    path("<str:place>/shop/slow/", slow, name="desk_slow"),
]
open_urlpatterns = [
    path("<str:place>/shop/goods/<uuid:good>.jpg", open_picture, name="open_good_picture"),
]
