"""公示 and 异议 at the desk: hang out, correct in public view, take in paper objections, answer in time, close."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.claims.entering import label_of
from zhili.claims.queries import claim_story
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import parse_code, today
from zhili.common.policy import may, requires
from zhili.notices.access import access_line
from zhili.notices.actions import (
    close_notice,
    correct_line,
    object_to,
    open_notice,
)
from zhili.notices.digest import check_notice
from zhili.notices.forms import CorrectionForm, PaperObjectionForm, PeriodForm
from zhili.notices.looking import openable, outlook
from zhili.notices.models import Line, Notice, Objection
from zhili.notices.queries import lines_of, notices_of, objections_of
from zhili.people.models import Resident, User
from zhili.people.queries import find_by_card, groups_of, head_of


def at(request: HttpRequest, place: str, permission: str = "notices.see") -> User:
    """The person, who must hold `permission` in this village; else the page does not exist."""
    user = request.user
    assert user.is_authenticated
    if not may(user, permission, place):
        raise NotFound("没有这一页。")
    return user


def _notice(place: str, number: int) -> Notice:
    found = Notice.objects.filter(place=place, number=number).first()
    if found is None:
        raise NotFound("没有这一期公示。")
    return found


@requires("notices.see")
def notices(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/notices/: all notices, the open one first."""
    user = at(request, place)
    rows = notices_of(place)
    for row in rows:
        row.period_title = parse_code(row.period).title  # type: ignore[attr-defined]
        row.due = row.status == "open" and today() > row.closes_on  # type: ignore[attr-defined]
    standing = any(row.status == "open" for row in rows)
    context = {
        "notices": rows,
        "place": place,
        "may_manage": may(user, "notices.manage", place),
        "standing": standing,
    }
    return render(request, "notices/desk_notices.html", context)


@requires("notices.manage")
def opening(request: HttpRequest, place: str) -> HttpResponse:
    """Choose the period, see what would hang out until when, then hang it out."""
    user = at(request, place, "notices.manage")
    periods = openable(place)
    choices = [(period.code, period.title) for period in periods]
    form = PeriodForm(request.POST if request.method == "POST" else None, periods=choices)
    error: ZhiliError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            made = open_notice(by=user, place=place, period=form.cleaned_data["period"])
            messages.success(
                request, f"已公布《{made.title}》，公示到{made.closes_on:%-m月%-d日}。请打印公示榜张贴。"
            )
            return redirect("desk_notice", place, made.number)
        except ZhiliError as refused:
            error = refused
    asked = request.POST.get("period") or request.GET.get("period", "")
    wanted = asked if asked in dict(choices) else (choices[0][0] if choices else "")
    context = {
        "place": place,
        "periods": choices,
        "wanted": wanted,
        "look": outlook(place, wanted) if wanted else None,
        "error": error,
    }
    return render(request, "notices/desk_open.html", context, status=422 if error or form.errors else 200)


def public_words(line: Line) -> str:
    """What hangs out as the name, with the reason where it is none: for those who work on the notice."""
    if not line.household.published:
        return "（本户不公开）"
    return line.name_masked if line.public_name else "（不公布）"


LINES = [
    Column(
        "position",
        "序号",
        lambda r: r.position,
        order="position",
        kind="number",
        url=lambda r: reverse("desk_line", args=[r.place, r.pk]),
    ),
    Column("group", "组", lambda r: r.group, order="group"),
    Column("household", "户编号", lambda r: r.household_code, order="household_code"),
    Column("name", "公示姓名", public_words),
    Column("item", "项目", lambda r: r.item_title, order="item_title", width=30),
    Column("on", "日期", lambda r: r.occurred_on, order="occurred_on", kind="date"),
    Column("points", "分值", lambda r: r.points, order="points", kind="signed"),
    Column("before", "更正前", lambda r: r.points_before, kind="signed", shown=False),
    Column(
        "mark",
        "标记",
        lambda r: "更正" if r.correction else "补记" if r.late else "",
        export=lambda r: r.correction or ("补记" if r.late else ""),
    ),
    Column("status", "状态", lambda r: r.get_status_display(), order="status", kind="state"),
    Column(
        "claim",
        "申报编号",
        lambda r: str(r.claim),
        url=lambda r: reverse("desk_claim", args=[r.place, r.claim_id]),
    ),
]


