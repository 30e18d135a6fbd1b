"""The demo village's honours: two schemes by resolution, a published list for each half-year, goals of two groups.

By the real actions, in the village's own clock. Nothing is posted, and keys are drawn from a chance of its own, so the
ledger's head stays as it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from zhili.common.periods import today
from zhili.honours import actions
from zhili.honours.goals import progress_of
from zhili.honours.models import GroupGoal, HonourList, HonourScheme

if TYPE_CHECKING:
    from zhili.config.demo.build import Village

PLACE: Final = "511702109200"
RESOLVED: Final = date(2025, 12, 20)
# day the list is computed, half-year; the meeting decides three days later, the day after it hangs out.
HALVES: Final = [(date(2026, 1, 26), "2025-H2"), (date(2026, 7, 27), "2026-H1")]
LEVELS: Final = [1_000, 1_300, 1_600, 1_900, 2_200]
# group, what is reached, hundredths a household needs, share of the households in per cent.
GOALS: Final = [
    ("2组", "全组达标换路灯", 300, 60, "换 6 盏太阳能路灯（演示）"),
    ("5组", "全组达标修晒场", 700, 70, "修整公共晒场（演示）"),
]
SEED: Final = 20251220
BASIS: Final = "村民代表会议 2025 年第 4 次会议（演示）"


def apart(deed: Callable[..., None]) -> Callable[..., None]:
    """The deed with a chance of its own: the rest of the year draws what it would draw without it."""

    @wraps(deed)
    def inner(village: Village, *facts: Any) -> None:
        years = village.clock.random
        village.clock.random = random.Random(f"{SEED} {village.clock.moment}")  # noqa: S311
        try:
            deed(village, *facts)
        finally:
            village.clock.random = years

    return inner


def stage_honours(village: Village) -> None:
    """Write the honours of the year into the diary: to be called where the year is planned (config/demo/build.py)."""
    village.plan(RESOLVED, 13, resolve)
    for day, half in HALVES:
        village.plan(day, 13, compute, half)
    village.plan(date(2026, 8, 3), 13, set_goals)
    village.plan(date(2026, 8, 4), 13, ask_first)
    village.plan(date(2026, 10, 26), 13, look_at_goals)


@apart
def resolve(village: Village) -> None:
    """星级文明户 with five stars, 积分标兵 for the first ten."""
    facts = {"by": village.fresh("clerk"), "place": PLACE, "period_kind": "half_year", "basis": BASIS,
             "basis_number": "谭村决〔2025〕7 号", "resolved_on": RESOLVED}  # fmt: skip
    actions.add_scheme(title="星级文明户", kind="stars", levels=LEVELS, **facts)  # type: ignore[arg-type]
    actions.add_scheme(title="积分标兵", kind="top", top_count=10, minimum=1_000, counts="earned", shows_points=True,
                       **facts)  # type: ignore[arg-type]  # fmt: skip
    village.counts["honour_schemes"] += 2


@apart
def compute(village: Village, half: str) -> None:
    """The clerk has both lists computed; the meeting is in three days."""
    for scheme in HonourScheme.objects.filter(place=PLACE, ended_on=None).order_by("title"):
        found = actions.draft_list(by=village.fresh("clerk"), scheme=scheme, period=half)
        village.plan(today() + timedelta(days=3), 13, decide, found)


@apart
def decide(village: Village, found: HonourList) -> None:
    actions.record_resolution(
        by=village.fresh("elder3"), found=found, decided_by="村民代表会议", decided_on=today(), digest=found.digest,
        in_favour=43, present=45,
    )  # fmt: skip
    village.plan(today() + timedelta(days=1), 13, hang_out, found)


@apart
def hang_out(village: Village, found: HonourList) -> None:
    """For a year, so that the demo shows it on any later day."""
    actions.publish(by=village.fresh("clerk"), found=found, shown_to=today() + timedelta(days=365))
    village.counts["honour_lists"] += 1
    village.counts["honours"] += found.entries.count()


@apart
def set_goals(village: Village) -> None:
    """Two groups, each with its own, to the end of the year."""
    for group, title, points, share, reward in GOALS:
        actions.add_goal(
            by=village.fresh("clerk"), place=PLACE, group=group, title=title, measure="share", period="2026-H2",
            points=points, share=share, reward=reward, basis=BASIS, resolved_on=date(2026, 8, 1),
        )  # fmt: skip
        village.counts["group_goals"] += 1


@apart
def ask_first(village: Village) -> None:
    """Who has stars is asked first for the outing."""
    found = HonourList.objects.get(place=PLACE, period="2026-H1", scheme__title="星级文明户")
    actions.add_priority(
        by=village.fresh("clerk"), honour_list=found, title="先报名外出参观学习（演示）", basis=BASIS,
        starts=today(), ends=today() + timedelta(days=300),
    )  # fmt: skip


@apart
def look_at_goals(village: Village) -> None:
    """Written down as reached where it is."""
    for progress in progress_of(PLACE, list(GroupGoal.objects.filter(place=PLACE, status="running"))):
        if progress.done:
            actions.record_reached(by=village.fresh("clerk"), goal=progress.goal)
            village.counts["group_goals_reached"] += 1
