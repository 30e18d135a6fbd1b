"""The back office's front page and its doors: who sees what, the first steps of a new shop, pausing, a township's shop."""

from __future__ import annotations

from datetime import date, time
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.cast import TOWNSHIP, make_staff
from zhili.claims.tests.test_phone import browser
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.scope import scoped
from zhili.ledger.funding import unissued
from zhili.people.access import digits_of
from zhili.shop import actions
from zhili.shop.errors import ShopError
from zhili.shop.models import Good, Order, Shop
from zhili.shop.tests.stage import SOAP, bought, give, open_for


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-11-25 10:00:00+08:00", tick=True):
        yield


@pytest.fixture(autouse=True)
def _photo_root(settings, tmp_path):
    settings.PHOTO_ROOT = tmp_path / "photos"


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    found = open_for(cast)
    found.count = actions.ask_count(
        by=cast.shopkeeper, shop=found.shop, counted=[actions.Counted(found.soap, 19, "少了一块")]
    )
    found.supplier = actions.add_supplier(by=cast.clerk, place=cast.place, title="镇上批发部（演示）")
    found.fair = actions.plan_fair_day(
        by=cast.clerk, shop=found.shop, on=date(2026, 12, 1), opens_at=time(8), closes_at=time(11)
    )
    found.poll = actions.open_poll(
        by=cast.clerk,
        shop=found.shop,
        title="想换什么",
        options=["盐", "油", "米"],
        closes_on=date(2026, 12, 5),
    )
    return found


def text_of(answer) -> str:
    return answer.content.decode()


def readable(shop: SimpleNamespace) -> list[str]:
    desk = f"/desk/{shop.place}/shop"
    return [
        f"{desk}/",
        f"{desk}/goods/",
        f"{desk}/goods/{shop.soap.pk}/",
        f"{desk}/slow/",
        f"{desk}/moves/",
        f"{desk}/counts/",
        f"{desk}/counts/{shop.count.pk}/",
        f"{desk}/suppliers/",
        f"{desk}/prices/",
        f"{desk}/prices/{shop.prices.pk}/",
        f"{desk}/fairs/",
        f"{desk}/fairs/{shop.fair.pk}/tally/",
        f"{desk}/polls/",
        f"{desk}/polls/{shop.poll.pk}/",
    ]


def stocking(shop: SimpleNamespace) -> list[str]:
    desk, own = f"/desk/{shop.place}/shop", f"/desk/{shop.place}/shop/{shop.shop.pk}"
    return [
        f"{own}/goods/add/",
        f"{desk}/goods/{shop.soap.pk}/edit/",
        f"{own}/in/",
        f"{own}/count/",
        f"{desk}/suppliers/add/",
        f"{desk}/suppliers/{shop.supplier.pk}/",
    ]


def managing(shop: SimpleNamespace) -> list[str]:
    desk, own = f"/desk/{shop.place}/shop", f"/desk/{shop.place}/shop/{shop.shop.pk}"
    return [
        f"{desk}/open/",
        f"{own}/",
        f"{own}/prices/new/",
        f"{own}/fairs/plan/",
        f"{desk}/fairs/{shop.fair.pk}/cancel/",
        f"{own}/polls/new/",
    ]


WRITES_REFUSED = (403, 404)


@pytest.mark.parametrize(
    "who, stocks, manages",
    [
        ("clerk", True, True),
        ("shopkeeper", True, False),
        ("supervisor", False, False),
        ("elder", False, False),
        ("township", False, False),
        ("county", False, False),
    ],
)
def test_each_role_opens_its_pages_and_no_other(shop: SimpleNamespace, who: str, stocks: bool, manages: bool):
    """A-01, A-07: everybody of the shop reads; the shopkeeper stocks; prices, fair days and polls are the clerk's."""
    client = browser(getattr(shop.cast, who))
    for url in readable(shop):
        assert client.get(url).status_code == 200, url
    for urls, allowed in ((stocking(shop), stocks), (managing(shop), manages)):
        for url in urls:
            answer = client.get(url)
            assert (answer.status_code == 200) if allowed else (answer.status_code in WRITES_REFUSED), url
            if not allowed:
                assert client.post(url, {"title": "x"}).status_code in WRITES_REFUSED, url


@pytest.mark.parametrize(
    "who, status", [("villager", 403), ("reviewer", 403), ("bank", 403), ("stranger_clerk", 404)]
)
def test_others_find_nothing(shop: SimpleNamespace, who: str, status: int):
    """A-04: the next village's clerk is told what is told of a page that never was."""
    client = browser(getattr(shop.cast, who))
    for url in (*readable(shop), *stocking(shop), *managing(shop)):
        assert client.get(url).status_code == status, url
        assert client.post(url, {}).status_code in (403, 404), url


