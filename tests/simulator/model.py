"""The villages in plain Python: what every balance, claim and line should be. Knows nothing of the product's code.

Amounts are hundredths of a point, as in the books.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

SWEEPS_A_MONTH = 3
OPEN = ("submitted", "second_review", "council")
COUNTED = ("posted", "on_notice", "held")
# item → (points or None for those reviewers set, review, purses)
BOTH = ("merit", "spend")
ITEMS: dict[str, tuple[int | None, str, tuple[str, ...]]] = {
    "HJ01": (200, "1", BOTH),
    "HJ02": (300, "1", BOTH),
    "GY01": (100, "1", BOTH),
    "GY04": (None, "council", BOTH),
    "GY05": (None, "2", BOTH),
    "GY06": (100, "1", ("merit",)),
    "ZX01": (-500, "2", BOTH),
}
LEVELS = {"submitted": "1", "second_review": "2", "council": "council"}
ROLE_OF_LEVEL = {"1": "reviewer", "2": "reviewer", "council": "council"}


@dataclass
class House:
    """credits: spend points received, by the day they count for; the rest follows."""

    code: str
    group: str
    members: int
    open: bool = True
    heir: str = ""
    merit: int = 0
    credits: list[tuple[date, int]] = field(default_factory=list)
    debits: int = 0
    reserved: int = 0

    @property
    def spend(self) -> int:
        return sum(amount for _, amount in self.credits) - self.debits

    @property
    def free(self) -> int:
        return self.spend - self.reserved

    def lapsing(self, until: date) -> int:
        """What of the points received up to a day is still there, oldest used first."""
        old = sum(amount for day, amount in self.credits if day <= until)
        return max(0, min(self.free, old - self.debits - self.reserved))

    def earn(self, points: int, on: date, purses: tuple[str, ...]) -> None:
        if "merit" in purses:
            self.merit += points
        if "spend" in purses:
            self.credits.append((on, points))

    def lose(self, points: int, purses: tuple[str, ...] = BOTH) -> dict[str, int]:
        """Stops at zero in either purse; what was really taken."""
        taken = {}
        if "merit" in purses:
            taken["merit"] = min(points, max(self.merit, 0))
            self.merit -= taken["merit"]
        if "spend" in purses:
            taken["spend"] = min(points, self.free)
            self.debits += taken["spend"]
        return taken


@dataclass
class Claim:
    id: str
    house: str
    item: str
    on: date
    by: str
    args: dict
    version: int
    quantity: int = 0
    status: str = "submitted"
    reviews: list[tuple[str, str, int | None]] = field(default_factory=list)
    decided: int | None = None
    awarded: int = 0
    posted_to: str = ""
    reversed: bool = False
    photo: bool = False

    @property
    def purses(self) -> tuple[str, ...]:
        return ITEMS[self.item][2]


@dataclass
class Line:
    claim: str
    points: int
    status: str = "shown"


@dataclass
class Notice:
    period: str
    closes: date
    open: bool = True
    lines: dict[str, Line] = field(default_factory=dict)


@dataclass
class Objection:
    id: str
    claim: str
    open: bool = True
    acknowledged: bool = False


@dataclass
class Announced:
    on: date
    until: date


@dataclass
class Phone:
    """The clerk's phone: records not yet sent, how far its clock is off, and what the server said."""

    clock_off: timedelta = timedelta()
    queue: list[dict] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)


