"""Checking the whole book: every line, root, fingerprint, balance, total and reversal, worked out again.

The township's auditor runs this and gets one sentence: the book is whole, or the first place where it is
not. Digests are recomputed in Python from what the database returns; sums are recomputed by the database
from the lines. With the heads of old posters (--anchors) it also finds a cut-off tail and a past rewritten
with all its digests (T-03, T-04); without them it cannot, and says so.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection, transaction

from zhili.common.hashing import ALGORITHMS, digest
from zhili.common.scope import EVERYWHERE, scoped
from zhili.ledger import chain
from zhili.ledger.check_sums import SUMS
from zhili.ledger.models import Account, Assertion, Batch, PeriodClose, Transfer
from zhili.ledger.receipts import head_line, line_of

PROBLEMS_MAX: Final = 20
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that is not as it was written. column: empty where only the row as a whole can be told."""

    place: str
    table: str
    id: str
    column: str
    what: str
    seq: int | None = None

    def __str__(self) -> str:
        where = f"{self.table} {self.id}" + (f"（{self.column}）" if self.column else "")
        return f"{self.place}：{where}：{self.what}"


@dataclass(slots=True)
class Report:
    """What a check found. problems: at most PROBLEMS_MAX, the first bad row first."""

    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    anchored: bool = False
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, problem: Problem) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "anchored": self.anchored,
            "problems": [
                {
                    "place": p.place,
                    "table": p.table,
                    "id": p.id,
                    "column": p.column,
                    "seq": p.seq,
                    "what": p.what,
                }
                for p in self.problems
            ],
            "counts": self.counts,
            "heads": {place: {"seq": seq, "head": head} for place, (seq, head) in self.heads.items()},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Anchor:
    """One fingerprint somebody kept: from a poster, a chat, the township's mailbox."""

    place: str
    seq: int
    head: str


class AnchorError(ValueError):
    """The anchors file cannot be read."""


