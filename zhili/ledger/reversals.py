"""冲正 in two hands: the clerk asks and says why, a council member or the supervisor agrees or does not (L-04).

An award goes to several purses; what is asked for one of its lines is asked for all of them, so the purses of a
household cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import next_period, parse_code, period_of, today
from zhili.ledger.actions import reverse
from zhili.ledger.entries import code_title
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Account, ReversalRequest, Transfer
from zhili.ledger.queries import closed_periods, receipt_code
from zhili.people.models import User

REASON_MAX = 200
REVERSIBLE = ("award", "deduct", "opening", "reverse")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the desk shows it. points: signed for its holder; owner: household or person."""

    id: UUID
    owner: UUID | None
    purse: str
    points: int
    code: str
    code_title: str
    occurred_on: date
    period: str
    seq: int
    receipt: str
    cause: dict[str, Any]
    reversed: bool


def lines_of(place: str, ids: Sequence[UUID]) -> list[Line]:
    """These lines of the village's book, in the book's order. Three statements."""
    rows = list(Transfer.objects.filter(place=place, id__in=list(ids)).order_by("seq", "index"))
    accounts = {
        one.id: one
        for one in Account.objects.filter(id__in={a for row in rows for a in (row.debit, row.credit)})
    }
    gone = set(
        Transfer.objects.filter(place=place, reverses__in=[row.id for row in rows]).values_list(
            "reverses", flat=True
        )
    )
    found = []
    for row in rows:
        debit, credit = accounts[row.debit], accounts[row.credit]
        holder, sign = (credit, 1) if credit.kind == "holder" else (debit, -1)
        found.append(
            Line(
                row.id, holder.owner, holder.purse, sign * row.amount, row.code, code_title(row.code), row.occurred_on,
                row.period, row.seq, receipt_code(row.id), _cause(row.cause), row.id in gone,
            )
        )  # fmt: skip
    return found


def _cause(raw: object) -> dict[str, Any]:
    import json

    return json.loads(raw) if isinstance(raw, str) else dict(raw or {})  # type: ignore[call-overload]


def together(place: str, transfer_id: UUID) -> list[Line]:
    """The line and its sisters in the other purses: same batch, same claim. NotFound for absent and foreign."""
    found = lines_of(place, [transfer_id])
    if not found:
        raise NotFound("没有这笔流水。")
    claim = found[0].cause.get("claim")
    if not claim:
        return found
    rows = Transfer.objects.filter(place=place, seq=found[0].seq, code=found[0].code).values_list(
        "id", "cause"
    )
    ids = [pk for pk, cause in rows if _cause(cause).get("claim") == claim]
    return [line for line in lines_of(place, ids) if line.owner == found[0].owner]


def ask_reversal(*, by: User, place: str, id: UUID, transfer_id: UUID, reason: str) -> ReversalRequest:
    """Ask for a line and its sisters to be taken back. The same id asks once. Raises LedgerError, NotAllowed."""
    reason = reason.strip()
    if not by.has_perm("ledger.reverse", place):
        raise NotAllowed("冲正由村文书提出", hint="请告诉村文书。")
    if not 2 <= len(reason) <= REASON_MAX:
        raise LedgerError(
            "冲正要写明理由，最多 200 个字", field="reason", hint="例如：户编号记错，应是 1002 户。"
        )
    lines = together(place, transfer_id)
    if lines[0].code not in REVERSIBLE:
        raise LedgerError(f"“{lines[0].code_title}”不能在这里冲正", hint="请到办理它的那一页撤销。")
    if any(line.reversed for line in lines):
        raise LedgerError("这笔已经冲正过了", hint="一笔只能冲正一次。")
    wanted = sorted(str(line.id) for line in lines)
    with transaction.atomic():
        known = ReversalRequest.objects.filter(pk=id).first()
        if known is not None:
            return known
        if any(set(wanted) & set(one.transfers) for one in waiting(place)):
            raise LedgerError("这笔已经有人提出冲正，正在等同意")
        made = ReversalRequest.objects.create(
            id=id, place=place, transfers=wanted, reason=reason, asked_by=by
        )
        record("ledger.ask_reversal", by=by, place=place, target=made, transfers=wanted)
    return made


def waiting(place: str) -> list[ReversalRequest]:
    """Requests nobody has decided on, oldest first."""
    rows = ReversalRequest.objects.filter(place=place, status=ReversalRequest.Status.WAITING)
    return list(rows.select_related("asked_by").order_by("asked_at")[:200])


def decide_reversal(*, by: User, request: ReversalRequest, agree: bool, answer: str = "") -> ReversalRequest:
    """Agree, and the counter-entries are posted at once; or refuse with a reason. Never the person who asked."""
    place = request.place
    if not by.has_perm("ledger.approve_reversal", place):
        raise NotAllowed("冲正由本村议事会成员或监督委员同意")
    if by.pk == request.asked_by_id:
        raise NotAllowed("提出的人不能自己同意")
    if not agree and not answer.strip():
        raise LedgerError("不同意要写理由", field="answer", hint="提出的人会看到。")
    with transaction.atomic():
        status = ReversalRequest.Status.DONE if agree else ReversalRequest.Status.REFUSED
        done = ReversalRequest.objects.filter(pk=request.pk, status=ReversalRequest.Status.WAITING).update(
            status=status, decided_by=by, decided_at=now(), answer=answer.strip()[:REASON_MAX]
        )
        if not done:
            request.refresh_from_db()
            raise LedgerError(f"这条申请现在是“{request.get_status_display()}”", hint="请刷新后再看。")
        if agree:
            ids = [UUID(one) for one in request.transfers]
            period = open_period(place, lines_of(place, ids)[0].period)
            posted = reverse(
                ids, place=place, by=request.asked_by, approved_by=by, reason=request.reason, period=period
            )
            ReversalRequest.objects.filter(pk=request.pk).update(seq=posted.seq)
        else:
            record("ledger.refuse_reversal", by=by, place=place, target=request)
        request.refresh_from_db()
    return request


def open_period(place: str, like: str) -> str:
    """The period of the same length that takes entries now."""
    closed = set(closed_periods(place))
    period = period_of(today(), parse_code(like).kind)
    while period.code in closed:
        period = next_period(period)
    return period.code
