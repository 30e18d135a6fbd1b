"""纸表 out and back: numbered when printed, keyed in by one person, counted again by another, then claims (U-33, U-34).

Two people: whoever keyed it in cannot confirm it. The second counts the paper without seeing what was keyed in; where
the two counts differ nothing is submitted, and the first looks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import rules
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet

from zhili.audit.actions import record
from zhili.claims.access import of_household
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim, Sheet, SheetPhoto, SheetRow
from zhili.claims.photos import discard, store_photos
from zhili.claims.sheet_reading import ROWS_MAX, Checked, Typed, read_sheet, total_of
from zhili.claims.submitting import submit_many
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import parse_code
from zhili.common.policy import may
from zhili.people.access import leads_group
from zhili.people.models import Household, Membership, User

Role = Membership.Role
SHEETS_MAX: Final = 2_000
BLANK_MAX: Final = 100
PHOTOS_MAX: Final = 6


@rules.predicate
def works_with_sheets(user: User, place: str | None = None) -> bool:
    """The clerk and group leaders key in; they and the supervisor count again."""
    return user.has_role(Role.CLERK, Role.GROUP_LEADER, Role.SUPERVISOR, place=place)


rules.add_perm("claims.sheets", works_with_sheets)  # obj: place code


def sheet_url(sheet: Sheet) -> str:
    """The QR on a sheet: an address with its number; opens nothing without a log-in of that village."""
    return f"{settings.PUBLIC_URL}/desk/{sheet.place}/sheets/{sheet.number}/"


def sheets_for(by: User, place: str) -> QuerySet[Sheet]:
    """Sheets this person may work on: a group leader those of the own group, blank ones, and what he keyed in."""
    rows = Sheet.objects.filter(place=place).select_related(
        "household", "keyed_by", "confirmed_by", "printed_by"
    )
    if by.has_role(Role.CLERK, Role.SUPERVISOR, place=place):
        return rows
    home = by.resident.household.group if by.resident else ""
    groups = [held.group or home for held in by.memberships_today if held.role == Role.GROUP_LEADER]
    own = [group for group in groups if group]
    return rows.filter(
        Q(household__group__in=own)
        | Q(group__in=own)
        | Q(household=None, kind=Sheet.Kind.HOUSEHOLD)
        | Q(keyed_by=by)
    )


def access_sheet(by: User, place: str, number: int) -> Sheet:
    """A sheet this person may work on. Raises NotFound for absent and foreign alike."""
    found = sheets_for(by, place).filter(number=number).first() if may(by, "claims.sheets", place) else None
    if found is None:
        raise NotFound("没有这张纸表。")
    return found


@transaction.atomic
def print_sheets(
    *,
    by: User,
    place: str,
    period: str,
    households: Sequence[Household] = (),
    group: str = "",
    blank: int = 0,
) -> list[Sheet]:
    """Numbers for sheets that are about to be printed: one for each household, or one scoring sheet for `group` per
    page asked for (blank), or `blank` empty ones. A household's sheet that has not come back keeps its number."""
    if not may(by, "claims.field", place):
        raise NotAllowed("只有村文书和组长可以打印编号的纸表")
    parse_code(period)
    if len(households) > SHEETS_MAX or blank > BLANK_MAX:
        raise ClaimError(f"一次最多 {SHEETS_MAX} 户、空白表 {BLANK_MAX} 张", hint="请分几次打印。")
    if any(one.place != place or not one.is_open for one in households):
        raise ClaimError("名单里有不是本村的户，或已不在册的户", hint="请重新选择。")
    if not households and blank < 1:
        raise ClaimError("没有要打印的户", hint="请先选一户、一组，或写要几张空白表。")
    _lock_numbers(place)
    kind = Sheet.Kind.SCORING if group else Sheet.Kind.HOUSEHOLD
    waiting = Sheet.objects.filter(place=place, kind=kind, period=period, status=Sheet.Status.PRINTED)
    out = {
        one.household_id: one
        for one in waiting.filter(household__in=[h.pk for h in households]).order_by("number")
    }
    number = Sheet.objects.filter(place=place).aggregate(last=Max("number"))["last"] or 0
    fresh = []
    for home in [one for one in households if one.pk not in out] or []:
        number += 1
        fresh.append(
            Sheet(place=place, number=number, kind=kind, household=home, period=period, printed_by=by)
        )
    for _ in range(0 if households else blank):
        number += 1
        fresh.append(Sheet(place=place, number=number, kind=kind, group=group, period=period, printed_by=by))
    made = Sheet.objects.bulk_create(fresh)
    by_home = out | {one.household_id: one for one in made if one.household_id}
    found = [by_home[home.pk] for home in households] if households else made
    record("claims.sheet_print", by=by, place=place, count=len(found), new=len(made), kind=str(kind))
    return found


