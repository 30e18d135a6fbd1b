"""Which digest the book is sealed with, and sealing under 国密: SM3 (GB/T 32905), which PostgreSQL does not have.

Under SHA-256 the database makes every digest itself. Under SM3 it first says what it is going to write
(ledger_draft, under the village's lock), the digests are made here, and the posting function writes the rows and
checks by SHA-256 that exactly those rows' lines were hashed. So a line cannot be sealed as anything else than it
is; that SM3 itself was computed rightly is for `verify` to find. A village changes over between two batches: the
head before is covered by the next, whatever made it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from zhili.common.cipher import PROFILES
from zhili.ledger import chain
from zhili.ledger.errors import refusal
from zhili.ledger.models import Account

if TYPE_CHECKING:
    from zhili.ledger.posting import NewTransfer

Call = Callable[[str, Sequence[Any], str], tuple[Any, ...]]
_SALT: Final = 16

DRAFT: Final = """
SELECT error, seq, previous, accounts, amounts, shorts, late FROM ledger_draft(
  %s, %s, %s::text[], %s::uuid[], %s::text[], %s::boolean[], %s::int[], %s::int[], %s::bigint[], %s::text[],
  %s::date[], %s::boolean[], %s::boolean[])
"""


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What a batch says of itself beside its lines."""

    place: str
    period: str
    by_id: int | None
    note: str
    at: datetime


def chain_algorithm() -> str:
    """The digest of new batches: sha256, or sm3 under the profile gm (settings.CIPHER_PROFILE)."""
    return PROFILES[settings.CIPHER_PROFILE][1]


def sealed_transfers(
    algorithm: str, transfers: Sequence[NewTransfer], values: Sequence[Any], facts: BatchFacts, call: Call
) -> list[bytes]:
    """What ledger_post wants beside `values` (posting.arguments_of): commitments and leaves, each end to end, root,
    head, check. Takes the village's lock. Raises LedgerError "busy"."""
    place, opened, salts = facts.place, values[5], values[16]
    drafted = [place, opened, *values[6:10], *values[11:14], values[18], values[15], values[21], values[22]]
    error, seq, previous, accounts, amounts, shorts, late = call(DRAFT, drafted, place)
    if error:
        raise refusal(error, None, place=place, period=facts.period)
    hash_, lines = chain.hasher(algorithm), sha256()
    debits, credits = ([int(n) for n in values[i][1:-1].split(",")] for i in (11, 12))
    causes = values[17].split("\x1f")
    commitments, leaves = [], []
    for i, t in enumerate(transfers):
        seal = chain.commitment(hash_, salts[i * _SALT : (i + 1) * _SALT], causes[i])
        line = chain.transfer_line(
            place=place, seq=seq, index=i + 1, id=t.id, debit=accounts[debits[i] - 1], credit=accounts[credits[i] - 1],
            amount=amounts[i], short=shorts[i] if shorts else 0, code=t.code, phase=t.phase, pending_of=t.pending_of,
            reverses=t.reverses, occurred_on=t.occurred_on, posted_at=facts.at, period=facts.period, late=late[i],
            commitment=seal,
        )  # fmt: skip
        commitments.append(seal)
        leaves.append(chain.leaf(hash_, line))
        lines.update(line.encode() + b"\n")
    root = chain.merkle_root(hash_, leaves)
    sealed = _sealed(algorithm, facts, lines.digest(), seq, bytes(previous), root, len(leaves), sum(amounts))
    return [b"".join(commitments), b"".join(leaves), root, *sealed]


def sealed_close(algorithm: str, facts: BatchFacts, starts: date, ends: date, call: Call) -> list[bytes]:
    """What ledger_close_period wants: root, head, check. Takes the village's lock."""
    hash_, lines, leaves = chain.hasher(algorithm), sha256(), []
    tip, previous = call("SELECT seq, head FROM ledger_tip(%s)", [facts.place], facts.place)
    rows = Account.objects.filter(place=facts.place).order_by("id")
    for index, a in enumerate(rows.iterator(5_000), 1):
        line = chain.assertion_line(
            place=a.place, seq=tip + 1, index=index, account=a.id, credits=a.credits, debits=a.debits,
            reserved=a.reserved, period=facts.period, starts=starts, ends=ends,
        )  # fmt: skip
        leaves.append(chain.leaf(hash_, line))
        lines.update(line.encode() + b"\n")
    root = chain.merkle_root(hash_, leaves)
    return [root, *_sealed(algorithm, facts, lines.digest(), tip + 1, bytes(previous), root, 0, 0)]


def _sealed(
    algorithm: str,
    facts: BatchFacts,
    lines: bytes,
    seq: int,
    previous: bytes,
    root: bytes,
    count: int,
    total: int,
) -> tuple[bytes, bytes]:
    """The head, and the SHA-256 by which the database sees that it is over what it writes."""
    line = chain.batch_line(
        place=facts.place, seq=seq, previous_head=previous, root=root, algorithm=algorithm, count=count, total=total,
        posted_at=facts.at, period=facts.period, by_id=facts.by_id, note=facts.note,
    )  # fmt: skip
    return chain.head(chain.hasher(algorithm), line), sha256(lines + line.encode()).digest()
