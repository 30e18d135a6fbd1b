"""The rule book as one Excel workbook with four sheets, for clerks: 细则, 存折, 类别, 项目.

The same objects as the YAML form, in the words a clerk uses and with drop-downs; both convert into each other
without loss, and both are checked by assemble.py. A fault names the sheet and the cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from zhili.common.spreadsheets import (
    Cell,
    Column,
    Limits,
    Sheet,
    SheetOut,
    SpreadsheetError,
    find_header,
    read_workbook,
    write_workbook,
)
from zhili.rulebook.assemble import assemble
from zhili.rulebook.book import CAPS_MAX, FORMAT, ITEMS_MAX, RuleBook
from zhili.rulebook.errors import Problem, RuleBookError
from zhili.rulebook.reading import Raw, Reader, clean_text, narrow
from zhili.rulebook.workbook_rows import (
    BOOK_ROWS,
    CHOICES,
    HEADS,
    HEADS_WIDTH,
    LISTS,
    NOTES,
    POINT_COLUMNS,
    SHAPE_FIELDS,
    SHEETS,
    book_rows,
    category_row,
    item_row,
    purse_row,
)

LIMITS: Final = Limits(file_bytes=5_000_000, rows=2_000, columns=60, cells=100_000, sheets=10)

_CAP: Final = re.compile(
    r"(每天|每日|每周|每月|每两个?月|每季度?|每半年|每年|总共|累计)(?:最多)?(?:([0-9]+)次)?[、，,]?(?:([0-9.]+)分)?"
)
_CAP_WORDS: Final = {"每日": "每天", "每两月": "每两个月", "每季": "每季度", "累计": "总共"}
_LABELS: Final = {
    **{key: names[0] for sheet in SHEETS for key, names in HEADS[sheet].items()},
    **BOOK_ROWS,
    "title": "名称",
    "from": "开始日期",
}
_SPARE_ROWS: Final = 100


def dump_workbook(book: RuleBook) -> bytes:
    """Rule book → .xlsx bytes that load as an equal rule book."""
    codes = [category.code for category in book.categories]
    rows: dict[str, Sequence[Sequence[object]]] = {
        "细则": book_rows(book),
        "存折": [purse_row(purse) for purse in book.purses],
        "类别": [category_row(category) for category in book.categories],
        "项目": [item_row(item) for item in book.items],
    }
    return _write(rows, codes, spare=20)


def template_workbook() -> bytes:
    """An empty workbook to fill in, with the drop-downs and a note on every head."""
    rows: dict[str, Sequence[Sequence[object]]] = {
        "细则": book_rows(None), "存折": [], "类别": [], "项目": [],
    }  # fmt: skip
    return _write(rows, (), spare=_SPARE_ROWS)


def load_workbook(data: bytes, source: str = "") -> RuleBook:
    """.xlsx bytes → rule book. Raises RuleBookError with every problem, each naming sheet and cell."""
    sheets = _sheets(data, source)
    reader = Reader(_LABELS)
    missing = [name for name in SHEETS if name not in sheets]
    for name in missing:
        reader.problems.append(
            Problem(None, f"“{name}”表", "没有这张工作表，或者是空的", "请用下载的模板填写")
        )
    reader.finish(source)
    top = _book(reader, sheets["细则"])
    top["format"] = Raw(FORMAT)
    for key, name in (("purses", "存折"), ("categories", "类别"), ("items", "项目")):
        rows = _table(reader, sheets[name])
        convert = {"purses": _purse, "categories": _category, "items": _item}[key]
        converted = [Raw(convert(reader, row), row.line, row.where) for row in rows]
        top[key] = Raw(list(converted), None, f"“{name}”表")
    return assemble(Raw(top, None, "“细则”表"), source, found=reader)


def _write(rows: Mapping[str, Sequence[Sequence[object]]], codes: Sequence[str], spare: int) -> bytes:
    sheets = []
    for name in SHEETS:
        columns = [
            Column(
                names[0],
                width=HEADS_WIDTH.get(key, 10),
                kind="points" if key in POINT_COLUMNS and name != "细则" else "text",
                choices=(codes or None) if key == "category" else _choices(key, name),
                note=NOTES.get(key),
            )
            for key, names in HEADS[name].items()
        ]
        spare_rows = 0 if name == "细则" else min(spare, ITEMS_MAX)
        sheets.append(SheetOut(name, columns, rows[name], spare_rows=spare_rows))
    return write_workbook(sheets, properties={"title": "积分细则"})


def _choices(key: str, sheet: str) -> Sequence[str] | None:
    return tuple(CHOICES[key]) if key in CHOICES and sheet != "细则" and key not in LISTS else None


# ------------------------------------------------------------------------------------------------- reading


def _sheets(data: bytes, source: str) -> dict[str, Sheet]:
    """The one place where a file from outside is opened; the guard of common.spreadsheets comes first."""
    try:
        return {sheet.title: sheet for sheet in read_workbook(data, "细则.xlsx", limits=LIMITS).sheets}
    except SpreadsheetError as error:
        raise RuleBookError(error.message, source=source, hint=error.hint) from error


def _text(cell: Cell) -> str:
    """The cell's text as it was typed: unlike Cell.text, full-width punctuation stays what it is."""
    if isinstance(cell.value, str):
        text = clean_text(cell.value)
        return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@＝＋－＠") else text
    if isinstance(cell.value, datetime | date):
        return cell.value.isoformat()[:10]
    return cell.text


