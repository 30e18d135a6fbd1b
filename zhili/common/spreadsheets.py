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
from typing import Literal

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
from zhili.common.spreadsheet_guard import SpreadsheetError as SpreadsheetError
from zhili.common.spreadsheet_reading import Book as Book
from zhili.common.spreadsheet_reading import Sheet as Sheet
from zhili.common.spreadsheet_worker import read_limited
from zhili.common.spreadsheet_writing import CHOICES_SHEET
from zhili.common.spreadsheet_writing import Column as Column
from zhili.common.spreadsheet_writing import SheetOut as SheetOut
from zhili.common.spreadsheet_writing import safe_filename as safe_filename
from zhili.common.spreadsheet_writing import write_workbook as write_workbook


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
        book = read_limited(data, limits, without=CHOICES_SHEET)
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
