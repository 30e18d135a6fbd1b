"""去兑换 on a villager's phone: what there is and what I can afford, order, a pick-up code in big digits, cancel, and what
we would like to have next time. Also for somebody one acts for (代办). Every step works without script.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import segno
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import today
from zhili.common.policy import signed_in
from zhili.ledger.queries import balances
from zhili.ledger.receipts import receipt_code
from zhili.people.access import person_of, village_of
from zhili.people.models import Delegation, Household, Resident, User
from zhili.places.queries import village_settings
from zhili.rulebook.queries import in_force, parsed
from zhili.shop.access import access_order, access_poll
from zhili.shop.errors import ShopError
from zhili.shop.fairs import answer_poll
from zhili.shop.models import FairDay, Order, Pin, Poll, PollAnswer, Shop
from zhili.shop.money import SPEND, settings_of
from zhili.shop.ordering import cancel, reserve
from zhili.shop.proofs import set_pin
from zhili.shop.queries import orders_of, shops_for
from zhili.shop.reversing import transfer_of
from zhili.shop.serving import Counter, done_already
from zhili.shop.visit_form import Typed, typed_from
from zhili.shop.wishes import priced


@dataclass(slots=True)
class Whose:
    """For whom: the own household, or the one a delegation names. owner: whose purse; query: what the links carry on."""

    household: Household
    person: Resident
    owner: UUID
    query: str = ""

    @property
    def own(self) -> bool:
        return not self.query

    @property
    def points(self) -> int:
        return balances(self.household.place, [self.owner])[self.owner, SPEND].available


def delegations(user: User) -> list[Delegation]:
    """People this person may redeem for today (代办)."""
    day = today()
    rows = Delegation.objects.filter(delegate=user, scope__in=["redeem", "all"], revoked_on=None)
    rows = rows.filter(valid_from__lte=day, valid_to__gte=day, principal__status__in=["present", "away"])
    return list(rows.select_related("principal__household").order_by("principal__name")[:50])


def whose(request: HttpRequest, given: list[Delegation]) -> Whose | None:
    """?for= names a delegation of one's own; without it the own household. Foreign: NotFound."""
    user = person_of(request)
    if wanted := request.GET.get("for", ""):
        held = next((one for one in given if str(one.pk) == wanted), None)
        if held is None:
            raise NotFound("没有这条代办。")
        person = held.principal
        return Whose(person.household, person, _owner(person), "?" + urlencode({"for": wanted}))
    if user.resident is None:
        return None
    return Whose(user.resident.household, user.resident, _owner(user.resident))


def _owner(person: Resident) -> UUID:
    book = in_force(person.place, today())
    return person.pk if book is not None and parsed(book).unit == "resident" else person.household_id


@signed_in
def shop(request: HttpRequest) -> HttpResponse:
    """/m/shop/: goods with picture, price and what I can afford; choose, look, order."""
    user = person_of(request)
    given = delegations(user)
    me = whose(request, given)
    place = me.household.place if me else village_of(request)
    shops = [one for one in shops_for(place) if one.keeps_stock]
    asked = request.GET.get("shop", "") or request.POST.get("shop", "")
    here = next((one for one in shops if str(one.pk) == asked), shops[0] if shops else None)
    error: ZhiliError | None = None
    typed: Typed | None = None
    if here is not None and me is not None:
        counter = Counter(user, place, "m", shops, here)
        typed = typed_from(counter, me.household, request.POST if request.method == "POST" else {})
        step = request.POST.get("step", "")
        try:
            if step == "order":
                return _order(user, here, me, typed)
            if step == "look":
                return _look(request, here, me, typed)
        except ZhiliError as refused:
            made = done_already(typed, refused)
            if made is not None:
                return redirect(f"{reverse('m_order', args=[made.pk])}{me.query}")
            error = refused
    context = _shelf(place, here, me, typed, given)
    context |= {"shops": shops, "error": error, "partners": _partners(place)}
    return render(request, "shop/phone_shop.html", context, status=422 if error else 200)


