"""An upgrade changes functions and adds columns, and never the books: the same fingerprints before, between and after."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from zhili.audit.actions import record
from zhili.audit.verify import verify as verify_trail
from zhili.common.scope import set_scope
from zhili.config import embedded, roles
from zhili.config.setup import as_owner
from zhili.ledger.tests.stories import PLACE, give
from zhili.ledger.tests.test_tamper import make_book
from zhili.ledger.verify import verify as verify_ledger


def books() -> tuple[Any, ...]:
    """Every digest of both chains, and whether all of it still follows from the rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        set_scope(["*"])
        cursor.execute("SELECT place, seq, algorithm, encode(head, 'hex') FROM ledger_batch ORDER BY 1, 2")
        ledger = cursor.fetchall()
        cursor.execute("SELECT place, seq, algorithm, encode(digest, 'hex') FROM audit_entry ORDER BY 1, 2")
        trail = cursor.fetchall()
        assert verify_ledger().ok and verify_trail().ok
    return ledger, trail


def before_last(app: str) -> str:
    """The migration before an app's newest."""
    names = sorted(name for label, name in MigrationLoader(None).disk_migrations if label == app)
    return names[-2]


@pytest.mark.processes
def test_migrations_leave_both_chains_as_they_were(
    own_database: str, django_db_blocker: Any, settings: Any
) -> None:
    """T-01, L-03: back by one in the rooms that keep books and forward again, as an upgrade would, over books of both
    digests with a closed period: not one fingerprint differs, everything verifies, and the chains go on."""
    home = uuid4()
    with django_db_blocker.unblock(), as_owner(own_database):
        with transaction.atomic():
            set_scope(["*"])
            make_book()
            record("claims.review", by=None, place=PLACE)
            settings.CIPHER_PROFILE = "gm"
            give(home, 300, period="2022-Q4")
            record("claims.review", by=None, place=PLACE)
            settings.CIPHER_PROFILE = "intl"
            give(home, 200, period="2022-Q4")
        before = books()
        assert {row[2] for row in before[0]} == {"sha256", "sm3"} == {row[2] for row in before[1]}
        for app in ("privacy", "audit", "ledger"):
            call_command("migrate", app, before_last(app), verbosity=0, interactive=False)
        assert books() == before
        call_command("migrate", verbosity=0, interactive=False)
        roles.grant(embedded.logins()["owner"], embedded.logins()["app"].user, own_database)
        assert books() == before
        with transaction.atomic():
            set_scope(["*"])
            give(home, 100, period="2022-Q4")
            record("claims.review", by=None, place=PLACE)
        after = books()
        assert len(after[0]) == len(before[0]) + 1 and after[0][:-1] == before[0]
