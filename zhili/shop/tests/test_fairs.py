"""兑换日: hours, numbers by group, quotas, a tally that stays; and the poll before buying."""

from __future__ import annotations

from datetime import date, time
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from tests.month import home
from zhili.common.errors import NotAllowed
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.fairs import poll_result, queue_of, tally_words
from zhili.shop.models import FairDay, Order, Ticket
from zhili.shop.tests.stage import SOAP, bought, give, open_for

DAY = date(2026, 11, 25)


@pytest.fixture
def fair(cast: SimpleNamespace) -> Any:
    with time_machine.travel("2026-11-25 08:30:00+08:00", tick=False):
        shop = open_for(cast)
        shop.fair = actions.plan_fair_day(
            by=cast.clerk, shop=shop.shop, on=DAY, opens_at=time(8), closes_at=time(12), groups=["3组", "1组"],
            quota_points=5 * SOAP, quota_orders=3,
        )  # fmt: skip
        yield shop


def at_fair(shop: SimpleNamespace, quantity: int = 1, **changes: Any) -> Order:
    return bought(shop, quantity, channel="fair", visit=actions.Visit(fair_day=shop.fair), **changes)


def test_a_fair_day_from_opening_to_tally(fair: SimpleNamespace):
    """Numbers by group, goods over the table, and the day's figures written down."""
    cast = fair.cast
    for code in ("1001", "1002", "3001"):
        actions.take_number(by=cast.shopkeeper, fair_day=fair.fair, household=home(cast, code))
    assert [one.household.code for one in queue_of(fair.fair)] == ["3001", "1001", "1002"]
    with pytest.raises(ShopError, match="现在不在兑换时间"):
        at_fair(fair)
    fair.fair = actions.open_fair_day(by=cast.shopkeeper, fair_day=fair.fair)
    at_fair(fair, 2)
    assert [one.household.code for one in queue_of(fair.fair)] == ["3001", "1002"]
    actions.pass_over(by=cast.shopkeeper, ticket=Ticket.objects.get(household=home(cast, "3001")))
    assert [one.household.code for one in queue_of(fair.fair)] == ["1002", "3001"]
    closed = actions.close_fair_day(by=cast.shopkeeper, fair_day=fair.fair)
    assert closed.tally["sums"] == {"orders": 1, "households": 1, "points": 2 * SOAP, "proxies": 0}
    assert tally_words(closed) == "全天 1 户、1 单，共 5 分，代领 0 单。"
    assert actions.close_fair_day(by=cast.shopkeeper, fair_day=closed).tally == closed.tally
    with pytest.raises(ShopError, match="现在不在兑换时间"):
        at_fair(fair)


def test_a_number_is_given_once(fair: SimpleNamespace):
    numbers = {
        actions.take_number(by=fair.cast.clerk, fair_day=fair.fair, household=fair.cast.household).number
        for _ in range(3)
    }
    assert numbers == {1}


def test_quotas_hold(fair: SimpleNamespace):
    """Per household by points, for the day by orders; said with what is left."""
    fair.fair = actions.open_fair_day(by=fair.cast.clerk, fair_day=fair.fair)
    at_fair(fair, 4)
    with pytest.raises(ShopError, match=r"还可兑 2.5 分"):
        at_fair(fair, 2)
    at_fair(fair, 1)
    other = home(fair.cast, "1002")
    give(fair.cast, other, 1_000)
    at_fair(fair, 1, household=other)
    with pytest.raises(ShopError, match="今天限 3 单"):
        at_fair(fair, 1, household=other)


@pytest.mark.parametrize("moment", ["2026-11-24 09:00:00+08:00", "2026-11-26 09:00:00+08:00"])
def test_it_opens_on_its_day_only(cast: SimpleNamespace, moment: str):
    with time_machine.travel("2026-11-20 09:00:00+08:00", tick=False):
        shop = open_for(cast)
        fair_day = actions.plan_fair_day(
            by=cast.clerk, shop=shop.shop, on=DAY, opens_at=time(8), closes_at=time(12)
        )
    with time_machine.travel(moment, tick=False), pytest.raises(ShopError, match="还没有到，或已经过了"):
        actions.open_fair_day(by=cast.clerk, fair_day=fair_day)


def test_after_hours_the_window_is_shut(fair: SimpleNamespace):
    fair.fair = actions.open_fair_day(by=fair.cast.clerk, fair_day=fair.fair)
    with (
        time_machine.travel("2026-11-25 12:01:00+08:00", tick=False),
        pytest.raises(ShopError, match="08:00 到 12:00"),
    ):
        at_fair(fair)


@pytest.mark.parametrize(
    "change",
    [{"on": date(2026, 11, 24)}, {"closes_at": time(8)}, {"quota_points": -1}, {"quota_orders": 99_999}],
)
def test_nonsense_is_not_planned(fair: SimpleNamespace, change: dict[str, Any]):
    facts = {"on": date(2026, 12, 1), "opens_at": time(8), "closes_at": time(12)} | change
    with pytest.raises(ShopError):
        actions.plan_fair_day(by=fair.cast.clerk, shop=fair.shop, **facts)
    assert FairDay.objects.count() == 1


def test_one_fair_day_a_day(fair: SimpleNamespace):
    with pytest.raises(Conflict):
        actions.plan_fair_day(
            by=fair.cast.clerk, shop=fair.shop, on=DAY, opens_at=time(13), closes_at=time(15)
        )


def test_asked_before_buying(fair: SimpleNamespace):
    """G-15: one answer a household, the later one counts; strangers have none."""
    cast = fair.cast
    poll = actions.open_poll(by=cast.clerk, shop=fair.shop, title="年货", options=["菜油", "大米", "毛巾"], most=2,
                             closes_on=DAY)  # fmt: skip
    actions.answer_poll(by=cast.villager, poll=poll, household=cast.household, chosen=["3"])
    actions.answer_poll(by=cast.villager, poll=poll, household=cast.household, chosen=["1", "2"])
    actions.answer_poll(by=cast.clerk, poll=poll, household=home(cast, "2001"), chosen=["1"])
    assert poll_result(poll) == [("菜油", 2), ("大米", 1), ("毛巾", 0)]
    for chosen in ([], ["1", "2", "3"], ["9"]):
        with pytest.raises(ShopError):
            actions.answer_poll(by=cast.villager, poll=poll, household=cast.household, chosen=chosen)
    with pytest.raises(NotAllowed):
        actions.answer_poll(by=cast.stranger, poll=poll, household=cast.household, chosen=["1"])
    with time_machine.travel("2026-11-26 08:00:00+08:00", tick=False), pytest.raises(ShopError, match="截止"):
        actions.answer_poll(by=cast.villager, poll=poll, household=cast.household, chosen=["1"])
