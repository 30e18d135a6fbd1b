"""Who may what in the shop. A shopkeeper hands over and stocks; the clerk keeps money and prices; a second person
signs. Nobody serves the own household alone, and whoever keeps the shop does not settle its books (A-07).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import rules

from zhili.common.errors import NotFound
from zhili.people.access import active_for_household
from zhili.people.models import Household, Membership, User
from zhili.shop.models import FairDay, Good, Order, Reconciliation, Shop, StockCount

Role = Membership.Role
SEES = (Role.CLERK, Role.SHOPKEEPER, Role.SUPERVISOR, Role.COUNCIL, Role.TOWNSHIP, Role.COUNTY)


def place_of(obj: Any) -> str | None:
    """The place of whatever is asked about; None asks "somewhere"."""
    if obj is None or isinstance(obj, str):
        return obj
    return str(obj.place)


@rules.predicate
def sees_shop(user: User, obj: Any = None) -> bool:
    return user.has_role(*SEES, place=place_of(obj))


@rules.predicate
def serves(user: User, obj: Any = None) -> bool:
    """Hands goods over, runs the counter and the fair day."""
    return user.has_role(Role.SHOPKEEPER, Role.CLERK, place=place_of(obj))


@rules.predicate
def manages(user: User, obj: Any = None) -> bool:
    """Goods, price lists, fair days and money: the clerk; a township's shop: the township."""
    place = place_of(obj)
    if place is not None and len(place) < 12:
        return user.has_role(Role.TOWNSHIP, place=place)
    return user.has_role(Role.CLERK, place=place)


@rules.predicate
def signs(user: User, obj: Any = None) -> bool:
    """The second signature under a count or a month's books: a supervisor, or another who keeps neither."""
    return user.has_role(Role.SUPERVISOR, Role.TOWNSHIP, place=place_of(obj))


@rules.predicate
def orders(user: User, obj: Household | None = None) -> bool:
    """For the own household, for one that gave a delegation to collect, or as the clerk."""
    if obj is None:
        return bool(user.home_place) or user.has_role(Role.CLERK)
    return (
        (user.resident is not None and user.resident.household_id == obj.pk)
        or active_for_household(user, obj)
        or user.has_role(Role.CLERK, Role.SHOPKEEPER, place=obj.place)
    )


rules.add_perm("shop.see", sees_shop)
rules.add_perm("shop.serve", serves)
rules.add_perm("shop.stock", serves)
rules.add_perm("shop.manage", manages)
rules.add_perm("shop.sign", signs)
rules.add_perm("shop.order", orders)


def access_shop(by: User, id: UUID | str) -> Shop:
    """A shop this person may see at the desk. Raises NotFound for absent and foreign alike."""
    found = Shop.objects.filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这个超市。")
    return found


def access_good(by: User, id: UUID | str) -> Good:
    found = Good.objects.select_related("shop").filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这种物品。")
    return found


def access_order(by: User, id: UUID | str) -> Order:
    """An order: for the household's own people and those who act for it, and for the shop's staff."""
    rows = Order.objects.select_related("shop", "household", "fair_day")
    found = rows.filter(pk=id).first()
    if found is None or not (
        sees_shop(by, found.place) or serves(by, found.shop.place) or orders(by, found.household)
    ):
        raise NotFound("没有这张兑换单。")
    return found


def access_fair_day(by: User, id: UUID | str) -> FairDay:
    found = FairDay.objects.select_related("shop").filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这个兑换日。")
    return found


def access_count(by: User, id: UUID | str) -> StockCount:
    found = StockCount.objects.select_related("shop", "by", "signed_by").filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这张盘点单。")
    return found


def access_reconciliation(by: User, id: UUID | str) -> Reconciliation:
    found = Reconciliation.objects.filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这份对账。")
    return found
