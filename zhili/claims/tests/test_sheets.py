"""Sheets of paper and their way back: numbers, keying in by row code, the second person (U-33, U-34)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.books import make_book
from tests.month import home
from zhili.audit.models import Entry
from zhili.claims.actions import confirm_sheet, key_in, print_sheets, void_sheet
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim, Sheet, SheetRow
from zhili.claims.photos import folder, sweep
from zhili.claims.sheet_reading import Typed, day_of, find_sheet
from zhili.claims.tests.test_phone import _photo_root, browser, picture  # noqa: F401
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.periods import parse_code
from zhili.people.models import Household

ROWS = [
    Typed(item="HJ01", day="10-5", witness="演示戊"),
    Typed(item="gy02", amount="12"),
    Typed(item="ＨＪ０１", day="1006"),
]


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=True):
        yield


@pytest.fixture
def village(cast):
    cast.book = make_book(cast)
    cast.desk = f"/desk/{cast.place}"
    return cast


def body(answer: Any) -> str:
    return answer.content.decode()


def printed(village, *codes: str, **more: Any) -> list[Sheet]:
    homes = [home(village, code) for code in codes]
    return print_sheets(by=village.clerk, place=village.place, period="2026-10", households=homes, **more)


def keyed(village, code: str = "1001", lines: list[Typed] = ROWS) -> Sheet:
    sheet, checked = key_in(by=village.clerk, sheet=printed(village, code)[0], lines=lines)
    assert not checked.errors
    return sheet


def test_a_sheet_goes_out_comes_back_and_becomes_claims(village):
    """U-34: two people, then claims over the channel paper in the name of who keyed in; the audit names both."""
    sheet = keyed(village)
    assert Claim.objects.count() == 0 and sheet.status == "keyed"
    claims = confirm_sheet(by=village.group_leader, sheet=sheet, rows=3, total=Decimal(12))
    assert [claim.item.code for claim in claims] == ["HJ01", "GY02", "HJ01"]
    assert [claim.occurred_on.day for claim in claims] == [5, 5, 6]
    assert {claim.channel for claim in claims} == {"paper"} and claims[1].quantity == 12
    assert {claim.submitted_by for claim in claims} == {village.clerk}
    assert claims[0].text == f"纸表 {sheet}" and claims[0].evidence.get().note == "演示戊"
    assert set(SheetRow.objects.values_list("claim", flat=True)) == {claim.pk for claim in claims}
    deeds = list(
        Entry.objects.filter(action__startswith="claims.sheet")
        .order_by("at", "id")
        .values_list("action", flat=True)
    )
    assert deeds == ["claims.sheet_print", "claims.sheet_key", "claims.sheet_confirm"]


def test_confirming_twice_gives_the_same_claims(village):
    """U-34: a double click, a lost answer."""
    sheet = keyed(village)
    first = confirm_sheet(by=village.group_leader, sheet=sheet, rows=3, total=Decimal(12))
    assert confirm_sheet(by=village.group_leader, sheet=sheet, rows=3, total=Decimal(12)) == first
    assert Claim.objects.count() == 3
    with pytest.raises(ClaimError, match="不用核对"):
        confirm_sheet(by=village.supervisor, sheet=sheet, rows=3, total=Decimal(12))


@pytest.mark.parametrize(
    ("rows", "total", "words"), [(2, 12, "纸上数出 2 行，录入 3 行"), (3, 21, "加起来 21，录入 12")]
)
def test_two_counts_that_differ_submit_nothing(village, rows, total, words):
    """U-34: a mismatch blocks, stands on the sheet, and goes when it is keyed in again."""
    sheet = keyed(village)
    assert confirm_sheet(by=village.group_leader, sheet=sheet, rows=rows, total=Decimal(total)) == []
    sheet.refresh_from_db()
    assert words in sheet.problem and sheet.status == "keyed" and Claim.objects.count() == 0
    sheet, _ = key_in(by=village.clerk, sheet=sheet, lines=ROWS[:2])
    assert sheet.problem == "" and sheet.rows.count() == 2
    assert len(confirm_sheet(by=village.supervisor, sheet=sheet, rows=2, total=Decimal(12))) == 2


def test_who_keyed_it_in_cannot_confirm(village):
    """U-34, A-07: a different user, held by the database too."""
    sheet = keyed(village)
    with pytest.raises(NotAllowed, match="您自己录的"):
        confirm_sheet(by=village.clerk, sheet=sheet, rows=3, total=Decimal(12))
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        Sheet.objects.filter(pk=sheet.pk).update(confirmed_by=village.clerk)
    own = keyed(village, "1002")
    with pytest.raises(NotAllowed, match="您自己家的表"):
        confirm_sheet(by=village.group_leader, sheet=own, rows=3, total=Decimal(12))
    for person in (
        village.villager,
        village.reviewer2,
        village.stranger_clerk,
        village.shopkeeper,
        village.township,
    ):
        with pytest.raises(NotAllowed):
            confirm_sheet(by=person, sheet=sheet, rows=3, total=Decimal(12))
    assert Claim.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        (Typed(item="HJ99", day="10-5"), "item", "没有这个行号"),
        (Typed(day="10-5", amount="2"), "item", "没有写行号"),
        (Typed(item="HJ01"), "day", "没有写哪一天"),
        (Typed(item="HJ01", day="十月五日"), "day", "看不懂"),
        (Typed(item="HJ01", day="10-32"), "day", "看不懂"),
        (Typed(item="HJ01", day="10-25"), "day", "还没有到"),
        (Typed(item="HJ01", day="2026-03-05"), "day", "补记期限"),
        (Typed(item="HJ01", day="10-5", amount="3"), "amount", "做了几次就写几行"),
        (Typed(item="GY02", day="10-5"), "amount", "多少小时"),
        (Typed(item="GY02", day="10-5", amount="-2"), "amount", "大于 0"),
        (Typed(item="HJ02", day="10-5", amount="很好"), "amount", "整洁、合格"),
        (Typed(item="GY04", day="10-5", amount="50"), "amount", "1 至 20"),
        (Typed(item="GY01", day="10-5", amount="200"), "document", "要有材料"),
        (Typed(item="GY03", day="10-5"), "document", "要有照片或材料"),
        (Typed(item="ZX01", day="10-5"), "item", "扣分要先提醒"),
        (Typed(item="HJ01", day="10-5", who="没有这人"), "who", "没有这个名字"),
        (Typed(item="HJ01", day="10-5", witness="很" * 61), "witness", "太长"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_in_words_and_nothing_is_written(village, typed, field, words):
    """U-34: the dry check names line, field and what to do; the good line before it waits too."""
    sheet = printed(village, "1001")[0]
    lines = [typed] if field == "day" else [ROWS[0], typed]
    sheet, checked = key_in(by=village.clerk, sheet=sheet, lines=lines)
    position, key, text = checked.errors[0]
    assert (position, key) == (len(lines), field) and words in text
    sheet.refresh_from_db()
    assert sheet.status == "printed" and not SheetRow.objects.exists()


def test_the_same_line_twice_is_asked_about(village):
    """U-34: a slip of the finger does not count twice."""
    _, checked = key_in(
        by=village.clerk, sheet=printed(village, "1001")[0], lines=[ROWS[0], Typed(item="HJ01")]
    )
    assert "和第 1 行一样" in checked.errors[0][2]


def test_a_sheet_is_keyed_in_once(village):
    """U-34: by another person, after confirming, after voiding: refused in words."""
    sheet = keyed(village)
    with pytest.raises(ClaimError, match="已由演示丁录入"):
        key_in(by=village.group_leader, sheet=sheet, lines=ROWS)
    confirm_sheet(by=village.group_leader, sheet=sheet, rows=3, total=Decimal(12))
    with pytest.raises(ClaimError, match="已经录入、核对过了"):
        key_in(by=village.clerk, sheet=sheet, lines=ROWS)
    with pytest.raises(ClaimError, match="不能作废"):
        void_sheet(by=village.clerk, sheet=sheet)
    other = void_sheet(by=village.clerk, sheet=keyed(village, "3001"))
    with pytest.raises(ClaimError, match="已作废"):
        key_in(by=village.clerk, sheet=other, lines=ROWS)
    assert other.rows.count() == 0 and Claim.objects.count() == 3


def test_what_changed_before_confirming_blocks_all_of_it(village):
    """U-34: the household closed between the two: no half sheet is submitted."""
    sheet = keyed(village, "3001")
    Household.objects.filter(pk=home(village, "3001").pk).update(status="moved", closed_on=date(2026, 10, 19))
    with pytest.raises(ClaimError, match="第 1 行现在收不下"):
        confirm_sheet(by=village.group_leader, sheet=sheet, rows=3, total=Decimal(12))
    assert Claim.objects.count() == 0


def test_numbers_are_the_villages_own_and_a_sheet_printed_again_keeps_its_number(village):
    """U-33: reprinting for the same household and period does not make a second sheet; another period does."""
    first = printed(village, "1001", "1002")
    assert [str(one) for one in first] == ["B-1", "B-2"]
    again = printed(village, "1002", "2001")
    assert [one.number for one in again] == [2, 3]
    keyed(village, "1001")
    assert printed(village, "1001")[0].number == 4
    blank = print_sheets(by=village.clerk, place=village.place, period="2026-10", blank=3)
    assert [one.number for one in blank] == [5, 6, 7]
    with pytest.raises(ClaimError, match="没有要打印的户"):
        print_sheets(by=village.clerk, place=village.place, period="2026-10")
    with pytest.raises(ClaimError, match="不是本村的户"):
        print_sheets(
            by=village.clerk,
            place=village.place,
            period="2026-10",
            households=[village.stranger.resident.household],
        )
    for person in (village.villager, village.supervisor, village.stranger_clerk):
        with pytest.raises(NotAllowed):
            print_sheets(by=person, place=village.place, period="2026-10", blank=1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("B-9", "没有编号 B-9"),
        ("http://x/desk/511702109201/sheets/1/", "不是本村的"),
        ("随便", "编号看不懂"),
        ("", "编号看不懂"),
        ("9" * 9, "编号看不懂"),
    ],
)
def test_a_number_that_is_not_ours_is_told(village, text, words):
    """U-22, U-34: a mistyped number, another village's sheet."""
    printed(village, "1001")
    with pytest.raises(ZhiliError, match=words):
        find_sheet(village.place, text)


