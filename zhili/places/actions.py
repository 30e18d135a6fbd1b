"""Loading and changing the tree of places."""

from __future__ import annotations

import csv
from pathlib import Path

from zhili.places.models import Place

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
