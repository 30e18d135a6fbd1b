"""Reading honours. What leaves for anybody goes through `shown_list`: the honoured alone, named as their scope allows.

There is no query for who did not make it: no bottom, no full ranking, no deduction (M-09). A household that asked not
to be published has its honour and its certificate, and stands on no public list (P-04): lists say how many those are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from zhili.common.errors import NotFound
from zhili.common.periods import (
    Period,
    period_of,
    periods_between,
    previous_period,
    today,
)
from zhili.honours.merit import merit_of, natural
from zhili.honours.models import GroupGoal, HonourEntry, HonourList, HonourScheme, Priority
from zhili.ledger.queries import closed_periods
from zhili.notices.scopes import Facts, Scope, name_for
from zhili.people.models import Household, Resident
from zhili.people.queries import LIVE, head_names
from zhili.rulebook.queries import in_force

LISTS_MAX: Final = 60
GOALS_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class Shown:
    """One honoured household as one scope may read it. name: "" where none is shown. points: None unless resolved so.

    corrected: figures it was honoured for have been taken back or added to since; it is said, never rewritten.
    points_now: what the books say today where that may be shown, else None.
    """

    id: UUID
    household_id: UUID
    number: int
    group: str
    household_code: str
    name: str
    word: str
    stars: int
    rank: int
    points: int | None
    corrected: bool
    points_now: int | None


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list for one scope. unnamed: honoured households that are left out because they asked for it."""

    honour_list: HonourList
    rows: list[Shown]
    unnamed: int

    @property
    def sections(self) -> list[tuple[str, list[Shown]]]:
        """(五星, its households by group and number) …, best first; one section without a title for a top list."""
        found: dict[str, list[Shown]] = {}
        for row in self.rows:
            found.setdefault(row.word if row.stars else "", []).append(row)
        return list(found.items())

    @property
    def count(self) -> int:
        return len(self.rows) + self.unnamed


def schemes_of(place: str) -> list[HonourScheme]:
    """All honours of a village, the running ones first."""
    rows = HonourScheme.objects.filter(place=place).select_related("by")
    return sorted(rows[:LISTS_MAX], key=lambda one: one.ended_on is not None)


def lists_of(place: str) -> list[HonourList]:
    """Lists for the office, newest first, each with `.honoured`. One query."""
    rows = HonourList.objects.filter(place=place).select_related("scheme")
    return list(
        rows.annotate(honoured=Count("entries", filter=Q(entries__struck_at=None))).order_by("-number")[
            :LISTS_MAX
        ]
    )


def hanging(place: str, *, public: bool) -> list[HonourList]:
    """Lists that may be read today, newest first; public: without those for the village only. One query."""
    day = today()
    rows = HonourList.objects.filter(
        place=place, status=HonourList.Status.PUBLISHED, shown_from__lte=day, shown_to__gte=day
    ).select_related("scheme")
    if public:
        rows = rows.filter(scheme__reach=HonourScheme.Reach.PUBLIC)
    return list(rows.order_by("-number")[:LISTS_MAX])


def hanging_list(place: str, number: int, *, public: bool) -> HonourList:
    """One of them; NotFound once it is taken down: the link dies (M-07)."""
    found = next((one for one in hanging(place, public=public) if one.number == number), None)
    if found is None:
        raise NotFound("没有这张荣誉榜，或已经到期撤下。")
    return found


def shown_list(found: HonourList, scope: Scope, *, group: str | None = None) -> ShownList:
    """The list as this scope may read it, struck ones left out. group: of the reader behind the village's log-in."""
    entries = list(found.entries.filter(struck_at=None).select_related("household").order_by("number"))
    named = [one for one in entries if one.household.published]
    names = head_names(found.place, [one.household_id for one in named])
    minors = _minor_heads(found.place, [one.household_id for one in named])
    now = points_now(found, named)
    rows = [
        _shown(
            found, one, now,
            name_for(
                scope,
                Facts(minor=one.household_id in minors, same_group=group is None or group == one.group),
                names.get(one.household_id, ""),
            ),
        )
        for one in named
    ]  # fmt: skip
    return ShownList(found, sorted(rows, key=_order), len(entries) - len(named))


