"""What the first screen of a household says: its points, what it did this period, what hangs out for objection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from zhili.claims.models import Claim
from zhili.common.periods import Period, period_of, today
from zhili.ledger import queries as ledger
from zhili.notices.models import Line, Notice
from zhili.notices.queries import current_notice
from zhili.people.models import Household, Resident
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed

RECENT = 3
# A claim that still waits for somebody: review, notice, or the end of an objection.
WAITING = (
    Claim.Status.SUBMITTED, Claim.Status.SECOND_REVIEW, Claim.Status.COUNCIL, Claim.Status.APPROVED,
    Claim.Status.ON_NOTICE, Claim.Status.HELD,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Purse:
    """One purse of the household as a person reads it. points: hundredths that may be used now."""

    code: str
    title: str
    points: int
    reserved: int
    spendable: bool


@dataclass(slots=True)
class Standing:
    """Everything the home page needs; about ten statements whatever the village's size."""

    household: Household
    resident: Resident | None
    book: RuleBook | None = None
    period: Period | None = None
    purses: list[Purse] = field(default_factory=list)
    this_period: int = 0
    recent: list[tuple[ledger.Entry, str]] = field(default_factory=list)
    notice: Notice | None = None
    notice_lines: int = 0
    waiting: int = 0
    returned: int = 0

    @property
    def main(self) -> Purse | None:
        """The purse with the big figure: what can be redeemed, else the first."""
        return next((purse for purse in self.purses if purse.spendable), None) or (
            self.purses[0] if self.purses else None
        )

    @property
    def others(self) -> list[Purse]:
        """The purses beside the main one."""
        return [purse for purse in self.purses if purse is not self.main]

    @property
    def by_person(self) -> bool:
        """Whether points belong to a person here, not to the household."""
        return self.book is not None and parsed(self.book).unit == "resident"


def owner_of(household: Household, resident: Resident | None, book: RuleBook | None) -> UUID:
    """Who holds the points: the household, or the person where the book says so."""
    by_person = book is not None and parsed(book).unit == "resident" and resident is not None
    return resident.pk if by_person and resident is not None else household.pk


def standing(household: Household, resident: Resident | None = None, on: date | None = None) -> Standing:
    """The standing of one household (or one person of it) today."""
    day = on or today()
    result = Standing(household, resident, book=in_force(household.place, day))
    owner = owner_of(household, resident, result.book)
    _points(result, owner, day)
    result.notice = current_notice(household.place)
    if result.notice is not None:
        result.notice_lines = Line.objects.filter(notice=result.notice, household=household).count()
    statuses = Claim.objects.filter(
        household=household, status__in=[*WAITING, Claim.Status.RETURNED]
    ).values_list("status", flat=True)[:500]
    found = list(statuses)
    result.returned = found.count(Claim.Status.RETURNED)
    result.waiting = len(found) - result.returned
    return result


def _points(result: Standing, owner: UUID, day: date) -> None:
    """Purses as the book names them; purses of earlier books follow where something is left in them."""
    place = result.household.place
    held = ledger.balances(place, [owner])
    if result.book is not None:
        book = parsed(result.book)
        result.period = period_of(day, book.settlement)
        for purse in book.purses:
            balance = held[(owner, purse.code)]
            result.purses.append(
                Purse(purse.code, purse.title, balance.available, balance.reserved, purse.spendable)
            )
        totals = ledger.period_totals(place, [result.period.code], [owner])
        main = result.main
        if main is not None and (total := totals.get((owner, result.period.code, main.code))):
            result.this_period = total.net
    known = {purse.code for purse in result.purses}
    for (_, code), balance in held.items():
        if code not in known and balance.balance:
            result.purses.append(
                Purse(code, _OLD_TITLES.get(code, code), balance.available, balance.reserved, False)
            )
    if result.main is not None:
        page = ledger.statement(place, owner, purse=result.main.code, limit=RECENT)
        titles = {item.code: item.title for item in parsed(result.book).items} if result.book else {}
        result.recent = [
            (entry, titles.get(str(entry.cause.get("item", "")), entry.code_title))
            for entry in reversed(page.entries)
        ]


_OLD_TITLES = {"merit": "荣誉积分", "spend": "兑换积分"}
