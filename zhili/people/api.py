"""户与人 for machines: the register of a village, and its import from a sheet.

Field rules (A-05): village staff see names; township and county see them masked; ID numbers and phones go out
to the clerk alone, masked to their ends; card tokens never.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, File, Query, Router, Schema
from ninja.files import UploadedFile

from zhili.audit.actions import record
from zhili.common.api import Line, Page, PagingQuery, PlaceCode, answers, caller, page_of
from zhili.common.masking import mask_id, mask_name, mask_phone, public_address
from zhili.common.policy import may
from zhili.people.access import access_household, leads_group, must
from zhili.people.importing import apply_households, read_households
from zhili.people.models import Household, Membership, Resident, User
from zhili.people.queries import head_names, matching, members
from zhili.people.secrets import open_id_number, open_phone

router = Router(tags=["户与人"])
ERRORS_SHOWN: Final = 200
Role = Membership.Role
NAMED: Final = (Role.CLERK, Role.SUPERVISOR, Role.REVIEWER, Role.COUNCIL, Role.GROUP_LEADER)
"""Roles of the village that see whole names of its people; everybody else sees 张*."""


def shown_name(by: User, household: Household, name: str) -> str:
    """A person's name as `by` may see it."""
    own = by.resident is not None and by.resident.household_id == household.pk
    return name if own or by.has_role(*NAMED, place=household.place) else mask_name(name)


def groups_led(by: User, place: str) -> set[str]:
    """The groups a group leader leads; where the role names none, the one the leader lives in."""
    home = by.resident.household.group if by.resident else ""
    held = [role for role in by.memberships_today if role.role == Role.GROUP_LEADER and role.place == place]
    return {role.group or home for role in held} - {""}


def seen_households(by: User, place: str) -> QuerySet[Household]:
    """The households of a village whose list `by` may read, by number: a group leader's own group, else all.

    Raises NotAllowed.
    """
    must(by, "people.see_households", place)
    rows = Household.objects.filter(place=place).order_by("code")
    whole = by.has_role(Role.CLERK, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY, place=place)
    return rows if whole else rows.filter(group__in=groups_led(by, place))


class HouseholdRow(Schema):
    """One household of a list. head: its head's name, masked for township and county."""

    id: UUID
    place: str
    code: str
    group: str
    status: str
    status_title: str
    head: str
    published: bool


class MemberRow(Schema):
    """One person. id_number, phone: only for the clerk, and only their ends."""

    id: UUID
    name: str
    relation: str
    status: str
    birth_year: int | None
    id_number: str | None
    phone: str | None


class HouseholdWhole(HouseholdRow):
    """A household with its people; address at most to the group for those who do not work in the village."""

    address: str
    opened_on: str
    closed_on: str | None
    successor: UUID | None
    members: list[MemberRow]


def household_rows(by: User, households: list[Household]) -> list[HouseholdRow]:
    """Rows of one village; one query for the names."""
    names = head_names(households[0].place, [h.pk for h in households]) if households else {}
    return [_row(by, household, names.get(household.pk, "")) for household in households]


def _row(by: User, household: Household, head: str) -> HouseholdRow:
    return HouseholdRow(
        id=household.pk,
        place=household.place,
        code=household.code,
        group=household.group,
        status=household.status,
        status_title=household.get_status_display(),
        head=shown_name(by, household, head),
        published=household.published,
    )


class HouseholdFilter(Schema):
    """q: part of the number, a name, or pinyin initials."""

    q: Annotated[Line, Field(max_length=40)] = ""
    group: Annotated[Line, Field(max_length=20)] = ""
    status: Literal["living", "away", "merged", "moved", "closed"] | None = None


@router.get(
    "/villages/{place}/households",
    auth=caller("people.see_households"),
    response=answers(Page[HouseholdRow]),
    summary="本村的户",
)
def list_households(
    request: HttpRequest, place: PlaceCode, paging: PagingQuery, filters: Annotated[HouseholdFilter, Query()]
) -> Any:
    """Households by number. A group leader gets the own group."""
    by: Any = request.user
    rows = seen_households(by, place)
    if filters.q:
        # Township and county may not find out whole names by trying them.
        named = by.has_role(*NAMED, place=place)
        rows = matching(rows, filters.q) if named else rows.filter(code__contains=filters.q)
    if filters.group:
        rows = rows.filter(group=filters.group)
    if filters.status:
        rows = rows.filter(status=filters.status)
    return page_of(rows, paging, lambda cut: household_rows(by, cut))


