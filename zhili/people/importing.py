"""Excel import of households: dry run, corrected file, apply all or nothing, recognise a repeat, export back.

The dry run only reads. Applying takes the village's lock, plans again from the same lines (somebody may have
worked meanwhile), and writes everything in a constant number of statements, whatever the number of rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.faults import fault
from zhili.common.masking import mask_id, mask_phone
from zhili.common.periods import today
from zhili.common.spreadsheets import (
    Cell,
    Column,
    Limits,
    Sheet,
    SheetOut,
    SpreadsheetError,
    read_workbook,
    write_workbook,
)
from zhili.people.access import must
from zhili.people.consent_actions import record_refusals
from zhili.people.consent_models import Consent
from zhili.people.errors import PeopleError
from zhili.people.import_plan import Change, Plan, plan
from zhili.people.models import Household, HouseholdChange, ImportRun, Resident, User
from zhili.people.queries import LIVE
from zhili.people.secrets import open_id_number, open_phone, rows_digests
from zhili.people.workbook import COLUMNS, HELP, KEYS, CellError, Lines, read_lines

KIND: Final = "households"
LIMITS: Final = Limits(file_bytes=10 * 1024 * 1024, rows=21_000)
_HOUSEHOLD: Final = ("group", "address")
_RESIDENT: Final = (
    "name", "pinyin", "birth_date", "relation", "status", "tags", "phone_secret", "phone_index", "bank_secret", "bank_index",
    "id_number_secret", "id_number_index",
)  # fmt: skip


@dataclass(slots=True)
class DryRun:
    """What a file would do to the village, before it does it.

    rows: the people's lines as read. errors: one per cell to mend. changes: one per thing that would change,
    with before and after (numbers masked). counts: households and residents new, changed, unchanged.
    repeated: the run that already took this file or the same rows (C-09).
    """

    place: str
    filename: str
    sha256: str
    digest: str
    lines: Lines
    sheet: Sheet
    plan: Plan
    remarks: list[str] = field(default_factory=list)
    repeated: ImportRun | None = None

    @property
    def rows(self) -> int:
        return len(self.lines.lines)

    @property
    def errors(self) -> list[CellError]:
        return sorted([*self.lines.errors, *self.plan.errors], key=lambda e: (e.row, len(e.column), e.column))

    @property
    def changes(self) -> list[Change]:
        return self.plan.changes

    @property
    def counts(self) -> dict[str, int]:
        return self.plan.counts

    @property
    def ok(self) -> bool:
        """Whether it may be applied: nothing wrong, not imported before, and something to do."""
        return not self.errors and self.repeated is None and bool(self.changes)

    def as_json(self) -> dict[str, Any]:
        """For `--json`; no ID number, no phone."""
        return {
            "place": self.place,
            "file": self.filename,
            "rows": self.rows,
            "errors": [
                {"row": e.row, "column": e.column, "cell": e.ref, "title": e.title, "message": e.message,
                 "hint": e.hint}
                for e in self.errors
            ],
            "counts": self.counts,
            "remarks": self.remarks,
            "repeated": str(self.repeated.pk) if self.repeated else None,
        }  # fmt: skip


def read_households(data: bytes, filename: str, place: str) -> DryRun:
    """A file → what it would do. Raises SpreadsheetError where it is no table at all; writes nothing."""
    book = read_workbook(data, filename, limits=LIMITS, formulas="mark")
    lines = read_lines(book.first)
    if not lines.lines:
        raise SpreadsheetError("表头下面没有内容", hint="请从表头下面一行开始填，每人一行。")
    sha256 = hashlib.sha256(data).hexdigest()
    digests = _digests(place, lines)
    runs = ImportRun.objects.filter(place=place, kind=KIND).select_related("by")
    repeated = runs.filter(sha256=sha256).first() or runs.filter(rows_digest__in=digests).first()
    return DryRun(
        place=place, filename=filename[:120], sha256=sha256, digest=digests[0], lines=lines, sheet=book.first,
        plan=plan(place, lines), remarks=[*book.remarks, *lines.remarks], repeated=repeated,
    )  # fmt: skip


@transaction.atomic
def apply_households(dry_run: DryRun, *, by: User | None) -> ImportRun:
    """Write what the dry run showed, all or nothing. Raises PeopleError; then nothing has been written."""
    must(by, "people.import", dry_run.place)
    if dry_run.errors:
        raise PeopleError(
            f"表里还有 {len(dry_run.errors)} 处要改，没有导入", hint="请下载标好错误的表，改好再上传。"
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"people.import:{dry_run.place}"])
    _refuse_repeat(dry_run)
    fresh = plan(dry_run.place, dry_run.lines)
    if fresh.errors or fresh.counts != dry_run.counts:
        raise PeopleError("检查以后村里的登记有了变化，没有导入", hint="请重新上传检查一遍。")
    try:
        with transaction.atomic():
            _write(fresh, dry_run, by)
    except IntegrityError as error:
        raise PeopleError("有人同时改了同一户，没有导入", hint="请重新上传检查一遍。") from error
    run = ImportRun.objects.create(
        place=dry_run.place, kind=KIND, sha256=dry_run.sha256, rows_digest=dry_run.digest,
        filename=dry_run.filename, by=by, at=now(), summary={"rows": dry_run.rows, **fresh.counts},
    )  # fmt: skip
    record("people.import", by=by, place=dry_run.place, target=run, sha256=dry_run.sha256, **run.summary)
    return run


def _refuse_repeat(dry_run: DryRun) -> None:
    run = (
        ImportRun.objects.filter(place=dry_run.place, kind=KIND, rows_digest=dry_run.digest)
        .select_related("by")
        .first()
    )
    if run is not None:
        raise PeopleError(
            f"已导入过：{run.at:%Y-%m-%d} 由{run.by or '系统管理员'}导入“{run.filename}”，内容一样",
            hint="不用再导入。要改个别人，请在户的页面上改。",
        )


def _write(fresh: Plan, dry_run: DryRun, by: User | None) -> None:
    """A fixed number of statements: households and residents new and changed, history."""
    on = today()
    Household.objects.bulk_create(fresh.new_households)
    Resident.objects.bulk_create(fresh.new_residents)
    fault("import.people.written")
    if fresh.changed_households:
        Household.objects.bulk_create(
            fresh.changed_households, update_conflicts=True, unique_fields=["id"], update_fields=_HOUSEHOLD
        )
    if fresh.changed_residents:
        Resident.objects.bulk_create(
            fresh.changed_residents, update_conflicts=True, unique_fields=["id"], update_fields=_RESIDENT
        )
    record_refusals(by, fresh.refusals, Consent.Channel.SHEET)
    opened = {household.pk for household in fresh.new_households}
    touched = {one.pk: one for one in fresh.new_households}
    touched |= {household.pk: household for household in fresh.touched}
    HouseholdChange.objects.bulk_create(
        HouseholdChange(
            place=dry_run.place, household=household, by=by, on=on, basis=f"表格导入：{dry_run.filename}"[:200],
            kind=HouseholdChange.Kind.OPEN if pk in opened else HouseholdChange.Kind.EDIT,
        )
        for pk, household in touched.items()
    )  # fmt: skip


def _digests(place: str, lines: Lines) -> list[str]:
    rows = sorted(
        json.dumps([{**line.values, **{f"*{k}": v for k, v in line.masked.items()}}], ensure_ascii=False,
                   sort_keys=True, default=str)
        for line in lines.lines
    )  # fmt: skip
    return rows_digests(f"{KIND}|{place}|" + "\n".join(rows))


def corrected_file(dry_run: DryRun) -> bytes:
    """The clerk's own rows again, the cells to mend in colour with a note each; upload it again when mended."""
    head_row = dry_run.lines.header.row
    rows = dry_run.sheet.rows[head_row:]
    width = max((len(row) for row in rows), default=0)
    titles = [cell.text.replace("\n", "") for cell in rows[0]] + [""] * (width - len(rows[0]))
    faults: dict[tuple[int, int], str] = {}
    for error in dry_run.errors:
        column = _column_number(error.column)
        key = (error.row - head_row - 2, column)
        faults[key] = "；".join(filter(None, [faults.get(key), f"{error.message}。{error.hint}"]))
    body = [[_shown(cell) for cell in row] + [None] * (width - len(row)) for row in rows[1:]]
    sheet = SheetOut(
        "改错", [Column(title, _width(title)) for title in titles], body, faults=faults,
        notes=[f"标红的 {len(faults)} 格要改，鼠标放上去看说明；改好后保存，直接上传这张表。"],
    )  # fmt: skip
    return write_workbook([sheet])


