"""兑换日 and 需求征询 at the desk: announced, called off, counted afterwards; asked before goods are bought (G-15)."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.people.models import Household, User
from zhili.people.queries import find_by_card, groups_of
from zhili.shop.access import access_fair_day, access_poll
from zhili.shop.actions import answer_poll, cancel_fair_day, close_poll, open_poll, plan_fair_day
from zhili.shop.desk import address, at, rights, shop_at
from zhili.shop.fairs import poll_result, tally_of, tally_words
from zhili.shop.forms import AnswerForm, FairForm, PollForm, ReasonForm
from zhili.shop.looking import polls_of, shops_at
from zhili.shop.models import FairDay, Poll


def _open_shops(place: str) -> list[Any]:
    return [shop for shop in shops_at(place) if shop.closed_on is None]


@requires("shop.see")
def fairs(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/fairs/: what is announced, and the days that were."""
    user = at(request, place)
    rows = (
        FairDay.objects.filter(shop__place=place).select_related("shop").annotate(orders_done=Count("orders"))
    )
    listed = table(
        request, rows,
        [
            Column("on", "日期", lambda r: r.on, order="on", kind="date", url=lambda r: _way(place, r)),
            Column("shop", "超市", lambda r: str(r.shop)),
            Column("hours", "时间", lambda r: f"{r.opens_at:%H:%M}—{r.closes_at:%H:%M}"),
            Column("groups", "叫组次序", lambda r: "、".join(r.groups[:6]) + ("…" if len(r.groups) > 6 else "")),
            Column("quota", "每户最多", lambda r: r.quota_points or None, kind="points"),
            Column("limit", "全天最多（单）", lambda r: r.quota_orders or None, kind="number"),
            Column("done", "兑了几单", lambda r: r.orders_done, order="orders_done", kind="number"),
            Column("status", "状态", lambda r: r.get_status_display(), order="status", kind="state"),
            Column("reason", "取消原因", lambda r: r.reason, shown=False),
        ],
        title="兑换日", default_order="-on",
        filters=[Filter("status", "状态", FairDay.Status.choices, lambda r, v: r.filter(status=v))],
        on_export=lambda n: record("shop.export", by=user, place=place, count=n),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    coming = FairDay.objects.filter(shop__place=place, on__gte=today(), status__in=["planned", "open"])
    context = {
        "place": place, "table": listed, "shops": _open_shops(place),
        "coming": [(one, address("desk_fair", place, one.pk)) for one in coming.select_related("shop").order_by("on")[:6]],
        **rights(user, place),
    }  # fmt: skip
    return render(request, "shop/desk_fairs.html", context)


def _way(place: str, fair: FairDay) -> str:
    """A closed or called-off day is read; one that runs or comes is worked on."""
    done = fair.status in (FairDay.Status.CLOSED, FairDay.Status.DROPPED)
    return (
        ""
        if not done and not address("desk_fair", place, fair.pk)
        else (address("desk_fair_tally" if done else "desk_fair", place, fair.pk))
    )


@requires("shop.manage")
def planning(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """安排兑换日: date, hours, quotas and the order of groups."""
    user = at(request, place, "shop.manage")
    found = shop_at(user, place, shop)
    last = FairDay.objects.filter(shop=found).order_by("-on").first()
    groups = groups_of(place) if len(place) == 12 else []
    first = {
        "on": today() + timedelta(days=7),
        "opens_at": last.opens_at if last else time(9),
        "closes_at": last.closes_at if last else time(11, 30),
        "groups": "\n".join(last.groups if last and last.groups else groups),
    }
    form = FairForm(request.POST if request.method == "POST" else None, initial=first)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = plan_fair_day(
                by=user, shop=found, on=data["on"], opens_at=data["opens_at"], closes_at=data["closes_at"],
                groups=data["groups"], quota_points=data["quota_points"] or 0, quota_orders=data["quota_orders"] or 0,
            )  # fmt: skip
            messages.success(request, f"{made}安排好了，公开的价目页上已经写出来。")
            return redirect("desk_fairs", place)
        except ZhiliError as error:
            show_error(form, error)
    context = {"place": place, "shop": found, "form": form}
    return render(request, "shop/desk_fair_plan.html", context, status=422 if form.errors else 200)


def _fair(user: User, place: str, fair: UUID) -> FairDay:
    found = access_fair_day(user, fair)
    if found.place != place:
        raise NotFound("没有这个兑换日。")
    return found


@requires("shop.manage")
def cancelling(request: HttpRequest, place: str, fairday: UUID) -> HttpResponse:
    """不办了: with a reason that everybody can read."""
    user = at(request, place, "shop.manage")
    found = _fair(user, place, fairday)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            cancel_fair_day(by=user, fair_day=found, reason=form.cleaned_data["reason"])
            messages.success(request, f"{found}取消了，原因写在公开的价目页上。请再用广播、微信群告诉大家。")
            return redirect("desk_fairs", place)
        except ZhiliError as error:
            show_error(form, error)
    context = {"place": place, "fair": found, "form": form, "planned": found.status == FairDay.Status.PLANNED}
    return render(request, "shop/desk_fair_cancel.html", context, status=422 if form.errors else 200)


@requires("shop.see")
def tally(request: HttpRequest, place: str, fairday: UUID) -> HttpResponse:
    """结单: what went over the table that day, as it was written down at closing."""
    user = at(request, place)
    found = _fair(user, place, fairday)
    closed = found.status == FairDay.Status.CLOSED and "sums" in found.tally
    context = {
        "place": place, "fair": found, "closed": closed, "sums": found.tally["sums"] if closed else None,
        "goods": found.tally.get("goods", []) if closed else tally_of(found)["goods"],
        "sentence": tally_words(found) if closed else "", "run_url": address("desk_fair", place, found.pk),
    }  # fmt: skip
    return render(request, "shop/desk_fair_tally.html", context)


@requires("shop.see")
def polls(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/polls/: what was asked before goods were bought."""
    user = at(request, place)
    context = {
        "place": place,
        "polls": list(polls_of(place)[:60]),
        "shops": _open_shops(place),
        **rights(user, place),
    }
    return render(request, "shop/desk_polls.html", context)


@requires("shop.manage")
def asking(request: HttpRequest, place: str, shop: UUID) -> HttpResponse:
    """进货前问一问."""
    user = at(request, place, "shop.manage")
    found = shop_at(user, place, shop)
    form = PollForm(
        request.POST if request.method == "POST" else None, initial={"closes_on": today() + timedelta(days=7)}
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            options = data["options"].splitlines()
            made = open_poll(
                by=user,
                shop=found,
                title=data["title"],
                options=options,
                closes_on=data["closes_on"],
                most=data["most"],
            )
            messages.success(request, "征询开始了。村民在手机上选，没有手机的由您替他选。")
            return redirect("desk_poll", place, made.pk)
        except ZhiliError as error:
            show_error(form, error)
    context = {"place": place, "shop": found, "form": form}
    return render(request, "shop/desk_poll_new.html", context, status=422 if form.errors else 200)


def poll_sentence(poll: Poll, result: list[tuple[str, int]], households: int, all_of: int) -> str:
    """The chart in one sentence (U-62)."""
    if not households:
        return "还没有人答复。"
    most = result[0][1]
    first = "、".join(title for title, number in result if number == most)
    share = f"，占全部 {all_of} 户的 {households * 100 // all_of}%" if all_of else ""
    return f"{households} 户答复{share}。最想要的是{first}，{most} 户选了。"


@requires("shop.see")
def poll(request: HttpRequest, place: str, poll: UUID) -> HttpResponse:
    """One poll: the sentence, the bars, the table; closing it early."""
    user = at(request, place)
    found = access_poll(user, poll)
    if found.place != place:
        raise NotFound("没有这次征询。")
    may_manage = may(user, "shop.manage", place)
    may_answer = found.is_open and len(place) == 12 and user.has_role("clerk", place=place)
    keyed = request.POST.get("do") == "answer"
    form = AnswerForm(request.POST if keyed else None, options=found.options)
    if keyed and form.is_valid():
        if _answer(request, user, found, form):
            return redirect("desk_poll", place, found.pk)
    elif request.method == "POST" and not keyed:
        close_poll(by=user, poll=found)
        messages.success(request, "征询提前截止了。")
        return redirect("desk_poll", place, found.pk)
    result = poll_result(found)
    households = found.answers.count()
    open_now = Household.objects.filter(place__startswith=place, status__in=["living", "away"]).count()
    context = {
        "place": place, "poll": found, "result": result, "households": households, "may_manage": may_manage,
        "most": max([number for _, number in result] or [0]) or 1, "day": today(),
        "sentence": poll_sentence(found, result, households, open_now),
        "form": form, "may_answer": may_answer,
        "shares": [(title, number, number * 100 // households if households else 0) for title, number in result],
    }  # fmt: skip
    return render(request, "shop/desk_poll.html", context, status=422 if form.errors else 200)


def _answer(request: HttpRequest, user: User, poll: Poll, form: AnswerForm) -> bool:
    """The clerk keys in what a household said; its newest answer counts."""
    household = find_by_card(poll.place, form.cleaned_data["household"])
    if household is None:
        form.add_error("household", "没有找到这一户，请核对户编号。")
        return False
    try:
        answer_poll(by=user, poll=poll, household=household, chosen=form.cleaned_data["chosen"])
    except ZhiliError as error:
        show_error(form, error)
        return False
    messages.success(request, f"记下了 {household.code} 户的选择。再选一次，以后一次为准。")
    return True


urlpatterns = [
    path("<str:place>/shop/fairs/", fairs, name="desk_fairs"),
    path("<str:place>/shop/<uuid:shop>/fairs/plan/", planning, name="desk_fair_plan"),
    path("<str:place>/shop/fairs/<uuid:fairday>/cancel/", cancelling, name="desk_fair_cancel"),
    path("<str:place>/shop/fairs/<uuid:fairday>/tally/", tally, name="desk_fair_tally"),
    path("<str:place>/shop/polls/", polls, name="desk_polls"),
    path("<str:place>/shop/<uuid:shop>/polls/new/", asking, name="desk_poll_new"),
    path("<str:place>/shop/polls/<uuid:poll>/", poll, name="desk_poll"),
]
