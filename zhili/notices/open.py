"""公示 for everybody, without log-in and without script: read it, print it, object to one line, look up the answer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.periods import today
from zhili.common.policy import open_to_all
from zhili.ledger.queries import head_short
from zhili.notices.actions import object_to, withdraw_objection
from zhili.notices.forms import ObjectionForm
from zhili.notices.models import Notice, Objection
from zhili.notices.phone import by_group
from zhili.notices.queries import (
    PublicLine,
    escalation,
    find_objection,
    objection_numbers,
    public_lines,
    public_notice,
    public_notices,
)
from zhili.people.queries import tidy_code
from zhili.places.queries import get_place, village_settings


@open_to_all
def notices(request: HttpRequest, place: str) -> HttpResponse:
    """The notices that may be read now, and how objections were answered this year (G-19)."""
    get_place(place)
    day = today()
    context = {
        "notices": public_notices(place), "numbers": objection_numbers(place, day.replace(month=1, day=1), day),
        "place_code": place, "year": day.year,
    }  # fmt: skip
    return render(request, "notices/open_notices.html", context)


@open_to_all
def notice(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """One notice, every line by group, with the deadline, the telephone and the ways to object."""
    found = public_notice(place, number)
    text = request.GET.get("q", "").replace("\x00", "")[:30].strip()
    lines = public_lines(found)
    hanging = [line for line in lines if line.status != "dropped"]
    shown = [line for line in lines if line.household_code == tidy_code(text)] if text else lines
    context = {
        "notice": found, "groups": by_group(shown), "q": text, "place_code": place, "count": len(hanging),
        "total": sum(line.points for line in hanging), "settings": village_settings(place), "escalation": escalation(place),
        "head": head_short(bytes.fromhex(found.ledger_head)) if found.ledger_head else "", "over": _over(found),
        "households": len({line.household_code for line in hanging}),
        "changed": [line for line in lines if line.correction],
    }  # fmt: skip
    return render(request, "notices/open_notice.html", context)


def _over(found: Notice) -> bool:
    return found.status != Notice.Status.OPEN or today() > found.closes_on


def _line(found: Notice, position: int) -> PublicLine:
    for line in public_lines(found):
        if line.position == position:
            return line
    raise NotFound("没有这一条公示。")


@open_to_all
def objecting(request: HttpRequest, place: str, number: int, position: int) -> HttpResponse:
    """我不同意, without a name: the slip's code is how one reads the answer."""
    found = public_notice(place, number)
    line = _line(found, position)
    form = ObjectionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        row = found.lines.get(pk=line.id)
        data = form.cleaned_data
        try:
            made = object_to(line=row, text=data["text"], channel="open", id=data["id"])
            return redirect(
                f"{reverse('open_objections', args=[place])}?{urlencode({'code': made.lookup_code, 'new': '1'})}"
            )
        except ZhiliError as error:
            show_error(form, error)
    context = {
        "notice": found, "line": line, "form": form, "place_code": place, "over": _over(found),
        "settings": village_settings(place), "escalation": escalation(place),
    }  # fmt: skip
    return render(request, "notices/open_object.html", context, status=422 if form.errors else 200)


@open_to_all
def objections(request: HttpRequest, place: str) -> HttpResponse:
    """Type the code of the slip → how it stands and what was answered. Wrong and foreign codes look the same."""
    get_place(place)
    code = (request.POST.get("code") or request.GET.get("code", "")).replace("\x00", "")[:40]
    found: Objection | None = None
    error: ZhiliError | None = None
    if code.strip():
        try:
            found = find_objection(place, code)
            if request.method == "POST":
                withdraw_objection(objection=found, lookup_code=found.lookup_code)
                return redirect(
                    f"{reverse('open_objections', args=[place])}?{urlencode({'code': found.lookup_code})}"
                )
        except ZhiliError as refused:
            error = refused
    context = {
        "objection": found, "error": error, "code": code, "place_code": place, "new": request.GET.get("new") == "1",
        "escalation": escalation(place), "settings": village_settings(place),
        "open": found is not None and found.status in Objection.OPEN,
    }  # fmt: skip
    return render(
        request, "notices/open_objection.html", context, status=404 if error and found is None else 200
    )


urlpatterns = [
    path("<str:place>/notices/", notices, name="open_notices"),
    path("<str:place>/notices/<int:number>/", notice, name="open_notice"),
    path("<str:place>/notices/<int:number>/<int:position>/", objecting, name="open_object"),
    path("<str:place>/objections/", objections, name="open_objections"),
]
