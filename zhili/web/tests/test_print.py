"""Paper: U-31, U-32, U-33, U-35, F-09, M-01, M-08, M-09, G-21, X-05, with real fonts and real typst."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date

import pypdf
import pytest
from PIL import Image, ImageChops

from zhili.web.print import (
    Poster,
    PosterLine,
    PrintError,
    chinese_date,
    missing_glyphs,
    poster_pdf,
    poster_png,
)
from zhili.web.print.poster import PNG_LINES, _payload, private_digits
from zhili.web.print.render import clean, compile_png, qr_svg

DAY = date(2026, 6, 24)
PHONE = "0818-5550123"
DEADLINE = "6月30日（星期二）17时"
ESCALATION = "村务监督委员会 → 石桥镇人民政府 → 达川区人民政府 → 人民法院"
ITEMS = ["主动清扫公路、院坝", "参加村民大会", "捐款修路300元，用于三组公路硬化", "帮助独居老人挑水"]
HOSTILE = [
    '#eval("1+1")',
    "]]]",
    "\\",
    "$x$",
    "*粗* _斜_ `码`",
    "@label <label>",
    '"},{"x":"',
    "//注释 /* */",
    "= 标题",
    "#(panic())",
    "%{}~",
]


def _line(n: int, total: int = 40, **changes) -> PosterLine:
    line = PosterLine(
        group=f"{1 + n * 9 // max(total, 1)}组",
        household_code=f"{1 + n % 9:02d}-{n % 40 + 1:03d}",
        name_masked="谭" + "*" * (1 + n % 2),
        item=ITEMS[n % 4],
        occurred_on=f"2026-06-{n % 28 + 1:02d}",
        points=("+2", "+0.5", "+10")[n % 3],
    )
    return replace(line, **changes)


def _poster(count: int = 8, **changes) -> Poster:
    poster = Poster(
        village="谭家沟村",
        period_title="2026年6月",
        lines=[_line(n, count) for n in range(count)],
        total_text="合计 +40 分",
        opens_on="6月24日（星期三）",
        closes_on="6月30日（星期二）",
        objection_deadline=DEADLINE,
        phone=PHONE,
        how_to_object=["打电话、当面说或扫码都可以。", "三天内受理，十五天内书面答复。"],
        escalation=ESCALATION,
        head_code="A1B2-C3D4",
        head_url="http://127.0.0.1:8000/open/511702109200/ledger/A1B2C3D4",
        page_url="http://127.0.0.1:8000/open/511702109200/notices/12",
        printed_on=DAY,
    )
    return replace(poster, **changes)


def _reader(pdf: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b]", "", text)


def _text(pdf: bytes) -> str:
    return _squeezed("".join(page.extract_text() for page in _reader(pdf).pages))


def _pages(template: str, data: dict, ppi: int = 30) -> list[Image.Image]:
    pictures = compile_png(template, data, title="样张", printed_on=DAY, ppi=ppi)
    return [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]


def _assert_white_margins(page: Image.Image, ppi: int, band_mm: float) -> None:
    """Nothing but paper within 12 mm of the left, right and bottom edge, below the red band."""
    mm = ppi / 25.4
    width, height = page.size
    edge = int(12 * mm)
    for box in (
        (0, int(band_mm * mm) + 2, edge, height),
        (width - edge, int(band_mm * mm) + 2, width, height),
        (0, height - int(8 * mm), width, height),
    ):
        part = page.crop(box)
        assert ImageChops.difference(part, Image.new("RGB", part.size, "white")).getbbox() is None, box


# ---- the notice board


@pytest.mark.parametrize("count", [0, 1, 8, 60, 300])
def test_every_sheet_says_until_when_whom_to_call_and_which_sheet(count):
    """U-32, G-21: any sheet alone says how to object; the last one says how to go higher."""
    reader = _reader(poster_pdf(_poster(count)))
    total = len(reader.pages)
    for n, page in enumerate(reader.pages, start=1):
        text = _squeezed(page.extract_text())
        assert DEADLINE in text and PHONE in text and "积分公示" in text and "谭家沟村" in text
        assert f"第{n}张／共{total}张" in text
        assert (round(page.mediabox.width), round(page.mediabox.height)) == (842, 1191)
    whole = _text(poster_pdf(_poster(count)))
    assert _squeezed(ESCALATION) in whole and "A1B2-C3D4" in whole and "2026年6月24日" in whole
    assert f"共{count}条" in whole


@pytest.mark.parametrize("count", [0, 1, 8, 60, 300])
def test_nothing_leaves_the_paper(count):
    """U-32: margins stay white on every sheet, whatever the number of lines."""
    long_words = replace(
        _line(0), name_masked="A" * 60, item="W" * 100, household_code="9" * 10 + "-" + "8" * 10
    )
    lines = [*_poster(count).lines, *([long_words] if count else [])]
    data = {**_payload(_poster(count, lines=lines)), "look": "a3"}
    for n, page in enumerate(_pages("poster.typ", data)):
        _assert_white_margins(page, 30, 82 if n == 0 else 27)


def test_rows_stand_under_their_group_in_natural_order_with_marks():
    """U-32, L-08: 2组 before 10组, household number beside the masked name, marks explained."""
    lines = [
        _line(0, group="10组", household_code="10-001", name_masked="蒲*", mark="补记"),
        _line(1, group="2组", household_code="02-010", name_masked="何**", mark="异议中"),
        _line(2, group="2组", household_code="02-009", name_masked="欧阳*", mark="更正"),
    ]
    text = _text(poster_pdf(_poster(lines=lines)))
    order = [text.index(part) for part in ("2组2条", "02-009欧阳*", "02-010何**", "10组1条", "10-001蒲*")]
    assert order == sorted(order)
    assert "捐款修路300元，用于三组公路硬化更正" in text
    for meaning in ("公示期间改正过的条目", "答复之前不入账", "以前的事，本期补记"):
        assert meaning in text


def test_a_poster_without_marks_explains_none():
    """U-11: no legend for what is not there."""
    assert "补记" not in _text(poster_pdf(_poster(3)))


def test_table_head_and_group_repeat_on_the_next_sheet():
    """U-32: a sheet in the middle of a group says which group and which column."""
    lines = [_line(n, group="7组") for n in range(60)]
    middle = _squeezed(_reader(poster_pdf(_poster(lines=lines))).pages[1].extract_text())
    assert "户编号" in middle and "积分" in middle and "7组60条" in middle


def test_no_group_heading_is_left_alone_at_the_foot_of_a_sheet():
    """U-32: with a row or two in each of 60 groups, every heading is printed with its first row."""
    for offset in range(4):
        lines = [_line(n, group=f"第{n}号组") for n in range(1, 61)] + [
            _line(n, group="0组") for n in range(offset)
        ]
        text = _text(poster_pdf(_poster(lines=lines)))
        assert [n for n in range(1, 61) if len(re.findall(rf"第{n}号组1条", text)) != 1] == []


def test_a4_is_the_same_sheets_smaller():
    """U-32: A4 tiles carry the same lines as the A3 sheets."""
    a3, a4 = _reader(poster_pdf(_poster(60))), _reader(poster_pdf(_poster(60), "a4"))
    assert (round(a4.pages[0].mediabox.width), round(a4.pages[0].mediabox.height)) == (595, 842)
    assert len(a3.pages) == len(a4.pages)
    for large, small in zip(a3.pages, a4.pages, strict=True):
        assert sorted(_squeezed(large.extract_text())) == sorted(_squeezed(small.extract_text()))


def test_body_type_is_at_least_24_points_on_a3():
    """U-32: every item of the list is set in 24 pt or more."""
    sizes: dict[str, float] = {}

    def see(text, cm, tm, _font, size):
        for item in ITEMS:
            if text.strip() and text.strip() in item and len(text.strip()) > 4:
                sizes[text.strip()] = min(sizes.get(text.strip(), 99), abs(size * tm[3] * cm[3]))

    _reader(poster_pdf(_poster(4))).pages[0].extract_text(visitor_text=see)
    assert sizes and min(sizes.values()) >= 23.9, sizes


def test_empty_notice_says_so():
    """U-11: an empty notice is a statement, not an empty sheet."""
    assert "本期没有公示条目" in _text(poster_pdf(_poster(0)))
    assert len(poster_png(_poster(0))) == 1


def test_demo_is_marked_and_real_is_not():
    """The demo cannot be taken for a real notice."""
    assert "演示数据" in _text(poster_pdf(_poster(2, demo=True)))
    assert "演示数据" not in _text(poster_pdf(_poster(2)))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_markup_in_any_field_prints_as_itself(hostile):
    """F-09: what people type is text; nothing is evaluated, nothing breaks the page."""
    poster = _poster(
        lines=[_line(0, item=hostile, name_masked=hostile)],
        village="谭家沟" + hostile,
        how_to_object=[hostile],
        total_text=hostile,
        public_scope_note=hostile,
        corrections=[hostile],
    )
    assert _text(poster_pdf(poster)).count(_squeezed(hostile)) >= 6


@pytest.mark.parametrize(
    "private",
    [
        "110101199003078515",
        "11010119900307851X",
        "13812345678",
        "138 1234 5678",
        "１３８１２３４５６７８",
        "6222021234567890123",
    ],
)
@pytest.mark.parametrize("field", ["item", "name_masked"])
def test_private_digits_never_reach_a_line(private, field):
    """M-01, M-08: ID, bank card and mobile numbers in a line stop the printing, in PDF and picture."""
    poster = _poster(lines=[_line(0, **{field: f"谭{private}"})])
    for make in (poster_pdf, poster_png):
        with pytest.raises(PrintError, match="不能上墙") as caught:
            make(poster)
        assert private not in str(caught.value)


@pytest.mark.parametrize("field", ["total_text", "escalation", "public_scope_note"])
def test_only_the_village_phone_may_be_a_mobile(field):
    """M-01: the village's own number may be printed, another may not."""
    with pytest.raises(PrintError, match="电话以外的号码"):
        poster_pdf(_poster(1, **{field: "找张三 13912345678"}))
    assert "13800000000" in _text(poster_pdf(_poster(1, phone="13800000000", **{field: "打 13800000000"})))


