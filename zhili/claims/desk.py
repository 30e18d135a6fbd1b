"""申报 and 评议 at the desk: lists that filter and export, a claim's whole story, bulk review, the recusal register."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import rules
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.claims.access import READERS, access_claim, of_household
from zhili.claims.actions import (
    declare_recusal,
    end_recusal,
    record_hearing,
    record_visit,
    withdraw_claim,
)
from zhili.claims.entering import Entry, find_choice, label_of, shelves
from zhili.claims.forms import RecusalForm, ReviewForm, WordsForm
from zhili.claims.models import Claim, Recusal
from zhili.claims.phone import handle
from zhili.claims.phone_review import decide
from zhili.claims.photos import is_swapped
from zhili.claims.queries import claim_story, evidence_of, village_claims
from zhili.claims.scoring import span_of
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.policy import may, requires
from zhili.people.models import Household, Membership, User
from zhili.people.queries import find_by_card, groups_of, matching, search_households
from zhili.rulebook.models import Item
from zhili.rulebook.queries import parsed


@rules.predicate
def works_at_desk(user: User, place: str | None = None) -> bool:
    """Everybody who works on the village's claims; a group leader sees those of the own group."""
    return user.has_role(*READERS, Membership.Role.GROUP_LEADER, place=place)


rules.add_perm("claims.desk", works_at_desk)


def village_rows(user: User, place: str) -> QuerySet[Claim]:
    """The claims this person may read at the desk."""
    rows = village_claims(place)
    if may(user, "claims.see_village", place):
        return rows
    home = user.resident.household.group if user.resident else ""
    groups = [
        held.group or home
        for held in user.memberships_today
        if held.role == Membership.Role.GROUP_LEADER and place.startswith(held.place)
    ]
    return rows.filter(Q(household__group__in=[group for group in groups if group]) | Q(submitted_by=user))


def at(request: HttpRequest, place: str, permission: str = "claims.desk") -> User:
    """The person, who must hold `permission` in this village; else the page does not exist."""
    user = request.user
    assert user.is_authenticated
    if not may(user, permission, place):
        raise NotFound("没有这一页。")
    return user


COLUMNS = [
    Column(
        "number",
        "编号",
        lambda c: str(c),
        order="number",
        url=lambda c: reverse("desk_claim", args=[c.place, c.pk]),
    ),
    Column("on", "日期", lambda c: c.occurred_on, order="occurred_on", kind="date"),
    Column("group", "组", lambda c: c.household.group, order="household__group"),
    Column("household", "户编号", lambda c: c.household.code, order="household__code"),
    Column("who", "谁做的", lambda c: c.resident.name if c.resident else "全家"),
    Column("item", "项目", lambda c: c.item.title, order="item__title", width=30),
    Column("category", "类别", lambda c: c.item.category_title, shown=False),
    Column("quantity", "数量", lambda c: c.quantity, kind="number", shown=False),
    Column("grade", "等次", lambda c: c.grade, shown=False),
    Column("points", "分值", lambda c: c.points_awarded, order="points_awarded", kind="signed"),
    Column("status", "状态", lambda c: c.get_status_display(), order="status", kind="state"),
    Column("channel", "渠道", lambda c: c.get_channel_display(), order="channel"),
    Column("submitted", "提交时间", lambda c: c.submitted_at, order="submitted_at", kind="date", shown=False),
    Column("by", "谁报的", lambda c: str(c.submitted_by), shown=False),
    Column("late", "补记", lambda c: c.late, shown=False),
    Column("text", "说明", lambda c: c.text, shown=False, width=30),
]


def filters(place: str) -> list[Filter]:
    def items() -> list[tuple[str, str]]:
        rows = Item.objects.filter(place=place)
        return list(dict(rows.order_by("position").values_list("code", "title")).items())

    return [
        Filter("status", "状态", Claim.Status.choices, lambda rows, value: rows.filter(status=value)),
        Filter(
            "group",
            "组",
            lambda: [(g, g) for g in groups_of(place)],
            lambda rows, v: rows.filter(household__group=v),
        ),
        Filter("item", "项目", items, lambda rows, value: rows.filter(item__code=value)),
        Filter("channel", "渠道", Claim.Channel.choices, lambda rows, value: rows.filter(channel=value)),
        Filter("start", "从", "date", lambda rows, value: rows.filter(occurred_on__gte=value)),
        Filter("end", "到", "date", lambda rows, value: rows.filter(occurred_on__lte=value)),
        Filter(
            "q",
            "户编号、姓名、编号",
            "text",
            lambda rows, value: _search(rows, place, value),
            "例如 1001 或 A-12",
        ),
    ]


