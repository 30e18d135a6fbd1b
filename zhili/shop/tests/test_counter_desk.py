"""Orders at the desk, redemptions taken back in two hands, the fair day while it runs, paper lists keyed in afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.ledger.queries import balances
from zhili.ledger.verify import verify
from zhili.people.models import Household
from zhili.shop import actions
from zhili.shop.models import FundAccount, Order, OrderLine, OrderReversal, PaperList, StockMove, Ticket
from zhili.shop.tests.stage import RICE, SOAP, bought, give, later, open_for, ordered, shelf
from zhili.shop.tests.test_counter import as_, goods, left, photo, text


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


@pytest.fixture
def morning() -> Iterator[None]:
    """A fixed Saturday at ten, so that a fair's hours hold whenever the tests run."""
    with time_machine.travel("2026-11-07 10:00:00+08:00", tick=False):
        yield


def desk(shop: SimpleNamespace, way: str = "") -> str:
    return f"/desk/{shop.place}/shop/{way}"


# ------------------------------------------------------------------------------------------------------- orders


def test_the_table_of_orders(shop: SimpleNamespace):
    """U-52, A-05: filter, masked names, export; the number of statements does not grow with the rows."""
    bought(shop, 1)
    ordered(shop, 1)
    client = as_(shop.cast.clerk)
    page = client.get(desk(shop, "orders/"))
    assert "演**" in text(page) and str(shop.cast.head.resident.name) not in text(page).split("<main")[1]
    waiting = client.get(desk(shop, "orders/"), {"status": "reserved"})
    assert waiting.context["table"].total == 1
    assert client.get(desk(shop, "orders/"), {"q": "1001"}).context["table"].total == 2
    assert client.get(desk(shop, "orders/"), {"q": "7777"}).context["table"].total == 0
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(desk(shop, "orders/"))
    for _ in range(6):
        bought(shop, 1)
    with CaptureQueriesContext(connection) as many:
        client.get(desk(shop, "orders/"))
    assert len(many) <= len(few)


def ask(shop: SimpleNamespace, order: Order, back: int, who: str = "clerk", **more: Any) -> Any:
    line = OrderLine.objects.get(order=order)
    sent = {"step": "ask", "id": str(uuid7()), "reason": "扫错了卡", f"back-{line.pk}": str(back)}
    return as_(getattr(shop.cast, who)).post(desk(shop, f"orders/{order.pk}/"), {**sent, **more})


def test_a_wrong_redemption_is_taken_back_in_two_hands(shop: SimpleNamespace):
    """L-04: the clerk asks, an elder agrees: points, goods, money are back, the order says 已冲正, the book verifies."""
    order, spent = bought(shop, 3), FundAccount.objects.get(place=shop.place, kind="spent").debits
    assert ask(shop, order, 2).status_code == 302
    assert left(shop) == 20_000 - 3 * SOAP, "asking moves nothing"
    assert "有人提出冲正" in text(as_(shop.cast.elder).get(desk(shop, "orders/")))
    done = as_(shop.cast.elder).post(desk(shop, f"orders/{order.pk}/"), {"step": "agree"}, follow=True)
    assert "已冲正" in text(done)
    order.refresh_from_db()
    assert order.status == "reversed" and left(shop) == 20_000
    assert shelf(shop.soap) == (19, 0), "one of three pieces did not come back"
    assert StockMove.objects.filter(order=order, kind="back").get().quantity == 2
    assert FundAccount.objects.get(place=shop.place, kind="spent").debits == spent or spent >= 0
    again = as_(shop.cast.elder).post(desk(shop, f"orders/{order.pk}/"), {"step": "agree"})
    assert again.status_code == 422 and left(shop) == 20_000
    assert verify([shop.place]).ok


