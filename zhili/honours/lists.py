"""A list from computing to the wall: draft → the meeting decides → published from a day to a day; struck off one by one.

The clerk has it computed, a council member or the supervisor writes down what the meeting decided (two hands), the
clerk hangs it out. The figures are frozen at computing; a later reversal shows beside them, never in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.common.canonical import netstring
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.gates import pass_gate
from zhili.common.periods import Period, parse_code, today
from zhili.common.policy import may
from zhili.honours.choosing import choose
from zhili.honours.errors import Conflict, HonourError
from zhili.honours.merit import SIZES, codes_within, merit_of
from zhili.honours.models import HonourEntry, HonourList, HonourScheme, frozen
from zhili.honours.schemes import plain
from zhili.notices.models import Notice
from zhili.people.models import Household, User
from zhili.rulebook.queries import in_force

SHOWN_DAYS: Final = 90
SHOWN_DAYS_MAX: Final = 400


def draft_list(*, by: User, scheme: HonourScheme, period: str) -> HonourList:
    """Compute who is honoured in a period that is over, and freeze the figures. Raises HonourError where nobody is.

    Statements do not grow with the number of households.
    """
    place = scheme.place
    if not may(by, "honours.manage", place):
        raise NotAllowed("您的身份不能算荣誉榜", hint="请找村文书。")
    time = _time(scheme, period)
    with transaction.atomic():
        _lock(place)
        if scheme.lists.exclude(status=HonourList.Status.DROPPED).filter(period=time.code).exists():
            raise Conflict(f"{time.title}的榜已经算过了", field="period", hint="要重算，先把那张作废。")
        merits = merit_of(place, time)
        points = {home: merit.counted(scheme.counts) for home, merit in merits.items()}
        chosen = choose(scheme.rule, points)
        if not chosen:
            raise HonourError(
                f"{time.title}没有一户达到“{scheme.title}”的要求", field="period",
                hint="请看看分数要求是不是太高，或这段时间的公示是不是都入账了。",
            )  # fmt: skip
        number = (HonourList.objects.filter(place=place).aggregate(last=Max("number"))["last"] or 0) + 1
        made = HonourList(
            place=place, scheme=scheme, number=number, period=time.code, households=len(points), drafted_by=by
        )
        homes = Household.objects.in_bulk([one.key for one in chosen])
        entries = [
            HonourEntry(
                place=place, list=made, household=homes[one.key], number=position, group=homes[one.key].group,
                household_code=homes[one.key].code, points=one.points, stars=one.stars, rank=one.rank,
            )
            for position, one in enumerate(chosen, start=1)
        ]  # fmt: skip
        made.digest = digest_of(made, entries)
        made.save(force_insert=True)
        HonourEntry.objects.bulk_create(entries, batch_size=5_000)
        record("honours.draft", by=by, place=place, target=made, period=time.code, honoured=len(entries))
    return made


def digest_of(found: HonourList, entries: Iterable[HonourEntry]) -> str:
    """SHA-256 over scheme, period and every frozen line: what the meeting decided on can be told from anything else."""
    text = netstring(f"{found.place} {found.scheme_id} {found.period} {found.number} {found.households}")
    for entry in sorted(entries, key=lambda one: one.number):
        text += netstring(" ".join(str(part) for part in frozen(entry)))
    return hashlib.sha256(text.encode()).hexdigest()


def record_resolution(
    *, by: User, found: HonourList, decided_by: str, decided_on: date, digest: str,
    in_favour: int | None = None, present: int | None = None,
) -> HonourList:  # fmt: skip
    """Write down what the village's meeting decided on this very list (its digest). Never the person who computed it."""
    if not may(by, "honours.record", found.place):
        raise NotAllowed("您的身份不能登记决定", hint="由议事会成员或监督委员登记。")
    if by.pk == found.drafted_by_id:
        raise NotAllowed("算榜的人不能自己登记决定", hint="请另一位议事会成员或监督委员来登记。")
    decided_by = plain(decided_by, "decided_by", 40)
    if decided_on > today() or decided_on <= parse_code(found.period).end:
        raise HonourError("决定的日期不对", field="decided_on", hint="应在这一期结束以后，今天或以前。")
    if (in_favour is None) != (present is None):
        raise HonourError("到会人数和同意人数要一起填", field="in_favour")
    if in_favour is not None and present is not None and not 0 < in_favour <= present:
        raise HonourError("同意人数要在 1 和到会人数之间", field="in_favour")
    if in_favour is not None and present is not None and in_favour * 2 <= present:
        raise HonourError("同意的没有过半，这张榜没有通过", field="in_favour", hint="请作废这张榜。")
    with transaction.atomic():
        _still(found, HonourList.Status.DRAFT)
        if digest != digest_of(found, found.entries.all()):
            raise Conflict("这张榜和会上看的不是同一份", hint="请刷新页面，核对以后再登记。")
        HonourList.objects.filter(pk=found.pk).update(
            status=HonourList.Status.RESOLVED, decided_by=decided_by, decided_on=decided_on, in_favour=in_favour,
            present=present, recorded_by=by,
        )  # fmt: skip
        record("honours.resolve", by=by, place=found.place, target=found, digest=digest)
        found.refresh_from_db()
    return found