def _search(rows: QuerySet[Claim], place: str, text: str) -> QuerySet[Claim]:
    number = text.upper().removeprefix("A-")
    wanted = Q(household__in=matching(Household.objects.filter(place=place), text))
    if number.isascii() and number.isdigit() and len(number) < 9:
        wanted |= Q(number=int(number))
    return rows.filter(wanted)


@requires("claims.desk")
def claims(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/claims/: all claims, filtered, sorted, exported as seen."""
    user = at(request, place)
    rows = table(
        request,
        village_rows(user, place),
        COLUMNS,
        title="申报",
        filters=filters(place),
        default_order="-number",
        on_export=lambda count: record("claims.export", by=user, place=place, count=count),
    )
    if isinstance(rows, HttpResponse):
        return rows
    context = {
        "table": rows,
        "place": place,
        "may_submit": may(user, "claims.field", place),
        "clerk": may(user, "claims.clerk", place),
    }
    return render(request, "claims/desk_list.html", context)


@requires("claims.field")
def new(request: HttpRequest, place: str) -> HttpResponse:
    """Household and item first, then the same form as on the phone."""
    user = at(request, place, "claims.field")
    text = request.GET.get("h", "").replace("\x00", "").strip()[:300]
    home = find_by_card(place, text) if text else None
    found = search_households(place, text) if text and home is None else []
    if home is not None and not may(user, "claims.submit", home):
        home = None
    groups = shelves(user, home) if home is not None else []
    context = {
        "place": place,
        "q": text,
        "home": home,
        "found": found,
        "shelves": groups,
        "label": label_of(user, home) if home else "",
    }
    return render(request, "claims/desk_new.html", context)


@requires("claims.field")
def write(request: HttpRequest, place: str, household: UUID, code: str) -> HttpResponse:
    """Fill in, look, hand in."""
    user = at(request, place, "claims.field")
    home = Household.objects.filter(pk=household, place=place).first()
    if home is None or not may(user, "claims.submit", home):
        raise NotFound("没有这一户。")
    row, rule = find_choice(user, home, code)
    entry = Entry(user, home, row, rule, "counter", staff=True)
    back = f"{reverse('desk_claim_new', args=[place])}?h={home.code}"
    faces = ("claims/desk_form.html", "claims/desk_preview.html")
    return handle(request, entry, faces=faces, back=back, done="desk_claim", place=place)


@requires("claims.desk")
def claim(request: HttpRequest, place: str, claim: UUID) -> HttpResponse:
    """One claim with its whole story, and what this person may do with it now."""
    user = at(request, place)
    found = access_claim(user, claim)
    if found.place != place:
        raise NotFound("没有这条申报。")
    asked = request.POST.get("do", "")
    review = ReviewForm(request.POST if asked == "review" else None, initial={"status": found.status})
    hearing = WordsForm(request.POST if asked == "hear" else None, label="本户怎么说", prefix="hear")
    visit = WordsForm(
        request.POST if asked == "visit" else None, label="抽查看到的情况", limit=200, prefix="visit"
    )
    error: ZhiliError | None = None
    if request.method == "POST":
        form = {"review": review, "hear": hearing, "visit": visit}.get(asked)
        error = None if form is not None and not form.is_valid() else _act(request, found, asked, form)
        if form is not None and form.errors:
            error = None
        elif error is None:
            return redirect("desk_claim", place, found.pk)
    context = _claim_context(user, found) | {
        "place": place,
        "review": review,
        "hearing": hearing,
        "visit": visit,
        "error": error,
    }
    bad = error is not None or review.errors or hearing.errors or visit.errors
    return render(request, "claims/desk_claim.html", context, status=422 if bad else 200)


def _claim_context(user: User, found: Claim) -> dict[str, object]:
    item = parsed(found.book).item(found.item.code)
    alive = found.status in (*Claim.OPEN, Claim.Status.RETURNED)
    inside = of_household(user, found.household_id)
    evidence = evidence_of(found)
    return {
        "claim": found,
        "item": item,
        "span": span_of(item),
        "story": claim_story(found, user),
        "evidence": evidence,
        "swapped": [row for row, _ in evidence if is_swapped(row)],
        "label": label_of(user, found.household),
        "may_review": may(user, "claims.review", found),
        "may_hear": found.reminded_on is not None
        and not found.heard
        and alive
        and (inside or may(user, "claims.clerk", found.place)),
        "may_visit": found.recheck
        and found.visited_on is None
        and found.submitted_by_id != user.pk
        and not inside
        and may(user, "claims.see_village", found.place),
        "may_withdraw": found.submitted_by_id == user.pk
        and found.status in (Claim.Status.SUBMITTED, Claim.Status.RETURNED),
        "line": getattr(found, "line", None),
    }


def _act(request: HttpRequest, found: Claim, asked: str, form: object) -> ZhiliError | None:
    """Carry out one of the page's buttons; the refusal, or None."""
    user = request.user
    assert user.is_authenticated
    try:
        if asked == "review" and isinstance(form, ReviewForm):
            decide(request, found, form)
        elif asked == "hear" and isinstance(form, WordsForm):
            record_hearing(by=user, claim=found, text=form.cleaned_data["text"])
            messages.success(request, f"{found} 的本户陈述已记下")
        elif asked == "visit" and isinstance(form, WordsForm):
            record_visit(by=user, claim=found, note=form.cleaned_data["text"])
            messages.success(request, f"{found} 的抽查结果已记下")
        elif asked == "withdraw":
            withdraw_claim(by=user, claim=found)
            messages.success(request, f"{found} 已撤回")
        else:
            return ZhiliError("没有这个操作", hint="请刷新后再试。")
    except ZhiliError as error:
        return error
    return None


RECUSALS = [
    Column("user", "谁", lambda r: str(r.user), order="user__display_name"),
    Column("household", "哪一户", lambda r: r.household.code, order="household__code"),
    Column("kind", "原因", lambda r: r.get_kind_display(), order="kind"),
    Column("note", "说明", lambda r: r.note),
    Column("on", "申明日期", lambda r: r.declared_on, order="declared_on", kind="date"),
    Column("by", "登记人", lambda r: str(r.declared_by)),
    Column("ended", "解除日期", lambda r: r.ended_on, order="ended_on", kind="date"),
]


@requires("claims.desk")
def recusals(request: HttpRequest, place: str) -> HttpResponse:
    """回避登记: who stays out of whose cases. Reviewers add their own; the clerk for anybody; ending is for others."""
    user = at(request, place)
    registrar = user.has_role("clerk", "supervisor", place=place)
    people = _reviewers(place) if registrar else [(str(user.pk), str(user))]
    own = registrar or user.has_role("reviewer", "council", place=place)
    form = RecusalForm(request.POST if request.POST.get("do") == "add" else None, people=people)
    if request.method == "POST":
        if request.POST.get("do") == "end":
            _end(request, place)
            return redirect("desk_recusals", place)
        if own and form.is_valid() and _declare(request, place, form):
            return redirect("desk_recusals", place)
    rows = Recusal.objects.filter(place=place).select_related("user", "household", "declared_by")
    if not may(user, "claims.see_village", place):
        rows = rows.filter(user=user)
    listed = table(
        request,
        rows,
        RECUSALS,
        title="回避登记",
        default_order="-on",
        select="recusal" if registrar else None,
        filters=[
            Filter(
                "now",
                "现在",
                [("1", "有效"), ("0", "已解除")],
                lambda r, v: r.filter(ended_on__isnull=v == "1"),
            )
        ],
    )
    if isinstance(listed, HttpResponse):
        return listed
    context = {"table": listed, "form": form, "place": place, "may_add": own, "registrar": registrar}
    return render(request, "claims/desk_recusals.html", context, status=422 if form.errors else 200)


def _reviewers(place: str) -> list[tuple[str, str]]:
    held = Membership.objects.filter(place=place, role__in=["reviewer", "council"]).select_related("user")
    running = held.filter(Q(valid_to=None) | Q(valid_to__gt=date.today()))
    return list({str(one.user_id): str(one.user) for one in running.order_by("user__display_name")}.items())


def _declare(request: HttpRequest, place: str, form: RecusalForm) -> bool:
    data = form.cleaned_data
    home = find_by_card(place, data["household"])
    if home is None:
        form.add_error("household", f"没有找到“{data['household']}”这一户，请核对户编号。")
        return False
    try:
        assert request.user.is_authenticated
        person = User.objects.get(pk=data["user"])
        declare_recusal(by=request.user, user=person, household=home, kind=data["kind"], note=data["note"])
    except ZhiliError as error:
        show_error(form, error)
        return False
    messages.success(request, f"已登记：{person} 回避 {home.code} 户")
    return True


def _end(request: HttpRequest, place: str) -> None:
    assert request.user.is_authenticated
    keys = [key for key in request.POST.getlist("recusal")[:100] if len(key) == 36]
    for tie in Recusal.objects.filter(place=place, pk__in=keys, ended_on=None).select_related(
        "household", "user"
    ):
        try:
            end_recusal(by=request.user, recusal=tie)
            messages.success(request, f"已解除：{tie.user} 回避 {tie.household.code} 户")
        except ZhiliError as error:
            messages.warning(request, f"{tie.user} 回避 {tie.household.code} 户：{error}")


urlpatterns = [
    path("<str:place>/claims/", claims, name="desk_claims"),
    path("<str:place>/claims/new/", new, name="desk_claim_new"),
    path("<str:place>/claims/new/<uuid:household>/<str:code>/", write, name="desk_claim_form"),
    path("<str:place>/claims/<uuid:claim>/", claim, name="desk_claim"),
    path("<str:place>/recusals/", recusals, name="desk_recusals"),
]
