"""A sheet of claims: read kindly, refused at the cell, all or nothing, never twice."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.books import make_book
from zhili.audit.models import Entry as AuditEntry
from zhili.claims.errors import ClaimError
from zhili.claims.importing import apply_claims, corrected_file, read_claims, template
from zhili.claims.models import Claim
from zhili.common.errors import NotAllowed
from zhili.common.spreadsheets import Column, SheetOut, SpreadsheetError, read_workbook, write_workbook
from zhili.people.models import Household, ImportRun

HEAD = [
    "户编号",
    "姓名",
    "项目",
    "日期",
    "数量",
    "等次",
    "分值",
    "说明",
    "证明人",
    "材料",
    "提醒日期",
    "本户陈述",
]
GOOD = [
    ["1001", "演示乙", "清扫一段公共道路", "2026-10-05", "", "", "2", "村口", "", "", "", ""],
    ["1001", "演示甲", "HJ01", "2026年10月6日", "", "", "", "", "", "", "", ""],
    ["１００２", "", "门前屋后评比", "2026.10.7", "", "整洁", "3", "", "", "", "", ""],
    ["2001", "", "gy01", "2026/10/8", "３５０", "", "", "", "", "收据 17 号", "", ""],
    ["2002", "", "其他突出贡献", "2026-10-09", "", "", "12", "修桥", "", "", "", ""],
    ["2003", "", "占用公共通道经提醒不改", "2026-10-09", "", "", "-5", "", "", "", "2026-10-01", "已告知"],
]


@pytest.fixture
def village(cast):
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        cast.book = make_book(cast)
        yield cast


def sheet(rows, head=HEAD, notes=()) -> bytes:
    columns = [Column(title) for title in head]
    return write_workbook(
        [SheetOut("申报", columns, [[cell or None for cell in row] for row in rows], notes=notes)]
    )


def dry(village, rows, **more):
    return read_claims(sheet(rows, **more), "十月.xlsx", village.place, by=village.clerk)


def test_a_sheet_of_every_shape(village):
    """U-50: what clerks have: titles above, full-width digits, dates in four spellings, item by name or code."""
    found = dry(village, GOOD, notes=["谭家沟村十月积分登记表"])
    assert found.errors == [] and found.ok and found.counts == {"rows": 6, "new": 6, "known": 0}
    assert found.points == 200 + 200 + 300 + 300 - 500 and "评议定分" in " ".join(found.remarks)
    assert not Claim.objects.exists()
    run = apply_claims(found, by=village.clerk)
    claims = list(Claim.objects.order_by("number"))
    assert [claim.household.code for claim in claims] == ["1001", "1001", "1002", "2001", "2002", "2003"]
    assert [claim.resident and claim.resident.name for claim in claims[:3]] == [None, "演示甲", None]
    assert (
        {claim.channel for claim in claims} == {"excel"}
        and claims[2].grade == "整洁"
        and claims[3].quantity == 350
    )
    assert run.summary["numbers"] == [1, 6]
    assert AuditEntry.objects.get(action="claims.import").detail["new"] == 6


def test_the_same_file_and_the_same_rows_count_once(village):
    """C-09: the same file, the same rows in another file, and a file with one row more."""
    apply_claims(dry(village, GOOD), by=village.clerk)
    again = dry(village, GOOD)
    assert again.repeated and not again.ok
    with pytest.raises(ClaimError):
        apply_claims(again, by=village.clerk)
    shuffled = dry(village, GOOD[::-1])
    assert shuffled.repeated is not None and shuffled.known == 6
    more = dry(village, [*GOOD, ["3001", "", "HJ01", "2026-10-10", *[""] * 8]])
    assert (more.ok, more.known, len(more.drafts)) == (True, 6, 1)
    apply_claims(more, by=village.clerk)
    assert Claim.objects.count() == 7 and ImportRun.objects.filter(kind="claims").count() == 2


@pytest.mark.parametrize(
    "change, ref, words",
    [
        ({0: "9999"}, "A", "没有户编号"), ({0: ""}, "A", "没有填"), ({1: "演示癸"}, "B", "户里没有"),
        ({2: ""}, "C", "没有填"), ({2: "清扫公共道路一段"}, "C", "没有"), ({3: ""}, "D", "没有填"),
        ({3: "2026-13-45"}, "D", ""), ({3: "2026-12-01"}, "D", "没有到"), ({3: "2026-06-01"}, "D", "补记期限"),
        ({3: "2025-06-01"}, "D", "没有施行中"), ({2: "GY01"}, "E", "数量"), ({2: "GY01", 4: "三百"}, "E", "不是数量"),
        ({2: "GY01", 4: "0", 9: "收据"}, "E", "大于 0"), ({2: "HJ02"}, "F", "等级"),
        ({2: "HJ02", 5: "很好"}, "F", "等级"), ({6: "3"}, "G", "细则算出 2 分"), ({6: "两分"}, "G", ""),
        ({7: "长" * 301}, "H", "太长"), ({2: "GY03"}, "J", "照片或材料"), ({2: "ZX01"}, "K", "提醒"),
        ({2: "ZX01", 10: "2026-10-20"}, "K", "早于"),
    ],
    ids=str,
)  # fmt: skip
def test_every_fault_at_its_cell_and_nothing_written(village, change, ref, words):
    """F-04…F-07: error per cell with what to do; the corrected file carries the note; nothing is written."""
    row = ["1002", "", "HJ01", "2026-10-05", *[""] * 8]
    for column, value in change.items():
        row[column] = value
    found = dry(village, [GOOD[0], row])
    assert [(error.column, error.row) for error in found.errors] == [(ref, 3)], found.errors
    assert words in found.errors[0].message and found.errors[0].hint
    with pytest.raises(ClaimError, match="1 处要改"):
        apply_claims(found, by=village.clerk)
    assert not Claim.objects.exists()
    assert len(read_workbook(corrected_file(found), "x.xlsx").first.rows) >= 3


def test_the_same_row_twice_in_one_file(village):
    """A copied row is named, not counted."""
    found = dry(village, [GOOD[0], GOOD[0]])
    assert [error.message for error in found.errors] == ["和第 2 行完全一样"]


def test_missing_columns_and_foot_lines(village):
    """A table without the needed columns; a foot line is left out and said."""
    with pytest.raises(SpreadsheetError, match="日期"):
        dry(village, [["1001", "HJ01"]], head=["户编号", "项目"])
    found = dry(village, [GOOD[0], ["合计", *[""] * 11]])
    assert found.ok and "第 3 行" in found.remarks[0]
    with pytest.raises(SpreadsheetError):
        read_claims(b"not a table", "x.xlsx", village.place, by=village.clerk)
    with pytest.raises(SpreadsheetError, match="没有内容"):
        dry(village, [])


@pytest.mark.parametrize("who", ["villager", "group_leader", "reviewer", "supervisor", "township", "stranger_clerk",
                                 "system_admin"])  # fmt: skip
def test_who_may_not_import(village, who):
    """A-02, A-07: the clerk of this village."""
    with pytest.raises(NotAllowed):
        read_claims(sheet(GOOD), "x.xlsx", village.place, by=getattr(village, who))
    found = dry(village, GOOD)
    with pytest.raises(NotAllowed):
        apply_claims(found, by=getattr(village, who))


def test_a_household_that_left_between_check_and_import(village):
    """Somebody worked meanwhile: refused, nothing written."""
    found = dry(village, GOOD)
    Household.objects.filter(code="2003", place=village.place).update(
        status="moved", closed_on=date(2026, 10, 25)
    )
    with pytest.raises(ClaimError, match="2003"):
        apply_claims(found, by=village.clerk)
    assert not Claim.objects.exists() and not ImportRun.objects.exists()


def test_five_hundred_rows_cost_what_five_cost(village):
    """Set-based: statements do not grow with the rows."""
    for n in range(250):
        Household.objects.create(place=village.place, code=f"9{n:03d}")
    costs = []
    for size, day in ((5, "2026-10-05"), (500, "2026-10-06")):
        rows = [[f"9{n % 250:03d}", "", "HJ01", day, *[""] * 3, f"第 {n} 次", *[""] * 4] for n in range(size)]
        with CaptureQueriesContext(connection) as asked:
            run = apply_claims(dry(village, rows), by=village.clerk)
        costs.append(len(asked))
        assert run.summary["new"] == size
    assert costs[1] <= costs[0]


def test_the_template_can_be_filled_and_read(village):
    """Downloadable template: its header is understood, its items are the book's."""
    data = template(village.place)
    first = read_workbook(data, "模板.xlsx").first
    titles = [cell.text for row in first.rows for cell in row if cell.text]
    assert {"户编号", "项目", "日期", "提醒日期"} <= set(titles)
    with pytest.raises(SpreadsheetError, match="没有内容"):
        read_claims(data, "模板.xlsx", village.place, by=village.clerk)
