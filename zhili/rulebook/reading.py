"""Reads the small values of a rule book — codes, amounts, dates, words from a list — whatever file they
came from, and remembers where each stood so that a fault can be found again on paper or screen.

YAML and Excel both turn into `Raw`; assemble.py makes the rule book from it. That is why the two formats
accept the same things, and why one can be turned into the other without loss.

One rule for text: invisible joiners and byte order marks (pasted from chats) are dropped, white space at the
ends is dropped, other control characters are refused. One rule for numbers: zhili.common.points.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from zhili.common.points import PointsError, format_points, parse_points
from zhili.rulebook.book import POINTS_MAX
from zhili.rulebook.errors import Problem, RuleBookError

TITLE_MAX: Final = 100
NOTE_MAX: Final = 1000
CODE_MAX: Final = 32

_CODE: Final = re.compile(rf"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._-]{{0,{CODE_MAX - 1}}}")
_QUANTITY: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,4})?")
_DROPPED: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as the file has it. value: text, None for empty, or a mapping or list of further Raw.
    line: 1-based; where: the place in words for formats that have no lines."""

    value: str | dict[str, Raw] | list[Raw] | None
    line: int | None = None
    where: str = ""


def clean_text(text: str) -> str:
    """Drop what cannot be seen and was not meant: zero-width joiners, byte order marks, outer white space."""
    return text.translate(_DROPPED).replace("\r\n", "\n").strip()


def narrow(text: str) -> str:
    """Full-width letters and digits as half-width ones."""
    return unicodedata.normalize("NFKC", text)


def parse_quantity(text: str) -> Decimal:
    """Digits with at most four decimals, half- or full-width, not negative. Raises ValueError."""
    found = narrow(text).strip()
    if not _QUANTITY.fullmatch(found):
        raise ValueError(f"“{text[:20]}”不是数量")
    return Decimal(found)


def format_quantity(quantity: Decimal) -> str:
    """Shortest plain text: no exponent, no trailing zeros."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word it was probably meant to be, or an empty text."""
    folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


