"""F-04…F-07, U-51: hostile files are refused before parsing; messy files of real cadres are understood."""

import io
import json
import subprocess
import sys
import zipfile
import zlib
from datetime import date, datetime

import openpyxl
import pytest
import xlsxwriter

from zhili.common.spreadsheets import (
    Cell,
    Limits,
    SpreadsheetError,
    as_code,
    as_date,
    as_int,
    as_points,
    as_text,
    find_header,
    read_workbook,
)
from zhili.common.tests.samples import make_test_id_number

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = f'<worksheet xmlns="{MAIN}"><sheetData>%s</sheetData></worksheet>'
WANTED = {
    "code": ["户编号", "编号"],
    "head": ["户主", "户主姓名"],
    "day": ["日期", "发生日期"],
    "points": ["积分", "分值"],
}


def xlsx(
    sheet=SHEET % '<row r="1"><c r="A1" t="inlineStr"><is><t>甲</t></is></c></row>', extra=None, **replaced
):
    """A smallest .xlsx by hand, so that every part can be made hostile."""
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{RELS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELS}"><sheets>'
        '<sheet name="表一" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{RELS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet,
        **(extra or {}),
        **replaced,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in parts.items():
            made.writestr(name, body)
    return out.getvalue()


def made_by_excel(fill):
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        fill(book)
    return out.getvalue()


def refusal(data, name="导入.xlsx", **options):
    with pytest.raises(SpreadsheetError) as caught:
        read_workbook(data, name, **options)
    assert caught.value.hint.endswith("。")
    return caught.value


def cell(value, kind=None):
    kinds = {str: "text", float: "number", date: "date", datetime: "date", bool: "bool", type(None): "empty"}
    return Cell(value, kind or kinds[type(value)], 4, 2)


# --- hostile files ---

BOMB = """
import io, json, resource, sys, time, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
    made.writestr("[Content_Types].xml", "<Types/>")
    made.writestr("xl/workbook.xml", "<workbook/>")
    with made.open("xl/worksheets/sheet1.xml", "w") as sheet:
        for _ in range(200):
            sheet.write(b" " * 1048576)
from zhili.common.spreadsheets import SpreadsheetError, read_workbook
import tracemalloc
data = out.getvalue()
tracemalloc.start()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_workbook(data, "a.xlsx")
    said = ""
except SpreadsheetError as error:
    said = error.message
peak = tracemalloc.get_traced_memory()[1]
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"file": len(data), "said": said, "peak": peak, "grown": grown * 1024}))
"""


def test_the_bomb_is_refused_without_being_unpacked():
    """F-04: 199 KB that unpack to 200 MB; memory is measured in a process of its own."""
    ran = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=True)
    seen = json.loads(ran.stdout)
    assert seen["file"] < 210_000
    assert "太大" in seen["said"]
    assert seen["peak"] < 50_000_000
    assert seen["grown"] < 50_000_000


def test_a_zip_whose_list_lies_about_sizes_is_refused():
    """F-04: a list that promises 1 KB for 2 MB is caught while unpacking."""
    big = xlsx(SHEET % ("<row/>" * 400_000))
    true_size = len(SHEET % ("<row/>" * 400_000))
    lied = big.replace(true_size.to_bytes(4, "little"), (1_000).to_bytes(4, "little"))
    assert lied != big
    assert "损坏" in refusal(lied).message


def test_a_forged_checksum_does_not_help_the_lie():
    sheet = SHEET % ("<row/>" * 400_000)
    big = xlsx(sheet)
    crc, forged = zlib.crc32(sheet.encode()), zlib.crc32(sheet.encode()[:1_000])
    lied = big.replace(len(sheet).to_bytes(4, "little"), (1_000).to_bytes(4, "little"))
    lied = lied.replace(crc.to_bytes(4, "little"), forged.to_bytes(4, "little"))
    assert "损坏" in refusal(lied).message