def read_anchors(lines: Iterable[str]) -> list[Anchor]:
    """JSON lines {"place", "seq", "head"}; head is the full hex, or its first characters (at least 10)."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            known = json.loads(line)
            anchor = Anchor(str(known["place"]), int(known["seq"]), str(known["head"]).lower())
        except (ValueError, KeyError, TypeError) as error:
            raise AnchorError(f"锚点文件第 {number} 行读不懂") from error
        if len(anchor.head) < 10:
            raise AnchorError(f"锚点文件第 {number} 行的账本指纹太短，至少 10 位")
        found.append(anchor)
    return found


def verify(
    places: Sequence[str] | None = None,
    *,
    anchors: Iterable[Anchor] = (),
    progress: Progress | None = None,
) -> Report:
    """Check the books of these villages, or of all. Reads only; in one snapshot where it opens its own
    transaction.

    progress is called with the number of lines checked so far.
    """
    started = time.perf_counter()
    report = Report(counts={"villages": 0, "batches": 0, "transfers": 0, "accounts": 0})
    own = not connection.in_atomic_block
    with transaction.atomic():
        if own:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with scoped(EVERYWHERE):
            _verify(report, None if places is None else list(places), list(anchors), progress)
    report.seconds = time.perf_counter() - started
    return report


def _verify(
    report: Report, places: list[str] | None, anchors: list[Anchor], progress: Progress | None
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT place FROM ledger_account UNION SELECT place FROM ledger_batch ORDER BY place")
        known = [row[0] for row in cursor.fetchall()]
    for place in known if places is None else [p for p in known if p in places]:
        report.counts["villages"] += 1
        _check_chain(report, place, progress)
        _check_accounts(report, place)
        _check_sums(report, place)
    report.anchored = bool(anchors)
    for anchor in anchors:
        if places is None or anchor.place in places:
            _check_anchor(report, anchor)


def _check_anchor(report: Report, anchor: Anchor) -> None:
    stored = Batch.objects.filter(place=anchor.place, seq=anchor.seq).values_list("head", flat=True).first()
    if stored is None:
        what = f"锚点说有第 {anchor.seq} 批，台账里没有：末尾被截掉了"
    elif not bytes(stored).hex().startswith(anchor.head):
        what = f"第 {anchor.seq} 批的账本指纹与锚点不同：这一批或更早的账被改写过"
    else:
        return
    report.add(
        Problem(anchor.place, "ledger_batch", f"{anchor.place}/{anchor.seq}", "head", what, anchor.seq)
    )


# Joined by '|' and with nothing for NULL, a row of COPY is already almost the canonical line.
_LINES = """
COPY (
  SELECT encode(leaf, 'hex'), encode(salt, 'hex'), place, seq, index, id, debit, credit, amount, short, code, phase,
    pending_of, reverses, occurred_on - date '2000-01-01', posted_at AT TIME ZONE 'UTC', period, late::int,
    encode(commitment, 'hex'), cause
  FROM ledger_transfer WHERE place = %s ORDER BY place, seq, index
) TO STDOUT (DELIMITER '|', NULL '')
"""
_SEQ, _POSTED_AT, _CAUSE = 3, 15, 19
_STEP: Final = 50_000


@dataclass(slots=True)
class _Chain:
    """Where the check of one village stands."""

    report: Report
    place: str
    batches: dict[int, Batch]
    closes: dict[int, PeriodClose]
    closings: dict[int, list[bytes]]
    head: bytes = chain.ZERO_HEAD
    seq: int = 0
    # Looked at once the stream is over: while it runs, the connection can answer nothing else.
    bad: list[tuple[bytes, Batch, bool]] = field(default_factory=list)


def _check_chain(report: Report, place: str, progress: Progress | None) -> None:
    batches = {b.seq: b for b in Batch.objects.filter(place=place)}
    report.counts["batches"] += len(batches)
    closes = {c.seq: c for c in PeriodClose.objects.filter(place=place)}
    before = len(report.problems)
    state = _Chain(report, place, batches, closes, _closings(place, closes))
    leaves: list[bytes] = []
    bad: list[bytes] = []
    current = 0
    algorithm, sha = chain.ALGORITHM, hashlib.sha256
    moments: dict[bytes, bytes] = {}
    for line in _stream(place, report, progress):
        fields = line.split(b"|", _CAUSE)
        seq = int(fields[_SEQ])
        if seq != current:
            _finish(state, current, leaves, bad)
            leaves, bad, current = [], [], seq
            algorithm = _algorithm(batches.get(seq))
        cause, at = fields[_CAUSE], fields[_POSTED_AT]
        if b"\\" in cause:
            cause = _unescape(cause)
        fields[_POSTED_AT] = moments.get(at) or moments.setdefault(at, _moment(at))
        sealed = b"\x03" + bytes.fromhex(fields[1].decode()) + cause
        text = b"\x00zhili-transfer/1|" + b"|".join(fields[2:_CAUSE])
        if algorithm == "sha256":
            seal, found = sha(sealed).hexdigest(), sha(text).digest()
        else:
            seal, found = digest(algorithm, sealed).hex(), digest(algorithm, text)
        leaves.append(found)
        if found.hex() != fields[0].decode() or seal != fields[_CAUSE - 1].decode():
            bad.append(fields[5])
    _finish(state, current, leaves, bad)
    _finish(state, max(batches, default=0) + 1, [], [])
    for id, batch, whole in state.bad:
        _say_line(state, UUID(id.decode()), batch, whole)
    report.problems[before:] = sorted(
        report.problems[before:], key=lambda p: (p.seq or 0, p.table != "ledger_transfer")
    )
    if state.seq:
        report.heads[place] = (state.seq, state.head.hex())


def _algorithm(batch: Batch | None) -> str:
    return batch.algorithm if batch is not None and batch.algorithm in ALGORITHMS else chain.ALGORITHM


def _stream(place: str, report: Report, progress: Progress | None) -> Iterator[bytes]:
    connection.ensure_connection()
    count = 0
    with psycopg.Cursor(connection.connection) as cursor, cursor.copy(_LINES, [place]) as rows:
        for row in rows:
            count += 1
            if progress and count % _STEP == 0:
                progress(report.counts["transfers"] + count)
            yield bytes(row)[:-1]
    report.counts["transfers"] += count


def _moment(text: bytes) -> bytes:
    """The database's "2022-07-08 01:02:03.5" in UTC as the chain writes it."""
    return chain.moment(datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)).encode()


