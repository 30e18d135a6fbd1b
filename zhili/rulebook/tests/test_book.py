"""The rule book as YAML: what is read, what is refused with line and advice, and that nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhili.rulebook.book import (
    Base,
    Cap,
    Category,
    Expiry,
    Fixed,
    Grades,
    Item,
    PerUnit,
    Purse,
    Range,
    RuleBook,
    Tier,
    Tiers,
)
from zhili.rulebook.book_yaml import STARTERS, dump_yaml, load_starter, load_yaml, starter_yaml
from zhili.rulebook.compare import compare
from zhili.rulebook.errors import PROBLEMS_MAX, RuleBookError
from zhili.rulebook.reading import clean_text

BOOKS = Path(__file__).parent / "books"
GOOD = """format: zhili-rulebook/1
title: 某村积分细则
place: "511702109200"
unit: household
effective: {from: 2022-07-01, to: null}
settlement: quarter
purses:
  - {code: merit, title: 荣誉积分}
  - {code: spend, title: 兑换积分, spendable: true, expiry: {policy: yearly, on: "01-10"}}
base: {points: 0, every: year}
categories:
  - {code: HJ, title: 环境卫生, caps: [{points: 20, every: month}]}
  - {code: ZX, title: 聚居点秩序, start: 15, floor: 0, every: quarter}
items:
  - {code: HJ01, category: HJ, title: 扫公路, points: 2, caps: [{times: 4, every: month}], evidence: witness}
  - {code: HJ02, category: HJ, title: 捐物, points: {each: 1, per: 100, of: 件, round: down, max: 10}}
  - {code: HJ03, category: HJ, title: 志愿, points: {of: 小时, over: year, tiers: [{from: 10, points: 2}]}}
  - {code: HJ04, category: HJ, title: 评比, points: {grades: {示范户: 3, 不达标: -1}}}
  - {code: HJ05, category: HJ, title: 其他, points: {min: 1, max: 20}, review: council}
  - {code: ZX01, category: ZX, title: 乱倒, points: -5, purses: [merit], claim_by: [self, clerk]}
