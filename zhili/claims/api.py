"""申报评议 for machines: read, take back, decide. Handing in stands in api_submit.py.

Names and words follow people/api.py: township and county see masked names and no free text.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema

from zhili.claims import actions
from zhili.claims.access import access_claim, access_evidence, of_household
from zhili.claims.models import Claim
from zhili.claims.photos import open_photo
from zhili.claims.queries import claim_story, evidence_of, review_queue, village_claims
from zhili.common.api import (
    Day,
    Line,
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
from zhili.common.errors import NotAllowed
from zhili.common.points import parse_points
from zhili.common.policy import may
from zhili.people.access import leads_group
from zhili.people.api import NAMED, groups_led, household_rows
from zhili.people.models import User

router = Router(tags=["申报评议"])


class ClaimRow(Schema):
    """One claim. points: what it brings once it hangs out, null before. text: null where the caller may not
    read it. head: the household's head, masked for township and county."""

    id: UUID
    number: str
    place: str
    household: UUID
    household_code: str
    head: str
    item: str
    item_title: str
    occurred_on: date
    quantity: str | None
    grade: str
    text: str | None
    channel: str
    status: str
    status_title: str
    points: Points | None
    late: bool
    submitted_at: datetime


def claim_rows(by: User, claims: list[Claim]) -> list[ClaimRow]:
    """Rows of one village."""
    households = {claim.household_id: claim.household for claim in claims}
    heads = {row.id: row.head for row in household_rows(by, list(households.values()))}
    return [
        ClaimRow(
            id=claim.pk,
            number=str(claim),
            place=claim.place,
            household=claim.household_id,
            household_code=claim.household.code,
            head=heads[claim.household_id],
            item=claim.item.code,
            item_title=claim.item.title,
            occurred_on=claim.occurred_on,
            quantity=_quantity(claim.quantity),
            grade=claim.grade,
            text=claim.text if sees_words(by, claim) else None,
            channel=claim.channel,
            status=claim.status,
            status_title=claim.get_status_display(),
            points=points_text(claim.points_awarded),
            late=claim.late,
            submitted_at=claim.submitted_at,
        )
        for claim in claims
    ]