def test_nobody_without_a_log_in(shop: SimpleNamespace):
    for url in (*readable(shop), *stocking(shop), *managing(shop)):
        assert Client().get(url).status_code == 302, url


def test_a_village_s_pages_do_not_show_another_village_s_rows(shop: SimpleNamespace):
    """A-04: under one's own address, somebody else's shop, good, sheet, list, day and poll are absent."""
    client = browser(shop.cast.stranger_clerk)
    for url in (*readable(shop), *stocking(shop), *managing(shop)):
        ours = url.replace(shop.place, shop.cast.next_place)
        if ours.count("-") >= 4:
            assert client.get(ours).status_code == 404, ours


def test_the_first_shop_is_walked_through(cast: SimpleNamespace):
    """Empty states say what to do first: open → fund → goods → stock in → price list; then the steps are gone."""
    client, desk = browser(cast.clerk), f"/desk/{cast.place}/shop/"
    page = text_of(client.get(desk))
    assert "从第一步做起" in page and page.count("先做上一步") == 4 and f"{desk}open/" in page
    done = client.post(
        f"{desk}open/", {"title": "幸福超市（演示）", "kind": "own", "hours": "周六上午"}, follow=True
    )
    assert "开办好了" in text_of(done) and "还差几步" in text_of(done)
    shop = Shop.objects.get()
    assert (shop.place, shop.kind, shop.hours) == (cast.place, "own", "周六上午")
    page = text_of(client.get(desk))
    assert page.count("已做好") == 1 and f"{desk}{shop.pk}/goods/add/" in page


def test_a_shop_in_order_shows_what_is_due(shop: SimpleNamespace):
    """The clerk's duties: next list missing, fair day soon; the supervisor's: the signature."""
    desk = f"/desk/{shop.place}/shop/"
    page = text_of(browser(shop.cast.clerk).get(desk))
    assert "从第一步做起" not in page and "下一期还没有价目表" in page and "12月1日兑换日" in page
    assert "盘点单等签字" in page and "看一看" in page
    page = text_of(browser(shop.cast.supervisor).get(desk))
    assert "去签字" in page and "公布价目" not in page and "登记到货" not in page
    page = text_of(browser(shop.cast.shopkeeper).get(desk))
    assert "登记到货" in page and "公布价目" not in page


def test_nearly_out_and_unpriced_goods_are_said(shop: SimpleNamespace):
    cast = shop.cast
    actions.add_good(by=cast.clerk, shop=shop.shop, code="C01", title="新货")
    actions.stock_in(
        by=cast.clerk, good=Good.objects.get(code="C01"), quantity=2, fen=100, fund=shop.fund, paper="进-2"
    )
    page = text_of(browser(cast.clerk).get(f"/desk/{shop.place}/shop/"))
    assert "1 种快没了" in page and "1 种在架的货没有价" in page


@pytest.mark.parametrize(
    "change, words",
    [
        ({"title": ""}, "名称"),
        ({"title": "长" * 41}, "名称"),
        ({"kind": "township"}, "谁办的"),
        ({"kind": ""}, "谁办的"),
        ({"kind": "partner; DROP"}, "谁办的"),
        ({"hours": "长" * 61}, "开放时间"),
        ({"title": "幸福超市（演示）"}, "已经有一个"),
    ],
)
def test_a_shop_that_cannot_be_is_refused_in_words(shop: SimpleNamespace, change: dict[str, str], words: str):
    """W-05: said beside the field, what was typed stays."""
    body = {"title": "第二超市", "kind": "own", "hours": "周日"} | change
    answer = browser(shop.cast.clerk).post(f"/desk/{shop.place}/shop/open/", body)
    assert answer.status_code == 422 and words in text_of(answer) and "没有保存" in text_of(answer)
    assert change.get("hours", "周日") in text_of(answer) and Shop.objects.count() == 1


def test_pausing_stops_redeeming_and_says_why(shop: SimpleNamespace):
    """A pause has a reason that everybody reads; clearing it opens again."""
    client, url = browser(shop.cast.clerk), f"/desk/{shop.place}/shop/{shop.shop.pk}/"
    body = {"title": shop.shop.title, "paused": "搬货架，下周一恢复"}
    assert "已暂停兑换" in text_of(client.post(url, body, follow=True))
    with pytest.raises(ShopError, match="搬货架"):
        bought(SimpleNamespace(**{**vars(shop), "shop": Shop.objects.get()}))
    assert "搬货架" in text_of(Client().get(f"/open/{shop.place}/shop/"))
    assert "已恢复兑换" in text_of(client.post(url, body | {"paused": ""}, follow=True))
    assert Shop.objects.get().paused == ""


