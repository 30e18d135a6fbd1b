"""The ledger: one big posting against a hand-written floor, one award against one statement and against
django-hordak. How fast a book is checked again: bench/evidence.py.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from bench import support

if TYPE_CHECKING:
    import psycopg

    from zhili.ledger.posting import NewTransfer

PLACE, PERIOD, DAY = "511702109200", "2022-Q3", date(2022, 7, 5)
BIG = 100_000
HOUSEHOLDS = 3_000
DATABASE = "zhili_bench_ledger"


def main() -> None:
    """Print every figure, and whether the marks of the issue are met."""
    with support.database(DATABASE):
        # First, while our tables are as small as hordak's: as many accounts, about as many rows.
        against_hordak([uuid4() for _ in range(20)])
        owners = [uuid4() for _ in range(HOUSEHOLDS)]
        post(awards(owners, 2 * HOUSEHOLDS))  # every account is open, every plan is made
        ours, floor = big(owners)
        rate = BIG / ours
        print(
            f"  one call of {BIG:,}: {ours:.2f} s = {rate:,.0f} transfers/s; floor {floor:.2f} s = {BIG / floor:,.0f}/s"
        )
        support.mark(
            f"post of {BIG:,}: {floor / ours:.2f} of the floor's rate (at least 0.5)", floor / ours >= 0.5
        )
        single, by_hand = singles(owners)
        support.mark(
            f"one award {single:.2f} ms, one statement by hand {by_hand:.2f} ms: {single / by_hand:.1f} times (at most 3)",
            single <= 3 * by_hand,
        )


def cause() -> dict[str, Any]:
    from zhili.common.ids import uuid7

    return {
        "rule": 1, "rule_version": 1, "item": "HJ01", "claim": str(uuid7()), "evidence": [str(uuid4())],
        "reviewers": [1, 2], "actor": 3, "channel": "counter", "notice": str(uuid4()), "number": "A-12",
    }  # fmt: skip


def awards(owners: list[UUID], count: int) -> list[NewTransfer]:
    """`count` transfers: awards to both purses, so half as many deeds."""
    from zhili.common.ids import uuid7
    from zhili.ledger import entries

    pick = random.choice
    return [
        t
        for _ in range(count // 2)
        for t in entries.award(uuid7(), pick(owners), 200, ["merit", "spend"], DAY, cause())
    ]


def post(transfers: list[NewTransfer]) -> None:
    """As a request does it: a transaction, its scope, one posting, commit."""
    from django.db import transaction

    from zhili.common.scope import set_scope
    from zhili.ledger import actions

    with transaction.atomic():
        set_scope([PLACE])
        actions.post(transfers, place=PLACE, by=None, period=PERIOD)


@contextmanager
def owner(database: str = DATABASE) -> Iterator[psycopg.Connection]:
    from zhili.config import embedded

    with embedded.logins()["owner"].connect(database) as db:
        db.execute("SELECT set_config('zhili.scope', '*', false)")
        yield db


def big(owners: list[UUID], repeat: int = 3) -> tuple[float, float]:
    """Seconds of the best of three, ours and the floor's, in turns: both meet the same moods of the machine."""
    ours, floor = [], []
    with owner() as db:
        db.execute("CREATE TABLE floor_transfer (LIKE ledger_transfer INCLUDING INDEXES)")
        db.execute(
            "CREATE TABLE floor_account (LIKE ledger_account INCLUDING INDEXES) WITH (fillfactor = 80)"
        )
        db.execute("INSERT INTO floor_account SELECT * FROM ledger_account")
        for _ in range(repeat):
            news = awards(owners, BIG)
            ours.append(support.best(partial(post, news), 1))
            rows = db.execute(
                "SELECT * FROM ledger_transfer WHERE seq = (SELECT max(seq) FROM ledger_transfer) ORDER BY index"
            ).fetchall()
            floor.append(support.best(partial(copy_and_add, db, rows), 1))
    print(
        "  each run, ours: "
        + ", ".join(f"{t:.2f}" for t in ours)
        + " s; floor: "
        + ", ".join(f"{t:.2f}" for t in floor)
        + " s"
    )
    return min(ours), min(floor)


