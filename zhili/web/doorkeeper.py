"""What stands between a signed-in person and every page: how often, how long, with which password and second factor.

After the person and their scope are known, in this order: too many pages (429); a session that has grown idle or old
for its role is ended (N-06); a one-time or outgrown password must be changed first (N-04, N-05); a person with a role
switches a second factor on first (N-02); a file that leaves the house is asked for by somebody who has lately proved
who they are (N-09).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from zhili.common import readonly
from zhili.common.clock import now
from zhili.common.limits import in_words
from zhili.common.origin import receipt
from zhili.common.policy import PROVED_AT, recently_proved
from zhili.people import passwords
from zhili.people.models import User
from zhili.people.sessions import note_seen, note_session
from zhili.web import rates
from zhili.web.request_log import address_of

GetResponse = Callable[[HttpRequest], HttpResponse]
STARTED, SEEN, FACTORS = "started_at", "seen_at", "second_factors"
SEEN_EVERY: Final = 60
# Pages that stay open to somebody who must change the password or switch a second factor on.
ALWAYS: Final = frozenset({"account_logout", "elder_mode", "account_login", "support_end"})
PASSWORD_PAGES: Final = ALWAYS | {"account_change_password", "account_set_password"}
FACTOR_PAGES: Final = PASSWORD_PAGES | {
    "mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_view_recovery_codes", "account_reauthenticate",
    "again_code",
}  # fmt: skip


def doorkeeper(get_response: GetResponse) -> GetResponse:
    """The innermost middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_view(request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.path.startswith("/api/"):
            return None  # its own limits, config/api.py
        wait = rates.of_page(request, address_of(request))
        if wait:
            return too_often(request, wait)
        if request.path.startswith("/open/") or not request.user.is_authenticated or readonly.state().on:
            return None
        return _session(request) or _password(request) or _factor(request) or _export(request)

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware


def too_often(request: HttpRequest, wait: float) -> HttpResponse:
    """429 in words, with what was typed."""
    words = {
        "title": "打开得太快了", "message": f"请歇一歇，过{in_words(wait)}再打开。", "receipt": receipt(),
        "typed": typed(request),
    }  # fmt: skip
    answer = render(request, "web/refused.html", words, status=429)
    answer["Retry-After"] = str(int(wait) + 1)
    request.failed = True  # type: ignore[attr-defined]
    return answer


def typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What a refused form held, to copy from; no passwords and codes."""
    return [
        (name, value[:2000])
        for name, values in list(request.POST.lists())[:50]
        for value in values[:20]
        if value.strip() and name not in ("csrfmiddlewaretoken", "next", "code", "credential", "kept")
        and "password" not in name
    ]  # fmt: skip


def starts(sender: Any, request: HttpRequest, user: User, **more: Any) -> None:
    """A log-in, by whichever way: the session's clock starts and the person's list of log-ins gets its row."""
    session = getattr(request, "session", None)
    if session is None:
        return
    session[STARTED] = session[SEEN] = session[PROVED_AT] = now().timestamp()
    session.pop(FACTORS, None)
    if session.session_key is None:
        session.save()
    note_session(
        user, session.session_key, agent=request.META.get("HTTP_USER_AGENT", ""), way=way_of(request, user)
    )


def way_of(request: HttpRequest, user: User) -> str:
    """password, phone, weixin, dingtalk or passkey: the first thing this log-in was opened with."""
    records = request.session.get("account_authentication_methods") or []
    first = records[0] if records else {}
    return str(first.get("provider") or first.get("method") or "password")


def connect() -> None:
    """Django's own hook for every way in; called once when the app is ready."""
    user_logged_in.connect(starts, dispatch_uid="zhili.doorkeeper.starts")


def _session(request: HttpRequest) -> HttpResponse | None:
    session, user = request.session, request.user
    at = now().timestamp()
    started, seen = session.get(STARTED), session.get(SEEN)
    if started is None or seen is None:
        session[STARTED] = session[SEEN] = at
        return None
    staff = bool(user.memberships_today) or _is_supported(user)  # type: ignore[union-attr]
    idle = (
        timedelta(minutes=settings.SESSION_STAFF_IDLE_MINUTES)
        if staff
        else timedelta(days=settings.SESSION_VILLAGER_IDLE_DAYS)
    )
    longest = (
        timedelta(hours=settings.SESSION_STAFF_HOURS)
        if staff
        else timedelta(days=settings.SESSION_VILLAGER_DAYS)
    )
    if at - seen > idle.total_seconds() or at - started > longest.total_seconds():
        why = (
            f"{settings.SESSION_STAFF_IDLE_MINUTES} 分钟没有操作，已自动退出。" if staff and at - seen > idle.total_seconds()
            else "这次登录已经到时间，请重新登录。"
        )  # fmt: skip
        return _expired(request, why)
    if at - seen > SEEN_EVERY:
        session[SEEN] = at
        if session.session_key:
            note_seen(session.session_key)
    return None


def _expired(request: HttpRequest, why: str) -> HttpResponse:
    kept = typed(request) if request.method == "POST" else []
    path = request.get_full_path()
    logout(request)
    if kept:
        words = {
            "title": "已自动退出",
            "message": f"{why}刚才的内容没有提交。",
            "receipt": receipt(),
            "typed": kept,
        }
        return render(request, "web/refused.html", words, status=403)
    messages.info(request, why)
    return redirect_to_login(path if request.method == "GET" else "/")


def _password(request: HttpRequest) -> HttpResponse | None:
    user: Any = request.user
    if _is_supported(user) or _name(request) in PASSWORD_PAGES:
        return None
    said, left = passwords.state(user)
    if said in ("must_change", "expired"):
        return redirect("account_change_password")
    if said == "soon" and not request.session.get("password_warned"):
        request.session["password_warned"] = True
        messages.warning(request, f"密码还有 {left} 天到期，请在“我的”里换一个新密码。")
    return None


def _factor(request: HttpRequest) -> HttpResponse | None:
    user: Any = request.user
    if settings.SECOND_FACTOR == "optional" or _is_supported(user) or not user.memberships_today:
        return None
    if _name(request) in FACTOR_PAGES or factor_ok(request):
        return None
    return redirect("mfa_index")


def factor_ok(request: HttpRequest) -> bool:
    """Whether the person has the second factor the county's profile asks for; read once a session."""
    kinds = request.session.get(FACTORS)
    if not kinds:
        found = Authenticator.objects.filter(user_id=request.user.pk).exclude(
            type=Authenticator.Type.RECOVERY_CODES
        )
        kinds = sorted(set(found.values_list("type", flat=True)))
        if kinds:
            request.session[FACTORS] = kinds
    return bool(Authenticator.Type.WEBAUTHN in kinds if settings.SECOND_FACTOR == "level3" else kinds)


def _export(request: HttpRequest) -> HttpResponse | None:
    if "export" not in request.GET or recently_proved(request):
        return None
    from zhili.web.again import ask

    return ask(request)


def _is_supported(user: Any) -> bool:
    return getattr(user, "supported_by", None) is not None


def _name(request: HttpRequest) -> str:
    return (request.resolver_match.url_name or "") if request.resolver_match else ""
