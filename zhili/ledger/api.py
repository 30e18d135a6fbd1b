"""台账 for machines: balances, passbooks, totals; and for everybody the fingerprints and the proof of one line."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from zhili.common.api import (
    SLIP,
    Day,
    Digest,
    Page,
    PagingQuery,
    PlaceCode,
    Points,
    answers,
    caller,
    page_of,
)  # fmt: skip
from zhili.common.errors import NotFound
from zhili.common.points import format_points
from zhili.ledger.queries import (
    Head,
    Receipt,
    Statement,
    balances,
    find_receipt,
    heads,
    period_totals,
    statement,
    village_totals,
)  # fmt: skip
from zhili.people.access import access_household, must
from zhili.people.api import household_rows, seen_households
from zhili.people.models import Household, User

router = Router(tags=["台账"])
Purse = Annotated[str, Field(pattern=r"^[0-9A-Za-z_]{1,20}$")]
PeriodCode = Annotated[str, Field(pattern=r"^[0-9A-Zever-]{4,12}$", examples=["2026-10"])]


class PurseBalance(Schema):
    """One purse now, decimal text. available = balance - reserved."""

    purse: str
    balance: Points
    reserved: Points
    available: Points


class HouseholdBalance(Schema):
    """One household's purses; the head's name as the caller may see it."""

    household: UUID
    code: str
    group: str
    head: str
    purses: list[PurseBalance]


def _purses(found: dict[Any, Any], owner: UUID) -> list[PurseBalance]:
    return [
        PurseBalance(
            purse=purse,
            balance=format_points(one.balance),
            reserved=format_points(one.reserved),
            available=format_points(one.available),
        )
        for (who, purse), one in sorted(found.items(), key=lambda pair: pair[0][1])
        if who == owner
    ]


@router.get(
    "/villages/{place}/balances",
    auth=caller("ledger.read"),
    response=answers(Page[HouseholdBalance]),
    summary="各户积分",
)
def list_balances(request: HttpRequest, place: PlaceCode, paging: PagingQuery) -> Any:
    """What every open household holds, by number. For offices of the village and above."""
    by: Any = request.user
    rows = seen_households(by, place).filter(status__in=Household.OPEN)
    return page_of(rows, paging, lambda cut: _balance_rows(by, place, cut))


def _balance_rows(by: User, place: str, cut: list[Household]) -> list[HouseholdBalance]:
    found = balances(place, [household.pk for household in cut])
    return [
        HouseholdBalance(
            household=row.id, code=row.code, group=row.group, head=row.head, purses=_purses(found, row.id)
        )
        for row in household_rows(by, cut)
    ]


@router.get(
    "/households/{household_id}/balances",
    auth=caller("people.see_household"),
    response=answers(list[PurseBalance]),
    summary="一户的积分",
)
def household_balances(request: HttpRequest, household_id: UUID) -> Any:
    """The household's purses now."""
    household = access_household(request.user, household_id)
    return _purses(balances(household.place, [household.pk]), household.pk)


class EntryRow(Schema):
    """One line of a passbook. points: signed. receipt: the code that proves it on the open page."""

    transfer: UUID
    batch: int
    occurred_on: date
    posted_at: datetime
    code: str
    title: str
    points: Points
    balance_after: Points
    item: str | None
    claim: UUID | None
    receipt: str
    late: bool
    reversed: bool
    period: str


class StatementAnswer(Schema):
    """A passbook: opening + points of all entries = closing. Oldest first."""

    household: UUID
    purse: str
    opening: Points
    entries: list[EntryRow]
    closing: Points


class StatementFilter(Schema):
    """purse: merit if left out. start, end: days of posting, both inclusive. limit: the newest so many
    lines."""

    purse: Purse | None = None
    start: Day | None = None
    end: Day | None = None
    limit: int = Field(200, ge=1, le=500)


@router.get(
    "/households/{household_id}/statement",
    auth=caller("people.see_household"),
    response=answers(StatementAnswer),
    summary="一户的积分存折",
)
def household_statement(
    request: HttpRequest, household_id: UUID, filters: Annotated[StatementFilter, Query()]
) -> Any:
    """The passbook of one purse."""
    household = access_household(request.user, household_id)
    page = statement(household.place, household.pk, **filters.dict())
    return _statement(household.pk, page)


