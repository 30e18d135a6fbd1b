"""G-14, G-03: who is honoured, from the table a clerk can read; only ever the top."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from zhili.common.points import parse_points
from zhili.honours.choosing import Rule, choose, places

CASES = yaml.safe_load((Path(__file__).parent / "honoured.yaml").read_text(encoding="utf-8"))


def rule_of(case: dict[str, Any]) -> Rule:
    levels = tuple(parse_points(str(one)) for one in case.get("星级", []))
    return Rule(
        "stars" if levels else "top", levels, case.get("前几名", 0), case.get("前百分之几", 0),
        parse_points(str(case.get("至少", 0))),
    )  # fmt: skip


def points_of(case: dict[str, Any]) -> dict[str, int]:
    return {home: parse_points(str(value)) for home, value in case["points"].items()}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_table(case: dict[str, Any]) -> None:
    """G-14: thresholds, ties, minimum, never nearly everybody."""
    found = choose(rule_of(case), points_of(case))
    assert {one.key: f"{one.stars} 星" if one.stars else f"第 {one.rank}" for one in found} == case[
        "honoured"
    ]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_order_of_the_facts_does_not_matter(case: dict[str, Any]) -> None:
    """G-14: the same households whatever the order they are read in."""
    rule, points = rule_of(case), points_of(case)
    mixed = list(points.items())
    random.Random(7).shuffle(mixed)
    assert {(one.key, one.stars, one.rank) for one in choose(rule, dict(mixed))} == {
        (one.key, one.stars, one.rank) for one in choose(rule, points)
    }


@pytest.mark.parametrize("seed", range(20))
def test_a_top_list_is_the_top_and_at_most_half(seed: int) -> None:
    """G-03: nobody left out has more points than anybody honoured; no list covers more than half of the village."""
    chance = random.Random(seed)
    points = {n: chance.randrange(0, 8) * 100 for n in range(chance.randrange(2, 40))}
    rule = Rule("top", count=chance.randrange(1, 20))
    found = choose(rule, points)
    honoured = {one.key for one in found}
    assert len(found) <= max(len(points) // 2, places(rule, len(points)))
    if found:
        assert max((points[key] for key in points if key not in honoured), default=0) < min(
            one.points for one in found
        )
    assert all(one.points > 0 for one in found)
