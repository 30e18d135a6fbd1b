"""Statements said many times a second, at a busy counter: built once a process, planned once a connection.

Django builds every query anew and sends it with its values inside, so PostgreSQL plans it anew; at the counter that was
half of the server's work and half of the database's. Row security holds as ever: a plan asks for the scope when it runs.
Everything that is not said that often stays a queryset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import Model

Row = TypeVar("Row", bound=Model)
_Cursor: Final[Any] = ServerBindingCursor
AFTER: Final = 5
"""Times a connection says a statement before the database keeps its plan."""


def threshold() -> int | None:
    """AFTER, or None behind a pool: there the next statement may reach another server, which knows no such plan."""
    said = connection.settings_dict
    return None if said.get("DISABLE_SERVER_SIDE_CURSORS") or said.get("LIMITS_NAME") else AFTER


@contextmanager
def _said(statement: str, values: Sequence[Any]) -> Iterator[Any]:
    db = connections[DEFAULT_DB_ALIAS]
    db.close_if_health_check_failed()
    db.ensure_connection()
    driver = db.connection
    if driver.prepare_threshold is None:
        driver.prepare_threshold = threshold()
    wrap = db.make_debug_cursor if db.queries_logged else db.make_cursor
    with wrap(_Cursor(driver)) as cursor:
        try:
            cursor.execute(statement, values)
        finally:
            if db.queries_logged and db.queries_log[-1]["sql"] is None:
                db.queries_log[-1]["sql"] = statement  # the driver forgets the text of what it has prepared
        yield cursor


def ask(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Say it and fetch the rows it gives; its values travel beside it. Counted, logged, refused as any of Django's."""
    with _said(statement, values) as cursor:
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def add(row: Model) -> None:
    """INSERT of a new row, every column as it stands: for models without signals and without fields that set themselves."""
    with _said(_insert(type(row)), stored(row, row._meta.concrete_fields)):
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def stored(row: Model, fields: Iterable[Any]) -> list[Any]:
    """The values of these fields as the database takes them."""
    db = connections[DEFAULT_DB_ALIAS]
    return [field.get_db_prep_save(getattr(row, field.attname), db) for field in fields]


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


@cache
def _insert(model: type[Model]) -> str:
    fields = model._meta.concrete_fields
    names = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({marks})'  # noqa: S608 - our own columns
