"""Canonical bytes: how facts are written down before a digest is taken, the same in Python and in SQL.

A line of the audit chain holds words people typed, so a separator alone would not do: every text carries its own
length in bytes ("12:谭家沟,"), as in a netstring. Two different rows can then never give the same line.
"""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime) -> str:
    """An aware moment: UTC with six digits of a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def netstring(text: str) -> str:
    """The text with its length in UTF-8 bytes before it: nothing after it can be taken for a part of it."""
    return f"{len(text.encode())}:{text},"
