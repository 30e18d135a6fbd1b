"""公示榜: the red-headed sheet on the village notice board, and the same notice as pictures for the chat.

Every name in a ``Poster`` is already masked by the caller (M-02, M-03). What this module still refuses,
because paper cannot be called back: digits that look like an ID card, a bank card or a mobile phone other
than the village's own number (M-01, M-08), and a deduction beside a name (M-09).
"""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, Literal

from PIL import Image

from .render import PrintError, compile_pdf, compile_png, plain, qr_svg

LINE_LIMIT = 3_000
PNG_LINES = 30  # rows in one chat picture: about five screens of a phone
PNG_COLOURS = 48
ITEM_LIMIT = 120
NAME_LIMIT = 60
MARKS = {
    "更正": "公示期间改正过的条目，以现在的内容为准",
    "异议中": "有人提出异议，答复之前不入账",
    "补记": "以前的事，本期补记",
}


@dataclass(frozen=True)
class PosterLine:
    """One line on the board. ``points`` is signed decimal text, ``occurred_on`` Chinese or ISO text."""

    group: str
    household_code: str
    name_masked: str
    item: str
    occurred_on: str
    points: str
    mark: Literal["", "更正", "异议中", "补记"] = ""


@dataclass(frozen=True)
class Poster:
    """A notice as it hangs on the wall.

    Dates are Chinese text with the weekday; ``printed_on`` is printed under the notice and dates the file.
    ``deductions_resolved``: the villagers' assembly resolved that deductions may hang with names (M-09).
    """

    village: str
    period_title: str
    lines: list[PosterLine]
    total_text: str
    opens_on: str
    closes_on: str
    objection_deadline: str
    phone: str
    how_to_object: list[str]
    escalation: str
    head_code: str
    head_url: str
    page_url: str
    printed_on: date
    title: str = "积分公示"
    issuer: str = ""
    public_scope_note: str = ""
    corrections: list[str] = field(default_factory=list)
    deductions_resolved: bool = False
    demo: bool = False


def poster_pdf(poster: Poster, paper: Literal["a3", "a4"] = "a3") -> bytes:
    """The poster as PDF: A3 portrait with 24 pt body, or A4, the same sheets at 71 % (17 pt)."""
    if paper not in ("a3", "a4"):
        raise PrintError("公示榜只能印成 A3 或 A4。请重新选择纸张。")
    _refuse_private(poster, named_deductions=poster.deductions_resolved)
    data = {**_payload(poster), "look": paper}
    return compile_pdf("poster.typ", data, title=_title(poster), printed_on=poster.printed_on)


def poster_png(poster: Poster, width: int = 1080) -> list[bytes]:
    """The notice as PNG pictures for the chat group, ``width`` pixels wide, ``PNG_LINES`` lines each."""
    if not 360 <= width <= 2160:
        raise PrintError("图片宽度应在 360 到 2160 像素之间。请重新填写。")
    # A picture in a chat group travels without limit: named deductions stay off it whatever was resolved.
    _refuse_private(poster, named_deductions=False)
    data = {**_payload(poster), "pages": _split(poster)}
    pictures = compile_png(
        "poster_phone.typ", data, title=_title(poster), printed_on=poster.printed_on, ppi=width / 360 * 72
    )
    return [_smaller(picture) for picture in pictures]


def _title(poster: Poster) -> str:
    return f"{poster.village}{poster.period_title}{poster.title}"


