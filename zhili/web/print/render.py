"""Paper: one typst call for everything a village prints.

The village practice: a notice board of red-headed sheets, a passbook in the drawer, a paper slip in the hand.
Whatever a person typed reaches typst as one JSON value and is set as text, never read as markup, so a name
such as ``#eval(...)`` prints as itself.

Fonts: Noto Sans SC (npm ``@expo-google-fonts/noto-sans-sc``, 30,890 code points, 䶮 and 㛃 among them), then
Source Han Sans SC where npm ``node-source-han-sans-sc`` is installed (it adds 𠮷 and others), then any font
in the folders of ``ZHILI_FONTS`` (a county's 生僻字 font), by family name. Fonts of the machine are never
used: equal input gives equal bytes everywhere. A letter that no font has prints as 〓, the printer's old mark
for missing type, and the sheet says which code point to write in by hand. A symbol that no font has (emoji)
is left out.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import segno
import typst

from zhili.common.masking import scan_public

TEMPLATES = Path(__file__).resolve().parent
PROJECT = TEMPLATES.parents[2]
WEIGHTS = ("400Regular", "500Medium", "700Bold")
MAIN_FAMILY = "Noto Sans SC"
GETA = "〓"
TEXT_LIMIT = 2_000  # characters in one field; a sheet of paper holds no more
_ZWSP = "\u200b"
# Typst breaks Latin words at spaces only: invisible break points keep long runs on the page.
_LONG_RUN = re.compile(r"[!-~\u00a0-\u024f]{13,}")
_BREAK_EVERY = 6


class PrintError(Exception):
    """Nothing was printed; the message tells a clerk what happened and what to do."""


@lru_cache(maxsize=8)
def _font_folders(setting: str) -> tuple[str, ...]:
    """Folders that exist: those of ``ZHILI_FONTS`` and the project's node_modules."""
    folders = [Path(part) for part in setting.split(os.pathsep) if part]
    base = PROJECT / "node_modules" / "@expo-google-fonts" / "noto-sans-sc"
    folders += [base / weight for weight in WEIGHTS]
    folders.append(PROJECT / "node_modules" / "node-source-han-sans-sc")
    return tuple(str(folder) for folder in folders if folder.is_dir())


@lru_cache(maxsize=8)
def _fonts(setting: str) -> typst.Fonts:
    folders = _font_folders(setting)
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[Path(folder) for folder in folders],
    )
    if not fonts.fonts():
        raise PrintError(
            "打印所需的中文字体没有装好：找不到 Noto Sans SC。请在项目目录运行 make setup，再打印一次。"
        )
    return fonts


def _setting() -> str:
    return os.environ.get("ZHILI_FONTS", "")


def font_families() -> list[str]:
    """Families in the order typst tries them: Noto Sans SC, then the rest by name."""
    return sorted(set(_fonts(_setting()).families()), key=lambda family: (family != MAIN_FAMILY, family))


def _cmap(data: bytes) -> set[int]:
    """Code points a TrueType or OpenType font can draw (cmap formats 4 and 12, single fonts only)."""
    covered: set[int] = set()
    tables = struct.unpack(">H", data[4:6])[0]
    for n in range(tables):
        tag, _sum, start, _length = struct.unpack(">4sIII", data[12 + 16 * n : 28 + 16 * n])
        if tag != b"cmap":
            continue
        for k in range(struct.unpack(">H", data[start + 2 : start + 4])[0]):
            at = start + struct.unpack(">I", data[start + 8 + 8 * k : start + 12 + 8 * k])[0]
            kind = struct.unpack(">H", data[at : at + 2])[0]
            if kind == 12:
                groups = struct.unpack(">I", data[at + 12 : at + 16])[0]
                for low, high, _glyph in struct.iter_unpack(">III", data[at + 16 : at + 16 + 12 * groups]):
                    covered.update(range(low, high + 1))
            elif kind == 4:
                size = struct.unpack(">H", data[at + 6 : at + 8])[0]
                ends = struct.unpack(f">{size // 2}H", data[at + 14 : at + 14 + size])
                starts = struct.unpack(f">{size // 2}H", data[at + 16 + size : at + 16 + 2 * size])
                for low, high in zip(starts, ends, strict=True):
                    covered.update(range(low, high + 1))
    return covered


@lru_cache(maxsize=8)
def _covered(setting: str) -> frozenset[int]:
    """Code points that can be drawn. One file per family is read: the weights of a family cover the same."""
    covered: set[int] = set()
    seen: set[str] = set()
    for font in _fonts(setting).fonts():
        if font.path and font.family not in seen:
            seen.add(font.family)
            covered |= _cmap(Path(font.path).read_bytes())
    return frozenset(covered)


