"""The 18-digit citizen ID number (GB 11643-1999): six digits of region, eight of birth, three of order, one
of check.

Cadres copy it from booklets by hand, so a wrong digit must be caught where it is typed. Messages never
repeat the number: they end up in logs and screenshots."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final

from zhili.common.errors import ZhiliError
from zhili.common.periods import today

_PROVINCES: Final = """
11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 91
"""
PROVINCES: Final = frozenset(_PROVINCES.split())
"""First two digits in use; 81–83 are residence permits of Hong Kong, Macao and Taiwan, 91 foreigners'
permits.
"""

EARLIEST_BIRTH: Final = date(1900, 1, 1)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"
_SHAPE: Final = re.compile(r"[0-9]{17}[0-9X]")
_SPACES: Final = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\-‐‑–—]+")


class IdNumberError(ZhiliError):
    """Not a citizen ID number that can exist."""


def check_id_number(text: str, *, on: date | None = None) -> str:
    """What was typed → 18 characters, digits and a capital X. Raises IdNumberError saying what is wrong.

    Full-width digits, small x, spaces and dashes are put right. on: the day births are judged by (default
    today)."""
    clean = _SPACES.sub("", unicodedata.normalize("NFKC", text[:60])).upper()
    if not clean:
        raise IdNumberError("身份证号没有填写", hint="请填 18 位身份证号。")
    if len(clean) == 15 and clean.isdigit():
        raise IdNumberError("这是 15 位的旧身份证号，已经停用", hint="请填 18 位身份证号。")
    if len(clean) != 18:
        raise IdNumberError(f"身份证号应是 18 位，这里有 {len(clean)} 位", hint="请对照证件核对。")
    if not _SHAPE.fullmatch(clean):
        raise IdNumberError("身份证号只能有数字，末位可以是 X", hint="请对照证件核对。")
    if clean[:2] not in PROVINCES:
        raise IdNumberError("身份证号开头两位不是任何省份", hint="请对照证件核对前 6 位。")
    born = birth_date(clean)
    if born is None or not EARLIEST_BIRTH <= born <= (on or today()):
        raise IdNumberError("身份证号第 7 至 14 位不是可能的出生日期", hint="请对照证件核对。")
    if check_character(clean[:17]) != clean[17]:
        raise IdNumberError("身份证号校验不通过，可能有一位抄错", hint="请对照证件逐位核对。")
    return clean


def check_character(first17: str) -> str:
    """The check character (0–9 or X) of 17 digits, by ISO 7064 MOD 11-2."""
    return _CHECKS[sum(int(n) * w for n, w in zip(first17, _WEIGHTS, strict=True)) % 11]


def birth_date(number: str) -> date | None:
    """The birth date in a normalised number, or None if its eight digits are no date."""
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
