"""Writing a rule book: a draft, its corrections, and taking it back. Nothing is ever deleted.

A draft may be changed until the vote; what was voted on stays as it is, and a change is a new version (L-09).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.common.periods import today
from zhili.people.models import User
from zhili.rulebook import book as format_1
from zhili.rulebook.access import must
from zhili.rulebook.book_yaml import dump_yaml, load_yaml
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.models import Item, RuleBook
from zhili.rulebook.queries import parsed
from zhili.rulebook.workbook import load_workbook

Status = RuleBook.Status
OPEN: Final = (Status.DRAFT, Status.CONSULTATION)
BEFORE_FORCE: Final = (Status.DRAFT, Status.CONSULTATION, Status.ADOPTED, Status.FILED)
VERSIONS_MAX: Final = 500
REASON_MAX: Final = 500
_VILLAGE: Final = re.compile(r"[0-9]{12}")


def save_draft(
    *,
    by: User,
    place: str,
    text: str | bytes | None = None,
    book: format_1.RuleBook | None = None,
    workbook: bytes | None = None,
    source: str = "",
    title: str | None = None,
) -> RuleBook:
    """Store a new version as a draft, from YAML text, an Excel workbook or a read book (exactly one of them).

    source: the file's name, for messages. Raises RuleBookError with every fault of the file, NotAllowed.
    """
    must(by, "rulebook.write", place)
    wanted = _for_village(_read(text, book, workbook, source), place, title)
    with transaction.atomic():
        one_at_a_time(place)
        last = RuleBook.objects.filter(place=place).aggregate(last=Max("version"))["last"] or 0
        if last >= VERSIONS_MAX:
            raise RuleBookError(
                f"本村的细则已有 {last} 版，不能再增加", hint="请修改已有的草稿，或联系区县管理员"
            )
        row = RuleBook(place=place, version=last + 1, created_by=by, authors=[by.pk])
        _fill(row, wanted)
        row.save(force_insert=True)
        _write_items(row, wanted)
        record("rulebook.draft", by=by, place=place, target=row, version=row.version, digest=row.digest)
    return row


def edit_draft(
    *,
    by: User,
    book: RuleBook,
    text: str | bytes | None = None,
    new: format_1.RuleBook | None = None,
    workbook: bytes | None = None,
    source: str = "",
    seen_digest: str | None = None,
) -> RuleBook:
    """Replace the text of a draft. Whoever does so becomes an author; a legal opinion on the old text lapses.

    seen_digest: of the text the person had before them; RuleBookError where somebody else changed it since.
    """
    must(by, "rulebook.write", book)
    wanted = _for_village(_read(text, new, workbook, source), book.place, None)
    with transaction.atomic():
        row = lock(book, OPEN, "修改", seen_digest)
        before = row.digest
        _fill(row, wanted)
        if row.digest == before:
            raise RuleBookError("这份内容和现在的草稿一样，没有改动")
        row.authors = [*row.authors, *([] if by.pk in row.authors else [by.pk])]
        row.override = {}
        row.save()
        row.items.all().delete()
        _write_items(row, wanted)
        record("rulebook.edit", by=by, place=row.place, target=row, before=before, digest=row.digest)
    return row


def withdraw(*, by: User, book: RuleBook, reason: str) -> RuleBook:
    """Take a version back before it binds anybody; it stays on record with the reason.

    A version already proclaimed but not begun and never used gives way to the one it would have replaced.
    """
    must(by, "rulebook.withdraw", book)
    reason = words(reason, "撤回原因", REASON_MAX, field="reason")
    with transaction.atomic():
        row = lock(book, (*BEFORE_FORCE, Status.IN_FORCE), "撤回")
        if row.status == Status.IN_FORCE:
            if row.frozen_at is not None or row.valid_from <= today():
                raise RuleBookError(
                    "这一版已经施行，不能撤回", hint="要改内容请起草新的一版，新版施行后这一版自动停止"
                )
            _give_back(row)
        row.status = Status.WITHDRAWN
        row.withdrawal = {"on": today().isoformat(), "reason": reason, "by_id": by.pk}
        row.save(update_fields=["status", "withdrawal"])
        record("rulebook.withdraw", by=by, place=row.place, target=row, reason=reason)
    return row


def _give_back(row: RuleBook) -> None:
    """The version that was to end on this one's first day holds again, to the end its own text says."""
    row.status = Status.WITHDRAWN
    row.save(update_fields=["status"])
    before = RuleBook.objects.filter(
        place=row.place, status=Status.SUPERSEDED, valid_to=row.valid_from
    ).first()
    if before is not None:
        before.status, before.valid_to = Status.IN_FORCE, last_day(parsed(before))
        before.save(update_fields=["status", "valid_to"])


