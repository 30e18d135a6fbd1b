"""The scope of a transaction: which places its rows may come from. PostgreSQL's row security reads it.

A scope is a set of place-code prefixes ("511702109200", "511702109"); "*" means the whole instance and is
for maintenance only. It is set with SET LOCAL, so it ends with the transaction; unset or empty sees nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connections, transaction

EVERYWHERE = "*"
_PREFIX = re.compile(r"\d{2,14}")


def set_scope(
    prefixes: Iterable[str], *, user_id: str = "", using: str = "default", lock_wait: str = ""
) -> None:
    """Limit the rest of this transaction to rows whose place starts with one of `prefixes`.

    lock_wait: how long it waits for somebody else's lock ("3s"; empty: as the server has it).
    """
    wanted = list(prefixes)
    if EVERYWHERE in wanted:
        wanted = [EVERYWHERE]
    for prefix in wanted:
        if prefix != EVERYWHERE and not _PREFIX.fullmatch(prefix):
            raise ValueError(f"not a place prefix: {prefix!r}")
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT set_config('zhili.scope', %s, true), set_config('zhili.user', %s, true)"
            + (", set_config('lock_timeout', %s, true)" if lock_wait else ""),
            [",".join(wanted), user_id, *([lock_wait] if lock_wait else [])],
        )


@contextmanager
def scoped(*prefixes: str, user_id: str = "", using: str = "default") -> Iterator[None]:
    """One transaction limited to `prefixes`: for jobs, commands and tests. Nested use narrows, then restores."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT current_setting('zhili.scope', true), current_setting('zhili.user', true)")
            scope, user = cursor.fetchone()
        set_scope(prefixes, user_id=user_id, using=using)
        yield
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT set_config('zhili.scope', %s, true), set_config('zhili.user', %s, true)",
                [scope or "", user or ""],
            )
