"""公示 for machines: what hangs on the wall is open to everybody; hanging out, closing, objecting and answering
go by key. Who objected goes out nowhere: those who answer see the text.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from zhili.common.api import (
    SLIP,
    NewKey,
    Page,
    PagingQuery,
    PlaceCode,
    Points,
    PointsText,
    answers,
    caller,
    page_of,
    points_text,
)  # fmt: skip
from zhili.common.api import (
    Line as Words,
)
from zhili.common.errors import NotFound
from zhili.common.points import format_points, parse_points
from zhili.notices import actions
from zhili.notices.access import access_line, access_notice, access_objection
from zhili.notices.errors import Conflict
from zhili.notices.models import Notice, Objection
from zhili.notices.queries import (
    PublicLine,
    find_objection,
    objections_of,
    public_lines,
    public_notice,
    public_notices,
)  # fmt: skip
from zhili.people.access import must, person_of
from zhili.people.models import Resident

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


def _notice(notice: Notice) -> NoticeRow:
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
    return {"notice": _notice(notice), "lines": page_of(public_lines(notice), paging, _lines)}


@router.get(
    "/open/{place}/notices",
    auth=None,
    response=answers(list[NoticeRow], public=True),
    summary="正在公示和不久前的公示（公开）",
)
def open_notices(request: HttpRequest, place: PlaceCode) -> Any:
    """Notices that hang out or are not yet taken down, newest first."""
    return [_notice(notice) for notice in public_notices(place)]


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
    return page_of(rows, paging, lambda cut: [_notice(notice) for notice in cut])


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
    return _notice(actions.open_notice(by=person_of(request), place=place, period=body.period))


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
    return _notice(actions.close_notice(by=by, notice=access_notice(by, notice_id)))


class ObjectionIn(Schema):
    """id: made by the caller. resident: whose objection a clerk keys in, or for whom a delegate speaks."""

    id: NewKey
    text: Annotated[Words, Field(min_length=2, max_length=500)]
    resident: UUID | None = None
    paper_number: Annotated[Words, Field(max_length=30)] = ""


class ObjectionRow(Schema):
    """One objection for those who handle it. named: whether somebody signed it; who, stays on the paper."""

    id: UUID
    number: str
    line: UUID
    position: int
    notice: int
    household_code: str
    item: str
    points: Points
    text: str
    named: bool
    channel: str
    status: str
    status_title: str
    received_at: datetime
    acknowledge_due: date
    due_on: date
    answer: str
    outcome_points: Points | None


class Slip(ObjectionRow):
    """An objection as its maker gets it. lookup_code: to read the answer at /open/{place}/objections/{code}."""

    lookup_code: str


def _objection(row: Objection) -> ObjectionRow:
    line = row.line
    return ObjectionRow(
        id=row.pk,
        number=str(row),
        line=line.pk,
        position=line.position,
        notice=line.notice.number,
        household_code=line.household_code,
        item=line.item_title,
        points=format_points(line.points),
        text=row.text,
        named=row.by_resident_id is not None,
        channel=row.channel,
        status=row.status,
        status_title=row.get_status_display(),
        received_at=row.received_at,
        acknowledge_due=row.acknowledge_due,
        due_on=row.due_on,
        answer=row.answer,
        outcome_points=points_text(row.outcome_points),
    )


@router.post(
    "/lines/{line_id}/objections",
    auth=caller("notices.object"),
    response=answers(Slip, created=True),
    summary="提异议",
)
def object_to(request: HttpRequest, line_id: UUID, body: ObjectionIn) -> Any:
    """Object to one line; it is held from now on. Without a name: on the open page."""
    by = person_of(request)
    line = access_line(by, line_id)
    resident = None
    if body.resident is not None:
        resident = Resident.objects.filter(place=line.place, pk=body.resident).first()
        if resident is None:
            raise NotFound("没有这个人。")
    known = Objection.objects.filter(pk=body.id).exists()
    found = actions.object_to(
        line=line,
        text=body.text,
        by=by,
        resident=resident,
        channel="api",
        paper_number=body.paper_number,
        id=body.id,
    )
    if known and found.entered_by_id != by.pk:  # somebody else's key tells nothing about it
        raise Conflict("这个提交编号已用于另一条异议", field="id", hint="请换一个新的编号。")
    found.line = line
    return Status(200 if known else 201, Slip(**_objection(found).dict(), lookup_code=found.lookup_code))


class ObjectionFilter(Schema):
    """waiting: only what is not answered yet."""

    waiting: bool = False


@router.get(
    "/villages/{place}/objections",
    auth=caller("notices.objections"),
    response=answers(Page[ObjectionRow]),
    summary="本村的异议",
)
def list_objections(
    request: HttpRequest, place: PlaceCode, paging: PagingQuery, filters: Annotated[ObjectionFilter, Query()]
) -> Any:
    """Objections, newest first."""
    must(request.user, "notices.objections", place)
    rows = objections_of(place).order_by("-number")
    if filters.waiting:
        rows = rows.filter(status__in=Objection.OPEN)
    return page_of(rows, paging, lambda cut: [_objection(row) for row in cut])


@router.post(
    "/objections/{objection_id}/acknowledge",
    auth=caller("notices.acknowledge"),
    response=answers(ObjectionRow),
    summary="受理异议",
)
def acknowledge(request: HttpRequest, objection_id: UUID) -> Any:
    """It is received and being looked into."""
    by = person_of(request)
    return _objection(actions.acknowledge(by=by, objection=access_objection(by, objection_id)))


class AnswerIn(Schema):
    """outcome: upheld (points: the corrected score, none takes the line down) or refused."""

    outcome: Literal["upheld", "refused"]
    answer: Annotated[Words, Field(min_length=2, max_length=500)]
    points: PointsText | None = None


@router.post(
    "/objections/{objection_id}/answer",
    auth=caller("notices.answer"),
    response=answers(ObjectionRow),
    summary="书面答复异议",
)
def answer(request: HttpRequest, objection_id: UUID, body: AnswerIn) -> Any:
    """The written answer, by somebody who did not decide before."""
    by = person_of(request)
    found = actions.answer_objection(
        by=by,
        objection=access_objection(by, objection_id),
        outcome=body.outcome,
        answer=body.answer,
        points=None if body.points is None else parse_points(body.points),
    )
    return _objection(found)


@router.post(
    "/objections/{objection_id}/withdraw",
    auth=caller("notices.object"),
    response=answers(ObjectionRow),
    summary="撤回异议",
)
def withdraw(request: HttpRequest, objection_id: UUID) -> Any:
    """Whoever made it takes it back."""
    by = person_of(request)
    return _objection(actions.withdraw_objection(by=by, objection=access_objection(by, objection_id)))


class CorrectionIn(Schema):
    """points: the right score, left out to take the line down. reason: hangs out with the correction."""

    points: PointsText | None = None
    reason: Annotated[Words, Field(min_length=2, max_length=100)]


@router.post(
    "/lines/{line_id}/correct",
    auth=caller("notices.manage"),
    response=answers(NoticeRow),
    summary="更正公示条目",
)
def correct(request: HttpRequest, line_id: UUID, body: CorrectionIn) -> Any:
    """Correct a mistake while the notice hangs; the change stays visible."""
    by = person_of(request)
    line = access_line(by, line_id)
    points = None if body.points is None else parse_points(body.points)
    return _notice(actions.correct_line(by=by, line=line, points=points, reason=body.reason).notice)
