"""Legal red lines: is this clause of the rule book one that a village may adopt? (RL-01 … RL-14, G-06, G-17)

Before a draft (征求意见稿) goes to the vote, the township reads it for clauses no village may make: points taken for
petitioning, subsidies stopped, fines, black lists. This does the first reading, clause by clause, names the article
and offers a rewrite. Verdicts: block 阻断, legal_review 需法审, warn 提醒, ok 通过. A lint, not legal advice.

Amounts are hundredths of a point, negative for deductions. Pure Python, no Django.
"""

# ruff: noqa: E501 -- suggestions are whole sentences
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from zhili.rulebook.redline_rules import PREDICATES, Finding, Level, status
from zhili.rulebook.redline_text import read_clause
from zhili.rulebook.redline_words import LINES

__all__ = ["Finding", "ItemReport", "Report", "check_book", "check_item", "report_json", "verdict"]

Verdict = Literal["block", "legal_review", "warn", "ok"]
_RANK: Final[dict[str, int]] = {"block": 0, "legal_review": 1, "warn": 2}


@dataclass(frozen=True, slots=True)
class ItemReport:
    code: str
    verdict: Verdict
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """items: one per item of the book, in its order; book: what concerns the book as a whole or a category;
    coverage: for each group of people (G-17) the codes of items they can do."""

    items: tuple[ItemReport, ...]
    book: tuple[Finding, ...]
    coverage: dict[str, tuple[str, ...]]

    @property
    def blocked(self) -> int:
        """Blocked items, plus blocking findings on the book itself."""
        return sum(i.verdict == "block" for i in self.items) + sum(f.level == "block" for f in self.book)