def test_taking_back_what_was_ordered_on_the_phone(shop: SimpleNamespace):
    """L-04: the settling line is the one that is answered."""
    order = ordered(shop, 1)
    order = actions.hand_over(by=shop.cast.shopkeeper, order=order)
    ask(shop, order, 1)
    as_(shop.cast.supervisor).post(desk(shop, f"orders/{order.pk}/"), {"step": "agree"})
    assert left(shop) == 20_000 and shelf(shop.soap) == (20, 0) and verify([shop.place]).ok


@pytest.mark.parametrize(
    "case", ["shopkeeper", "reason", "too_many", "waiting", "twice", "own_yes", "no_words", "served"]
)
def test_taking_back_is_refused(shop: SimpleNamespace, case: str):
    """L-04, A-07: who may not ask, what may not be asked, who may not agree."""
    cast = shop.cast
    order = ordered(shop, 1) if case == "waiting" else bought(shop, 1)
    url = desk(shop, f"orders/{order.pk}/")
    if case == "shopkeeper":
        answer, words = ask(shop, order, 1, "shopkeeper"), "冲正由村文书提出"
    elif case == "reason":
        answer, words = ask(shop, order, 1, reason="错"), "冲正要写明理由"
    elif case == "too_many":
        answer, words = ask(shop, order, 2), "退回的数量不对"
    elif case == "waiting":
        answer, words = ask(shop, order, 1), "不能冲正"
    elif case == "twice":
        ask(shop, order, 1)
        answer, words = ask(shop, order, 1), "已经有人提出冲正"
    elif case == "own_yes":
        ask(shop, order, 1)
        answer, words = as_(cast.clerk).post(url, {"step": "agree"}), "由本村议事会成员或监督委员同意"
    elif case == "no_words":
        ask(shop, order, 1)
        answer, words = as_(cast.elder).post(url, {"step": "refuse", "answer": ""}), "不同意要写理由"
    else:
        big = {"wanted": [actions.Wanted(shop.rice.pk, 1, RICE)]}
        order = bought(shop, **big, visit=actions.Visit(proof=actions.Proof(second=cast.supervisor)))
        ask(shop, order, 1)
        answer, words = (
            as_(cast.supervisor).post(desk(shop, f"orders/{order.pk}/"), {"step": "agree"}),
            "没有经手",
        )
    assert answer.status_code == 422 and words in text(answer)
    order.refresh_from_db()
    assert order.status != "reversed" and verify([shop.place]).ok


def test_a_refused_request_may_be_asked_anew(shop: SimpleNamespace):
    """L-04: no, with a reason; then another request."""
    order = bought(shop, 1)
    ask(shop, order, 1)
    said = as_(shop.cast.elder).post(
        desk(shop, f"orders/{order.pk}/"), {"step": "refuse", "answer": "没有扫错"}
    )
    assert said.status_code == 302 and OrderReversal.objects.get().answer == "没有扫错"
    assert ask(shop, order, 1).status_code == 302 and OrderReversal.objects.count() == 2


@pytest.mark.parametrize("who", ["villager", "group_leader", "reviewer", "bank", "stranger_clerk"])
def test_orders_are_seen_by_the_shop_and_its_watchers_only(shop: SimpleNamespace, who: str):
    """A-01, A-04."""
    order, client = bought(shop, 1), as_(getattr(shop.cast, who))
    for way in ("orders/", f"orders/{order.pk}/", f"orders/{order.pk}/slip.pdf", "paper/"):
        assert client.get(desk(shop, way)).status_code in (403, 404)
    assert client.post(
        desk(shop, f"orders/{order.pk}/"), {"step": "cancel", "reason": "不要"}
    ).status_code in (403, 404)


# -------------------------------------------------------------------------------------------------------- the fair


def fair_of(shop: SimpleNamespace, **more: Any) -> Any:
    from datetime import time

    return actions.plan_fair_day(
        by=shop.cast.clerk,
        shop=shop.shop,
        on=today(),
        opens_at=time(9),
        closes_at=time(11),
        groups=["3组", "1组"],
        **more,
    )


