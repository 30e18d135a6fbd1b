"""Every rule in words: the five shapes, caps, categories, states; and last year under a draft (U-11, G-06, L-09)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.books import SMALL_BOOK
from zhili.common.periods import period_of
from zhili.rulebook.book import Cap, Fixed, Grades, Item, PerUnit, Range, Tier, Tiers
from zhili.rulebook.book_yaml import STARTERS, load_starter, load_yaml
from zhili.rulebook.calculator import Event, score
from zhili.rulebook.whatif import Past, what_if, what_if_json
from zhili.rulebook.words import (
    amount,
    book_words,
    caps_words,
    category_note,
    how_to_claim,
    item_words,
    points_words,
    rounding_words,
    state_words,
)

BOOK = load_yaml(SMALL_BOOK)
D = Decimal


def item(shape: object, **more: object) -> Item:
    return Item("X1", "HJ", "某事", shape, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shape, words",
    [
        (Fixed(200), "2 分"),
        (Fixed(-500), "扣 5 分"),
        (Fixed(50), "0.5 分"),
        (PerUnit(100, D(100), "元", "down", 1000), "每 100 元 1 分，一次最多 10 分"),
        (PerUnit(100, D(1), "亩"), "每亩 1 分"),
        (PerUnit(-100, D(1), "处", "down", 300), "每处扣 1 分，一次最多扣 3 分"),
        (PerUnit(50, D("0.5"), "公里"), "每 0.5 公里 0.5 分"),
        (
            Tiers("小时", "year", (Tier(D(10), 200), Tier(D(20), 500))),
            "一年内累计满 10 小时 2 分，满 20 小时 5 分",
        ),
        (Tiers("户", None, (Tier(D(1), 0), Tier(D(3), -100))), "一次满 1 户不加分，满 3 户扣 1 分"),
        (Grades({"示范户": 300, "清洁户": 0, "不达标": -100}), "示范户 3 分，清洁户不加分，不达标扣 1 分"),
        (Range(100, 2000), "1 至 20 分，由议事会评定"),
        (Range(-500, -100), "扣 1 至 5 分，由议事会评定"),
        (Range(-200, 500), "扣 2 分至加 5 分，由议事会评定"),
    ],
)
def test_points_in_words(shape, words):
    """U-11: each of the five shapes."""
    assert points_words(item(shape)) == words


def test_caps_notes_and_rounding_in_words():
    """Caps by their sign, per person, start and floor."""
    caps = (Cap(None, 4, "month"), Cap(2000, None, "year"))
    assert caps_words(caps) == "每月最多 4 次，每年最多 20 分"
    assert caps_words(caps[1:], deduction=True) == "每年最多扣 20 分"
    assert caps_words(caps[:1], per="resident") == "每人每月最多 4 次"
    assert caps_words((Cap(500, 2, "week"),)) == "每周最多 2 次、5 分" and caps_words(()) == ""
    assert category_note(BOOK.category("ZX")) == "每月开头先记 15 分，有下面的情形才扣，最低扣到 0 分"
    assert category_note(BOOK.category("HJ")) == "这一类合计每月最多 20 分"
    assert rounding_words(BOOK.item("GY01")) == "不满 100 元的部分不算"
    assert rounding_words(item(Fixed(100))) == "" and amount(0) == "不加分"


def test_nobody_is_asked_to_report_against_themselves():
    """A deduction says how to object instead of how to claim."""
    lines = how_to_claim(BOOK.item("ZX01"))
    assert any("异议" in line for line in lines) and not any("点“申报”" in line for line in lines)
    assert "评议" in how_to_claim(BOOK.item("HJ01"))[-1] and "照片" in how_to_claim(BOOK.item("GY03"))[1]


@pytest.mark.parametrize("name", STARTERS)
def test_every_item_of_every_starter_has_all_its_words(name):
    """G-06: nothing is left unsaid; no raw code of the format reaches a page."""
    book = load_starter(name)
    words = book_words(book)
    assert words.count == len(book.items)
    for category in words.categories:
        for one in category.items:
            said = (
                f"{one.points}{one.caps}{one.evidence}{one.claim_by}{one.review}{one.rounding}{category.note}"
            )
            assert one.points and one.evidence and one.claim_by and one.review and one.example
            assert not any(
                raw in said for raw in ("None", "month", "witness", "council", "self", "Decimal", "  ")
            )


DAY = date(2026, 6, 15)


@pytest.mark.parametrize(
    "status, first, end, word",
    [
        ("in_force", date(2026, 6, 15), None, "施行中"),
        ("in_force", date(2026, 6, 16), None, "等待施行"),
        ("superseded", date(2026, 1, 1), date(2026, 6, 16), "施行中"),
        ("superseded", date(2026, 1, 1), date(2026, 6, 15), "已被替代"),
        ("in_force", date(2026, 1, 1), date(2026, 6, 15), "已到期"),
        ("draft", DAY, None, "草稿"),
        ("adopted", DAY, None, "已通过，待备案"),
        ("withdrawn", DAY, None, "已撤回"),
    ],
)
def test_states_by_the_calendar(status, first, end, word):
    """A version that is superseded from tomorrow still binds today."""
    assert state_words(status, first, end, DAY).word == word


# --- what-if --------------------------------------------------------------------------------------------------


def year() -> list[Past]:
    """Eight sweepings, a gift, a deduction and an item that the draft drops, really scored under BOOK."""
    events = [
        Event(f"e{n}", "1001" if n % 2 else "1002", None, "HJ01", date(2026, 3, n)) for n in range(1, 9)
    ]
    events += [
        Event("g1", "1001", None, "GY01", date(2026, 4, 1), D(550)),
        Event("h1", "1002", None, "HJ02", date(2026, 4, 2), None, "整洁"),
        Event("z1", "1002", None, "ZX01", date(2026, 5, 1)),
        Event("r1", "1003", None, "GY04", date(2026, 5, 2), None, None, 700),
    ]
    awarded = {one.event: one.awarded for one in score(BOOK, events).events}
    return [
        Past(e, awarded[e.event], BOOK.item(e.item).category, BOOK.category(BOOK.item(e.item).category).title,
             BOOK.item(e.item).title)
        for e in events
    ]  # fmt: skip


def test_the_same_book_gives_last_years_points():
    """L-09: replaying under the book that was in force changes nothing, whatever the order of the input."""
    for past in (year(), list(reversed(year()))):
        result = what_if(BOOK, past)
        assert (
            result.total.change == 0
            and result.more == result.less == 0
            and result.same == 3
            and not result.lost
        )
        assert all(
            row.change == 0 for rows in (result.accounts, result.items, result.categories) for row in rows
        )


def test_a_draft_shows_who_gains_and_loses():
    """By account, category and item; dropped items and unscorable events are named, not swallowed."""
    text = SMALL_BOOK.replace("points: 2, caps: [{times: 4", "points: 3, caps: [{times: 2")
    dropped = "\n".join(line for line in text.splitlines() if "HJ02" not in line)
    changed = dropped.replace(
        "points: {min: 1, max: 20}, review: council", "points: {each: 1, per: 1, of: 次}"
    )
    draft = replace(load_yaml(changed), effective_from=date(2030, 1, 1), effective_to=None)
    result = what_if(draft, year())
    items = {row.key: (row.before, row.after, row.events) for row in result.items}
    assert (
        items["HJ01"] == (1600, 1200, 8) and items["HJ02"] == (300, 0, 1) and items["GY01"] == (500, 500, 1)
    )
    assert {(one.item, one.reason[:6]) for one in result.lost} == {
        ("HJ02", "草案里没有这"),
        ("GY04", "“其他突出贡"),
    }
    assert result.total.before == sum(row.before for row in result.accounts)
    assert result.total.after == sum(row.after for row in result.categories) == 1200 + 500 - 500
    assert result.accounts[0].key == "1003" and result.less == 3
    document = what_if_json(result)
    assert document["before"] == "26" and document["after"] == "12" and len(document["lost"]) == 2


def test_nothing_happened_last_year():
    """An empty year is an answer, not an error."""
    result = what_if(BOOK, [])
    assert result.total.events == 0 and result.accounts == [] and what_if_json(result)["before"] == "0"


def test_words_know_the_items_of_the_book():
    """Purses are named only where they differ from all."""
    assert item_words(BOOK.item("GY06"), BOOK).purses == "只记入荣誉积分"
    assert item_words(BOOK.item("HJ01"), BOOK).purses == ""
    assert period_of(DAY, BOOK.settlement).code == "2026-06"
