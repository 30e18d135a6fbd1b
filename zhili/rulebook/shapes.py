"""How one event is measured before any cap: the five point shapes, each compiled once into a small function.

The function takes an event and returns the raw points in hundredths and the steps in words, as a villager
would say them. Quantities are counted in ten-thousandths, as integers, so that no rounding hides anywhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from zhili.common.periods import period_of
from zhili.common.points import format_points as _format
from zhili.rulebook.book import Fixed, Grades, Item, PerUnit, Range, Tiers
from zhili.rulebook.errors import Problem, ScoreError
from zhili.rulebook.facts import Event
from zhili.rulebook.reading import format_quantity, nearest

Measure = Callable[[Event], tuple[int, list[str]]]

SCALE: Final = 10_000
QUANTITY_MAX: Final = 1_000_000_000

THIS: Final = {
    "day": "当天",
    "week": "本周",
    "month": "本月",
    "two_months": "这两个月",
    "quarter": "本季度",
    "half_year": "这半年",
    "year": "本年",
    "ever": "累计",
}
# The same few amounts are said again and again.
format_points = lru_cache(maxsize=65_536)(_format)

_REMARKS: Final = {"down": "不满一份的不算", "up": "不满一份的算一份", "half_up": "不满一份的四舍五入"}


class Codes(dict[date, str]):
    """Date → code of its period of one kind; a year of events asks for the same 366 dates over and over."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __missing__(self, day: date) -> str:
        code = self[day] = period_of(day, self.kind).code
        return code


def wrong(event: Event, what: str, suggestion: str) -> ScoreError:
    """The error for an event that cannot be scored."""
    return ScoreError([Problem(None, f"事件 {event.event[:60]}", what, suggestion)])


def compile_shape(item: Item) -> Measure:
    """The measuring function of an item. It raises ScoreError; only that of Tiers with `over` remembers."""
    shape = item.points
    if isinstance(shape, Fixed):
        return _fixed(item, shape)
    if isinstance(shape, PerUnit):
        return _per_unit(item, shape)
    if isinstance(shape, Tiers):
        return _tiers(item, shape) if shape.over is None else _tiers_over(item, shape, shape.over)
    if isinstance(shape, Grades):
        return _grades(item, shape)
    return _range(item, shape)


def owner_of(item: Item, event: Event) -> str | tuple[str, str]:
    """Who a cap of this item binds: the account, or one resident of it."""
    return (event.account, event.resident or "") if item.per == "resident" else event.account


def _scaled(event: Event, item: Item, of: str) -> int:
    quantity = event.quantity
    if quantity is None:
        raise wrong(event, f"“{item.title}”要写数量（{of}）", "请在 quantity 一栏填上数字")
    if not quantity.is_finite() or not 0 <= quantity <= QUANTITY_MAX:
        raise wrong(event, f"“{item.title}”的数量 {quantity} 不对", f"请填 0 至 {QUANTITY_MAX} 的数字")
    exact = quantity * SCALE
    scaled = int(exact)
    if scaled != exact:
        raise wrong(event, f"“{item.title}”的数量 {quantity} 太细", "最多四位小数")
    return scaled


