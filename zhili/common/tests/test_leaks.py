"""M-08: the scanner over the final artefact; 100 positives, 100 negatives, and pages written by hand."""

import hashlib
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from zhili.common.ids import short_code, uuid7
from zhili.common.masking import scan_public
from zhili.common.tests.samples import make_bank_number, make_test_id_number

FULL_WIDTH = {48 + n: 0xFF10 + n for n in range(10)} | {ord("X"): "ｘ"}
CHINESE = dict(zip(map(ord, "0123456789"), "〇一二三四五六七八九", strict=True))


def spaced(number, *cuts, by=" "):
    pieces, last = [], 0
    for cut in (*cuts, len(number)):
        pieces.append(number[last:cut])
        last = cut
    return by.join(pieces)


def positives():
    """100 leaks: (kind, the text in a sentence)."""
    luck = random.Random(511702)
    made = []
    regions = ["511702", "110105", "440103", "650102", "810000", "372922"]
    spell_id = [
        lambda n: n,
        lambda n: n.lower(),
        lambda n: spaced(n, 6, 14),
        lambda n: spaced(n, 6, 14, by="-"),
        lambda n: n.translate(FULL_WIDTH),
        lambda n: "\u200b".join(n),
        lambda n: spaced(n, 3, 6, 10, 14, by="　"),
        lambda n: spaced(n, 6, by="\n"),
        lambda n: spaced(n, 4, 8, 12, 16),
        lambda n: " ".join(n),
    ]
    for n in range(40):
        birth = f"{luck.randint(1930, 2012)}{luck.randint(1, 12):02d}{luck.randint(1, 28):02d}"
        number = make_test_id_number(luck.choice(regions), birth, f"{luck.randint(1, 999):03d}")
        made.append(("id", f"张*（{spell_id[n % len(spell_id)](number)}）得 2 分"))
    spell_phone = [
        lambda n: n,
        lambda n: spaced(n, 3, 7),
        lambda n: spaced(n, 3, 7, by="-"),
        lambda n: n.translate(FULL_WIDTH),
        lambda n: f"+86 {n}",
        lambda n: f"86{n}",
        lambda n: f"0086-{n}",
        lambda n: "\u200c".join(n),
        lambda n: n.translate(CHINESE),
        lambda n: f"wx{n}",
        lambda n: spaced(n, 3, 7, by="."),
        lambda n: spaced(n, 7),
    ]
    for n in range(36):
        number = f"1{luck.choice('3456789')}{luck.randint(0, 10**9 - 1):09d}"
        made.append(("mobile", f"有事请打{spell_phone[n % len(spell_phone)](number)}，找张*"))
    spell_card = [
        lambda n: n,
        lambda n: spaced(n, 4, 8, 12),
        lambda n: n.translate(FULL_WIDTH),
        lambda n: spaced(n, 6, by="-"),
    ]
    for n in range(16):
        first = luck.choice(["622202", "621700", "955880", "436742", "603367"])
        number = make_bank_number(first + f"{luck.randint(0, 10**9 - 1):09d}" + ("123" if n % 2 else ""))
        made.append(("bank", f"请把钱打到 {spell_card[n % len(spell_card)](number)} 这张卡"))
    for number in [
        "0818-2345678",
        "(0818)2345678",
        "08182345678",
        "010-62345678",
        "028 86543210",
        "0818－2345678",
    ]:
        made.append(("landline", f"村里电话 {number} 常有人"))
    made += [("landline", "电话：2345678，白天打"), ("landline", "座机 2345678")]
    return made


def negatives():
    """100 harmless texts that carry long numbers."""
    luck = random.Random(209)
    clock = datetime(2022, 7, 1, tzinfo=UTC)
    made = []
    for n in range(20):
        made.append(f"区划 5117021{luck.randint(0, 99999):05d} 共 {luck.randint(1, 900)} 户")
        moment = clock + timedelta(hours=luck.randint(0, 9_000))
        made.append(f"编号 {uuid7(moment, luck.randbytes)} 已收到")
        made.append(f"账本指纹 {hashlib.sha256(luck.randbytes(8)).hexdigest()}")
        made.append(
            f"公示 {moment:%Y-%m-%d} 至 {moment + timedelta(days=7):%Y-%m-%d %H:%M:%S}"
            f"，编号 {short_code(luck.randbytes(8))}"
        )
        made.append(
            f"{n + 1}组 {luck.randint(1, 300):04d} 张* +{luck.randint(1, 20)}.5 分"
            f"，共 {luck.randint(100, 99999)}.00 元"
        )
    return made


POSITIVES, NEGATIVES = positives(), negatives()


def test_the_corpus_is_as_large_as_asked():
    assert len(POSITIVES) == 100
    assert len(NEGATIVES) == 100


@pytest.mark.parametrize(("kind", "text"), POSITIVES)
def test_every_leak_is_found(kind, text):
    leaks = scan_public(text)
    assert [leak.kind for leak in leaks] == [kind]
    assert leaks[0].blocks


