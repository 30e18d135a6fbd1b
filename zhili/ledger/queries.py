"""Reading the book: balances, the passbook, totals of a period, fingerprints, receipts.

All set-based and bounded: one or two statements however many households. Amounts in hundredths of a point.
Only rows of the transaction's scope can come back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from zhili.common import planned
from zhili.common.periods import SHANGHAI, parse_code
from zhili.ledger.entries import code_title
from zhili.ledger.models import Account, Batch, PeriodClose
from zhili.ledger.receipts import Receipt, find_receipt, head_short, receipt_code

__all__ = [
    "AsOf",
    "Balance",
    "Balances",
    "Correction",
    "Entry",
    "Head",
    "Receipt",
    "Statement",
    "Total",
    "as_of",
    "balances",
    "balances_of_village",
    "balances_on",
    "closed_periods",
    "find_receipt",
    "head_short",
    "heads",
    "is_closed",
    "latest_head",
    "period_totals",
    "receipt_code",
    "statement",
    "statements",
    "village_totals",
]

STATEMENT_MAX: Final = 5_000
MOVED: Final = ("posted", "settled")


@dataclass(frozen=True, slots=True)
class Balance:
    """One purse now: what it holds, what of it is set aside for orders, what may be spent."""

    balance: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        return self.balance - self.reserved


class Balances(dict[tuple[UUID, str], Balance]):
    """(owner, purse) → Balance. A purse that never had an entry reads as zero."""

    def __missing__(self, key: tuple[UUID, str]) -> Balance:
        return Balance()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a passbook. points: signed. short: what a deduction could not take."""

    transfer_id: UUID
    batch_seq: int
    occurred_on: date
    posted_at: datetime
    code: str
    code_title: str
    points: int
    balance_after: int
    cause: dict[str, Any]
    receipt: str
    late: bool
    reversed: bool
    reverses: UUID | None
    short: int
    period: str
    purse: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A passbook page: opening + the entries' points = closing, always. Oldest first."""

    purse: str
    opening: int
    entries: list[Entry]
    closing: int


@dataclass(frozen=True, slots=True)
class Total:
    """One purse in one period. net: what the period changed by awards, deductions and corrections (for
    standings)."""

    earned: int = 0
    deducted: int = 0
    spent: int = 0
    expired: int = 0
    adjusted: int = 0

    @property
    def net(self) -> int:
        return self.earned - self.deducted + self.adjusted


@dataclass(frozen=True, slots=True)
class Head:
    """The fingerprint of the book after one batch; `short` is what a poster prints."""

    seq: int
    head: str
    short: str
    count: int
    total: int
    posted_at: datetime
    period: str


def balances(place: str, owners: Collection[UUID]) -> Balances:
    """Every purse of these owners, now. One statement."""
    rows = Account.objects.filter(place=place, kind="holder", owner__in=list(owners))
    return Balances(
        ((owner, purse), Balance(credits - debits, reserved))
        for owner, purse, credits, debits, reserved in rows.values_list(
            "owner", "purse", "credits", "debits", "reserved"
        )
        if owner is not None
    )


def balances_of_village(place: str) -> Balances:
    """Every holder's purse of the village, now. One statement."""
    rows = Account.objects.filter(place=place, kind="holder")
    return Balances(
        ((owner, purse), Balance(credits - debits, reserved))
        for owner, purse, credits, debits, reserved in rows.values_list(
            "owner", "purse", "credits", "debits", "reserved"
        )
        if owner is not None
    )


_BALANCES_ON = """
SELECT a.owner, a.purse,
  coalesce((SELECT sum(amount) FROM ledger_transfer t WHERE t.credit = a.id AND t.phase IN ('posted',
  'settled')
            AND {when}), 0)
  - coalesce((SELECT sum(amount) FROM ledger_transfer t WHERE t.debit = a.id AND t.phase IN ('posted',
  'settled')
            AND {when}), 0),
  coalesce((SELECT sum(CASE phase WHEN 'pending' THEN amount ELSE -amount END) FROM ledger_transfer t
            WHERE t.debit = a.id AND t.phase <> 'posted' AND {when}), 0)
FROM ledger_account a WHERE a.place = %(place)s AND a.kind = 'holder' AND a.owner = ANY(%(owners)s)
"""


