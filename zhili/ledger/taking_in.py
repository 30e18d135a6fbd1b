"""Taking an exported book in (O-13): a county moves to another instance and its villages keep their fingerprints.

The folder is checked by the stand-alone verifier before anything is written, and the book by `verify` before the
transaction ends. Rows are inserted as they are, by the database's owner: the posting functions would seal anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from django.db import connection, transaction
from psycopg import sql

from zhili.audit.actions import record
from zhili.common.scope import scoped
from zhili.ledger import verify_ledger as outside
from zhili.ledger.errors import LedgerError
from zhili.ledger.verify import verify

TABLES: Final = {
    "accounts": "ledger_account", "batches": "ledger_batch", "transfers": "ledger_transfer", "closes": "ledger_periodclose",
    "assertions": "ledger_assertion", "totals": "ledger_periodtotal",
}  # fmt: skip
_EMPTY_IS_NULL: Final = frozenset(("owner", "closed_on", "pending_of", "reverses", "by_id"))
_BYTES: Final = frozenset(("seal", "previous_head", "root", "head", "salt", "commitment", "leaf"))


@dataclass(frozen=True, slots=True)
class Taken:
    """What came in. head: of the last batch, the same as in the instance it came from."""

    place: str
    batches: int
    transfers: int
    seq: int
    head: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def take_in(folder: Path, *, anchors: Path | None = None) -> Taken:
    """Insert an exported book into a village that has none. As the database's owner; all or nothing.

    anchors: heads published before; where one does not fit nothing is taken. Raises LedgerError.
    """
    check = outside.Check(folder)
    try:
        check.run()
        if anchors is not None:
            check.anchors(outside.read_anchors(anchors))
    except (outside.Unreadable, ValueError, KeyError) as error:
        raise LedgerError(
            f"导出的文件夹读不懂：{error}", hint="请重新导出，原样拷贝整个文件夹。", word="unreadable"
        ) from error
    if check.problems:
        raise LedgerError(
            f"导出的台账不完整：{check.problems[0][1]}",
            hint="请用文件夹里的核对账本.py 查看全部问题，重新导出。",
            word="not_whole",
        )
    place, last = check.place, max(check.heads)
    with scoped(place), transaction.atomic():
        _insert(folder, place)
        report = verify([place])
        if not report.ok or report.heads.get(place) != (last, check.heads[last]):
            raise LedgerError("收进来的台账核对不上，没有收", hint="请把这句话告诉管理员。", word="not_whole")
        record("ledger.take_in", by=None, place=place, target=f"ledger.batch:{last}", head=check.heads[last])
    return Taken(place, len(check.batches), check.transfers, last, check.heads[last])


def _insert(folder: Path, place: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM ledger_tip(%s)", [place])
        cursor.execute(
            "SELECT EXISTS (SELECT FROM ledger_account WHERE place = %s)"
            " OR EXISTS (SELECT FROM ledger_batch WHERE place = %s)",
            [place, place],
        )
        if cursor.fetchone()[0]:
            raise LedgerError(
                f"{place} 已经有台账，不能再收一份", hint="请收进一个全新的实例。", word="not_empty"
            )
    with psycopg.Cursor(connection.connection) as cursor:
        for name, table in TABLES.items():
            columns = outside.FILES[name].split()
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            # Row security does not let COPY in; a table of this transaction has none.
            values = {"t": sql.Identifier(f"taken_{name}"), "table": sql.Identifier(table), "columns": listed}
            cursor.execute(
                sql.SQL(
                    "CREATE TEMP TABLE {t} ON COMMIT DROP AS SELECT {columns} FROM {table} LIMIT 0"
                ).format(**values)
            )
            with cursor.copy(sql.SQL("COPY {t} ({columns}) FROM STDIN").format(**values)) as copy:
                for values_of_row in _rows(folder, name, columns, place):
                    copy.write_row(values_of_row)
            cursor.execute(
                sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {t}").format(**values)
            )


def _rows(folder: Path, name: str, columns: list[str], place: str) -> Iterator[list[str | None]]:
    for row in outside.rows(folder, name):
        if row["place"] != place:
            raise LedgerError(f"{name}.csv 里混有别的村的行", hint="请重新导出。", word="not_whole")
        yield [_value(column, row[column]) for column in columns]


def _value(column: str, text: str) -> str | None:
    if column in _BYTES:
        return "\\x" + text
    return None if column in _EMPTY_IS_NULL and not text else text
