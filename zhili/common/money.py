"""Money: integer fen inside, yuan with at most two decimals at the edges; no float ever.

The rule for text is the one of points (common/points.py): NFKC, then digits with at most two decimals; a leading ¥ and a
trailing 元 are taken off, since people write them.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from zhili.common.errors import ZhiliError
from zhili.common.points import PointsError, parse_points

FEN_MAX: Final = 999_999_999
"""The largest amount one text can say: 9,999,999.99 yuan."""


class MoneyError(ZhiliError):
    """The text is not an amount of money."""


def parse_yuan(text: str) -> int:
    """Text in yuan → fen, >= 0. Raises MoneyError."""
    shown = text.strip()[:20]
    clean = unicodedata.normalize("NFKC", text[:40]).strip().removeprefix("¥").removesuffix("元").strip()
    try:
        fen = parse_points(clean)
    except PointsError as error:
        raise MoneyError(
            f"“{shown}”不是金额" if shown else "金额没有填写",
            hint="请写元，最多两位小数，例如 23000 或 12.5。",
        ) from error
    if fen < 0:
        raise MoneyError(f"“{shown}”是负数", hint="金额不能写负号。")
    return fen


def format_yuan(fen: int) -> str:
    """Fen → "23,000.00", "-5.50"."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{rest:02d}"