def balances_on(place: str, owners: Collection[UUID], day: date, *, by: str = "posted") -> Balances:
    """Balances at the end of `day`, by 记账时间 ("posted": what an old report showed) or 发生日 ("occurred": as it
    is known today). One statement (L-13)."""
    if by not in ("posted", "occurred"):
        raise ValueError("by is posted or occurred")
    when = "t.posted_at < %(end)s" if by == "posted" else "t.occurred_on <= %(day)s"
    with connection.cursor() as cursor:
        cursor.execute(
            _BALANCES_ON.format(when=when),
            {"place": place, "owners": list(owners), "day": day, "end": _midnight_after(day)},
        )
        return Balances(((row[0], row[1]), Balance(int(row[2]), int(row[3]))) for row in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Correction:
    """A line written after a report that belongs to its days, or takes back a line it showed. points: signed."""

    transfer_id: UUID
    owner: UUID
    purse: str
    posted_at: datetime
    occurred_on: date
    code_title: str
    points: int
    reverses: UUID | None


@dataclass(frozen=True, slots=True)
class AsOf:
    """A report again (L-13): what it showed on its day, and, apart from that, what has been corrected since."""

    day: date
    balances: Balances
    corrections: list[Correction]


_CORRECTIONS = """
SELECT t.id, a.owner, a.purse, t.posted_at, t.occurred_on, t.code,
       CASE WHEN t.credit = a.id THEN t.amount ELSE -t.amount END, t.reverses
  FROM ledger_transfer t
  JOIN ledger_account a ON a.id IN (t.credit, t.debit) AND a.kind = 'holder' AND a.place = %(place)s
 WHERE t.place = %(place)s AND t.posted_at >= %(end)s AND t.phase IN ('posted', 'settled') AND t.amount > 0
   AND a.owner = ANY(%(owners)s)
   AND (t.occurred_on <= %(day)s OR EXISTS (SELECT FROM ledger_transfer o WHERE o.id = t.reverses AND o.posted_at < %(end)s))
 ORDER BY t.seq, t.index, a.owner LIMIT %(limit)s
"""


def as_of(place: str, owners: Collection[UUID], day: date) -> AsOf:
    """The balances a report of `day` showed, the same whenever it is asked for, and the later corrections: lines posted
    since for days up to it, and reversals of what it counted. At most STATEMENT_MAX. Two statements (L-13)."""
    shown = balances_on(place, owners, day)
    values: dict[str, Any] = {
        "place": place, "owners": list(owners), "day": day, "end": _midnight_after(day), "limit": STATEMENT_MAX,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_CORRECTIONS, values)
        rows = [
            Correction(id, owner, purse, posted_at, occurred_on, code_title(code), points, reverses)
            for id, owner, purse, posted_at, occurred_on, code, points, reverses in cursor.fetchall()
        ]
    return AsOf(day, shown, rows)


# The newest `limit` lines of the range (sql/06_page.sql), and the sums that turn them into running balances. Where the
# range has no end, the closing balance stands in the account.
_NOW = "(SELECT credits - debits FROM ledger_account WHERE id = %(account)s)"
_THEN = """
  (SELECT coalesce(sum(CASE WHEN credit = %(account)s THEN amount ELSE -amount END), 0) FROM ledger_transfer
    WHERE (credit = %(account)s OR debit = %(account)s) AND phase IN ('posted', 'settled') AND posted_at < %(end)s)
"""
_STATEMENT = """
WITH page AS MATERIALIZED (
  SELECT id, points FROM ledger_page(%(account)s, %(start)s, %(end)s, %(limit)s)
), sums AS (
  SELECT {closing} AS closing, (SELECT coalesce(sum(points), 0) FROM page) AS shown
)
SELECT sums.closing::bigint, sums.shown::bigint, t.id, t.seq, t.occurred_on, t.posted_at, t.code, p.points,
       t.cause, t.late, EXISTS (SELECT FROM ledger_transfer r WHERE r.reverses = t.id), t.reverses, t.short, t.period
FROM sums LEFT JOIN page p ON true LEFT JOIN ledger_transfer t ON t.id = p.id ORDER BY t.seq, t.index
"""
_FIRST = datetime(1, 1, 2, tzinfo=SHANGHAI)
_LAST = datetime(9999, 12, 30, tzinfo=SHANGHAI)


def statement(
    place: str,
    owner: UUID,
    *,
    purse: str | None = None,
    start: date | None = None,
    end: date | None = None,
    limit: int = 500,
) -> Statement:
    """One purse's passbook between two days of posting (both inclusive), newest `limit` lines of them,
    oldest first.

    purse None: "merit" if the owner has one, else the only one there is. Two statements.
    """
    accounts = {a.purse: a.id for a in Account.objects.filter(place=place, kind="holder", owner=owner)}
    if purse is None:
        purse = "merit" if "merit" in accounts or not accounts else min(accounts)
    if purse not in accounts:
        return Statement(purse, 0, [], 0)
    with connection.cursor() as cursor:
        cursor.execute(
            _STATEMENT.format(closing=_THEN if end else _NOW),
            {
                "account": accounts[purse],
                "start": _midnight(start) if start else _FIRST,
                "end": _midnight_after(end) if end else _LAST,
                "limit": max(1, min(limit, STATEMENT_MAX)),
            },
        )
        rows = cursor.fetchall()
    closing, shown = rows[0][0], rows[0][1]
    running = opening = closing - shown
    lines: list[Entry] = []
    for (
        _,
        _,
        id,
        seq,
        occurred_on,
        posted_at,
        code,
        points,
        cause,
        late,
        gone,
        reverses,
        short,
        period,
    ) in rows:
        if id is None:
            break
        running += points
        lines.append(
            Entry(
                id,
                seq,
                occurred_on,
                posted_at,
                code,
                code_title(code),
                points,
                running,
                {"delegate": None, "notice": None} | json.loads(cause),
                receipt_code(id),
                late,
                gone,
                reverses,
                short,
                period,
                purse,
            )
        )
    assert running == closing, "a passbook page must add up"
    return Statement(purse, opening, lines, closing)


def statements(place: str, owner: UUID, **range_: Any) -> dict[str, Statement]:
    """Every purse's passbook of one owner, merit first."""
    purses = Account.objects.filter(place=place, kind="holder", owner=owner).values_list("purse", flat=True)
    return {
        purse: statement(place, owner, purse=purse, **range_) for purse in sorted(purses, key=_merit_first)
    }


def _merit_first(purse: str) -> tuple[int, str]:
    return ({"merit": 0, "spend": 1}.get(purse, 2), purse)


def period_totals(
    place: str, periods: Sequence[str], owners: Collection[UUID] | None = None
) -> dict[tuple[UUID, str, str], Total]:
    """(owner, period, purse) → Total, for these owners or the whole village. One statement; no row, no
    movement."""
    query = """
        SELECT a.owner, p.period, a.purse, p.earned, p.deducted, p.spent, p.expired, p.adjusted
        FROM ledger_periodtotal p JOIN ledger_account a ON a.id = p.account
        WHERE p.place = %s AND p.period = ANY(%s)"""
    values: list[Any] = [place, list(periods)]
    if owners is not None:
        # Named in full, so that the accounts are found by their key and not through the village's totals.
        query += " AND a.place = %s AND a.kind = 'holder' AND a.owner = ANY(%s)"
        values += [place, list(owners)]
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return {(row[0], row[1], row[2]): Total(*row[3:]) for row in cursor.fetchall()}


def village_totals(place: str, periods: Sequence[str]) -> dict[tuple[str, str], Total]:
    """(period, purse) → the sum over all holders of the village. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT p.period, a.purse, sum(p.earned)::bigint, sum(p.deducted)::bigint, sum(p.spent)::bigint,
                      sum(p.expired)::bigint, sum(p.adjusted)::bigint
               FROM ledger_periodtotal p JOIN ledger_account a ON a.id = p.account
               WHERE p.place = %s AND p.period = ANY(%s) GROUP BY p.period, a.purse ORDER BY p.period,
               a.purse""",
            [place, list(periods)],
        )
        return {(row[0], row[1]): Total(*row[2:]) for row in cursor.fetchall()}


def heads(place: str, limit: int = 50) -> list[Head]:
    """The newest fingerprints of a village's book, newest first."""
    rows = Batch.objects.filter(place=place).order_by("-seq")[: max(1, min(limit, 1_000))]
    return [_head(row) for row in rows]


def latest_head(place: str) -> Head | None:
    """What the next poster prints; None before the first batch."""
    row = Batch.objects.filter(place=place).order_by("-seq").first()
    return None if row is None else _head(row)


def _head(row: Batch) -> Head:
    head = bytes(row.head)
    return Head(row.seq, head.hex(), head_short(head), row.count, row.total, row.posted_at, row.period)


def is_closed(place: str, period: str) -> bool:
    """Whether the period takes no more entries."""
    return PeriodClose.objects.filter(place=place, period=period).exists()


def closed_periods(place: str) -> list[str]:
    """Codes of the closed periods, newest first."""
    return sorted(
        (
            period
            for (period,) in planned.ask("SELECT period FROM ledger_periodclose WHERE place = %s", [place])
        ),
        key=lambda code: parse_code(code).end,
        reverse=True,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=SHANGHAI)


def _midnight_after(day: date) -> datetime:
    return _midnight(day + timedelta(days=1))