@pytest.mark.parametrize("text", NEGATIVES)
def test_harmless_numbers_pass(text):
    assert scan_public(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "积分公示",
        "5117021092000001",
        "2022年第三季度，共 209 个村",
        "12345 政务服务热线，110，120，12315",
        "国发〔2022〕15号",
        "20220715123045",
        "202207151230451234",
        "1656633600000",
        "2022-07-15 12:30:45 2022-07-16 08:00:00",
        "统一社会信用代码 54511702MF12345678",
        "ISBN 978-7-111-12345-6",
        "商品条码 6901234567892",
        "得分 13 80 01 38 00 0",
        "15 12 8 20 10 5 3",
        "120 130 140 150 160 170",
        "107.481234,31.213456",
        "金额 1,234,567,890.12 元",
        "第 1、2、3、4、5、6、7、8、9、10 名",
        "QR https://example.invalid/o/A1B2-C3D4",
        "v1.2.3.4",
        "13800 元 138000 元",
        "8613 次",
        "7×24 小时",
        "赞成 12 票*反对 3 票",
        "面积 0.13812 亩",
        "511702199013011234",
        "二〇二二年七月十五日",
        "一二三四五六七八九十",
        "张* *** ***",
        "01a20a23-d6b9-77af-a086-e069cc7d99d6",
        "b'\\x13\\x80'",
        "HJ01 HJ02 HJ03",
        "工号 020220715001",
    ],
)
def test_harmless_pages_by_hand(text):
    assert scan_public(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("身份证号：511702199001011230", "id"),
        ("身份证 511702900101123", "id"),
        ("手机138****8000", "masked"),
        ("5****************4", "masked"),
        ("身份证5117021990****1234", "masked"),
        ("卡尾号8000", "tail"),
        ("出生日期：1990-01-01", "birth"),
        ("生于1990年3月", "birth"),
        ("1990年3月5日出生", "birth"),
        ("13800138000.jpg", "mobile"),
        ('{"phone": "13800138000"}', "mobile"),
        ("<a href=tel:13800138000>", "mobile"),
        ("1.13800138000", "mobile"),
        ("编号511702109200联系13800138000", "mobile"),
        ("\u202e13800138000", "mobile"),
        ("1\u00ad3800138000", "mobile"),
        ("𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎", "mobile"),
        ("幺三八〇〇幺三八〇〇〇", "mobile"),
    ],
)
def test_leaks_by_hand(text, kind):
    assert [leak.kind for leak in scan_public(text)] == [kind]


def test_two_numbers_side_by_side_are_two_leaks():
    kinds = [leak.kind for leak in scan_public("13800138000 13900139000 0818-2345678")]
    assert kinds == ["mobile", "mobile", "landline"]


@pytest.mark.parametrize("shown", ["0818-2345678", "(0818) 2345678", "０８１８２３４５６７８", "+86 818"])
def test_the_office_phone_is_allowed_in_any_spelling(shown):
    assert scan_public(f"村委会 {shown}", allowed=["0818-2345678"]) == []


def test_an_allowed_mobile_does_not_open_the_door_to_others():
    leaks = scan_public("村委会 138 0013 8000，张* 13900139000", allowed=["+86 13800138000"])
    assert [leak.kind for leak in leaks] == ["mobile"]
    assert leaks[0].start > 10


def test_an_id_number_cannot_be_allowed():
    number = make_test_id_number("511702", "19900101", "123")
    assert scan_public(number, allowed=[number]) != []


def test_names_of_minors_block():
    """P-07: children never on public pages."""
    leaks = scan_public("王小 花、张*", minors=["王小花", "李"])
    assert [(leak.kind, leak.blocks) for leak in leaks] == [("minor", True)]


def test_words_of_hardship_ask_for_a_person():
    """M-08: a word may be lawful (三务公开), so a named person decides."""
    leaks = scan_public("关爱残疾人活动")
    assert [(leak.kind, leak.blocks) for leak in leaks] == [("sensitive", False)]


def test_the_finding_does_not_repeat_the_secret():
    text = "张* １３８００１３８０００"
    leak = scan_public(text)[0]
    assert text[leak.start : leak.end] == "１３８００１３８０００"
    assert "8" not in leak.shown
    assert "手机号码" in leak.message


def test_a_uuid_of_digits_only_is_no_phone():
    assert scan_public(str(UUID(int=0x12345678_1234_7123_8123_138001380001))) == []


def test_a_flood_is_capped():
    assert len(scan_public("13800138000\n" * 2_000)) == 500


@pytest.mark.parametrize("flood", ["*", "5*", "1 ", "一", "a1", "1", "13800", "(", "138****"])
def test_no_page_makes_the_scanner_crawl(flood):
    """Every pattern is linear in the text; a quadratic one would not come back here."""
    assert len(scan_public(flood * 20_000)) <= 500
