"""Roles by place and date, log-ins, and acting for others (代办).

Who is dismissed loses the role at the next request; nothing is deleted, an end date is set (A-06, A-09).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.common.scope import scoped
from zhili.people.access import VILLAGE_ROLES, clash, digits_of, may_grant, must
from zhili.people.errors import PeopleError
from zhili.people.models import Delegation, Household, Membership, Resident, User
from zhili.people.queries import LIVE
from zhili.places.queries import get_place

Role = Membership.Role
DELEGATION_DAYS: Final = 366
_USERNAME: Final = RegexValidator(r"\A[A-Za-z0-9_.\-]{3,40}\Z")


@transaction.atomic
def grant_role(
    *,
    by: User | None,
    user: User,
    role: str,
    place: str,
    group: str = "",
    valid_from: date | None = None,
    valid_to: date | None = None,
    no_kin_declared: bool = False,
) -> Membership:
    """Give `user` a role at a place from a day (today) until a day (open). Raises NotAllowed, PeopleError.

    no_kin_declared: the person has signed not to be a close relative of a village committee member; needed
    for a supervisor (V-13). `by` None: `zhili init` at the machine, before anybody exists.
    """
    if role not in Role.values:
        raise PeopleError("没有这种身份", field="role", hint="请从下拉表里选。")
    if by is not None and by.pk == user.pk:
        raise NotAllowed("不能给自己授予身份。请找上级经办人。")
    if by is not None and not may_grant(by, role, place):
        raise NotAllowed(f"您的身份不能在这里授予“{Role(role).label}”。请找上级经办人。")
    if len(place) not in digits_of(role):
        raise PeopleError(
            f"“{Role(role).label}”不在这一级设", field="place", hint="请选对应的村、乡镇或区县。"
        )
    get_place(place)
    start = valid_from or today()
    if valid_to is not None and valid_to <= start:
        raise PeopleError("结束日期要在开始日期以后", field="valid_to", hint="请改日期，或留空表示长期。")
    group = group.strip()[:20]
    if role == Role.GROUP_LEADER and not group:
        raise PeopleError("组长要写明是哪个组", field="group", hint="例如 3组。")
    _lock_person(user)
    _no_clash(user, role, place, start, valid_to)
    if role == Role.SUPERVISOR:
        _far_from_committee(user, place, no_kin_declared)
    try:
        with transaction.atomic():
            given = Membership.objects.create(
                user=user, role=role, place=place, group=group, valid_from=start, valid_to=valid_to,
                granted_by=by,
            )  # fmt: skip
    except IntegrityError as error:
        raise PeopleError(
            f"{user}已经是这里的{Role(role).label}", field="role", hint="要改日期，请先结束原来的身份。"
        ) from error
    user.__dict__.pop("memberships_today", None)
    record(
        "people.grant_role", by=by, place=place, target=given, role_given=role, user=user.pk, group=group,
        no_kin_declared=no_kin_declared if role == Role.SUPERVISOR else None,
    )  # fmt: skip
    return given


@transaction.atomic
def end_role(*, by: User | None, membership: Membership, on: date | None = None) -> Membership:
    """Take a role back; from `on` (today) it is held no more: the next request is already without it (A-06)."""
    given = Membership.objects.select_for_update(of=("self",)).select_related("user").get(pk=membership.pk)
    if by is not None and not may_grant(by, given.role, given.place):
        raise NotAllowed(f"您的身份不能撤销“{given.get_role_display()}”。请找上级经办人。")
    day = on or today()
    if day > today() + timedelta(days=366):
        raise PeopleError("结束日期太远", field="on", hint="请选一年以内的日期。")
    if given.valid_to is not None and given.valid_to <= today():
        raise PeopleError("这个身份已经结束", hint="不用再办。")
    given.valid_to = max(day, given.valid_from)
    given.save(update_fields=["valid_to"])
    given.user.__dict__.pop("memberships_today", None)
    record(
        "people.end_role", by=by, place=given.place, target=given, user=given.user_id, on=str(given.valid_to)
    )
    return given


@transaction.atomic
def delegate(
    *,
    by: User | None,
    principal: Resident,
    delegate: User,
    valid_to: date,
    scope: str = Delegation.Scope.ALL,
    valid_from: date | None = None,
    paper_number: str = "",
) -> Delegation:
    """登记代办: `delegate` may act for `principal` in `scope` until `valid_to`, at most a year (A-09).

    Said by the principal themself on their own phone, or written down by the clerk from a signed paper
    (then paper_number is needed).
    """
    own = by is not None and by.resident_id == principal.pk
    if not own:
        must(by, "people.delegate", principal)
        if by is not None and not paper_number.strip():
            raise PeopleError(
                "请填纸质委托书编号", field="paper_number", hint="由文书登记时，要有本人签字的委托书。"
            )
    if by is not None and not own and delegate.pk == by.pk:
        raise NotAllowed("登记人不能把自己登记为代办人。请由另一位工作人员登记。")
    if principal.status not in LIVE or not principal.household.is_open:
        raise PeopleError(f"{principal.name}已不在村里登记，不能委托代办")
    if delegate.resident_id == principal.pk:
        raise PeopleError("不能委托给本人", field="delegate", hint="请选另一个人。")
    if not delegate.is_active or not _belongs(delegate, principal.place):
        raise PeopleError("代办人要是本村的人，并且开通了账号", field="delegate", hint="请先为他开通账号。")
    if scope not in Delegation.Scope.values:
        raise PeopleError("代办事项填的不对", field="scope", hint="请从下拉表里选。")
    start = valid_from or today()
    if valid_to < max(start, today()):
        raise PeopleError("结束日期已经过去", field="valid_to", hint="请选以后的日期。")
    if valid_to > start + timedelta(days=DELEGATION_DAYS):
        raise PeopleError("代办最长一年", field="valid_to", hint="请选一年以内的日期，到期可以再续。")
    given = Delegation.objects.create(
        place=principal.place, principal=principal, delegate=delegate, scope=scope, valid_from=start,
        valid_to=valid_to, paper_number=paper_number.strip()[:30],
    )  # fmt: skip
    record(
        "people.delegate", by=by, place=principal.place, target=given, scope=scope, delegate=delegate.pk,
        principal=str(principal.pk), until=str(valid_to), paper_number=given.paper_number,
    )  # fmt: skip
    return given


@transaction.atomic
def revoke_delegation(*, by: User | None, delegation: Delegation) -> Delegation:
    """撤销代办: by the principal, by who acts (to lay it down), or by the clerk. It ends at once."""
    own = by is not None and (by.resident_id == delegation.principal_id or by.pk == delegation.delegate_id)
    if not own:
        must(by, "people.delegate", delegation.principal)
    changed = Delegation.objects.filter(pk=delegation.pk, revoked_on=None).update(revoked_on=today())
    if not changed:
        raise PeopleError("这条代办已经撤销", hint="不用再办。")
    delegation.revoked_on = today()
    record("people.revoke_delegation", by=by, place=delegation.place, target=delegation)
    return delegation


@transaction.atomic
def make_login(
    resident: Resident | None,
    username: str,
    password: str | None = None,
    *,
    by: User | None,
    display_name: str = "",
    place: str = "",
) -> User:
    """A log-in for a villager (`resident`), or for staff (`resident` None; `place`: where `by` may make it).

    Without a password nobody can log in with it until one is set. Nobody signs up alone (N-01).
    """
    where = resident.place if resident is not None else place
    if not where:
        raise PeopleError("请写明在哪里工作", field="place", hint="选一个村、乡镇或区县。")
    must(by, "people.make_login", where)
    if resident is None and by is not None and not may(by, "people.grant_roles", where):
        raise NotAllowed("文书只能为本村村民开通账号。工作人员的账号请找乡镇或区县开通。")
    if resident is not None and (resident.status not in LIVE or not resident.household.is_open):
        raise PeopleError(f"{resident.name}已不在村里登记，不能开通账号")
    try:
        _USERNAME(username)
    except ValidationError as error:
        raise PeopleError(
            "账号要用 3 到 40 个字母、数字、点、短横或下划线", field="username", hint="例如 tanjg1001。"
        ) from error
    if username_taken(username):
        raise PeopleError("这个账号名已经有人用", field="username", hint="请换一个。")
    user = User(
        username=username, display_name=(display_name or (resident.name if resident else username))[:60]
    )
    user.resident = resident
    user.home_place = resident.place if resident else ""
    if password is None:
        user.set_unusable_password()
    else:
        _checked_password(password, user)
        user.set_password(password)
    user.save(force_insert=True)
    record(
        "people.make_login", by=by, place=where, target=user, resident=str(resident.pk) if resident else None
    )
    return user


def username_taken(username: str) -> bool:
    """Whether anybody in the county has that name, whoever may be seen here; large and small letters alike."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT people_username_taken(%s)", [username])
        return bool(cursor.fetchone()[0])


