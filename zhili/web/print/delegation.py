"""代办委托书 (U-35): filled in with a pen by who wants somebody to act for them, with a number and a slip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from .render import compile_pdf, plain


@dataclass(frozen=True)
class DelegationPaper:
    """number empty: written in by hand. scopes: what can be handed over, in words."""

    village: str
    scopes: list[str]
    printed_on: date
    number: str = ""
    phone: str = ""
    demo: bool = False


def delegation_pdf(paper: DelegationPaper) -> bytes:
    """A4, one page."""
    title = f"{paper.village}代办委托书{paper.number}"
    return compile_pdf("delegation.typ", plain(paper), title=title, printed_on=paper.printed_on)
