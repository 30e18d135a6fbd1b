"""The rule book as a YAML file: the form for people who keep it under version control, and for the starters.

Scalars are taken as the text that was typed, never as YAML's own guess at a type: a code 01 stays 01, a date
stays a date, 1e3 is refused and not read as 1000. Anchors, aliases, tags and deep nesting are refused before
anything is built, so a small file cannot unfold into a large one.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any, Final

import yaml

from zhili.common.points import format_points
from zhili.rulebook.assemble import assemble
from zhili.rulebook.book import (
    FORMAT,
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
from zhili.rulebook.errors import Problem, RuleBookError
from zhili.rulebook.reading import Raw, Reader, clean_text, format_quantity

BYTES_MAX: Final = 1_000_000
DEPTH_MAX: Final = 12
STARTERS: Final = {
    "household": "户积分（环境卫生等六类，另有一组可选扣分）",
    "person": "个人积分（志愿服务与互助）",
    "inspection": "季度巡查（门前屋后，起评满分）",
}

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = {"", "~", "null", "Null", "NULL"}
_PLAIN: Final = re.compile(r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff 、。，；：？！（）《》“”+/._-]*")
_GUESSED: Final = re.compile(r"[-+.0-9_:eExo]+|null|true|false|yes|no|on|off|y|n", re.IGNORECASE)
_FLOW_MAX: Final = 200


def load_yaml(text: str | bytes, source: str = "") -> RuleBook:
    """YAML text → rule book. source: the file name for messages. Raises RuleBookError with every problem."""
    reader = Reader()
    return assemble(parse_yaml(text, source, reader), source, found=reader)


def starter_yaml(name: str) -> str:
    """The text of a rule book that ships with Zhili; name is a key of STARTERS."""
    if name not in STARTERS:
        raise RuleBookError(f"没有名为“{name[:30]}”的样板细则", hint=f"可选：{'、'.join(STARTERS)}")
    return resources.files("zhili.rulebook").joinpath(f"starters/{name}.yaml").read_text("utf-8")


def load_starter(name: str) -> RuleBook:
    return load_yaml(starter_yaml(name), f"starters/{name}.yaml")


def parse_yaml(text: str | bytes, source: str, reader: Reader) -> Raw:
    """YAML text → Raw tree. Duplicate keys go to the reader; what cannot be read at all raises at once."""
    decoded = _decode(text, source)
    try:
        _refuse_tricks(decoded, source)
        node = yaml.compose(decoded, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise RuleBookError([_syntax(error, decoded)], source=source) from error
    except yaml.YAMLError as error:
        raise RuleBookError(
            "文件里有不能用的字符", source=source, hint="请用记事本另存为 UTF-8 编码"
        ) from error
    if node is None:
        raise RuleBookError("文件是空的", source=source, hint=f"文件开头要写 format: {FORMAT}")
    return _raw(reader, node, 1)


def _decode(text: str | bytes, source: str) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > BYTES_MAX:
        raise RuleBookError(f"文件有 {size // 1000} KB，最多 {BYTES_MAX // 1000} KB", source=source)
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleBookError(
            "文件不是 UTF-8 编码", source=source, hint="请用记事本另存为 UTF-8 编码"
        ) from error


def _refuse_tricks(text: str, source: str) -> None:
    """Anchors, aliases, tags, several documents and deep nesting have no place in a rule book."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        trick = ""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            trick = "不能用 & 和 * 引用"
        elif getattr(event, "tag", None) not in (None, "!"):
            trick = "不能用 ! 标记类型"
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            trick = "套得太深" if depth > DEPTH_MAX else ""
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            trick = "一个文件只能有一份细则，不能用 --- 分成几份" if documents > 1 else ""
        if trick:
            problem = Problem(getattr(event.start_mark, "line", 0) + 1, "", trick, "请照样板逐条写明")
            raise RuleBookError([problem], source=source)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line: int | None = mark.line + 1 if mark else None
    lines = text.splitlines()
    shown = lines[line - 1].strip()[:60] if line and line <= len(lines) else ""
    hint = "请检查缩进（用空格）、引号和括号是否成对"
    if "\t" in (lines[line - 1] if shown and line else ""):
        hint = "缩进不能用 Tab 键，请改成空格"
    elif line and re.search(r"[：，｛｝［］]", "".join(lines[max(line - 2, 0) : line])):
        hint = "请检查冒号、逗号和括号，结构用的要写半角 : , { } [ ]，冒号后空一格"
    return Problem(line, "", f"格式读不懂“{shown}”", hint)


def _raw(reader: Reader, node: yaml.Node, line: int) -> Raw:
    if isinstance(node, yaml.ScalarNode):
        plain = not node.style  # None in the Python parser, "" in the C one
        if plain and node.value in _NULLS:
            return Raw(None, line)
        value = (
            node.value.lower() if plain and node.value in ("True", "TRUE", "False", "FALSE") else node.value
        )
        return Raw(value, line)
    if isinstance(node, yaml.SequenceNode):
        return Raw([_raw(reader, row, row.start_mark.line + 1) for row in node.value], line)
    entries: dict[str, Raw] = {}
    for key, value in node.value:
        at = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            reader.problems.append(Problem(at, "", "名称只能是一个词", "请照样板写成“名称: 值”"))
            continue
        name = clean_text(key.value)
        if name in entries:
            hint = f"前一次在第 {entries[name].line} 行，请只留一个"
            reader.problems.append(Problem(at, "", f"“{name[:40]}”写了两次", hint))
        entries[name] = _raw(reader, value, at)
    return Raw(entries, line)


