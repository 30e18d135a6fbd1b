"""全组达标: a goal of a whole group, its progress, and the day it was reached. No household is ever named in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.common.aggregates import LEAST_HOUSEHOLDS
from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.periods import parse_code, today
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.honours.errors import Conflict, HonourError
from zhili.honours.merit import Merit, merit_of
from zhili.honours.models import PERIOD_KINDS, GroupGoal
from zhili.honours.schemes import plain, resolved
from zhili.people.models import Household, User
from zhili.people.queries import groups_of

DONE: Final = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a group is. reached, wanted: households, or hundredths of points. percent: of the way, 0 to 100.

    households: open ones of the group. small: too few to be shown in public (M-10).
    """

    goal: GroupGoal
    households: int
    reached: int
    wanted: int

    @property
    def small(self) -> bool:
        return self.households < LEAST_HOUSEHOLDS

    @property
    def done(self) -> bool:
        return self.households > 0 and self.reached >= self.wanted

    @property
    def percent(self) -> int:
        if self.goal.status == GroupGoal.Status.REACHED:
            return DONE
        return min(DONE, self.reached * DONE // self.wanted) if self.wanted else 0

    @property
    def unit(self) -> str:
        return "户" if self.goal.measure == GroupGoal.Measure.SHARE else "分"

    @property
    def reached_text(self) -> str:
        return str(self.reached) if self.unit == "户" else format_points(self.reached)

    @property
    def wanted_text(self) -> str:
        return str(self.wanted) if self.unit == "户" else format_points(self.wanted)

    @property
    def rule(self) -> str:
        """What has to be reached, in one sentence."""
        points = format_points(self.goal.points)
        if self.unit == "户":
            return f"全组百分之 {self.goal.share} 的户，每户加分达到 {points} 分"
        return f"全组加分一共达到 {points} 分"

    @property
    def sentence(self) -> str:
        """Where the group stands, in one sentence; of a small group only whether it is there (M-10)."""
        if self.goal.status == GroupGoal.Status.REACHED:
            return f"{self.goal.group}达到了目标：{self.goal.reward}。"
        if self.goal.status == GroupGoal.Status.ENDED:
            return "已经结束，没有达到。"
        if self.small:
            return f"这个组不到 {LEAST_HOUSEHOLDS} 户，不公布进度。"
        missing = self.wanted - self.reached
        if missing <= 0:
            return f"要 {self.wanted_text} {self.unit}，已有 {self.reached_text} {self.unit}，达到了，等村里登记。"
        gap = f"{missing} 户" if self.unit == "户" else f"{format_points(missing)} 分"
        return f"要 {self.wanted_text} {self.unit}，已有 {self.reached_text} {self.unit}，还差 {gap}。"


def add_goal(
    *, by: User, place: str, group: str, title: str, measure: str, period: str, points: int, reward: str,
    basis: str, resolved_on: date, share: int = 0,
) -> GroupGoal:  # fmt: skip
    """A goal the village resolved for one group and one period. points: hundredths. Raises HonourError, NotAllowed."""
    if len(place) != 12:
        raise NotFound("没有这个村。")
    if not may(by, "honours.manage", place):
        raise NotAllowed("您的身份不能登记全组目标", hint="请找村文书。")
    title, reward = plain(title, "title", 30), plain(reward, "reward", 60)
    basis = plain(basis, "basis", 100)
    resolved(resolved_on)
    if group not in groups_of(place):
        raise HonourError(f"村里没有“{group[:20]}”这个组", field="group")
    try:
        time = parse_code(period)
    except ZhiliError as error:
        raise HonourError(error.message, field="period") from error
    if time.kind not in PERIOD_KINDS or time.end < today():
        raise HonourError("请选还没有结束的期间", field="period")
    if points <= 0:
        raise HonourError("要多少分，请写大于 0 的数", field="points")
    if measure == GroupGoal.Measure.SHARE and not 1 <= share <= DONE:
        raise HonourError("百分之几的户，请写 1 到 100", field="share")
    with transaction.atomic():
        if GroupGoal.objects.filter(place=place, group=group, status=GroupGoal.Status.RUNNING).exists():
            raise Conflict(f"{group}已经有一个进行中的目标", field="group", hint="达到或结束以后再定新的。")
        made = GroupGoal.objects.create(
            place=place, group=group, title=title, measure=measure, period=time.code, points=points,
            share=share if measure == GroupGoal.Measure.SHARE else 0, reward=reward, basis=basis,
            resolved_on=resolved_on, by=by,
        )  # fmt: skip
        record("honours.add_goal", by=by, place=place, target=made)
    return made


def record_reached(*, by: User, goal: GroupGoal) -> GroupGoal:
    """Write down, once, that the group is there; the figure of the day is kept. Raises HonourError, Conflict."""
    if not may(by, "honours.manage", goal.place):
        raise NotAllowed("您的身份不能登记达到", hint="请找村文书。")
    with transaction.atomic():
        found = progress_of(goal.place, [goal])[0]
        if not found.done:
            raise HonourError(
                f"还没有达到：要 {found.wanted_text} {found.unit}，已有 {found.reached_text} {found.unit}"
            )
        _end(goal, status=GroupGoal.Status.REACHED, reached_on=today(), figure=found.reached)
        record("honours.goal_reached", by=by, place=goal.place, target=goal, figure=found.reached)
    return goal


def end_goal(*, by: User, goal: GroupGoal, because: str) -> GroupGoal:
    """Close a goal that was not reached, with a reason."""
    if not may(by, "honours.manage", goal.place):
        raise NotAllowed("您的身份不能结束全组目标", hint="请找村文书。")
    because = plain(because, "because", 100)
    with transaction.atomic():
        _end(goal, status=GroupGoal.Status.ENDED, ended_because=because)
        record("honours.end_goal", by=by, place=goal.place, target=goal)
    return goal


def _end(goal: GroupGoal, **changes: object) -> None:
    if not GroupGoal.objects.filter(pk=goal.pk, status=GroupGoal.Status.RUNNING).update(**changes):
        goal.refresh_from_db()
        raise Conflict(f"这个目标现在是“{goal.get_status_display()}”")
    goal.refresh_from_db()


def progress_of(place: str, goals: list[GroupGoal]) -> list[Progress]:
    """How far each goal is; of one that is over, the figure of its day.

    Two statements and four for each different period that runs, whatever the number of goals or households.
    """
    if not goals:
        return []
    groups = dict(Household.objects.filter(place=place, status__in=Household.OPEN).values_list("pk", "group"))
    running = {goal.period for goal in goals if goal.status == GroupGoal.Status.RUNNING}
    merits = {code: merit_of(place, parse_code(code)) for code in running}
    result = []
    for goal in goals:
        homes = [home for home, group in groups.items() if group == goal.group]
        result.append(_progress(goal, homes, merits.get(goal.period, {})))
    return result


def _progress(goal: GroupGoal, homes: list[UUID], merits: dict[UUID, Merit]) -> Progress:
    own = [merits.get(home, Merit()).earned for home in homes]
    if goal.measure == GroupGoal.Measure.SHARE:
        reached, wanted = sum(value >= goal.points for value in own), -(-len(own) * goal.share // DONE)
    else:
        reached, wanted = sum(own), goal.points
    return Progress(goal, len(own), reached if goal.figure is None else goal.figure, wanted)
