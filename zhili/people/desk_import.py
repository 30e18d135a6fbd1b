"""The import wizard and the export back: template → upload → what would happen → apply (U-50, C-09)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from zhili.common.clock import now
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import XLSX
from zhili.common.policy import may, reauthenticated, requires
from zhili.common.spreadsheets import safe_filename
from zhili.people import forms, importing
from zhili.people.desk import _at, posted, rows_of, saved
from zhili.people.models import ImportFile, User
from zhili.people.queries import import_runs
from zhili.people.uploads import drop_upload, keep_upload, open_upload

SHOWN = 200
KIND = importing.KIND


def download(data: bytes, filename: str) -> HttpResponse:
    """A workbook with a Chinese file name."""
    return HttpResponse(data, content_type=XLSX, headers={"Content-Disposition": safe_filename(filename)[1]})


@requires("people.import")
def upload(request: HttpRequest, place: str) -> HttpResponse:
    """Step 1: the file. Step 2 is shown at once: what it would do, or what to mend."""
    user = _at(request, place, "people.import")
    form = forms.ImportForm(posted(request), request.FILES or None)
    context: dict[str, Any] = {"place": place, "form": form, "runs": import_runs(place)}
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            if file.size > importing.LIMITS.file_bytes:
                raise ZhiliError("文件太大，最大 10 MB", hint="请按组分成几个文件。")
            data = file.read()
            dry_run = importing.read_households(data, file.name, place)
        except ZhiliError as error:
            error.field = "file"
            show_error(form, error)
        else:
            kept = keep_upload(by=user, place=place, kind=KIND, data=data, filename=file.name)
            return _show(request, place, dry_run, kept, context)
    return render(request, "people/desk_import.html", context)


def _show(
    request: HttpRequest, place: str, dry_run: importing.DryRun, kept: ImportFile, context: dict[str, Any]
) -> HttpResponse:
    context |= {
        "dry_run": dry_run,
        "upload_id": kept.pk,
        "errors": dry_run.errors[:SHOWN],
        "changes": dry_run.changes[:SHOWN],
        "more_errors": max(0, len(dry_run.errors) - SHOWN),
        "more_changes": max(0, len(dry_run.changes) - SHOWN),
    }
    return render(request, "people/desk_import_check.html", context)


@requires("people.import")
def apply(request: HttpRequest, place: str, upload_id: UUID) -> HttpResponse:
    """Step 3: write it, all or nothing."""
    user: User = _at(request, place, "people.import")
    if request.method != "POST":
        return redirect("desk_households_import", place)
    data, filename = open_upload(by=user, place=place, kind=KIND, upload_id=upload_id)
    dry_run = importing.read_households(data, filename, place)
    try:
        run = importing.apply_households(dry_run, by=user)
    except NotAllowed:
        raise
    except ZhiliError as error:
        messages.error(request, str(error))
        return redirect("desk_households_import", place)
    drop_upload(by=user, upload_id=upload_id)
    counts = run.summary
    messages.success(
        request,
        f"已导入：新立户 {counts['households_new']}，新增 {counts['residents_new']} 人，"
        f"改 {counts['residents_changed']} 人，不变 {counts['residents_unchanged']} 人。",
    )
    return redirect("desk_households", place)


@requires("people.import")
def corrected(request: HttpRequest, place: str, upload_id: UUID) -> HttpResponse:
    """The clerk's own table with the cells to mend in colour."""
    user = _at(request, place, "people.import")
    data, filename = open_upload(by=user, place=place, kind=KIND, upload_id=upload_id)
    dry_run = importing.read_households(data, filename, place)
    return download(
        importing.corrected_file(dry_run), f"要改的地方-{filename.rpartition('.')[0] or filename}.xlsx"
    )


@requires("people.import")
def template(request: HttpRequest, place: str) -> HttpResponse:
    """The empty table."""
    _at(request, place, "people.import")
    return download(importing.template(), "户和人员-模板.xlsx")


@requires("people.see_households")
@reauthenticated
def export(request: HttpRequest, place: str) -> HttpResponse:
    """The whole village in the template's columns; complete numbers for a reason only."""
    user = _at(request, place)
    form = forms.ExportForm(posted(request))
    if saved(request, form, lambda: importing.record_export(by=user, place=place, **form.cleaned_data)):
        at = timezone.localtime(now())
        mark = f"{user} 于 {at:%Y-%m-%d %H:%M} 导出" + (
            f"，用途：{form.cleaned_data['reason']}" if form.cleaned_data["reason"] else ""
        )
        data = importing.export_households(
            place,
            rows_of(user, place).filter(status__in=["living", "away"]),
            reveal=form.cleaned_data["reveal"],
            watermark=mark,
        )
        return download(data, f"户和人员-{at:%Y%m%d}.xlsx")
    context = {"place": place, "form": form, "may_reveal": may(user, "people.reveal", place)}
    return render(request, "people/desk_export.html", context)


urlpatterns = [
    path("<str:place>/households/import/", upload, name="desk_households_import"),
    path("<str:place>/households/import/template/", template, name="desk_households_template"),
    path("<str:place>/households/import/<uuid:upload_id>/apply/", apply, name="desk_households_apply"),
    path("<str:place>/households/import/<uuid:upload_id>/mend/", corrected, name="desk_households_corrected"),
    path("<str:place>/households/export/", export, name="desk_households_export"),
]
