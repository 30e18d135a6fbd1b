"""授权书 on paper: the same purposes in the same words as on the phone, with a number and a slip (U-35, P-03)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from .render import compile_pdf, plain


@dataclass(frozen=True)
class ConsentRow:
    """One purpose, in words."""

    title: str
    what: str
    why: str
    long: str
    refuse: str


@dataclass(frozen=True)
class ConsentPaper:
    """What is printed for one person. Blank texts leave room to write."""

    village: str
    number: str
    version: str
    rows: list[ConsentRow]
    printed_on: date
    household_code: str = ""
    name: str = ""
    minor: bool = False
    phone: str = ""
    demo: bool = False


def consent_pdf(paper: ConsentPaper) -> bytes:
    """A4, one page."""
    return compile_pdf(
        "consent.typ", plain(paper), title=f"{paper.village}授权书{paper.number}", printed_on=paper.printed_on
    )
