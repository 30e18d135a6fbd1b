"""A rule book in plain words, said the same way on the phone, at the desk, on the open page and on the wall.

What a villager asks of a rule: what do I get, how often, who has seen it, whom do I tell. Pure; no Django.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from zhili.common.points import format_points
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
    Review,
    RuleBook,
    Tiers,
)
from zhili.rulebook.reading import format_quantity

EVERY: Final = {
    "day": "每天", "week": "每周", "month": "每月", "two_months": "每两个月", "quarter": "每季度",
    "half_year": "每半年", "year": "每年", "ever": "总共",
}  # fmt: skip
OVER: Final = {
    "day": "一天内", "week": "一周内", "month": "一个月内", "two_months": "两个月内", "quarter": "一个季度内",
    "half_year": "半年内", "year": "一年内", "ever": "从头到尾",
}  # fmt: skip
UNITS: Final = {"household": "按户记分", "resident": "按人记分"}
EVIDENCE: Final = {
    "none": "不用证明", "witness": "有人看见、能作证", "photo": "要有照片", "document": "要有单据、证书等书面材料",
}  # fmt: skip
CLAIMANTS: Final = {"self": "本人", "neighbour": "邻里", "clerk": "村干部"}
VERDICTS: Final = {"block": "阻断", "legal_review": "需法审", "warn": "提醒", "ok": "通过"}


@dataclass(frozen=True, slots=True)
class ItemWords:
    """One item in words. Texts are without a full stop; empty where there is nothing to say."""

    code: str
    title: str
    points: str
    rounding: str
    caps: str
    evidence: str
    claim_by: str
    review: str
    purses: str
    example: str
    note: str
    effect: str
    deduction: bool
    optional: bool

    @property
    def search(self) -> str:
        """What the search on the phone looks through."""
        return f"{self.code}{self.title}{self.note}{self.example}".casefold()


@dataclass(frozen=True, slots=True)
class CategoryWords:
    """One category with its items; note: its own cap or starting points."""

    code: str
    title: str
    note: str
    items: list[ItemWords] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BookWords:
    """A whole book in words. facts: (label, text) pairs for the head of the page."""

    title: str
    note: str
    facts: list[tuple[str, str]]
    categories: list[CategoryWords]

    @property
    def count(self) -> int:
        return sum(len(category.items) for category in self.categories)


@dataclass(frozen=True, slots=True)
class State:
    """Where a version stands: a short word for the badge and a sentence."""

    word: str
    sentence: str


def book_words(book: RuleBook) -> BookWords:
    """The whole book in words."""
    facts = [
        ("记分", UNITS[book.unit]),
        ("结算", f"{EVERY[book.settlement]}公示、入账一次"),
        ("存折", "；".join(purse_words(purse) for purse in book.purses)),
    ]
    if book.base is not None and book.base.points:
        facts.append(("基础分", base_words(book.base)))
    categories = []
    for row in book.categories:
        items = book.items_in(row.code)
        note = category_note(row, deduction=all(item.is_deduction for item in items))
        categories.append(CategoryWords(row.code, row.title, note, [item_words(i, book) for i in items]))
    return BookWords(book.title, book.note, facts, [row for row in categories if row.items])


def item_words(item: Item, book: RuleBook) -> ItemWords:
    """One item in words."""
    by_default = item.purses is None or len(item.purses) == len(book.purses)
    names = "、".join(book.purse(code).title for code in book.purses_of(item))
    return ItemWords(
        code=item.code,
        title=item.title,
        points=points_words(item),
        rounding=rounding_words(item),
        caps=caps_words(item.caps, per=item.per, deduction=item.is_deduction),
        evidence=EVIDENCE[item.effective_evidence],
        claim_by=claimants_words(item),
        review=review_words(item.effective_review),
        purses="" if by_default else f"只记入{names}",
        example=item.example or "",
        note=item.note,
        effect=item.effect or "",
        deduction=item.is_deduction,
        optional=item.optional,
    )


def amount(points: int) -> str:
    """Hundredths → “2 分”, “扣 5 分”, “不加分”."""
    if points == 0:
        return "不加分"
    return f"扣 {format_points(-points)} 分" if points < 0 else f"{format_points(points)} 分"


def _worth(what: str, points: int) -> str:
    """“整洁 3 分”, “不达标扣 1 分”."""
    return f"{what} {amount(points)}" if points > 0 else f"{what}{amount(points)}"


def points_words(item: Item) -> str:
    """What one event brings: “2 分”, “每 100 元 1 分，最多 10 分”, “一年内累计满 10 小时 2 分，满 20 小时 5 分” …"""
    shape = item.points
    if isinstance(shape, Fixed):
        return amount(shape.points)
    if isinstance(shape, PerUnit):
        number = format_quantity(shape.per)
        unit = f"每{shape.of}" if number == "1" else f"每 {number} {shape.of}"
        most = ""
        if shape.max is not None:
            most = f"，一次最多{'扣' if shape.each < 0 else ''} {format_points(abs(shape.max))} 分"
        return _worth(unit, shape.each) + most
    if isinstance(shape, Tiers):
        steps = [_worth(f"满 {format_quantity(t.from_)} {shape.of}", t.points) for t in shape.tiers]
        lead = f"{OVER[shape.over]}累计" if shape.over else "一次"
        return lead + "，".join(steps)
    if isinstance(shape, Grades):
        return "，".join(_worth(grade, points) for grade, points in shape.grades.items())
    return _range_words(item, shape)


def _range_words(item: Item, shape: Range) -> str:
    judge = "议事会" if item.effective_review == "council" else "评议员"
    if shape.max <= 0:
        return f"扣 {format_points(-shape.max)} 至 {format_points(-shape.min)} 分，由{judge}评定"
    if shape.min < 0:
        return f"扣 {format_points(-shape.min)} 分至加 {format_points(shape.max)} 分，由{judge}评定"
    return f"{format_points(shape.min)} 至 {format_points(shape.max)} 分，由{judge}评定"


def rounding_words(item: Item) -> str:
    """How what does not make a full unit counts; how tiers post."""
    shape = item.points
    if isinstance(shape, PerUnit):
        unit = f"{format_quantity(shape.per)} {shape.of}"
        return {
            "down": f"不满 {unit}的部分不算",
            "up": f"不满 {unit}的部分按 {unit}算",
            "half_up": f"不满 {unit}的部分四舍五入",
        }[shape.round]
    if isinstance(shape, Tiers):
        return "按达到的最高一档算，升档时补记差额" if shape.over else "按达到的最高一档算"
    return ""


def cap_words(cap: Cap, *, deduction: bool = False) -> str:
    """“每月最多 4 次”, “每月最多 20 分”, “每年最多扣 10 分”."""
    times = "" if cap.times is None else f" {cap.times} 次"
    points = "" if cap.points is None else f"{'扣' if deduction else ''} {format_points(cap.points)} 分"
    return f"{EVERY[cap.every]}最多{times}{'、' if times and points else ''}{points.strip() if times else points}"


def caps_words(caps: tuple[Cap, ...], *, per: str | None = None, deduction: bool = False) -> str:
    """All caps of an item or category; empty where there is none."""
    if not caps:
        return ""
    lead = "每人" if per == "resident" else ""
    return "，".join(lead + cap_words(cap, deduction=deduction) for cap in caps)


def category_note(category: Category, *, deduction: bool = False) -> str:
    """The category's own rule: starting points, floor, caps over all its items. deduction: it only takes points."""
    parts = []
    if category.every is not None:
        start = format_points(category.start or 0)
        floor = "" if category.floor is None else f"，最低扣到 {format_points(category.floor)} 分"
        parts.append(f"{EVERY[category.every]}开头先记 {start} 分，有下面的情形才扣{floor}")
    if category.caps:
        parts.append(f"这一类合计{caps_words(category.caps, deduction=deduction)}")
    return "；".join(parts)