def key_in(
    *,
    by: User,
    sheet: Sheet,
    lines: Sequence[Typed],
    household: Household | None = None,
    photos: Sequence[bytes] = (),
) -> tuple[Sheet, Checked]:
    """Write down what stands on the sheet; nothing is claimed yet. Where a line is wrong, nothing is written and the
    Checked says what. Keyed in again by the same person it replaces what was there. Raises ClaimError, NotAllowed."""
    if not may(by, "claims.field", sheet.place):
        raise NotAllowed("只有村文书和组长可以录入纸表")
    with transaction.atomic():
        sheet = _locked(sheet)
        _refuse_keyed(sheet, by)
        home = sheet.household or household
        if sheet.kind == Sheet.Kind.HOUSEHOLD:
            if home is None or home.place != sheet.place:
                raise ClaimError("没有写是哪一户", field="household", hint="请照纸表写户编号。")
            if sheet.household_id is None and not _in_charge(by, home):
                raise NotAllowed("您只能录本组的表", hint="请交给村文书。")
        checked = read_sheet(by, sheet, lines, home)
        if checked.errors:
            return sheet, checked
        have = sheet.photos.count()
        if have + len(photos) > PHOTOS_MAX:
            raise ClaimError(f"一张表最多 {PHOTOS_MAX} 张照片", field="photos", hint="请去掉几张。")
        stored = store_photos(sheet.place, photos)
        try:
            _write(by, sheet, home, checked)
            SheetPhoto.objects.bulk_create(
                SheetPhoto(place=sheet.place, sheet=sheet, file_name=one.name, sha256=one.sha256, added_by=by)
                for one in stored
            )
        except Exception:
            discard(sheet.place, stored)
            raise
        record(
            "claims.sheet_key",
            by=by,
            place=sheet.place,
            target=sheet,
            rows=len(checked.rows),
            photos=len(stored),
        )
    return sheet, checked


def _write(by: User, sheet: Sheet, home: Household | None, checked: Checked) -> None:
    sheet.rows.all().delete()
    rows = []
    for row in checked.rows:
        assert row.home is not None and row.on is not None
        rows.append(
            SheetRow(
                place=sheet.place,
                sheet=sheet,
                position=row.position,
                household=row.home,
                resident=row.person,
                item=row.code,
                occurred_on=row.on,
                amount=row.typed.amount.strip(),
                witness=row.typed.witness.strip(),
                document=row.typed.document.strip(),
            )
        )
    SheetRow.objects.bulk_create(rows)
    sheet.status, sheet.keyed_by, sheet.keyed_at, sheet.problem = Sheet.Status.KEYED, by, now(), ""
    if sheet.kind == Sheet.Kind.HOUSEHOLD:
        sheet.household = home
    sheet.save(update_fields=["status", "keyed_by", "keyed_at", "problem", "household"])


def _in_charge(by: User, home: Household) -> bool:
    return by.has_role(Role.CLERK, place=home.place) or leads_group(by, home)


def _refuse_keyed(sheet: Sheet, by: User) -> None:
    """A sheet is keyed in once: by one person, and never again when its claims are handed in."""
    if sheet.status == Sheet.Status.CONFIRMED:
        raise ClaimError(
            f"{sheet} 已经录入、核对过了，不能再录",
            hint="同一户还有没记上的，请另打一张表，或在“申报”里记一条。",
        )
    if sheet.status == Sheet.Status.VOID:
        raise ClaimError(f"{sheet} 已作废", hint="请用新打印的表。")
    if sheet.status == Sheet.Status.KEYED and sheet.keyed_by_id != by.pk:
        raise ClaimError(
            f"{sheet} 已由{sheet.keyed_by}录入，等第二个人核对", hint="您可以当第二个人，去核对。"
        )


