"""价目表, 兑换日 and 需求征询 at the desk, and the price list everybody may read."""

from __future__ import annotations

from datetime import date, time
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.test import Client

from tests.month import home
from zhili.claims.tests.test_phone import browser
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.masking import scan_public
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.fairs import poll_result
from zhili.shop.models import FairDay, Poll, Price, PriceList
from zhili.shop.tests.stage import RICE, SOAP, bought, open_for


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-11-25 10:00:00+08:00", tick=True) as clock:
        yield clock


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    found = open_for(cast)
    found.desk = f"/desk/{cast.place}/shop"
    found.new = f"{found.desk}/{found.shop.pk}/prices/new/"
    return found


def text_of(answer) -> str:
    return answer.content.decode()


def priced(shop: SimpleNamespace, soap: str = "3", rice: str = "55.5", **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "period": "2026-12",
        f"p_{shop.soap.pk}": soap,
        f"p_{shop.rice.pk}": rice,
    } | changes


def test_the_next_list_starts_from_the_last_and_is_frozen(shop: SimpleNamespace):
    """G-15: pre-filled, published once; this month's prices are untouched."""
    client = browser(shop.cast.clerk)
    page = text_of(client.get(shop.new))
    assert f'name="p_{shop.soap.pk}" value="2.5"' in page and f'name="p_{shop.rice.pk}" value="50"' in page
    assert '<option value="2026-12" selected>' in page and '<option value="2026-11"' not in page
    answer = client.post(shop.new, priced(shop), follow=True)
    assert "公布了，2 种" in text_of(answer)
    assert set(Price.objects.values_list("points", flat=True)) == {SOAP, RICE, 300, 5550}
    answer = client.post(shop.new, priced(shop, "9"))
    assert answer.status_code == 422 and Price.objects.count() == 4
    assert bought(shop).points == SOAP


@pytest.mark.parametrize(
    "change, words",
    [
        ({"soap": "两分半"}, "不是积分"),
        ({"soap": "0"}, "要大于 0"),
        ({"soap": "-1"}, "要大于 0"),
        ({"soap": "2.555"}, "不是积分"),
        ({"soap": "10001"}, "的积分价不对"),
        ({"soap": "", "rice": ""}, "价目表里没有物品"),
        ({"period": "2026-11"}, "哪一期"),
        ({"period": "2020-01"}, "哪一期"),
        ({"period": "ever"}, "哪一期"),
        ({"period": ""}, "哪一期"),
        ({"period": "2026-12-01"}, "哪一期"),
    ],
)
def test_a_wrong_list_is_not_published(shop: SimpleNamespace, change: dict[str, str], words: str):
    answer = browser(shop.cast.clerk).post(shop.new, priced(shop, **change))
    assert answer.status_code == 422 and words in text_of(answer) and PriceList.objects.count() == 1
    assert 'value="55.5"' in text_of(answer) or "rice" in change


@pytest.mark.parametrize(
    "change", ["UPDATE shop_pricelist SET ends = '2030-01-01'", "DELETE FROM shop_pricelist"]
)
def test_a_published_list_keeps_its_days(shop: SimpleNamespace, change: str):
    """G-15: in the database too."""
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.parametrize("period", ["2026-11-25", "2026-W48", "ever"])
def test_a_list_is_for_a_month_or_longer(shop: SimpleNamespace, period: str):
    with pytest.raises(ShopError):
        actions.publish_prices(by=shop.cast.clerk, shop=shop.shop, period=period, points={shop.soap.pk: 1})


def test_later_goods_are_added_and_nothing_else_moves(shop: SimpleNamespace):
    cast, url = shop.cast, f"{shop.desk}/prices/{shop.prices.pk}/"
    later = actions.add_good(by=cast.clerk, shop=shop.shop, code="C01", title="酱油")
    page = text_of(browser(cast.clerk).get(url))
    assert "补进后来的物品" in page and "补进后来的物品" not in text_of(browser(cast.shopkeeper).get(url))
    answer = browser(cast.clerk).post(
        url, {"id": str(uuid7()), f"p_{later.pk}": "6", f"p_{shop.soap.pk}": "1"}, follow=True
    )
    assert "补进去 1 种" in text_of(answer)
    assert dict(Price.objects.values_list("good", "points")) == {
        shop.soap.pk: SOAP,
        shop.rice.pk: RICE,
        later.pk: 600,
    }
    assert browser(cast.shopkeeper).post(url, {"id": str(uuid7())}).status_code in (403, 422)


