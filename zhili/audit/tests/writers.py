"""Four processes that write audit rows at once: run as a module with ZHILI_DATABASE set; prints JSON."""

from __future__ import annotations

import json
import multiprocessing
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
PLACES = ("511702109200", "511702109201")
WRITERS, ROUNDS = 4, 25
fork = multiprocessing.get_context("fork")


def write(n: int, errors: multiprocessing.SimpleQueue) -> None:
    from zhili.audit.actions import record
    from zhili.common.scope import scoped

    try:
        for _ in range(ROUNDS):
            with scoped("511702"):
                for place in PLACES if n % 2 else reversed(PLACES):
                    record("claims.review", by=None, place=place)
    except BaseException as error:
        errors.put(repr(error))
    os._exit(0)


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    from zhili.audit.verify import verify

    connection.close()
    errors = fork.SimpleQueue()
    workers = [fork.Process(target=write, args=(n, errors)) for n in range(WRITERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    found = []
    while not errors.empty():
        found.append(errors.get())
    report = verify()
    rows = {place: seq for place, (seq, _) in report.heads.items() if place in PLACES}
    print(json.dumps({"errors": found, "ok": report.ok, "rows": rows}))


if __name__ == "__main__":
    main()
