"""设置: what a village decides for itself, apart from its rule book."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.policy import may, requires
from zhili.places.actions import set_village_settings
from zhili.places.models import VillageSettings
from zhili.places.queries import get_place, village_settings


class SettingsForm(forms.ModelForm):
    """All but the mark of invented data."""

    class Meta:
        model = VillageSettings
        fields = (
            "notice_days", "acknowledge_days", "answer_days", "late_days", "office_phone", "office_address",
            "supervisor_phone",
        )  # fmt: skip

    def _post_clean(self) -> None:
        """The action checks and saves; the form only reads."""


@requires("places.settings")
def settings(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/settings/"""
    if not may(request.user, "places.settings", place) or len(get_place(place).code) != 12:
        raise NotFound("没有这一页。")
    row = village_settings(place)
    form = SettingsForm(request.POST if request.method == "POST" else None, instance=row)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                set_village_settings(by=request.user, place=place, **form.cleaned_data)  # type: ignore[arg-type]
        except ZhiliError as error:
            show_error(form, error)
        else:
            messages.success(request, "已保存，从下一次公示起按新的办。")
            return redirect("desk_settings", place)
    return render(request, "places/desk_settings.html", {"form": form, "place": place})


urlpatterns = [path("<str:place>/settings/", settings, name="desk_settings")]
