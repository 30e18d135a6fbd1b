"""Every write of this room, by its name. What each does stands in the module it comes from."""

from __future__ import annotations

from zhili.claims.amending import record_hearing, record_visit, resubmit_claim, withdraw_claim
from zhili.claims.awarding import Frozen, award, correct, drop, hold, post_openings, put_on_notice, release
from zhili.claims.checking import Draft
from zhili.claims.reviewing import Outcome, declare_recusal, end_recusal, review_claim, review_many
from zhili.claims.submitting import Entry, submit_claim, submit_group, submit_many

__all__ = [
    "Draft",
    "Entry",
    "Frozen",
    "Outcome",
    "award",
    "correct",
    "declare_recusal",
    "drop",
    "end_recusal",
    "hold",
    "post_openings",
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
    "withdraw_claim",
]
