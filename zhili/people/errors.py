"""Refusals of this room, in words a clerk can act on."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class PeopleError(ZhiliError):
    """A household, a person, a role or a delegation that cannot be changed as asked."""
