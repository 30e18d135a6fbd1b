"""The columns of the rule book's Excel form, the clerk's words for the format's words, and rows to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zhili.common.points import format_points
from zhili.rulebook.book import (
    Cap,
    Category,
    Fixed,
    Grades,
    Item,
    PerUnit,
    Purse,
    Range,
    RuleBook,
    Tiers,
)
from zhili.rulebook.reading import format_quantity

SHEETS: Final = ("细则", "存折", "类别", "项目")

# Key → names of the column; the first is written, the others are understood.
HEADS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "细则": {"name": ("事项", "项"), "value": ("内容",), "hint": ("怎么填", "填写说明")},
    "存折": {
        "code": ("编号",),
        "title": ("名称",),
        "spendable": ("能否兑换",),
        "policy": ("到期办法",),
        "on": ("到期日",),
        "years": ("有效年数",),
        "may_go_negative": ("能否为负",),
    },
    "类别": {
        "code": ("编号",),
        "title": ("名称",),
        "caps": ("上限", "封顶"),
        "start": ("起评分",),
        "floor": ("最低分",),
        "every": ("起评周期",),
    },
    "项目": {
        "code": ("编号",),
        "category": ("类别", "类别编号"),
        "title": ("名称", "项目"),
        "shape": ("计分方式",),
        "amount": ("分值",),
        "per": ("每多少",),
        "of": ("单位",),
        "round": ("取整",),
        "max": ("单次最多",),
        "over": ("累计期",),
        "steps": ("档次或等级", "档次", "等级"),
        "low": ("评议最低分",),
        "high": ("评议最高分",),
        "caps": ("上限", "封顶"),
        "cap_per": ("上限对象",),
        "purses": ("记入存折",),
        "evidence": ("佐证",),
        "claim_by": ("谁可申报",),
        "review": ("评议",),
        "optional": ("可选",),
        "effect": ("影响",),
        "note": ("说明",),
        "example": ("举例",),
    },
}
BOOK_ROWS: Final = {
    "title": "细则名称",
    "place": "区划代码",
    "unit": "计分单位",
    "effective_from": "开始日期",
    "effective_to": "结束日期",
    "settlement": "结算周期",
    "base_points": "基础分",
    "base_every": "基础分周期",
    "note": "说明",
}
_BOOK_HINTS: Final = {
    "title": "例如：某某村积分细则",
    "place": "12 位数字；样板可以不填",
    "unit": "户 或 人：积分记在谁名下",
    "effective_from": "例如 2026-01-01",
    "effective_to": "最后一天；长期有效就不填",
    "settlement": "每月、每两个月、每季度、每半年 或 每年",
    "base_points": "每期开始时每户都有的分；没有就不填",
    "base_every": "多久给一次基础分",
    "note": "可以不填",
}
POINT_COLUMNS: Final = {"amount", "max", "low", "high", "start", "floor"}
HEADS_WIDTH: Final = {
    "name": 14, "value": 40, "hint": 44, "title": 30, "caps": 22, "steps": 28, "note": 30, "example": 40,
    "effect": 20, "claim_by": 20,
}  # fmt: skip
NOTES: Final = {
    "code": "字母、数字或汉字，每个只用一次",
    "caps": "例如：每月4次；每年20分",
    "shape": "固定：每次一样多；按数量：每多少单位几分；分档：够到哪档算哪档；评等级；评议定分",
    "steps": "分档写 10=2；20=5。等级写 示范户=3；清洁户=1",
    "cap_per": "户（不填也是户）或 人",
    "purses": "不填就是全部存折；多个用顿号隔开",
    "claim_by": "多个用顿号隔开",
    "example": "写一个真事，并写明得几分",
    "on": "月-日，例如 01-10",
}

_YES: Final = {"是": "true", "否": "false"}
PERIODS: Final = {
    "每天": "day",
    "每周": "week",
    "每月": "month",
    "每两个月": "two_months",
    "每季度": "quarter",
    "每半年": "half_year",
    "每年": "year",
    "总共": "ever",
}
CHOICES: Final[dict[str, dict[str, str]]] = {
    "unit": {"户": "household", "人": "resident"},
    "cap_per": {"户": "household", "人": "resident"},
    "settlement": PERIODS,
    "every": PERIODS,
    "over": PERIODS,
    "spendable": _YES,
    "may_go_negative": _YES,
    "optional": _YES,
    "policy": {"不过期": "none", "每年到期": "yearly", "按年数": "years", "兑换日后": "after_redemption"},
    "shape": {
        "固定": "fixed",
        "按数量": "per_unit",
        "分档": "tiers",
        "评等级": "grades",
        "评议定分": "range",
    },
    "round": {"不满不算": "down", "不满算一份": "up", "四舍五入": "half_up"},
    "evidence": {"不需要": "none", "有人证明": "witness", "照片": "photo", "书面材料": "document"},
    "claim_by": {"本人": "self", "邻里": "neighbour", "村干部": "clerk"},
    "review": {"一级": "1", "两级": "2", "议事会": "council"},
}
LISTS: Final = {"claim_by"}
# Which columns a way of scoring uses; the first one must be filled in.
SHAPE_FIELDS: Final = {
    "fixed": ("amount",),
    "per_unit": ("amount", "per", "of", "round", "max"),
    "tiers": ("steps", "of", "over"),
    "grades": ("steps",),
    "range": ("low", "high"),
}
_WORDS: Final = {key: {code: word for word, code in words.items()} for key, words in CHOICES.items()}


def _say(key: str, code: str | None) -> str | None:
    return None if code is None else _WORDS[key][code]


def _yes(key: str, value: bool) -> str | None:
    return _WORDS[key]["true"] if value else None


def book_rows(book: RuleBook | None) -> list[list[object]]:
    """The upright 细则 sheet; without a book, the facts left to fill in."""
    values: Mapping[str, object] = {}
    if book is not None:
        values = {
            "title": book.title,
            "place": book.place,
            "unit": _say("unit", book.unit),
            "effective_from": book.effective_from.isoformat(),
            "effective_to": book.effective_to.isoformat() if book.effective_to else None,
            "settlement": _say("settlement", book.settlement),
            "base_points": format_points(book.base.points) if book.base else None,
            "base_every": _say("every", book.base.every) if book.base else None,
            "note": book.note or None,
        }
    return [[label, values.get(key), _BOOK_HINTS[key]] for key, label in BOOK_ROWS.items()]


def purse_row(purse: Purse) -> list[object]:
    expiry = purse.expiry
    return [
        purse.code,
        purse.title,
        _yes("spendable", purse.spendable),
        _say("policy", expiry.policy) if expiry else None,
        expiry.on if expiry else None,
        str(expiry.years) if expiry and expiry.years is not None else None,
        _yes("may_go_negative", purse.may_go_negative),
    ]


def category_row(category: Category) -> list[object]:
    return [
        category.code,
        category.title,
        _caps(category.caps),
        category.start,
        category.floor,
        _say("every", category.every),
    ]


def item_row(item: Item) -> list[object]:
    shape: dict[str, object] = _shape(item)
    rest: dict[str, object] = {
        "code": item.code,
        "category": item.category,
        "title": item.title,
        "caps": _caps(item.caps),
        "cap_per": _say("cap_per", item.per),
        "purses": "、".join(item.purses) if item.purses is not None else None,
        "evidence": _say("evidence", item.evidence),
        "claim_by": "、".join(_WORDS["claim_by"][one] for one in item.claim_by) or None,
        "review": None if item.review is None else _say("review", str(item.review)),
        "optional": _yes("optional", item.optional),
        "effect": item.effect,
        "note": item.note or None,
        "example": item.example,
    }
    return [{**rest, **shape}.get(key) for key in HEADS["项目"]]


def _shape(item: Item) -> dict[str, object]:
    shape = item.points
    if isinstance(shape, Fixed):
        return {"shape": _say("shape", "fixed"), "amount": shape.points}
    if isinstance(shape, PerUnit):
        return {
            "shape": _say("shape", "per_unit"),
            "amount": shape.each,
            "per": format_quantity(shape.per),
            "of": shape.of,
            "round": _say("round", shape.round),
            "max": shape.max,
        }
    if isinstance(shape, Tiers):
        tiers = (f"{format_quantity(tier.from_)}={format_points(tier.points)}" for tier in shape.tiers)
        over = _say("over", shape.over)
        return {"shape": _say("shape", "tiers"), "steps": "；".join(tiers), "of": shape.of, "over": over}
    if isinstance(shape, Grades):
        grades = (f"{grade}={format_points(points)}" for grade, points in shape.grades.items())
        return {"shape": _say("shape", "grades"), "steps": "；".join(grades)}
    assert isinstance(shape, Range)
    return {"shape": _say("shape", "range"), "low": shape.min, "high": shape.max}


def _caps(caps: tuple[Cap, ...]) -> str | None:
    texts = []
    for cap in caps:
        times = "" if cap.times is None else f"{cap.times}次"
        points = "" if cap.points is None else f"{format_points(cap.points)}分"
        texts.append(f"{_WORDS['every'][cap.every]}{'、'.join(part for part in (times, points) if part)}")
    return "；".join(texts) or None
