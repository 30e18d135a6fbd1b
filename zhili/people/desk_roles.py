"""成员与身份, and 代办, at the desk: who is what, from when; who acts for whom, until when."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import today
from zhili.common.policy import may, reauthenticated, requires
from zhili.people import actions, forms
from zhili.people.access import access_delegation, access_membership, grantable, may_grant, person_of
from zhili.people.desk import _at, _form, posted, saved
from zhili.people.errors import PeopleError
from zhili.people.models import Delegation, Membership, Resident
from zhili.people.queries import LIVE, delegations_of, find_by_card, roles_at


def _state(held: Membership) -> str:
    if held.valid_to is not None and held.valid_to <= today():
        return "已结束"
    return "未开始" if held.valid_from > today() else "有效"


def _delegation_state(one: Delegation) -> str:
    if one.revoked_on is not None:
        return "已撤销"
    return "已到期" if one.valid_to < today() else "有效"


ROLE_COLUMNS: Final = [
    Column("name", "姓名", lambda m: str(m.user), order="user__display_name"),
    Column("username", "账号", lambda m: m.user.username, order="user__username"),
    Column("role", "身份", lambda m: m.get_role_display(), order="role"),
    Column("group", "组", lambda m: m.group, order="group"),
    Column("from", "从", lambda m: m.valid_from, order="valid_from", kind="date"),
    Column("to", "到", lambda m: m.valid_to, order="valid_to", kind="date"),
    Column("state", "状态", _state, kind="state"),
    Column("by", "谁授予", lambda m: str(m.granted_by) if m.granted_by else "系统"),
]
DELEGATION_COLUMNS: Final = [
    Column("code", "户编号", lambda d: d.principal.household.code, order="principal__household__code",
           url=lambda d: reverse("desk_household", args=[d.place, d.principal.household_id])),
    Column("principal", "委托人", lambda d: d.principal.name, order="principal__name"),
    Column("delegate", "代办人", lambda d: str(d.delegate), order="delegate__display_name"),
    Column("scope", "代办什么", lambda d: d.get_scope_display(), order="scope"),
    Column("from", "从", lambda d: d.valid_from, order="valid_from", kind="date"),
    Column("to", "到", lambda d: d.valid_to, order="valid_to", kind="date"),
    Column("paper", "委托书编号", lambda d: d.paper_number),
    Column("state", "状态", _delegation_state, kind="state"),
]  # fmt: skip


@requires("people.see_roles")
def memberships(request: HttpRequest, place: str) -> HttpResponse:
    """Who holds which role here; ended ones stay on the list."""
    user = _at(request, place, "people.see_roles")
    filters = [Filter("role", "身份", Membership.Role.choices, lambda rows, value: rows.filter(role=value))]
    end = Column(
        "end", "办理", lambda m: "结束" if may_grant(user, m.role, m.place) and _state(m) != "已结束" else "",
        url=lambda m: reverse("desk_role_end", args=[place, m.pk])
        if may_grant(user, m.role, m.place) and _state(m) != "已结束" else None,
    )  # fmt: skip
    rows = table(
        request, roles_at(place, running=False), [*ROLE_COLUMNS, end], title="成员与身份", filters=filters,
        default_order=["role", "user_id"],
    )  # fmt: skip
    if isinstance(rows, HttpResponse):
        return rows
    gives = bool(grantable(user, place))
    return render(request, "people/desk_members.html", {"table": rows, "place": place, "gives": gives})


@requires("people.grant_roles")
@reauthenticated
def grant(request: HttpRequest, place: str) -> HttpResponse:
    """授予身份."""
    user = _at(request, place, "people.grant_roles")
    roles = grantable(user, place)
    if not roles:
        raise NotFound("没有这一页。")
    form = forms.RoleForm(posted(request), roles=roles)
    if saved(request, form, lambda: actions.grant_role(by=user, place=place, **form.cleaned_data)):
        messages.success(request, f"已授予，{form.cleaned_data['user']}下次打开页面就能用。")
        return redirect("desk_members", place)
    back = reverse("desk_members", args=[place])
    return _form(request, place, "授予身份", form, back, "授予", "先为本人开通账号，再授予身份。")


@requires("people.grant_roles")
@reauthenticated
def staff_login(request: HttpRequest, place: str) -> HttpResponse:
    """开通账号 for staff without a household here."""
    user = _at(request, place, "people.grant_roles")
    form = forms.StaffLoginForm(posted(request))
    if saved(
        request,
        form,
        lambda: actions.make_login(
            None, form.cleaned_data["username"], by=user, place=place,
            display_name=form.cleaned_data["display_name"],
        ),
    ):  # fmt: skip
        messages.success(
            request, f"已开通账号 {form.cleaned_data['username']}，请接着授予身份，再开一次性密码。"
        )
        return redirect("desk_member_grant", place)
    back = reverse("desk_members", args=[place])
    return _form(request, place, "开通工作账号", form, back, "开通", "村民的账号在户的页面上开通。")


@requires("people.grant_roles")
@reauthenticated
def end(request: HttpRequest, place: str, membership_id: int) -> HttpResponse:
    """结束身份: asked once more, then at once."""
    held = access_membership(request.user, membership_id)
    if held.place != place:
        raise NotFound("没有这条身份。")
    form = forms.ConfirmForm(posted(request))
    if saved(request, form, lambda: actions.end_role(by=person_of(request), membership=held)):
        messages.success(request, f"已结束{held.user}的{held.get_role_display()}身份。")
        return redirect("desk_members", place)
    title = f"结束 {held.user} 的{held.get_role_display()}身份"
    back = reverse("desk_members", args=[place])
    return _form(
        request, place, title, form, back, "结束", "马上生效：下一次打开页面就不能再办这个身份的事。"
    )


@requires("people.delegate")
def delegations(request: HttpRequest, place: str) -> HttpResponse:
    """Who acts for whom in this village."""
    _at(request, place, "people.delegate")
    filters = [
        Filter("q", "委托人", "text", lambda rows, value: rows.filter(principal__name__contains=value)),
        Filter(
            "state", "状态", [("running", "有效"), ("over", "已结束")],
            lambda rows, v: rows.filter(revoked_on=None, valid_to__gte=today()) if v == "running"
            else rows.exclude(revoked_on=None, valid_to__gte=today()),
        ),
    ]  # fmt: skip
    revoke = Column(
        "do", "办理", lambda d: "撤销" if _delegation_state(d) == "有效" else "",
        url=lambda d: reverse("desk_delegation_end", args=[place, d.pk])
        if _delegation_state(d) == "有效" else None,
    )  # fmt: skip
    rows = table(
        request, delegations_of(place), [*DELEGATION_COLUMNS, revoke], title="代办", filters=filters,
        default_order="-to",
    )  # fmt: skip
    if isinstance(rows, HttpResponse):
        return rows
    return render(request, "people/desk_delegations.html", {"table": rows, "place": place})


@requires("people.delegate")
def delegate(request: HttpRequest, place: str) -> HttpResponse:
    """登记代办 from a signed paper."""
    user = _at(request, place, "people.delegate")
    form = forms.DeskDelegationForm(posted(request))

    def deed() -> None:
        data = dict(form.cleaned_data)
        principal = _principal(place, data.pop("card"), data.pop("person"))
        actions.delegate(by=user, principal=principal, **data)

    if saved(request, form, deed):
        messages.success(request, "已登记代办，请把回执交给委托人。")
        return redirect("desk_delegations", place)
    back = reverse("desk_delegations", args=[place])
    return _form(
        request, place, "登记代办", form, back, "登记", "要有委托人签字的纸质委托书。最长一年，随时可以撤销。"
    )


def _principal(place: str, card: str, name: str) -> Resident:
    household = find_by_card(place, card)
    if household is None:
        raise PeopleError("本村没有这张卡或这个户编号", field="card", hint="请核对。")
    found = household.residents.filter(name=name.strip(), status__in=LIVE)
    if len(found) != 1:
        raise PeopleError(f"{household.code} 户没有叫这个名字的人", field="person", hint="请写登记的姓名。")
    return found[0]


@requires("people.delegate")
def revoke(request: HttpRequest, place: str, delegation_id: UUID) -> HttpResponse:
    """撤销代办."""
    given = access_delegation(request.user, delegation_id)
    if given.place != place or not may(request.user, "people.delegate", place):
        raise NotFound("没有这条代办。")
    form = forms.ConfirmForm(posted(request))
    if saved(request, form, lambda: actions.revoke_delegation(by=person_of(request), delegation=given)):
        messages.success(request, "已撤销，马上生效。")
        return redirect("desk_delegations", place)
    title = f"撤销 {given.delegate} 代 {given.principal.name}"
    return _form(request, place, title, form, reverse("desk_delegations", args=[place]), "撤销", "马上生效。")


urlpatterns = [
    path("<str:place>/members/", memberships, name="desk_members"),
    path("<str:place>/members/grant/", grant, name="desk_member_grant"),
    path("<str:place>/members/login/", staff_login, name="desk_staff_login"),
    path("<str:place>/members/<int:membership_id>/end/", end, name="desk_role_end"),
    path("<str:place>/delegations/", delegations, name="desk_delegations"),
    path("<str:place>/delegations/new/", delegate, name="desk_delegation_new"),
    path("<str:place>/delegations/<uuid:delegation_id>/end/", revoke, name="desk_delegation_end"),
]
