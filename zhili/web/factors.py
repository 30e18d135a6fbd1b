"""Second factors (N-02): an authenticator app or a passkey, ten codes on paper for the day the phone is lost.

Compulsory for everybody with a role where settings.SECOND_FACTOR says so; `level3` (等保三级) also wants a passkey,
the factor that is cryptographic on the person's side. The rows are allauth's; their secrets are sealed with the
county's key before they reach the database.
"""

from __future__ import annotations

import json
from typing import Any, Final

import segno
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.audit.actions import record
from zhili.common import limits
from zhili.common.cipher import decrypt, encrypt
from zhili.common.errors import NotFound
from zhili.common.limits import in_words
from zhili.common.policy import open_to_all, reauthenticated, signed_in
from zhili.common.scope import scoped
from zhili.people.secrets import keyring
from zhili.people.sessions import end_sessions
from zhili.web import rates
from zhili.web.request_log import address_of
from zhili.web.trail import instance_place

PURPOSE: Final = "accounts.factor"
KEYS_MAX: Final = 6
Kind = Authenticator.Type


class Adapter(DefaultMFAAdapter):
    """Chinese, and secrets sealed."""

    error_messages = {
        "add_email_blocked": "不能添加邮箱。",
        "cannot_delete_authenticator": "不能关闭第二重验证。",
        "cannot_generate_recovery_codes": "请先开通验证器或通行密钥。",
        "incorrect_code": "验证码不对，请看清最新的一组数字再填。",
        "unverified_email": "请先确认邮箱。",
    }

    def encrypt(self, text: str) -> str:
        return encrypt(keyring(), PURPOSE, text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(keyring(), PURPOSE, encrypted_text)

    def _get_site_name(self) -> str:
        return "智理"

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"通行密钥 {count + 1}"


def tries(form: Any, user: Any, check: Any, how: str) -> Any:
    """Run `check` in the lane of this person's second factor; a right one clears it."""
    request = context.request
    lane = (how, user.pk, address_of(request))
    wait, _ = limits.attempt(rates.FACTOR, *lane)
    if wait:
        raise forms.ValidationError(f"试的次数太多，请过{in_words(wait)}再试。")
    found = check()
    limits.clear(rates.FACTOR, *lane)
    return found


class CodeForm(AuthenticateForm):
    """Six digits of the app, or one of the codes on paper; each is taken once, in whichever process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "验证码"
        self.fields["code"].widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric"}
        self.fields["code"].max_length = 20

    def clean_code(self) -> str:
        return str(tries(self, self.user, self._checked, "code"))

    def _checked(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Kind.TOTP and not limits.once("totp", self.user.pk, code, seconds=120):
            raise forms.ValidationError("这组数字刚才用过了，请等下一组。")
        return code


class KeyForm(AuthenticateWebAuthnForm):
    """What the passkey signed."""

    def clean_credential(self) -> Any:
        return tries(self, self.user, lambda: super(KeyForm, self).clean_credential(), "key")


class SecondFactorPage(AuthenticateView):
    """After the password: the code, or the passkey."""

    template_name = "web/second_factor.html"
    form_class = CodeForm
    webauthn_form_class = KeyForm

    def form_invalid(self, form: Any) -> HttpResponse:
        user = self.stage.login.user
        with scoped("*"):  # nobody is in yet, so no village is in scope
            record(
                "accounts.factor_failed", by=None, place=instance_place(user), target=user, outcome="failed"
            )
        answer: HttpResponse = super().form_invalid(form)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        kinds = set(Authenticator.objects.filter(user=self.stage.login.user).values_list("type", flat=True))
        options = found.get("js_data", {}).get("request_options")
        return {
            **found, "has_app": Kind.TOTP in kinds, "has_key": Kind.WEBAUTHN in kinds,
            "options": json.dumps(options) if options else "",
        }  # fmt: skip


@signed_in
def security(request: HttpRequest) -> HttpResponse:
    """登录与安全: factors, log-ins, bound WeChat; and the page a person with a role starts on without a factor."""
    from zhili.web.doorkeeper import factor_ok
    from zhili.web.login_list import sessions_on_page

    user: Any = request.user
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    words = {
        "app": next((row for row in rows if row.type == Kind.TOTP), None),
        "keys": [
            {"pk": row.pk, "name": row.wrap().name, "at": row.created_at}
            for row in rows
            if row.type == Kind.WEBAUTHN
        ],
        "codes": _codes_left(rows),
        "must": settings.SECOND_FACTOR != "optional"
        and bool(user.memberships_today)
        and not factor_ok(request),
        "should": settings.SECOND_FACTOR == "optional" and bool(user.memberships_today) and not rows,
        "level3": settings.SECOND_FACTOR == "level3",
        "staff": bool(user.memberships_today),
        **sessions_on_page(request),
    }
    return render(request, "web/security.html", words)


class AppForm(forms.Form):
    code = forms.CharField(
        label="验证器上的 6 位数字", max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )  # fmt: skip


@signed_in
@reauthenticated
def add_app(request: HttpRequest) -> HttpResponse:
    """开通验证器: scan, type the six digits, take the codes on paper."""
    user: Any = request.user
    if Authenticator.objects.filter(user=user, type=Kind.TOTP).exists():
        return redirect("mfa_index")
    secret = totp.get_totp_secret(regenerate=request.method != "POST")
    form = AppForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wait, _ = limits.attempt(rates.FACTOR, "add", user.pk)
        if wait:
            form.add_error("code", f"试的次数太多，请过{in_words(wait)}再试。")
        elif not totp.validate_totp_code(secret, form.cleaned_data["code"]):
            form.add_error("code", "数字不对。请看验证器上最新的 6 位；还不对，请核对手机的时间。")
        else:
            limits.clear(rates.FACTOR, "add", user.pk)
            totp.TOTP.activate(user, secret)
            totp.clear_totp_secret(request)
            return _added(request, "totp")
    adapter = Adapter()
    code = segno.make(adapter.build_totp_url(user, secret), error="m")
    words = {
        "form": form, "qr": code.svg_data_uri(scale=5, border=2, dark="#1a231e", light="#ffffff"),
        "secret": " ".join(secret[n : n + 4] for n in range(0, len(secret), 4)),
    }  # fmt: skip
    return render(request, "web/factor_app.html", words)


@signed_in
@reauthenticated
def add_key(request: HttpRequest) -> HttpResponse:
    """添加通行密钥: the device makes a key pair and keeps the secret half to itself."""
    user: Any = request.user
    if Authenticator.objects.filter(user=user, type=Kind.WEBAUTHN).count() >= KEYS_MAX:
        messages.error(request, f"最多 {KEYS_MAX} 个通行密钥，请先删掉不用的。")
        return redirect("mfa_index")
    form = AddWebAuthnForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        webauthn.WebAuthn.add(user, form.cleaned_data["name"][:40], form.cleaned_data["credential"])
        return _added(request, "webauthn")
    options = webauthn.begin_registration(user, passwordless=False)
    return render(request, "web/factor_key.html", {"form": form, "options": json.dumps(options)})


def _added(request: HttpRequest, kind: str) -> HttpResponse:
    user: Any = request.user
    fresh = not Authenticator.objects.filter(user=user, type=Kind.RECOVERY_CODES).exists()
    RecoveryCodes.activate(user)
    record("accounts.factor_add", by=user, place=instance_place(user), target=user, factor=kind)
    # Log-ins made before had only one factor.
    end_sessions(user, keep=request.session.session_key or "")
    request.session.pop("second_factors", None)
    messages.success(request, "已开通。以后登录要多这一步。")
    return redirect("mfa_view_recovery_codes" if fresh else "mfa_index")


@signed_in
@reauthenticated
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    """关闭 one factor; somebody with a role keeps at least one where the county demands it."""
    user: Any = request.user
    row = Authenticator.objects.filter(pk=factor_id, user=user).exclude(type=Kind.RECOVERY_CODES).first()
    if row is None:
        raise NotFound("没有这个验证方式。")
    if request.method == "POST":
        others = Authenticator.objects.filter(user=user).exclude(pk=row.pk).exclude(type=Kind.RECOVERY_CODES)
        left = others.filter(type=Kind.WEBAUTHN) if settings.SECOND_FACTOR == "level3" else others
        if settings.SECOND_FACTOR != "optional" and user.memberships_today and not left.exists():
            messages.error(request, "工作人员要有第二重验证。请先添加另一个，再关闭这个。")
            return redirect("mfa_index")
        row.delete()
        if not others.exists():
            Authenticator.objects.filter(user=user).delete()
        record("accounts.factor_remove", by=user, place=instance_place(user), target=user, factor=row.type)
        end_sessions(user, keep=request.session.session_key or "")
        request.session.pop("second_factors", None)
        messages.success(request, "已关闭。")
        return redirect("mfa_index")
    title = "验证器" if row.type == Kind.TOTP else row.wrap().name
    return render(request, "web/factor_remove.html", {"title": title})


@signed_in
@reauthenticated
def codes(request: HttpRequest) -> HttpResponse:
    """备用码: to print and keep with one's papers; made anew they replace the old."""
    user: Any = request.user
    row = Authenticator.objects.filter(user=user, type=Kind.RECOVERY_CODES).first()
    if row is None:
        return redirect("mfa_index")
    if request.method == "POST":
        row.delete()
        row = RecoveryCodes.activate(user).instance
        record("accounts.factor_codes", by=user, place=instance_place(user), target=user)
        messages.success(request, "已换新的备用码，旧的都作废。")
    unused = row.wrap().get_unused_codes()
    return render(request, "web/factor_codes.html", {"codes": [f"{c[:5]} {c[5:]}" for c in unused]})


def _codes_left(rows: list[Authenticator]) -> int | None:
    row = next((one for one in rows if one.type == Kind.RECOVERY_CODES), None)
    return None if row is None else len(row.wrap().get_unused_codes())


urlpatterns = [
    path("login/code/", open_to_all(SecondFactorPage.as_view()), name="mfa_authenticate"),
    path("me/security/", security, name="mfa_index"),
    path("me/security/app/", add_app, name="mfa_activate_totp"),
    path("me/security/key/", add_key, name="mfa_add_webauthn"),
    path("me/security/codes/", codes, name="mfa_view_recovery_codes"),
    path("me/security/<int:factor_id>/remove/", remove, name="factor_remove"),
]
