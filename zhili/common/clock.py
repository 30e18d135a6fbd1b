"""The one clock and the one source of random bytes, so that the demo year can be replayed to the byte.

Everything that dates a row or makes a key asks here. In production this is the machine's clock and os.urandom;
inside `replay(...)` both come from a start time and a seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta


class Replay:
    """A clock that moves only when told to, one millisecond at each reading, and a seeded source of bytes."""

    def __init__(self, start: datetime, seed: int) -> None:
        self.moment = start.astimezone(UTC)
        self.random = random.Random(seed)  # noqa: S311 - for a repeatable demo, never for secrets

    def move_to(self, moment: datetime) -> None:
        """Go on to `moment`; going back is an error."""
        moment = moment.astimezone(UTC)
        if moment < self.moment:
            raise ValueError(f"the clock cannot go back from {self.moment} to {moment}")
        self.moment = moment


_replay: ContextVar[Replay | None] = ContextVar("replay", default=None)


def now() -> datetime:
    """This moment, aware, in UTC."""
    replaying = _replay.get()
    if replaying is None:
        return datetime.now(tz=UTC)
    replaying.moment += timedelta(milliseconds=1)
    return replaying.moment


def random_bytes(n: int) -> bytes:
    """n unguessable bytes (repeatable ones inside a replay)."""
    replaying = _replay.get()
    return os.urandom(n) if replaying is None else replaying.random.randbytes(n)


@contextmanager
def replay(start: datetime, seed: int) -> Iterator[Replay]:
    """Until the end of the block, time and chance follow `start` and `seed`. For the demo and its tests only."""
    token = _replay.set(Replay(start, seed))
    found = _replay.get()
    assert found is not None
    try:
        yield found
    finally:
        _replay.reset(token)
