"""The one masking module (M-02): what of a person may be seen where. Nobody masks by hand.

Public surfaces (poster, page, chat picture, QR, open data) show of a person only `mask_name` and
`public_label`: NO digit of an ID card, bank account or phone, however few, because two different masks can
be joined into the number. `mask_id`, `mask_phone` and `mask_bank` are for screens inside the system only.
`scan_public` looks over the finished bytes before they are hung out.

One rule for names: the first character stays, of a compound surname (欧阳) both when a given name follows;
every other character becomes one `*`. Names of several parts (阿依古丽·买买提, Mary Ann) keep only the very
first character and the parting `·` or space: 阿***·***. A name of one character is hidden whole. Several
people in one cell are masked one by one; a note in brackets is dropped. A character is what a reader sees:
a rare character outside the basic plane, one with a variation selector, or one described as ⿰氵吉 counts
once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from zhili.common.leaks import Leak as Leak
from zhili.common.leaks import scan_public as scan_public

STAR: Final = "*"

_COMPOUND: Final = """
    欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政
    濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 子车 亓官 司寇 巫马
    公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋 夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌
    微生 公户 公玉 公仪 梁丘 公仲 公上 公门 公山 公坚 左丘 公伯 西门 公祖 第五 公乘 贯丘 公皙
    南荣 东里 东宫 仲长 子书 子桑 即墨 达奚 褚师 纳兰 归海 叶赫 完颜 耶律 贺兰 北宫 淳于 单于
    屈突 贺若 哥舒 斛律 尔朱 侯莫 豆卢 库狄 沙吒 那拉 東方 諸葛 尉遲 鍾離 長孫 鮮于 歐陽 司馬
    南宮 獨孤 濮陽 公孫 軒轅 東郭 西門
"""
COMPOUND_SURNAMES: Final = frozenset(_COMPOUND.split())
"""Surnames of two characters, simplified and traditional (百家姓 and the surnames in use beside it)."""

_DOTS: Final = re.compile(r"[·•・‧∙⋅•●．.｡︒᛫]")
_PEOPLE: Final = re.compile(r"([、，,；;／/＆&\n]+)")
_NOTE: Final = re.compile(r"[（(【\[〔<《][^）)】\]〕>》]*[）)】\]〕>》]?")
_PARTS: Final = re.compile(r"([·\s\-'’]+)")
_ENDS: Final = re.compile(r"^[·\s\-'’]+|[·\s\-'’]+$")
_IDC_TWO: Final = frozenset("⿰⿱⿴⿵⿶⿷⿸⿹⿺⿻")
_IDC_THREE: Final = frozenset("⿲⿳")
_JOINS: Final = frozenset(("Mn", "Me", "Mc"))


def mask_name(name: str) -> str:
    """张三 → 张*; 欧阳娜娜 → 欧阳**; 阿依古丽·买买提 → 阿***·***; 张 → *; "" → ""."""
    pieces = _PEOPLE.split(_visible(_NOTE.sub("", name)))
    return "".join(piece if n % 2 else _mask_one(piece) for n, piece in enumerate(pieces))


def public_label(name: str, *, group: str, household: str) -> str:
    """How a household finds its own row among many 张* (M-05): masked name, 组 and the number on its card.

    group: "3" or "3组". household: 户编号 as printed on the card. → "3组 0123 张*".
    """
    where = group if not group or group.endswith(("组", "社")) else f"{group}组"
    return " ".join(part for part in (where, household, mask_name(name)) if part)


def public_address(address: str) -> str:
    """An address at most to 组 (M-01): 谭家沟村3组17号 → 谭家沟村3组; without 组 or 村 nothing is shown."""
    found = re.match(r".*?(?:[0-9０-９一二三四五六七八九十]+\s*[组社]|村民?小组)", address) or re.match(
        r".*?(?:村|社区|居委会)", address
    )
    return found.group().strip() if found else ""


def mask_id(number: str) -> str:
    """Inside the system only: the first and the last character, 5****************4 (M-06)."""
    clean = re.sub(r"\s", "", number)
    return clean[0] + STAR * (len(clean) - 2) + clean[-1] if len(clean) >= 8 else STAR * len(clean)


def mask_phone(number: str) -> str:
    """Inside the system only: the last four digits, *******5678, enough for a clerk to know which phone."""
    return _tail(number)


def mask_bank(number: str) -> str:
    """Inside the system only: the last four digits."""
    return _tail(number)


def graphemes(text: str) -> list[str]:
    """Characters as a reader counts them; see the module's text."""
    found: list[str] = []
    letters = iter(text)
    for letter in letters:
        if found and (unicodedata.category(letter) in _JOINS or _is_selector(letter)):
            found[-1] += letter
        else:
            found.append(_described(letter, letters))
    return found


def _mask_one(name: str) -> str:
    name = _ENDS.sub("", _DOTS.sub("·", name))
    if not re.search(r"[^\W\d_]", name.replace("〇", "零")):
        return STAR * len(graphemes(re.sub(r"\s", "", name)))
    if "·" not in name and _is_han(name):
        # 张　三 is one name, spaced out to line up in a column.
        name = re.sub(r"\s+", "", name)
        letters = graphemes(name)
        shown = 2 if len(letters) > 2 and "".join(letters[:2]) in COMPOUND_SURNAMES else 1
        return "".join(letters[:shown]) + STAR * (len(letters) - shown) if len(letters) > 1 else STAR
    parts = _PARTS.split(name)
    if len(parts) == 1 and len(graphemes(name)) == 1:
        return STAR
    first = graphemes(parts[0])
    masked = [first[0] + STAR * (len(first) - 1)]
    for n, part in enumerate(parts[1:], start=1):
        masked.append(("·" if "·" in part else part[0]) if n % 2 else STAR * len(graphemes(part)))
    return "".join(masked)


def _is_han(text: str) -> bool:
    """No letter of an alphabet in it: Chinese characters, also those of the private use areas."""
    return not any(
        letter.isalpha() and not unicodedata.name(letter, "CJK").startswith(("CJK", "IDEOGRAPHIC"))
        for letter in text
    )


def _visible(text: str) -> str:
    """Without what cannot be seen: controls, zero-width and direction marks."""
    return "".join(c for c in text if c == "\n" or c.isspace() or unicodedata.category(c) not in ("Cf", "Cc"))


def _is_selector(letter: str) -> bool:
    return 0xFE00 <= ord(letter) <= 0xFE0F or 0xE0100 <= ord(letter) <= 0xE01EF


def _described(letter: str, rest: Iterator[str]) -> str:
    """An ideographic description sequence stands for one character the fonts lack."""
    wanted = 2 if letter in _IDC_TWO else 3 if letter in _IDC_THREE else 0
    for _ in range(wanted):
        part = next(rest, "")
        letter += _described(part, rest) if part else ""
    return letter


def _tail(number: str) -> str:
    clean = re.sub(r"[\s\-]", "", number)
    return STAR * (len(clean) - 4) + clean[-4:] if len(clean) >= 7 else STAR * len(clean)
