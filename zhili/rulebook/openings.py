"""Opening points: the base (基础分) of every account, and the start of blocks that open full (起评分).

A yearly base in a book settled by quarter is credited once, in the quarter that holds the first of January
(or the first day of the book); a monthly start in a book settled by quarter three times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from zhili.common.periods import Period, period_of, periods_between
from zhili.common.points import format_points
from zhili.rulebook.book import RuleBook
from zhili.rulebook.shapes import THIS


@dataclass(frozen=True, slots=True)
class Opening:
    """Points an account gets for a period without doing anything: the base, or a block's start."""

    day: date
    purse: str
    points: int
    why: str


def openings_in(book: RuleBook, period: Period) -> list[Opening]:
    """What every account is credited within this settlement period, by day and purse."""
    return [opening for opening in openings_for(book, period) if opening.day >= period.start]


def openings_for(book: RuleBook, period: Period) -> list[Opening]:
    """The openings that hold in this settlement period: credited in it, or earlier with a span that reaches
    into it (the yearly base, seen from the third quarter)."""
    first = max(period.start, book.effective_from)
    last = min(period.end, book.effective_to or date.max)
    found = []
    for points, every, purses, title in _sources(book):
        for one in periods_between(first, last, every):
            day = max(one.start, book.effective_from)
            why = f"{title}：{THIS[every]} {format_points(points)} 分"
            found += [Opening(day, purse, points, why) for purse in purses]
    return found


def _sources(book: RuleBook) -> list[tuple[int, str, tuple[str, ...], str]]:
    """Points, period kind, purses and name of every opening in the book."""
    everywhere = tuple(purse.code for purse in book.purses)
    found = []
    if book.base is not None and book.base.points:
        found.append((book.base.points, book.base.every, everywhere, "基础分"))
    for category in book.categories:
        if category.start and category.every is not None:
            named = {purse for item in book.items_in(category.code) for purse in book.purses_of(item)}
            purses = tuple(purse for purse in everywhere if purse in named) or everywhere
            found.append((category.start, category.every, purses, f"“{category.title}”起评分"))
    return found


def add_openings(book: RuleBook, sums: dict[tuple[str, str], list[int]], touched: dict[str, Period]) -> None:
    """Add opening points to every row of sums (by account and period code; one amount per purse), and add
    the rows of earlier periods in which they were credited. touched: the periods in sums, by code."""
    sources = _sources(book)
    if not sources:
        return
    kinds = {every for _, every, _, _ in sources}
    order = {purse.code: index for index, purse in enumerate(book.purses)}
    credits: dict[str, list[int]] = {}
    reach: dict[str, list[str]] = {}
    waiting = list(touched.values())
    while waiting:
        period = waiting.pop()
        row = credits[period.code] = [0] * len(order)
        for opening in openings_in(book, period):
            row[order[opening.purse]] += opening.points
        # A yearly base in a book settled by quarter was credited in the year's first quarter.
        start = max(period.start, book.effective_from)
        days = [max(period_of(start, every).start, book.effective_from) for every in kinds]
        before = [period_of(day, book.settlement) for day in days if day < period.start]
        reach[period.code] = [earlier.code for earlier in before]
        for earlier in before:
            if earlier.code not in touched:
                touched[earlier.code] = earlier
                waiting.append(earlier)
    keys = list(sums)
    for account, code in keys:
        for earlier_code in reach[code]:
            if (account, earlier_code) not in sums:
                sums[account, earlier_code] = [0] * len(order)
                keys.append((account, earlier_code))
    for (_, code), row in sums.items():
        for index, points in enumerate(credits[code]):
            row[index] += points
