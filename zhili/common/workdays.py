"""Working days, by which a village's deadlines run (公示不少于五个工作日).

What counts: the day of opening never does. Day 1 is the first working day AFTER it; a notice opened on
Friday for 5 working days runs through the next Friday, and closes when that day ends. Saturdays and Sundays
do not count unless the State Council made them working days (调休); public holidays do not count.

The public table (chinesecalendar) knows 2004 to 2026. Outside those years Monday to Friday count, and the
county keys in the yearly holiday circular: `overrides` maps a date to True (works) or False (rests) and
always wins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import chinese_calendar

from zhili.common.errors import ZhiliError

NO_OVERRIDES: Final[Mapping[date, bool]] = MappingProxyType({})
MAX_WORKDAYS: Final = 2_000
"""About eight years; a longer deadline is a typing mistake."""


class WorkdayError(ZhiliError):
    """A number of working days that cannot be meant."""


def is_workday(day: date, overrides: Mapping[date, bool] = NO_OVERRIDES) -> bool:
    """Whether offices work on this day in China."""
    known = overrides.get(day)
    return _by_table(day) if known is None else known


def table_covers(year: int) -> bool:
    """Whether the public holiday table knows this year; if not, the county should key in its holidays."""
    return _years()[0] <= year <= _years()[1]


def add_workdays(day: date, n: int, overrides: Mapping[date, bool] = NO_OVERRIDES) -> date:
    """The n-th working day after `day` (n = 0: `day` itself). Raises WorkdayError for n < 0 or too many."""
    if not 0 <= n <= MAX_WORKDAYS:
        raise WorkdayError(f"工作日天数 {n} 不对", hint=f"请填 0 到 {MAX_WORKDAYS} 之间的整数。")
    # Overrides may declare every day a holiday; the bound keeps a wrong table from looping for ever.
    last = day + timedelta(days=n * 3 + 60)
    while n:
        day += timedelta(days=1)
        n -= is_workday(day, overrides)
        if day > last:
            raise WorkdayError(f"到 {last:%Y-%m-%d} 还数不够工作日", hint="请检查节假日设置。")
    return day


def workdays_between(start: date, end: date, overrides: Mapping[date, bool] = NO_OVERRIDES) -> int:
    """How many working days lie after `start` up to and including `end`; 0 if end is not after start.

    The inverse of add_workdays: workdays_between(d, add_workdays(d, n)) == n.
    """
    days = (end - start).days
    return sum(is_workday(start + timedelta(days=n), overrides) for n in range(1, days + 1))


@lru_cache(maxsize=16_384)
def _by_table(day: date) -> bool:
    if isinstance(day, datetime):
        raise WorkdayError("工作日按日期计算，不能带时刻", hint="请先换成当地日期。")
    if table_covers(day.year):
        return bool(chinese_calendar.is_workday(day))
    return day.weekday() < 5


@lru_cache(maxsize=1)
def _years() -> tuple[int, int]:
    table = chinese_calendar.constants.holidays
    return min(table).year, max(table).year
