"""F-05, F-08, U-50, U-52: exports hold nothing hidden, run nothing, and come back as they went out."""

import io
import re
import zipfile
from datetime import UTC, date, datetime
from urllib.parse import unquote

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhili.common.spreadsheet_writing import neutral
from zhili.common.spreadsheets import (
    Column,
    SheetOut,
    as_date,
    as_points,
    as_text,
    find_header,
    read_workbook,
    safe_filename,
    write_workbook,
)

COLUMNS = [
    Column("户编号", 10, note="积分卡上的编号"),
    Column("户主"),
    Column("积分", kind="points"),
    Column("日期", kind="date"),
    Column("关系", choices=["户主", "配偶", "子女"]),
    Column("项目", choices=[f"第{n}项很长的项目名称" for n in range(60)]),
]
ROWS = [
    ["0012", "张三", 250, date(2026, 3, 5), "户主", "第1项很长的项目名称"],
    ["0013", "=1+1", -50, None, "子女", None],
]
SHEET = SheetOut(
    "名单", COLUMNS, ROWS, notes=["填写说明"], heading="谭家沟村积分表", frozen_columns=1, spare_rows=50
)


def parts(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}


def test_what_goes_out_comes_back():
    """F-05, U-50: round trip through our own import."""
    book = read_workbook(write_workbook([SHEET], watermark="王五 2026-03-05 导出"), "a.xlsx")
    assert [sheet.title for sheet in book.sheets] == ["名单"]
    found = find_header(
        book.first.rows, {"code": ["户编号"], "head": ["户主"], "points": ["积分"], "day": ["日期"]}
    )
    rows = book.first.rows[found.row + 1 :]
    assert found.missing == []
    assert [as_text(found.get(row, "code")) for row in rows] == ["0012", "0013"]
    assert [as_text(found.get(row, "head")) for row in rows] == ["张三", "=1+1"]
    assert [as_points(found.get(row, "points")) for row in rows] == [250, -50]
    assert [as_date(found.get(row, "day")) for row in rows] == [date(2026, 3, 5), None]


def test_another_reader_sees_the_same():
    """F-05: openpyxl as a stand-in for WPS and LibreOffice; no cell is a formula."""
    page = openpyxl.load_workbook(io.BytesIO(write_workbook([SHEET])))["名单"]
    values = [cell for row in page.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in values)
    assert page["A4"].value == "0012"
    assert page["A4"].number_format == "@"
    assert page["C4"].value == 2.5
    assert page["D4"].value == datetime(2026, 3, 5)
    assert page["A3"].comment.text == "积分卡上的编号"
    assert page.freeze_panes == "B4"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+8613800138000",
        "-2",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\0=1",
        " =1",
        "=cmd|' /C calc'!A0",
        "\n=1",
        "＝1",
        "－1",
        "＠a",
    ],
)
def test_dangerous_texts_are_neutralised(text):
    """F-05, ASVS 1.2.10."""
    assert neutral(text).startswith("'")
    assert not re.search("[\0\t\r]", neutral(text)[:3])


@pytest.mark.parametrize("text", ["", "张三", "0012", "2026-03-05", "a=b", "'", "1+1"])
def test_harmless_texts_stay(text):
    assert neutral(text) == text


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_text_becomes_a_formula_or_breaks_the_file(text):
    data = write_workbook(
        [SheetOut(text, [Column("甲" + text)], [[text], [text]], notes=[text])], watermark=text
    )
    assert "<f>" not in parts(data)["xl/worksheets/sheet1.xml"]
    assert read_workbook(data, "a.xlsx").first.rows


def test_nothing_is_hidden_and_nobody_is_named():
    """F-08: no hidden sheets, rows or columns; no author, no machine, no path."""
    data = write_workbook(
        [SHEET, SheetOut("空表", [Column("甲")])],
        properties={"title": "积分表", "author": "某人", "company": "x"},
    )
    files = parts(data)
    for name, body in files.items():
        assert "某人" not in body, name
        if name.endswith(".vml"):
            continue  # a comment's bubble is folded away until pointed at
        # Excel's own name for a filtered range is marked hidden; it holds no cells.
        assert "hidden" not in re.sub('<definedName name="_xlnm._FilterDatabase"[^>]*>', "", body).lower(), (
            name
        )
    assert "<dc:creator></dc:creator>" in files["docProps/core.xml"]
    assert "<cp:lastModifiedBy></cp:lastModifiedBy>" in files["docProps/core.xml"]
    assert "Company></Company" in files["docProps/app.xml"] or "<Company/>" in files["docProps/app.xml"]


