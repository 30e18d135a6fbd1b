"""警报: a village whose book is not as it was written is stopped until a named person has looked (L-15).

The alarm is a row of its own, raised beside the refused posting and outliving it. Only that village stops: no
entry, no close, until somebody with the duty says why it may go on. The other villages notice nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from threading import Thread
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.policy import may
from zhili.common.scope import scoped
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Alarm
from zhili.ledger.problems import Report, title_of
from zhili.people.models import User

REASON_MAX = 200


def open_alarms(places: Iterable[str] | None = None) -> list[Alarm]:
    """Open alarms within the transaction's scope, newest first: for the today page and the health page."""
    rows = Alarm.objects.filter(lifted_at=None)
    return list(rows if places is None else rows.filter(place__in=list(places)))


def past_alarms(place: str, limit: int = 10) -> list[Alarm]:
    """Lifted alarms of a village with who lifted them and why, newest first."""
    rows = Alarm.objects.filter(place=place, lifted_at__isnull=False).select_related("lifted_by")
    return list(rows[:limit])


def is_stopped(place: str) -> bool:
    """Whether this village's book takes no entries at the moment."""
    return Alarm.objects.filter(place=place, lifted_at=None).exists()


def raise_alarm(place: str, what: str, *, found_by: str) -> bool:
    """Stop this village, once; False if it was stopped already. Runs in the caller's transaction."""
    try:
        with transaction.atomic():
            alarm = Alarm.objects.create(place=place, what=what[:300], found_by=found_by)
    except IntegrityError:
        return False
    record("ledger.alarm", by=None, place=place, target=alarm, outcome="failed", found_by=found_by)
    return True


def raise_from(report: Report) -> list[str]:
    """One alarm for every village of which a check found something. Returns the villages stopped just now."""
    firsts = {problem.place: problem for problem in reversed(report.problems)}
    stopped = []
    for place, problem in sorted(firsts.items()):
        with scoped(place):
            if raise_alarm(place, problem.words, found_by=Alarm.FoundBy.VERIFY):
                stopped.append(place)
    return stopped


def raise_apart(place: str, facts: str | None) -> None:
    """Raise the alarm of a refused posting in a transaction of its own: the caller's is about to be rolled back."""
    known = json.loads(facts or "{}")
    what = f"{title_of(known.get('table', ''))} {known.get('id', '')}：余额、封签或账本指纹与流水对不上"
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with scoped(place):
                raise_alarm(place, what, found_by=Alarm.FoundBy.POST)
        except BaseException as error:  # said by the thread that asked
            failed.append(error)
        finally:
            connection.close()

    # Connections belong to threads: a new thread is a new transaction, whatever this one is in the middle of.
    thread = Thread(target=work, name="ledger-alarm")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def lift_alarm(alarm_id: UUID, *, place: str, by: User, reason: str) -> Alarm:
    """Let the village go on (解除警报): by a named person, with the reason. Raises NotAllowed, NotFound, LedgerError."""
    if not may(by, "ledger.lift_alarm", place):
        raise NotAllowed("您不能解除台账警报", hint="请由乡镇或区县的经办人核对后解除。")
    if len(reason.strip()) < 5:
        raise LedgerError(
            "解除警报要写明理由", field="reason", hint="请写清查到了什么、怎样处理的。", word="reason"
        )
    with transaction.atomic():
        changed = Alarm.objects.filter(pk=alarm_id, place=place, lifted_at=None).update(
            lifted_at=now(), lifted_by=by, reason=reason.strip()[:REASON_MAX]
        )
        if not changed:
            raise NotFound("没有这条未解除的警报")
        alarm = Alarm.objects.get(pk=alarm_id)
        record("ledger.lift_alarm", by=by, place=place, target=alarm, reason=alarm.reason)
    return alarm