def test_a_village_may_have_several_shops_and_a_partner(shop: SimpleNamespace):
    """A partner only confirms: no shelf, no deliveries, no counts."""
    cast, client = shop.cast, browser(shop.cast.clerk)
    client.post(f"/desk/{shop.place}/shop/open/", {"title": "二组超市（演示）", "kind": "own"})
    client.post(f"/desk/{shop.place}/shop/open/", {"title": "老李便利店（演示）", "kind": "partner"})
    partner = Shop.objects.get(kind="partner")
    page = text_of(client.get(f"/desk/{shop.place}/shop/"))
    assert "二组超市" in page and "合作商户自己管货" in page
    for part in ("in", "count"):
        answer = client.get(f"/desk/{shop.place}/shop/{partner.pk}/{part}/")
        assert answer.status_code == 400 and "货由商户自己管" in text_of(answer)
    answer = client.post(
        f"/desk/{shop.place}/shop/{partner.pk}/goods/add/", {"code": "X", "title": "盐", "unit": "袋"}
    )
    assert answer.status_code == 422 and "商户自己管" in text_of(answer)
    done = actions.redeem(
        by=cast.shopkeeper,
        id=shop.count.pk,
        shop=partner,
        household=cast.household,
        wanted=[actions.Wanted(None, 1, 250, "食盐一袋")],
    )
    assert done.status == Order.Status.HANDED_OVER


def test_a_shop_is_closed_for_good_once_it_is_empty(shop: SimpleNamespace):
    """停办: not with goods, orders or announced days; afterwards its page is gone and nothing is redeemed there."""
    cast, client = shop.cast, browser(shop.cast.clerk)
    url = f"/desk/{shop.place}/shop/{shop.shop.pk}/"
    answer = client.post(url, {"do": "close"})
    assert answer.status_code == 422 and "货架上还有 2 种东西" in text_of(answer)
    for who in ("shopkeeper", "supervisor", "stranger_clerk"):
        assert browser(getattr(cast, who)).post(url, {"do": "close"}).status_code in WRITES_REFUSED
        with pytest.raises(NotAllowed):
            actions.close_shop(by=getattr(cast, who), shop=shop.shop)
    empty = actions.open_shop(by=cast.clerk, place=cast.place, title="二组超市（演示）")
    fair = actions.plan_fair_day(
        by=cast.clerk, shop=empty, on=date(2026, 12, 3), opens_at=time(8), closes_at=time(9)
    )
    with pytest.raises(ShopError, match="兑换日"):
        actions.close_shop(by=cast.clerk, shop=empty)
    actions.cancel_fair_day(by=cast.clerk, fair_day=fair, reason="不办了")
    own = f"/desk/{shop.place}/shop/{empty.pk}/"
    assert "停办了" in text_of(client.post(own, {"do": "close"}, follow=True))
    assert (
        "停办的：二组超市" in text_of(client.get(f"/desk/{shop.place}/shop/"))
        and client.get(own).status_code == 404
    )
    assert "二组超市" not in text_of(Client().get(f"/open/{shop.place}/shop/"))
    assert actions.close_shop(by=cast.clerk, shop=empty).closed_on == date(2026, 11, 25)


def test_the_overview_costs_the_same_however_many_goods(shop: SimpleNamespace):
    """S-03: statements do not grow with goods."""
    client = browser(shop.cast.clerk)
    client.get(f"/desk/{shop.place}/shop/")

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as few:
            assert client.get(path).status_code == 200
        return len(few)

    paths = [
        f"/desk/{shop.place}/shop/",
        f"/desk/{shop.place}/shop/goods/",
        f"/desk/{shop.place}/shop/moves/",
        f"/desk/{shop.place}/shop/{shop.shop.pk}/in/",
        f"/desk/{shop.place}/shop/prices/{shop.prices.pk}/",
        f"/desk/{shop.place}/shop/counts/",
        f"/open/{shop.place}/shop/",
    ]
    before = [cost(path) for path in paths]
    added = [
        actions.add_good(by=shop.cast.clerk, shop=shop.shop, code=f"Z{n:02}", title=f"货{n}")
        for n in range(30)
    ]
    actions.take_delivery(
        by=shop.cast.clerk,
        fund=shop.fund,
        id=shop.count.pk,
        lines=[actions.Arrived(good, 5, 100) for good in added],
    )
    actions.add_prices(
        by=shop.cast.clerk, price_list=shop.prices, points={good.pk: SOAP for good in added[:15]}
    )
    assert [cost(path) for path in paths] == before


