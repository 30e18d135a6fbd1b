"""请再确认一次 (N-09): who is at the keyboard now, asked before what shows much or cannot be undone.

A form that was being sent is not lost: what was typed travels, signed, through the question and stands ready to be
sent again with one button. Files cannot travel; the page says so.
"""

from __future__ import annotations

import json
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from zhili.audit.actions import record
from zhili.common import limits
from zhili.common.clock import now
from zhili.common.errors import ZhiliError
from zhili.common.limits import in_words
from zhili.common.policy import PROVED_AT, signed_in
from zhili.people.phone_codes import ask_code, phone_of, redeem_code
from zhili.web import rates
from zhili.web.factors import CodeForm, KeyForm
from zhili.web.request_log import address_of
from zhili.web.trail import instance_place

SALT: Final = "again"
KEPT_SECONDS: Final = 1800
KEPT_MAX: Final = 200_000
CODE_KEY: Final = "again_code"


def ask(request: HttpRequest) -> HttpResponse:
    """Instead of the view: the question. Named by settings.REAUTHENTICATE for common.policy."""
    if request.method != "POST":
        return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': request.get_full_path()})}")
    fields = [
        (name, value) for name, values in request.POST.lists() for value in values
        if name != "csrfmiddlewaretoken" and "password" not in name
    ]  # fmt: skip
    kept = signing.dumps(
        {"user": request.user.pk, "path": request.get_full_path(), "fields": fields, "files": bool(request.FILES)},
        salt=SALT, compress=True,
    )  # fmt: skip
    if len(kept) > KEPT_MAX:
        kept = ""
    return _page(request, kept=kept, then=request.get_full_path())


class AgainForm(forms.Form):
    password = forms.CharField(
        label="密码", required=False, strip=False, max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    code = forms.CharField(
        label="验证器上的 6 位数字（或备用码）", required=False, max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip
    sms = forms.CharField(
        label="短信验证码", required=False, max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip


@signed_in
def again(request: HttpRequest) -> HttpResponse:
    """The question, and its answer by password, app, passkey or a code to the phone on record."""
    if request.method != "POST":
        return _page(request, then=_safe(request, request.GET.get("next", "")))
    user: Any = request.user
    kept, then = request.POST.get("kept", ""), _safe(request, request.POST.get("next", ""))
    form = AgainForm(request.POST)
    wait, _ = limits.attempt(rates.AGAIN, "again", user.pk)
    if wait:
        form.add_error(None, f"试的次数太多，请过{in_words(wait)}再试。")
        return _page(request, form=form, kept=kept, then=then)
    if not form.is_valid() or not _proved(request, form):
        record("accounts.again_failed", by=user, place=instance_place(user), target=user, outcome="failed")
        return _page(request, form=form, kept=kept, then=then)
    limits.clear(rates.AGAIN, "again", user.pk)
    request.session[PROVED_AT] = now().timestamp()
    record("accounts.again", by=user, place=instance_place(user), target=user)
    found = _opened(request, kept)
    if found is None:
        return redirect(then)
    return render(request, "web/again_go_on.html", found)


@signed_in
def send_code(request: HttpRequest) -> HttpResponse:
    """A code to the phone on record, for people without a password."""
    user: Any = request.user
    kept, then = request.POST.get("kept", ""), _safe(request, request.POST.get("next", ""))
    form = AgainForm()
    number = phone_of(user)
    if request.method == "POST" and number:
        try:
            request.session[CODE_KEY] = str(ask_code(number, source=address_of(request)))
        except ZhiliError as error:
            form = AgainForm({})
            form.add_error(None, str(error))
    return _page(request, form=form, kept=kept, then=then)


def _proved(request: HttpRequest, form: AgainForm) -> bool:
    user: Any = request.user
    given = form.cleaned_data
    if given["password"] and user.has_usable_password():
        if user.check_password(given["password"]):
            return True
        form.add_error("password", "密码不对。")
    elif given["code"]:
        asked = CodeForm({"code": given["code"]}, user=user)
        if asked.is_valid():
            return True
        form.add_error("code", asked.errors["code"][0])
    elif request.POST.get("credential"):
        signed = KeyForm({"credential": request.POST["credential"]}, user=user)
        if signed.is_valid():
            return True
        form.add_error(None, "通行密钥没有对上，请再试一次。")
    elif given["sms"] and request.session.get(CODE_KEY):
        try:
            if any(one.pk == user.pk for one in redeem_code(request.session[CODE_KEY], given["sms"])):
                del request.session[CODE_KEY]
                return True
        except ZhiliError as error:
            form.add_error("sms", str(error))
    else:
        form.add_error(None, "请填写下面的一项。")
    return False


def _page(
    request: HttpRequest, *, form: AgainForm | None = None, kept: str = "", then: str = "/"
) -> HttpResponse:
    user: Any = request.user
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    options = webauthn.begin_authentication(user) if "webauthn" in kinds else None
    words = {
        "form": form or AgainForm(), "kept": kept, "next": then, "has_password": user.has_usable_password(),
        "has_app": "totp" in kinds, "options": json.dumps(options) if options else "",
        "phone": (phone_of(user) or "")[-2:] if not user.has_usable_password() else "",
        "sent": CODE_KEY in request.session,
    }  # fmt: skip
    return render(request, "web/again.html", words)


def _opened(request: HttpRequest, kept: str) -> dict[str, Any] | None:
    if not kept:
        return None
    try:
        found = signing.loads(kept, salt=SALT, max_age=KEPT_SECONDS)
    except signing.BadSignature:
        return None
    if found["user"] != request.user.pk or _safe(request, found["path"]) != found["path"]:
        return None
    return {"path": found["path"], "fields": found["fields"], "files": found["files"]}


def _safe(request: HttpRequest, wanted: str) -> str:
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if allowed and wanted.startswith("/") else "/"


urlpatterns = [
    path("login/again/", again, name="account_reauthenticate"),
    path("login/again/code/", send_code, name="again_code"),
]