def _shelf(
    place: str, here: Shop | None, me: Whose | None, typed: Typed | None, given: list[Delegation]
) -> dict[str, Any]:
    points = me.points if me else 0
    rows = (
        [(row, points // row.points if row.points else 0, row.points - points) for row in typed.rows]
        if typed
        else []
    )
    shelves: dict[str, list[Any]] = {}
    for row in rows:
        shelves.setdefault(row[0].good.category or "其他", []).append(row)
    fairs = FairDay.objects.filter(shop=here, on__gte=today(), status__in=["planned", "open"]).order_by("on")
    polls = Poll.objects.filter(place__in=[place, place[:9]], closes_on__gte=today(), ended_at=None).order_by(
        "closes_on"
    )
    return {
        "me": me, "shop": here, "typed": typed, "points": points, "shelves": list(shelves.items()), "place": place,
        "delegations": given, "fair": fairs.first() if here else None, "polls": list(polls[:3]) if me else [],
        "orders": orders_of(me.household.pk, 3) if me else [], "query": me.query if me else "",
        "settings": village_settings(place), "hold_days": settings_of(place).hold_days,
        "has_pin": bool(me and me.own and Pin.objects.filter(household=me.household).exists()),
    }  # fmt: skip


def _partners(place: str) -> list[Shop]:
    return [one for one in shops_for(place) if not one.keeps_stock]


def _look(request: HttpRequest, here: Shop, me: Whose, typed: Typed) -> HttpResponse:
    """What the order would cost, before it is made."""
    if typed.problems:
        raise ShopError("有要改的地方", hint="改好再点下一步。")
    lines = priced(here, me.household, typed.wanted)
    total = sum(line.points * line.quantity for line in lines)
    left = me.points - total
    if left < 0:
        raise ShopError("积分不够", hint="请少选一些，积分没有动。", word="short")
    context = {
        "lines": [(line, line.points * line.quantity) for line in lines], "total": total, "left": left, "me": me,
        "typed": typed, "shop": here, "hold_days": settings_of(me.household.place).hold_days,
    }  # fmt: skip
    return render(request, "shop/phone_look.html", context)


def _order(user: User, here: Shop, me: Whose, typed: Typed) -> HttpResponse:
    made = reserve(
        by=user, id=typed.id, shop=here, household=me.household, wanted=typed.wanted, owner=me.owner
    )
    return redirect(f"{reverse('m_order', args=[made.pk])}{me.query}")


@signed_in
def orders(request: HttpRequest) -> HttpResponse:
    """/m/shop/orders/: the household's orders, newest first."""
    me = whose(request, delegations(person_of(request)))
    context = {"orders": orders_of(me.household.pk) if me else [], "query": me.query if me else "", "me": me}
    return render(request, "shop/phone_orders.html", context)


@signed_in
def order_page(request: HttpRequest, order: UUID) -> HttpResponse:
    """One order: the pick-up code in very big digits while it waits; cancel; the slip afterwards."""
    user = person_of(request)
    found = access_order(user, order)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            cancel(by=user, order=found, reason="本户在手机上取消")
            messages.success(request, f"{found} 已取消，积分退回来了。")
            return redirect("m_order", found.pk)
        except ZhiliError as refused:
            error = refused
            found = access_order(user, order)
    waits = found.status == Order.Status.RESERVED
    code = found.pick_up_code
    context = {
        "order": found, "lines": list(found.lines.select_related("good")), "error": error, "waits": waits,
        "digits": f"{code[:3]} {code[3:]}" if waits else "",
        "qr": segno.make(code, error="m").svg_data_uri(scale=6, border=2) if waits and code else "",
        "receipt": receipt_code(transfer_of(found)) if found.status == Order.Status.HANDED_OVER else "",
        "asking": request.GET.get("cancel") == "1",
    }  # fmt: skip
    return render(request, "shop/phone_order.html", context, status=422 if error else 200)


@signed_in
def poll_page(request: HttpRequest, poll: UUID) -> HttpResponse:
    """进货前问一问: tick what the household would like."""
    user = person_of(request)
    found = access_poll(user, poll)
    me = whose(request, delegations(user))
    if me is None:
        raise NotFound("没有这次征询。")
    before = PollAnswer.objects.filter(poll=found, household=me.household).first()
    chosen = (
        request.POST.getlist("chosen")[:30] if request.method == "POST" else (before.chosen if before else [])
    )
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            answer_poll(by=user, poll=found, household=me.household, chosen=chosen)
            sentence = f"已收到，{found.closes_on.month}月{found.closes_on.day}日以前还可以改"
            return render(request, "web/done.html", {
                "sentence": sentence, "url": reverse("m_shop") + me.query, "label": "回到去兑换",
            })  # fmt: skip
        except ZhiliError as refused:
            error = refused
    context = {"poll": found, "chosen": chosen, "error": error, "me": me, "before": before}
    return render(request, "shop/phone_poll.html", context, status=422 if error else 200)


@signed_in
def pin(request: HttpRequest) -> HttpResponse:
    """设兑换密码: four to six digits for larger amounts; twice, so that a slip of the finger is noticed."""
    user = person_of(request)
    if user.resident is None:
        raise NotFound("没有这一页。")
    home, error = user.resident.household, None
    if request.method == "POST":
        try:
            digits = request.POST.get("pin", "").strip()[:12]
            if digits != request.POST.get("again", "").strip()[:12]:
                raise ShopError("两次输的不一样", field="again", hint="请再输一遍。")
            set_pin(by=user, household=home, pin=digits)
            return render(request, "web/done.html", {
                "sentence": "密码设好了，换东西时自己按，不要告诉别人", "url": reverse("m_shop"), "label": "回到去兑换",
            })  # fmt: skip
        except ZhiliError as refused:
            error = refused
    context = {
        "error": error, "cap": settings_of(home.place).cap_points, "home": home,
        "has_pin": Pin.objects.filter(household=home).exists(),
    }  # fmt: skip
    return render(request, "shop/phone_pin.html", context, status=422 if error else 200)


urlpatterns = [
    path("shop/", shop, name="m_shop"),
    path("shop/orders/", orders, name="m_orders"),
    path("shop/orders/<uuid:order>/", order_page, name="m_order"),
    path("shop/polls/<uuid:poll>/", poll_page, name="m_poll"),
    path("shop/pin/", pin, name="m_pin"),
]
