"""A fair day (兑换日) in a real browser, from an empty shelf to the published books of the month.

The clerk opens the shop, puts money in, stocks it and publishes the prices → the village's points are posted → on the
day numbers are given out, cards are read, goods go over the table, one errand is stopped in words, a neighbour collects
→ the shelf is counted and a second person signs → the month's books are drawn up, signed and read by anybody.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from playwright.sync_api import Browser, Page, expect

from conftest import copy_database, drop_database
from tests import browser as tools
from tests.books import PLAIN_BOOK, make_book
from tests.cast import make_cast
from tests.journey import PASSWORD, PLACE, ROOT, day, fill, press
from tests.month import approved, home
from zhili.notices.actions import close_notice, open_notice

pytestmark = [pytest.mark.browser]
DESK = f"/desk/{PLACE}/shop"
FAIR_DAY = "2026-10-24"


@pytest.fixture(scope="module")
def village(chromium: Browser, django_db_blocker: Any) -> Iterator[SimpleNamespace]:
    """The cast with a rule book; September's deeds are reviewed and wait for their notice."""
    name = f"{os.environ['ZHILI_DATABASE']}_fair"
    with django_db_blocker.unblock():
        copy_database(name)
    found = SimpleNamespace(database=name, chromium=chromium, unblock=django_db_blocker.unblock)
    with books(found, "2026-09-28T10:00:00"):
        cast = found.cast = make_cast()
        make_book(cast, PLAIN_BOOK)
        for username in ("clerk", "shopkeeper", "supervisor", "villager"):
            user = getattr(cast, username)
            user.set_password(PASSWORD)
            user.save()
        for code in ("1001", "1002", "2001"):
            approved(cast, 20_00, by=cast.clerk, household=home(cast, code), item="GY04", channel="counter",
                     occurred_on=date(2026, 9, 12))  # fmt: skip
    yield found
    with django_db_blocker.unblock():
        drop_database(name)


@contextmanager
def books(village: SimpleNamespace, moment: str) -> Iterator[None]:
    """Inside the village's books on that day, as the product's own actions write them."""
    from django.db import connection, transaction

    from zhili.common.scope import set_scope

    with village.unblock(), time_machine.travel(f"{moment}+08:00", tick=True):
        was = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = village.database
        try:
            with transaction.atomic():
                set_scope(("511702",))
                yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = was


def test_a_fair_day_from_the_delivery_to_the_published_books(village: SimpleNamespace) -> None:
    """G-11, G-15, C-18, U-22, N-07, L-05, L-14, M-01."""
    stock_up(village)
    post_points(village)
    fair(village)
    count(village)
    reconcile(village)
    read_in_the_open(village)
    verified(village)


def stock_up(village: SimpleNamespace) -> None:
    """8 October: shop, money, two goods, one delivery, October's prices, the fair day announced."""
    with day(village, "2026-10-08T09:00:00") as as_person:
        clerk = as_person("clerk")
        clerk.goto(f"{DESK}/open/")
        fill(clerk, title="谭家沟幸福超市", hours="兑换日 9:00—17:00")
        press_in_main(clerk, "开办")
        clerk.goto(f"{DESK}/funds/new/")
        fill(clerk, title="2026年积分资金", basis="村民代表会议决议")
        press_in_main(clerk, "设立")
        clerk.goto(f"{DESK}/funds/")
        clerk.locator("main a[href*='/shop/funds/0']").first.click()
        clerk.wait_for_load_state()
        clerk.goto(f"{clerk.url}deposit/")
        fill(clerk, fen="500", source="集体收益", paper="收-1")
        press_in_main(clerk, "登记")
        expect(clerk.locator("main")).to_contain_text("500")
        clerk.goto(f"{DESK}/")
        shop = re.search(r"/shop/([0-9a-f-]{36})/in/", clerk.content())
        assert shop is not None
        village.shop = shop.group(1)
        for code, title, category in (("A01", "香皂", "日用"), ("B01", "大米 5 公斤", "粮油")):
            clerk.goto(f"{DESK}/{village.shop}/goods/add/")
            fill(clerk, code=code, title=title, category=category)
            press_in_main(clerk, "添加")
        clerk.goto(f"{DESK}/{village.shop}/in/")
        boxes(clerk, "q_", "10", "2")
        boxes(clerk, "y_", "25", "60")
        fill(clerk, paper="进-1")
        press_in_main(clerk, "登记入库")
        expect(clerk.locator("body")).to_contain_text("已入库：2 种、12 件，成本 85.00 元")
        clerk.goto(f"{DESK}/{village.shop}/prices/new/")
        boxes(clerk, "p_", "2.5", "18")
        press_in_main(clerk, "公布价目表")
        tools.shoot(clerk, "fair-prices", full=True)
        clerk.goto(f"{DESK}/{village.shop}/fairs/plan/")
        fill(clerk, on=FAIR_DAY, opens_at="09:00", closes_at="17:00", groups="1组\n2组", quota_points="20")
        press_in_main(clerk, "安排")
        passer_by = as_person(None, "360")
        passer_by.goto(f"/open/{PLACE}/shop/")
        expect(passer_by.locator("body")).to_contain_text("2.5")
        expect(passer_by.locator("body")).to_contain_text("10月24日")
        tools.shoot(passer_by, "fair-open-prices", full=True)


