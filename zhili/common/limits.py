"""How often: token buckets and growing pauses in the database, shared by all server processes (W-07, N-03).

A bucket holds `burst` tokens and gets one back every `seconds`; who finds it empty is told how long to wait. A lane
counts failures: the first few cost nothing, then every further try must wait twice as long as the one before, up to
`Pause.longest`; it is never closed for good, and it forgets after a quiet hour.

One statement per take, in a connection of its own that commits at once: a refused request rolls its own transaction
back, but not what it has used up. The table is UNLOGGED and holds keyed digests only: after a crash everybody starts
afresh, and nobody can read from it who tried to log in as whom.

Behind a pool (PgBouncer) this connection needs a door of its own, ZHILI_LIMITS_DATABASE: a request asks while its
transaction holds one of the pool's connections, so with one pool for both every connection could be held by somebody
who waits for one more.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import connection

from zhili.common.clock import now
from zhili.common.errors import ZhiliError
from zhili.common.planned import threshold

KEEP_HOURS: Final = 48
_SWEEP_EVERY: Final = 5_000
log = logging.getLogger(__name__)
# Tests give each of theirs a name of its own, so that they do not use up each other's tokens.
namespace = ""


class TooOften(ZhiliError):
    """Asked for too often (429). `seconds`: how long to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__("太频繁了", hint=f"请过{in_words(seconds)}再试。")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then one every `seconds`. `name` keeps buckets of different uses apart."""

    name: str
    burst: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """`free` failures without waiting, then `first` seconds, doubled each time up to `longest`."""

    name: str
    free: int
    first: float
    longest: float


def take(rate: Rate, *key: object, cost: float = 1) -> float:
    """Take `cost` tokens from the bucket of `key`. Returns 0.0, or the seconds to wait where there are too few."""
    row = _ask(
        """
        INSERT INTO common_bucket AS b (key, tokens, at, wait) VALUES (%(key)s, %(burst)s - %(cost)s, %(now)s, 0)
        ON CONFLICT (key) DO UPDATE SET (tokens, wait, at) = (
          SELECT f.filled - CASE WHEN f.filled >= %(cost)s THEN %(cost)s ELSE 0 END,
                 CASE WHEN f.filled >= %(cost)s THEN 0 ELSE (%(cost)s - f.filled) * %(seconds)s END,
                 GREATEST(b.at, %(now)s)
          FROM (SELECT LEAST(%(burst)s, b.tokens
                 + GREATEST(0, extract(epoch FROM %(now)s - b.at)) / %(seconds)s)::float8 AS filled) f)
        RETURNING wait
        """,
        {"key": _digest(rate.name, key), "burst": float(rate.burst), "cost": float(cost), "seconds": rate.seconds},
    )  # fmt: skip
    return float(row[0])


def give_back(rate: Rate, *key: object, cost: float = 1) -> None:
    """Put tokens back: what was taken in advance turned out to be in order."""
    _ask(
        "UPDATE common_bucket SET tokens = LEAST(%(burst)s, tokens + %(cost)s) WHERE key = %(key)s RETURNING 1",
        {"key": _digest(rate.name, key), "burst": float(rate.burst), "cost": float(cost)},
    )


def check(rate: Rate, *key: object) -> None:
    """Take one or raise TooOften."""
    wait = take(rate, *key)
    if wait:
        raise TooOften(wait)


def attempt(pause: Pause, *key: object) -> tuple[float, int]:
    """One try that counts as failed until `clear` says otherwise. (seconds to wait or 0.0, failures so far).

    A try inside the pause is refused and does not lengthen it: hammering at a lane gains and costs nothing.
    """
    row = _ask(
        """
        INSERT INTO common_bucket AS b (key, tokens, at, wait) VALUES (%(key)s, 1, %(now)s, 0)
        ON CONFLICT (key) DO UPDATE SET (tokens, at, wait) = (
          SELECT CASE WHEN b.at > %(now)s THEN b.tokens ELSE s.n END,
                 CASE WHEN b.at > %(now)s THEN b.at
                      WHEN s.n <= %(free)s THEN %(now)s
                      ELSE %(now)s + LEAST(%(longest)s, %(first)s * 2 ^ LEAST(s.n - %(free)s - 1, 30))
                           * interval '1 second' END,
                 CASE WHEN b.at > %(now)s THEN extract(epoch FROM b.at - %(now)s) ELSE 0 END
          FROM (SELECT CASE WHEN b.at < %(now)s - interval '1 hour' THEN 1 ELSE b.tokens + 1 END AS n) s)
        RETURNING wait, tokens
        """,
        {
            "key": _digest(pause.name, key), "free": float(pause.free), "first": pause.first,
            "longest": pause.longest,
        },
    )  # fmt: skip
    return float(row[0]), int(row[1])


def clear(pause: Pause, *key: object) -> None:
    """The try was in order: the lane forgets its failures."""
    _ask("DELETE FROM common_bucket WHERE key = %(key)s RETURNING 1", {"key": _digest(pause.name, key)})


def once(name: str, *key: object, seconds: float) -> bool:
    """Whether this is the first time within `seconds`, in whichever process: for codes that may be used once."""
    return take(Rate(name, 1, seconds), *key) == 0


def in_words(seconds: float) -> str:
    """90 → “ 2 分钟”; rounded up, so that who waits that long is let in."""
    whole = max(1, int(seconds) + (seconds > int(seconds)))
    return f" {whole} 秒" if whole < 60 else f" {-(-whole // 60)} 分钟"


# ------------------------------------------------------------------------------------------- the own connection

_lock = threading.Lock()
_held: psycopg.Connection[Any] | None = None
_held_for: tuple[Any, ...] = ()
_asked = 0


def close() -> None:
    """Let go of the connection; the next take opens one."""
    global _held
    with _lock:
        if _held is not None:
            _held.close()
        _held = None


def _ask(sql: str, values: dict[str, Any]) -> tuple[Any, ...]:
    global _asked
    values["now"] = now()
    with _lock:
        _asked += 1
        try:
            return _once_more_if_cut(sql, values) or (0, 0)
        except psycopg.Error:
            # A standby or a full disk cannot count. Pages must still open there; nothing can be changed anyway.
            log.exception("limits cannot be counted")
            _forget()
            return (0, 0)


def _once_more_if_cut(sql: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    try:
        row = _connected().execute(sql, values).fetchone()
    except psycopg.OperationalError:  # the server was restarted meanwhile
        _forget()
        row = _connected().execute(sql, values).fetchone()
    if _asked % _SWEEP_EVERY == 0:
        _connected().execute(
            "DELETE FROM common_bucket WHERE at < %(now)s - make_interval(hours => %(hours)s)",
            {**values, "hours": KEEP_HOURS},
        )
    return row


def _connected() -> psycopg.Connection[Any]:
    """The process's one autocommit connection to the database that Django now uses."""
    global _held, _held_for
    wanted = connection.settings_dict
    database = wanted.get("LIMITS_NAME") or wanted["NAME"]
    target = (wanted["HOST"], wanted["PORT"], database, wanted["USER"], os.getpid())
    if _held is not None and _held_for and _held_for[-1] != os.getpid():
        _held = None  # a forked child must not close its parent's connection
    if _held is not None and (_held.closed or target != _held_for):
        _forget()
    if _held is None:
        given = wanted.get("OPTIONS") or {}
        options: dict[str, Any] = {key: value for key, value in given.items() if isinstance(value, str)}
        _held = psycopg.connect(
            host=wanted["HOST"] or None, port=wanted["PORT"] or None, dbname=database, user=wanted["USER"],
            password=wanted["PASSWORD"] or None, autocommit=True, prepare_threshold=threshold(),
            **options,
        )  # fmt: skip
        _held_for = target
    return _held


def _forget() -> None:
    global _held
    if _held is not None:
        _held.close()
    _held = None


def _digest(name: str, key: tuple[object, ...]) -> bytes:
    text = "\x1f".join(str(part) for part in (namespace, name, *key))
    return hmac.digest(settings.SECRET_KEY.encode(), b"limits|" + text.encode(), "sha256")[:20]
