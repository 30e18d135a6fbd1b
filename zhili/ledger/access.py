"""Who may read and keep the village's book. Imported by queries' callers through has_perm.

Everyone reads their own passbook through people.access; these are the office's permissions. `place` is a
village code.
"""

from __future__ import annotations

import rules

from zhili.people.models import User

READERS = ("clerk", "group_leader", "reviewer", "council", "supervisor", "township", "county", "audit_admin")


def _holds(*roles: str) -> rules.Predicate:
    def held(user: User, place: str | None = None) -> bool:
        return bool(user.is_authenticated and user.is_active and user.has_role(*roles, place=place))

    return rules.predicate(held, name="ledger.holds_" + "_or_".join(roles))


rules.add_perm("ledger.read", _holds(*READERS))
rules.add_perm("ledger.reverse", _holds("clerk"))
rules.add_perm("ledger.approve_reversal", _holds("council", "supervisor"))
rules.add_perm("ledger.close_period", _holds("clerk"))
rules.add_perm("ledger.expire", _holds("clerk"))
rules.add_perm("ledger.export", _holds("clerk", "supervisor", "township", "county", "audit_admin"))
rules.add_perm("ledger.lift_alarm", _holds("township", "county"))