def _table(reader: Reader, sheet: Sheet) -> list[Raw]:
    """Rows below the header; each a mapping of column key to cell, empty cells left out."""
    heads = HEADS[sheet.title]
    header = find_header(sheet.rows, {key: list(names) for key, names in heads.items()})
    where = f"“{sheet.title}”表"
    if header.row < 0:
        reader.problems.append(Problem(None, where, "没有找到表头", "请用下载的模板填写"))
        return []
    for name in header.extra:
        hint = f"可用的列：{'、'.join(names[0] for names in heads.values())}"
        reader.problems.append(Problem(None, where, f"不认识的列“{name[:40]}”，或者列名重复", hint))
    rows = []
    for cells in sheet.rows[header.row + 1 :]:
        entries: dict[str, Raw] = {}
        for key in header.columns:
            cell = header.get(cells, key)
            text = _text(cell)
            if text:
                entries[key] = Raw(text, cell.row + 1, f"{where} {cell.ref}")
        if entries:
            line = cells[0].row + 1
            rows.append(Raw(entries, line, f"{where}第 {line} 行"))
    return rows


def _entries(raw: Raw) -> dict[str, Raw]:
    assert isinstance(raw.value, dict)
    return dict(raw.value)


def _book(reader: Reader, sheet: Sheet) -> dict[str, Raw]:
    """The 细则 sheet is upright: one line a fact."""
    found: dict[str, Raw] = {}
    for row in _table(reader, sheet):
        entries = _entries(row)
        name = entries.get("name", row)
        key = next((key for key, label in BOOK_ROWS.items() if label == name.value), None)
        if key is None or key in found:
            hint = f"可用：{'、'.join(BOOK_ROWS.values())}"
            reader.fail(
                name, f"不认识“{name.value if key is None else BOOK_ROWS[key]}”这一项，或者写了两次", hint
            )
        elif "value" in entries:
            found[key] = entries["value"]
    plain = [key for key in ("title", "place", "unit", "settlement", "note") if key in found]
    top: dict[str, Raw] = {key: _translated(reader, key, found[key]) for key in plain}
    dates = {key: found[f"effective_{key}"] for key in ("from", "to") if f"effective_{key}" in found}
    at = next(iter(dates.values()), Raw(None, None, "“细则”表"))
    top["effective"] = Raw(dates, at.line, at.where)
    base = {key: found[f"base_{key}"] for key in ("points", "every") if f"base_{key}" in found}
    if base:
        at = next(iter(base.values()))
        if "every" in base:
            base["every"] = _translated(reader, "every", base["every"])
        top["base"] = Raw(dict(base), at.line, at.where)
    return top


def _translated(reader: Reader, key: str, raw: Raw) -> Raw:
    """The clerk's word as the format's word; other columns unchanged."""
    words = CHOICES.get(key)
    if words is None or not isinstance(raw.value, str):
        return raw
    if key in LISTS:
        parts = [part for part in re.split(r"[、，,；;\s]+", raw.value) if part]
        return Raw(
            [_word(reader, words, Raw(part, raw.line, raw.where)) for part in parts], raw.line, raw.where
        )
    return _word(reader, words, raw)


def _word(reader: Reader, words: Mapping[str, str], raw: Raw) -> Raw:
    text = raw.value if isinstance(raw.value, str) else ""
    if text in words:
        return Raw(words[text], raw.line, raw.where)
    if text in words.values():
        return raw
    reader.fail(raw, f"“{text[:20]}”不在可选的词里", f"可以写：{'、'.join(words)}")
    return Raw(next(iter(words.values())), raw.line, raw.where)


def _row(reader: Reader, raw: Raw) -> dict[str, Raw]:
    return {key: _translated(reader, key, value) for key, value in _entries(raw).items()}


