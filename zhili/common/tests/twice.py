"""Two or three real worker processes doing the same at once: python -m zhili.common.tests.twice NAME FOLDER."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
PLACE = "511702109200"
ROUNDS = 50
FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
fork = multiprocessing.get_context("fork")


def note(message: object) -> None:
    """The adapter: one line per delivery, appended whole."""
    handle = os.open(FOLDER / "sent", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(handle, f"{message.pk} {os.getpid()}\n".encode())  # type: ignore[attr-defined]
    os.close(handle)


def together(count: int, work: Callable[[int], None]) -> None:
    from django.db import connections

    connections.close_all()
    workers = [fork.Process(target=work, args=(n,)) for n in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(90)
    assert [worker.exitcode for worker in workers] == [0] * count


def outbox() -> dict[str, object]:
    from zhili.common.models import Message
    from zhili.common.outbox import deliver_due, send
    from zhili.common.scope import scoped

    with scoped(PLACE):
        for _ in range(60):
            send(place=PLACE, kind="note", to="x")
    barrier = fork.Barrier(3)

    def work(n: int) -> None:
        barrier.wait(30)
        deliver_due(100)

    together(3, work)
    lines = [line.split() for line in (FOLDER / "sent").read_text().splitlines()]
    with scoped(PLACE):
        states = Counter(Message.objects.values_list("state", flat=True))
    return {"sent": [a for a, _ in lines], "workers": [b for _, b in lines], "states": states}


def daily() -> dict[str, object]:
    """Two schedulers, ROUNDS days, one job per village and one for all; every round starts at the same moment."""
    from zhili.common import daily as jobs
    from zhili.common.models import DailyRun, Message
    from zhili.common.outbox import send
    from zhili.common.scope import scoped

    def settle(place: str, day: object) -> None:
        send(place=place, kind="note", to=str(day))

    def whole(day: object) -> None:
        with scoped("511702"):
            send(place="511702", kind="note", to=str(day))

    def fails(day: object) -> None:
        with scoped("511702"):
            send(place="511702", kind="note", to="never")
        raise RuntimeError("no")

    jobs.daily("t.settle", settle, places=lambda: [PLACE, "511702109201"])
    jobs.daily("t.whole", whole)
    jobs.daily("t.fails", fails)
    barrier = fork.Barrier(2)

    def work(n: int) -> None:
        for day in range(ROUNDS):
            barrier.wait(30)
            jobs.run_due(datetime(2026, 1, 1, 4, tzinfo=UTC) + timedelta(days=day))

    together(2, work)
    with scoped("511702"):
        sent = Counter(f"{m.place} {m.to}" for m in Message.objects.all())
    runs = DailyRun.objects.all()
    return {
        "sent": sent,
        "done": runs.filter(done_at__isnull=False).count(),
        "failed": runs.filter(name="t.fails", done_at=None).count(),
    }


def main(name: str) -> None:
    import django

    django.setup()
    from django.conf import settings

    settings.OUTBOX = {"note": "zhili.common.tests.twice.note"}
    sys.modules["zhili.common.tests.twice"] = sys.modules["__main__"]
    print(json.dumps({"outbox": outbox, "daily": daily}[name]()))


if __name__ == "__main__":
    main(sys.argv[1])
