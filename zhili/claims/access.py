"""Who may claim, decide and see. Roles come from memberships, recusal (回避) from what people declared.

Nobody decides on what they entered, on their own household, on households they declared a tie to, or on
people they act for. Kin is never guessed from surnames.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import rules
from django.core.exceptions import ValidationError
from django.db.models import Q

from zhili.claims.models import Claim, Evidence, Recusal
from zhili.common.errors import NotFound
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people.access import leads_group
from zhili.people.models import Delegation, Household, Membership, User
from zhili.rulebook.models import Item

Role = Membership.Role
READERS = (Role.CLERK, Role.REVIEWER, Role.COUNCIL, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY)
LEVEL_ROLES: dict[str, Role] = {"1": Role.REVIEWER, "2": Role.REVIEWER, "council": Role.COUNCIL}
LEVELS: dict[str, str] = {
    Claim.Status.SUBMITTED: "1",
    Claim.Status.SECOND_REVIEW: "2",
    Claim.Status.COUNCIL: "council",
}


def of_household(user: User, household: Household | UUID) -> bool:
    """The person lives in that household."""
    wanted = household.pk if isinstance(household, Household) else household
    return user.resident is not None and user.resident.household_id == wanted


def kept_out(user: User, place: str, households: Iterable[UUID]) -> dict[UUID, str]:
    """Household → why `user` must stay out of its cases, where one must (G-08). 2 queries."""
    wanted = list(set(households))
    day = today()
    found: dict[UUID, str] = {}
    ties = Recusal.objects.filter(user=user, household__in=wanted).filter(
        Q(ended_on=None) | Q(ended_on__gt=day)
    )
    for tie in ties:
        found[tie.household_id] = f"您已申明与这一户有关系（{tie.get_kind_display()}）"
    for principal in Delegation.objects.filter(
        delegate=user, principal__household__in=wanted, revoked_on=None, valid_to__gte=day
    ).select_related("principal"):
        found[principal.principal.household_id] = "您正在替这一户的人代办"
    if user.resident is not None and user.resident.household_id in wanted:
        found[user.resident.household_id] = "这是您自己家"
    return found


@rules.predicate
def can_submit(user: User, household: Household | None = None) -> bool:
    """A villager for any household of the own village; a clerk for the village, a leader for the group."""
    if household is None:
        return bool(user.home_place) or user.has_role(Role.CLERK, Role.GROUP_LEADER)
    return (
        user.home_place == household.place
        or user.has_role(Role.CLERK, place=household.place)
        or leads_group(user, household)
    )


@rules.predicate
def can_review(user: User, claim: Claim | None = None) -> bool:
    """The role for the level at which the claim stands, and no reason to stay out."""
    if claim is None:
        return user.has_role(Role.REVIEWER, Role.COUNCIL)
    level = LEVELS.get(claim.status)
    return (
        level is not None
        and user.has_role(LEVEL_ROLES[level], place=claim.place)
        and claim.submitted_by_id != user.pk
        and not kept_out(user, claim.place, [claim.household_id])
        and not claim.reviews.filter(by=user).exclude(level=level).exists()
    )


@rules.predicate
def can_see(user: User, claim: Claim | None = None) -> bool:
    """The household itself, whoever submitted it, and those who work on the village's claims."""
    if claim is None:
        return True
    return (
        of_household(user, claim.household_id)
        or claim.submitted_by_id == user.pk
        or user.has_role(*READERS, place=claim.place)
        or leads_group(user, claim.household)
    )


def _clerk(user: User, place: str | None = None) -> bool:
    return user.has_role(Role.CLERK, place=place)


@rules.predicate
def can_see_village(user: User, place: str | None = None) -> bool:
    return user.has_role(*READERS, place=place)


@rules.predicate
def works_in_the_field(user: User, place: str | None = None) -> bool:
    """Clerks and group leaders enter what they saw, on the spot."""
    return user.has_role(Role.CLERK, Role.GROUP_LEADER, place=place)


rules.add_perm("claims.submit", can_submit)
rules.add_perm("claims.field", works_in_the_field)  # obj: place code
rules.add_perm("claims.review", can_review)
rules.add_perm("claims.see", can_see)
rules.add_perm("claims.see_village", can_see_village)  # obj: place code
rules.add_perm("claims.clerk", rules.predicate(_clerk))  # obj: place code; Excel, openings, visits


def access_claim(by: User, claim_id: UUID | str) -> Claim:
    """A claim that `by` may see, with item, household, resident and book. NotFound for absent and foreign."""
    rows = Claim.objects.select_related("item", "household", "resident", "book", "submitted_by")
    try:
        claim = rows.filter(pk=claim_id).first()
    except (ValueError, ValidationError):
        claim = None
    if claim is None or not may(by, "claims.see", claim):
        raise NotFound("没有这条申报。")
    return claim


def access_evidence(by: User, evidence_id: UUID | str) -> Evidence:
    """A piece of evidence of a claim that `by` may see (F-03). NotFound for absent and foreign alike."""
    try:
        found = Evidence.objects.select_related("claim__household").filter(pk=evidence_id).first()
    except (ValueError, ValidationError):
        found = None
    if found is None or not may(by, "claims.see", found.claim):
        raise NotFound("没有这份材料。")
    return found


def access_item(place: str, item_id: UUID | str) -> Item:
    """An item of a book of this village."""
    try:
        found = Item.objects.select_related("book").filter(pk=item_id, place=place).first()
    except (ValueError, ValidationError):
        found = None
    if found is None:
        raise NotFound("没有这个项目。")
    return found
