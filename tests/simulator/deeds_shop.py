"""积分超市: deliveries, redemptions, orders that are collected, called off or forgotten, counts with a second signature.

Only in lives with a shop (`--shop`, and in `make soak`): the others stay what their seeds always were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.simulator.deeds import OK, REFUSED, Deed, Step, agree, deed, new_id
from tests.simulator.model import House, Village, World

GOODS = {"A": 20, "B": 50, "C": 90}
"""Code → price, hundredths. What a thing costs in fen is the same number."""
HOLD_DAYS = 2


@dataclass
class Shelf:
    stock: int = 0
    reserved: int = 0


@dataclass
class Order:
    house: str
    lines: dict[str, int]
    points: int
    status: str
    expires: date


@dataclass
class Count:
    """What a count that waits for its signature says: code → (by the book then, found)."""

    id: str
    lines: dict[str, tuple[int, int]]


@dataclass
class Shop:
    """A village's shop in plain Python."""

    goods: dict[str, Shelf] = field(default_factory=lambda: {code: Shelf() for code in GOODS})
    orders: dict[str, Order] = field(default_factory=dict)
    priced: set[int] = field(default_factory=set)
    cash: int = 0
    count: Count | None = None

    def of(self, status: str) -> dict[str, Order]:
        return {key: one for key, one in self.orders.items() if one.status == status}


def in_shop(weight: int) -> Any:
    """A deed that needs a shop."""

    def put(function: Deed) -> Deed:
        function.shop = True  # type: ignore[attr-defined]
        return deed(weight)(function)

    return put


@in_shop(40)
def open_the_shop(world: World, village: Village) -> Step | None:
    if village.shop is not None:
        return None
    args = {"by": village.clerk, "place": village.place, "goods": GOODS, "fen": 500_000, "hold": HOLD_DAYS}

    def then(_: Any) -> None:
        village.shop = Shop(cash=500_000)

    return Step("open_the_shop", args, [village.place], OK, then, lost="refused")


@in_shop(30)
def price_list(world: World, village: Village) -> Step | None:
    """Prices of a year; once published they stay."""
    shop, year = village.shop, world.today.year
    if shop is None or (year in shop.priced and world.rng.random() < 0.97):
        return None
    may = year not in shop.priced
    args = {"by": village.clerk, "place": village.place, "year": year, "goods": GOODS}
    return Step("price_list", args, [village.place], OK if may else REFUSED,
                (lambda _: shop.priced.add(year)) if may else None, lost="refused")  # fmt: skip


@in_shop(14)
def stock_in(world: World, village: Village) -> Step | None:
    """A delivery that the fund pays; more than the fund has is refused."""
    shop = village.shop
    if shop is None:
        return None
    code, pieces = world.rng.choice(sorted(GOODS)), world.rng.randint(1, 9)
    fen = pieces * GOODS[code]
    if world.rng.random() < 0.06:
        fen = shop.cash + 1
    may = fen <= shop.cash
    args = {
        "by": village.clerk,
        "place": village.place,
        "id": new_id(world),
        "good": code,
        "pieces": pieces,
        "fen": fen,
    }

    def then(said: int) -> None:
        agree(said, pieces, "pieces of a delivery")
        shop.goods[code].stock += pieces
        shop.cash -= fen

    return Step("stock_in", args, [village.place], OK if may else REFUSED, then if may else None, twice=True)


def wished(world: World, village: Village) -> tuple[House, dict[str, int], int, bool] | None:
    """A household (not the clerk's own), what it wants, what that costs, and whether it may have it."""
    shop = village.shop
    if shop is None or world.today.year not in shop.priced:
        return None
    homes = [one for one in village.houses.values() if one.code[1:] != "001"]
    if world.rng.random() < 0.8:
        homes = [one for one in homes if one.free >= 200] or homes
    house = world.rng.choice(homes)
    lines = {
        code: world.rng.randint(1, 2) for code in world.rng.sample(sorted(GOODS), world.rng.randint(1, 2))
    }
    points = sum(GOODS[code] * pieces for code, pieces in lines.items())
    there = all(
        shop.goods[code].stock - shop.goods[code].reserved >= pieces for code, pieces in lines.items()
    )
    return house, lines, points, house.open and there and house.free >= points


@in_shop(70)
def redeem(world: World, village: Village) -> Step | None:
    """Over the counter; sold out, too few points, a household that left or another price: refused, nothing moved."""
    found = wished(world, village)
    if found is None:
        return None
    house, lines, points, may = found
    wrong = world.rng.random() < 0.05
    if not may and world.rng.random() < 0.95:
        return None
    args = {"by": village.clerk, "place": village.place, "id": new_id(world), "house": house.code, "lines": lines,
            "prices": {code: GOODS[code] + wrong for code in lines}}  # fmt: skip
    may = may and not wrong

    def then(said: Any) -> None:
        agree(said[1], "handed_over", "a redemption")
        for code, pieces in lines.items():
            village.shop.goods[code].stock -= pieces
        house.debits += points
        village.shop.orders[args["id"]] = Order(house.code, lines, points, "handed_over", world.today)

    return Step("redeem", args, [village.place], OK if may else REFUSED, then if may else None, twice=True)