def office_list(found: HonourList, *, names: bool) -> list[tuple[HonourEntry, str, int | None]]:
    """Every entry for those who work on the list: (entry, head's name, points now where they differ)."""
    entries = list(found.entries.select_related("household", "list__scheme", "struck_by").order_by("number"))
    known = head_names(found.place, [one.household_id for one in entries])
    now = points_now(found, entries)
    return [
        (
            one,
            known.get(one.household_id, "")
            if names
            else name_for(
                Scope.PAPER,
                Facts(published=one.household.published),
                known.get(one.household_id, ""),
            ),
            now.get(one.pk),
        )
        for one in entries
    ]


def points_now(found: HonourList, entries: list[HonourEntry]) -> dict[UUID, int]:
    """Entry → what the books say today, only where it is not the frozen figure. Four statements."""
    if not entries:
        return {}
    merits = merit_of(found.place, found.time)
    counts = found.scheme.counts
    now = {one.pk: merits[one.household_id].counted(counts) for one in entries if one.household_id in merits}
    return {one.pk: now[one.pk] for one in entries if one.pk in now and now[one.pk] != one.points}


def _shown(found: HonourList, entry: HonourEntry, now: dict[UUID, int], name: str) -> Shown:
    open_points = found.scheme.shows_points
    return Shown(
        entry.pk, entry.household_id, entry.number, entry.group, entry.household_code, name, entry.word, entry.stars,
        entry.rank, entry.points if open_points else None, entry.pk in now, now.get(entry.pk) if open_points else None,
    )  # fmt: skip


def _order(row: Shown) -> tuple[object, ...]:
    return (-row.stars, row.rank, natural(row.group), natural(row.household_code))


def _minor_heads(place: str, homes: list[UUID]) -> set[UUID]:
    """Households whose head is under 14: their name stands nowhere (P-07)."""
    rows = Resident.objects.filter(place=place, household__in=homes, relation="head", status__in=LIVE)
    return {row.household_id for row in rows.only("household_id", "birth_date") if row.is_minor()}


def certificates_of(household: Household) -> list[HonourEntry]:
    """A household's own honours, newest first."""
    rows = HonourEntry.objects.filter(
        household=household, struck_at=None, list__status=HonourList.Status.PUBLISHED
    )
    return list(rows.select_related("list__scheme").order_by("-list__number")[:LISTS_MAX])


def goals_of(place: str, *, group: str | None = None) -> list[GroupGoal]:
    """Goals that run, and those that ended within a year or so, newest first."""
    since = today() - timedelta(days=GOALS_DAYS)
    rows = GroupGoal.objects.filter(place=place).filter(
        Q(status=GroupGoal.Status.RUNNING) | Q(made_at__date__gte=since)
    )
    if group is not None:
        rows = rows.filter(group=group)
    return sorted(rows[:LISTS_MAX], key=lambda one: one.status != GroupGoal.Status.RUNNING)


def priorities_of(place: str, *, household: Household | None = None) -> list[Priority]:
    """What honoured households are asked first for, now or soon; of one household: what it is asked."""
    rows = Priority.objects.filter(place=place, ended_on=None, ends__gte=today()).select_related(
        "list__scheme"
    )
    if household is not None:
        own = HonourEntry.objects.filter(household=household, struck_at=None).values("list")
        rows = rows.filter(list__in=own, list__status=HonourList.Status.PUBLISHED, starts__lte=today())
    return list(rows.order_by("starts")[:LISTS_MAX])


def draftable(scheme: HonourScheme, most: int = 4) -> list[Period]:
    """Periods that are over and have no list, newest first."""
    if scheme.ended_on is not None:
        return []
    done = set(scheme.lists.exclude(status=HonourList.Status.DROPPED).values_list("period", flat=True))
    time = previous_period(period_of(today(), scheme.period_kind))
    found = []
    for _ in range(most):
        if time.end < scheme.resolved_on.replace(month=1, day=1):
            break
        if time.code not in done:
            found.append(time)
        time = previous_period(time)
    return found


def not_closed(place: str, period: Period) -> list[str]:
    """Titles of the settlement periods in it whose books are still open: more points may come. Two queries."""
    book = in_force(place, min(period.end, today()))
    if book is None:
        return []
    closed = set(closed_periods(place))
    rows = periods_between(max(period.start, book.valid_from), period.end, book.settlement)
    return [one.title for one in rows if one.end <= period.end and one.code not in closed]