@router.get(
    "/households/{household_id}",
    auth=caller("people.see_household"),
    response=answers(HouseholdWhole),
    summary="一户和成员",
)
def one_household(request: HttpRequest, household_id: UUID) -> Any:
    """A household and its living members."""
    by: Any = request.user
    household = access_household(by, household_id)
    people = members(household)
    if by.resident is None or by.resident.household_id != household.pk:
        record("people.view", by=by, place=household.place, target=household)
    head = next((person.name for person in people if person.is_head), "")
    inside = may(by, "people.edit_households", household) or leads_group(by, household)
    own = by.resident is not None and by.resident.household_id == household.pk
    full = inside or own or by.has_role(Role.SUPERVISOR, place=household.place)
    return HouseholdWhole(
        **_row(by, household, head).dict(),
        address=household.address if full else public_address(household.address),
        opened_on=household.opened_on.isoformat(),
        closed_on=household.closed_on.isoformat() if household.closed_on else None,
        successor=household.successor_id,
        members=[_member(by, household, person) for person in people],
    )


def _member(by: User, household: Household, person: Resident) -> MemberRow:
    clerk = by.has_role(Role.CLERK, place=household.place)
    whole = shown_name(by, household, person.name) == person.name
    return MemberRow(
        id=person.pk,
        name=shown_name(by, household, person.name),
        relation=person.get_relation_display(),
        status=person.get_status_display(),
        birth_year=person.birth_date.year if person.birth_date and whole else None,
        id_number=mask_id(open_id_number(person.id_number_secret)) or None if clerk else None,
        phone=mask_phone(open_phone(person.phone_secret)) or None if clerk else None,
    )


class CellRow(Schema):
    """One cell to mend: row as Excel counts, the column's letter and heading, what is wrong, what to do."""

    row: int
    column: str
    title: str
    message: str
    hint: str


class SheetAnswer(Schema):
    """What a sheet would do, or (applied) has done. repeated: this very content was taken before. counts: new,
    changed, unchanged … by kind. errors: the first 200 cells to mend."""

    applied: bool
    repeated: bool
    rows: int
    counts: dict[str, int]
    remarks: list[str]
    error_count: int
    errors: list[CellRow]


def sheet_answer(dry_run: Any, *, applied: bool) -> SheetAnswer:
    """The answer for any dry run that has rows, counts, remarks, errors, repeated (people's and claims')."""
    errors = dry_run.errors
    return SheetAnswer(
        applied=applied,
        repeated=dry_run.repeated is not None,
        rows=dry_run.rows,
        counts=dry_run.counts,
        remarks=dry_run.remarks,
        error_count=len(errors),
        errors=[
            CellRow(row=e.row, column=e.column, title=e.title, message=e.message, hint=e.hint)
            for e in errors[:ERRORS_SHOWN]
        ],
    )


@router.post(
    "/villages/{place}/households/import",
    auth=caller("people.import"),
    response=answers(SheetAnswer),
    summary="导入户和人员（表格）",
)
def import_households(
    request: HttpRequest,
    place: PlaceCode,
    file: Annotated[UploadedFile, File(description="xlsx 或 csv，最大 10 MB")],
    apply: Annotated[bool, Query(description="true：没有错误就写入；否则只检查")] = False,
) -> Any:
    """Dry run of a clerk's sheet, or its application, all or nothing. A sheet with errors is not applied."""
    by: Any = request.user
    must(by, "people.import", place)
    dry_run = read_households(file.read(), file.name or "", place)
    if apply and dry_run.ok:
        apply_households(dry_run, by=by)
        return sheet_answer(dry_run, applied=True)
    return sheet_answer(dry_run, applied=False)
