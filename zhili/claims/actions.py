"""Every write of this room, by its name. What each does stands in the module it comes from."""

from __future__ import annotations

from zhili.claims.amending import record_hearing, record_visit, resubmit_claim, withdraw_claim
from zhili.claims.awarding import Frozen, award, correct, drop, hold, post_openings, put_on_notice, release
from zhili.claims.checking import Draft
from zhili.claims.reviewing import Outcome, declare_recusal, end_recusal, review_claim, review_many
from zhili.claims.sheets import confirm as confirm_sheet
from zhili.claims.sheets import key_in, print_sheets, void_sheet
from zhili.claims.submitting import Entry, submit_claim, submit_group, submit_many

__all__ = [
    "Draft",
    "Entry",
    "Frozen",
    "Outcome",
    "award",
    "confirm_sheet",
    "correct",
    "declare_recusal",
    "drop",
    "end_recusal",
    "hold",
    "key_in",
    "post_openings",
    "print_sheets",
    "put_on_notice",
    "record_hearing",
    "record_visit",
    "release",
    "resubmit_claim",
    "review_claim",
    "review_many",
    "submit_claim",
    "submit_group",
    "submit_many",
    "void_sheet",
    "withdraw_claim",
]