@transaction.atomic
def confirm(*, by: User, sheet: Sheet, rows: int, total: Decimal) -> list[Claim]:
    """A second person counted the paper: where it agrees the claims are handed in, all or nothing, in the name of who
    keyed it in; else none is, [] comes back and the sheet says what differs. Twice gives the same claims."""
    if not may(by, "claims.sheets", sheet.place):
        raise NotAllowed("您的身份不能核对纸表")
    sheet = _locked(sheet)
    if sheet.status == Sheet.Status.CONFIRMED and sheet.confirmed_by_id == by.pk:
        return [row.claim for row in sheet.rows.select_related("claim") if row.claim is not None]
    if sheet.status != Sheet.Status.KEYED:
        raise ClaimError(
            f"{sheet} 现在是“{sheet.get_status_display()}”，不用核对", hint="请回到纸表列表看看。"
        )
    if sheet.keyed_by_id == by.pk:
        raise NotAllowed(
            "这张表是您自己录的，要换一个人核对", hint="请另一位（村文书、组长或监督委员）来数一遍。"
        )
    if sheet.household_id and of_household(by, sheet.household_id):
        raise NotAllowed("这是您自己家的表，要换一个人核对", hint="请另一位来数一遍。")
    kept = list(sheet.rows.select_related("household", "resident"))
    added = total_of(row.amount for row in kept)
    if (rows, total) != (len(kept), added):
        parts = []
        if rows != len(kept):
            parts.append(f"纸上数出 {rows} 行，录入 {len(kept)} 行")
        if total != added:
            parts.append(f"“多少”一列纸上加起来 {total:f}，录入 {added:f}")
        sheet.problem = "；".join(parts)
        sheet.save(update_fields=["problem"])
        record("claims.sheet_problem", by=by, place=sheet.place, target=sheet, rows=rows, keyed=len(kept))
        return []
    claims = _submit(sheet, kept)
    sheet.status, sheet.confirmed_by, sheet.confirmed_at, sheet.problem = (
        Sheet.Status.CONFIRMED,
        by,
        now(),
        "",
    )
    sheet.save(update_fields=["status", "confirmed_by", "confirmed_at", "problem"])
    record(
        "claims.sheet_confirm",
        by=by,
        place=sheet.place,
        target=sheet,
        count=len(claims),
        numbers=[claims[0].number, claims[-1].number],
    )
    return claims


def _submit(sheet: Sheet, kept: list[SheetRow]) -> list[Claim]:
    """The rows as claims, checked once more as they are today."""
    keyer = sheet.keyed_by
    assert keyer is not None
    lines = {row.position: typed_of(sheet, row) for row in kept}
    padded = [lines.get(n, Typed()) for n in range(1, max(lines) + 1)]
    checked = read_sheet(keyer, sheet, padded, sheet.household)
    if checked.errors:
        position, _, text = checked.errors[0]
        raise ClaimError(
            f"第 {position} 行现在收不下：{text.rstrip('。')}", hint=f"请{keyer}改好再录一遍，这次没有提交。"
        )
    drafts = [row.draft for row in checked.rows if row.draft is not None]
    claims = submit_many(by=keyer, place=sheet.place, drafts=drafts, quiet=True)
    for row, claim in zip(kept, claims, strict=True):
        row.claim = claim
    SheetRow.objects.bulk_update(kept, ["claim"], batch_size=ROWS_MAX)
    return claims


def typed_of(sheet: Sheet, row: SheetRow) -> Typed:
    """A stored row as somebody would type it."""
    return Typed(
        household=row.household.code if sheet.kind == Sheet.Kind.SCORING else "",
        who=row.resident.name if row.resident else "",
        item=row.item,
        day=row.occurred_on.isoformat(),
        amount=row.amount,
        witness=row.witness,
        document=row.document,
    )


@transaction.atomic
def void_sheet(*, by: User, sheet: Sheet) -> Sheet:
    """A sheet that was spoilt or keyed in by mistake: its number is used up, nothing of it counts."""
    if not may(by, "claims.field", sheet.place):
        raise NotAllowed("只有村文书和组长可以作废纸表")
    sheet = _locked(sheet)
    if sheet.status == Sheet.Status.CONFIRMED:
        raise ClaimError(f"{sheet} 的申报已经提交，不能作废", hint="记错的，请在那条申报里撤回。")
    sheet.rows.all().delete()
    sheet.status = Sheet.Status.VOID
    sheet.save(update_fields=["status"])
    record("claims.sheet_void", by=by, place=sheet.place, target=sheet)
    return sheet


def _lock_numbers(place: str) -> None:
    """Sheets are numbered one after another; a lock of their own, so that claims go on while paper is being drawn."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"sheets:{place}"])


def _locked(sheet: Sheet) -> Sheet:
    rows = Sheet.objects.select_for_update(of=("self",)).select_related(
        "household", "keyed_by", "confirmed_by"
    )
    return rows.get(pk=sheet.pk)