def lock(book: RuleBook, states: tuple[str, ...], verb: str, seen_digest: str | None = None) -> RuleBook:
    """The row as it is now, locked, in one of `states` and with the text the person saw. Raises RuleBookError."""
    one_at_a_time(book.place)
    row = RuleBook.objects.select_for_update().get(pk=book.pk)
    if row.status not in states:
        raise RuleBookError(f"这一版现在是“{row.get_status_display()}”，不能再{verb}", hint="请刷新页面再看")
    if seen_digest is not None and seen_digest != row.digest:
        raise RuleBookError("您打开这一页以后，别人改过这份草稿", hint="请另开一页看看改了什么，再提交")
    return row


def one_at_a_time(place: str) -> None:
    """Versions are numbered, changed and superseded by one person at a time per village."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"rulebook:{place}"])


def words(text: str, what: str, most: int, *, field: str, required: bool = True) -> str:
    """A sentence somebody typed, tidied. Raises RuleBookError where it is missing or too long."""
    tidy = " ".join(str(text).replace("\x00", "").split())
    if (required and not tidy) or len(tidy) > most:
        said = f"没有填写{what}" if not tidy else f"{what}太长，最多 {most} 个字"
        error = RuleBookError(said)
        error.field = field
        raise error
    return tidy


def last_day(book: format_1.RuleBook) -> date | None:
    """The first day on which the book no longer holds by its own text, None where it is open."""
    return book.effective_to + timedelta(days=1) if book.effective_to else None


def _read(
    text: str | bytes | None, book: format_1.RuleBook | None, workbook: bytes | None, source: str
) -> format_1.RuleBook:
    assert sum(given is not None for given in (text, book, workbook)) == 1
    if workbook is not None:
        return load_workbook(workbook, source)
    return book if book is not None else load_yaml(text or "", source or "积分细则")


def _for_village(book: format_1.RuleBook, place: str, title: str | None) -> format_1.RuleBook:
    if not _VILLAGE.fullmatch(place):
        raise RuleBookError(f"“{place[:20]}”不是村（社区）的代码", hint="积分细则由村制定，请先选一个村")
    if book.place not in (None, place):
        raise RuleBookError(
            f"这份细则写的是 {book.place}，不是本村（{place}）", hint="请核对区划代码，或去掉 place 一行"
        )
    return replace(book, place=place, title=title or book.title)


def _fill(row: RuleBook, book: format_1.RuleBook) -> None:
    canonical = dump_yaml(book)
    row.title, row.unit, row.settlement = book.title[:80], book.unit, book.settlement
    row.text, row.digest = canonical, hashlib.sha256(canonical.encode()).hexdigest()
    row.valid_from, row.valid_to = book.effective_from, last_day(book)


def _write_items(row: RuleBook, book: format_1.RuleBook) -> None:
    titles = {category.code: category.title for category in book.categories}
    Item.objects.bulk_create(
        Item(
            place=row.place,
            book=row,
            code=item.code,
            category_code=item.category,
            category_title=titles[item.category][:40],
            title=item.title[:120],
            position=position,
        )
        for position, item in enumerate(book.items, start=1)
    )


def stamp(by: User, place: str) -> dict[str, Any]:
    """Who put something on record, as the public may know it: the role, never the name."""
    roles = [str(held.get_role_display()) for held in by.memberships_today if place.startswith(held.place)]
    return {"by_id": by.pk, "by_role": "、".join(dict.fromkeys(roles)), "recorded_on": today().isoformat()}
