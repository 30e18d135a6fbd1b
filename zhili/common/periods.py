"""The periods a village settles by: the day, the week from Monday, the month, two months (Jan–Feb …), the
quarter, the half year, the year, and ever. All dates are local dates in Asia/Shanghai.

Every period has a code that sorts within its kind and is printed on posters:
2022-07-15, 2022-W27 (ISO week and ISO year), 2022-07, 2022-B4, 2022-Q3, 2022-H2, 2022, ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, cast, get_args
from zoneinfo import ZoneInfo

from zhili.common import clock
from zhili.common.errors import ZhiliError

Kind = Literal["day", "week", "month", "two_months", "quarter", "half_year", "year", "ever"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
KIND_TITLES: Final[dict[str, str]] = {
    "day": "每天", "week": "每周", "month": "每月", "two_months": "每两个月",
    "quarter": "每季度", "half_year": "每半年", "year": "每年", "ever": "累计",
}  # fmt: skip
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

_MONTHS: Final = {"month": 1, "two_months": 2, "quarter": 3, "half_year": 6, "year": 12}
_LETTERS: Final = {"B": "two_months", "Q": "quarter", "H": "half_year"}
_CODE: Final = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?:W(?P<week>[0-9]{2})|(?P<letter>[BQH])(?P<n>[0-9])"
    r"|(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?))?"
)
_COUNT: Final = "零一二三四五六"


class PeriodError(ZhiliError):
    """A period code, kind or date that does not exist."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One settled stretch of days; `end` is inclusive. Periods of one kind sort by time."""

    start: date
    end: date
    kind: Kind = field(compare=True)
    code: str = field(compare=False)

    @property
    def title(self) -> str:
        """In words, as on a poster: 2022年第三季度."""
        return _title(self)

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day <= self.end

    def __str__(self) -> str:
        return self.code


EVER: Final = Period(start=date.min, end=date.max, kind="ever", code="ever")


@lru_cache(maxsize=65_536)
def period_of(day: date, kind: str) -> Period:
    """The period of this kind that holds the day. Raises PeriodError for an unknown kind.

    Called for every event of a replay, hence the cache: 30 years of days in every kind fit.
    """
    if isinstance(day, datetime):
        raise PeriodError("周期按日期计算，不能带时刻", hint="请先用 local_date 换成当地日期。")
    if kind == "ever":
        return EVER
    if kind == "day":
        return Period(start=day, end=day, kind="day", code=day.isoformat())
    if kind == "week":
        year, week, weekday = day.isocalendar()
        monday = day - timedelta(days=weekday - 1)
        return Period(
            start=monday, end=monday + timedelta(days=6), kind="week", code=f"{year:04d}-W{week:02d}"
        )
    if kind in _MONTHS:
        return _by_months(day.year, (day.month - 1) // _MONTHS[kind], cast(Kind, kind))
    raise PeriodError(f"没有“{kind}”这种周期", hint=f"可用：{'、'.join(KINDS)}。")


def parse_code(code: str) -> Period:
    """Period code → Period; the inverse of `.code`. Raises PeriodError."""
    if code == "ever":
        return EVER
    found = _CODE.fullmatch(code) if isinstance(code, str) else None
    if found is None:
        raise _unknown(code)
    year = int(found["year"])
    try:
        if found["week"]:
            return period_of(date.fromisocalendar(year, int(found["week"]), 1), "week")
        if found["letter"]:
            kind = _LETTERS[found["letter"]]
            length, n = _MONTHS[kind], int(found["n"])
            return period_of(date(year, (n - 1) * length + 1, 1), kind)
        if found["day"]:
            return period_of(date(year, int(found["month"]), int(found["day"])), "day")
        if found["month"]:
            return period_of(date(year, int(found["month"]), 1), "month")
        return period_of(date(year, 1, 1), "year")
    except ValueError as error:
        raise _unknown(code) from error


def next_period(period: Period) -> Period:
    """The period of the same kind that starts the day after. Raises PeriodError for `ever`."""
    return period_of(_step(period, period.end, 1), period.kind)


def previous_period(period: Period) -> Period:
    """The period of the same kind that ends the day before. Raises PeriodError for `ever`."""
    return period_of(_step(period, period.start, -1), period.kind)


def periods_between(first: date, last: date, kind: str) -> list[Period]:
    """Every period of this kind that touches first…last (both inclusive), in order."""
    if first > last:
        return []
    found = [period_of(first, kind)]
    while found[-1].end < last:
        found.append(next_period(found[-1]))
    return found


def local_date(moment: datetime) -> date:
    """The date on the village's calendar at this aware moment. Raises PeriodError for a naive one."""
    if moment.tzinfo is None:
        raise PeriodError("时刻没有写时区，无法算出当地日期", hint="请使用带时区的时间。")
    return moment.astimezone(SHANGHAI).date()


def today() -> date:
    """Today in Asia/Shanghai, whatever the server's clock zone is."""
    return clock.now().astimezone(SHANGHAI).date()


def _step(period: Period, edge: date, days: int) -> date:
    if period.kind == "ever":
        raise PeriodError("“累计”没有上一期和下一期", hint="请选择按月、按季度等周期。")
    return edge + timedelta(days=days)


def _by_months(year: int, index: int, kind: Kind) -> Period:
    length = _MONTHS[kind]
    start = date(year, index * length + 1, 1)
    after = index * length + 1 + length
    end = date(year, 12, 31) if after > 12 else date(year, after, 1) - timedelta(days=1)
    code = {
        "month": f"{year:04d}-{index + 1:02d}",
        "two_months": f"{year:04d}-B{index + 1}",
        "quarter": f"{year:04d}-Q{index + 1}",
        "half_year": f"{year:04d}-H{index + 1}",
        "year": f"{year:04d}",
    }[kind]
    return Period(start=start, end=end, kind=kind, code=code)


def _title(period: Period) -> str:
    start, year = period.start, f"{period.start.year}年"
    if period.kind == "ever":
        return "累计"
    if period.kind == "day":
        return f"{year}{start.month}月{start.day}日"
    if period.kind == "week":
        return f"{period.code[:4]}年第{int(period.code[6:])}周"
    if period.kind == "month":
        return f"{year}{start.month}月"
    if period.kind == "two_months":
        return f"{year}{start.month}—{period.end.month}月"
    if period.kind == "quarter":
        return f"{year}第{_COUNT[(start.month + 2) // 3]}季度"
    if period.kind == "half_year":
        return year + ("上半年" if start.month == 1 else "下半年")
    return f"{year}度"


def _unknown(code: object) -> PeriodError:
    return PeriodError(
        f"没有“{str(code)[:20]}”这个周期",
        hint="请写成 2022-07-15、2022-W27、2022-07、2022-B4、2022-Q3、2022-H2、2022 或 ever。",
    )
