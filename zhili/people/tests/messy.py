"""Lists as village offices keep them, made in memory: twenty that must be read, and what each holds.

All people are invented; the ID numbers carry a county code that does not exist (511799).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import xlsxwriter

from zhili.common.idnumber import check_character

HEAD = ["组", "户编号", "户主姓名", "姓名", "与户主关系", "身份证号", "出生日期", "电话", "住址"]


def number(seed: int, birth: str = "19600305") -> str:
    """An ID number of nobody, with a right check character."""
    first = f"511799{birth}{seed:03d}"
    return first + check_character(first)


ROWS = [
    ["1组", "8001", "演示一", "演示一", "户主", number(1), "1960-03-05", "13800000001", "演示路1号"],
    ["1组", "8001", "演示一", "演示二", "配偶", number(2, "19620101"), "1962-01-01", "", "演示路1号"],
    ["1组", "8001", "演示一", "演示三", "长子", "", "1988-08-08", "", "演示路1号"],
    [
        "2组",
        "8002",
        "演示四",
        "演示四",
        "户主",
        number(4, "19701231"),
        "1970-12-31",
        "13800000004",
        "演示路2号",
    ],
    ["2组", "8002", "演示四", "演示五", "儿媳", "", "", "", "演示路2号"],
]


@dataclass(frozen=True)
class Messy:
    """One file. people: (户编号, 组, 姓名, relation) expected, in order; None: those of ROWS."""

    title: str
    data: bytes
    filename: str = "户.xlsx"
    people: Sequence[tuple[str, str, str, str]] | None = None


def xlsx(rows: Sequence[Sequence[Any]], touch: Callable[[Any, Any], None] | None = None) -> bytes:
    """Rows → .xlsx; str is text, numbers stay numbers, date a date cell, "=…" a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    page = book.add_worksheet("Sheet1")
    day = book.add_format({"num_format": "yyyy/m/d"})
    for n, row in enumerate(rows):
        for m, value in enumerate(row):
            if isinstance(value, (date, datetime)):
                page.write_datetime(n, m, datetime(value.year, value.month, value.day), day)
            elif isinstance(value, str) and value.startswith("="):
                page.write_formula(n, m, value, None, 30)
            elif isinstance(value, str):
                page.write_string(n, m, value) if value else None
            elif value is not None:
                page.write_number(n, m, value)
    if touch:
        touch(book, page)
    book.close()
    return out.getvalue()


def csv(rows: Sequence[Sequence[str]], encoding: str, comma: str = ",") -> bytes:
    return "\r\n".join(comma.join(row) for row in rows).encode(encoding)


def column(key: int, change: Callable[[str], Any]) -> list[list[Any]]:
    """ROWS with one column rewritten."""
    return [[change(value) if n == key else value for n, value in enumerate(row)] for row in ROWS]


def with_head(rows: Sequence[Sequence[Any]], head: Sequence[str] = HEAD) -> list[Sequence[Any]]:
    return [head, *rows]


def _merged_down(book: Any, page: Any) -> None:
    for m, (first, second) in {0: ("1组", "2组"), 1: ("8001", "8002"), 2: ("演示一", "演示四")}.items():
        page.merge_range(1, m, 3, m, first)
        page.merge_range(4, m, 5, m, second)


def _titled(book: Any, page: Any) -> None:
    page.merge_range(0, 0, 0, 8, "演示村2026年农户花名册")
    page.merge_range(1, 0, 1, 8, "填报单位：演示村村民委员会      填报日期：2026年3月")


def _two_heads(book: Any, page: Any) -> None:
    page.merge_range(0, 3, 0, 6, "家庭成员情况")


def wide(text: str) -> str:
    """8001 → ８００１."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def first_only(rows: Sequence[Sequence[str]], *keys: int) -> list[list[str]]:
    """The columns `keys` kept in the first line of each household only."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        kept.append(["" if row[1] in seen and n in keys else value for n, value in enumerate(row)])
        seen.add(row[1])
    return kept


