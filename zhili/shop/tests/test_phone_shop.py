"""去兑换 on the villager's phone: what I can afford, order, big code, cancel, poll, PIN; for oneself and for others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from zhili.common.ids import uuid7
from zhili.ledger.verify import verify
from zhili.people.actions import delegate
from zhili.shop import actions
from zhili.shop.models import Order, Pin, PollAnswer
from zhili.shop.tests.stage import SOAP, give, later, open_for, ordered, shelf
from zhili.shop.tests.test_counter import as_, goods, left, text


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


def delegation(shop: SimpleNamespace, scope: str) -> Any:
    """The head of 1002 acts for the head of 1001."""
    cast = shop.cast
    return delegate(
        by=cast.clerk,
        principal=cast.head.resident,
        delegate=cast.group_leader,
        scope=scope,
        valid_to=later(30),
        paper_number="委-1",
    )


def test_the_large_type_home_leads_to_the_shop(shop: SimpleNamespace):
    """U-10: 去兑换 of the first screen opens the goods."""
    home = as_(shop.cast.villager).get("/m/")
    assert 'href="/m/shop/"' in text(home) and "/m/exchange/" not in text(home)


def test_order_from_the_phone_without_script(shop: SimpleNamespace):
    """C-06: choose, look, order; the code in big digits; sending it again is the same order; cancel gives all back."""
    client = as_(shop.cast.villager)
    page = client.get("/m/shop/")
    assert "够换 80块" in text(page) and "还有 20块" in text(page)
    look = client.post("/m/shop/", {**goods(shop, 2), "shop": str(shop.shop.pk), "step": "look"})
    assert look.status_code == 200 and "还剩</dt><dd>195 分" in text(look) and not Order.objects.exists()
    sent = {**goods(shop, 2), "shop": str(shop.shop.pk), "step": "order"}
    answers = [client.post("/m/shop/", sent) for _ in range(3)]
    order = Order.objects.get()
    assert {one.url for one in answers} == {f"/m/shop/orders/{order.pk}/"}
    mine = client.get(answers[0].url)
    code = order.pick_up_code
    assert f'class="pickcode">{code[:3]} {code[3:]}' in text(mine) and "data:image/svg" in text(mine)
    assert "有一单等您去领" in text(client.get("/m/shop/")) and "香皂×2" in text(
        client.get("/m/shop/orders/")
    )
    assert "取消以后，积分退回来" in text(client.get(answers[0].url + "?cancel=1"))
    for _ in range(2):
        client.post(answers[0].url)
    assert left(shop) == 20_000 and shelf(shop.soap) == (20, 0)
    assert code[:3] + " " + code[3:] not in text(client.get(answers[0].url))
    assert verify([shop.place]).ok


@pytest.mark.parametrize("case", ["short", "sold_out", "price", "fair_only", "other_body", "handed"])
def test_refused_on_the_phone(shop: SimpleNamespace, case: str):
    """C-01: the same refusals as at the counter, in the same words, with everything typed."""
    client, sent, words = as_(shop.cast.villager), {**goods(shop, 2), "step": "order"}, ""
    if case == "short":
        sent |= {f"n-{shop.rice.pk}": "5", f"seen-{shop.rice.pk}": "5000"}
        words = "兑换积分不够"
    elif case == "sold_out":
        sent[f"n-{shop.soap.pk}"], words = "21", "只剩 20块"
    elif case == "price":
        sent[f"seen-{shop.soap.pk}"], words = "200", "现在是 2.5 分"
    elif case == "fair_only":
        actions.edit_shop(by=shop.cast.clerk, shop=shop.shop, only_fair_days=True)
        words = "只在兑换日开放"
    elif case == "other_body":
        client.post("/m/shop/", sent)
        sent[f"n-{shop.soap.pk}"], words = "3", "已经办过，内容不同"
    else:
        order = ordered(shop, 1)
        actions.hand_over(by=shop.cast.shopkeeper, order=order)
        answer = client.post(f"/m/shop/orders/{order.pk}/")
        assert answer.status_code == 422 and "已领取" in text(answer)
        return
    answer = client.post("/m/shop/", sent)
    assert answer.status_code == 422 and words in text(answer)
    assert Order.objects.count() == (case == "other_body")


@pytest.mark.parametrize("scope, status", [("redeem", 200), ("all", 200), ("claim", 404), ("object", 404)])
def test_acting_for_somebody(shop: SimpleNamespace, scope: str, status: int):
    """A-09, U-36: who acts for 王奶奶 orders with her points; a delegation for other things does not open her purse."""
    given, client = delegation(shop, scope), as_(shop.cast.group_leader)
    page = client.get("/m/shop/", {"for": str(given.pk)})
    assert page.status_code == status
    sent = {**goods(shop, 1), "step": "order"}
    answer = client.post(f"/m/shop/?for={given.pk}", sent)
    if status == 404:
        assert answer.status_code == 404 and not Order.objects.exists()
        return
    assert "替 1001 户" in text(page)
    order = Order.objects.get()
    assert order.household == shop.cast.household and order.on_behalf_of == shop.cast.head.resident
    assert left(shop) == 20_000 - SOAP
    assert client.get(answer.url).status_code == 200
    assert as_(shop.cast.elder).get(f"/m/shop/orders/{order.pk}/").status_code == 200, "council sees the shop"
    assert as_(shop.cast.stranger).get(f"/m/shop/orders/{order.pk}/").status_code == 404


def test_somebody_elses_delegation_is_nowhere(shop: SimpleNamespace):
    """A-04."""
    given = delegation(shop, "redeem")
    assert as_(shop.cast.reviewer).get("/m/shop/", {"for": str(given.pk)}).status_code == 404
    order = ordered(shop, 1)
    assert as_(shop.cast.reviewer2).post(f"/m/shop/orders/{order.pk}/").status_code == 404
    order.refresh_from_db()
    assert order.status == "reserved"


def test_the_demand_poll(shop: SimpleNamespace):
    """G-15: a household chooses; a later answer replaces the first; too many and none are refused in words."""
    poll = actions.open_poll(
        by=shop.cast.clerk,
        shop=shop.shop,
        title="想换什么",
        options=["化肥", "种子", "胶鞋"],
        closes_on=later(5),
        most=2,
    )
    client, url = as_(shop.cast.villager), f"/m/shop/polls/{poll.pk}/"
    assert "想换什么" in text(client.get("/m/shop/"))
    for chosen in ([], ["1", "2", "3"], ["9"]):
        wrong = client.post(url, {"chosen": chosen})
        assert wrong.status_code == 422 and "请选 1 到 2 种" in text(wrong)
    assert "已收到" in text(client.post(url, {"chosen": ["1"]}))
    client.post(url, {"chosen": ["2", "3"]})
    assert PollAnswer.objects.get().chosen == ["2", "3"] and text(client.get(url)).count("checked") == 2
    assert as_(shop.cast.stranger).get(url).status_code == 404


@pytest.mark.parametrize("pin, again, words", [
    ("2580", "2581", "两次输的不一样"), ("12", "12", "4 到 6 位数字"),
    ("1111", "1111", "太容易猜"), ("abcd", "abcd", "4 到 6 位"),
])  # fmt: skip
def test_setting_the_pin(shop: SimpleNamespace, pin: str, again: str, words: str):
    """N-07: own household, twice the same, not 1111; the digits never come back to the page."""
    client = as_(shop.cast.villager)
    answer = client.post("/m/shop/pin/", {"pin": pin, "again": again})
    assert answer.status_code == 422 and words in text(answer) and not Pin.objects.exists()
    assert "密码设好了" in text(client.post("/m/shop/pin/", {"pin": "2580", "again": "2580"}))
    assert "改兑换密码" in text(client.get("/m/shop/pin/"))


@pytest.mark.parametrize("who", ["shopkeeper", "group_leader", "reviewer", "stranger"])
def test_nobody_else_sets_a_households_pin(shop: SimpleNamespace, who: str):
    """N-07: a shopkeeper who could set the PIN could spend with it; one who set it (the clerk) cannot use it."""
    from zhili.common.errors import NotAllowed
    from zhili.shop.errors import ShopError

    delegation(shop, "all")
    with pytest.raises(NotAllowed):
        actions.set_pin(by=getattr(shop.cast, who), household=shop.cast.household, pin="2580")
    actions.set_pin(by=shop.cast.clerk, household=shop.cast.household, pin="2580")
    facts = {"id": uuid7(), "shop": shop.shop, "household": shop.cast.household,
             "wanted": [actions.Wanted(shop.rice.pk, 1, 5000)],
             "visit": actions.Visit(proof=actions.Proof(pin="2580"))}  # fmt: skip
    with pytest.raises(ShopError, match="您替他们设的"):
        actions.redeem(by=shop.cast.clerk, **facts)
    assert actions.redeem(by=shop.cast.shopkeeper, **facts).proof == "pin"


def test_staff_without_a_household_and_a_village_without_a_shop(cast: SimpleNamespace):
    """The page says what to do where there is no shop yet; nothing can be ordered by who belongs to no household."""
    page = as_(cast.villager).get("/m/shop/")
    assert page.status_code == 200 and "带上积分卡" in text(page)
    assert as_(cast.villager).get("/m/shop/pin/").status_code == 200
    anonymous = Client().get("/m/shop/")
    assert anonymous.status_code == 302 and "login" in anonymous.url


def test_the_page_costs_the_same_for_forty_goods(shop: SimpleNamespace):
    """Statements do not grow with the goods or the orders."""
    client = as_(shop.cast.villager)
    client.get("/m/shop/")
    with CaptureQueriesContext(connection) as few:
        client.get("/m/shop/")
    points = {}
    for n in range(30):
        good = actions.add_good(
            by=shop.cast.clerk, shop=shop.shop, code=f"X{n}", title=f"物品{n}", category=f"类{n % 5}"
        )
        points[good.pk] = 100
    actions.add_prices(by=shop.cast.clerk, price_list=shop.prices, points=points)
    give(shop.cast, shop.cast.household, 1000)
    for _ in range(5):
        ordered(shop, 1)
    with CaptureQueriesContext(connection) as many:
        client.get("/m/shop/")
    assert len(many) <= len(few) + 1, (len(few), len(many))  # the lines of the orders are one statement
    keeper = as_(shop.cast.shopkeeper)
    with CaptureQueriesContext(connection) as counter:
        keeper.get(f"/m/counter/{shop.cast.household.pk}/")
    assert len(counter) < 40, len(counter)