def claimants_words(item: Item) -> str:
    """Who may put it forward."""
    who = item.effective_claim_by
    if set(who) == set(CLAIMANTS):
        return "本人、邻里、村干部都可以"
    return (
        "只能由" + "、".join(CLAIMANTS[one] for one in who) + "提出"
        if len(who) == 1
        else "、".join(CLAIMANTS[one] for one in who) + "可以"
    )


def review_words(review: Review) -> str:
    """Who decides."""
    if review == "council":
        return "由议事会评定"
    return "一名评议员评议" if review == 1 else "两名评议员先后评议"


def purse_words(purse: Purse) -> str:
    """“兑换积分：可以兑换，满 2 年到期”."""
    parts = ["可以兑换" if purse.spendable else "只算荣誉，不兑换"]
    if purse.expiry is not None and purse.expiry.policy != "none":
        parts.append(expiry_words(purse.expiry))
    return f"{purse.title}（{'，'.join(parts)}）"


def expiry_words(expiry: Expiry) -> str:
    """When points lapse."""
    if expiry.policy == "yearly" and expiry.on:
        month, day = expiry.on.split("-")
        return f"每年 {int(month)} 月 {int(day)} 日到期"
    if expiry.policy == "years":
        return f"记分满 {expiry.years} 年到期"
    return "兑换日后清零" if expiry.policy == "after_redemption" else "不过期"


