"""One call to the database per posting, however many transfers: arrays in, one row out.

Plain mechanics under actions.post; nothing here decides anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

SALT_BYTES: Final = 16
# JSON escapes control characters, so this one never stands inside a cause.
_BETWEEN: Final = "\x1f"


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Which account: its kind (models.Account.Kind), its owner (household or resident; None for the
    village's own), its purse. may_go_negative: only where the rule book says so for this purse, never
    for "spend"."""

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


@dataclass(frozen=True, slots=True)
class _Source:
    now: Callable[[], datetime]
    rand: Callable[[int], bytes]


_source: ContextVar[_Source | None] = ContextVar("ledger_source", default=None)


@contextmanager
def simulated(*, now: Callable[[], datetime], rand: Callable[[int], bytes]) -> Iterator[None]:
    """Let the demo year post with its own clock and salts, so that the same seed gives the same heads
    everywhere. Never used by a request."""
    token = _source.set(_Source(now, rand))
    try:
        yield
    finally:
        _source.reset(token)


def server_time() -> datetime:
    """记账时间: the server's clock, never the phone's (C-11)."""
    source = _source.get()
    return source.now() if source else timezone.now()


def salts(count: int) -> bytes:
    source = _source.get()
    return (source.rand if source else os.urandom)(SALT_BYTES * count)


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode


def canonical(cause: Mapping[str, Any] | str) -> str:
    """The one text a cause is hashed as: sorted keys, no spaces, UTF-8."""
    return cause if isinstance(cause, str) else _encode(dict(cause))


POST: Final = """
SELECT error, facts, seq, head, count, total, replayed, shorts FROM ledger_post(
  %s, %s, %s, %s, %s, %s, %s::text[], %s::uuid[], %s::text[], %s::boolean[], %s::uuid[], %s::int[], %s::int[],
  %s::bigint[], %s::text[], %s::date[], %s, string_to_array(%s, E'\\x1f'), %s::text[], %s::uuid[], %s::uuid[],
  %s::boolean[], %s::boolean[])
"""


def _list(values: Sequence[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _uuids(values: Sequence[UUID | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else value.hex for value in values]) + "}"


def _flags(values: Sequence[bool]) -> str:
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def arguments(
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
        salts(len(transfers)),
        _BETWEEN.join([canonical(t.cause) for t in transfers]),
        _list([t.phase for t in transfers]) if any(t.phase != "posted" for t in transfers) else None,
        _uuids([t.pending_of for t in transfers]) if any(t.pending_of for t in transfers) else None,
        _uuids([t.reverses for t in transfers]) if any(t.reverses for t in transfers) else None,
        _flags([t.late for t in transfers]) if any(t.late for t in transfers) else None,
        _flags([t.clip for t in transfers]) if any(t.clip for t in transfers) else None,
    ]
