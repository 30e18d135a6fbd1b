"""M-10: no public total from which one family's points can be worked out."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhili.common.aggregates import LEAST_HOUSEHOLDS, Group, publishable, total_publishable

VILLAGES = st.lists(st.integers(0, 40), min_size=1, max_size=12).map(
    lambda sizes: {f"{n}组": Group(size, 100 * size + n) for n, size in enumerate(sizes, start=1)}
)


@pytest.mark.parametrize("size", range(1, LEAST_HOUSEHOLDS))
def test_a_small_group_is_never_shown(size):
    """M-10: nor alone, nor among large ones."""
    assert publishable({"1组": Group(size, 300)}) == {"1组": None}
    shown = publishable({"1组": Group(size, 300), "2组": Group(20, 900), "3组": Group(30, 800)})
    assert shown == {"1组": None, "2组": None, "3组": 800}, "the next smallest goes with it"


def test_large_groups_and_empty_ones_stay():
    groups = {"1组": Group(5, 300), "2组": Group(0, 0), "3组": Group(30, 800)}
    assert publishable(groups) == {"1组": 300, "2组": 0, "3组": 800}


@settings(max_examples=300)
@given(groups=VILLAGES)
def test_subtracting_what_is_shown_from_the_total_leaves_no_small_group(groups):
    """M-10: the differencing attack, with the total and every subset of what is shown."""
    shown = publishable(groups)
    hidden = {name: group for name, group in groups.items() if shown[name] is None}
    assert all(group.households >= LEAST_HOUSEHOLDS or not group.households or name in hidden
               for name, group in groups.items())  # fmt: skip
    if hidden and total_publishable(groups):
        left = [name for name in groups if name not in hidden]
        everything = sum(group.households for group in groups.values())
        for many in range(min(len(left), 3) + 1):
            for known in combinations(left, many):
                behind = everything - sum(groups[name].households for name in known)
                assert behind == 0 or behind >= LEAST_HOUSEHOLDS
        behind = everything - sum(groups[name].households for name in left)
        filled = [name for name in groups if groups[name].households]
        assert behind >= LEAST_HOUSEHOLDS and (len(hidden) >= 2 or len(filled) == 1)
