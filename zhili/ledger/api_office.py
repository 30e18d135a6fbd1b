"""台账 for machines, the office's part: taking entries back in two hands, and the whole book for an independent
check. The clerk's key asks, the key of a council member or supervisor decides.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, Schema, Status

from zhili.audit.actions import record
from zhili.common.api import Line, NewKey, Page, PagingQuery, PlaceCode, answers, caller, page_of
from zhili.common.errors import NotFound
from zhili.common.policy import may
from zhili.common.spreadsheets import safe_filename
from zhili.ledger.api import router
from zhili.ledger.errors import LedgerError
from zhili.ledger.export import export
from zhili.ledger.models import ReversalRequest
from zhili.ledger.reversals import ask_reversal, decide_reversal, waiting
from zhili.people.access import must


class ReversalAsked(Schema):
    """id: made by the caller. transfer: any line of the award; its sisters in other purses go with it."""

    id: NewKey
    transfer: UUID
    reason: Annotated[Line, Field(min_length=2, max_length=200)]


class ReversalRow(Schema):
    """One request. status: waiting, done or refused. batch: the counter-entries', once posted."""

    id: UUID
    transfers: list[UUID]
    reason: str
    status: str
    status_title: str
    asked_at: datetime
    answer: str
    batch: int | None


def _row(one: ReversalRequest) -> ReversalRow:
    return ReversalRow(
        id=one.pk,
        transfers=one.transfers,
        reason=one.reason,
        status=one.status,
        status_title=one.get_status_display(),
        asked_at=one.asked_at,
        answer=one.answer,
        batch=one.seq,
    )


@router.post(
    "/villages/{place}/reversals",
    auth=caller("ledger.reverse"),
    response=answers(ReversalRow, created=True),
    summary="提出冲正",
)
def ask(request: HttpRequest, place: PlaceCode, body: ReversalAsked) -> Any:
    """First hand, the clerk's. Nothing is posted."""
    by: Any = request.user
    must(by, "ledger.reverse", place)
    known = ReversalRequest.objects.filter(pk=body.id).first()
    if known is None:
        made = ask_reversal(by=by, place=place, id=body.id, transfer_id=body.transfer, reason=body.reason)
        return Status(201, _row(made))
    if (str(body.transfer) in known.transfers, body.reason, by.pk) != (True, known.reason, known.asked_by_id):
        raise LedgerError(
            "这个提交编号已用于另一份冲正申请", field="id", hint="请换一个新的编号。", word="key_used"
        )
    return Status(200, _row(known))


@router.get(
    "/villages/{place}/reversals",
    auth=caller("ledger.read"),
    response=answers(Page[ReversalRow]),
    summary="等待同意的冲正",
)
def list_waiting(request: HttpRequest, place: PlaceCode, paging: PagingQuery) -> Any:
    """Requests nobody has decided on, for those who may ask or decide."""
    by: Any = request.user
    if not may(by, "ledger.reverse", place):
        must(by, "ledger.approve_reversal", place)
    return page_of(waiting(place), paging, lambda cut: [_row(one) for one in cut])


class Decision(Schema):
    """agree: the counter-entries are posted at once. answer: needed for a refusal."""

    agree: bool
    answer: Annotated[Line, Field(max_length=200)] = ""


@router.post(
    "/reversals/{reversal_id}/decide",
    auth=caller("ledger.approve_reversal"),
    response=answers(ReversalRow),
    summary="同意或不同意冲正",
)
def decide(request: HttpRequest, reversal_id: UUID, body: Decision) -> Any:
    """Second hand: somebody who had no part in the original. A request already decided answers 409."""
    by: Any = request.user
    found = ReversalRequest.objects.filter(pk=reversal_id).select_related("asked_by").first()
    if found is None or not (
        may(by, "ledger.approve_reversal", found.place) or may(by, "ledger.reverse", found.place)
    ):
        raise NotFound("没有这份申请。")
    if found.status != ReversalRequest.Status.WAITING:
        raise LedgerError(f"这条申请现在是“{found.get_status_display()}”", word="reversal_decided")
    return _row(decide_reversal(by=by, request=found, agree=body.agree, answer=body.answer))


@router.get(
    "/villages/{place}/ledger/export",
    auth=caller("ledger.export"),
    response=answers(None),
    summary="导出台账（zip）",
    openapi_extra={"responses": {200: {"content": {"application/zip": {"schema": {"type": "string"}}}}}},
)
def export_book(request: HttpRequest, place: PlaceCode) -> Any:
    """The whole book in open form, for an independent check: CSV, its description, beancount text. No names."""
    by: Any = request.user
    must(by, "ledger.export", place)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts = export(place, folder)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
    record("ledger.export", by=by, place=place, rows=counts)
    _, disposition = safe_filename(f"台账-{place}.zip")
    return HttpResponse(
        packed.getvalue(), content_type="application/zip", headers={"Content-Disposition": disposition}
    )
