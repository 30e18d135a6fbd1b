"""What a worker does in the shop: the product's own actions, by the person, inside that person's scope."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.simulator.perform import home, nobody, performs, person
from zhili.common.errors import NotFound
from zhili.people.models import User
from zhili.shop import actions
from zhili.shop.models import Fund, Good, Order, Shop, StockCount


@performs
def open_the_shop(by: str, place: str, goods: dict[str, int], fen: int, hold: int) -> str:
    with person(by) as user:
        actions.change_settings(by=user, place=place, resolution="决议", hold_days=hold)
        shop = actions.open_shop(by=user, place=place, title="超市")
        fund = actions.open_fund(by=user, place=place, title="兑换资金", basis="决议")
        actions.deposit(by=user, fund=fund, fen=fen, source="集体收益", paper="1")
        for code in goods:
            actions.add_good(by=user, shop=shop, code=code, title=f"物品{code}")
        return shop.title


@performs
def price_list(by: str, place: str, year: int, goods: dict[str, int]) -> str:
    with person(by) as user:
        points = {good.pk: goods[good.code] for good in Good.objects.filter(place=place)}
        return actions.publish_prices(by=user, shop=the_shop(place), period=str(year), points=points).period


def the_shop(place: str) -> Shop:
    found = Shop.objects.filter(place=place).first()
    if found is None:
        raise NotFound("没有这个超市。")
    return found


@performs
def stock_in(by: str, place: str, id: str, good: str, pieces: int, fen: int) -> int:
    with person(by) as user:
        return actions.stock_in(
            by=user, id=UUID(id), good=Good.objects.get(place=place, code=good), quantity=pieces, fen=fen,
            fund=Fund.objects.get(place=place), paper="1",
        ).quantity  # fmt: skip


def wanted(place: str, lines: dict[str, int], prices: dict[str, int] | None = None) -> list[actions.Wanted]:
    keys = dict(Good.objects.filter(place=place).values_list("code", "pk"))
    return [actions.Wanted(keys[code], pieces, (prices or {}).get(code)) for code, pieces in lines.items()]


@performs
def redeem(
    by: str, place: str, id: str, house: str, lines: dict[str, int], prices: dict[str, int]
) -> list[Any]:
    with person(by) as user:
        done = actions.redeem(by=user, id=UUID(id), shop=the_shop(place), household=home(place, house),
                              wanted=wanted(place, lines, prices))  # fmt: skip
        return [done.number, str(done.status)]


@performs
def reserve(by: str, place: str, id: str, house: str, lines: dict[str, int]) -> list[Any]:
    with person(by) as user:
        done = actions.reserve(by=user, id=UUID(id), shop=the_shop(place), household=home(place, house),
                               wanted=wanted(place, lines))  # fmt: skip
        return [done.number, done.expires_on.isoformat() if done.expires_on else ""]


def the_order(user: User, id: str) -> Order:
    from zhili.shop.access import access_order

    return access_order(user, id)


@performs
def hand_over(by: str, order: str) -> str:
    with person(by) as user:
        return str(actions.hand_over(by=user, order=the_order(user, order)).status)


@performs
def cancel_order(by: str, order: str) -> str:
    with person(by) as user:
        return str(actions.cancel(by=user, order=the_order(user, order), reason="不要了").status)


@performs
def expire_orders(place: str) -> int:
    with nobody(place):
        return actions.expire_orders(place)


@performs
def ask_count(by: str, place: str, id: str, found: dict[str, int]) -> str:
    with person(by) as user:
        goods = Good.objects.filter(place=place, code__in=found)
        counted = [actions.Counted(good, found[good.code], "破损") for good in goods]
        return str(actions.ask_count(by=user, shop=the_shop(place), counted=counted, id=UUID(id)).pk)


@performs
def sign_count(by: str, count: str, agree: bool) -> str:
    with person(by) as user:
        row = StockCount.objects.filter(pk=count).first()
        if row is None:
            raise NotFound("没有这张盘点单。")
        return str(actions.sign_count(by=user, count=row, agree=agree).status)
