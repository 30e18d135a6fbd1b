"""What the shop does by itself every day: orders nobody came for go back, before points lapse on the same night."""

from __future__ import annotations

from datetime import date, time

from zhili.common.daily import daily
from zhili.common.scope import EVERYWHERE, scoped
from zhili.shop.models import Order
from zhili.shop.ordering import expire_orders


def villages() -> list[str]:
    """Villages where an order waits."""
    with scoped(EVERYWHERE):
        waiting = Order.objects.filter(status=Order.Status.RESERVED).order_by("place")
        return list(waiting.values_list("place", flat=True).distinct())


def give_back(place: str, day: date) -> None:
    """Points and goods of overdue orders are free again, once (C-06)."""
    expire_orders(place, on=day)


daily("shop.expire_orders", give_back, places=villages, after=time(2))
