"""The chain of one village's book, worked out again line by line: seals, leaves, roots, fingerprints.

What a patient auditor does with a pencil, at some hundred thousand lines a second. The database lays out each
row's columns as the bytes that were sealed; every digest is made here, in Python, by chain.py's formulas and
not by the functions that posted. Read in windows of batches, so memory does not grow with the book.
"""

from __future__ import annotations

import hashlib
import struct
from binascii import hexlify
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection
from psycopg import sql

from zhili.common.hashing import ALGORITHMS, digest
from zhili.ledger import chain
from zhili.ledger.models import Assertion, Batch, PeriodClose, Transfer
from zhili.ledger.problems import PROBLEMS_MAX, Problem, Progress, Report
from zhili.ledger.receipts import head_line, line_of

WINDOW_LINES: Final = 400_000
WINDOW_BATCHES: Final = 20_000
_STEP: Final = 50_000

# Fixed columns first, so that one unpacking finds them; the cause last, so that it is the rest of the row. The place is
# what was asked for, and the batch begins with it. concat() keeps the bar beside a NULL, concat_ws() would swallow it.
_LINES: Final = """
COPY (
  SELECT leaf, commitment, salt, seq, posted_at, late, period,
    concat(index, '|', id, '|', debit, '|', credit, '|', amount, '|', short, '|', code, '|', phase, '|', pending_of, '|',
      reverses, '|', occurred_on - date '2000-01-01', '|'), cause
  FROM ledger_transfer WHERE place = {} AND seq BETWEEN {} AND {} ORDER BY place, seq, index
) TO STDOUT (FORMAT binary)
"""
_FIXED: Final = struct.Struct(">hi32si32si16siqi8si1si")
_POSTED_AT: Final = 110
_LENGTH: Final = struct.Struct(">i")
_HEADER_BYTES: Final = 19
_FIRST_SEQ, _LAST_SEQ = -(2**63), 2**63 - 1
_MOMENT_ZERO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Chain:
    """Where the check of one village stands."""

    report: Report
    place: str
    batches: dict[int, Batch]
    closes: dict[int, PeriodClose]
    last: int
    head: bytes = chain.ZERO_HEAD
    seq: int = 0
    # Looked at once a stream is over: while it runs, the connection can answer nothing else.
    bad: list[tuple[str, Batch | None, bool]] = field(default_factory=list)


@dataclass(slots=True)
class _Lines:
    """The lines of one batch as they come: their leaves, worked out again, and the ids of those that do not fit."""

    seq: int
    leaves: list[bytes] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


def check_chain(report: Report, place: str, progress: Progress | None) -> None:
    """Add to `report` whatever does not fit in this village's chain, first bad batch first."""
    before = len(report.problems)
    closes = {c.seq: c for c in PeriodClose.objects.filter(place=place)}
    windows = list(_windows(place))
    state = _Chain(report, place, {}, closes, last=_last(place))
    for seq in Batch.objects.filter(place=place, seq__lt=1).values_list("seq", flat=True)[:PROBLEMS_MAX]:
        _say(state, "ledger_batch", f"{place}/{seq}", "seq", "批次号小于 1：这一批是塞进来的", seq)
    for first, last in windows:
        state.batches = {b.seq: b for b in Batch.objects.filter(place=place, seq__range=(first, last))}
        report.counts["batches"] += len(state.batches)
        closings = _closings(state, first, last)
        # Lines before the first batch and after the last one belong to none, and are found so.
        reach = (_FIRST_SEQ if first == 1 else first, _LAST_SEQ if last >= state.last else last)
        for lines in _by_batch(state, *reach, progress):
            _finish(state, lines.seq, lines.leaves, lines.bad, closings)
        _finish(state, last + 1, [], [], closings)
        for id, batch, whole in state.bad:
            _say_line(state, id, batch, whole)
        state.bad = []
    report.problems[before:] = sorted(
        report.problems[before:], key=lambda p: (p.seq or 0, p.table != "ledger_transfer")
    )
    if state.seq:
        report.heads[place] = (state.seq, state.head.hex())


def _windows(place: str) -> Iterator[tuple[int, int]]:
    """Ranges of batches (both ends included) of at most WINDOW_LINES lines or WINDOW_BATCHES batches, or one batch."""
    rows = Batch.objects.filter(place=place, seq__gte=1).order_by("seq").values_list("seq", "count")
    first, lines, seq = 1, 0, 0
    for seq, count in rows.iterator(10_000):
        if lines and (lines + count > WINDOW_LINES or seq - first >= WINDOW_BATCHES):
            yield first, seq - 1
            first, lines = seq, 0
        lines += count
    yield first, max(seq, first)


def _last(place: str) -> int:
    row = Batch.objects.filter(place=place, seq__gte=1).order_by("-seq").values_list("seq", flat=True).first()
    return row or 0


