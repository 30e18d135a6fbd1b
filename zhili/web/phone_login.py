"""用手机验证码登录 (N-08): for villagers without a password. The same page follows for a known and an unknown number."""

from __future__ import annotations

from typing import Any, Final

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import ZhiliError
from zhili.common.masking import mask_name
from zhili.common.policy import open_to_all
from zhili.people.models import User
from zhili.people.phone_codes import MINUTES, ask_code, redeem_code
from zhili.web.request_log import address_of
from zhili.web.trail import code_failed

KEY: Final = "phone_code"
WHO: Final = "phone_code_who"


class PhoneForm(forms.Form):
    phone = forms.CharField(
        label="手机号", max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
    )  # fmt: skip


class CodeForm(forms.Form):
    code = forms.CharField(
        label="6 位验证码", max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip


@open_to_all
def ask(request: HttpRequest) -> HttpResponse:
    """Which phone."""
    form = PhoneForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            request.session[KEY] = str(ask_code(form.cleaned_data["phone"], source=address_of(request)))
        except ZhiliError as error:
            form.add_error("phone", str(error))
        else:
            return redirect("login_phone_code")
    return render(request, "web/login_phone.html", {"form": form})


@open_to_all
def enter(request: HttpRequest) -> HttpResponse:
    """The code; where a family shares the phone, then which of them."""
    key = request.session.get(KEY)
    if not key:
        return redirect("login_phone")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            users = redeem_code(key, form.cleaned_data["code"])
        except ZhiliError as error:
            code_failed()
            form.add_error("code", str(error))
        else:
            del request.session[KEY]
            if len(users) == 1:
                return _come_in(request, users[0])
            request.session[WHO] = [one.pk for one in users]
            return redirect("login_phone_who")
    return render(request, "web/login_phone_code.html", {"form": form, "minutes": MINUTES})


@open_to_all
def who(request: HttpRequest) -> HttpResponse:
    """您是哪一位: only after the code was right, only those with this phone."""
    keys = request.session.get(WHO) or []
    users = list(User.objects.filter(pk__in=keys, is_active=True).order_by("pk")) if keys else []
    if not users:
        return redirect("login_phone")
    if request.method == "POST":
        chosen = next((one for one in users if str(one.pk) == request.POST.get("who", "")), None)
        if chosen is not None:
            del request.session[WHO]
            return _come_in(request, chosen)
    people = [{"pk": one.pk, "name": mask_name(one.display_name)} for one in users]
    return render(request, "web/login_phone_who.html", {"people": people})


def _come_in(request: HttpRequest, user: Any) -> HttpResponse:
    record_authentication(request, user, method="phone")
    answer: HttpResponse = perform_login(request, user)
    return answer


urlpatterns = [
    path("login/phone/", ask, name="login_phone"),
    path("login/phone/code/", enter, name="login_phone_code"),
    path("login/phone/who/", who, name="login_phone_who"),
]
