"""The shelf and the money books: by moves and entries alone, with a second signature under every count."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.periods import next_period, period_of, today
from zhili.ledger.funding import unissued
from zhili.ledger.verify import verify
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import FundAccount, FundEntry, Good, Price
from zhili.shop.money import cash_of, shares
from zhili.shop.queries import cover
from zhili.shop.tests.stage import SOAP, bought, give, open_for, ordered, shelf


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


def books(place: str) -> dict[str, int]:
    rows = FundAccount.objects.filter(place=place)
    assert sum(row.credits for row in rows) == sum(row.debits for row in rows)
    return {row.kind: row.balance for row in rows}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE shop_good SET stock = 99 WHERE code = 'A01'",
        "UPDATE shop_good SET value_fen = 0 WHERE code = 'A01'",
        "UPDATE shop_stockmove SET quantity = 99",
        "DELETE FROM shop_stockmove",
        "UPDATE shop_fundentry SET fen = fen + 1",
        "DELETE FROM shop_fundentry",
        "UPDATE shop_fundaccount SET credits = credits + 100",
        "UPDATE shop_price SET points = 1",
        "DELETE FROM shop_price",
        "UPDATE shop_good SET reserved = stock + 1 WHERE code = 'A01'",
    ],
)
def test_shelf_money_and_prices_are_not_edited(shop: SimpleNamespace, change: str):
    """C-18, L-03: not by the application's role, whatever it sends."""
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_a_new_good_starts_empty(shop: SimpleNamespace):
    with pytest.raises(IntegrityError), transaction.atomic():
        Good.objects.create(place=shop.place, shop=shop.shop, code="Z", title="凭空的货", stock=5)


def test_a_count_is_signed_by_a_second_person(shop: SimpleNamespace):
    """C-18: reason, second signature, then a move; the loss stands in the money books."""
    cast = shop.cast
    with pytest.raises(ShopError, match="要写明原因"):
        actions.ask_count(by=cast.shopkeeper, shop=shop.shop, counted=[actions.Counted(shop.soap, 18)])
    count = actions.ask_count(
        by=cast.shopkeeper, shop=shop.shop,
        counted=[actions.Counted(shop.soap, 18, "包装破损"), actions.Counted(shop.rice, 5)],
    )  # fmt: skip
    assert shelf(shop.soap) == (20, 0)
    for who in (cast.shopkeeper, cast.villager, cast.stranger_clerk, cast.clerk):
        with pytest.raises(NotAllowed):
            actions.sign_count(by=who, count=count, agree=True)
    actions.sign_count(by=cast.supervisor, count=count, agree=True)
    assert shelf(shop.soap) == (18, 0)
    assert books(shop.place)["lost"] == 400
    with pytest.raises(Conflict):
        actions.sign_count(by=cast.supervisor, count=count, agree=True)


def test_a_count_is_stale_once_the_shelf_moved(shop: SimpleNamespace):
    count = actions.ask_count(
        by=shop.cast.shopkeeper, shop=shop.shop, counted=[actions.Counted(shop.soap, 18, "少了两块")]
    )
    bought(shop)
    with pytest.raises(Conflict, match="又有出入库"):
        actions.sign_count(by=shop.cast.supervisor, count=count, agree=True)
    assert shelf(shop.soap) == (19, 0)


def test_a_count_below_what_is_ordered_waits(shop: SimpleNamespace):
    ordered(shop, 5)
    count = actions.ask_count(
        by=shop.cast.shopkeeper, shop=shop.shop, counted=[actions.Counted(shop.soap, 3, "受潮")]
    )
    with pytest.raises(ShopError, match="已被预订"):
        actions.sign_count(by=shop.cast.supervisor, count=count, agree=True)


