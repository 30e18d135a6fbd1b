"""Looks over a finished artefact (poster text, page, chat text, file name, PDF text layer) for digits of a
person before it is hung out (M-01, M-08). Used through `zhili.common.masking`, the one masking module.

It finds: ID numbers (18 digits with a valid check character, however spaced out, full-width, with small x or
zero-width characters between; also labelled ones with a wrong check character), mobile and landline phones,
bank cards (16–19 digits, Luhn), half-masked numbers (138****5678: no digit at all may be public), 尾号5678,
labelled birth dates, names of minors given by the caller; and, as something a named person must look at
rather than a block, words of health or poverty. It leaves alone 12-digit place codes, UUIDs, digests,
dates, money, claim codes, service lines (12345)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

from zhili.common.idnumber import EARLIEST_BIRTH, PROVINCES, birth_date, check_character

LeakKind = Literal["id", "mobile", "landline", "bank", "masked", "tail", "birth", "minor", "sensitive"]
TITLES: Final[dict[LeakKind, str]] = {
    "id": "身份证号",
    "mobile": "手机号码",
    "landline": "座机号码",
    "bank": "银行卡号",
    "masked": "没有遮全的号码",
    "tail": "号码尾号",
    "birth": "出生日期",
    "minor": "未成年人姓名",
    "sensitive": "涉及健康或困难状况的字样",
}

_WORDS: Final = """
低保户 低保对象 特困户 特困人员 五保户 贫困户 困难户 残疾人 残疾证 精神病 智力残疾 重性精神 艾滋 乙肝 肺结核
癌症 吸毒 社区矫正 刑满释放 计划生育特殊家庭
"""
SENSITIVE_WORDS: Final = tuple(_WORDS.split())

MAX_LEAKS: Final = 500


@dataclass(frozen=True, slots=True)
class Leak:
    """One finding. start, end: positions in the text as given. blocks: False means a person must look and
    decide.

    `shown` tells where it is without repeating the secret: the first character and stars.
    """

    kind: LeakKind
    start: int
    end: int
    shown: str
    blocks: bool = True

    @property
    def message(self) -> str:
        verb = "发现" if self.blocks else "请人工核对："
        return f"第 {self.start + 1} 个字处{verb}{TITLES[self.kind]}（{self.shown}）"


class _Group(NamedTuple):
    """One run of digits in the flattened text, with what touches it."""

    text: str
    start: int
    end: int
    gap: str  # separators since the run before it; NUL when something else lies between


_SHORTEST: Final = 11  # a mobile, or an area code and seven digits
_NOT_JOINED: Final = "\0"
_UUID: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])", re.I)
_HEX: Final = re.compile(r"(?<![0-9a-z])(?=[0-9]*[a-f])[0-9a-f]{20,}(?![0-9a-z])", re.I)
_RUN: Final = re.compile(r"[0-9]+[xX]?(?![A-Za-z0-9])|[0-9]+|(?<![A-Za-z0-9])[xX](?![A-Za-z0-9])")
_GAP: Final = re.compile(r"[\s\-‐‑‒–—―－_.·/\\|,，、:：()（）【】\[\]*'’]{0,4}")
_MOBILE: Final = re.compile(r"(?:0|86|0086|17951|12593)?(1[3-9][0-9]{9})")
_MOBILE_SHAPES: Final = frozenset(
    ((3, 4, 4), (3, 8), (7, 4), (4, 3, 4), (3, 3, 5), (5, 6), (6, 5), (4, 4, 3))
)
_LANDLINE: Final = re.compile(r"(?:86|0086)?(?:(?:010|02[0-9])[2-8][0-9]{7}|0[3-9][0-9]{2}[2-8][0-9]{6,7})")
_LANDLINE_SHAPES: Final = frozenset((1, 2, 3))
_LOCAL: Final = re.compile(
    r"(?:电话|座机|固话|传真|[Tt][Ee][Ll]|[Ff][Aa][Xx])\W{0,4}([2-8][0-9]{6,7})(?![0-9年月日元分])"
)
_BANK: Final = re.compile(r"(?:4[0-9]|5[1-5]|35|6[0-9]|84|87|88|90|94|95|98|99)[0-9]{14,17}|103[0-9]{16}")
# Every repeat is bounded: a page of a hundred thousand stars must not take a minute.
_MASKED: Final = re.compile(
    r"[0-9]{3}[*•●×xX]{3,24}[0-9]*[xX]?|(?<![*•●×])[*•●×]{4,24}[0-9]{2,24}[xX]?"
    r"|[0-9][*•●×]{6,24}[0-9xX]"
)
_TAIL: Final = re.compile(
    r"(?:尾号|末四位|后四位|后4位|末4位)\W{0,3}(?:是|为)?\W{0,2}([0-9]{3,4}[0-9xX]?)(?![0-9])"
)
_DATE: Final = (
    r"(?:19|20)?[0-9]{2}[-./年][0-9]{1,2}[-./月](?:[0-9]{1,2}日?)?"
    r"|(?:19|20)[0-9]{2}(?:[01][0-9][0-3][0-9]|年)"
)
_BIRTH: Final = re.compile(
    rf"(?:出生日期|出生年月日?|生日|生于|出生于|出生)\W{{0,4}}(?:{_DATE})|(?:{_DATE})(?:出生|生于|生人)"
)
_ID_LABEL: Final = re.compile(r"身份证|证件号|公民身份|身份号")
_NUMERALS: Final = str.maketrans("〇○零一二三四五六七八九幺", "0001234567891")
_NUMERAL_RUN: Final = re.compile(r"[〇○零一二三四五六七八九幺]{11,19}[xX]?")


def scan_public(text: str, *, allowed: Iterable[str] = (), minors: Iterable[str] = ()) -> list[Leak]:
    """Everything in a public text that must not be there, in order of place; empty means it may be hung out.

    text: the final text, up to some megabytes. allowed: phone numbers that belong there (the village
    office), in any spelling. minors: full names that must not appear. At most 500 leaks are returned."""
    flat, places = _flatten(text)
    open_phones = {_digits(phone) for phone in allowed}
    found: list[tuple[LeakKind, int, int]] = list(_numbers(flat, open_phones))
    found += _chinese_numerals(flat)
    found += [("masked", *hit.span()) for hit in _MASKED.finditer(flat)]
    found += [("tail", *hit.span(1)) for hit in _TAIL.finditer(flat)]
    found += [("birth", *hit.span()) for hit in _BIRTH.finditer(flat)]
    for hit in _LOCAL.finditer(flat):
        if hit[1] not in open_phones and not any(phone.endswith(hit[1]) for phone in open_phones):
            found.append(("landline", *hit.span(1)))
    for name in minors:
        clean = re.sub(r"\s", "", name)
        if len(clean) > 1:
            found += [("minor", *hit.span()) for hit in re.finditer(r"\s*".join(map(re.escape, clean)), flat)]
    for word in SENSITIVE_WORDS:
        if word in flat:
            found += [("sensitive", *hit.span()) for hit in re.finditer(word, flat)]
    leaks: list[Leak] = []
    taken = -1
    for kind, start, end in sorted(found, key=lambda hit: (hit[1], -hit[2])):
        if start >= taken and len(leaks) < MAX_LEAKS:
            shown = flat[start] + "*" * (end - start - 1)
            leaks.append(Leak(kind, places[start], places[end - 1] + 1, shown, blocks=kind != "sensitive"))
            taken = end
    return leaks


def _flatten(text: str) -> tuple[str, list[int]]:
    """Text with every digit as ASCII and nothing invisible in it, and for each character its place in
    `text`.
    """
    if text.isascii():
        return text, list(range(len(text)))
    letters: list[str] = []
    places: list[int] = []
    for n, letter in enumerate(text):
        if letter > "\x7f":
            if (number := unicodedata.decimal(letter, None)) is not None:
                letter = str(int(number))
            elif unicodedata.category(letter) in ("Cf", "Mn", "Me"):
                continue
            elif "\uff00" < letter < "\uff5f":
                letter = chr(ord(letter) - 0xFEE0)
        letters.append(letter)
        places.append(n)
    return "".join(letters), places


def _numbers(flat: str, open_phones: set[str]) -> Iterator[tuple[LeakKind, int, int]]:
    plain = _UUID.sub(_blank, flat)
    groups = _groups(_HEX.sub(_blank, plain))
    n = 0
    while n < len(groups):
        hit = _longest(groups, n, plain, open_phones)
        if hit is None:
            n += 1
            continue
        kind, last = hit
        if kind is not None:
            yield kind, groups[n].start, groups[last].end
        n = last + 1


def _groups(flat: str) -> list[_Group]:
    groups: list[_Group] = []
    before = 0
    for run in _RUN.finditer(flat):
        start, end = run.span()
        gap = flat[before:start]
        joined = bool(groups) and _GAP.fullmatch(gap) is not None
        groups.append(_Group(run[0], start, end, gap if joined else _NOT_JOINED))
        before = end
    return groups


def _longest(
    groups: list[_Group], n: int, flat: str, open_phones: set[str]
) -> tuple[LeakKind | None, int] | None:
    """The longest number that starts at group n: (kind, last group); kind None is an allowed phone."""
    text = ""
    best: tuple[LeakKind | None, int] | None = None
    for last in range(n, min(n + 19, len(groups))):
        if last > n and groups[last].gap == _NOT_JOINED:
            break
        text += groups[last].text
        if len(text) > 19:
            break
        if len(text) < _SHORTEST:
            continue
        kind = _kind(text.upper(), groups[n : last + 1], flat)
        if kind in ("mobile", "landline") and _digits(text) in open_phones:
            best = (None, last)
        elif kind is not None:
            best = (kind, last)
    return best


def _kind(number: str, groups: list[_Group], flat: str) -> LeakKind | None:
    if len(number) == 18 and _is_id(number, labelled=_labelled(groups[0].start, flat)):
        return "id"
    if not number.isdigit() or not _stands_alone(groups, flat):
        return None
    if (
        len(number) == 15
        and len(groups) == 1
        and _labelled(groups[0].start, flat)
        and number[:2] in PROVINCES
    ):
        return "id"
    lengths = tuple(len(group.text) for group in groups)
    if _MOBILE.fullmatch(number) and _mobile_shape(lengths, groups[0].text):
        return "mobile"
    if _LANDLINE.fullmatch(number) and (len(groups) == 1 or _landline_shape(groups)):
        return "landline"
    if _BANK.fullmatch(number) and _bank_shape(lengths) and luhn(number):
        return "bank"
    return None


def _is_id(number: str, *, labelled: bool) -> bool:
    if not number[:17].isdigit() or number[:2] not in PROVINCES:
        return False
    born = birth_date(number)
    if born is None or not EARLIEST_BIRTH <= born <= date(2100, 1, 1):
        return False
    return labelled or check_character(number[:17]) == number[17]


def _labelled(start: int, flat: str) -> bool:
    return _ID_LABEL.search(flat, max(0, start - 14), start) is not None


def _stands_alone(groups: list[_Group], flat: str) -> bool:
    """Not a stretch of some longer code: letters may touch it on one side at most (wx138…), as may a
    decimal point.
    """
    before = flat[groups[0].start - 1 : groups[0].start]
    after = flat[groups[-1].end : groups[-1].end + 1]
    return not (before.isascii() and before.isalpha() and after.isascii() and after.isalpha())


def _mobile_shape(lengths: tuple[int, ...], first: str) -> bool:
    if first in ("86", "0086", "0", "17951", "12593") and len(lengths) > 1:
        lengths = lengths[1:]
    return len(lengths) == 1 or lengths in _MOBILE_SHAPES or set(lengths) == {1}


def _landline_shape(groups: list[_Group]) -> bool:
    texts = [group.text for group in groups]
    if texts[0] in ("86", "0086"):
        texts = texts[1:]
    return len(texts) in _LANDLINE_SHAPES and len(texts[0]) in (3, 4) and all(len(t) >= 3 for t in texts)


def _bank_shape(lengths: tuple[int, ...]) -> bool:
    """In one piece, in fours (…, rest), or as 6-…: how cards are written; not a row of a table."""
    fours = all(length == 4 for length in lengths[:-1]) and lengths[-1] <= 7
    return len(lengths) == 1 or fours or (len(lengths) == 2 and lengths[0] == 6) or set(lengths) == {1}


def luhn(number: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1 annex B), as on bank cards."""
    total = 0
    for n, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + n % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _chinese_numerals(flat: str) -> Iterator[tuple[LeakKind, int, int]]:
    """一三八〇〇一三八〇〇〇 is a phone number too."""
    for run in _NUMERAL_RUN.finditer(flat):
        number = run[0].translate(_NUMERALS).upper()
        if _MOBILE.fullmatch(number):
            yield "mobile", *run.span()
        elif len(number) == 18 and _is_id(number, labelled=False):
            yield "id", *run.span()


def _digits(phone: str) -> str:
    """Only the digits, without a country prefix: how two spellings of a phone compare."""
    digits = "".join(str(unicodedata.decimal(letter)) for letter in phone if letter.isdecimal())
    found = _MOBILE.fullmatch(digits)
    return found[1] if found else re.sub(r"^(?:0086|86)(?=0)", "", digits)


def _blank(hit: re.Match[str]) -> str:
    # Same length, so that positions stay; a letter, so that digits on both sides are not joined across it.
    return "z" * len(hit[0])