def _statement(household: UUID, page: Statement) -> StatementAnswer:
    return StatementAnswer(
        household=household,
        purse=page.purse,
        opening=format_points(page.opening),
        closing=format_points(page.closing),
        entries=[
            EntryRow(
                transfer=one.transfer_id,
                batch=one.batch_seq,
                occurred_on=one.occurred_on,
                posted_at=one.posted_at,
                code=one.code,
                title=one.code_title,
                points=format_points(one.points),
                balance_after=format_points(one.balance_after),
                item=one.cause.get("item"),
                claim=one.cause.get("claim"),
                receipt=one.receipt,
                late=one.late,
                reversed=one.reversed,
                period=one.period,
            )
            for one in page.entries
        ],
    )


class TotalRow(Schema):
    """One purse in one period: of one household, or (household null) of the whole village. Decimal text."""

    household: UUID | None
    period: str
    purse: str
    earned: Points
    deducted: Points
    spent: Points
    expired: Points
    adjusted: Points
    net: Points


def _totals(rows: list[tuple[UUID | None, str, str, Any]]) -> list[TotalRow]:
    words = ("earned", "deducted", "spent", "expired", "adjusted", "net")
    return [
        TotalRow(
            household=owner, period=period, purse=purse, **{w: format_points(getattr(one, w)) for w in words}
        )
        for owner, period, purse, one in rows
    ]


@router.get(
    "/villages/{place}/totals",
    auth=caller("ledger.read"),
    response=answers(Page[TotalRow]),
    summary="一期的合计",
)
def list_totals(
    request: HttpRequest,
    place: PlaceCode,
    paging: PagingQuery,
    period: PeriodCode,
    by_household: bool = False,
) -> Any:
    """The village's sums in a period; by_household: of each account, for those who see the households."""
    must(request.user, "ledger.read", place)
    found: list[tuple[UUID | None, str, str, Any]]
    if by_household:
        owners = seen_households(request.user, place).values_list("pk", flat=True)  # type: ignore[arg-type]
        each = period_totals(place, [period], list(owners))
        found = [(owner, code, purse, one) for (owner, code, purse), one in each.items()]
        found.sort(key=lambda row: (str(row[0]), row[2]))
    else:
        found = [(None, code, purse, one) for (code, purse), one in village_totals(place, [period]).items()]
    return page_of(found, paging, _totals)


class HeadRow(Schema):
    """The book's fingerprint after one batch; short is what a poster prints. total: sum of amounts."""

    seq: int
    head: Digest
    short: str
    count: int
    total: Points
    posted_at: datetime
    period: str


def _head(head: Head) -> HeadRow:
    return HeadRow(
        seq=head.seq,
        head=head.head,
        short=head.short,
        count=head.count,
        total=format_points(head.total),
        posted_at=head.posted_at,
        period=head.period,
    )


Newest = Annotated[int, Query(ge=1, le=200, description="最近几批")]


@router.get(
    "/open/{place}/heads", auth=None, response=answers(list[HeadRow], public=True), summary="账本指纹（公开）"
)
def open_heads(request: HttpRequest, place: PlaceCode, limit: Newest = 50) -> Any:
    """The newest fingerprints, newest first: hold them against last month's poster."""
    return [_head(head) for head in heads(place, limit)]


class Sibling(Schema):
    """One step up the tree: hash the sibling on that side (left or right) with what one has."""

    side: str
    digest: Digest


class ReceiptAnswer(Schema):
    """One line of the book without a name, and its way to the fingerprint. proven: it all fits together."""

    code: str
    points: Points
    title: str
    occurred_on: date
    posted_at: datetime
    period: str
    late: bool
    reversed: bool
    batch: int
    line: str
    leaf: Digest
    path: list[Sibling]
    root: Digest
    head: Digest
    head_short: str
    proven: bool


@router.get(
    "/open/{place}/receipts/{code}",
    auth=None,
    response=answers(ReceiptAnswer, public=True),
    summary="核对回执（公开）",
)
def open_receipt(request: HttpRequest, place: PlaceCode, code: Annotated[str, Field(pattern=SLIP)]) -> Any:
    """Proof that the line of this slip stands in the village's book."""
    found = find_receipt(place, code)
    if found is None:
        raise NotFound("没有这张回执。")
    return _receipt(found)


def _receipt(found: Receipt) -> ReceiptAnswer:
    return ReceiptAnswer(
        code=found.code,
        points=format_points(found.points),
        title=found.code_title,
        occurred_on=found.occurred_on,
        posted_at=found.posted_at,
        period=found.period,
        late=found.late,
        reversed=found.reversed,
        batch=found.batch_seq,
        line=found.line,
        leaf=found.leaf,
        path=[Sibling(side=side, digest=digest) for side, digest in found.path],
        root=found.root,
        head=found.head,
        head_short=found.head_short,
        proven=found.proven,
    )
