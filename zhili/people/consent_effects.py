"""What a person's no changes at once: the name comes off, the bank card, the ID number and the health tags go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from zhili.people.consent_models import Consent
from zhili.people.consents import publishes
from zhili.people.models import Household, Resident

P = Consent.Purpose
HEALTH_WORDS: Final = ("残疾", "精神", "艾滋", "乙肝", "结核", "癌", "病", "智障", "失能", "孕", "医")


def is_health(tag: str) -> bool:
    """Whether a tag speaks of health: sensitive personal information (个保法 28)."""
    return any(word in tag for word in HEALTH_WORDS)


def refresh_published(household: Household) -> bool:
    """Bring `Household.published` in line with the answers of its people; → the value now."""
    wanted = publishes(household)
    if household.published != wanted:
        Household.objects.filter(pk=household.pk).update(published=wanted)
        household.published = wanted
    return wanted


def carry_out(resident: Resident, refused: Iterable[str]) -> list[str]:
    """Remove from the register what a no forbids to keep (47). Returns the field names emptied; no values."""
    fields: dict[str, object] = {}
    for purpose in refused:
        if purpose == P.BANK and resident.bank_secret:
            fields |= {"bank_secret": "", "bank_index": None}
        elif purpose == P.ID_NUMBER and resident.id_number_secret:
            fields |= {"id_number_secret": "", "id_number_index": None}
        elif purpose == P.HEALTH and any(is_health(tag) for tag in resident.tags):
            fields["tags"] = [tag for tag in resident.tags if not is_health(tag)]
    if fields:
        Resident.objects.filter(pk=resident.pk).update(**fields)
        for name, value in fields.items():
            setattr(resident, name, value)
    return sorted(fields)
