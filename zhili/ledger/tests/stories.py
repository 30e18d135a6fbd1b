"""Small helpers the ledger's tests share: a village, causes, awards."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from zhili.common.ids import uuid7
from zhili.ledger import entries
from zhili.ledger.actions import Posted, post

PLACE = "511702109200"
PERIOD = "2022-Q3"
DAY = date(2022, 7, 5)


def cause(**changes: object) -> dict[str, object]:
    """A complete cause of an award."""
    return {
        "rule": 1, "rule_version": 1, "item": "HJ01", "claim": str(uuid7()), "evidence": [str(uuid7())],
        "reviewers": [901, 902], "actor": 903, "delegate": None, "channel": "counter", "notice": str(uuid7()),
        "number": "A-12",
    } | changes  # fmt: skip


def give(owner: UUID, points: int, *, id: UUID | None = None, purses=("merit", "spend"), place=PLACE, period=PERIOD,
         day=DAY, negative=(), late=False, by=None, **changes) -> Posted:  # fmt: skip
    """Award (or deduct) as a notice would."""
    news = entries.award(id or uuid7(), owner, points, purses, day, cause(**changes), late, negative)
    return post(news, place=place, by=by, period=period)
