"""保障率 (G-12): figures that agree everywhere, alarms when money or issuing runs away, and nobody ranked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.books import PLAIN_BOOK, make_book
from tests.machine import Machine
from tests.month import home
from zhili.common.ids import uuid7
from zhili.common.points import format_points, parse_points
from zhili.common.scope import set_scope
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.ledger.queries import balances_of_village, statement, village_totals
from zhili.ledger.verify import verify
from zhili.people.models import Household, Resident
from zhili.shop import actions
from zhili.shop.dashboard import alarms, budget
from zhili.shop.matching import figures
from zhili.shop.tests.stage import bought, browser, give, open_for, ordered


@pytest.fixture
def clock():
    with time_machine.travel("2026-09-05 10:00:00+08:00", tick=True) as traveller:
        yield traveller


@pytest.fixture
def shop(cast: SimpleNamespace, clock) -> SimpleNamespace:
    return open_for(cast)


def page(person, path: str) -> str:
    answer = browser(person).get(path)
    set_scope(["511702"])
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_face_shows_the_same_figures(shop: SimpleNamespace, clock):
    """L-14: dashboard, reconciliation, ledger verify, the ledger's own totals, passbook and the phone's balance agree."""
    bought(shop, 3)
    ordered(shop, 2)
    give(shop.cast, shop.cast.elder.resident.household, 1500)
    seen = budget(shop.place)
    clock.move_to("2026-10-02 10:00:00+08:00")
    points = figures(shop.place, "2026-09")["points"]
    totals = village_totals(shop.place, ["2026-09"])["2026-09", "spend"]
    held = sum(one.balance for (_, purse), one in balances_of_village(shop.place).items() if purse == "spend")
    book = statement(shop.place, shop.cast.household.pk, purse="spend")
    assert seen.total.issued == points["issued"] == totals.earned == 21500
    assert seen.total.redeemed == points["redeemed"] == points["order_points"] == totals.spent == 750
    assert seen.held == points["closing"] == held == 20750
    assert seen.total.issued - seen.total.redeemed - seen.total.expired - seen.total.other == seen.held
    assert seen.reserved == points["waiting"] == points["reserved"] == 500
    assert book.closing == 19250 and [month.outstanding for month in seen.months][-1] == 20750
    assert verify([shop.place]).ok
    machine = Machine(shop.cast.clerk)
    told = machine.get(f"/villages/{shop.place}/balances", size=100).json()["items"]
    purses = [one for row in told for one in row["purses"] if one["purse"] == "spend"]
    assert sum(parse_points(one["balance"]) for one in purses) == seen.held
    assert sum(parse_points(one["reserved"]) for one in purses) == seen.reserved
    mine = machine.get(f"/households/{shop.cast.household.pk}/statement", purse="spend").json()
    assert parse_points(mine["closing"]) == book.closing
    set_scope(["511702"])
    text = page(shop.cast.clerk, f"/desk/{shop.place}/shop/budget/")
    for number in (21500, 750, 20750, 500):
        assert format_points(number) in text


def test_median_and_top_tenth_without_a_name(shop: SimpleNamespace):
    """G-12, U-61: eleven households, two with points; shares only, no household and no name on the page."""
    give(shop.cast, shop.cast.elder.resident.household, 1000)
    seen = budget(shop.place).spread
    assert (seen.households, seen.points, seen.median) == (10, 21000, 0)
    assert seen.top == 20000 and seen.top_percent == 95
    for code in ("1002", "1003", "2001", "2002", "2003", "3002"):
        give(shop.cast, home(shop.cast, code), 100)
    assert budget(shop.place).spread.median == 100
    text = page(shop.cast.supervisor, f"/desk/{shop.place}/shop/budget/")
    main = text[text.index("<main") :]
    for code in Household.objects.values_list("code", flat=True):
        assert f"{code} 户" not in main
    for name in Resident.objects.values_list("name", flat=True):
        assert name not in main


def test_a_book_by_person_counts_by_household(shop: SimpleNamespace):
    """G-12: points of two people of one household lie in one household."""
    people = list(Resident.objects.filter(household=shop.cast.household))
    cause = {"rule": "r", "rule_version": 1, "item": "x", "claim": "c", "evidence": [], "reviewers": [], "actor": 1,
             "channel": "counter", "number": "A-1"}  # fmt: skip
    news = [
        t for one in people
        for t in entries.award(uuid7(), one.pk, 500, ["spend"], shop.prices.starts, cause)
    ]  # fmt: skip
    ledger.post(news, place=shop.place, by=shop.cast.clerk, period="2026-09")
    assert budget(shop.place).spread.top == 20000 + 500 * len(people)


def test_alarm_when_the_money_does_not_cover_the_points(shop: SimpleNamespace):
    """G-12: at 2 yuan a point 200 points need 400 yuan; the fund went out to another purpose."""
    assert alarms(shop.place) == []
    actions.pay_partner(by=shop.cast.clerk, fund=shop.fund, fen=60000, paper="付-1", shop=shop.shop)
    give(shop.cast, shop.cast.elder.resident.household, 25000)
    (alarm,) = alarms(shop.place)
    assert alarm.kind == "cover" and "保障率 88%" in alarm.sentence and "请拨入 50.00 元" in alarm.todo
    for person in (shop.cast.clerk, shop.cast.supervisor):
        assert "保障率 88%" in page(person, f"/desk/{shop.place}/shop/budget/")
        assert "保障率 88%" in page(person, f"/desk/{shop.place}/")
    for person in (shop.cast.reviewer, shop.cast.group_leader, shop.cast.elder):
        assert "保障率" not in page(person, f"/desk/{shop.place}/").split("<main", 1)[1]
    actions.deposit(by=shop.cast.clerk, fund=shop.fund, fen=5000, source="捐赠", paper="收-3")
    assert alarms(shop.place) == []


def test_alarm_when_issuing_grows_and_the_budget_does_not(shop: SimpleNamespace, clock):
    """G-12: 200 points in September; 240 in October is a fifth more and no alarm, 241 is one; new money ends it."""
    clock.move_to("2026-10-05 10:00:00+08:00")
    give(shop.cast, shop.cast.household, 24000)
    assert alarms(shop.place) == []
    give(shop.cast, shop.cast.household, 100)
    (alarm,) = alarms(shop.place)
    assert alarm.kind == "growth" and "2026年10月发放 241 分，比2026年9月多 20%" in alarm.sentence
    clock.move_to("2026-11-05 10:00:00+08:00")
    assert [one.kind for one in alarms(shop.place)] == ["growth"]
    clock.move_to("2026-12-05 10:00:00+08:00")
    assert alarms(shop.place) == []
    clock.move_to("2026-10-06 10:00:00+08:00")
    actions.deposit(by=shop.cast.clerk, fund=shop.fund, fen=100_001, source="财政", paper="收-4")
    assert alarms(shop.place) == []


def test_growth_is_compared_by_the_villages_own_settlement(shop: SimpleNamespace, clock):
    """G-12: a village that settles by the quarter is not alarmed because July had nothing and September everything."""
    make_book(shop.cast, PLAIN_BOOK.replace("settlement: month", "settlement: quarter"))
    clock.move_to("2026-10-05 10:00:00+08:00")
    give(shop.cast, shop.cast.household, 12000)
    clock.move_to("2026-11-05 10:00:00+08:00")
    give(shop.cast, shop.cast.household, 12000)
    assert alarms(shop.place) == []
    give(shop.cast, shop.cast.household, 100)
    (alarm,) = alarms(shop.place)
    assert "2026年第四季度" in alarm.sentence


def test_little_before_and_floating_value_raise_nothing(shop: SimpleNamespace, clock):
    """G-12: from 1 point to 10 is no flood; a floating point is always covered."""
    actions.change_settings(by=shop.cast.clerk, place=shop.place, resolution="会-2", mode="floating")
    actions.pay_partner(by=shop.cast.clerk, fund=shop.fund, fen=78500, paper="付-1", shop=shop.shop)
    give(shop.cast, shop.cast.household, 90000)
    assert alarms(shop.place) == []
    assert "不会不够" in page(shop.cast.clerk, f"/desk/{shop.place}/shop/budget/")
    assert alarms(shop.cast.next_place) == []


def test_the_chart_has_its_table_sentence_and_day(shop: SimpleNamespace):
    """U-62."""
    text = page(shop.cast.township, f"/desk/{shop.place}/shop/budget/")
    for word in ("最近 12 个月发放 200 分", "看表格", "截至", "来自台账", "月份明细", "1,000.00"):
        assert word in text
    assert "还没有资金，也没有兑换积分" in page(
        shop.cast.township, f"/desk/{shop.cast.next_place}/shop/budget/"
    )


def test_statements_do_not_grow_with_households(shop: SimpleNamespace):
    with CaptureQueriesContext(connection) as few:
        budget(shop.place)
    for code in ("1002", "1003", "2001", "2002"):
        give(shop.cast, home(shop.cast, code), 100)
        bought(shop, 1)
    with CaptureQueriesContext(connection) as many:
        budget(shop.place)
    assert len(many) == len(few) <= 20


def test_the_today_page_says_what_waits(shop: SimpleNamespace, clock):
    """A month to draw up, then to sign, each for the one whose turn it is."""
    clock.move_to("2026-10-20 10:00:00+08:00")
    today = f"/desk/{shop.place}/"
    assert "2026年9月的超市对账还没有做" in page(shop.cast.clerk, today)
    row = actions.make_reconciliation(by=shop.cast.clerk, place=shop.place, month="2026-09")
    assert "2026年9月的超市对账等签字" in page(shop.cast.supervisor, today)
    actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=row)
    assert "超市对账" not in page(shop.cast.supervisor, today).split("<main", 1)[1]
