"""月度对账 at the desk: draw up, look, sign, publish; later a note."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.paging import Column, table
from zhili.common.periods import parse_code
from zhili.common.policy import may, requires
from zhili.people.models import User
from zhili.shop.desk import at
from zhili.shop.forms_money import NoteForm
from zhili.shop.models import Reconciliation
from zhili.shop.reconciling import add_note, due_months, make_reconciliation, sign_reconciliation

ROWS = [
    Column("month", "月份", lambda r: parse_code(r.month).title, order="month",
           url=lambda r: reverse("desk_reconciliation", args=[r.place, r.month])),
    Column("matches", "核对结果", lambda r: "相符" if r.matches else f"有 {len(r.figures.get('differences', []))} 处不符"),
    Column("made", "制表", lambda r: r.made_at, order="made_at"),
    Column("status", "状态", lambda r: r.get_status_display(), order="status", kind="state"),
    Column("published", "公布", lambda r: r.published_at, order="published_at"),
]  # fmt: skip


@requires("shop.see")
def reconciliations(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/reconciliation/: months that wait first, then every month that was drawn up."""
    user = at(request, place)
    error: ZhiliError | None = None
    if request.method == "POST":
        at(request, place, "shop.manage")
        try:
            made = make_reconciliation(by=user, place=place, month=request.POST.get("month", "")[:7])
            messages.success(request, f"{parse_code(made.month).title}的对账已制表，请监督委员看过签字。")
            return redirect("desk_reconciliation", place, made.month)
        except ZhiliError as refused:
            error = refused
    rows = Reconciliation.objects.filter(place=place)
    listed = table(request, rows, ROWS, title="月度对账", default_order="-month")
    if isinstance(listed, HttpResponse):
        return listed
    drafted = set(rows.filter(status=Reconciliation.Status.DRAFT).values_list("month", flat=True))
    context = {
        "place": place, "table": listed, "error": error, "may_manage": may(user, "shop.manage", place),
        "due": [month for month in due_months(place) if month.code not in drafted],
    }  # fmt: skip
    return render(request, "shop/desk_reconciliations.html", context, status=422 if error else 200)


@requires("shop.see")
def reconciliation(request: HttpRequest, place: str, month: str) -> HttpResponse:
    """One month: the three legs, what does not match, who made and who signed, notes."""
    user = at(request, place)
    found = (
        Reconciliation.objects.select_related("made_by", "signed_by").filter(place=place, month=month).first()
    )
    if found is None:
        raise NotFound("没有这个月的对账。")
    form = NoteForm(request.POST if request.method == "POST" else None)
    error: ZhiliError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            said = _do(user, found, request.POST.get("do", ""), form.cleaned_data["note"])
            messages.success(request, said)
            return redirect("desk_reconciliation", place, month)
        except ZhiliError as refused:
            error = refused
            found.refresh_from_db()
    draft = found.status == Reconciliation.Status.DRAFT
    context = {
        "place": place, "one": found, "form": form, "error": error, "draft": draft, "title": parse_code(month).title,
        "may_manage": may(user, "shop.manage", place), "notes": found.notes.select_related("by"),
        "may_sign": draft and may(user, "shop.sign", place) and user.pk != found.made_by_id, **sheet(found),
    }  # fmt: skip
    return render(
        request, "shop/desk_reconciliation.html", context, status=422 if error or form.errors else 200
    )


def _do(user: User, found: Reconciliation, verb: str, note: str) -> str:
    if verb == "sign":
        sign_reconciliation(by=user, reconciliation=found, note=note)
        return "已签字，对账已经公布，谁都可以看。"
    if verb == "again":
        make_reconciliation(by=user, place=found.place, month=found.month, note=note or found.note)
        return "已按现在的账重新制表。"
    add_note(by=user, reconciliation=found, text=note)
    return "补充说明已加上，原来的数没有动。"


def sheet(one: Reconciliation) -> dict[str, Any]:
    """The figures as both pages show them; the sums are worked out here once."""
    facts = one.figures
    goods = facts.get("goods", [])
    names = ("opening_fen", "in_fen", "out_fen", "back_fen", "count_fen", "closing_fen")
    return {
        "goods": goods, "funds": facts.get("funds", []), "points": facts.get("points"), "books": facts.get("books", {}),
        "jumps": facts.get("jumps", []), "differences": facts.get("differences", []), "more": facts.get("more", 0),
        "goods_sum": {name: sum(line[name] for line in goods) for name in names},
        "lost": [line for line in goods if line["count"] < 0],
    }  # fmt: skip


urlpatterns = [
    path("<str:place>/shop/reconciliation/", reconciliations, name="desk_reconciliations"),
    path("<str:place>/shop/reconciliation/<str:month>/", reconciliation, name="desk_reconciliation"),
]
