"""Who may see and change households, hand out roles, and act for others. The table of roles reads from here.

Absent and foreign look alike: `access_*` raises the same NotFound for both (A-04).
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import rules
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people.models import Delegation, Household, Membership, Resident, User

Role = Membership.Role
VILLAGE_DIGITS: Final = 12
READERS: Final = (Role.CLERK, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY)
ADMINS: Final = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
VILLAGE_ROLES: Final = (
    Role.GROUP_LEADER, Role.CLERK, Role.REVIEWER, Role.COUNCIL, Role.SUPERVISOR, Role.SHOPKEEPER,
)  # fmt: skip

# Role of the giver → roles that may be given at the giver's place or below it. A clerk gives none; the three
# administrators are given by the security administrator, so that none of them can make the others alone.
MAY_GRANT: Final[dict[str, tuple[str, ...]]] = {
    Role.TOWNSHIP: VILLAGE_ROLES,
    Role.COUNTY: (*VILLAGE_ROLES, Role.TOWNSHIP, Role.BANK),
    Role.SYSTEM_ADMIN: (Role.COUNTY, Role.TOWNSHIP, Role.CLERK),
    Role.SECURITY_ADMIN: (Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN),
}

_BUSINESS = frozenset(set(Role.values) - set(ADMINS))
# Pairs that one person may not hold over the same place (V-13, A-07): who watches does not do, who keeps the
# shop does not keep the books, who administers the machine decides nothing. The first is the role to be had.
INCOMPATIBLE: Final[dict[str, frozenset[str]]] = {
    Role.SUPERVISOR: frozenset(
        {Role.CLERK, Role.GROUP_LEADER, Role.REVIEWER, Role.COUNCIL, Role.SHOPKEEPER, Role.TOWNSHIP, *ADMINS}
    ),
    Role.SHOPKEEPER: frozenset({Role.CLERK, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY, *ADMINS}),
    Role.BANK: frozenset(_BUSINESS - {Role.BANK}) | frozenset(ADMINS),
    **{admin: frozenset(set(Role.values) - {admin}) for admin in ADMINS},
}


def must(user: Any, permission: str, obj: object = None) -> None:
    """NotAllowed in plain words unless `user` may. `user` None: the administrator at the machine itself."""
    if user is not None and not may(user, permission, obj):
        raise NotAllowed(
            f"您的身份不能{TITLES.get(permission, '办这件事')}。需要的话，请找村文书或乡镇经办人。"
        )


def clash(first: str, second: str) -> bool:
    """Whether two roles may not be in one hand."""
    return second in INCOMPATIBLE.get(first, ()) or first in INCOMPATIBLE.get(second, ())


def leads_group(user: User, household: Household) -> bool:
    """A group leader of the household's own group; where the role names no group, the leader's home group."""
    for held in user.memberships_today:
        if held.role == Role.GROUP_LEADER and household.place.startswith(held.place):
            home = user.resident.household.group if user.resident else ""
            if household.group and household.group == (held.group or home):
                return True
    return False


def _place(obj: Household | Resident | str | None) -> str | None:
    return obj if obj is None or isinstance(obj, str) else obj.place


def _household(obj: Household | Resident | str | None) -> Household | None:
    if isinstance(obj, Resident):
        return obj.household
    return obj if isinstance(obj, Household) else None


@rules.predicate
def sees_households(user: User, obj: Household | Resident | str | None = None) -> bool:
    """Village staff and the levels above; a group leader the own group. obj: household, resident or place."""
    household = _household(obj)
    if user.has_role(*READERS, place=_place(obj)):
        return True
    return leads_group(user, household) if household else user.has_role(Role.GROUP_LEADER, place=_place(obj))


@rules.predicate
def sees_household(user: User, obj: Household | Resident | None = None) -> bool:
    """Besides staff: who lives in it, and who acts for somebody in it."""
    household = _household(obj)
    if household is None:
        return bool(user.home_place) or sees_households(user, None)
    if user.resident is not None and user.resident.household_id == household.pk:
        return True
    return sees_households(user, household) or active_for_household(user, household)


@rules.predicate
def edits_households(user: User, obj: Household | Resident | str | None = None) -> bool:
    """The clerk in the village, a group leader in the own group: members, addresses, away and back, death."""
    if user.has_role(Role.CLERK, place=_place(obj)):
        return True
    household = _household(obj)
    return leads_group(user, household) if household else user.has_role(Role.GROUP_LEADER, place=_place(obj))


@rules.predicate
def is_clerk(user: User, obj: Household | Resident | str | None = None) -> bool:
    """The clerk of that village: opening, splitting, merging, cards, import, delegations."""
    return user.has_role(Role.CLERK, place=_place(obj))


@rules.predicate
def sees_consents(user: User, obj: Household | Resident | str | None = None) -> bool:
    """Who keeps the consents and who watches over that."""
    return user.has_role(Role.CLERK, Role.SUPERVISOR, place=_place(obj))


@rules.predicate
def allows_minors(user: User, obj: Household | Resident | str | None = None) -> bool:
    """The supervisor of the village says whether a colleague may see a child's details (P-07)."""
    return user.has_role(Role.SUPERVISOR, place=_place(obj))


@rules.predicate
def sees_alarms(user: User, obj: Household | Resident | str | None = None) -> bool:
    """The security administrator."""
    return user.has_role(Role.SECURITY_ADMIN, place=_place(obj))


@rules.predicate
def sees_roles(user: User, place: str | None = None) -> bool:
    """Who holds which role is no secret among those who work there."""
    return user.has_role(Role.CLERK, Role.SUPERVISOR, *MAY_GRANT, Role.AUDIT_ADMIN, place=place)


