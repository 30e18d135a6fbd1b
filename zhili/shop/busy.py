"""Two at the same shelf: a deed that waited in vain says so in words, and one that came twice is one (C-03, C-07)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from django.db import OperationalError

from zhili.common.busy import BUSY, BUSY_HINT, waited_in_vain
from zhili.shop.errors import Conflict

Made = TypeVar("Made")


class SameMoment(Exception):
    """The same key was written by another process between our look and our writing."""


def busy_is_said(act: Callable[..., Made]) -> Callable[..., Made]:
    """For actions that are one transaction: what they began is undone when this hears of it."""

    @wraps(act)
    def inner(*args: object, **facts: object) -> Made:
        try:
            try:
                return act(*args, **facts)
            except SameMoment:  # it is there now: the same answer, or that the key is used
                return act(*args, **facts)
        except OperationalError as error:
            if not waited_in_vain(error):
                raise
            raise Conflict(BUSY, hint=BUSY_HINT, word="busy") from error

    return inner


__all__ = ["BUSY", "BUSY_HINT", "SameMoment", "busy_is_said"]