@dataclass
class Village:
    n: int
    place: str
    sign: str
    roles: dict[str, str]
    books: list[tuple[date, int]]
    houses: dict[str, House] = field(default_factory=dict)
    ties: set[tuple[str, str]] = field(default_factory=set)
    claims: dict[str, Claim] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    objections: dict[str, Objection] = field(default_factory=dict)
    announced: Announced | None = None
    expired: set[tuple[date, str]] = field(default_factory=set)
    phone: Phone = field(default_factory=Phone)
    imports: list[dict] = field(default_factory=list)
    next_code: int = 901
    shop: Any = None
    """deeds_shop.Shop once it is open."""

    def people(self, role: str) -> list[str]:
        return [name for name, held in self.roles.items() if held == role]

    @property
    def clerk(self) -> str:
        return self.people("clerk")[0]

    @property
    def supervisor(self) -> str:
        return self.people("supervisor")[0]

    @property
    def open_notice(self) -> Notice | None:
        return next((notice for notice in self.notices if notice.open), None)

    def version_on(self, day: date) -> tuple[int, int]:
        """Version number and what sweeping the road brings on that day."""
        n = max(n for n, (start, _) in enumerate(self.books) if start <= day)
        return n, self.books[n][1]

    def heir_of(self, code: str) -> str | None:
        for _ in range(5):
            house = self.houses[code]
            if house.open:
                return code
            if not house.heir:
                return None
            code = house.heir
        return None

    def may_review(self, who: str, claim: Claim, own_house: str) -> bool:
        level = LEVELS.get(claim.status)
        return (
            level is not None
            and self.roles.get(who) == ROLE_OF_LEVEL[level]
            and claim.by != who
            and claim.house != own_house
            and (who, claim.house) not in self.ties
            and not any(name == who and at != level for at, name, _ in claim.reviews)
        )

    def worth(self, claim: Claim) -> int:
        """Before caps."""
        if claim.decided is not None:
            return claim.decided
        if claim.item == "HJ01":
            return self.version_on(claim.on)[1]
        if claim.item == "GY01":
            return min(claim.quantity // 100, 10) * 100
        points = ITEMS[claim.item][0]
        assert points is not None
        return points

    def freeze(self, claims: list[Claim]) -> dict[str, int]:
        """What a notice should show for these claims, in the order of the day: three sweepings a month count."""
        counted: dict[tuple[str, int, str], int] = {}
        for claim in self.claims.values():
            if claim.item == "HJ01" and claim.status in COUNTED and claim.awarded:
                key = (claim.house, claim.version, f"{claim.on:%Y-%m}")
                counted[key] = counted.get(key, 0) + 1
        found = {}
        for claim in sorted(claims, key=lambda one: (one.on, one.id)):
            points = self.worth(claim)
            if claim.item == "HJ01":
                key = (claim.house, claim.version, f"{claim.on:%Y-%m}")
                if counted.get(key, 0) >= SWEEPS_A_MONTH:
                    points = 0
                else:
                    counted[key] = counted.get(key, 0) + 1
            found[claim.id] = points
        return found

    def post(self, lines: list[Line]) -> None:
        """Lines go into the books, in the order of the day; of households that left for good nothing is posted."""
        for line in sorted(lines, key=lambda one: (self.claims[one.claim].on, one.claim)):
            claim = self.claims[line.claim]
            owner = self.heir_of(claim.house)
            if owner is None:
                line.status, claim.status, claim.awarded = "dropped", "dropped", 0
                continue
            line.status, claim.status, claim.posted_to = "posted", "posted", owner
            if line.points > 0:
                self.houses[owner].earn(line.points, claim.on, claim.purses)
            elif line.points < 0:
                self.houses[owner].lose(-line.points, claim.purses)


@dataclass
class World:
    seed: int
    now: datetime
    villages: list[Village]
    shop: bool = False
    """Whether there are shops in this life."""

    def __post_init__(self) -> None:
        self.rng = random.Random(f"deeds {self.seed}")
        self.count = 0

    @property
    def today(self) -> date:
        return self.now.date()

    def pass_time(self, most: int = 150) -> None:
        """Some minutes; at night until the morning."""
        self.now += timedelta(minutes=self.rng.randint(5, most))
        if self.now.hour >= 20:
            self.sleep(1)

    def sleep(self, days: int) -> None:
        self.now = (self.now + timedelta(days=days)).replace(hour=8, minute=self.rng.randint(0, 30), second=0)

    def village(self) -> Village:
        return self.rng.choice(self.villages)

    def pairs(self) -> Iterator[tuple[Village, Village]]:
        for mine in self.villages:
            for other in self.villages:
                if mine is not other:
                    yield mine, other