HOSTILE = {
    "macros": (xlsx(extra={"xl/vbaProject.bin": b"x"}), "宏"),
    "macros by type": (
        xlsx(**{"[Content_Types].xml": "<Types ContentType='application/vnd.ms-excel.sheet.macroEnabled'/>"}),
        "宏",
    ),
    "external link": (xlsx(extra={"xl/externalLinks/externalLink1.xml": "<a/>"}), "别的文件"),
    "embedded object": (xlsx(extra={"xl/embeddings/oleObject1.bin": b"x"}), "嵌入"),
    "control": (xlsx(extra={"xl/activeX/activeX1.xml": "<a/>"}), "控件"),
    "data connection": (xlsx(extra={"xl/connections.xml": "<a/>"}), "外部数据"),
    "doctype": (xlsx('<!DOCTYPE x [<!ENTITY a "b">]>' + SHEET % ""), "实体"),
    "external entity": (
        xlsx(extra={"xl/sharedStrings.xml": '<!DOCTYPE x SYSTEM "file:///etc/passwd"><sst/>'}),
        "实体",
    ),
    "other encoding": (xlsx(extra={"xl/styles.xml": '<?xml version="1.0" encoding="UTF-7"?><a/>'}), "损坏"),
    "utf-16": (xlsx((SHEET % "").encode("utf-16")), "损坏"),
    "far corner": (xlsx(SHEET % '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'), "行"),
    "far column": (xlsx(SHEET % '<row r="1"><c r="XFD1"><v>1</v></c></row>'), "XFD"),
    "far column without addresses": (
        xlsx(SHEET % ('<row r="1">' + "<c><v>1</v></c>" * 300 + "</row>")),
        "列",
    ),
    "too many parts": (xlsx(extra={f"xl/media/{n}.png": b"" for n in range(600)}), "部件"),
    "too many sheets": (
        xlsx(extra={f"xl/worksheets/sheet{n}.xml": SHEET % "" for n in range(2, 40)}),
        "工作表",
    ),
    "one string a million times": (
        xlsx(
            SHEET % "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 20_001)),
            extra={"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>' + "重" * 5_000 + "</t></si></sst>"},
        ),
        "太大",
    ),
    "endless tag": (xlsx(SHEET % ("<row><c " + 'r="A1" ' * 20_000)), "损坏"),
    "not closed": (xlsx(SHEET[:40]), "打不开"),
    "no workbook": (xlsx(**{"xl/workbook.xml": ""}), "不是 Excel"),
    "word": (xlsx(extra={"word/document.xml": "<a/>"}), "Word"),
    "xlsb": (xlsx(extra={"xl/workbook.bin": b"x"}), "xlsb"),
    "cut in half": (xlsx()[:400], "损坏"),
    "old xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "旧版"),
    "password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
        "密码",
    ),
    "page named xls": (b"<html><table></table></html>", "不是 Excel"),
    "pdf": (b"%PDF-1.7", "不是 Excel"),
    "nothing": (b"", "空"),
    "empty sheet": (xlsx(SHEET % ""), "没有内容"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused(what):
    """F-04: macros, links, entities, bombs by grid and by string, and what is no .xlsx at all."""
    data, said = HOSTILE[what]
    assert said in refusal(data).message


def test_a_zip_with_a_password_is_refused():
    locked = bytearray(xlsx())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = locked.find(mark)
        while start >= 0:
            locked[start + place] |= 1
            start = locked.find(mark, start + 4)
    assert "密码" in refusal(bytes(locked)).message


def test_limits_are_the_callers():
    assert "MB" in refusal(xlsx(), limits=Limits(file_bytes=100)).message
    two = SHEET % '<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="A2"><v>1</v></c></row>'
    assert "2 行" in refusal(xlsx(two), limits=Limits(rows=1)).message


def test_the_plain_file_itself_is_fine():
    """Otherwise the refusals above would prove nothing."""
    book = read_workbook(xlsx(), "导入.xlsx")
    assert [as_text(one) for one in book.first.rows[0]] == ["甲"]
    assert book.remarks == []


# --- formulas, numbers, remarks ---


def test_formulas_are_refused_with_their_addresses():
    """F-05: the cached value is never taken."""

    def fill(book):
        page = book.add_worksheet("积分")
        page.write_string(0, 0, "积分")
        page.write_formula(4, 2, "=1+1", None, 2)
        page.write_formula(9, 0, '=HYPERLINK("http://example.invalid","点")', None, "点")

    data = made_by_excel(fill)
    error = refusal(data)
    assert "C5" in error.message
    assert "A10" in error.message
    assert error.cells == ("C5", "A10")
    book = read_workbook(data, "a.xlsx", formulas="mark")
    assert book.first.rows[4][2].kind == "formula"
    assert book.first.rows[4][2].value is None
    with pytest.raises(SpreadsheetError, match="C5"):
        as_text(book.first.rows[4][2])


@pytest.mark.parametrize("formula", ["<f>1+1</f>", '<f t="shared" si="0"/>', "<f/>", "\n <f>A1</f>"])
def test_every_way_to_write_a_formula_is_seen(formula):
    sheet = SHEET % f'<row r="1"><c r="B1">{formula.strip()}<v>2</v></c></row>'
    assert "B1" in refusal(xlsx(sheet)).message


def test_an_id_number_typed_as_a_number_is_refused():
    """F-06, 1.3: …1234 has become …1264; only the clerk can say what it was."""
    number = make_test_id_number("511702", "19900101", "123")

    def fill(book):
        page = book.add_worksheet()
        page.write_number(0, 0, float(number.replace("X", "0")))
        page.write_string(0, 1, number)

    as_number, as_words = read_workbook(made_by_excel(fill), "a.xlsx").first.rows[0]
    assert as_code(as_words) == number
    with pytest.raises(SpreadsheetError) as caught:
        as_code(as_number)
    assert "A1" in caught.value.message
    assert "文本格式" in caught.value.hint
    assert number[:10] not in str(caught.value)


def test_what_is_hidden_or_merged_is_said_aloud():
    """F-07: hidden sheets are not read; the rest is reported."""

    def fill(book):
        page = book.add_worksheet("名单")
        page.merge_range(0, 0, 0, 3, "谭家沟村积分表")
        for n in range(1, 4):
            page.write_string(n, 0, f"{n}")
        page.set_row(2, None, None, {"hidden": True})
        page.set_column(5, 6, None, None, {"hidden": True})
        book.add_worksheet("别的").write_string(0, 0, "x")
        secret = book.add_worksheet("藏着")
        secret.write_string(0, 0, "不该读")
        secret.hide()

    book = read_workbook(made_by_excel(fill), "a.xlsx")
    assert [sheet.title for sheet in book.sheets] == ["名单", "别的"]
    assert book.first.hidden_rows == {2}
    assert book.first.hidden_columns == {5, 6}
    said = "\n".join(book.remarks)
    for words in ("合并单元格（A1:D1）", "第 3 行", "F 列", "“藏着”是隐藏的，没有读取", "另外还有：“别的”"):
        assert words in said
    assert "不该读" not in str(book)


def test_a_styled_but_empty_far_corner_is_no_reason_to_refuse():
    """U-51: WPS formats whole rows out to XFD."""
    row = '<row r="1"><c r="A1"><v>1</v></c><c r="XFD1" s="1"/></row><row r="1048576" ht="14"/>'
    assert len(read_workbook(xlsx(SHEET % row), "a.xlsx").first.rows) == 1


# --- messy files ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("comma", [",", "\t", ";"])
def test_csv_in_every_encoding(encoding, comma):
    """F-07."""
    text = "户编号,户主,积分\r\n0012,张三,２\r\n".replace(",", comma)
    rows = read_workbook(text.encode(encoding), "导出.csv").first.rows
    assert [one.text for one in rows[1]] == ["0012", "张三", "2"]
    assert rows[1][2].ref == "C2"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n=1+1,2\n", "公式"),
        (b'a,b\n"unclosed,2\n' + b"x" * 200_000, "读不懂"),
        (b"\x81\xff\x00\x01", "编码"),
        (b"\xff\xff\xff", "编码"),
        (b",,,\n,,\n", "没有内容"),
        (b"\n\n", "没有内容"),
        (("a," * 300).encode(), "列"),
    ],
)
def test_bad_csv_is_refused(data, said):
    assert said in refusal(data, "导出.csv").message


