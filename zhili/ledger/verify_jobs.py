"""One process of a check that several share: the same database, the same moment. Imports no model: it loads Django first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zhili.ledger.problems import Report

_begun: dict[str, str] = {}


def begin(known: dict[str, Any], snapshot: str) -> None:
    """Called once in the new process. known: the connection's settings_dict of the process that asks."""
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict.update(known)
    _begun["snapshot"] = snapshot


def one_place(place: str) -> Report:
    """Check one village as of the snapshot."""
    from django.db import connection, transaction

    from zhili.common.scope import EVERYWHERE, scoped
    from zhili.ledger.problems import Report
    from zhili.ledger.verify import check_place

    report = Report()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET TRANSACTION SNAPSHOT %s", [_begun["snapshot"]])
        with scoped(EVERYWHERE):
            check_place(report, place, None)
    return report
