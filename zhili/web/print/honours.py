"""荣誉 on paper: certificates, door plates, the honour list for the notice board, a thank-you letter (G-14, U-30).

A certificate carries the household's own name and is handed over at the meeting; what hangs outside (plate, list)
carries what the caller masked. Borders and stars are drawn, so that nothing but type and lines is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from .poster import private_digits
from .render import PrintError, compile_pdf, plain

CERTIFICATES_MAX = 500
LINES_MAX = 1_000
PARAGRAPHS_MAX = 12


@dataclass(frozen=True)
class Certificate:
    """One honour of one household. ``household``: as it is addressed, with group and number. ``stars``: 0 for none."""

    number: str
    household: str
    honour: str
    stars: int = 0


@dataclass(frozen=True)
class Certificates:
    """All certificates of one list. ``basis`` and ``decided``: the sentences under which they were given."""

    village: str
    period_title: str
    basis: str
    decided_on: date
    printed_on: date
    certificates: list[Certificate]
    issuer: str = ""
    demo: bool = False


@dataclass(frozen=True)
class Plate:
    """What hangs at a door: no name, the household's number."""

    household: str
    honour: str
    stars: int


@dataclass(frozen=True)
class Plates:
    """Door plates of one list."""

    village: str
    period_title: str
    printed_on: date
    plates: list[Plate]
    issuer: str = ""
    demo: bool = False


@dataclass(frozen=True)
class HonourRow:
    """One line of the list: ``name`` masked or empty; ``points`` decimal text or empty; ``mark`` 后来有更正 or empty."""

    group: str
    household_code: str
    name: str
    rank: str = ""
    points: str = ""
    mark: str = ""


@dataclass(frozen=True)
class HonourSection:
    """Households with the same stars, or all of a top list (stars 0, no title)."""

    title: str
    stars: int
    rows: list[HonourRow]


@dataclass(frozen=True)
class HonourPoster:
    """The list for the notice board. ``unnamed``: honoured households that asked not to be written there."""

    village: str
    title: str
    period_title: str
    rule: str
    basis: str
    sections: list[HonourSection]
    count: int
    unnamed: int
    shown_to: str
    printed_on: date
    phone: str = ""
    issuer: str = ""
    demo: bool = False


@dataclass(frozen=True)
class Letter:
    """感谢信. ``greeting`` without the colon; ``paragraphs`` as they were written on the page."""

    village: str
    greeting: str
    paragraphs: list[str]
    signed: str
    printed_on: date
    title: str = "感谢信"
    tail: str = field(default="")
    demo: bool = False


def certificates_pdf(sheet: Certificates) -> bytes:
    """A4 landscape, one page each. Raises PrintError where there is nobody or somebody's number stands in the text."""
    if not sheet.certificates:
        raise PrintError("没有要打印的证书。")
    if len(sheet.certificates) > CERTIFICATES_MAX:
        raise PrintError(f"证书一次最多印 {CERTIFICATES_MAX} 张。请一户一户打印。")
    _refuse([sheet.basis])
    title = f"{sheet.village}{sheet.period_title}{sheet.certificates[0].honour}证书"
    return compile_pdf("certificate.typ", _with_issuer(sheet), title=title, printed_on=sheet.printed_on)


def plates_pdf(sheet: Plates, paper: Literal["a4", "a5"] = "a5") -> bytes:
    """One plate a sheet, A5 or A4 landscape."""
    if not sheet.plates:
        raise PrintError("没有要打印的门牌。")
    if len(sheet.plates) > CERTIFICATES_MAX:
        raise PrintError(f"门牌一次最多印 {CERTIFICATES_MAX} 张。")
    if paper not in ("a4", "a5"):
        raise PrintError("门牌只能印成 A4 或 A5。请重新选择纸张。")
    data = {**_with_issuer(sheet), "look": paper}
    title = f"{sheet.village}{sheet.period_title}星级门牌"
    return compile_pdf("plate.typ", data, title=title, printed_on=sheet.printed_on)


def honour_poster_pdf(poster: HonourPoster) -> bytes:
    """A3 portrait. The caller has masked the names; digits of a person are refused."""
    rows = [row for section in poster.sections for row in section.rows]
    if len(rows) > LINES_MAX:
        raise PrintError(f"荣誉榜最多印 {LINES_MAX} 户。")
    _refuse([row.name for row in rows] + [poster.rule, poster.basis])
    title = f"{poster.village}{poster.title}"
    return compile_pdf("honour_list.typ", _with_issuer(poster), title=title, printed_on=poster.printed_on)


def letter_pdf(letter: Letter) -> bytes:
    """A4 portrait, one page for an ordinary letter."""
    if not letter.paragraphs:
        raise PrintError("信里还没有写内容。")
    if len(letter.paragraphs) > PARAGRAPHS_MAX:
        raise PrintError(f"信最多写 {PARAGRAPHS_MAX} 段。请合并几段再打印。")
    _refuse([letter.greeting, letter.signed, *letter.paragraphs])
    title = f"{letter.village}{letter.title}"
    return compile_pdf("letter.typ", plain(letter), title=title, printed_on=letter.printed_on)


def honour_name(title: str, stars: int) -> str:
    """星级文明户 with five stars → 五星级文明户; another title → 文明家庭（五星）; without stars as it is."""
    if not stars:
        return title
    word = "零一二三四五六七八九十"[stars]
    return f"{word}{title}" if title.startswith("星级") else f"{title}（{word}星）"


def _with_issuer(sheet: Certificates | Plates | HonourPoster) -> dict[str, Any]:
    return plain(sheet) | {"issuer": sheet.issuer or f"{sheet.village}村民委员会"}


def _refuse(texts: list[str]) -> None:
    for text in texts:
        if private_digits(text):
            raise PrintError(f"文字里有像身份证号、手机号或银行卡号的数字：{text[:12]}…… 请删掉再打印。")
