"""Wall two without a scope and through a pool: a connection carries nothing from one transaction to the next (A-03)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.test import Client

from tests.cast import NEXT_VILLAGE, OTHER_TOWN_VILLAGE, TOWNSHIP, VILLAGE, make_cast, make_person
from tests.pooler import Pooler, pgbouncer
from zhili.common.scope import EVERYWHERE, scoped
from zhili.config import embedded
from zhili.people.models import User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def visible(db: psycopg.Connection) -> int:
    return sum(
        db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("people_household", "people_resident", "places_villagesettings", "people_membership")
    )


@pytest.fixture
def filled(own_database, django_db_blocker):
    """A database with the cast in it, committed."""
    with django_db_blocker.unblock(), elsewhere(NAME=own_database), scoped(EVERYWHERE):
        make_cast()
        make_person("far", "远村演示", OTHER_TOWN_VILLAGE, "1001", "1组", "head")
    return own_database


@contextmanager
def elsewhere(**settings: object) -> Iterator[None]:
    """The ORM of every thread on another database or by another way, for a while."""
    was = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(settings)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(was)


def login_to(name: str) -> psycopg.Connection:
    return embedded.logins()["app"].connect(name)


def test_a_scope_never_set_and_a_scope_of_an_earlier_transaction_see_nothing(filled):
    """A-03: NULL before the first SET LOCAL, '' after it on the same connection: both are nothing, never everything."""
    with login_to(filled) as db:
        assert db.execute("SELECT current_setting('zhili.scope', true)").fetchone() == (None,)
        assert visible(db) == 0
        for scope in (VILLAGE, "511702", "*"):
            with db.transaction():
                db.execute("SELECT set_config('zhili.scope', %s, true)", [scope])
                assert visible(db) > 0
            assert db.execute("SELECT current_setting('zhili.scope', true)").fetchone() == ("",)
            assert visible(db) == 0
            with db.transaction():
                assert visible(db) == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute("INSERT INTO places_villagesettings (place, notice_days, acknowledge_days, answer_days,"
                           " late_days, office_phone, office_address, supervisor_phone, demo)"
                           " VALUES ('511702109203', 5, 3, 15, 90, '', '', '', false)")  # fmt: skip


def test_a_rolled_back_transaction_leaves_no_scope_behind(filled):
    """A-03: also after an error in the middle, which is how a pool gets its connections back."""
    with login_to(filled) as db:
        with pytest.raises(psycopg.errors.DivisionByZero), db.transaction():
            db.execute("SELECT set_config('zhili.scope', '*', true)")
            db.execute("SELECT 1/0")
        assert visible(db) == 0


# -- the pool -----------------------------------------------------------------------------------------------

ROUNDS, THREADS = 25, 12


@pytest.fixture
def pool(filled):
    with pgbouncer(embedded.logins()["app"], filled, size=2) as running:
        yield running


def test_a_pool_of_two_connections_mixes_no_villages(pool: Pooler):
    """A-03: PgBouncer in transaction mode, 12 threads of four scopes and none on 2 server connections: 0 foreign rows."""
    scopes = [VILLAGE, NEXT_VILLAGE, OTHER_TOWN_VILLAGE, TOWNSHIP, ""]
    foreign: list[tuple[str, set[str]]] = []
    empty: list[str] = []
    servers: set[int] = set()
    barrier = threading.Barrier(THREADS)

    def work(number: int) -> None:
        barrier.wait()
        with pool.connect() as db:
            for turn in range(ROUNDS):
                scope = scopes[(number + turn) % len(scopes)]
                with db.transaction():
                    if scope:
                        db.execute("SELECT set_config('zhili.scope', %s, true)", [scope])
                    rows = {row[0] for row in db.execute("SELECT place FROM people_resident").fetchall()}
                    servers.add(db.execute("SELECT pg_backend_pid()").fetchone()[0])
                if bad := {place for place in rows if not (scope and place.startswith(scope))}:
                    foreign.append((scope, bad))
                if scope and not rows:
                    empty.append(scope)
                if db.execute("SELECT count(*) FROM people_resident").fetchone() != (0,):
                    foreign.append(("outside a transaction", set()))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert foreign == []
    assert empty == []
    assert 1 <= len(servers) <= 2


def test_pages_through_the_pool_show_the_own_village(pool: Pooler, django_db_blocker):
    """A-03: real requests of people of different villages, each thread with its own client, through the same pool."""
    names = {"villager": "演示乙", "clerk": "演示丁", "stranger": "邻村演示", "far": "远村演示"}
    wrong: list[str] = []

    def read(username: str) -> None:
        try:
            client = Client()
            with scoped(EVERYWHERE):
                client.force_login(User.objects.get(username=username), BACKEND)
            for _ in range(6):
                text = client.get("/m/household/").content.decode()
                wrong.extend(
                    f"{username} saw {n}" for w, n in names.items() if n in text and not same(w, username)
                )
                if "演示" not in text:
                    wrong.append(f"{username} saw nobody")
        finally:
            connection.close()

    def same(one: str, other: str) -> bool:
        return one == other or {one, other} <= {"villager", "clerk"}

    threads = [threading.Thread(target=read, args=(who,)) for who in [*names, *names]]
    with django_db_blocker.unblock(), elsewhere(**pool.as_django()):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
