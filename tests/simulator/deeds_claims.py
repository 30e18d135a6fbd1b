"""申报与评议: handed in by villagers, neighbours, clerks, in sheets; decided by those who may, refused to the others."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.simulator.deeds import OK, REFUSED, Step, agree, deed, new_id
from tests.simulator.model import ITEMS, LEVELS, OPEN, Claim, Village, World
from tests.simulator.world import house_of

EASY = ("HJ01", "HJ01", "HJ01", "HJ02", "GY04", "GY05", "GY06")
CLERKS = ("GY01", "ZX01")
FIRST = date(2026, 1, 1)


def a_day(world: World) -> date:
    return max(FIRST, world.today - timedelta(days=world.rng.randint(0, 25)))


def a_house(world: World, village: Village, *, closed: bool = False) -> str | None:
    codes = [house.code for house in village.houses.values() if house.open is not closed]
    return world.rng.choice(codes) if codes else None


def facts(world: World, village: Village, by: str, house: str, item: str, day: date) -> dict[str, Any]:
    args: dict[str, Any] = {
        "by": by, "place": village.place, "house": house, "id": new_id(world), "item": item, "occurred_on": day,
        "channel": "counter" if by == village.clerk else "phone", "text": f"{village.sign}{world.rng.randint(1, 10**6)}",
        "witness": "" if item in ("GY05", "GY06") else f"赵{village.sign}证", "photos": [],
    }  # fmt: skip
    if item == "GY01":
        args |= {"quantity": str(world.rng.randint(1, 15) * 50), "document": f"{village.sign}收据"}
    if item == "HJ02":
        args["photos"] = [world.rng.randint(1, 10**6)]
    if item == "ZX01":
        args |= {"reminded_on": day - timedelta(days=3), "heard": f"{village.sign}已听"}
    return args


def remember(village: Village, args: dict[str, Any], day: date) -> Claim:
    claim = Claim(
        args["id"], args["house"], args["item"], day, args["by"], args, village.version_on(day)[0],
        quantity=int(args.get("quantity") or 0), photo=bool(args["photos"]),
    )  # fmt: skip
    village.claims[claim.id] = claim
    return claim


@deed(30)
def claim(world: World, village: Village) -> Step | None:
    """By the household, a neighbour or the clerk; sometimes for a household that is gone."""
    by = world.rng.choice([village.clerk, village.clerk, *village.people("villager")])
    closed = world.rng.random() < 0.04
    house = a_house(world, village, closed=closed)
    if house is None:
        return None
    if not closed and by != village.clerk and world.rng.random() < 0.5:
        house = house_of(by)
    item = world.rng.choice(EASY + (CLERKS if by == village.clerk else ()))
    day = a_day(world)
    args = facts(world, village, by, house, item, day)
    then = (
        None if closed else lambda number: (remember(village, args, day), agree(number > 0, True, "number"))
    )
    return Step("claim", args, [village.place], REFUSED if closed else OK, then, twice=True)


@deed(4)
def claim_again(world: World, village: Village) -> Step | None:
    """The same key once more: the same body gets the same claim, another body is refused."""
    if not village.claims:
        return None
    old = world.rng.choice([one for one in village.claims.values() if not one.args.get("sheet")] or [None])  # type: ignore[list-item]
    if old is None:
        return None
    changed = world.rng.random() < 0.5
    args = {**old.args, "text": old.args["text"] + "改"} if changed else old.args
    return Step(
        "claim", args, [village.place], REFUSED if changed else OK, say=f"claim_again changed={changed}"
    )


@deed(3)
def foreign_claim(world: World, village: Village) -> Step | None:
    """Somebody of another village tries: for a household here, nothing must happen."""
    other = world.rng.choice([one for one in world.villages if one is not village])
    by = world.rng.choice([other.clerk, *other.people("villager")])
    house = a_house(world, village)
    assert house is not None
    return Step("claim", facts(world, village, by, house, "HJ01", a_day(world)), [village.place], REFUSED)


@deed(2)
def too_old_or_too_new(world: World, village: Village) -> Step | None:
    """A day in the future, or before any book: refused."""
    house = a_house(world, village)
    assert house is not None
    day = world.rng.choice([world.today + timedelta(days=world.rng.randint(1, 400)), date(2025, 6, 1)])
    return Step("claim", facts(world, village, village.clerk, house, "HJ01", day), [village.place], REFUSED)


@deed(3)
def sheet(world: World, village: Village) -> Step | None:
    """Excel: all rows or none; the same sheet again is recognised."""
    if village.imports and world.rng.random() < 0.4:
        old = world.rng.choice(village.imports)
        return Step(
            "import_sheet", old["args"], [village.place], OK,
            lambda said: agree([said["ids"], said["repeated"]], [[], True], "sheet again"), say="sheet again",
        )  # fmt: skip
    rows = []
    for n in range(world.rng.randint(2, 8)):
        house = a_house(world, village)
        assert house is not None
        rows.append(
            [
                house,
                "HJ01",
                a_day(world).isoformat(),
                f"{village.sign}表{world.count}-{n}",
                f"赵{village.sign}",
            ]
        )
    world.count += 1
    bad = world.rng.random() < 0.25
    if bad:
        rows[-1][0] = "0000"
    args = {"by": village.clerk, "place": village.place, "rows": rows}

    def then(said: dict[str, Any]) -> None:
        agree((len(said["ids"]), said["errors"] > 0), (0 if bad else len(rows), bad), "sheet")
        for id, code, day in said["ids"]:
            facts = {
                "id": id,
                "house": code,
                "item": "HJ01",
                "by": village.clerk,
                "photos": [],
                "sheet": True,
            }
            remember(village, facts, date.fromisoformat(day))
        if said["ids"]:
            village.imports.append({"args": args, "ids": said["ids"]})

    return Step("import_sheet", args, [village.place], OK, then, lost="never")


@deed(45)
def review(world: World, village: Village) -> Step | None:
    """One decision by a reviewer or council member who may, or may not."""
    waiting = [one for one in village.claims.values() if one.status in OPEN]
    if not waiting:
        return None
    one = world.rng.choice(waiting)
    level = LEVELS[one.status]
    fits = village.people("council" if level == "council" else "reviewer")
    who = world.rng.choice(fits if world.rng.random() < 0.93 else list(village.roles))
    decision = world.rng.choices(["approve", "refuse", "return"], [90, 5, 5])[0]
    points = None
    if one.item in ("GY04", "GY05") and decision == "approve" and (level != "1" or one.item == "GY05"):
        points = world.rng.choice([100, 300]) if one.item == "GY05" else world.rng.randint(1, 20) * 100
    args = {
        "by": who,
        "claim": one.id,
        "decision": decision,
        "points": points,
        "reason": "" if decision == "approve" else "不清楚",
    }
    allowed = village.may_review(who, one, house_of(who))
    return Step(
        "review", args, [village.place], OK if allowed else REFUSED,
        (lambda said: decide(one, level, who, decision, points, said)) if allowed else None, lost="refused",
    )  # fmt: skip


def decide(one: Claim, level: str, who: str, decision: str, points: int | None, said: Any = None) -> None:
    """The model's own course of a claim."""
    first = next((given for at, _, given in reversed(one.reviews) if at == "1" and given is not None), points)
    one.reviews.append((level, who, points))
    need = ITEMS[one.item][1]
    decided = None
    if decision == "return":
        status = "returned"
    elif decision == "refuse":
        status = "refused"
    elif level == "1" and need == "council":
        status = "council"
    elif level == "1" and need == "2":
        status = "second_review"
    elif level == "2" and points is not None and first != points:
        status = "council"
    else:
        status, decided = "approved", points
    one.status, one.decided = status, decided
    if said is not None:
        agree(tuple(said), (status, decided), f"review of {one.id}")


