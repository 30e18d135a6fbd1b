"""What the honours room refuses, in words a clerk can act on."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class HonourError(ZhiliError):
    """Nothing was listed, decided or hung out."""


class Conflict(HonourError):
    """Somebody else was faster: look again."""