def test_prices_are_frozen_for_their_period(shop: SimpleNamespace):
    """G-15: no second list over the same days, no second price on a list; the next period may differ."""
    cast = shop.cast
    period = period_of(today(), "month")
    with pytest.raises(Conflict, match="不再改"):
        actions.publish_prices(by=cast.clerk, shop=shop.shop, period=period.code, points={shop.soap.pk: 300})
    with pytest.raises(Conflict, match="已经有价"):
        actions.add_prices(by=cast.clerk, price_list=shop.prices, points={shop.soap.pk: 300})
    later = next_period(period).code
    actions.publish_prices(by=cast.clerk, shop=shop.shop, period=later, points={shop.soap.pk: 300})
    assert set(Price.objects.filter(good=shop.soap).values_list("points", flat=True)) == {SOAP, 300}
    with pytest.raises(NotAllowed):
        actions.publish_prices(
            by=cast.shopkeeper, shop=shop.shop, period="2099-01", points={shop.soap.pk: 300}
        )


def test_goods_are_paid_for_first(shop: SimpleNamespace):
    """G-11: a fund is never overdrawn; the same delivery note counts once."""
    cast, left = shop.cast, cash_of(shop.fund)
    with pytest.raises(ShopError, match="可用资金不够"):
        actions.stock_in(by=cast.shopkeeper, good=shop.soap, quantity=1, fen=left + 1, fund=shop.fund)
    key = uuid7()
    for _ in range(2):
        actions.stock_in(by=cast.shopkeeper, good=shop.soap, quantity=10, fen=2_500, fund=shop.fund, id=key)
    assert cash_of(shop.fund) == left - 2_500
    assert shelf(shop.soap) == (30, 0)
    with pytest.raises(Conflict):
        actions.stock_in(by=cast.shopkeeper, good=shop.soap, quantity=11, fen=2_500, fund=shop.fund, id=key)


def test_goods_given_in_kind_touch_no_cash(shop: SimpleNamespace):
    left = cash_of(shop.fund)
    actions.stock_in(
        by=shop.cast.shopkeeper,
        good=shop.soap,
        quantity=10,
        fen=2_000,
        fund=shop.fund,
        donated_by="某公司（演示）",
    )
    assert cash_of(shop.fund) == left
    assert FundEntry.objects.get(source="某公司（演示）").code == "deposit"


def test_a_deposit_puts_points_into_the_pool(shop: SimpleNamespace):
    """G-11, L-17: mode A; 500 yuan at one yuan a point are 500 points in the published book."""
    before = unissued(shop.place, "spend")
    key = uuid7()
    for _ in range(2):
        actions.deposit(by=shop.cast.clerk, fund=shop.fund, fen=50_000, source="捐赠", paper="收-2", id=key)
    assert unissued(shop.place, "spend") == before + 50_000
    assert verify([shop.place]).ok


@pytest.mark.parametrize(
    "who", ["villager", "shopkeeper", "supervisor", "township", "stranger_clerk", "bank"]
)
def test_money_is_the_clerk_s(shop: SimpleNamespace, who: str):
    """A-07: the shopkeeper keeps no money."""
    with pytest.raises(NotAllowed):
        actions.deposit(by=getattr(shop.cast, who), fund=shop.fund, fen=100, source="财政", paper="1")
    with pytest.raises(NotAllowed):
        actions.pay_partner(by=getattr(shop.cast, who), fund=shop.fund, fen=100, paper="1", shop=shop.shop)


def test_a_higher_value_waits_for_money(shop: SimpleNamespace):
    """G-12: cover never falls below 1 by a stroke of the pen."""
    give(shop.cast, shop.cast.household, 75_000)
    with pytest.raises(ShopError, match="资金还差"):
        actions.change_settings(by=shop.cast.clerk, place=shop.place, resolution="会-1", value_fen=200)
    assert cover(shop.place).value_fen == 100


