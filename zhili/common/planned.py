"""Statements said many times a second, at a busy counter: built once a process, planned once a connection.

Django builds every query anew and sends it with its values inside, so PostgreSQL plans it anew; at the counter that was
half of the server's work and half of the database's. Row security holds as ever: a plan asks for the scope when it runs.
Everything that is not said that often stays a queryset.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import Model

Row = TypeVar("Row", bound=Model)
_Cursor: Final[Any] = ServerBindingCursor
AFTER: Final = 5
"""Times a connection says a statement before the database keeps its plan."""


def threshold() -> int | None:
    """AFTER, or None behind a pool: there the next statement may reach another server, which knows no such plan."""
    return None if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") else AFTER


def ask(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Say it and fetch the rows it gives; its values travel beside it. Counted, logged, refused as any of Django's."""
    connection.ensure_connection()
    driver = connection.connection
    if driver.prepare_threshold is None:
        driver.prepare_threshold = threshold()
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrap(_Cursor(driver)) as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def rows(model: type[Row], which: str, values: Sequence[Any]) -> list[Row]:
    """Rows of `model`. which: what follows WHERE, our own text; %s for each of `values`."""
    return [made(model, row) for row in ask(_select(model, which), values)]


def first(model: type[Row], which: str, values: Sequence[Any]) -> Row | None:
    """The first of rows(), or None."""
    return next(iter(rows(model, which, values)), None)


@cache
def columns(model: type[Model]) -> str:
    """Every column of `model`, for a SELECT whose rows made() takes."""
    for field in model._meta.concrete_fields:
        if field.get_db_converters(connection) or connection.ops.get_db_converters(field.get_col("")):
            raise TypeError(f"{field} must be read by a queryset")
    table = model._meta.db_table
    return ", ".join(f'"{table}"."{field.column}"' for field in model._meta.concrete_fields)


def made(model: type[Row], row: Sequence[Any]) -> Row:
    """The row of columns(), as a queryset would have given it."""
    return model.from_db("default", [field.attname for field in model._meta.concrete_fields], row)


@cache
def _select(model: type[Model], which: str) -> str:
    return f'SELECT {columns(model)} FROM "{model._meta.db_table}" WHERE {which}'  # noqa: S608 - our own text