def test_what_was_not_handed_over_is_not_in_the_file():
    """F-08: unzip and grep."""
    data = write_workbook([SheetOut("表", [Column("户主")], [["张*"]])])
    assert not any("张三" in body for body in parts(data).values())


def test_the_same_export_twice_is_the_same_document():
    made = [
        write_workbook([SHEET], properties={"created": datetime(2026, 1, 1, tzinfo=UTC)}) for _ in range(2)
    ]
    assert parts(made[0]) == parts(made[1])


def test_drop_downs_short_and_long():
    """U-50: over 255 characters the choices stand on a sheet in full view."""
    files = parts(write_workbook([SHEET]))
    page = files["xl/worksheets/sheet1.xml"]
    assert "户主,配偶,子女" in page
    assert "'选项'!$A$2:$A$61" in page
    assert 'sqref="E4:E55"' in page
    assert 'name="选项"' in files["xl/workbook.xml"]


def test_faults_are_shown_in_their_cells():
    """U-50: the corrected file of a dry run."""
    sheet = SheetOut(
        "表", [Column("积分", kind="points")], [[200], ["两分"]], faults={(1, 0): "“两分”不是积分"}
    )
    page = openpyxl.load_workbook(io.BytesIO(write_workbook([sheet])))["表"]
    assert page["A3"].comment.text == "“两分”不是积分"
    assert page["A3"].fill.fgColor.rgb == "FFFFD9D9"
    assert page["A2"].comment is None


def test_the_watermark_is_on_the_sheet_and_on_paper():
    """U-52."""
    page = parts(write_workbook([SHEET], watermark="王五&李四 导出"))["xl/worksheets/sheet1.xml"]
    assert page.count("王五") == 2
    assert "&amp;&amp;" in page


@pytest.mark.parametrize(
    "titles", [["表", "表", "表"], ["选项"], ["a/b:c*d?e[f]"], [""], ["长" * 60, "长" * 60], ["'引'"]]
)
def test_sheet_titles_are_put_right(titles):
    data = write_workbook([SheetOut(title, [Column("甲")], [["x"]]) for title in titles])
    assert len(read_workbook(data, "a.xlsx").sheets) == len(titles)


def test_a_row_of_the_wrong_length_is_our_own_mistake():
    with pytest.raises(ValueError, match="zip"):
        write_workbook([SheetOut("表", [Column("甲"), Column("乙")], [["x"]])])


@pytest.mark.parametrize(
    ("name", "ascii_name", "shown"),
    [
        ("2026年积分表.xlsx", "2026.xlsx", "2026年积分表.xlsx"),
        ("积分表.xlsx", "export.xlsx", "积分表.xlsx"),
        ("a b.xlsx", "a-b.xlsx", "a b.xlsx"),
        ("../../etc/passwd", "etc_passwd", "_.._etc_passwd"),
        ('a"; filename="b.exe', "a_-filename-_b.exe", "a_ filename=_b.exe"),
        ("a\r\nSet-Cookie: x.xlsx", "aSet-Cookie_-x.xlsx", "aSet-Cookie_ x.xlsx"),
        ("con.xlsx", "con.xlsx", "_con.xlsx"),
        ("", "export", "export"),
        ("表\u202exslx.exe", "xslx.exe", "表xslx.exe"),
    ],
)
def test_file_names(name, ascii_name, shown):
    """F-08: RFC 6266 with an ASCII fall-back; nothing of the header can be broken out of."""
    fallback, header = safe_filename(name)
    assert fallback == ascii_name
    assert unquote(header.split("UTF-8''")[1]) == shown
    assert header.isascii()
    assert header.count('"') == 2
    assert not re.search(r"[\r\n]", header)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_no_name_breaks_the_header(name):
    fallback, header = safe_filename(name)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,130}", fallback)
    assert re.fullmatch(
        r"attachment; filename=\"[A-Za-z0-9._-]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", header
    )
