"""纸表录入 at the desk: find the sheet, key it in by row code, let a second person count it again (U-34)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.claims.actions import confirm_sheet, key_in, print_sheets, void_sheet
from zhili.claims.desk import at
from zhili.claims.errors import ClaimError
from zhili.claims.forms import PhotoInput, PhotosField
from zhili.claims.models import Sheet, SheetPhoto
from zhili.claims.phone import photo_response
from zhili.claims.photos import open_sheet_photo
from zhili.claims.sheet_reading import ROWS_MAX, Checked, Typed, find_sheet, number_of, read_sheet
from zhili.claims.sheets import access_sheet, sheets_for, typed_of
from zhili.claims.stash import fetch, keep, present
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.masking import mask_name
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import parse_code, period_of, today
from zhili.common.policy import may, requires
from zhili.people.models import Household, User
from zhili.people.queries import find_by_card, groups_of, head_names
from zhili.rulebook.queries import in_force, parsed

LINES = 12
MORE = 10
FIELDS = ("household", "who", "item", "day", "amount", "witness", "document")

COLUMNS = [
    Column("number", "编号", lambda s: str(s), order="number",
           url=lambda s: reverse("desk_sheet", args=[s.place, s.number])),
    Column("kind", "表", lambda s: s.get_kind_display()),
    Column("group", "组", lambda s: s.household.group if s.household else s.group),
    Column("household", "户编号", lambda s: s.household.code if s.household else "", order="household__code"),
    Column("period", "期间", lambda s: parse_code(s.period).title, order="period"),
    Column("printed", "打印", lambda s: s.printed_at, order="printed_at", kind="date"),
    Column("keyed", "谁录的", lambda s: str(s.keyed_by or "")),
    Column("confirmed", "谁核对的", lambda s: str(s.confirmed_by or "")),
    Column("status", "状态", lambda s: "核对不上" if s.problem else s.get_status_display(), kind="state"),
]  # fmt: skip


@requires("claims.sheets")
def sheets(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/sheets/: scan or type a number; what to print; every sheet and where it is."""
    user = at(request, place, "claims.sheets")
    asked = request.GET.get("n", "").replace("\x00", "").strip()[:300]
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            period = _period(place)
            made = print_sheets(by=user, place=place, period=period, blank=1)[0]
            messages.success(request, f"请在纸表右上角写上编号 {made}，再照着录。")
            return redirect("desk_sheet", place, made.number)
        except ZhiliError as refused:
            error = refused
    elif asked:
        try:
            return redirect(
                "desk_sheet", place, access_sheet(user, place, find_sheet(place, asked).number).number
            )
        except ZhiliError as refused:
            error = refused
    groups = groups_of(place)
    listed = table(
        request,
        sheets_for(user, place),
        COLUMNS,
        title="纸表",
        default_order="-number",
        filters=[
            Filter("status", "状态", Sheet.Status.choices, lambda rows, v: rows.filter(status=v)),
            Filter("group", "组", [(g, g) for g in groups], lambda rows, v: rows.filter(household__group=v)),
            Filter("q", "户编号", "text", lambda rows, v: rows.filter(household__code__icontains=v)),
        ],
        on_export=lambda count: record("claims.export", by=user, place=place, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    context = {
        "place": place,
        "table": listed,
        "asked": asked,
        "error": error,
        "field": may(user, "claims.field", place),
        "waiting": sheets_for(user, place).filter(status=Sheet.Status.KEYED).exclude(keyed_by=user).count(),
    }
    return render(request, "claims/desk_sheets.html", context, status=422 if error else 200)


def _period(place: str) -> str:
    book = in_force(place, today())
    if book is None:
        raise ClaimError("本村现在没有施行中的积分细则", hint="细则施行以后才能录纸表。")
    return period_of(today(), parsed(book).settlement).code


@requires("claims.sheets")
def sheet(request: HttpRequest, place: str, sheet_number: int) -> HttpResponse:
    """/desk/<place>/sheets/<n>/: key in, count again, or look, as the sheet stands and who asks."""
    user = at(request, place, "claims.sheets")
    found = access_sheet(user, place, sheet_number)
    mine = found.keyed_by_id == user.pk
    field = may(user, "claims.field", place)
    if request.method == "POST" and request.POST.get("do") == "void":
        return _void(request, user, found)
    if request.method == "POST" and request.POST.get("do") == "confirm":
        return _confirm(request, user, found)
    if field and (found.status == Sheet.Status.PRINTED or (found.status == Sheet.Status.KEYED and mine)):
        return _key(request, user, found)
    if request.method == "POST":
        try:
            key_in(by=user, sheet=found, lines=_lines(request))
        except ZhiliError as error:
            return _show(request, user, found, error)
    return _show(request, user, found, None)


def _void(request: HttpRequest, user: User, found: Sheet) -> HttpResponse:
    try:
        void_sheet(by=user, sheet=found)
    except ZhiliError as error:
        return _show(request, user, found, error)
    messages.success(request, f"{found} 已作废。")
    return redirect("desk_sheets", found.place)


def _confirm(request: HttpRequest, user: User, found: Sheet) -> HttpResponse:
    rows, total = number_of(request.POST.get("rows", "")), number_of(request.POST.get("total", "") or "0")
    try:
        if rows is None or total is None or rows != int(rows):
            raise ClaimError(
                "两个数都要写数字", field="rows", hint="请数一数纸上填了几行，“多少”一列加起来是几。"
            )
        claims = confirm_sheet(by=user, sheet=found, rows=int(rows), total=total)
    except ZhiliError as error:
        return _show(request, user, found, error)
    if not claims:
        found = access_sheet(user, found.place, found.number)
        return _show(
            request,
            user,
            found,
            ClaimError(f"对不上：{found.problem}", hint=f"没有提交。请{found.keyed_by}照纸表再看一遍。"),
        )
    many = f"A-{claims[0].number} 至 A-{claims[-1].number}" if len(claims) > 1 else f"A-{claims[0].number}"
    messages.success(request, f"{found} 核对无误，{len(claims)} 条已提交，等待评议，编号 {many}。")
    return redirect("desk_sheets", found.place)


def _show(request: HttpRequest, user: User, found: Sheet, error: ZhiliError | None) -> HttpResponse:
    """A sheet that somebody keyed in: counted again blind, or read once it is through."""
    counts = found.status == Sheet.Status.KEYED and found.keyed_by_id != user.pk
    rows = [] if counts else list(found.rows.select_related("claim", "household", "resident"))
    context = _about(found) | {
        "rows": rows,
        "counts": counts,
        "error": error,
        "typed_rows": request.POST.get("rows", "")[:20],
        "typed_total": request.POST.get("total", "")[:20],
        # Who keyed it in has the button on the page of the lines; for a colleague who is gone the clerk does it.
        "may_void": may(user, "claims.clerk", found.place) and found.status == Sheet.Status.KEYED,
    }
    return render(request, "claims/desk_sheet.html", context, status=422 if error else 200)


def _about(found: Sheet) -> dict[str, Any]:
    name = (
        head_names(found.place, [found.household_id]).get(found.household_id, "")
        if found.household_id
        else ""
    )
    return {
        "place": found.place,
        "sheet": found,
        "period": parse_code(found.period),
        "head": mask_name(name) if name else "",
        "photos": list(found.photos.exclude(file_name="")),
        "scoring": found.kind == Sheet.Kind.SCORING,
    }


class KeyForm(forms.Form):
    """What stands beside the lines: whose sheet (blank ones), and photos of it."""

    household = forms.CharField(label="户编号", required=False, max_length=300)
    photo = forms.FileField(
        label="给纸表拍照", required=False,
        widget=forms.FileInput(attrs={"accept": "image/*", "capture": "environment"}),
    )  # fmt: skip
    photos = PhotosField(
        label="从相册选照片", required=False, widget=PhotoInput(attrs={"accept": "image/*", "multiple": True})
    )


def _key(request: HttpRequest, user: User, found: Sheet) -> HttpResponse:
    """The lines; looked over or saved, nothing typed is ever lost."""
    form = KeyForm(request.POST, request.FILES) if request.method == "POST" else KeyForm()
    lines = _lines(request) if request.method == "POST" else _stored(found)
    tokens = present(user, request.POST.get("kept", "").split())
    checked: Checked | None = None
    error: ZhiliError | None = None
    do = request.POST.get("do", "")
    if request.method == "POST" and form.is_valid():
        try:
            tokens += _keep(user, form)
            home = found.household or _household(found, form.cleaned_data["household"])
            if do == "save":
                photos = [fetch(user, token) for token in tokens]
                saved, checked = key_in(by=user, sheet=found, lines=lines, household=home, photos=photos)
                if not checked.errors:
                    messages.success(
                        request, f"{saved} 已录入 {len(checked.rows)} 行，等第二个人核对以后提交。"
                    )
                    return redirect("desk_sheets", found.place)
            elif do == "check":
                checked = read_sheet(user, found, lines, home)
        except ZhiliError as refused:
            error = refused
    return _page(request, user, found, form, lines, tokens, checked, error)


def _page(
    request: HttpRequest,
    user: User,
    found: Sheet,
    form: KeyForm,
    lines: list[Typed],
    tokens: list[str],
    checked: Checked | None,
    error: ZhiliError | None,
) -> HttpResponse:
    read = {row.position: row for row in checked.rows} if checked else {}
    more = MORE if request.POST.get("do") == "more" else 0
    count = min(ROWS_MAX, max(LINES, len(lines) + more, last_used(lines) + 3))
    lines = [*lines, *[Typed() for _ in range(count - len(lines))]][:count]
    book = in_force(found.place, min(today(), parse_code(found.period).end))
    context = _about(found) | {
        "form": form,
        "lines": [(n, line, read.get(n)) for n, line in enumerate(lines, start=1)],
        "checked": checked,
        "count": count,
        "error": error,
        "tokens": " ".join(tokens),
        "kept": len(tokens),
        "codes": [(item.code, item.title) for item in parsed(book).items if not item.is_deduction]
        if book
        else [],
        "by_person": book is not None and parsed(book).unit == "resident",
        "typed_household": request.POST.get("household", "")[:300],
    }
    bad = error is not None or (checked is not None and checked.errors) or form.errors
    return render(request, "claims/desk_sheet_key.html", context, status=422 if bad else 200)


def last_used(lines: list[Typed]) -> int:
    return max((n for n, line in enumerate(lines, start=1) if not line.blank), default=0)


def _lines(request: HttpRequest) -> list[Typed]:
    """The lines as they were sent: `item-1`, `day-1`, …; as many as the page had, at most ROWS_MAX."""
    text = request.POST.get("count", "")
    count = min(ROWS_MAX, int(text)) if text.isascii() and text.isdigit() and len(text) < 5 else LINES
    return [
        Typed(**{key: request.POST.get(f"{key}-{n}", "").replace("\x00", "").strip()[:100] for key in FIELDS})
        for n in range(1, count + 1)
    ]


def _stored(found: Sheet) -> list[Typed]:
    rows = {row.position: typed_of(found, row) for row in found.rows.select_related("household", "resident")}
    return [rows.get(n, Typed()) for n in range(1, max(rows, default=0) + 1)]


def _keep(user: User, form: KeyForm) -> list[str]:
    """New photos are put aside at once, whatever else is wrong."""
    data = form.cleaned_data
    uploads = [*data.get("photos", []), *([data["photo"]] if data.get("photo") else [])]
    return [keep(user, upload) for upload in uploads[:6]]


def _household(found: Sheet, text: str) -> Household | None:
    if found.kind == Sheet.Kind.SCORING:
        return None
    home = find_by_card(found.place, text) if text.strip() else None
    if home is None and text.strip():
        raise ClaimError("没有找到这一户", field="household", hint="请照纸表写户编号。")
    return home


@requires("claims.sheets")
def photo(request: HttpRequest, place: str, sheet_number: int, sheetphoto: UUID) -> HttpResponse:
    """The photo of a sheet, for those who work with it."""
    user = at(request, place, "claims.sheets")
    found = access_sheet(user, place, sheet_number)
    row = SheetPhoto.objects.filter(pk=sheetphoto, sheet=found).first()
    if row is None or not row.file_name:
        raise NotFound("没有这张照片。")
    return photo_response(open_sheet_photo(row))


urlpatterns = [
    path("<str:place>/sheets/", sheets, name="desk_sheets"),
    path("<str:place>/sheets/<int:sheet_number>/", sheet, name="desk_sheet"),
    path(
        "<str:place>/sheets/<int:sheet_number>/photos/<uuid:sheetphoto>.jpg", photo, name="desk_sheet_photo"
    ),
]
