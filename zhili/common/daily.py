"""What the instance does by itself once a day: publish fingerprints, let announced points lapse, back up, clear out.

A room registers its jobs in its tasks.py, which the worker reads at start:

    from zhili.common.daily import daily
    daily("notices.remind", remind, places=villages, after=time(7))

`function(place, day)` is called for every place of `places()`, in one transaction limited to that place;
without `places` it is called once as `function(day)` with no scope at all and opens its own `scoped(…)`. `after` is the
time of day, in the village, before which it does not start. A job that raises is undone and tried again later,
TRIES_MAX times a day. It must do nothing twice over two days: it may find that yesterday it did not run at all.

Schedulers on two hosts run each job once (C-12): the job's row in the diary is written in the job's own transaction,
under a lock which the second one does not wait for.
"""

from __future__ import annotations

import logging
import time as clock_time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal

from django.db import connection, transaction
from django.utils.module_loading import autodiscover_modules

from zhili.common.clock import now
from zhili.common.models import DailyRun
from zhili.common.origin import coming_from
from zhili.common.periods import SHANGHAI
from zhili.common.scope import scoped

TRIES_MAX: Final = 6
FIRST_PAUSE: Final = timedelta(minutes=5)
Outcome = Literal["done", "failed", "busy", "before", "given_up", "later"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One registered job."""

    name: str
    function: Callable[..., object]
    after: time
    places: Callable[[], Sequence[str]] | None


JOBS: dict[str, Job] = {}


def daily(
    name: str,
    function: Callable[..., object],
    *,
    places: Callable[[], Sequence[str]] | None = None,
    after: time = time(2),
) -> None:
    """Register a job by its dotted name; a second function under the same name is our own mistake."""
    known = JOBS.get(name)
    if known is not None and known.function is not function:
        raise ValueError(f"two daily jobs are called {name}")
    JOBS[name] = Job(name, function, after, places)


def load() -> None:
    """Read every room's tasks.py."""
    autodiscover_modules("tasks")


def run_due(moment: datetime | None = None, *, names: Sequence[str] | None = None) -> dict[str, int]:
    """Run what is due and not yet done today. Returns how many parts ended how: {"done": 3, "failed": 1}."""
    local = (moment or now()).astimezone(SHANGHAI)
    counts: dict[str, int] = {}
    for job in list(JOBS.values()):
        if (names is not None and job.name not in names) or local.time() < job.after:
            continue
        settled = set(
            DailyRun.objects.filter(name=job.name, day=local.date(), done_at__isnull=False).values_list(
                "part", flat=True
            )
        )
        for part in job.places() if job.places else [""]:
            if part not in settled:
                outcome = run_part(job, local.date(), part)
                counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def run_part(job: Job, day: date, part: str) -> Outcome:
    """Run one job for one part, at most once a day whoever calls and however often."""
    started = clock_time.perf_counter()
    try:
        with coming_from("job"), transaction.atomic():
            state, run = _claim(job.name, day, part)
            if run is None:
                return state
            if part:
                with scoped(part):
                    job.function(part, day)
            else:
                job.function(day)
            run.done_at, run.error, run.next_try_at = now(), "", None
            run.tries += 1
            run.seconds = round(clock_time.perf_counter() - started, 3)
            run.save()
        return "done"
    except Exception as error:
        # Whatever it was: the other jobs must go on, and this one is tried again.
        log.exception("daily job failed", extra={"job": job.name, "part": part})
        _note_failure(job.name, day, part, error)
        return "failed"


def _claim(name: str, day: date, part: str) -> tuple[Outcome, DailyRun | None]:
    """The diary's row for this run, if it is ours to do now; else why not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('zhili.daily.' || %s || '.' || %s, 0))",
            [name, part],
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        return "busy", None
    run, _ = DailyRun.objects.get_or_create(name=name, day=day, part=part)
    if run.done_at is not None:
        return "before", None
    if run.tries >= TRIES_MAX:
        return "given_up", None
    if run.next_try_at is not None and run.next_try_at > now():
        return "later", None
    return "done", run


def _note_failure(name: str, day: date, part: str, error: Exception) -> None:
    with transaction.atomic():
        run, _ = DailyRun.objects.select_for_update().get_or_create(name=name, day=day, part=part)
        if run.done_at is None:
            run.tries += 1
            run.next_try_at = now() + FIRST_PAUSE * 2 ** (run.tries - 1)
            # The kind of error only: its words may repeat what was in a row.
            run.error = type(error).__name__[:120]
            run.save()


def last_runs() -> dict[str, dict[str, Any]]:
    """Job → its newest day: {"day", "done", "failed", "parts"}. For the health page."""
    found: dict[str, dict[str, Any]] = {}
    for run in DailyRun.objects.order_by("-day").filter(day__gte=now().date() - timedelta(days=7)):
        one = found.setdefault(run.name, {"day": run.day, "done": 0, "failed": 0, "parts": 0})
        if run.day == one["day"]:
            one["parts"] += 1
            one["done" if run.done_at else "failed"] += 1
    return found
