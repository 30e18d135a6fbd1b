"""Posting to the village's book and the named acts on it: reverse, reserve, settle, void, expire, close a
period.

A clerk never edits a line. What was wrong is answered by a second line that says which one it takes back,
why, and who agreed. Everything here runs inside the caller's transaction; a refusal leaves that transaction
usable.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.utils import Error as DatabaseError

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import local_date, parse_code
from zhili.ledger import entries, posting
from zhili.ledger.errors import LedgerError, refusal
from zhili.ledger.models import Account, Transfer
from zhili.ledger.posting import AccountKey, NewTransfer, simulated

if TYPE_CHECKING:
    from zhili.people.models import User

__all__ = [
    "AccountKey",
    "NewTransfer",
    "Posted",
    "close_period",
    "open_accounts",
    "post",
    "reserve",
    "reverse",
    "settle",
    "simulated",
    "void",
]

BATCH_MAX: Final = 300_000
AMOUNT_MAX: Final = 10**12
"""Ten thousand million points: beyond any village, far inside bigint."""
_CODE: Final = re.compile(r"[a-z_]{2,12}")
_PURSE: Final = re.compile(r"[0-9A-Za-z_]{1,20}")


@dataclass(frozen=True, slots=True)
class Posted:
    """What a posting gives back. clipped: transfer id → hundredths that could not be taken (L-06).
    replayed: these keys had been posted before with the same body, and this is the earlier batch."""

    batch_id: UUID
    seq: int
    head: bytes
    count: int
    total: int
    replayed: bool
    clipped: dict[UUID, int] = field(default_factory=dict)


def post(
    transfers: Sequence[NewTransfer], *, place: str, by: User | None, period: str, note: str = ""
) -> Posted:
    """Post all transfers as one batch of this village, or none. One statement, whatever their number.

    period: the open period's code. by: who posts (None: a scheduled job). The caller has checked that they
    may. Posting the same ids with the same body again returns the earlier batch. Raises LedgerError: see
    errors.py.
    """
    _check(transfers, place, period, note)
    if not connection.in_atomic_block:
        raise RuntimeError("post() belongs inside the action's transaction")
    at = posting.server_time()
    arguments = posting.arguments(
        transfers,
        place=place,
        by_id=None if by is None else by.pk,
        period=period,
        note=note,
        at=at,
        on=local_date(at),
    )
    row = _call(posting.POST, arguments, place)
    error, facts, seq, head, count, total, replayed, shorts = row
    if error:
        raise refusal(error, facts, place=place, period=period)
    clipped = {t.id: short for t, short in zip(transfers, shorts or (), strict=False) if short}
    return Posted(_batch_id(place, seq), seq, bytes(head), count, total, replayed, clipped)


def _batch_id(place: str, seq: int) -> UUID:
    from zhili.ledger.chain import batch_id

    return batch_id(place, seq)


def _call(statement: str, arguments: Sequence[Any], place: str) -> tuple[Any, ...]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            row = cursor.fetchone()
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") == "42501":  # row security: not a place of this person
            raise NotFound("没有这个村的台账") from error
        raise
    assert row is not None
    return tuple(row)


def _check(transfers: Sequence[NewTransfer], place: str, period: str, note: str) -> None:
    if not transfers:
        raise LedgerError("没有要入账的条目", hint="请先选择条目。", word="empty")
    if len(transfers) > BATCH_MAX:
        raise LedgerError(
            f"一次最多入账 {BATCH_MAX} 笔，这里有 {len(transfers)} 笔", hint="请分几次入账。", word="too_many"
        )
    if not (place.isdigit() and len(place) in (12, 14)):
        raise LedgerError(f"“{place[:20]}”不是村（社区）代码", hint="请核对区划。", word="place")
    parse_code(period)
    if len(note) > 200:
        raise LedgerError("说明太长", hint="请写在 200 字以内。", word="note")
    if len({t.id for t in transfers}) != len(transfers):
        raise LedgerError("同一笔在这一批里出现了两次", hint="请去掉重复的条目。", word="twice")
    for key in {t.debit for t in transfers} | {t.credit for t in transfers}:
        if key.kind not in Account.Kind.values or not _PURSE.fullmatch(key.purse):
            raise LedgerError(
                f"没有“{key.kind[:20]}／{key.purse[:20]}”这种账户", hint="请核对存折代码。", word="account"
            )
        if key.may_go_negative and (key.purse == "spend" or key.kind != "holder"):
            raise LedgerError("兑换积分不能为负", hint="请核对细则里的存折设置。", word="account")
    for code in {t.code for t in transfers}:
        if not _CODE.fullmatch(code):
            raise LedgerError(f"没有“{code[:20]}”这种事由", hint="请核对入账事由。", word="code")
    for t in transfers:
        if not 0 < t.amount <= AMOUNT_MAX:
            raise LedgerError("积分必须大于 0", hint="请核对分值。", word="amount")


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
    at = posting.server_time()
    if known.kind == "ever" or known.end >= local_date(at):
        raise LedgerError(
            f"{known.title}还没有过完，不能结账", hint=f"请在 {known.end} 之后结账。", word="too_early"
        )
    with transaction.atomic():
        error, seq, head, count = _call(
            "SELECT error, seq, head, count FROM ledger_close_period(%s, %s, %s, %s, %s, %s, %s)",
            [place, period, known.start, known.end, by.pk, f"结账 {known.title}", at],
            place,
        )
        if error:
            raise refusal(error, None, place=place, period=period)
        record(
            "ledger.close_period",
            by=by,
            place=place,
            target=f"ledger.batch:{seq}",
            period=period,
            accounts=count,
        )
    return Posted(_batch_id(place, seq), seq, bytes(head), 0, 0, False)


def open_accounts(
    place: str, owners: Sequence[UUID], *, purses: Sequence[str], on: date, negative: Collection[str] = ()
) -> int:
    """Open holders' accounts before their first points, so that a new household shows a zero and not a gap."""
    keys = [AccountKey("holder", owner, purse, purse in negative) for owner in owners for purse in purses]
    if not keys:
        return 0
    (opened,) = _call(
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
    return int(opened)


def close_accounts(place: str, owner: UUID, *, on: date) -> int:
    """Close all purses of an owner; each must be empty (L-12). Called by household_changes."""
    closed, kept = _call(
        "SELECT closed, kept FROM ledger_close_accounts(%s, %s, %s)", [place, owner, on], place
    )
    if kept:
        raise LedgerError(
            "存折里还有积分或未领取的兑换，不能销户", hint="请先转出积分，取消或领取兑换。", word="not_empty"
        )
    return int(closed)
