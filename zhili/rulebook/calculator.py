"""The calculator (算分): from what people did to what they get, with every step in words.

One implementation, used by claims (what would this bring?), by `zhili rulebook score` on files and by the
what-if of a draft on last year's events. Pure: no clock, no database, no floating point; the same facts in any
order of input give the same result.

Order and rounding, all of it:

| step | rule |
|---|---|
| order | events count by (occurred_on, event id as text) |
| amounts | hundredths of a point, whole numbers |
| per unit | quantity ÷ per gives units; the units are rounded to a whole (down, up, half_up: a half goes up), then × each; then `max` by size |
| tiers | the highest tier whose start ≤ quantity; below the first tier 0; with `over` the period's quantities add up, and the event gets the points of the tier now minus those of the tier before (it may be 0, and below 0 only where a higher tier is worth less) |
| caps | awards and deductions apart, each by its size; the item's caps first, then its category's; each leaves at most what is free, so the last event before the cap is awarded in part |
| times | an event uses up one time when something of it was awarded (not 0) |
| whom caps bind | the account; with `per: resident` the item's own caps bind one resident of it (a blank resident counts as one person); category caps always bind the account |
| blocks | a deduction stops where start + the block's awards − its deductions of that period reaches `floor`; awards may lift it above `start` |
| openings | base and block starts are credited on the first day of their period (or of the book), once per period, to all purses (a block's start: to the purses its items name); they count in the settlement period that holds that day |
| totals | openings + awarded, by account, settlement period of occurred_on, purse; an award goes in full to each purse its item names |

Measured speed: make bench.
"""  # noqa: E501

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from zhili.common.periods import Period, period_of
from zhili.rulebook.book import Cap, Category, Item, RuleBook, Tiers
from zhili.rulebook.errors import PROBLEMS_MAX, Problem, ScoreError
from zhili.rulebook.facts import Event, Result, Scored, Total, read_events, result_json
from zhili.rulebook.openings import Opening, add_openings, openings_in
from zhili.rulebook.reading import nearest
from zhili.rulebook.shapes import THIS, Codes, Measure, compile_shape, format_points, wrong

__all__ = [
    "Calculator",
    "Event",
    "Opening",
    "Result",
    "Scored",
    "Total",
    "openings_in",
    "read_events",
    "result_json",
    "score",
]

# A counter of one scope in one period: awarded, times awarded, deducted, times deducted.
Counter = list[int]
_AWARD: Final = 0
_DEDUCTION: Final = 2


class _Limit:
    """All caps of one scope (an item or a category) in one kind of period, as one check."""

    __slots__ = ("by_resident", "codes", "points", "subject", "times", "used")

    def __init__(self, every: str, caps: Sequence[Cap], subject: str, by_resident: bool) -> None:
        self.points = min((cap.points for cap in caps if cap.points is not None), default=None)
        self.times = min((cap.times for cap in caps if cap.times is not None), default=None)
        self.codes = Codes(every)
        self.by_resident = by_resident
        self.subject = f"{'此人' if by_resident else ''}{THIS[every]}{subject}"
        self.used: dict[tuple[str | tuple[str, str], str], Counter] = {}

    def counter(self, event: Event) -> Counter:
        owner = (event.account, event.resident or "") if self.by_resident else event.account
        return self.used.setdefault((owner, self.codes[event.occurred_on]), [0, 0, 0, 0])

    def cut(self, counter: Counter, sign: int, left: int, why: list[str]) -> int:
        """How much of `left` (hundredths, > 0) a limit that is in the way lets through, and why.

        Called only where the limit cuts; feed() tests that itself, because it is asked for every event.
        """
        verb = "记" if sign == _AWARD else "扣"
        if self.times is not None and counter[sign + 1] >= self.times:
            why.append(
                f"{self.subject}已{verb} {counter[sign + 1]} 次，达到上限 {self.times} 次，本次{verb} 0 分"
            )
            return 0
        points = self.points or 0
        room = max(points - counter[sign], 0)
        done, most = format_points(counter[sign]), format_points(points)
        if room == 0:
            why.append(f"{self.subject}已{verb} {done} 分，达到上限 {most} 分，本次{verb} 0 分")
        else:
            why.append(
                f"{self.subject}已{verb} {done} 分，上限 {most} 分，"
                f"本次只{verb} {format_points(room)} 分，超出的 {format_points(left - room)} 分不{verb}"
            )
        return room