def _payload(poster: Poster) -> dict[str, Any]:
    if len(poster.lines) > LINE_LIMIT:
        raise PrintError(f"一次公示最多印 {LINE_LIMIT} 条，这里有 {len(poster.lines)} 条。请按组分开打印。")
    used = {line.mark for line in poster.lines}
    if unknown := used - {"", *MARKS}:
        raise PrintError(f"公示榜上没有这种标记：{'、'.join(sorted(unknown))}。只有更正、异议中、补记三种。")
    data = plain(poster)
    del data["lines"]
    return data | {
        "groups": _grouped(poster.lines),
        "count": len(poster.lines),
        "issuer": poster.issuer or f"{poster.village}村民委员会",
        "legend": [[mark, meaning] for mark, meaning in MARKS.items() if mark in used],
        "head_svg": qr_svg(poster.head_url),
        "page_svg": qr_svg(poster.page_url),
    }


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key: 2组 before 10组."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _sorted(lines: list[PosterLine]) -> list[PosterLine]:
    return sorted(lines, key=lambda line: (_natural(line.group), _natural(line.household_code)))


def _grouped(lines: list[PosterLine]) -> list[dict[str, Any]]:
    """Lines by villagers' group, then household; inside a household the caller's order stays."""
    groups = groupby(_sorted(lines), key=lambda line: line.group)
    return [{"group": _fit(group, 30), "rows": [_row(line) for line in rows]} for group, rows in groups]


def _fit(text: str, limit: int) -> str:
    """A row must fit on a sheet; what is longer says where the rest can be read."""
    return text if len(text) <= limit else f"{text[:limit]}……（全文见公示网页）"


def _row(line: PosterLine) -> dict[str, str]:
    return plain(line) | {
        "household_code": _fit(line.household_code, 30),
        "name_masked": _fit(line.name_masked, NAME_LIMIT),
        "item": _fit(line.item, ITEM_LIMIT),
        "occurred_on": short_date(line.occurred_on),
        "points": line.points.replace("-", "−"),
    }


def _split(poster: Poster) -> list[list[dict[str, Any]]]:
    """Pictures, each a list of groups, of about equal length so that the last is not a stump."""
    lines = _sorted(poster.lines)
    pictures = max(1, -(-len(lines) // PNG_LINES))
    size = max(1, -(-len(lines) // pictures))
    return [_grouped(lines[n : n + size]) for n in range(0, max(1, len(lines)), size)]


def short_date(text: str) -> str:
    """2026-06-03 as 6月3日; anything else as it is."""
    match = re.fullmatch(r"\d{4}-(\d{2})-(\d{2})", text)
    return f"{int(match[1])}月{int(match[2])}日" if match else text


_MOBILE = re.compile(r"(?<!\d)1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){14,}")


def private_digits(text: str) -> str:
    """The first run in ``text`` that looks like a mobile phone, an ID card or a bank card; '' if none."""
    flat = unicodedata.normalize("NFKC", text)
    found = _MOBILE.search(flat) or _LONG_NUMBER.search(flat)
    return found.group() if found else ""


def _refuse_private(poster: Poster, *, named_deductions: bool) -> None:
    for line in poster.lines:
        where = f"{line.group} {line.household_code} 户"
        for text in (line.name_masked, line.item, line.household_code):
            if private_digits(text):
                raise PrintError(
                    f"{where}的条目里有像身份证号、银行卡号或手机号的数字，不能上墙。请改掉后再打印。"
                )
        if line.points.startswith(("-", "−")) and line.name_masked and not named_deductions:
            raise PrintError(f"{where}是扣分，扣分不能和姓名一起公开。请去掉姓名，或不公示这一条。")
    free = [
        poster.total_text,
        poster.escalation,
        poster.public_scope_note,
        *poster.how_to_object,
        *poster.corrections,
    ]
    for text in free:
        if private_digits(text.replace(poster.phone, "") if poster.phone else text):
            raise PrintError(
                f"公示榜的说明文字里有村里公布电话以外的号码：{text[:12]}…… 请改成村里公布的电话后再打印。"
            )


def _smaller(picture: bytes) -> bytes:
    """The same picture with a palette: a third of the size, nothing to see."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        flat = image.convert("RGB").quantize(
            PNG_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
        # The octree leaves paper at 254; white must be white, or the picture shows its edges in the chat.
        flat.putpalette([255 if level >= 252 else level for level in flat.getpalette() or []])
        flat.save(out, format="PNG", compress_level=6)
    return out.getvalue()