def _by_batch(state: _Chain, first: int, last: int, progress: Progress | None) -> Iterator[_Lines]:
    """The streamed rows as batches. One long loop on purpose: it is the whole cost of a check."""
    place, counts = state.place, state.report.counts
    lines = _Lines(-1)
    unpack, fixed, length, ends = _FIXED.unpack_from, _FIXED.size, _LENGTH.unpack_from, _Ends()
    new_seal, new_leaf = _begun(None, place, 0)
    leaves, count = lines.leaves, counts["transfers"]
    for row in _stream(place, first, last):
        try:
            _, l1, leaf, l2, seal, l3, salt, l4, seq, l5, _, l6, _, n = unpack(row)
            middle = fixed + n
            (m,) = length(row, middle)
            cause = middle + m + 8
            shaped = l1 == 32 and l2 == 32 and l3 == 16 and l4 == 8 and l5 == 8 and l6 == 1 and n > 0 < m
        except struct.error:
            shaped, seq = False, lines.seq
        if seq != lines.seq and shaped:
            if leaves or lines.bad:
                yield lines
            lines = _Lines(seq)
            leaves = lines.leaves
            new_seal, new_leaf = _begun(state.batches.get(seq), place, seq)
        count += 1
        if progress and count % _STEP == 0:
            progress(count)
        if not shaped:
            lines.bad.append("")
            leaves.append(b"")
            continue
        hash_ = new_seal()
        hash_.update(salt + row[cause:])
        sealed = hash_.digest()
        front = row[middle + 4 : cause - 4]
        hash_ = new_leaf()
        hash_.update(front + ends[row[_POSTED_AT:middle]] + hexlify(sealed))
        found = hash_.digest()
        leaves.append(found)
        if found != leaf or sealed != seal:
            lines.bad.append(front.split(b"|", 2)[1].decode())
    counts["transfers"] = count
    if leaves or lines.bad:
        yield lines


def _stream(place: str, first: int, last: int) -> Iterator[bytes]:
    """The rows of _LINES, one by one as PostgreSQL's binary form has them."""
    connection.ensure_connection()
    db = connection.connection
    query = sql.SQL(_LINES).format(sql.Literal(place), sql.Literal(first), sql.Literal(last))
    with psycopg.Cursor(db) as cursor:
        # Along the index: a sort of the whole book costs more than the check of it.
        cursor.execute(
            "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"
        )
        yield from _rows(db.pgconn, query.as_bytes(db))
        cursor.execute(
            "SELECT set_config('enable_sort', 'on', true), set_config('enable_bitmapscan', 'on', true)"
        )


def _rows(pgconn: Any, query: bytes) -> Iterator[bytes]:
    """What Cursor.copy() gives, at a third of its cost a row; an error of the database is raised as there."""
    result = pgconn.exec_(query)
    if result.status != psycopg.pq.ExecStatus.COPY_OUT:
        raise psycopg.errors.error_from_result(result)
    take = pgconn.get_copy_data
    count, data = take(0)
    header = _HEADER_BYTES
    try:
        while count > 0:
            row = bytes(data)[header:]
            header = 0
            if row and row != b"\xff\xff":
                yield row
            count, data = take(0)
    finally:
        while count > 0:
            count, data = take(0)
        result = pgconn.get_result()
        while result is not None:
            failed, result = result, pgconn.get_result()
    if count == -2 or failed.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(failed)


class _Ends(dict[bytes, bytes]):
    """posted_at, late and period as they stand in the row → the end of the line: moment, period, late.

    All lines of a posting have the same, so it is worked out once for each."""

    def __missing__(self, key: bytes) -> bytes:
        if len(self) > 10_000:
            self.clear()
        microseconds = int.from_bytes(key[:8], "big", signed=True)
        try:
            moment = chain.moment(_MOMENT_ZERO + timedelta(microseconds=microseconds)).encode()
        except OverflowError:  # infinity, or beyond the year 9999: no such moment was ever written
            moment = b""
        self[key] = found = b"%b|%b|%d|" % (moment, key[17:], key[12])
        return found


class _Other:
    """A digest that hashlib may lack (SM3), with the three methods of it that the loop uses."""

    __slots__ = ("algorithm", "data")

    def __init__(self, algorithm: str, data: bytes) -> None:
        self.algorithm, self.data = algorithm, data

    def copy(self) -> _Other:
        return _Other(self.algorithm, self.data)

    def update(self, data: bytes) -> None:
        self.data += data

    def digest(self) -> bytes:
        return digest(self.algorithm, self.data)


