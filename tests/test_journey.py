"""The whole points month in a real browser, from an empty village to a receipt checked without log-in.

Clerk imports households → drafts a rule book, the village adopts it, the township files it → claims by the
villager's phone, the clerk's pad and the group list → reviewers decide → the notice opens, is objected to
without log-in, answered, closes → the ledger posts → the villager reads the passbook and checks the receipt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from conftest import copy_database, drop_database
from tests import browser as tools
from tests.journey import PASSWORD, PLACE, day, fill, press
from zhili.common.spreadsheets import Column, SheetOut, write_workbook

pytestmark = [pytest.mark.browser]
HOUSEHOLDS = [("1", "谭演示", "张演示"), ("2", "王演示", "李演示"), ("3", "罗演示", ""), ("4", "何演示", "")]
STAFF = [("clerk", "clerk"), ("reviewer", "reviewer"), ("reviewer2", "reviewer"), ("elder", "council"),
         ("supervisor", "supervisor")]  # fmt: skip


def household_list() -> bytes:
    """A clerk's list with a title row, full-width digits and relation words."""
    rows: list[tuple[object, ...]] = []
    for number, head, wife in HOUSEHOLDS:
        rows.append(("第一组", f"１００{number}", head, "户主", "1961年3月5日"))
        if wife:
            rows.append(("第一组", f"100{number}", wife, "妻", "1963-04-08"))
    columns = [Column(title) for title in ("组", "户编号", "姓名", "与户主关系", "出生日期")]
    return write_workbook([SheetOut("花名册", columns, rows, heading="谭家沟村花名册（演示）")])


@pytest.fixture(scope="module")
def village(chromium: Browser, django_db_blocker: Any) -> Iterator[SimpleNamespace]:
    """An empty village with its staff, on a database of its own."""
    from django.db import connection

    name = f"{os.environ['ZHILI_DATABASE']}_journey"
    with django_db_blocker.unblock():
        copy_database(name)
        was = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = name
        try:
            make_staff()
        finally:
            connection.close()
            connection.settings_dict["NAME"] = was
    yield SimpleNamespace(database=name, chromium=chromium)
    with django_db_blocker.unblock():
        drop_database(name)


def make_staff() -> None:
    """People who work for the village and live elsewhere, as far as these books know."""
    from tests.cast import make_staff as staff
    from zhili.common.scope import scoped

    with scoped("511702"):
        for username, role in STAFF:
            user = staff(username, f"演示{username}", role, PLACE)
            user.set_password(PASSWORD)
            user.save()
        officer = staff("township", "乡镇演示员", "township", PLACE[:9])
        officer.set_password(PASSWORD)
        officer.save()


def step(page: Page, book: str, verb: str, button: str, **values: str) -> None:
    """One step of the rule book's procedure on the desk."""
    page.goto(f"{book}{verb}/")
    fill(page, **values)
    press(page, button)


def test_the_points_month(village: SimpleNamespace) -> None:
    """L-08, L-09, A-07, A-08, M-04, M-05, U-15, U-31, U-32, U-50, U-51, U-63, T-06, G-19."""
    book = prepare(village)
    adopt(village, book)
    work(village)
    objection_code = hang_out(village)
    receipt = take_in(village, objection_code)
    check_in_the_open(village, receipt)