def test_the_csv_trick_for_leading_zeros_is_understood():
    rows = read_workbook('编号\n="0012"\n'.encode(), "a.csv").first.rows
    assert as_code(rows[1][0]) == "0012"


def test_an_xlsx_named_csv_is_read_as_what_it_is():
    assert read_workbook(xlsx(), "a.csv").first.title == "表一"


HEADERS = {
    "plain": [["户编号", "户主", "日期", "积分"]],
    "title above": [["谭家沟村2026年积分表", "", "", ""], ["户编号", "户主", "日期", "积分"]],
    "three title rows": [["积分表"], ["制表：某某"], [], ["户编号", "户主", "日期", "积分"]],
    "further columns": [["序号", "户编号", "性别", "户主", "备注", "日期", "积分"]],
    "other order": [["积分", "日期", "户主", "户编号"]],
    "line breaks": [["户\n编号", "户 主", "日　期", "积分\n"]],
    "stars and notes": [["*户编号", "户主（必填）", "日期(如2026-03-05)", "积分："]],
    "synonyms": [["编号", "户主姓名", "发生日期", "分值"]],
    "merged head above": [["基本情况", "", "事项", ""], ["编号", "户主", "日期", "分值"]],
    "full-width": [["户编号　", "户主", "日期", "积分"]],
    "head said twice": [["户编号", "户主", "日期", "积分", "积分"]],
}


def grid(rows):
    return [
        [cell(v or None)._replace(row=n, column=m) for m, v in enumerate(row)] for n, row in enumerate(rows)
    ]


@pytest.mark.parametrize("style", HEADERS)
def test_headers_of_cadres(style):
    """U-51: title rows, further columns, line breaks, stars and synonyms."""
    rows = grid([*HEADERS[style], ["0001", "张三", "2026-3-5", "2"]])
    found = find_header(rows, WANTED)
    assert found.row == len(HEADERS[style]) - 1
    assert found.missing == []
    found.require(*WANTED)


