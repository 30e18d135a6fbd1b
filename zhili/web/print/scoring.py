"""评分表 (U-33): the households of a group against some items, on A4 across; each page is a sheet with its own number."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from .papers import _check_rows
from .render import PrintError, compile_pdf, plain, qr_svg

HOMES_A_PAGE = 12
ITEMS_A_PAGE = 8


@dataclass(frozen=True)
class ScoringItem:
    """A column. hint: what to write, where it is not a number of times."""

    row_code: str
    title: str
    points: str
    hint: str = ""


@dataclass(frozen=True)
class ScoringHome:
    """A row; name masked, for the sheet goes through many hands."""

    code: str
    name: str = ""


@dataclass(frozen=True)
class ScoringPage:
    """One numbered sheet. number empty: blank, to be written in."""

    group: str
    items: list[ScoringItem]
    homes: list[ScoringHome]
    number: str = ""
    part: str = ""
    form_url: str = ""


@dataclass(frozen=True)
class ScoringSheets:
    """All pages of one print."""

    village: str
    period_title: str
    printed_on: date
    pages: list[ScoringPage] = field(default_factory=list)
    phone: str = ""
    demo: bool = False


def scoring_pdf(sheets: ScoringSheets) -> bytes:
    """A4 across, one page a sheet."""
    if not sheets.pages:
        raise PrintError("没有要打印的户。请先选组，再打印评分表。")
    _check_rows(len(sheets.pages), "评分表")
    for page in sheets.pages:
        if len(page.items) > ITEMS_A_PAGE or len(page.homes) > HOMES_A_PAGE:
            raise PrintError(f"一页评分表最多 {HOMES_A_PAGE} 户、{ITEMS_A_PAGE} 项。请分页。")
    data = plain(sheets) | {
        "pages": [plain(page) | {"form_svg": qr_svg(page.form_url)} for page in sheets.pages]
    }
    return compile_pdf(
        "scoring.typ",
        data,
        title=f"{sheets.village}{sheets.period_title}评分表",
        printed_on=sheets.printed_on,
    )