@pytest.mark.parametrize(
    "text", ["捐款 300 元", "2026-06-03 到 2026-06-28", "0818-5550123", "511702109200", "03-012", ""]
)
def test_plain_numbers_are_not_private(text):
    """M-08: dates, sums, codes and a landline pass the scanner."""
    assert private_digits(text) == ""


def test_a_named_deduction_is_refused_unless_resolved_and_never_a_picture():
    """M-09: on the wall only after a resolution, in the chat group never."""
    poster = _poster(lines=[_line(0, points="-2")])
    with pytest.raises(PrintError, match="扣分"):
        poster_pdf(poster)
    resolved = replace(poster, deductions_resolved=True)
    assert "−2" in _text(poster_pdf(resolved))
    with pytest.raises(PrintError, match="扣分"):
        poster_png(resolved)
    assert poster_png(_poster(lines=[_line(0, points="−2", name_masked="")]))


def test_qr_addresses_are_not_in_the_text():
    """M-01: the place code is in the QR code only; no run of ten digits anywhere in the text layer."""
    text = _text(poster_pdf(_poster(8)))
    assert "511702109200" not in text and "http" not in text
    assert not re.search(r"\d{10,}", text)


def test_metadata_is_clean_and_bytes_repeat():
    """F-09: title, the day of printing, no author, no path; equal input gives equal bytes."""
    pdf = poster_pdf(_poster(12))
    assert pdf == poster_pdf(_poster(12))
    info = _reader(pdf).metadata
    assert info.title == "谭家沟村2026年6月积分公示"
    assert info.author is None and info.creation_date.date() == DAY
    assert not _reader(pdf).attachments
    for trace in (b"/work", b"/root", b"/tmp", b"/home", b".typ"):
        assert trace not in pdf
    assert pdf != poster_pdf(_poster(12, printed_on=date(2026, 6, 25)))
    assert poster_png(_poster(3)) == poster_png(_poster(3))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"lines": [_line(0)] * 3001}, "最多印"), ({"lines": [_line(0, mark="删除")]}, "没有这种标记")],
)
def test_what_a_poster_cannot_be(change, words):
    """Limits on everything, with a sentence a clerk can act on."""
    with pytest.raises(PrintError, match=words):
        poster_pdf(_poster(1, **change))


