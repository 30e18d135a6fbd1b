"""What stands: who allowed what, by purpose. Every other room asks here (`has_consent`, `consents_of`)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from django.db.models import Count, Q

from zhili.people.consent_models import Consent
from zhili.people.consent_purposes import VERSIONS, NoticeVersion, Purpose, current
from zhili.people.models import Household, Resident


@lru_cache(maxsize=64)
def valid_versions(code: str, versions: tuple[NoticeVersion, ...] = VERSIONS) -> frozenset[str]:
    """Notice versions whose wording of this purpose is the one people read today: an answer under any holds."""
    held: set[str] = set()
    wording = next((one for one in versions[-1].purposes if one.code == code), None)
    for version in reversed(versions):
        if wording is None or wording not in version.purposes:
            break
        held.add(version.version)
    return frozenset(held)


def has_consent(resident: Resident, purpose: str) -> bool:
    """Whether this person's yes to this purpose stands, under today's wording."""
    return Consent.objects.filter(
        resident=resident, purpose=purpose, agreed=True, ended_at=None,
        notice_version__in=valid_versions(purpose),
    ).exists()  # fmt: skip


def has_refused(resident: Resident, purpose: str) -> bool:
    """Whether this person's no stands. Somebody who was never asked has not refused."""
    return Consent.objects.filter(resident=resident, purpose=purpose, agreed=False, ended_at=None).exists()


def consents_of(place: str, residents: Iterable[UUID]) -> dict[tuple[UUID, str], Consent]:
    """(resident, purpose) → the standing answer, yes or no. One query; whoever never answered is not in it."""
    wanted = list(residents)
    if not wanted:
        return {}
    rows = Consent.objects.filter(place=place, resident__in=wanted, ended_at=None)
    return {(one.resident_id, one.purpose): one for one in rows}


def consenting(place: str, residents: Iterable[UUID], purpose: str) -> set[UUID]:
    """Of these people, those whose yes to `purpose` stands under today's wording. One query."""
    rows = Consent.objects.filter(
        place=place, resident__in=list(residents), purpose=purpose, agreed=True, ended_at=None,
        notice_version__in=valid_versions(purpose),
    )  # fmt: skip
    return set(rows.values_list("resident_id", flat=True))


def refusing(place: str, residents: Iterable[UUID], purpose: str) -> set[UUID]:
    """Of these people, those whose no stands. One query."""
    rows = Consent.objects.filter(
        place=place, resident__in=list(residents), purpose=purpose, agreed=False, ended_at=None
    )
    return set(rows.values_list("resident_id", flat=True))


def purposes_for(resident: Resident) -> tuple[Purpose, ...]:
    """What this person is asked: a child only what concerns children, everybody else the rest."""
    child = resident.is_minor()
    return tuple(one for one in current().purposes if one.for_minor == child)


def outstanding(resident: Resident) -> list[Purpose]:
    """What this person has not answered yet, or answered under a wording that has changed since (14)."""
    answered = consents_of(resident.place, [resident.pk])
    found: list[Purpose] = []
    for one in purposes_for(resident):
        standing = answered.get((resident.pk, one.code))
        if standing is None or standing.notice_version not in valid_versions(one.code):
            found.append(one)
    return found


def publishes(household: Household) -> bool:
    """Whether the household's name may be written: nobody of it has said no. The legal basis of the masked
    name is 组织法 30; a person's no (个保法 25) takes it off."""
    return not Consent.objects.filter(
        resident__household=household, purpose=Consent.Purpose.PUBLISH, agreed=False, ended_at=None,
        resident__status__in=("present", "away"),
    ).exists()  # fmt: skip


def counted(place: str) -> dict[str, dict[str, int]]:
    """purpose → {"yes", "no", "withdrawn"}: for the village's overview. One query."""
    found = {one.code: {"yes": 0, "no": 0, "withdrawn": 0} for one in current().purposes}
    rows = Consent.objects.filter(place=place).order_by().values("purpose").annotate(
        yes=Count("pk", filter=Q(ended_at=None, agreed=True)),
        no=Count("pk", filter=Q(ended_at=None, agreed=False)),
        withdrawn_count=Count("pk", filter=Q(withdrawn=True)),
    )  # fmt: skip
    for row in rows:
        found[row["purpose"]] = {"yes": row["yes"], "no": row["no"], "withdrawn": row["withdrawn_count"]}
    return found
