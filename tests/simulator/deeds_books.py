"""台账、户、细则: reversals, households that split, merge, move, lose somebody; points that lapse; a new book."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.simulator.deeds import OK, REFUSED, Step, agree, deed
from tests.simulator.model import Announced, House, Village, World
from tests.simulator.world import HOUSEHOLDS, VILLAGERS, code_of


@deed(8)
def reverse_award(world: World, village: Village) -> Step | None:
    """A posted award is taken back, once; the household that holds it must still be there."""
    rows = [one for one in village.claims.values() if one.status == "posted" and one.awarded > 0]
    if not rows:
        return None
    one = world.rng.choice(rows)
    may = not one.reversed  # of a closed household nothing is left to take: the whole is recorded as short
    if not may and world.rng.random() < 0.7:
        return None
    args = {
        "by": village.clerk, "approved_by": village.supervisor, "place": village.place, "claim": one.id,
        "purses": list(one.purses), "reason": f"日期记错{world.rng.randint(1, 10**6)}",
    }  # fmt: skip

    def then(count: int) -> None:
        agree(count, len(one.purses), "lines of a reversal")
        one.reversed = True
        village.houses[one.posted_to].lose(one.awarded, one.purses)

    return Step("reverse_award", args, [village.place], OK if may else REFUSED, then if may else None,
                lost="same")  # fmt: skip


def ordinary(village: Village) -> list[House]:
    """Open households without a log-in in them: those that split, merge and move."""
    fixed = {code_of(village.n, number) for number in [*range(1, 11), *VILLAGERS]}
    rows = [house for house in village.houses.values() if house.open and house.code not in fixed]
    return [house for house in rows if not house.reserved]  # with an order waiting nobody leaves


@deed(1)
def split(world: World, village: Village) -> Step | None:
    """Two brothers divide the yard: whole hundredths, rounded down, go along."""
    rows = [house for house in ordinary(village) if house.members >= 1]
    if not rows or len(village.houses) > HOUSEHOLDS + 12:
        return None
    old = world.rng.choice(rows)
    share = world.rng.choice([0, 33, 50, 100])
    code = f"{village.n + 1}{village.next_code}"
    args = {"by": village.clerk, "place": village.place, "house": old.code, "code": code, "share": share}
    village.next_code += 1
    day = world.today

    def then(said: str) -> None:
        agree(said, code, "the new household's number")
        new = village.houses[code] = House(code, old.group, members=0)
        old.members -= 1
        part = {"merit": old.merit * share // 100, "spend": min(old.spend * share // 100, old.free)}
        hand_over(old, new, part, day)

    return Step("split", args, [village.place], OK, then, lost="refused")


def hand_over(old: House, new: House | None, part: dict[str, int], day: date) -> None:
    old.merit -= part["merit"]
    old.debits += part["spend"]
    if new is not None:
        new.merit += part["merit"]
        if part["spend"]:
            new.credits.append((day, part["spend"]))


@deed(1)
def merge(world: World, village: Village) -> Step | None:
    rows = ordinary(village)
    if len(rows) < 12:
        return None
    old, into = world.rng.sample(rows, 2)
    day = world.today

    def then(said: str) -> None:
        agree(said, into.code, "merged into")
        hand_over(old, into, {"merit": old.merit, "spend": old.spend}, day)
        into.members += old.members + 1
        old.open, old.heir, old.members = False, into.code, 0

    args = {"by": village.clerk, "place": village.place, "house": old.code, "into": into.code}
    return Step("merge", args, [village.place], OK, then, lost="refused")


@deed(1)
def move(world: World, village: Village) -> Step | None:
    """The household leaves and its points with it."""
    rows = ordinary(village)
    if len(rows) < 15 or world.rng.random() < 0.5:
        return None
    old = world.rng.choice(rows)

    def then(_: Any) -> None:
        hand_over(old, None, {"merit": old.merit, "spend": old.spend}, world.today)
        old.open, old.members = False, 0

    return Step("move", {"by": village.clerk, "place": village.place, "house": old.code}, [village.place], OK, then,
                lost="refused")  # fmt: skip


@deed(1)
def death(world: World, village: Village) -> Step | None:
    """Somebody dies who is not the head: the points stay where they are."""
    rows = [house for house in ordinary(village) if house.members > 1]
    if not rows or world.rng.random() < 0.5:
        return None
    one = world.rng.choice(rows)
    args = {"by": village.clerk, "place": village.place, "house": one.code, "on": world.today.isoformat()}
    return Step(
        "death", args, [village.place], OK, lambda _: setattr(one, "members", one.members - 1), lost="never"
    )


@deed(5)
def announce(world: World, village: Village) -> Step | None:
    """Points will lapse in thirty days or more; nothing to lapse, or too near a day, is refused."""
    until = world.today - timedelta(days=world.rng.randint(5, 40))
    day = world.today + timedelta(days=world.rng.choice([30, 31, 33]))
    near = world.rng.random() < 0.1
    if near:
        day = world.today + timedelta(days=29)
    due = sum(house.lapsing(until) for house in village.houses.values() if house.open)
    may = not near and village.announced is None and due > 0
    if not may and world.rng.random() < 0.8:
        return None
    args = {"by": village.clerk, "place": village.place, "on": day.isoformat(), "until": until.isoformat()}

    def then(points: int) -> None:
        agree(points, due, "points that would lapse")
        village.announced = Announced(day, until)

    return Step(
        "announce", args, [village.place], OK if may else REFUSED, then if may else None, lost="refused"
    )


@deed(10)
def lapse(world: World, village: Village) -> Step | None:
    """On its day what was announced lapses, as much of it as is left."""
    said = village.announced
    if said is None:
        return None
    may = world.today >= said.on
    if not may and world.rng.random() < 0.9:
        return None

    def then(count: int) -> None:
        rows = [
            (house, house.lapsing(said.until))
            for house in village.houses.values()
            if house.open and (said.until, house.code) not in village.expired
        ]
        rows = [(house, points) for house, points in rows if points > 0]
        agree(count, len(rows), "households whose points lapse")
        for house, points in rows:
            house.debits += points
            village.expired.add((said.until, house.code))
        village.announced = None

    return Step("lapse", {"by": village.clerk, "place": village.place}, [village.place], OK if may else REFUSED,
                then if may else None, lost="never")  # fmt: skip


@deed(1)
def new_book(world: World, village: Village) -> Step | None:
    """From the first of next month sweeping the road brings another number of points."""
    start = (world.today.replace(day=1) + timedelta(days=32)).replace(day=1)
    if village.books[-1][0] >= start or len(village.books) >= 4:
        return None
    sweep = world.rng.choice([1, 2, 3, 4])
    args = {"place": village.place, "sign": village.sign, "sweep": sweep, "on": start.isoformat()}
    return Step("new_book", args, [village.place], OK, lambda _: village.books.append((start, sweep * 100)),
                lost="never")  # fmt: skip


@deed(4)
def sleep(world: World, village: Village) -> Step | None:
    """Nothing happens for some days."""
    return Step("sleep", {"days": world.rng.randint(1, 5)}, [], None)