@pytest.mark.parametrize(
    "text", ["B-1", "b1", "Ｂ－１", " 1 ", "http://127.0.0.1:8000/desk/511702109200/sheets/1/"]
)
def test_a_number_is_found_however_it_is_typed_or_scanned(village, text):
    """U-22: each code has a number to type."""
    sheet = printed(village, "1001")[0]
    assert find_sheet(village.place, text) == sheet


@pytest.mark.parametrize(
    ("text", "period", "day"),
    [
        ("5", "2026-10", (2026, 10, 5)), ("10-5", "2026-10", (2026, 10, 5)), ("1005", "2026-10", (2026, 10, 5)),
        ("10月5日", "2026-10", (2026, 10, 5)), ("１０．５", "2026-10", (2026, 10, 5)),
        ("20261005", "2026-10", (2026, 10, 5)), ("12-30", "2025", (2025, 12, 30)), ("5", "2026-Q3", None),
        ("2-30", "2026-Q1", None),
        ("12-28", "2026-01", (2025, 12, 28)), ("昨天", "2026-10", None), ("", "2026-10", None), ("1-2-3-4", "2026-10", None),
    ],
)  # fmt: skip
def test_days_as_people_write_them(text, period, day):
    """U-34."""
    assert day_of(text, parse_code(period), date(2026, 10, 20)) == (date(*day) if day else None)