class _Block:
    """A category that opens at `start` each period and is never taken below `floor`."""

    __slots__ = ("codes", "floor", "net", "start", "title")

    def __init__(self, category: Category, every: str) -> None:
        self.title = f"“{category.title}”{THIS[every]}"
        self.start, self.floor = category.start or 0, category.floor
        self.codes = Codes(every)
        self.net: dict[tuple[str, str], int] = {}

    def cut(self, now: int, left: int, why: list[str]) -> int:
        if self.floor is None:
            return left
        room = max(self.start + now - self.floor, 0)
        if room >= left:
            return left
        have, floor = format_points(self.start + now), format_points(self.floor)
        why.append(
            f"{self.title}还有 {have} 分，最低到 {floor} 分，本次"
            + (f"只扣 {format_points(room)} 分，" if room else "扣 0 分，")
            + f"少扣 {format_points(left - room)} 分"
        )
        return room


class _Line:
    """One item, compiled: how to measure it and which limits it passes."""

    __slots__ = ("block", "item", "limits", "measure", "purses")

    def __init__(
        self, item: Item, limits: tuple[_Limit, ...], block: _Block | None, purses: tuple[int, ...]
    ) -> None:
        self.item = item
        self.measure: Measure = compile_shape(item)
        self.limits, self.block, self.purses = limits, block, purses


class Calculator:
    """Scores events one after another and remembers what counted. Feed them by (occurred_on, event id); what
    was posted earlier goes in first, by `count` with the points that stand in the books.

    Nothing is remembered of an event that raised an error.
    """

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self._from, self._to = book.effective_from, book.effective_to or date.max
        order = {purse.code: index for index, purse in enumerate(book.purses)}
        limits = {row.code: _limits(row.caps, f"“{row.title}”类", False) for row in book.categories}
        blocks = {row.code: _Block(row, row.every) for row in book.categories if row.every is not None}
        self._lines: dict[str, _Line] = {}
        for item in book.items:
            own = _limits(item.caps, "此项", item.per == "resident")
            purses = tuple(order[code] for code in book.purses_of(item))
            self._lines[item.code] = _Line(
                item, own + limits[item.category], blocks.get(item.category), purses
            )

    def feed(self, event: Event) -> Scored:
        """Score one event and count it. Raises ScoreError."""
        line = self._line(event)
        raw, why = line.measure(event)
        if raw == 0:
            return Scored(event.event, 0, 0, why)
        sign, left = (_AWARD, raw) if raw > 0 else (_DEDUCTION, -raw)
        counters: list[Counter] = []
        account, day = event.account, event.occurred_on
        for limit in line.limits:
            owner = (account, event.resident or "") if limit.by_resident else account
            key = (owner, limit.codes[day])
            counter = limit.used.get(key)
            if counter is None:
                counter = limit.used[key] = [0, 0, 0, 0]
            counters.append(counter)
            if (limit.points is None or counter[sign] + left <= limit.points) and (
                limit.times is None or counter[sign + 1] < limit.times
            ):
                continue
            left = limit.cut(counter, sign, left, why)
            if left == 0:
                break
        if left and line.block is not None and sign == _DEDUCTION:
            block = line.block
            now = block.net.get((event.account, block.codes[event.occurred_on]), 0)
            left = block.cut(now, left, why)
        if line.item.per == "resident" and line.item.caps and not event.resident:
            why.append("没有写是谁做的，没写名字的都按同一个人封顶")
        awarded = left if sign == _AWARD else -left
        if left:
            self._add(line, event, counters, sign, awarded)
        return Scored(event.event, raw, awarded, why)

    def count(self, event: Event, awarded: int) -> None:
        """Remember an event with the points that were really posted for it, without scoring it again.

        Raises ScoreError for an event that the book does not know; 0 uses up no time.
        """
        line = self._line(event)
        if isinstance(line.item.points, Tiers):
            line.measure(event)  # quantities add up towards the next tier whatever was awarded
        if awarded:
            sign = _AWARD if awarded > 0 else _DEDUCTION
            self._add(line, event, [limit.counter(event) for limit in line.limits], sign, awarded)

    def purses_of(self, item: str) -> tuple[int, ...]:
        """Indexes into book.purses that an award of this item goes to."""
        return self._lines[item].purses

    def _line(self, event: Event) -> _Line:
        line = self._lines.get(event.item)
        if line is None:
            near = nearest(event.item, self._lines)
            hint = f"是不是“{near}”？" if near else "请照细则填写项目编号"
            raise wrong(event, f"细则里没有项目“{event.item[:32]}”", hint)
        if not self._from <= event.occurred_on <= self._to:
            until = f"至 {self._to}" if self._to != date.max else "起"
            raise wrong(
                event,
                f"{event.occurred_on} 不在细则“{self.book.title}”的有效期内（{self._from} {until}）",
                "请核对日期，或改用当时有效的细则",
            )
        return line

    @staticmethod
    def _add(line: _Line, event: Event, counters: list[Counter], sign: int, awarded: int) -> None:
        for counter in counters:
            counter[sign] += abs(awarded)
            counter[sign + 1] += 1
        block = line.block
        if block is not None:
            key = (event.account, block.codes[event.occurred_on])
            block.net[key] = block.net.get(key, 0) + awarded


