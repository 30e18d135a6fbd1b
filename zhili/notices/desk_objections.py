"""异议 at the desk: every objection with its days, acknowledged, and answered by somebody without a part in it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.claims.entering import label_of
from zhili.claims.queries import claim_story
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.notices.access import access_objection, involved
from zhili.notices.actions import acknowledge, answer_objection
from zhili.notices.desk import at
from zhili.notices.forms import AnswerForm
from zhili.notices.models import Objection
from zhili.notices.queries import answerers, objections_of
from zhili.people.models import User

CHANNEL_WORDS = {"phone": "手机", "paper": "纸质", "counter": "村里代录", "open": "网页", "api": "接口"}
OBJECTIONS = [
    Column(
        "number",
        "编号",
        lambda o: str(o),
        order="number",
        url=lambda o: reverse("desk_objection", args=[o.place, o.pk]),
    ),
    Column("received", "收到", lambda o: o.received_at, order="received_at", kind="date"),
    Column("household", "户编号", lambda o: o.line.household_code, order="line__household_code"),
    Column("item", "项目", lambda o: o.line.item_title, order="line__item_title", width=30),
    Column(
        "text",
        "理由",
        lambda o: o.text if len(o.text) < 31 else f"{o.text[:30]}……",
        export=lambda o: o.text,
        width=40,
    ),
    Column(
        "channel",
        "渠道",
        lambda o: CHANNEL_WORDS.get(o.channel, o.channel),
    ),
    Column("ack", "受理期限", lambda o: o.acknowledge_due, order="acknowledge_due", kind="date"),
    Column("due", "答复期限", lambda o: o.due_on, order="due_on", kind="date"),
    Column("status", "状态", lambda o: o.get_status_display(), order="status", kind="state"),
    Column(
        "late",
        "逾期",
        lambda o: "逾期" if o.status in Objection.OPEN and o.due_on < today() else "",
        kind="state",
    ),
    Column("answered", "答复时间", lambda o: o.answered_at, shown=False),
    Column("answer", "答复", lambda o: o.answer, shown=False, width=40),
]


def _late(rows: QuerySet[Objection], value: str) -> QuerySet[Objection]:
    waiting = Q(status__in=Objection.OPEN)
    return (
        rows.filter(waiting, due_on__lt=today())
        if value == "late"
        else rows.filter(waiting)
        if value == "open"
        else rows.exclude(waiting)
    )


@requires("notices.objections")
def objections(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/objections/: every objection with its days; the most urgent first."""
    user = at(request, place, "notices.objections")
    listed = table(
        request,
        objections_of(place),
        OBJECTIONS,
        title="异议",
        default_order=["-status", "due_on"],
        filters=[
            Filter("now", "办理", [("open", "没答复的"), ("late", "逾期的"), ("done", "办完的")], _late),
            Filter("status", "状态", Objection.Status.choices, lambda rows, v: rows.filter(status=v)),
            Filter("start", "收到从", "date", lambda rows, v: rows.filter(received_at__date__gte=v)),
            Filter("end", "到", "date", lambda rows, v: rows.filter(received_at__date__lte=v)),
        ],
        on_export=lambda count: record("notices.export_objections", by=user, place=place, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    return render(request, "notices/desk_objections.html", {"table": listed, "place": place})


@requires("notices.objections")
def objection(request: HttpRequest, place: str, objection: UUID) -> HttpResponse:
    """One objection: received, acknowledged, answered in writing by somebody who had no part in it."""
    user = at(request, place, "notices.objections")
    found = access_objection(user, objection)
    if found.place != place:
        raise NotFound("没有这条异议。")
    asked = request.POST.get("do", "")
    form = AnswerForm(request.POST if asked == "answer" else None)
    error: ZhiliError | None = None
    if asked == "acknowledge":
        try:
            acknowledge(by=user, objection=found)
            messages.success(request, f"{found} 已受理")
            return redirect("desk_objection", place, found.pk)
        except ZhiliError as refused:
            error = refused
    if asked == "answer" and form.is_valid() and _answer(request, user, found, form):
        return redirect("desk_objection", place, found.pk)
    live = found.status in Objection.OPEN
    context = {
        "objection": found,
        "place": place,
        "form": form,
        "error": error,
        "live": live,
        "story": claim_story(found.line.claim, user),
        "may_acknowledge": found.status == "received" and may(user, "notices.acknowledge", found),
        "may_answer": live and may(user, "notices.answer", found),
        "late": live and found.due_on < today(),
        "why_not": involved(user, found) if live else "",
        "who": [] if not live else answerers(place),
        "answers": user.has_role("supervisor", "council", "township", place=place),
        "label": label_of(user, found.line.household),
    }
    return render(
        request, "notices/desk_objection.html", context, status=422 if form.errors or error else 200
    )


def _answer(request: HttpRequest, user: User, found: Objection, form: AnswerForm) -> bool:
    data = form.cleaned_data
    try:
        done = answer_objection(
            by=user, objection=found, outcome=data["outcome"], answer=data["answer"], points=data["points"]
        )
    except ZhiliError as error:
        show_error(form, error)
        return False
    messages.success(
        request, f"{done} 已答复：{done.get_status_display()}。请打印答复，或告诉提异议的人凭查询码来看。"
    )
    return True


urlpatterns = [
    path("<str:place>/objections/", objections, name="desk_objections"),
    path("<str:place>/objections/<uuid:objection>/", objection, name="desk_objection"),
]
