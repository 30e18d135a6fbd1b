"""Canonical bytes, digests, Merkle trees and heads, in plain Python: what makes the books checkable by
anybody.

A villager who kept last month's poster holds a fingerprint of the whole book up to that day. This module is
the other half of the promise: the same few formulas that sql/01_hashes.sql uses, so that a check needs no
trust in the server that posted. Fields are joined by "|", which no field can contain. Days are counted from
2000-01-01.

    leaf       H(00 | transfer line)          node   H(01 | left | right)      (the tree of RFC 6962)
    commitment H(03 | 16 bytes of salt | cause)
    head       H(02 | batch line), which contains the head before it
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from zhili.common.hashing import digest

ALGORITHM: Final = "sha256"
ZERO_HEAD: Final = bytes(32)
EPOCH: Final = date(2000, 1, 1)
Hash = Callable[[bytes], bytes]


def hasher(algorithm: str) -> Hash:
    """The digest function by its stored name. Raises HashError for an unknown one."""
    digest(algorithm, b"")
    if algorithm == "sha256":
        return _sha256
    return lambda data: digest(algorithm, data)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def account_id(place: str, kind: str, owner: UUID | None, purse: str) -> UUID:
    """The id an account must have: it follows from what the account is."""
    text = f"zhili-account/1|{place}|{kind}|{owner or ''}|{purse}"
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def account_seal(id: UUID, may_go_negative: bool, opened_on: date, closed_on: date | None) -> bytes:
    """Digest of the account's own settings."""
    closed = "" if closed_on is None else days(closed_on)
    return hashlib.sha256(
        f"zhili-seal/1|{id}|{may_go_negative:d}|{days(opened_on)}|{closed}".encode()
    ).digest()


def batch_id(place: str, seq: int) -> UUID:
    """The id of the seq-th batch of a village."""
    return UUID(bytes=hashlib.sha256(f"zhili-batch-id/1|{place}|{seq}".encode()).digest()[:16])


def days(day: date) -> int:
    return (day - EPOCH).days


def moment(at: datetime) -> str:
    """An aware moment as the chain writes it: UTC with six digits of a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def commitment(hash_: Hash, salt: bytes, cause: str) -> bytes:
    return hash_(b"\x03" + salt + cause.encode())


def transfer_line(
    *,
    place: str,
    seq: int,
    index: int,
    id: UUID,
    debit: UUID,
    credit: UUID,
    amount: int,
    short: int,
    code: str,
    phase: str,
    pending_of: UUID | None,
    reverses: UUID | None,
    occurred_on: date,
    posted_at: datetime,
    period: str,
    late: bool,
    commitment: bytes,
) -> str:
    """The canonical line of one transfer (every column but salt and cause, which the commitment covers)."""
    return (
        f"zhili-transfer/1|{place}|{seq}|{index}|{id}|{debit}|{credit}|{amount}|{short}|{code}|{phase}|"
        f"{pending_of or ''}|{reverses or ''}|{days(occurred_on)}|{moment(posted_at)}|{period}|{late:d}|"
        f"{commitment.hex()}"
    )


def batch_line(
    *,
    place: str,
    seq: int,
    previous_head: bytes,
    root: bytes,
    algorithm: str,
    count: int,
    total: int,
    posted_at: datetime,
    period: str,
    by_id: int | None,
    note: str,
) -> str:
    """The canonical line of one batch; of the note only its digest."""
    by = "" if by_id is None else by_id
    sealed = hashlib.sha256(note.encode()).hexdigest()
    return (
        f"zhili-batch/1|{place}|{seq}|{previous_head.hex()}|{root.hex()}|{algorithm}|{count}|{total}|"
        f"{moment(posted_at)}|{period}|{by}|{sealed}"
    )


def assertion_line(
    *,
    place: str,
    seq: int,
    index: int,
    account: UUID,
    credits: int,
    debits: int,
    reserved: int,
    period: str,
    starts: date,
    ends: date,
) -> str:
    """The canonical line of one account's sides at the close of a period."""
    return (
        f"zhili-assertion/1|{place}|{seq}|{index}|{account}|{credits}|{debits}|{reserved}|{period}|"
        f"{days(starts)}|{days(ends)}"
    )


def leaf(hash_: Hash, line: str | bytes) -> bytes:
    return hash_(b"\x00" + (line.encode() if isinstance(line, str) else line))


def head(hash_: Hash, line: str) -> bytes:
    return hash_(b"\x02" + line.encode())


def merkle_root(hash_: Hash, leaves: Sequence[bytes]) -> bytes:
    """Root over leaf digests; an odd node at the end of a level moves up as it is. No leaves: H of nothing."""
    if not leaves:
        return hash_(b"")
    level = list(leaves)
    while len(level) > 1:
        level = _above(hash_, level)
    return level[0]


def _above(hash_: Hash, level: list[bytes]) -> list[bytes]:
    odd = [level[-1]] if len(level) % 2 else []
    if hash_ is _sha256:  # the same without a call of our own per node: a tenth of a whole check
        new = hashlib.sha256
        pairs = zip(level[::2], level[1::2], strict=False)
        return [new(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return [hash_(b"\x01" + left + right) for left, right in zip(level[::2], level[1::2], strict=False)] + odd


def merkle_path(hash_: Hash, leaves: Sequence[bytes], index: int) -> list[tuple[str, bytes]]:
    """What one needs beside leaf `index` (from 0) to reach the root: ("left" | "right", sibling), bottom
    up."""
    if not 0 <= index < len(leaves):
        raise IndexError("no such leaf")
    path: list[tuple[str, bytes]] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(("left" if sibling < index else "right", level[sibling]))
        level = _above(hash_, level)
        index //= 2
    return path


def follow(head_before: bytes, lines: Sequence[str]) -> bytes:
    """The head that the batch lines after a head lead to: proof that the book then is a beginning of the book now.

    lines: canonical batch lines in order. Raises ValueError where one does not follow from the one before.
    """
    for line in lines:
        fields = line.split("|")
        if len(fields) != 12 or fields[0] != "zhili-batch/1" or fields[3] != head_before.hex():
            raise ValueError(f"batch {fields[2] if len(fields) > 2 else '?'} does not follow")
        head_before = head(hasher(fields[5]), line)
    return head_before


def climb(hash_: Hash, leaf: bytes, path: Sequence[tuple[str, bytes]]) -> bytes:
    """The root a leaf and its path lead to: an inclusion proof is good if this is the published root."""
    node = leaf
    for side, sibling in path:
        node = hash_(b"\x01" + (sibling + node if side == "left" else node + sibling))
    return node
