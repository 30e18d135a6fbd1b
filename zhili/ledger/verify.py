"""Checking the whole book: every line, root, fingerprint, balance, total and reversal, worked out again.

The township's auditor runs this and gets one sentence: the book is whole, or the first place where it is
not. Digests are recomputed in Python from what the database returns (verify_chain.py); sums are recomputed by
the database from the lines (check_sums.py). With the heads of old posters (--anchors) it also finds a cut-off
tail and a past rewritten with all its digests (T-03, T-04); without them it cannot, and says so.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from zhili.common.scope import EVERYWHERE, scoped
from zhili.ledger import chain, verify_jobs
from zhili.ledger.check_sums import SUMS
from zhili.ledger.models import Account, Batch
from zhili.ledger.problems import PROBLEMS_MAX, Problem, Progress, Report
from zhili.ledger.verify_chain import check_chain

__all__ = ["PROBLEMS_MAX", "Anchor", "AnchorError", "Problem", "Report", "read_anchors", "verify"]

JOBS_MAX: Final = 64
# With PostgreSQL's usual 4 MB the lines of a large book are sorted on disk before they are summed: half as fast again.
SUMS_MEMORY: Final = "64MB"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One fingerprint somebody kept: from a poster, a chat, the township's mailbox."""

    place: str
    seq: int
    head: str


class AnchorError(ValueError):
    """The anchors file cannot be read."""


def read_anchors(lines: Iterable[str]) -> list[Anchor]:
    """JSON lines {"place", "seq", "head"}; head is the full hex, or its first characters (at least 10)."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            known = json.loads(line)
            anchor = Anchor(str(known["place"]), int(known["seq"]), str(known["head"]).lower())
        except (ValueError, KeyError, TypeError) as error:
            raise AnchorError(f"锚点文件第 {number} 行读不懂") from error
        if len(anchor.head) < 10:
            raise AnchorError(f"锚点文件第 {number} 行的账本指纹太短，至少 10 位")
        found.append(anchor)
    return found


def verify(
    places: Sequence[str] | None = None,
    *,
    anchors: Iterable[Anchor] = (),
    progress: Progress | None = None,
    jobs: int = 1,
) -> Report:
    """Check the books of these villages, or of all. Reads only; in one snapshot where it opens its own
    transaction.

    progress is called with the number of lines checked so far. jobs: how many processes share the villages, all
    looking at the same snapshot (only outside a transaction).
    """
    started = time.perf_counter()
    report = Report()
    own = not connection.in_atomic_block
    if jobs > 1 and not own:
        raise RuntimeError("several processes cannot see inside an open transaction")
    with transaction.atomic():
        snapshot = ""
        if own:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                if jobs > 1:
                    cursor.execute("SELECT pg_export_snapshot()")
                    (snapshot,) = cursor.fetchone()
        with scoped(EVERYWHERE):
            wanted = _places(places)
            if jobs > 1 and len(wanted) > 1:
                _share(report, wanted, min(jobs, JOBS_MAX, len(wanted)), snapshot, progress)
            else:
                for place in wanted:
                    check_place(report, place, progress)
            _check_anchors(report, anchors, places)
    report.seconds = time.perf_counter() - started
    return report


def _places(places: Sequence[str] | None) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT place FROM ledger_account UNION SELECT place FROM ledger_batch"
            " UNION SELECT place FROM ledger_periodclose ORDER BY place"
        )
        known = [row[0] for row in cursor.fetchall()]
    return known if places is None else [place for place in known if place in places]


def check_place(report: Report, place: str, progress: Progress | None) -> None:
    """Everything about one village's book, in the caller's transaction and scope."""
    report.counts["villages"] += 1
    check_chain(report, place, progress)
    _check_accounts(report, place)
    _check_sums(report, place)


def _share(report: Report, places: list[str], jobs: int, snapshot: str, progress: Progress | None) -> None:
    """One village at a time to each process; the largest first, so that none is left over at the end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT place, sum(count) FROM ledger_batch GROUP BY place")
        sizes = dict(cursor.fetchall())
    ordered = sorted(places, key=lambda place: -sizes.get(place, 0))
    known = dict(connection.settings_dict)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=spawn, initializer=verify_jobs.begin, initargs=(known, snapshot)
    ) as pool:
        found = {}
        for place, part in zip(ordered, pool.map(verify_jobs.one_place, ordered), strict=True):
            found[place] = part
            if progress:
                progress(sum(one.counts["transfers"] for one in found.values()))
    for place in places:
        report.merge(found[place])


def _check_anchors(report: Report, anchors: Iterable[Anchor], places: Sequence[str] | None) -> None:
    for anchor in anchors:
        report.anchored = True
        if places is None or anchor.place in places:
            _check_anchor(report, anchor)


def _check_anchor(report: Report, anchor: Anchor) -> None:
    stored = Batch.objects.filter(place=anchor.place, seq=anchor.seq).values_list("head", flat=True).first()
    if stored is None:
        what = f"锚点说有第 {anchor.seq} 批，台账里没有：末尾被截掉了"
    elif not bytes(stored).hex().startswith(anchor.head):
        what = f"第 {anchor.seq} 批的账本指纹与锚点不同：这一批或更早的账被改写过"
    else:
        return
    report.add(
        Problem(anchor.place, "ledger_batch", f"{anchor.place}/{anchor.seq}", "head", what, anchor.seq)
    )


# ---------------------------------------------------------------- accounts and sums


def _check_accounts(report: Report, place: str) -> None:
    for a in Account.objects.filter(place=place).order_by("id").iterator(10_000):
        report.counts["accounts"] += 1
        if a.id != chain.account_id(a.place, a.kind, a.owner, a.purse):
            report.add(Problem(place, "ledger_account", str(a.id), "owner", "账户编号与户、存折、类别对不上"))
        elif bytes(a.seal) != chain.account_seal(a.id, a.may_go_negative, a.opened_on, a.closed_on):
            report.add(
                Problem(place, "ledger_account", str(a.id), "seal", "开户、销户日期或可为负的设置被改过")
            )


def _check_sums(report: Report, place: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('work_mem'), set_config('work_mem', %s, true)", [SUMS_MEMORY])
        usual, _ = cursor.fetchone()
        for check in SUMS:
            cursor.execute(check.sql, {"place": place})
            for id, column, seq, *other in cursor.fetchall():
                table, what = other or (check.table, check.what)
                report.add(Problem(place, table, str(id), column, what, seq))
        cursor.execute("SELECT set_config('work_mem', %s, true)", [usual])
