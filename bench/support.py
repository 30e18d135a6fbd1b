"""A database of the benchmarks' own, on its own embedded server; marks and how they came out."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from zhili.config.embedded import Login

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Mark:
    """One promise of the issue, and whether this run kept it."""

    text: str
    met: bool


MARKS: list[Mark] = []


def mark(text: str, met: bool) -> None:
    MARKS.append(Mark(text, met))
    print(f"  {'met   ' if met else 'MISSED'} {text}", flush=True)


def best(work: Callable[[], object], repeat: int = 3) -> float:
    """Seconds of the fastest of `repeat` runs."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def median_ms(work: Callable[[], object], times: int) -> float:
    """Median milliseconds of one call."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found) * 1000


@contextmanager
def database(name: str) -> Iterator[str]:
    """Django set up on a fresh, migrated database `name`, as the application's role; dropped afterwards.

    The first call of a process decides the server: .cache/bench-var, or DATABASE_URL.
    """
    found = use(name)
    from zhili.config import embedded
    from zhili.config.setup import migrate_as_owner

    _drop(name)
    with found["owner"].connect(embedded.maintenance_database()) as db:
        db.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    try:
        migrate_as_owner(name)
        yield name
    finally:
        _drop(name)


def kept_database(name: str, stamp: str, build: Callable[[], None], *, fresh: bool = False) -> bool:
    """Like database(), but built once and kept: True if it was there, complete and of this `stamp`.

    The stamp is written as the database's comment when `build` is through, so a broken build is never reused.
    Migrations that came since are applied; `fresh` builds it again whatever is there.
    """
    found = use(name)
    from zhili.config import embedded
    from zhili.config.setup import migrate_as_owner

    maintenance = embedded.maintenance_database()
    with found["owner"].connect(maintenance) as db:
        row = db.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
    kept = not fresh and row is not None and row[0] == stamp
    if not kept:
        _drop(name)
        with found["owner"].connect(maintenance) as db:
            db.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    migrate_as_owner(name)
    if not kept:
        build()
        with found["owner"].connect(maintenance) as db:
            db.execute(f"COMMENT ON DATABASE \"{name}\" IS '{stamp}'")
    return kept


def use(name: str) -> dict[str, Login]:
    """Start the benchmarks' server and let Django speak to its database `name` as the application's role."""
    os.environ["ZHILI_VAR"] = str(ROOT / ".cache" / "bench-var")
    os.environ["ZHILI_DATABASE"] = name
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
    (ROOT / ".cache").mkdir(exist_ok=True)
    from zhili.config import embedded

    found = embedded.start()
    import django

    django.setup()
    from django.db import connection

    connection.close()
    connection.settings_dict.update(embedded.logins()["app"].as_django())
    return found


def _drop(name: str) -> None:
    from django.db import connection

    from zhili.config import embedded

    connection.close()
    with embedded.logins()["owner"].connect(embedded.maintenance_database()) as db:
        for attempt in range(20):
            try:
                db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                return
            except psycopg.errors.InsufficientPrivilege:
                # autovacuum is inside, and only a superuser may send it away: it leaves by itself
                time.sleep(0.5 * (attempt + 1))