@rules.predicate
def grants_roles(user: User, place: str | None = None) -> bool:
    """Somebody who may give some role there; which one `may_grant` says."""
    return user.has_role(*MAY_GRANT, place=place)


@rules.predicate
def makes_logins(user: User, place: str | None = None) -> bool:
    """A clerk for people of the village; those who give roles for staff."""
    return user.has_role(Role.CLERK, *MAY_GRANT, place=place)


def may_grant(user: User, role: str, place: str) -> bool:
    """Whether `user` holds today a role that gives `role` at `place`."""
    return any(
        role in MAY_GRANT.get(held.role, ()) and place.startswith(held.place)
        for held in user.memberships_today
    )


def grantable(user: User, place: str) -> list[tuple[str, str]]:
    """(role, title) pairs `user` may give at `place`, of those that belong to a place of that size."""
    return [
        (role.value, str(role.label))
        for role in Role
        if may_grant(user, role, place) and len(place) in digits_of(role)
    ]


def digits_of(role: str) -> tuple[int, ...]:
    """How long the place code of a role may be."""
    if role == Role.SHOPKEEPER:
        return (9, VILLAGE_DIGITS)  # a township may run one shop for its villages
    if role in VILLAGE_ROLES:
        return (VILLAGE_DIGITS,)
    return (9,) if role == Role.TOWNSHIP else (6,) if role == Role.COUNTY else (2, 4, 6)


def active_for_household(user: User, household: Household) -> bool:
    """Whether the person acts for anybody of that household today."""
    day = today()
    return Delegation.objects.filter(
        delegate=user, principal__household=household, revoked_on=None, valid_from__lte=day, valid_to__gte=day
    ).exists()


# Permission → (predicate, what a refusal calls it).
_PERMISSIONS: Final[dict[str, tuple[Any, str]]] = {
    "people.see_households": (sees_households, "查看这里的户"),
    "people.see_household": (sees_household, "查看这一户"),
    "people.edit_households": (edits_households, "修改这一户"),
    "people.change_households": (is_clerk, "办理立户、分户、并户、迁出和换卡"),
    "people.import": (is_clerk, "导入户和人员"),
    "people.reveal": (is_clerk, "查看完整号码"),
    "people.record_consent": (is_clerk, "登记授权"),
    "people.see_consents": (sees_consents, "查看授权"),
    "people.allow_minor": (allows_minors, "批准查看孩子的信息"),
    "people.see_alarms": (sees_alarms, "查看安全告警"),
    "people.delegate": (is_clerk, "登记代办"),
    "people.see_roles": (sees_roles, "查看身份名单"),
    "people.grant_roles": (grants_roles, "授予身份"),
    "people.make_login": (makes_logins, "开通账号"),
}
TITLES: Final = {name: title for name, (_, title) in _PERMISSIONS.items()}
for _name, (_predicate, _title) in _PERMISSIONS.items():
    rules.add_perm(_name, _predicate)


def access_household(by: Any, household_id: UUID | str) -> Household:
    """A household `by` may see. NotFound for absent and foreign alike."""
    try:
        found = Household.objects.filter(pk=household_id).first()
    except (ValueError, ValidationError):
        found = None
    if found is None or not may(by, "people.see_household", found):
        raise NotFound("没有这一户。")
    return found


def access_resident(by: Any, resident_id: UUID | str) -> Resident:
    """A person of a household `by` may see, with the household. NotFound for absent and foreign alike."""
    try:
        found = Resident.objects.select_related("household").filter(pk=resident_id).first()
    except (ValueError, ValidationError):
        found = None
    if found is None or not may(by, "people.see_household", found):
        raise NotFound("没有这个人。")
    return found


def access_membership(by: Any, membership_id: int | str) -> Membership:
    """A role in a place whose roles `by` may see."""
    try:
        found = Membership.objects.select_related("user").filter(pk=membership_id).first()
    except (ValueError, ValidationError):
        found = None
    if found is None or not may(by, "people.see_roles", found.place):
        raise NotFound("没有这条身份。")
    return found


def access_delegation(by: Any, delegation_id: UUID | str) -> Delegation:
    """A delegation of the own household, to oneself, or in the clerk's village."""
    try:
        found = (
            Delegation.objects.select_related("principal__household", "delegate")
            .filter(pk=delegation_id)
            .first()
        )
    except (ValueError, ValidationError):
        found = None
    if found is None or not (
        may(by, "people.see_household", found.principal) or found.delegate_id == getattr(by, "pk", None)
    ):
        raise NotFound("没有这条代办。")
    return found


def person_of(request: HttpRequest) -> User:
    """Who is signed in; the policy above the view has sent everybody else to the log-in."""
    assert isinstance(request.user, User)
    return request.user


def village_of(request: HttpRequest) -> str:
    """The village a signed-in person works in now: ?place=, the session, the first village role, the home.

    Raises NotAllowed for townships and above that have not chosen one yet, NotFound for a foreign one.
    """
    user: Any = request.user
    prefixes = {held.place for held in user.memberships_today} | ({user.home_place} - {""})
    asked = request.GET.get("place", "")
    if asked:
        if not (
            len(asked) == VILLAGE_DIGITS and asked.isdigit() and any(asked.startswith(p) for p in prefixes)
        ):
            raise NotFound("没有这个村。")
        request.session["village"] = asked
        return asked
    kept = str(request.session.get("village", ""))
    if kept and any(kept.startswith(prefix) for prefix in prefixes):
        return kept
    villages = [held.place for held in user.memberships_today if len(held.place) == VILLAGE_DIGITS]
    if villages or user.home_place:
        return villages[0] if villages else user.home_place
    raise NotAllowed("您还没有选定在哪个村办事。请先在首页选一个村。")