@settings(max_examples=60, deadline=None)
@given(pot=st.integers(0, 10**9), points=st.lists(st.integers(1, 10**6), min_size=1, max_size=40))
def test_floating_shares_sum_to_the_pot(pot: int, points: list[int]):
    """G-11: mode B, to the fen; nobody with more points gets less."""
    held = {uuid7(): one for one in points}
    given_out = shares(pot, held)
    assert sum(given_out.values()) == pot
    order = sorted(held, key=lambda key: held[key])
    assert all(given_out[a] <= given_out[b] + 1 for a, b in pairwise(order))
    assert all(abs(given_out[key] - pot * held[key] / sum(points)) < 1 + 1e-6 * pot for key in held)


def test_floating_settlement(shop: SimpleNamespace):
    """G-11: the pot is paid out once, every point is redeemed, the books verify."""
    cast = shop.cast
    give(cast, cast.elder.resident.household, 10_000)
    with pytest.raises(ShopError, match="固定分值"):
        actions.settle_floating(by=cast.clerk, fund=shop.fund, fen=10_000, paper="付-1", id=uuid7())
    actions.change_settings(by=cast.clerk, place=shop.place, resolution="会-2", mode="floating")
    key = uuid7()
    given_out = actions.settle_floating(by=cast.clerk, fund=shop.fund, fen=10_000, paper="付-1", id=key)
    assert given_out == {cast.household.pk: 6_667, cast.elder.resident.household_id: 3_333}
    with pytest.raises(Conflict):
        actions.settle_floating(by=cast.clerk, fund=shop.fund, fen=10_000, paper="付-1", id=key)
    assert cover(shop.place).outstanding == 0
    assert verify([shop.place]).ok


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(st.tuples(st.sampled_from(["in", "buy", "order", "cancel", "hand", "count"]), st.integers(1, 6),
                                st.integers(0, 997)), max_size=14))  # fmt: skip
def test_money_and_shelf_agree_whatever_happens(shop: SimpleNamespace, deeds: list[tuple[str, int, int]]):
    """L-17: goods at cost = value on the shelf, to the fen; the double entry always balances."""
    cast, waiting = shop.cast, []
    with transaction.atomic():
        for kind, number, fen in deeds:
            good = Good.objects.get(pk=shop.soap.pk)
            if kind == "in":
                actions.stock_in(by=cast.clerk, good=good, quantity=number, fen=fen, fund=shop.fund)
            elif kind == "buy" and good.free >= number:
                bought(shop, number)
            elif kind == "order" and good.free >= number:
                waiting.append(ordered(shop, number))
            elif kind == "cancel" and waiting:
                actions.cancel(by=cast.villager, order=waiting.pop(), reason="改主意")
            elif kind == "hand" and waiting:
                actions.hand_over(by=cast.shopkeeper, order=waiting.pop())
            elif kind == "count":
                found = max(good.reserved, good.stock + number - 3)
                count = actions.ask_count(
                    by=cast.shopkeeper, shop=shop.shop, counted=[actions.Counted(good, found, "清点")]
                )
                actions.sign_count(by=cast.supervisor, count=count, agree=True)
        value = sum(good.value_fen for good in Good.objects.filter(place=shop.place))
        assert books(shop.place)["goods"] == value
        for good in Good.objects.filter(place=shop.place):
            assert good.stock == sum(good.moves.values_list("quantity", flat=True))
        transaction.set_rollback(True)


def test_another_village_s_clerk_sees_no_money(shop: SimpleNamespace):
    """A-02: by the first wall; the second is row security on every table of the shop."""
    with pytest.raises(NotAllowed):
        actions.open_fund(by=shop.cast.stranger_clerk, place=shop.place, title="别村的", basis="无")


def test_a_delivery_cannot_be_dated_ahead(shop: SimpleNamespace):
    with pytest.raises(ShopError, match="还没有到"):
        actions.stock_in(by=shop.cast.clerk, good=shop.soap, quantity=1, fen=1, fund=shop.fund,
                         on=today() + timedelta(days=1))  # fmt: skip
