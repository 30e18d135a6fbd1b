"""What goes into the calculator and what comes out: events, results, and their CSV and JSON forms.

An event is one thing somebody did, as the village wrote it down: who, which item, which day, how much. The
CSV file is what clerks and other programs hand over; the JSON document is what `zhili rulebook score` prints.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from zhili.common.points import PointsError, format_points, parse_points
from zhili.rulebook.errors import Problem, ScoreError
from zhili.rulebook.reading import clean_text, narrow, nearest, parse_quantity

EVENTS_MAX: Final = 1_000_000
EVENTS_BYTES_MAX: Final = 200_000_000
FIELD_MAX: Final = 200
COLUMNS: Final = ("event", "account", "resident", "item", "occurred_on", "quantity", "grade", "points")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
REQUIRED: Final = ("event", "account", "item", "occurred_on")


@dataclass(frozen=True, slots=True)
class Event:
    """event: its id, unique in a run, decides the order within a day. account: who holds the points.
    resident: who did it, for items capped per resident. quantity, grade, points (hundredths): what the
    item's shape asks for."""

    event: str
    account: str
    resident: str | None
    item: str
    occurred_on: date
    quantity: Decimal | None = None
    grade: str | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """One event's result in hundredths. raw: what the item gives; awarded: what is left after caps and
    floors; why: the steps in words, never empty."""

    event: str
    raw: int
    awarded: int
    why: list[str]


@dataclass(frozen=True, slots=True)
class Total:
    """Opening points plus awards of one account in one settlement period and purse, in hundredths."""

    account: str
    period: str
    purse: str
    points: int


@dataclass(frozen=True, slots=True)
class Result:
    """events in the order in which they counted; totals by account, period, purse as the book lists them."""

    events: list[Scored]
    totals: list[Total]


def read_events(text: str | bytes, source: str = "") -> list[Event]:
    """CSV text (UTF-8, a byte order mark is fine) → events. Raises ScoreError naming every bad row."""
    rows = csv.reader(io.StringIO(_decode(text, source)), strict=True)
    problems: list[Problem] = []
    events: list[Event] = []
    days: dict[str, date] = {}
    try:
        columns = _columns(next(rows, []), source)
        for row in rows:
            if not any(row):
                continue
            if len(events) >= EVENTS_MAX:
                raise ScoreError(f"事件超过 {EVENTS_MAX} 条", source=source, hint="请按年份分成几个文件")
            try:
                events.append(_event(row, columns, days))
            except ValueError as error:
                what, _, hint = str(error).partition("|")
                problems.append(Problem(rows.line_num, "", what, hint))
    except csv.Error as error:
        problems.append(Problem(rows.line_num, "", "这一行的引号或换行不对", "请用 Excel 另存为“CSV UTF-8”"))
        raise ScoreError(problems, source=source) from error
    if problems:
        raise ScoreError(problems, source=source)
    return events


def _decode(text: str | bytes, source: str) -> str:
    if len(text) > EVENTS_BYTES_MAX:
        raise ScoreError(
            f"事件文件超过 {EVENTS_BYTES_MAX // 1_000_000} MB", source=source, hint="请按年份分成几个文件"
        )
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScoreError(
            "事件文件不是 UTF-8 编码", source=source, hint="请用 Excel 另存为“CSV UTF-8”"
        ) from error  # fmt: skip


def _columns(header: list[str], source: str) -> dict[str, int]:
    names = [clean_text(name) for name in header]
    problems = []
    for name in names:
        if name not in COLUMNS:
            near = nearest(name, COLUMNS)
            hint = f"是不是“{near}”？" if near else f"可用的列：{'、'.join(COLUMNS)}"
            problems.append(Problem(1, "", f"不认识的列“{name[:40]}”", hint))
    problems += [Problem(1, "", f"缺少“{name}”这一列", "请补上") for name in REQUIRED if name not in names]
    if len(set(names)) < len(names):
        problems.append(Problem(1, "", "有重复的列", "每列只留一个"))
    if problems:
        raise ScoreError(problems, source=source)
    return {name: index for index, name in enumerate(names)}


def _event(row: list[str], columns: Mapping[str, int], days: dict[str, date]) -> Event:
    """Raises ValueError with "what|hint"."""
    if len(row) > len(columns) and any(row[len(columns) :]):
        raise ValueError("这一行的列比表头多|文字里有逗号的要加引号")
    cells: dict[str, str] = {}
    for name, index in columns.items():
        cell = row[index].strip() if index < len(row) else ""
        if len(cell) > FIELD_MAX:
            raise ValueError(f"“{name}”太长|最多 {FIELD_MAX} 个字")
        cells[name] = cell
    for name in REQUIRED:
        if not cells[name]:
            raise ValueError(f"“{name}”没有填|请补上")
    day = days.get(cells["occurred_on"])
    if day is None:
        day = days[cells["occurred_on"]] = _day(cells["occurred_on"])
    quantity, points = cells.get("quantity"), cells.get("points")
    try:
        return Event(
            event=cells["event"],
            account=cells["account"],
            resident=cells.get("resident") or None,
            item=cells["item"],
            occurred_on=day,
            quantity=parse_quantity(quantity) if quantity else None,
            grade=cells.get("grade") or None,
            points=parse_points(points) if points else None,
        )
    except PointsError as error:
        raise ValueError(f"{error.message}|{error.hint}") from error


def _day(text: str) -> date:
    plain = narrow(text)
    try:
        if _DAY.fullmatch(plain):
            return date.fromisoformat(plain)
    except ValueError:
        pass
    raise ValueError(f"“{text[:20]}”不是日期|请写成 2022-07-01 这样")


def result_json(result: Result) -> dict[str, Any]:
    """The result as one JSON-ready document; points are decimal strings in their shortest form."""
    return {
        "events": [
            {
                "event": scored.event,
                "raw": format_points(scored.raw),
                "awarded": format_points(scored.awarded),
                "why": scored.why,
            }
            for scored in result.events
        ],
        "totals": [
            {
                "account": total.account,
                "period": total.period,
                "purse": total.purse,
                "points": format_points(total.points),
            }
            for total in result.totals
        ],
    }
