"""Tables as village cadres have them: read safely, understood kindly, written neatly (F-04…F-08, U-50…U-52).

Reading never guesses. A cell knows whether it was text or a number in Excel, because an ID number typed as
a number has already lost its last digits; a formula is refused with its address, because its shown value is
whatever was cached; hidden sheets are not read, and hidden rows, merged cells and further sheets are said
aloud in `Book.remarks`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as item
from datetime import date, time, timedelta
from typing import Final, Literal
from xml.etree.ElementTree import Element, ParseError

import python_calamine
from defusedxml.ElementTree import fromstring

from zhili.common.spreadsheet_cells import Cell as Cell
from zhili.common.spreadsheet_cells import CellKind as CellKind
from zhili.common.spreadsheet_cells import CellValue as CellValue
from zhili.common.spreadsheet_cells import as_code as as_code
from zhili.common.spreadsheet_cells import as_date as as_date
from zhili.common.spreadsheet_cells import as_int as as_int
from zhili.common.spreadsheet_cells import as_points as as_points
from zhili.common.spreadsheet_cells import as_text as as_text
from zhili.common.spreadsheet_cells import tidy
from zhili.common.spreadsheet_guard import Limits as Limits
from zhili.common.spreadsheet_guard import Scan, SheetScan, column_letters, guard
from zhili.common.spreadsheet_guard import SpreadsheetError as SpreadsheetError
from zhili.common.spreadsheet_writing import CHOICES_SHEET
from zhili.common.spreadsheet_writing import Column as Column
from zhili.common.spreadsheet_writing import SheetOut as SheetOut
from zhili.common.spreadsheet_writing import safe_filename as safe_filename
from zhili.common.spreadsheet_writing import write_workbook as write_workbook


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


@dataclass(slots=True)
class HeaderMatch:
    """Where the header stands and which column is which. row: index into the rows given, -1 if none was
    found.
    """

    row: int
    columns: dict[str, int]
    missing: list[str]
    extra: list[str]
    titles: dict[str, str]

    def require(self, *keys: str) -> None:
        """Raise SpreadsheetError naming the columns that are not there."""
        lacking = [self.titles.get(key, key) for key in keys if key not in self.columns]
        if lacking and not self.columns:
            raise SpreadsheetError(
                f"没有找到表头，应有：{'、'.join(lacking)}", hint="请用模板填写，或把表头放在前 20 行里。"
            )
        if lacking:
            raise SpreadsheetError(
                f"第 {self.row + 1} 行表头里缺少：{'、'.join(lacking)}", hint="请补上这几列的列名。"
            )

    def get(self, row: Sequence[Cell], key: str) -> Cell:
        """The cell of a data row under a key; an empty cell if the column or the cell is not there."""
        column = self.columns.get(key, -1)
        if 0 <= column < len(row):
            return row[column]
        return Cell(None, "empty", row[0].row if row else 0, max(column, 0))


def read_workbook(
    data: bytes,
    filename: str,
    *,
    limits: Limits | None = None,
    formulas: Literal["refuse", "mark"] = "refuse",
) -> Book:
    """An uploaded .xlsx or .csv → Book. Raises SpreadsheetError in words a clerk can act on.

    formulas: "refuse" stops at the first formulas with their addresses; "mark" keeps them as cells of kind
    formula without a value (the readers below refuse them one by one), for a dry run that lists every
    fault."""
    limits = limits or Limits()
    if not data:
        raise SpreadsheetError("文件是空的", hint="请检查后重新上传。")
    if len(data) > limits.file_bytes:
        raise SpreadsheetError(
            f"文件有 {len(data) / 1048576:.0f} MB，最大 {limits.file_bytes // 1048576} MB",
            hint="请分成几个文件导入。",
        )
    name = filename.lower()
    if data.startswith((b"PK", b"\xd0\xcf\x11\xe0")) or not name.endswith((".csv", ".txt")):
        book = _read_xlsx(data, limits)
    else:
        book = _read_csv(data, limits)
    if not book.sheets:
        raise SpreadsheetError("表格里没有内容", hint="请检查是不是传错了文件。")
    if formulas == "refuse":
        refuse_formulas(book)
    return book


def refuse_formulas(book: Book) -> None:
    """Raise SpreadsheetError with the addresses of the first formula cells, if there are any."""
    for sheet in book.sheets:
        found = [cell for row in sheet.rows for cell in row if cell.kind == "formula"]
        if found:
            shown = "、".join(f"{cell.ref}（第 {cell.row + 1} 行）" for cell in found[:5])
            more = f"等 {len(found)} 处" if len(found) > 5 else ""
            raise SpreadsheetError(
                f"工作表“{sheet.title}”里 {shown}{more}是公式，不能导入",
                hint="请选中这些格子，复制后“选择性粘贴为数值”，再上传。",
                cells=tuple(cell.ref for cell in found[:100]),
            )


def find_header(rows: Sequence[Sequence[Cell]], wanted: Mapping[str, Sequence[str]]) -> HeaderMatch:
    """Find the header among the first 20 rows. wanted: key → names of the column, the first is the usual
    one.

    Title rows above, further columns, line breaks, spaces, stars and （必填） in heads are all fine; under
    a merged head (家庭成员 over 姓名) both 姓名 and 家庭成员姓名 are understood."""
    names = {_head(name): key for key, synonyms in wanted.items() for name in synonyms}
    titles = {key: synonyms[0] for key, synonyms in wanted.items()}
    best = HeaderMatch(-1, {}, list(wanted), [], titles)
    for n, row in enumerate(rows[:20]):
        columns: dict[str, int] = {}
        extra: list[str] = []
        over = _carried(rows[n - 1]) if n else {}
        for cell in row:
            own = _head(cell.text) if cell.kind != "empty" else ""
            key = names.get(over.get(cell.column, "") + own) or names.get(own)
            if own and key and key not in columns:
                columns[key] = cell.column
            elif own:
                extra.append(cell.text)
        if len(columns) > len(best.columns):
            missing = [key for key in wanted if key not in columns]
            best = HeaderMatch(n, columns, missing, extra, titles)
    return best


def _read_xlsx(data: bytes, limits: Limits) -> Book:
    scan = guard(data, limits)
    parts = _parts(scan)
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(data))
        book = Book([], [f"表格里有 {scan.pictures} 张图片，没有读取。"] if scan.pictures else [])
        if len(workbook.sheet_names) != len(parts):
            raise ValueError("two readings of the workbook differ")
        for place, (title, part, hidden) in enumerate(parts):
            if part not in scan.sheets or title == CHOICES_SHEET:
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


def _read_csv(data: bytes, limits: Limits) -> Book:
    text = _decode(data)
    first = text.split("\n", 1)[0]
    comma = max(",\t;，", key=first.count)
    rows: list[list[Cell]] = []
    try:
        for n, values in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=comma)):
            if n >= limits.rows:
                raise SpreadsheetError(f"文件超过 {limits.rows} 行", hint="请分成几个文件导入。")
            if len(values) > limits.columns:
                raise SpreadsheetError(f"第 {n + 1} 行超过 {limits.columns} 列", hint="请检查分隔符。")
            rows.append([Cell(*_csv_typed(value), n, m) for m, value in enumerate(values)])
    except csv.Error as error:
        raise SpreadsheetError(
            f"第 {len(rows) + 1} 行读不懂", hint="请检查引号是否成对，或改用 .xlsx。"
        ) from error
    while rows and all(cell.kind == "empty" for cell in rows[-1]):
        rows.pop()
    return Book([Sheet("CSV", rows)] if rows else [])


def _csv_typed(value: str) -> tuple[CellValue, CellKind]:
    kept = re.fullmatch(r'\s*="([^"]*)"\s*', value)  # how Excel users keep leading zeros in a CSV
    if kept:
        value = kept[1]
    elif value.lstrip().startswith("="):
        return None, "formula"
    return (value, "text") if value.strip() else (None, "empty")


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data:
        encodings = []
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SpreadsheetError("看不懂文件里的文字编码", hint="请另存为“CSV UTF-8”或 .xlsx 再上传。")


def _head(text: str) -> str:
    """A column's name without what varies: spaces, line breaks, stars, colons, notes in brackets."""
    bare = re.sub(r"[(\[【〔<《].*?[)\]】〕>》]", "", tidy(text).replace("\n", ""))
    return re.sub(r"[\s*:：、，,.。·_\-/]", "", bare).lower()


def _carried(row: Sequence[Cell]) -> dict[int, str]:
    """The head above each column, carried to the right as a merged cell does."""
    carried, last = {}, ""
    for cell in row:
        last = _head(cell.text) or last
        carried[cell.column] = last
    return carried
