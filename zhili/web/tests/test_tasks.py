"""积分到期 by itself: the daily job announces in time, posts on the day, and never twice (L-11, C-12)."""

from __future__ import annotations

from datetime import date

import pytest

from zhili.audit.models import Entry
from zhili.common import daily as jobs
from zhili.common.scope import scoped, set_scope
from zhili.ledger.announcing import announcements
from zhili.web.tasks import lapse_points, villages
from zhili.web.tests.test_expiry import PLAIN_BOOK, clock, make_book, spend, village  # noqa: F401 - fixtures

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