def test_everybody_reads_the_list_without_a_name_and_without_script(shop: SimpleNamespace):
    """M-02, U-61: price, limit, hours, fair days; no person, no script, no log-in."""
    cast = shop.cast
    bought(shop, 10)
    bought(shop, 10)
    actions.edit_good(by=cast.clerk, good=shop.soap, limit_count=2)
    actions.edit_shop(by=cast.clerk, shop=shop.shop, hours="每周六 9:00—11:30", address="村委会一楼")
    actions.plan_fair_day(
        by=cast.clerk,
        shop=shop.shop,
        on=date(2026, 12, 1),
        opens_at=time(8),
        closes_at=time(11),
        groups=["3组", "1组"],
        quota_points=3000,
    )
    gone = actions.plan_fair_day(
        by=cast.clerk, shop=shop.shop, on=date(2026, 12, 2), opens_at=time(8), closes_at=time(11)
    )
    actions.cancel_fair_day(by=cast.clerk, fair_day=gone, reason="下大雪，路不通")
    answer = Client().get(f"/open/{shop.place}/shop/")
    page = text_of(answer)
    for words in (
        "香皂",
        "2.5",
        "每月 2块",
        "兑完了",
        "大米10斤",
        "每周六 9:00—11:30",
        "村委会一楼",
        "2026年12月1日兑换日",
        "3组、1组",
        "每户最多兑 30 分",
        "下大雪",
        "2026年11月价目表",
    ):
        assert words in page, words
    assert "<script" not in page and scan_public(page) == []
    assert not [
        one for one in vars(cast).values() if hasattr(one, "display_name") and one.display_name in page
    ]


def test_the_open_page_of_a_village_without_a_shop_and_of_no_village(cast: SimpleNamespace):
    assert "还没有积分超市" in text_of(Client().get(f"/open/{cast.place}/shop/"))
    for code in ("511702999999", "511702109", "511702", "x"):
        assert Client().get(f"/open/{code}/shop/").status_code == 404


def test_an_outdated_list_is_not_shown(shop: SimpleNamespace, _now):
    _now.move_to("2026-12-05 10:00:00+08:00")
    page = text_of(Client().get(f"/open/{shop.place}/shop/"))
    assert "还没有公布价目表" in page and "香皂" not in page
    assert "现在没有价目表" in text_of(browser(shop.cast.clerk).get(f"{shop.desk}/"))


# -- 兑换日 -----------------------------------------------------------------------------------------------------


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "on": "2026-12-01",
        "opens_at": "08:00",
        "closes_at": "11:30",
        "groups": "3组\n1组，2组\n3组",
        "quota_points": "30",
        "quota_orders": "",
    } | changes


def test_a_fair_day_is_planned_shown_and_called_off(shop: SimpleNamespace):
    client, url = browser(shop.cast.clerk), f"{shop.desk}/{shop.shop.pk}/fairs/plan/"
    assert "3组" in text_of(client.get(url))
    assert "安排好了" in text_of(client.post(url, plan(), follow=True))
    fair = FairDay.objects.get()
    assert (fair.groups, fair.quota_points, fair.quota_orders) == (["3组", "1组", "2组"], 3000, 0)
    assert "12月1日已经安排了" in text_of(client.post(url, plan()))
    away = f"{shop.desk}/fairs/{fair.pk}/cancel/"
    assert client.post(away, {"reason": ""}).status_code == 422
    assert "取消了" in text_of(client.post(away, {"reason": "下雪"}, follow=True))
    assert client.post(away, {"reason": "下雪"}).status_code == 302
    assert "安排好了" in text_of(client.post(url, plan(), follow=True))
    assert FairDay.objects.count() == 2 and "已取消：下雪" in text_of(
        client.get(f"{shop.desk}/fairs/{fair.pk}/tally/")
    )


