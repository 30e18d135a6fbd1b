"""The same counter where villages differ: a township's shop, a book that counts by person, two shops in two tabs."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from tests.books import PLAIN_BOOK, make_book
from tests.cast import NEXT_VILLAGE, TOWNSHIP, make_staff
from zhili.common.ids import uuid7
from zhili.common.periods import period_of, today
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.ledger.queries import balances
from zhili.shop import actions
from zhili.shop.models import Order, Shop
from zhili.shop.tests.stage import SOAP, open_for
from zhili.shop.tests.test_counter import as_, goods, text


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


def points_for(cast: SimpleNamespace, owner: Any, points: int, place: str) -> None:
    cause = {
        "rule": "r", "rule_version": 1, "item": "HJ01", "claim": "c", "evidence": [], "reviewers": [],
        "actor": cast.clerk.pk, "channel": "counter", "number": "A-1",
    }  # fmt: skip
    news = entries.award(uuid7(), owner, points, ["merit", "spend"], today(), cause)
    ledger.post(news, place=place, by=cast.clerk, period=period_of(today(), "month").code)


def test_a_townships_shop_serves_every_village_below(cast: SimpleNamespace):
    """A card is one household's; a number that stands in two villages is asked about; another township's is nowhere."""
    keeper = make_staff("town_keeper", "演示丑", "shopkeeper", TOWNSHIP)
    town = actions.open_shop(
        by=cast.township, place=TOWNSHIP, title="乡超市（演示）", kind=Shop.Kind.TOWNSHIP
    )
    fund = actions.open_fund(by=cast.township, place=TOWNSHIP, title="资金（演示）", basis="乡政府办公会")
    actions.deposit(by=cast.township, fund=fund, fen=10_000, source="财政", paper="收-1")
    soap = actions.add_good(by=keeper, shop=town, code="A01", title="香皂", unit="块")
    actions.stock_in(by=keeper, good=soap, quantity=5, fen=1000, fund=fund, paper="进-1")
    actions.publish_prices(
        by=cast.township, shop=town, period=period_of(today(), "month").code, points={soap.pk: SOAP}
    )
    home = cast.stranger.resident.household
    points_for(cast, home.pk, 1000, NEXT_VILLAGE)
    client, start = as_(keeper), f"/desk/{TOWNSHIP}/shop/counter/"
    both = client.get(start, {"q": "1001"})
    assert both.status_code == 200 and text(both).count("1001 户") == 2
    card = client.get(start, {"q": home.card_token})
    assert card.status_code == 302 and str(home.pk) in card.url
    page = client.get(card.url)
    assert "能用 <strong>10</strong> 分" in text(page)
    sent = {
        "id": str(uuid7()),
        "fair": "",
        f"n-{soap.pk}": "1",
        f"seen-{soap.pk}": str(SOAP),
        "step": "confirm",
    }
    done = client.post(card.url, sent, follow=True)
    assert "还剩 <strong>7.5</strong> 分" in text(done)
    assert Order.objects.get().place == NEXT_VILLAGE
    assert client.get(f"/desk/{TOWNSHIP}/shop/orders/").context["table"].total == 1
    assert as_(cast.clerk).get(start).status_code == 404, (
        "the village's clerk does not serve the township's shop"
    )


def test_where_points_belong_to_a_person_the_counter_asks_whose(cast: SimpleNamespace):
    """L-06: the purse is chosen, nobody else's is touched."""
    make_book(cast, PLAIN_BOOK.replace("unit: household", "unit: resident"), on=date(2026, 1, 1))
    shop = open_for(cast, points=0)
    one, other = cast.villager.resident, cast.head.resident
    points_for(cast, one.pk, 1000, cast.place)
    points_for(cast, other.pk, 300, cast.place)
    client, url = as_(cast.shopkeeper), f"/m/counter/{cast.household.pk}/"
    page = client.get(url)
    assert "用谁的积分" in text(page) and "能用 10 分" in text(page) and "能用 3 分" in text(page)
    unsaid = client.post(url, {**goods(shop, 1), "step": "look"})
    assert unsaid.status_code == 422 and "请选用谁的积分" in text(unsaid)
    short = client.post(url, {**goods(shop, 2), "owner": str(other.pk), "step": "look"})
    assert short.status_code == 422 and "积分不够" in text(short)
    foreign = client.post(url, {**goods(shop, 1), "owner": str(cast.elder.resident.pk), "step": "confirm"})
    assert foreign.status_code == 422 and not Order.objects.exists()
    client.post(url, {**goods(shop, 2), "owner": str(one.pk), "step": "confirm"})
    held = balances(cast.place, [one.pk, other.pk])
    assert (held[one.pk, "spend"].available, held[other.pk, "spend"].available) == (500, 300)
    mine = as_(cast.villager).get("/m/shop/")
    assert mine.context["points"] == 500


def test_two_shops_in_two_tabs_do_not_mix(shop: SimpleNamespace):
    """A form carries its shop: what another tab chose meanwhile does not turn this visit."""
    cast = shop.cast
    partner = actions.open_shop(
        by=cast.clerk, place=cast.place, title="村口小店（演示）", kind=Shop.Kind.PARTNER
    )
    client, url = as_(cast.shopkeeper), f"/m/counter/{cast.household.pk}/"
    sent = {**goods(shop, 1), "shop": str(shop.shop.pk), "step": "confirm"}
    client.get("/m/counter/", {"shop": str(partner.pk)})
    assert client.post(url, sent).status_code == 302
    assert Order.objects.get().shop == shop.shop
    foreign = client.post(url, {**goods(shop, 1), "shop": str(uuid7()), "step": "confirm"})
    assert foreign.status_code == 404 and Order.objects.count() == 1


def test_the_shopkeepers_phone_begins_with_the_counter(shop: SimpleNamespace):
    """U-10: who serves finds the counter and the fair day on the first screen; a villager does not."""
    assert 'href="/m/counter/"' in text(as_(shop.cast.shopkeeper).get("/m/"))
    assert "/m/counter/" not in text(as_(shop.cast.villager).get("/m/"))
    assert as_(shop.cast.shopkeeper).get("/m/fair/").status_code == 200
