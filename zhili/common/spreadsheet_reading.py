"""A guarded .xlsx → its visible sheets. Called in the limited worker (spreadsheet_worker.py), which knows no Django."""

from __future__ import annotations

import io
from dataclasses import dataclass
from dataclasses import field as item
from datetime import date, time, timedelta
from typing import Final
from xml.etree.ElementTree import Element, ParseError

import python_calamine
from defusedxml.ElementTree import fromstring

from zhili.common.spreadsheet_cells import Cell, CellKind, CellValue
from zhili.common.spreadsheet_guard import (
    Limits,
    Scan,
    SheetScan,
    SpreadsheetError,
    column_letters,
    guard,
)


@dataclass(slots=True)
class Sheet:
    """One visible worksheet; rows as they stand, row 0 first, short rows not filled up."""

    title: str
    rows: list[list[Cell]]
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()


@dataclass(slots=True)
class Book:
    """A file's visible worksheets that hold anything, and what its sender should be told."""

    sheets: list[Sheet]
    remarks: list[str] = item(default_factory=list)

    @property
    def first(self) -> Sheet:
        return self.sheets[0]


def read_xlsx(data: bytes, limits: Limits, *, without: str = "") -> Book:
    """Guard, then parse, in this process. without: title of a sheet of our own templates that is no data."""
    scan = guard(data, limits)
    parts = _parts(scan)
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(data))
        book = Book([], [f"表格里有 {scan.pictures} 张图片，没有读取。"] if scan.pictures else [])
        if len(workbook.sheet_names) != len(parts):
            raise ValueError("two readings of the workbook differ")
        for place, (title, part, hidden) in enumerate(parts):
            if part not in scan.sheets or title == without:
                continue
            if hidden:
                book.remarks.append(f"工作表“{title}”是隐藏的，没有读取。")
                continue
            sheet = _sheet(workbook.get_sheet_by_index(place), title, scan.sheets[part])
            if sheet.rows:
                book.sheets.append(sheet)
                book.remarks += _remarks(title, scan.sheets[part])
    except (python_calamine.CalamineError, OSError, ValueError, OverflowError) as error:
        raise SpreadsheetError("这个表格打不开", hint="请用 Excel 或 WPS 另存为 .xlsx 再上传。") from error
    if len(book.sheets) > 1:
        others = "、".join(f"“{sheet.title}”" for sheet in book.sheets[1:])
        book.remarks.append(f"只看第一张工作表“{book.first.title}”，另外还有：{others}。")
    return book


def _sheet(source: python_calamine.CalamineSheet, title: str, scan: SheetScan) -> Sheet:
    formulas = scan.formulas
    if scan.unplaced_formulas:
        raise SpreadsheetError(
            f"工作表“{title}”里有公式，不能导入", hint="请复制后“选择性粘贴为数值”，再上传。"
        )
    rows = []
    for n, values in enumerate(source.to_python(skip_empty_area=False)):
        row = [Cell(*_typed(value), n, m) for m, value in enumerate(values)]
        rows.append(row)
    for n, m in formulas:
        while n >= len(rows):
            rows.append([])
        rows[n] += [Cell(None, "empty", n, k) for k in range(len(rows[n]), m + 1)]
        rows[n][m] = Cell(None, "formula", n, m)
    hidden = frozenset(k for first, last in scan.hidden_columns for k in range(first, min(last, 1_000) + 1))
    return Sheet(title, rows, frozenset(n for n in scan.hidden_rows if n < len(rows)), hidden)


_ERRORS: Final = frozenset(["#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#DATA!"])


def _typed(value: object) -> tuple[CellValue, CellKind]:
    if value == "":
        return None, "empty"
    if isinstance(value, str):
        return (value, "error") if value in _ERRORS else (value, "text")
    if isinstance(value, bool):
        return value, "bool"
    if isinstance(value, (int, float)):
        return float(value), "number"
    if isinstance(value, (date, time, timedelta)):
        return value, "date"
    return str(value), "text"


def _parts(scan: Scan) -> list[tuple[str, str, bool]]:
    """(Title, part name, hidden) of every sheet, in the workbook's order, by its own relations."""
    try:
        relations = {
            node.get("Id"): node.get("Target", "")
            for node in _children(fromstring(scan.rels), "Relationship")
        }
        found = []
        for node in _children(fromstring(scan.workbook), "sheet"):
            ids = [value for key, value in node.attrib.items() if key.endswith("}id")]
            target = relations.get(ids[0], "").lower() if ids else ""
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            found.append((node.get("name", ""), part, node.get("state", "visible") != "visible"))
    except (ParseError, ValueError) as error:
        raise SpreadsheetError("这个表格打不开", hint="请用 Excel 或 WPS 另存为 .xlsx 再上传。") from error
    return found


def _children(root: Element, name: str) -> list[Element]:
    return [node for node in root.iter() if node.tag.rpartition("}")[2] == name]


def _remarks(title: str, scan: SheetScan) -> list[str]:
    said = []
    if scan.merged:
        where = f"{len(scan.merged)} 处合并单元格（{'、'.join(scan.merged[:3])}）"
        said.append(f"工作表“{title}”有 {where}，只有左上角的格子有内容。")
    if scan.hidden_rows:
        first = "、".join(str(n + 1) for n in sorted(scan.hidden_rows)[:5])
        said.append(
            f"工作表“{title}”有 {len(scan.hidden_rows)} 行是隐藏的（第 {first} 行），请确认要不要导入。"
        )
    if scan.hidden_columns:
        first = "、".join(column_letters(first) for first, _ in scan.hidden_columns[:5])
        said.append(f"工作表“{title}”有隐藏的列（{first} 列起），请确认要不要导入。")
    return said
