"""Who may what with honours: the clerk prepares, the council or the supervisor writes down what the meeting decided."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import rules
from django.core.exceptions import ValidationError

from zhili.common.errors import NotFound
from zhili.common.policy import may
from zhili.honours.models import GroupGoal, HonourEntry, HonourList, HonourScheme, Priority
from zhili.people.models import Membership, User

Role = Membership.Role
READERS: Final = (
    Role.CLERK, Role.GROUP_LEADER, Role.REVIEWER, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY,
)  # fmt: skip
NAME_READERS: Final = (Role.CLERK, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP)


@rules.predicate
def can_see(user: User, place: str | None = None) -> bool:
    return user.has_role(*READERS, place=place)


@rules.predicate
def can_manage(user: User, place: str | None = None) -> bool:
    """Write a scheme down, have a list computed, hang it out, print certificates."""
    return user.has_role(Role.CLERK, place=place)


@rules.predicate
def can_record(user: User, place: str | None = None) -> bool:
    """Write down what the meeting decided: never the clerk, who had the list computed."""
    return user.has_role(Role.COUNCIL, Role.SUPERVISOR, place=place)


@rules.predicate
def can_strike(user: User, place: str | None = None) -> bool:
    return user.has_role(Role.CLERK, Role.COUNCIL, Role.SUPERVISOR, place=place)


@rules.predicate
def can_read_names(user: User, place: str | None = None) -> bool:
    """Whole names beside the household numbers; others see what hangs on the wall."""
    return user.has_role(*NAME_READERS, place=place)


rules.add_perm("honours.see", can_see)  # obj: place code
rules.add_perm("honours.manage", can_manage)  # obj: place code
rules.add_perm("honours.record", can_record)  # obj: place code
rules.add_perm("honours.strike", can_strike)  # obj: place code
rules.add_perm("honours.names", can_read_names)  # obj: place code


def access_scheme(by: User, id: UUID | str) -> HonourScheme:
    """An honour of a village `by` works for. NotFound for absent and foreign alike."""
    found: HonourScheme | None = _get(HonourScheme, id)
    return _seen(by, found, "没有这个荣誉办法。")


def access_list(by: User, id: UUID | str) -> HonourList:
    found: HonourList | None = _get(HonourList, id, "scheme", "drafted_by", "recorded_by")
    return _seen(by, found, "没有这张荣誉榜。")


def access_entry(by: User, id: UUID | str) -> HonourEntry:
    found: HonourEntry | None = _get(HonourEntry, id, "list__scheme", "household")
    return _seen(by, found, "没有这一户。")


def access_goal(by: User, id: UUID | str) -> GroupGoal:
    found: GroupGoal | None = _get(GroupGoal, id)
    return _seen(by, found, "没有这个目标。")


def access_priority(by: User, id: UUID | str) -> Priority:
    found: Priority | None = _get(Priority, id, "list__scheme")
    return _seen(by, found, "没有这一条。")


def access_own_entry(by: User, id: UUID | str) -> HonourEntry:
    """A certificate of the own household, once its list is public."""
    found: HonourEntry | None = _get(HonourEntry, id, "list__scheme", "household")
    own = found is not None and by.resident is not None and by.resident.household_id == found.household_id
    if found is None or not own or found.struck_at or found.list.status != HonourList.Status.PUBLISHED:
        raise NotFound("没有这张证书。")
    return found


def _get(model: Any, pk: UUID | str, *related: str) -> Any:
    try:
        return model.objects.select_related(*related).filter(pk=pk).first()
    except (ValueError, ValidationError):
        return None


def _seen(by: User, found: Any, message: str) -> Any:
    if found is None or not may(by, "honours.see", found.place):
        raise NotFound(message)
    return found
