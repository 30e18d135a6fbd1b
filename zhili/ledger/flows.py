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

from zhili.common.periods import SHANGHAI


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


_PAST, _FUTURE = datetime(1, 1, 2, tzinfo=SHANGHAI), datetime(9999, 12, 30, tzinfo=SHANGHAI)
# Lines of a village are found by the number of their batch: what lies before the first batch is not read at all.
_FIRST = (
    "(SELECT coalesce(min(b.seq), 9223372036854775807) FROM ledger_batch b"
    " WHERE b.place = %(place)s AND b.posted_at >= %(start)s)"
)
# From the village's own accounts alone: every line but one between holders has one of them on one side. The month is
# worked out once a batch.
_FLOWS = """
WITH side AS MATERIALIZED (
  SELECT x.seq, v.kind, sum(x.amount) FILTER (WHERE x.taken) AS taken, sum(x.amount) FILTER (WHERE NOT x.taken) AS given
    FROM ledger_account v CROSS JOIN LATERAL (
      SELECT t.seq, t.amount, false AS taken FROM ledger_transfer t
       WHERE t.credit = v.id AND t.phase IN ('posted', 'settled') AND t.seq >= {first}
      UNION ALL SELECT t.seq, t.amount, true FROM ledger_transfer t
       WHERE t.debit = v.id AND t.phase IN ('posted', 'settled') AND t.seq >= {first}) x
   WHERE v.place = %(place)s AND v.purse = %(purse)s AND v.kind <> 'holder' GROUP BY x.seq, v.kind
), net AS (
  SELECT seq, kind, coalesce(given, 0) - coalesce(taken, 0) AS net FROM side
)
SELECT to_char(b.posted_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month,
       coalesce(-sum(n.net) FILTER (WHERE n.kind = 'pool'), 0)::bigint,
       coalesce(-sum(n.net) FILTER (WHERE n.kind IN ('pool', 'issued')), 0)::bigint,
       coalesce(sum(n.net) FILTER (WHERE n.kind = 'redeemed'), 0)::bigint,
       coalesce(sum(n.net) FILTER (WHERE n.kind = 'expired'), 0)::bigint,
       coalesce(sum(n.net) FILTER (WHERE n.kind IN ('deducted', 'reversed', 'moved')), 0)::bigint
  FROM net n JOIN ledger_batch b ON b.place = %(place)s AND b.seq = n.seq
 WHERE b.posted_at >= %(start)s AND b.posted_at < %(end)s
 GROUP BY 1 ORDER BY 1
""".replace("{first}", _FIRST)


def monthly_flows(
    place: str, purse: str, *, since: datetime | None = None, before: datetime | None = None
) -> list[Flow]:
    """Every month in which something was posted between two moments, oldest first. One statement."""
    values: dict[str, Any] = {
        "place": place,
        "purse": purse,
        "start": since or _PAST,
        "end": before or _FUTURE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FLOWS, values)
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
   AND 'redeemed' IN (c.kind, d.kind) AND t.seq >= {first} AND t.posted_at >= %(start)s AND t.posted_at < %(end)s
 ORDER BY t.seq, t.index
""".replace("{first}", _FIRST)


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
