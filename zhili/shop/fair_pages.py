"""兑换日 while it runs: open, numbers, call, serve, close; the same page on the PC and on the phone. And the hall's screen.

The hall's screen stands open on a wall: numbers alone, no name and no household.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.masking import mask_name
from zhili.common.periods import today
from zhili.common.policy import may, open_to_all, requires
from zhili.people.access import person_of, village_of
from zhili.people.models import Household, User
from zhili.people.queries import groups_of, head_names
from zhili.places.queries import get_place
from zhili.shop.access import access_fair_day, access_ticket
from zhili.shop.errors import ShopError
from zhili.shop.fairs import (
    close_fair_day,
    open_fair_day,
    pass_over,
    queue_of,
    take_number,
    tally_of,
    tally_words,
)
from zhili.shop.models import FairDay, Ticket
from zhili.shop.queueing import call_next, call_number, hall, take_group_numbers
from zhili.shop.serving import Counter, counter_at, find, household_at, visit_url

QUEUE_SHOWN = 200
REFRESH_SECONDS = 20


@requires("shop.see")
def desk_fair(request: HttpRequest, place: str, fairday: UUID) -> HttpResponse:
    """/desk/<place>/shop/fairs/<id>/: the day on the PC; who does not serve sees it and touches nothing."""
    return _page(request, place, fairday, "desk")


@requires("shop.serve")
def phone_fair(request: HttpRequest, fairday: UUID) -> HttpResponse:
    """/m/fair/<id>/: the day on the phone at the door."""
    return _page(request, village_of(request), fairday, "m")


@requires("shop.serve")
def phone_fairs(request: HttpRequest) -> HttpResponse:
    """/m/fair/: the day of today, or the next one."""
    place = village_of(request)
    rows = FairDay.objects.filter(shop__place__in=[place, place[:9]], on__gte=today()).select_related("shop")
    listed = list(rows.exclude(status=FairDay.Status.DROPPED).order_by("on")[:6])
    if len(listed) == 1:
        return redirect("m_fair", listed[0].pk)
    return render(request, "shop/phone_fairs.html", {"fairs": listed})


def _page(request: HttpRequest, place: str, key: UUID, face: str) -> HttpResponse:
    user = person_of(request)
    fair = access_fair_day(user, key)
    if fair.place not in (place, place[:9]):
        raise NotFound("没有这个兑换日。")
    serves = may(user, "shop.serve", place)
    counter = (
        counter_at(request, place, face) if serves else Counter(user, place, face, [fair.shop], fair.shop)
    )
    here = counter.url("fair", fair.pk)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            way = _act(request, counter, fair)
            return redirect(way or here)
        except ZhiliError as refused:
            error = refused
            fair = access_fair_day(user, key)
    return render(
        request, "shop/fair.html", _context(request, counter, fair, error), status=422 if error else 200
    )


def _context(
    request: HttpRequest, counter: Counter, fair: FairDay, error: ZhiliError | None
) -> dict[str, Any]:
    rows = queue_of(fair)
    shown = rows[:QUEUE_SHOWN]
    names = _names(shown)
    tally = tally_of(fair)
    now_called = sorted(
        (one for one in rows if one.called_at is not None and one.status == Ticket.Status.WAITING),
        key=lambda one: str(one.called_at), reverse=True,
    )  # fmt: skip
    opened = fair.status == FairDay.Status.OPEN
    groups = groups_of(counter.place) if len(counter.place) == 12 else []
    return {
        "fair": fair, "counter": counter, "base": counter.base, "desk": counter.face == "desk", "error": error,
        "place": counter.place, "serves": may(counter.user, "shop.serve", fair.place), "open": opened,
        "called": [(one, mask_name(names.get(one.household_id, ""))) for one in now_called],
        "queue": [(one, mask_name(names.get(one.household_id, ""))) for one in shown if one not in now_called],
        "more": max(0, len(rows) - QUEUE_SHOWN), "groups": groups, "tally": tally, "today": fair.on == today(),
        "orders_left": max(0, fair.quota_orders - tally["sums"]["orders"]) if fair.quota_orders else None,
        "q": request.POST.get("q", ""), "watch": request.GET.get("watch") == "1" and opened,
        "refresh": REFRESH_SECONDS, "hall_url": reverse("open_fair", args=[fair.place]),
        "counter_url": counter.url("counter"), "closing": request.GET.get("close") == "1",
    }  # fmt: skip


def _names(rows: list[Ticket]) -> dict[UUID, str]:
    """Head names of who queues: one statement for each village among them."""
    found: dict[UUID, str] = {}
    for place in {one.place for one in rows}:
        found |= head_names(place, [one.household_id for one in rows if one.place == place])
    return found


def _act(request: HttpRequest, counter: Counter, fair: FairDay) -> str:
    """What the button says; where to go afterwards, "" for the same page."""
    user, step = counter.user, request.POST.get("step", "")
    if step == "open":
        open_fair_day(by=user, fair_day=fair)
        messages.success(request, "兑换开始了。")
    elif step == "close":
        done = close_fair_day(by=user, fair_day=fair)
        messages.success(request, tally_words(done))
        return _after_close(counter, done)
    elif step == "number":
        messages.success(request, _number(counter, user, fair, request.POST.get("q", "")))
    elif step == "group":
        group = request.POST.get("group", "")[:20]
        many = take_group_numbers(by=user, fair_day=fair, group=group)
        messages.success(
            request, f"{group or '没有分组的'} 发了 {many} 个号。" if many else f"{group} 都已经有号了。"
        )
    elif step == "next":
        call_next(by=user, fair_day=fair)
    elif step.startswith(("call:", "pass:", "serve:")):
        return _ticket(counter, fair, *step.split(":", 1))
    else:
        raise ShopError("这一步不认识", hint="请刷新后再点。")
    return ""


def _ticket(counter: Counter, fair: FairDay, verb: str, key: str) -> str:
    if len(key) != 36:
        raise NotFound("没有这个号。")
    ticket = access_ticket(counter.user, UUID(key))
    if ticket.fair_day_id != fair.pk:
        raise NotFound("没有这个号。")
    if verb == "call":
        call_number(by=counter.user, ticket=ticket)
    elif verb == "pass":
        pass_over(by=counter.user, ticket=ticket)
    else:
        return visit_url(counter, household_at(counter, ticket.household_id))
    return ""


def _number(counter: Counter, user: User, fair: FairDay, text: str) -> str:
    found = find(counter, text.replace("\x00", "").strip()[:300]) if text.strip() else None
    if found is None or found.household is None:
        words = found.words if found else ""
        raise ShopError(words.rstrip("。") or "请扫卡或输户编号", field="q", hint="")
    home: Household = found.household
    ticket = take_number(by=user, fair_day=fair, household=home)
    return f"{home.code} 户：{ticket.number} 号。"


def _after_close(counter: Counter, fair: FairDay) -> str:
    return reverse("desk_fair_tally", args=[fair.place, fair.pk]) if counter.face == "desk" else ""


@open_to_all
def hall_screen(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/shop/fair/: the number that is served now, for everybody in the hall."""
    get_place(place)
    days = FairDay.objects.filter(shop__place__in=[place, place[:9]], on__gte=today()).select_related("shop")
    days = days.filter(status__in=[FairDay.Status.PLANNED, FairDay.Status.OPEN]).order_by("on")
    fair = days.filter(status=FairDay.Status.OPEN, on=today()).first() or days.first()
    opened = fair is not None and fair.status == FairDay.Status.OPEN
    context = {
        "fair": fair, "open": opened, "hall": hall(fair) if opened and fair is not None else None,
        "refresh": REFRESH_SECONDS, "today": fair is not None and fair.on == today(),
    }  # fmt: skip
    return render(request, "shop/open_fair.html", context)


desk_urlpatterns = [path("<str:place>/shop/fairs/<uuid:fairday>/", desk_fair, name="desk_fair")]
phone_urlpatterns = [
    path("fair/", phone_fairs, name="m_fairs"),
    path("fair/<uuid:fairday>/", phone_fair, name="m_fair"),
]
open_urlpatterns = [path("<str:place>/shop/fair/", hall_screen, name="open_fair")]
