"""Receipts (回执): the slip a villager takes home, and the proof that its line is in the village's book.

The slip carries twelve characters. Whoever types them into the open page sees that one line, and how it
leads by digests to the fingerprint printed on the poster, without seeing anybody else's line (T-06).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from zhili.common.ids import parse_short_code, short_code, short_code_bits
from zhili.ledger import chain
from zhili.ledger.entries import code_title
from zhili.ledger.models import Batch, Transfer

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
    line: str
    leaf: str
    path: list[tuple[str, str]]
    root: str
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
    leaves = list(
        Transfer.objects.filter(place=place, seq=row.seq).order_by("index").values_list("leaf", flat=True)
    )
    batch = Batch.objects.get(place=place, seq=row.seq)
    return _receipt(row, [bytes(leaf) for leaf in leaves], batch)


def _receipt(row: Transfer, leaves: list[bytes], batch: Batch) -> Receipt:
    hash_ = chain.hasher(batch.algorithm)
    line = line_of(row)
    leaf = chain.leaf(hash_, line)
    path = chain.merkle_path(hash_, leaves, row.index - 1)
    root, head = chain.climb(hash_, leaf, path), chain.head(hash_, head_line(batch))
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
        line=line,
        leaf=leaf.hex(),
        path=[(side, sibling.hex()) for side, sibling in path],
        root=root.hex(),
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
