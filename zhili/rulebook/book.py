"""The rule book (积分细则) as data: what a village pays points for, how much, how often, and on whose word.

This is the paper that hangs in the village hall, by clause: purses (存折), categories (类别) with their
caps (封顶), and items (项目) whose points come in five shapes. Nothing here reads files or computes scores:
book_yaml.py and workbook.py read and write, calculator.py computes.

Units: every amount of points is an `int` of hundredths; quantities and tier limits are `Decimal`; dates are
local dates. Objects are frozen: a rule book in force never changes, a new version is a new object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal, TypeVar

from zhili.rulebook.errors import RuleBookError

FORMAT: Final = "zhili-rulebook/1"

PERIOD_KINDS: Final = ("day", "week", "month", "two_months", "quarter", "half_year", "year", "ever")
OPENING_KINDS: Final = ("month", "two_months", "quarter", "half_year", "year", "ever")
SETTLEMENTS: Final = ("month", "two_months", "quarter", "half_year", "year")
UNITS: Final = ("household", "resident")
EVIDENCE: Final = ("none", "witness", "photo", "document")
CLAIMANTS: Final = ("self", "neighbour", "clerk")
ROUNDINGS: Final = ("down", "up", "half_up")
EXPIRIES: Final = ("none", "yearly", "years", "after_redemption")

ITEMS_MAX: Final = 500
CATEGORIES_MAX: Final = 50
PURSES_MAX: Final = 8
CAPS_MAX: Final = 8
STEPS_MAX: Final = 50  # tiers or grades of one item
POINTS_MAX: Final = 100_000_00  # 100,000 points: the most one rule may say

# Evidence and review by value (G-04). A village may set them item by item; these hold where it does not.
SMALL_MAX: Final = 5_00
MIDDLE_MAX: Final = 10_00
LARGE_MAX: Final = 30_00

Review = int | Literal["council"]


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `points` hundredths and/or `times` counted events per period. Binds awards and deductions
    each by their own sign, so `points` is always positive."""

    points: int | None
    times: int | None
    every: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """When spendable points lapse. yearly: each year on MM-DD; years: n years after they were earned;
    after_redemption: what the fair day leaves over."""

    policy: str
    on: str | None = None
    years: int | None = None


@dataclass(frozen=True, slots=True)
class Purse:
    """A passbook. Only a spendable purse can be redeemed; only one that says so may fall below zero."""

    code: str
    title: str
    spendable: bool = False
    expiry: Expiry | None = None
    may_go_negative: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """Opening points that every account gets at the start of each period."""

    points: int
    every: str


@dataclass(frozen=True, slots=True)
class Category:
    """A group of items. With `start` it is a block that opens full each period (起评分) and is never taken
    below `floor`. `every` is set exactly when start or floor is."""

    code: str
    title: str
    caps: tuple[Cap, ...] = ()
    start: int | None = None
    floor: int | None = None
    every: str | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """So many points each time."""

    points: int


@dataclass(frozen=True, slots=True)
class PerUnit:
    """`each` points for every `per` `of` (1 point per 100 元). What is rounded is the number of units,
    never the points. `max` limits one event, by size, whatever the sign."""

    each: int
    per: Decimal
    of: str
    round: str = "down"
    max: int | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    from_: Decimal
    points: int


@dataclass(frozen=True, slots=True)
class Tiers:
    """The highest tier reached counts. With `over`, quantities add up within that period and each event
    posts the difference to what was posted before; without it, each event stands alone."""

    of: str
    over: str | None
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Grades:
    """Points by the grade that was awarded (示范户, 清洁户, …)."""

    grades: dict[str, int]


@dataclass(frozen=True, slots=True)
class Range:
    """The reviewers set the points, from min to max."""

    min: int
    max: int


Shape = Fixed | PerUnit | Tiers | Grades | Range


