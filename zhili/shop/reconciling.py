"""月度对账: the clerk draws up the month, the supervisor signs, and it hangs out. Nobody changes it afterwards (G-15).

What is found wrong later is a note beside it. A month that does not match can be published too, with the differences and
a sentence about them: hiding it would be worse.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.faults import fault
from zhili.common.leaks import scan_public
from zhili.common.periods import Period, parse_code, period_of, previous_period, today
from zhili.common.policy import may
from zhili.people.models import User
from zhili.people.queries import minor_names
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.matching import digest_of, figures, span_of
from zhili.shop.models import FundEntry, Good, Reconciliation, ReconciliationNote

Status = Reconciliation.Status
NOTE_MAX: Final = 300
MONTHS_MAX: Final = 24


def make_reconciliation(*, by: User, place: str, month: str, note: str = "") -> Reconciliation:
    """Draw up (or draw up again, while nobody has signed) the books of a month that is over.

    Raises NotAllowed, ShopError, Conflict where the month is published.
    """
    if not may(by, "shop.manage", place):
        raise NotAllowed("您的身份不能做月度对账", hint="对账由村文书制表，监督委员签字。")
    if span_of(month).end > now():
        raise ShopError(
            f"{parse_code(month).title}还没有过完", field="month", hint="请在下个月初做这个月的对账。"
        )
    note = _text(note)
    with transaction.atomic():
        row = Reconciliation.objects.select_for_update(no_key=True).filter(place=place, month=month).first()
        if row is not None and row.status == Status.PUBLISHED:
            raise Conflict(
                f"{row}已经公布，不能再改", hint="后来发现的问题，请加补充说明。", word="published"
            )
        found = figures(place, month, _previous(place, month))
        row = row or Reconciliation(place=place, month=month)
        row.figures, row.matches, row.digest = found, not found["differences"], digest_of(found)
        row.made_by, row.made_at, row.note = by, now(), note
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError as error:
            raise Conflict("这个月刚刚有人制了表", hint="请刷新后查看。") from error
        record("shop.reconcile", by=by, place=place, target=row, month=month, matches=row.matches)
    return row


def sign_reconciliation(*, by: User, reconciliation: Reconciliation, note: str = "") -> Reconciliation:
    """The second signature publishes: worked out once more, and the same to the digest, or it is not signed.

    Raises NotAllowed, ShopError (a difference without a word about it), Conflict (lines moved since).
    """
    with transaction.atomic():
        row = Reconciliation.objects.select_for_update(no_key=True).get(pk=reconciliation.pk)
        if not may(by, "shop.sign", row.place):
            raise NotAllowed("您的身份不能在对账上签字", hint="请监督委员签字。")
        if by.pk == row.made_by_id:
            raise NotAllowed("制表的人不能自己签字", hint="请监督委员签字。")
        if row.status == Status.PUBLISHED:
            return row
        found = figures(row.place, row.month, _previous(row.place, row.month))
        if digest_of(found) != row.digest:
            raise Conflict("制表以后账上有变动", hint="请村文书重新制表，再签字。", word="moved")
        row.note = _text(note) or row.note
        _public(row.place, row.note, *(line["title"] for line in [*found["goods"], *found["funds"]]))
        if not row.matches and len(row.note) < 5:
            raise ShopError(
                "账不相符，要写明原因才能公布", field="note", hint="例如：10月5日入库单写错数量，已盘点更正。"
            )
        row.signed_by, row.status, row.published_at = by, Status.PUBLISHED, now()
        row.save()
        fault("shop.reconciliation.published")
        record(
            "shop.sign_reconciliation",
            by=by,
            place=row.place,
            target=row,
            month=row.month,
            matches=row.matches,
        )
    return row


def add_note(*, by: User, reconciliation: Reconciliation, text: str) -> ReconciliationNote:
    """A later word on a published month; its figures stay as they were signed."""
    place = reconciliation.place
    if not (may(by, "shop.manage", place) or may(by, "shop.sign", place)):
        raise NotAllowed("您的身份不能加补充说明", hint="由村文书或监督委员写。")
    text = _text(text)
    if len(text) < 5:
        raise ShopError("补充说明太短", field="note", hint="请写清楚哪个数、为什么、怎么办。")
    _public(place, text)
    with transaction.atomic():
        if reconciliation.status != Status.PUBLISHED:
            raise ShopError("这份对账还没有公布", hint="没公布的可以重新制表，把说明写在表里。")
        made = ReconciliationNote.objects.create(place=place, reconciliation=reconciliation, text=text, by=by)
        record(
            "shop.note_reconciliation", by=by, place=place, target=reconciliation, month=reconciliation.month
        )
    return made


def due_months(place: str) -> list[Period]:
    """Months that are over, had something to match and are not published, oldest first; two years back at most.

    Two statements.
    """
    first = FundEntry.objects.filter(place=place).order_by("at").values_list("at", flat=True).first()
    if first is None and not Good.objects.filter(place=place).exists():
        return []
    done = set(
        Reconciliation.objects.filter(place=place, status=Status.PUBLISHED).values_list("month", flat=True)
    )
    found: list[Period] = []
    month = previous_period(period_of(today(), "month"))
    while first is not None and span_of(month.code).end > first and len(found) < MONTHS_MAX:
        if month.code not in done:
            found.append(month)
        month = previous_period(month)
    return found[::-1]


def published_on_time(row: Reconciliation) -> bool:
    """Whether it hung out within the month after."""
    end = span_of(row.month).end
    return row.published_at is not None and row.published_at < end + timedelta(days=31)


def _previous(place: str, month: str) -> str:
    before = previous_period(parse_code(month)).code
    kept = Reconciliation.objects.filter(place=place, month=before, status=Status.PUBLISHED)
    return kept.values_list("digest", flat=True).first() or ""


def _text(note: str) -> str:
    text = note.strip()
    if len(text) > NOTE_MAX:
        raise ShopError(f"说明最多 {NOTE_MAX} 个字", field="note", hint="请写短一些。")
    return text


def _public(place: str, *texts: str) -> None:
    """Free words that will hang out: no number of a person, no child's name (M-08)."""
    leaks = [one for one in scan_public("\n".join(texts), minors=minor_names(place)) if one.blocks]
    if leaks:
        raise ShopError(
            f"要公布的文字里有不能公开的内容：{leaks[0].message}", field="note", hint="请改掉再公布。"
        )
