"""One call to the database per posting, however many transfers: arrays in, one row out.

The only writer of the book. Everything else in this room builds NewTransfers and hands them to post().
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import psycopg
from django.db import connection
from django.db.utils import Error as DatabaseError

from zhili.common import clock
from zhili.common.errors import NotFound
from zhili.common.faults import fault
from zhili.common.periods import local_date, parse_code
from zhili.common.planned import threshold
from zhili.ledger.alarms import raise_apart
from zhili.ledger.chain import batch_id
from zhili.ledger.digests import BatchFacts, chain_algorithm, sealed_transfers
from zhili.ledger.errors import LedgerError, refusal

if TYPE_CHECKING:
    from zhili.people.models import User

SALT_BYTES: Final = 16
# JSON escapes control characters, so this one never stands inside a cause.
_BETWEEN: Final = "\x1f"


class AccountKey(NamedTuple):
    """Which account: its kind (models.Account.Kind), its owner (household or resident; None for the village's
    own), its purse. may_go_negative: only where the rule book says so for this purse, never for "spend"."""

    kind: str
    owner: UUID | None
    purse: str
    may_go_negative: bool = False


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """One line to post. id: the deed's key, for ever. amount: hundredths, > 0. cause: ids and codes, never
    a name (a ready canonical JSON text is taken as it is). clip: stop at zero and record the rest.
    phase: posted | pending | settled | voided; the last two name the pending one in `pending_of`."""

    id: UUID
    debit: AccountKey
    credit: AccountKey
    amount: int
    code: str
    occurred_on: date
    cause: Mapping[str, Any] | str
    reverses: UUID | None = None
    pending_of: UUID | None = None
    phase: str = "posted"
    clip: bool = False
    late: bool = False


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode


def canonical(cause: Mapping[str, Any] | str) -> str:
    """The one text a cause is hashed as: sorted keys, no spaces, UTF-8. What is None is left out."""
    if isinstance(cause, str):
        return cause
    return _encode({key: value for key, value in cause.items() if value is not None})


POST: Final = """
SELECT error, facts, seq, head, count, total, replayed, shorts FROM ledger_post(
  %s, %s, %s, %s, %s, %s, %s::text[], %s::uuid[], %s::text[], %s::boolean[], %s::uuid[], %s::int[], %s::int[],
  %s::bigint[], %s::text[], %s::date[], %s, string_to_array(%s, E'\\x1f'), %s::text[], %s::uuid[], %s::uuid[],
  %s::boolean[], %s::boolean[], %s, %s, %s, %s, %s, %s)
