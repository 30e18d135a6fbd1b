"""到货 and 盘点 at the desk: several goods on one note, once; a count in one form, signed by somebody else (C-18)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import transaction

from zhili.claims.tests.test_phone import browser
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import FundAccount, Good, StockCount, StockMove, Supplier
from zhili.shop.money import cash_of
from zhili.shop.tests.stage import bought, open_for, ordered, shelf


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-11-25 10:00:00+08:00", tick=True) as clock:
        yield clock


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    found = open_for(cast)
    found.desk = f"/desk/{cast.place}/shop"
    found.into = f"{found.desk}/{found.shop.pk}/in/"
    found.counting = f"{found.desk}/{found.shop.pk}/count/"
    return found


def text_of(answer) -> str:
    return answer.content.decode()


def note(shop: SimpleNamespace, **changes: Any) -> dict[str, Any]:
    """A delivery of 10 soaps for 25.50 and 2 bags of rice for 70 yuan."""
    base = {
        "id": str(uuid7()),
        "on": "2026-11-25",
        "fund": str(shop.fund.pk),
        "supplier": "",
        "paper": "发-7",
        "new_supplier": "",
        "related_to": "",
        "donated_by": "",
        f"q_{shop.soap.pk}": "10",
        f"y_{shop.soap.pk}": "25.50",
        f"q_{shop.rice.pk}": "２",
        f"y_{shop.rice.pk}": "70元",
    }
    return base | changes


def test_a_delivery_of_several_goods_is_registered_once(shop: SimpleNamespace):
    """C-03: a double tap is one delivery; stock and money move together, yuan typed become fen."""
    client, left, sent = browser(shop.cast.shopkeeper), cash_of(shop.fund), note(shop)
    for _ in range(3):
        answer = client.post(shop.into, sent, follow=True)
        assert "已入库：2 种、12 件，成本 95.50 元" in text_of(answer)
    assert shelf(shop.soap) == (30, 0) and shelf(shop.rice) == (7, 0)
    assert cash_of(shop.fund) == left - 9_550
    moves = StockMove.objects.filter(delivery=UUID(sent["id"]))
    assert {(m.good_id, m.quantity, m.fen, m.paper) for m in moves} == {
        (shop.soap.pk, 10, 2_550, "发-7"),
        (shop.rice.pk, 2, 7_000, "发-7"),
    }


def test_the_same_number_with_other_goods_is_a_conflict(shop: SimpleNamespace):
    """C-03: same key, other body."""
    client, sent = browser(shop.cast.shopkeeper), note(shop)
    client.post(shop.into, sent)
    answer = client.post(shop.into, sent | {f"q_{shop.soap.pk}": "11"})
    assert answer.status_code == 422 and "已经登记过" in text_of(answer) and shelf(shop.soap) == (30, 0)
    answer = client.post(shop.into, {k: v for k, v in sent.items() if str(shop.rice.pk) not in k})
    assert answer.status_code == 422 and shelf(shop.rice) == (7, 0)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"q_SOAP": "十个"}, "不是数量"),
        ({"q_SOAP": "-3"}, "不是数量"),
        ({"q_SOAP": "1.5"}, "不是数量"),
        ({"q_SOAP": "0"}, "数量要大于 0"),
        ({"q_SOAP": ""}, "没有填数量"),
        ({"y_SOAP": ""}, "没有填这一批一共多少元"),
        ({"y_SOAP": "12.345"}, "不是金额"),
        ({"y_SOAP": "一百"}, "不是金额"),
        ({"y_SOAP": "-1"}, "负数"),
        ({"y_SOAP": "99999"}, "可用资金不够"),
        ({"q_SOAP": "999999"}, "数量要在 1 到"),
        ({"q_SOAP": "", "y_SOAP": "", "q_RICE": "", "y_RICE": ""}, "还没有填到货的数量"),
        ({"on": "2026-11-26"}, "还没有到"),
        ({"on": "昨天"}, "到货日期"),
        ({"fund": str(uuid7())}, "从哪笔资金出"),
        ({"fund": ""}, "从哪笔资金出"),
        ({"donated": "on"}, "要写谁捐的"),
        ({"donated_by": "某公司"}, "请勾上"),
        ({"id": "x"}, "没有保存"),
        ({"paper": "长" * 41}, "单据号"),
        ({"supplier": "nobody"}, "供货方"),
    ],
)
def test_a_wrong_note_moves_nothing_and_keeps_what_was_typed(shop: SimpleNamespace, change: dict, words: str):
    """W-05: beside the box and on top; all or nothing."""
    sent = note(
        shop,
        **{
            k.replace("SOAP", str(shop.soap.pk)).replace("RICE", str(shop.rice.pk)): v
            for k, v in change.items()
        },
    )
    left = cash_of(shop.fund)
    answer = browser(shop.cast.shopkeeper).post(shop.into, sent)
    assert answer.status_code == 422 and words in text_of(answer) and "没有保存" in text_of(answer)
    assert 'value="70元"' in text_of(answer) or "y_RICE" in change
    assert (shelf(shop.soap), shelf(shop.rice), cash_of(shop.fund)) == ((20, 0), (5, 0), left)


def test_a_new_supplier_with_a_tie_comes_with_the_delivery_or_not_at_all(shop: SimpleNamespace):
    """G-15: named on the note; a refused delivery leaves no supplier behind."""
    client = browser(shop.cast.shopkeeper)
    wrong = note(
        shop, new_supplier="兴旺批发（演示）", related_to="店员的亲戚", **{f"y_{shop.soap.pk}": "99999"}
    )
    assert client.post(shop.into, wrong).status_code == 422 and not Supplier.objects.exists()
    client.post(shop.into, note(shop, new_supplier="兴旺批发（演示）", related_to="店员的亲戚"))
    made = Supplier.objects.get()
    assert made.related_to == "店员的亲戚" and StockMove.objects.filter(supplier=made).count() == 2
    both = note(shop, supplier=str(made.pk), new_supplier="又一家")
    assert "请只留一个" in text_of(client.post(shop.into, both))


def test_goods_given_in_kind_cost_no_money(shop: SimpleNamespace):
    left = cash_of(shop.fund)
    answer = browser(shop.cast.clerk).post(
        shop.into, note(shop, donated="on", donated_by="某公司（演示）"), follow=True
    )
    assert "已入库" in text_of(answer) and "某公司（演示）捐" in text_of(answer)
    assert cash_of(shop.fund) == left
    assert FundAccount.objects.get(place=shop.place, kind="goods").balance == sum(
        Good.objects.filter(place=shop.place).values_list("value_fen", flat=True)
    )


def test_without_money_or_goods_the_page_says_what_to_do_first(cast: SimpleNamespace):
    opened = actions.open_shop(by=cast.clerk, place=cast.place, title="空超市")
    page = text_of(browser(cast.clerk).get(f"/desk/{cast.place}/shop/{opened.pk}/in/"))
    assert "还没有兑换资金" in page
    actions.open_fund(by=cast.clerk, place=cast.place, title="资金一", basis="会议")
    page = text_of(browser(cast.clerk).get(f"/desk/{cast.place}/shop/{opened.pk}/in/"))
    assert "还没有物品" in page


def test_another_place_s_money_pays_nothing_here(shop: SimpleNamespace):
    cast = shop.cast
    theirs = actions.open_fund(by=cast.stranger_clerk, place=cast.next_place, title="邻村资金", basis="会议")
    for by in (cast.clerk, cast.stranger_clerk):
        with pytest.raises((ShopError, NotAllowed)):
            actions.stock_in(by=by, good=shop.soap, quantity=1, fen=1, fund=theirs)
    other = actions.add_supplier(by=cast.stranger_clerk, place=cast.next_place, title="邻村店")
    with pytest.raises(ShopError, match="供货方"):
        actions.stock_in(by=cast.clerk, good=shop.soap, quantity=1, fen=1, fund=shop.fund, supplier=other)


@pytest.mark.parametrize("lines", [0, 2, 101])
def test_a_note_has_every_good_once(shop: SimpleNamespace, lines: int):
    with pytest.raises(ShopError):
        actions.take_delivery(
            by=shop.cast.clerk, fund=shop.fund, id=uuid7(), lines=[actions.Arrived(shop.soap, 1, 1)] * lines
        )


# -- 盘点 -------------------------------------------------------------------------------------------------------


def sheet(
    shop: SimpleNamespace, soap: str = "18", rice: str = "5", reason: str = "包装破损两块"
) -> dict[str, str]:
    return {
        "id": str(uuid7()),
        f"f_{shop.soap.pk}": soap,
        f"r_{shop.soap.pk}": reason,
        f"f_{shop.rice.pk}": rice,
        f"r_{shop.rice.pk}": "",
    }


def test_a_count_from_the_form_to_the_second_signature(shop: SimpleNamespace):
    """C-18: handed in by one, signed by another, then the shelf follows and the loss stands in the money books."""
    keeper, watcher = browser(shop.cast.shopkeeper), browser(shop.cast.supervisor)
    sent = sheet(shop)
    for _ in range(2):
        answer = keeper.post(shop.counting, sent, follow=True)
        assert "等监督委员或乡镇的人来签字" in text_of(answer) or "您是清点的人" in text_of(answer)
    count = StockCount.objects.get()
    url = f"{shop.desk}/counts/{count.pk}/"
    assert keeper.post(url, {"decision": "agree"}).status_code == 403 and shelf(shop.soap) == (20, 0)
    page = text_of(watcher.get(url))
    assert "包装破损两块" in page and "-2" in page and "-4.00" in page
    done = watcher.post(url, {"decision": "agree"}, follow=True)
    assert "已签字" in text_of(done) and shelf(shop.soap) == (18, 0)
    assert watcher.post(url, {"decision": "agree"}).status_code == 403
    assert "已签字" in text_of(keeper.get(f"{shop.desk}/counts/"))


def test_a_refused_count_changes_nothing_and_says_why(shop: SimpleNamespace):
    browser(shop.cast.clerk).post(shop.counting, sheet(shop))
    count, watcher = StockCount.objects.get(), browser(shop.cast.supervisor)
    url = f"{shop.desk}/counts/{count.pk}/"
    for wrong in ({}, {"decision": "refuse"}, {"decision": "burn"}):
        answer = watcher.post(url, wrong)
        assert answer.status_code == 422 and "没有保存" in text_of(answer)
    done = watcher.post(url, {"decision": "refuse", "note": "仓库里还有一箱"}, follow=True)
    assert "已退回" in text_of(done) and "仓库里还有一箱" in text_of(done) and shelf(shop.soap) == (20, 0)
    assert browser(shop.cast.clerk).post(shop.counting, sheet(shop)).status_code == 302


@pytest.mark.parametrize(
    "soap, reason, words",
    [
        ("18", "", "要写明原因"),
        ("18", "x", "要写明原因"),
        ("二十", "", "不是数量"),
        ("-1", "丢了", "不是数量"),
        ("", "丢了", "没有填清点数"),
        ("18.5", "丢了", "不是数量"),
    ],
)
def test_a_wrong_count_sheet_is_kept_and_explained(shop: SimpleNamespace, soap: str, reason: str, words: str):
    answer = browser(shop.cast.shopkeeper).post(shop.counting, sheet(shop, soap, reason=reason))
    assert answer.status_code == 422 and words in text_of(answer) and not StockCount.objects.exists()
    assert f'name="f_{shop.rice.pk}" value="5"' in text_of(answer)


def test_an_empty_sheet_and_a_second_one_are_refused(shop: SimpleNamespace):
    client = browser(shop.cast.shopkeeper)
    assert "还没有填清点数" in text_of(client.post(shop.counting, sheet(shop, "", "", "")))
    assert client.post(shop.counting, sheet(shop)).status_code == 302
    assert "等着签字" in text_of(client.get(shop.counting))
    answer = client.post(shop.counting, sheet(shop))
    assert (
        answer.status_code == 422 and "还有一张盘点单" in text_of(answer) and StockCount.objects.count() == 1
    )


def test_a_sheet_the_shelf_has_left_behind_is_sent_back(shop: SimpleNamespace):
    """The supervisor reads why it cannot be signed, and can still refuse it."""
    browser(shop.cast.shopkeeper).post(shop.counting, sheet(shop))
    bought(shop)
    url, watcher = f"{shop.desk}/counts/{StockCount.objects.get().pk}/", browser(shop.cast.supervisor)
    answer = watcher.post(url, {"decision": "agree"})
    assert answer.status_code == 422 and "又有出入库" in text_of(answer)
    assert watcher.post(url, {"decision": "refuse", "note": "重新点"}).status_code == 302


def test_what_is_ordered_is_counted_with_the_shelf(shop: SimpleNamespace):
    ordered(shop, 3)
    assert "含预订 3" in text_of(browser(shop.cast.shopkeeper).get(shop.counting))


def test_the_count_s_own_number_is_not_another_s(shop: SimpleNamespace):
    """Same id by another person is no way round the one sheet that may wait."""
    key = uuid7()
    actions.ask_count(
        by=shop.cast.shopkeeper, shop=shop.shop, counted=[actions.Counted(shop.rice, 5)], id=key
    )
    with pytest.raises(Conflict), transaction.atomic():
        actions.ask_count(by=shop.cast.clerk, shop=shop.shop, counted=[actions.Counted(shop.rice, 5)], id=key)