def _amount(scaled: int) -> str:
    return str(scaled // SCALE) if scaled % SCALE == 0 else format_quantity(Decimal(scaled) / SCALE)


def _unused(event: Event, item: Item, *, quantity: bool = True) -> list[str]:
    """Say so where a value was given that this item does not look at: never drop it silently."""
    notes = []
    if event.points is not None:
        notes.append(f"此项分值由细则定，填写的 {format_points(event.points)} 分不用")
    if quantity and event.quantity is not None and event.quantity != 1:
        notes.append(f"此项按次记分，填写的数量 {format_quantity(event.quantity)} 不用")
    if event.grade is not None and not isinstance(item.points, Grades):
        notes.append(f"此项不分等级，填写的等级“{event.grade}”不用")
    return notes


def _fixed(item: Item, shape: Fixed) -> Measure:
    points, text = shape.points, f"{item.title}：{format_points(shape.points)} 分"

    def measure(event: Event) -> tuple[int, list[str]]:
        if event.quantity is None and event.points is None and event.grade is None:
            return points, [text]
        return points, [text, *_unused(event, item)]

    return measure


def _per_unit(item: Item, shape: PerUnit) -> Measure:
    each, per, of = shape.each, int(shape.per * SCALE), shape.of
    size = None if shape.max is None else abs(shape.max)
    rule = f"每 {format_quantity(shape.per)} {of} {format_points(each)} 分"
    most = "" if size is None else f"单次最多{'扣' if each < 0 else '记'} {format_points(size)} 分"
    remark, rounding, title = _REMARKS[shape.round], shape.round, item.title

    def measure(event: Event) -> tuple[int, list[str]]:
        quantity = _scaled(event, item, of)
        units, rest = divmod(quantity, per)
        note = f"，{remark}" if rest else ""
        if rest and (rounding == "up" or (rounding == "half_up" and 2 * rest >= per)):
            units += 1
        points = units * each
        why = [f"{title}：{_amount(quantity)} {of}，{rule}{note}，计 {format_points(points)} 分"]
        if size is not None and not -size <= points <= size:
            points = size if points > 0 else -size
            why.append(f"{most}，计 {format_points(points)} 分")
        if event.points is not None or event.grade is not None:
            why += _unused(event, item, quantity=False)
        return points, why

    return measure


def _steps(shape: Tiers) -> tuple[list[int], list[int], list[str]]:
    starts = [int(tier.from_ * SCALE) for tier in shape.tiers]
    return starts, [tier.points for tier in shape.tiers], [_amount(start) for start in starts]


def _tiers(item: Item, shape: Tiers) -> Measure:
    starts, points, names = _steps(shape)
    title, of = item.title, shape.of

    def measure(event: Event) -> tuple[int, list[str]]:
        quantity = _scaled(event, item, of)
        step = bisect_right(starts, quantity) - 1
        if step < 0:
            got, why = 0, [f"{title}：{_amount(quantity)} {of}，不到 {names[0]} {of}，0 分"]
        else:
            got = points[step]
            why = [
                f"{title}：{_amount(quantity)} {of}，达到 {names[step]} {of}这一档，{format_points(got)} 分"
            ]
        return got, why + _unused(event, item, quantity=False)

    return measure


def _tiers_over(item: Item, shape: Tiers, over: str) -> Measure:
    starts, points, names = _steps(shape)
    codes, this, title, of = Codes(over), THIS[over], item.title, shape.of
    reached: dict[tuple[str | tuple[str, str], str], tuple[int, int]] = {}  # owner, period → quantity, points

    def measure(event: Event) -> tuple[int, list[str]]:
        added = _scaled(event, item, of)
        key = (owner_of(item, event), codes[event.occurred_on])
        before, posted = reached.get(key, (0, 0))
        quantity = before + added
        step = bisect_right(starts, quantity) - 1
        due = points[step] if step >= 0 else 0
        reached[key] = (quantity, due)
        tier = f"达到 {names[step]} {of}这一档" if step >= 0 else f"还不到 {names[0]} {of}"
        so_far = this if over == "ever" else f"{this}累计"
        why = [
            f"{title}：本次 {_amount(added)} {of}，{so_far} {_amount(quantity)} {of}，{tier}",
            f"应得 {format_points(due)} 分，前面已计 {format_points(posted)} 分，"
            f"本次补差 {format_points(due - posted)} 分",
        ]
        return due - posted, why + _unused(event, item, quantity=False)

    return measure


def _grades(item: Item, shape: Grades) -> Measure:
    known = {
        grade: (points, f"{item.title}：评为“{grade}”，{format_points(points)} 分")
        for grade, points in shape.grades.items()
    }

    def measure(event: Event) -> tuple[int, list[str]]:
        found = known.get(event.grade or "")
        if found is None:
            names = f"可以填：{'、'.join(known)}"
            if not event.grade:
                raise wrong(event, f"“{item.title}”要写评定的等级", names)
            near = nearest(event.grade, known)
            hint = f"是不是“{near}”？{names}" if near else names
            raise wrong(event, f"“{item.title}”没有“{event.grade[:30]}”这个等级", hint)
        if event.quantity is None and event.points is None:
            return found[0], [found[1]]
        return found[0], [found[1], *_unused(event, item)]

    return measure


def _range(item: Item, shape: Range) -> Measure:
    low, high, title = shape.min, shape.max, item.title
    span = f"{format_points(low)} 至 {format_points(high)} 分"

    def measure(event: Event) -> tuple[int, list[str]]:
        points = event.points
        if points is None:
            raise wrong(event, f"“{title}”要写评议定下的分数", f"请在 points 一栏填 {span}之间的数")
        if not low <= points <= high:
            raise wrong(event, f"“{title}”的分数 {format_points(points)} 超出范围", f"只能在 {span}之间")
        why = [f"{title}：评议定为 {format_points(points)} 分（可评 {span}）"]
        if event.quantity is not None and event.quantity != 1:
            why.append(f"此项由评议定分，填写的数量 {format_quantity(event.quantity)} 不用")
        return points, why

    return measure
