"""What a check of the books says: one sentence per row that is not as it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

PROBLEMS_MAX: Final = 20
Progress = Callable[[int], None]
_TITLES: Final = {
    "ledger_account": "账户", "ledger_transfer": "流水", "ledger_batch": "批次", "ledger_periodtotal": "周期合计",
    "ledger_periodclose": "结账", "ledger_assertion": "结账余额",
}  # fmt: skip


def title_of(table: str) -> str:
    """A table of the book as a page calls it."""
    return _TITLES.get(table, "台账")


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

    @property
    def words(self) -> str:
        """For a page: the row by its Chinese name, without the table's."""
        return f"{title_of(self.table)} {self.id}：{self.what}"


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
