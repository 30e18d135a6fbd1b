"""Loading and changing the tree of places."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.places.models import Place, VillageSettings

TONGCHUAN = Path(__file__).parent / "data" / "regions-511702.csv"


def load_tongchuan() -> int:
    """Load the county the project carries. Returns the number of places."""
    with TONGCHUAN.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    Place.objects.bulk_create(
        [Place(code=r["code"], name=r["name"], kind=r["level"], parent_id=r["parent"] or None) for r in rows],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["name", "kind", "parent"],
    )
    return len(rows)


class PlaceError(ZhiliError):
    """What a clerk can mend about a place or its settings."""


def set_village_settings(*, by: Any, place: str, **changes: Any) -> VillageSettings:
    """Set what a village decides for itself: days of notice and answer, phones, office (see VillageSettings).

    By its clerk, or an officer above it. Raises PlaceError naming the field, NotAllowed.
    """
    if by is not None and not by.has_role("clerk", "township", "county", place=place):
        raise NotAllowed("村设置由村文书或上级经办人修改")
    with transaction.atomic():
        settings = VillageSettings.objects.select_for_update().filter(place=place).first()
        settings = settings or VillageSettings(place=place)
        names = {field.name for field in VillageSettings._meta.fields} - {"place"}
        if unknown := set(changes) - names:
            raise ValueError(f"not a village setting: {sorted(unknown)}")
        before = {name: getattr(settings, name) for name in changes}
        for name, value in changes.items():
            setattr(settings, name, value)
        try:
            settings.full_clean(validate_unique=False)
        except ValidationError as error:
            field, words = next(iter(error.message_dict.items()))
            raise PlaceError(str(words[0]), field=field) from error
        settings.save()
        record("places.settings", by=by, place=place, target=settings, before=before, after=changes)
    return settings