@pytest.mark.parametrize("face", ["desk", "m"])
def test_a_fair_day_from_open_to_tally(morning: None, cast: SimpleNamespace, face: str):
    """G-13: open, numbers by card and by group, call by group order, pass over, serve, close; the tally stands."""
    shop = open_for(cast)
    fair, client = fair_of(shop, quota_points=600, quota_orders=50), as_(shop.cast.shopkeeper)
    url = desk(shop, f"fairs/{fair.pk}/") if face == "desk" else f"/m/fair/{fair.pk}/"
    assert client.post(url, {"step": "next"}).status_code == 422
    client.post(url, {"step": "open"})
    wrong = client.post(url, {"step": "number", "q": "9999"})
    assert wrong.status_code == 422 and "没有“9999”这一户" in text(wrong) and 'value="9999"' in text(wrong)
    got = client.post(url, {"step": "number", "q": cast.household.card_token}, follow=True)
    assert "1001 户：1 号" in text(got)
    assert "发了 4 个号" in text(client.post(url, {"step": "group", "group": "3组"}, follow=True))
    assert "都已经有号" in text(client.post(url, {"step": "group", "group": "3组"}, follow=True))
    for _ in range(2):
        client.post(url, {"step": "next"})
    called = Ticket.objects.exclude(called_at=None).order_by("number")
    assert [one.number for one in called] == [2, 3], "group 3 comes before group 1"
    hall = Client().get(f"/open/{shop.place}/shop/fair/")
    assert 'class="hallnow" role="status">' in text(hall)
    shown = text(hall).split("<main")[1].split("</main")[0]
    assert "演*" not in shown and "3001" not in shown and "3组" not in shown, "numbers alone"
    client.post(url, {"step": f"pass:{called[0].pk}"})
    mine = Ticket.objects.get(household=cast.household)
    client.post(url, {"step": f"call:{mine.pk}"})
    served = client.post(url, {"step": f"serve:{mine.pk}"})
    assert f"/counter/{cast.household.pk}/" in served.url
    page = client.get(served.url)
    assert "进行中" in text(page)
    sent = goods(shop, 2, fair=str(fair.pk))
    over = client.post(served.url, {**sent, f"n-{shop.soap.pk}": "3", "step": "confirm"})
    assert over.status_code == 422 and "今天每户限兑 6 分" in text(over)
    assert client.post(served.url, {**sent, "step": "confirm"}).status_code == 302
    mine.refresh_from_db()
    assert mine.status == "served" and Order.objects.get().channel == "fair"
    live = client.get(url + "?watch=1")
    assert 'http-equiv="refresh"' in text(live) and live.context["tally"]["sums"]["orders"] == 1
    closed = client.post(url, {"step": "close"}, follow=True)
    assert "全天 1 户、1 单，共 5 分，代领 0 单" in text(closed)
    late = client.post(served.url, {**goods(shop, 1, fair=str(fair.pk)), "step": "confirm"})
    assert late.status_code == 422 and "现在不在兑换时间" in text(late)
    again = client.post(served.url, {**sent, "step": "confirm"})
    assert again.status_code == 302, "the same visit after closing is still the same page (C-15)"
    assert verify([shop.place]).ok


def test_the_fairs_page_costs_the_same_for_a_long_queue(morning: None, cast: SimpleNamespace):
    """Statements do not grow with the queue, nor with the group that gets its numbers."""
    shop = open_for(cast)
    fair, client = fair_of(shop), as_(cast.clerk)
    url = desk(shop, f"fairs/{fair.pk}/")
    client.post(url, {"step": "open"})
    client.post(url, {"step": "group", "group": "1组"})
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for n in range(30):
        Household.objects.create(place=cast.place, code=f"6{n:03d}", group="6组", opened_on=today())
    with CaptureQueriesContext(connection) as numbers:
        client.post(url, {"step": "group", "group": "6组"})
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert Ticket.objects.count() >= 30 and len(numbers) < 25
    assert len(many) <= len(few)


