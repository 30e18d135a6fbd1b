"""What can be wrong with a rule book or with the facts put to it: all of it, not only the first.

A clerk who gets one fault a time gives up after the third upload; so every reader here collects what it
finds (at most PROBLEMS_MAX) and raises once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zhili.common.errors import ZhiliError

PROBLEMS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. line: 1-based line or row, None where there is none. where: the place in words
    (“项目”表 D5), empty when the line says it all. what: what is wrong. suggestion: what to do."""

    line: int | None
    where: str
    what: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = self.where or (f"第 {self.line} 行" if self.line else "")
        text = f"{place}：{self.what}" if place else self.what
        return f"{text}。{self.suggestion}" if self.suggestion else text


class RuleBookError(ZhiliError):
    """The rule book cannot be used as it is. `problems` holds every fault found, in file order."""

    def __init__(self, problems: Sequence[Problem] | str, *, source: str = "", hint: str = "") -> None:
        if isinstance(problems, str):
            problems = [Problem(None, "", problems, hint)]
        self.problems: list[Problem] = list(problems)[:PROBLEMS_MAX]
        self.source = source
        shown = "\n".join(str(problem) for problem in self.problems)
        left = len(problems) - len(self.problems)
        if left > 0:
            shown += f"\n另有 {left} 处问题没有列出，改好以上再试"
        head = f"{source}：" if source else ""
        if len(problems) > 1:
            head += f"有 {len(problems)} 处要改\n"
        super().__init__(head + shown)


class ScoreError(RuleBookError):
    """Facts that the rule book cannot score: an unknown item, a missing quantity, a date out of force."""