def dated(style: Callable[[date], Any]) -> list[list[Any]]:
    return column(6, lambda text: style(date.fromisoformat(text)) if text else "")


SERIAL = [[n, *row, "", 30] for n, row in enumerate(ROWS, start=1)]
HEADS = [["一组", "8001", "演示一", "13800000001"], ["二组", "8002", "演示四", "13800000004"]]
SAID = {"户主": "本人", "配偶": "之妻", "长子": "户主之子"}
STARRED = [
    "组 别", "*户编号\n（必填）", "户主\n姓名", "姓名 *", "与户主\n关系", "身份证号码（18位）", "出生日期", "联系电话",
    "家庭住址",
]  # fmt: skip
HEADS_ONLY = [("8001", "1组", "演示一", "head"), ("8002", "2组", "演示四", "head")]


def fixtures() -> list[Messy]:
    """The twenty."""
    total = ["合计", "", "", "", "", "", "", "", ""]
    signed = ["填表人：演示文书", "", "", "", "", "", "审核：", "", ""]
    return [
        Messy("模板原样", xlsx(with_head(ROWS))),
        Messy("两行合并标题", xlsx([[], [], HEAD, *ROWS], _titled)),
        Messy("序号、年龄和备注是多出来的列", xlsx([["序号", *HEAD, "备注", "年龄"], *SERIAL])),
        Messy("户编号、组、户主向下合并", xlsx(with_head(column(1, lambda _: "")), _merged_down)),
        Messy("户主和住址只写第一行", xlsx(with_head(first_only(ROWS, 0, 2, 8)))),
        Messy("户编号也只写第一行", xlsx(with_head(first_only(ROWS, 0, 1, 2, 8)))),
        Messy("全角数字", xlsx(with_head([[wide(v) if n in (1, 5, 6, 7) else v for n, v in enumerate(r)] for r in ROWS]))),
        Messy("户编号是数字格式", xlsx(with_head(column(1, int)))),
        Messy("日期写成 1960年3月5日", xlsx(with_head(dated(lambda d: f"{d.year}年{d.month}月{d.day}日")))),
        Messy("日期写成 1960.3.5 和 19600305", xlsx(with_head(dated(lambda d: f"{d.year}.{d.month}.{d.day}")))),
        Messy("日期是日期格式", xlsx(with_head(dated(lambda d: d)))),
        Messy("关系写 本人、妻、户主之长子", xlsx(with_head(column(4, lambda v: SAID.get(v, v))))),
        Messy("组写 第一组、二", xlsx(with_head(column(0, lambda v: {"1组": "第一村民小组", "2组": "二"}[v])))),
        Messy("姓名中间有空格", xlsx(with_head(column(3, lambda v: v[:2] + "　" + v[2:])))),
        Messy("两层表头", xlsx([["", "", "", "", "", "", "", "", ""], HEAD, *ROWS], _two_heads)),
        Messy("有合计、落款和空行", xlsx([HEAD, *ROWS[:3], [], *ROWS[3:], total, [], signed])),
        Messy("每页重复表头", xlsx([HEAD, *ROWS[:3], HEAD, *ROWS[3:]])),
        Messy("GBK 的 CSV", csv([HEAD, *ROWS], "gb18030"), "户.csv"),
        Messy("带 BOM 的制表符文本", csv([HEAD, *ROWS], "utf-8-sig", "\t"), "户.txt"),
        Messy("只有户主一列的名单", xlsx([["村民小组", "户号", "户主", "联系电话"], *HEADS]), people=HEADS_ONLY),
        Messy("表头带星号和换行", xlsx([STARRED, *ROWS])),
        Messy("电话带横线和 +86，没有的写“无”", xlsx(with_head(column(7, lambda v: f"+86 {v[:3]}-{v[3:]}" if v else "无")))),
    ]  # fmt: skip