def prepare(village: SimpleNamespace) -> str:
    """18 August: import, a log-in for one villager, a draft, its red-line check, consultation. → the book's address."""
    with day(village, "2026-08-18T09:00:00") as as_person:
        page = as_person("clerk")
        page.goto(f"/desk/{PLACE}/households/import/")
        page.set_input_files("input[type=file]", {"name": "花名册.xlsx", "mimeType": "application/vnd.ms-excel",
                                                  "buffer": household_list()})  # fmt: skip
        press(page, "上传检查")
        press(page, "确认导入")
        expect(page.locator("body")).to_contain_text("新立户 4")
        page.goto(f"/desk/{PLACE}/households/?q=1001")
        page.locator(f"main a[href*='/desk/{PLACE}/households/']", has_text="1001").first.click()
        page.locator("a[href*='/residents/'][href$='/login/']").first.click()
        fill(page, username="tan1001")
        page.locator("main form button").last.click()
        page.wait_for_load_state()
        press(page, "开一次性密码")
        first_log_in(as_person, page.locator(".slip__code").inner_text())
        page.goto(f"/desk/{PLACE}/rulebooks/new/")
        page.check("input[name=start][value=household]")
        fill(page, title="谭家沟村积分细则", valid_from="2026-09-01")
        press(page, "存为草稿")
        found = re.search(r"/desk/.*/rulebooks/[0-9a-f-]{36}/", page.url)
        assert found is not None, page.url + page.inner_text("main")
        book = found.group()
        page.goto(f"{book}check/")
        expect(page.locator("body")).to_contain_text("通过")
        tools.shoot(page, "journey-redlines")
        page.goto(f"{book}consult/")
        fill(page, on="2026-08-18", until="2026-08-24")
        page.locator("main form[method=post] button").first.click()
        page.wait_for_load_state()
        expect(page.locator("body")).to_contain_text("征求意见")
        return book


def first_log_in(as_person: Any, secret: str) -> None:
    """N-05: with the slip nothing opens but the page on which one's own password is set."""
    phone = as_person(None, "360")
    phone.goto("/login/")
    phone.fill("input[name=login]", "tan1001")
    phone.fill("input[name=password]", secret)
    press(phone, "登录")
    phone.goto("/m/passbook/")
    assert phone.url.endswith("/password/"), phone.url
    fill(phone, oldpassword=secret, password1=PASSWORD, password2=PASSWORD)
    press(phone, "换成新密码")
    phone.goto("/m/passbook/")
    expect(phone.locator("body")).to_contain_text("存折")


def adopt(village: SimpleNamespace, book: str) -> None:
    """28 August: the vote is recorded by an elder, filed by the township, in force from the first."""
    with day(village, "2026-08-28T10:00:00") as as_person:
        elder = as_person("elder")
        elder.goto(f"{book}adopt/")
        elder.select_option("select[name=meeting]", "representatives")
        fill(elder, on="2026-08-27", entitled="45", present="40", in_favour="36", against="1", women_present="17",
             minutes_ref="会-2026-08")  # fmt: skip
        elder.locator("main form[method=post] button").first.click()
        elder.wait_for_load_state()
        officer = as_person("township")
        officer.goto(f"{book}file/")
        fill(officer, on="2026-08-28", receipt="备-2026-31")
        officer.locator("main form[method=post] button").first.click()
        officer.wait_for_load_state()
        elder.goto(f"{book}in-force/")
        fill(elder, on="2026-09-01")
        elder.locator("main form[method=post] button").first.click()
        elder.wait_for_load_state()
        expect(elder.locator("body")).to_contain_text("施行")


def work(village: SimpleNamespace) -> None:
    """10 September: a villager claims by phone, the clerk at the pad and by the group's list; reviewers decide."""
    with day(village, "2026-09-10T17:00:00") as as_person:
        phone = as_person("tan1001", "360")
        phone.goto("/m/claims/new/")
        phone.get_by_text("清扫一段村里的公共道路").first.click()
        phone.wait_for_load_state()
        fill(phone, witness="王演示")
        press(phone, "看看能加几分")
        expect(phone.locator("body")).to_contain_text("2 分")
        tools.shoot(phone, "journey-preview")
        press(phone, "提交")
        expect(phone.locator("body")).to_contain_text("已收到")
        tools.shoot(phone, "journey-claimed")

        clerk = as_person("clerk", "360")
        clerk.goto("/m/field/")
        clerk.fill("input[name=q]", "1002")
        press(clerk, "下一步")
        clerk.locator("button[name=item][value=HJ01]").first.click()
        clerk.wait_for_load_state()
        expect(clerk.locator("body")).to_contain_text("已记")
        clerk.goto("/m/field/activity/")
        fill(clerk, activity="村民小组会")
        clerk.select_option("select[name=item]", "CW01")
        for box in clerk.locator("input[name=who]").all():
            box.press("Space")
        press(clerk, "记下来")

        desk = as_person("reviewer")
        desk.goto(f"/desk/{PLACE}/reviews/")
        boxes = desk.locator("input[name=claim]").all()
        assert len(boxes) == 6
        for box in boxes:
            box.press("Space")
        tools.shoot(desk, "journey-reviews")
        press(desk, "通过")
        desk.goto(f"/desk/{PLACE}/reviews/")
        expect(desk.locator("input[name=claim]")).to_have_count(0)


