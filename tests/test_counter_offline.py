"""The phone counter when the network drops in the middle of a confirmation (C-14, C-15): the phone says what it knows,
sends again by itself, and points are taken once."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests import browser as tools
from zhili.common.ids import uuid7
from zhili.shop.models import Order
from zhili.shop.tests.stage import RICE, open_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def counter(stage: Any) -> Any:
    """A shop in the stage's village; its own household, so that other tests' points are not touched."""
    with stage.inside():
        found = Order.objects.first()
        shop = open_for(stage.cast, points=60_000) if found is None else None
    assert shop is not None
    return shop


def test_a_lost_answer_and_a_dead_network_take_points_once(stage: Any, open_page: Any, counter: Any):
    """C-14, C-15: the first answer is lost on the way, the next sending finds no network at all, the third is answered:
    one redemption, the words 待重试 and 已收到 in between, and the queue page knows nothing is open any more."""
    home, soap = stage.cast.household.pk, counter.soap.pk
    page = open_page(f"/m/counter/{home}/?id={uuid7()}", as_="shopkeeper")
    row = page.locator(f"[name='n-{soap}']")
    page.get_by_label("香皂多一块").click()
    page.get_by_label("香皂多一块").click()
    expect(row).to_have_value("2")
    expect(page.locator("[data-sum]")).to_contain_text("1 种，共 5 分")
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("heading", name="核对")).to_be_visible()

    sent: list[str] = []

    def drop(route: Any) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        sent.append(route.request.url)
        if len(sent) == 1:  # it arrives and is done; the answer is lost
            route.fetch(max_redirects=0)
            route.abort("connectionreset")
        elif len(sent) == 2:
            route.abort("internetdisconnected")
        else:
            route.fallback()

    page.route("**/m/counter/**", drop)
    page.get_by_role("button", name="确认兑换").click()
    expect(page.locator("[data-state]")).to_contain_text("待重试")
    expect(page.locator("[data-state]")).to_contain_text("不会重复扣分")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-state]")).to_contain_text("已送 2 次")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-answer=done]")).to_be_visible()
    expect(page.locator("h1")).to_contain_text("换了香皂 2 件")
    assert len(sent) == 3
    tools.shoot(page, "counter-after-the-network-dropped", full=True)
    with stage.inside():
        made = Order.objects.filter(household=home, status="handed_over", channel="counter")
        assert [one.points for one in made] == [500]

    page.get_by_role("link", name="下一位").click()
    expect(page.locator("[data-unsure]")).to_be_hidden()
    page.go_back()
    expect(page.locator("[data-answer=done]")).to_be_visible()


def test_the_pad_and_a_refusal_without_leaving_the_page(stage: Any, open_page: Any, counter: Any):
    """N-07, C-14: the customer's own pad; a wrong PIN is 未收到 in words, the page and its key stay."""
    from zhili.shop import actions

    with stage.inside():
        actions.set_pin(by=stage.cast.villager, household=stage.cast.household, pin="2580")
    page = open_page(f"/m/counter/{stage.cast.household.pk}/", as_="shopkeeper")
    page.locator(f"[name='n-{counter.rice.pk}']").fill("1")
    page.get_by_role("button", name="下一步").click()
    key = page.locator("form[data-once] [name=id]").input_value()
    page.get_by_label("本户的兑换密码").check()
    for digit in "1470":
        page.locator("[data-pad]").get_by_role("button", name=digit, exact=True).click()
    page.get_by_role("button", name="确认兑换").click()
    expect(page.locator("[role=alert]")).to_contain_text("密码不对")
    assert page.locator("form[data-once] [name=id]").input_value() == key
    assert page.locator("[name=pin]").input_value() == ""
    for digit in "2580":
        page.locator("[data-pad]").get_by_role("button", name=digit, exact=True).click()
    page.get_by_role("button", name="确认兑换").click()
    expect(page.locator("[data-answer=done]")).to_be_visible()
    with stage.inside():
        assert Order.objects.get(pk=key).points == RICE
    assert [word for word in page.complaints if "422" not in word] == []
