"""Real processes against a real database: run as `python -m tests.race NAME` with ZHILI_DATABASE set; prints JSON.

Every scenario forks its workers, lets them start at the same moment, and reports what each of them got.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
SCOPE = "511702"
fork = multiprocessing.get_context("fork")


def together(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run every job in a process of its own, all starting at once. An error becomes {"error": kind, "text": …}."""
    from django.db import connections

    connections.close_all()
    barrier = fork.Barrier(len(jobs))
    answers = fork.SimpleQueue()

    def work(n: int, job: Callable[[], Any]) -> None:
        from zhili.common.errors import ZhiliError
        from zhili.common.scope import scoped

        try:
            barrier.wait(30)
            with scoped(SCOPE):
                answer = job()
        except ZhiliError as error:
            answer = {"error": type(error).__name__, "text": str(error)}
        except BaseException as error:
            answer = {"error": type(error).__name__, "text": traceback.format_exc()[-500:]}
        answers.put((n, answer))
        os._exit(0)

    workers = [fork.Process(target=work, args=(n, job)) for n, job in enumerate(jobs)]
    for worker in workers:
        worker.start()
    found: dict[int, Any] = {}
    for _ in workers:
        n, answer = answers.get()
        found[n] = answer
    for worker in workers:
        worker.join(30)
    return [found[n] for n in range(len(jobs))]


def village() -> Any:
    """The cast with the small book, stored."""
    from tests.books import PLAIN_BOOK, make_book
    from tests.cast import make_cast
    from zhili.common.scope import scoped

    with scoped(SCOPE):
        cast = make_cast()
        cast.book = make_book(cast, PLAIN_BOOK)
    return cast


def submit() -> dict[str, Any]:
    """Ten processes hand in the same claim at once, three times over."""
    from tests.month import claim_for
    from zhili.claims.models import Claim
    from zhili.common.ids import uuid7
    from zhili.common.scope import scoped

    cast = village()
    rounds = []
    for _ in range(3):
        key = uuid7()
        rounds.append(together([lambda key=key: claim_for(cast, id=key).number] * 10))
    others = together([lambda: claim_for(cast).number] * 10)
    with scoped(SCOPE):
        return {"rounds": rounds, "others": others, "claims": Claim.objects.count()}


def review() -> dict[str, Any]:
    """Twenty rounds each: approve against approve, approve against refuse; one claim, two people."""
    from tests.month import claim_for
    from zhili.claims.actions import review_claim
    from zhili.claims.models import Claim
    from zhili.common.scope import scoped

    cast = village()
    rounds = []
    for n in range(40):
        with scoped(SCOPE):
            claim = claim_for(cast, by=cast.group_leader)
        decisions = [("approve", ""), ("approve", "") if n < 20 else ("refuse", "没有做")]
        jobs = [
            lambda who=who, what=what, why=why, claim=claim: (
                review_claim(by=who, claim=claim, decision=what, reason=why).status
            )
            for who, (what, why) in zip((cast.reviewer2, cast.reviewer3), decisions, strict=True)
        ]
        answers = together(jobs)
        with scoped(SCOPE):
            found = Claim.objects.get(pk=claim.pk)
            rounds.append({"answers": answers, "status": found.status, "reviews": found.reviews.count()})
    return {"rounds": rounds}


def notice_with(cast: Any, lines: int) -> Any:
    import time_machine

    from tests.month import approved
    from zhili.common.scope import scoped
    from zhili.notices.actions import open_notice
    from zhili.people.models import Household

    with scoped(SCOPE):
        for n in range(lines):
            house = Household.objects.create(place=cast.place, code=f"9{n:03d}", group="9组")
            approved(cast, by=cast.clerk, household=house)
        with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
            return open_notice(by=cast.clerk, place=cast.place, period="2026-10")


def books(place: str) -> dict[str, Any]:
    from zhili.claims.models import Claim
    from zhili.common.scope import scoped
    from zhili.ledger.queries import heads
    from zhili.ledger.verify import verify
    from zhili.notices.models import Line, Notice

    with scoped(SCOPE):
        return {
            "batches": [[head.count, head.total] for head in heads(place)],
            "claims": sorted(Claim.objects.values_list("status", flat=True)),
            "lines": sorted(Line.objects.values_list("status", flat=True)),
            "notice": Notice.objects.get().status,
            "ok": verify([place]).ok,
        }


def kill() -> dict[str, Any]:
    """A process closing a notice is killed with SIGKILL at two places; then closing is run again."""
    import time_machine
    from django.db import connections

    from zhili.common.scope import scoped
    from zhili.ledger import actions as ledger
    from zhili.notices import closing

    cast = village()
    notice = notice_with(cast, 5)
    before = books(cast.place)
    exits = []
    for target, name in ((ledger, "close_period"), (closing, "record")):
        connections.close_all()

        def die(*_: Any, **__: Any) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def close_and_die(target: Any = target, name: str = name) -> None:
            setattr(target, name, die)
            with time_machine.travel("2026-11-10 09:00:00+08:00", tick=False), scoped(SCOPE):
                closing.close_notice(by=cast.clerk, notice=notice)

        worker = fork.Process(target=close_and_die)
        worker.start()
        worker.join(60)
        exits.append(worker.exitcode)
    between = books(cast.place)
    with time_machine.travel("2026-11-10 09:00:00+08:00", tick=False):
        twice = together([lambda: str(closing.close_notice(by=cast.clerk, notice=notice).batch_id)] * 4)
    return {"before": before, "between": between, "exits": exits, "twice": twice, "after": books(cast.place)}


def objections() -> dict[str, Any]:
    """Eight objections to one line and one closing attempt at the same moment, on the last day and the day after."""
    import time_machine

    from zhili.common.scope import scoped
    from zhili.notices.actions import close_notice, object_to
    from zhili.notices.models import Objection

    cast = village()
    notice = notice_with(cast, 2)
    with scoped(SCOPE):
        line = notice.lines.order_by("position").first()
    jobs: list[Callable[[], Any]] = [
        lambda: object_to(line=line, text="那天没有看见", channel="open").number for _ in range(8)
    ]
    jobs.append(lambda: close_notice(by=cast.clerk, notice=notice).status)
    with time_machine.travel("2026-11-09 23:00:00+08:00", tick=False):
        last_day = together(jobs)
    with time_machine.travel("2026-11-10 01:00:00+08:00", tick=False):
        day_after = together(jobs)
    with scoped(SCOPE):
        count = Objection.objects.count()
    return {"last_day": last_day, "day_after": day_after, "objections": count, "books": books(cast.place)}


def main(name: str) -> None:
    import django
    import time_machine

    django.setup()
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        print(
            json.dumps({"submit": submit, "review": review, "kill": kill, "objections": objections}[name]())
        )


if __name__ == "__main__":
    main(sys.argv[1])
