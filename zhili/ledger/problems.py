"""What a check of the books says: one sentence per row that is not as it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

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


def _no_counts() -> dict[str, int]:
    return {"villages": 0, "batches": 0, "transfers": 0, "accounts": 0}


@dataclass(slots=True)
class Report:
    """What a check found. problems: at most PROBLEMS_MAX, the first bad row first."""

    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=_no_counts)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    anchored: bool = False
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, problem: Problem) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def merge(self, other: Report) -> None:
        """Take in another village's findings."""
        for problem in other.problems:
            self.add(problem)
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.heads.update(other.heads)

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