@transaction.atomic
def bind_login(*, by: User | None, user: User, resident: Resident) -> User:
    """Tie a log-in made for staff to the person they are in the village's register, once."""
    must(by, "people.make_login", resident.place)
    if resident.status not in LIVE:
        raise PeopleError(f"{resident.name}已不在村里登记")
    if by is not None and by.pk == user.pk:
        raise NotAllowed("不能给自己绑定。请由另一位工作人员办理。")
    changed = User.objects.filter(pk=user.pk, resident=None).update(
        resident=resident, home_place=resident.place
    )
    if not changed:
        raise PeopleError("这个账号已经绑定了村民", field="user", hint="请核对账号。")
    user.resident, user.home_place = resident, resident.place
    record("people.bind_login", by=by, place=resident.place, target=user, resident=str(resident.pk))
    return user


def _checked_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PeopleError(
            " ".join(error.messages), field="password", hint="请换一个更难猜的密码。"
        ) from error


def _belongs(user: User, place: str) -> bool:
    return user.home_place == place or user.has_role(*Role.values, place=place)


def _lock_person(user: User) -> None:
    # Two grants at once must not slip past the table of incompatible roles.
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)


def _no_clash(user: User, role: str, place: str, start: date, end: date | None) -> None:
    held = Membership.objects.filter(user=user).filter(Q(valid_to=None) | Q(valid_to__gt=start))
    if end is not None:
        held = held.filter(valid_from__lt=end)
    # Roles held elsewhere lie outside the giver's scope; the person's own rows are read in the person's name.
    with scoped(user_id=str(user.pk)):
        rows = list(held)
    for other in rows:
        over = place.startswith(other.place) or other.place.startswith(place)
        # The three administrators exclude each other and all business wherever it is.
        everywhere = role not in VILLAGE_ROLES or other.role not in VILLAGE_ROLES
        if clash(role, other.role) and (over or everywhere):
            raise PeopleError(
                f"{user}现在是{other.get_role_display()}，不能同时当{Role(role).label}",
                field="role",
                hint="这两种身份要互相监督。请换人，或先结束原来的身份。",
            )


def _far_from_committee(user: User, place: str, declared: bool) -> None:
    """V-13: not of a committee member's household, and declared to be no close relative of one."""
    if not declared:
        raise PeopleError(
            "监督委员要先声明不是村委会成员的近亲属", field="no_kin_declared", hint="请本人签字后勾选。"
        )
    home = user.resident.household_id if user.resident else None
    day = today()
    committee = Membership.objects.filter(role=Role.CLERK, place=place, valid_from__lte=day)
    committee = committee.filter(Q(valid_to=None) | Q(valid_to__gt=day))
    if home and Household.objects.filter(pk=home, residents__users__memberships__in=committee).exists():
        raise PeopleError("监督委员和村委会成员不能是一家人", field="user", hint="请另选一位。")
