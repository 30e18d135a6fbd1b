"""A small village in the middle of its work, for the browser: one month posted, one on notice, claims waiting.

Everything is dated from today, so that the pages show the same whichever day the tests run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from types import SimpleNamespace

import time_machine

from tests.books import SMALL_BOOK, make_book
from tests.month import approved, claim_for, home
from zhili.common.periods import SHANGHAI, Period, period_of, previous_period, today
from zhili.common.workdays import is_workday
from zhili.notices.actions import close_notice, object_to, open_notice

# Households whose heads review nothing, so that everybody may decide on them.
HOUSEHOLDS = ("1001", "1002", "2001", "3001", "3003", "3004")


@contextmanager
def on(day: date, hour: int = 10) -> Iterator[None]:
    with time_machine.travel(datetime.combine(day, time(hour), tzinfo=SHANGHAI), tick=True):
        yield


def fill(cast: SimpleNamespace) -> None:
    """Two months of `cast`'s village. Leaves cast.book, cast.posted and cast.notice behind."""
    day = today()
    last = previous_period(period_of(day, "month"))
    before = previous_period(last)
    text = SMALL_BOOK.replace("to: 2027-12-31", "to: null").replace("（测试用）", "")
    with on(before.start):
        cast.book = make_book(cast, text)
    _work(cast, before, len(HOUSEHOLDS))
    with on(workday(last.start, 1)):
        cast.posted = open_notice(by=cast.clerk, place=cast.place, period=before.code)
    with on(workday(cast.posted.closes_on + timedelta(days=1), 1)):
        cast.posted = close_notice(by=cast.clerk, notice=cast.posted)
    _work(cast, last, 4)
    with on(workday(day, -1)):
        cast.notice = open_notice(by=cast.clerk, place=cast.place, period=last.code)
        line = cast.notice.lines.exclude(household=cast.household).first()
        object_to(by=cast.villager, line=line, text="那天下雨，没有看到有人扫路。", channel="phone")
    claim_for(cast, occurred_on=day, text="扫了村口到水井的路")
    claim_for(
        cast, by=cast.clerk, household=home(cast, "3001"), item="GY04", occurred_on=day, channel="counter"
    )


def _work(cast: SimpleNamespace, month: Period, households: int) -> None:
    with on(month.end):
        for n, code in enumerate(HOUSEHOLDS[:households]):
            approved(
                cast, by=cast.clerk, household=home(cast, code), occurred_on=month.start + timedelta(days=3 + n),
                channel="counter",
            )  # fmt: skip
        approved(cast, occurred_on=month.start + timedelta(days=9), text="清扫水井边")
        approved(
            cast, 500, by=cast.clerk, household=home(cast, "3004"), item="GY04",
            occurred_on=month.start + timedelta(days=11), channel="counter", text="带头修便道",
        )  # fmt: skip


def workday(day: date, step: int) -> date:
    """`day`, or the nearest working day after (1) or before (-1) it."""
    while not is_workday(day):
        day += timedelta(days=step)
    return day
