"""Papers for one household and for the wall: U-31, U-33, U-35, G-06, G-19, G-21, L-09, M-01."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from zhili.web.print import (
    ClaimSheet,
    ObjectionForm,
    Passbook,
    PassbookEntry,
    PrintError,
    RuleBookSheet,
    RuleCategory,
    RuleItem,
    SheetItem,
    Slip,
    claim_sheet_pdf,
    claim_sheets_pdf,
    objection_form_pdf,
    passbook_pdf,
    rulebook_pdf,
    slip_pdf,
)

from .test_print import DAY, ESCALATION, HOSTILE, ITEMS, PHONE, _pages, _reader, _squeezed, _text

# ---- passbook


def _passbook(**changes) -> Passbook:
    entries = [
        PassbookEntry("6月1日", "主动清扫公路", "+2", "14", "张*、李**", "ZL-1001"),
        PassbookEntry("6月9日", "志愿服务4小时", "+0.5", "14.5", "张*", "ZL-1002"),
        PassbookEntry("6月20日", "兑换：洗衣液一瓶", "-5", "9.5", "小卖部 王*", "DH-0007"),
    ]
    book = Passbook(
        "谭家沟村",
        "03-012",
        "谭家旺",
        "3组",
        "兑换积分",
        "2026年6月1日",
        "2026年6月30日",
        "12",
        entries,
        "9.5",
        DAY,
    )
    return replace(book, phone=PHONE, head_code="A1B2-C3D4", **changes)


@pytest.mark.parametrize("paper", ["a5", "a4"])
def test_passbook_text_adds_up(paper):
    """U-31: opening + entries = closing, recomputed from the PDF's own text."""
    text = _text(passbook_pdf(_passbook(), paper))
    opening = Decimal(re.search(r"期初结余([\d.]+?)6月1日", text)[1])
    closing = Decimal(re.search(r"期末结余（期初加减各行）([\d.]+)", text)[1])
    moved = [
        Decimal(part.replace("−", "-")) for part in re.findall(r"(?:ZL|DH)-\d{4}([+−](?:5|2|0\.5))", text)
    ]
    assert len(moved) == 3 and opening + sum(moved) == closing == Decimal("9.5")
    for part in ("主动清扫公路", "评议：张*、李**", "回执：ZL-1001", "账本指纹A1B2-C3D4", PHONE):
        assert part in text


def _wrong_balance() -> list[PassbookEntry]:
    return [replace(_passbook().entries[0], balance="13"), *_passbook().entries[1:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"closing": "9.6"}, "期末对不上"),
        ({"opening": "11"}, "第 1 行对不上"),
        ({"entries": _wrong_balance()}, "第 1 行对不上"),
        ({"entries": _passbook().entries[:2]}, "期末对不上"),
        ({"entries": [replace(_passbook().entries[0], points="两分")]}, "不是数字"),
        ({"opening": "NaN"}, "不是数字"),
        ({"opening": "Infinity"}, "不是数字"),
        ({"closing": ""}, "不是数字"),
        ({"entries": [_passbook().entries[0]] * 2001}, "最多印"),
    ],
)
def test_a_passbook_that_does_not_add_up_is_not_printed(change, words):
    """U-31: the sums are asserted before the paper exists."""
    with pytest.raises(PrintError, match=words):
        passbook_pdf(_passbook(**change))


def test_passbook_of_many_pages_and_of_none():
    """U-31: any length; every page names the household."""
    many = [PassbookEntry("6月1日", "清扫公路" * (1 + n % 9), "+1", str(13 + n)) for n in range(120)]
    reader = _reader(passbook_pdf(_passbook(entries=many, closing="132")))
    assert len(reader.pages) > 5
    assert all("03-012户" in _squeezed(page.extract_text()) for page in reader.pages)
    assert "没有收支" in _text(passbook_pdf(_passbook(entries=[], closing="12")))
    with pytest.raises(PrintError, match="A5 或 A4"):
        passbook_pdf(_passbook(), "a3")  # type: ignore[arg-type]


# ---- forms and slips


def _form(**changes) -> ObjectionForm:
    return replace(ObjectionForm("谭家沟村", DAY, phone=PHONE, escalation=ESCALATION), **changes)


def test_objection_form_blank_and_filled_are_one_page_with_a_slip():
    """U-35, G-19, G-21: usable with a pen; filled in it carries its number twice, once on the slip."""
    blank = _reader(objection_form_pdf(_form()))
    assert len(blank.pages) == 1
    for part in (
        "异议书",
        "代书人",
        "沿此线撕下",
        "异议回执",
        "3天内",
        "15天内书面答复",
        _squeezed(ESCALATION),
        PHONE,
    ):
        assert part in _squeezed(blank.pages[0].extract_text())
    filled = objection_form_pdf(
        _form(
            number="YY-0007",
            period_title="2026年6月",
            household_code="03-012",
            text="只有四个小时" * 10,
            anonymous=True,
        )
    )
    text = _text(filled)
    assert len(_reader(filled).pages) == 1 and text.count("YY-0007") == 2
    assert "不留姓名" in text and "只有四个小时" in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_objection_text_prints_as_written(hostile):
    """U-35, F-09: an objector's words are text."""
    assert _squeezed(hostile) in _text(objection_form_pdf(_form(text=hostile, objector="谭*")))


def test_a_long_objection_loses_nothing():
    """U-35: two thousand characters go on to a second page with the slip whole."""
    pdf = objection_form_pdf(_form(text="不" * 1990 + "我说完了", number="YY-1"))
    assert "我说完了" in _text(pdf) and _text(pdf).count("不" * 20) >= 1 and "异议回执" in _text(pdf)


