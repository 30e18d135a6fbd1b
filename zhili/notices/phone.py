"""公示 on the phone: my household's lines first, any line by its number, and 我不同意."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.periods import today
from zhili.common.policy import signed_in
from zhili.notices.access import access_line, access_objection
from zhili.notices.actions import object_to, withdraw_objection
from zhili.notices.forms import ObjectionForm
from zhili.notices.models import Line, Notice, Objection
from zhili.notices.queries import PublicLine, current_notice, escalation, household_lines, public_lines
from zhili.people.access import village_of
from zhili.people.models import Household
from zhili.people.queries import tidy_code
from zhili.places.queries import village_settings


@signed_in
def notice(request: HttpRequest) -> HttpResponse:
    """/m/notice/: what hangs out now; mine on top; everything by group below; ?q= finds a number."""
    place = village_of(request)
    user = request.user
    assert user.is_authenticated
    found = current_notice(place)
    home = user.resident.household if user.resident and user.resident.place == place else None
    text = request.GET.get("q", "").replace("\x00", "")[:30]
    lines = public_lines(found) if found else []
    context = {
        "notice": found,
        "mine": _own(home, found),
        "home": home,
        "q": text.strip(),
        "hits": [line for line in lines if line.household_code == tidy_code(text)] if text.strip() else [],
        "groups": by_group(lines) if not text.strip() else [],
        "over": found is not None and today() > found.closes_on,
        "settings": village_settings(place),
        "escalation": escalation(place),
        "objections": _own_objections(request, place),
        "place": place,
        "last": None if found else Notice.objects.filter(place=place).order_by("-number").first(),
    }
    return render(request, "notices/phone_notice.html", context)


def _own(home: Household | None, found: Notice | None) -> list[Line]:
    if home is None or found is None:
        return []
    return [line for line in household_lines(home) if line.notice_id == found.pk]


def _own_objections(request: HttpRequest, place: str) -> list[Objection]:
    user = request.user
    assert user.is_authenticated
    mine = Q(entered_by=user) | (Q(by_resident=user.resident) if user.resident else Q(pk=None))
    rows = Objection.objects.filter(mine, place=place).exclude(channel="paper").select_related("line")
    return list(rows[:20])


def by_group(lines: list[PublicLine]) -> list[tuple[str, list[PublicLine]]]:
    """Lines under their group, in the poster's order."""
    return [(group or "未分组", list(rows)) for group, rows in groupby(lines, key=lambda line: line.group)]


@signed_in
def objecting(request: HttpRequest, line: UUID) -> HttpResponse:
    """/m/notice/<line>/object/: say what is wrong; from then on the line waits."""
    user = request.user
    assert user.is_authenticated
    found = access_line(user, line)
    form = ObjectionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = object_to(
                by=user,
                line=found,
                text=form.cleaned_data["text"],
                channel="phone",
                id=form.cleaned_data["id"],
            )
            return redirect("m_objected", made.pk)
        except ZhiliError as error:
            show_error(form, error)
    own = user.resident is not None and user.resident.household_id == found.household_id
    context = {
        "line": found,
        "form": form,
        "own": own,
        "over": today() > found.notice.closes_on or found.notice.status != "open",
        "settings": village_settings(found.place),
        "escalation": escalation(found.place),
    }
    return render(request, "notices/phone_object.html", context, status=422 if form.errors else 200)


@signed_in
def objected(request: HttpRequest, objection: UUID) -> HttpResponse:
    """已收到您的异议，编号 Y-3 (U-15)."""
    found = _mine(request, objection)
    context = {
        "sentence": f"已收到您的异议，编号 {found}",
        "next": f"这一条先不入账。{found.acknowledge_due:%-m月%-d日}前受理，{found.due_on:%-m月%-d日}前书面答复。"
        f"查询码 {found.lookup_code}，在公开页面也能查。",
        "url": reverse("m_notice"),
        "label": "回到公示",
        "url2": reverse("m_objection", args=[found.pk]),
        "label2": "看这条异议",
    }
    return render(request, "web/done.html", context)


@signed_in
def objection(request: HttpRequest, objection: UUID) -> HttpResponse:
    """One's own objection: how it stands, what was answered, taking it back."""
    user = request.user
    assert user.is_authenticated
    found = _mine(request, objection)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            withdraw_objection(by=user, objection=found)
            return redirect("m_objection", found.pk)
        except ZhiliError as refused:
            error = refused
    context = {
        "objection": found,
        "error": error,
        "escalation": escalation(found.place),
        "open": found.status in Objection.OPEN,
    }
    return render(request, "notices/phone_objection.html", context)


def _mine(request: HttpRequest, objection: UUID) -> Objection:
    """The person's own objection: under the own name, or keyed in by them."""
    user = request.user
    assert user.is_authenticated
    entered = Objection.objects.select_related("line__notice").filter(pk=objection, entered_by=user).first()
    found = entered or access_objection(user, objection)
    if entered is None and (user.resident is None or found.by_resident_id != user.resident_id):
        raise NotFound("没有这条异议。")
    return found


urlpatterns = [
    path("notice/", notice, name="m_notice"),
    path("notice/<uuid:line>/object/", objecting, name="m_object"),
    path("notice/objections/<uuid:objection>/", objection, name="m_objection"),
    path("notice/objections/<uuid:objection>/done/", objected, name="m_objected"),
]
