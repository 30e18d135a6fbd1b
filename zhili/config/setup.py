"""Bring the database up: start it, migrate as the owner, grant the application its rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.management import call_command
from django.db import connection

from zhili.common import readonly
from zhili.config import embedded, roles

READ_ONLY = "-c default_transaction_read_only=on"


def ready(*, migrate: bool = True) -> None:
    """Start the database and load Django, for commands that need both. Safe to call twice."""
    found = embedded.start()
    django.setup()
    # Settings may have been read before the first start, when the socket's folder was not known yet.
    connection.settings_dict.update(found["app"].as_django())
    readonly.prepare()
    if not follow_readonly() and migrate:
        migrate_as_owner()


def follow_readonly() -> bool:
    """Commands and workers meet the same lock as pages do (O-09), from now on or no longer. Returns whether it is on."""
    options = dict(connection.settings_dict["OPTIONS"])
    on, locked = readonly.state().on, options.get("options") == READ_ONLY
    if on != locked:
        connection.close()
        options.pop("options", None)
        connection.settings_dict["OPTIONS"] = options | ({"options": READ_ONLY} if on else {})
    return on


@contextmanager
def as_owner(database: str | None = None) -> Iterator[None]:
    """Let this process be the database's owner for a while (migrations, maintenance), then the application again."""
    connection.close()
    before = dict(connection.settings_dict)
    owner = embedded.logins()["owner"]
    connection.settings_dict.update(owner.as_django())
    if database:
        connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def migrate_as_owner(database: str | None = None) -> bool:
    """Apply what is missing and grant the application its rights. Returns whether anything was missing."""
    from django.db.migrations.executor import MigrationExecutor

    found = embedded.logins()
    name = database or found["owner"].database
    with as_owner(name):
        executor = MigrationExecutor(connection)
        missing = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if missing:
            call_command("migrate", verbosity=0, interactive=False)
            roles.grant(found["owner"], found["app"].user, name)
    return missing