_ESCAPES: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _unescape(text: bytes) -> bytes:
    """COPY's text format back to the bytes that were stored."""
    return re.sub(rb"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def _finish(state: _Chain, seq: int, leaves: list[bytes], bad: list[bytes]) -> None:
    """Check every batch up to `seq`; its own lines are `leaves`, the ones between have none."""
    if seq == 0:
        return
    last = max(state.batches, default=0)
    while state.seq + 1 < seq and state.seq < last:
        _check_batch(state, state.seq + 1, state.closings.get(state.seq + 1, []), [])
    if leaves:
        if seq not in state.batches:
            _say(state, "ledger_batch", f"{state.place}/{seq}", "", "流水在，批次不在", seq)
        else:
            _check_batch(state, seq, leaves, bad)


def _check_batch(state: _Chain, seq: int, leaves: list[bytes], bad: list[bytes]) -> None:
    state.seq = seq
    batch = state.batches.get(seq)
    name = f"{state.place}/{seq}"
    if batch is None:
        _say(state, "ledger_batch", name, "seq", f"缺第 {seq} 批", seq)
        return
    if batch.algorithm not in ALGORITHMS:
        _say(state, "ledger_batch", name, "algorithm", "没有这种摘要算法", seq)
    hash_ = chain.hasher(_algorithm(batch))
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


def _closings(place: str, closes: dict[int, PeriodClose]) -> dict[int, list[bytes]]:
    """The leaves of every closing batch. A batch without lines that closes nothing is missing its lines."""
    found: dict[int, list[bytes]] = {seq: [] for seq in closes}
    for a in Assertion.objects.filter(place=place).order_by("seq", "index").iterator(10_000):
        close = closes.get(a.seq)
        if close is not None:
            text = (
                f"\0zhili-assertion/1|{a.place}|{a.seq}|{a.index}|{a.account}|{a.credits}|{a.debits}|{a.reserved}|"
                f"{close.period}|{chain.days(close.starts)}|{chain.days(close.ends)}"
            )
            found[a.seq].append(hashlib.sha256(text.encode()).digest())
    return found


def _say(state: _Chain, table: str, id: str, column: str, what: str, seq: int | None) -> None:
    state.report.add(Problem(state.place, table, id, column, what, seq))


def _say_line(state: _Chain, id: UUID, batch: Batch, whole: bool) -> None:
    """Name the row, and the column where it can be told."""
    row = Transfer.objects.get(id=id)
    hash_ = chain.hasher(_algorithm(batch))
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


# ---------------------------------------------------------------- accounts and sums


def _check_accounts(report: Report, place: str) -> None:
    for a in Account.objects.filter(place=place).order_by("id").iterator(10_000):
        report.counts["accounts"] += 1
        if a.id != chain.account_id(a.place, a.kind, a.owner, a.purse):
            report.add(Problem(place, "ledger_account", str(a.id), "owner", "账户编号与户、存折、类别对不上"))
        elif bytes(a.seal) != chain.account_seal(a.id, a.may_go_negative, a.opened_on, a.closed_on):
            report.add(
                Problem(place, "ledger_account", str(a.id), "seal", "开户、销户日期或可为负的设置被改过")
            )


def _check_sums(report: Report, place: str) -> None:
    with connection.cursor() as cursor:
        for check in SUMS:
            cursor.execute(check.sql, {"place": place})
            for id, column, seq, *other in cursor.fetchall():
                table, what = other or (check.table, check.what)
                report.add(Problem(place, table, str(id), column, what, seq))
