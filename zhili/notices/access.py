"""Who opens and closes notices, who may object (anybody), who answers: people who did not decide before (G-19)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import rules
from django.core.exceptions import ValidationError

from zhili.claims.access import kept_out
from zhili.common.errors import NotFound
from zhili.common.policy import may
from zhili.notices.models import Line, Notice, Objection
from zhili.people.models import Membership, User

Role = Membership.Role
ANSWERERS: Final = (Role.SUPERVISOR, Role.COUNCIL, Role.TOWNSHIP)
READERS: Final = (
    Role.CLERK, Role.GROUP_LEADER, Role.REVIEWER, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY,
)  # fmt: skip
OBJECTION_READERS: Final = (Role.CLERK, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY)


@rules.predicate
def can_manage(user: User, place: str | None = None) -> bool:
    return user.has_role(Role.CLERK, place=place)


@rules.predicate
def can_see(user: User, place: str | None = None) -> bool:
    """The people of the village and those who work for it."""
    if place is None:
        return bool(user.home_place) or user.has_role(*READERS)
    return user.home_place == place or user.has_role(*READERS, place=place)


@rules.predicate
def can_answer(user: User, objection: Objection | None = None) -> bool:
    """Supervisors, council members or the township, if nothing keeps them out of this one."""
    if objection is None:
        return user.has_role(*ANSWERERS)
    return user.has_role(*ANSWERERS, place=objection.place) and not involved(user, objection)


@rules.predicate
def can_acknowledge(user: User, objection: Objection | None = None) -> bool:
    place = objection.place if objection is not None else None
    return user.has_role(Role.CLERK, *ANSWERERS, place=place)


@rules.predicate
def can_read_objections(user: User, place: str | None = None) -> bool:
    return user.has_role(*OBJECTION_READERS, place=place)


rules.add_perm("notices.manage", can_manage)  # obj: place code; open, close, correct
rules.add_perm("notices.see", can_see)  # obj: place code
rules.add_perm("notices.object", can_see)  # obj: place code; without log-in anybody may
rules.add_perm("notices.acknowledge", can_acknowledge)  # obj: objection
rules.add_perm("notices.answer", can_answer)  # obj: objection
rules.add_perm("notices.objections", can_read_objections)  # obj: place code


def involved(user: User, objection: Objection) -> str:
    """Why this person may not answer this objection; "" where nothing stands against it (G-19, A-08)."""
    line = objection.line
    claim = line.claim
    if claim.submitted_by_id == user.pk:
        return "这条申报是您提交的"
    if claim.reviews.filter(by=user).exists():
        return "这条申报是您评议过的"
    if line.notice.opened_by_id == user.pk:
        return "这一期公示是您公布的"
    if user.resident_id and objection.by_resident_id == user.resident_id:
        return "这条异议是您提出的"
    return kept_out(user, objection.place, [line.household_id]).get(line.household_id, "")


def access_notice(by: User | None, notice_id: UUID | str) -> Notice:
    """A notice of a village `by` belongs to. NotFound for absent and foreign alike."""
    found: Notice | None = _get(Notice, notice_id)
    if found is None or not may(by, "notices.see", found.place):
        raise NotFound("没有这一期公示。")
    return found


def access_line(by: User | None, line_id: UUID | str) -> Line:
    found: Line | None = _get(Line, line_id, "notice", "claim__item", "claim__book", "household")
    if found is None or not may(by, "notices.see", found.place):
        raise NotFound("没有这一条公示。")
    return found


def access_objection(by: User, objection_id: UUID | str) -> Objection:
    """For those who handle objections, and the person who made it. Others do not learn who objected."""
    found: Objection | None = _get(
        Objection, objection_id, "line__notice", "line__claim__item", "by_resident"
    )
    own = found is not None and by.resident_id is not None and found.by_resident_id == by.resident_id
    if found is None or not (own or may(by, "notices.objections", found.place)):
        raise NotFound("没有这条异议。")
    return found


def _get(model: Any, pk: UUID | str, *related: str) -> Any:
    try:
        return model.objects.select_related(*related).filter(pk=pk).first()
    except (ValueError, ValidationError):
        return None