def template() -> bytes:
    """An empty table with drop-downs and notes, and a sheet that says how to fill it in."""
    sheet = SheetOut("户和人员", COLUMNS, notes=["从表头下面一行开始填，每人一行；怎么填看“填写说明”。"],
                     spare_rows=500, frozen_columns=2)  # fmt: skip
    helping = SheetOut("填写说明", [Column("内容", 18), Column("怎么填", 100)], HELP)
    return write_workbook([sheet, helping])


def export_households(
    place: str,
    queryset: QuerySet[Household] | None = None,
    *,
    reveal: bool = False,
    watermark: str = "",
) -> bytes:
    """Households and living people in the template's columns, ready to be imported again unchanged.

    Numbers are masked (5****4) unless `reveal`: then the caller has asked for a reason and put it on record
    (`record_export`). Two queries.
    """
    households = (
        Household.objects.filter(place=place, status__in=Household.OPEN) if queryset is None else queryset
    )
    ids = households.filter(place=place).values("pk").order_by()
    people = Resident.objects.filter(household__in=ids, status__in=LIVE).select_related("household")
    place_of = {relation: n for n, relation in enumerate(Resident.Relation.values)}
    ordered = sorted(
        people, key=lambda r: (r.household.code, place_of[r.relation], str(r.birth_date), str(r.pk))
    )
    heads = {one.household_id: one.name for one in ordered if one.is_head}
    rows = [_row(one, heads.get(one.household_id, ""), reveal) for one in ordered]
    sheet = SheetOut("户和人员", COLUMNS, rows, frozen_columns=2)
    return write_workbook([sheet], watermark=watermark)