# -- a township's shop ------------------------------------------------------------------------------------------


@pytest.fixture
def town(cast: SimpleNamespace) -> SimpleNamespace:
    """The township's shop: its officer keeps it, a shopkeeper of the township serves, a second officer signs."""
    found = SimpleNamespace(cast=cast, place=TOWNSHIP)
    found.keeper = make_staff("town_keeper", "演示镇店员", "shopkeeper", TOWNSHIP)
    found.second = make_staff("township2", "演示镇干部二", "township", TOWNSHIP)
    found.shop = actions.open_shop(
        by=cast.township, place=TOWNSHIP, title="镇幸福超市（演示）", kind="township"
    )
    found.fund = actions.open_fund(
        by=cast.township, place=TOWNSHIP, title="镇积分资金（演示）", basis="镇党委会议"
    )
    actions.deposit(by=cast.township, fund=found.fund, fen=50_000, source="财政", paper="收-1")
    found.soap = actions.add_good(by=cast.township, shop=found.shop, code="T01", title="镇香皂", unit="块")
    actions.stock_in(by=found.keeper, good=found.soap, quantity=10, fen=2_000, fund=found.fund, paper="进-1")
    found.prices = actions.publish_prices(
        by=cast.township, shop=found.shop, period="2026-11", points={found.soap.pk: SOAP}
    )
    return found


def test_a_township_keeps_one_shop_for_its_villages(town: SimpleNamespace):
    """Its desk works at the nine digits; its money puts no points into any book."""
    assert digits_of("shopkeeper") == (9, 12)
    client = browser(town.cast.township)
    page = text_of(client.get(f"/desk/{TOWNSHIP}/shop/"))
    assert "镇幸福超市" in page and "各村的超市" in page and "谭家沟" in page
    assert client.get(f"/desk/{TOWNSHIP}/shop/{town.shop.pk}/in/").status_code == 200
    assert client.get(f"/desk/{TOWNSHIP}/shop/goods/").status_code == 200
    assert unissued(TOWNSHIP, "spend") == 0
    count = actions.ask_count(by=town.keeper, shop=town.shop, counted=[actions.Counted(town.soap, 10)])
    url = f"/desk/{TOWNSHIP}/shop/counts/{count.pk}/"
    assert client.post(url, {"decision": "agree"}).status_code == 302
    assert browser(town.keeper).get(f"/desk/{TOWNSHIP}/shop/open/").status_code in (403, 404)


def test_village_people_see_the_township_s_list_and_not_its_desk(town: SimpleNamespace):
    page = text_of(browser(town.cast.clerk).get(f"/desk/{town.cast.place}/shop/"))
    assert "镇幸福超市" in page and "乡镇办的超市" in page
    for who in ("clerk", "shopkeeper", "supervisor", "stranger_clerk"):
        client = browser(getattr(town.cast, who))
        for part in ("", "goods/", f"goods/{town.soap.pk}/", f"{town.shop.pk}/in/"):
            assert client.get(f"/desk/{TOWNSHIP}/shop/{part}").status_code in (403, 404)
    page = text_of(Client().get(f"/open/{town.cast.place}/shop/"))
    assert "镇幸福超市" in page and "镇香皂" in page


def test_a_township_s_shopkeeper_serves_any_village_below_under_its_own_scope(town: SimpleNamespace):
    """A-03: with row security narrowed to the township, households below are found, served and charged; no others."""
    cast = town.cast
    give(cast, cast.household, 1_000)
    wanted = [actions.Wanted(town.soap.pk, 1, SOAP)]
    with scoped(TOWNSHIP, user_id=str(town.keeper.pk)):
        done = actions.redeem(
            by=town.keeper, id=uuid7(), shop=town.shop, household=cast.household, wanted=wanted
        )
    assert (done.place, done.shop_id) == (cast.place, town.shop.pk)
    with scoped(cast.place, user_id=str(cast.villager.pk)):
        order = actions.reserve(
            by=cast.villager, id=uuid7(), shop=town.shop, household=cast.household, wanted=wanted
        )
        assert order.status == Order.Status.RESERVED
    assert Good.objects.get(pk=town.soap.pk).reserved == 1
