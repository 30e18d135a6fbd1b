"""Paper for the village: the notice board, passbooks, slips, forms, the rule book on the wall.

Dataclasses in, bytes out; nothing here knows Django. Whoever calls has masked the names already.
"""

from .papers import (
    ClaimSheet,
    ObjectionForm,
    Passbook,
    PassbookEntry,
    RuleBookSheet,
    RuleCategory,
    RuleItem,
    SheetItem,
    Slip,
    claim_sheet_pdf,
    claim_sheets_pdf,
    objection_form_pdf,
    passbook_pdf,
    rulebook_pdf,
    slip_pdf,
)
from .poster import Poster, PosterLine, poster_pdf, poster_png
from .render import PrintError, chinese_date, missing_glyphs

__all__ = [
    "ClaimSheet",
    "ObjectionForm",
    "Passbook",
    "PassbookEntry",
    "Poster",
    "PosterLine",
    "PrintError",
    "RuleBookSheet",
    "RuleCategory",
    "RuleItem",
    "SheetItem",
    "Slip",
    "chinese_date",
    "claim_sheet_pdf",
    "claim_sheets_pdf",
    "missing_glyphs",
    "objection_form_pdf",
    "passbook_pdf",
    "poster_pdf",
    "poster_png",
    "rulebook_pdf",
    "slip_pdf",
]