def hang_out(village: SimpleNamespace) -> str:
    """9 October: the notice opens; somebody objects without log-in; a supervisor answers. → the slip's code."""
    with day(village, "2026-10-09T09:00:00") as as_person:
        clerk = as_person("clerk")
        clerk.goto(f"/desk/{PLACE}/notices/open/?period=2026-09")
        press(clerk, "公布")
        passer_by = as_person(None, "360")
        passer_by.goto(f"/open/{PLACE}/notices/1/")
        expect(passer_by.locator("body")).to_contain_text("谭**")
        assert "谭演示" not in passer_by.content()
        tools.shoot(passer_by, "journey-notice")
        passer_by.goto(f"/open/{PLACE}/notices/1/1/")
        fill(passer_by, text="那天我在路口，没有看见他来。")
        press(passer_by, "提交意见")
        found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", passer_by.inner_text("body"))
        assert found is not None
        poster = passer_by.request.get(f"/open/{PLACE}/notices/1/poster.pdf?paper=a3")
        assert poster.status == 200
        assert poster.body().startswith(b"%PDF")
    with day(village, "2026-10-12T10:00:00") as as_person:
        supervisor = as_person("supervisor")
        supervisor.goto(f"/desk/{PLACE}/objections/")
        supervisor.locator(f"main a[href*='/desk/{PLACE}/objections/01']").first.click()
        supervisor.wait_for_load_state()
        here = supervisor.url
        if supervisor.get_by_role("button", name="受理").count():
            press(supervisor, "受理")
            supervisor.goto(here)
        supervisor.locator("input[name=outcome][value=refused]").check(force=True)
        fill(supervisor, answer="核对了证明人，情况属实，维持原分。")
        press(supervisor, "答复")
        expect(supervisor.locator("body")).to_contain_text("维持原分")
    return found.group()


def take_in(village: SimpleNamespace, objection_code: str) -> str:
    """20 October: the objector reads the answer; the clerk closes; the villager reads the passbook. → receipt code."""
    with day(village, "2026-10-20T09:00:00") as as_person:
        objector = as_person(None, "360")
        objector.goto(f"/open/{PLACE}/objections/?code={objection_code}")
        expect(objector.locator("body")).to_contain_text("维持原分")
        clerk = as_person("clerk")
        clerk.goto(f"/desk/{PLACE}/notices/1/close/")
        press(clerk, "结束并入账")
        phone = as_person("tan1001", "360")
        phone.goto("/m/passbook/")
        body = phone.inner_text("body")
        assert "4" in body
        assert "清扫一段村里的公共道路" in body
        tools.shoot(phone, "journey-passbook")
        phone.get_by_text("清扫一段村里的公共道路").first.click()
        phone.wait_for_load_state()
        story = phone.inner_text("body")
        found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", story)
        assert found is not None, story
        tools.shoot(phone, "journey-story", full=True)
        return found.group()


def check_in_the_open(village: SimpleNamespace, receipt: str) -> None:
    """Anybody with the code sees the line in the books, without a name; a wrong code is answered in words."""
    with day(village, "2026-10-21T09:00:00") as as_person:
        page = as_person(None, "360")
        page.goto(f"/open/{PLACE}/receipt/?code={receipt}")
        body = page.inner_text("body")
        assert "2 分" in body or "+2" in body
        assert "谭演示" not in page.content()
        tools.shoot(page, "journey-receipt", full=True)
        page.goto(f"/open/{PLACE}/receipt/?code=AAAA-AAAA-AAAA")
        assert "没有" in page.inner_text("body")


def test_the_days_of_the_journey_are_working_days() -> None:
    """The journey opens its notice on the first working day after the National Day holiday of 2026."""
    from zhili.common.workdays import is_workday

    assert is_workday(date(2026, 10, 9))
