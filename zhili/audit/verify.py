"""Checking the audit trail: every row's digest worked out again from its columns, every link, every number (T-08).

What it finds: a changed byte in any column, a row taken out, put in, or moved to another place's chain, a row that
was never linked; with heads kept elsewhere (--anchors) also a cut-off tail and a past rewritten with all its
digests. Without anchors it cannot tell those two, and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, transaction

from zhili.audit import chain
from zhili.common.hashing import ALGORITHMS
from zhili.common.scope import EVERYWHERE, scoped

PROBLEMS_MAX: Final = 20
_CHUNK: Final = 5_000
_ROWS: Final = """
SELECT place, seq, previous, algorithm, id, at, utc_offset, actor_id, on_behalf_of, role, action, target, outcome,
       source, receipt, detail::text, digest, tx
  FROM audit_entry WHERE place = %s ORDER BY seq NULLS LAST, id
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that is not as it was written. seq: its number, or where one is missing."""

    place: str
    seq: int | None
    id: str
    what: str

    def __str__(self) -> str:
        where = f"第 {self.seq} 条" if self.seq is not None else "没有序号的一条"
        return f"{self.place} {where}{f'（{self.id}）' if self.id else ''}：{self.what}"


@dataclass(slots=True)
class Report:
    """What a check found. problems: at most PROBLEMS_MAX, the first bad row of each place first."""

    problems: list[Problem] = field(default_factory=list)
    rows: int = 0
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
            "problems": [{"place": p.place, "seq": p.seq, "id": p.id, "what": p.what} for p in self.problems],
            "counts": {"places": len(self.heads), "rows": self.rows},
            "heads": {place: {"seq": seq, "head": head} for place, (seq, head) in self.heads.items()},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Anchor:
    """One fingerprint of a trail that somebody kept outside the database."""

    place: str
    seq: int
    head: str


class AnchorError(ValueError):
    """The anchors file cannot be read."""


def read_anchors(lines: Iterable[str]) -> list[Anchor]:
    """JSON lines {"place", "seq", "head"}, as published; lines of another book than "audit" are passed over."""
    found = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            known = json.loads(text)
            if known.get("book", "audit") != "audit":
                continue
            anchor = Anchor(str(known["place"]), int(known["seq"]), str(known["head"]).lower())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AnchorError(f"锚点文件第 {number} 行读不懂") from error
        if len(anchor.head) < 10:
            raise AnchorError(f"锚点文件第 {number} 行的指纹太短，至少 10 位")
        found.append(anchor)
    return found


def verify(places: Sequence[str] | None = None, *, anchors: Iterable[Anchor] = ()) -> Report:
    """Check the trail of these places, or of all. Reads only; in one snapshot where it opens its own transaction."""
    started = time.perf_counter()
    report = Report()
    own = not connection.in_atomic_block
    with transaction.atomic():
        if own:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with scoped(EVERYWHERE):
            if places is None:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT DISTINCT place FROM audit_entry ORDER BY place")
                    places = [row[0] for row in cursor.fetchall()]
            for place in places:
                _check(report, place)
            kept = [anchor for anchor in anchors]
            report.anchored = bool(kept)
            for anchor in kept:
                _check_anchor(report, anchor)
    report.seconds = time.perf_counter() - started
    return report


def _rows(place: str) -> Iterator[tuple[Any, ...]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ROWS, [place])
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows


def _check(report: Report, place: str) -> None:
    head, last = chain.ZERO, 0
    for row in _rows(place):
        report.rows += 1
        seq, previous, algorithm, id, stored, tx = row[1], row[2], row[3], str(row[4]), row[16], row[17]
        if seq is None:
            report.add(Problem(place, None, id, "没有接到链上"))
            continue
        if seq != last + 1:
            what = f"第 {last + 1} 到 {seq - 1} 条不见了" if seq > last + 1 else "序号重复"
            report.add(Problem(place, last + 1, "", what))
        elif bytes(previous or b"") != head:
            report.add(Problem(place, seq, id, f"与第 {last} 条的指纹接不上"))
        if algorithm not in ALGORITHMS:
            report.add(Problem(place, seq, id, "没有这种摘要算法"))
        elif chain.link(algorithm, _line(row)) != bytes(stored or b""):
            report.add(Problem(place, seq, id, "内容与指纹对不上"))
        elif tx is not None:
            report.add(Problem(place, seq, id, "已经接到链上，却还有未接的记号"))
        last, head = seq, bytes(stored or b"")
    if last:
        report.heads[place] = (last, head.hex())


def _line(row: tuple[Any, ...]) -> str:
    return chain.line(
        place=row[0],
        seq=row[1],
        previous=bytes(row[2] or b""),
        algorithm=row[3],
        id=row[4],
        at=row[5],
        utc_offset=row[6],
        actor_id=row[7],
        on_behalf_of=row[8],
        role=row[9],
        action=row[10],
        target=row[11],
        outcome=row[12],
        source=row[13],
        receipt=row[14],
        detail=row[15],
    )


def _check_anchor(report: Report, anchor: Anchor) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT digest FROM audit_entry WHERE place = %s AND seq = %s", [anchor.place, anchor.seq]
        )
        row = cursor.fetchone()
    if row is None:
        what = f"锚点说有第 {anchor.seq} 条，留痕里没有：末尾被截掉了"
    elif not bytes(row[0] or b"").hex().startswith(anchor.head):
        what = "指纹与锚点不同：这一条或更早的留痕被改写过"
    else:
        return
    report.add(Problem(anchor.place, anchor.seq, "", what))
