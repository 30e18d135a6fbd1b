"""The Village Simulator in `make test`: fixed seeds; `make soak` draws new ones for hours (docs/simulator.md)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.processes]


def simulate(*asked: str, plant: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulator", *asked], cwd=ROOT, capture_output=True, text=True, timeout=900,
        env={**os.environ, "ZHILI_SIM_PLANT": plant},
    )  # fmt: skip


def life(seed: int, steps: int, *more: str) -> dict[str, Any]:
    done = simulate("--seed", str(seed), "--steps", str(steps), "--json", *more)
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout)


def test_a_life_with_the_power_going_off_ends_like_one_in_peace(record_property: Any) -> None:
    """C-05, C-03, C-08, C-15, L-01, L-05, L-06, T-02: kills, dropped connections, lost and repeated answers, two
    workers at once; after every step every checker; at the end every row of every table is the same, to the byte."""
    rough = life(12, 330)
    calm = life(12, 330, "--no-faults", "--no-checks")
    assert rough["log"] == calm["log"]
    assert rough["digests"] == calm["digests"] and len(rough["digests"]) > 25
    struck = rough["faults"]
    kinds = {what.split(" ")[0] for what in struck}
    assert (
        kinds >= {"kill", "connection", "answer", "two", "delivered", "restart"}
        and sum(struck.values()) >= 40
    )
    assert rough["checks"]["checked"] >= 300 and rough["checks"]["verified"] >= 5
    assert rough["deeds"]["close_notice"] >= 3 and rough["refused"] >= 30
    print(f"seed 12: {rough['steps']} steps, {sum(struck.values())} faults, until {rough['until']}")


@pytest.mark.parametrize("seed, steps", [(11, 260), (1407, 290)])
def test_another_life(seed: int, steps: int) -> None:
    """C-05, C-12, L-01, L-05, L-06, T-02: model and books agree after every step, whatever breaks."""
    found = life(seed, steps)
    assert found["steps"] == steps and sum(found["faults"].values()) >= 30


def test_the_same_seed_is_the_same_life() -> None:
    """C-05: the command a failure prints shows the same steps, the same faults and the same bytes again."""
    first, again = life(77, 70), life(77, 70)
    assert first["log"] == again["log"] and first["digests"] == again["digests"]
    assert first["faults"] == again["faults"] and first["until"] == again["until"]
    other = life(78, 70)
    assert other["log"] != first["log"]


# What is broken on purpose → what the report must name.
PLANTS = {
    "kin": "expected refused, got {'ok'",
    "trace": "was refused and yet changed",
    "foreign": "touched rows of another village",
    "double": "the product says",
    "caps": "lines of",
    "early": "expected refused, got {'ok'",
    "held": "invariant “6",
    "shown": "showed another village",
    "digits": "digits in public",
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(plant: str) -> None:
    """L-01, C-05, A-03: the checkers see what they are there for; seed, commit and the command to replay are printed."""
    done = simulate("--seed", "12", "--steps", "330", plant=plant)
    assert done.returncode == 1, done.stdout[-2000:]
    assert PLANTS[plant] in done.stderr, done.stderr[-3000:]
    assert "seed 12" in done.stderr and "commit " in done.stderr
    assert ".venv/bin/python -m tests.simulator --seed 12 --steps " in done.stderr