"""


def _list(values: Sequence[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _uuids(values: Sequence[UUID | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else value.hex for value in values]) + "}"


def _flags(values: Sequence[bool]) -> str:
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def arguments_of(
    transfers: Sequence[NewTransfer],
    *,
    place: str,
    by_id: int | None,
    period: str,
    note: str,
    at: datetime,
    on: date,
) -> list[Any]:
    """The parameters of POST. Columns in which no transfer says anything are sent as NULL."""
    numbers: dict[AccountKey, int] = {}
    number = numbers.setdefault
    debits = [number(t.debit, len(numbers) + 1) for t in transfers]
    credits = [number(t.credit, len(numbers) + 1) for t in transfers]
    keys = list(numbers)
    days: dict[date, str] = {}
    return [
        place,
        by_id,
        period,
        note,
        at,
        on,
        _list([k.kind for k in keys]),
        _uuids([k.owner for k in keys]),
        _list([k.purse for k in keys]),
        _flags([k.may_go_negative for k in keys]),
        _uuids([t.id for t in transfers]),
        _list(debits),
        _list(credits),
        _list([t.amount for t in transfers]),
        _list([t.code for t in transfers]),
        _list(
            [days.get(t.occurred_on) or days.setdefault(t.occurred_on, str(t.occurred_on)) for t in transfers]
        ),
        clock.random_bytes(SALT_BYTES * len(transfers)),
        _BETWEEN.join([canonical(t.cause) for t in transfers]),
        _list([t.phase for t in transfers]) if any(t.phase != "posted" for t in transfers) else None,
        _uuids([t.pending_of for t in transfers]) if any(t.pending_of for t in transfers) else None,
        _uuids([t.reverses for t in transfers]) if any(t.reverses for t in transfers) else None,
        _flags([t.late for t in transfers]) if any(t.late for t in transfers) else None,
        _flags([t.clip for t in transfers]) if any(t.clip for t in transfers) else None,
    ]


BATCH_MAX: Final = 300_000
AMOUNT_MAX: Final = 10**12
"""Ten thousand million points: beyond any village, far inside bigint."""
KINDS: Final = ("pool", "issued", "holder", "deducted", "redeemed", "expired", "reversed", "moved")
_CODE: Final = re.compile(r"[a-z_]{2,12}")
_PURSE: Final = re.compile(r"[0-9A-Za-z_]{1,20}")


@dataclass(frozen=True, slots=True)
class Posted:
    """What a posting gives back. clipped: transfer id → hundredths that could not be taken (L-06).
    replayed: these keys had been posted before with the same body, and this is the earlier batch."""

    batch_id: UUID
    seq: int
    head: bytes
    count: int
    total: int
    replayed: bool
    clipped: dict[UUID, int] = field(default_factory=dict)


def post(
    transfers: Sequence[NewTransfer], *, place: str, by: User | None, period: str, note: str = ""
) -> Posted:
    """Post all transfers as one batch of this village, or none. One statement, whatever their number.

    period: the open period's code. by: who posts (None: a scheduled job). The caller has checked that they
    may. Posting the same ids with the same body again returns the earlier batch. Raises LedgerError: see
    errors.py.
    """
    _check(transfers, place, period, note)
    if not connection.in_atomic_block:
        raise RuntimeError("post() belongs inside the action's transaction")
    at = clock.now()
    values = arguments_of(
        transfers,
        place=place,
        by_id=None if by is None else by.pk,
        period=period,
        note=note,
        at=at,
        on=local_date(at),
    )
    algorithm = chain_algorithm()
    sealed: list[bytes | None] = [None] * 5
    if algorithm != "sha256":
        facts = BatchFacts(place, period, values[1], note, at)
        sealed[:] = sealed_transfers(algorithm, transfers, values, facts, call)
    fault("ledger.post.before")
    row = call(POST, [*values, algorithm, *sealed], place)
    fault("ledger.post.after")
    error, said, seq, head, count, total, replayed, shorts = row
    if error:
        if error == "broken":
            raise_apart(place, said)
        raise refusal(error, said, place=place, period=period)
    clipped = {t.id: short for t, short in zip(transfers, shorts or (), strict=False) if short}
    return Posted(batch_id(place, seq), seq, bytes(head), count, total, replayed, clipped)


def call(statement: str, arguments: Sequence[Any], place: str) -> tuple[Any, ...]:
    try:
        connection.ensure_connection()
        if connection.connection.prepare_threshold is None:
            # Django leaves it off and inlines its own parameters; only cursors like the one below prepare.
            connection.connection.prepare_threshold = threshold()
        # Parameters travel beside the statement, not inside it: for 30 MB of them that saves a second.
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            row = cursor.execute(statement, arguments).fetchone()
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") == "42501":  # row security: not a place of this person
            raise NotFound("没有这个村的台账") from error
        raise
    assert row is not None
    return tuple(row)


def _check(transfers: Sequence[NewTransfer], place: str, period: str, note: str) -> None:
    if not transfers:
        raise LedgerError("没有要入账的条目", hint="请先选择条目。", word="empty")
    if len(transfers) > BATCH_MAX:
        raise LedgerError(
            f"一次最多入账 {BATCH_MAX} 笔，这里有 {len(transfers)} 笔", hint="请分几次入账。", word="too_many"
        )
    if not (place.isdigit() and len(place) in (12, 14)):
        raise LedgerError(f"“{place[:20]}”不是村（社区）代码", hint="请核对区划。", word="place")
    parse_code(period)
    if len(note) > 200:
        raise LedgerError("说明太长", hint="请写在 200 字以内。", word="note")
    if len({t.id for t in transfers}) != len(transfers):
        raise LedgerError("同一笔在这一批里出现了两次", hint="请去掉重复的条目。", word="twice")
    for key in {t.debit for t in transfers} | {t.credit for t in transfers}:
        if key.kind not in KINDS or not _PURSE.fullmatch(key.purse):
            raise LedgerError(
                f"没有“{key.kind[:20]}／{key.purse[:20]}”这种账户", hint="请核对存折代码。", word="account"
            )
        if key.may_go_negative and (key.purse == "spend" or key.kind != "holder"):
            raise LedgerError("兑换积分不能为负", hint="请核对细则里的存折设置。", word="account")
    for code in {t.code for t in transfers}:
        if not _CODE.fullmatch(code):
            raise LedgerError(f"没有“{code[:20]}”这种事由", hint="请核对入账事由。", word="code")
    for t in transfers:
        if not 0 < t.amount <= AMOUNT_MAX:
            raise LedgerError("积分必须大于 0", hint="请核对分值。", word="amount")
