"""What the audit chain costs: a deed with it and without it, one village and many at once, checking it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable

from bench.support import database, mark

ROUNDS, SHORT = 10, 0.3
VILLAGES = ("511702109200", "511702109201")
fork = multiprocessing.get_context("fork")


def write(place: str, seconds: float) -> int:
    """Transactions of one audit row each, for some seconds. Returns how many."""
    from zhili.audit.actions import record
    from zhili.common.scope import scoped

    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        with scoped("511702"):
            record(
                "claims.review", by=None, place=place, target="claims.claim:0", decision="approve", points=200
            )
        count += 1
    return count


def together(jobs: list[Callable[[], int]]) -> int:
    """Run the jobs in processes of their own at once; the sum of what they return."""
    from django.db import connections

    connections.close_all()
    barrier, answers = fork.Barrier(len(jobs)), fork.SimpleQueue()

    def work(job: Callable[[], int]) -> None:
        barrier.wait(30)
        answers.put(job())

    workers = [fork.Process(target=work, args=(job,)) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(answers.get() for _ in workers)


def owner(sql: str, name: str) -> None:
    from zhili.config import embedded

    with embedded.logins()["owner"].connect(name) as db:
        db.execute(sql)


def main() -> None:
    with database("zhili_bench_audit") as name:
        from zhili.audit.verify import verify

        write(VILLAGES[0], 0.5)
        linked: list[int] = []
        bare: list[int] = []
        # Turn and turn about, so that a machine that slows down slows both; the best of each counts.
        for _ in range(ROUNDS):
            linked.append(write(VILLAGES[0], SHORT))
            owner("ALTER TABLE audit_entry DISABLE TRIGGER audit_arrange", name)
            bare.append(write("511702109202", SHORT))
            owner("ALTER TABLE audit_entry ENABLE TRIGGER audit_arrange", name)
        with_chain, without = max(linked) / SHORT, max(bare) / SHORT
        extra = 1000 / with_chain - 1000 / without
        print(
            f"  one audit row per transaction: {with_chain:.0f}/s linked, {without:.0f}/s without the chain"
        )
        mark(
            f"linking at most doubles a transaction that is nothing but an audit row "
            f"({without / with_chain:.2f}×, {extra:.2f} ms)",
            with_chain * 2 >= without,
        )

        alone, apart, same = [], [], []
        for _ in range(ROUNDS // 3):
            alone.append(together([lambda: write(VILLAGES[0], 1)]))
            apart.append(together([lambda place=place: write(place, 1) for place in VILLAGES]))  # type: ignore[misc]
            same.append(together([lambda: write(VILLAGES[0], 1)] * 2))
        one, two, beside = max(alone), max(apart), max(same)
        print(f"  one writer {one}/s; two writers {two}/s in two villages, {beside}/s in one village")
        mark(f"two villages at once are not slower than one alone ({two / one:.2f}×)", two >= one)
        mark(
            f"two writers of one village keep 60 % of two villages' pace ({beside / two:.2f})",
            beside >= two * 0.6,
        )

        report = verify(list(VILLAGES))
        pace = report.rows / report.seconds
        print(f"  verify: {report.rows} rows in {report.seconds:.2f} s, {pace:.0f}/s")
        mark(f"the check reads at least 20,000 rows a second ({pace:.0f})", report.ok and pace >= 20_000)


if __name__ == "__main__":
    main()
