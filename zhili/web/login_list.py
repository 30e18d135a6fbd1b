"""The list of one's own log-ins, and what the office does about others': one-time passwords, bindings, disputes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.policy import may, reauthenticated, requires, signed_in
from zhili.people.access import access_membership, access_resident
from zhili.people.identities import PROVIDERS, access_dispute, bind_by_code, decide_dispute, open_disputes
from zhili.people.models import IdentityDispute, User
from zhili.people.passwords import SLIP_HOURS, issue_one_time, may_reset
from zhili.people.sessions import end_others, end_session, sessions_of


def sessions_on_page(request: HttpRequest) -> dict[str, Any]:
    """What the page 登录与安全 shows of log-ins and bound platforms."""
    user: Any = request.user
    here = request.session.session_key
    rows = [{"row": row, "here": row.session_key == here} for row in sessions_of(user)]
    bound = SocialAccount.objects.filter(user=user).values_list("provider", flat=True)
    return {"sessions": rows, "bound": [(name, PROVIDERS[name]) for name in bound if name in PROVIDERS]}


@signed_in
def end_one(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """退出那台设备."""
    if request.method == "POST":
        end_session(by=request.user, session_id=session_id)  # type: ignore[arg-type]
        messages.success(request, "那台设备已退出。")
    return redirect("mfa_index")


@signed_in
def end_all(request: HttpRequest) -> HttpResponse:
    """退出别的所有设备."""
    if request.method == "POST":
        count = end_others(by=request.user, keep=request.session.session_key or "")  # type: ignore[arg-type]
        messages.success(request, f"别的设备都已退出（{count} 处）。" if count else "没有别的设备在登录。")
    return redirect("mfa_index")


# ---------------------------------------------------------------------------------------------- the office


@requires("people.make_login")
@reauthenticated
def slip_of_resident(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """一次性密码 for a villager of this village."""
    one = access_resident(request.user, resident_id)
    user = User.objects.filter(resident=one, is_active=True).order_by("pk").first()
    if one.place != place or user is None:
        raise NotFound("这个人还没有账号。")
    return _slip(request, place, user)


@requires("people.grant_roles")
@reauthenticated
def slip_of_member(request: HttpRequest, place: str, membership_id: int) -> HttpResponse:
    """一次性密码 for somebody with a role here."""
    held = access_membership(request.user, membership_id)
    if held.place != place:
        raise NotFound("没有这条身份。")
    return _slip(request, place, held.user)


def _slip(request: HttpRequest, place: str, user: User) -> HttpResponse:
    by: Any = request.user
    if not may_reset(by, user):
        raise NotAllowed("您不能给这个账号开一次性密码。请找授予这个身份的经办人；自己的密码自己改。")
    secret = issue_one_time(by=by, user=user) if request.method == "POST" else ""
    words = {"place": place, "who": user, "secret": secret, "hours": SLIP_HOURS}
    return render(request, "web/desk_slip.html", words)


class BindForm(forms.Form):
    code = forms.CharField(
        label="绑定码", max_length=20, help_text="本人手机上显示的 8 位码，例如 A1B2-C3D4。"
    )
    seen = forms.BooleanField(label="本人在场，我看过他的身份证")


@requires("people.make_login")
def bind(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """绑定微信: the person stands before the clerk."""
    one = access_resident(request.user, resident_id)
    if one.place != place or not may(request.user, "people.make_login", place):
        raise NotFound("没有这个人。")
    form = BindForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = bind_by_code(by=request.user, resident=one, code=form.cleaned_data["code"])  # type: ignore[arg-type]
        except ZhiliError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            if isinstance(made, IdentityDispute):
                messages.warning(request, f"{one.name}已经绑定过，这次登记为争议，请当面核对后处理。")
                return redirect("desk_identities", place)
            messages.success(request, f"已为{one.name}绑定{PROVIDERS[made.provider]}。")
            return redirect("desk_household", place, one.household_id)
    return render(request, "web/desk_bind.html", {"form": form, "place": place, "one": one})


@requires("people.make_login")
def disputes(request: HttpRequest, place: str) -> HttpResponse:
    """绑定争议 of the village."""
    if not may(request.user, "people.make_login", place):
        raise NotFound("没有这一页。")
    rows = [{"row": row, "provider": PROVIDERS.get(row.provider, "")} for row in open_disputes(place)]
    return render(request, "web/desk_identities.html", {"rows": rows, "place": place})


class DecideForm(forms.Form):
    change = forms.TypedChoiceField(
        label="怎么办", widget=forms.RadioSelect, coerce=lambda value: value == "1",
        choices=[("0", "保留原来绑定的"), ("1", "换成新的（原来的退出）")],
    )  # fmt: skip
    reason = forms.CharField(label="怎么核对的", max_length=200, help_text="例如：看了身份证，本人换了手机。")


@requires("people.make_login")
@reauthenticated
def decide(request: HttpRequest, place: str, dispute_id: UUID) -> HttpResponse:
    """处理争议, with the person present."""
    found = access_dispute(request.user, dispute_id)
    if found.place != place:
        raise NotFound("没有这件争议。")
    form = DecideForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            decide_dispute(by=request.user, dispute=found, **form.cleaned_data)  # type: ignore[arg-type]
        except ZhiliError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            messages.success(request, "已处理。")
            return redirect("desk_identities", place)
    words = {"form": form, "place": place, "found": found, "provider": PROVIDERS.get(found.provider, "")}
    return render(request, "web/desk_identity.html", words)


urlpatterns = [
    path("me/security/sessions/<uuid:session_id>/end/", end_one, name="session_end"),
    path("me/security/sessions/end/", end_all, name="sessions_end"),
    path("desk/<str:place>/residents/<uuid:resident_id>/slip/", slip_of_resident, name="desk_resident_slip"),
    path("desk/<str:place>/members/<int:membership_id>/slip/", slip_of_member, name="desk_member_slip"),
    path("desk/<str:place>/residents/<uuid:resident_id>/bind/", bind, name="desk_resident_bind"),
    path("desk/<str:place>/identities/", disputes, name="desk_identities"),
    path("desk/<str:place>/identities/<uuid:dispute_id>/", decide, name="desk_identity"),
]
