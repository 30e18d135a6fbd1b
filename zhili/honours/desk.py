"""荣誉 at the desk: what may be won, which lists wait for whom, goals of the groups, what the honoured are asked first."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.honours import actions
from zhili.honours.access import access_list, access_priority, access_scheme
from zhili.honours.forms import PeriodForm, PriorityForm, ReasonForm, SchemeForm
from zhili.honours.goals import progress_of
from zhili.honours.models import HonourList
from zhili.honours.queries import draftable, goals_of, lists_of, not_closed, priorities_of, schemes_of
from zhili.people.access import person_of
from zhili.people.models import User


def at(request: HttpRequest, place: str, permission: str = "honours.see") -> User:
    """The person, who must hold `permission` in this village; else the page does not exist."""
    user = person_of(request)
    if len(place) != 12 or not may(user, permission, place):
        raise NotFound("没有这一页。")
    return user


def saved(form: Form, deed: Callable[[], object]) -> bool:
    """Do it where the form is complete; a refusal goes into the form, which keeps what was typed."""
    if not form.is_bound or not form.is_valid():
        return False
    try:
        with transaction.atomic():
            deed()
    except ZhiliError as error:
        show_error(form, error)
        return False
    return True


def status_of(*forms: Form) -> int:
    """422 where something typed was not taken."""
    return 422 if any(form.errors for form in forms) else 200


@requires("honours.see")
def honours(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/honours/: everything on one page."""
    user = at(request, place)
    context = {
        "place": place,
        "schemes": schemes_of(place),
        "lists": lists_of(place),
        "goals": progress_of(place, goals_of(place)),
        "priorities": priorities_of(place),
        "may_manage": may(user, "honours.manage", place),
        "may_record": may(user, "honours.record", place),
    }
    return render(request, "honours/desk_honours.html", context)


@requires("honours.manage")
def scheme_new(request: HttpRequest, place: str) -> HttpResponse:
    """Write down what the meeting resolved."""
    user = at(request, place, "honours.manage")
    form = SchemeForm(request.POST if request.method == "POST" else None)

    def deed() -> None:
        data = dict(form.cleaned_data)
        stars = data["kind"] == "stars"
        data["levels"] = data["levels"] if stars else []
        data["top_count"] = 0 if stars else data["top_count"] or 0
        data["top_share"] = 0 if stars else data["top_share"] or 0
        data["minimum"] = data["minimum"] or 0
        actions.add_scheme(by=user, place=place, **data)

    if saved(form, deed):
        messages.success(request, f"已登记“{form.cleaned_data['title']}”。一期结束、公示入账以后就可以算榜。")
        return redirect("desk_honours", place)
    context = {
        "place": place, "form": form, "heading": "登记一个荣誉办法", "button": "登记",
        "lead": "先开会决定，再来登记。登记以后不能改，要改就停止它，按新的决议再登记一个。",
    }  # fmt: skip
    return render(request, "honours/desk_form.html", context, status=status_of(form))


@requires("honours.see")
def scheme(request: HttpRequest, place: str, honourscheme: UUID) -> HttpResponse:
    """One honour: its rule in words, its lists, the button that computes the next one."""
    user = at(request, place)
    found = access_scheme(user, honourscheme)
    if found.place != place:
        raise NotFound("没有这个荣誉办法。")
    manages = may(user, "honours.manage", place)
    asked = request.POST.get("do", "")
    periods = draftable(found) if manages else []
    form = PeriodForm(
        request.POST if asked == "draft" else None, periods=[(one.code, one.title) for one in periods]
    )
    end = ReasonForm(request.POST if asked == "end" else None)
    made: list[HonourList] = []
    if saved(
        form,
        lambda: made.append(actions.draft_list(by=user, scheme=found, period=form.cleaned_data["period"])),
    ):
        messages.success(request, "已算好。请带到会上决定，再由议事会成员或监督委员登记。")
        return redirect("desk_honour_list", place, made[0].pk)
    if saved(end, lambda: actions.end_scheme(by=user, scheme=found, because=end.cleaned_data["because"])):
        messages.success(request, "已停止。以前评上的不变。")
        return redirect("desk_honour_scheme", place, found.pk)
    context = {
        "place": place,
        "scheme": found,
        "lists": [one for one in lists_of(place) if one.scheme_id == found.pk],
        "form": form,
        "end": end,
        "periods": periods,
        "waiting": not_closed(place, periods[0]) if periods else [],
        "may_manage": manages,
    }
    return render(request, "honours/desk_scheme.html", context, status=status_of(form, end))


@requires("honours.manage")
def priority_new(request: HttpRequest, place: str) -> HttpResponse:
    """What the households of a published list are asked first for."""
    user = at(request, place, "honours.manage")
    lists = [one for one in lists_of(place) if one.status == HonourList.Status.PUBLISHED]
    form = PriorityForm(
        request.POST if request.method == "POST" else None,
        lists=[(str(one.pk), f"第 {one.number} 榜 {one.title}") for one in lists],
        initial={"starts": today()},
    )

    def deed() -> None:
        data = dict(form.cleaned_data)
        actions.add_priority(by=user, honour_list=access_list(user, data.pop("list")), **data)

    if saved(form, deed):
        messages.success(request, "已登记。上榜的户在手机上看得到。")
        return redirect("desk_honours", place)
    context = {
        "place": place, "form": form, "heading": "登记优先体验", "button": "登记",
        "lead": "荣誉不光是发东西：有好机会，先请上榜的户。要有会议决定。",
    }  # fmt: skip
    return render(request, "honours/desk_form.html", context, status=status_of(form))


@requires("honours.manage")
def priority_end(request: HttpRequest, place: str, priority: UUID) -> HttpResponse:
    """A question by GET, the end by POST."""
    user = at(request, place, "honours.manage")
    found = access_priority(user, priority)
    if found.place != place:
        raise NotFound("没有这一条。")
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            actions.end_priority(by=user, priority=found)
            messages.success(request, "已结束。")
            return redirect("desk_honours", place)
        except ZhiliError as refused:
            error = refused
    context = {"place": place, "priority": found, "error": error}
    return render(request, "honours/desk_priority_end.html", context, status=422 if error else 200)


urlpatterns = [
    path("<str:place>/honours/", honours, name="desk_honours"),
    path("<str:place>/honours/schemes/new/", scheme_new, name="desk_honour_scheme_new"),
    path("<str:place>/honours/schemes/<uuid:honourscheme>/", scheme, name="desk_honour_scheme"),
    path("<str:place>/honours/priorities/new/", priority_new, name="desk_priority_new"),
    path("<str:place>/honours/priorities/<uuid:priority>/end/", priority_end, name="desk_priority_end"),
]
