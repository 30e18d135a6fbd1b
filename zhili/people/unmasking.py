"""Seeing what is masked: one field of one person per act, with a reason, on record; too many in an hour raise an alarm.

A child's details (under 14) are shown to nobody on the staff until a second person has allowed it (P-07).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from zhili.audit.actions import record
from zhili.audit.models import Entry
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people.access import must
from zhili.people.consent_models import Alarm, MinorAccess
from zhili.people.errors import PeopleError
from zhili.people.models import Resident, User
from zhili.people.secrets import open_bank, open_id_number, open_phone

FIELDS: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "id_number": ("身份证号", open_id_number),
    "phone": ("电话", open_phone),
    "bank": ("银行卡号", open_bank),
}
"""Field → what people call it, how it is opened. The column is `<field>_secret`."""
MINOR_DAYS: Final = 7
REASON_MAX: Final = 100


@transaction.atomic
def unmask(*, by: User, resident: Resident, field: str, reason: str) -> str:
    """One number in clear (A-14, M-06). On record stand who, whose, which field and why; never the number.

    Raises NotAllowed, PeopleError; ValueError for a field that does not exist.
    """
    must(by, "people.reveal", resident)
    if field not in FIELDS:
        raise ValueError(field)
    title, opener = FIELDS[field]
    reason = " ".join(reason.split())[:REASON_MAX]
    if len(reason) < 2:
        raise PeopleError(f"请写明为什么要看完整的{title}", field="reason", hint="例如：办理高龄补贴核对。")
    if not sees_minor(by, resident):
        raise NotAllowed("这是未满 14 岁的孩子，要先写明理由，由监督委员批准后才能看。")
    record(
        "people.unmask", by=by, place=resident.place, target=resident, field=field,
        reason=_nameless(reason, resident),
    )  # fmt: skip
    _watch(by, resident.place)
    return opener(getattr(resident, f"{field}_secret"))


def _nameless(reason: str, resident: Resident) -> str:
    """The trail cannot forget, so the person's name does not get into it by way of a reason (T-07)."""
    return reason.replace(resident.name, "本人")


def _watch(by: User, place: str) -> None:
    """An alarm row for the security administrator when somebody unmasks too many within an hour; one an hour."""
    with connection.cursor() as cursor:  # two acts at once must not both stay one below the mark
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"people.unmask:{by.pk}"])
    since = now() - timedelta(hours=1)
    count = Entry.objects.filter(action="people.unmask", actor_id=by.pk, at__gt=since).count()
    if count <= settings.UNMASK_ALARM_PER_HOUR:
        return
    known = Alarm.objects.filter(kind=Alarm.Kind.UNMASK, user=by, at__gt=since).order_by("-at").first()
    if known is not None and known.seen_at is None:
        Alarm.objects.filter(pk=known.pk).update(count=count)
    elif known is None:
        Alarm.objects.create(place=place, kind=Alarm.Kind.UNMASK, user=by, count=count)
        record("people.alarm", by=by, place=place, kind=Alarm.Kind.UNMASK.value, count=count)


def alarms(place: str, limit: int = 100) -> list[Alarm]:
    """Alarms at a place and below it, those not dealt with first."""
    rows = Alarm.objects.filter(place__startswith=place).select_related("user", "seen_by")
    return sorted(rows.order_by("-at")[:limit], key=lambda one: one.seen_at is not None)


@transaction.atomic
def settle_alarm(*, by: User, alarm: Alarm, note: str) -> Alarm:
    """The security administrator has looked into it and says what it was."""
    must(by, "people.see_alarms", alarm.place)
    if len(note.strip()) < 2:
        raise PeopleError("请写明查下来是怎么回事", field="note", hint="例如：集中办理社保核对，已核实。")
    if alarm.user_id == by.pk:
        raise NotAllowed("不能处理关于自己的告警。请由另一位管理员处理。")
    changed = Alarm.objects.filter(pk=alarm.pk, seen_at=None).update(
        seen_by=by, seen_at=now(), note=note.strip()[:200]
    )
    if not changed:
        raise PeopleError("这条告警已经处理过", hint="不用再处理。")
    record("people.settle_alarm", by=by, place=alarm.place, target=alarm)
    alarm.refresh_from_db()
    return alarm


