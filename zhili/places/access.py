"""Who may change the tree of places and a village's settings. Roles are asked by name: people stand above."""

from __future__ import annotations

from typing import Any

import rules

from zhili.common.errors import NotAllowed
from zhili.common.policy import may


@rules.predicate
def changes_places(user: Any, place: str | None = None) -> bool:
    """The county and its system administrator: names, merges, codes."""
    return bool(user.has_role("county", "system_admin", place=place))


@rules.predicate
def sets_village(user: Any, place: str | None = None) -> bool:
    """The clerk in the village; the township and the system administrator above it."""
    return bool(user.has_role("clerk", "township", "system_admin", place=place))


@rules.predicate
def keeps_calendar(user: Any, place: str | None = None) -> bool:
    """The county keys in the yearly holiday circular; every deadline of every village runs by it."""
    return bool(user.has_role("county", place=place))


rules.add_perm("places.change", changes_places)  # obj: place code
rules.add_perm("places.settings", sets_village)  # obj: place code
rules.add_perm("places.holidays", keeps_calendar)  # obj: place code


_DEEDS = {"places.change": "修改区划", "places.settings": "修改村设置", "places.holidays": "修改节假日"}


def must(user: Any, permission: str, place: str) -> None:
    """NotAllowed unless `user` may. `user` None: the administrator at the machine itself."""
    if user is not None and not may(user, permission, place):
        what = _DEEDS[permission]
        raise NotAllowed(f"您的身份不能{what}。需要的话，请找区县系统管理员。")
