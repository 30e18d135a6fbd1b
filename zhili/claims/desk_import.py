"""申报 from Excel: template → upload → every cell that is wrong, or what would be taken → take it, all or nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.claims import importing
from zhili.claims.desk import at
from zhili.claims.forms import SheetForm
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import XLSX
from zhili.common.policy import requires
from zhili.common.spreadsheets import safe_filename
from zhili.people.models import ImportFile
from zhili.people.queries import import_runs
from zhili.people.uploads import drop_upload, keep_upload, open_upload

SHOWN = 200
KIND = importing.KIND


def download(data: bytes, filename: str) -> HttpResponse:
    """A workbook with a Chinese file name."""
    return HttpResponse(data, content_type=XLSX, headers={"Content-Disposition": safe_filename(filename)[1]})


@requires("claims.clerk")
def upload(request: HttpRequest, place: str) -> HttpResponse:
    """Step 1: the file; what it would do, or what to mend, is shown at once."""
    user = at(request, place, "claims.clerk")
    form = SheetForm(request.POST, request.FILES) if request.method == "POST" else SheetForm()
    context: dict[str, Any] = {"place": place, "form": form, "runs": import_runs(place, KIND)}
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            if file.size > importing.LIMITS.file_bytes:
                raise ZhiliError("文件太大，最大 5 MB", hint="请按月份分成几个文件。")
            data = file.read()
            dry_run = importing.read_claims(data, file.name, place, by=user)
        except NotAllowed:
            raise
        except ZhiliError as error:
            error.field = "file"
            show_error(form, error)
        else:
            kept = keep_upload(by=user, place=place, kind=KIND, data=data, filename=file.name)
            return _show(request, dry_run, kept, context)
    return render(request, "claims/desk_import.html", context, status=422 if form.errors else 200)


def _show(
    request: HttpRequest, dry_run: importing.DryRun, kept: ImportFile, context: dict[str, Any]
) -> HttpResponse:
    context |= {
        "dry_run": dry_run,
        "upload_id": kept.pk,
        "errors": dry_run.errors[:SHOWN],
        "more_errors": max(0, len(dry_run.errors) - SHOWN),
        "drafts": dry_run.drafts[:SHOWN],
        "more_drafts": max(0, len(dry_run.drafts) - SHOWN),
    }
    return render(request, "claims/desk_import_check.html", context)


@requires("claims.clerk")
def apply(request: HttpRequest, place: str, upload_id: UUID) -> HttpResponse:
    """Step 2: take every new row as a claim, or none."""
    user = at(request, place, "claims.clerk")
    if request.method != "POST":
        return redirect("desk_claims_import", place)
    data, filename = open_upload(by=user, place=place, kind=KIND, upload_id=upload_id)
    try:
        dry_run = importing.read_claims(data, filename, place, by=user)
        run = importing.apply_claims(dry_run, by=user)
    except NotAllowed:
        raise
    except ZhiliError as error:
        messages.error(request, str(error))
        return redirect("desk_claims_import", place)
    drop_upload(by=user, upload_id=upload_id)
    first, last = run.summary["numbers"]
    messages.success(request, f"已收下 {run.summary['new']} 条，等待评议，编号 A-{first} 至 A-{last}。")
    return redirect("desk_claims", place)


@requires("claims.clerk")
def corrected(request: HttpRequest, place: str, upload_id: UUID) -> HttpResponse:
    """The clerk's own table with the cells to mend in colour."""
    user = at(request, place, "claims.clerk")
    data, filename = open_upload(by=user, place=place, kind=KIND, upload_id=upload_id)
    dry_run = importing.read_claims(data, filename, place, by=user)
    stem = filename.rpartition(".")[0] or filename
    return download(importing.corrected_file(dry_run), f"要改的地方-{stem}.xlsx")


@requires("claims.clerk")
def template(request: HttpRequest, place: str) -> HttpResponse:
    """The empty table with the items of the book in force."""
    at(request, place, "claims.clerk")
    return download(importing.template(place), "申报-模板.xlsx")


urlpatterns = [
    path("<str:place>/claims/import/", upload, name="desk_claims_import"),
    path("<str:place>/claims/import/template/", template, name="desk_claims_template"),
    path("<str:place>/claims/import/<uuid:upload_id>/apply/", apply, name="desk_claims_apply"),
    path("<str:place>/claims/import/<uuid:upload_id>/mend/", corrected, name="desk_claims_corrected"),
]