def record_export(*, by: User, place: str, reveal: bool, reason: str) -> None:
    """Put an export on record; complete numbers need the clerk and a reason (A-12, A-14). Raises PeopleError."""
    must(by, "people.reveal" if reveal else "people.see_households", place)
    if reveal and len(reason.strip()) < 2:
        raise PeopleError("导出完整号码要写明用途", field="reason", hint="例如：报送医保核对。")
    record("people.export", by=by, place=place, reveal=reveal, reason=reason.strip()[:100])


def _row(one: Resident, head: str, reveal: bool) -> list[Any]:
    child = one.is_minor()
    number, phone = open_id_number(one.id_number_secret), open_phone(one.phone_secret)
    reveal = reveal and not child
    values: Mapping[str, Any] = {
        "group": one.household.group,
        "code": one.household.code,
        "head_name": head,
        "name": one.name,
        "relation": one.get_relation_display(),
        "id_number": number if reveal else mask_id(number),
        # A child's day of birth leaves the system with nobody (P-07); an empty cell changes nothing when it comes back.
        "birth_date": one.birth_date.isoformat() if one.birth_date and not child else None,
        "phone": phone if reveal else mask_phone(phone),
        "address": one.household.address,
        "status": "外出" if one.status == Resident.Status.AWAY else "在村",
        "published": "是" if one.household.published else "否",
        "tags": "、".join(one.tags),
    }
    return [values[key] for key in KEYS]


def _shown(cell: Cell) -> str | None:
    return cell.text or None


def _width(title: str) -> float:
    return 22 if re.search("身份证|住址|地址", title) else 14


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