@pytest.mark.parametrize(
    "change, words",
    [
        ({"on": "2026-11-24"}, "今天或以后"),
        ({"on": "下周"}, "哪一天"),
        ({"closes_at": "07:00"}, "晚于开始"),
        ({"closes_at": "25:00"}, "几点结束"),
        ({"quota_points": "很多"}, "每户最多"),
        ({"quota_points": "-3"}, "限额"),
        ({"quota_orders": "-1"}, "全天最多"),
        ({"quota_orders": "99999"}, "全天最多"),
        ({"opens_at": ""}, "几点开始"),
    ],
)
def test_a_fair_day_that_cannot_be_is_refused_in_words(
    shop: SimpleNamespace, change: dict[str, str], words: str
):
    answer = browser(shop.cast.clerk).post(f"{shop.desk}/{shop.shop.pk}/fairs/plan/", plan(**change))
    assert answer.status_code == 422 and words in text_of(answer) and not FairDay.objects.exists()


def test_a_called_off_day_gives_no_number_and_does_not_open(shop: SimpleNamespace):
    cast = shop.cast
    fair = actions.plan_fair_day(
        by=cast.clerk, shop=shop.shop, on=date(2026, 11, 25), opens_at=time(8), closes_at=time(11)
    )
    for by in (cast.shopkeeper, cast.villager, cast.supervisor, cast.stranger_clerk):
        with pytest.raises(NotAllowed):
            actions.cancel_fair_day(by=by, fair_day=fair, reason="不办了")
    actions.cancel_fair_day(by=cast.clerk, fair_day=fair, reason="不办了")
    for act in (
        lambda: actions.open_fair_day(by=cast.shopkeeper, fair_day=fair),
        lambda: actions.take_number(by=cast.shopkeeper, fair_day=fair, household=home(cast, "1001")),
        lambda: actions.close_fair_day(by=cast.shopkeeper, fair_day=fair),
    ):
        with pytest.raises(ShopError, match=r"已取消|已经取消"):
            act()


def test_a_day_that_runs_is_closed_and_read_afterwards(shop: SimpleNamespace):
    cast = shop.cast
    fair = actions.plan_fair_day(
        by=cast.clerk, shop=shop.shop, on=date(2026, 11, 25), opens_at=time(8), closes_at=time(11)
    )
    actions.open_fair_day(by=cast.shopkeeper, fair_day=fair)
    bought(shop, 2, channel="fair", visit=actions.Visit(fair_day=FairDay.objects.get()))
    away = f"{shop.desk}/fairs/{fair.pk}/cancel/"
    assert "不能取消" in text_of(browser(cast.clerk).get(away))
    assert browser(cast.clerk).post(away, {"reason": "算了"}).status_code == 422
    actions.close_fair_day(by=cast.shopkeeper, fair_day=fair)
    page = text_of(browser(cast.supervisor).get(f"{shop.desk}/fairs/{fair.pk}/tally/"))
    assert "全天 1 户、1 单，共 5 分，代领 0 单" in page and "香皂" in page


# -- 需求征询 ---------------------------------------------------------------------------------------------------


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "title": "冬天想换什么",
        "options": "棉鞋\n油\n盐\n\n",
        "most": "2",
        "closes_on": "2026-12-05",
    } | changes