def _purse(reader: Reader, raw: Raw) -> dict[str, Raw]:
    row = _row(reader, raw)
    expiry: dict[str, Raw] = {key: row.pop(key) for key in ("policy", "on", "years") if key in row}
    if expiry:
        at = next(iter(expiry.values()))
        row["expiry"] = Raw(dict(expiry), at.line, at.where)
    return row


def _category(reader: Reader, raw: Raw) -> dict[str, Raw]:
    row = _row(reader, raw)
    if "caps" in row:
        row["caps"] = _caps(reader, row["caps"])
    return row


def _item(reader: Reader, raw: Raw) -> dict[str, Raw]:
    row = _row(reader, raw)
    if "caps" in row:
        row["caps"] = _caps(reader, row["caps"])
    if "purses" in row:
        at = row["purses"]
        parts = [part for part in re.split(r"[、，,；;\s]+", str(at.value)) if part]
        row["purses"] = Raw([Raw(part, at.line, at.where) for part in parts], at.line, at.where)
    kind = row.pop("shape", None)
    given = {key: row.pop(key) for keys in SHAPE_FIELDS.values() for key in keys if key in row}
    if "cap_per" in row:
        row["per"] = row.pop("cap_per")
    shape = _shape(reader, raw, kind, given)
    if shape is not None:
        row["points"] = shape
    return row


def _shape(reader: Reader, row: Raw, kind: Raw | None, given: dict[str, Raw]) -> Raw | None:
    name = str(kind.value) if kind else "fixed"
    wanted = SHAPE_FIELDS[name]
    word = next(word for word, code in CHOICES["shape"].items() if code == name)
    for key, raw in given.items():
        if key not in wanted:
            reader.fail(raw, f"计分方式“{word}”用不到“{_LABELS[key]}”", "请清空这一格，或改计分方式")
    values = {key: raw for key, raw in given.items() if key in wanted}
    at = next(iter(values.values()), kind or row)
    first = wanted[0]
    if first not in values:
        reader.fail(row, f"计分方式“{word}”没有写“{_LABELS[first]}”", "请补上")
        return Raw("0", at.line, at.where)
    if name == "range" and "high" not in values:
        reader.fail(row, f"计分方式“{word}”没有写“{_LABELS['high']}”", "请补上")
        return Raw("0", at.line, at.where)
    if name == "fixed":
        return values["amount"]
    if name == "per_unit":
        values["each"] = values.pop("amount")
    if name in ("tiers", "grades"):
        values[name] = _steps(reader, values.pop("steps"), name)
    if name == "range":
        values = {"min": values["low"], "max": values["high"]}
    return Raw(dict(values), at.line, at.where)


def _steps(reader: Reader, raw: Raw, name: str) -> Raw:
    """10=2；20=5 as tiers, 示范户=3；清洁户=1 as grades."""
    pairs: list[tuple[str, Raw]] = []
    for part in re.split(r"[；;\n]+", str(raw.value)):
        left, sign, right = part.partition("=")
        if not part.strip():
            continue
        if not sign or not left.strip() or not right.strip():
            reader.fail(raw, f"“{part.strip()[:20]}”看不懂", "请写成 10=2；20=5 或 示范户=3；清洁户=1")
            continue
        if name == "grades" and left.strip() in dict(pairs):
            reader.fail(raw, f"等级“{left.strip()[:20]}”重复了")
        pairs.append((left.strip(), Raw(right.strip(), raw.line, raw.where)))
    if name == "grades":
        return Raw(dict(pairs), raw.line, raw.where)
    tiers = [
        Raw({"from": Raw(left, raw.line, raw.where), "points": right}, raw.line, raw.where)
        for left, right in pairs
    ]
    return Raw(list(tiers), raw.line, raw.where)


def _caps(reader: Reader, raw: Raw) -> Raw:
    """每月4次、20分；每年50分."""
    caps: list[Raw] = []
    for part in re.split(r"[；;\n]+", str(raw.value))[: CAPS_MAX + 1]:
        plain = re.sub(r"\s", "", narrow(part))
        if not plain:
            continue
        found = _CAP.fullmatch(plain)
        if found is None or not (found[2] or found[3]):
            reader.fail(raw, f"上限“{part.strip()[:20]}”看不懂", "请写成 每月4次；每年20分")
            continue
        every = CHOICES["every"][_CAP_WORDS.get(found[1], found[1])]
        cap = {"every": every, "times": found[2], "points": found[3]}
        caps.append(Raw({key: Raw(value, raw.line, raw.where) for key, value in cap.items() if value},
                        raw.line, raw.where))  # fmt: skip
    return Raw(caps, raw.line, raw.where)
