"""Amounts of points: whole hundredths inside, decimal text at the edges.

Real rule books award 0.1, 0.5 or 15 points. Everything in storage and arithmetic is an `int` of hundredths
of a point ("centi"); no float ever (requirement L-02). Text becomes an amount by ONE rule:

    1. NFKC-normalise (full-width ５．５ becomes 5.5, － becomes -), then strip white space at both ends;
       superscripts and circled numbers (10², ③) are not digits and are refused;
    2. the rest must match  ^[+-]?[0-9]{1,7}(\\.[0-9]{1,2})?$

So "5", " 5 ", "５", "+0.5", "-1.25" are amounts; "", "0.005", "1e3", "NaN", "1,000", ".5", "5." and "1 000"
are refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from zhili.common.errors import ZhiliError

CENTI: Final = 100
"""Hundredths in one point."""

MAX_CENTI: Final = 9_999_999_99
"""The largest amount one text can say: 9,999,999.99 points."""

_RULE: Final = re.compile(r"([+-]?)([0-9]{1,7})(?:\.([0-9]{1,2}))?")
_LONGEST: Final = 40  # an amount is short; do not normalise a pasted novel


class PointsError(ZhiliError):
    """The text is not an amount of points."""


def parse_points(text: object) -> int:
    """Decimal text (or an `int` of whole points) → hundredths of a point. Raises PointsError.

    A float is refused: it has already lost what was typed.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise PointsError(
            f"积分要写成数字文本，收到的是 {type(text).__name__}", hint="请写成 2 或 0.5 这样。"
        )
    shown = text.strip()[:20]
    if len(text) > _LONGEST:
        raise PointsError(f"积分“{shown}…”太长", hint="请写成 2 或 0.5 这样。")
    # Superscripts and circled numbers are other things than digits: 10² must not become 102.
    odd = any(unicodedata.category(letter) == "No" for letter in text)
    clean = "" if odd else unicodedata.normalize("NFKC", text).replace("−", "-").strip()
    if not clean and not odd:
        raise PointsError("积分没有填写", hint="请写成 2 或 0.5 这样。")
    found = _RULE.fullmatch(clean)
    if found is None:
        raise PointsError(
            f"“{shown}”不是积分", hint="只能写数字，最多两位小数，不写逗号和单位，例如 2 或 0.5。"
        )
    sign, whole, fraction = found.groups()
    centi = int(whole) * CENTI + int((fraction or "").ljust(2, "0"))
    return -centi if sign == "-" else centi


def format_points(centi: int) -> str:
    """Hundredths → the shortest decimal text: 200 → "2", 50 → "0.5", -125 → "-1.25"."""
    whole, rest = divmod(abs(centi), CENTI)
    text = f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)
    return f"-{text}" if centi < 0 else text


def format_signed(centi: int) -> str:
    """As format_points with a sign people can see: "+2", "-0.5", and "0" without one."""
    return f"+{format_points(centi)}" if centi > 0 else format_points(centi)
