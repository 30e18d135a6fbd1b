"""What an instance knows about itself, written beside every copy of it: fingerprints, versions, rights of functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from zhili.common.scope import EVERYWHERE, scoped

Heads = dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """heads, audit_heads: place → (seq, head) of the newest link of its chain. versions: of program, server, migrations.

    closed_functions: "name(arguments)" of those that not everybody may call.
    """

    heads: Heads
    audit_heads: Heads
    versions: dict[str, str]
    closed_functions: tuple[str, ...]

    @staticmethod
    def now() -> Known:
        """As the database says at this moment."""
        with scoped(EVERYWHERE):
            heads = _rows(
                "SELECT DISTINCT ON (place) place, seq, encode(head, 'hex') FROM ledger_batch"
                " ORDER BY place, seq DESC"
            )
            audit = _rows(
                "SELECT DISTINCT ON (place) place, seq, encode(digest, 'hex') FROM audit_entry"
                " WHERE seq IS NOT NULL ORDER BY place, seq DESC"
            )
        closed = _rows(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = 'public' AND p.proacl IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0) ORDER BY 1"
        )
        return Known(
            {place: (seq, head) for place, seq, head in heads},
            {place: (seq, head) for place, seq, head in audit},
            _versions(),
            tuple(row[0] for row in closed),
        )


def _rows(query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _versions() -> dict[str, str]:
    latest: dict[str, str] = {}
    for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
        latest[f"migration:{app}"] = name
    return {"postgresql": str(_rows("SHOW server_version")[0][0]), **latest}