def test_a_poll_from_the_question_to_the_sentence(shop: SimpleNamespace):
    """G-15, U-62: bars, table, one sentence, as of when; closed early it takes no more answers."""
    cast, client = shop.cast, browser(shop.cast.clerk)
    answer = client.post(f"{shop.desk}/{shop.shop.pk}/polls/new/", asked(), follow=True)
    assert "还没有人答复" in text_of(answer)
    row = Poll.objects.get()
    url = f"{shop.desk}/polls/{row.pk}/"
    actions.answer_poll(by=cast.villager, poll=row, household=cast.household, chosen=["1", "3"])
    actions.answer_poll(by=cast.clerk, poll=row, household=home(cast, "1002"), chosen=["3"])
    page = text_of(client.get(url))
    assert (
        "2 户答复，占全部 10 户的 20%。最想要的是盐，2 户选了。" in page
        and '<meter min="0" max="2" value="2">' in page
    )
    assert "截至2026年11月25日" in page
    assert browser(cast.shopkeeper).post(url).status_code == 403 and Poll.objects.get().is_open
    assert "提前截止了" in text_of(client.post(url, follow=True)) and client.post(url).status_code == 302
    with pytest.raises(ShopError, match="截止"):
        actions.answer_poll(by=cast.villager, poll=Poll.objects.get(), household=cast.household, chosen=["1"])
    assert poll_result(Poll.objects.get())[0] == ("盐", 2)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"options": "盐"}, "2 到 30 种"),
        ({"options": "盐\n盐"}, "2 到 30 种"),
        ({"options": ""}, "可选的物品"),
        ({"most": "9"}, "最多选几种"),
        ({"most": "0"}, "最多选几种"),
        ({"closes_on": "2026-11-24"}, "已经过了"),
        ({"options": "\n".join(str(n) for n in range(31))}, "2 到 30 种"),
        ({"title": "长" * 41}, "问什么"),
    ],
)
def test_a_poll_that_cannot_be_is_refused_in_words(shop: SimpleNamespace, change: dict[str, str], words: str):
    answer = browser(shop.cast.clerk).post(f"{shop.desk}/{shop.shop.pk}/polls/new/", asked(**change))
    assert answer.status_code == 422 and words in text_of(answer) and not Poll.objects.exists()


def test_two_lists_over_the_same_days_are_one(shop: SimpleNamespace):
    """A quarter over a month that has its list, from a program."""
    with pytest.raises(Conflict, match="不再改"):
        actions.publish_prices(by=shop.cast.clerk, shop=shop.shop, period="2026-Q4", points={shop.soap.pk: 1})


def test_the_clerk_keys_in_what_households_without_a_phone_want(shop: SimpleNamespace):
    """U-38: nothing is only online; one answer per household, the newest counts; others do not key in."""
    cast, client = shop.cast, browser(shop.cast.clerk)
    client.post(f"{shop.desk}/{shop.shop.pk}/polls/new/", asked())
    row = Poll.objects.get()
    url = f"{shop.desk}/polls/{row.pk}/"
    for chosen in (["1"], ["2", "3"]):
        answer = client.post(url, {"do": "answer", "household": "1002", "chosen": chosen}, follow=True)
        assert "记下了 1002 户的选择" in text_of(answer)
    assert row.answers.get().chosen == ["2", "3"]
    for wrong, words in (
        ({"household": "9999", "chosen": ["1"]}, "没有找到这一户"),
        ({"household": "1002", "chosen": ["1", "2", "3"]}, "请选 1 到 2 种"),
        ({"household": "1002", "chosen": ["8"]}, "想要哪几种"),
        ({"household": "", "chosen": []}, "户编号"),
    ):
        answer = client.post(url, {"do": "answer"} | wrong)
        assert answer.status_code == 422 and words in text_of(answer)
    assert row.answers.count() == 1 and Poll.objects.get().is_open
    for who in ("supervisor", "elder"):
        assert "替没有手机的户选" not in text_of(browser(getattr(cast, who)).get(url))
        browser(getattr(cast, who)).post(url, {"do": "answer", "household": "1001", "chosen": ["1"]})
    assert row.answers.count() == 1


def test_the_today_page_says_what_the_shelf_asks(shop: SimpleNamespace):
    """A sheet to sign, a list that ends, a fair day near: on the village's own list of duties, with links."""
    cast = shop.cast
    actions.ask_count(by=cast.shopkeeper, shop=shop.shop, counted=[actions.Counted(shop.soap, 20)])
    actions.plan_fair_day(
        by=cast.clerk, shop=shop.shop, on=date(2026, 11, 27), opens_at=time(8), closes_at=time(11)
    )
    for who in ("clerk", "supervisor"):
        page = text_of(browser(getattr(cast, who)).get(f"/desk/{shop.place}/"))
        assert (
            "盘点单等签字" in page
            and "价目表快到期" in page
            and "11月27日兑换日" in page
            and f"{shop.desk}/counts/" in page
        )
