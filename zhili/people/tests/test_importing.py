"""Excel import of households: messy lists read, doubtful cells refused (F-04…F-07, C-09, U-50, U-51)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed
from zhili.common.spreadsheets import SpreadsheetError, read_workbook
from zhili.people import actions
from zhili.people.errors import PeopleError
from zhili.people.importing import (
    apply_households,
    corrected_file,
    export_households,
    read_households,
    record_export,
    template,
)
from zhili.people.models import Household, HouseholdChange, ImportRun, Resident
from zhili.people.queries import find_by_card, head_of, members
from zhili.people.tests.messy import HEAD, ROWS, Messy, column, fixtures, number, with_head, xlsx
from zhili.people.workbook import read_group, read_relation

PLACE = "511702109200"
EXPECTED = [
    ("8001", "1组", "演示一", "head"),
    ("8001", "1组", "演示二", "spouse"),
    ("8001", "1组", "演示三", "son"),
    ("8002", "2组", "演示四", "head"),
    ("8002", "2组", "演示五", "child_in_law"),
]
MESSY = fixtures()


@pytest.mark.django_db
@pytest.mark.parametrize("messy", MESSY, ids=[one.title for one in MESSY])
def test_a_list_as_village_offices_keep_it_is_read(messy: Messy):
    """U-51: twenty and more real-style lists, each read to the same people."""
    dry = read_households(messy.data, messy.filename, PLACE)
    assert [str(error) for error in dry.errors] == []
    found = [
        (one.household.code, one.household.group, one.name, one.relation) for one in dry.plan.new_residents
    ]
    assert found == list(messy.people or EXPECTED)
    if messy.people is None:
        by_name = {one.name: one for one in dry.plan.new_residents}
        assert str(by_name["演示一"].birth_date) == "1960-03-05"
        assert str(by_name["演示三"].birth_date) == "1988-08-08"
        assert by_name["演示一"].phone_secret and not by_name["演示二"].phone_secret


def test_there_are_twenty_messy_lists():
    assert len(MESSY) >= 20 and len({one.data for one in MESSY}) == len(MESSY)


def change(row: int, key: int, value: object) -> list[list[object]]:
    rows: list[list[object]] = [list(one) for one in ROWS]
    rows[row][key] = value
    return rows


BAD_CELLS = {
    "身份证号是数字": (change(0, 5, 511799196003050013), "F2", "数字格式"),
    "身份证号是科学计数": (change(0, 5, "5.11799E+17"), "F2", "数字格式"),
    "电话是数字": (change(0, 7, 13800000001), "H2", "数字格式"),
    "身份证号是公式": (change(0, 5, '="5117991960"'), "F2", "公式"),
    "姓名是公式": (change(0, 3, "=C2"), "D2", "公式"),
    "身份证号校验不对": (change(0, 5, number(1)[:-1] + ("1" if number(1)[-1] != "1" else "2")), "F2", "校验"),
    "身份证号少一位": (change(0, 5, number(1)[:-1]), "F2", "18 位"),
    "十五位旧号": (change(0, 5, "511799600305001"), "F2", "15 位"),
    "表内身份证号重复": (change(1, 5, number(1)), "F3", "第 2 行"),
    "出生日期和身份证对不上": (change(0, 6, "1961-03-05"), "G2", "对不上"),
    "出生日期没有年份": (change(2, 6, "8月8日"), "G4", "年份"),
    "出生日期在以后": (change(2, 6, "2099-01-01"), "G4", "今天以后"),
    "不是日期": (change(2, 6, "属马"), "G4", "不是日期"),
    "电话少一位": (change(0, 7, "1380000000"), "H2", "电话"),
    "关系看不懂": (change(2, 4, "媳妇"), "E4", "看不懂"),
    "关系没有填": (change(2, 4, ""), "E4", "没有填"),
    "姓名没有填": (change(2, 3, ""), "D4", "姓名没有填"),
    "户编号没有填": (change(0, 1, ""), "B2", "户编号没有填"),
    "户编号太长": (change(0, 1, "8" * 21), "B2", "最多 20"),
    "没有户主": (change(3, 4, "配偶"), "B5", "没有户主"),
    "两个户主": (change(4, 4, "户主"), "E6", "两个户主"),
    "户编号给了两户": ([*ROWS[:3], *[[*r[:1], "8001", *r[2:]] for r in ROWS[3:]]], "B5", "用了两次"),
    "户主姓名对不上": (change(0, 3, "演示错"), "D2", "户主姓名是演示一"),
    "同一户两个组": (change(2, 0, "3组"), "A4", "不一样"),
    "同一个人两行": ([*ROWS[:3], ROWS[2], *ROWS[3:]], "D5", "同一个人"),
    "遮住的号码没有来历": (change(2, 5, "5****************4"), "F4", "遮住"),
    "错误值": (change(2, 3, "#N/A"), "D4", "错误值"),
    "姓名太长": (change(2, 3, "长" * 61), "D4", "太长"),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_doubtful_cell_is_refused_at_its_address(cast: SimpleNamespace, case: str):
    """F-05, F-06, U-50: row, column, cell, what to do; no number is repeated; nothing is written."""
    rows, ref, words = BAD_CELLS[case]
    before = Household.objects.count(), Resident.objects.count()
    dry = read_households(xlsx(with_head(rows)), "户.xlsx", PLACE)
    said = {error.ref: error for error in dry.errors}
    assert ref in said, [str(error) for error in dry.errors]
    assert words in said[ref].message and said[ref].hint
    assert str(said[ref]).startswith(f"第 {said[ref].row} 行 {said[ref].column} 列")
    assert "511799" not in "".join(map(str, dry.errors))
    with pytest.raises(PeopleError, match="处要改"):
        apply_households(dry, by=cast.clerk)
    assert (Household.objects.count(), Resident.objects.count()) == before
    assert not ImportRun.objects.exists()


def test_the_corrected_file_holds_the_same_rows_and_can_be_mended(cast: SimpleNamespace):
    """U-50: download, mend the marked cell, upload again."""
    dry = read_households(xlsx(with_head(change(2, 4, "媳妇"))), "户.xlsx", PLACE)
    book = read_workbook(corrected_file(dry), "改错.xlsx")
    texts = [[cell.text for cell in row] for row in book.first.rows]
    assert texts[1][:5] == HEAD[:5] and texts[4][3:5] == ["演示三", "媳妇"]
    again = read_households(corrected_file(dry), "改错.xlsx", PLACE)
    assert [error.title for error in again.errors] == ["与户主关系"]
    mended = [["儿媳" if value == "媳妇" else value for value in row] for row in texts]
    assert read_households(xlsx(mended), "改好.xlsx", PLACE).ok


def test_applying_writes_everything_once(cast: SimpleNamespace):
    """C-09: all of it, a history, an audit row, and the same file or the same rows are known again."""
    data = xlsx(with_head(ROWS))
    dry = read_households(data, "户.xlsx", PLACE)
    assert dry.ok and dry.counts["households_new"] == 2
    run = apply_households(dry, by=cast.clerk)
    assert run.summary == {"rows": 5, **dry.counts}
    household = find_by_card(PLACE, "8001")
    assert [one.name for one in members(household)] == ["演示一", "演示二", "演示三"]
    assert head_of(household).pinyin == "ysy" and len(household.card_token) == 22
    assert HouseholdChange.objects.get(household=household).kind == "open"
    assert Entry.objects.get(action="people.import").detail["rows"] == 5
    for file, name in ((data, "户.xlsx"), (xlsx([[], *with_head(list(reversed(ROWS)))]), "另一张.xlsx")):
        again = read_households(file, name, PLACE)
        assert again.repeated == run and not again.ok and not again.changes
        with pytest.raises(PeopleError, match="已导入过"):
            apply_households(again, by=cast.clerk)
    assert Household.objects.filter(code__startswith="80").count() == 2


def test_two_who_checked_at_once_write_once(cast: SimpleNamespace):
    """C-09: the second of two dry runs of one file finds it done."""
    first, second = (read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE) for _ in range(2))
    apply_households(first, by=cast.clerk)
    with pytest.raises(PeopleError, match="已导入过"):
        apply_households(second, by=cast.clerk)


def test_what_changed_since_the_dry_run_is_not_overwritten(cast: SimpleNamespace):
    dry = read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE)
    actions.add_household(by=cast.clerk, place=PLACE, code="8001", head_name="别家")
    with pytest.raises(PeopleError, match="有了变化"):
        apply_households(dry, by=cast.clerk)
    assert not Household.objects.filter(code="8002").exists()


def test_a_later_file_shows_what_it_would_change(cast: SimpleNamespace):
    """U-50: before and after, numbers masked; empty cells change nothing; unchanged rows are counted."""
    apply_households(read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE), by=cast.clerk)
    rows = column(7, lambda value: "13911112222" if value == "13800000001" else "")
    rows = [[*row[:8], "演示路9号" if row[1] == "8002" else ""] for row in rows]
    rows.append(["2组", "8002", "演示四", "演示六", "孙女", "", "2020-01-01", "", ""])
    dry = read_households(xlsx(with_head(rows)), "新.xlsx", PLACE)
    assert dry.errors == [] and dry.counts == {
        "households_new": 0, "households_changed": 1, "residents_new": 1, "residents_changed": 1,
        "residents_unchanged": 4,
    }  # fmt: skip
    said = {(c.title, c.before, c.after) for c in dry.changes if c.kind == "changed"}
    assert said == {("电话", "*******0001", "*******2222"), ("住址", "演示路2号", "演示路9号")}
    apply_households(dry, by=cast.clerk)
    assert find_by_card(PLACE, "8002").address == "演示路9号"
    assert [c.kind for c in find_by_card(PLACE, "8001").changes.all()] == ["open", "edit"]


@pytest.mark.parametrize(
    "row, words",
    [
        (["1组", "1001", "演示别", "演示别", "户主", "", "", "", ""], "已是演示乙户"),
        (["1组", "1001", "", "演示甲", "户主", "", "", "", ""], "已是演示乙户"),
        (["1组", "9009", "演示新", "演示新", "户主", number(1), "", "", ""], "登记在 8001 户"),
    ],
)
def test_a_table_cannot_change_heads_or_move_people(cast: SimpleNamespace, row: list[str], words: str):
    """L-12: that is done by named deeds."""
    apply_households(read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE), by=cast.clerk)
    dry = read_households(xlsx(with_head([row])), "新.xlsx", PLACE)
    assert any(words in error.message for error in dry.errors), [str(error) for error in dry.errors]


def test_a_closed_households_number_is_not_used_again(cast: SimpleNamespace):
    actions.move_away(by=cast.clerk, household=cast.household, basis="户口迁出")
    dry = read_households(
        xlsx(with_head([["1组", "1001", "演示新", "演示新", "户主", "", "", "", ""]])), "新.xlsx", PLACE
    )
    assert "已迁出" in dry.errors[0].message


def test_the_number_of_statements_does_not_grow_with_the_rows(cast: SimpleNamespace):
    """C-09, U-50."""

    def statements(households: int, start: int) -> int:
        rows = [
            [f"{n % 9 + 1}组", str(start + n), "", f"演示{'甲乙丙丁'[m]}{n}", "户主" if m == 0 else "其他",
             number(m + start // 100, f"19{50 + n // 28:02d}{n // 28 % 12 + 1:02d}{n % 28 + 1:02d}"), "", "", ""]
            for n in range(households) for m in range(4)
        ]  # fmt: skip
        dry = read_households(xlsx(with_head(rows)), "户.xlsx", PLACE)
        assert dry.errors == []
        with CaptureQueriesContext(connection) as captured:
            apply_households(dry, by=cast.clerk)
        return len(captured)

    assert cast.clerk.has_role("clerk")  # read once per request; not the import's own
    assert statements(100, 20000) == statements(2, 30000) <= 20


def test_export_is_the_template_filled_in_and_changes_nothing_when_read_again(cast: SimpleNamespace):
    """U-50: round trip, with complete and with masked numbers."""
    apply_households(read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE), by=cast.clerk)
    for reveal in (True, False):
        data = export_households(PLACE, reveal=reveal)
        dry = read_households(data, "导出.xlsx", PLACE)
        assert [str(error) for error in dry.errors] == [] and dry.changes == []
        assert dry.counts["residents_unchanged"] == dry.rows == Resident.objects.filter(place=PLACE).count()
        texts = [cell.text for row in read_workbook(data, "导出.xlsx").first.rows for cell in row]
        assert (number(1) in texts) == reveal and ("13800000001" in texts) == reveal


def test_an_export_moves_a_village_to_another_machine(cast: SimpleNamespace):
    """Round trip equal: what was exported, imported elsewhere, exports the same."""
    apply_households(read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE), by=cast.clerk)
    data = export_households(PLACE, Household.objects.filter(code__startswith="80"), reveal=True)
    other = "511702103200"
    apply_households(read_households(data, "导出.xlsx", other), by=None)
    copy = export_households(other, reveal=True)
    rows = [
        [[cell.text for cell in row] for row in read_workbook(one, "x.xlsx").first.rows]
        for one in (data, copy)
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 6


def test_complete_numbers_leave_with_a_reason_on_record(cast: SimpleNamespace):
    """A-12, A-14, F-08."""
    with pytest.raises(PeopleError, match="用途"):
        record_export(by=cast.clerk, place=PLACE, reveal=True, reason="")
    for person in (cast.supervisor, cast.township, cast.villager, cast.stranger_clerk):
        with pytest.raises(NotAllowed):
            record_export(by=person, place=PLACE, reveal=True, reason="报送核对")
    record_export(by=cast.clerk, place=PLACE, reveal=True, reason="报送核对")
    assert Entry.objects.get(action="people.export").detail == {"reveal": True, "reason": "报送核对"}


@pytest.mark.parametrize(
    "person", ["villager", "group_leader", "reviewer", "supervisor", "township", "stranger_clerk"]
)
def test_only_the_clerk_imports(cast: SimpleNamespace, person: str):
    dry = read_households(xlsx(with_head(ROWS)), "户.xlsx", PLACE)
    with pytest.raises(NotAllowed):
        apply_households(dry, by=getattr(cast, person))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "data, name",
    [
        (b"", "x.xlsx"),
        (b"PK\x03\x04 broken", "x.xlsx"),
        (b"%PDF-1.4", "x.pdf"),
        (xlsx([["甲", "乙"], ["1", "2"]]), "x.xlsx"),
        (xlsx([HEAD]), "x.xlsx"),
        (xlsx([["户编号", "组"], ["1", "2"]]), "x.xlsx"),
        (xlsx([["姓名", "与户主关系"], ["1", "2"]]), "x.xlsx"),
        ("户编号\x00".encode(), "x.csv"),
    ],
)
def test_what_is_no_list_says_so(data: bytes, name: str):
    """F-04: one sentence with what to do."""
    with pytest.raises(SpreadsheetError) as refused:
        read_households(data, name, PLACE)
    assert refused.value.hint


@pytest.mark.django_db
def test_the_template_reads_as_empty_and_hides_nothing():
    """U-50, F-08."""
    data = template()
    with pytest.raises(SpreadsheetError, match="没有内容"):
        read_households(data, "模板.xlsx", PLACE)
    book = read_workbook(data, "模板.xlsx")
    assert [sheet.title for sheet in book.sheets] == ["户和人员", "填写说明"]
    assert not any("隐藏" in remark for remark in book.remarks)


@pytest.mark.parametrize(
    "text, relation",
    [
        ("户主", "head"), ("本人", "head"), ("妻", "spouse"), ("丈夫", "spouse"), ("之妻", "spouse"),
        ("长子", "son"), ("独生子", "son"), ("户主之三子", "son"), ("次女", "daughter"), ("养女", "daughter"),
        ("儿媳", "child_in_law"), ("二女婿", "child_in_law"), ("长媳", "child_in_law"), ("岳父", "parent"),
        ("继母", "parent"), ("孙", "grandchild"), ("外孙女", "grandchild"), ("长孙", "grandchild"),
        ("二哥", "sibling"), ("胞妹", "sibling"), ("孙媳", "other"), ("侄儿", "other"), ("奶奶", "other"),
        ("媳妇", None), ("子女", None), ("", None), ("邻居", None), ("张三", None),
    ],
)  # fmt: skip
def test_relation_words(text: str, relation: str | None):
    """U-51: what is not certain is not guessed."""
    assert read_relation(text) == relation


@pytest.mark.parametrize(
    "text, group",
    [
        ("1", "1组"), ("一组", "1组"), ("第1组", "1组"), ("1组", "1组"), ("第十二村民小组", "12组"), ("二十", "20组"),
        ("３组", "3组"), ("3社", "3社"), ("三社", "3社"), ("新村聚居点", "新村聚居点"), ("", ""), ("十", "10组"),
    ],
)  # fmt: skip
def test_group_words(text: str, group: str):
    import unicodedata

    assert read_group(unicodedata.normalize("NFKC", text)) == group
