"""The shop by machine: a card, a redemption sent twice, an order from the phone to the table (docs/api.md)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.machine import Machine
from zhili.common.ids import uuid7
from zhili.ledger.queries import balances
from zhili.ledger.verify import verify
from zhili.people.actions import reissue_card
from zhili.shop import actions
from zhili.shop.models import Order
from zhili.shop.tests.stage import RICE, SOAP, open_for, shelf

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("api")]


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


def body(shop: SimpleNamespace, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    wanted = [{"good": str(shop.soap.pk), "quantity": quantity, "seen_points": "2.5"}]
    return {"id": str(uuid7()), "shop": str(shop.shop.pk), "household": "1001", "wanted": wanted} | changes


def available(shop: SimpleNamespace) -> int:
    return balances(shop.place, [shop.cast.household.pk])[shop.cast.household.pk, "spend"].available


def test_a_counter_by_machine(shop: SimpleNamespace) -> None:
    """Issue 4 API, C-03: shops → offers → card → redemption, sent again → the same order, points once."""
    place, m = shop.place, Machine(shop.cast.shopkeeper)
    found = m.get(f"/villages/{place}/shops").json()
    assert [one["title"] for one in found] == ["幸福超市（演示）"]
    rows = m.get(f"/villages/{place}/shops/{found[0]['id']}/offers").json()
    assert {(one["title"], one["points"], one["free"]) for one in rows} == {
        ("香皂", "2.5", 20),
        ("大米10斤", "50", 5),
    }
    card = m.post(f"/villages/{place}/shop/card", {"card": shop.cast.household.card_token}).json()
    assert (card["household_code"], card["available"]) == ("1001", "200")
    once = body(shop, 2, household=card["household"])
    first, again = (m.post(f"/villages/{place}/redemptions", once) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200) and first.json() == again.json()
    assert (first.json()["status"], first.json()["points"]) == ("handed_over", "5")
    assert available(shop) == 20_000 - 2 * SOAP and shelf(shop.soap) == (18, 0)
    other = m.post(f"/villages/{place}/redemptions", once | {"household": "1002"})
    assert other.status_code == 409
    assert verify([place]).ok


def test_an_order_by_machine(shop: SimpleNamespace) -> None:
    """C-06: ordered from the phone, found by its code, handed over twice is once; another one called off."""
    place, mine, keeper = shop.place, Machine(shop.cast.villager), Machine(shop.cast.shopkeeper)
    order = mine.post(f"/villages/{place}/orders", body(shop, 3))
    assert order.status_code == 201 and len(order.json()["pick_up_code"]) == 6
    asked = {"shop": str(shop.shop.pk), "code": order.json()["pick_up_code"]}
    found = keeper.post(f"/villages/{place}/orders/find", asked).json()
    assert found["id"] == order.json()["id"]
    for _ in range(2):
        done = keeper.post(f"/orders/{found['id']}/hand-over").json()
        assert (done["status"], done["pick_up_code"]) == ("handed_over", "")
    assert keeper.post(f"/villages/{place}/orders/find", asked).status_code == 404
    second = mine.post(f"/villages/{place}/orders", body(shop)).json()
    for _ in range(2):
        assert (
            mine.post(f"/orders/{second['id']}/cancel", {"reason": "不要了"}).json()["status"] == "cancelled"
        )
    assert available(shop) == 20_000 - 3 * SOAP and shelf(shop.soap) == (17, 0)
    late = keeper.post(f"/orders/{second['id']}/hand-over")
    assert late.status_code == 409 and "已取消" in late.json()["message"]


@pytest.mark.parametrize(
    "case", ["sold_out", "short", "price", "cap", "no_card", "old_card", "paused", "no_shop", "many"]
)
def test_refused_in_words(shop: SimpleNamespace, case: str) -> None:
    """C-01, N-07, issue 4 bad input: said before anything moves, and nothing has."""
    m, sent, status = Machine(shop.cast.shopkeeper), body(shop), 422
    words = {
        "sold_out": "只剩 20块", "short": "不够", "price": "现在是 2.5 分", "cap": "超过 30 分", "no_card": "没有找到这一户",
        "old_card": "没有找到这一户", "paused": "暂停兑换", "no_shop": "没有找到", "many": "太大",
    }[case]  # fmt: skip
    if case == "sold_out":
        actions.change_settings(by=shop.cast.clerk, place=shop.place, resolution="会-1", cap_points=10_000)
        sent = body(shop, 21)
    elif case == "short":
        sent["household"] = "1002"
    elif case == "price":
        sent["wanted"][0]["seen_points"] = "2"
    elif case == "cap":
        sent["wanted"] = [{"good": str(shop.rice.pk), "quantity": 1}]
        assert RICE > 3_000
    elif case == "no_card":
        sent["household"] = "9999"
    elif case == "old_card":
        sent["household"] = shop.cast.household.card_token
        reissue_card(by=shop.cast.clerk, household=shop.cast.household, reason="丢了")
    elif case == "paused":
        actions.edit_shop(by=shop.cast.clerk, shop=shop.shop, paused="盘点")
    elif case == "no_shop":
        sent["shop"], status = str(uuid7()), 404
    else:
        sent["wanted"][0]["quantity"] = 1_001
    answer = m.post(f"/villages/{shop.place}/redemptions", sent)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.json()
    assert Order.objects.count() == 0 and available(shop) == 20_000 and shelf(shop.soap) == (20, 0)


@pytest.mark.parametrize(
    "who", ["villager", "reviewer", "supervisor", "township", "bank", "stranger", "stranger_clerk"]
)
def test_only_the_counter_hands_over(shop: SimpleNamespace, who: str) -> None:
    """A-02, A-07: nobody else redeems, reads a card or hands over; for strangers nothing of it is there."""
    m, place = Machine(getattr(shop.cast, who)), shop.place
    order = Machine(shop.cast.villager).post(f"/villages/{place}/orders", body(shop)).json()
    for path, sent in ((f"/villages/{place}/redemptions", body(shop)), (f"/orders/{order['id']}/hand-over", {}),
                       (f"/villages/{place}/shop/card", {"card": "1001"})):  # fmt: skip
        assert m.post(path, sent).status_code in (403, 404), path
    assert Order.objects.get().status == "reserved"


def test_a_pick_up_code_is_for_the_counter_alone(shop: SimpleNamespace) -> None:
    """A-05: whoever only looks at the village's orders does not see the codes they are collected with."""
    Machine(shop.cast.villager).post(f"/villages/{shop.place}/orders", body(shop))
    for who, shown in (("shopkeeper", True), ("supervisor", False), ("township", False)):
        (row,) = (
            Machine(getattr(shop.cast, who))
            .get(f"/villages/{shop.place}/orders", status="reserved")
            .json()["items"]
        )
        assert bool(row["pick_up_code"]) is shown, who


def test_a_list_costs_the_same_however_long(
    shop: SimpleNamespace, django_assert_max_num_queries: Any
) -> None:
    """The number of statements of a page of orders does not grow with its rows."""
    m = Machine(shop.cast.shopkeeper)
    for _ in range(6):
        m.post(f"/villages/{shop.place}/orders", body(shop))
    with django_assert_max_num_queries(16):
        assert m.get(f"/villages/{shop.place}/orders").json()["total"] == 6
