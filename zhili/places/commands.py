"""Commands of this room."""

from __future__ import annotations

from typing import Any


def add(subparsers: Any) -> None:
    """Register this room's sub-commands."""