def _order(finding: Finding) -> tuple[int, bool, str]:
    return _RANK[finding.level], not finding.id.startswith("RL"), finding.id


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The worst level among the findings, ok where there is none."""
    levels: list[Level] = sorted((f.level for f in findings), key=_RANK.__getitem__)
    return levels[0] if levels else "ok"


def check_item(
    text: str,
    *,
    points: int | None,
    effect: str = "",
    category: str = "",
    note: str = "",
    unit: str = "household",
    uncapped: bool = False,
) -> list[Finding]:
    """Findings on one clause, worst first, at most one per line. points: hundredths, negative for a deduction, None
    or 0 where the clause has only an effect. uncapped: paid per unit with no limit (RL-09 on gifts of money)."""
    clause = read_clause(text, points, effect=effect, category=category, note=note, unit=unit)
    found = [finding for predicate in PREDICATES if (finding := predicate(clause))]
    rewarded = status(clause, uncapped=uncapped)
    if rewarded:
        found.append(rewarded)
    return sorted(found, key=_order)


# --- a whole book -----------------------------------------------------------------------------------------


def _amounts(shape: Any) -> tuple[int, ...]:
    """Every amount one event of this shape can bring, by duck typing on the five shapes of book.py."""
    if hasattr(shape, "tiers"):
        return tuple(tier.points for tier in shape.tiers)
    if hasattr(shape, "grades"):
        return tuple(shape.grades.values())
    if hasattr(shape, "each"):
        return (shape.each if shape.max is None else (shape.max if shape.each > 0 else -shape.max),)
    if hasattr(shape, "points"):
        return (shape.points,)
    return (shape.min, shape.max)


def _check_book_item(item: Any, book: Any, groups: dict[str, Any]) -> ItemReport:
    amounts = _amounts(item.points)
    group = groups.get(item.category)
    capped = bool(item.caps or getattr(group, "caps", ()) or getattr(item.points, "max", 1) is not None)
    signs: list[int | None] = [a for a in {min(amounts), max(amounts)} if a] or [None]
    effect = "。".join(filter(None, (item.effect, *getattr(item.points, "grades", {}))))
    best: dict[str, Finding] = {}
    for points in signs:
        for finding in check_item(
            item.title,
            points=points,
            effect=effect,
            category=getattr(group, "title", ""),
            note="。".join(filter(None, (item.note, item.example))),
            unit=book.unit,
            uncapped=not capped,
        ):
            known = best.get(finding.id)
            if known is None or _RANK[finding.level] < _RANK[known.level]:
                best[finding.id] = finding
    found = tuple(sorted(best.values(), key=_order))
    return ItemReport(item.code, verdict(found), found)


_PATH: Final = re.compile(r"提醒|教育|劝导|劝阻|整改|限期|不改|听取|申诉|申辩|异议|复核|告知|核实")


def _too_early(book: Any, today: date | None, adopted: bool) -> Iterator[Finding]:
    start = book.effective_from
    if today and start and start < today and not adopted:
        yield Finding(
            "RL-11",
            "block",
            LINES["RL-11"].basis,
            f"生效日期 {start} 早于今天 {today}，而本细则还没有表决。请改为表决、公示、备案之后的日期。",
            str(start),
        )


def _balance(book: Any) -> Iterator[Finding]:
    """RL-12 and RL-14 over all items."""
    amounts = {item.code: _amounts(item.points) for item in book.items}
    taking = [item for item in book.items if min(amounts[item.code]) < 0]
    if not taking:
        return
    words = " ".join(f"{i.title} {i.note} {i.effect or ''}" for i in taking)
    if not _PATH.search(words):
        yield Finding(
            "RL-12",
            "legal_review",
            LINES["RL-12"].basis,
            f"{len(taking)} 个扣分项目都没有写提醒、改正和申诉。请在扣分项目写明“经提醒仍不改的”，并写明可在公示期内提出异议。",
            "、".join(i.title for i in taking[:3]),
        )
    if len(taking) * 3 > len(book.items):
        yield Finding(
            "RL-14",
            "warn",
            LINES["RL-14"].basis,
            f"{len(book.items)} 个项目中有 {len(taking)} 个扣分，超过三分之一。请以加分为主，删减扣分项目。",
            f"{len(taking)}/{len(book.items)}",
        )
    worst = min(taking, key=lambda i: min(amounts[i.code]))
    most, least = max(max(a) for a in amounts.values()), min(amounts[worst.code])
    if -least > max(most, 0):
        yield Finding(
            "RL-14",
            "warn",
            LINES["RL-14"].basis,
            f"“{worst.title}”一次扣的分（{-least / 100:g}）比最大的奖励（{max(most, 0) / 100:g}）还多。请调低。",
            worst.title,
        )


# What each group can do where they are. Words of items, not of people: a rule for all that they can also earn by.
_WITHIN_REACH: Final = {
    "老人": re.compile(
        r"老人|邻里|邻居|调解|门前|院坝|庭院|垃圾分类|议事|会议|讲述|传承|建议|看护|和睦|孝|宣讲|巡查"
    ),
    "残疾人": re.compile(r"残疾|垃圾分类|庭院|门前|院坝|邻里|调解|建议|议事|手工|反映|会议|和睦"),
    "外出户": re.compile(r"外出|在外|返乡|线上|远程|视频|代办|捐|老家|务工|信息|引进|建议"),
    "留守家庭": re.compile(r"留守|子女|孩子|儿童|老人|照料|看护|互助|帮扶|邻里|家长|接送"),
}


def _coverage(book: Any) -> dict[str, tuple[str, ...]]:
    rewards = [i for i in book.items if max(_amounts(i.points)) > 0]
    return {
        group: tuple(i.code for i in rewards if words.search(f"{i.title}{i.note}{i.example or ''}"))
        for group, words in _WITHIN_REACH.items()
    }


def _completeness(book: Any, coverage: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    missing = [group for group, codes in coverage.items() if not codes]
    if missing:
        yield Finding(
            "G-17",
            "warn",
            LINES["G-17"].basis,
            f"{'、'.join(missing)}似乎没有做得到的加分项目。请补一两项在家、在外也能做的事，如“与邻里互相照看一次”。",
            "、".join(missing),
        )
    bare = [i.code for i in book.items if not i.example]
    if bare:
        yield Finding(
            "G-06",
            "warn",
            LINES["G-06"].basis,
            f"{len(bare)} 个项目没有写例子（example）。请各写一个算得出分的例子。",
            "、".join(bare[:5]),
        )


def check_book(book: Any, *, today: date | None = None, adopted: bool = False) -> Report:
    """Check a RuleBook (book.py). today: to test RL-11 on a book that is not yet adopted; without it the date is
    not judged, so that the same file gives the same answer on any day."""
    groups = {category.code: category for category in book.categories}
    items = tuple(_check_book_item(item, book, groups) for item in book.items)
    coverage = _coverage(book)
    titles = (book.title, getattr(book, "note", None) or "", *(c.title for c in book.categories))
    headings = [finding for title in titles for finding in check_item(title, points=None)]
    book_findings = [f for f in headings if f.id not in ("RL-09", "G-06")]
    book_findings += [*_too_early(book, today, adopted), *_balance(book), *_completeness(book, coverage)]
    return Report(items, tuple(sorted(book_findings, key=_order)), coverage)


def _line(finding: Finding) -> dict[str, str]:
    return {
        "id": finding.id,
        "level": finding.level,
        "basis": finding.basis,
        "suggestion": finding.suggestion,
        "quote": finding.quote,
    }


def report_json(report: Report) -> dict[str, Any]:
    """The check output of DESIGN.md §6, with each line's level and quote, the book's own lines and the coverage."""
    return {
        "blocked": report.blocked,
        "items": [
            {"code": i.code, "verdict": i.verdict, "lines": [_line(f) for f in i.findings]}
            for i in report.items
        ],
        "book": {
            "verdict": verdict(report.book),
            "lines": [_line(f) for f in report.book],
            "coverage": {group: list(codes) for group, codes in report.coverage.items()},
        },
    }
