"""微信、钉钉登录 (N-01, U-20): going there and back, and the page for an identity nobody is bound to yet.

The platform only says an opaque number. Who that is, a clerk says who sees the person and types the code on this page,
or the person proves it by name, ID number and household number together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.module_loading import import_string

from zhili.common.clock import now
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.policy import open_to_all, reauthenticated, signed_in
from zhili.people.identities import MINUTES, PROVIDERS, bind_by_facts, unbind, wait_for_clerk
from zhili.people.models import IdentityDispute, User
from zhili.web.request_log import address_of

KEY: Final = "identity_waiting"
WAITING_SECONDS: Final = 3600


class Adapter(DefaultSocialAccountAdapter):
    """A known identity comes in; an unknown one waits on our page; nobody signs up."""

    error_messages = {
        "email_taken": "请用原来的账号登录。", "invalid_token": "登录没有成功，请再试一次。",
        "no_password": "请先设一个密码。", "no_verified_email": "请先确认邮箱。",
        "disconnect_last": "解除以后就没有办法登录了，请先设一个密码。",
        "connected_other": "已经绑定了别的账号。",
    }  # fmt: skip

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """An identity nobody is bound to waits; a log-in in progress is not changed by it."""
        if sociallogin.is_existing:
            return
        account = sociallogin.account
        request.session[KEY] = {"provider": account.provider, "uid": account.uid, "at": now().timestamp()}
        raise ImmediateHttpResponse(redirect("identity_waiting"))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        """Refused by the person, an old code, an answer that lacks its number: one sentence, and the way back."""
        title = PROVIDERS.get(getattr(provider, "id", ""), "")
        words = {"title": f"{title}登录没有成功", "provider": title}
        raise ImmediateHttpResponse(render(request, "web/identity_failed.html", words, status=401))

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Nobody here has a mailbox."""


def ways(request: HttpRequest) -> list[tuple[str, str]]:
    """(address, title) of the platforms that can log this browser in: WeChat's own app inside WeChat."""
    inside = "MicroMessenger" in request.headers.get("User-Agent", "")
    found = []
    for name, title in PROVIDERS.items():
        apps: Any = settings.SOCIALACCOUNT_PROVIDERS.get(name, {}).get("APPS", [])
        kinds = {app["settings"].get("kind") for app in apps}
        if kinds & ({"mp"} if inside else {"web"}) or (name == "dingtalk" and kinds):
            found.append((reverse(f"{name}_login"), title))
    return found


def to_login() -> HttpResponse:
    return HttpResponseRedirect(reverse("account_login"))


def _through(view_path: str) -> Callable[..., HttpResponse]:
    """The integration's own view, by dotted path; NotFound while the county has no app there."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = import_string(view_path)(request, *args, **kwargs)
        except SocialApp.DoesNotExist:
            raise NotFound("没有这种登录方式。") from None
        return answer

    return view


def _waiting(request: HttpRequest) -> dict[str, Any] | None:
    kept = request.session.get(KEY)
    return kept if kept and now().timestamp() - kept["at"] < WAITING_SECONDS else None


class FactsForm(forms.Form):
    name = forms.CharField(label="姓名", max_length=60)
    id_number = forms.CharField(
        label="身份证号", max_length=20, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    household_code = forms.CharField(label="户编号", max_length=20, help_text="印在积分卡上，例如 3-012。")


@open_to_all
def waiting(request: HttpRequest) -> HttpResponse:
    """这个微信还没有绑定: the code for the clerk. A new one at each button; the page shows it once."""
    kept = _waiting(request)
    if kept is None:
        return to_login()
    code = wait_for_clerk(kept["provider"], kept["uid"]) if request.method == "POST" else ""
    words = {
        "provider": PROVIDERS[kept["provider"]],
        "code": code,
        "minutes": MINUTES,
        "again": f"{kept['provider']}_login",
    }
    return render(request, "web/identity_waiting.html", words)


@open_to_all
def facts(request: HttpRequest) -> HttpResponse:
    """自己核对: three facts that must all fit; what did not is not said."""
    kept = _waiting(request)
    if kept is None:
        return to_login()
    form = FactsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = bind_by_facts(
                provider=kept["provider"], uid=kept["uid"], source=address_of(request), **form.cleaned_data
            )
        except ZhiliError as error:
            form.add_error(None, str(error))
        else:
            del request.session[KEY]
            if isinstance(made, IdentityDispute):
                words = {"provider": PROVIDERS[kept["provider"]]}
                return render(request, "web/identity_dispute.html", words)
            return _come_in(request, User.objects.get(pk=made.user_id), kept["provider"])
    return render(request, "web/identity_facts.html", {"form": form, "provider": PROVIDERS[kept["provider"]]})


def _come_in(request: HttpRequest, user: Any, provider: str) -> HttpResponse:
    record_authentication(request, user, method="socialaccount", provider=provider)
    answer: HttpResponse = perform_login(request, user)
    return answer


@signed_in
@reauthenticated
def let_go(request: HttpRequest, provider: str) -> HttpResponse:
    """解除绑定 of one's own WeChat or DingTalk."""
    if provider not in PROVIDERS:
        raise NotFound("没有这种登录方式。")
    if request.method == "POST":
        unbind(by=request.user, provider=provider)  # type: ignore[arg-type]
        return redirect("mfa_index")
    return render(request, "web/factor_remove.html", {"title": f"{PROVIDERS[provider]}登录", "verb": "解除"})


urlpatterns = [
    path("login/weixin/", open_to_all(_through("zhili.integrations.weixin.views.go")), name="weixin_login"),
    path("login/weixin/back/", open_to_all(_through("zhili.integrations.weixin.views.back")), name="weixin_callback"),
    path("login/dingtalk/", open_to_all(_through("zhili.integrations.dingtalk.views.go")), name="dingtalk_login"),
    path(
        "login/dingtalk/back/", open_to_all(_through("zhili.integrations.dingtalk.views.back")),
        name="dingtalk_callback",
    ),
    path("login/bind/", waiting, name="identity_waiting"),
    path("login/bind/facts/", facts, name="identity_facts"),
    path("me/security/unbind/<str:provider>/", let_go, name="identity_unbind"),
]  # fmt: skip
