"""公示 for machines: what hangs on the wall is open to everybody; hanging out and closing go by key."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from zhili.common.api import (
    SLIP,
    Page,
    PagingQuery,
    PlaceCode,
    Points,
    answers,
    caller,
    page_of,
    points_text,
)  # fmt: skip
from zhili.common.points import format_points
from zhili.notices import actions
from zhili.notices.access import access_notice
from zhili.notices.models import Notice
from zhili.notices.queries import (
    PublicLine,
    find_objection,
    public_lines,
    public_notice,
    public_notices,
)  # fmt: skip
from zhili.people.access import must, person_of

router = Router(tags=["公示"])


class NoticeRow(Schema):
    """One notice. opens_on, closes_on: first and last day to object. digest: of its lines as they hang.
    ledger_head: the book's fingerprint on the day it was hung out, "" before the first batch."""

    id: UUID
    place: str
    number: int
    period: str
    title: str
    opens_on: date
    closes_on: date
    status: str
    digest: str
    ledger_head: str
    batch: UUID | None


class LineRow(Schema):
    """One line as anybody may read it. name: masked, "" for deductions and households that stay unnamed.
    mark: "", 更正, 异议中 or 补记. status: shown, held, posted or dropped."""

    id: UUID
    position: int
    group: str
    household_code: str
    name: str
    item: str
    occurred_on: date
    points: Points
    mark: str
    status: str
    correction: str
    points_before: Points | None


class NoticeLines(Schema):
    """A notice and one page of its lines, in the order of the poster."""

    notice: NoticeRow
    lines: Page[LineRow]


def notice_row(notice: Notice) -> NoticeRow:
    return NoticeRow(
        id=notice.pk,
        place=notice.place,
        number=notice.number,
        period=notice.period,
        title=notice.title,
        opens_on=notice.opens_on,
        closes_on=notice.closes_on,
        status=notice.status,
        digest=notice.digest,
        ledger_head=notice.ledger_head,
        batch=notice.batch_id,
    )


def _lines(lines: list[PublicLine]) -> list[LineRow]:
    return [
        LineRow(
            id=line.id,
            position=line.position,
            group=line.group,
            household_code=line.household_code,
            name=line.name,
            item=line.item,
            occurred_on=line.occurred_on,
            points=format_points(line.points),
            mark=line.mark,
            status=line.status,
            correction=line.correction,
            points_before=points_text(line.points_before),
        )
        for line in lines
    ]


def _whole(notice: Notice, paging: Any) -> dict[str, Any]:
    return {"notice": notice_row(notice), "lines": page_of(public_lines(notice), paging, _lines)}


@router.get(
    "/open/{place}/notices",
    auth=None,
    response=answers(list[NoticeRow], public=True),
    summary="正在公示和不久前的公示（公开）",
)
def open_notices(request: HttpRequest, place: PlaceCode) -> Any:
    """Notices that hang out or are not yet taken down, newest first."""
    return [notice_row(notice) for notice in public_notices(place)]


Number = Annotated[int, Field(ge=1, le=1_000_000)]


@router.get(
    "/open/{place}/notices/{number}",
    auth=None,
    response=answers(NoticeLines, public=True),
    summary="一期公示（公开）",
)
def open_notice(request: HttpRequest, place: PlaceCode, number: Number, paging: PagingQuery) -> Any:
    """One notice with its lines."""
    return _whole(public_notice(place, number), paging)


class SlipAnswer(Schema):
    """What became of an objection, for whoever holds its slip."""

    number: str
    status: str
    status_title: str
    item: str
    household_code: str
    received_at: datetime
    acknowledge_due: date
    due_on: date
    answer: str
    answered_at: datetime | None
    points: Points | None


@router.get(
    "/open/{place}/objections/{code}",
    auth=None,
    response=answers(SlipAnswer, public=True),
    summary="凭查询码看异议答复（公开）",
)
def open_objection(request: HttpRequest, place: PlaceCode, code: Annotated[str, Field(pattern=SLIP)]) -> Any:
    """The written answer, by the code on the slip."""
    found = find_objection(place, code)
    return SlipAnswer(
        number=str(found),
        status=found.status,
        status_title=found.get_status_display(),
        item=found.line.item_title,
        household_code=found.line.household_code,
        received_at=found.received_at,
        acknowledge_due=found.acknowledge_due,
        due_on=found.due_on,
        answer=found.answer,
        answered_at=found.answered_at,
        points=points_text(found.outcome_points),
    )


@router.get(
    "/villages/{place}/notices",
    auth=caller("notices.see"),
    response=answers(Page[NoticeRow]),
    summary="历期公示",
)
def list_notices(request: HttpRequest, place: PlaceCode, paging: PagingQuery) -> Any:
    """All notices of the village, newest first."""
    must(request.user, "notices.see", place)
    rows = Notice.objects.filter(place=place).order_by("-number")
    return page_of(rows, paging, lambda cut: [notice_row(notice) for notice in cut])


class Period(Schema):
    """period: a finished settlement period of the book, such as 2026-10 or 2026-Q3."""

    period: Annotated[str, Field(pattern=r"^[0-9A-Z-]{4,12}$", examples=["2026-10"])]


@router.post(
    "/villages/{place}/notices",
    auth=caller("notices.manage"),
    response=answers(NoticeRow),
    summary="公布一期公示",
)
def hang_out(request: HttpRequest, place: PlaceCode, body: Period) -> Any:
    """Freeze what is approved and hang it out from today. While one hangs, another answers 409."""
    return notice_row(actions.open_notice(by=person_of(request), place=place, period=body.period))


@router.get(
    "/notices/{notice_id}",
    auth=caller("notices.see"),
    response=answers(NoticeLines),
    summary="一期公示和条目",
)
def one_notice(request: HttpRequest, notice_id: UUID, paging: PagingQuery) -> Any:
    """One notice with its lines as they hang."""
    return _whole(access_notice(person_of(request), notice_id), paging)


@router.post(
    "/notices/{notice_id}/close",
    auth=caller("notices.manage"),
    response=answers(NoticeRow),
    summary="结束公示并入账",
)
def close(request: HttpRequest, notice_id: UUID) -> Any:
    """Post every undisputed line in one batch. Closing again answers the same."""
    by = person_of(request)
    return notice_row(actions.close_notice(by=by, notice=access_notice(by, notice_id)))
