"""A sheet of claims as a clerk keeps it: one deed a row, by household number, day and item.

Columns may be called what villages call them, dates may be text, the item may be given by code or by its title.
What cannot be read for certain is refused at its cell, never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from zhili.common.errors import ZhiliError
from zhili.common.points import parse_points
from zhili.common.spreadsheets import (
    Cell,
    Column,
    Sheet,
    SpreadsheetError,
    as_code,
    as_date,
    as_text,
    find_header,
)
from zhili.people.queries import tidy_code
from zhili.people.workbook import WANTED as PEOPLE_COLUMNS
from zhili.people.workbook import Line, Lines

MAX_ROWS: Final = 2_000

WANTED: Final[dict[str, tuple[str, ...]]] = {
    "code": PEOPLE_COLUMNS["code"],
    "name": ("姓名", "户主姓名", "户主", "做事人", "谁做的", "当事人"),
    "item": ("项目", "积分项目", "项目名称", "事项", "积分事项", "项目编号", "项目代码"),
    "occurred_on": ("日期", "发生日期", "时间", "发生时间", "做事日期"),
    "quantity": ("数量", "数目", "次数", "数额"),
    "grade": ("等次", "等级", "评定", "评定等次"),
    "points": ("分值", "积分", "得分", "加分", "分数"),
    "text": ("说明", "备注", "情况说明", "内容"),
    "witness": ("证明人", "见证人", "证明"),
    "document": ("材料", "佐证材料", "依据", "凭据"),
    "reminded_on": ("提醒日期", "提醒时间"),
    "heard": ("本户陈述", "陈述"),
}
COLUMNS: Final = (
    Column("户编号", 12, note="印在积分卡上"),
    Column("姓名", 12, note="谁做的；不填就记在全户。填了会和登记的人核对"),
    Column("项目", 34, note="写项目名称或编号，和施行的细则一样"),
    Column("日期", 13, note="事情发生的日期，例如 2026-10-05"),
    Column("数量", 9, note="按数量记分的项目才填，例如 350（元）、12（小时）"),
    Column("等次", 10, note="评等次的项目才填，例如 整洁"),
    Column("说明", 28),
    Column("证明人", 12),
    Column("材料", 20, note="收据、登记单放在哪里、几号"),
    Column("提醒日期", 13, note="扣分才填：哪天提醒过"),
    Column("本户陈述", 24, note="扣分才填：本户怎么说"),
)
HELP: Final = (
    ("一事一行", "同一天同一户做了两件事，写两行。完全一样的两行会当作重复。"),
    ("项目", "照施行的积分细则写名称或编号；哪一天的事，用哪一天施行的细则。"),
    ("分值", "不用填，系统按细则计算；原表里有分值一列的，会和细则核对。"),
    ("再次上传", "已经收下的行不会再记一次；改了内容的行会当作新的申报。"),
)
_QUANTITY: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,4})?")


def read_lines(sheet: Sheet) -> Lines:
    """Cells → lines. Raises SpreadsheetError where there is no usable header or too many rows."""
    header = find_header(sheet.rows, WANTED)
    header.require("code", "item", "occurred_on")
    found = Lines(header, [], [], [])
    body = sheet.rows[header.row + 1 :]
    if len(body) > MAX_ROWS * 2:
        raise SpreadsheetError(f"有 {len(body)} 行，一次最多 {MAX_ROWS} 行", hint="请分成几个文件导入。")
    feet = []
    for row in body:
        used = [header.get(row, key) for key in header.columns]
        if all(cell.kind == "empty" or (cell.kind != "formula" and not cell.text) for cell in used):
            continue
        line = Line(row[0].row, {key: header.get(row, key) for key in header.columns})
        if (
            not line.cells["item"].text
            and not line.cells["occurred_on"].text
            and line.cells["item"].kind != "formula"
        ):
            feet.append(row[0].row + 1)
            continue
        _read_cells(found, line)
        found.lines.append(line)
    if len(found.lines) > MAX_ROWS:
        raise SpreadsheetError(
            f"有 {len(found.lines)} 行，一次最多 {MAX_ROWS} 行", hint="请分成几个文件导入。"
        )
    if feet:
        shown = "、".join(map(str, feet[:8]))
        found.remarks.append(f"第 {shown} 行没有项目也没有日期，当作合计或落款，没有读取。")
    if header.extra:
        extra = "、".join(title.replace("\n", "") for title in header.extra[:10])
        found.remarks.append(f"没有用到的列：{extra}。")
    return found


def _read_cells(found: Lines, line: Line) -> None:
    for key, reader in _READERS.items():
        line.values[key] = None
        cell = line.cells.get(key)
        if cell is None:
            continue
        try:
            line.values[key] = reader(cell)
        except ZhiliError as error:
            said = (
                error.message.split("列）", 1)[-1] if isinstance(error, SpreadsheetError) else error.message
            )
            found.fault(line, key, said, error.hint)
            line.masked.setdefault(key, "")  # a faulty cell is no empty cell
    for key, title, hint in (
        ("code", "户编号没有填", "请填积分卡上的户编号。"),
        ("item", "项目没有填", "请写细则里的项目名称或编号。"),
        ("occurred_on", "日期没有填", "请填事情发生的日期。"),
    ):
        if line.values[key] is None and key not in line.masked:
            found.fault(line, key, title, hint)
            line.masked[key] = ""


def _text(limit: int) -> Callable[[Cell], str | None]:
    def read(cell: Cell) -> str | None:
        text = " ".join(as_text(cell).split())
        if len(text) > limit:
            raise ZhiliError(f"太长，最多 {limit} 个字", hint="请写短一点。")
        return text or None

    return read


def _household_code(cell: Cell) -> str | None:
    return tidy_code(as_code(cell)) or None


def _quantity(cell: Cell) -> Decimal | None:
    text = re.sub(r"[\s,，]", "", unicodedata.normalize("NFKC", as_text(cell)))
    if not text:
        return None
    if not _QUANTITY.fullmatch(text):
        raise ZhiliError(f"“{text[:12]}”不是数量", hint="只写数字，不写单位，最多四位小数。")
    return Decimal(text)


def _points(cell: Cell) -> int | None:
    return parse_points(as_text(cell)) if cell.text else None


_READERS: Final[dict[str, Callable[[Cell], Any]]] = {
    "code": _household_code,
    "name": _text(60),
    "item": _text(120),
    "occurred_on": as_date,
    "quantity": _quantity,
    "grade": _text(20),
    "points": _points,
    "text": _text(300),
    "witness": _text(60),
    "document": _text(100),
    "reminded_on": as_date,
    "heard": _text(300),
}
