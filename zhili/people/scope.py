"""Which places a person's request may see: written once, for pages and for the API alike (A-03)."""

from __future__ import annotations

import re
from typing import Any, Final

from zhili.common.busy import LOCK_WAIT
from zhili.common.scope import set_scope

_CODE: Final = re.compile(r"[0-9]{2,14}")
NOBODY: Final = "0"
"""The person of a public page: no log-in has this number, so it shows no villager's log-in (people_user's policy)."""


def enter_scope(user: Any, place: str | None = None, *, public: bool = False) -> list[str]:
    """Limit the transaction to the places `user` belongs to today, narrowed to `place` where one is asked for.

    public: a page for everybody; it sees `place` whoever asks. Returns the prefixes now in force: empty for a
    stranger, for a foreign place, and for what is no code at all.
    """
    mine: set[str] = set()
    # Without a person yet, log-in must be able to find one by name; a public page never needs to.
    key = str(user.pk or (NOBODY if public else ""))
    if user.is_authenticated and not (public and place is not None):
        set_scope([], user_id=key)  # roles are read before any village can be seen
        mine = {held.place for held in user.memberships_today} | ({user.home_place} - {""})
    prefixes = sorted(mine)
    if place is not None:
        known = _CODE.fullmatch(place) and (public or any(place.startswith(prefix) for prefix in mine))
        prefixes = [place] if known else []
    set_scope(prefixes, user_id=key, lock_wait=LOCK_WAIT)
    return prefixes