def _quantity(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")


def sees_words(by: User, claim: Claim) -> bool:
    """Free text, photos and the story name people: for the village itself, not for offices above it (A-05)."""
    own = of_household(by, claim.household_id) or claim.submitted_by_id == by.pk
    return own or by.has_role(*NAMED, place=claim.place)


class ClaimFilter(Schema):
    """status; household: its number; item: code; start, end: days of the fact, both inclusive."""

    status: Literal[tuple(Claim.Status.values)] | None = None  # type: ignore[valid-type]
    household: Annotated[Line, Field(max_length=20)] = ""
    item: Annotated[Line, Field(max_length=32)] = ""
    start: Day | None = None
    end: Day | None = None


@router.get(
    "/villages/{place}/claims",
    auth=caller("claims.see"),
    response=answers(Page[ClaimRow]),
    summary="本村的申报",
)
def list_claims(
    request: HttpRequest, place: PlaceCode, paging: PagingQuery, filters: Annotated[ClaimFilter, Query()]
) -> Any:
    """Claims, newest fact first: of the village for those who work on them, else of the own household and those
    one handed in."""
    by: Any = request.user
    rows = village_claims(place)
    if not may(by, "claims.see_village", place):
        mine = Q(submitted_by=by)
        if by.resident is not None:
            mine |= Q(household=by.resident.household_id)
        rows = rows.filter(mine | Q(household__group__in=groups_led(by, place)))
    wanted = {
        "status": filters.status,
        "household__code": filters.household,
        "item__code": filters.item,
        "occurred_on__gte": filters.start,
        "occurred_on__lte": filters.end,
    }
    rows = rows.filter(**{key: value for key, value in wanted.items() if value})
    return page_of(rows, paging, lambda cut: claim_rows(by, cut))


class QueueItem(Schema):
    """One claim that waits for the caller. level: 1, 2 or council. span: the range people set. kinds: evidence.
    same_day: other claims of the household for the same item and day."""

    claim: ClaimRow
    level: str
    span: str
    kinds: list[str]
    same_day: int
    hearing_missing: bool


@router.get(
    "/villages/{place}/reviews",
    auth=caller("claims.review"),
    response=answers(Page[QueueItem]),
    summary="等我评议的",
)
def list_queue(request: HttpRequest, place: PlaceCode, paging: PagingQuery) -> Any:
    """What the caller may decide on now, oldest first: nothing of the own household, nothing one entered."""
    by: Any = request.user

    def shown(cut: list[Any]) -> list[QueueItem]:
        rows = claim_rows(by, [row.claim for row in cut])
        return [
            QueueItem(
                claim=claim,
                level=row.level,
                span=row.span,
                kinds=row.kinds,
                same_day=row.same_day,
                hearing_missing=row.hearing_missing,
            )
            for claim, row in zip(rows, cut, strict=True)
        ]

    return page_of(review_queue(by, place), paging, shown)


class EvidenceRow(Schema):
    """What supports a claim. photo: fetch it from /evidence/{id}. similar: near-same photos of other claims."""

    id: UUID
    kind: str
    note: str
    photo: bool
    sha256: str
    similar: int


class ClaimWhole(ClaimRow):
    """A claim with its evidence (empty where the caller may not see it)."""

    resident: UUID | None
    evidence: list[EvidenceRow]


def claim_whole(by: User, claim: Claim) -> ClaimWhole:
    rows = evidence_of(claim) if sees_words(by, claim) else []
    return ClaimWhole(
        **claim_rows(by, [claim])[0].dict(),
        resident=claim.resident_id,
        evidence=[
            EvidenceRow(
                id=one.pk,
                kind=one.kind,
                note=one.note,
                photo=bool(one.file_name),
                sha256=one.sha256,
                similar=len(similar),
            )
            for one, similar in rows
        ],
    )


@router.get("/claims/{claim_id}", auth=caller("claims.see"), response=answers(ClaimWhole), summary="一条申报")
def one_claim(request: HttpRequest, claim_id: UUID) -> Any:
    """One claim."""
    by: Any = request.user
    return claim_whole(by, access_claim(by, claim_id))


class StepRow(Schema):
    """One step. kind: rule, submitted, evidence, review, visit, score, notice or posted."""

    kind: str
    title: str
    at: datetime | None
    lines: list[str]


@router.get(
    "/claims/{claim_id}/story",
    auth=caller("claims.see"),
    response=answers(list[StepRow]),
    summary="为什么是这个分",
)
def one_story(request: HttpRequest, claim_id: UUID) -> Any:
    """From rule to posting in words; it names people, so not for offices above the village."""
    by: Any = request.user
    claim = _inside(by, access_claim(by, claim_id))
    return [
        StepRow(kind=step.kind, title=step.title, at=step.at, lines=list(step.lines))
        for step in claim_story(claim, by)
    ]


def _inside(by: User, claim: Claim) -> Claim:
    if not sees_words(by, claim) and not leads_group(by, claim.household):
        raise NotAllowed("乡镇和区县只看汇总，不看申报经过和照片", hint="要核查的，请到村里查阅。")
    return claim


@router.get(
    "/evidence/{evidence_id}",
    auth=caller("claims.see"),
    response=answers(None),
    summary="一张佐证照片",
    openapi_extra={"responses": {200: {"content": {"image/jpeg": {"schema": {"type": "string"}}}}}},
)
def one_photo(request: HttpRequest, evidence_id: UUID, small: bool = False) -> Any:
    """The photo as JPEG; small: its thumbnail."""
    by: Any = request.user
    evidence = access_evidence(by, evidence_id)
    _inside(by, evidence.claim)
    return HttpResponse(open_photo(by, evidence, thumb=small).data, content_type="image/jpeg")


class Reason(Schema):
    """Why, in words."""

    reason: Annotated[Line, Field(max_length=200)] = ""


@router.post(
    "/claims/{claim_id}/withdraw", auth=caller("claims.see"), response=answers(ClaimRow), summary="撤回申报"
)
def withdraw(request: HttpRequest, claim_id: UUID, body: Reason) -> Any:
    """Take back a claim nobody has decided on."""
    by: Any = request.user
    claim = actions.withdraw_claim(by=by, claim=access_claim(by, claim_id), reason=body.reason)
    return claim_rows(by, [claim])[0]


class Heard(Schema):
    """What the household said."""

    text: Annotated[Line, Field(min_length=1, max_length=300)]


@router.post(
    "/claims/{claim_id}/hearing",
    auth=caller("claims.see"),
    response=answers(ClaimRow),
    summary="补写本户陈述",
)
def hear(request: HttpRequest, claim_id: UUID, body: Heard) -> Any:
    """What the household says about a deduction, before it is decided."""
    by: Any = request.user
    claim = actions.record_hearing(by=by, claim=access_claim(by, claim_id), text=body.text)
    return claim_rows(by, [claim])[0]


class Verdict(Schema):
    """points: decimal text, only for items whose points people set. reason: for all but approve. seen_status:
    what the caller last saw; a claim that has moved on answers 409."""

    decision: Literal["approve", "change", "return", "refuse"]
    points: PointsText | None = None
    reason: Annotated[Line, Field(max_length=200)] = ""
    seen_status: Annotated[Line, Field(max_length=20)] | None = None


@router.post(
    "/claims/{claim_id}/review", auth=caller("claims.review"), response=answers(ClaimRow), summary="评议一条"
)
def review(request: HttpRequest, claim_id: UUID, body: Verdict) -> Any:
    """Decide on one claim at the level where it stands."""
    by: Any = request.user
    claim = actions.review_claim(
        by=by,
        claim=access_claim(by, claim_id),
        decision=body.decision,
        points=None if body.points is None else parse_points(body.points),
        reason=body.reason,
        seen_status=body.seen_status,
    )
    return claim_rows(by, [claim])[0]
