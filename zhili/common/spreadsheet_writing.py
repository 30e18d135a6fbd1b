"""Exports a cadre can print, edit and hand back: typed columns, drop-downs, notes, nothing hidden (F-05,
F-08, U-50, U-52).

Every text cell is written as text, so 0123 keeps its zero and no text becomes a formula; a text that starts
with a character a spreadsheet may run (= + - @, tab, carriage return, NUL) gets an apostrophe in front,
which our own import takes off again."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from urllib.parse import quote

import xlsxwriter

ColumnKind = Literal["text", "number", "int", "points", "date"]
CHOICES_SHEET: Final = "选项"
MAX_ROWS_OUT: Final = 1_000_000
_FORMATS: Final = {"text": "@", "number": "General", "int": "0", "points": "0.##", "date": "yyyy-mm-dd"}
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠")
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. width: in characters. kind points: values are int hundredths. choices: a drop-down. note:
    a comment on the head."""

    title: str
    width: float = 12
    kind: ColumnKind = "text"
    choices: Sequence[str] | None = None
    note: str | None = None


@dataclass(slots=True)
class SheetOut:
    """One worksheet. rows: cells in the order of the columns; None is an empty cell. notes: lines above the
    head. spare_rows: empty rows below that carry format and drop-downs too (for templates)."""

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[object]] = ()
    notes: Sequence[str] = ()
    frozen_columns: int = 0
    spare_rows: int = 0
    landscape: bool = True
    heading: str = ""
    faults: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """(row, column) of `rows`, from 0 → what is wrong there: coloured, with a comment (the corrected file
    of U-50).
    """


