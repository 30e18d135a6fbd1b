"""A trail that may be tampered with, and one that really commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction


@pytest.fixture
def trail_of_owner(django_db_setup: None, own_database: str, django_db_blocker: object) -> Iterator[str]:
    """Inside one transaction, as the owner role, scope '*', on a database of the test's own."""
    from zhili.common.scope import set_scope
    from zhili.config.setup import as_owner

    with django_db_blocker.unblock(), as_owner(own_database), transaction.atomic():  # type: ignore[attr-defined]
        set_scope(["*"])
        yield own_database
        transaction.set_rollback(True)


@pytest.fixture(params=["intl", "gm"])
def profile(request: pytest.FixtureRequest, settings: object) -> str:
    """K-02: the test runs under both profiles."""
    settings.CIPHER_PROFILE = request.param  # type: ignore[attr-defined]
    return str(request.param)


@pytest.fixture
def real_database(
    django_db_setup: None, own_database: str, django_db_blocker: object
) -> Iterator[Callable[[], object]]:
    """The application's own role on a database of the test's own, where transactions really end."""

    @contextmanager
    def inside(*prefixes: str) -> Iterator[None]:
        from zhili.common.scope import set_scope

        with transaction.atomic():
            set_scope(prefixes or ("511702",))
            yield

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        was = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = own_database
        try:
            yield inside
        finally:
            connection.close()
            connection.settings_dict["NAME"] = was


def link_now() -> None:
    """What the end of the transaction would do."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def take_down_guards() -> None:
    """What somebody with the owner's password could do."""
    link_now()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE audit_entry DROP CONSTRAINT audit_place_seq")
        cursor.execute("ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_pkey CASCADE")
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'audit_entry'::regclass AND attnotnull AND attnum > 0"
        )
        for (column,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE audit_entry ALTER COLUMN {column} DROP NOT NULL")
