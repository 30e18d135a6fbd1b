"""Refusals of this room."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class PlaceError(ZhiliError):
    """A place, or a file of places, that cannot be taken as it is. rows: every fault, one sentence each."""

    def __init__(
        self, message: str, *, field: str | None = None, hint: str = "", rows: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, field=field, hint=hint)
        self.rows = rows
