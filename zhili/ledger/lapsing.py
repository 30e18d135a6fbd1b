"""Points that lapse (积分清零、到期) and points carried over: never silently, always as lines of the book.

The village announces it at least 30 days ahead (L-11). On the day the oldest points go first, so whoever
spent something spent the points that would have lapsed. Running the job twice, or on two machines, posts
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from django.db import connection, transaction

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed
from zhili.common.faults import fault
from zhili.ledger import entries
from zhili.ledger.errors import LedgerError, purse_title
from zhili.ledger.models import Transfer
from zhili.ledger.posting import NewTransfer, Posted, post

if TYPE_CHECKING:
    from zhili.people.models import User

NOTICE_DAYS_MIN: Final = 30
_NAMESPACE: Final = UUID("6f0c6d3a-5f0e-5b8e-9a55-7a1b5c0d1e2f")

# Old credits, less everything that ever went out or is set aside: what of the old points is still there.
_OLD = """
SELECT a.owner, least(a.credits - a.debits - a.reserved, old.points - a.debits - a.reserved)::bigint
  FROM ledger_account a
  JOIN LATERAL (SELECT coalesce(sum(t.amount), 0) AS points FROM ledger_transfer t
    WHERE t.credit = a.id AND t.phase IN ('posted', 'settled') AND t.occurred_on <= %(until)s) old ON true
 WHERE a.place = %(place)s AND a.kind = 'holder' AND a.purse = %(purse)s AND a.closed_on IS NULL
   AND least(a.credits - a.debits - a.reserved, old.points - a.debits - a.reserved) > 0
 ORDER BY a.owner
"""


@dataclass(frozen=True, slots=True)
class Lapsing:
    """One holder and what of the purse would lapse, in hundredths: the list the notice prints."""

    owner: UUID
    points: int


def due(place: str, purse: str, earned_until: date) -> list[Lapsing]:
    """Points earned on or before a day and not yet used, oldest used first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD, {"place": place, "purse": purse, "until": earned_until})
        return [Lapsing(owner, points) for owner, points in cursor.fetchall()]


def expire_due(
    place: str,
    on: date,
    *,
    by: User | None,
    purse: str = "spend",
    earned_until: date,
    noticed_on: date,
    period: str,
    cause: Mapping[str, Any] | None = None,
) -> Posted | None:
    """Let the points earned until a day lapse. None if there are none (or they have lapsed already).

    by None: the scheduled job. noticed_on: when the village was told. Raises NotAllowed, LedgerError.
    """
    _may(by, place)
    _announced(on, noticed_on)
    text = {"purse": purse, "earned_until": earned_until, "noticed_on": noticed_on} | dict(cause or {})
    news = [
        entries.expiry(key, one.owner, one.points, purse, on, text)
        for one in due(place, purse, earned_until)
        for key in [_key("expire", place, purse, earned_until, one.owner)]
    ]
    return _post_missing(news, place, by, period, f"{purse_title(purse)}到期", "ledger.expire")


def carry_over(
    place: str,
    on: date,
    *,
    by: User | None,
    purse: str,
    keep_percent: int,
    earned_until: date,
    noticed_on: date,
    period: str,
    cause: Mapping[str, Any] | None = None,
) -> Posted | None:
    """Start the purse anew: old points lapse, and a stated share of them comes back as points of this day.

    keep_percent: 1…99, whole hundredths kept, rounded down. Raises NotAllowed, LedgerError.
    """
    if not 0 < keep_percent < 100:
        raise LedgerError("结转比例要在 1 到 99 之间", field="keep_percent", hint="全部到期请用积分到期。")
    _may(by, place)
    _announced(on, noticed_on)
    text = {"purse": purse, "earned_until": earned_until, "keep_percent": keep_percent} | dict(cause or {})
    news: list[NewTransfer] = []
    for one in due(place, purse, earned_until):
        key = _key("expire", place, purse, earned_until, one.owner)
        news.append(entries.expiry(key, one.owner, one.points, purse, on, text))
        kept = one.points * keep_percent // 100
        if kept:
            news.append(entries.carried(entries.derived(key, "carry"), one.owner, kept, purse, on, text))
    return _post_missing(news, place, by, period, f"{purse_title(purse)}结转", "ledger.carry_over")


def _post_missing(
    news: list[NewTransfer], place: str, by: User | None, period: str, note: str, action: str
) -> Posted | None:
    done = set(Transfer.objects.filter(id__in=[t.id for t in news]).values_list("id", flat=True))
    news = [t for t in news if t.id not in done]
    if not news:
        return None
    with transaction.atomic():
        posted = post(news, place=place, by=by, period=period, note=note)
        fault("ledger.expire.posted")
        record(
            action,
            by=by,
            place=place,
            target=f"ledger.batch:{posted.seq}",
            count=posted.count,
            total=posted.total,
        )
    return posted


def _may(by: User | None, place: str) -> None:
    if by is not None and not by.has_perm("ledger.expire", place):
        raise NotAllowed("您不能在这个村办理积分到期", hint="积分到期由村文书办理。")


def _announced(on: date, noticed_on: date) -> None:
    if (on - noticed_on).days < NOTICE_DAYS_MIN:
        raise LedgerError(
            f"积分到期要提前 {NOTICE_DAYS_MIN} 天公告，{noticed_on} 的公告到 {on} 还不够",
            field="on",
            hint="请把到期日往后放，或核对公告日期。",
            word="notice_too_short",
        )


def _key(verb: str, place: str, purse: str, until: date, owner: UUID) -> UUID:
    return uuid5(_NAMESPACE, f"{verb}|{place}|{purse}|{until}|{owner}")
