"""节假日: the county keys in the State Council's yearly circular; it wins over the published calendar.

One table for the whole county. Notices and objections count their working days by it from the next one on;
what hangs already keeps its dates.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.models import Holiday
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.common.workdays import table_covers
from zhili.places.access import must
from zhili.places.errors import PlaceError
from zhili.places.queries import get_place

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

YEARS_AHEAD: Final = 3
ROWS_MAX: Final = 1_000
COUNTY_DIGITS: Final = 6


@transaction.atomic
def set_holiday(
    *, by: AbstractBaseUser | None, place: str, day: date, is_workday: bool, title: str
) -> Holiday:
    """Write one day: rest, or a working weekend. A day that stands there is refused: remove it first.

    place: any place of the county; the row is the county's. Raises NotAllowed, PlaceError.
    """
    must(by, "places.holidays", place)
    title = title.strip()
    if not title or len(title) > Holiday._meta.get_field("title").max_length:  # type: ignore[operator]
        raise PlaceError("请写明是什么日子，不超过 40 个字", field="title", hint="例如 国庆节、国庆调休。")
    if not today() - timedelta(days=366) <= day <= today() + timedelta(days=366 * YEARS_AHEAD):
        raise PlaceError(f"{day} 太远", field="day", hint=f"只填去年到今后 {YEARS_AHEAD} 年的日子。")
    if Holiday.objects.count() >= ROWS_MAX:
        raise PlaceError(f"最多填 {ROWS_MAX} 天", hint="请先删去往年的。")
    row, made = Holiday.objects.get_or_create(day=day, defaults={"is_workday": is_workday, "title": title})
    if not made:
        raise PlaceError(f"{day} 已经填过：{row.title}", field="day", hint="要改的话，先删去再填。")
    record(
        "places.set_holiday", by=by, place=place[:COUNTY_DIGITS], target=f"holiday:{day}",
        is_workday=is_workday, title=title,
    )  # fmt: skip
    return row


@transaction.atomic
def remove_holiday(*, by: AbstractBaseUser | None, place: str, day: date) -> None:
    """Take a day out of the table; the published calendar counts for it again. Raises NotAllowed, NotFound."""
    must(by, "places.holidays", place)
    gone = Holiday.objects.filter(day=day).first()
    if gone is None:
        raise NotFound("没有填过这一天。")
    gone.delete()
    record(
        "places.remove_holiday", by=by, place=place[:COUNTY_DIGITS], target=f"holiday:{day}",
        is_workday=gone.is_workday, title=gone.title,
    )  # fmt: skip


class HolidayForm(forms.Form):
    """One day of the circular."""

    day = forms.DateField(label="日期", widget=forms.DateInput(attrs={"type": "date"}))
    is_workday = forms.TypedChoiceField(
        label="这一天",
        choices=[("rest", "放假"), ("work", "上班（调休）")],
        coerce=lambda value: value == "work",
    )
    title = forms.CharField(label="说明", max_length=40, help_text="例如 国庆节、国庆调休")


@requires("places.holidays")
def holidays(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/settings/holidays/: the table, one form to add, a button per row to remove."""
    if not may(request.user, "places.holidays", place):
        raise NotFound("没有这一页。")
    get_place(place)
    removing = request.POST.get("remove", "")
    form = HolidayForm(request.POST if request.method == "POST" and not removing else None)
    by: AbstractBaseUser = request.user  # type: ignore[assignment]
    if removing:
        try:
            day = date.fromisoformat(removing)
        except ValueError:
            raise NotFound("没有填过这一天。") from None
        remove_holiday(by=by, place=place, day=day)
        messages.success(request, f"已删去 {day}。")
        return redirect("desk_holidays", place)
    if request.method == "POST" and form.is_valid():
        try:
            row = set_holiday(by=by, place=place, **form.cleaned_data)
            messages.success(request, f"已填：{row}。从下一次公示起按新的算。")
            return redirect("desk_holidays", place)
        except ZhiliError as error:
            show_error(form, error)
    year = today().year
    context = {
        "form": form,
        "place": place,
        "rows": Holiday.objects.order_by("-day")[:ROWS_MAX],
        "missing": [one for one in (year, year + 1) if not table_covers(one)],
    }
    return render(request, "places/desk_holidays.html", context, status=422 if form.errors else 200)


urlpatterns = [path("<str:place>/settings/holidays/", holidays, name="desk_holidays")]
