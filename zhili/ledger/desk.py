"""台账 at the desk: balances by household, batches, totals, the check of the whole book, and corrections in two hands."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import parse_code
from zhili.common.policy import may, reauthenticated, requires
from zhili.ledger.alarms import lift_alarm, open_alarms, past_alarms, raise_from
from zhili.ledger.errors import purse_title
from zhili.ledger.export import export
from zhili.ledger.forms import DecisionForm, LiftForm, ReversalForm
from zhili.ledger.models import ReversalRequest
from zhili.ledger.queries import balances_of_village, closed_periods, heads, village_totals
from zhili.ledger.reversals import Line, ask_reversal, decide_reversal, lines_of, together, waiting
from zhili.ledger.verify import verify
from zhili.people.models import Household, Resident, User
from zhili.people.queries import groups_of, head_names, matching

BATCHES_SHOWN = 100


def at(request: HttpRequest, place: str, permission: str = "ledger.read") -> User:
    """The person, who must hold `permission` in this village; else the page does not exist."""
    user = request.user
    assert user.is_authenticated
    if not user.has_perm(permission, place):
        raise NotFound("没有这一页。")
    return user


def _sums(place: str) -> tuple[list[str], dict[tuple[UUID, str], int]]:
    """Purses of the village, and (household, purse) → points of the household and its people."""
    held = balances_of_village(place)
    home = dict(Resident.objects.filter(place=place).values_list("pk", "household_id"))
    sums: dict[tuple[UUID, str], int] = {}
    for (owner, purse), balance in held.items():
        key = (home.get(owner, owner), purse)
        sums[key] = sums.get(key, 0) + balance.balance
    purses = sorted({purse for _, purse in sums}, key=lambda p: ({"merit": 0, "spend": 1}.get(p, 2), p))
    return purses or ["merit", "spend"], sums


def _points(sums: dict[tuple[UUID, str], int], purse: str) -> Callable[[Any], int]:
    return lambda home: sums.get((home.pk, purse), 0)


@requires("ledger.read")
def households(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/ledger/: every household with its purses; exported as seen."""
    user = at(request, place)
    rows = Household.objects.filter(place=place)
    if not may(user, "people.see_households", place) and not user.has_role(
        "reviewer", "council", "audit_admin", place=place
    ):
        rows = rows.none()
    purses, sums = _sums(place)
    names = (
        head_names(place, rows.values_list("pk", flat=True))
        if may(user, "people.see_households", place)
        else {}
    )
    link = lambda h: reverse("desk_statement", args=[place, h.pk])  # noqa: E731
    columns = [
        Column("code", "户编号", lambda h: h.code, order="code", url=link),
        Column("group", "组", lambda h: h.group, order="group"),
        Column("head", "户主", lambda h: names.get(h.pk, "")),
        *[Column(f"p_{p}", purse_title(p), _points(sums, p), kind="points") for p in purses],
        Column("status", "状态", lambda h: h.get_status_display(), order="status", kind="state"),
    ]
    listed = table(
        request,
        rows,
        columns,
        title="台账",
        default_order="code",
        filters=[
            Filter("group", "组", lambda: [(g, g) for g in groups_of(place)], lambda r, v: r.filter(group=v)),
            Filter("status", "状态", Household.Status.choices, lambda r, v: r.filter(status=v)),
            Filter("q", "户编号、姓名", "text", matching),
        ],
        on_export=lambda count: record("ledger.export_balances", by=user, place=place, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    totals = [(purse_title(p), sum(v for (_, purse), v in sums.items() if purse == p)) for p in purses]
    context = {
        "table": listed,
        "place": place,
        "totals": totals,
        "waiting": waiting(place),
        "may_expire": user.has_perm("ledger.expire", place),
        "head": next(iter(heads(place, 1)), None),
    }
    return render(request, "ledger/desk_households.html", context)


@requires("ledger.read")
def batches(request: HttpRequest, place: str) -> HttpResponse:
    """Batches with their fingerprints, and the sums of the last periods."""
    at(request, place)
    rows = heads(place, BATCHES_SHOWN)
    periods = sorted({row.period for row in rows}, key=lambda code: parse_code(code).end, reverse=True)[:12]
    sums = village_totals(place, periods)
    totals = [
        (parse_code(code).title, purse_title(purse), total)
        for code in periods
        for (period, purse), total in sums.items()
        if period == code
    ]
    context = {
        "heads": rows,
        "totals": totals,
        "place": place,
        "closed": [parse_code(c).title for c in closed_periods(place)[:12]],
    }
    return render(request, "ledger/desk_batches.html", context)


@requires("ledger.read")
def check(request: HttpRequest, place: str) -> HttpResponse:
    """Recompute this village's whole book, here and now; by POST because it takes the machine a while."""
    user = at(request, place)
    asked = request.POST.get("do", "")
    form = LiftForm(request.POST if asked == "lift" else None)
    report = None
    if asked == "lift" and form.is_valid():
        try:
            lift_alarm(form.cleaned_data["id"], place=place, by=user, reason=form.cleaned_data["reason"])
            messages.success(request, "警报已解除，这个村可以继续记账。")
            return redirect("desk_ledger_check", place)
        except ZhiliError as error:
            show_error(form, error)
    elif request.method == "POST" and asked != "lift":
        report = verify([place])
        raise_from(report)
    context = {
        "report": report,
        "place": place,
        "alarm": next(iter(open_alarms([place])), None),
        "past": past_alarms(place),
        "form": form,
        "may_lift": may(user, "ledger.lift_alarm", place),
        "may_export": may(user, "ledger.export", place),
    }
    return render(request, "ledger/desk_check.html", context, status=422 if form.errors else 200)


@requires("ledger.export")
@reauthenticated
def export_zip(request: HttpRequest, place: str) -> HttpResponse:
    """The whole book as one zip: open form, description, stand-alone verifier (T-10, O-13). Ids, no names."""
    user = at(request, place, "ledger.export")
    with tempfile.TemporaryDirectory() as folder:
        counts = export(place, Path(folder) / "book")
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path_ in sorted((Path(folder) / "book").iterdir()):
                zipped.write(path_, f"{place}/{path_.name}")
    record("ledger.export", by=user, place=place, count=counts["transfers"])
    headers = {"Content-Disposition": f'attachment; filename="ledger-{place}.zip"'}
    return HttpResponse(data.getvalue(), content_type="application/zip", headers=headers)


@requires("ledger.read")
def transfer(request: HttpRequest, place: str, transfer: UUID) -> HttpResponse:
    """One line with its sisters in the other purses; the clerk may ask for its reversal."""
    user = at(request, place)
    lines = together(place, transfer)
    form = ReversalForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = ask_reversal(
                by=user, place=place, id=data["id"], transfer_id=transfer, reason=data["reason"]
            )
            messages.success(request, "已提出冲正，等议事会成员或监督委员同意。")
            return redirect("desk_reversal", place, made.pk)
        except ZhiliError as error:
            show_error(form, error)
    context = {
        "lines": _named(lines),
        "first": lines[0],
        "form": form,
        "place": place,
        "may_ask": user.has_perm("ledger.reverse", place) and not any(line.reversed for line in lines),
    }
    return render(request, "ledger/desk_transfer.html", context, status=422 if form.errors else 200)


def _named(lines: list[Line]) -> list[tuple[Line, str]]:
    return [(line, purse_title(line.purse)) for line in lines]


@requires("ledger.read")
def reversals(request: HttpRequest, place: str) -> HttpResponse:
    """Requests for reversal, waiting and decided."""
    at(request, place)
    rows = ReversalRequest.objects.filter(place=place).select_related("asked_by", "decided_by")
    listed = table(
        request,
        rows,
        [
            Column(
                "asked",
                "提出时间",
                lambda r: r.asked_at,
                order="asked_at",
                kind="date",
                url=lambda r: reverse("desk_reversal", args=[place, r.pk]),
            ),
            Column("by", "提出人", lambda r: str(r.asked_by)),
            Column("reason", "理由", lambda r: r.reason, width=40),
            Column("status", "状态", lambda r: r.get_status_display(), order="status", kind="state"),
            Column("decided", "决定人", lambda r: str(r.decided_by) if r.decided_by else ""),
            Column("seq", "冲正批次", lambda r: r.seq, kind="number"),
        ],
        title="冲正",
        default_order="-asked",
        filters=[Filter("status", "状态", ReversalRequest.Status.choices, lambda r, v: r.filter(status=v))],
    )
    if isinstance(listed, HttpResponse):
        return listed
    return render(request, "ledger/desk_reversals.html", {"table": listed, "place": place})


@requires("ledger.read")
def reversal(request: HttpRequest, place: str, reversal: UUID) -> HttpResponse:
    """One request; agreed to or refused by somebody who had no part in the entry."""
    user = at(request, place)
    found = (
        ReversalRequest.objects.select_related("asked_by", "decided_by")
        .filter(pk=reversal, place=place)
        .first()
    )
    if found is None:
        raise NotFound("没有这条冲正申请。")
    form = DecisionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            agree = form.cleaned_data["agree"] == "yes"
            done = decide_reversal(by=user, request=found, agree=agree, answer=form.cleaned_data["answer"])
            messages.success(
                request, f"{done.get_status_display()}。" + (f"第 {done.seq} 批。" if done.seq else "")
            )
            return redirect("desk_reversal", place, found.pk)
        except ZhiliError as error:
            show_error(form, error)
            found.refresh_from_db()
    lines = lines_of(place, [UUID(one) for one in found.transfers])
    context = {
        "request_row": found,
        "lines": _named(lines),
        "form": form,
        "place": place,
        "may_decide": found.status == "waiting"
        and user.pk != found.asked_by_id
        and user.has_perm("ledger.approve_reversal", place),
    }
    return render(request, "ledger/desk_reversal.html", context, status=422 if form.errors else 200)


urlpatterns = [
    path("<str:place>/ledger/", households, name="desk_ledger"),
    path("<str:place>/ledger/batches/", batches, name="desk_batches"),
    path("<str:place>/ledger/check/", check, name="desk_ledger_check"),
    path("<str:place>/ledger/export.zip", export_zip, name="desk_ledger_export"),
    path("<str:place>/ledger/reversals/", reversals, name="desk_reversals"),
    path("<str:place>/ledger/reversals/<uuid:reversal>/", reversal, name="desk_reversal"),
    path("<str:place>/ledger/transfers/<uuid:transfer>/", transfer, name="desk_transfer"),
]
