"""The office's pages on rule books: versions, drafting from a starter or a file, red lines, comparison, trial, procedure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import today
from zhili.common.points import parse_points
from zhili.common.policy import may, reauthenticated, requires
from zhili.common.spreadsheets import safe_filename
from zhili.places.queries import get_place
from zhili.rulebook import actions
from zhili.rulebook import forms as rulebook_forms
from zhili.rulebook.access import access_book, access_village, must, who
from zhili.rulebook.book import RuleBook as Book
from zhili.rulebook.book_yaml import BYTES_MAX, STARTERS, load_starter, load_yaml
from zhili.rulebook.calculator import Calculator
from zhili.rulebook.compare import compare
from zhili.rulebook.errors import Problem, RuleBookError, ScoreError
from zhili.rulebook.facts import Event
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import checked, parsed, versions, waiting_for_review
from zhili.rulebook.shown import STEPS, next_steps, overrides, report_words, state, steps
from zhili.rulebook.words import amount, book_words, item_words
from zhili.rulebook.workbook import LIMITS, dump_workbook, load_workbook, template_workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ONE_DAY = timedelta(days=1)
Page = Callable[..., HttpResponse]


@requires("rulebook.see")
def book_list(request: HttpRequest, place: str) -> HttpResponse:
    """All versions of the village."""
    access_village(request.user, place)
    columns = [
        Column("version", "版本", lambda b: f"第 {b.version} 版", order="version", url=lambda b: _url("desk_rulebook", b)),
        Column("title", "名称", lambda b: b.title, order="title", url=lambda b: _url("desk_rulebook", b)),
        Column("status", "状态", lambda b: state(b).word, kind="state"),
        Column("from", "施行日期", lambda b: b.valid_from if b.status in ("in_force", "superseded") else None,
               order="valid_from", kind="date"),
        Column("to", "停用日期", lambda b: b.valid_to if b.status in ("in_force", "superseded") else None, kind="date"),
        Column("author", "起草", lambda b: str(b.created_by)),
        Column("frozen", "已经用过", lambda b: b.frozen_at is not None),
    ]  # fmt: skip
    status = Filter("status", "状态", RuleBook.Status.choices, lambda rows, value: rows.filter(status=value))
    rows = table(
        request, versions(place), columns, title="积分细则", filters=[status], default_order="-version"
    )
    if isinstance(rows, HttpResponse):
        return rows
    may_write = may(request.user, "rulebook.write", place)
    return render(
        request, "rulebook/desk_list.html", {"table": rows, "may_write": may_write, "village": place}
    )


@requires("rulebook.write")
@reauthenticated
def book_new(request: HttpRequest, place: str) -> HttpResponse:
    """A new version: from a starter, from the last one, or from a file; a bad file names every fault at once."""
    access_village(request.user, place)
    must(request.user, "rulebook.write", place)
    last = RuleBook.objects.filter(place=place).exclude(status="withdrawn").first()
    form = rulebook_forms.NewForm(
        request.POST or None, request.FILES or None, has_current=last is not None,
        initial={"start": rulebook_forms.CURRENT if last else "household"},
    )  # fmt: skip
    problems: list[Problem] = []
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.save_draft(by=request.user, place=place, **_start(form.cleaned_data, place, last))  # type: ignore[arg-type]
        except RuleBookError as error:
            problems = _show(form, error)
        else:
            messages.success(request, f"已存为第 {made.version} 版草稿。请先看红线检查，再征求意见。")
            return redirect("desk_rulebook_check", place, made.pk)
    context = {"form": form, "problems": problems, "village": place, "starters": STARTERS.items()}
    return render(request, "rulebook/desk_new.html", context)


def _start(given: dict[str, Any], place: str, last: RuleBook | None) -> dict[str, Any]:
    if given["start"] == rulebook_forms.FILE:
        return {"book": _uploaded(given)}
    if given["start"] == rulebook_forms.CURRENT and last is not None:
        book, title = parsed(last), given["title"] or last.title
    else:
        book = load_starter(given["start"])
        title = given["title"] or f"{get_place(place).short_name}积分细则"
    day = given["valid_from"]
    return {
        "book": replace(book, place=place, effective_from=day, effective_to=two_years(day)),
        "title": title,
    }


def two_years(day: date) -> date:
    """The last day of a book that begins on `day`: an item runs two years at most, then the village votes again."""
    year = min(day.year + 2, 9999)
    return date(year, 3, 1) - ONE_DAY if (day.month, day.day) == (2, 29) else day.replace(year=year) - ONE_DAY


def _uploaded(given: dict[str, Any]) -> Book:
    """The book in the uploaded file, Excel by its content, or in the text beside it. Raises RuleBookError."""
    upload = given.get("upload")
    if upload is None:
        return load_yaml(given["text"], "细则全文")
    if upload.size > max(BYTES_MAX, LIMITS.file_bytes):
        raise RuleBookError("文件太大，不能超过 5 MB", hint="细则不会这么大，请检查是不是选错了文件")
    data = upload.read()
    given["read"] = data
    return load_workbook(data, upload.name) if data[:4] == b"PK\x03\x04" else load_yaml(data, upload.name)


def _show(form: forms.Form, error: RuleBookError) -> list[Problem]:
    """All faults of a file as a list beside the form; a readable text goes back into the form, to be mended there."""
    data = form.cleaned_data.get("read")
    if isinstance(data, bytes) and data[:4] != b"PK\x03\x04":
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = ""
        if "text" in form.fields and text and "\x00" not in text:
            form.data = form.data.copy()  # type: ignore[attr-defined]
            form.data["text"] = text  # type: ignore[index]
    where = error.field if error.field in form.fields else None
    many = len(error.problems) > 1
    form.add_error(
        where, f"文件里有 {len(error.problems)} 处要改，见下面的表" if many else str(error.problems[0])
    )
    return error.problems


@requires("rulebook.see")
def book_view(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """One version in words, with where it stands and what comes next."""
    row = access_book(request.user, place, book_id)
    return render(request, "rulebook/desk_book.html", frame(request, row) | {
        "words": book_words(parsed(row)), "steps": steps(row), "next": next_steps(request.user, row),
        "overrides": overrides(row),
    })  # fmt: skip


def frame(request: HttpRequest, row: RuleBook) -> dict[str, Any]:
    """What rulebook/desk_frame.html needs around every page of one version."""
    report = checked(row)
    return {
        "book": row, "state": state(row), "blocked": report.blocked, "waiting": len(waiting_for_review(row)),
        "may_edit": row.status in ("draft", "consultation") and may(request.user, "rulebook.write", row),
        "village": row.place,
    }  # fmt: skip


@requires("rulebook.write")
@reauthenticated
def book_edit(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """A new text for the draft."""
    row = access_book(request.user, place, book_id)
    must(request.user, "rulebook.write", row)
    initial = {"text": row.text, "seen": row.digest}
    form = rulebook_forms.EditForm(request.POST or None, request.FILES or None, initial=initial)
    problems: list[Problem] = []
    if request.method == "POST" and form.is_valid():
        seen = form.cleaned_data["seen"] or None
        try:
            new = _uploaded(form.cleaned_data)
            actions.edit_draft(by=request.user, book=row, new=new, seen_digest=seen)  # type: ignore[arg-type]
        except RuleBookError as error:
            problems = _show(form, error)
        else:
            messages.success(request, f"第 {row.version} 版草稿已改好，请再看一遍红线检查。")
            return redirect("desk_rulebook_check", place, row.pk)
    return render(
        request, "rulebook/desk_edit.html", frame(request, row) | {"form": form, "problems": problems}
    )


@requires("rulebook.see")
def book_check(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """The red lines, item by item: verdict, article, suggested rewrite, the words that gave rise to it."""
    row = access_book(request.user, place, book_id)
    return render(request, "rulebook/desk_check.html", frame(request, row) | {
        "report": report_words(row), "overrides": overrides(row),
        "may_override": may(request.user, "rulebook.override", row), "who_overrides": who("rulebook.override"),
    })  # fmt: skip


@requires("rulebook.see")
def book_compare(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """What changed against another version of the village, by default the one before."""
    row = access_book(request.user, place, book_id)
    others = [other for other in versions(place) if other.pk != row.pk]
    asked = request.GET.get("with", "")
    older = next((o for o in others if asked and str(o.version) == asked), None)
    if asked and older is None:
        raise NotFound("没有这一版积分细则。")
    older = older or next((o for o in others if o.version < row.version and o.status != "withdrawn"), None)
    changes = compare(parsed(older), parsed(row)) if older else []
    groups = {word: [c for c in changes if c.kind == kind] for kind, word in
              (("added", "新增"), ("removed", "删去"), ("changed", "改动"))}  # fmt: skip
    return render(request, "rulebook/desk_compare.html", frame(request, row) | {
        "older": older, "others": others, "groups": groups, "count": len(changes),
    })  # fmt: skip


@requires("rulebook.see")
def book_try(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """试算: what an event would bring under this version, and why."""
    row = access_book(request.user, place, book_id)
    book = parsed(row)
    context = frame(request, row) | {"words": book_words(book)}
    wanted = next((item for item in book.items if item.code == request.GET.get("item", "")), None)
    if wanted is None:
        return render(request, "rulebook/desk_try.html", context)
    bound = request.GET if "on" in request.GET else None
    form = rulebook_forms.TryForm(bound, item=wanted, first=book.effective_from)
    results = None
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        points = given.get("points")
        calculator = Calculator(book)
        try:
            results = [
                calculator.feed(Event(
                    f"{n:02d}", "试算", None, wanted.code, given["on"], quantity=given.get("quantity"),
                    grade=given.get("grade") or None, points=None if points is None else parse_points(str(points)),
                ))
                for n in range(1, given["times"] + 1)
            ]  # fmt: skip
        except ScoreError as error:
            form.add_error(None, str(error.problems[0].what) + "。" + error.problems[0].suggestion)
    shown = None if results is None else {
        "lines": [{"n": n, "raw": amount(r.raw), "awarded": amount(r.awarded), "why": r.why}
                  for n, r in enumerate(results, start=1)],
        "total": amount(sum(r.awarded for r in results)),
    }  # fmt: skip
    return render(
        request,
        "rulebook/desk_try.html",
        context | {"item": item_words(wanted, book), "form": form, "result": shown},
    )


# --- the procedure: one form each ------------------------------------------------------------------------------


def _step(permission: str, key: str) -> Page:
    """The page of one step: its form, its action, and back to the version with one sentence."""
    step = STEPS[key]
    form_class: type[forms.Form] = getattr(rulebook_forms, step.form)

    @requires(permission)
    @reauthenticated
    def page(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
        row = access_book(request.user, place, book_id)
        must(request.user, permission, row)
        more: dict[str, Any] = {}
        if key == "override":
            titles = {item.code: f"{item.code} {item.title}" for item in parsed(row).items}
            more["waiting"] = [(code, titles.get(code, "细则整体")) for code in waiting_for_review(row)]
        form = form_class(request.POST or None, initial={"seen": row.digest, "on": today()}, **more)
        if key == "in_force":
            form.fields["on"].initial = max(row.valid_from, today())
            form.initial.pop("on", None)
        if request.method == "POST" and form.is_valid():
            given = dict(form.cleaned_data)
            if "seen" in given:
                given["seen_digest"] = given.pop("seen") or None
            try:
                getattr(actions, step.action)(by=request.user, book=row, **given)
            except ZhiliError as error:
                show_error(form, error)
            else:
                messages.success(request, step.done.format(version=row.version))
                return redirect("desk_rulebook", place, row.pk)
        context = {"form": form, "step": step, "overrides": overrides(row)}
        return render(request, "rulebook/desk_step.html", frame(request, row) | context)

    return page


book_consult = _step("rulebook.consult", "consult")
book_adopt = _step("rulebook.adopt", "adopt")
book_file = _step("rulebook.file", "file")
book_in_force = _step("rulebook.put_in_force", "in_force")
book_override = _step("rulebook.override", "override")
book_withdraw = _step("rulebook.withdraw", "withdraw")


# --- files -----------------------------------------------------------------------------------------------------


@requires("rulebook.see")
def book_yaml(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """The version as YAML."""
    return yaml_file(access_book(request.user, place, book_id))


@requires("rulebook.see")
def book_xlsx(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """The version as an Excel workbook."""
    return xlsx_file(access_book(request.user, place, book_id))


@requires("rulebook.see")
def template_xlsx(request: HttpRequest, place: str) -> HttpResponse:
    """The empty workbook to fill in."""
    access_village(request.user, place)
    return download(template_workbook(), "积分细则模板.xlsx", XLSX)


@requires("rulebook.see")
def starter_xlsx(request: HttpRequest, place: str, starter: str) -> HttpResponse:
    """A starter book as a workbook, to read or to fill in."""
    access_village(request.user, place)
    if starter not in STARTERS:
        raise NotFound("没有这份样板。")
    return download(dump_workbook(load_starter(starter)), f"{STARTERS[starter]}.xlsx", XLSX)


def yaml_file(row: RuleBook) -> HttpResponse:
    return download(
        row.text.encode(), f"{row.title}-第{row.version}版.yaml", "application/yaml; charset=utf-8"
    )


def xlsx_file(row: RuleBook) -> HttpResponse:
    return download(dump_workbook(parsed(row)), f"{row.title}-第{row.version}版.xlsx", XLSX)


def download(body: bytes, name: str, kind: str) -> HttpResponse:
    """A file to save under a Chinese name."""
    _, disposition = safe_filename(name)
    return HttpResponse(body, content_type=kind, headers={"Content-Disposition": disposition})


def _url(name: str, row: RuleBook) -> str:
    return reverse(name, args=[row.place, row.pk])


_BOOK = "<str:place>/rulebooks/<uuid:book_id>/"
urlpatterns = [
    path("<str:place>/rulebooks/", book_list, name="desk_rulebooks"),
    path("<str:place>/rulebooks/new/", book_new, name="desk_rulebook_new"),
    path("<str:place>/rulebooks/template.xlsx", template_xlsx, name="desk_rulebook_template"),
    path("<str:place>/rulebooks/starter-<slug:starter>.xlsx", starter_xlsx, name="desk_rulebook_starter"),
    path(_BOOK, book_view, name="desk_rulebook"),
    path(_BOOK + "edit/", book_edit, name="desk_rulebook_edit"),
    path(_BOOK + "check/", book_check, name="desk_rulebook_check"),
    path(_BOOK + "compare/", book_compare, name="desk_rulebook_compare"),
    path(_BOOK + "try/", book_try, name="desk_rulebook_try"),
    path(_BOOK + "consult/", book_consult, name="desk_rulebook_consult"),
    path(_BOOK + "adopt/", book_adopt, name="desk_rulebook_adopt"),
    path(_BOOK + "file/", book_file, name="desk_rulebook_file"),
    path(_BOOK + "in-force/", book_in_force, name="desk_rulebook_in_force"),
    path(_BOOK + "override/", book_override, name="desk_rulebook_override"),
    path(_BOOK + "withdraw/", book_withdraw, name="desk_rulebook_withdraw"),
    path(_BOOK + "book.yaml", book_yaml, name="desk_rulebook_yaml"),
    path(_BOOK + "book.xlsx", book_xlsx, name="desk_rulebook_xlsx"),
]