def publish(*, by: User, found: HonourList, shown_to: date | None = None) -> HonourList:
    """Hang the list out from today to a day. Raises HonourError, NotAllowed, Conflict."""
    if not may(by, "honours.manage", found.place):
        raise NotAllowed("您的身份不能公布荣誉榜", hint="请找村文书。")
    pass_gate("publish", place=found.place)  # not before its impact has been assessed (P-09)
    day = today()
    until = shown_to or day + timedelta(days=SHOWN_DAYS)
    if not day <= until <= day + timedelta(days=SHOWN_DAYS_MAX):
        raise HonourError(f"公布到哪天，要在今天以后 {SHOWN_DAYS_MAX} 天以内", field="shown_to")
    with transaction.atomic():
        _still(found, HonourList.Status.RESOLVED)
        if not found.entries.filter(struck_at=None).exists():
            raise HonourError("榜上没有一户了，不能公布", hint="请作废这张榜。")
        HonourList.objects.filter(pk=found.pk).update(
            status=HonourList.Status.PUBLISHED, shown_from=day, shown_to=until, published_by=by
        )
        record("honours.publish", by=by, place=found.place, target=found, shown_to=until.isoformat())
        found.refresh_from_db()
    return found


def drop(*, by: User, found: HonourList, because: str) -> HonourList:
    """Take back a list that is not public yet: the period may then be computed again."""
    if not may(by, "honours.manage", found.place):
        raise NotAllowed("您的身份不能作废荣誉榜", hint="请找村文书。")
    because = plain(because, "because", 100)
    with transaction.atomic():
        _still(found, HonourList.Status.DRAFT, HonourList.Status.RESOLVED)
        HonourList.objects.filter(pk=found.pk).update(
            status=HonourList.Status.DROPPED, dropped_because=because
        )
        record("honours.drop", by=by, place=found.place, target=found)
        found.refresh_from_db()
    return found


def strike_off(*, by: User, entry: HonourEntry, because: str) -> HonourEntry:
    """One household off the list, with a reason kept inside. Nobody moves up: the others stay as they were decided.

    Never the own household. Raises HonourError, NotAllowed, Conflict.
    """
    if not may(by, "honours.strike", entry.place):
        raise NotAllowed("您的身份不能撤下荣誉", hint="请找村文书、议事会成员或监督委员。")
    if by.resident is not None and by.resident.household_id == entry.household_id:
        raise NotAllowed("自己家的，不能自己办", hint="请另一位来办。")
    because = plain(because, "because", 100)
    with transaction.atomic():
        # A draft goes to the meeting whole: nobody is taken off before it has been seen.
        _still(entry.list, *HonourList.AWARDED)
        done = HonourEntry.objects.filter(pk=entry.pk, struck_at=None).update(
            struck_at=now(), struck_by=by, struck_because=because
        )
        if not done:
            raise Conflict("这一户已经撤下了")
        record("honours.strike_off", by=by, place=entry.place, target=entry)
        entry.refresh_from_db()
    return entry


def _time(scheme: HonourScheme, code: str) -> Period:
    """The period, if a list may be computed of it today."""
    try:
        time = parse_code(code)
    except ZhiliError as error:
        raise HonourError(error.message, field="period") from error
    if scheme.ended_on is not None:
        raise HonourError("这个办法已经停止了", hint="请用新的办法。")
    if time.kind != scheme.period_kind:
        raise HonourError(f"这个荣誉{scheme.get_period_kind_display()}评一次，请选对应的期间", field="period")
    if time.end >= today():
        raise HonourError(f"{time.title}还没有结束", field="period", hint="结束并且公示入账以后再算。")
    if time.end < scheme.resolved_on.replace(month=1, day=1):
        raise HonourError("这一期在决议以前，不能倒着评", field="period")
    book = in_force(scheme.place, time.end)
    if book is not None and SIZES.index(book.settlement) > SIZES.index(time.kind):
        raise HonourError("积分细则结算的周期比这个荣誉的周期长，分不开算", field="period")
    hanging = Notice.objects.filter(
        place=scheme.place, status=Notice.Status.OPEN, period__in=codes_within(time)
    ).first()
    if hanging is not None:
        raise HonourError(
            f"《{hanging.title}》还在公示，这一期的分没有入完账",
            field="period",
            hint="公示结束入账以后再算。",
        )
    return time


def _still(found: HonourList, *statuses: str) -> None:
    """The row, locked, in one of these statuses; else Conflict with its state in words."""
    row = HonourList.objects.select_for_update().filter(pk=found.pk).first()
    if row is None:
        raise NotFound("没有这张荣誉榜。")
    if row.status not in statuses:
        raise Conflict(f"这张榜现在是“{row.get_status_display()}”", hint="请刷新后再看。")


def _lock(place: str) -> None:
    """One list at a time is computed in a village."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"honours:{place}"])
