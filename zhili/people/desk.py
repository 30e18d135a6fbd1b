"""户与人 at the desk: the list, one household with its people and history, and the deeds that move no points.

Splitting, merging, moving away and closing move points too and stand in zhili/web/household_changes.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import Form
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.masking import mask_bank, mask_id, mask_phone
from zhili.common.paging import Column, Filter, table
from zhili.common.policy import may, reauthenticated, requires
from zhili.people import actions, forms
from zhili.people.access import access_household, access_resident, must, person_of
from zhili.people.models import Household, Resident, User
from zhili.people.queries import LIVE, delegations_for, groups_of, history, matching, members
from zhili.people.secrets import open_bank, open_id_number, open_phone
from zhili.people.unmasking import allowed_minors, record_minor_view, sees_minor


def household_at(request: HttpRequest, place: str, household_id: UUID, permission: str = "") -> Household:
    """A household of this village that the person may see (and, with `permission`, change)."""
    household = access_household(request.user, household_id)
    if household.place != place or not may(request.user, "people.see_households", household):
        raise NotFound("没有这一户。")
    if permission:
        must(request.user, permission, household)
    return household


def _shown(one: Resident) -> dict[str, Any]:
    return {
        "one": one,
        "id_number": mask_id(open_id_number(one.id_number_secret)),
        "phone": mask_phone(open_phone(one.phone_secret)),
        "bank": mask_bank(open_bank(one.bank_secret)),
        "live": one.status in LIVE,
    }


def own_family(user: User, household: Household) -> bool:
    """Whether the household is the person's own."""
    return user.resident is not None and user.resident.household_id == household.pk


def posted(request: HttpRequest) -> QueryDict | None:
    """What was sent; also when nothing was ticked or filled in."""
    return request.POST if request.method == "POST" else None


def saved(request: HttpRequest, form: Form, deed: Callable[[], object]) -> bool:
    """Do it; a refusal goes into the form, which keeps what was typed."""
    if request.method != "POST" or not form.is_valid():
        return False
    try:
        with transaction.atomic():
            deed()
    except ZhiliError as error:
        show_error(form, error)
        return False
    return True


COLUMNS: Final = [
    Column("code", "户编号", lambda h: h.code, order="code", url=lambda h: reverse("desk_household", args=[h.place, h.pk])),
    Column("group", "组", lambda h: h.group, order="group"),
    Column("head", "户主", lambda h: h.head, order="head"),
    Column("people", "人数", lambda h: h.people, order="people", kind="number"),
    Column("address", "住址", lambda h: h.address, width=28),
    Column("status", "状态", lambda h: h.get_status_display(), order="status", kind="state"),
    Column("published", "同意公开", lambda h: h.published, order="published"),
    Column("opened_on", "立户日期", lambda h: h.opened_on, order="opened_on", kind="date", shown=False),
]  # fmt: skip


def rows_of(user: User, place: str) -> QuerySet[Household]:
    """The households this person may read, with head and number of people: still one statement."""
    live = Resident.objects.filter(household=OuterRef("pk"), status__in=LIVE).order_by()
    number = live.values("household").annotate(n=Count("pk")).values("n")
    rows = Household.objects.filter(place=place).annotate(
        head=Subquery(live.filter(relation="head").values("name")[:1]), people=Coalesce(Subquery(number), 0)
    )
    if user.has_role("clerk", "supervisor", "township", "county", place=place):
        return rows
    home = user.resident.household.group if user.resident else ""
    led = [
        held.group or home
        for held in user.memberships_today
        if held.role == "group_leader" and place.startswith(held.place)
    ]
    return rows.filter(group__in=[group for group in led if group])


def _at(request: HttpRequest, place: str, permission: str = "people.see_households") -> User:
    user = person_of(request)
    if not may(user, permission, place):
        raise NotFound("没有这一页。")
    return user