def post_points(village: SimpleNamespace) -> None:
    """September hangs out and is posted: 20 points for each of three households, out of a pool of 500."""
    with books(village, "2026-10-09T10:00:00"):
        notice = open_notice(by=village.cast.clerk, place=PLACE, period="2026-09")
    with books(village, "2026-10-20T10:00:00"):
        close_notice(by=village.cast.clerk, notice=notice)


def fair(village: SimpleNamespace) -> None:
    """24 October: numbers, cards, one stopped errand, one neighbour who collects, the day's tally."""
    with day(village, f"{FAIR_DAY}T09:30:00") as as_person:
        keeper = as_person("shopkeeper", "360")
        keeper.goto("/m/fair/")
        village.fair = re.search(r"/m/fair/[0-9a-f-]{36}/", keeper.url).group()  # type: ignore[union-attr]
        press(keeper, "开始兑换")
        for code in ("1001", "1002", "2001"):
            keeper.fill("main input[name=q]", code)
            press(keeper, "取号")
        expect(keeper.locator("main")).to_contain_text("2001 户")
        press(keeper, "叫下一号")
        tools.shoot(keeper, "fair-queue", full=True)
        hall = as_person(None, "1280")
        hall.goto(f"/open/{PLACE}/shop/fair/")
        expect(hall.locator("body")).to_contain_text("1")
        assert "演示乙" not in hall.content()
        assert "1001" not in hall.content()
        tools.shoot(hall, "fair-hall")

        serve(keeper, "1001", rice=1)
        expect(keeper.locator("main")).to_contain_text("还剩 2 分")
        tools.shoot(keeper, "fair-served")
        refuse_too_much(keeper, "1002")
        serve(keeper, "1002", soap=2)
        expect(keeper.locator("main")).to_contain_text("还剩 15 分")
        collect_for(keeper, "2001")

        keeper.goto(f"{village.fair}?close=1")
        expect(keeper.locator("main")).to_contain_text("代领")
        press(keeper, "结束，结单")
        expect(keeper.locator("body")).to_contain_text("3 户、3 单，共 25.5 分，代领 1 单")


def serve(keeper: Page, code: str, *, soap: int = 0, rice: int = 0) -> None:
    """Card, goods, confirm: three pages, as anybody at the counter does it."""
    choose(keeper, code, soap=soap, rice=rice)
    press(keeper, "下一步")
    tools.shoot(keeper, f"fair-confirm-{code}", full=True)
    press(keeper, "确认兑换")
    expect(keeper.locator("main")).to_contain_text("换了")


def choose(keeper: Page, code: str, *, soap: int = 0, rice: int = 0) -> None:
    keeper.goto("/m/counter/")
    keeper.fill("main input[name=q]", code)
    press(keeper, "下一步")
    expect(keeper.locator("main")).to_contain_text(f"{code} 户")
    assert "演示" not in keeper.locator(".who").inner_text().replace("演**", "")  # the name is masked
    for title, quantity in (("香皂", soap), ("大米", rice)):
        if quantity:
            keeper.locator("main li.good", has_text=title).locator("input[inputmode=numeric]").fill(
                str(quantity)
            )


def refuse_too_much(keeper: Page, code: str) -> None:
    """Over the day's quota: said in words, what was typed is still there, nothing moved."""
    choose(keeper, code, soap=1, rice=1)
    press(keeper, "下一步")
    expect(keeper.locator("main")).to_contain_text("分")
    assert "换了" not in keeper.inner_text("main")
    assert keeper.locator("main .form-errors, main [role=alert]").count() >= 1
    assert (
        keeper.locator("main li.good", has_text="香皂").locator("input[inputmode=numeric]").input_value()
        == "1"
    )
    tools.shoot(keeper, "fair-refused", full=True)


