"""The rule book as an Excel workbook: lossless with YAML, faults named by sheet and cell (U-50, F-05)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings

from zhili.rulebook.book import RuleBook
from zhili.rulebook.book_yaml import STARTERS, dump_yaml, load_starter, load_yaml
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.tests.test_book import GOOD, books
from zhili.rulebook.workbook import dump_workbook, load_workbook, template_workbook

BOOKS = Path(__file__).parent / "books"


def changed(cells: dict[str, object], *, data: bytes | None = None) -> bytes:
    """The good book's workbook with some cells typed over, as a clerk would: "项目!E2" → value."""
    workbook = openpyxl.load_workbook(BytesIO(data or dump_workbook(load_yaml(GOOD))))
    for address, value in cells.items():
        sheet, cell = address.split("!")
        workbook[sheet][cell] = value
    out = BytesIO()
    workbook.save(out)
    return out.getvalue()


def problems(data: bytes) -> str:
    with pytest.raises(RuleBookError) as raised:
        load_workbook(data, "细则.xlsx")
    return "\n".join(map(str, raised.value.problems))


@pytest.mark.parametrize("name", ["longmen", "luoyu"])
def test_real_books_through_excel_and_yaml(name):
    book = load_yaml((BOOKS / f"{name}.yaml").read_text("utf-8"))
    again = load_workbook(dump_workbook(book))
    assert again == book
    assert load_yaml(dump_yaml(again)) == book


@pytest.mark.parametrize("name", list(STARTERS))
def test_starters_through_excel(name):
    assert load_workbook(dump_workbook(load_starter(name))) == load_starter(name)


@settings(max_examples=40, deadline=None)
@given(books)
def test_excel_keeps_everything(book: RuleBook):
    assert load_workbook(dump_workbook(book)) == book


def test_columns_and_choices():
    """Chinese heads, one drop-down per word list, the same sheets in the same order (U-50)."""
    workbook = openpyxl.load_workbook(BytesIO(dump_workbook(load_yaml(GOOD))))
    visible = [sheet.title for sheet in workbook if sheet.sheet_state == "visible"]
    assert visible[:4] == ["细则", "存折", "类别", "项目"]
    heads = [cell.value for cell in workbook["项目"][1]]
    assert heads[:5] == ["编号", "类别", "名称", "计分方式", "分值"]
    assert len(workbook["项目"].data_validations.dataValidation) >= 6


@pytest.mark.parametrize(
    ("cell", "value", "words"),
    [
        ("项目!A3", "HJ01", "“项目”表第 3 行：项目编号“HJ01”重复了"),
        ("项目!B2", "HH", "类别“HH”不存在"),
        ("项目!C2", None, "“项目”表第 2 行：项目 HJ01没有写 名称"),
        ("项目!D2", "随便", "“项目”表 D2：“随便”不在可选的词里。可以写：固定、按数量、分档"),
        ("项目!D2", "分档", "没有写“档次或等级”"),
        ("项目!E2", "0.005", "“项目”表 E2：项目 HJ01的分值：“0.005”不是积分"),
        ("项目!E2", None, "计分方式“固定”没有写“分值”"),
        ("项目!F2", "100", "“项目”表 F2：计分方式“固定”用不到“每多少”"),
        ("项目!F3", "0", "“项目”表 F3：每多少不能是 0"),
        ("项目!K4", "20=5；10=2", "“项目”表 K4：项目 HJ03的档次没有从小到大排"),
        ("项目!K4", "二十分", "“项目”表 K4：“二十分”看不懂"),
        ("项目!K5", "好=1；好=2", "等级“好”重复了"),
        ("项目!M6", None, "没有写“评议最高分”"),
        ("项目!N2", "每旬4次", "“项目”表 N2：上限“每旬4次”看不懂"),
        ("项目!N2", "每月", "看不懂"),
        ("项目!N2", "每月0次", "“项目”表 N2：上限次数“0”不对"),
        ("项目!P2", "merits", "“merits”不存在"),
        ("项目!R2", "本人、村长", "“项目”表 R2：“村长”不在可选的词里"),
        ("项目!S2", "三级", "“项目”表 S2"),
        ("项目!Z1", "备注栏", "不认识的列“备注栏”"),
        ("类别!D3", "-1", "“类别”表 D3：起评分“-1”超出了"),
        ("类别!F3", None, "没有写周期"),
        ("存折!C3", "可以", "“存折”表 C3"),
        ("细则!B4", "家", "“细则”表 B4"),
        ("细则!B5", "去年", "“细则”表 B5：开始日期“去年”不是日期"),
        ("细则!A5", "起始", "不认识“起始”这一项"),
        ("细则!A5", "结束日期", "写了两次"),
    ],
)
def test_refuses_naming_the_cell(cell, value, words):
    assert words in problems(changed({cell: value}))


def test_takes_what_clerks_type():
    """Numbers as numbers or text, full-width digits, real dates, old words for periods, blank rows (U-51)."""
    from datetime import datetime

    data = changed(
        {
            "项目!E2": "２",
            "项目!N2": "每月 最多４次",
            "细则!B5": datetime(2022, 7, 1),
            "项目!A9": None,
            "项目!F3": 100,
            "类别!C2": "每月20分；",
        }
    )
    assert load_workbook(data) == load_yaml(GOOD)


def test_formula_is_refused():
    assert "公式" in problems(changed({"项目!E2": "=1+1"}))


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04nonsense", b"code,title\n1,2\n", b"\xd0\xcf\x11\xe0" + b"\0" * 600]
)
def test_refuses_what_is_no_workbook(data):
    assert problems(data)


def test_refuses_other_workbooks():
    workbook = openpyxl.Workbook()
    workbook.active["A1"] = "随便"
    out = BytesIO()
    workbook.save(out)
    assert "“项目”表：没有这张工作表" in problems(out.getvalue())


def test_template_is_empty_and_says_what_is_missing():
    said = problems(template_workbook())
    assert "没有写 名称" in said
    assert "“项目”表：items 一条也没有" in said
