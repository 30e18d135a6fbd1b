"""Excel import of claims: dry run with an error per cell, corrected file, all or nothing, repeats recognised.

A row's key follows from what it says, so a row that was taken before is never taken again, in whatever file it
comes (C-09). The same checks as a single claim's (checking.Desk); nothing here knows a rule of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.claims.checking import Desk, Draft
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim
from zhili.claims.submitting import lock_village, submit_many
from zhili.claims.workbook import COLUMNS, HELP, read_lines
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.faults import fault
from zhili.common.periods import today
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.common.spreadsheets import (
    Column,
    Limits,
    Sheet,
    SheetOut,
    SpreadsheetError,
    read_workbook,
    write_workbook,
)
from zhili.people.importing import corrected_file as marked_file
from zhili.people.models import Household, ImportRun, Resident, User
from zhili.people.queries import LIVE
from zhili.people.workbook import CellError, Line, Lines
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed
from zhili.rulebook.reading import nearest

KIND: Final = "claims"
LIMITS: Final = Limits(file_bytes=5 * 1024 * 1024, rows=5_000)
ROWS: Final = UUID("0f0f6d52-9f4e-5a3c-8f2e-6f6e1f0a7c11")
"""Name space of the keys of rows."""
# Which cell a refused draft's field stands in.
_CELLS: Final = {"household": "code", "resident": "name", "photos": "document", "grade": "grade"}


@dataclass(slots=True)
class DryRun:
    """What a file would do. rows: as read. errors: one per cell to mend. drafts: the claims it would make, by
    row. known: rows that were taken before. points: what they are worth before caps, hundredths.
    repeated: the run that already took this file or the same rows."""

    place: str
    filename: str
    sha256: str
    digest: str
    lines: Lines
    sheet: Sheet
    drafts: list[Draft] = field(default_factory=list)
    known: int = 0
    points: int = 0
    remarks: list[str] = field(default_factory=list)
    repeated: ImportRun | None = None

    @property
    def rows(self) -> int:
        return len(self.lines.lines)

    @property
    def errors(self) -> list[CellError]:
        return sorted(self.lines.errors, key=lambda e: (e.row, len(e.column), e.column))

    @property
    def counts(self) -> dict[str, int]:
        return {"rows": self.rows, "new": len(self.drafts), "known": self.known}

    @property
    def ok(self) -> bool:
        """Whether it may be applied: nothing wrong, not imported before, and something to do."""
        return not self.errors and self.repeated is None and bool(self.drafts)


def read_claims(data: bytes, filename: str, place: str, *, by: User) -> DryRun:
    """A file → what it would do, as `by` may do it. Raises SpreadsheetError, NotAllowed; writes nothing."""
    _must(by, place)
    book = read_workbook(data, filename, limits=LIMITS, formulas="mark")
    lines = read_lines(book.first)
    if not lines.lines:
        raise SpreadsheetError("表头下面没有内容", hint="请从表头下面一行开始填，一事一行。")
    sha256 = hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256("\n".join([KIND, place, *sorted(map(_said, lines.lines))]).encode()).hexdigest()
    runs = ImportRun.objects.filter(place=place, kind=KIND).select_related("by")
    repeated = runs.filter(sha256=sha256).first() or runs.filter(rows_digest=digest).first()
    dry_run = DryRun(
        place=place,
        filename=filename[:120],
        sha256=sha256,
        digest=digest,
        lines=lines,
        sheet=book.first,
        remarks=[*book.remarks, *lines.remarks],
        repeated=repeated,
    )
    _plan(dry_run, by)
    return dry_run


def apply_claims(dry_run: DryRun, *, by: User) -> ImportRun:
    """Take every new row as a claim, all or nothing. Raises ClaimError, NotAllowed; then nothing is written."""
    _must(by, dry_run.place)
    if dry_run.errors:
        raise ClaimError(
            f"表里还有 {len(dry_run.errors)} 处要改，没有导入", hint="请下载标好错误的表，改好再上传。"
        )
    if not dry_run.drafts:
        raise ClaimError("表里没有新的申报", hint="这些行以前都已收下，不用再导入。")
    with transaction.atomic():
        lock_village(dry_run.place)
        fault("import.claims.before")
        claims = submit_many(by=by, place=dry_run.place, drafts=dry_run.drafts, quiet=True)
        fault("import.claims.written")
        summary: dict[str, Any] = {**dry_run.counts, "numbers": [claims[0].number, claims[-1].number]}
        try:
            with transaction.atomic():
                run = ImportRun.objects.create(
                    place=dry_run.place,
                    kind=KIND,
                    sha256=dry_run.sha256,
                    rows_digest=dry_run.digest,
                    filename=dry_run.filename,
                    by=by,
                    at=now(),
                    summary=summary,
                )
        except IntegrityError as error:
            raise ClaimError("这份表已导入过，内容一样", hint="不用再导入。") from error
        fault("import.claims.run")
        record("claims.import", by=by, place=dry_run.place, target=run, sha256=dry_run.sha256, **summary)
    return run


def corrected_file(dry_run: DryRun) -> bytes:
    """The clerk's own rows again, the cells to mend in colour with a note each."""
    return marked_file(dry_run)  # type: ignore[arg-type]  # same shape: lines, sheet, errors


