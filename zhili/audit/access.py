"""Who may read the trail: the audit and security administrators, and a village's supervisors their own village's.

Nobody may write, correct or switch it off: there is no such permission (O-04).
"""

from __future__ import annotations

from typing import Any, Final

import rules

VILLAGE_DIGITS: Final = 12
ADMINS: Final = ("audit_admin", "security_admin")


@rules.predicate
def reads_trail(user: Any, place: str | None = None) -> bool:
    """The person's class lives a room above; only its has_role is used."""
    if not (user.is_authenticated and user.is_active):
        return False
    if place is not None and len(place) < VILLAGE_DIGITS:
        return bool(user.has_role(*ADMINS, place=place))
    return bool(user.has_role(*ADMINS, "supervisor", place=place))


rules.add_perm("audit.read", reads_trail)
