"""到期公告: the village is told at least 30 days before points lapse, and only what was announced lapses (L-11).

The announcement is a row of the audit trail, written by the deed itself: nobody can date it back or change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed
from zhili.common.periods import local_date, today
from zhili.ledger.errors import LedgerError, purse_title
from zhili.ledger.lapsing import NOTICE_DAYS_MIN, due, expire_due

if TYPE_CHECKING:
    from zhili.people.models import User

ANNOUNCED: Final = "ledger.announce_expiry"
DONE: Final = "ledger.expire_announced"
OFF: Final = "ledger.expiry_off"
KEPT_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Announcement:
    """What was said: points of `purse` earned until a day lapse on a day. points in hundredths, as of then."""

    id: UUID
    purse: str
    on: date
    earned_until: date
    said_on: date
    holders: int
    points: int
    done: bool


def announcements(place: str) -> list[Announcement]:
    """The latest announcements of the village, newest first. Two statements."""
    rows = list(Entry.objects.filter(place=place, action=ANNOUNCED).order_by("-at", "-id")[:KEPT_MAX])
    targets = [f"expiry:{row.pk}" for row in rows]
    done = set(
        Entry.objects.filter(place=place, action__in=[DONE, OFF], target__in=targets).values_list(
            "target", flat=True
        )
    )
    return [
        Announcement(
            row.pk,
            row.detail["purse"],
            date.fromisoformat(row.detail["on"]),
            date.fromisoformat(row.detail["earned_until"]),
            local_date(row.at),
            row.detail["holders"],
            row.detail["points"],
            f"expiry:{row.pk}" in done,
        )
        for row in rows
    ]


def announce_expiry(*, by: User | None, place: str, purse: str, on: date, earned_until: date) -> Announcement:
    """Tell the village what will lapse, today. by None: the administrator at the machine.

    Raises NotAllowed; LedgerError where the day is too near, it was said before, or nothing would lapse.
    """
    _may(by, place)
    if (on - today()).days < NOTICE_DAYS_MIN:
        raise LedgerError(
            f"积分到期要提前 {NOTICE_DAYS_MIN} 天公告，从今天到 {on} 还不够",
            field="on",
            hint="请选更晚的到期日。",
            word="notice_too_short",
        )
    if earned_until >= on:
        raise LedgerError("只有到期日以前得的积分才会到期", field="on", hint="请核对日期。")
    with transaction.atomic():
        if any(one.purse == purse and not one.done for one in announcements(place)):
            raise LedgerError(f"{purse_title(purse)}到期已经公告过，还没有办理", hint="请先办理那一次。")
        lines = due(place, purse, earned_until)
        if not lines:
            raise LedgerError(f"{earned_until} 以前没有会到期的{purse_title(purse)}", hint="不用公告。")
        row = record(
            ANNOUNCED,
            by=by,
            place=place,
            purse=purse,
            on=on.isoformat(),
            earned_until=earned_until.isoformat(),
            holders=len(lines),
            points=sum(line.points for line in lines),
        )
    return next(one for one in announcements(place) if one.id == row.pk)


def expire_announced(*, by: User | None, place: str, announcement: Announcement, period: str) -> int:
    """Let lapse what was announced, on its day or later; the number of lines posted. Doing it twice posts once.

    Raises NotAllowed, and LedgerError before the day.
    """
    _may(by, place)
    if today() < announcement.on:
        raise LedgerError(
            f"{purse_title(announcement.purse)}公告的到期日是 {announcement.on}，现在还不能办理",
            hint="请到那一天再来。",
            word="expiry_too_early",
        )
    with transaction.atomic():
        posted = expire_due(
            place,
            announcement.on,
            by=by,
            purse=announcement.purse,
            earned_until=announcement.earned_until,
            noticed_on=announcement.said_on,
            period=period,
        )
        count = posted.count if posted else 0
        record(DONE, by=by, place=place, target=f"expiry:{announcement.id}", count=count)
    return count


def call_off(*, by: User | None, place: str, announcement: Announcement) -> None:
    """What was announced does not happen (the fair day it hung on was not held): no point lapses; said in the trail."""
    _may(by, place)
    with transaction.atomic():
        if any(one.id == announcement.id and not one.done for one in announcements(place)):
            record(
                OFF, by=by, place=place, target=f"expiry:{announcement.id}", on=announcement.on.isoformat()
            )


def _may(by: User | None, place: str) -> None:
    if by is not None and not by.has_perm("ledger.expire", place):
        raise NotAllowed("您不能在这个村办理积分到期", hint="积分到期由村文书办理。")