def test_unknown_paper_and_width_are_refused():
    """Only papers the village has."""
    with pytest.raises(PrintError, match="A3 或 A4"):
        poster_pdf(_poster(1), "a0")  # type: ignore[arg-type]
    for width in (0, 359, 5000):
        with pytest.raises(PrintError, match="像素"):
            poster_png(_poster(1), width=width)


@pytest.mark.parametrize(("count", "pictures"), [(1, 1), (PNG_LINES, 1), (PNG_LINES + 1, 2), (300, 10)])
def test_pictures_for_the_chat_group(count, pictures):
    """U-32: 1080 px wide, split evenly, each under 1 MB, white at the edges."""
    made = poster_png(_poster(count))
    assert len(made) == pictures
    for picture in made:
        assert len(picture) < 1_000_000
        with Image.open(io.BytesIO(picture)) as image:
            assert image.width == 1080 and image.format == "PNG" and not image.info.get("author")
            strip = image.convert("RGB").crop((1050, 700, 1080, image.height))
            assert strip.getcolors() == [(strip.width * strip.height, (255, 255, 255))]


def test_a_very_long_item_is_cut_and_says_so():
    """U-32: a row fits on a sheet; the rest is on the page of the notice."""
    text = _text(poster_pdf(_poster(lines=[_line(0, item="清扫" * 400)])))
    assert "全文见公示网页" in text


