"""Logging in and out, passwords (N-03, N-04, N-05). The views are allauth's, the pages ours; nobody signs up alone.

Who tries passwords waits longer and longer, each in a lane of their own: a device the account was used on before has
its own lane, and so has every address. A stranger who hammers at a clerk's name fills the strangers' lane and his own;
the clerk's computer never waits for it (ASVS 6.1.1).
"""

from __future__ import annotations

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ChangePasswordForm, LoginForm, SetPasswordForm
from allauth.account.views import LoginView, LogoutView, PasswordChangeView, PasswordSetView
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.audit.actions import record
from zhili.common import limits
from zhili.common.clock import random_bytes
from zhili.common.limits import in_words
from zhili.common.policy import open_to_all, signed_in
from zhili.people import passwords
from zhili.people.models import User
from zhili.people.sessions import end_sessions
from zhili.web import again, factors, identities, login_list, phone_login, rates, support
from zhili.web.request_log import address_of
from zhili.web.trail import instance_place

DEVICE_COOKIE: Final = "known"
DEVICE_DAYS: Final = 180
DEVICES_MAX: Final = 6


class Adapter(DefaultAccountAdapter):
    """Accounts are made by a clerk for people she knows; nobody signs up by themselves (N-01)."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "账号或密码不对。忘了密码，请找村文书当面办。",
        "incorrect_password": "密码不对。",
        "enter_current_password": "现在的密码不对。",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Take the try before the password is looked at, so that a hundred at once do not slip through."""
        name = str(credentials.get("username") or "").strip().lower()[:150]
        where = address_of(request)
        self.lane = (name, device_for(request, name) or f"address {where}")
        wait = rates.take(rates.SOURCE, where)
        if not wait:
            wait, failures = limits.attempt(rates.LANE, *self.lane)
            if not wait and self.lane[1].startswith("address") and failures > rates.STRANGER_AFTER:
                wait = limits.take(rates.STRANGERS, name)
        if wait:
            raise forms.ValidationError(
                f"试的次数太多，请过{in_words(wait)}再试。", code="too_many_login_attempts"
            )

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        user = super().authenticate(request, **credentials)
        if user is None:
            return None
        limits.clear(rates.LANE, *self.lane)
        limits.give_back(rates.SOURCE, address_of(request))
        if passwords.lapsed(user):
            raise forms.ValidationError(
                "这个一次性密码已经过期，请找村文书（工作人员找授予身份的经办人）重新开一个。", code="lapsed"
            )
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """allauth's own counter is off."""

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        answer: HttpResponse = super().post_login(request, user, **more)
        remember_device(request, answer, user)
        return answer

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """allauth's ready-made sentences are not ours."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Nobody here has a mailbox; the person sees log-ins and factors on a page of their own."""

    def set_password(self, user: User, password: str) -> None:
        """The person has chosen one: the one-time password is spent, every other log-in ends."""
        passwords.note_changed(user)
        super().set_password(user, password)
        end_sessions(user, keep=self.request.session.session_key or "")
        record("accounts.password", by=user, place=instance_place(user), target=user)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        messages.error(request, "这个账号已停用，请找村文书。")
        return identities.to_login()

    def is_safe_url(self, url: str) -> bool:
        return bool(super().is_safe_url(url))


def device_for(request: HttpRequest, username: str) -> str:
    """The number this device got when `username` last came in on it; "" where it is not known."""
    for name, device in _devices(request):
        if name == username:
            return device
    return ""


def remember_device(request: HttpRequest, answer: HttpResponse, user: User) -> None:
    """A signed cookie that opens nothing: it only says that this device need not queue with strangers."""
    name = user.username.lower()
    known = [one for one in _devices(request) if one[0] != name]
    kept = [(name, device_for(request, name) or random_bytes(16).hex()), *known][:DEVICES_MAX]
    answer.set_cookie(
        DEVICE_COOKIE, signing.dumps(kept, salt="known-device", compress=True), max_age=DEVICE_DAYS * 86400,
        path="/login/", httponly=True, samesite="Lax", secure=settings.MODE == "production",
    )  # fmt: skip


def _devices(request: HttpRequest) -> list[tuple[str, str]]:
    try:
        found = signing.loads(
            request.COOKIES.get(DEVICE_COOKIE, ""), salt="known-device", max_age=DEVICE_DAYS * 86400
        )
    except signing.BadSignature:
        return []
    return [(str(name), str(device)) for name, device in found]


class OurLoginForm(LoginForm):
    """The label says it; a placeholder that repeats it only looks like an answer already given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["login"].label = "用户名"
        self.fields["password"].help_text = ""


def _plain(form: forms.Form) -> None:
    for name, label in (
        ("oldpassword", "现在的密码"),
        ("password1", "新密码"),
        ("password2", "再填一遍新密码"),
    ):
        if name in form.fields:
            form.fields[name].label = label
            form.fields[name].widget.attrs.pop("placeholder", None)
            form.fields[name].help_text = _hint() if name == "password1" else ""


def _hint() -> str:
    if settings.PASSWORD_PROFILE == "gbt":  # noqa: S105
        return "至少 10 位，小写字母、大写字母、数字、符号里至少三种。不要用常见的密码。"
    return "至少 12 位，越长越好，例如几个不相干的词连在一起。不要用常见的密码。"


class OurChangeForm(ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _plain(self)

    def clean_oldpassword(self) -> str:
        wait, _ = limits.attempt(rates.AGAIN, "password", self.user.pk)
        if wait:
            raise forms.ValidationError(f"试的次数太多，请过{in_words(wait)}再试。")
        old: str = super().clean_oldpassword()
        limits.clear(rates.AGAIN, "password", self.user.pk)
        return old

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        if cleaned and cleaned.get("password1") and cleaned["password1"] == cleaned.get("oldpassword"):
            self.add_error("password1", "新密码不能和现在的一样。")
        return cleaned


class OurSetForm(SetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _plain(self)


class LoginPage(LoginView):
    template_name = "web/login.html"
    form_class = OurLoginForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "ways": identities.ways(self.request)}


class LogoutPage(LogoutView):
    template_name = "web/logout.html"

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().post(*args, **kwargs)
        if self.request.POST.get("clear"):
            # For the phone in the village office: nothing of this person stays on it (W-09).
            answer["Clear-Site-Data"] = '"cache", "cookies", "storage"'
            for name in list(self.request.COOKIES):
                answer.delete_cookie(name)
            answer.delete_cookie(DEVICE_COOKIE, path="/login/")
        return answer


class PasswordPage(PasswordChangeView):
    template_name = "web/password.html"
    form_class = OurChangeForm
    success_url = "/"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        said, days = passwords.state(self.request.user)
        return {**super().get_context_data(**kwargs), "said": said, "days": days}

    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        messages.success(self.request, "密码已换好，别的设备上的登录都已退出。")
        return answer


class FirstPasswordPage(PasswordSetView):
    template_name = "web/password.html"
    form_class = OurSetForm
    success_url = "/"


# The names are allauth's own: it reverses them itself.
urlpatterns = [
    path("login/", open_to_all(LoginPage.as_view()), name="account_login"),
    path("logout/", signed_in(LogoutPage.as_view()), name="account_logout"),
    path("password/", signed_in(PasswordPage.as_view()), name="account_change_password"),
    # For a log-in made without a password (a card, WeChat): the first one.
    path("password/first/", signed_in(FirstPasswordPage.as_view()), name="account_set_password"),
    *phone_login.urlpatterns,
    *identities.urlpatterns,
    *factors.urlpatterns,
    *again.urlpatterns,
    *login_list.urlpatterns,
    *support.urlpatterns,
]
