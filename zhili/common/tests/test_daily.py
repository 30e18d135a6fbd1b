"""Daily jobs run once a day, whoever starts them; one that fails is undone, tried again, and given up."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
import time_machine
from django.db import transaction

from zhili.common import daily as jobs
from zhili.common.models import DailyRun, Message
from zhili.common.outbox import send
from zhili.common.scope import scoped
from zhili.common.tests.test_outbox import run

PLACE, NEXT = "511702109200", "511702109201"
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch) -> None:
    monkeypatch.setattr(jobs, "JOBS", {})


def test_not_before_its_hour_and_once_a_day(db: None) -> None:
    """C-12: before its hour it waits; after it, it runs once, and once again the next day."""
    seen: list[object] = []
    jobs.daily("t.one", seen.append, after=time(13))
    assert jobs.run_due(NOON) == {} and seen == []
    assert jobs.run_due(NOON + timedelta(hours=1)) == {"done": 1}
    assert jobs.run_due(NOON + timedelta(hours=2)) == {}
    assert jobs.run_due(NOON + timedelta(days=1, hours=2)) == {"done": 1}
    assert [str(day) for day in seen] == ["2026-03-01", "2026-03-02"]
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        assert jobs.last_runs() == {"t.one": {"day": seen[1], "done": 1, "failed": 0, "parts": 1}}


def test_a_job_sees_its_place_and_no_other(db: None) -> None:
    """A-03: a job names its place; rows of the next village are not there, and without a place there is nothing."""
    for place in (PLACE, NEXT):
        send(place=place, kind="console", to=place)
    seen: dict[str, list[str]] = {}

    def look(place: str, day: object) -> None:
        seen[place] = list(Message.objects.values_list("place", flat=True))

    def look_around(day: object) -> None:
        seen["all"] = list(Message.objects.values_list("place", flat=True))

    jobs.daily("t.look", look, places=lambda: [PLACE, NEXT])
    assert jobs.run_due(NOON) == {"done": 2}
    with scoped():
        jobs.daily("t.around", look_around)
        assert jobs.run_due(NOON, names=["t.around"]) == {"done": 1}
    assert seen == {PLACE: [PLACE], NEXT: [NEXT], "all": []}


def test_a_failing_job_is_undone_tried_again_and_given_up(db: None) -> None:
    """C-12: what it wrote is gone, the others go on, each pause is longer, and after TRIES_MAX it rests until tomorrow."""
    done: list[str] = []

    def fails(place: str, day: object) -> None:
        send(place=place, kind="console", to="never")
        raise RuntimeError("电话 13800138000")

    jobs.daily("t.fails", fails, places=lambda: [PLACE])
    jobs.daily("t.good", lambda day: done.append("good"))
    tries = []
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(jobs.TRIES_MAX):
            with transaction.atomic():
                assert jobs.run_due(names=["t.fails"]) == {"failed": 1}
            found = DailyRun.objects.get(name="t.fails")
            tries.append(found.next_try_at - NOON)
            assert jobs.run_due(names=["t.fails"]) in ({"later": 1}, {"given_up": 1})
            if found.next_try_at.date() == NOON.date():
                clock.move_to(found.next_try_at)
        assert jobs.run_due(names=["t.fails"]) == {"given_up": 1}
    assert jobs.run_due(NOON, names=["t.good"]) == {"done": 1} and done == ["good"]
    assert not Message.objects.filter(to="never").exists()
    assert tries == sorted(tries) and found.tries == jobs.TRIES_MAX and found.error == "RuntimeError"


def test_two_jobs_of_one_name_are_a_mistake() -> None:
    """C-12: the diary's key is the name; two functions under one name would hide one of them."""
    jobs.daily("t.x", print)
    jobs.daily("t.x", print)
    with pytest.raises(ValueError, match=r"t\.x"):
        jobs.daily("t.x", len)


@pytest.mark.processes
def test_two_schedulers_fifty_rounds(own_database: str, tmp_path) -> None:
    """C-12: two real schedulers started at the same moment, fifty days: every job ran once for every part of every day."""
    found = run("daily", own_database, tmp_path)
    assert len(found["sent"]) == 150 and set(found["sent"].values()) == {1}
    assert found["done"] == 150 and found["failed"] == 50
