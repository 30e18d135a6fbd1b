"""月度对账 (G-15): stock, money and points of a month matched from their single lines, signed twice, kept for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.cast import make_cast
from zhili.common.errors import NotAllowed
from zhili.common.hashing import digest
from zhili.common.ids import uuid7
from zhili.common.scope import set_scope
from zhili.ledger.verify import verify
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.matching import canonical, figures
from zhili.shop.models import Order, Reconciliation, ReconciliationNote
from zhili.shop.reconciling import due_months
from zhili.shop.reversing import ask_back, decide_back
from zhili.shop.tests.stage import SOAP, bought, browser, open_for, ordered


@pytest.fixture
def clock():
    with time_machine.travel("2026-10-05 10:00:00+08:00", tick=True) as traveller:
        yield traveller


def october(cast: SimpleNamespace, clock) -> SimpleNamespace:
    """October: a shop opened, 200 points given, soap bought three times, one order waiting, one cancelled, two soaps
    short at the count. Today is 2 November."""
    found = open_for(cast)
    bought(found, 2)
    clock.move_to("2026-10-20 10:00:00+08:00")
    bought(found, 1)
    found.waiting = ordered(found, 1)
    called_off = ordered(found, 1)
    actions.cancel(by=cast.villager, order=called_off, reason="不要了")
    found.soap.refresh_from_db()
    count = actions.ask_count(
        by=cast.shopkeeper, shop=found.shop,
        counted=[actions.Counted(found.soap, found.soap.stock - 2, "受潮")],
    )  # fmt: skip
    actions.sign_count(by=cast.supervisor, count=count, agree=True)
    clock.move_to("2026-11-02 10:00:00+08:00")
    found.desk = f"/desk/{cast.place}/shop/reconciliation/"
    found.open = f"/open/{cast.place}/shop/reconciliation/"
    return found


@pytest.fixture
def shop(cast: SimpleNamespace, clock) -> SimpleNamespace:
    return october(cast, clock)


def made(shop: SimpleNamespace, **more) -> Reconciliation:
    return actions.make_reconciliation(by=shop.cast.clerk, place=shop.place, month="2026-10", **more)


def test_the_three_legs_of_a_month_add_up(shop: SimpleNamespace):
    """G-15: opening + in - out ± count = closing, by pieces, fen and points; orders are the ledger's redemptions."""
    found = figures(shop.place, "2026-10")
    assert found["differences"] == []
    soap = next(line for line in found["goods"] if line["code"] == "A01")
    assert [soap[k] for k in ("opening", "in", "out", "back", "count", "closing")] == [0, 20, -3, 0, -2, 15]
    assert [soap[f"{k}_fen"] for k in ("in", "out", "count", "closing")] == [4000, -600, -400, 3000]
    assert found["funds"] == [
        {"title": "积分资金（演示）", "opening": 0, "deposit": 100000, "purchase": -21500, "settle": 0, "payout": 0,
         "closing": 78500}
    ]  # fmt: skip
    points = found["points"]
    assert [points[k] for k in ("opening", "funded", "issued", "redeemed", "closing")] == [
        0,
        100000,
        20000,
        750,
        19250,
    ]
    assert [points[k] for k in ("orders", "order_points", "reserved", "waiting")] == [2, 750, SOAP, SOAP]
    assert found["books"] == {"shrinkage": 400, "found": 0}


def test_a_month_that_is_over_gives_the_same_figures_for_ever(shop: SimpleNamespace, clock):
    """G-15, L-13: what happens in November does not change October."""
    before = canonical(figures(shop.place, "2026-10"))
    actions.publish_prices(by=shop.cast.clerk, shop=shop.shop, period="2026-11", points={shop.soap.pk: SOAP})
    actions.hand_over(by=shop.cast.shopkeeper, order=shop.waiting)
    bought(shop, 1)
    actions.deposit(by=shop.cast.clerk, fund=shop.fund, fen=500, source="捐赠", paper="收-7")
    assert canonical(figures(shop.place, "2026-10")) == before
    clock.move_to("2026-12-03 10:00:00+08:00")
    november = figures(shop.place, "2026-11")
    assert november["differences"] == [] and november["points"]["opening"] == 19250
    assert november["points"]["orders"] == 2 and november["funds"][0]["opening"] == 78500