def write_workbook(
    sheets: Sequence[SheetOut], *, watermark: str = "", properties: Mapping[str, Any] | None = None
) -> bytes:
    """Sheets → .xlsx bytes. watermark: who exported what when, in every page's footer and above the table.

    properties: title, subject and created (datetime) of the document; nothing else is set, no author, no
    machine."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    allowed = {
        key: value for key, value in (properties or {}).items() if key in ("title", "subject", "created")
    }
    book.set_properties({"author": "", "comments": "", **allowed})
    choices: list[tuple[str, Sequence[str]]] = []
    used: set[str] = set()
    for sheet in sheets:
        _write_sheet(book, sheet, _sheet_title(sheet.title, used), watermark, choices)
    if choices:
        _write_choices(book, choices)
    book.close()
    return out.getvalue()


def neutral(text: str) -> str:
    """Text that no spreadsheet runs: illegal characters out, an apostrophe before a dangerous first one."""
    clean = _ILLEGAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    dangerous = text.startswith(_DANGEROUS) or clean.lstrip().startswith(_DANGEROUS)
    return ("'" + clean.lstrip("\t\n ") if dangerous else clean)[:32_000]


def safe_filename(name: str) -> tuple[str, str]:
    """A Chinese file name → (ASCII fall-back, value of Content-Disposition by RFC 6266).

    Path separators, controls and quotes are taken out; 120 characters at most, the extension kept.
    """
    clean = unicodedata.normalize("NFC", name)
    clean = "".join(c for c in clean if unicodedata.category(c)[0] != "C")
    clean = re.sub(r'[\\/:*?"<>|;%]+', "_", clean).strip(" .")
    stem, dot, ending = clean.rpartition(".")
    if not stem or not re.fullmatch(r"[A-Za-z0-9]{1,8}", ending):
        stem, dot, ending = clean, "", ""
    stem = stem[:110].strip(" .") or "export"
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    full = f"{stem}{dot}{ending}"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "export"
    fallback = f"{plain}{dot}{ending}"
    return fallback, f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(full, safe='')}"


def _write_sheet(
    book: Any, sheet: SheetOut, title: str, watermark: str, choices: list[tuple[str, Sequence[str]]]
) -> None:
    page = book.add_worksheet(title)
    base = {"font_name": "宋体", "font_size": 11, "valign": "vcenter"}
    heading = book.add_format({**base, "bold": True, "font_size": 16})
    small = book.add_format({**base, "font_color": "#666666", "font_size": 10})
    head = book.add_format(
        {**base, "bold": True, "bg_color": "#E2EFDA", "border": 1, "text_wrap": True, "align": "center"}
    )
    styles = {
        kind: book.add_format({**base, "num_format": code, "border": 1}) for kind, code in _FORMATS.items()
    }
    wrong = {
        kind: book.add_format({**base, "num_format": code, "border": 1, "bg_color": "#FFD9D9"})
        for kind, code in _FORMATS.items()
    }
    open_styles = {kind: book.add_format({**base, "num_format": code}) for kind, code in _FORMATS.items()}
    for n, column in enumerate(sheet.columns):
        page.set_column(n, n, column.width, open_styles[column.kind])
    top = 0
    lines = [(line, heading) for line in (sheet.heading,) if line] + [(line, small) for line in sheet.notes]
    lines += [(watermark, small)] if watermark else []
    for line, style in lines:
        page.write_string(top, 0, neutral(line), style)
        top += 1
    for n, column in enumerate(sheet.columns):
        page.write_string(top, n, neutral(column.title), head)
        if column.note:
            page.write_comment(top, n, column.note, {"author": "", "font_size": 10})
    count = 0
    for count, row in enumerate(sheet.rows, start=1):
        for n, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
            fault = sheet.faults.get((count - 1, n))
            _write_cell(page, top + count, n, column.kind, value, (wrong if fault else styles)[column.kind])
            if fault:
                page.write_comment(top + count, n, fault, {"author": ""})
    last = top + max(count + sheet.spare_rows, 1)
    _drop_downs(page, sheet.columns, top + 1, last, choices)
    page.freeze_panes(top + 1, sheet.frozen_columns)
    if count and len(sheet.columns) > 1:
        page.autofilter(top, 0, top + count, len(sheet.columns) - 1)
    _page_setup(page, sheet, top, watermark)


def _page_setup(page: Any, sheet: SheetOut, top: int, watermark: str) -> None:
    page.repeat_rows(top)
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    if sheet.landscape:
        page.set_landscape()
    mark = watermark.replace("&", "&&")[:200]
    page.set_footer(f"&L{mark}&R第 &P 页，共 &N 页")


def _write_cell(page: Any, row: int, column: int, kind: ColumnKind, value: object, style: Any) -> None:
    if value is None or value == "":
        page.write_blank(row, column, None, style)
    elif kind == "points" and isinstance(value, int):
        page.write_number(row, column, value / 100, style)
    elif (
        kind in ("number", "int", "points") and isinstance(value, (int, float, Decimal)) and value is not True
    ):
        page.write_number(row, column, value, style)
    elif kind == "date" and isinstance(value, (date, datetime)):
        # Excel knows no time zones; the caller hands over local time.
        page.write_datetime(
            row, column, value.replace(tzinfo=None) if isinstance(value, datetime) else value, style
        )
    else:
        page.write_string(row, column, neutral(str(value)), style)


def _drop_downs(
    page: Any, columns: Sequence[Column], first: int, last: int, choices: list[tuple[str, Sequence[str]]]
) -> None:
    for n, column in enumerate(columns):
        if not column.choices:
            continue
        source: Any = list(column.choices)
        if len(",".join(source)) > 255 or any("," in choice for choice in source):
            # Excel takes 255 characters in place; longer lists stand on a sheet of their own, in full view.
            choices.append((column.title, source))
            letter = xlsxwriter.utility.xl_col_to_name(len(choices) - 1)
            source = f"='{CHOICES_SHEET}'!${letter}$2:${letter}${len(column.choices) + 1}"
        page.data_validation(
            first, n, last, n,
            {
                "validate": "list", "source": source, "error_title": "请从下拉表里选",
                "error_message": f"“{column.title[:20]}”只能填下拉表里有的内容。", "ignore_blank": True,
            },
        )  # fmt: skip


def _write_choices(book: Any, choices: list[tuple[str, Sequence[str]]]) -> None:
    page = book.add_worksheet(CHOICES_SHEET)
    for row in range(max(len(options) for _, options in choices) + 1):
        for n, (title, options) in enumerate(choices):
            if row == 0:
                page.write_string(0, n, neutral(title))
            elif row <= len(options):
                page.write_string(row, n, options[row - 1])


def _sheet_title(title: str, used: set[str]) -> str:
    """A name Excel accepts: 31 characters, none of []:*?/\\, unique, not 选项."""
    clean = re.sub(
        r"[\[\]:*?/\\']", "_", "".join(c if unicodedata.category(c)[0] != "C" else " " for c in title)
    )
    base = re.sub(r"\s+", " ", clean).strip()[:28]
    while len(base.encode("utf-16-le")) > 56:  # Excel counts a rare character as two
        base = base[:-1]
    base = base.strip() or "表"
    name, n = base, 2
    while name.lower() in used or name.lower() in (CHOICES_SHEET, "history"):
        name, n = f"{base}{n}", n + 1
    used.add(name.lower())
    return name
