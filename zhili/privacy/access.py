"""Who may ask about whose data, who answers, who gives the second signature, who sees the register.

Absent and foreign look alike: `access_*` raises the same NotFound for both (A-04).
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import rules
from django.core.exceptions import ValidationError

from zhili.common.errors import NotAllowed, NotFound
from zhili.common.policy import may
from zhili.people.models import Membership, Resident, User
from zhili.people.queries import active_delegation
from zhili.privacy.models import Assessment, Erasure, Incident, Recipient, Request

Role = Membership.Role
READERS: Final = (
    Role.CLERK, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN,
)  # fmt: skip
DESK: Final = (Role.CLERK, Role.SUPERVISOR, Role.TOWNSHIP)


def guardian_of(user: User, child: Resident) -> bool:
    """A grown-up of the child's own household."""
    own = user.resident
    return bool(
        child.is_minor() and own is not None and own.household_id == child.household_id and not own.is_minor()
    )


def relative_of(user: User, dead: Resident) -> bool:
    """Somebody of the dead person's own household; relatives elsewhere come to the desk (49)."""
    own = user.resident
    return bool(
        dead.status == Resident.Status.DEAD and own is not None and own.household_id == dead.household_id
    )


def asks_as(user: User, resident: Resident) -> str:
    """In which part this signed-in person may ask for that one on the phone; "" where they may not."""
    if user.resident_id == resident.pk:
        return Request.AskedBy.PERSON
    if guardian_of(user, resident):
        return Request.AskedBy.GUARDIAN
    if relative_of(user, resident):
        return Request.AskedBy.RELATIVE
    if resident.status in ("present", "away") and active_delegation(user, resident, "all") is not None:
        return Request.AskedBy.DELEGATE
    return ""


@rules.predicate
def can_see(user: User, place: str | None = None) -> bool:
    """The register, counts and deadlines: those who work for the village and those who watch."""
    return user.has_role(*READERS, place=place)


@rules.predicate
def can_handle(user: User, place: str | None = None) -> bool:
    """Take in and answer requests."""
    return user.has_role(Role.CLERK, Role.TOWNSHIP, place=place)


@rules.predicate
def can_read_requests(user: User, place: str | None = None) -> bool:
    return user.has_role(*DESK, place=place)


@rules.predicate
def can_approve(user: User, obj: Request | str | None = None) -> bool:
    """The second hand under an erasure: not who entered or prepared it, not the person concerned."""
    if obj is None or isinstance(obj, str):
        return user.has_role(Role.SUPERVISOR, Role.TOWNSHIP, place=obj)
    return (
        user.has_role(Role.SUPERVISOR, Role.TOWNSHIP, place=obj.place)
        and user.pk not in (obj.handled_by_id, obj.entered_by_id)
        and (user.resident_id is None or user.resident_id not in (obj.resident_id, obj.asker_id))
    )


@rules.predicate
def can_share(user: User, place: str | None = None) -> bool:
    """Write a recipient and a sharing into the register."""
    return user.has_role(Role.CLERK, Role.TOWNSHIP, Role.COUNTY, place=place)


@rules.predicate
def can_assess(user: User, place: str | None = None) -> bool:
    return user.has_role(Role.TOWNSHIP, Role.COUNTY, Role.SECURITY_ADMIN, place=place)


@rules.predicate
def can_investigate(user: User, place: str | None = None) -> bool:
    """Who was affected by an incident is answered by the security administrator, for the whole county."""
    return user.has_role(Role.SECURITY_ADMIN, place=place)


@rules.predicate
def can_audit_minors(user: User, place: str | None = None) -> bool:
    return user.has_role(Role.SUPERVISOR, Role.TOWNSHIP, place=place)


rules.add_perm("privacy.see", can_see)  # obj: place code, as all but approve
rules.add_perm("privacy.requests", can_read_requests)
rules.add_perm("privacy.handle", can_handle)
rules.add_perm("privacy.approve", can_approve)  # obj: request or place code
rules.add_perm("privacy.share", can_share)
rules.add_perm("privacy.assess", can_assess)
rules.add_perm("privacy.breach", can_investigate)
rules.add_perm("privacy.minors", can_audit_minors)


def must(user: Any, permission: str, obj: object, what: str) -> None:
    """NotAllowed in plain words unless `user` may. None: the administrator at the machine itself."""
    if user is not None and not may(user, permission, obj):
        raise NotAllowed(f"您的身份不能{what}。需要的话，请找村文书、监督委员或乡镇经办人。")


def access_person(by: User, resident_id: UUID | str) -> Resident:
    """Somebody whose data `by` may ask about: oneself, one's child, who one acts for, the household's dead; at the
    desk anybody of the village."""
    found = _get(Resident.objects.select_related("household"), resident_id)
    if found is None or not (asks_as(by, found) or may(by, "privacy.handle", found.place)):
        raise NotFound("没有这个人。")
    return found


def access_request(by: User, request_id: UUID | str) -> Request:
    """A request of oneself or of somebody one asked for, or of the desk's village."""
    rows = Request.objects.select_related("resident__household", "entered_by", "handled_by", "approved_by")
    found = _get(rows, request_id)
    own = found is not None and (
        asks_as(by, found.resident)
        or found.entered_by_id == by.pk
        or (by.resident_id is not None and found.asker_id == by.resident_id)
    )
    if found is None or not (own or may(by, "privacy.requests", found.place)):
        raise NotFound("没有这个请求。")
    return found


def access_recipient(by: User, recipient_id: UUID | str) -> Recipient:
    """A recipient in the register of a place one may see."""
    found = _get(Recipient.objects.all(), recipient_id)
    if found is None or not may(by, "privacy.see", found.place):
        raise NotFound("没有这个接收方。")
    return found


def access_assessment(by: User, assessment_id: UUID | str) -> Assessment:
    found = _get(Assessment.objects.select_related("made_by", "approved_by"), assessment_id)
    if found is None or not may(by, "privacy.see", found.place):
        raise NotFound("没有这份评估。")
    return found


def access_incident(by: User, incident_id: UUID | str) -> Incident:
    found = _get(Incident.objects.all(), incident_id)
    if found is None or not may(by, "privacy.breach", found.place):
        raise NotFound("没有这个事件。")
    return found


def erased(resident: Resident) -> bool:
    """Whether this person has been removed."""
    return Erasure.objects.filter(resident=resident).exists()


def _get(rows: Any, key: UUID | str) -> Any:
    try:
        return rows.filter(pk=key).first()
    except (ValueError, ValidationError):
        return None
