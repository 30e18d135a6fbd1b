"""The simulator with a shop in every village: power cuts, lost answers, retries; stock, points, money and orders agree."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.test_kill import program
from tests.simulator.test_simulator import life, simulate

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("simulator_shop")]
SEED, STEPS = 32, 400


@pytest.fixture(scope="module")
def killed() -> dict[str, Any]:
    return program("tests.simulator.kills", str(SEED), str(STEPS), "shop")


def test_killed_at_every_statement_of_the_shop(killed: dict[str, Any]) -> None:
    """C-05, C-13: delivery, redemption, order, hand-over, calling off, expiry, count and its signature: killed before and
    after each statement nothing is there, nor without a row in the audit; done again, every table is equal to the byte."""
    assert killed["different"] == [] and killed["tables"] > 25 and killed["same_steps"]
    assert set(killed["killed"]) == {
        "stock_in", "redeem", "reserve", "hand_over", "cancel_order", "expire_orders", "ask_count", "sign_count"
    }  # fmt: skip
    assert all(n >= 12 for n in killed["killed"].values()), killed["killed"]
    assert all(said == "no ink" for said in killed["no_audit"].values()), killed["no_audit"]


def test_a_life_with_a_shop_ends_like_one_in_peace(killed: dict[str, Any]) -> None:
    """C-05, C-06, C-15, C-18, L-01, L-05, L-06: kills, lost and repeated answers, two workers at once; after every step
    stock is its moves and at least 0, money its entries, points redeemed the orders; the end is that of a life in peace."""
    rough = life(SEED, STEPS, "--shop")
    assert rough["digests"] == killed["digests"]
    done = [line for line in rough["log"] if "refused" not in line.rpartition("→")[2]]
    for deed, least in {"stock_in": 10, "redeem": 15, "reserve": 5, "hand_over": 2, "cancel_order": 2, "expire_orders": 1,
                        "sign_count": 3}.items():  # fmt: skip
        assert sum(f" {deed} " in line for line in done) >= least, deed
    assert rough["checks"]["checked"] >= 350 and sum(rough["faults"].values()) >= 40
    print(
        f"seed {SEED}: {rough['steps']} steps, {sum(rough['faults'].values())} faults, until {rough['until']}"
    )


# "shelf" and "forgot" are found in the same way; one is enough for every day.
@pytest.mark.parametrize(("plant", "words"), [("half", "points redeemed are the orders handed over")])
def test_a_fault_in_the_shop_is_found(plant: str, words: str) -> None:
    """L-01, L-05: goods that go over the table for half the points."""
    done = simulate("--seed", str(SEED), "--steps", str(STEPS), "--shop", plant=plant)
    assert done.returncode == 1, done.stdout[-2000:]
    assert words in done.stderr, done.stderr[-3000:]
    assert f"--seed {SEED} --steps " in done.stderr and " --shop" in done.stderr
