"""公示期满: every undisputed line goes into the ledger in one batch, the held ones wait, the period is closed.

All in one transaction: a power cut leaves either nothing or everything, and running it again gives the same
ledger. A notice that hangs through day 5 is closed on any later day; closing needs no working day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.claims import actions as claims
from zhili.claims.models import Claim
from zhili.claims.scoring import owner_of
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.faults import fault
from zhili.common.periods import next_period, parse_code, period_of, today
from zhili.common.policy import may
from zhili.ledger import actions as ledger
from zhili.ledger.queries import closed_periods
from zhili.notices.errors import Conflict, NoticeError
from zhili.notices.models import Line, Notice, Objection
from zhili.notices.opening import lock_notices
from zhili.people.models import Household, User

SHOWN_DAYS_AFTER: Final = 30
"""How long a closed notice can still be read on the open page (M-07)."""


def close_notice(*, by: User, notice: Notice, on: date | None = None) -> Notice:
    """Close a notice whose days are over: post what nobody disputes, close the period. Doing it twice is once.

    Raises NoticeError (too early), NotAllowed, and what the ledger refuses. Statements do not grow with lines.
    """
    if not may(by, "notices.manage", notice.place):
        raise NotAllowed("只有村文书可以结束公示")
    day = on or today()
    with transaction.atomic():
        lock_notices(notice.place)
        notice = Notice.objects.select_for_update().get(pk=notice.pk)
        if notice.status == Notice.Status.CLOSED:
            return notice
        if day > today() or day <= notice.closes_on:
            raise NoticeError(
                f"《{notice.title}》公示到 {notice.closes_on:%-m月%-d日}为止，还不能结束",
                field="on",
                hint=f"请在{notice.closes_on + timedelta(days=1):%-m月%-d日}以后办理。",
            )
        period = open_period(notice.place, notice.period)
        rows = Line.objects.filter(notice=notice, status=Line.Status.SHOWN)
        lines = {line.pk: line for line in rows.select_related("claim__book", "claim__resident")}
        owners, gone = _moved_owners(lines.values())
        _take_down_gone(gone)
        fault("notice.close.before_post")
        points = {line.claim_id: line.points for line in lines.values() if line.pk not in gone}
        batch_id = None
        if points:
            posted = claims.award(
                by=by,
                place=notice.place,
                period=period,
                points=points,
                notice=notice.pk,
                note=f"第{notice.number}期公示入账",
                owners=owners,
                late=period != notice.period,
            )
            fault("notice.close.posted")
            batch_id = posted.batch_id if posted else None
            done = Line.objects.filter(notice=notice, status=Line.Status.SHOWN).update(
                status=Line.Status.POSTED, batch_id=batch_id
            )
            if done != len(points):
                raise Conflict("有条目刚刚变动，没有入账", hint="请再试一次。")
        fault("notice.close.before_period")
        if period == notice.period:
            ledger.close_period(notice.place, notice.period, by=by)
        fault("notice.close.period_closed")
        Notice.objects.filter(pk=notice.pk, status=Notice.Status.OPEN).update(
            status=Notice.Status.CLOSED,
            closed_by=by,
            closed_at=now(),
            batch_id=batch_id,
            taken_down_on=day + timedelta(days=SHOWN_DAYS_AFTER),
        )
        record(
            "notices.close",
            by=by,
            place=notice.place,
            target=notice,
            posted=len(points),
            taken_down=len(gone),
        )
        notice.refresh_from_db()
        fault("notice.close.before_commit")
    return notice


def post_held(*, by: User, line: Line) -> Line:
    """Post a line of a closed notice after its objection was answered, with a reference to that notice.

    It goes into the period that is open now, flagged late. Raises Conflict where it still waits.
    """
    with transaction.atomic():
        lock_notices(line.place)
        rows = Line.objects.select_related("notice", "claim__book", "claim__resident")
        line = rows.select_for_update(of=("self",)).get(pk=line.pk)
        waiting = Objection.objects.filter(line=line, status__in=Objection.OPEN).exists()
        if line.status != Line.Status.HELD or line.notice.status != Notice.Status.CLOSED or waiting:
            raise Conflict(
                f"这一条现在是“{line.get_status_display()}”，不能入账",
                hint="要先答复所有异议，公示也要结束。",
            )
        owners, gone = _moved_owners([line])
        if gone:
            _take_down_gone(gone)
        else:
            posted = claims.award(
                by=by,
                place=line.place,
                period=open_period(line.place, line.notice.period),
                points={line.claim_id: line.points},
                notice=line.notice_id,
                note=f"第{line.notice.number}期公示，异议答复后入账",
                owners=owners,
                late=True,
            )
            Line.objects.filter(pk=line.pk).update(
                status=Line.Status.POSTED, batch_id=posted.batch_id if posted else None
            )
        fault("notice.post_held.posted")
        record("notices.post_held", by=by, place=line.place, target=line, posted=not gone)
        line.refresh_from_db()
    return line


def open_period(place: str, wanted: str) -> str:
    """The period itself, or the one that takes entries now if it is closed already (L-08)."""
    closed = set(closed_periods(place))
    if wanted not in closed:
        return wanted
    period = period_of(today(), parse_code(wanted).kind)
    while period.code in closed:
        period = next_period(period)
    return period.code


def _moved_owners(lines: Iterable[Line]) -> tuple[dict[UUID, UUID], set[UUID]]:
    """What became of households that closed while their lines hung out: claim → the household that took over,
    and lines whose household left for good. Points held by a person stay with the person.
    """
    lines = [line for line in lines if _owner(line.claim) == line.household_id]
    rows = Household.objects.filter(pk__in={line.household_id for line in lines})
    closed = {
        household.pk: household
        for household in rows.exclude(status__in=Household.OPEN).select_related("successor__successor")
    }
    owners: dict[UUID, UUID] = {}
    gone: set[UUID] = set()
    for line in lines:
        if line.household_id in closed:
            heir = _heir(closed[line.household_id])
            if heir is None:
                gone.add(line.pk)
            else:
                owners[line.claim_id] = heir
    return owners, gone


def _owner(claim: Claim) -> UUID:
    return owner_of(claim.book.unit, claim.household_id, claim.resident, claim.occurred_on)


def _heir(household: Household) -> UUID | None:
    for _ in range(5):  # a chain of mergers within one notice is already strange
        if household.is_open:
            return household.pk
        if household.successor is None:
            return None
        household = household.successor
    return None


def _take_down_gone(gone: set[UUID]) -> None:
    if not gone:
        return
    rows = Line.objects.filter(pk__in=gone)
    claims.drop(rows.values_list("claim_id", flat=True))
    rows.update(status=Line.Status.DROPPED, correction="撤下，不入账：该户已迁出或销户", corrected_at=now())
