"""价目表: frozen per period at the desk (G-15), and what everybody may read of it without log-in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.periods import parse_code, today
from zhili.common.policy import may, open_to_all, requires
from zhili.places.queries import get_place, village_settings
from zhili.shop.access import access_price_list
from zhili.shop.actions import add_prices, publish_prices
from zhili.shop.desk import address, at, rights, shop_at
from zhili.shop.desk_goods import limit_words
from zhili.shop.forms import PricesForm, typed_points
from zhili.shop.looking import fairs_to_come, last_prices, open_periods, price_lists, shops_at, usual_period
from zhili.shop.models import FairDay, Good, Price, PriceList, Shop
from zhili.shop.queries import shops_for


@requires("shop.see")
def lists(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/prices/: every list, the coming one first."""
    user = at(request, place)
    day, rows = today(), list(price_lists(place)[:120])
    for row in rows:
        row.period_title = parse_code(row.period).title  # type: ignore[attr-defined]
        row.state = "已过期" if row.ends < day else "正在用，有效" if row.starts <= day else "还没到，等开始"  # type: ignore[attr-defined]
    shops = [shop for shop in shops_at(place) if shop.keeps_stock and shop.closed_on is None]
    context = {
        "place": place, "lists": rows, "shops": shops,
        "open_url": address("open_prices", place) if len(place) == 12 else "",
        **rights(user, place),
    }  # fmt: skip
    return render(request, "shop/desk_prices.html", context)


@requires("shop.manage")
def publishing(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """Next period's list, filled in with the last one's prices; what is published stays as it is."""
    user = at(request, place, "shop.manage")
    found = shop_at(user, place, shop)
    periods = open_periods(found)
    goods = list(Good.objects.filter(shop=found, active=True).order_by("code"))
    before = last_prices(found)
    usual = usual_period(found, periods)
    form = PricesForm(
        request.POST if request.method == "POST" else None, goods=goods, periods=periods, typed=typed_points(before),
        initial={"period": usual.code if usual else ""},
    )  # fmt: skip
    for row in form.rows:
        row.note = "上一期" if row.good.pk in before else "新上架"
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = publish_prices(by=user, shop=found, period=data["period"], points=data["points"])
            messages.success(
                request,
                f"{parse_code(made.period).title}的价目表公布了，{len(data['points'])} 种。本期不再改。",
            )
            return redirect("desk_price_list", place, made.pk)
        except ZhiliError as error:
            show_error(form, error)
    context = {
        "place": place,
        "shop": found,
        "form": form,
        "periods": periods,
        "goods": goods,
        "before": bool(before),
    }
    return render(request, "shop/desk_prices_new.html", context, status=422 if form.errors else 200)


@requires("shop.see")
def price_list(request: HttpRequest, place: str, pricelist: UUID) -> HttpResponse:
    """One list; goods that came later may be put on it, what stands there is frozen."""
    user = at(request, place)
    found = access_price_list(user, pricelist)
    if found.place != place:
        raise NotFound("没有这张价目表。")
    prices = list(Price.objects.filter(price_list=found).select_related("good").order_by("good__code"))
    current = found.ends >= today()
    may_add = current and may(user, "shop.manage", place)
    later: list[Good] = []
    if may_add:
        on_it = [price.good_id for price in prices]
        later = list(
            Good.objects.filter(shop=found.shop_id, active=True).exclude(pk__in=on_it).order_by("code")
        )
    form = PricesForm(request.POST if request.method == "POST" else None, goods=later, periods=None)
    if request.method == "POST" and form.is_valid():
        points = form.cleaned_data["points"]
        try:
            add_prices(by=user, price_list=found, points=points)
            messages.success(request, f"补进去 {len(points)} 种。原来的价格没有变。")
            return redirect("desk_price_list", place, found.pk)
        except ZhiliError as error:
            show_error(form, error)
    context = {
        "place": place, "list": found, "prices": prices, "form": form, "later": later, "current": current,
        "period": parse_code(found.period), "open_url": address("open_prices", place) if len(place) == 12 else "",
    }  # fmt: skip
    return render(request, "shop/desk_price_list.html", context, status=422 if form.errors else 200)


@dataclass(slots=True)
class OpenOffer:
    """One line of the public list."""

    good: Good
    points: int
    limit: str
    left: str


@dataclass(slots=True)
class OpenShop:
    """One shop as everybody may read it."""

    shop: Shop
    period: str
    until: PriceList | None
    categories: list[tuple[str, list[OpenOffer]]]
    fairs: list[FairDay]


def by_category(rows: list[OpenOffer]) -> list[tuple[str, list[OpenOffer]]]:
    """Categories in the order of their first code, so that the village's own numbering decides."""
    found: dict[str, list[OpenOffer]] = {}
    for one in rows:
        found.setdefault(one.good.category or "其他", []).append(one)
    return list(found.items())


@open_to_all
def open_prices(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/shop/: what a household can have for its points here. No log-in, no script, nobody's name.

    Four statements of its own, whatever the number of shops and goods.
    """
    where = get_place(place)
    if len(where.code) != 12:
        raise NotFound("没有这一页。")
    day = today()
    shops = list(shops_for(place))
    now = {
        row.shop_id: row for row in PriceList.objects.filter(shop__in=shops, starts__lte=day, ends__gte=day)
    }
    rows = Price.objects.filter(price_list__in=now.values(), good__active=True).select_related("good")
    by_shop: dict[UUID, list[OpenOffer]] = {}
    for price in rows.order_by("good__code"):
        good = price.good
        left = "兑完了" if good.free <= 0 else ""
        by_shop.setdefault(good.shop_id, []).append(OpenOffer(good, price.points, limit_words(good), left))
    fairs = fairs_to_come(shops)
    shown = [
        OpenShop(
            shop, parse_code(now[shop.pk].period).title if shop.pk in now else "", now.get(shop.pk),
            by_category(by_shop.get(shop.pk, [])),
            [fair for fair in fairs if fair.shop_id == shop.pk],
        )
        for shop in shops
    ]  # fmt: skip
    context = {
        "place": where,
        "shops": shown,
        "day": day,
        "village": village_settings(place),
        "place_code": place,
    }
    return render(request, "shop/open_prices.html", context)


urlpatterns = [
    path("<str:place>/shop/prices/", lists, name="desk_prices"),
    path("<str:place>/shop/<uuid:shop>/prices/new/", publishing, name="desk_prices_new"),
    path("<str:place>/shop/prices/<uuid:pricelist>/", price_list, name="desk_price_list"),
]
open_urlpatterns = [path("<str:place>/shop/", open_prices, name="open_prices")]
