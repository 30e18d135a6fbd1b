"""Two at the same shelf: a deed that waited in vain says so in words, and one that came twice is one (C-03, C-07)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError

from zhili.common.busy import BUSY, BUSY_HINT, waited_in_vain
from zhili.common.errors import ZhiliError
from zhili.shop.errors import Conflict
from zhili.shop.models import Order

Made = TypeVar("Made")


def busy_is_said(act: Callable[..., Made]) -> Callable[..., Made]:
    """For actions that are one transaction: what they began is undone when this hears of it."""

    @wraps(act)
    def inner(*args: object, **facts: object) -> Made:
        try:
            try:
                return act(*args, **facts)
            except IntegrityError as error:
                if "_pkey" in str(error):  # written by another process between our look and our writing
                    return act(*args, **facts)
                if "order_code_once" in str(error):  # one pick-up code in a million
                    raise Conflict(BUSY, hint=BUSY_HINT, word="busy") from error
                raise
        except OperationalError as error:
            if not waited_in_vain(error):
                raise
            raise Conflict(BUSY, hint=BUSY_HINT, word="busy") from error

    return inner


def once_by_key(act: Callable[..., Made]) -> Callable[..., Made]:
    """For an order's making: refused (sold out by now, say) because the same request went through while this one waited, it
    answers with what is there (C-03)."""

    @wraps(act)
    def inner(**facts: Any) -> Made:
        try:
            return act(**facts)
        except ZhiliError:
            if not Order.objects.filter(pk=facts["id"]).exists():
                raise
            return act(**facts)

    return inner


__all__ = ["busy_is_said", "once_by_key"]
