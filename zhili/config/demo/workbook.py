"""The demo village's household list as a clerk would send it: one Excel sheet with a title row above the head."""

from __future__ import annotations

from collections.abc import Sequence

from zhili.common.spreadsheets import Column, SheetOut, write_workbook
from zhili.config.demo.people import Row

COLUMNS = (Column("组", 8), Column("户编号", 12), Column("姓名", 12), Column("与户主关系", 14),
           Column("身份证号", 22), Column("出生日期", 13, "date"))  # fmt: skip


def household_workbook(rows: Sequence[Row]) -> bytes:
    """The .xlsx bytes."""
    lines = [(r.group, r.code, r.name, r.relation, r.id_number or None, r.birth_date) for r in rows]
    return write_workbook(
        [SheetOut("花名册", COLUMNS, lines, heading="谭家沟村户籍花名册（演示数据，人名为虚构）")]
    )
