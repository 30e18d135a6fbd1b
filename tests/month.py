"""Short ways to walk through a points month in tests: a claim, its reviews, a notice that hangs."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from zhili.claims.actions import record_hearing, review_claim, submit_claim
from zhili.claims.models import Claim
from zhili.common.ids import uuid7
from zhili.people.models import Household
from zhili.rulebook.queries import parsed


def home(village: SimpleNamespace, code: str) -> Household:
    """A household of the cast's village by its number."""
    return Household.objects.get(place=village.place, code=code)


def claim_for(village: SimpleNamespace, **changes: Any) -> Claim:
    """HJ01 by the villager for the own household on 2026-10-20, changed as asked."""
    facts: dict[str, Any] = {
        "by": village.villager,
        "id": uuid7(),
        "household": village.household,
        "item": "HJ01",
        "occurred_on": date(2026, 10, 20),
        "channel": "phone",
        "witness": "演示戊",
    }
    return submit_claim(**(facts | changes))


def approve(village: SimpleNamespace, claim: Claim, points: int | None = None) -> Claim:
    """Through every level it needs, by people without a tie to it."""
    item = parsed(claim.book).item(claim.item.code)
    if claim.reminded_on and not claim.heard:
        claim = record_hearing(by=village.clerk, claim=claim, text="已告知，未作陈述")
    people = {"submitted": village.reviewer2, "second_review": village.reviewer3, "council": village.elder}
    while claim.status in people:
        ranged = hasattr(item.points, "min")
        score = (
            points if ranged and (claim.status != "submitted" or claim.review_needed != "council") else None
        )
        claim = review_claim(by=people[claim.status], claim=claim, decision="approve", points=score)
    return claim


def approved(village: SimpleNamespace, points: int | None = None, **changes: Any) -> Claim:
    """A claim that only waits for its notice."""
    return approve(village, claim_for(village, **changes), points)


def deduction(village: SimpleNamespace, code: str = "1002", **changes: Any) -> Claim:
    """ZX01 against a household that was reminded, entered by the clerk, approved twice."""
    facts: dict[str, Any] = {
        "by": village.clerk,
        "household": home(village, code),
        "item": "ZX01",
        "channel": "counter",
        "reminded_on": date(2026, 10, 1),
        "heard": "本户说已经清走一部分",
    }
    return approved(village, **(facts | changes))