@in_shop(55)
def reserve(world: World, village: Village) -> Step | None:
    """An order called in to the clerk: points and goods are set aside."""
    found = wished(world, village)
    if found is None:
        return None
    house, lines, points, may = found
    if not may and world.rng.random() < 0.95:
        return None
    args = {
        "by": village.clerk,
        "place": village.place,
        "id": new_id(world),
        "house": house.code,
        "lines": lines,
    }
    until = world.today + timedelta(days=HOLD_DAYS)

    def then(said: Any) -> None:
        agree(said[1], until.isoformat(), "an order waits until")
        for code, pieces in lines.items():
            village.shop.goods[code].reserved += pieces
        house.reserved += points
        village.shop.orders[args["id"]] = Order(house.code, lines, points, "reserved", until)

    return Step("reserve", args, [village.place], OK if may else REFUSED, then if may else None, twice=True)


def ended(village: Village, order: Order, status: str) -> None:
    """Points and goods that were set aside are free again, or gone for good."""
    house = village.houses[order.house]
    house.reserved -= order.points
    for code, pieces in order.lines.items():
        village.shop.goods[code].reserved -= pieces
        village.shop.goods[code].stock -= pieces if status == "handed_over" else 0
    house.debits += order.points if status == "handed_over" else 0
    order.status = status


def one_order(world: World, village: Village, do: str, status: str) -> Step | None:
    """Collect or call off; an order that has ended the other way is refused."""
    if village.shop is None:
        return None
    rows = village.shop.of("reserved")
    may = True
    if world.rng.random() < 0.12:
        others = {"handed_over", "cancelled", "expired"} - {status}
        rows = {key: one for key, one in village.shop.orders.items() if one.status in others}
        may = False
    if not rows:
        return None
    key = world.rng.choice(list(rows))

    def then(said: str) -> None:
        agree(said, status, do)
        ended(village, rows[key], status)

    return Step(do, {"by": village.clerk, "order": key}, [village.place], OK if may else REFUSED, then if may else None,
                twice=True)  # fmt: skip


@in_shop(40)
def hand_over(world: World, village: Village) -> Step | None:
    return one_order(world, village, "hand_over", "handed_over")


@in_shop(16)
def cancel_order(world: World, village: Village) -> Step | None:
    return one_order(world, village, "cancel_order", "cancelled")


@in_shop(20)
def expire_orders(world: World, village: Village) -> Step | None:
    """The daily job; running it again finds nothing."""
    if village.shop is None or not village.shop.of("reserved"):
        return None
    due = [one for one in village.shop.of("reserved").values() if one.expires < world.today]
    if not due and world.rng.random() < 0.8:
        return None

    def then(said: int) -> None:
        agree(said, len(due), "orders nobody came for")
        for one in due:
            ended(village, one, "expired")

    return Step("expire_orders", {"place": village.place}, [village.place], OK, then, lost="never")


@in_shop(8)
def ask_count(world: World, village: Village) -> Step | None:
    """Counting; a second sheet while one waits is refused."""
    shop = village.shop
    if shop is None or (shop.count is not None and world.rng.random() < 0.8):
        return None
    may = shop.count is None
    lines = {}
    for code in world.rng.sample(sorted(GOODS), 2):
        book = shop.goods[code].stock
        lines[code] = (book, max(shop.goods[code].reserved, book + world.rng.choice([0, 0, -1, 1])))
    args = {"by": village.clerk, "place": village.place, "id": new_id(world),
            "found": {code: found for code, (_, found) in lines.items()}}  # fmt: skip

    def then(said: str) -> None:
        agree(said, args["id"], "a count")
        shop.count = Count(args["id"], lines)

    return Step("ask_count", args, [village.place], OK if may else REFUSED, then if may else None)


@in_shop(14)
def sign_count(world: World, village: Village) -> Step | None:
    """The second signature; where the shelf moved since, agreeing is refused and the sheet goes back."""
    shop = village.shop
    if shop is None or shop.count is None:
        return None
    count = shop.count
    same = all(shop.goods[code].stock == book and found >= shop.goods[code].reserved
               for code, (book, found) in count.lines.items())  # fmt: skip
    yes = same or world.rng.random() < 0.4
    args = {"by": village.supervisor, "count": count.id, "agree": yes}

    def then(said: str) -> None:
        agree(said, "signed" if yes else "refused", "a count")
        for code, (_, found) in count.lines.items() if yes else ():
            shop.goods[code].stock = found
        shop.count = None

    may = same or not yes
    return Step(
        "sign_count", args, [village.place], OK if may else REFUSED, then if may else None, lost="refused"
    )
