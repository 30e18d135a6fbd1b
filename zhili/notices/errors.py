"""What can go wrong with a notice or an objection, in words a clerk or a villager can act on."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class NoticeError(ZhiliError):
    """A notice, line or objection that cannot be handled as asked. `field` names the form field."""


class Conflict(NoticeError):
    """Somebody else was faster, or the page is stale (409)."""
