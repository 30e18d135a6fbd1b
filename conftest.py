"""Tests run on a real PostgreSQL: one embedded server in .cache/, one template database, one copy per worker."""

from __future__ import annotations

import gc
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
TEMPLATE = "zhili_template"
os.environ["ZHILI_VAR"] = str(ROOT / ".cache" / "test-var")
# Each worker its own log, so that a test reads only what it caused.
LOGS = ROOT / ".cache" / "test-logs" / str(os.getpid() if WORKER == "main" else os.getppid())
os.environ["ZHILI_LOG_DIR"] = str(LOGS / WORKER)
os.environ["ZHILI_DATABASE"] = f"zhili_test_{WORKER}_{os.getpid()}"
# Page limits are far off, except in the tests whose subject they are: the matrix opens every page as everybody.
os.environ["ZHILI_RATE_SCALE"] = "1000"
os.environ["DJANGO_SETTINGS_MODULE"] = "zhili.config.settings"
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".cache" / "hypothesis"))


def pytest_configure(config: pytest.Config) -> None:
    """Start the server before Django reads its settings."""
    from zhili.config import embedded

    (ROOT / ".cache").mkdir(exist_ok=True)
    embedded.start()
    import django

    django.setup()
    from django.db import connection

    # A worker may have read its settings already, with the environment of the process that started it.
    connection.settings_dict.update(embedded.logins()["app"].as_django())
    log_into(Path(os.environ["ZHILI_LOG_DIR"]))
    # What is loaded by now stays; the collector need not look through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def log_into(folder: Path) -> None:
    """This worker's own log, for the same reason; the servers it starts follow the environment."""
    from django.conf import settings

    from zhili.common.logs import DailyFile

    settings.LOG_DIR = folder
    # A command run inside a test sets Django up again, and with it the log.
    settings.LOGGING["handlers"]["file"]["folder"] = str(folder)
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if isinstance(handler, DailyFile):
            handler.close()
            handler.folder = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """The log of this run goes with it."""
    if WORKER == "main":
        shutil.rmtree(LOGS, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest tests begin first, and those of one xdist group get to one worker: one server, one demo, one browser.

    pytest-xdist 3.8 writes the group into a field pytest 9.2 no longer reads, so every group was torn apart and each
    worker built all of it once more. The name it looks for is put where pytest reads it.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/matrix/", "tests/simulator/")))
    if not config.getoption("loadgroup", False):
        return
    from _pytest.nodeid import NodeId

    for item in items:
        names = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if names and not item.nodeid.endswith(f"@{'_'.join(names)}"):
            item._id = NodeId.parse(f"{item.nodeid}@{'_'.join(names)}")  # type: ignore[attr-defined]


def migrations_digest() -> str:
    """Changes whenever a migration or the places file does: then the template database is made again."""
    total = hashlib.sha256()
    for path in sorted([*ROOT.glob("zhili/*/migrations/*.py"), *ROOT.glob("zhili/places/data/*.csv"),
                        ROOT / "zhili/common/rowsecurity.py", ROOT / "zhili/config/roles.py",
                        *ROOT.glob("zhili/*/sql/*.sql")]):  # fmt: skip
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def make_template() -> str:
    """The migrated, empty database every test database is copied from. One process makes it, the others wait."""
    from zhili.config import embedded

    found = embedded.logins()
    name = f"{TEMPLATE}_{migrations_digest()}"
    with found["owner"].connect(embedded.maintenance_database()) as db:
        db.execute("SELECT pg_advisory_lock(704512)")
        if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            building = f"{name}_building"
            db.execute(f'DROP DATABASE IF EXISTS "{building}"')
            db.execute(f"CREATE DATABASE \"{building}\" TEMPLATE template0 ENCODING 'UTF8'")
            build_in(building)
            db.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
        db.execute("SELECT pg_advisory_unlock(704512)")
    return name


def build_in(database: str) -> None:
    """Migrate `database` as the owner and load the places."""
    from zhili.config.setup import as_owner, migrate_as_owner
    from zhili.places.actions import load_tongchuan

    migrate_as_owner(database)
    with as_owner(database):
        load_tongchuan()


def copy_database(name: str) -> None:
    """A fresh copy of the template, about 0.1 s."""
    from zhili.config import embedded

    template = make_template()
    with embedded.logins()["owner"].connect(embedded.maintenance_database()) as db:
        db.execute("SELECT pg_advisory_lock(704512)")
        db.execute(f'DROP DATABASE IF EXISTS "{name}"')
        db.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        db.execute("SELECT pg_advisory_unlock(704512)")


def drop_database(name: str) -> None:
    """Drop it, whoever is still connected; autovacuum, which only a superuser may end, is waited for."""
    import time

    import psycopg

    from zhili.config import embedded

    with embedded.logins()["owner"].connect(embedded.maintenance_database()) as db:
        for attempt in range(20):
            try:
                db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                return
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
                time.sleep(0.2 * (attempt + 1))
        db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: object) -> Iterator[None]:
    """Instead of pytest-django's: this worker's copy, made by the owner, used as the application's own role."""
    from django.db import connections

    name = os.environ["ZHILI_DATABASE"]
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        copy_database(name)
    yield
    from zhili.common import limits

    limits.close()
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connections.close_all()
        drop_database(name)


@pytest.fixture(autouse=True)
def _limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token buckets outlive a test's transaction; each test has its own."""
    monkeypatch.setattr("zhili.common.limits.namespace", f"{request.node.nodeid}-{os.getpid()}")


@pytest.fixture(autouse=True)
def _scope(request: pytest.FixtureRequest) -> None:
    """A database test works inside Tongchuan unless it sets another scope itself."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        from zhili.common.scope import set_scope

        set_scope(["511702"])


@pytest.fixture
def own_database(django_db_setup: None, django_db_blocker: object) -> Iterator[str]:
    """A database of this test's own, for worker processes: run them with env ZHILI_DATABASE = this name."""
    name = f"{os.environ['ZHILI_DATABASE']}_own"
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        copy_database(name)
    yield name
    drop_database(name)


@pytest.fixture
def cast(db: None):
    """The fixed cast (tests/cast.py)."""
    from tests.cast import make_cast

    return make_cast()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the matrix tried and saw, added up over its parts (A-02)."""
    totals: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            # The same properties hang on the set-up and the clearing-up of a test too.
            for name, value in report.user_properties if getattr(report, "when", "") == "call" else ():
                if name in ("matrix_pairs", "matrix_foreign_bytes", "get_crawled"):
                    totals[name] = totals.get(name, 0) + int(value)
    if "matrix_pairs" in totals:
        terminalreporter.write_line(
            f"matrix: {totals['matrix_pairs']:,} requests of every role to every address with own and foreign ids,"
            f" {totals['matrix_foreign_bytes']} bytes of foreign data seen"
        )
    if "get_crawled" in totals:
        terminalreporter.write_line(f"looking: {totals['get_crawled']:,} pages read, no row changed")
