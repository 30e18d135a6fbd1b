"""The kinds of entry a village knows, as transfers: award, deduction, opening points, expiry, reversal,
moving house.

Pure: builds NewTransfers, posts nothing. Which account gives and which takes is decided here and nowhere
else; the chart with one worked example is in docs/ledger.md.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zhili.ledger.posting import AccountKey, NewTransfer, canonical

if TYPE_CHECKING:
    from zhili.ledger.models import Transfer

TITLES = {
    "fund": "投放",
    "award": "加分",
    "deduct": "扣分",
    "opening": "期初",
    "redeem": "兑换",
    "expire": "到期",
    "carry": "结转",
    "household": "户变更划转",
    "move_away": "随户注销",
    "reverse": "冲正",
}


def code_title(code: str) -> str:
    """The page's word for a transfer's code."""
    return TITLES.get(code, code)


def derived(id: UUID, word: str) -> UUID:
    """A key that follows from another and a word: the same every time, unguessable as the first.

    Keeps the first 48 bits (the time of a UUIDv7), so that one day's rows stay together in the index.
    """
    rest = sha256(id.bytes + word.encode()).digest()[:10]
    number = int.from_bytes(id.bytes[:6] + rest, "big")
    number = number & ~(0xF << 76) | 8 << 76  # UUID version 8: our own
    return UUID(int=number & ~(0x3 << 62) | 2 << 62)


def holder(owner: UUID, purse: str, negative: Collection[str] = ()) -> AccountKey:
    return AccountKey("holder", owner, purse, purse in negative)


def village(kind: str, purse: str) -> AccountKey:
    return AccountKey(kind, None, purse)


def award(
    id: UUID,
    owner: UUID,
    points: int,
    purses: Sequence[str],
    occurred_on: date,
    cause: Mapping[str, Any],
    late: bool = False,
    negative: Collection[str] = (),
) -> list[NewTransfer]:
    """One line per purse for points won (> 0: issued → holder) or lost (< 0: holder → deducted).

    points: signed hundredths, not 0. A loss stops at zero and records the rest, except in purses of
    `negative` (those whose rule book says may_go_negative). The lines' ids follow from `id` and the purse.
    """
    if points == 0:
        raise ValueError("an award of nothing is not an entry")
    text = canonical(cause)
    if points > 0:
        return [
            NewTransfer(
                derived(id, purse),
                village("issued", purse),
                holder(owner, purse, negative),
                points,
                "award",
                occurred_on,
                text,
                late=late,
            )
            for purse in purses
        ]
    return [
        NewTransfer(
            derived(id, purse),
            holder(owner, purse, negative),
            village("deducted", purse),
            -points,
            "deduct",
            occurred_on,
            text,
            clip=purse not in negative,
            late=late,
        )
        for purse in purses
    ]


def opening(
    id: UUID, owner: UUID, points: int, purses: Sequence[str], occurred_on: date, cause: Mapping[str, Any]
) -> list[NewTransfer]:
    """The base points a rule book gives at the start of a period (points > 0)."""
    text = canonical(cause)
    return [
        NewTransfer(
            derived(id, purse),
            village("issued", purse),
            holder(owner, purse),
            points,
            "opening",
            occurred_on,
            text,
        )
        for purse in purses
    ]


def fund(id: UUID, points: int, purse: str, occurred_on: date, cause: Mapping[str, Any]) -> NewTransfer:
    """The village resolves to put points into circulation, backed by its budget: pool → issued."""
    return NewTransfer(
        id, village("pool", purse), village("issued", purse), points, "fund", occurred_on, cause
    )


def expiry(
    id: UUID, owner: UUID, points: int, purse: str, occurred_on: date, cause: Mapping[str, Any]
) -> NewTransfer:
    """Points that lapse, after notice (L-11): holder → expired. Stops at zero if they were spent in
    between."""
    return NewTransfer(
        id, holder(owner, purse), village("expired", purse), points, "expire", occurred_on, cause, clip=True
    )


def carried(
    id: UUID, owner: UUID, points: int, purse: str, occurred_on: date, cause: Mapping[str, Any]
) -> NewTransfer:
    """The share of lapsed points that comes back as new ones (结转): issued → holder."""
    return NewTransfer(
        id, village("issued", purse), holder(owner, purse), points, "carry", occurred_on, cause
    )


def handover(
    id: UUID,
    source: UUID,
    target: UUID | None,
    points: int,
    purse: str,
    occurred_on: date,
    cause: Mapping[str, Any],
) -> NewTransfer:
    """Points that follow people: to another household (target), or out of the village's books (None).

    points: signed hundredths, not 0; a negative balance moves the other way. cause must say {"basis",
    "actor"}.
    """
    code = "move_away" if target is None else "household"
    giver = holder(source, purse)
    taker = village("moved", purse) if target is None else holder(target, purse)
    if points < 0:
        # Whoever takes over a debt may itself stand below zero, or the debt would vanish.
        giver, taker = (taker if target is None else holder(target, purse, {purse} - {"spend"})), giver
    return NewTransfer(id, giver, taker, abs(points), code, occurred_on, cause)


def reversal(
    original: Transfer, accounts: Mapping[UUID, AccountKey], *, by: int, approved_by: int, reason: str
) -> NewTransfer:
    """The counter-entry: everything the other way round; what was issued goes to `reversed`, so both stay
    visible."""
    debit, credit = accounts[original.credit], accounts[original.debit]
    if credit.kind == "issued" and debit.kind == "holder":
        credit = village("reversed", credit.purse)
    cause = {
        "reason": reason,
        "approved_by": approved_by,
        "actor": by,
        "channel": "counter",
        "original": str(original.id),
    }
    clip = debit.kind == "holder" and not debit.may_go_negative and credit.kind != "holder"
    return NewTransfer(
        derived(original.id, "reverse"),
        debit,
        credit,
        original.amount,
        "reverse",
        original.occurred_on,
        cause,
        reverses=original.id,
        clip=clip,
    )


def people_behind(cause: str) -> set[int]:
    """User ids that acted on or decided an entry: none of them may approve its reversal."""
    known = json.loads(cause)
    found = {known.get("actor"), known.get("delegate"), known.get("approved_by"), *known.get("reviewers", ())}
    return {int(one) for one in found if isinstance(one, int) or (isinstance(one, str) and one.isdigit())}