def copy_and_add(db: psycopg.Connection, rows: list[tuple[Any, ...]]) -> None:
    """The floor: COPY of ready rows, then one grouped update of the balances. No check, no chain, no totals."""
    seq = rows[0][2]
    with db.transaction():
        with db.cursor().copy("COPY floor_transfer FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        db.execute(
            """UPDATE floor_account a SET credits = a.credits + d.plus, debits = a.debits + d.minus FROM (
                 SELECT account, sum(plus) AS plus, sum(minus) AS minus FROM (
                   SELECT credit AS account, amount AS plus, 0 AS minus FROM floor_transfer WHERE seq = %(seq)s
                   UNION ALL SELECT debit, 0, amount FROM floor_transfer WHERE seq = %(seq)s) x GROUP BY account) d
               WHERE a.id = d.account""",
            {"seq": seq},
        )


# The same deed by hand: the same rows, digests and sums, none of the checks. $1 … are bound, the plan is kept.
BY_HAND = """
WITH tip AS (SELECT seq, head FROM hand_batch WHERE place = %(place)s ORDER BY seq DESC LIMIT 1),
n AS (SELECT u.*, tip.seq + 1 AS seq, sha256('\\x03'::bytea || salt || convert_to(cause, 'UTF8')) AS commitment
      FROM tip, unnest(%(ids)s::uuid[], %(debits)s::uuid[], %(credits)s::uuid[], %(salts)s::bytea[], %(causes)s::text[])
      WITH ORDINALITY AS u(id, debit, credit, salt, cause, i)),
l AS (SELECT n.*, sha256('\\x00'::bytea || convert_to('zhili-transfer/1|' || %(place)s || '|' || seq || '|' || i || '|' || id
        || '|' || debit || '|' || credit || '|200|0|award|posted|||8221|' || %(moment)s || '|2022-Q3|0|'
        || encode(commitment, 'hex'), 'UTF8')) AS leaf FROM n),
ins AS (INSERT INTO hand_transfer (id, place, seq, index, debit, credit, amount, short, code, phase, occurred_on, posted_at,
          period, late, salt, cause, commitment, leaf)
        SELECT id, %(place)s, seq, i, debit, credit, 200, 0, 'award', 'posted', %(day)s, %(at)s, '2022-Q3', false, salt,
          cause, commitment, leaf FROM l),
plus AS (UPDATE hand_account a SET credits = a.credits + 200 FROM n WHERE a.id = n.credit),
minus AS (UPDATE hand_account a SET debits = a.debits + 200 FROM n WHERE a.id = n.debit),
tot AS (INSERT INTO hand_total AS p (account, period, place, earned, deducted, spent, expired, adjusted)
        SELECT credit, '2022-Q3', %(place)s, 200, 0, 0, 0, 0 FROM n
        ON CONFLICT (account, period) DO UPDATE SET earned = p.earned + 200),
root AS (SELECT sha256('\\x01'::bytea || string_agg(leaf, ''::bytea ORDER BY i)) AS root FROM l)
INSERT INTO hand_batch (id, place, seq, previous_head, root, head, algorithm, count, total, posted_at, period, note)
SELECT gen_random_uuid(), %(place)s, tip.seq + 1, tip.head, root,
       sha256('\\x02'::bytea || convert_to('zhili-batch/1|' || %(place)s || '|' || (tip.seq + 1) || '|' ||
         encode(tip.head, 'hex') || '|' || encode(root, 'hex') || '|sha256|2|400|' || %(moment)s || '|2022-Q3||' ||
         repeat('0', 64), 'UTF8')), 'sha256', 2, 400, %(at)s, '2022-Q3', '' FROM tip, root
"""