@dataclass(frozen=True, slots=True)
class Item:
    """One clause. evidence, claim_by and review hold what the book says (None or () where it is silent);
    the effective_* properties say what holds then."""

    code: str
    category: str
    title: str
    points: Shape
    caps: tuple[Cap, ...] = ()
    per: str | None = None
    purses: tuple[str, ...] | None = None
    evidence: str | None = None
    claim_by: tuple[str, ...] = ()
    review: Review | None = None
    note: str = ""
    optional: bool = False
    effect: str | None = None
    example: str | None = None

    @property
    def most(self) -> int:
        """The largest award one event can bring, in hundredths; below 0 for a pure deduction."""
        return max(_bounds(self))

    @property
    def least(self) -> int:
        """The smallest award one event can bring; below 0 where the item can take points."""
        return min(_bounds(self))

    @property
    def size(self) -> int:
        """The larger of award and deduction, always positive: what evidence and review go by."""
        return max(abs(self.most), abs(self.least))

    @property
    def is_deduction(self) -> bool:
        """It can only take points, never give."""
        return self.least < 0 and self.most <= 0

    @property
    def deducts(self) -> bool:
        """It can take points."""
        return self.least < 0

    @property
    def effective_evidence(self) -> str:
        return self.evidence_for(self.size)

    @property
    def effective_review(self) -> Review:
        return self.review_for(self.size)

    @property
    def effective_claim_by(self) -> tuple[str, ...]:
        """Nobody reports a deduction against themselves: it comes from the clerk who gave the reminder."""
        if self.claim_by:
            return self.claim_by
        return ("clerk",) if self.is_deduction else CLAIMANTS

    def evidence_for(self, points: int) -> str:
        """The evidence an award of so many hundredths needs: what the book says, else by value."""
        if self.evidence is not None:
            return self.evidence
        return "witness" if abs(points) <= SMALL_MAX else "photo"

    def review_for(self, points: int) -> Review:
        """1, 2 or "council": what the book says, else by value; points set by people go to the council."""
        if self.review is not None:
            return self.review
        if isinstance(self.points, Range) or abs(points) > LARGE_MAX:
            return "council"
        return 1 if abs(points) <= MIDDLE_MAX else 2


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A whole rule book. place is None in a template; effective_to is the last day it holds, None = open."""

    title: str
    place: str | None
    unit: str
    effective_from: date
    effective_to: date | None
    settlement: str
    purses: tuple[Purse, ...]
    base: Base | None
    categories: tuple[Category, ...]
    items: tuple[Item, ...]
    note: str = ""

    def item(self, code: str) -> Item:
        """Raises RuleBookError where the book has no such item."""
        return _find(self.items, code, "项目")

    def category(self, code: str) -> Category:
        return _find(self.categories, code, "类别")

    def purse(self, code: str) -> Purse:
        return _find(self.purses, code, "存折")

    def items_in(self, category: str) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.category == category)

    def purses_of(self, item: Item) -> tuple[str, ...]:
        """Codes of the purses an award of this item goes to: all, unless the item names some."""
        return item.purses if item.purses is not None else tuple(purse.code for purse in self.purses)

    def in_force_on(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


Named = TypeVar("Named", Item, Category, Purse)


def _find(rows: tuple[Named, ...], code: str, word: str) -> Named:
    for row in rows:
        if row.code == code:
            return row
    raise RuleBookError(f"细则里没有编号为“{code[:32]}”的{word}")


def _bounds(item: Item) -> tuple[int, ...]:
    """Every amount, or the two ends, that one event of this item can bring."""
    shape = item.points
    if isinstance(shape, Fixed):
        return (shape.points,)
    if isinstance(shape, Range):
        return (shape.min, shape.max)
    if isinstance(shape, Grades):
        return tuple(shape.grades.values())
    if isinstance(shape, Tiers):
        return tuple(tier.points for tier in shape.tiers)
    limits = [abs(shape.max)] if shape.max is not None else []
    limits += [cap.points for cap in item.caps if cap.points is not None]
    size = min(limits) if limits else abs(shape.each)
    return (size if shape.each > 0 else -size,)
