"""异议 for machines: objecting, answering and correcting a line go by key. Who objected goes out nowhere:
those who answer see the text.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Schema, Status

from zhili.common.api import (
    Line as Words,
)
from zhili.common.api import (
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
from zhili.common.errors import NotFound
from zhili.common.points import format_points, parse_points
from zhili.notices import actions
from zhili.notices.access import access_line, access_objection
from zhili.notices.api import NoticeRow, notice_row, router
from zhili.notices.errors import Conflict
from zhili.notices.models import Objection
from zhili.notices.queries import objections_of
from zhili.people.access import must, person_of
from zhili.people.models import Resident


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
    return notice_row(actions.correct_line(by=by, line=line, points=points, reason=body.reason).notice)