# --------------------------------------------------------------------------------------------------- children


def allowed_minors(by: User | None, residents: Iterable[UUID]) -> set[UUID]:
    """Of these children, those whose details `by` may see today by somebody's approval. One query."""
    rows = MinorAccess.objects.filter(by=by, resident__in=list(residents), allowed=True, until__gte=today())
    return set(rows.values_list("resident", flat=True))


def sees_minor(by: User, resident: Resident) -> bool:
    """Whether `by` may see this person's details as far as age goes: the grown-up's, the own family's, or with a
    standing approval."""
    if not resident.is_minor():
        return True
    own = by.resident is not None and by.resident.household_id == resident.household_id
    return own or bool(allowed_minors(by, [resident.pk]))


@transaction.atomic
def ask_minor(*, by: User, resident: Resident, reason: str) -> MinorAccess:
    """申请查看: a staff member says why the details of one child are needed."""
    must(by, "people.edit_households", resident)
    if not resident.is_minor():
        raise PeopleError("这个人已满 14 岁，不用申请")
    reason = " ".join(reason.split())[:REASON_MAX]
    if len(reason) < 2:
        raise PeopleError("请写明为什么要看", field="reason", hint="例如：办理入学证明。")
    waiting = MinorAccess.objects.filter(by=by, resident=resident, decided_at=None).first()
    if waiting is not None:
        raise PeopleError("您已经申请过，还在等批准", hint="请等监督委员批准。")
    made = MinorAccess.objects.create(place=resident.place, resident=resident, by=by, reason=reason)
    record(
        "people.minor_ask", by=by, place=resident.place, target=resident, reason=_nameless(reason, resident)
    )
    return made


@transaction.atomic
def decide_minor(*, by: User, asked: MinorAccess, allow: bool) -> MinorAccess:
    """准许 or 不准许, by the supervisor, never by who asked. A yes holds seven days."""
    must(by, "people.allow_minor", asked.place)
    if asked.by_id == by.pk:
        raise NotAllowed("不能批准自己的申请。请由监督委员批准。")
    changed = MinorAccess.objects.filter(pk=asked.pk, decided_at=None).update(
        decided_by=by,
        decided_at=now(),
        allowed=allow,
        until=today() + timedelta(days=MINOR_DAYS) if allow else None,
    )
    if not changed:
        raise PeopleError("这条申请已经有人办过", hint="不用再办。")
    record(
        "people.minor_decide", by=by, place=asked.place, target=f"people.resident:{asked.resident_id}",
        allowed=allow, asked_by=asked.by_id,
    )  # fmt: skip
    asked.refresh_from_db()
    return asked


def record_minor_view(by: User, shown: Iterable[Resident]) -> None:
    """Children's details were on a staff member's screen: one row each (未成年人网络保护条例 36)."""
    for child in shown:
        own = by.resident is not None and by.resident.household_id == child.household_id
        if not own:
            record("people.minor_view", by=by, place=child.place, target=child)


def minor_requests(place: str) -> list[MinorAccess]:
    """Requests of a village, those that wait first (100 at most)."""
    rows = MinorAccess.objects.filter(place=place).select_related("resident__household", "by", "decided_by")
    return sorted(rows.order_by("-asked_at")[:100], key=lambda one: one.decided_at is not None)


def access_alarm(by: User, alarm_id: UUID) -> Alarm:
    """An alarm of the security administrator's county. NotFound for absent and foreign alike."""
    found = _row(Alarm, alarm_id)
    if not isinstance(found, Alarm) or not may(by, "people.see_alarms", found.place):
        raise NotFound("没有这条告警。")
    return found


def access_minor_request(by: User, asked_id: UUID) -> MinorAccess:
    """A request of the supervisor's village. NotFound for absent and foreign alike."""
    found = _row(MinorAccess, asked_id)
    if not isinstance(found, MinorAccess) or not may(by, "people.allow_minor", found.place):
        raise NotFound("没有这条申请。")
    return found


def _row(model: type[Alarm] | type[MinorAccess], key: UUID) -> Alarm | MinorAccess | None:
    return model.objects.filter(pk=key).first()
