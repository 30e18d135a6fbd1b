"""Looking: members at the API, of their own village and of another; anybody at the open pages; the same month told
by passbook, books, totals and API (L-14)."""

from __future__ import annotations

from typing import Any

from tests.simulator.checks import foreign, leaks
from tests.simulator.deeds import OK, Disagree, Step, agree, deed
from tests.simulator.model import Village, World

ROOT = "/api/v1"
API = ("claims", "notices", "balances", "totals?period=2026-01", "households", "review-queue", "objections")


@deed(7)
def look(world: World, village: Village) -> Step | None:
    """A member sees the own village and never a sign of another; of another's addresses only that there is nothing."""
    by = world.rng.choice(
        [village.clerk, village.supervisor, village.people("villager")[0], village.people("council")[0]]
    )
    other = world.rng.choice([one for one in world.villages if one is not village])
    mine = [f"{ROOT}/villages/{village.place}/{path}" for path in world.rng.sample(API, 3)]
    theirs = [f"{ROOT}/villages/{other.place}/{path}" for path in world.rng.sample(API, 2)]
    ids = [one for one in other.claims] or ["0" * 8 + "-0000-7000-8000-" + "0" * 12]
    theirs.append(f"{ROOT}/claims/{world.rng.choice(ids)}")

    def then(pages: list[Any]) -> None:
        for path, status, text in pages:
            words = foreign(world, village.place, text.replace(path, ""))
            if words:
                raise Disagree(f"{path} showed another village's {words} to {by}: {text[:300]}")
            if path in theirs and status not in (403, 404):
                raise Disagree(f"{path} answered {status} to {by}")
            if status >= 500:
                raise Disagree(f"{path} answered {status}")

    return Step("look", {"by": by, "paths": mine + theirs}, [village.place], OK, then, lost="never")


@deed(6)
def look_open(world: World, village: Village) -> Step | None:
    """No digits of an ID card or a phone on anything public; nothing of another village."""
    paths = [
        f"/open/{village.place}/",
        f"/open/{village.place}/notices/",
        f"{ROOT}/open/villages/{village.place}/heads",
    ]
    paths += [f"/open/{village.place}/notices/{n}/" for n in range(1, len(village.notices) + 1)][-2:]

    def then(pages: list[Any]) -> None:
        for path, status, text in pages:
            found = leaks(text)
            if found:
                raise Disagree(f"{path}: digits in public: {found}")
            words = foreign(world, village.place, text)
            if words or status >= 500:
                raise Disagree(f"{path} ({status}) showed another village's {words}")

    return Step("look_open", {"paths": paths}, [village.place], OK, then, lost="never")


@deed(4)
def agree_everywhere(world: World, village: Village) -> Step | None:
    """L-14: one household and one month, asked of everybody who tells about them."""
    house = world.rng.choice(list(village.houses.values()))
    period = world.rng.choice(["2026-01", "2026-02", "2026-03"])
    args = {"by": village.clerk, "place": village.place, "period": period, "house": house.code}

    def then(said: dict[str, Any]) -> None:
        thought = {"merit": house.merit, "spend": house.spend}
        for who in ("passbook", "lines", "balances", "api"):
            agree(said[who], thought, f"{who} of {house.code}")
        agree(said["households"], said["whole"], f"totals of {period} by household and as a whole")
        agree(said["api_totals"], said["whole"], f"totals of {period} over the API")
        agree(
            said["shown"], {one.code: one.spend for one in village.houses.values()}, "balances of the village"
        )

    return Step("agree_everywhere", args, [village.place], OK, then, lost="never")