def taken_back(shop: SimpleNamespace, order: Order, pieces: int) -> None:
    line = order.lines.get()
    asked = ask_back(by=shop.cast.clerk, id=uuid7(), order=order, reason="扫错了卡", goods={line.pk: pieces})
    decide_back(by=shop.cast.elder, asked=asked, agree=True)


def test_an_order_taken_back_counts_in_its_own_month(shop: SimpleNamespace, clock):
    """G-15, L-04: taken back in November: October stays as it was, November shows what came back, pieces and points."""
    before = canonical(figures(shop.place, "2026-10"))
    taken_back(shop, Order.objects.get(number=1), 1)
    actions.hand_over(by=shop.cast.shopkeeper, order=shop.waiting)
    taken_back(shop, Order.objects.get(pk=shop.waiting.pk), 1)
    assert canonical(figures(shop.place, "2026-10")) == before
    clock.move_to("2026-12-03 10:00:00+08:00")
    november = figures(shop.place, "2026-11")
    assert november["differences"] == []
    soap = next(line for line in november["goods"] if line["code"] == "A01")
    assert [soap[k] for k in ("opening", "in", "out", "back", "count", "closing")] == [15, 0, -1, 2, 0, 16]
    points = november["points"]
    assert [points[k] for k in ("orders", "order_points", "reversed", "redeemed", "closing")] == [
        1,
        250,
        750,
        -500,
        19750,
    ]
    Order.objects.filter(number=1).update(status="handed_over")
    assert any(
        "退回了 5 分，和兑换单对不上" in text for text in figures(shop.place, "2026-11")["differences"]
    )


def test_two_signatures_then_published_for_good(shop: SimpleNamespace):
    """G-15: drawn up by the clerk, signed by the supervisor, open to all; figures never change, a note may be added."""
    row = made(shop)
    assert row.matches and row.digest == digest("sha256", json.dumps(
        row.figures, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hex()  # fmt: skip
    assert browser().get(f"{shop.open}2026-10/").status_code == 404
    set_scope(["511702"])
    for person in (shop.cast.clerk, shop.cast.shopkeeper, shop.cast.villager, shop.cast.stranger_clerk):
        with pytest.raises(NotAllowed):
            actions.sign_reconciliation(by=person, reconciliation=row)
    signed = actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=row)
    assert (
        actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=row).published_at
        == signed.published_at
    )
    with pytest.raises(Conflict, match="已经公布"):
        made(shop)
    actions.add_note(by=shop.cast.clerk, reconciliation=signed, text="11月3日又找到一块香皂，下月盘点更正。")
    page = browser().get(f"{shop.open}2026-10/").content.decode()
    for word in ("三样都对得上", "192.5", "785.00", "又找到一块香皂", "盘点少 2块", row.digest):
        assert word in page
    for person in (shop.cast.clerk, shop.cast.supervisor, shop.cast.head, shop.cast.villager):
        assert person.display_name not in page
    assert "<script" not in page and shop.cast.household.code not in page
    raw = browser().get(f"{shop.open}2026-10/figures.json").content
    assert digest("sha256", raw).hex() == row.digest and json.loads(raw)["points"]["closing"] == 19250
    assert "2026年10月" in browser().get(shop.open).content.decode()
    set_scope(["511702"])
    assert verify([shop.place]).ok


