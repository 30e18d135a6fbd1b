"""What changed between two versions of a rule book, in words the village assembly can vote on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

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
    RuleBook,
    Shape,
    Tiers,
)
from zhili.rulebook.reading import format_quantity

PERIOD_WORDS: Final = {
    "day": "每天",
    "week": "每周",
    "month": "每月",
    "two_months": "每两个月",
    "quarter": "每季度",
    "half_year": "每半年",
    "year": "每年",
    "ever": "总共",
}
WORDS: Final = {
    **PERIOD_WORDS,
    "household": "户",
    "resident": "人",
    "none": "不需要",
    "witness": "有人证明",
    "photo": "照片",
    "document": "书面材料",
    "self": "本人",
    "neighbour": "邻里",
    "clerk": "村干部",
    "council": "议事会定",
    "down": "不满一份不算",
    "up": "不满一份算一份",
    "half_up": "四舍五入",
}
EXPIRY_WORDS: Final = {"none": "不过期", "after_redemption": "兑换日后清零"}
_FIELDS: Final = {
    "title": "名称",
    "place": "区划",
    "unit": "计分单位",
    "effective_from": "开始日期",
    "effective_to": "结束日期",
    "settlement": "结算周期",
    "base": "基础分",
    "note": "说明",
    "spendable": "能否兑换",
    "expiry": "到期办法",
    "may_go_negative": "能否为负",
    "caps": "上限",
    "start": "起评分",
    "floor": "最低分",
    "every": "起评周期",
    "category": "类别",
    "points": "分值",
    "per": "上限对象",
    "purses": "记入存折",
    "evidence": "佐证",
    "claim_by": "谁可申报",
    "review": "评议",
    "optional": "可选",
    "effect": "影响",
    "example": "举例",
}
_KINDS: Final = {"purses": "存折", "categories": "类别", "items": "项目"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. kind: added, removed or changed; part: 细则, 存折, 类别, 项目; code: of the row, empty
    for the book itself; field: the attribute, empty for whole rows; text: one sentence in words."""

    kind: str
    part: str
    code: str
    field: str
    text: str


def compare(old: RuleBook, new: RuleBook) -> list[Change]:
    """Every difference from old to new: the book itself, then purses, categories, items in the new order."""
    changes: list[Change] = []
    for field in fields(RuleBook):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name in _KINDS:
            changes += _rows(_KINDS[field.name], before, after)
        elif before != after:
            changes.append(_changed("细则", "", "细则", field.name, before, after))
    order = {part: index for index, part in enumerate(["细则", *_KINDS.values()])}
    return sorted(changes, key=lambda change: order[change.part])


def _rows(part: str, old: Sequence[Any], new: Sequence[Any]) -> list[Change]:
    before, after = {row.code: row for row in old}, {row.code: row for row in new}
    changes: list[Change] = []
    for code, row in before.items():
        if code not in after:
            text = f"删去{part} {code}“{row.title}”{_worth(row)}"
            changes.append(Change("removed", part, code, "", text))
    for code, row in after.items():
        if code not in before:
            text = f"新增{part} {code}“{row.title}”{_worth(row)}"
            changes.append(Change("added", part, code, "", text))
            continue
        for field in fields(row):
            values = getattr(before[code], field.name), getattr(row, field.name)
            if values[0] != values[1]:
                subject = f"{part} {code}“{row.title}”"
                changes.append(_changed(part, code, subject, field.name, *values))
    kept_old = [code for code in before if code in after]
    kept_new = [code for code in after if code in before]
    if kept_old != kept_new:
        changes.append(Change("changed", part, "", "", f"{part}的排列顺序有变动"))
    return changes


def _worth(row: Purse | Category | Item) -> str:
    return f"，{in_words(row.points)}" if isinstance(row, Item) else ""


def _changed(part: str, code: str, subject: str, field: str, before: Any, after: Any) -> Change:
    text = f"{subject}的{_FIELDS.get(field, field)}：由“{_say(field, before)}”改为“{_say(field, after)}”"
    return Change("changed", part, code, field, text)


def _say(field: str, value: Any) -> str:
    if value is None or value in ("", ()):
        return "长期" if field == "effective_to" else "全部" if field == "purses" else "未写"
    if field == "review" and isinstance(value, int):
        return f"{value} 级评议"
    return in_words(value)


def in_words(value: Any) -> str:
    """Any value of a rule book as a villager would say it: points, caps, shapes, words of the format."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return f"{format_points(value)} 分"
    if isinstance(value, str):
        return WORDS.get(value, value)
    if isinstance(value, Cap):
        points = "" if value.points is None else f"{format_points(value.points)} 分"
        times = "" if value.times is None else f"{value.times} 次"
        return f"{WORDS[value.every]}最多 {'、'.join(part for part in (times, points) if part)}"
    if isinstance(value, Base):
        return f"{WORDS[value.every]} {format_points(value.points)} 分"
    if isinstance(value, Expiry):
        return _expiry(value)
    if isinstance(value, tuple):
        return "、".join(in_words(one) for one in value)
    if isinstance(value, Fixed | PerUnit | Tiers | Grades | Range):
        return _shape(value)
    return str(value)


def _expiry(expiry: Expiry) -> str:
    if expiry.policy == "yearly":
        return f"每年 {expiry.on} 到期"
    if expiry.policy == "years":
        return f"{expiry.years} 年后到期"
    return EXPIRY_WORDS[expiry.policy]


def _shape(shape: Shape) -> str:
    if isinstance(shape, Fixed):
        return f"{format_points(shape.points)} 分"
    if isinstance(shape, PerUnit):
        most = "" if shape.max is None else f"，单次最多 {format_points(abs(shape.max))} 分"
        per = f"每 {format_quantity(shape.per)} {shape.of} {format_points(shape.each)} 分"
        return f"{per}（{WORDS[shape.round]}）{most}"
    if isinstance(shape, Tiers):
        over = f"{WORDS[shape.over]}累计" if shape.over else "一次"
        steps = [
            f"{format_quantity(tier.from_)} {shape.of} {format_points(tier.points)} 分"
            for tier in shape.tiers
        ]
        return f"{over}满 {'，满 '.join(steps)}"
    if isinstance(shape, Grades):
        return _grades(shape.grades)
    return f"{format_points(shape.min)} 至 {format_points(shape.max)} 分，由评议定"


def _grades(grades: Mapping[str, int]) -> str:
    return "，".join(f"{grade} {format_points(points)} 分" for grade, points in grades.items())