class Reader:
    """Collects problems while reading; every method returns a usable stand-in where a value is wrong."""

    def __init__(self, labels: Mapping[str, str] | None = None) -> None:
        """labels: what the file calls a key, where that differs (a column head)."""
        self.problems: list[Problem] = []
        self.labels = labels or {}
        # Where columns have Chinese heads, the format's own key after a name says nothing to anybody.
        keys = "|".join((*self.labels, "settlement", "expiry", "effective", "base", "min", "caps"))
        self._keys = re.compile(rf"(?<=[\u4e00-\u9fff]) (?:{keys})(?![a-z_])") if labels else None

    def fail(self, at: Raw, what: str, suggestion: str = "") -> None:
        said = self._keys.sub("", what) if self._keys else what
        self.problems.append(Problem(at.line, at.where, said, suggestion))

    def finish(self, source: str) -> None:
        """Raise RuleBookError if anything was wrong."""
        if self.problems:
            # One place may be found wrong by two checks; the reader of the list needs it once.
            seen = dict.fromkeys(sorted(self.problems, key=lambda problem: problem.line or 0))
            raise RuleBookError(list(seen), source=source)

    def mapping(self, raw: Raw, keys: Sequence[str], what: str) -> Mapping[str, Raw]:
        """The entries of a mapping that are not left empty; an unknown key is a problem with a suggestion."""
        if not isinstance(raw.value, dict):
            self.fail(raw, f"{what}要写成“名称: 值”的形式", f"可用的名称：{'、'.join(keys)}")
            return {}
        for key, value in raw.value.items():
            if key not in keys:
                near = nearest(narrow(key), keys)
                hint = f"是不是“{near}”？" if near else f"可用的名称：{'、'.join(keys)}"
                self.fail(value, f"{what}里没有“{key[:40]}”这个名称", hint)
        return {key: value for key, value in raw.value.items() if key in keys and value.value is not None}

    def rows(self, raw: Raw | None, most: int, what: str) -> list[Raw]:
        if raw is None:
            return []
        if not isinstance(raw.value, list):
            self.fail(raw, f"{what}要写成列表", "每一条前面写“- ”")
            return []
        if len(raw.value) > most:
            self.fail(raw, f"{what}有 {len(raw.value)} 条，最多 {most} 条", "请合并或拆成两份细则")
        return raw.value[:most]

    def need(self, entries: Mapping[str, Raw], key: str, at: Raw, what: str) -> Raw | None:
        """The entry, or a problem saying that it is missing."""
        if key not in entries:
            self.fail(at, f"{what}没有写 {self.labels.get(key, key)}", "请补上")
            return None
        return entries[key]

    def text(self, raw: Raw | None, what: str, longest: int = TITLE_MAX, *, lines: bool = False) -> str:
        if raw is None:
            return ""
        if not isinstance(raw.value, str):
            self.fail(raw, f"{what}要写成一段文字")
            return ""
        text = clean_text(raw.value)
        if not text:
            self.fail(raw, f"{what}是空的", "请写上内容，或者整项不写")
        if len(text) > longest:
            self.fail(raw, f"{what}有 {len(text)} 个字，最多 {longest} 个字", "请写短一些，细节放到说明里")
            return text[:longest]
        allowed = "\n" if lines else ""
        if any(unicodedata.category(char) in _HIDDEN and char not in allowed for char in text):
            self.fail(raw, f"{what}里有看不见的控制字符或换行", "请删掉后重新输入这一段")
        return text

    def code(self, raw: Raw | None, what: str) -> str:
        text = self.text(raw, what, CODE_MAX)
        if raw is None or not text or _CODE.fullmatch(text):
            return text
        plain = narrow(text)
        hint = f"请改为半角“{plain}”" if _CODE.fullmatch(plain) else "只用字母、数字、汉字和 - _ . ，不要空格"
        self.fail(raw, f"{what}“{text}”不能用", hint)
        return text

    def points(self, raw: Raw | None, what: str, *, least: int = -POINTS_MAX, most: int = POINTS_MAX) -> int:
        """Hundredths."""
        text = self._scalar(raw, what)
        if raw is None or text is None:
            return max(least, 1)
        try:
            found = parse_points(text)
        except PointsError as error:
            self.fail(raw, f"{what}：{error.message}", error.hint)
            return max(least, 1)
        if not least <= found <= most:
            self.fail(raw, f"{what}“{text}”超出了 {format_points(least)} 至 {format_points(most)}")
            return max(least, 1)
        return found

    def count(self, raw: Raw | None, what: str, most: int) -> int:
        """A whole number from 1."""
        text = self._scalar(raw, what)
        found = narrow(text).strip() if text else ""
        if raw is not None and text is not None:
            if re.fullmatch(r"[0-9]{1,9}", found) and 1 <= int(found) <= most:
                return int(found)
            self.fail(raw, f"{what}“{text[:20]}”不对", f"请写 1 至 {most} 的整数")
        return 1

    def quantity(self, raw: Raw | None, what: str, *, zero: bool = False) -> Decimal:
        text = self._scalar(raw, what)
        if raw is None or text is None:
            return Decimal(1)
        try:
            found = parse_quantity(text)
        except ValueError as error:
            self.fail(raw, f"{what}：{error}", "只写数字，最多四位小数，例如 100 或 0.5")
            return Decimal(1)
        if not found and not zero:
            self.fail(raw, f"{what}不能是 0")
            return Decimal(1)
        return Decimal(format_quantity(found))

    def day(self, raw: Raw | None, what: str) -> date | None:
        text = self._scalar(raw, what)
        if raw is None or text is None:
            return None
        plain = narrow(text).strip()
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain):
                return date.fromisoformat(plain)
        except ValueError:
            pass
        self.fail(raw, f"{what}“{text[:20]}”不是日期", "请写成 2026-01-01 这样")
        return None

    def yes(self, raw: Raw | None, what: str) -> bool:
        if raw is None:
            return False
        return self.choice(raw, ("true", "false"), what) == "true"

    def choice(self, raw: Raw | None, known: Sequence[str], what: str) -> str:
        if raw is None:
            return known[0]
        text = clean_text(raw.value) if isinstance(raw.value, str) else ""
        if text in known:
            return text
        near = nearest(narrow(text), known)
        hint = f"是不是“{near}”？" if near else ""
        shown = f"“{text[:20]}”" if text else ""
        self.fail(raw, f"{what}{shown}不对", f"{hint}可以写：{'、'.join(known)}")
        return known[0]

    def unique(self, rows: Iterable[tuple[Raw, str]], what: str) -> None:
        """Every code once; upper and lower case count as the same, as a reader would take them."""
        seen: set[str] = set()
        for raw, code in rows:
            if code and code.casefold() in seen:
                self.fail(raw, f"{what}“{code}”重复了", "每个只能用一次，请换一个")
            seen.add(code.casefold())

    def _scalar(self, raw: Raw | None, what: str) -> str | None:
        if raw is None:
            return None
        if not isinstance(raw.value, str):
            self.fail(raw, f"{what}要写成一个值")
            return None
        return clean_text(raw.value)


def each_of(
    reader: Reader, raw: Raw | None, most: int, what: str, read: Callable[[Raw], str]
) -> tuple[str, ...]:
    """A short list of words, each read by `read`, none twice; () where nothing is written."""
    rows = reader.rows(raw, most, what)
    if raw is not None and isinstance(raw.value, list) and not rows:
        reader.fail(raw, f"{what}是空的", "请写上至少一个，或者整项不写")
    words = tuple(read(row) for row in rows)
    if raw is not None and len(set(words)) != len(words):
        reader.fail(raw, f"{what}里有重复")
    return words
