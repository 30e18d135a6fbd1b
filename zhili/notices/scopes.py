"""How a line may show whose it is: on the village wall, behind the village's log-in, on the internet (M-03, M-09, P-05).

One function decides for every face. The legal basis of the masked name is 村民委员会组织法 30 (村务公开); everything
beyond it needs the villagers' assembly (scope 1 only) and nobody's no stands behind any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zhili.common.masking import mask_name


class Scope(StrEnum):
    """Who can read it. PAPER 村内张榜, VILLAGE 本村登录, INTERNET 互联网公开."""

    PAPER = "paper"
    VILLAGE = "village"
    INTERNET = "internet"


class Shown(StrEnum):
    """What of the name is shown."""

    WHOLE = "whole"
    MASKED = "masked"
    NOTHING = "nothing"


BASIS: Final = {
    Shown.WHOLE: "村民会议决议（只限村内张榜）；村民委员会组织法第二十三、三十条",
    Shown.MASKED: "村民委员会组织法第三十条；个人信息保护法第十三条第一款第三项，遮名",
    Shown.NOTHING: "个人信息保护法第二十五条：没有同意的不公开；扣分、未成年人不写名字",
}
"""Printed with the policy and kept with each notice's approval."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides about one line. resolved: the assembly resolved whole names (or named deductions) for the wall.

    objections_over: the period for objections has ended. same_group: the reader behind the log-in lives in the group.
    """

    deduction: bool = False
    published: bool = True
    minor: bool = False
    resolved: bool = False
    objections_over: bool = False
    same_group: bool = True


def shown(scope: Scope, facts: Facts) -> Shown:
    """What of the name stands on a line. The household number always does; amounts and items always do."""
    if not facts.published or facts.minor:
        return Shown.NOTHING
    if facts.deduction:
        on_wall = scope is Scope.PAPER and facts.resolved and facts.objections_over
        return Shown.MASKED if on_wall else Shown.NOTHING
    if scope is Scope.INTERNET:
        return Shown.MASKED
    if scope is Scope.VILLAGE and not facts.same_group:
        return Shown.NOTHING
    return Shown.WHOLE if facts.resolved else Shown.MASKED


def name_for(scope: Scope, facts: Facts, name: str) -> str:
    """The name as that scope may read it; "" where none is shown."""
    how = shown(scope, facts)
    return "" if how is Shown.NOTHING else name if how is Shown.WHOLE else mask_name(name)
