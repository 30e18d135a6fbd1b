"""What would this draft have made of last year? The question every village assembly asks before it votes.

Last year's events that counted are scored again under the draft and set beside what was really awarded, by
account, category and item. Pure: who calls brings the events (claims live in a room above this one).
Opening points and starting blocks are left out on both sides: they come without any event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from zhili.common.points import format_points
from zhili.rulebook.book import RuleBook
from zhili.rulebook.calculator import Calculator
from zhili.rulebook.errors import ScoreError
from zhili.rulebook.facts import Event


@dataclass(frozen=True, slots=True)
class Past:
    """One event that counted. awarded: hundredths that stand in the books; the titles are those of its own book."""

    event: Event
    awarded: int
    category: str
    category_title: str
    item_title: str


@dataclass(slots=True)
class Row:
    """One line of the comparison, hundredths. before: really awarded; after: under the draft; events: how many."""

    key: str
    title: str
    before: int = 0
    after: int = 0
    events: int = 0

    @property
    def change(self) -> int:
        return self.after - self.before

    def add(self, before: int, after: int) -> None:
        self.before += before
        self.after += after
        self.events += 1


@dataclass(frozen=True, slots=True)
class Lost:
    """Events of one item that the draft cannot score, and why; they count 0 in `after`."""

    item: str
    title: str
    events: int
    points: int
    reason: str


@dataclass(slots=True)
class WhatIf:
    """The comparison. Rows in order: accounts by size of change, categories and items by code."""

    total: Row
    accounts: list[Row]
    categories: list[Row]
    items: list[Row]
    lost: list[Lost] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many accounts would have had more."""
        return sum(row.change > 0 for row in self.accounts)

    @property
    def less(self) -> int:
        return sum(row.change < 0 for row in self.accounts)

    @property
    def same(self) -> int:
        return sum(row.change == 0 for row in self.accounts)


def what_if(draft: RuleBook, past: Sequence[Past]) -> WhatIf:
    """Score `past` again under `draft`, whatever dates the draft itself names, in the order in which events count."""
    calculator = Calculator(replace(draft, effective_from=date.min, effective_to=None))
    titles = {row.code: row.title for row in draft.categories}
    total = Row("", "合计")
    accounts: dict[str, Row] = {}
    categories: dict[str, Row] = {}
    items: dict[str, Row] = {}
    lost: dict[tuple[str, str], list[int]] = {}
    names = {item.code: item for item in draft.items}
    for one in sorted(past, key=lambda one: (one.event.occurred_on, one.event.event)):
        try:
            after = calculator.feed(one.event).awarded
        except ScoreError as error:
            after = 0
            known = one.event.item in names
            reason = error.problems[0].what if known else "草案里没有这个项目"
            gone = lost.setdefault((one.event.item, reason), [0, 0])
            gone[0] += 1
            gone[1] += one.awarded
        total.add(one.awarded, after)
        _row(accounts, one.event.account, one.event.account).add(one.awarded, after)
        _row(items, one.event.item, one.item_title).add(one.awarded, after)
        _row(categories, one.category, titles.get(one.category, one.category_title)).add(one.awarded, after)
    named = {one.event.item: one.item_title for one in past}
    return WhatIf(
        total=total,
        accounts=sorted(accounts.values(), key=lambda row: (-abs(row.change), row.key)),
        categories=[categories[key] for key in sorted(categories)],
        items=[items[key] for key in sorted(items)],
        lost=[
            Lost(item, named[item], count, points, reason)
            for (item, reason), (count, points) in sorted(lost.items())
        ],
    )


def what_if_json(result: WhatIf) -> dict[str, Any]:
    """The comparison as one JSON document, points as decimal strings."""

    def row(one: Row) -> dict[str, Any]:
        return {
            "code": one.key, "title": one.title, "events": one.events, "before": format_points(one.before),
            "after": format_points(one.after), "change": format_points(one.change),
        }  # fmt: skip

    return {
        "events": result.total.events,
        "before": format_points(result.total.before),
        "after": format_points(result.total.after),
        "accounts_more": result.more,
        "accounts_less": result.less,
        "accounts_same": result.same,
        "categories": [row(one) for one in result.categories],
        "items": [row(one) for one in result.items],
        "accounts": [row(one) for one in result.accounts],
        "lost": [
            {"item": one.item, "title": one.title, "events": one.events, "points": format_points(one.points),
             "reason": one.reason}
            for one in result.lost
        ],
    }  # fmt: skip


def _row(rows: dict[str, Row], key: str, title: str) -> Row:
    found = rows.get(key)
    if found is None:
        found = rows[key] = Row(key, title)
    return found
