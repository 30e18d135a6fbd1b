"""告知单: a household's own lines of a notice on a slip, for people who read no phone and see no board (U-24)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from .papers import ROW_LIMIT, _minus
from .render import PrintError, compile_pdf, plain

LINES_MAX = 12
"""More lines than that would not fit; the rest is counted in words."""


@dataclass(frozen=True)
class ToldLine:
    """One line. ``points`` signed decimal text, ``day`` as 9月3日."""

    day: str
    item: str
    points: str


@dataclass(frozen=True)
class ToldSlip:
    """What one household is told. ``total`` signed decimal text over all its lines."""

    household_code: str
    head_name: str
    group: str
    total: str
    lines: list[ToldLine] = field(default_factory=list)


@dataclass(frozen=True)
class ToldSheet:
    """Slips of one notice, by group and number."""

    village: str
    period_title: str
    deadline: str
    slips: list[ToldSlip]
    printed_on: date
    answer_days: int
    phone: str = ""
    demo: bool = False


def told_pdf(sheet: ToldSheet) -> bytes:
    """A4, several slips a page with lines to cut along. Raises PrintError where there is nobody to tell."""
    if not sheet.slips:
        raise PrintError("这一期没有要送告知单的户。")
    if len(sheet.slips) > ROW_LIMIT:
        raise PrintError(f"告知单一次最多印 {ROW_LIMIT} 户。请按组分开打印。")
    data = plain(sheet) | {"answer_days": str(sheet.answer_days)}
    for slip in data["slips"]:
        slip["total"] = _minus(slip["total"])
        more = len(slip["lines"]) - LINES_MAX
        slip["lines"] = [one | {"points": _minus(one["points"])} for one in slip["lines"][:LINES_MAX]]
        if more > 0:
            slip["lines"].append({"day": "", "item": f"还有 {more} 条，见公示榜", "points": ""})
    title = f"{sheet.village}{sheet.period_title}积分公示告知单"
    return compile_pdf("told.typ", data, title=title, printed_on=sheet.printed_on)