@deed(14)
def review_batch(world: World, village: Village) -> Step | None:
    """One reviewer approves what waits for a first look, each line on its own merits."""
    who = world.rng.choice(village.people("reviewer"))
    rows = [
        one
        for one in village.claims.values()
        if one.status == "submitted" and one.item in ("HJ01", "HJ02", "GY01", "GY06", "ZX01")
    ]
    if len(rows) < 3:
        return None
    ids = [one.id for one in world.rng.sample(rows, min(len(rows), 12))]
    may = {id: village.may_review(who, village.claims[id], house_of(who)) for id in ids}

    def then(said: list[Any]) -> None:
        agree({id: error is None for id, _, error in said}, may, "review of many")
        for id, status, error in said:
            if error is None:
                decide(village.claims[id], "1", who, "approve", None)
                agree(status, village.claims[id].status, "status after review of many")

    return Step(
        "review_batch",
        {"by": who, "place": village.place, "ids": ids},
        [village.place],
        OK,
        then,
        lost="never",
    )


@deed(3)
def withdraw(world: World, village: Village) -> Step | None:
    """Taken back before it is decided, by whoever handed it in; later it is too late."""
    rows = [one for one in village.claims.values() if not one.args.get("sheet")]
    if not rows:
        return None
    one = world.rng.choice(rows)
    may = one.status in ("submitted", "returned")
    return Step("withdraw", {"by": one.by, "claim": one.id}, [village.place], OK if may else REFUSED,
                (lambda said: setattr(one, "status", said)) if may else None, lost="refused")  # fmt: skip


@deed(5)
def resubmit(world: World, village: Village) -> Step | None:
    """What was returned comes again with more words, if the household is still there."""
    rows = [one for one in village.claims.values() if one.status == "returned" and not one.args.get("sheet")]
    if not rows:
        return None
    one = world.rng.choice(rows)
    may = village.houses[one.house].open and world.today - one.on <= timedelta(days=90)
    args = {"by": one.by, "claim": one.id, "text": f"{village.sign}再报{world.rng.randint(1, 999)}"}
    return Step("resubmit", args, [village.place], OK if may else REFUSED,
                (lambda said: setattr(one, "status", said)) if may else None, lost="refused")  # fmt: skip


@deed(1)
def recuse(world: World, village: Village) -> Step | None:
    """A reviewer declares a tie; from then on those cases are closed to them."""
    who = world.rng.choice(village.people("reviewer"))
    house = a_house(world, village)
    assert house is not None
    if len([tie for tie in village.ties if tie[1] == house]) >= 2:
        return None
    return Step("recuse", {"by": who, "place": village.place, "house": house}, [village.place], OK,
                lambda said: village.ties.add((who, house)))  # fmt: skip
