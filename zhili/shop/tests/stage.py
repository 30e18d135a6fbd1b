"""A small shop for tests: soap, rice and one pot of 1,000 yuan; points come from the ledger's own award."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.test import Client

from zhili.common.ids import uuid7
from zhili.common.periods import period_of, today
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.people.models import Household
from zhili.shop import actions
from zhili.shop.models import Good, Order, Shop

SOAP, RICE = 250, 5000


def open_for(
    cast: SimpleNamespace, *, soap: int = 20, rice: int = 5, points: int = 20_000
) -> SimpleNamespace:
    """Shop, money, goods on the shelf, this month's price list; the cast's household holds `points` hundredths."""
    shop = actions.open_shop(by=cast.clerk, place=cast.place, title="幸福超市（演示）")
    fund = actions.open_fund(
        by=cast.clerk, place=cast.place, title="积分资金（演示）", basis="村民代表会议决议"
    )
    actions.deposit(by=cast.clerk, fund=fund, fen=100_000, source="集体收益", paper="收-1")
    found = SimpleNamespace(shop=shop, fund=fund, cast=cast, place=cast.place)
    found.soap = actions.add_good(
        by=cast.shopkeeper, shop=shop, code="A01", title="香皂", category="日用", unit="块"
    )
    found.rice = actions.add_good(
        by=cast.shopkeeper, shop=shop, code="B01", title="大米10斤", category="粮油", unit="袋"
    )
    for good, count, cost in ((found.soap, soap, 200), (found.rice, rice, 3500)):
        if count:
            actions.stock_in(
                by=cast.shopkeeper, good=good, quantity=count, fen=count * cost, fund=fund, paper="进-1"
            )
    period = period_of(today(), "month").code
    found.prices = actions.publish_prices(
        by=cast.clerk, shop=shop, period=period, points={found.soap.pk: SOAP, found.rice.pk: RICE}
    )
    if points:
        give(cast, cast.household, points)
    for good in (found.soap, found.rice):
        good.refresh_from_db()
    return found


def give(cast: SimpleNamespace, household: Household, points: int) -> None:
    """Spendable points without a month of claims: one award in the ledger."""
    cause = {
        "rule": str(uuid7()), "rule_version": 1, "item": "HJ01", "claim": str(uuid7()), "evidence": [], "reviewers": [],
        "actor": cast.clerk.pk, "channel": "counter", "number": "A-1",
    }  # fmt: skip
    news = entries.award(uuid7(), household.pk, points, ["merit", "spend"], today(), cause)
    ledger.post(news, place=household.place, by=cast.clerk, period=period_of(today(), "month").code)


def bought(shop: SimpleNamespace, quantity: int = 1, **changes: Any) -> Order:
    """Soap over the counter for the cast's household."""
    facts: dict[str, Any] = {
        "by": shop.cast.shopkeeper, "id": uuid7(), "shop": shop.shop, "household": shop.cast.household,
        "wanted": [actions.Wanted(shop.soap.pk, quantity, SOAP)],
    }  # fmt: skip
    return actions.redeem(**(facts | changes))


def ordered(shop: SimpleNamespace, quantity: int = 1, **changes: Any) -> Order:
    """Soap reserved from the phone by the villager."""
    facts: dict[str, Any] = {
        "by": shop.cast.villager, "id": uuid7(), "shop": shop.shop, "household": shop.cast.household,
        "wanted": [actions.Wanted(shop.soap.pk, quantity, SOAP)],
    }  # fmt: skip
    return actions.reserve(**(facts | changes))


def browser(person: Any = None) -> Client:
    """A browser where `person` is logged in, or nobody."""
    client = Client()
    if person is not None:
        client.force_login(person)
    return client


def shelf(good: Good) -> tuple[int, int]:
    """(stock, reserved) as the table has them now."""
    row = Good.objects.get(pk=good.pk)
    return row.stock, row.reserved


def later(days: int) -> Any:
    return today() + timedelta(days=days)


__all__ = ["RICE", "SOAP", "Shop", "bought", "browser", "give", "later", "open_for", "ordered", "shelf"]
