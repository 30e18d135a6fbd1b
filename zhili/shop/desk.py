"""积分超市 at the desk: every shop of a village or township, what is due there, and the first steps of a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.money import format_yuan
from zhili.common.policy import may, requires
from zhili.people.models import User
from zhili.places.queries import get_place
from zhili.shop.access import access_shop
from zhili.shop.actions import close_shop, edit_shop, open_shop
from zhili.shop.forms import ShopForm
from zhili.shop.looking import (
    Due,
    ShopState,
    due_of,
    funds_with_cash,
    shops_around,
    shops_at,
    shops_below,
    states,
)
from zhili.shop.models import Shop


def at(request: HttpRequest, place: str, permission: str = "shop.see") -> User:
    """The person, who must hold `permission` in this village or township; else the page does not exist."""
    user = request.user
    assert isinstance(user, User)
    if len(place) not in (9, 12) or not may(user, permission, place):
        raise NotFound("没有这一页。")
    return user


def shop_at(user: User, place: str, shop: UUID) -> Shop:
    """A shop of exactly this place that still runs. Raises NotFound for absent, foreign and closed alike."""
    found = access_shop(user, shop)
    if found.place != place or found.closed_on is not None:
        raise NotFound("没有这个超市，或者已经停办。")
    return found


def rights(user: User, place: str) -> dict[str, bool]:
    """What this person may do here, for the buttons; every action checks again."""
    return {
        "may_manage": may(user, "shop.manage", place),
        "may_stock": may(user, "shop.stock", place),
        "may_sign": may(user, "shop.sign", place),
    }


def address(name: str, *args: Any) -> str:
    """The URL of a page, "" while another room has not built it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@dataclass(slots=True)
class Step:
    """One of the first steps of a shop."""

    title: str
    text: str
    done: bool
    url: str
    label: str


@requires("shop.see")
def overview(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/"""
    user = at(request, place)
    where = get_place(place)
    shops = shops_at(place)
    shown = states([shop for shop in shops if shop.closed_on is None])
    held = rights(user, place)
    due = [(one.shop, row, address(row.url[0], *row.url[1])) for one in shown for row in due_of(one, **held)]
    due.sort(key=lambda row: not row[1].urgent)
    township = len(place) == 9
    context = {
        "place": place,
        "where": where,
        "shops": shown,
        "closed": [shop for shop in shops if shop.closed_on is not None],
        "due": due,
        "steps": _steps(place, shown) if held["may_manage"] else [],
        "around": []
        if township
        else [(one, may(user, "shop.see", one.place)) for one in shops_around(place)],
        "below": shops_below(place) if township else [],
        "value": format_yuan(sum(one.value_fen for one in shown)),
        "township": township,
        **held,
    }
    return render(request, "shop/desk_shop.html", context)


def _steps(place: str, shown: list[ShopState]) -> list[Step]:
    """Open a shop → fund → goods → stock in → price list: until each has been done once."""
    own = next((one for one in shown if one.shop.keeps_stock), None)
    if shown and own is None:
        return []  # a partner alone keeps no shelf
    shop = [place, own.shop.pk] if own is not None else None
    funds = funds_with_cash(place) if own is not None else []
    steps = [
        Step("开办超市", "写下名称、地点、开放时间。", own is not None, address("desk_shop_open", place), "开办"),
        Step("登记兑换资金", "先有钱，再进货：写明来源和依据，登记拨入。", any(cash for _, cash in funds),
             address("desk_funds", place) if shop else "", "登记"),
        Step("添加物品", "一种一种写：货号、名称、单位、每户限兑几件。", own is not None and own.goods > 0,
             address("desk_good_add", *shop) if shop else "", "添加"),
        Step("登记第一批货", "照着发票填数量和金额，库存和资金一起变。", own is not None and own.value_fen > 0,
             address("desk_stock_in", *shop) if shop else "", "入库"),
        Step("公布价目表", "定好一种换几分，公布后本期不再改。", own is not None and own.list_now is not None,
             address("desk_prices_new", *shop) if shop else "", "定价"),
    ]  # fmt: skip
    return [] if all(step.done for step in steps) else steps


@requires("shop.manage")
def opening(request: HttpRequest, place: str) -> HttpResponse:
    """开办超市."""
    user = at(request, place, "shop.manage")
    get_place(place)
    form = ShopForm(request.POST if request.method == "POST" else None, place=place)
    if request.method == "POST" and form.is_valid():
        try:
            made = open_shop(by=user, place=place, **form.cleaned_data)
            messages.success(request, f"“{made}”开办好了。下一步：登记资金，添加物品。")
            return redirect("desk_shop", place)
        except ZhiliError as error:
            show_error(form, error)
    context = {"form": form, "place": place, "title": "开办超市", "township": len(place) == 9}
    return render(request, "shop/desk_shop_form.html", context, status=422 if form.errors else 200)


@requires("shop.manage")
def editing(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """Name, hours, pause with a reason."""
    user = at(request, place, "shop.manage")
    found = shop_at(user, place, shop)
    closing = request.POST.get("do") == "close"
    form = ShopForm(
        request.POST if request.method == "POST" and not closing else None, place=place, shop=found
    )
    error: ZhiliError | None = None
    if closing:
        try:
            close_shop(by=user, shop=found)
            messages.success(request, f"“{found}”停办了。以前的账和单子都还查得到。")
            return redirect("desk_shop", place)
        except ZhiliError as refused:
            error = refused
    elif request.method == "POST" and form.is_valid():
        paused = found.paused
        try:
            edit_shop(by=user, shop=found, **form.cleaned_data)
            said = (
                "已恢复兑换。"
                if paused and not found.paused
                else "已暂停兑换，公开页上写了原因。"
                if found.paused
                else "已保存。"
            )
            messages.success(request, said)
            return redirect("desk_shop", place)
        except ZhiliError as error:
            show_error(form, error)
    context = {
        "form": form,
        "place": place,
        "shop": found,
        "title": f"修改“{shop_title(found)}”",
        "error": error,
    }
    return render(request, "shop/desk_shop_form.html", context, status=422 if form.errors or error else 200)


def shop_title(shop: Shop) -> str:
    """The title as stored, also while a refused form holds another."""
    return Shop.objects.values_list("title", flat=True).get(pk=shop.pk)


__all__ = ["Due", "address", "at", "rights", "shop_at"]
urlpatterns = [
    path("<str:place>/shop/", overview, name="desk_shop"),
    path("<str:place>/shop/open/", opening, name="desk_shop_open"),
    path("<str:place>/shop/<uuid:shop>/", editing, name="desk_shop_edit"),
]
