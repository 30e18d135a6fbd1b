"""A list at the desk: compute, decide, hang out, strike off; and a group's goal with its progress."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import next_period, period_of, today
from zhili.common.policy import may, requires
from zhili.honours import actions
from zhili.honours.access import access_entry, access_goal, access_list
from zhili.honours.desk import at, saved, status_of
from zhili.honours.forms import GoalForm, PublishForm, ReasonForm, ResolutionForm
from zhili.honours.goals import progress_of
from zhili.honours.lists import SHOWN_DAYS
from zhili.honours.models import PERIOD_KINDS, HonourList
from zhili.honours.queries import not_closed, office_list
from zhili.people.models import User
from zhili.people.queries import groups_of


def _list(user: User, place: str, key: UUID) -> HonourList:
    found = access_list(user, key)
    if found.place != place:
        raise NotFound("没有这张荣誉榜。")
    return found


@requires("honours.see")
def honour_list(request: HttpRequest, place: str, honourlist: UUID) -> HttpResponse:
    """One list: who is on it, how far it is, and the one thing to do next."""
    user = at(request, place)
    found = _list(user, place, honourlist)
    asked = request.POST.get("do", "")
    decide = ResolutionForm(
        request.POST if asked == "decide" else None,
        initial={"digest": found.digest, "decided_on": today()},
    )
    hang = PublishForm(
        request.POST if asked == "publish" else None,
        initial={"shown_to": today() + timedelta(days=SHOWN_DAYS)},
    )
    away = ReasonForm(request.POST if asked == "drop" else None, prefix="drop")
    said = ""
    if saved(decide, lambda: actions.record_resolution(by=user, found=found, **decide.cleaned_data)):
        said = "已登记会议决定。请村文书公布。"
    elif saved(hang, lambda: actions.publish(by=user, found=found, **hang.cleaned_data)):
        said = "已公布。请打印荣誉榜张贴，把证书发到各户。"
    elif saved(away, lambda: actions.drop(by=user, found=found, because=away.cleaned_data["because"])):
        said = "已作废。这一期可以重新算。"
    if said:
        messages.success(request, said)
        return redirect("desk_honour_list", place, found.pk)
    rows = office_list(found, names=may(user, "honours.names", place))
    standing = [row for row in rows if row[0].struck_at is None]
    context = {
        "place": place,
        "list": found,
        "rows": rows,
        "standing": len(standing),
        "corrected": sum(now is not None for _, _, now in standing),
        "quiet": sum(not one.household.published for one, _, _ in standing),
        "left_over": found.households - len(rows),
        "waiting": not_closed(place, found.time) if found.status == "draft" else [],
        "decide": decide,
        "hang": hang,
        "away": away,
        "may_manage": may(user, "honours.manage", place),
        "may_record": may(user, "honours.record", place) and user.pk != found.drafted_by_id,
        "may_strike": may(user, "honours.strike", place),
        "awarded": found.status in HonourList.AWARDED,
    }
    return render(request, "honours/desk_list.html", context, status=status_of(decide, hang, away))


@requires("honours.strike")
def strike(request: HttpRequest, place: str, honourentry: UUID) -> HttpResponse:
    """Take one household off: a question with its reason."""
    user = at(request, place, "honours.strike")
    found = access_entry(user, honourentry)
    if found.place != place:
        raise NotFound("没有这一户。")
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if saved(form, lambda: actions.strike_off(by=user, entry=found, because=form.cleaned_data["because"])):
        messages.success(request, f"{found.household_code} 户已撤下。榜张贴过的，请换贴一张，收回证书。")
        return redirect("desk_honour_list", place, found.list_id)
    context = {"place": place, "entry": found, "list": found.list, "form": form}
    return render(request, "honours/desk_strike.html", context, status=status_of(form))


def _periods() -> list[tuple[str, str]]:
    """The running and the next period of every size."""
    found = []
    for kind in ("half_year", "year", "quarter", "month"):
        assert kind in PERIOD_KINDS
        now = period_of(today(), kind)
        found += [(one.code, one.title) for one in (now, next_period(now))]
    return found


@requires("honours.manage")
def goal_new(request: HttpRequest, place: str) -> HttpResponse:
    """A goal for one group."""
    user = at(request, place, "honours.manage")
    form = GoalForm(
        request.POST if request.method == "POST" else None, groups=groups_of(place), periods=_periods()
    )

    def deed() -> None:
        data = dict(form.cleaned_data)
        data["share"] = data["share"] or 0
        actions.add_goal(by=user, place=place, **data)

    if saved(form, deed):
        messages.success(request, "已登记。这个组的户在手机上看得到进度。")
        return redirect("desk_honours", place)
    context = {
        "place": place, "form": form, "heading": "登记一个全组目标", "button": "登记",
        "lead": "一个组一起使劲，达到了全组一起受益。一个组一次只定一个目标。",
    }  # fmt: skip
    return render(request, "honours/desk_form.html", context, status=status_of(form))


@requires("honours.see")
def goal(request: HttpRequest, place: str, groupgoal: UUID) -> HttpResponse:
    """One goal: where the group stands, in words, as a bar and in a table."""
    user = at(request, place)
    found = access_goal(user, groupgoal)
    if found.place != place:
        raise NotFound("没有这个目标。")
    asked = request.POST.get("do", "")
    end = ReasonForm(request.POST if asked == "end" else None)
    error: ZhiliError | None = None
    if asked == "reached":
        try:
            actions.record_reached(by=user, goal=found)
            messages.success(
                request, f"已登记：{found.group}达到了目标。请打印感谢信，兑现“{found.reward}”。"
            )
            return redirect("desk_goal", place, found.pk)
        except ZhiliError as refused:
            error = refused
    if saved(end, lambda: actions.end_goal(by=user, goal=found, because=end.cleaned_data["because"])):
        messages.success(request, "已结束。")
        return redirect("desk_goal", place, found.pk)
    context = {
        "place": place,
        "progress": progress_of(place, [found])[0],
        "goal": found,
        "end": end,
        "error": error,
        "may_manage": may(user, "honours.manage", place),
    }
    return render(request, "honours/desk_goal.html", context, status=422 if error else status_of(end))


urlpatterns = [
    path("<str:place>/honours/lists/<uuid:honourlist>/", honour_list, name="desk_honour_list"),
    path("<str:place>/honours/entries/<uuid:honourentry>/strike/", strike, name="desk_honour_strike"),
    path("<str:place>/honours/goals/new/", goal_new, name="desk_goal_new"),
    path("<str:place>/honours/goals/<uuid:groupgoal>/", goal, name="desk_goal"),
]