@pytest.mark.parametrize(
    "who, status", [("elder", 200), ("supervisor", 200), ("villager", 403), ("stranger_clerk", 404)]
)
def test_who_watches_a_fair_and_who_runs_it(morning: None, cast: SimpleNamespace, who: str, status: int):
    """A-01: the supervisor sees the day and touches nothing."""
    shop = open_for(cast)
    fair, client = fair_of(shop), as_(getattr(cast, who))
    url = desk(shop, f"fairs/{fair.pk}/")
    assert client.get(url).status_code == status
    assert client.post(url, {"step": "open"}).status_code in (403, 404, 422)
    fair.refresh_from_db()
    assert fair.status == "planned"


def test_the_hall_screen_without_a_fair(shop: SimpleNamespace):
    """Open to everybody, says when the next one is or that there is none."""
    assert "现在没有安排兑换日" in text(Client().get(f"/open/{shop.place}/shop/fair/"))
    from datetime import time

    actions.plan_fair_day(
        by=shop.cast.clerk, shop=shop.shop, on=later(3), opens_at=time(9), closes_at=time(11)
    )
    assert "09:00 开始" in text(Client().get(f"/open/{shop.place}/shop/fair/"))


# ----------------------------------------------------------------------------------------------------- the paper list


def listed(shop: SimpleNamespace, rows: list[tuple[str, str, str, str]], **more: Any) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "id": str(uuid7()),
        "number": "2026-07",
        "on": today().isoformat(),
        "step": "book",
    }
    for n, (house, good, count, who) in enumerate(rows, start=1):
        sent |= {f"house-{n}": house, f"good-{n}": good, f"count-{n}": count, f"who-{n}": who}
    return sent | more


def village_of_twenty(shop: SimpleNamespace) -> list[str]:
    codes = [f"7{n:03d}" for n in range(20)]
    for code in codes:
        home = Household.objects.create(place=shop.place, code=code, group="7组", opened_on=today())
        give(shop.cast, home, 1000)
    return codes


def test_twenty_rows_are_one_request_and_keyboard_only(shop: SimpleNamespace, record_property: Any):
    """U-34: at least 20 rows a minute: one request books twenty rows, under 20 keys a row; replay books nothing twice."""
    codes = village_of_twenty(shop)
    rows = [(code, "A01", "", "") for code in codes]
    client, sent = as_(shop.cast.shopkeeper), listed(shop, rows)
    page = client.get(desk(shop, "paper/"))
    order = re.findall(r'name="((?:house|good|count|who)-\d+)"', page.content.decode())
    assert order[:5] == ["house-1", "good-1", "count-1", "who-1", "house-2"], "Tab goes along the row"
    keys = sum(len(code) + len("A01") + 4 for code in codes)  # four tabs a row; no quantity is one
    assert keys / 20 <= 12, "at 60 keys a minute's fifth of a typist: 20 rows in a minute"
    with CaptureQueriesContext(connection) as asked:
        answer = client.post(desk(shop, "paper/"), sent)
    assert answer.status_code == 302 and "q=2026-07" in answer.url
    assert Order.objects.filter(channel="paper", paper_number="2026-07").count() == 20
    assert shelf(shop.soap) == (0, 0)
    record_property("keys_a_row", keys / 20)
    record_property("statements", len(asked))
    assert len(asked) < 15 * 20, len(asked)
    again = client.post(desk(shop, "paper/"), sent)
    assert again.status_code == 302 and Order.objects.count() == 20 and PaperList.objects.count() == 1
    other = client.post(desk(shop, "paper/"), {**sent, "count-1": "2"})
    assert other.status_code == 422 and "已经录过，内容不同" in text(other)
    fresh = client.post(desk(shop, "paper/"), {**sent, "id": str(uuid7())})
    assert fresh.status_code == 422 and Order.objects.count() == 20
    assert verify([shop.place]).ok


