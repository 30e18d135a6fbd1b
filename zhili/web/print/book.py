"""存折 as a printed book (U-31): A5 pages with lines at fixed heights, and only what is new printed into it later.

The book is its own memory: every line bears its number, so the clerk reads the last one and the rest follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from .papers import Passbook, PassbookEntry, _check_rows, _check_sums, _minus
from .render import PrintError, compile_pdf, plain, qr_svg

LINES = 20
"""Lines of one page."""
REASON_MAX = 16
UNDER_MAX = 22


@dataclass(frozen=True)
class Book:
    """What goes into the book now. after: how many lines stand in it already; line: where on the open page the first new
    one goes (0: follows from `after`); entries: the new ones only; opening: the balance before them."""

    village: str
    household_code: str
    head_name: str
    group: str
    purse_title: str
    opening: str
    entries: list[PassbookEntry]
    closing: str
    printed_on: date
    after: int = 0
    line: int = 0
    phone: str = ""
    check_url: str = ""
    demo: bool = False


def book_pdf(book: Book) -> bytes:
    """A5. A new book begins with its cover; on a page that was begun only the new lines are printed, no frame."""
    _check_rows(len(book.entries), "存折流水")
    if not 0 <= book.line <= LINES:
        raise PrintError(f"一页只有 {LINES} 行，从第 {book.line} 行打不了。请看着存折再写一次。")
    if not book.entries and book.after:
        raise PrintError("没有新的流水，不用打。下次有了新的再来。")
    _check_sums(
        Passbook(book.village, book.household_code, book.head_name, book.group, book.purse_title, "", "", book.opening,
                 book.entries, book.closing, book.printed_on)
    )  # fmt: skip
    data = plain(book) | {
        "lines": LINES,
        "cover": book.after == 0,
        "pages": pages(book),
        "check_svg": qr_svg(book.check_url),
        "today": f"{book.printed_on:%y-%m-%d}",
    }
    title = f"{book.village}{book.household_code}户{book.purse_title}存折"
    return compile_pdf("book.typ", data, title=title, printed_on=book.printed_on)


def pages(book: Book) -> list[dict[str, Any]]:
    """Pages with their lines in place. number: the page of the book; mark: the line today's mark stands at, or 0."""
    first = book.line or book.after % LINES + 1
    number = book.after // LINES + 1
    brought = book.opening
    found: list[dict[str, Any]] = []
    rest = list(enumerate(book.entries, start=book.after + 1))
    while rest or not found:
        here, rest = rest[: LINES - first + 1], rest[LINES - first + 1 :]
        rows = [
            {
                "line": first + n,
                "no": no,
                "on": entry.occurred_on,
                "reason": _short(entry.reason, REASON_MAX),
                "under": _short(_under(entry), UNDER_MAX),
                "points": _minus(entry.points),
                "balance": _minus(entry.balance),
            }
            for n, (no, entry) in enumerate(here)
        ]
        mark = first + len(here) - 1 if here and not rest else 0
        found.append(
            {"frame": first == 1, "number": number, "brought": _minus(brought), "rows": rows, "mark": mark}
        )
        brought = here[-1][1].balance if here else brought
        first, number = 1, number + 1
    return found


def _under(entry: PassbookEntry) -> str:
    parts = [
        f"回执 {entry.receipt}" if entry.receipt else "",
        f"评议 {entry.reviewers}" if entry.reviewers else "",
    ]
    return "  ".join(part for part in parts if part)


def _short(text: str, most: int) -> str:
    """Cut to what fits on a line; a letter of the Latin alphabet takes half the room. The A4 statement has the whole."""
    room, kept = most * 2, ""
    for letter in text:
        room -= 1 if letter < "\u0250" else 2
        if room < 0:
            return f"{kept[:-1]}…"
        kept += letter
    return kept
