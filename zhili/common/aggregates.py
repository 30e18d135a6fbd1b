"""Totals for the public without showing one family: groups of fewer than five households are not given (M-10).

Hiding the small group alone is not enough: with the village's total and the other groups it can be worked out. So
what is hidden together always holds at least two groups and five households. Publish one breakdown of a number,
not several: two breakdowns can be subtracted from each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

LEAST_HOUSEHOLDS: Final = 5


class Group(NamedTuple):
    """households: how many stand behind the value. value: the total that would be shown."""

    households: int
    value: int


def publishable(groups: Mapping[str, Group], *, least: int = LEAST_HOUSEHOLDS) -> dict[str, int | None]:
    """Group → its value, or None where it may not be shown ("少于 5 户，不单列"). The order is kept.

    Where the hidden groups would be fewer than two or hold fewer than `least` households, the next smallest group is
    hidden with them; where nothing is left to hide, everything is hidden and even the total should not be given.
    """
    hidden = {name for name, group in groups.items() if 0 < group.households < least}
    if hidden:
        rest = sorted(
            (group.households, name)
            for name, group in groups.items()
            if name not in hidden and group.households
        )
        for _, name in rest:
            if len(hidden) >= 2 and sum(groups[one].households for one in hidden) >= least:
                break
            hidden.add(name)
    return {name: None if name in hidden else group.value for name, group in groups.items()}


def total_publishable(groups: Mapping[str, Group], *, least: int = LEAST_HOUSEHOLDS) -> bool:
    """Whether the sum of all groups may be given."""
    return sum(group.households for group in groups.values()) >= least
