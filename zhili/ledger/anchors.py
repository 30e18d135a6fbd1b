"""Fingerprints published every day, in places the database's administrator does not hold (T-05).

A chain proves nothing to somebody who holds only the database: whoever owns it can make the whole chain again. So the
ends of the ledger's and the trail's chains go out every night: onto the open page (and into whatever copied it), as
files into a folder another machine fetches from, by mail to the township, and on the next poster on the wall. Any one
of them, kept by anybody, shows a past that was rewritten (`zhili ledger verify --anchors`, `zhili audit verify --anchors`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from zhili.audit.actions import record
from zhili.audit.models import Mailbox, PublishedHead
from zhili.audit.queries import heads as trail_heads
from zhili.common.outbox import send
from zhili.common.scope import EVERYWHERE, scoped
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Batch
from zhili.ledger.receipts import head_short
from zhili.places.models import Place

TOWNSHIP_DIGITS: Final = 9
DAYS_LISTED: Final = 1_100
MAILBOXES_MAX: Final = 20
Book = PublishedHead.Book


@dataclass(frozen=True, slots=True)
class Day:
    """What a village published on one day: each book's number and short code, or None."""

    day: date
    ledger: tuple[int, str] | None
    trail: tuple[int, str] | None


def offices() -> list[str]:
    """Who publishes: each township for itself and its villages; a county (and what lies above) for itself."""
    with scoped(EVERYWHERE):
        places = set(Batch.objects.values_list("place", flat=True).distinct())
        places |= {head.place for head in trail_heads()}
    return sorted({place[:TOWNSHIP_DIGITS] for place in places})


def publish_heads(office: str, day: date) -> int:
    """Publish the ends of every chain of `office` for this day, once. Returns how many fingerprints went out.

    To be called inside the scope of `office`. A township speaks for its villages; anything above only for itself.
    """
    rows = _ends(office, day)
    PublishedHead.objects.bulk_create(rows, ignore_conflicts=True)
    said = list(
        PublishedHead.objects.filter(day=day, place__in={row.place for row in rows}).order_by("place", "book")
    )
    if not said:
        return 0
    names = dict(Place.objects.filter(code__in=[row.place for row in said]).values_list("code", "name"))
    files = [
        (
            f"zhili-{book}-{office}-{day}.jsonl",
            "".join(anchor_line(row) + "\n" for row in said if row.book == book),
        )
        for book in Book.values
        if any(row.book == book for row in said)
    ]
    send(
        place=office,
        kind="file",
        to=office,
        subject=f"指纹 {day}",
        files=files,
        key=f"heads.file.{office}.{day}",
    )
    for address in mailboxes(office):
        send(
            place=office,
            kind="mail",
            to=address,
            subject=f"账本指纹 {names.get(office, office)} {day}",
            body=letter(said, names, day),
            files=files,
            key=f"heads.mail.{office}.{day}.{address}"[:120],
        )
    record("ledger.publish_heads", by=None, place=office, day=str(day), count=len(said))
    return len(said)


def _ends(office: str, day: date) -> list[PublishedHead]:
    whole = len(office) == TOWNSHIP_DIGITS
    batches = Batch.objects.filter(place__startswith=office) if whole else Batch.objects.filter(place=office)
    ends = batches.order_by("place", "-seq").distinct("place").values_list("place", "seq", "head")
    rows = [
        PublishedHead(place=place, book=Book.LEDGER, day=day, seq=seq, head=bytes(head).hex())
        for place, seq, head in ends
    ]
    for end in trail_heads():
        if end.place.startswith(office) if whole else end.place == office:
            rows.append(PublishedHead(place=end.place, book=Book.AUDIT, day=day, seq=end.seq, head=end.head))
    return rows


def anchor_line(row: PublishedHead) -> str:
    """One line of an anchors file, as `zhili ledger verify --anchors` reads it; the rest is for people."""
    known = {
        "book": row.book, "place": row.place, "seq": row.seq, "head": row.head, "day": str(row.day),
        "code": head_short(bytes.fromhex(row.head)),
    }  # fmt: skip
    return json.dumps(known, ensure_ascii=False)


def letter(rows: Sequence[PublishedHead], names: dict[str, str], day: date) -> str:
    """The mail's text: one line per fingerprint, and what to do with it."""
    lines = [
        f"{names.get(row.place, '')}（{row.place}）{row.get_book_display()}第 {row.seq} "
        f"{'批' if row.book == Book.LEDGER else '条'}：{head_short(bytes.fromhex(row.head))}"
        for row in rows
    ]
    return (
        f"{day} 的账本指纹：\n\n" + "\n".join(lines) + "\n\n请把这封信留着，不用回复。以后谁改了以前的账，"
        "用这些指纹一对就能看出来。完整指纹在附件里，核对办法：zhili ledger verify --anchors 附件。\n"
    )


def mailboxes(office: str) -> list[str]:
    """Who gets the fingerprints of `office` by mail: its own mailboxes and those of the county above it."""
    above = [office[:n] for n in (2, 4, 6, TOWNSHIP_DIGITS) if n <= len(office)]
    with scoped(EVERYWHERE):
        return sorted(set(Mailbox.objects.filter(place__in=above).values_list("address", flat=True)))


def add_mailbox(place: str, address: str) -> Mailbox:
    """Register a mailbox; twice is once. For the administrator at the machine. Raises LedgerError."""
    address = address.strip()
    if len(place) > TOWNSHIP_DIGITS or not Place.objects.filter(code=place).exists():
        raise LedgerError("指纹邮箱登记在乡镇或区县名下", field="place", hint="请写 9 位或 6 位代码。")
    try:
        validate_email(address)
    except ValidationError as error:
        raise LedgerError(
            f"“{address[:60]}”不是邮箱地址", field="address", hint="例如 zhen@example.org。"
        ) from error
    if Mailbox.objects.filter(place=place).count() >= MAILBOXES_MAX:
        raise LedgerError(f"一个地方最多登记 {MAILBOXES_MAX} 个指纹邮箱", hint="请先去掉不用的。")
    found, made = Mailbox.objects.get_or_create(place=place, address=address)
    if made:
        record("ledger.add_mailbox", by=None, place=place, target=found)
    return found


def remove_mailbox(place: str, address: str) -> None:
    """Take a mailbox off the list. Raises LedgerError where it is not on it."""
    found = Mailbox.objects.filter(place=place, address=address.strip()).first()
    if found is None:
        raise LedgerError("没有登记过这个邮箱", hint="用 zhili ledger mailbox --list 看登记了哪些。")
    record("ledger.remove_mailbox", by=None, place=place, target=found)
    found.delete()


def published(place: str, book: str, limit: int = DAYS_LISTED) -> list[PublishedHead]:
    """What was published for one place, newest day first: the open page's machine-readable list."""
    rows = PublishedHead.objects.filter(place=place, book=book).order_by("-day")
    return list(rows[: max(1, min(limit, DAYS_LISTED))])


def published_days(place: str, limit: int = 31) -> list[Day]:
    """The newest days with both books' codes. One statement."""
    rows = PublishedHead.objects.filter(place=place).order_by("-day")[: limit * 2]
    days: dict[date, dict[str, tuple[int, str]]] = {}
    for row in rows:
        days.setdefault(row.day, {})[row.book] = (row.seq, head_short(bytes.fromhex(row.head)))
    return [
        Day(day, books.get(Book.LEDGER), books.get(Book.AUDIT)) for day, books in list(days.items())[:limit]
    ]