def template(place: str, on: date | None = None) -> bytes:
    """An empty table with the items of the book in force as a drop-down, and a sheet that says how to fill it."""
    row = in_force(place, on or today())
    titles = [item.title for item in parsed(row).items] if row else []
    columns = [
        Column(one.title, one.width, one.kind, titles if one.title == "项目" and titles else None, one.note)
        for one in COLUMNS
    ]
    sheet = SheetOut("申报", columns, notes=["从表头下面一行开始填，一事一行；怎么填看“填写说明”。"],
                     spare_rows=500, frozen_columns=2)  # fmt: skip
    helping = SheetOut("填写说明", [Column("内容", 18), Column("怎么填", 100)], HELP)
    return write_workbook([sheet, helping])


def _must(by: User, place: str) -> None:
    if not may(by, "claims.clerk", place):
        raise NotAllowed("只有村文书可以导入申报表")


def _said(line: Line) -> str:
    """A row's content as one text, without what only controls it."""
    values = {
        key: value for key, value in line.values.items() if key not in ("points",) and value is not None
    }
    return json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)


def _plan(dry_run: DryRun, by: User) -> None:
    """Rows → drafts, every contradiction at its cell. Queries do not grow with the rows."""
    place, lines = dry_run.place, dry_run.lines
    keys = {id(line): uuid5(ROWS, f"{place}|{_said(line)}") for line in lines.lines}
    known = set(Claim.objects.filter(pk__in=list(keys.values())).values_list("pk", flat=True))
    codes = {line.code for line in lines.lines if line.code}
    households = {one.code: one for one in Household.objects.filter(place=place, code__in=codes)}
    people: dict[UUID, list[Resident]] = {}
    for person in Resident.objects.filter(household__in=households.values(), status__in=LIVE):
        people.setdefault(person.household_id, []).append(person)
    desk = Desk(by, place, households.values())
    seen: dict[UUID, Line] = {}
    ignored = 0
    for line in lines.lines:
        key = keys[id(line)]
        if key in seen:
            said = f"和第 {seen[key].row + 1} 行完全一样"
            lines.fault(line, "code", said, "重复的请删掉一行；真做了两次的，请在说明里写清。")
            continue
        seen[key] = line
        if key in known:
            dry_run.known += 1
            continue
        if line.masked:
            continue  # a cell of this row is already refused; one message a row is enough to mend it
        draft = _draft(lines, line, key, households, people, desk)
        if draft is None:
            continue
        raw = _checked(lines, line, draft, desk)
        ignored += raw is None and line.points is not None
        dry_run.points += raw or 0
        dry_run.drafts.append(draft)
    if dry_run.known:
        dry_run.remarks.append(f"有 {dry_run.known} 行以前已收下，这次不再记。")
    if ignored:
        dry_run.remarks.append(f"有 {ignored} 行的项目由评议定分，表里写的分值不用。")


def _draft(
    lines: Lines,
    line: Line,
    key: UUID,
    households: Mapping[str, Household],
    people: Mapping[UUID, list[Resident]],
    desk: Desk,
) -> Draft | None:
    household = households.get(line.code)
    if household is None:
        lines.fault(line, "code", f"村里没有户编号 {line.code}", "请核对积分卡；新户请先登记。")
        return None
    person = None
    if line.name is not None:
        found = [one for one in people.get(household.pk, []) if one.name == line.name]
        if len(found) != 1:
            said = (
                f"{line.code} 户里没有“{line.name}”" if not found else f"{line.code} 户里有两个“{line.name}”"
            )
            lines.fault(line, "name", said, "请核对户编号和姓名；不确定是谁的，清空这一格。")
            return None
        person = found[0]
    try:
        book = desk.book_on(line.occurred_on)
    except ClaimError as error:
        lines.fault(line, "occurred_on", error.message, error.hint)
        return None
    code = _item_code(lines, line, book)
    if code is None:
        return None
    return Draft(
        id=key,
        household=household,
        item=code,
        occurred_on=line.occurred_on,
        channel=Claim.Channel.EXCEL,
        # 户主 in the name column of a book by household says whose house it is, not who did it.
        resident=person if person is not None and (book.unit == "resident" or not person.is_head) else None,
        quantity=line.quantity,
        grade=line.grade or "",
        text=line.text or "",
        witness=line.witness or "",
        document=line.document or "",
        reminded_on=line.reminded_on,
        heard=line.heard or "",
    )


def _item_code(lines: Lines, line: Line, book: RuleBook) -> str | None:
    """The item by its code or its title, spaces aside."""
    names: dict[str, str] = {}
    for item in parsed(book).items:
        names[_bare(item.title)] = names[_bare(item.code)] = item.code
    found = names.get(_bare(line.item))
    if found is None:
        near = nearest(_bare(line.item), names)
        hint = f"是不是“{near}”？" if near else "请照细则写项目名称或编号。"
        lines.fault(line, "item", f"那天施行的细则里没有“{line.item[:20]}”", hint)
    return found


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()


def _checked(lines: Lines, line: Line, draft: Draft, desk: Desk) -> int | None:
    """The single claim's own check; what it refuses goes to the cell it is about."""
    try:
        checked = desk.check(draft)
    except ZhiliError as error:
        key = error.field or "code"
        lines.fault(line, _CELLS.get(key, key), error.message, error.hint)
        return None
    raw = checked.raw
    if raw is not None and line.points is not None and line.points != raw:
        lines.fault(
            line,
            "points",
            f"细则算出 {format_points(raw)} 分，表里写 {format_points(line.points)} 分",
            "请核对项目、数量和等次，或清空这一格。",
        )
    return raw
