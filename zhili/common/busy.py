"""Somebody else holds what this deed needs: nobody waits longer than LOCK_WAIT, and nobody hears of a deadlock (C-07)."""

from __future__ import annotations

from typing import Final

LOCK_WAIT: Final = "3s"
BUSY: Final = "忙，请再点一次"
BUSY_HINT: Final = "刚才有别人在办同一样东西，这次什么都没有记。"
_STATES: Final = frozenset({"55P03", "40P01", "40001"})
"""lock_not_available, deadlock_detected, serialization_failure."""


def waited_in_vain(error: BaseException) -> bool:
    """Whether PostgreSQL gave up because of somebody else's lock. The transaction, or its savepoint, is undone."""
    return any(getattr(one, "sqlstate", "") in _STATES for one in (error, error.__cause__))