def _begun(batch: Batch | None, place: str, seq: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A seal and a leaf as far as all of them are the same. Copying a digest is cheaper than beginning one."""
    algorithm, seal = algorithm_of(batch), b"\x03"
    leaf = f"\0zhili-transfer/1|{place}|{seq}|".encode()
    if algorithm == "sha256":
        return hashlib.sha256(seal).copy, hashlib.sha256(leaf).copy
    return _Other(algorithm, seal).copy, _Other(algorithm, leaf).copy


def algorithm_of(batch: Batch | None) -> str:
    """The batch's algorithm, or the usual one where what is stored is none."""
    return batch.algorithm if batch is not None and batch.algorithm in ALGORITHMS else chain.ALGORITHM


def _finish(
    state: _Chain, seq: int, leaves: list[bytes], bad: list[str], closings: dict[int, list[bytes]]
) -> None:
    """Check every batch up to `seq`; its own lines are `leaves`, the ones between have none."""
    while state.seq + 1 < seq and state.seq < state.last:
        _check_batch(state, state.seq + 1, closings.get(state.seq + 1, []), [])
        if state.seq not in state.batches:  # said once for a whole gap, however wide somebody made it
            state.seq = min([s for s in state.batches if s > state.seq] + [seq, state.last + 1]) - 1
    if leaves:
        if seq in state.batches:
            _check_batch(state, seq, leaves, bad)
        else:
            _say(state, "ledger_batch", f"{state.place}/{seq}", "", "流水在，批次不在", seq)


def _check_batch(state: _Chain, seq: int, leaves: list[bytes], bad: list[str]) -> None:
    state.seq = seq
    batch = state.batches.get(seq)
    name = f"{state.place}/{seq}"
    if batch is None:
        _say(state, "ledger_batch", name, "seq", f"缺第 {seq} 批", seq)
        return
    if batch.algorithm not in ALGORITHMS:
        _say(state, "ledger_batch", name, "algorithm", "没有这种摘要算法", seq)
    hash_ = chain.hasher(algorithm_of(batch))
    root = chain.merkle_root(hash_, leaves)
    whole = root == bytes(batch.root)
    state.bad += [(id, batch, whole) for id in bad[:PROBLEMS_MAX]]
    if batch.id != chain.batch_id(state.place, seq):
        _say(state, "ledger_batch", name, "id", "批次编号不对", seq)
    if bytes(batch.previous_head) != state.head:
        _say(state, "ledger_batch", name, "previous_head", f"与第 {seq - 1} 批的账本指纹接不上", seq)
    if not whole and not bad:
        closing = seq in state.closes
        what = "结账余额与树根对不上" if closing else "流水与树根对不上：有流水被删、被加或整行改写"
        _say(state, "ledger_batch", name, "root", what, seq)
    found = chain.head(hash_, head_line(batch))
    if found != bytes(batch.head):
        following = state.batches.get(seq + 1)
        column = "head" if following and bytes(following.previous_head) == found else ""
        _say(state, "ledger_batch", name, column, "账本指纹与内容对不上", seq)
    state.head = bytes(batch.head)


def _closings(state: _Chain, first: int, last: int) -> dict[int, list[bytes]]:
    """The leaves of every closing batch. A batch without lines that closes nothing is missing its lines."""
    found: dict[int, list[bytes]] = {seq: [] for seq in state.closes}
    rows = Assertion.objects.filter(place=state.place, seq__range=(first, last)).order_by("seq", "index")
    for a in rows.iterator(10_000):
        close = state.closes.get(a.seq)
        if close is not None:
            text = chain.assertion_line(
                place=a.place, seq=a.seq, index=a.index, account=a.account, credits=a.credits, debits=a.debits,
                reserved=a.reserved, period=close.period, starts=close.starts, ends=close.ends,
            )  # fmt: skip
            hash_ = chain.hasher(algorithm_of(state.batches.get(a.seq)))
            found[a.seq].append(chain.leaf(hash_, text))
    return found


def _say(state: _Chain, table: str, id: str, column: str, what: str, seq: int | None) -> None:
    state.report.add(Problem(state.place, table, id, column, what, seq))


def _say_line(state: _Chain, id: str, batch: Batch | None, whole: bool) -> None:
    """Name the row, and the column where it can be told."""
    row = Transfer.objects.filter(id=UUID(id)).first() if id else None
    if row is None or batch is None:
        seq = batch.seq if batch else state.seq
        _say(state, "ledger_transfer", id or f"{state.place}/{seq}", "", "这一行的列不成样子", seq)
        return
    hash_ = chain.hasher(algorithm_of(batch))
    leaf = chain.leaf(hash_, line_of(row))
    sealed = chain.commitment(hash_, bytes(row.salt), row.cause)
    column, what = "", "内容与流水指纹对不上"
    if sealed != bytes(row.commitment):
        stored = bytes(row.commitment)
        row.commitment = sealed
        if chain.leaf(hash_, line_of(row)) == bytes(row.leaf):
            column = "commitment"
        elif leaf == bytes(row.leaf):
            column, what = "cause", "依据或盐与封签对不上"
        row.commitment = stored
    elif whole:
        column = "leaf"
    elif row.posted_at != batch.posted_at:
        column = "posted_at"
    elif row.period != batch.period:
        column = "period"
    _say(state, "ledger_transfer", str(id), column, what, row.seq)