def _slip(**changes) -> Slip:
    slip = Slip(
        "谭家沟村",
        "申报回执",
        "A-1234",
        "已收到，等待评议。",
        [("事情", "主动清扫公路"), ("户", "3组 03-012 谭**")],
        DAY,
    )
    return replace(slip, phone=PHONE, qr_url="http://127.0.0.1/open/A-1234", **changes)


def test_slip_is_80_mm_with_number_and_sentence():
    """U-35: what a person takes home says that it was received and under which number."""
    page = _reader(slip_pdf(_slip())).pages[0]
    assert abs(float(page.mediabox.width) - 80 / 25.4 * 72) < 0.5
    text = _squeezed(page.extract_text())
    assert "A-1234" in text and "已收到，等待评议。" in text and "主动清扫公路" in text and "http" not in text


@pytest.mark.parametrize(
    "change", [{"statement": "请打 13912345678"}, {"rows": [("证件", "110101199003078515")]}]
)
def test_slip_carries_no_private_digits(change):
    """M-01: a slip is lost more easily than anything."""
    with pytest.raises(PrintError, match="不能印") as caught:
        slip_pdf(_slip(**change))
    assert not re.search(r"\d{6}", str(caught.value))


def test_long_words_stay_on_the_slip():
    """U-35: an unbroken word of 60 letters wraps within 80 mm."""
    (page,) = _pages(
        "slip.typ",
        {**_slip(number="A" * 60, statement="W" * 60, rows=[("标签", "M" * 60)]).__dict__, "qr_svg": ""},
        ppi=60,
    )
    edge = page.crop((page.width - 8, 0, page.width, page.height))
    assert edge.getcolors() == [(edge.width * edge.height, (255, 255, 255))]


def _sheet(count: int = 10, **changes) -> ClaimSheet:
    items = [
        SheetItem(f"HJ{n:02d}", ITEMS[n % 4], "2", "次", "组长看到", ("环境卫生", "文明新风")[n % 2])
        for n in range(count)
    ]
    return replace(ClaimSheet("谭家沟村", "2026年6月", items, DAY, phone=PHONE), **changes)


def test_claim_sheet_blank_and_filled():
    """U-33: every row has its code; blank needs no computer; the receipt hangs below."""
    blank, filled = (
        _text(claim_sheet_pdf(_sheet())),
        _text(claim_sheet_pdf(_sheet(household_code="03-012", number="B-7"))),
    )
    for text in (blank, filled):
        assert all(f"HJ{n:02d}" in text for n in range(10))
        assert "户主签字" in text and "收表回执" in text and "代写人" in text
    assert "03-012" in filled and filled.count("B-7") == 2 and "03-012" not in blank


@pytest.mark.parametrize("count", [0, 1, 80])
def test_claim_sheet_of_any_length(count):
    """U-33: an empty rule book still gives free rows; a long one goes on to further pages."""
    assert "收表回执" in _text(claim_sheet_pdf(_sheet(count)))


def test_sheets_of_a_group_start_on_their_own_page():
    """U-33: a pile for a whole group in one file, dates and households apart."""
    sheets = [_sheet(4, household_code=f"03-{n:03d}") for n in range(3)]
    pages = [_squeezed(page.extract_text()) for page in _reader(claim_sheets_pdf(sheets)).pages]
    assert len(pages) == 3 and all(f"03-{n:03d}" in page and "第1页" in page for n, page in enumerate(pages))
    with pytest.raises(PrintError, match="先选户"):
        claim_sheets_pdf([])
    with pytest.raises(PrintError, match="空白行"):
        claim_sheets_pdf([sheets[0], replace(sheets[1], free_rows=21)])


def _book(**changes) -> RuleBookSheet:
    items = [RuleItem("HJ01", "主动清扫公路、院坝", "+2", "每月 4 次", "组长看到", "一人评议")]
    book = RuleBookSheet(
        "谭家沟村",
        "谭家沟村积分细则",
        "2026年5月20日村民代表会议通过",
        "自2026年6月1日起施行",
        [RuleCategory("环境卫生", items, "每月最多 20 分"), RuleCategory("公益事业", [])],
        DAY,
        how_to_object=["可以不留姓名。"],
        escalation=ESCALATION,
        phone=PHONE,
    )
    return replace(book, **changes)


def test_rule_book_on_the_wall():
    """G-06, G-21: behaviour, points, cap, evidence, and how to object, in words."""
    text = _text(rulebook_pdf(_book()))
    parts = [
        "谭家沟村积分细则",
        "环境卫生",
        "HJ01",
        "主动清扫公路、院坝",
        "+2",
        "每月4次",
        "组长看到",
        "可以不留姓名",
        _squeezed(ESCALATION),
    ]
    assert [part for part in parts if part not in text] == []
    assert "还没有项目" in _text(rulebook_pdf(_book(categories=[])))


def test_rule_book_keeps_every_word_of_a_long_rule():
    """L-09: a rule is never cut on paper, and never leaves it."""
    rule = RuleItem("HJ02", "清扫" * 400 + "完", "+1", "每月" * 60, "证明" * 300 + "毕", "评议")
    text = _text(rulebook_pdf(_book(categories=[RuleCategory("环境卫生", [rule] * 3)]), "a4"))
    assert text.count("完") == 3 and text.count("毕") == 3


@pytest.mark.parametrize("change", [{"notes": ["找 13912345678"]}, {"escalation": "110101199003078515"}])
def test_rule_book_carries_no_private_digits(change):
    """M-01: the wall shows the village's number only."""
    with pytest.raises(PrintError, match="不能印"):
        rulebook_pdf(_book(**change))
