"""积分到期 by itself: the daily job announces in time, posts on the day, and never twice (L-11, C-12)."""

from __future__ import annotations

from datetime import date, time

import pytest

from zhili.audit.models import Entry
from zhili.common import daily as jobs
from zhili.common.scope import scoped, set_scope
from zhili.ledger.announcing import announcements
from zhili.shop import actions
from zhili.web.tasks import lapse_points, villages
from zhili.web.tests.test_expiry import (  # noqa: F401 - fixtures
    PLAIN_BOOK,
    browser,
    clock,
    make_book,
    spend,
    stage,
    village,
)

ANNOUNCED, POSTED = "ledger.announce_expiry", "ledger.expire_announced"


def run(day: str, clock_) -> None:
    clock_.move_to(f"{day} 08:00:00+08:00")
    with scoped("511702109200"):
        lapse_points("511702109200", date.fromisoformat(day))
    set_scope(["511702"])


def count(action: str) -> int:
    return Entry.objects.filter(action=action, actor_id=None).count()


def test_announced_a_month_ahead_and_posted_on_its_day(village, clock):  # noqa: F811
    """L-11: nothing months ahead, one announcement 35 days before, nothing before the day, one posting on it."""
    for day, announced, posted in (
        ("2026-11-20", 0, 0), ("2026-12-05", 0, 0), ("2026-12-06", 1, 0), ("2026-12-07", 1, 0), ("2027-01-09", 1, 0),
        ("2027-01-10", 1, 1), ("2027-01-10", 1, 1), ("2027-01-11", 1, 1),
    ):  # fmt: skip
        run(day, clock)
        assert (count(ANNOUNCED), count(POSTED)) == (announced, posted), day
    assert spend(village) == 0 and [one.done for one in announcements(village.place)] == [True]


def test_a_machine_that_was_off_catches_up(village, clock):  # noqa: F811
    """L-11, C-12: off from the announcement until five days after the expiry: posted then, once, thirty days were given."""
    run("2026-12-08", clock)
    run("2027-01-15", clock)
    run("2027-01-16", clock)
    assert (count(ANNOUNCED), count(POSTED)) == (1, 1) and spend(village) == 0


def test_too_late_to_announce_means_next_year(village, clock):  # noqa: F811
    """L-11: off until fewer than thirty days are left: nothing lapses this year."""
    run("2026-12-20", clock)
    run("2027-01-10", clock)
    assert (count(ANNOUNCED), count(POSTED)) == (0, 0) and spend(village) == 200


def test_only_villages_with_a_book_that_lapses(cast, clock):  # noqa: F811
    """L-11: a village without a book is not asked; points without an expiry date are left alone."""
    assert villages() == []
    make_book(cast, PLAIN_BOOK)
    assert villages() == [cast.place]
    run("2026-12-08", clock)
    assert (count(ANNOUNCED), count(POSTED)) == (0, 0)


@pytest.mark.parametrize("name", ["ledger.publish_heads", "web.lapse_points", "config.clear_logs"])
def test_the_jobs_are_registered(name: str, db: None) -> None:
    """C-12: the worker finds every room's jobs, each at night."""
    jobs.load()
    assert name in jobs.JOBS and jobs.JOBS[name].after.hour < 6


AFTER = PLAIN_BOOK.replace("{policy: years, years: 2}", "{policy: after_redemption}")


@pytest.fixture
def fair(cast, clock):  # noqa: F811
    """The book lets lapse what the fair day leaves over; a fair day on 20 December; 2 points in each of two purses."""
    found = stage(cast, clock, AFTER)
    shop = actions.open_shop(by=cast.clerk, place=cast.place, title="幸福超市（演示）")
    found.fair_day = actions.plan_fair_day(
        by=cast.clerk, shop=shop, on=date(2026, 12, 20), opens_at=time(9), closes_at=time(12)
    )
    return found


def close(fair, clock_) -> None:
    clock_.move_to("2026-12-20 09:30:00+08:00")
    actions.open_fair_day(by=fair.clerk, fair_day=fair.fair_day)
    actions.close_fair_day(by=fair.clerk, fair_day=fair.fair_day)


def test_what_a_fair_day_leaves_over_lapses_after_it_and_after_fair_notice(fair, clock):  # noqa: F811
    """L-11: announced thirty days before the day after the fair day; lapses once it was held and counted, once."""
    for day, announced in (("2026-11-14", 0), ("2026-11-17", 1), ("2026-11-25", 1)):
        run(day, clock)
        assert (count(ANNOUNCED), count(POSTED)) == (announced, 0), day
    page = browser(fair.clerk).get(fair.desk).content.decode()
    assert "2026年12月21日起可以办理，要等兑换日收市以后" in page
    clock.move_to("2026-12-20 09:30:00+08:00")
    set_scope(["511702"])
    actions.open_fair_day(by=fair.clerk, fair_day=fair.fair_day)
    run("2026-12-21", clock)
    assert count(POSTED) == 0 and spend(fair) == 200
    actions.close_fair_day(by=fair.clerk, fair_day=fair.fair_day)
    run("2026-12-22", clock)
    run("2026-12-23", clock)
    assert (count(ANNOUNCED), count(POSTED)) == (1, 1) and spend(fair) == 0


def test_a_fair_day_that_is_called_off_lets_nothing_lapse(fair, clock):  # noqa: F811
    """L-11: the announcement is taken back in the trail, and the next fair day starts anew."""
    run("2026-11-18", clock)
    actions.cancel_fair_day(by=fair.clerk, fair_day=fair.fair_day, reason="下大雪")
    run("2026-12-01", clock)
    run("2026-12-02", clock)
    assert (count(ANNOUNCED), count("ledger.expiry_off"), count(POSTED)) == (1, 1, 0) and spend(fair) == 200
    again = actions.plan_fair_day(
        by=fair.clerk, shop=fair.fair_day.shop, on=date(2027, 1, 3), opens_at=time(9), closes_at=time(12)
    )
    run("2026-12-03", clock)
    assert count(ANNOUNCED) == 2
    run("2027-01-05", clock)
    assert (
        (count("ledger.expiry_off"), count(POSTED)) == (2, 0)
        and spend(fair) == 200
        and again.status == "planned"
    )


def test_a_fair_day_planned_too_late_lets_nothing_lapse(fair, clock):  # noqa: F811
    """L-11: fewer than thirty days before it: nothing can be announced, nothing lapses."""
    run("2026-11-22", clock)
    close(fair, clock)
    run("2026-12-21", clock)
    assert (count(ANNOUNCED), count(POSTED)) == (0, 0) and spend(fair) == 200
