"""A book that may be tampered with: the database owner's connection to a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction


@pytest.fixture(params=["intl", "gm"])
def profile(request: pytest.FixtureRequest, settings: object) -> str:
    """K-02: the same test under SHA-256 and under SM3."""
    settings.CIPHER_PROFILE = request.param  # type: ignore[attr-defined]
    return str(request.param)


@pytest.fixture
def as_owner_of_book(django_db_setup: None, own_database: str, django_db_blocker: object) -> Iterator[str]:
    """Inside one transaction, as the owner role, scope '*', with every guard of the ledger's tables taken down."""
    from zhili.common.scope import set_scope
    from zhili.config.setup import as_owner

    with django_db_blocker.unblock(), as_owner(own_database), transaction.atomic():  # type: ignore[attr-defined]
        set_scope(["*"])
        yield own_database
        transaction.set_rollback(True)


def take_down_guards() -> None:
    """What somebody with the owner's password could do: no trigger, no CHECK, no unique key stands in the way."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'ledger\\_%' AND relkind = 'r'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE conrelid::regclass::text LIKE 'ledger\\_%'"
            " AND contype IN ('c', 'u', 'p')"
        )
        for table, name in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