def base_words(base: Base) -> str:
    return f"{EVERY[base.every]}开头记 {format_points(base.points)} 分"


def how_to_claim(item: Item) -> list[str]:
    """The way from the deed to the points, as numbered sentences for a phone."""
    who = item.effective_claim_by
    if item.is_deduction:
        return [
            "这一项只由村干部提出，而且要先当面提醒、给您改正的机会。",
            "提出以后要经评议，并在公示里挂出来，公示不写姓名。",
            "您不同意，可以在公示期内提异议，有人书面答复以前不扣。",
        ]
    steps = []
    if "self" in who:
        steps.append("做完以后，在手机上点“申报”，选这一项，填好日期和数量。没有手机，找组长或村文书代填。")
    else:
        steps.append(f"这一项由{'、'.join(CLAIMANTS[one] for one in who)}提出，您不用自己填。")
    steps.append({
        "none": "不用交证明。",
        "witness": "写上一位看见的人的姓名，他愿意作证就行。",
        "photo": "拍一张做之前、做之后的照片，一起交上来。",
        "document": "把收据、证书或者单据拍照交上来，原件自己收好。",
    }[item.effective_evidence])  # fmt: skip
    steps.append(f"{review_words(item.effective_review)}，通过后和大家的一起公示；没有异议，就记到存折上。")
    return steps


def state_words(
    status: str, valid_from: date, valid_to: date | None, today: date, *, until: str = ""
) -> State:
    """Where a version stands today. valid_to: the first day it no longer binds; until: end of the consultation."""
    if status in ("in_force", "superseded"):
        if valid_from > today:
            return State("等待施行", f"{_day(valid_from)}起施行")
        if valid_to is not None and valid_to <= today:
            word = "已被替代" if status == "superseded" else "已到期"
            return State(word, f"{_day(valid_from)}起施行，{_day(valid_to)}起不再使用")
        end = "" if valid_to is None else f"，{_day(valid_to)}起不再使用"
        return State("施行中", f"{_day(valid_from)}起施行{end}")
    if status == "consultation":
        end = _day(date.fromisoformat(until)) if until else ""
        return State("征求意见", f"正在征求意见，到 {end}为止" if end else "正在征求意见")
    return {
        "draft": State("草稿", "还在起草，只有办事人员看得到"),
        "adopted": State("已通过，待备案", "会议已经表决通过，等乡镇登记备案"),
        "filed": State("已备案，待施行", "乡镇已经备案，可以宣布施行"),
        "withdrawn": State("已撤回", "这一版已经撤回，不再使用"),
    }[status]


def _day(day: date) -> str:
    return f"{day.year} 年 {day.month} 月 {day.day} 日"
