"""Where a purse's points went, month by month and line by line: what dashboards and the shop's books are matched with.

By 记账时间, so that a month that is over never changes. Amounts in hundredths of a point.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection


@dataclass(frozen=True, slots=True)
class Flow:
    """One month of one purse. issued - redeemed - expired - other = what the holders' purses grew by.

    funded: put into the pool. other: deducted, reversed or gone with a household, less what came back from there.
    """

    month: str = ""
    funded: int = 0
    issued: int = 0
    redeemed: int = 0
    expired: int = 0
    other: int = 0

    @property
    def growth(self) -> int:
        return self.issued - self.redeemed - self.expired - self.other

    def __add__(self, more: Flow) -> Flow:
        return Flow(
            more.month, self.funded + more.funded, self.issued + more.issued, self.redeemed + more.redeemed,
            self.expired + more.expired, self.other + more.other,
        )  # fmt: skip


_FLOWS = """
SELECT to_char(t.posted_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month,
       coalesce(sum(t.amount) FILTER (WHERE d.kind = 'pool'), 0)::bigint,
       coalesce(sum(t.amount) FILTER (WHERE d.kind = 'issued' AND c.kind = 'holder'), 0)::bigint,
       coalesce(sum(CASE WHEN c.kind = 'redeemed' THEN t.amount WHEN d.kind = 'redeemed' THEN -t.amount END), 0)::bigint,
       coalesce(sum(CASE WHEN c.kind = 'expired' THEN t.amount WHEN d.kind = 'expired' THEN -t.amount END), 0)::bigint,
       coalesce(sum(CASE WHEN c.kind IN ('deducted', 'reversed', 'moved') THEN t.amount
                         WHEN d.kind IN ('deducted', 'reversed', 'moved') THEN -t.amount END)
                FILTER (WHERE 'holder' IN (c.kind, d.kind)), 0)::bigint
  FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit JOIN ledger_account c ON c.id = t.credit
 WHERE t.place = %(place)s AND d.purse = %(purse)s AND t.phase IN ('posted', 'settled')
   AND t.posted_at < %(before)s
 GROUP BY 1 ORDER BY 1
"""
_FAR = datetime(9999, 12, 30).astimezone()


def monthly_flows(place: str, purse: str, *, before: datetime | None = None) -> list[Flow]:
    """Every month in which something was posted, oldest first, up to a moment. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_FLOWS, {"place": place, "purse": purse, "before": before or _FAR})
        return [Flow(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """One line that redeemed points, or took a redemption back (points < 0).

    key: the deed's key: of the reservation where there was one, of the redemption that is taken back.
    """

    key: UUID
    points: int
    cause: dict[str, Any]


# A settled line names its reservation; a counter-entry names the line it takes back, and through it the reservation.
_REDEEMED = """
SELECT coalesce(t.pending_of, o.pending_of, t.reverses, t.id),
       CASE WHEN c.kind = 'redeemed' THEN t.amount ELSE -t.amount END,
       coalesce(o.cause, p.cause, t.cause)
  FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit JOIN ledger_account c ON c.id = t.credit
  LEFT JOIN ledger_transfer o ON o.id = t.reverses LEFT JOIN ledger_transfer p ON p.id = t.pending_of
 WHERE t.place = %(place)s AND d.purse = %(purse)s AND t.phase IN ('posted', 'settled')
   AND 'redeemed' IN (c.kind, d.kind) AND t.posted_at >= %(start)s AND t.posted_at < %(end)s
 ORDER BY t.seq, t.index
"""


def redemptions(place: str, purse: str, start: datetime, end: datetime) -> list[Redeemed]:
    """Every line that redeemed points between two moments. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_REDEEMED, {"place": place, "purse": purse, "start": start, "end": end})
        return [Redeemed(key, points, json.loads(cause)) for key, points, cause in cursor.fetchall()]


_PENDING = """
SELECT t.id, t.amount FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit
 WHERE t.place = %(place)s AND d.purse = %(purse)s AND t.phase = 'pending' AND t.posted_at < %(at)s
   AND NOT EXISTS (SELECT FROM ledger_transfer r WHERE r.pending_of = t.id AND r.posted_at < %(at)s)
"""


def reserved_at(place: str, purse: str, at: datetime) -> dict[UUID, int]:
    """Reservations that were open just before a moment: key → points. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_PENDING, {"place": place, "purse": purse, "at": at})
        return dict(cursor.fetchall())


_PAID_OUT = """
SELECT d.owner, t.amount, (t.cause::jsonb ->> 'fen')::bigint
  FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit JOIN ledger_account c ON c.id = t.credit
 WHERE t.place = %s AND t.code = 'redeem' AND c.kind = 'redeemed' AND t.cause::jsonb ->> 'settlement' = %s
 ORDER BY d.owner
"""


def paid_out(place: str, settlement: UUID) -> list[tuple[UUID, int, int]]:
    """One settlement of floating points: (owner, points, fen). One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_PAID_OUT, [place, str(settlement)])
        return [(owner, points, int(fen)) for owner, points, fen in cursor.fetchall()]


_SPREAD = """
SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY held.points), 0)::bigint, count(*),
       coalesce(sum(held.points), 0)::bigint,
       coalesce(sum(held.points) FILTER (WHERE held.place <= ceil(held.count / 10.0)), 0)::bigint
  FROM (SELECT u.points, row_number() OVER (ORDER BY u.points DESC) AS place, count(*) OVER () AS count
          FROM (SELECT h.home, coalesce(sum(a.credits - a.debits), 0) AS points
                  FROM unnest(%(owners)s::uuid[], %(homes)s::int[]) AS h(owner, home)
                  LEFT JOIN ledger_account a ON a.place = %(place)s AND a.kind = 'holder' AND a.purse = %(purse)s
                                            AND a.owner = h.owner
                 GROUP BY h.home) u) held
"""


@dataclass(frozen=True, slots=True)
class Spread:
    """How points lie among households: the middle one's, how many there are, all points, those of the top tenth."""

    median: int
    households: int
    points: int
    top: int

    @property
    def top_percent(self) -> int | None:
        return round(100 * self.top / self.points) if self.points > 0 else None


def spread(place: str, purse: str, households: Sequence[Sequence[UUID]]) -> Spread:
    """households: for each the owners whose purses are theirs (itself, or its people). One statement."""
    owners = [owner for own in households for owner in own]
    homes = [n for n, own in enumerate(households) for _ in own]
    with connection.cursor() as cursor:
        cursor.execute(_SPREAD, {"place": place, "purse": purse, "owners": owners, "homes": homes})
        return Spread(*(int(value) for value in cursor.fetchone()))
