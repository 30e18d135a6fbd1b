"""查看方式 (A-10): a system administrator looks at the product as somebody sees it, to help; and can do nothing there.

A reason, half an hour, a banner on every page, a row for every page opened with both persons in it. Only pages to
look at open (common.policy.SUPPORT_SEES), nothing that is sent is taken (every POST but the way out is refused), no
file leaves, no number is shown in full: no vote, consent, redemption, review, approval, unmasking, export or grant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import rules
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.origin import receipt
from zhili.common.policy import reauthenticated, requires, signed_in
from zhili.common.scope import scoped
from zhili.people.errors import PeopleError
from zhili.people.models import Membership, User
from zhili.people.queries import find_user
from zhili.people.scope import enter_scope
from zhili.web.trail import instance_place

GetResponse = Callable[[HttpRequest], HttpResponse]
KEY: Final = "support"
MINUTES: Final = 30
REASON_MIN: Final = 4
SAFE: Final = ("GET", "HEAD")
# Files and pictures of persons are looked at by those whose village it is.
CLOSED: Final = (
    "photo",
    "sheet",
    "evidence",
    "export",
    "paper",
    "download",
    "qr",
    "card",
    "reveal",
    "numbers",
    "copy",
    "slip",
)
ADMINS: Final = (Membership.Role.SYSTEM_ADMIN, Membership.Role.SECURITY_ADMIN, Membership.Role.AUDIT_ADMIN)


@rules.predicate
def gives_support(user: User, place: str | None = None) -> bool:
    """The system administrator of the county."""
    return user.has_role(Membership.Role.SYSTEM_ADMIN, place=place)


rules.add_perm("accounts.support", gives_support)


def start(*, by: User, user: User, reason: str) -> dict[str, Any]:
    """Begin; what the session keeps. Raises NotAllowed, PeopleError."""
    reason = " ".join(reason.split())[:200]
    if len(reason) < REASON_MIN:
        raise PeopleError("请写明为什么要查看", field="reason", hint="例如：电话求助，看不到申报按钮。")
    with scoped(user_id=str(user.pk)):
        held = list(user.memberships_today)
    places = [one.place for one in held] + [user.home_place] * bool(user.home_place)
    if by.pk == user.pk or not user.is_active or not places:
        raise NotAllowed("不能用这个账号查看", hint="请选一位在用的村民或工作人员。")
    if any(one.role in ADMINS for one in held):
        raise NotAllowed("不能用管理员的账号查看", hint="三员互相监督，请本人到场。")
    if not all(gives_support(by, place) for place in places):
        raise NotAllowed("这个人不在您的区县", hint="请核对账号。")
    record(
        "accounts.support_start", by=by, place=instance_place(by), target=user, reason=reason, minutes=MINUTES
    )
    return {"user": user.pk, "by": by.pk, "until": now().timestamp() + MINUTES * 60, "reason": reason}


def as_supported(get_response: GetResponse) -> GetResponse:
    """Before the scope is set: the person whose pages are looked at takes the place of the one who looks."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_view(request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.path.startswith(("/api/", "/open/")) or KEY not in request.session:
            return None
        return _enter(request)

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware


def _enter(request: HttpRequest) -> HttpResponse | None:
    kept, me = request.session[KEY], request.user
    name = request.resolver_match.url_name if request.resolver_match else ""
    if name in ("support_end", "account_logout"):
        return None
    enter_scope(me)
    still = (
        isinstance(me, User) and me.is_authenticated and kept.get("by") == me.pk and gives_support(me)
        and now().timestamp() < kept.get("until", 0)
    )  # fmt: skip
    with scoped("*"):
        whom = (
            User.objects.select_related("resident__household")
            .filter(pk=kept.get("user"), is_active=True)
            .first()
        )
    if not still or whom is None:
        del request.session[KEY]
        if isinstance(me, User) and me.is_authenticated:
            _note(me, kept.get("user"), "accounts.support_end", why="time")
        return None
    route = request.resolver_match.route if request.resolver_match else ""
    is_file = "." in route.rstrip("/").rsplit("/", 1)[-1]
    closed = is_file or "export" in request.GET or any(word in (name or "") for word in CLOSED)
    refused = request.method not in SAFE or closed
    _note(
        me, whom.pk, "accounts.support_view", route=route, method=request.method, outcome="denied" if refused else "ok",
    )  # fmt: skip
    if refused:
        words = {
            "title": "查看方式下不能办事",
            "message": "您在替人查看，只能看，不能提交、导出和看照片、完整号码。",
            "receipt": receipt(),
        }
        return render(request, "web/refused.html", words, status=403)
    whom.supported_by = me  # type: ignore[attr-defined]
    request.user = whom
    request.supported = {"who": str(whom), "until": kept["until"]}  # type: ignore[attr-defined]
    return None


def _note(by: Any, whom: object, action: str, outcome: str = "ok", **detail: Any) -> None:
    with scoped("*"):
        record(
            action, by=by, place=instance_place(by), target=f"people.user:{whom}", outcome=outcome, **detail
        )


class SupportForm(forms.Form):
    username = forms.CharField(label="谁的账号", max_length=150)
    reason = forms.CharField(
        label="为什么要查看", max_length=200, help_text="例如：电话求助，看不到申报按钮。"
    )


@requires("accounts.support")
@reauthenticated
def begin(request: HttpRequest) -> HttpResponse:
    """替人查看: whose pages, and why."""
    by: Any = request.user
    form = SupportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with scoped("*"):
            found = find_user(form.cleaned_data["username"])
        try:
            if found is None:
                raise PeopleError("没有这个账号", field="username", hint="请核对。")
            request.session[KEY] = start(by=by, user=found, reason=form.cleaned_data["reason"])
        except (PeopleError, NotAllowed) as error:
            form.add_error(error.field if error.field in form.fields else "username", str(error))
        else:
            return redirect("/")
    return render(request, "web/support.html", {"form": form, "minutes": MINUTES})


@signed_in
def end(request: HttpRequest) -> HttpResponse:
    """结束查看: back to oneself."""
    by: Any = request.user
    if request.method == "POST" and (kept := request.session.pop(KEY, None)):
        _note(by, kept.get("user"), "accounts.support_end", why="button")
        messages.success(request, "已结束查看，现在是您自己的账号。")
    return redirect("/")


urlpatterns = [path("support/", begin, name="support"), path("support/end/", end, name="support_end")]
