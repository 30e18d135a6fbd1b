"""The calculator: worked examples a clerk can read (L-02, G-13, P-08), refusals, and properties."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zhili.common.periods import period_of
from zhili.common.points import format_points, parse_points
from zhili.rulebook.book import PERIOD_KINDS, RuleBook
from zhili.rulebook.book_yaml import STARTERS, load_starter, load_yaml
from zhili.rulebook.calculator import Calculator, Event, openings_in, read_events, result_json, score
from zhili.rulebook.errors import RuleBookError, ScoreError

HERE = Path(__file__).parent
HEADER = "event,account,resident,item,occurred_on,quantity,grade,points\n"
FRAGMENT = {
    "format": "zhili-rulebook/1",
    "title": "例子",
    "unit": "household",
    "effective": {"from": "2022-01-01", "to": None},
    "settlement": "month",
    "purses": [{"code": "merit", "title": "荣誉积分"}],
    "categories": [{"code": "L", "title": "类别"}],
}
EXAMPLES = [
    pytest.param(example, id=f"{path.stem}: {example['name']}")
    for path in sorted((HERE / "examples").glob("*.yaml"))
    for example in yaml.safe_load(path.read_text("utf-8"))
]


def book_of(**parts) -> RuleBook:
    return load_yaml(yaml.safe_dump({**FRAGMENT, **parts}, allow_unicode=True), "例子")


def fixed(points="2", **more) -> RuleBook:
    return book_of(items=[{"code": "A", "category": "L", "title": "清扫", "points": points, **more}])


def shaped(points) -> RuleBook:
    return fixed(points)


def event(name="e1", item="A", day="2022-07-01", quantity=None, grade=None, points=None, who="H1") -> Event:
    amount = None if quantity is None else Decimal(quantity)
    return Event(name, who, None, item, date.fromisoformat(day), amount, grade, points)


def only_problem(raised) -> str:
    assert len(raised.value.problems) == 1
    return str(raised.value.problems[0])


@pytest.mark.parametrize("example", EXAMPLES)
def test_worked_example(example):
    """Every example in tests/examples comes out as the paper says, to the hundredth."""
    book = book_of(**example["book"])
    events = read_events(HEADER + "\n".join(example["events"]))
    result = score(book, events, accounts=example.get("accounts", ()))
    document = result_json(result)
    found = {row["event"]: (row["raw"], row["awarded"]) for row in document["events"]}
    wanted = {}
    for name, amount in example["expect"].items():
        pair = amount if isinstance(amount, dict) else {"raw": amount, "awarded": amount}
        wanted[name] = tuple(format_points(parse_points(str(pair[key]))) for key in ("raw", "awarded"))
    assert found == wanted
    steps = {row["event"]: row["why"] for row in document["events"]}
    assert all(steps.values())
    for name, why in example.get("why", {}).items():
        assert steps[name] == why
    if "totals" in example:
        totals = {
            f"{row['account']} {row['period']} {row['purse']}": row["points"] for row in document["totals"]
        }
        assert totals == {key: format_points(parse_points(str(v))) for key, v in example["totals"].items()}


def test_examples_cover_every_shape_and_cap():
    """Issue 2: a worked example for every point shape and for caps in every period."""
    text = "".join(path.read_text("utf-8") for path in (HERE / "examples").glob("*.yaml"))
    for word in ("each:", "tiers:", "over:", "grades:", "min:", "start:", "floor:", "base:", "per: resident"):
        assert word in text
    for kind in PERIOD_KINDS:
        assert f"every: {kind}}}]" in text


# ----------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("book", "bad", "words"),
    [
        (fixed(), event(item="B"), "没有项目“B”"),
        (fixed(), event(item="a"), "是不是“A”"),
        (fixed(), event(day="2021-12-31"), "不在细则“例子”的有效期内"),
        (shaped({"each": 1, "per": 10, "of": "米"}), event(), "要写数量（米）"),
        (shaped({"each": 1, "per": 10, "of": "米"}), event(quantity="-1"), "不对"),
        (shaped({"each": 1, "per": 10, "of": "米"}), event(quantity="NaN"), "不对"),
        (shaped({"each": 1, "per": 10, "of": "米"}), event(quantity="Infinity"), "不对"),
        (shaped({"each": 1, "per": 10, "of": "米"}), event(quantity="1000000001"), "不对"),
        (shaped({"each": 1, "per": 10, "of": "米"}), event(quantity="0.00001"), "最多四位小数"),
        (shaped({"of": "户", "tiers": [{"from": 1, "points": 2}]}), event(), "要写数量（户）"),
        (shaped({"of": "户", "over": "year", "tiers": [{"from": 1, "points": 2}]}), event(), "要写数量"),
        (shaped({"grades": {"整洁": 3}}), event(), "要写评定的等级"),
        (shaped({"grades": {"整洁户": 3}}), event(grade="整结户"), "是不是“整洁户”"),
        (shaped({"min": 1, "max": 20}), event(), "要写评议定下的分数"),
        (shaped({"min": 1, "max": 20}), event(points=2001), "20.01 超出范围"),
        (shaped({"min": 1, "max": 20}), event(points=99), "超出范围"),
    ],
)
def test_refuses(book, bad, words):
    """An event that cannot be scored is named, with what to do; nothing is guessed."""
    with pytest.raises(ScoreError) as raised:
        score(book, [bad])
    text = only_problem(raised)
    assert words in text
    assert text.startswith("事件 e1：")
    with pytest.raises(ScoreError):
        Calculator(book).feed(bad)


def test_refuses_after_the_last_day():
    book = replace(fixed(), effective_to=date(2022, 7, 31))
    assert score(book, [event(day="2022-07-31")]).events[0].awarded == 200
    with pytest.raises(ScoreError, match="有效期内"):
        score(book, [event(day="2022-08-01")])


def test_all_errors_come_at_once():
    """A clerk gets the whole list, not the first fault (U-50)."""
    with pytest.raises(ScoreError) as raised:
        score(fixed(), [event("e1", "X"), event("e2"), event("e3", "Y"), event("e4", day="2020-01-01")])
    assert [problem.where for problem in raised.value.problems] == ["事件 e4", "事件 e1", "事件 e3"]


def test_repeated_event_is_refused():
    with pytest.raises(ScoreError, match="出现了两次"):
        score(fixed(), [event("e1"), event("e1", day="2022-07-02")])


def test_an_error_leaves_no_trace():
    """A refused event neither uses up a cap nor adds to a tier."""
    tiers = {"of": "小时", "over": "year", "tiers": [{"from": 10, "points": 2}]}
    calculator = Calculator(shaped(tiers))
    with pytest.raises(ScoreError):
        calculator.feed(event("e1", quantity="9.99999"))
    assert calculator.feed(event("e2", quantity="9")).awarded == 0
    assert calculator.feed(event("e3", quantity="1")).awarded == 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "缺少“event”这一列"),
        ("event,account,item\n", "缺少“occurred_on”这一列"),
        (HEADER.replace("quantity", "quantiy"), "是不是“quantity”"),
        (HEADER.replace("grade", "event"), "有重复的列"),
        (HEADER + "e1,H1,,A,2022-7-1,,,\n", "第 2 行：“2022-7-1”不是日期"),
        (HEADER + "e1,H1,,A,2022-02-30,,,\n", "不是日期"),
        (HEADER + "e1,H1,,A,20220701T0,,,\n", "不是日期"),
        (HEADER + "e1,,,A,2022-07-01,,,\n", "“account”没有填"),
        (HEADER + "e1,H1,,A,2022-07-01,abc,,\n", "“abc”不是数量"),
        (HEADER + "e1,H1,,A,2022-07-01,-3,,\n", "不是数量"),
        (HEADER + "e1,H1,,A,2022-07-01,1e3,,\n", "不是数量"),
        (HEADER + "e1,H1,,A,2022-07-01,,,0.005\n", "不是积分"),
        (HEADER + "e1,H1,,A,2022-07-01,,,NaN\n", "不是积分"),
        (HEADER + "e1,H1,,A,2022-07-01,,,,多一列\n", "比表头多"),
        (HEADER + '"e1,H1\n', "引号"),
        (HEADER + f"e1,{'长' * 201},,A,2022-07-01,,,\n", "太长"),
        (HEADER.encode() + "细则".encode("gbk"), "UTF-8"),
    ],
)
def test_read_events_refuses(text, words):
    with pytest.raises(ScoreError) as raised:
        read_events(text, "events.csv")
    assert words in str(raised.value)


def test_read_events_names_every_bad_row():
    with pytest.raises(ScoreError) as raised:
        read_events(HEADER + "e1,H1,,A,bad,,,\ne2,H1,,A,2022-07-01,,,\n\ne3,H1,,A,2022-07-01,x,,\n")
    assert [problem.line for problem in raised.value.problems] == [2, 5]


def test_read_events_takes_what_excel_saves():
    """A byte order mark, CRLF, full-width digits, missing optional columns, blank lines."""
    text = "\ufeffevent,account,item,occurred_on,quantity\r\ne1,H1,A,２０２２-07-01,３６\r\n,,,,\r\n"
    found = read_events(text.encode())
    assert found == [Event("e1", "H1", None, "A", date(2022, 7, 1), Decimal(36))]


# ---------------------------------------------------------------------------------------------- behaviour


def test_history_counts_but_is_not_reported():
    book = fixed(caps=[{"times": 2, "every": "month"}])
    result = score(book, [event("e3", day="2022-07-03")], history=[event("e1"), event("e2")])
    assert [(one.event, one.awarded) for one in result.events] == [("e3", 0)]
    assert [total.points for total in result.totals] == [0]


def test_count_takes_what_was_really_posted():
    """After a corrected award the caps go by the books, not by what the item would have given."""
    calculator = Calculator(fixed(caps=[{"points": 5, "every": "month"}]))
    calculator.count(event("e1"), 450)
    assert calculator.feed(event("e2", day="2022-07-02")).awarded == 50
    with pytest.raises(ScoreError):
        calculator.count(event("e3", item="nix"), 100)


def test_count_moves_the_running_tier():
    tiers = {"of": "小时", "over": "year", "tiers": [{"from": 10, "points": 2}, {"from": 20, "points": 5}]}
    calculator = Calculator(shaped(tiers))
    calculator.count(event("e1", quantity="12"), 200)
    assert calculator.feed(event("e2", quantity="8")).awarded == 300


def test_openings_in_a_period():
    book = book_of(
        settlement="quarter",
        base={"points": 10, "every": "year"},
        categories=[{"code": "L", "title": "秩序", "start": 5, "floor": 0, "every": "month"}],
        items=[{"code": "A", "category": "L", "title": "乱倒", "points": -1}],
    )
    first = openings_in(book, period_of(date(2022, 2, 1), "quarter"))
    assert [(str(one.day), one.points) for one in first] == [
        ("2022-01-01", 1000),
        ("2022-01-01", 500),
        ("2022-02-01", 500),
        ("2022-03-01", 500),
    ]
    assert len(openings_in(book, period_of(date(2022, 5, 1), "quarter"))) == 3
    assert openings_in(book, period_of(date(2021, 5, 1), "quarter")) == []


def test_a_block_opens_only_in_the_purses_its_items_name():
    """Starting points of an inspection must not become spendable points."""
    book = book_of(
        purses=[{"code": "merit", "title": "荣誉"}, {"code": "spend", "title": "兑换", "spendable": True}],
        categories=[{"code": "L", "title": "秩序", "start": 5, "floor": 0, "every": "month"}],
        items=[{"code": "A", "category": "L", "title": "乱倒", "points": -1, "purses": ["merit"]}],
    )
    totals = {total.purse: total.points for total in score(book, [event()]).totals}
    assert totals == {"merit": 400, "spend": 0}


def test_no_events_no_rows():
    result = score(fixed(), [], accounts=["H1"])
    assert (result.events, result.totals) == ([], [])
    periods = [period_of(date(2022, 7, 1), "month")]
    assert len(score(fixed(), [], accounts=["H1"], periods=periods).totals) == 1


@pytest.mark.parametrize("name", ["longmen", "luoyu"])
def test_real_books_score(name):
    """The two real books import and score; 龙门镇 opens at 100 and takes half points."""
    book = load_yaml((HERE / "books" / f"{name}.yaml").read_text("utf-8"), name)
    if name == "luoyu":
        result = score(book, [event("e1", "LY15", "2026-07-01"), event("e2", "LY17", "2026-07-02")])
        assert [(t.purse, t.points) for t in result.totals] == [("merit", 3000), ("spend", 3000)]
        return
    events = [event("e1", "AQ1", "2026-07-01", "3"), event("e2", "QZ2", "2026-07-02", "85")]
    result = score(book, [*events, event("e3", "CY1", "2026-07-03", "9")])
    assert [one.awarded for one in result.events] == [-150, -100, -3500]
    assert result_json(result)["totals"] == [
        {"account": "H1", "period": "2026-Q3", "purse": "merit", "points": "62.5"}
    ]


# --------------------------------------------------------------------------------------------- properties

RICH = book_of(
    categories=[
        {
            "code": "L",
            "title": "环境",
            "caps": [{"points": 7, "every": "month"}, {"times": 9, "every": "year"}],
        },
        {"code": "B", "title": "秩序", "start": 6, "floor": 1, "every": "quarter"},
    ],
    items=[
        {"code": "A", "category": "L", "title": "清扫", "points": 2, "caps": [{"times": 2, "every": "week"}]},
        {
            "code": "P",
            "category": "L",
            "title": "清沟",
            "points": {"each": 0.5, "per": 3, "of": "米", "max": 2},
        },
        {
            "code": "T",
            "category": "L",
            "title": "志愿",
            "per": "resident",
            "caps": [{"times": 1, "every": "day"}],
            "points": {
                "of": "小时",
                "over": "quarter",
                "tiers": [{"from": 4, "points": 1}, {"from": 9, "points": 4}],
            },
        },
        {
            "code": "G",
            "category": "B",
            "title": "评比",
            "points": {"grades": {"好": 2, "差": -2.5}},
            "caps": [{"points": 4, "every": "half_year"}],
        },
        {"code": "R", "category": "B", "title": "其他", "points": {"min": -3, "max": 3}},
    ],
)

facts = st.builds(
    lambda n, who, resident, item, day, quantity, grade, points: Event(
        f"e{n:03d}", who, resident, item, date(2022, 1, 1) + timedelta(days=day),
        quantity if item in "PT" else None, grade if item == "G" else None, points if item == "R" else None,
    ),
    st.integers(0, 999), st.sampled_from(["H1", "H2"]), st.sampled_from([None, "甲", "乙"]),
    st.sampled_from("APTGR"), st.integers(0, 120), st.integers(0, 200).map(lambda n: Decimal(n) / 8),
    st.sampled_from(["好", "差"]), st.integers(-300, 300),
)  # fmt: skip
many = st.lists(facts, max_size=40, unique_by=lambda one: one.event)


@settings(max_examples=60, deadline=None)
@given(many, st.randoms(use_true_random=False))
def test_order_of_input_does_not_matter(events: list[Event], shuffler: random.Random):
    """The same facts in any order give the same result, byte for byte."""
    mixed = events[:]
    shuffler.shuffle(mixed)
    assert result_json(score(RICH, mixed)) == result_json(score(RICH, events))


@settings(max_examples=60, deadline=None)
@given(many)
def test_one_by_one_equals_all_at_once(events: list[Event]):
    """What claims show before submitting is what the batch awards; and `count` remembers as `feed` does."""
    ordered = sorted(events, key=lambda one: (one.occurred_on, one.event))
    batch = score(RICH, events).events
    fed = Calculator(RICH)
    assert [fed.feed(one) for one in ordered] == batch
    counted = Calculator(RICH)
    for one, result in zip(ordered, batch, strict=True):
        probe = score(RICH, [one], history=ordered[: ordered.index(one)]).events[0]
        assert probe == result
        counted.count(one, result.awarded)
    last = Event("zz", "H1", "甲", "A", date(2022, 12, 31))
    assert counted.feed(last) == fed.feed(last)


@settings(max_examples=100, deadline=None)
@given(many)
def test_caps_and_floors_hold(events: list[Event]):
    """No cap is ever exceeded, no floor broken, no award larger than raw or of the other sign."""
    result = score(RICH, events)
    by_id = {one.event: one for one in events}
    month: dict = {}
    times: dict = {}
    block: dict = {}
    half: dict = {}
    for scored in result.events:
        fact = by_id[scored.event]
        assert abs(scored.awarded) <= abs(scored.raw)
        assert scored.awarded * scored.raw >= 0
        assert scored.why
        if scored.awarded != scored.raw:
            assert len(scored.why) > 1
        sign = scored.awarded > 0
        if fact.item in "APT" and scored.awarded:
            key = (fact.account, fact.occurred_on.month, sign)
            month[key] = month.get(key, 0) + abs(scored.awarded)
            times[fact.account, sign] = times.get((fact.account, sign), 0) + 1
        if fact.item in "GR":
            key = (fact.account, period_of(fact.occurred_on, "quarter").code)
            block[key] = block.get(key, 600) + scored.awarded
            assert block[key] >= 100
        if fact.item == "G":
            key = (fact.account, period_of(fact.occurred_on, "half_year").code, sign)
            half[key] = half.get(key, 0) + abs(scored.awarded)
    assert all(points <= 700 for points in month.values())
    assert all(count <= 9 for count in times.values())
    assert all(points <= 400 for points in half.values())


@settings(max_examples=60, deadline=None)
@given(many)
def test_totals_are_openings_plus_awards(events: list[Event]):
    """Nothing is lost between the lines and the totals (L-14)."""
    result = score(RICH, events)
    rows = {(total.account, total.period) for total in result.totals}
    awarded = sum(one.awarded for one in result.events)
    opened = {(account, code) for account, code in rows if code in {"2022-01", "2022-04"}}
    assert sum(total.points for total in result.totals) == awarded + 600 * len(opened)


@pytest.mark.parametrize("name", list(STARTERS))
def test_starters_score_every_item(name):
    """Each item of the shipped books brings what its shape says on a single event."""
    book = load_starter(name)
    day = book.effective_from.isoformat()
    for item in book.items:
        grades = getattr(item.points, "grades", None)
        one = event("e1", item.code, day, "50", next(iter(grades)) if grades else None)
        needs = hasattr(item.points, "min")
        result = score(book, [replace(one, points=item.most if needs else None)])
        assert result.events[0].awarded <= item.most
        assert result.events[0].why


def test_unknown_starter():
    with pytest.raises(RuleBookError, match="没有名为“nix”的样板"):
        load_starter("nix")