def singles(owners: list[UUID], times: int = 600) -> tuple[float, float]:
    """Median milliseconds of one award (two purses): ours, and by hand in one statement, transaction and scope alike."""
    from zhili.ledger import chain
    from zhili.ledger.posting import canonical

    with owner() as db:
        for table in ("transfer", "account", "batch"):
            db.execute(f"CREATE TABLE hand_{table} (LIKE ledger_{table} INCLUDING ALL)")
            where = "" if table != "transfer" else "LIMIT 0"
            db.execute(f"INSERT INTO hand_{table} SELECT * FROM ledger_{table} {where}")
        db.execute("CREATE TABLE hand_total (LIKE ledger_periodtotal INCLUDING ALL)")
        db.execute("INSERT INTO hand_total SELECT * FROM ledger_periodtotal")
        db.execute("ANALYZE hand_account; ANALYZE hand_batch; ANALYZE hand_total")

        def by_hand(news: list[NewTransfer]) -> None:
            at = datetime.now(tz=UTC)
            keys = [
                [chain.account_id(PLACE, key.kind, key.owner, key.purse) for key in side]
                for side in ([t.debit for t in news], [t.credit for t in news])
            ]
            with db.transaction():
                db.execute("SELECT set_config('zhili.scope', %s, true)", [PLACE])
                db.execute(
                    BY_HAND,
                    {
                        "place": PLACE, "ids": [t.id for t in news], "debits": keys[0], "credits": keys[1],
                        "salts": [os.urandom(16) for _ in news], "causes": [canonical(t.cause) for t in news],
                        "moment": chain.moment(at), "at": at, "day": DAY,
                    },
                )  # fmt: skip

        ours = iter([awards(owners, 2) for _ in range(2 * times)])
        theirs = iter([awards(owners, 2) for _ in range(2 * times)])
        for _ in range(30):
            post(next(ours))
            by_hand(next(theirs))
        pairs = [
            (support.best(lambda: post(next(ours)), 1), support.best(lambda: by_hand(next(theirs)), 1))
            for _ in range(times)
        ]
        mine, hand = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
        return mine, hand


def against_hordak(owners: list[UUID]) -> None:
    """transfer_to moves one amount between two accounts; so do we here, with cause, chain and totals on top. In turns."""
    with hordak() as theirs:
        pairs = [(timed(awards(owners, 2)[:1]), theirs(1)) for _ in range(220)][20:]
        single, single_theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        pairs = [(timed(awards(owners, 1_000)), theirs(1_000)) for _ in range(4)]
        batch, batch_theirs = (min(side) for side in zip(*pairs, strict=True))
    print(
        f"  hordak: single {single_theirs * 1000:.2f} ms, 1,000 in {batch_theirs:.2f} s; "
        f"ours: {single * 1000:.2f} ms, {batch * 1000:.0f} ms"
    )
    support.mark(
        f"singles {single_theirs / single:.1f} times hordak's speed (at least 2)", single_theirs >= 2 * single
    )
    support.mark(
        f"batches of 1,000 {batch_theirs / batch:.0f} times (at least 50)", batch_theirs >= 50 * batch
    )


def timed(news: list[NewTransfer]) -> float:
    return support.best(lambda: post(news), 1)


@contextmanager
def hordak() -> Iterator[Callable[[int], float]]:
    """A running hordak_side; call it with a number of transfers for the seconds they took."""
    from zhili.config import embedded

    name = f"{DATABASE}_hordak"
    login = embedded.logins()["owner"]
    with login.connect(embedded.maintenance_database()) as db:
        db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        db.execute(f'CREATE DATABASE "{name}"')
    environment = os.environ | {"BENCH_DATABASE": json.dumps(login.as_django() | {"NAME": name})}
    run = subprocess.Popen(
        [sys.executable, "-m", "bench.hordak_side"],
        env=environment, cwd=support.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stdin and run.stdout
    questions, answers = run.stdin, run.stdout

    def ask(count: int) -> float:
        questions.write(f"{count}\n")
        questions.flush()
        return float(answers.readline())

    try:
        assert answers.readline().strip() == "ready", "hordak did not start; its message is above"
        yield ask
    finally:
        questions.close()
        run.wait(30)
        with login.connect(embedded.maintenance_database()) as db:
            db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