# ------------------------------------------------------------------------------------------------- writing


def dump_yaml(book: RuleBook) -> str:
    """Rule book → YAML text that loads as an equal rule book. Comments of the original file are not kept."""
    end = book.effective_to.isoformat() if book.effective_to else None
    effective: dict[str, Any] = {"from": book.effective_from.isoformat(), "to": end}
    lines = [f"format: {FORMAT}", f"title: {_scalar(book.title)}"]
    if book.place is not None:
        lines.append(f'place: "{book.place}"')
    lines += [
        f"unit: {book.unit}",
        f"effective: {_flow(effective, dates=True)}",
        f"settlement: {book.settlement}",
    ]
    if book.note:
        lines.append(f"note: {_scalar(book.note)}")
    lines += ["purses:", *(_row(_purse(purse)) for purse in book.purses)]
    if book.base is not None:
        lines.append(f"base: {_flow({'points': _points(book.base.points), 'every': book.base.every})}")
    lines += ["categories:", *(_row(_category(category)) for category in book.categories)]
    lines += ["items:", *(_row(_item(item)) for item in book.items)]
    return "\n".join(lines) + "\n"


class _Number(str):
    """Text that is written bare, because it is an amount."""

    __slots__ = ()


def _points(centi: int) -> _Number:
    return _Number(format_points(centi))


def _purse(purse: Purse) -> dict[str, Any]:
    row: dict[str, Any] = {"code": purse.code, "title": purse.title}
    if purse.spendable:
        row["spendable"] = True
    if purse.expiry is not None:
        row["expiry"] = _expiry(purse.expiry)
    if purse.may_go_negative:
        row["may_go_negative"] = True
    return row


def _expiry(expiry: Expiry) -> dict[str, Any]:
    years = _Number(expiry.years) if expiry.years is not None else None
    return _without_none({"policy": expiry.policy, "on": expiry.on, "years": years})


def _category(category: Category) -> dict[str, Any]:
    return _without_none(
        {
            "code": category.code,
            "title": category.title,
            "caps": [_cap(cap) for cap in category.caps] or None,
            "start": None if category.start is None else _points(category.start),
            "floor": None if category.floor is None else _points(category.floor),
            "every": category.every,
        }
    )


def _cap(cap: Cap) -> dict[str, Any]:
    points = None if cap.points is None else _points(cap.points)
    times = None if cap.times is None else _Number(cap.times)
    return _without_none({"points": points, "times": times, "every": cap.every})


def _item(item: Item) -> dict[str, Any]:
    return _without_none(
        {
            "code": item.code,
            "category": item.category,
            "title": item.title,
            "points": _shape(item.points),
            "caps": [_cap(cap) for cap in item.caps] or None,
            "per": item.per,
            "purses": list(item.purses) if item.purses is not None else None,
            "evidence": item.evidence,
            "claim_by": list(item.claim_by) or None,
            "review": None if item.review is None else _Number(item.review),
            "optional": True if item.optional else None,
            "effect": item.effect,
            "note": item.note or None,
            "example": item.example,
        }
    )


def _shape(shape: Shape) -> Any:
    if isinstance(shape, Fixed):
        return _points(shape.points)
    if isinstance(shape, PerUnit):
        most = None if shape.max is None else _points(shape.max)
        row = {"each": _points(shape.each), "per": _Number(format_quantity(shape.per)), "of": shape.of}
        return _without_none({**row, "round": shape.round, "max": most})
    if isinstance(shape, Tiers):
        tiers = [
            {"from": _Number(format_quantity(tier.from_)), "points": _points(tier.points)}
            for tier in shape.tiers
        ]
        return _without_none({"of": shape.of, "over": shape.over, "tiers": tiers})
    if isinstance(shape, Grades):
        return {"grades": {name: _points(points) for name, points in shape.grades.items()}}
    assert isinstance(shape, Range)
    return {"min": _points(shape.min), "max": _points(shape.max)}


def _without_none(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}


def _row(row: dict[str, Any]) -> str:
    """One list entry: on one line where it stays readable, else one key a line."""
    flow = f"  - {_flow(row)}"
    if len(flow) <= _FLOW_MAX:
        return flow
    lines = [f"{key}: {_flow(value)}" for key, value in row.items()]
    return "  - " + "\n    ".join(lines)


def _flow(value: Any, *, dates: bool = False) -> str:
    if isinstance(value, dict):
        inner = (f"{_scalar(key)}: {_flow(entry, dates=dates)}" for key, entry in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(entry) for entry in value) + "]"
    if value is None:
        return "null"
    if value is True:
        return "true"
    return str(value) if dates or isinstance(value, _Number) else _scalar(value)


def _scalar(text: str) -> str:
    """Plain where every YAML reader takes it as the same text, else quoted."""
    if text == "on" or (_PLAIN.fullmatch(text) and not _GUESSED.fullmatch(text)):
        return text
    return json.dumps(text, ensure_ascii=False)