# ---- characters


def test_rare_characters_of_gb18030_print(monkeypatch):
    """X-05: 䶮 and 㛃 and the like have glyphs; direction marks and zero-width characters are removed."""
    assert missing_glyphs("䶮㛃堃喆赟翀彧鱻龘·Éé") == []
    text = _text(
        poster_pdf(_poster(lines=[_line(0, name_masked="䶮*", item="与㛃*\u202e一起\u0000清扫\u200f")]))
    )
    assert "䶮*" in text and "与㛃*一起清扫" in text


def test_a_letter_without_a_glyph_is_shown_and_named():
    """X-05: no silent box: 〓 in its place and the code point below, in PDF; the picture still renders."""
    lost = next(ch for ch in ("\U0003134a", "\U0002ebe0", "𠮷") if missing_glyphs(ch))
    poster = _poster(lines=[_line(0, name_masked=f"{lost}*")])
    text = _text(poster_pdf(poster))
    assert "〓*" in text and f"U+{ord(lost):04X}" in text and "请用笔补写" in text
    assert poster_png(poster)


def test_emoji_are_left_out_not_boxed():
    """X-05: a symbol without a glyph is no reason to write anything in by hand."""
    assert clean("清扫🎉公路👍🏽") == "清扫公路" and missing_glyphs("🎉") == []


def test_clean_keeps_one_line_and_refuses_a_book():
    """Limits: a field of paper is one line of text and at most 2,000 characters."""
    assert clean(" 清扫 \n\t公路\x07 ") == "清扫 公路"
    assert clean("x" * 13).replace("\u200b", "") == "x" * 13
    with pytest.raises(PrintError, match="2000"):
        clean("长" * 2001)


def test_no_font_is_a_sentence(monkeypatch, tmp_path):
    """Set-up forgotten: the message says what to run."""
    monkeypatch.setattr("zhili.web.print.render.PROJECT", tmp_path)
    monkeypatch.setenv("ZHILI_FONTS", str(tmp_path / "nothing"))
    with pytest.raises(PrintError, match="make setup"):
        poster_pdf(_poster(1))


def test_qr_of_nothing_is_nothing():
    """A sheet without an address has no QR code."""
    assert qr_svg("") == "" and qr_svg("http://127.0.0.1/").startswith("<svg")


def test_chinese_dates():
    """U-32: dates with the weekday in words."""
    assert chinese_date(DAY) == "2026年6月24日"
    assert chinese_date(date(2026, 6, 28), weekday=True) == "2026年6月28日（星期日）"
