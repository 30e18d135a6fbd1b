"""离线记录: what a clerk noted in a valley without signal, sent when there is one; twice, out of order, in pieces.

A record's key is made on the phone and is the claim's: sending it again gives the answer it got the first time. The
server runs its own rules on every record; what it refuses is kept with the reason and told to the phone (C-10). The
server's clock rules: a phone whose clock is wrong has its days moved by the difference, and the claim says so (C-11).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.claims.checking import Desk, Draft
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim, OfflineRecord
from zhili.claims.submitting import lock_village, submit_many
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.faults import fault
from zhili.common.periods import local_date
from zhili.common.policy import may
from zhili.people.models import Household, User
from zhili.people.queries import tidy_code
from zhili.rulebook.queries import parsed

RECORDS_MAX: Final = 100
"""Records of one sending; the phone sends the rest after the answer."""
SKEW_IGNORED: Final = timedelta(minutes=10)
SKEW_MAX: Final = timedelta(days=4000)


@dataclass(frozen=True, slots=True)
class Record:
    """One note of the phone. household: its number. item: its code. noted_at: aware, by the phone's clock."""

    id: UUID
    household: str
    item: str
    occurred_on: date
    noted_at: datetime
    quantity: Decimal | None = None
    grade: str = ""

    def digest(self, by: User) -> str:
        """Everything that was noted and by whom."""
        quantity = None if self.quantity is None else format(self.quantity.normalize(), "f")
        body = [
            by.pk,
            self.household,
            self.item,
            self.occurred_on.isoformat(),
            self.noted_at.isoformat(),
            quantity,
        ]
        return hashlib.sha256(json.dumps([*body, self.grade], ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the phone shows: received with a number, or received and not taken, with the reason."""

    id: UUID
    taken: bool
    number: int
    message: str


def receive(*, by: User, place: str, records: Sequence[Record], sent_at: datetime) -> list[Answer]:
    """Take what can be taken, each record for itself, in one transaction; the answers in the order given.

    sent_at: what the phone's clock said on sending. Raises NotAllowed, ClaimError (too many at once).
    """
    if not may(by, "claims.field", place):
        raise NotAllowed("只有村文书和组长可以送离线记录")
    if not 0 < len(records) <= RECORDS_MAX:
        raise ClaimError(f"一次送 1 到 {RECORDS_MAX} 条", hint="请分几次送。")
    skew = now() - sent_at
    if abs(skew) < SKEW_IGNORED:
        skew = timedelta()
    with transaction.atomic():
        lock_village(place)
        known = OfflineRecord.objects.select_related("claim").in_bulk([one.id for one in records])
        fresh = {one.id: one for one in records if one.id not in known}
        answers = _take(by, place, list(fresh.values()), sent_at, skew) if fresh else {}
        fault("offline.written")
    said = []
    for one in records:
        row = known.get(one.id)
        if row is None:
            said.append(answers[one.id])
        elif row.body_digest != one.digest(by):
            said.append(Answer(one.id, False, 0, "这个编号已用于另一条记录，内容不同，请重新记一条"))
        else:
            said.append(_answer(row.id, row.claim, row.refusal))
    return said


def _answer(id: UUID, claim: Claim | None, refusal: str) -> Answer:
    return Answer(id, claim is not None, claim.number if claim else 0, refusal)


def _take(
    by: User, place: str, records: Sequence[Record], sent_at: datetime, skew: timedelta
) -> dict[UUID, Answer]:
    """New records → claims or refusals, all of them written down."""
    codes = {one.id: tidy_code(one.household)[:20] for one in records}
    households = {one.code: one for one in Household.objects.filter(place=place, code__in=codes.values())}
    desk = Desk(by, place, households.values())
    claims: dict[UUID, Claim] = {}
    refusals: dict[UUID, str] = {}
    drafts: list[Draft] = []
    for one in sorted(records, key=lambda one: (one.noted_at, str(one.id))):
        household = households.get(codes[one.id])
        if household is None:
            refusals[one.id] = f"村里没有户编号 {codes[one.id]}，请核对积分卡"
        elif abs(skew) > SKEW_MAX:
            refusals[one.id] = "手机的时间差得太多，请先校准手机时间，再重新记一条"
        else:
            drafts.append(_draft(by, desk, one, household, skew))
    for draft in drafts:
        try:
            desk.check(draft)
        except ZhiliError as error:
            refusals[draft.id] = str(error)[:200]
    good = [draft for draft in drafts if draft.id not in refusals]
    if good:
        _submit(by, place, good, desk, claims, refusals)
    OfflineRecord.objects.bulk_create(
        OfflineRecord(
            id=one.id, place=place, by=by, household=codes[one.id], item=one.item[:32], occurred_on=one.occurred_on,
            noted_at=one.noted_at, sent_at=sent_at, skew_seconds=int(skew.total_seconds()),
            body_digest=one.digest(by), claim=claims.get(one.id), refusal=refusals.get(one.id, ""),
        )
        for one in records
    )  # fmt: skip
    record(
        "claims.offline", by=by, place=place, count=len(records), refused=len(refusals),
        skew_seconds=int(skew.total_seconds()),
    )  # fmt: skip
    return {one.id: _answer(one.id, claims.get(one.id), refusals.get(one.id, "")) for one in records}


def _submit(
    by: User,
    place: str,
    drafts: Sequence[Draft],
    desk: Desk,
    claims: dict[UUID, Claim],
    refusals: dict[UUID, str],
) -> None:
    """All at once; where one is refused, each for itself, so that one cannot stop the others."""
    try:
        with transaction.atomic():
            claims.update((one.pk, one) for one in submit_many(by=by, place=place, drafts=drafts, desk=desk))
        return
    except ZhiliError:
        claims.clear()
    for draft in drafts:
        try:
            with transaction.atomic():
                claims[draft.id] = submit_many(by=by, place=place, drafts=[draft], desk=desk)[0]
        except ZhiliError as error:
            refusals[draft.id] = str(error)[:200]


def _draft(by: User, desk: Desk, one: Record, household: Household, skew: timedelta) -> Draft:
    """The record as a claim; its day moved by what the phone's clock is wrong."""
    moved = (local_date(one.noted_at + skew) - local_date(one.noted_at)).days if skew else 0
    day = one.occurred_on + timedelta(days=moved)
    text = f"手机时间差 {-moved:+d} 天，已按服务器时间改" if moved else ""
    return Draft(
        id=one.id, household=household, item=one.item, occurred_on=day, channel=Claim.Channel.OFFLINE,
        quantity=one.quantity, grade=one.grade, text=text, witness=_witness(by, desk, one.item, day),
    )  # fmt: skip


def _witness(by: User, desk: Desk, code: str, day: date) -> str:
    """Who noted it saw it (as with one tap in the field)."""
    try:
        items = parsed(desk.book_on(day)).items
    except ZhiliError:
        return ""
    rule = next((item for item in items if item.code == code), None)
    return str(by) if rule is not None and rule.effective_evidence == "witness" else ""
