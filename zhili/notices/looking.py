"""Before a notice hangs out: what would be on it, until when, and what stands in the way. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from zhili.claims.models import Claim
from zhili.claims.scoring import score_claims
from zhili.common.errors import ZhiliError
from zhili.common.periods import Period, parse_code, period_of, previous_period, today
from zhili.common.workdays import add_workdays
from zhili.ledger.queries import is_closed
from zhili.notices.opening import _approved, _checked_day, _checked_period, holidays
from zhili.notices.queries import current_notice
from zhili.places.queries import village_settings
from zhili.rulebook.queries import in_force

PERIODS_BACK = 6


@dataclass(slots=True)
class GroupSum:
    title: str
    lines: int = 0
    points: int = 0


@dataclass(slots=True)
class Outlook:
    """What opening this period today would hang out. points: hundredths. problems: why it cannot be opened."""

    period: Period
    opens_on: date
    closes_on: date
    lines: int = 0
    points: int = 0
    groups: list[GroupSum] = field(default_factory=list)
    zero: int = 0
    late: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)


def openable(place: str) -> list[Period]:
    """The finished periods a clerk may choose, newest first; empty where no rule book binds."""
    book = in_force(place, today())
    if book is None:
        return []
    found = []
    period = period_of(today(), book.settlement)
    for _ in range(PERIODS_BACK):
        period = previous_period(period)
        if not is_closed(place, period.code):
            found.append(period)
    return found


def outlook(place: str, code: str) -> Outlook:
    """What would hang out. Raises PeriodError for a code that is none."""
    wanted, day, calendar = parse_code(code), today(), holidays()
    found = Outlook(wanted, day, add_workdays(day, village_settings(place).notice_days, calendar))
    standing = current_notice(place)
    if standing is not None:
        found.problems.append(
            f"《{standing.title}》还在公示，到{standing.closes_on:%-m月%-d日}为止。结束之后再公布下一期。"
        )
    for check in (lambda: _checked_period(place, code, day), lambda: _checked_day(day, calendar)):
        try:
            check()
        except ZhiliError as error:
            found.problems.append(str(error))
    try:
        claims = _approved(place, wanted)
        _sum(found, claims)
    except ZhiliError as error:
        found.problems.append(str(error))
    unfinished = (*Claim.OPEN, Claim.Status.RETURNED)
    found.waiting = Claim.objects.filter(
        place=place, status__in=unfinished, occurred_on__lte=wanted.end
    ).count()
    return found


def _sum(found: Outlook, claims: list[Claim]) -> None:
    scores = score_claims(claims)
    groups: dict[str, GroupSum] = {}
    for claim in claims:
        points = scores[claim.pk].awarded
        title = claim.household.group or "未分组"
        group = groups.setdefault(title, GroupSum(title))
        group.lines += 1
        group.points += points
        found.points += points
        found.zero += points == 0
        found.late += claim.occurred_on < found.period.start
    found.lines = len(claims)
    found.groups = [groups[title] for title in sorted(groups)]
