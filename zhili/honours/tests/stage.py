"""A half-year of merit for the cast's village, put into the book directly; a scheme and a list on top of it."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from zhili.common.ids import uuid7
from zhili.honours import actions
from zhili.honours.models import HonourList, HonourScheme
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.people.models import Household

PERIOD = "2026-H1"
# Points of the half-year; 2001 has a deduction too, 3004 has nothing at all.
POINTS = {
    "1001": 6500,
    "1002": 4000,
    "1003": 2000,
    "2001": 4500,
    "2002": 1999,
    "2003": 500,
    "3001": 6000,
    "3002": 0,
}


def award(cast: SimpleNamespace, code: str, points: int, period: str = "2026-03") -> list[Any]:
    """Merit and spend for one household in one month; less than 0: a deduction. Returns the transfers' keys."""
    home = Household.objects.get(place=cast.place, code=code)
    cause = {
        "rule": "r", "rule_version": 1, "item": "HJ01", "claim": "c", "evidence": [], "reviewers": [],
        "actor": cast.clerk.pk, "channel": "counter", "number": "A-1",
    }  # fmt: skip
    news = entries.award(uuid7(), home.pk, points, ["merit", "spend"], date(2026, 3, 9), cause)
    ledger.post(news, place=cast.place, by=cast.clerk, period=period)
    return [one.id for one in news]


def half_year(cast: SimpleNamespace) -> None:
    for code, points in POINTS.items():
        if points:
            award(cast, code, points)
    award(cast, "2001", -1000, "2026-05")


def stars(cast: SimpleNamespace, **changes: Any) -> HonourScheme:
    """星级文明户 with three stars: 20, 40, 60 points."""
    facts: dict[str, Any] = {
        "by": cast.clerk, "place": cast.place, "title": "星级文明户", "kind": "stars", "levels": [2000, 4000, 6000],
        "period_kind": "half_year", "basis": "村民代表会议第 1 次会议", "resolved_on": date(2026, 1, 5),
    }  # fmt: skip
    return actions.add_scheme(**(facts | changes))


def top(cast: SimpleNamespace, **changes: Any) -> HonourScheme:
    """积分标兵: the first three."""
    return stars(cast, **({"title": "积分标兵", "kind": "top", "levels": [], "top_count": 3} | changes))


def drafted(cast: SimpleNamespace, scheme: HonourScheme | None = None) -> HonourList:
    return actions.draft_list(by=cast.clerk, scheme=scheme or stars(cast), period=PERIOD)


def decided(cast: SimpleNamespace, scheme: HonourScheme | None = None) -> HonourList:
    found = drafted(cast, scheme)
    return actions.record_resolution(
        by=cast.elder, found=found, decided_by="村民代表会议", decided_on=date(2026, 7, 18), digest=found.digest,
        in_favour=40, present=45,
    )  # fmt: skip


def published(cast: SimpleNamespace, scheme: HonourScheme | None = None) -> HonourList:
    return actions.publish(by=cast.clerk, found=decided(cast, scheme))


def on_list(found: HonourList) -> dict[str, str]:
    """Household number → 三星 or 第 1 名, of those who stand."""
    return {
        one.household_code: one.word for one in found.entries.filter(struck_at=None).select_related("list")
    }
