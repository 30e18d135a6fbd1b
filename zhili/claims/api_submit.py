"""申报 by machine: one, one with photos, up to 500, a sheet; what it would bring; and again what was returned.

A claim's id is a UUIDv7 made by the caller and is its key for ever: the same id with the same body answers 200
with the claim that is there, with another body 409.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, File, Form, Query, Schema, Status
from ninja.files import UploadedFile

from zhili.claims import actions
from zhili.claims.access import access_claim
from zhili.claims.api import ClaimRow, claim_rows, router
from zhili.claims.errors import ClaimError
from zhili.claims.importing import apply_claims, read_claims
from zhili.claims.models import Claim
from zhili.claims.photos import PHOTOS_MAX
from zhili.claims.queries import preview, village_claims
from zhili.common.api import (
    Day,
    Line,
    NewKey,
    PlaceCode,
    Points,
    PointsText,
    Quantity,
    answers,
    caller,
    points_text,
)  # fmt: skip
from zhili.common.points import parse_points
from zhili.people.access import access_household
from zhili.people.api import SheetAnswer, sheet_answer
from zhili.people.models import Household, Resident
from zhili.people.queries import find_by_card

BATCH_MAX: Final = 500


class ClaimIn(Schema):
    """A claim to hand in. household: its id, its number, or what its card says. item: code in the book of that
    day. quantity: decimal text. reminded_on, heard: for a deduction. Anything else that is sent is ignored."""

    id: NewKey
    household: Annotated[Line, Field(min_length=1, max_length=200)]
    item: Annotated[Line, Field(min_length=1, max_length=32)]
    occurred_on: Day
    channel: Literal["api", "offline"] = "api"
    resident: UUID | None = None
    on_behalf_of: UUID | None = None
    quantity: Quantity | None = None
    grade: Annotated[Line, Field(max_length=20)] = ""
    text: Annotated[Line, Field(max_length=300)] = ""
    witness: Annotated[Line, Field(max_length=60)] = ""
    document: Annotated[Line, Field(max_length=100)] = ""
    activity: Annotated[Line, Field(max_length=60)] = ""
    reminded_on: Day | None = None
    heard: Annotated[Line, Field(max_length=300)] = ""


def _household(place: str, text: str) -> Household:
    """By id, number or card; whatever is not of this village is simply not found."""
    try:
        found = Household.objects.filter(place=place, pk=UUID(text)).first()
    except ValueError:
        found = find_by_card(place, text)
    if found is None:
        raise ClaimError("没有找到这一户", field="household", hint="请核对户编号，或重新扫卡。")
    return found


def _resident(place: str, id: UUID | None, field: str) -> Resident | None:
    if id is None:
        return None
    found = Resident.objects.filter(place=place, pk=id).first()
    if found is None:
        raise ClaimError("没有找到这个人", field=field, hint="请核对后再发。")
    return found


def _draft(place: str, body: ClaimIn, photos: Sequence[bytes] = ()) -> actions.Draft:
    return actions.Draft(
        id=body.id,
        household=_household(place, body.household),
        item=body.item,
        occurred_on=body.occurred_on,
        channel=body.channel,
        resident=_resident(place, body.resident, "resident"),
        on_behalf_of=_resident(place, body.on_behalf_of, "on_behalf_of"),
        quantity=None if body.quantity is None else Decimal(body.quantity),
        photos=tuple(photos),
        **body.dict(include={"grade", "text", "witness", "document", "activity", "reminded_on", "heard"}),
    )


def _submit(by: Any, place: str, drafts: list[actions.Draft]) -> tuple[bool, list[Claim]]:
    """Whether anything is new, and the claims in the order given."""
    ids = [draft.id for draft in drafts]
    if len(set(ids)) < len(ids):
        raise ClaimError("同一个 id 在这一批里出现了两次", field="claims", hint="每条申报要有自己的 id。")
    known = Claim.objects.filter(pk__in=ids).count()
    claims = actions.submit_many(by=by, place=place, drafts=drafts)
    fresh = {row.pk: row for row in village_claims(place).filter(pk__in=ids)}
    return known < len(ids), [fresh[claim.pk] for claim in claims]


@router.post(
    "/villages/{place}/claims",
    auth=caller("claims.submit"),
    response=answers(ClaimRow, created=True),
    summary="申报一条",
)
def submit_one(request: HttpRequest, place: PlaceCode, body: ClaimIn) -> Any:
    """Hand in one claim without photos."""
    by: Any = request.user
    new, claims = _submit(by, place, [_draft(place, body)])
    return Status(201 if new else 200, claim_rows(by, claims)[0])


@router.post(
    "/villages/{place}/claims/with-photos",
    auth=caller("claims.submit"),
    response=answers(ClaimRow, created=True),
    summary="申报一条，带照片",
)
def submit_with_photos(
    request: HttpRequest,
    place: PlaceCode,
    body: Form[ClaimIn],
    photos: Annotated[list[UploadedFile], File(description="照片，最多 6 张，共 10 MB")],
) -> Any:
    """Hand in one claim with up to six photos (multipart). They are re-encoded and stripped of metadata."""
    by: Any = request.user
    new, claims = _submit(by, place, [_draft(place, body, _bytes(photos))])
    return Status(201 if new else 200, claim_rows(by, claims)[0])


def _bytes(photos: list[UploadedFile]) -> list[bytes]:
    if len(photos) > PHOTOS_MAX:
        raise ClaimError(f"照片最多 {PHOTOS_MAX} 张，这里有 {len(photos)} 张", field="photos")
    return [photo.read() for photo in photos]


class ClaimsIn(Schema):
    """Up to 500 claims of one village, all or nothing."""

    claims: list[ClaimIn] = Field(min_length=1, max_length=BATCH_MAX)


@router.post(
    "/villages/{place}/claims/batch",
    auth=caller("claims.submit"),
    response=answers(list[ClaimRow], created=True),
    summary="申报一批",
)
def submit_batch(request: HttpRequest, place: PlaceCode, body: ClaimsIn) -> Any:
    """Hand in many, in the order given. If one is refused, none is taken; the message names the household."""
    by: Any = request.user
    new, claims = _submit(by, place, [_draft(place, one) for one in body.claims])
    return Status(201 if new else 200, claim_rows(by, claims))


@router.post(
    "/villages/{place}/claims/import",
    auth=caller("claims.clerk"),
    response=answers(SheetAnswer),
    summary="导入申报（表格）",
)
def import_claims(
    request: HttpRequest,
    place: PlaceCode,
    file: Annotated[UploadedFile, File(description="xlsx 或 csv，最大 5 MB")],
    apply: Annotated[bool, Query(description="true：没有错误就写入；否则只检查")] = False,
) -> Any:
    """Dry run of a sheet of claims, or its application, all or nothing. Rows taken before are not taken again."""
    by: Any = request.user
    dry_run = read_claims(file.read(), file.name or "", place, by=by)
    if apply and dry_run.ok:
        apply_claims(dry_run, by=by)
        return sheet_answer(dry_run, applied=True)
    return sheet_answer(dry_run, applied=False)


class Question(Schema):
    """What an event would bring. points: the score people would set, for items by range."""

    household: Annotated[Line, Field(min_length=1, max_length=200)]
    item: Annotated[Line, Field(min_length=1, max_length=32)]
    occurred_on: Day
    resident: UUID | None = None
    quantity: Quantity | None = None
    grade: Annotated[Line, Field(max_length=20)] = ""
    points: PointsText | None = None


class Answer(Schema):
    """points: after caps; raw: before; null where people set them (span says the range). why: steps in words."""

    points: Points | None
    raw: Points | None
    why: list[str]
    review: str
    evidence: str
    span: str


@router.post(
    "/villages/{place}/claims/preview",
    auth=caller("claims.submit"),
    response=answers(Answer),
    summary="试算一条",
)
def preview_one(request: HttpRequest, place: PlaceCode, body: Question) -> Any:
    """What a claim would bring on top of what the household has, and why. For those who may see the household."""
    household = access_household(request.user, _household(place, body.household).pk)
    found = preview(
        place,
        household,
        _resident(place, body.resident, "resident"),
        body.item,
        body.occurred_on,
        None if body.quantity is None else Decimal(body.quantity),
        body.grade,
        None if body.points is None else parse_points(body.points),
    )
    return Answer(
        points=points_text(found.points),
        raw=points_text(found.raw),
        why=found.why,
        review=found.review,
        evidence=found.evidence,
        span=found.span,
    )


class More(Schema):
    """What is added to a claim that was returned; what is left out stays."""

    quantity: Quantity | None = None
    grade: Annotated[Line, Field(max_length=20)] | None = None
    text: Annotated[Line, Field(max_length=300)] | None = None
    witness: Annotated[Line, Field(max_length=60)] = ""
    document: Annotated[Line, Field(max_length=100)] = ""
    heard: Annotated[Line, Field(max_length=300)] | None = None


@router.post(
    "/claims/{claim_id}/resubmit",
    auth=caller("claims.see"),
    response=answers(ClaimRow),
    summary="补充后再报，可带照片",
)
def resubmit(
    request: HttpRequest,
    claim_id: UUID,
    body: Form[More],
    photos: Annotated[list[UploadedFile], File(description="照片，最多 6 张")],
) -> Any:
    """Hand in again what a reviewer returned (multipart)."""
    by: Any = request.user
    claim = actions.resubmit_claim(
        by=by,
        claim=access_claim(by, claim_id),
        quantity=None if body.quantity is None else Decimal(body.quantity),
        photos=_bytes(photos),
        **body.dict(include={"grade", "text", "witness", "document", "heard"}),
    )
    return claim_rows(by, [claim])[0]