def test_what_is_published_cannot_be_changed_in_the_database(shop: SimpleNamespace):
    """G-15: neither row nor note, by whatever road the application has."""
    row = actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=made(shop))
    note = actions.add_note(by=shop.cast.supervisor, reconciliation=row, text="补充说明一句")
    for change in (
        {"figures": {}},
        {"digest": "0" * 64},
        {"matches": False},
        {"status": "draft"},
        {"month": "2026-09"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Reconciliation.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReconciliationNote.objects.filter(pk=note.pk).update(by=shop.cast.clerk)
    for one in (note, row):
        with pytest.raises(IntegrityError), transaction.atomic():
            one.delete()


def test_a_month_that_is_not_over_or_no_month_is_refused(shop: SimpleNamespace):
    for month in ("2026-11", "2027-01", "2026-13", "2026", "2026-Q3", "", "x"):
        with pytest.raises(Exception) as caught:
            actions.make_reconciliation(by=shop.cast.clerk, place=shop.place, month=month)
        assert "。" in str(caught.value)
    for person in (shop.cast.supervisor, shop.cast.shopkeeper, shop.cast.villager, shop.cast.stranger_clerk):
        with pytest.raises(NotAllowed):
            actions.make_reconciliation(by=person, place=shop.place, month="2026-10")
    assert Reconciliation.objects.count() == 0


TAMPER = [
    ("UPDATE shop_good SET stock = stock - 1 WHERE code = 'A01'", "“香皂”（A01）库存记 14块，按流水应是 15块"),
    ("UPDATE shop_good SET value_fen = value_fen - 5 WHERE code = 'B01'", "“大米10斤”（B01）库存成本记"),
    ("UPDATE shop_fundaccount SET credits = credits + 100 WHERE kind = 'cash'", "结余记 786.00 元，按流水应是 785.00 元"),
    ("DELETE FROM shop_fundentry WHERE code = 'shrinkage'", "盘点的物品成本 4.00 元，资金账上是 0.00 元"),
    ("UPDATE shop_order SET points = points + 100 WHERE number = 1", "是 6 分（已领取），台账里兑换 5 分"),
    ("UPDATE shop_order SET status = 'cancelled' WHERE number = 1", "已取消），台账里兑换 5 分"),
    ("UPDATE shop_stockmove SET quantity = -1 WHERE kind = 'out' AND quantity = -2", "兑换单上 3块，出库 2块"),
    ("UPDATE shop_order SET status = 'expired', ended_at = made_at WHERE status = 'reserved'", "台账预留 2.5 分"),
    ("UPDATE ledger_account SET credits = credits + 100 WHERE kind = 'holder' AND purse = 'spend'", "各户兑换积分合计"),
    ("UPDATE shop_order SET transfer = gen_random_uuid() WHERE number = 1", "台账里没有这一笔"),
]  # fmt: skip


TABLES = ("shop_good", "shop_fundaccount", "shop_fundentry", "shop_order", "shop_stockmove", "ledger_account")


@pytest.fixture
def owned(django_db_setup: None, own_database: str, django_db_blocker) -> Iterator[None]:
    """As the database's owner, in one transaction that is rolled back."""
    from zhili.config.setup import as_owner

    with django_db_blocker.unblock(), as_owner(own_database), transaction.atomic():
        set_scope(["*"])
        yield
        transaction.set_rollback(True)


def test_every_tampering_is_named(owned: None, clock):
    """G-15: each leg is worked out from its single lines and compared with the kept sums and with the other legs."""
    shop = october(make_cast(), clock)
    assert figures(shop.place, "2026-10")["differences"] == []
    for sql, said in TAMPER:
        point = transaction.savepoint()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(sql)
            assert cursor.rowcount >= 1, sql
        found = figures(shop.place, "2026-10")["differences"]
        assert any(said in text for text in found), (sql, found)
        transaction.savepoint_rollback(point)


def test_a_month_that_does_not_match_needs_a_word_and_is_published_with_it(shop: SimpleNamespace):
    """G-15: hiding a difference would be worse; the reason stands beside it."""
    Order.objects.filter(number=1).update(points=600)
    row = made(shop)
    assert not row.matches and row.figures["differences"] == ["兑换单 D-1 是 6 分（已领取），台账里兑换 5 分"]
    page = browser(shop.cast.supervisor).get(f"{shop.desk}2026-10/").content.decode()
    assert "有 1 处对不上" in page and "要写明原因" in page
    set_scope(["511702"])
    with pytest.raises(ShopError, match="写明原因"):
        actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=row)
    signed = actions.sign_reconciliation(
        by=shop.cast.supervisor, reconciliation=row, note="单子录错，正在查。"
    )
    page = browser().get(f"{shop.open}2026-10/").content.decode()
    assert "对不上" in page and "正在查" in page and not signed.matches


def test_what_moved_between_drawing_up_and_signing_is_not_signed(shop: SimpleNamespace):
    """C-08: the supervisor signs what was drawn up, or nothing."""
    row = made(shop)
    Order.objects.filter(number=1).update(points=600)
    with pytest.raises(Conflict, match="有变动"):
        actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=row)
    assert made(shop, note="单子录错").digest != row.digest and Reconciliation.objects.count() == 1


