"""What can go wrong with a claim, in words a clerk or a villager can act on."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class ClaimError(ZhiliError):
    """A claim that cannot be taken, changed or decided as asked. `field` names the form field it is about."""


class Conflict(ClaimError):
    """Somebody else was faster, the page is stale, or the key was used for something else (409)."""