def collect_for(keeper: Page, code: str) -> None:
    """A neighbour collects: written down as such, proved by a second staff member."""
    choose(keeper, code, soap=1)
    keeper.locator("main details", has_text="代领").locator("summary").click()
    keeper.check("main input[name=proxy]", force=True)
    keeper.fill("main input[name=collector]", "1002")
    keeper.fill("main input[name=relation]", "邻居")
    press(keeper, "下一步")
    expect(keeper.locator("main")).to_contain_text("代领")
    keeper.check("main input[name=proof][value=second]", force=True)
    fill(keeper, second_name="supervisor", second_password=PASSWORD)
    press(keeper, "确认兑换")
    expect(keeper.locator("main")).to_contain_text("换了香皂")


def count(village: SimpleNamespace) -> None:
    """26 October: one soap is missing; the supervisor signs, and only then the shelf says so."""
    with day(village, "2026-10-26T10:00:00") as as_person:
        keeper = as_person("shopkeeper")
        keeper.goto(f"{DESK}/{village.shop}/count/")
        boxes(keeper, "f_", "6", "1")
        boxes(keeper, "r_", "破了一块", "")
        press_in_main(keeper, "交盘点单")
        sheet = keeper.url
        supervisor = as_person("supervisor")
        supervisor.goto(sheet)
        supervisor.check("main input[name=decision][value=agree]", force=True)
        press_in_main(supervisor, "签字")
        expect(supervisor.locator("main")).to_contain_text("已签字")
        tools.shoot(supervisor, "fair-count", full=True)


def reconcile(village: SimpleNamespace) -> None:
    """2 November: the clerk draws October up, the supervisor signs; signing publishes."""
    with day(village, "2026-11-02T10:00:00") as as_person:
        clerk = as_person("clerk")
        clerk.goto(f"{DESK}/reconciliation/")
        clerk.locator("main form", has_text="2026年10月").get_by_role("button").first.click()
        clerk.wait_for_load_state()
        expect(clerk.locator("main")).to_contain_text("等监督委员签字")
        assert clerk.get_by_role("button", name="签字公布").count() == 0
        sheet = clerk.url
        supervisor = as_person("supervisor")
        supervisor.goto(sheet)
        press_in_main(supervisor, "签字公布")
        expect(supervisor.locator("main")).to_contain_text("已公布")
        tools.shoot(supervisor, "fair-reconciliation", full=True)


def read_in_the_open(village: SimpleNamespace) -> None:
    """Anybody reads the month: stock, money and points agree, a soap is missing, and nobody is named."""
    with day(village, "2026-11-03T10:00:00") as as_person:
        page = as_person(None, "360")
        page.goto(f"/open/{PLACE}/shop/reconciliation/2026-10/")
        text = page.inner_text("body")
        for said in ("三样都对得上", "香皂", "500", "85", "25.5"):
            assert said in text, said
        assert not re.search(r"演示[乙丙丁辛癸子]", page.content())
        tools.shoot(page, "fair-open-reconciliation", full=True)
        phone = as_person("villager", "360")
        phone.goto("/m/passbook/")
        body = phone.inner_text("body")
        assert "兑换" in body
        assert "18" in body
        phone.goto("/m/shop/")
        tools.shoot(phone, "fair-phone-shop", full=True)


def verified(village: SimpleNamespace) -> None:
    """The real command on the real books."""
    ran = subprocess.run(
        [sys.executable, "-m", "zhili.config.command", "ledger", "verify", "--json"],
        cwd=ROOT, env={**os.environ, "ZHILI_DATABASE": village.database}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def boxes(page: Page, letter: str, *values: str) -> None:
    """The boxes of one column from top to bottom."""
    found = page.locator(f"main input[name^='{letter}']")
    assert found.count() == len(values)
    for n, value in enumerate(values):
        if value:
            found.nth(n).fill(value)


def press_in_main(page: Page, name: str) -> None:
    """A button of the page itself, by how it begins; then no form complains."""
    page.locator("main").get_by_role("button", name=re.compile(f"^{name}")).first.click()
    page.wait_for_load_state()
    complaints = page.locator("main .form-errors")
    assert complaints.count() == 0, complaints.first.inner_text()
