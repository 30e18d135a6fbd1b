"""What wall two costs: the phone's home page and handing in a claim, with and without row security, in one run.

The same county of 60,000 households as bench/phone_home.py, the same connection, the same villagers; turn by turn
the session takes a role that row security holds and one that walks round it (made by the superuser for this run and
dropped afterwards). What is compared are medians of turns that lie next to each other, so another program on the
machine slows both. The rooms' predicates (wall one) are in both measurements: they cannot be taken out.

    python -m bench.row_security            60,000 households (built by the first run, kept in .cache/bench-var)
    python -m bench.row_security --small    600 households
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import county, support
from bench.county import FULL, SMALL
from bench.phone_home import BACKEND, WITNESS, forget_claims, villagers

if TYPE_CHECKING:
    from zhili.people.models import User

FREE: Final = "zhili_bench_free"
PAIRS: Final = 300
MOST: Final = 1.15


def main(*, small: bool = False) -> bool:
    """Build or reuse the county, measure both, judge the ratios. Whether both marks are met."""
    size = SMALL if small else FULL
    name = f"zhili_bench_county_{size.all_households}"
    support.kept_database(name, size.stamp, partial(county.build, name, size))
    with free_role(name):
        people = villagers(size)
        scope_cost()
        home = compare("phone home page", pages(people))
        claim = compare("claim submission", claims(people))
        forget_claims()
    return home <= MOST and claim <= MOST


@contextmanager
def free_role(database: str) -> Iterator[None]:
    """A role with the application's rights that row security does not hold; the application may take it for this run."""
    from zhili.config import embedded

    found = embedded.logins()
    app = found["app"].user
    root = embedded.Login(
        found["owner"].host,
        found["owner"].port,
        database,
        "postgres",
        embedded.read_secrets(embedded.var_dir())["superuser"],
    )
    with root.connect(database) as db:
        if _exists(db):
            _drop(db)
        db.execute(f"CREATE ROLE {FREE} NOLOGIN BYPASSRLS")
        db.execute(f"GRANT USAGE ON SCHEMA public TO {FREE}")
        db.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {FREE}")
        db.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {FREE}")
        db.execute(f"GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO {FREE}")
        db.execute(f"GRANT {FREE} TO {app}")
        try:
            yield
        finally:
            from django.db import connection

            connection.close()
            _drop(db)


def _exists(db: object) -> bool:
    return db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [FREE]).fetchone() is not None  # type: ignore[attr-defined]


def _drop(db: object) -> None:
    db.execute(f"DROP OWNED BY {FREE}")  # type: ignore[attr-defined]
    db.execute(f"DROP ROLE {FREE}")  # type: ignore[attr-defined]


def take(role: str | None) -> None:
    """The session's role; None: the application's own."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}" if role else "RESET ROLE")


def compare(title: str, work: Callable[[int], None]) -> float:
    """Median of the ratios of neighbouring turns, with row security to without."""
    for number in range(10):
        take(None if number % 2 else FREE)
        work(number)
    ratios, held, free = [], [], []
    for number in range(PAIRS):
        times = {}
        for role in (None, FREE) if number % 2 else (FREE, None):
            take(role)
            started = time.perf_counter()
            work(number)
            times[role] = time.perf_counter() - started
        held.append(times[None])
        free.append(times[FREE])
        ratios.append(times[None] / times[FREE])
    take(None)
    ratio = statistics.median(ratios)
    print(
        f"  {title}: {statistics.median(held) * 1000:.2f} ms with row security, {statistics.median(free) * 1000:.2f} ms"
        f" without; quartiles of the ratio {statistics.quantiles(ratios, n=4)[0]:.3f} to"
        f" {statistics.quantiles(ratios, n=4)[2]:.3f}"
    )
    support.mark(f"row security costs at most 15 % on {title}: ratio {ratio:.3f}", ratio <= MOST)
    return ratio


def pages(people: list[User]) -> Callable[[int], None]:
    """GET /m/ through the whole stack, in process: the server's own work would only dilute what is measured."""
    from django.test import Client

    clients = []
    for user in people:
        client = Client()
        client.force_login(user, BACKEND)
        clients.append(client)

    def read(number: int) -> None:
        answer = clients[number % len(clients)].get("/m/")
        assert answer.status_code == 200

    return read


def claims(people: list[User]) -> Callable[[int], None]:
    """submit_claim in a transaction of its own, commit included."""
    from zhili.claims.actions import submit_claim
    from zhili.common.ids import uuid7
    from zhili.common.periods import today
    from zhili.common.scope import scoped

    def hand_in(number: int) -> None:
        user = people[number % len(people)]
        user.__dict__.pop("memberships_today", None)
        with scoped(user.home_place, user_id=str(user.pk)):
            assert user.resident is not None
            submit_claim(
                by=user, id=uuid7(), household=user.resident.household, item="HJ01", occurred_on=today(),
                channel="phone", witness=WITNESS,
            )  # fmt: skip

    return hand_in


def scope_cost() -> None:
    """Microseconds of working the scope out once, as every statement on a table with a place does."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('zhili.scope', '511702109200', true)")
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) SELECT zhili_scope() FROM generate_series(1, 200000)")
        with_it = float(cursor.fetchall()[-1][0].split()[2])
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) SELECT 1 FROM generate_series(1, 200000)")
        without = float(cursor.fetchall()[-1][0].split()[2])
    print(f"  zhili_scope(): {(with_it - without) * 1000 / 200_000:.2f} µs a call")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.row_security")
    parser.add_argument("--small", action="store_true", help="600 households only")
    options = parser.parse_args()
    sys.exit(0 if main(small=options.small) else 1)