def test_the_clerk_is_told_which_months_wait(shop: SimpleNamespace, clock):
    assert [one.code for one in due_months(shop.place)] == ["2026-10"]
    actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=made(shop))
    assert due_months(shop.place) == []
    clock.move_to("2027-01-05 10:00:00+08:00")
    assert [one.code for one in due_months(shop.place)] == ["2026-11", "2026-12"]
    november = actions.make_reconciliation(by=shop.cast.clerk, place=shop.place, month="2026-11")
    october = Reconciliation.objects.get(month="2026-10")
    assert november.figures["previous"] == october.digest
    assert due_months(shop.cast.next_place) == []


def test_the_pages_step_by_step(shop: SimpleNamespace):
    """The clerk draws up, cannot sign, the supervisor signs, the page says so; a foreign village is nowhere."""
    clerk, supervisor = browser(shop.cast.clerk), browser(shop.cast.supervisor)
    assert "2026年10月" in clerk.get(shop.desk).content.decode()
    assert clerk.post(shop.desk, {"month": "2026-11"}).status_code == 422
    assert clerk.post(shop.desk, {"month": "2026-10"}).url == f"{shop.desk}2026-10/"
    page = clerk.get(f"{shop.desk}2026-10/").content.decode()
    assert "等监督委员签字" in page and "签字公布</button>" not in page
    assert clerk.post(f"{shop.desk}2026-10/", {"do": "sign"}).status_code == 422
    assert clerk.post(f"{shop.desk}2026-10/", {"do": "again"}).status_code == 302
    assert "签字公布" in supervisor.get(f"{shop.desk}2026-10/").content.decode()
    assert supervisor.post(f"{shop.desk}2026-10/", {"do": "sign"}).status_code == 302
    assert clerk.post(f"{shop.desk}2026-10/", {"do": "note", "note": "短"}).status_code == 422
    assert clerk.post(f"{shop.desk}2026-10/", {"do": "note", "note": "月底又找到一块。"}).status_code == 302
    page = clerk.get(f"{shop.desk}2026-10/").content.decode()
    assert "月底又找到一块" in page and "已公布" in page
    assert supervisor.get(f"{shop.desk}2026-09/").status_code == 404
    for person in (shop.cast.villager, shop.cast.bank, shop.cast.stranger_clerk):
        assert browser(person).get(f"{shop.desk}2026-10/").status_code in (403, 404)
    assert browser().get(f"{shop.open}2026-09/").status_code == 404
    assert browser().get(f"{shop.open}x/").status_code == 404


def test_statements_do_not_grow_with_orders_and_goods(shop: SimpleNamespace):
    """The month of a big shop costs as many statements as the month of a small one."""
    with CaptureQueriesContext(connection) as few:
        figures(shop.place, "2026-10")
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=True):
        for n in range(6):
            good = actions.add_good(by=shop.cast.shopkeeper, shop=shop.shop, code=f"C{n}", title=f"东西{n}")
            actions.stock_in(
                by=shop.cast.shopkeeper, good=good, quantity=3, fen=300, fund=shop.fund, paper="进-3"
            )
            bought(shop, 1)
    with CaptureQueriesContext(connection) as many:
        assert figures(shop.place, "2026-10")["differences"] == []
    assert len(many) == len(few) <= 24


def test_words_that_hang_out_hold_no_number_of_a_person(shop: SimpleNamespace):
    """M-08: neither the word at signing nor a later note; nothing is published or kept."""
    row = made(shop)
    with pytest.raises(ShopError, match="不能公开"):
        actions.sign_reconciliation(
            by=shop.cast.supervisor, reconciliation=row, note="有事打 13800138000 找我"
        )
    assert Reconciliation.objects.get().status == "draft"
    signed = actions.sign_reconciliation(by=shop.cast.supervisor, reconciliation=row)
    with pytest.raises(ShopError, match="不能公开"):
        actions.add_note(by=shop.cast.clerk, reconciliation=signed, text="请联系 13800138000 核对香皂。")
    with pytest.raises(NotAllowed):
        actions.add_note(by=shop.cast.shopkeeper, reconciliation=signed, text="店里又找到一块香皂。")
    assert ReconciliationNote.objects.count() == 0
