"""Every write of this room, by its name. What each does stands in the module it comes from."""

from __future__ import annotations

from zhili.notices.closing import close_notice, post_held
from zhili.notices.objecting import acknowledge, answer_objection, correct_line, object_to, withdraw_objection
from zhili.notices.opening import open_notice

__all__ = [
    "acknowledge",
    "answer_objection",
    "close_notice",
    "correct_line",
    "object_to",
    "open_notice",
    "post_held",
    "withdraw_objection",
]
