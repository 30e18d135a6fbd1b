"""Who may what in the shop. A shopkeeper hands over and stocks; the clerk keeps money and prices; a second person
signs. Nobody serves the own household alone, and whoever keeps the shop does not settle its books (A-07).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import rules

from zhili.common.errors import NotAllowed, NotFound
from zhili.common.policy import may
from zhili.people.models import Household, Membership, User
from zhili.people.queries import active_delegation
from zhili.shop.models import (
    FairDay,
    Fund,
    Good,
    Order,
    Poll,
    PriceList,
    Reconciliation,
    Shop,
    StockCount,
    Supplier,
    Ticket,
)

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
    if place is None:
        return user.has_role(Role.CLERK, Role.TOWNSHIP)
    if len(place) < 12:
        return user.has_role(Role.TOWNSHIP, place=place)
    return user.has_role(Role.CLERK, place=place)


@rules.predicate
def stocks(user: User, obj: Any = None) -> bool:
    """Goods in, counts, suppliers: whoever serves, and at a township's own shop the township too."""
    place = place_of(obj)
    own = place is not None and len(place) < 12 and user.has_role(Role.TOWNSHIP, place=place)
    return (
        own
        or (place is None and user.has_role(Role.TOWNSHIP))
        or user.has_role(Role.SHOPKEEPER, Role.CLERK, place=place)
    )


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
        or user.has_role(Role.CLERK, Role.SHOPKEEPER, place=obj.place)
        or active_delegation(user, obj, "redeem") is not None
    )


@rules.predicate
def reads_books(user: User, obj: Any = None) -> bool:
    """Funds, account books and cover: who keeps them, who watches over them, and the levels above."""
    return user.has_role(Role.CLERK, Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY, place=place_of(obj))


@rules.predicate
def looks_into_flags(user: User, obj: Any = None) -> bool:
    """核查提示 are for those who watch, never for those who are watched."""
    return user.has_role(Role.SUPERVISOR, Role.TOWNSHIP, Role.COUNTY, place=place_of(obj))


@rules.predicate
def judges_flags(user: User, obj: Any = None) -> bool:
    return user.has_role(Role.SUPERVISOR, Role.TOWNSHIP, place=place_of(obj))


rules.add_perm("shop.see", sees_shop)
rules.add_perm("shop.serve", serves)
rules.add_perm("shop.stock", stocks)
rules.add_perm("shop.manage", manages)
rules.add_perm("shop.sign", signs)
rules.add_perm("shop.order", orders)
rules.add_perm("shop.books", reads_books)  # obj: place code
rules.add_perm("shop.flags", looks_into_flags)  # obj: place code
rules.add_perm("shop.judge", judges_flags)  # obj: place code


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


def access_supplier(by: User, id: UUID | str) -> Supplier:
    found = Supplier.objects.filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这个供货方。")
    return found


def access_price_list(by: User, id: UUID | str) -> PriceList:
    found = PriceList.objects.select_related("shop", "by").filter(pk=id).first()
    if found is None or not sees_shop(by, found.place):
        raise NotFound("没有这张价目表。")
    return found


def access_poll(by: User, id: UUID | str) -> Poll:
    """A demand poll: at the desk, or of a shop where the person's own household may redeem."""
    found = Poll.objects.select_related("shop").filter(pk=id).first()
    own = found is not None and by.home_place.startswith(found.place)
    if found is None or not (own or sees_shop(by, found.place)):
        raise NotFound("没有这次征询。")
    return found


def access_ticket(by: User, id: UUID | str) -> Ticket:
    """A number of a fair day, for those who serve there."""
    found = Ticket.objects.select_related("fair_day__shop").filter(pk=id).first()
    if found is None or not serves(by, found.fair_day.place):
        raise NotFound("没有这个号。")
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


def access_fund(by: User, id: UUID | str) -> Fund:
    found = Fund.objects.filter(pk=id).first()
    if found is None or not reads_books(by, found.place):
        raise NotFound("没有这笔资金。")
    return found


def must(by: User, permission: str, place: str, verb: str) -> None:
    """The refusal every action begins with. Raises NotAllowed."""
    if not may(by, permission, place):
        raise NotAllowed(f"您的身份不能{verb}", hint="请找村文书或店员；乡镇的超市找乡镇。")