@requires("notices.see")
def notice(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """One notice: its lines, what is held, and the button that closes it once its days are over."""
    user = at(request, place)
    if not user.has_role(
        "clerk", "group_leader", "reviewer", "council", "supervisor", "township", "county", place=place
    ):
        raise NotFound("没有这一页。")
    found = _notice(place, number)
    listed = table(
        request,
        lines_of(found),
        LINES,
        title=found.title,
        default_order="position",
        page_size=100,
        filters=[
            Filter("status", "状态", Line.Status.choices, lambda rows, v: rows.filter(status=v)),
            Filter(
                "group",
                "组",
                lambda: [(g, g) for g in groups_of(place)],
                lambda rows, v: rows.filter(group=v),
            ),
            Filter(
                "mark",
                "标记",
                [("1", "更正过"), ("2", "补记")],
                lambda rows, v: rows.exclude(correction="") if v == "1" else rows.filter(late=True),
            ),
            Filter("q", "户编号", "text", lambda rows, v: rows.filter(household_code__icontains=v)),
        ],
        on_export=lambda count: record("notices.export", by=user, place=place, target=found, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    objections = list(objections_of(place).filter(line__notice=found))
    held = sum(one.status in Objection.OPEN for one in objections)
    day = today()
    context = {
        "notice": found,
        "table": listed,
        "place": place,
        "may_manage": may(user, "notices.manage", place),
        "held": held,
        "objections": objections if may(user, "notices.objections", place) else [],
        "count_objections": len(objections),
        "due": found.status == "open" and day > found.closes_on,
        "close_from": found.closes_on + timedelta(days=1),
        "day": day,
        "period_title": parse_code(found.period).title,
        "check": check_notice(found),
    }
    return render(request, "notices/desk_notice.html", context)


@requires("notices.manage")
def closing(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """A question by GET, the closing by POST: everything undisputed goes into the ledger in one batch."""
    user = at(request, place, "notices.manage")
    found = _notice(place, number)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            done = close_notice(by=user, notice=found)
            posted = done.lines.filter(status=Line.Status.POSTED).count()
            messages.success(
                request, f"《{done.title}》已结束，{posted} 条已入账。账本指纹会印在下一期公示榜上。"
            )
            return redirect("desk_notice", place, number)
        except ZhiliError as refused:
            error = refused
    counts = {status: found.lines.filter(status=status).count() for status in Line.Status.values}
    context = {
        "notice": found,
        "place": place,
        "counts": counts,
        "error": error,
        "due": today() > found.closes_on,
        "close_from": found.closes_on + timedelta(days=1),
    }
    return render(request, "notices/desk_close.html", context, status=422 if error else 200)


@requires("notices.see")
def line(request: HttpRequest, place: str, line: UUID) -> HttpResponse:
    """One line: where it comes from, correcting it, keying in an objection from paper."""
    user = at(request, place)
    if not user.has_role(
        "clerk", "group_leader", "reviewer", "council", "supervisor", "township", "county", place=place
    ):
        raise NotFound("没有这一页。")
    found = access_line(user, line)
    if found.place != place:
        raise NotFound("没有这一条公示。")
    asked = request.POST.get("do", "")
    correction = CorrectionForm(request.POST if asked == "correct" else None, prefix="c")
    paper = PaperObjectionForm(request.POST if asked == "object" else None)
    if asked == "correct" and correction.is_valid() and _correct(request, user, found, correction):
        return redirect("desk_line", place, found.pk)
    if asked == "object" and paper.is_valid():
        made = _take_paper(user, found, paper)
        if made is not None:
            return redirect("desk_objection_taken", place, made.pk)
    live = found.notice.status == "open"
    context = {
        "line": found,
        "place": place,
        "correction": correction,
        "paper": paper,
        "story": claim_story(found.claim, user),
        "may_correct": live and found.status in ("shown", "held") and may(user, "notices.manage", place),
        "may_paper": live
        and found.status != "dropped"
        and today() <= found.notice.closes_on
        and user.has_role("clerk", "group_leader", "supervisor", place=place),
        "label": label_of(user, found.household),
    }
    return render(
        request, "notices/desk_line.html", context, status=422 if correction.errors or paper.errors else 200
    )


def _correct(request: HttpRequest, user: User, found: Line, form: CorrectionForm) -> bool:
    try:
        correct_line(
            by=user, line=found, points=form.cleaned_data["points"], reason=form.cleaned_data["reason"]
        )
    except ZhiliError as error:
        show_error(form, error)
        return False
    messages.success(request, "已更正。公示榜和网页上都有“更正”标记，请换贴一张。")
    return True


def _take_paper(user: User, found: Line, form: PaperObjectionForm) -> Objection | None:
    data = form.cleaned_data
    resident: Resident | None = None
    if data["household"]:
        home = find_by_card(found.place, data["household"])
        resident = head_of(home) if home else None
        if resident is None:
            form.add_error("household", f"没有找到“{data['household']}”这一户，请核对户编号；匿名的请不填。")
            return None
    try:
        return object_to(
            by=user,
            line=found,
            text=data["text"],
            resident=resident,
            paper_number=data["paper_number"],
            id=data["id"],
            channel="paper" if data["paper_number"] else "counter",
        )
    except ZhiliError as error:
        show_error(form, error)
        return None


@requires("notices.see")
def taken(request: HttpRequest, place: str, objection: UUID) -> HttpResponse:
    """已登记异议 Y-3：the slip to hand over at once (U-35)."""
    user = at(request, place)
    found = Objection.objects.filter(pk=objection, place=place, entered_by=user).first()
    if found is None:
        raise NotFound("没有这条异议。")
    slip = f"{reverse('open_objection_slip', args=[place])}?code={found.lookup_code}"
    context = {
        "face": "web/desk.html",
        "sentence": f"已登记异议，编号 {found}，这一条先不入账",
        "next": f"请把回执交给提异议的人，查询码 {found.lookup_code}。"
        f"{found.acknowledge_due:%-m月%-d日}前受理，{found.due_on:%-m月%-d日}前书面答复。",
        "url": slip,
        "label": "打印回执",
        "url2": reverse("desk_notice", args=[place, found.line.notice.number]),
        "label2": "回到公示",
    }
    return render(request, "web/done.html", context)


urlpatterns = [
    path("<str:place>/notices/", notices, name="desk_notices"),
    path("<str:place>/notices/open/", opening, name="desk_notice_open"),
    path("<str:place>/notices/<int:number>/", notice, name="desk_notice"),
    path("<str:place>/notices/<int:number>/close/", closing, name="desk_notice_close"),
    path("<str:place>/notices/lines/<uuid:line>/", line, name="desk_line"),
    path("<str:place>/objections/<uuid:objection>/taken/", taken, name="desk_objection_taken"),
]
