"""Receipts (回执): the slip a villager takes home, and the proof that its line is in the village's book.

The slip carries twelve characters. Whoever types them into the open page sees that one line, and how it
leads by digests to the fingerprint printed on the poster, without seeing anybody else's line (T-06).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from zhili.common.ids import parse_short_code, short_code, short_code_bits
from zhili.ledger import chain
from zhili.ledger.entries import code_title
from zhili.ledger.errors import purse_title
from zhili.ledger.models import Account, Batch, Transfer

RECEIPT_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that one line is in the book, without showing another: line → leaf → path → root → head."""

    transfer_id: UUID
    code: str
    points: int
    code_word: str
    code_title: str
    occurred_on: date
    posted_at: datetime
    period: str
    late: bool
    reversed: bool
    batch_seq: int
    purse_title: str
    algorithm: str
    line: str
    leaf: str
    path: list[tuple[str, str]]
    root: str
    batch_line: str
    head: str
    head_short: str
    proven: bool


def head_short(head: bytes) -> str:
    """The fingerprint as people read it aloud: its first 40 bits in groups of four."""
    return short_code(head, 8)


def receipt_code(transfer_id: UUID) -> str:
    """The slip a villager takes home: twelve characters, from the key's random bits."""
    return short_code(transfer_id, RECEIPT_LENGTH)


def find_receipt(place: str, code: str) -> Receipt | None:
    """The line a receipt stands for, with its proof; None if this village's book has none. Raises
    CodeError.

    Three statements. The proof is worked out here and now from the stored leaves: proven says that line,
    leaf, path, root and head fit together.
    """
    bits = short_code_bits(parse_short_code(code, RECEIPT_LENGTH))
    # The upper four bits of the half are not on the slip; two of them are the UUID's variant.
    candidates = [(high << 60 | bits).to_bytes(8, "big") for high in range(8, 12)]
    row = (
        Transfer.objects.extra(where=["substr(uuid_send(id), 9) = ANY(%s)"], params=[candidates])
        .filter(place=place)
        .first()
    )
    if row is None:
        return None
    return _proven(row)


def proofs(place: str, ids: Sequence[UUID]) -> list[Receipt]:
    """The receipts of these lines, those that are in the book, in the book's order. Three statements a line."""
    return [_proven(row) for row in Transfer.objects.filter(place=place, id__in=ids).order_by("seq", "index")]


def chain_lines(place: str, after: int = 0, limit: int = 5_000) -> list[str]:
    """The canonical batch lines after batch `after`, oldest first: with a head of then they lead to the head of now
    (chain.follow). What an old poster and this list prove needs no line of anybody's."""
    rows = Batch.objects.filter(place=place, seq__gt=after).order_by("seq")[: max(1, min(limit, 5_000))]
    return [head_line(row) for row in rows]


def _proven(row: Transfer) -> Receipt:
    leaves = list(
        Transfer.objects.filter(place=row.place, seq=row.seq).order_by("index").values_list("leaf", flat=True)
    )
    batch = Batch.objects.get(place=row.place, seq=row.seq)
    return _receipt(row, [bytes(leaf) for leaf in leaves], batch)


def _receipt(row: Transfer, leaves: list[bytes], batch: Batch) -> Receipt:
    hash_ = chain.hasher(batch.algorithm)
    line = line_of(row)
    leaf = chain.leaf(hash_, line)
    path = chain.merkle_path(hash_, leaves, row.index - 1)
    sealed = head_line(batch)
    root, head = chain.climb(hash_, leaf, path), chain.head(hash_, sealed)
    purse = Account.objects.filter(id=row.debit).values_list("purse", flat=True).first()
    return Receipt(
        transfer_id=row.id,
        code=receipt_code(row.id),
        points=row.amount,
        code_word=row.code,
        code_title=code_title(row.code),
        occurred_on=row.occurred_on,
        posted_at=row.posted_at,
        period=row.period,
        late=row.late,
        reversed=Transfer.objects.filter(reverses=row.id).exists(),
        batch_seq=row.seq,
        purse_title=purse_title(purse or ""),
        algorithm=batch.algorithm.upper().replace("SHA256", "SHA-256"),
        line=line,
        leaf=leaf.hex(),
        path=[(side, sibling.hex()) for side, sibling in path],
        root=root.hex(),
        batch_line=sealed,
        head=head.hex(),
        head_short=head_short(head),
        proven=root == bytes(batch.root) and head == bytes(batch.head),
    )


def line_of(row: Transfer) -> str:
    """The canonical line of a stored transfer."""
    return chain.transfer_line(
        place=row.place,
        seq=row.seq,
        index=row.index,
        id=row.id,
        debit=row.debit,
        credit=row.credit,
        amount=row.amount,
        short=row.short,
        code=row.code,
        phase=row.phase,
        pending_of=row.pending_of,
        reverses=row.reverses,
        occurred_on=row.occurred_on,
        posted_at=row.posted_at,
        period=row.period,
        late=row.late,
        commitment=bytes(row.commitment),
    )


def head_line(row: Batch) -> str:
    """The canonical line of a stored batch."""
    return chain.batch_line(
        place=row.place,
        seq=row.seq,
        previous_head=bytes(row.previous_head),
        root=bytes(row.root),
        algorithm=row.algorithm,
        count=row.count,
        total=row.total,
        posted_at=row.posted_at,
        period=row.period,
        by_id=row.by_id,
        note=row.note,
    )
