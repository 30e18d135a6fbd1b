"""Paper of the shop (U-31 to U-38): the price list for its wall, the list of a fair day without a machine, the count sheet.

The list goes through many hands, so names on it are masked; what a household may spend stands on it, for without a
machine nobody could say otherwise who has enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.masking import mask_name
from zhili.common.periods import parse_code, today
from zhili.common.points import format_points
from zhili.common.policy import may, open_to_all, requires
from zhili.ledger.queries import balances_of_village
from zhili.people.access import person_of
from zhili.people.models import Household, User
from zhili.people.queries import groups_of, head_names
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.queries import in_force, parsed
from zhili.shop.access import access_fair_day
from zhili.shop.desk_goods import limit_words
from zhili.shop.models import FairDay, Good, Shop
from zhili.shop.money import SPEND
from zhili.shop.queries import Offer, offers, price_list_on, shops_for
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.shop import (
    GOODS_A_LIST,
    CountRow,
    CountSheet,
    PriceRow,
    PriceSheet,
    RedeemGroup,
    RedeemHome,
    RedeemList,
    count_sheet_pdf,
    price_list_pdf,
    redeem_list_pdf,
)
from zhili.web.publishing import public_file

HOMES_A_PAGE = 14


def _shop(request: HttpRequest, place: str) -> Shop:
    """?shop=<id>, or the first one that serves this village."""
    wanted = request.GET.get("shop", "")
    for one in shops_for(place):
        if wanted in ("", str(one.pk)):
            return one
    raise NotFound("本村没有这个超市。")


def _desk(request: HttpRequest, place: str, permission: str = "shop.see") -> Shop:
    if not may(person_of(request), permission, place):
        raise NotFound("没有这一页。")
    return _shop(request, place)


def _pdf(draw: Callable[..., bytes], *args: Any) -> bytes:
    try:
        return draw(*args)
    except PrintError as error:
        raise ZhiliError(str(error)) from error


def _row(offer: Offer) -> PriceRow:
    good = offer.good
    return PriceRow(
        good.code, good.title, good.unit, format_points(offer.points), limit_words(good), good.category
    )


def _prices(request: HttpRequest, place: str, shop: Shop) -> bytes:
    settings, listed = village_settings(place), price_list_on(shop)
    sheet = PriceSheet(
        village=get_place(place).short_name,
        shop=shop.title,
        period=parse_code(listed.period).title if listed else "",
        rows=[_row(one) for one in offers(shop)],
        printed_on=today(),
        where=shop.address,
        hours=shop.hours,
        phone=settings.office_phone,
        page_url=request.build_absolute_uri(reverse("open_prices", args=[place])),
        demo=settings.demo,
    )
    return _pdf(price_list_pdf, sheet, "a3" if request.GET.get("paper") == "a3" else "a4")


@requires("shop.see")
def price_list(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/price-list.pdf: ?paper=a3, ?shop=."""
    return answer(_prices(request, place, _desk(request, place)), f"prices-{place}.pdf")


@open_to_all
def open_price_list(request: HttpRequest, place: str) -> HttpResponse:
    """The same for whoever has a printer."""
    if len(get_place(place).code) != 12:
        raise NotFound("没有这一页。")
    return public_file(place, _prices(request, place, _shop(request, place)), f"prices-{place}.pdf")


@requires("shop.serve")
def redeem_list(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/redeem-list.pdf: ?fair= a fair day, ?group= one group, ?blank=1 nobody written in."""
    shop, user = _desk(request, place, "shop.serve"), person_of(request)
    fair = _fair(user, place, request.GET.get("fair", ""))
    if fair is not None:
        shop = fair.shop
    rows, settings = offers(shop, fair.on if fair else None), village_settings(place)
    blank = request.GET.get("blank") == "1"
    book = in_force(place, today())
    by_person = book is not None and parsed(book).unit == "resident"
    groups = _blank() if blank else _homes(place, request.GET.get("group", ""), fair.groups if fair else [])
    sheet = RedeemList(
        village=get_place(place).short_name,
        shop=shop.title,
        fair=str(fair) if fair else "",
        groups=groups if not by_person else [_without_points(group) for group in groups],
        goods=[_row(one) for one in rows[:GOODS_A_LIST]],
        others=[_row(one) for one in rows[GOODS_A_LIST:]],
        printed_on=today(),
        phone=settings.office_phone,
        with_points=not blank and not by_person,
        demo=settings.demo,
    )
    body = _pdf(redeem_list_pdf, sheet)
    if not blank:
        count = sum(len(group.homes) for group in groups)
        record("shop.print_list", by=user, place=place, target=fair or shop, count=count)
    return answer(body, f"redeem-list-{place}.pdf")


def _fair(user: User, place: str, text: str) -> FairDay | None:
    if not text:
        return None
    try:
        found = access_fair_day(user, UUID(text))
    except ValueError:
        raise NotFound("没有这个兑换日。") from None
    if not place.startswith(found.place):
        raise NotFound("没有这个兑换日。")
    return found


def _blank() -> list[RedeemGroup]:
    return [RedeemGroup("", [RedeemHome() for _ in range(HOMES_A_PAGE)])]


def _without_points(group: RedeemGroup) -> RedeemGroup:
    return RedeemGroup(group.title, [RedeemHome(one.code, one.name) for one in group.homes])


def _homes(place: str, wanted: str, order: list[str]) -> list[RedeemGroup]:
    """Open households by group, a page each, in the order the fair day calls them. Four statements."""
    groups = [*[one for one in order], *[one for one in groups_of(place) if one not in order], ""]
    rows = Household.objects.filter(place=place, status__in=Household.OPEN).order_by("code")
    if wanted:
        rows = rows.filter(group=wanted)
    by_group: dict[str, list[Household]] = {}
    for home in rows:
        by_group.setdefault(home.group, []).append(home)
    names = head_names(place, [home.pk for some in by_group.values() for home in some])
    held = balances_of_village(place)
    found = []
    for group in groups:
        homes = [
            RedeemHome(
                home.code, mask_name(names.get(home.pk, "")), format_points(held[home.pk, SPEND].available)
            )
            for home in by_group.get(group, [])
        ]
        found += [
            RedeemGroup(group or "未分组", homes[n : n + HOMES_A_PAGE])
            for n in range(0, len(homes), HOMES_A_PAGE)
        ]
    return found


@requires("shop.stock")
def count_sheet(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/count-sheet.pdf: every good of the shop, without the book's figure."""
    shop, settings = _desk(request, place, "shop.stock"), village_settings(place)
    rows = Good.objects.filter(shop=shop, active=True).order_by("category", "code")
    sheet = CountSheet(
        village=get_place(place).short_name,
        shop=shop.title,
        rows=[CountRow(one.code, one.title, one.unit, one.category) for one in rows],
        printed_on=today(),
        demo=settings.demo,
    )
    return answer(_pdf(count_sheet_pdf, sheet), f"count-sheet-{place}.pdf")


desk_urlpatterns = [
    path("<str:place>/shop/price-list.pdf", price_list, name="desk_price_list_pdf"),
    path("<str:place>/shop/redeem-list.pdf", redeem_list, name="desk_redeem_list_pdf"),
    path("<str:place>/shop/count-sheet.pdf", count_sheet, name="desk_count_sheet_pdf"),
]
open_urlpatterns = [path("<str:place>/shop/price-list.pdf", open_price_list, name="open_price_list_pdf")]
