"""Makes a rule book out of what a file says, and says everything that is wrong with it.

Called by book_yaml.py and workbook.py alike: the checks are the same for the version-control form and for the
clerk's Excel sheet. Only form and sense are checked here; red lines are redlines.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from zhili.rulebook.book import (
    CAPS_MAX,
    CATEGORIES_MAX,
    CLAIMANTS,
    EVIDENCE,
    EXPIRIES,
    FORMAT,
    ITEMS_MAX,
    OPENING_KINDS,
    PERIOD_KINDS,
    PURSES_MAX,
    ROUNDINGS,
    SETTLEMENTS,
    STEPS_MAX,
    UNITS,
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
    Shape,
    Tier,
    Tiers,
)
from zhili.rulebook.reading import NOTE_MAX, TITLE_MAX, Raw, Reader, each_of, format_quantity, nearest

BOOK_KEYS: Final = (
    "format", "title", "place", "unit", "effective", "settlement", "purses", "base", "categories", "items",
    "note",
)  # fmt: skip
PURSE_KEYS: Final = ("code", "title", "spendable", "expiry", "may_go_negative")
EXPIRY_KEYS: Final = ("policy", "on", "years")
CATEGORY_KEYS: Final = ("code", "title", "caps", "start", "floor", "every")
CAP_KEYS: Final = ("points", "times", "every")
ITEM_KEYS: Final = (
    "code", "category", "title", "points", "caps", "per", "purses", "evidence", "claim_by", "review", "note",
    "optional", "effect", "example",
)  # fmt: skip
SHAPE_KEYS: Final = ("each", "per", "of", "round", "max", "over", "tiers", "grades", "min")
TIMES_MAX: Final = 100_000
UNIT_WORD_MAX: Final = 20
GRADE_MAX: Final = 30


def assemble(raw: Raw, source: str, *, found: Reader | None = None) -> RuleBook:
    """`found` carries problems already met while parsing. Raises RuleBookError with all of them."""
    reader = found or Reader()
    if not isinstance(raw.value, dict):
        reader.fail(raw, "这不是积分细则文件", f"文件开头要写 format: {FORMAT}")
        reader.finish(source)
    book = _book(reader, raw)
    reader.finish(source)
    return book


def _book(reader: Reader, raw: Raw) -> RuleBook:
    top = reader.mapping(raw, BOOK_KEYS, "细则")
    _check_format(reader, raw, top)
    title = reader.text(reader.need(top, "title", raw, "细则"), "细则名称")
    place = reader.text(top["place"], "区划代码") if "place" in top else None
    if place is not None and not re.fullmatch(r"[0-9]{12}", place):
        reader.fail(top["place"], f"区划代码“{place[:20]}”不对", "请写 12 位数字并加引号；样板可以不写")
    unit = reader.choice(reader.need(top, "unit", raw, "细则"), UNITS, "计分单位 unit")
    settlement = reader.choice(
        reader.need(top, "settlement", raw, "细则"), SETTLEMENTS, "结算周期 settlement"
    )
    start, end = _effective(reader, raw, top)
    purse_rows = reader.rows(reader.need(top, "purses", raw, "细则"), PURSES_MAX, "存折 purses")
    purses = tuple(_purse(reader, row) for row in purse_rows)
    reader.unique(zip(purse_rows, (purse.code for purse in purses), strict=True), "存折编号")
    category_rows = reader.rows(
        reader.need(top, "categories", raw, "细则"), CATEGORIES_MAX, "类别 categories"
    )
    categories = tuple(_category(reader, row) for row in category_rows)
    reader.unique(zip(category_rows, (category.code for category in categories), strict=True), "类别编号")
    item_rows = reader.rows(reader.need(top, "items", raw, "细则"), ITEMS_MAX, "项目 items")
    items = tuple(_item(reader, row) for row in item_rows)
    reader.unique(zip(item_rows, (item.code for item in items), strict=True), "项目编号")
    for key, rows in (("purses", purses), ("categories", categories), ("items", items)):
        if key in top and isinstance(top[key].value, list) and not rows:
            reader.fail(top[key], f"{key} 一条也没有", "请至少写一条")
    for row, item in zip(item_rows, items, strict=True):
        _check_names(reader, row, item, purses, categories, unit)
    base = _base(reader, top["base"]) if "base" in top else None
    note = reader.text(top["note"], "说明", NOTE_MAX, lines=True) if "note" in top else ""
    return RuleBook(
        title, place, unit, start, end, settlement, purses, base, categories, items, note
    )  # fmt: skip


def _check_format(reader: Reader, raw: Raw, top: Mapping[str, Raw]) -> None:
    said = reader.need(top, "format", raw, "细则")
    if said is not None and said.value != FORMAT:
        reader.fail(said, f"不认识的格式“{str(said.value)[:40]}”", f"请写 format: {FORMAT}")


def _effective(reader: Reader, raw: Raw, top: Mapping[str, Raw]) -> tuple[date, date | None]:
    said = reader.need(top, "effective", raw, "细则")
    entries = reader.mapping(said, ("from", "to"), "起止日期 effective") if said else {}
    start = reader.day(reader.need(entries, "from", said, "起止日期 effective") if said else None, "开始日期")
    end = reader.day(entries.get("to"), "结束日期")
    if start and end and end < start:
        reader.fail(entries["to"], f"结束日期 {end} 早于开始日期 {start}")
    return start or date.min, end


def _purse(reader: Reader, raw: Raw) -> Purse:
    entries = reader.mapping(raw, PURSE_KEYS, "存折")
    code = reader.code(reader.need(entries, "code", raw, "存折"), "存折编号")
    title = reader.text(reader.need(entries, "title", raw, f"存折 {code}"), "存折名称")
    spendable = reader.yes(entries.get("spendable"), "能否兑换 spendable")
    negative = reader.yes(entries.get("may_go_negative"), "能否为负 may_go_negative")
    if spendable and negative:
        reader.fail(entries["may_go_negative"], "能兑换的存折不能为负", "请去掉 may_go_negative")
    expiry = _expiry(reader, entries["expiry"]) if "expiry" in entries else None
    return Purse(code, title, spendable, expiry, negative)


def _expiry(reader: Reader, raw: Raw) -> Expiry:
    entries = reader.mapping(raw, EXPIRY_KEYS, "到期办法 expiry")
    policy = reader.choice(
        reader.need(entries, "policy", raw, "到期办法 expiry"), EXPIRIES, "到期办法 policy"
    )
    on = reader.text(entries["on"], "到期日 on") if "on" in entries else None
    years = reader.count(entries["years"], "有效年数 years", 20) if "years" in entries else None
    if policy == "yearly" and on is None:
        reader.fail(raw, "每年到期要写明到期日 on", '例如 on: "01-10"')
    if policy == "years" and years is None:
        reader.fail(raw, "按年数到期要写明 years", "例如 years: 2")
    if on is not None and policy != "yearly":
        reader.fail(entries["on"], f"到期办法 {policy} 用不到 on", "请删去")
    if years is not None and policy != "years":
        reader.fail(entries["years"], f"到期办法 {policy} 用不到 years", "请删去")
    if on is not None and not _is_month_day(on):
        reader.fail(entries["on"], f"到期日“{on[:20]}”不对", "请写成“月-日”，如 01-10；不要用 02-29")
    return Expiry(policy, on, years)


def _is_month_day(text: str) -> bool:
    try:
        # 2023 is no leap year: a date that exists every year exists in it.
        return bool(re.fullmatch(r"[0-9]{2}-[0-9]{2}", text)) and bool(date.fromisoformat(f"2023-{text}"))
    except ValueError:
        return False


def _base(reader: Reader, raw: Raw) -> Base:
    entries = reader.mapping(raw, ("points", "every"), "基础分 base")
    points = reader.points(reader.need(entries, "points", raw, "基础分 base"), "基础分", least=0)
    every = reader.choice(
        reader.need(entries, "every", raw, "基础分 base"), OPENING_KINDS, "基础分周期 every"
    )
    return Base(points, every)


def _category(reader: Reader, raw: Raw) -> Category:
    entries = reader.mapping(raw, CATEGORY_KEYS, "类别")
    code = reader.code(reader.need(entries, "code", raw, "类别"), "类别编号")
    title = reader.text(reader.need(entries, "title", raw, f"类别 {code}"), "类别名称")
    caps = _caps(reader, entries.get("caps"))
    start = reader.points(entries["start"], "起评分 start", least=0) if "start" in entries else None
    floor = reader.points(entries["floor"], "最低分 floor") if "floor" in entries else None
    every = reader.choice(entries["every"], OPENING_KINDS, "起评周期 every") if "every" in entries else None
    if (start is not None or floor is not None) and every is None:
        reader.fail(raw, f"类别 {code} 有起评分或最低分，但没有写周期 every", "例如 every: quarter")
    if every is not None and start is None and floor is None:
        reader.fail(entries["every"], f"类别 {code} 写了 every，但没有起评分 start 或最低分 floor")
    if floor is not None and floor > (start or 0):
        reader.fail(entries["floor"], f"类别 {code} 的最低分高于起评分", "最低分要小于或等于起评分")
    return Category(code, title, caps, start, floor, every)


def _caps(reader: Reader, raw: Raw | None) -> tuple[Cap, ...]:
    caps = tuple(_cap(reader, row) for row in reader.rows(raw, CAPS_MAX, "上限 caps"))
    if raw is not None and len({(cap.every, cap.points is None, cap.times is None) for cap in caps}) < len(
        caps
    ):
        reader.fail(raw, "同一周期写了两个同样的上限", "每个周期只留一个")
    return caps


def _cap(reader: Reader, raw: Raw) -> Cap:
    entries = reader.mapping(raw, CAP_KEYS, "上限")
    every = reader.choice(reader.need(entries, "every", raw, "上限"), PERIOD_KINDS, "上限周期 every")
    points = reader.points(entries["points"], "上限分数（写正数，加分扣分各按此封顶）", least=1)\
        if "points" in entries else None  # fmt: skip
    times = reader.count(entries["times"], "上限次数", TIMES_MAX) if "times" in entries else None
    if points is None and times is None:
        reader.fail(raw, "上限没有写分数 points，也没有写次数 times", "至少写一样")
    return Cap(points, times, every)


def _item(reader: Reader, raw: Raw) -> Item:
    entries = reader.mapping(raw, ITEM_KEYS, "项目")
    code = reader.code(reader.need(entries, "code", raw, "项目"), "项目编号")
    what = f"项目 {code}"
    said = reader.need(entries, "points", raw, what)
    purses = each_of(
        reader, entries.get("purses"), PURSES_MAX, "存折 purses", lambda row: reader.code(row, "存折编号")
    )
    claim_by = each_of(
        reader, entries.get("claim_by"), len(CLAIMANTS), "申报人 claim_by",
        lambda row: reader.choice(row, CLAIMANTS, "申报人 claim_by"),
    )  # fmt: skip
    return Item(
        code=code,
        category=reader.code(reader.need(entries, "category", raw, what), "类别编号"),
        title=reader.text(reader.need(entries, "title", raw, what), "项目名称"),
        points=_shape(reader, said, what) if said is not None else Fixed(0),
        caps=_caps(reader, entries.get("caps")),
        per=reader.choice(entries["per"], UNITS, "上限对象 per") if "per" in entries else None,
        purses=purses or None,
        evidence=reader.choice(entries["evidence"], EVIDENCE, "佐证 evidence")
        if "evidence" in entries else None,
        claim_by=claim_by,
        review=_review(reader, entries["review"]) if "review" in entries else None,
        note=reader.text(entries["note"], "说明 note", NOTE_MAX, lines=True) if "note" in entries else "",
        optional=reader.yes(entries.get("optional"), "可选 optional"),
        effect=reader.text(entries["effect"], "影响 effect", NOTE_MAX, lines=True)
        if "effect" in entries else None,
        example=reader.text(entries["example"], "举例 example", NOTE_MAX, lines=True)
        if "example" in entries else None,
    )  # fmt: skip


def _review(reader: Reader, raw: Raw) -> Review:
    found = reader.choice(raw, ("1", "2", "council"), "评议 review")
    return "council" if found == "council" else int(found)


def _shape(reader: Reader, raw: Raw, what: str) -> Shape:
    if not isinstance(raw.value, dict):
        return Fixed(reader.points(raw, f"{what}的分值"))
    keys = {key for key, value in raw.value.items() if value.value is not None}
    if "each" in keys:
        return _per_unit(reader, raw, what)
    if "tiers" in keys:
        return _tiers(reader, raw, what)
    if "grades" in keys:
        return _grades(reader, raw, what)
    if "min" in keys or "max" in keys:
        entries = reader.mapping(raw, ("min", "max"), f"{what}的分值")
        low = reader.points(reader.need(entries, "min", raw, what), "最低分 min")
        high = reader.points(reader.need(entries, "max", raw, what), "最高分 max")
        if low > high:
            reader.fail(raw, f"{what}的最低分高于最高分", "请对调")
        return Range(low, high)
    reader.mapping(raw, SHAPE_KEYS, f"{what}的分值")
    reader.fail(
        raw, f"看不懂{what}的分值",
        "五种写法：一个数；{each, per, of, round, max}；{of, over, tiers}；{grades}；{min, max}",
    )  # fmt: skip
    return Fixed(0)


def _per_unit(reader: Reader, raw: Raw, what: str) -> PerUnit:
    entries = reader.mapping(raw, ("each", "per", "of", "round", "max"), f"{what}的分值")
    each = reader.points(entries["each"], "每份分值 each")
    most = reader.points(entries["max"], "单次最多 max") if "max" in entries else None
    if each == 0:
        reader.fail(entries["each"], f"{what}的每份分值是 0")
    if most == 0:
        reader.fail(entries["max"], f"{what}的单次最多是 0", "不限就不要写 max")
    return PerUnit(
        each=each,
        per=reader.quantity(entries.get("per"), "每多少 per"),
        of=reader.text(reader.need(entries, "of", raw, what), "单位 of", UNIT_WORD_MAX),
        round=reader.choice(entries.get("round"), ROUNDINGS, "取整 round"),
        max=most,
    )


def _tiers(reader: Reader, raw: Raw, what: str) -> Tiers:
    entries = reader.mapping(raw, ("of", "over", "tiers"), f"{what}的分值")
    tiers: list[Tier] = []
    for row in reader.rows(entries["tiers"], STEPS_MAX, "档次 tiers"):
        tier = reader.mapping(row, ("from", "points"), "档次")
        start = reader.quantity(reader.need(tier, "from", row, "档次"), "档次起点 from", zero=True)
        if tiers and start <= tiers[-1].from_:
            reader.fail(
                row, f"{what}的档次没有从小到大排：{format_quantity(start)} 排在 "
                f"{format_quantity(tiers[-1].from_)} 之后", "请按起点从小到大排，起点不能相同",
            )  # fmt: skip
        tiers.append(Tier(start, reader.points(reader.need(tier, "points", row, "档次"), "档次分值")))
    if not tiers:
        reader.fail(raw, f"{what}一个档次也没有", "请至少写一档")
    over = reader.choice(entries["over"], PERIOD_KINDS, "累计期 over") if "over" in entries else None
    of = reader.text(reader.need(entries, "of", raw, what), "单位 of", UNIT_WORD_MAX)
    return Tiers(of, over, tuple(tiers))


def _grades(reader: Reader, raw: Raw, what: str) -> Grades:
    entries = reader.mapping(raw, ("grades",), f"{what}的分值")
    said = entries["grades"]
    if not isinstance(said.value, dict) or not 1 <= len(said.value) <= STEPS_MAX:
        reader.fail(said, f"{what}的等级要写 1 至 {STEPS_MAX} 个", "例如 grades: {示范户: 3, 清洁户: 1}")
        return Grades({"": 0})
    grades: dict[str, int] = {}
    for name, value in said.value.items():
        clean = reader.text(Raw(name, value.line, value.where), "等级名称", GRADE_MAX)
        if re.search(r"[=；;]", clean):
            reader.fail(value, f"等级名称“{clean}”里不能有 = 和分号")
        if clean in grades:
            reader.fail(value, f"等级“{clean}”重复了")
        if value.value is None:
            reader.fail(value, f"等级“{clean}”没有写分值")
        else:
            grades[clean] = reader.points(value, f"等级“{clean}”的分值")
    return Grades(grades)


def _check_names(
    reader: Reader,
    raw: Raw,
    item: Item,
    purses: tuple[Purse, ...],
    categories: tuple[Category, ...],
    unit: str,
) -> None:
    """An item may only name a category and purses that the book has."""
    checks = [(item.category, [category.code for category in categories], "类别")]
    checks += [(code, [purse.code for purse in purses], "存折") for code in item.purses or ()]
    for code, known, word in checks:
        if code and code not in known:
            near = nearest(code, known)
            hint = f"是不是“{near}”？" if near else f"已有：{'、'.join(known)[:TITLE_MAX]}"
            reader.fail(raw, f"项目 {item.code} 写的{word}“{code}”不存在", hint)
    if unit == "resident" and item.per == "household":
        reader.fail(raw, f"项目 {item.code}：以人计分的细则不能按户封顶", "请删去 per")
