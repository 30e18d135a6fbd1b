"""Household cards (U-30): ten of ID-card size on a sheet of A4, fronts and backs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from .papers import _check_rows
from .render import compile_pdf, plain, qr_svg

CARDS_A_PAGE = 10


@dataclass(frozen=True)
class Card:
    """One household. url: what the QR opens, with the random token; version: 第几张."""

    code: str
    name: str
    group: str
    url: str
    version: int = 1


@dataclass(frozen=True)
class CardSheet:
    """All cards of one print. backs: a page of backs after every page of fronts."""

    village: str
    printed_on: date
    cards: list[Card] = field(default_factory=list)
    phone: str = ""
    backs: bool = True
    demo: bool = False


def cards_pdf(sheet: CardSheet) -> bytes:
    """A4, ten cards a page with cut marks; with backs, every second page."""
    _check_rows(len(sheet.cards), "积分卡")
    data = plain(sheet) | {
        "cards": [
            plain(card) | {"qr_svg": qr_svg(card.url), "size": _size(card.code)} for card in sheet.cards
        ]
    }
    return compile_pdf("cards.typ", data, title=f"{sheet.village}积分卡", printed_on=sheet.printed_on)


def _size(code: str) -> int:
    """Points of the number: as large as 46 mm allow."""
    return 36 if len(code) <= 5 else 26 if len(code) <= 8 else 17 if len(code) <= 12 else 11