def test_the_dry_look_costs_the_same_for_one_row_and_twenty(shop: SimpleNamespace):
    """Statements of the look do not grow with the rows, and it moves nothing."""
    codes = village_of_twenty(shop)
    client = as_(shop.cast.shopkeeper)
    client.get(desk(shop, "paper/"))
    with CaptureQueriesContext(connection) as few:
        client.post(desk(shop, "paper/"), listed(shop, [(codes[0], "A01", "1", "")], step="look"))
    with CaptureQueriesContext(connection) as many:
        look = client.post(
            desk(shop, "paper/"), listed(shop, [(code, "A01", "1", "") for code in codes], step="look")
        )
    assert len(many) == len(few) and "都对，还没有录" in text(look)
    assert not Order.objects.exists() and not PaperList.objects.exists()


@pytest.mark.parametrize(
    "row, words",
    [
        (("9999", "A01", "1", ""), "没有“9999”这一户"),
        (("", "A01", "1", ""), "没有填户编号"),
        (("1001", "Z99", "1", ""), "货号“Z99”那天没有价格"),
        (("1001", "A01", "一块", ""), "请填 1 到 999 的整数"),
        (("1001", "A01", "21", ""), "只剩 20块"),
        (("1002", "A01", "1", ""), "积分不够"),
        (("1001", "A01", "1", "8888 邻居"), "代领人：没有“8888”这一户"),
        (("1001", "A01", "1", "1001"), "本户自己的编号"),
        (("3004", "A01", "1", ""), "您自己家"),
    ],
)
def test_one_wrong_row_books_nothing_and_says_which(shop: SimpleNamespace, row: tuple[str, ...], words: str):
    """U-34: each row in words; all or nothing; what was typed stands again."""
    good, client = ("1001", "A01", "1", ""), as_(shop.cast.shopkeeper)
    rows = [good, row] if row[0] != "1001" else [row]  # type: ignore[list-item]
    for step in ("look", "book"):
        answer = client.post(desk(shop, "paper/"), listed(shop, rows, step=step))  # type: ignore[arg-type]
        assert answer.status_code == 422 and words in text(answer)
        if row[0]:
            assert f'value="{row[0]}"' in text(answer)
    assert not Order.objects.exists() and left(shop) == 20_000 and shelf(shop.soap) == (20, 0)


def test_collected_for_somebody_on_paper_needs_the_photo(shop: SimpleNamespace, settings: Any, tmp_path: Any):
    """代领, N-07: the signed list is the proof; without its photo nothing is booked, with it everything."""
    settings.PHOTO_ROOT = str(tmp_path)
    client, sent = as_(shop.cast.shopkeeper), listed(shop, [("1001", "A01", "2", "1002 邻居")])
    bare = client.post(desk(shop, "paper/"), sent)
    assert bare.status_code == 422 and "要附签了名的纸表照片" in text(bare)
    look = client.post(desk(shop, "paper/"), {**sent, "step": "look", "photo": photo()})
    assert look.status_code == 200 and look.context["token"]
    done = client.post(desk(shop, "paper/"), {**sent, "kept": look.context["token"]})
    assert done.status_code == 302
    order = Order.objects.get()
    assert order.is_proxy and order.collector_relation == "邻居" and order.proof == "signature"
    assert (tmp_path / shop.place / PaperList.objects.get().photo).is_file()


@pytest.mark.parametrize("days, words", [(1, "兑换日期要在最近"), (-90, "兑换日期要在最近")])
def test_a_list_of_tomorrow_or_of_long_ago(shop: SimpleNamespace, days: int, words: str):
    """A list is keyed in within two months."""
    answer = as_(shop.cast.shopkeeper).post(
        desk(shop, "paper/"), listed(shop, [("1001", "A01", "1", "")], on=later(days).isoformat())
    )
    assert answer.status_code == 422 and words in text(answer) and not Order.objects.exists()
    assert balances(shop.place, [shop.cast.household.pk])
