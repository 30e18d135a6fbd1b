"""How a rule book comes into force in a village: drafted, adopted by a recorded vote, binding from a day.

The draft is checked against the red lines before it can bind anybody; what needs a legal opinion needs one
on record. From the first claim on, the text is frozen: a change is a new version (L-09).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.people.models import Membership, User
from zhili.rulebook import book as format_1
from zhili.rulebook.book_yaml import dump_yaml, load_yaml
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.models import Item, RuleBook
from zhili.rulebook.queries import parsed
from zhili.rulebook.redlines import Report, check_book

Role = Membership.Role
WRITERS: Final = (Role.CLERK, Role.TOWNSHIP)
DECIDERS: Final = (Role.COUNCIL, Role.SUPERVISOR, Role.CLERK, Role.TOWNSHIP, Role.COUNTY)


def save_draft(
    *,
    by: User,
    place: str,
    text: str | bytes | None = None,
    book: format_1.RuleBook | None = None,
    title: str | None = None,
) -> RuleBook:
    """Store a new version as a draft, from YAML text or a read book. Raises RuleBookError, NotAllowed."""
    if not by.has_role(*WRITERS, place=place):
        raise NotAllowed("只有村文书和乡镇干部可以起草积分细则")
    if book is None:
        book = load_yaml(text or "", title or "积分细则")
    if book.place not in (None, place):
        raise RuleBookError(
            f"这份细则写的是 {book.place}，不是本村（{place}）", hint="请核对区划代码，或去掉 place 一行"
        )
    book = replace(book, place=place, title=title or book.title)
    canonical = dump_yaml(book)
    with transaction.atomic():
        _one_at_a_time(place)
        last = RuleBook.objects.filter(place=place).aggregate(last=Max("version"))["last"] or 0
        row = RuleBook.objects.create(
            place=place,
            title=book.title[:80],
            version=last + 1,
            unit=book.unit,
            settlement=book.settlement,
            text=canonical,
            digest=hashlib.sha256(canonical.encode()).hexdigest(),
            valid_from=book.effective_from,
            valid_to=book.effective_to + timedelta(days=1) if book.effective_to else None,
            created_by=by,
        )
        titles = {category.code: category.title for category in book.categories}
        Item.objects.bulk_create(
            Item(
                place=place,
                book=row,
                code=item.code,
                category_code=item.category,
                category_title=titles[item.category][:40],
                title=item.title[:120],
                position=position,
            )
            for position, item in enumerate(book.items, start=1)
        )
        record("rulebook.draft", by=by, place=place, target=row, version=row.version, digest=row.digest)
    return row


def put_in_force(
    *,
    by: User,
    book: RuleBook,
    on: date,
    adoption: Mapping[str, Any],
    override: Mapping[str, Any] | None = None,
) -> RuleBook:
    """Make a draft bind its village from `on`; the book in force until then ends the day before.

    adoption: how the village adopted it (meeting, date, votes), never empty. override: the recorded legal
    opinion, needed where the red-line check asks for one. Raises RuleBookError, NotAllowed.
    """
    if not by.has_role(*DECIDERS, place=book.place):
        raise NotAllowed("您的身份不能让积分细则施行")
    if by.pk == book.created_by_id:
        raise NotAllowed("起草人不能自己宣布施行，请由另一位按表决结果办理")
    if not adoption:
        raise RuleBookError("没有写表决通过的记录", hint="请填写会议、日期和表决结果")
    wanted = parsed(book)
    if not wanted.in_force_on(on):
        raise RuleBookError(
            f"施行日期 {on} 不在细则写明的有效期内（{wanted.effective_from} 起）", hint="请改施行日期"
        )
    report = check_book(wanted, adopted=True)
    _refuse_red_lines(report, override)
    with transaction.atomic():
        _one_at_a_time(book.place)
        before = RuleBook.objects.filter(place=book.place, status="in_force", valid_from__lt=on)
        before.exclude(valid_to__lte=on).exclude(pk=book.pk).update(
            status=RuleBook.Status.SUPERSEDED, valid_to=on
        )
        try:
            with transaction.atomic():
                changed = RuleBook.objects.filter(
                    pk=book.pk, status__in=["draft", "consultation", "adopted", "filed"]
                ).update(
                    status=RuleBook.Status.IN_FORCE,
                    valid_from=on,
                    adoption=dict(adoption),
                    override=dict(override or {}),
                )
        except IntegrityError as error:
            raise RuleBookError(
                f"{on} 之后已有别的细则施行，时间重叠", hint="请改施行日期，或先撤回那一份"
            ) from error
        if not changed:
            book.refresh_from_db()
            raise RuleBookError(f"这一版现在是“{book.get_status_display()}”，不能再宣布施行")
        book.refresh_from_db()
        record("rulebook.put_in_force", by=by, place=book.place, target=book, on=on.isoformat())
    return book


def freeze(book: RuleBook) -> None:
    """Mark the version as used for the first time: nothing of it may change from now on (L-09)."""
    if book.frozen_at is None:
        moment = now()
        RuleBook.objects.filter(pk=book.pk, frozen_at=None).update(frozen_at=moment)
        book.frozen_at = moment


def _refuse_red_lines(report: Report, override: Mapping[str, Any] | None) -> None:
    if report.blocked:
        named = [
            f"“{item.code}”（{item.findings[0].id}）" for item in report.items if item.verdict == "block"
        ]
        named += [f"细则整体（{found.id}）" for found in report.book if found.level == "block"]
        raise RuleBookError(
            f"有 {report.blocked} 处越过红线，不能施行：{'、'.join(named[:10])}", hint="请先按检查结果修改"
        )
    waiting = [item.code for item in report.items if item.verdict == "legal_review"]
    waiting += ["细则整体" for found in report.book if found.level == "legal_review"]
    if waiting and not override:
        raise RuleBookError(
            f"有 {len(waiting)} 处要先经法制审核：{'、'.join(waiting[:10])}", hint="请附上法审意见再施行"
        )


def _one_at_a_time(place: str) -> None:
    """Versions are numbered and superseded by one person at a time per village."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"rulebook:{place}"])
