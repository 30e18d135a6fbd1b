"""Plain documents and the form for requests about one's own data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .papers import ROW_LIMIT
from .render import PrintError, compile_pdf, plain, qr_svg

Block = dict[str, Any]


@dataclass(frozen=True)
class Document:
    """Blocks from top to bottom. size: body in points. foot: on every page, who took it when."""

    village: str
    heading: str
    blocks: list[Block]
    printed_on: date
    subtitle: str = ""
    size: float = 12
    landscape: bool = False
    foot: str = ""
    code_url: str = ""
    code_caption: str = ""
    demo: bool = False


@dataclass(frozen=True)
class DataRequestForm:
    """个人信息申请表, blank: filled in with a pen (U-35)."""

    village: str
    kinds: list[str]
    askers: list[str]
    days: int
    appeal: str
    printed_on: date
    phone: str = ""
    page_url: str = ""
    demo: bool = False
    extra: dict[str, str] = field(default_factory=dict)


def heading(text: str) -> Block:
    return {"kind": "heading", "text": text}


def text(words: str) -> Block:
    return {"kind": "text", "text": words}


def points(lines: Sequence[str]) -> Block:
    return {"kind": "list", "items": list(lines)}


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float] = (), size: float = 0
) -> Block:
    """A table; widths: shares of the page, equal where left out."""
    block: Block = {
        "kind": "table", "columns": list(columns), "rows": [[str(cell) for cell in row] for row in rows],
        "widths": list(widths) or [1] * len(columns),
    }  # fmt: skip
    return block | ({"size": size} if size else {})


def sign(*labels: str) -> Block:
    return {"kind": "sign", "labels": list(labels)}


def document_pdf(document: Document) -> bytes:
    """The document, A4."""
    rows = sum(len(block.get("rows", ())) for block in document.blocks)
    if rows > ROW_LIMIT * 5:
        raise PrintError(f"一份文件最多印 {ROW_LIMIT * 5} 行，这里有 {rows} 行。请改用 Excel。")
    data = plain(document) | {"code_svg": qr_svg(document.code_url)}
    title = f"{document.village}{document.heading}"
    return compile_pdf("document.typ", data, title=title, printed_on=document.printed_on)


def data_request_pdf(form: DataRequestForm) -> bytes:
    """The blank form with its tear-off slip, one page."""
    data = plain(form) | {"page_svg": qr_svg(form.page_url)}
    return compile_pdf(
        "data_request.typ", data, title=f"{form.village}个人信息申请表", printed_on=form.printed_on
    )
