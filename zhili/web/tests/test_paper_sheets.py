"""Numbered sheets, scoring sheets, the shop's lists and the printed book as PDF (U-31, U-33, U-22, M-01)."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
import time_machine
import zxingcpp
from PIL import Image

from tests.books import make_book
from zhili.audit.models import Entry
from zhili.claims.models import Sheet
from zhili.claims.tests.test_phone import browser
from zhili.common.ids import uuid7
from zhili.common.masking import scan_public
from zhili.common.periods import today
from zhili.ledger.actions import post
from zhili.ledger.entries import award
from zhili.shop.tests.stage import open_for
from zhili.web.print import ClaimSheet, PassbookEntry, PrintError, SheetItem, claim_sheets_pdf
from zhili.web.print.book import LINES, Book, book_pdf, pages
from zhili.web.print.render import compile_png, plain, qr_svg
from zhili.web.print.scoring import ScoringHome, ScoringItem, ScoringPage, ScoringSheets, scoring_pdf
from zhili.web.print.shop import (
    CountSheet,
    PriceSheet,
    RedeemList,
    count_sheet_pdf,
    price_list_pdf,
    redeem_list_pdf,
)

from .test_paper_cards import _embedded
from .test_print import DAY, PHONE, _reader, _squeezed, _text


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=True):
        yield


@pytest.fixture
def village(cast):
    cast.book = make_book(cast)
    cast.desk = f"/desk/{cast.place}"
    return cast


def _private(pdf: bytes) -> list[object]:
    text = "\n".join(page.extract_text() for page in _reader(pdf).pages)
    return [leak for leak in scan_public(text.replace("0818-0000000", "").replace(PHONE, "")) if leak.blocks]


# ---- the printed book


def _entries(count: int) -> list[PassbookEntry]:
    found, balance = [], 0
    for n in range(count):
        points = 2 if n % 3 else -1
        balance += points
        receipt = f"K7QM-{n:04d}-AAAA"
        found.append(
            PassbookEntry("2026-06-01", "主动清扫公路", f"{points:+}", str(balance), "演示戊", receipt)
        )
    return found


def _book(count: int, after: int = 0, **changes) -> Book:
    entries = _entries(count)
    opening = entries[after - 1].balance if after else "0"
    closing = entries[-1].balance if entries else "0"
    book = Book(
        "谭家沟村", "1001", "演示乙", "1组", "兑换积分", opening, entries[after:], closing, DAY, after=after
    )
    return replace(book, **changes)


@pytest.mark.parametrize(("count", "sheets"), [(0, 2), (1, 2), (20, 2), (21, 3), (47, 4)])
def test_a_new_book_has_a_cover_and_pages_of_twenty_lines(count, sheets):
    """U-31: cover, frame, opening carried forward; balances on paper run from the opening to the closing."""
    pdf = book_pdf(_book(count, phone=PHONE, check_url="https://a.b/open/1/receipt/"))
    reader = _reader(pdf)
    assert len(reader.pages) == sheets and _embedded(pdf) and not _private(pdf)
    assert "户编号1001演示乙1组" in _squeezed(reader.pages[0].extract_text())
    text = _squeezed("".join(page.extract_text() for page in reader.pages[1:]))
    moved = [Decimal(part.replace("−", "-")) for part in re.findall(r"AAAA评议演示戊([+−][12])", text)]
    assert len(moved) == count and sum(moved) == Decimal(_book(count).closing)
    assert ("今天打到26-06-24" in text) == bool(count)


def test_only_what_is_new_goes_into_a_printed_book():
    """U-31: line n of the open page, no frame over what is printed, a fresh page with its frame after it."""
    book = _book(47, after=27)
    first, second = pages(book)
    assert [row["line"] for row in first["rows"]] == list(range(8, 21)) and first["rows"][0]["no"] == 28
    assert (first["frame"], first["number"], first["mark"]) == (False, 2, 0)
    assert (second["frame"], second["number"], second["mark"]) == (True, 3, 7)
    assert second["brought"] == first["rows"][-1]["balance"]
    reader = _reader(book_pdf(book))
    assert len(reader.pages) == 2
    text = [_squeezed(page.extract_text()) for page in reader.pages]
    assert "积分存折" not in text[0] and "0026-AAAA" not in text[0] and "0027-AAAA" in text[0]
    assert "积分存折" in text[1] and "承前结余" in text[1]
    assert pages(_book(45, after=40))[0]["frame"] is True
    assert pages(_book(30, after=27, line=12))[0]["rows"][0]["line"] == 12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"line": 21}, "一页只有 20 行"), ({"line": -1}, "一页只有"), ({"closing": "99"}, "对不上"),
        ({"opening": "5"}, "对不上"), ({"entries": []}, "没有新的流水"),
    ],
)  # fmt: skip
def test_a_book_that_does_not_fit_is_not_printed(change, words):
    """U-31: sums first, then paper."""
    with pytest.raises(PrintError, match=words):
        book_pdf(replace(_book(30, after=27), **change))


def test_long_words_stay_on_their_line():
    """U-31: a line is a line, whatever the reason; the A4 statement has it whole."""
    entry = replace(_entries(1)[0], reason="很长的理由" * 30, reviewers="演示戊、" * 20)
    text = _text(book_pdf(_book(1, entries=[entry], closing=entry.balance)))
    assert "很长的理由很长的" in text and "很长的理由" * 4 not in text and LINES == 20


def test_the_book_is_printed_at_the_desk_and_goes_on(village):
    """U-31 through HTTP: line n is the n-th line of the purse; a number that cannot be is told; the trail knows."""
    cause = {
        "rule": str(village.book.pk), "rule_version": 1, "item": "HJ01", "claim": "c", "evidence": [], "reviewers": [],
        "actor": village.clerk.pk, "channel": "counter", "number": "A-1",
    }  # fmt: skip
    for _ in range(3):
        news = award(uuid7(), village.household.pk, 250, ["merit", "spend"], today(), cause)
        post(news, place=village.place, by=village.clerk, period="2026-10")
    client = browser(village.clerk)
    path = f"{village.desk}/ledger/households/{village.household.pk}/passbook.pdf"
    whole = client.get(path, {"paper": "book", "purse": "spend"})
    assert len(_reader(whole.content).pages) == 2 and "7.5" in _text(whole.content)
    more = client.get(path, {"paper": "book", "purse": "spend", "after": "2"})
    text = _text(more.content)
    assert len(_reader(more.content).pages) == 1 and "+2.5" in text and "积分存折" not in text
    for query, words in (({"after": "9"}, "账上只有 3 行"), ({"after": "x"}, "要写数字"), ({"after": "3"}, "没有新的流水"),
                         ({"after": "1", "line": "40"}, "一页只有 20 行")):  # fmt: skip
        answer = client.get(path, {"paper": "book", "purse": "spend"} | query)
        assert answer.status_code == 400 and words in answer.content.decode()
    assert Entry.objects.filter(action="ledger.print_passbook").count() == 2
    assert "打成一本存折" in client.get(path.replace("passbook.pdf", "")).content.decode()


# ---- sheets


def test_a_numbered_sheet_carries_its_code():
    """U-22, U-33: number, household, row codes, boxes for the second person; the code leads to the sheet."""
    url = "https://zhili.example/desk/511702109200/sheets/12/"
    items = [SheetItem("HJ01", "清扫公路", "+2 分"), SheetItem("GY02", "志愿服务", "2 分", "小时")]
    sheet = ClaimSheet("谭家沟村", "2026年10月", items, DAY, number="B-12", household_code="1001", head_name="演示乙",
                       group="1组", form_url=url)  # fmt: skip
    pdf = claim_sheets_pdf([sheet, replace(sheet, number="", household_code="", form_url="")])
    text = _squeezed(_reader(pdf).pages[0].extract_text())
    assert len(_reader(pdf).pages) == 2 and _embedded(pdf) and not _private(pdf)
    for part in ("编号B-12", "户编号1001", "户主演示乙", "HJ01", "GY02", "核对人数一数", "收表回执"):
        assert part in text
    data = {"sheets": [plain(sheet) | {"long": False, "form_svg": qr_svg(url)}], "demo": False}
    page = compile_png("claim_sheet.typ", data, title="x", printed_on=DAY, ppi=120)[0]
    assert [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(page)))] == [url]


def test_a_scoring_sheet_is_one_page_with_its_code():
    """U-33: twelve households, eight items, one page across; more is refused."""
    items = [ScoringItem(f"WM0{n}", "参加村里组织的文明活动", "1 至 20 分", "写分") for n in range(8)]
    page = ScoringPage(
        "1组", items, [ScoringHome(str(1000 + n), "演**") for n in range(12)], "B-7", "", "https://a.b/7"
    )
    sheets = ScoringSheets("谭家沟村", "2026年第四季度", DAY, [page, page], PHONE)
    pdf = scoring_pdf(sheets)
    assert len(_reader(pdf).pages) == 2 and _embedded(pdf) and not _private(pdf)
    text = _text(pdf)
    assert "编号B-7" in text and "1011演**" in text and "WM07" in text
    for bad in ([], [replace(page, items=items * 2)], [replace(page, homes=page.homes * 2)]):
        with pytest.raises(PrintError):
            scoring_pdf(replace(sheets, pages=bad))


def test_sheets_are_printed_for_one_a_group_the_village_and_blank(village):
    """U-33 through HTTP: numbers once, right households, right pages; scoring sheets mask the names."""
    client, path = browser(village.clerk), f"{village.desk}/sheets/print/"
    assert "打印纸表" in client.get(path).content.decode()
    one = client.post(path, {"what": "household", "household": "1001", "period": "2026-10"})
    text = _text(one.content)
    assert (
        "编号B-1" in text
        and "演示乙" in text
        and "HJ01" in text
        and "ZX01" not in text
        and "2026年10月" in text
    )
    group = client.post(path, {"what": "group", "group": "1组", "period": "2026-10"})
    assert _text(group.content).count("积分申报表") == 3 and Sheet.objects.count() == 3
    everybody = client.post(path, {"what": "group", "group": "", "period": "2026-10"})
    assert _text(everybody.content).count("积分申报表") == 10 == Sheet.objects.count()
    blank = client.post(path, {"what": "blank", "count": "2", "period": "2026-10"})
    assert _text(blank.content).count("编号B-1") == 4 and Sheet.objects.count() == 12
    scoring = client.post(path, {"what": "scoring", "group": "1组", "category": "HJ", "period": "2026-10"})
    text = _text(scoring.content)
    assert "积分评分表" in text and "1001演**" in text and "演示乙" not in text and "HJ02" in text
    assert not _private(scoring.content) and not _private(everybody.content)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"what": "household", "household": "9999"}, "没有找到这一户"), ({"what": "household"}, "没有找到这一户"),
        ({"what": "scoring", "category": "HJ"}, "没有选组"), ({"what": "blank", "count": "1000"}, "100"),
        ({"what": "group", "group": "9组"}, "哪个组"), ({"what": "group", "period": "2019-10"}, "哪一期"),
    ],
)  # fmt: skip
def test_what_cannot_be_printed_is_told(village, data, words):
    """U-33: no number is used up."""
    answer = browser(village.clerk).post(f"{village.desk}/sheets/print/", {"period": "2026-10"} | data)
    assert answer.status_code == 422 and words in answer.content.decode() and not Sheet.objects.exists()


def test_a_leader_prints_the_own_group(village):
    """A-07: a group leader the own group; who does not work in the field nothing."""
    leader, path = browser(village.group_leader), f"{village.desk}/sheets/print/"
    made = leader.post(path, {"what": "group", "group": "", "period": "2026-10"})
    assert _text(made.content).count("积分申报表") == 3
    assert leader.post(path, {"what": "group", "group": "3组", "period": "2026-10"}).status_code == 422
    for person in (village.supervisor, village.stranger_clerk, village.villager):
        assert browser(person).get(path).status_code in (403, 404)


def test_without_a_book_nothing_is_printed_and_the_page_says_so(cast):
    """U-33: an empty state."""
    page = browser(cast.clerk).get(f"/desk/{cast.place}/sheets/print/").content.decode()
    assert "没有施行中的积分细则" in page


# ---- the shop


def test_the_price_list_says_what_the_shelf_costs(village):
    """G-13, U-38: the same prices as on the page, A4 and A3, at the desk and for everybody."""
    open_for(village)
    for address in (f"{village.desk}/shop/price-list.pdf", f"/open/{village.place}/shop/price-list.pdf"):
        for paper in ("a4", "a3"):
            pdf = browser(village.clerk).get(address, {"paper": paper}).content
            text = _text(pdf)
            assert "香皂2.5分／块" in text and "大米10斤50分／袋" in text and "幸福超市" in text
            assert _embedded(pdf) and not _private(pdf) and len(_reader(pdf).pages) == 1
    wide = _reader(pdf).pages[0].mediabox
    assert round(float(wide.width) / 72 * 25.4) == 297


def test_the_fair_day_list_masks_names_and_says_who_has_how_much(village):
    """U-38, M-01: by group, masked names, points that may be spent, columns of goods, a place to sign."""
    open_for(village, points=20_000)
    client, path = browser(village.shopkeeper), f"{village.desk}/shop/redeem-list.pdf"
    pdf = client.get(path).content
    text = _text(pdf)
    assert len(_reader(pdf).pages) == 3 and _embedded(pdf) and not _private(pdf)
    assert "1001演**200" in text and "1002演**0" in text and "演示乙" not in text
    for part in ("A01香皂2.5分／块", "签字", "代领人", "可用积分", "3组"):
        assert part in text
    one = _text(client.get(path, {"group": "2组"}).content)
    assert "2001演**" in one and "1001" not in one
    blank = _text(client.get(path, {"blank": "1"}).content)
    assert "1001" not in blank and "兑换日" in blank and "可用积分是" not in blank
    assert Entry.objects.filter(action="shop.print_list").count() == 2
    for query in ({"fair": str(uuid7())}, {"fair": "x"}, {"shop": "x"}):
        assert client.get(path, query).status_code == 404
    for person in (village.villager, village.stranger_clerk, village.supervisor):
        assert browser(person).get(path).status_code in (403, 404)


def test_the_count_sheet_does_not_show_the_books_figure(village):
    """C-18: every good on the shelf, nothing to copy from."""
    open_for(village, soap=337)
    text = _text(browser(village.shopkeeper).get(f"{village.desk}/shop/count-sheet.pdf").content)
    assert "A01香皂块" in text and "B01大米10斤袋" in text and "337" not in text and "监盘人" in text


def test_without_a_shop_there_is_no_paper_of_it(village):
    """U-38: absent and foreign look the same; no price list, no paper."""
    client = browser(village.clerk)
    for name in ("price-list.pdf", "redeem-list.pdf", "count-sheet.pdf"):
        assert client.get(f"{village.desk}/shop/{name}").status_code == 404
    assert client.get(f"/open/{village.place}/shop/price-list.pdf").status_code == 404
    for draw, sheet in (
        (price_list_pdf, PriceSheet("村", "店", "", [], DAY)),
        (redeem_list_pdf, RedeemList("村", "店", "", [], [], DAY)),
        (count_sheet_pdf, CountSheet("村", "店", [], DAY)),
    ):
        with pytest.raises(PrintError, match="没有打印"):
            draw(sheet)
