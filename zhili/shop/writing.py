"""An order with its number, its lines and what leaves the shelf, in one statement: a counter's second is short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Model

from zhili.common import planned
from zhili.shop.models import Order, OrderLine, StockMove

_NEXT: Final = "(SELECT last_number FROM counter)"


def write_order(order: Order, lines: Sequence[OrderLine], moves: Sequence[StockMove]) -> None:
    """Insert all of it and set order.number; `order.lines.all()` then asks nothing more.

    The shop's counter is the last row locked before the money accounts (ordering.py). Raises IntegrityError.
    """
    order.number = 0
    parts, values = (
        ["UPDATE shop_shop SET last_number = last_number + 1 WHERE id = %s RETURNING last_number"],
        [],
    )
    values.append(order.shop_id)
    for rows in ([order], lines, moves):
        if rows:
            statement, more = _insert(rows)
            parts.append(statement)
            values += more
    names = ("counter", "made", "written", "moved")
    steps = ", ".join(f"{name} AS ({part})" for name, part in zip(names, parts, strict=False))
    ((order.number,),) = planned.ask(f"WITH {steps} SELECT last_number FROM counter", values)  # noqa: S608 - our own columns
    for row in (order, *lines, *moves):
        row._state.adding, row._state.db = False, "default"
    vars(order)["_prefetched_objects_cache"] = {"lines": list(lines)}


def is_new(order: Order) -> bool:
    """Whether this very call wrote it (and not one before, with the same key)."""
    return "lines" in vars(order).get("_prefetched_objects_cache", {})


def _insert(rows: Sequence[Model]) -> tuple[str, list[Any]]:
    """INSERT of rows of one model, every column; an order's number comes from the counter."""
    fields = rows[0]._meta.concrete_fields
    marks = ["%s" if field.name != "number" else _NEXT for field in fields]
    kept = [field for field in fields if field.name != "number"]
    values = [value for row in rows for value in planned.stored(row, kept)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    line = f"({', '.join(marks)})"
    table = rows[0]._meta.db_table
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([line] * len(rows))} RETURNING 1', values  # noqa: S608
