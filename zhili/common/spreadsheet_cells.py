"""One cell, and what it can be read as (F-06, U-51): text, code, date, points, whole number.

Every refusal names the cell by its address and says what to write instead.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple

from zhili.common.points import PointsError, parse_points
from zhili.common.spreadsheet_guard import SpreadsheetError, column_letters

CellKind = Literal["text", "number", "date", "bool", "formula", "error", "empty"]
CellValue = str | float | bool | date | datetime | time | timedelta | None


class Cell(NamedTuple):
    """One cell; row and column count from 0. The value of a formula or an empty cell is None."""

    value: CellValue
    kind: CellKind
    row: int
    column: int

    @property
    def ref(self) -> str:
        """Its address as Excel says it: C5."""
        return f"{column_letters(self.column)}{self.row + 1}"

    @property
    def text(self) -> str:
        """What a person sees, tidied: NFKC, no white space at the ends; whole numbers without .0."""
        if isinstance(self.value, str):
            return tidy(self.value)
        if isinstance(self.value, bool):
            return "是" if self.value else "否"
        if isinstance(self.value, float):
            return str(int(self.value)) if self.value.is_integer() else repr(self.value)
        if isinstance(self.value, datetime) and self.value.time() == time():
            return self.value.date().isoformat()
        return "" if self.value is None else str(self.value)


def as_text(cell: Cell) -> str:
    """Tidied text of a cell ("" if empty); a formula or #N/A is refused."""
    _refuse_unreadable(cell)
    text = cell.text
    # The apostrophe our own exports put before a dangerous first character (F-05) comes off again.
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text


def as_code(cell: Cell) -> str:
    """Text of an ID, phone or bank column (F-06): a number cell is refused, Excel has rounded it."""
    _refuse_unreadable(cell)
    if cell.kind == "number" or re.fullmatch(r"[0-9.]+[Ee]\+?[0-9]+", cell.text):
        raise _at(cell, "是数字格式，Excel 可能已经改掉了后几位", "请把这一列设为文本格式后重新填写。")
    if cell.kind in ("date", "bool"):
        raise _at(cell, "不是文本", "请把这一列设为文本格式后重新填写。")
    return re.sub(r"\s", "", as_text(cell))


def as_date(cell: Cell) -> date | None:
    """A date cell, or text such as 2026-3-5, 2026/03/05, 2026年3月5日, 20260305; None if empty."""
    _refuse_unreadable(cell)
    if isinstance(cell.value, datetime):
        found: date | None = cell.value.date()
    elif isinstance(cell.value, date):
        found = cell.value
    elif not cell.text:
        return None
    else:
        found = _date_of(cell)
    if found is None or not 1900 <= found.year <= 2100:
        raise _at(cell, f"“{cell.text[:20]}”不是日期", "请写成 2026-03-05。")
    return found


def as_points(cell: Cell) -> int:
    """An amount of points → hundredths (L-02); a number cell must be exact to two places."""
    _refuse_unreadable(cell)
    try:
        return parse_points(cell.text)
    except PointsError as error:
        raise _at(cell, error.message, error.hint) from error


def as_int(cell: Cell) -> int | None:
    """A whole number; None if empty."""
    _refuse_unreadable(cell)
    text = cell.text
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise _at(cell, f"“{text[:20]}”不是整数", "请只写数字。")
    return int(text)


_DATE: Final = re.compile(
    r"([0-9]{4})(?:[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})[日号]?|([0-9]{2})([0-9]{2}))"
    r"(?:[ T]?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\.0+)?)?"
)


def _date_of(cell: Cell) -> date | None:
    text = re.sub(r"\s*([-/.年月日])\s*", r"\1", cell.text)
    if re.fullmatch(r"[0-9]{1,2}[-/.月][0-9]{1,2}[日号]?", text):
        raise _at(cell, f"“{text}”没有写年份", "请写成 2026-03-05。")
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups() if part)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _refuse_unreadable(cell: Cell) -> None:
    if cell.kind == "formula":
        raise _at(cell, "是公式", "请复制后“选择性粘贴为数值”。")
    if cell.kind == "error":
        raise _at(cell, f"是错误值 {cell.value}", "请改成正确的内容。")


def _at(cell: Cell, what: str, hint: str) -> SpreadsheetError:
    where = f"{cell.ref}（第 {cell.row + 1} 行 {column_letters(cell.column)} 列）"
    return SpreadsheetError(f"{where}{what}", hint=hint, cells=(cell.ref,))


def tidy(text: str) -> str:
    """NFKC, nothing invisible, no white space at the ends."""
    return unicodedata.normalize("NFKC", text).replace("\u200b", "").replace("\ufeff", "").strip()