def missing_glyphs(text: str) -> list[str]:
    """Letters of ``text`` that no installed font can draw, sorted, each once (X-05). Empty is good."""
    covered = _covered(_setting())
    return sorted({ch for ch in text if ord(ch) not in covered and unicodedata.category(ch)[0] in "LN"})


def clean(text: str) -> str:
    """``text`` as it will be printed: one line, no control or direction marks, 〓 for missing glyphs."""
    if len(text) > TEXT_LIMIT:
        raise PrintError(f"有一处文字超过 {TEXT_LIMIT} 字，一张纸放不下：{text[:20]}…… 请缩短后再打印。")
    covered = _covered(_setting())
    kept: list[str] = []
    for ch in " ".join(text.split()):
        kind = unicodedata.category(ch)
        if kind[0] == "C":
            continue
        if ord(ch) in covered:
            kept.append(ch)
        elif kind[0] in "LN":
            kept.append(GETA)
    return _LONG_RUN.sub(_breakable, "".join(kept))


def _breakable(match: re.Match[str]) -> str:
    run = match.group()
    return _ZWSP.join(run[n : n + _BREAK_EVERY] for n in range(0, len(run), _BREAK_EVERY))


def _cleaned(value: Any) -> Any:
    """The same structure with every string cleaned; pictures (keys ending in ``_svg``) stay as they are."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: item if key.endswith("_svg") else _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, date):
        return chinese_date(value)
    return value


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if not key.endswith(("_svg", "_url")):
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def plain(record: Any) -> dict[str, Any]:
    """A dataclass as nested dicts, ready for ``compile_pdf`` and ``compile_png``."""
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"expected a dataclass instance, got {type(record).__name__}")
    return asdict(record)


def chinese_date(day: date, *, weekday: bool = False) -> str:
    """2026年6月30日, or 2026年6月30日（星期二）."""
    text = f"{day.year}年{day.month}月{day.day}日"
    return f"{text}（星期{'一二三四五六日'[day.weekday()]}）" if weekday else text


_QR_LEVEL = "m"


def qr_svg(text: str) -> str:
    """A QR code as SVG without border; the empty string for an empty text."""
    if not text:
        return ""
    if any(leak.blocks for leak in scan_public(text)):
        raise PrintError("二维码里有像身份证号、手机号或银行卡号的数字，不能印。请改掉后再打印。")
    picture = io.BytesIO()
    segno.make(text, error=_QR_LEVEL, micro=False).save(picture, kind="svg", border=0, xmldecl=False)
    return picture.getvalue().decode()


def _compiler(template: str, data: dict[str, Any], title: str) -> typst.Compiler:
    lost = missing_glyphs("".join(_strings(data)))
    payload = {
        **_cleaned(data),
        "doc_title": clean(title),
        "fonts": font_families(),
        "lost": [f"U+{ord(ch):04X}" for ch in lost],
    }
    return typst.Compiler(
        TEMPLATES / template,
        root=TEMPLATES,
        font_paths=_fonts(_setting()),
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(payload, ensure_ascii=False)},
    )


def _stamp(day: date) -> datetime:
    """Midnight of the printing day as the document's only time: no clock of the machine enters the file."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def compile_pdf(template: str, data: dict[str, Any], *, title: str, printed_on: date) -> bytes:
    """One PDF. ``title`` is the document's title; there is no author. Equal arguments give equal bytes."""
    compiler = _compiler(template, data, title)
    try:
        out = compiler.compile(format="pdf", timestamp=_stamp(printed_on))
    except typst.TypstError as error:
        raise PrintError(f"排版没有成功：{title}。请把这句话告诉管理员：{error.message[:200]}") from error
    return _one(out)


def compile_png(
    template: str, data: dict[str, Any], *, title: str, printed_on: date, ppi: float
) -> list[bytes]:
    """One PNG a page, in order."""
    compiler = _compiler(template, data, title)
    try:
        out = compiler.compile(format="png", ppi=ppi, timestamp=_stamp(printed_on))
    except typst.TypstError as error:
        raise PrintError(f"排版没有成功：{title}。请把这句话告诉管理员：{error.message[:200]}") from error
    return out if isinstance(out, list) else [_one(out)]


def _one(out: bytes | list[bytes] | None) -> bytes:
    if not isinstance(out, bytes):
        raise PrintError("排版没有产生文件。请再打印一次；仍不行时请告诉管理员。")
    return out
