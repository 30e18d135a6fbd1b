"""Posting to the village's book and the named acts on it: reverse, reserve, settle, void, expire, close a
period.

A clerk never edits a line. What was wrong is answered by a second line that says which one it takes back,
why, and who agreed. Everything here runs inside the caller's transaction; a refusal leaves that transaction
usable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.common import clock
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.faults import fault
from zhili.common.periods import local_date, parse_code
from zhili.ledger import entries
from zhili.ledger.chain import batch_id
from zhili.ledger.digests import BatchFacts, chain_algorithm, sealed_close
from zhili.ledger.errors import LedgerError, refusal
from zhili.ledger.lapsing import carry_over, expire_due
from zhili.ledger.models import Account, Transfer
from zhili.ledger.posting import AccountKey, NewTransfer, Posted, call, post

if TYPE_CHECKING:
    from zhili.people.models import User

__all__ = [
    "AccountKey",
    "NewTransfer",
    "Posted",
    "carry_over",
    "close_accounts",
    "close_period",
    "expire_due",
    "open_accounts",
    "post",
    "reserve",
    "reverse",
    "settle",
    "void",
]


def reverse(
    transfer_ids: Iterable[UUID], *, place: str, by: User, approved_by: User, reason: str, period: str
) -> Posted:
    """Take entries back by counter-entries (冲正), each at most once. Spent points stop at zero; the rest is
    recorded.

    approved_by must be another person than `by`, and neither the actor nor a reviewer of the original
    (L-04). A reversal may itself be reversed. Raises NotAllowed, NotFound, LedgerError.
    """
    ids = list(dict.fromkeys(transfer_ids))
    if not by.has_perm("ledger.reverse", place):
        raise NotAllowed("您不能在这个村办理冲正", hint="冲正由村文书提出、议事会成员或监督委员同意。")
    if not approved_by.has_perm("ledger.approve_reversal", place):
        raise NotAllowed("同意冲正的人没有这个职责", hint="请由本村议事会成员或监督委员同意。")
    if not reason.strip():
        raise LedgerError(
            "冲正要写明理由", field="reason", hint="请写一句话，例如：日期记错。", word="reason"
        )
    originals = {t.id: t for t in Transfer.objects.filter(place=place, id__in=ids)}
    if len(originals) < len(ids) or not ids:
        raise NotFound("没有这笔流水")
    accounts = _account_keys(originals.values())
    news = []
    for id in ids:
        original = originals[id]
        involved = entries.people_behind(original.cause)
        if approved_by.pk == by.pk or approved_by.pk in involved:
            raise NotAllowed(
                "同意冲正的人不能是提出人，也不能是原来的经办人、评议人", hint="请换一位没有经手过的同意人。"
            )
        news.append(
            entries.reversal(
                original, accounts, by=by.pk, approved_by=approved_by.pk, reason=reason.strip()[:200]
            )
        )
    with transaction.atomic():
        posted = post(news, place=place, by=by, period=period, note=f"冲正 {len(news)} 笔")
        if not posted.replayed:  # a repeated message is the same deed; it has its row
            record(
                "ledger.reverse",
                by=by,
                place=place,
                target=f"ledger.batch:{posted.seq}",
                transfers=[str(id) for id in ids],
                approved_by=approved_by.pk,
                reason=reason[:200],
            )
    return posted


def _account_keys(transfers: Iterable[Transfer]) -> dict[UUID, AccountKey]:
    wanted = {id for t in transfers for id in (t.debit, t.credit)}
    return {
        a.id: AccountKey(a.kind, a.owner, a.purse, a.may_go_negative)
        for a in Account.objects.filter(id__in=wanted)
    }


def reserve(
    id: UUID,
    *,
    place: str,
    owner: UUID,
    amount: int,
    by: User | None,
    period: str,
    occurred_on: date,
    cause: dict[str, Any],
    purse: str = "spend",
) -> Posted:
    """Set points aside for an order (预留): they leave what is available, not yet the balance."""
    new = NewTransfer(
        id,
        AccountKey("holder", owner, purse),
        AccountKey("redeemed", None, purse),
        amount,
        "redeem",
        occurred_on,
        cause,
        phase="pending",
    )
    return post([new], place=place, by=by, period=period, note="预留")


def settle(ids: Collection[UUID], *, place: str, by: User | None, period: str, occurred_on: date) -> Posted:
    """The goods were handed over: reserved points become redeemed."""
    return _resolve(ids, "settled", place=place, by=by, period=period, occurred_on=occurred_on)


def void(ids: Collection[UUID], *, place: str, by: User | None, period: str, occurred_on: date) -> Posted:
    """The order was cancelled or nobody came: reserved points are free again."""
    return _resolve(ids, "voided", place=place, by=by, period=period, occurred_on=occurred_on)


def _resolve(
    ids: Collection[UUID], phase: str, *, place: str, by: User | None, period: str, occurred_on: date
) -> Posted:
    pending = list(
        Transfer.objects.filter(place=place, id__in=list(ids), phase="pending").order_by("seq", "index")
    )
    if len(pending) < len(set(ids)) or not pending:
        raise NotFound("没有这笔预留")
    accounts = _account_keys(pending)
    # The key follows from what is resolved and how: asking twice is one deed.
    news = [
        NewTransfer(
            entries.derived(t.id, phase),
            accounts[t.debit],
            accounts[t.credit],
            t.amount,
            t.code,
            occurred_on,
            t.cause,
            pending_of=t.id,
            phase=phase,
        )
        for t in pending
    ]
    return post(news, place=place, by=by, period=period, note="领取" if phase == "settled" else "取消预留")


def close_period(place: str, period: str, *, by: User) -> Posted:
    """Close a period (结账): no more entries, every balance sealed into the chain. Raises NotAllowed,
    LedgerError."""
    if not by.has_perm("ledger.close_period", place):
        raise NotAllowed("您不能在这个村结账", hint="结账由村文书办理。")
    known = parse_code(period)
    at = clock.now()
    if known.kind == "ever" or known.end >= local_date(at):
        raise LedgerError(
            f"{known.title}还没有过完，不能结账", hint=f"请在 {known.end} 之后结账。", word="too_early"
        )
    with transaction.atomic():
        algorithm, note = chain_algorithm(), f"结账 {known.title}"
        sealed: list[bytes | None] = [None] * 3
        if algorithm != "sha256":
            facts = BatchFacts(place, period, by.pk, note, at)
            sealed[:] = sealed_close(algorithm, facts, known.start, known.end, call)
        error, seq, head, count = call(
            "SELECT error, seq, head, count FROM ledger_close_period(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [place, period, known.start, known.end, by.pk, note, at, algorithm, *sealed],
            place,
        )
        if error:
            raise refusal(error, None, place=place, period=period)
        fault("ledger.period.closed")
        record(
            "ledger.close_period",
            by=by,
            place=place,
            target=f"ledger.batch:{seq}",
            period=period,
            accounts=count,
        )
    return Posted(batch_id(place, seq), seq, bytes(head), 0, 0, False)


def open_accounts(
    place: str, owners: Sequence[UUID], *, purses: Sequence[str], on: date, negative: Collection[str] = ()
) -> int:
    """Open holders' accounts before their first points, so that a new household shows a zero and not a gap."""
    keys = [AccountKey("holder", owner, purse, purse in negative) for owner in owners for purse in purses]
    if not keys:
        return 0
    (opened,) = call(
        "SELECT ledger_open_accounts(%s, %s::text[], %s::uuid[], %s::text[], %s::boolean[], %s)",
        [
            place,
            [k.kind for k in keys],
            [k.owner for k in keys],
            [k.purse for k in keys],
            [k.may_go_negative for k in keys],
            on,
        ],
        place,
    )
    if opened < 0:
        raise refusal("read_only", None, place=place)
    return int(opened)


def close_accounts(place: str, owner: UUID, *, on: date) -> int:
    """Close all purses of an owner; each must be empty (L-12). Called by household_changes."""
    closed, kept = call(
        "SELECT closed, kept FROM ledger_close_accounts(%s, %s, %s)", [place, owner, on], place
    )
    if kept < 0:
        raise refusal("read_only", None, place=place)
    if kept:
        raise LedgerError(
            "存折里还有积分或未领取的兑换，不能销户", hint="请先转出积分，取消或领取兑换。", word="not_empty"
        )
    return int(closed)
