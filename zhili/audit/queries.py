"""Reading the trail: what a desk lists, and the fingerprint of each chain. Only rows of the transaction's scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from zhili.audit.models import Entry
from zhili.common.ids import short_code


@dataclass(frozen=True, slots=True)
class Head:
    """The end of one chain: its place, the number of its last row, that row's digest, and the digest's short form."""

    place: str
    seq: int
    head: str
    short: str
    at: datetime


def entries(place: str) -> QuerySet[Entry]:
    """Rows of a place and of everything below it, newest first."""
    return Entry.objects.filter(place__startswith=place).order_by("-at", "-id")


def heads(places: Sequence[str] | None = None) -> list[Head]:
    """The end of each chain in scope, or of these. One statement; each chain costs one look into the index."""
    # A loose index scan: DISTINCT would read every row of years to name two hundred villages.
    sql = """
    WITH RECURSIVE chains AS (
      (SELECT place FROM audit_entry WHERE seq IS NOT NULL ORDER BY place LIMIT 1)
      UNION ALL
      SELECT (SELECT e.place FROM audit_entry e WHERE e.place > c.place AND e.seq IS NOT NULL ORDER BY e.place LIMIT 1)
        FROM chains c WHERE c.place IS NOT NULL)
    SELECT c.place, t.seq, t.digest, t.at FROM chains c
      JOIN LATERAL (SELECT seq, digest, at FROM audit_entry e WHERE e.place = c.place AND e.seq IS NOT NULL
                     ORDER BY e.seq DESC LIMIT 1) t ON true
     WHERE c.place IS NOT NULL AND (%(all)s OR c.place = ANY (%(places)s)) ORDER BY c.place
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, {"all": places is None, "places": list(places or [])})
        return [
            Head(place, seq, bytes(digest).hex(), short_code(bytes(digest)), at)
            for place, seq, digest, at in cursor.fetchall()
        ]