"""


def test_reads_the_format_of_the_design():
    book = load_yaml(GOOD)
    assert book.place == "511702109200"
    assert book.effective_from == date(2022, 7, 1)
    assert book.purse("spend").expiry == Expiry("yearly", "01-10", None)
    assert book.category("ZX") == Category("ZX", "聚居点秩序", (), 1500, 0, "quarter")
    assert book.item("HJ01").caps == (Cap(None, 4, "month"),)
    assert book.item("HJ02").points == PerUnit(100, Decimal(100), "件", "down", 1000)
    assert book.item("HJ03").points == Tiers("小时", "year", (Tier(Decimal(10), 200),))
    assert book.item("HJ04").points == Grades({"示范户": 300, "不达标": -100})
    assert book.item("HJ05").points == Range(100, 2000)
    assert book.purses_of(book.item("ZX01")) == ("merit",)
    assert book.purses_of(book.item("HJ01")) == ("merit", "spend")
    assert book.in_force_on(date(2030, 1, 1))
    assert not book.in_force_on(date(2022, 6, 30))


def test_evidence_and_review_by_value():
    """G-04: small a witness, middle one photo, large two reviewers, top and ranges the council."""
    found = {}
    for points in (500, 1000, 3000, 3001):
        item = Item("A", "L", "某事", Fixed(points))
        found[points] = (item.effective_evidence, item.effective_review)
    assert found == {
        500: ("witness", 1),
        1000: ("photo", 1),
        3000: ("photo", 2),
        3001: ("photo", "council"),
    }
    assert Item("A", "L", "某事", Range(100, 200)).effective_review == "council"
    said = Item("A", "L", "某事", Fixed(5000), evidence="witness", review=1)
    assert (said.effective_evidence, said.effective_review) == ("witness", 1)
    assert Item("A", "L", "某事", Fixed(-100)).effective_claim_by == ("clerk",)
    assert Item("A", "L", "某事", Fixed(100)).effective_claim_by == ("self", "neighbour", "clerk")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("evidence: witness", "evidense: witness", 15, "是不是“evidence”"),
        ("settlement:", "setlement:", 6, "是不是“settlement”"),
        ("unit: household", "ｕｎｉｔ: household", 4, "是不是“unit”"),
        ("unit: household", "unit: family", 4, "household、resident"),
        ("settlement: quarter", "settlement: week", 6, "month、two_months"),
        ("zhili-rulebook/1", "zhili-rulebook/2", 1, "不认识的格式"),
        ("title: 某村积分细则\n", "", 1, "没有写 title"),
        ('"511702109200"', "51170210920", 3, "12 位数字"),
        ("2022-07-01", "2022-7-1", 5, "不是日期"),
        ("2022-07-01", "2022-02-30", 5, "不是日期"),
        ("to: null", "to: 2022-06-30", 5, "早于开始日期"),
        ("code: HJ02", "code: HJ01", 16, "“HJ01”重复了"),
        ("code: HJ02", "code: hj01", 16, "“hj01”重复了"),
        ("code: HJ02", "code: ＨＪ02", 16, "请改为半角“HJ02”"),
        ("code: HJ02", "code: 'HJ 02'", 16, "不要空格"),
        ("code: spend", "code: merit", 9, "存折编号“merit”重复了"),
        ("code: ZX, title", "code: HJ, title", 13, "类别编号“HJ”重复了"),
        ("code: HJ02, category: HJ", "code: HJ02, category: HJJ", 16, "是不是“HJ”"),
        ("purses: [merit]", "purses: [merits]", 20, "是不是“merit”"),
        ("purses: [merit]", "purses: []", 20, "存折 purses是空的"),
        ("claim_by: [self, clerk]", "claim_by: [self, self]", 20, "重复"),
        ("claim_by: [self, clerk]", "claim_by: [boss]", 20, "可以写：self、neighbour、clerk"),
        ("points: 2, caps", "points: 0.005, caps", 15, "不是积分"),
        ("points: 2, caps", "points: 1e3, caps", 15, "不是积分"),
        ("points: 2, caps", "points: .nan, caps", 15, "不是积分"),
        ("points: 2, caps", "points: NaN, caps", 15, "不是积分"),
        ("points: 2, caps", "points: 0x10, caps", 15, "不是积分"),
        ("points: 2, caps", "points: 1_0, caps", 15, "不是积分"),
        ("points: 2, caps", "points: 1:30, caps", 15, "不是积分"),
        ("points: 2, caps", "points: 二, caps", 15, "不是积分"),
        ("points: 2, caps", "points: 100001, caps", 15, "超出了"),
        ("points: 2, caps", "points: {sum: 2}, caps", 15, "五种写法"),
        ("points: 2, caps", "points: [2], caps", 15, "要写成一个值"),
        ("points: 2, caps", "caps", 15, "没有写 points"),
        ("times: 4", "times: 0", 15, "1 至"),
        ("times: 4", "times: 2.5", 15, "1 至"),
        ("times: 4, every: month", "times: 4, every: fortnight", 15, "two_months"),
        ("times: 4, every: month", "times: 4", 15, "没有写 every"),
        ("{times: 4, every: month}", "{every: month}", 15, "至少写一样"),
        ("{times: 4, every: month}", "{points: -4, every: month}", 15, "写正数"),
        (
            "[{times: 4, every: month}]",
            "[{times: 4, every: month}, {times: 5, every: month}]",
            15,
            "同一周期",
        ),
        ("per: 100", "per: 0", 16, "不能是 0"),
        ("per: 100", "per: -1", 16, "不是数量"),
        ("each: 1,", "each: 0,", 16, "是 0"),
        ("max: 10}", "max: 0}", 16, "是 0"),
        ("of: 件, ", "", 16, "没有写 of"),
        ("round: down", "round: floor", 16, "half_up"),
        ("max: 10}", "max: 10, tier: 1}", 16, "没有“tier”"),
        ("[{from: 10, points: 2}]", "[{from: 10, points: 2}, {from: 5, points: 3}]", 17, "没有从小到大排"),
        ("[{from: 10, points: 2}]", "[{from: 10, points: 2}, {from: 10, points: 3}]", 17, "没有从小到大排"),
        ("[{from: 10, points: 2}]", "[]", 17, "一个档次也没有"),
        ("over: year", "over: decade", 17, "half_year"),
        ("{示范户: 3, 不达标: -1}", "{}", 18, "1 至 50 个"),
        ("{示范户: 3, 不达标: -1}", "{示范户: 3, 示范户: 2}", 18, "写了两次"),
        ("{示范户: 3, 不达标: -1}", "{a=b: 3}", 18, "不能有 ="),
        ("{min: 1, max: 20}", "{min: 21, max: 20}", 19, "最低分高于最高分"),
        ("{min: 1, max: 20}", "{min: 1}", 19, "没有写 max"),
        ("review: council", "review: 3", 19, "1、2、council"),
        ("floor: 0", "floor: 16", 13, "最低分高于起评分"),
        ("start: 15, floor: 0, every: quarter", "start: 15, floor: 0", 13, "没有写周期 every"),
        ("start: 15, floor: 0, every: quarter", "every: quarter", 13, "没有起评分"),
        ("start: 15, floor: 0, every: quarter", "start: 15, every: week", 13, "half_year"),
        ("start: 15", "start: -1", 13, "超出了"),
        ("spendable: true", "spendable: yes", 9, "true、false"),
        ("spendable: true", "spendable: true, may_go_negative: true", 9, "不能为负"),
        ('on: "01-10"', 'on: "02-30"', 9, "到期日"),
        (', on: "01-10"', "", 9, "要写明到期日"),
        ('policy: yearly, on: "01-10"', "policy: years", 9, "要写明 years"),
        ('policy: yearly, on: "01-10"', 'policy: none, on: "01-10"', 9, "用不到 on"),
        ("base: {points: 0,", "base: {points: -1,", 10, "超出了"),
        ("title: 扫公路", 'title: ""', 15, "是空的"),
        ("title: 扫公路", "title: " + "长" * 101, 15, "最多 100 个字"),
        ("title: 扫公路", 'title: "扫\\u202e公路"', 15, "看不见的控制字符"),
        ("title: 扫公路", 'title: "扫\\n公路"', 15, "看不见的控制字符"),
        ("evidence: witness", "evidence: witness, evidence: photo", 15, "写了两次"),
        ("evidence: witness", "per: person", 15, "household、resident"),
        ("unit: household", "unit: household\nunit: resident", 5, "前一次在第 4 行"),
        ("items:", "items: 3\nitem:", 14, "要写成列表"),
    ],
)
def test_refuses_with_line_and_advice(old, new, line, words):
    """Every fault is found at its line and says what to do; one rule for numbers (L-02)."""
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(RuleBookError) as raised:
        load_yaml(text, "x.yaml")
    assert any(one.line == line and words in str(one) for one in raised.value.problems), str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "文件是空的"),
        ("# 只有注释\n", "文件是空的"),
        ("- 1\n", "不是积分细则文件"),
        ("文字", "不是积分细则文件"),
        ("a: &x 1\nb: *x\n", "不能用 & 和 *"),
        ("a: &x [1]\n", "不能用 & 和 *"),
        ("x: !!python/object/apply:os.system [ls]\n", "不能用 ! 标记类型"),
        ("a: 1\n---\nb: 2\n", "只能有一份细则"),
        ("a: " + "[" * 100 + "]" * 100, "套得太深"),
        ("a:\n\tb: 1\n", "Tab"),
        ("format：zhili-rulebook/1\ntitle: x\n", "半角"),
        ("a: {b: 1\n", "格式读不懂"),
        ("a: \x07\n", "字符"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("细则".encode("gbk"), "UTF-8"),
        ("#" * 1_000_001, "最多 1000 KB"),
        ("? [a]\n: 1\n" + GOOD, "名称只能是一个词"),
        ("<<: {a: 1}\n" + GOOD, "没有“<<”"),
    ],
)
def test_refuses_what_is_no_rule_book(text, words):
    with pytest.raises(RuleBookError) as raised:
        load_yaml(text, "x.yaml")
    assert words in str(raised.value)


def test_all_problems_at_once_in_file_order():
    text = (
        GOOD.replace("unit: household", "unit: x")
        .replace("points: -5", "points: x")
        .replace("times: 4", "times: x")
    )
    with pytest.raises(RuleBookError) as raised:
        load_yaml(text, "x.yaml")
    assert [one.line for one in raised.value.problems] == [4, 15, 20]
    assert "x.yaml：有 3 处要改" in str(raised.value)


def test_problems_are_bounded():
    rows = "".join(f"  - {{code: X{n}, category: HJ, title: 事, points: 坏}}\n" for n in range(300))
    with pytest.raises(RuleBookError) as raised:
        load_yaml(GOOD + rows)
    assert len(raised.value.problems) == PROBLEMS_MAX
    assert "另有 200 处" in str(raised.value)


def test_too_many_items():
    rows = "".join(f"  - {{code: X{n}, category: HJ, title: 事, points: 1}}\n" for n in range(495))
    with pytest.raises(RuleBookError, match="最多 500 条"):
        load_yaml(GOOD + rows)


def test_a_resident_book_has_no_household_caps():
    text = GOOD.replace("unit: household", "unit: resident").replace("evidence: witness", "per: household")
    with pytest.raises(RuleBookError, match="不能按户封顶"):
        load_yaml(text)


def test_normalises_by_one_rule():
    """Full-width digits, outer blanks and zero-width joiners are taken as what was meant (L-02)."""
    text = GOOD.replace("points: 2,", "points: '　５．５ ',").replace("扫公路", "\u200b扫公路\ufeff")
    item = load_yaml("\ufeff" + text).item("HJ01")
    assert (item.points, item.title) == (Fixed(550), "扫公路")


def test_lookups_refuse_unknown_codes():
    book = load_yaml(GOOD)
    for lookup in (book.item, book.category, book.purse):
        with pytest.raises(RuleBookError, match="没有编号为“nix”"):
            lookup("nix")


@pytest.mark.parametrize("name", ["longmen", "luoyu"])
def test_real_books_round_trip(name):
    book = load_yaml((BOOKS / f"{name}.yaml").read_bytes(), name)
    assert load_yaml(dump_yaml(book)) == book
    assert len(book.items) == {"longmen": 14, "luoyu": 28}[name]


@pytest.mark.parametrize("name", list(STARTERS))
def test_starters_are_complete(name):
    """G-06: each item names evidence and a worked example and is bounded; at most a third deduct (RL-14)."""
    book = load_starter(name)
    assert load_yaml(dump_yaml(book)) == book
    assert starter_yaml(name).isprintable() is False
    assert (book.place, book.unit) == (None, "resident" if name == "person" else "household")
    assert all(item.evidence and item.example and item.title for item in book.items)
    deductions = [item for item in book.items if item.deducts]
    assert 3 * len(deductions) <= len(book.items)
    assert all(abs(item.least) <= max(one.most for one in book.items) for item in deductions)
    for item in book.items:
        capped = (
            item.caps or book.category(item.category).caps or book.category(item.category).floor is not None
        )
        assert capped, f"{item.code} has no cap"


def test_household_starter_has_every_shape_and_optional_deductions_apart():
    book = load_starter("household")
    assert {type(item.points) for item in book.items} == {Fixed, PerUnit, Tiers, Grades, Range}
    assert 28 <= len(book.items) <= 36
    deductions = [item for item in book.items if item.deducts]
    assert {item.category for item in deductions} == {"TX"}
    assert all(item.optional and item.purses == ("merit",) for item in deductions)
    assert not [item for item in book.items if item.category == "TX" and not item.deducts]


# --------------------------------------------------------------------------------------------- properties

texts = (
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=20)
    .map(clean_text)
    .filter(bool)
    .filter(lambda text: not text.startswith("'"))
)
points = st.integers(-10_000_00, 10_000_00)
periods = st.sampled_from(["day", "week", "month", "two_months", "quarter", "half_year", "year", "ever"])
caps = st.lists(
    st.builds(Cap, st.none() | st.integers(1, 99999), st.integers(1, 99), periods),
    max_size=3,
    unique_by=lambda cap: cap.every,
).map(tuple)
amounts = st.integers(0, 10**6).map(lambda n: (Decimal(n) / 100).normalize() + 0)
positive = amounts.filter(bool)
nonzero = points.filter(bool)
units = texts.filter(lambda text: len(text) <= 20)
roundings = st.sampled_from(["down", "up", "half_up"])
three = st.sets(amounts, min_size=3, max_size=3)
grade_names = texts.filter(lambda text: not set(text) & set("=;；"))
shapes = st.one_of(
    st.builds(Fixed, points),
    st.builds(PerUnit, nonzero, positive, units, roundings, st.none() | nonzero),
    st.builds(
        lambda of, over, starts, scores: Tiers(of, over, tuple(map(Tier, sorted(starts), scores))),
        units, st.none() | periods, three, st.lists(points, min_size=3, max_size=3),
    ),
    st.builds(Grades, st.dictionaries(grade_names, points, min_size=1, max_size=4)),
    st.tuples(points, points).map(lambda pair: Range(min(pair), max(pair))),
)  # fmt: skip
items = st.builds(
    lambda shape, title, **more: Item("A", "L", title, shape, **more),
    shapes, texts,
    caps=caps, per=st.sampled_from([None, "household", "resident"]), purses=st.sampled_from([None, ("m",)]),
    evidence=st.sampled_from([None, "none", "witness", "photo", "document"]),
    claim_by=st.sampled_from([(), ("self",), ("neighbour", "clerk")]),
    review=st.sampled_from([None, 1, 2, "council"]), note=st.just("") | texts, optional=st.booleans(),
    effect=st.none() | texts, example=st.none() | texts,
)  # fmt: skip
categories = st.builds(
    lambda title, caps, start, drop, every: Category("L", title, caps, start, start - drop, every),
    texts, caps, st.integers(0, 9999), st.integers(0, 9999), st.sampled_from(["month", "quarter", "ever"]),
)  # fmt: skip
purses = st.builds(
    Purse, st.just("m"), texts, st.booleans(),
    st.sampled_from([None, Expiry("none"), Expiry("yearly", "12-31"), Expiry("years", None, 2)]),
)  # fmt: skip
books = st.builds(
    lambda title, purse, base, category, item, place, end, note: RuleBook(
        title, place, "household", date(2022, 7, 1), end, "quarter", (purse,), base, (category,), (item,),
        note,
    ),
    texts, purses, st.none() | st.builds(Base, st.integers(0, 9999), st.sampled_from(["month", "ever"])),
    categories, items, st.sampled_from([None, "511702109200"]), st.sampled_from([None, date(2024, 2, 29)]),
    st.just("") | texts,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(books)
def test_yaml_keeps_everything(book: RuleBook):
    """Import → export → import is the same book, whatever the words in it."""
    assert load_yaml(dump_yaml(book)) == book


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(GOOD)),
            st.integers(0, 12),
            st.sampled_from(
                ["", "{", "}", "[", "]", ":", ",", "null", "-1", "1e9", "\n", "  ", "'", "是", "\0", "? "]
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_damaged_files_are_refused_in_words(cuts):
    """Whatever is cut out or typed in, the reader loads a book or says what is wrong."""
    text = GOOD
    for start, length, put in cuts:
        text = text[:start] + put + text[start + length :]
    try:
        book = load_yaml(text)
    except RuleBookError as error:
        assert error.problems
        assert all(str(one) for one in error.problems)
    else:
        assert load_yaml(dump_yaml(book)) == book


# --------------------------------------------------------------------------------------------- comparison


def test_compare_says_what_changed():
    old = load_yaml(GOOD)
    text = GOOD.replace(
        "points: 2, caps: [{times: 4, every: month}]", "points: 3, caps: [{times: 6, every: month}]"
    )
    text = text.replace("  - {code: HJ05", "  - {code: HJ06").replace(
        "settlement: quarter", "settlement: month"
    )
    text = text.replace("start: 15", "start: 10")
    said = [(change.kind, change.text) for change in compare(old, load_yaml(text))]
    assert said == [
        ("changed", "细则的结算周期：由“每季度”改为“每月”"),
        ("changed", "类别 ZX“聚居点秩序”的起评分：由“15 分”改为“10 分”"),
        ("removed", "删去项目 HJ05“其他”，1 至 20 分，由评议定"),
        ("changed", "项目 HJ01“扫公路”的分值：由“2 分”改为“3 分”"),
        ("changed", "项目 HJ01“扫公路”的上限：由“每月最多 4 次”改为“每月最多 6 次”"),
        ("added", "新增项目 HJ06“其他”，1 至 20 分，由评议定"),
    ]


def test_compare_same_and_order_only():
    book = load_yaml(GOOD)
    assert compare(book, load_yaml(GOOD)) == []
    turned = replace(book, items=tuple(reversed(book.items)))
    assert [change.text for change in compare(book, turned)] == ["项目的排列顺序有变动"]


@settings(max_examples=60, deadline=None)
@given(books, books)
def test_compare_finds_a_difference_exactly_when_there_is_one(old: RuleBook, new: RuleBook):
    assert bool(compare(old, new)) == (old != new)