def _limits(caps: Sequence[Cap], subject: str, by_resident: bool) -> tuple[_Limit, ...]:
    kinds = dict.fromkeys(cap.every for cap in caps)
    return tuple(
        _Limit(every, [cap for cap in caps if cap.every == every], subject, by_resident) for every in kinds
    )


def score(
    book: RuleBook,
    events: Iterable[Event],
    *,
    history: Iterable[Event] | None = None,
    accounts: Iterable[str] = (),
    periods: Iterable[Period] = (),
) -> Result:
    """Score a set of events.

    history: events that count first, towards caps and tiers; they are in neither the results nor the totals.
    accounts: accounts that get their opening points in every settlement period that has any event (and in
    `periods`), also without an event of their own. Raises ScoreError with every event that cannot be scored.
    """
    calculator = Calculator(book)
    for event in _ordered(history or ()):
        calculator.feed(event)
    ordered = _ordered(events)
    scored = _feed_all(calculator, ordered)
    settlement = Codes(book.settlement)
    sums: dict[tuple[str, str], list[int]] = {}
    touched: dict[str, Period] = {period.code: period for period in periods}
    nothing = [0] * len(book.purses)
    for event, result in zip(ordered, scored, strict=True):
        key = (event.account, settlement[event.occurred_on])
        row = sums.get(key)
        if row is None:
            row = sums[key] = nothing.copy()
            touched[key[1]] = period_of(event.occurred_on, book.settlement)
        if result.awarded:
            for purse in calculator.purses_of(event.item):
                row[purse] += result.awarded
    for account in accounts:
        for code in touched:
            sums.setdefault((account, code), nothing.copy())
    add_openings(book, sums, touched)
    totals = [
        Total(account, code, purse.code, points)
        for (account, code), row in sorted(sums.items())
        for purse, points in zip(book.purses, row, strict=True)
    ]
    return Result(scored, totals)


def _feed_all(calculator: Calculator, ordered: Sequence[Event]) -> list[Scored]:
    """Every event in order, or one ScoreError with everything that is wrong."""
    problems = _repeated(ordered)
    scored: list[Scored] = []
    # Hundreds of thousands of small results without one cycle: walking them over and over to look for
    # cycles takes two fifths of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for event in ordered:
            try:
                scored.append(calculator.feed(event))
            except ScoreError as error:
                problems += error.problems
    finally:
        if collecting:
            gc.enable()
    if problems:
        raise ScoreError(problems)
    return scored


def _ordered(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.occurred_on, event.event))


def _repeated(events: Sequence[Event]) -> list[Problem]:
    if len({event.event for event in events}) == len(events):
        return []
    seen: set[str] = set()
    problems: list[Problem] = []
    for event in events:
        if event.event in seen and len(problems) <= PROBLEMS_MAX:
            what = "这个编号出现了两次"
            problems.append(Problem(None, f"事件 {event.event[:60]}", what, "请删去重复的一条，或换一个编号"))
        seen.add(event.event)
    return problems