@requires("people.see_households")
def households(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/households/"""
    user = _at(request, place)
    filters = [
        Filter("group", "组", lambda: [(g, g) for g in groups_of(place)], lambda q, v: q.filter(group=v)),
        Filter("status", "状态", Household.Status.choices, lambda q, v: q.filter(status=v)),
        Filter("q", "户编号、姓名、拼音首字母", "text", matching, "例如 1001、王小明 或 wxm"),
    ]
    rows = table(
        request, rows_of(user, place), COLUMNS, title="户", filters=filters, default_order="code",
        on_export=lambda count: record("people.export_list", by=user, place=place, count=count),
    )  # fmt: skip
    if isinstance(rows, HttpResponse):
        return rows
    context = {"table": rows, "place": place, "clerk": may(user, "people.change_households", place)}
    return render(request, "people/desk_households.html", context)


@requires("people.see_households")
def household(request: HttpRequest, place: str, household_id: UUID) -> HttpResponse:
    """One household: people, card, history, who acts for whom, what can be done."""
    found = household_at(request, place, household_id)
    people = members(found, all_ever=True)
    user = person_of(request)
    logins = set(
        User.objects.filter(resident__in=people, is_active=True).values_list("resident_id", flat=True)
    )
    shown = [_shown(one) | {"has_login": one.pk in logins} for one in people]
    children = [one for one in people if one.is_minor()]
    allowed = allowed_minors(user, [one.pk for one in children]) if children else set()
    for row in shown:
        row["hidden"] = (
            row["one"] in children and not own_family(user, found) and row["one"].pk not in allowed
        )
    record_minor_view(user, [one for one in children if one.pk in allowed])
    if not own_family(user, found):  # who looked at a household is asked after a leak (P-12)
        record("people.view", by=user, place=place, target=found)
    context = {
        "household": found,
        "place": place,
        "people": shown,
        "changes": history(found),
        "delegations": delegations_for(people),
        "may_edit": found.is_open and may(user, "people.edit_households", found),
        "clerk": found.is_open and may(user, "people.change_households", found),
    }
    return render(request, "people/desk_household.html", context)


@requires("people.change_households")
def new(request: HttpRequest, place: str) -> HttpResponse:
    """立户."""
    user = _at(request, place, "people.change_households")
    form = forms.HouseholdForm(posted(request))
    made: list[Household] = []

    def open_it() -> None:
        data = dict(form.cleaned_data)
        published = not data.pop("unpublished")
        made.append(actions.add_household(by=user, place=place, published=published, **data))

    if saved(request, form, open_it):
        messages.success(request, f"已立户，户编号 {made[0].code}。")
        return redirect("desk_household", place, made[0].pk)
    back = reverse("desk_households", args=[place])
    return _form(request, place, "新立一户", form, back, "立户")


@dataclass(frozen=True, slots=True)
class Verb:
    """One deed of a household page. run: (by, household, form) → nothing."""

    title: str
    permission: str
    form: type[Any]
    run: Callable[[User, Household, Any], object]
    done: str
    note: str = ""


def _day(action: Callable[..., object]) -> Callable[[User, Household, Any], object]:
    return lambda by, household, form: action(by=by, household=household, **form.cleaned_data)


VERBS: Final[dict[str, Verb]] = {
    "away": Verb("全家外出", "people.edit_households", forms.DayForm, _day(actions.set_away), "已记为外出。",
                 "积分和积分卡都留着，返乡后接着用。"),
    "return": Verb("返乡", "people.edit_households", forms.DayForm, _day(actions.come_back), "已记为在村。"),
    "death": Verb(
        "登记去世", "people.edit_households", forms.DeathForm,
        lambda by, household, form: actions.record_death(
            by=by, resident=form.person("resident"), new_head=form.person("new_head"),
            on=form.cleaned_data["on"], basis=form.cleaned_data["basis"],
        ),
        "已登记。", "积分留在这一户。去世的是户主时，要同时选新户主。",
    ),
    "new_head": Verb(
        "更换户主", "people.change_households", forms.NewHeadForm,
        lambda by, household, form: actions.new_head(
            by=by, household=household, resident=form.person("resident"), on=form.cleaned_data["on"],
            basis=form.cleaned_data["basis"], former_relation=form.cleaned_data["former_relation"],
        ),
        "已更换户主。", "换户主不影响积分。",
    ),
    "card": Verb(
        "换积分卡", "people.change_households", forms.CardForm,
        lambda by, household, form: actions.reissue_card(
            by=by, household=household, reason=form.cleaned_data["basis"]
        ),
        "已换卡，旧卡从现在起作废。请打印新卡交给本户。", "旧卡马上作废，积分不变。",
    ),
}  # fmt: skip


@requires("people.edit_households")
def change(request: HttpRequest, place: str, household_id: UUID, verb: str) -> HttpResponse:
    """Away, return, death, new head, new card."""
    if verb not in VERBS:
        raise NotFound("没有这一页。")
    deed = VERBS[verb]
    found = household_at(request, place, household_id, deed.permission)
    form = deed.form(posted(request), household=found)
    if saved(request, form, lambda: deed.run(person_of(request), found, form)):
        messages.success(request, deed.done)
        return redirect("desk_household", place, found.pk)
    return _form(request, place, f"{deed.title} · {found.code}", form, _back(found), deed.title, deed.note)


@requires("people.edit_households")
def edit(request: HttpRequest, place: str, household_id: UUID) -> HttpResponse:
    """组, 住址."""
    found = household_at(request, place, household_id, "people.edit_households")
    initial = {"group": found.group, "address": found.address}
    form = forms.HouseholdEditForm(posted(request), initial=initial)
    if saved(
        request,
        form,
        lambda: actions.edit_household(by=person_of(request), household=found, **form.cleaned_data),
    ):
        messages.success(request, "已保存。")
        return redirect("desk_household", place, found.pk)
    return _form(request, place, f"修改 {found.code} 户", form, _back(found), "保存")


@requires("people.edit_households")
def add_member(request: HttpRequest, place: str, household_id: UUID) -> HttpResponse:
    """A member more."""
    found = household_at(request, place, household_id, "people.edit_households")
    form = forms.ResidentForm(posted(request), initial={"relation": "other", "status": "present"})
    if saved(
        request, form, lambda: actions.add_resident(by=person_of(request), household=found, **form.values())
    ):
        messages.success(request, f"已加上{form.cleaned_data['name']}。")
        return redirect("desk_household", place, found.pk)
    return _form(request, place, f"给 {found.code} 户加一个人", form, _back(found), "加上")


@requires("people.edit_households")
def member(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """Change a member; the numbers stand masked, and in clear only for a reason (A-14)."""
    one = resident_at(request, place, resident_id, "people.edit_households")
    if not sees_minor(person_of(request), one):
        return redirect("desk_minor_ask", place, one.pk)
    if one.is_minor():
        record_minor_view(person_of(request), [one])
    initial = {
        "name": one.name, "relation": one.relation, "birth_date": one.birth_date, "status": one.status,
        "tags": "、".join(one.tags),
    }  # fmt: skip
    form = forms.ResidentForm(posted(request), initial=initial, resident=one)
    if saved(
        request, form, lambda: actions.edit_resident(by=person_of(request), resident=one, **form.values())
    ):
        messages.success(request, "已保存。")
        return redirect("desk_household", place, one.household_id)
    return _form(request, place, f"修改 {one.name}", form, _back(one.household), "保存")


@requires("people.make_login")
@reauthenticated
def login(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """开通账号 for a villager."""
    one = resident_at(request, place, resident_id, "people.make_login")
    form = forms.LoginForm(posted(request))
    if saved(
        request,
        form,
        lambda: actions.make_login(one, form.cleaned_data["username"], by=person_of(request)),
    ):
        messages.success(
            request, f"已为{one.name}开通账号 {form.cleaned_data['username']}，请接着开一次性密码。"
        )
        return redirect("desk_resident_slip", place, one.pk)
    return _form(request, place, f"为{one.name}开通账号", form, _back(one.household), "开通")


def resident_at(request: HttpRequest, place: str, resident_id: UUID, permission: str) -> Resident:
    """A person of this village that `request`'s user may see and, with `permission`, work on."""
    one = access_resident(request.user, resident_id)
    if one.place != place or not may(request.user, "people.see_households", one):
        raise NotFound("没有这个人。")
    must(request.user, permission, one if permission != "people.make_login" else place)
    return one


def _back(found: Household) -> str:
    return reverse("desk_household", args=[found.place, found.pk])


def _form(
    request: HttpRequest, place: str, title: str, form: Form, back: str, button: str, note: str = ""
) -> HttpResponse:
    context = {"title": title, "form": form, "place": place, "back": back, "button": button, "note": note}
    return render(request, "people/desk_form.html", context)


urlpatterns = [
    path("<str:place>/households/", households, name="desk_households"),
    path("<str:place>/households/new/", new, name="desk_household_new"),
    path("<str:place>/households/<uuid:household_id>/", household, name="desk_household"),
    path("<str:place>/households/<uuid:household_id>/edit/", edit, name="desk_household_edit"),
    path("<str:place>/households/<uuid:household_id>/member/", add_member, name="desk_member_new"),
    path("<str:place>/households/<uuid:household_id>/do/<str:verb>/", change, name="desk_household_do"),
    path("<str:place>/residents/<uuid:resident_id>/", member, name="desk_resident"),
    path("<str:place>/residents/<uuid:resident_id>/login/", login, name="desk_resident_login"),
]
