"""Orders nobody came for and points that lapse, on the same nights: each comes back or lapses once (C-06, C-12, L-11)."""

from __future__ import annotations

from datetime import date

import pytest

from zhili.audit.models import Entry
from zhili.common import daily as jobs
from zhili.common.scope import scoped, set_scope
from zhili.ledger.queries import balances, period_totals
from zhili.ledger.verify import verify
from zhili.shop import actions
from zhili.shop.models import Order
from zhili.shop.tasks import give_back, villages
from zhili.shop.tests.stage import SOAP, give, later, open_for, ordered, shelf
from zhili.web.tasks import lapse_points
from zhili.web.tests.test_expiry import clock, village  # noqa: F401 - fixtures


@pytest.fixture
def shop(village, clock):  # noqa: F811
    """2 points of October and 8 of November, all to lapse on 10 January; on 5 January 3 more come."""
    found = open_for(village, points=0)
    give(village, village.household, 800)
    night("2026-12-08", clock, lapse_points)
    clock.move_to("2027-01-05 10:00:00+08:00")
    actions.publish_prices(by=village.clerk, shop=found.shop, period="2027-01", points={found.soap.pk: SOAP})
    give(village, village.household, 300)
    return found


def night(day: str, clock_, *verbs) -> None:
    """The jobs of one night as the worker runs them, in their order."""
    clock_.move_to(f"{day} 03:30:00+08:00")
    for verb in verbs:
        with scoped("511702109200"):
            verb("511702109200", date.fromisoformat(day))
    set_scope(["511702"])


def purse(shop) -> tuple[int, int]:
    key = shop.cast.household.pk
    found = balances(shop.place, [key])[key, "spend"]
    return found.balance, found.reserved


def lapsed(shop) -> int:
    key = shop.cast.household.pk
    rows = period_totals(shop.place, ["2026-12", "2027-01", "2027-02"], [key])
    return sum(one.expired for (_, _, kind), one in rows.items() if kind == "spend")


def test_what_is_set_aside_for_an_order_does_not_lapse_and_not_later_either(shop, clock):  # noqa: F811
    """L-11, C-06: of 10 old points 5 are ordered: 5 lapse on the day; the order runs out after it: its 5 come back once
    and stay, the new 3 are untouched."""
    order = ordered(shop, 2)
    assert order.expires_on == later(7)
    for day in ("2027-01-10", "2027-01-10", "2027-01-11"):
        night(day, clock, give_back, lapse_points)
        assert (purse(shop), lapsed(shop)) == ((800, 500), 500)
    for day in ("2027-01-13", "2027-01-13", "2027-01-14"):
        night(day, clock, give_back, lapse_points)
        assert (purse(shop), lapsed(shop)) == ((800, 0), 500)
    assert Order.objects.get(pk=order.pk).status == "expired" and shelf(shop.soap) == (20, 0)
    assert Entry.objects.filter(action="shop.expire", actor_id=None).count() == 1
    assert verify([shop.place]).ok


def test_an_order_that_runs_out_the_same_night_comes_back_first(shop, clock):  # noqa: F811
    """L-11: overdue on the day its points lapse: back at two o'clock, lapsed at three, once; goods handed over in time
    are spent and do not lapse."""
    order, kept = ordered(shop, 2), ordered(shop, 1)
    Order.objects.filter(pk=order.pk).update(expires_on=date(2027, 1, 9))
    actions.hand_over(by=shop.cast.shopkeeper, order=kept)
    night("2027-01-10", clock, give_back, lapse_points)
    night("2027-01-10", clock, give_back, lapse_points)
    assert (purse(shop), lapsed(shop)) == ((300, 0), 750)
    assert verify([shop.place]).ok


def test_the_worker_runs_it_once_a_day_and_before_points_lapse(shop, clock):  # noqa: F811
    """C-12: registered, found for villages where an order waits, once a day whichever scheduler asks."""
    jobs.load()
    job = jobs.JOBS["shop.expire_orders"]
    assert job.after < jobs.JOBS["web.lapse_points"].after and villages() == []
    ordered(shop, 1)
    assert villages() == [shop.place]
    clock.move_to("2027-01-20 02:30:00+08:00")
    assert jobs.run_due(names=["shop.expire_orders"]) == {"done": 1}
    set_scope(["511702"])
    assert Order.objects.get().status == "expired" and purse(shop)[1] == 0
    assert jobs.run_part(job, date(2027, 1, 20), shop.place) == "before"
    assert jobs.run_due(names=["shop.expire_orders"]) == {}
    set_scope(["511702"])
    assert Entry.objects.filter(action="shop.expire").count() == 1
