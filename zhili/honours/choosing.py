"""Who is honoured, from points alone. Pure: no database, no clock, the same answer whatever the order of the facts.

Only the top is ever returned: there is no full ranking anywhere in this room, so none can be shown.

Ties stay together. Where the households tied at the last place would carry a list of the first n over half of all
households (a quiet period in which everybody has the same), the tied ones are left out together: a list of nearly
everybody would point at the few who are not on it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rule:
    """kind stars: levels in hundredths, rising, one per star. kind top: the first count, or the first share per cent.

    minimum: hundredths; nobody is honoured for nothing, whatever the rule says.
    """

    kind: str
    levels: tuple[int, ...] = ()
    count: int = 0
    share: int = 0
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Key]):
    """One honoured household. Either stars or rank is above 0. Tied households share a rank: 1, 1, 3."""

    key: Key
    points: int
    stars: int = 0
    rank: int = 0


def choose(rule: Rule, points: Mapping[Key, int]) -> list[Chosen[Key]]:
    """The honoured, best first; equals in the order of `points` (which is that of group and household number)."""
    floor = max(rule.minimum, 1)
    if rule.kind == "stars":
        starred = [
            Chosen(key, value, stars=stars)
            for key, value in points.items()
            if value >= floor and (stars := sum(value >= level for level in rule.levels))
        ]
        return sorted(starred, key=lambda one: -one.stars)
    return _top(rule, points, floor)


def places(rule: Rule, households: int) -> int:
    """How many places a list of the first n has: never more than half of the households."""
    wanted = rule.count or max(1, households * rule.share // 100)
    return min(wanted, households // 2)


def _top(rule: Rule, points: Mapping[Key, int], floor: int) -> list[Chosen[Key]]:
    count = places(rule, len(points))
    able = sorted(((value, key) for key, value in points.items() if value >= floor), key=lambda one: -one[0])
    if not able or count == 0:
        return []
    cut = able[min(count, len(able)) - 1][0]
    taken = [one for one in able if one[0] >= cut]
    if len(taken) > max(count, len(points) // 2):
        taken = [one for one in taken if one[0] > cut]
    values = [value for value, _ in taken]
    return [Chosen(key, value, rank=values.index(value) + 1) for value, key in taken]
