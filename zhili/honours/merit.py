"""What households earned in merit in a period: the figure behind every honour.

Read from the ledger's totals of the settlement periods that end in the period, less what has been taken back of them
since (zhili/ledger/undone.py). Not counted: points carried over, moved with a household or corrected away. Where the
rule book is by person, a household has what its people have; a household merged into another brings its points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args
from uuid import UUID

from zhili.common.periods import Kind, Period, periods_between
from zhili.ledger.queries import period_totals
from zhili.ledger.undone import undone
from zhili.people.models import Household, Resident

PURSE: Final = "merit"
SIZES: Final[tuple[Kind, ...]] = get_args(Kind)
MERGERS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Merit:
    """Hundredths. earned: awards and opening points; lost: deductions. Both without what was taken back."""

    earned: int = 0
    lost: int = 0

    def counted(self, counts: str) -> int:
        """By the scheme's word: "earned", or "net"."""
        return self.earned if counts == "earned" else self.earned - self.lost


def codes_within(period: Period) -> list[str]:
    """The settlement periods, of every size up to this one's, that end within the period."""
    found = []
    for kind in SIZES[: SIZES.index(period.kind) + 1]:
        rows = periods_between(period.start, period.end, kind)
        found += [one.code for one in rows if period.start <= one.end <= period.end]
    return found


def merit_of(place: str, period: Period) -> dict[UUID, Merit]:
    """Household → what it has, for every open household of the village in order of group and number. Four statements."""
    codes = codes_within(period)
    earned: dict[UUID, int] = {}
    lost: dict[UUID, int] = {}
    for (owner, _, purse), total in period_totals(place, codes).items():
        if purse == PURSE:
            earned[owner] = earned.get(owner, 0) + total.earned
            lost[owner] = lost.get(owner, 0) + total.deducted
    for (owner, purse, loss), change in undone(place, codes).items():
        if purse == PURSE:
            into = lost if loss else earned
            into[owner] = into.get(owner, 0) + change
    homes, open_ones = _homes(place, earned.keys() | lost.keys())
    result = dict.fromkeys(open_ones, Merit())
    for owner in earned.keys() | lost.keys():
        home = homes.get(owner)
        if home in result:
            had = result[home]
            result[home] = Merit(had.earned + earned.get(owner, 0), had.lost + lost.get(owner, 0))
    return result


def _homes(place: str, owners: set[UUID]) -> tuple[dict[UUID, UUID], list[UUID]]:
    """Owner of points → the open household they count for; and all open households, by group and number."""
    rows = Household.objects.filter(place=place).values_list("pk", "status", "successor", "group", "code")
    known = {pk: (status, successor) for pk, status, successor, _, _ in rows}
    open_ones = sorted(
        (natural(group), natural(code), pk) for pk, status, _, group, code in rows if status in Household.OPEN
    )
    people = dict(
        Resident.objects.filter(place=place, pk__in=[one for one in owners if one not in known]).values_list(
            "pk", "household"
        )
    )
    homes = {owner: _now(known, people.get(owner, owner)) for owner in owners}
    return homes, [pk for _, _, pk in open_ones]


def _now(known: Mapping[UUID, tuple[str, UUID | None]], home: UUID) -> UUID:
    for _ in range(MERGERS_MAX):
        status, successor = known.get(home, ("", None))
        if status in Household.OPEN or successor is None:
            break
        home = successor
    return home


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key: 2组 before 10组."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