def test_a_scoring_sheet_has_a_household_on_every_line(village):
    """U-33: household and item by code; the empty household is the one above; a score is for the reviewers."""
    sheet = print_sheets(by=village.clerk, place=village.place, period="2026-10", group="1组", blank=1)[0]
    lines = [
        Typed(household="1001", item="HJ02", day="10-8", amount="整洁"), Typed(item="GY04", amount="7"),
        Typed(household="1002", item="HJ02", amount="合格"),
    ]  # fmt: skip
    _, checked = key_in(
        by=village.clerk, sheet=sheet, lines=[Typed(household="7777", item="HJ02", day="10-8")]
    )
    assert "没有户编号 7777" in checked.errors[0][2]
    sheet, checked = key_in(by=village.clerk, sheet=sheet, lines=lines)
    assert not checked.errors and checked.total == 7
    claims = confirm_sheet(by=village.supervisor, sheet=sheet, rows=3, total=Decimal(7))
    assert [one.household.code for one in claims] == ["1001", "1001", "1002"]
    assert claims[0].grade == "整洁" and "纸上评 7 分" in claims[1].text


def test_statements_do_not_grow_with_the_lines(village):
    """U-34: 38 lines cost as many statements as two."""
    counts = []
    for code, few in (("1001", 2), ("1001", 2), ("3001", 38)):
        lines = [Typed(item=("HJ01", "GY06")[n % 2], day=str(1 + n // 2)) for n in range(few)]
        sheet = printed(village, code)[0]
        with CaptureQueriesContext(connection) as caught:
            sheet, checked = key_in(by=village.clerk, sheet=sheet, lines=lines)
            assert checked.errors == []
            assert len(confirm_sheet(by=village.supervisor, sheet=sheet, rows=few, total=Decimal(0))) == few
        counts.append(len(caught))
    assert counts[1] == counts[2] < 60


def test_the_pages_key_in_keep_what_was_typed_and_submit(village):
    """U-34 through HTTP: find, check, mend, save with a photo, count again, done."""
    sheet, client = printed(village, "1001")[0], browser(village.clerk)
    found = client.get(f"{village.desk}/sheets/", {"n": "b-1"})
    assert found["Location"] == f"{village.desk}/sheets/1/"
    page = body(client.get(found["Location"]))
    assert "录入纸表 B-1" in page and "演***" not in page and 'value="HJ01"' in page
    data = {
        "count": "12",
        "item-1": "HJ01",
        "day-1": "10-5",
        "witness-1": "演示戊",
        "item-2": "HJ99",
        "day-2": "10-6",
    }
    answer = client.post(found["Location"], data | {"do": "save", "photo": picture()})
    page = body(answer)
    assert answer.status_code == 422 and "第 2 行：表上没有这个行号" in page and 'value="演示戊"' in page
    assert "已收到 1 张照片" in page
    kept = page.split('name="kept" value="')[1].split('"')[0]
    checked = body(
        client.post(found["Location"], data | {"do": "check", "item-2": "", "day-2": "", "kept": kept})
    )
    assert "1 行都能收" in checked and "+2 分" in checked and Sheet.objects.get().status == "printed"
    more = body(client.post(found["Location"], data | {"do": "more"}))
    assert 'id="item-22"' in more and 'value="HJ99"' in more
    done = client.post(
        found["Location"], data | {"do": "save", "item-2": "", "day-2": "", "kept": kept}, follow=True
    )
    assert "已录入 1 行" in body(done) and sheet.photos.count() == 1
    second = browser(village.group_leader)
    page = body(second.get(found["Location"]))
    assert "请照纸表重新数" in page and "演示戊" not in page and "HJ01" not in page
    assert (
        second.get(f"{found['Location']}photos/{sheet.photos.get().pk}.jpg")["Content-Type"] == "image/jpeg"
    )
    assert "对不上" in body(second.post(found["Location"], {"do": "confirm", "rows": "2", "total": ""}))
    assert "核对不上" in body(client.get(found["Location"]))
    assert "都要写数字" in body(second.post(found["Location"], {"do": "confirm", "rows": "x", "total": "1"}))
    done = second.post(found["Location"], {"do": "confirm", "rows": "1", "total": "0"}, follow=True)
    assert "1 条已提交，等待评议，编号 A-1" in body(done)
    assert "A-1" in body(client.get(found["Location"]))


def test_a_blank_sheet_gets_a_number_and_a_household(village):
    """U-33: a copied blank form finds its way in too; a group leader keys in the own group only."""
    client = browser(village.group_leader)
    answer = client.post(f"{village.desk}/sheets/", follow=True)
    assert "请在纸表右上角写上编号 B-1" in body(answer)
    data = {"count": "12", "item-1": "HJ01", "day-1": "10-5", "do": "save"}
    assert "没有写是哪一户" in body(client.post(f"{village.desk}/sheets/1/", data))
    assert "没有找到这一户" in body(client.post(f"{village.desk}/sheets/1/", data | {"household": "9"}))
    assert "只能录本组" in body(client.post(f"{village.desk}/sheets/1/", data | {"household": "3001"}))
    assert "已录入 1 行" in body(
        client.post(f"{village.desk}/sheets/1/", data | {"household": "1001"}, follow=True)
    )


def test_foreign_and_absent_sheets_look_the_same(village):
    """A-07: another group's, another village's, none: 404; who does not work with sheets: refused."""
    printed(village, "3001")
    for person, path in (
        (village.group_leader, f"{village.desk}/sheets/1/"),
        (village.clerk, f"{village.desk}/sheets/77/"),
        (village.stranger_clerk, f"{village.desk}/sheets/1/"),
    ):
        assert browser(person).get(path).status_code == 404
    for person in (village.villager, village.shopkeeper, village.reviewer2):
        assert browser(person).get(f"{village.desk}/sheets/").status_code in (403, 404)
    page = body(browser(village.supervisor).get(f"{village.desk}/sheets/1/"))
    assert "还没有录入" in page


def test_the_sweep_leaves_a_sheets_photo(village):
    """F-03: what a sheet names is no leftover."""
    sheet, _ = key_in(
        by=village.clerk, sheet=printed(village, "1001")[0], lines=ROWS, photos=[picture().getvalue()]
    )
    import os

    for path in folder(village.place).iterdir():
        os.utime(path, (0, 0))
    assert sweep(village.place) == 0 and (folder(village.place) / sheet.photos.get().file_name).exists()
