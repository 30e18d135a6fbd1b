"""积分到期: what the rule book lets lapse, announced thirty days before, then posted. It joins the book with the
ledger, which do not know each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import period_of, previous_period, today
from zhili.common.policy import requires
from zhili.ledger.announcing import Announcement, announce_expiry, announcements, expire_announced
from zhili.ledger.lapsing import NOTICE_DAYS_MIN, due
from zhili.notices.closing import open_period
from zhili.people.models import User
from zhili.rulebook.book import Expiry, Purse, RuleBook
from zhili.rulebook.queries import in_force, parsed
from zhili.rulebook.words import expiry_words
from zhili.shop.models import FairDay
from zhili.shop.queries import fair_day_on, next_fair_day

DATED: Final = ("yearly", "years")
AFTER_FAIR: Final = "after_redemption"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would lapse next from one purse. said: the announcement that waits for its day, if any.

    points: hundredths, of `holders` households (or people), as the book stands now.
    """

    purse: str
    title: str
    words: str
    on: date
    earned_until: date
    holders: int
    points: int
    said: Announcement | None
    fair: FairDay | None = None

    @property
    def ripe(self) -> bool:
        """Its day has come; what a fair day leaves over lapses once the fair day was held and counted."""
        held = self.fair is None or self.fair.status == FairDay.Status.CLOSED
        return self.said is not None and self.on <= today() and held

    @property
    def dead(self) -> bool:
        """Announced for a fair day that is not held any more."""
        if self.said is None or self.fair is None:
            return False
        gone = self.fair.status == FairDay.Status.DROPPED
        return gone or (self.on <= today() and self.fair.status == FairDay.Status.PLANNED)


def plans(place: str, on: date | None = None) -> list[Plan]:
    """Purses of the book in force that lapse on dates: what waits for its day, else what could be announced.

    on: a day to announce instead of the earliest one. Raises ZhiliError where the book says another day.
    """
    row = in_force(place, today())
    if row is None:
        return []
    book = parsed(row)
    waiting = {one.purse: one for one in announcements(place) if not one.done}
    found = []
    for purse in book.purses:
        said = waiting.get(purse.code)
        if purse.expiry is not None and purse.expiry.policy == AFTER_FAIR:
            found += _after_fair(place, purse, said)
        if purse.expiry is None or purse.expiry.policy not in DATED:
            continue
        day = said.on if said else _day(purse.title, purse.expiry, on)
        until = said.earned_until if said else earned_until(book, purse.expiry, day)
        lines = due(place, purse.code, until)
        total = sum(line.points for line in lines)
        found.append(
            Plan(purse.code, purse.title, expiry_words(purse.expiry), day, until, len(lines), total, said)
        )
    return found


def _after_fair(place: str, purse: Purse, said: Announcement | None) -> list[Plan]:
    """What the next fair day leaves over lapses on the day after it, if that fair day is planned far enough ahead."""
    if said is not None:
        fair = fair_day_on(place, said.earned_until)
    else:
        fair = next_fair_day(place, today() + timedelta(days=NOTICE_DAYS_MIN - 1))
    if fair is None:
        return []
    lines = due(place, purse.code, fair.on)
    total = sum(line.points for line in lines)
    words = expiry_words(purse.expiry) if purse.expiry else ""
    day = fair.on + timedelta(days=1)
    return [Plan(purse.code, purse.title, words, day, fair.on, len(lines), total, said, fair)]


def _day(title: str, expiry: Expiry, asked: date | None) -> date:
    """The earliest day that can still be announced in time, or the one asked for if the book allows it."""
    first = today() + timedelta(days=NOTICE_DAYS_MIN)
    if expiry.policy == "yearly":
        if asked is not None and asked != _yearly(expiry, asked.year):
            raise ZhiliError(f"细则写的是{title}{expiry_words(expiry)}，不能定在 {asked}。")
        return asked or next(
            day for year in (first.year, first.year + 1) if (day := _yearly(expiry, year)) >= first
        )
    # Point by point, every day would be an expiry day; the first of a month is one people can remember.
    return asked or (first if first.day == 1 else (first.replace(day=1) + timedelta(days=32)).replace(day=1))


def _yearly(expiry: Expiry, year: int) -> date:
    month, day = (int(part) for part in (expiry.on or "01-01").split("-"))
    return date(year, month, 28 if (month, day) == (2, 29) else day)


def earned_until(book: RuleBook, expiry: Expiry, on: date) -> date:
    """The last day whose points lapse on `on`: n years before, or the end of the last settled period."""
    if expiry.policy == "years":
        day = 28 if (on.month, on.day) == (2, 29) else on.day
        return date(on.year - (expiry.years or 1), on.month, day)
    return previous_period(period_of(on, book.settlement)).end


def announce(*, by: User | None, place: str, plan: Plan) -> Announcement:
    """Tell the village of this plan. Raises NotAllowed, LedgerError."""
    return announce_expiry(by=by, place=place, purse=plan.purse, on=plan.on, earned_until=plan.earned_until)


def lapse(*, by: User | None, place: str, plan: Plan) -> int:
    """Post an announced plan into the settlement period of its day, or the one that is open now."""
    if plan.said is None:
        raise ZhiliError(
            f"{plan.title}到期还没有公告。", hint=f"请先公告，满 {NOTICE_DAYS_MIN} 天以后再办理。"
        )
    row = in_force(place, plan.on)
    settlement = parsed(row).settlement if row else "month"
    period = open_period(place, period_of(plan.on, settlement).code)
    return expire_announced(by=by, place=place, announcement=plan.said, period=period)


@requires("ledger.expire")
def expiry_page(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/ledger/expiry/: per purse what lapses when; announce it, later post it."""
    user = request.user
    assert isinstance(user, User)
    if not user.has_perm("ledger.expire", place):
        raise NotFound("没有这一页。")
    found = plans(place)
    error = None
    if request.method == "POST":
        plan = next((one for one in found if one.purse == request.POST.get("purse")), None)
        if plan is None:
            raise NotFound("没有这个会到期的存折。")
        try:
            if request.POST.get("do") == "post":
                count = lapse(by=user, place=place, plan=plan)
                messages.success(request, f"{plan.title}到期已入账，共 {count} 笔。")
            else:
                said = announce(by=user, place=place, plan=plan)
                messages.success(request, f"已公告：{plan.title}于 {said.on} 到期。请同时贴到公示栏。")
            return redirect("desk_expiry", place)
        except ZhiliError as refused:
            error = refused
    past = [one for one in announcements(place) if one.done]
    context = {"place": place, "plans": found, "past": past, "error": error, "days": NOTICE_DAYS_MIN}
    return render(request, "web/desk_expiry.html", context, status=422 if error else 200)


urlpatterns = [path("<str:place>/ledger/expiry/", expiry_page, name="desk_expiry")]