def test_a_two_storey_head_tells_two_names_apart():
    rows = grid([["户主", "", "申报人", ""], ["姓名", "电话", "姓名", "电话"]])
    found = find_header(rows, {"head": ["户主姓名"], "by": ["申报人姓名"], "phone": ["申报人电话"]})
    assert found.columns == {"head": 0, "by": 2, "phone": 3}


def test_missing_columns_are_named():
    found = find_header(grid([["户编号", "户主"]]), WANTED)
    with pytest.raises(SpreadsheetError) as caught:
        found.require("code", "day", "points")
    assert "日期、积分" in caught.value.message
    assert "第 1 行" in caught.value.message


def test_no_header_at_all_is_said():
    found = find_header(grid([["0001", "张三"]]), WANTED)
    assert found.row == -1
    with pytest.raises(SpreadsheetError, match="没有找到表头"):
        found.require("code")


def test_a_short_row_has_empty_cells():
    rows = grid([["户编号", "户主", "日期", "积分"], ["0001"]])
    found = find_header(rows, WANTED)
    assert as_text(found.get(rows[1], "points")) == ""
    assert found.get(rows[1], "points").ref == "D2"


@pytest.mark.parametrize(
    "value",
    [
        "2026-3-5",
        "2026-03-05",
        "2026/03/05",
        "2026.3.5",
        "2026年3月5日",
        "2026 年 3 月 5 日",
        "20260305",
        "２０２６－３－５",
        "2026-03-05 00:00:00",
        "2026-03-05T08:30:00",
        " 2026/3/5 ",
        date(2026, 3, 5),
        datetime(2026, 3, 5, 8, 30),
        20260305.0,
        "2026年3月5号",
    ],
)
def test_dates_as_cadres_write_them(value):
    """U-51."""
    assert as_date(cell(value)) == date(2026, 3, 5)


@pytest.mark.parametrize(
    "value",
    [
        "3月5日",
        "３月５日",
        "3-5",
        "26-3-5",
        "2026-13-1",
        "2026-2-30",
        "2026",
        "2026年3月",
        "昨天",
        46086.0,
        3.5,
        True,
        "2026-3-5至3-8",
        "05/03/2026",
        date(1899, 12, 31),
        "0026-03-05",
    ],
)
def test_what_is_no_date_is_refused_with_its_address(value):
    with pytest.raises(SpreadsheetError) as caught:
        as_date(cell(value))
    assert "C5" in caught.value.message
    assert "2026-03-05" in caught.value.hint


def test_an_empty_cell_is_no_date():
    assert as_date(cell(None)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("　张三 ", "张三"), ("Ａ１", "A1"), (5.0, "5"), (0.5, "0.5"), (True, "是"), ("'=1", "=1")],
)
def test_text_is_tidied(value, text):
    assert as_text(cell(value)) == text


@pytest.mark.parametrize(
    ("value", "centi"), [(2.0, 200), (0.5, 50), ("２", 200), ("-1.25", -125), ("+3", 300)]
)
def test_points_in_cells(value, centi):
    assert as_points(cell(value)) == centi


@pytest.mark.parametrize("value", [0.005, 0.1 + 0.2, 1e20, "两分", "2分", None, float("nan"), float("inf")])
def test_points_that_are_none_are_refused(value):
    """L-02."""
    with pytest.raises(SpreadsheetError, match="C5"):
        as_points(cell(value))


@pytest.mark.parametrize("value", ["5.11702E+17", 5.11702e17, date(2026, 3, 5), True])
def test_codes_must_be_text(value):
    """F-06."""
    with pytest.raises(SpreadsheetError, match="C5"):
        as_code(cell(value))


@pytest.mark.parametrize("value", ["一", 1.5, "1.0", "1e3"])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(SpreadsheetError, match="C5"):
        as_int(cell(value))
    assert as_int(cell("１２")) == 12


def test_an_error_value_is_refused():
    with pytest.raises(SpreadsheetError, match="#N/A"):
        as_text(cell("#N/A", "error"))


def test_a_file_of_another_program_is_read_alike():
    """F-07, U-51: openpyxl writes its XML another way."""
    book = openpyxl.Workbook()
    page = book.active
    page.append(["户编号", "户主", "日期"])
    page.append(["0012", "张三", date(2026, 3, 5)])
    page.append(["=A1", 1.5, None])
    page.row_dimensions[2].hidden = True
    page.column_dimensions["B"].hidden = True
    page.merge_cells("E1:F2")
    out = io.BytesIO()
    book.save(out)
    read = read_workbook(out.getvalue(), "a.xlsx", formulas="mark")
    rows = read.first.rows
    assert (as_code(rows[1][0]), as_date(rows[1][2]), rows[2][0].kind) == (
        "0012",
        date(2026, 3, 5),
        "formula",
    )
    assert read.first.hidden_rows == {1}
    assert read.first.hidden_columns == {1}
    assert len(read.remarks) == 3
