"""The clerk's phone in a valley: the real browser, the real server, the network really off."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import overflow, shoot, small_targets

pytestmark = [pytest.mark.browser]
OFFLINE = "/m/field/offline/"


def numbered(page: Page, code: str, item: str = "HJ01") -> None:
    page.fill("#offline-household", code)
    page.select_option("#offline-item", item)
    page.get_by_role("button", name="记下这一条").click()
    expect(page.locator("#offline-household")).to_have_value("")


def ready(page: Page) -> None:
    """The list is there and the page can be opened again without signal."""
    page.wait_for_selector("[data-offline][data-ready='1']")
    page.wait_for_selector("#offline-item option", state="attached")


def claims(stage: SimpleNamespace) -> int:
    from zhili.claims.models import Claim

    with stage.inside():
        return Claim.objects.filter(channel="offline").count()


def kept(page: Page, store: str) -> list[Any]:
    """What the browser's store holds, as the browser itself reads it."""
    return page.evaluate(
        """store => new Promise((done, fail) => { const asked = indexedDB.open('zhili-field');
           asked.onsuccess = () => { const all = asked.result.transaction(store).objectStore(store).getAll();
             all.onsuccess = () => done(all.result.map(one => ({...one, key: one.key && {extractable: one.key.extractable},
               data: one.data && Array.from(new Uint8Array(one.data))})));
             all.onerror = fail; }; })""",
        store,
    )


def test_noted_without_signal_and_sent_later(
    open_page: Callable[..., Page], stage: SimpleNamespace, tmp_path: Any
) -> None:
    """U-40, C-10, C-14: the network goes; notes are kept, counted, shown as 未收到, survive closing the page, can be
    exported; with signal they are sent once, the refused one with its reason; sending again adds nothing."""
    page = open_page(OFFLINE, as_="clerk")
    ready(page)
    before = claims(stage)
    page.context.set_offline(True)
    numbered(page, "1001")
    numbered(page, "1002")
    numbered(page, "9999")
    expect(page.locator("[data-offline-state]")).to_contain_text("3 条未收到")
    expect(page.locator("[data-offline-count]")).to_contain_text("手机里 3 条")
    expect(page.locator("[data-offline-count]")).to_contain_text("最早的记于")
    expect(page.locator("[data-offline-rows] li")).to_have_count(3)
    shoot(page, "offline-no-signal", full=True)
    context = page.context
    page.close()
    page = context.new_page()
    page.goto(OFFLINE)  # still without signal: the worker brings the page, the store the notes
    expect(page.locator("[data-offline-rows] li")).to_have_count(3)
    expect(page.locator("[data-offline-rows] li").first).to_contain_text("未收到")
    with page.expect_download() as download:
        page.get_by_role("button", name="导出成表格").click()
    text = download.value.path().read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["户编号"] for row in rows] == ["1001", "1002", "9999"] and {row["项目"] for row in rows} == {
        "HJ01"
    }
    assert claims(stage) == before
    page.context.set_offline(False)
    page.get_by_role("button", name="现在送出").click()
    expect(page.locator("[data-state=taken]")).to_have_count(2)
    expect(page.locator("[data-state=refused]")).to_contain_text("没有收下：村里没有户编号 9999")
    expect(page.locator("[data-offline-state]")).to_contain_text("都已收到")
    assert claims(stage) == before + 2
    page.get_by_role("button", name="现在送出").click()
    page.reload()
    expect(page.locator("[data-state=taken]")).to_have_count(2)
    assert claims(stage) == before + 2
    shoot(page, "offline-sent", full=True)
    assert overflow(page) == 0 and small_targets(page, 44) == []
    page.get_by_role("button", name="清掉已收到的").click()
    expect(page.locator("[data-offline-rows] li")).to_have_count(0)


def test_a_lost_answer_is_asked_for_again(open_page: Callable[..., Page], stage: SimpleNamespace) -> None:
    """C-15, C-14: the server wrote, the answer never came: 待重试 is shown, the retry gets the same number, one claim."""
    page = open_page(OFFLINE, as_="clerk")
    ready(page)
    before = claims(stage)
    lost: list[int] = []

    def drop(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    page.context.route("**/offline/send/", drop)
    numbered(page, "1001", "GY06")
    expect(page.locator("[data-offline-rows] li")).to_contain_text("待重试，试过 1 次")
    assert lost == [200] and claims(stage) == before + 1
    page.get_by_role("button", name="现在送出").click()
    expect(page.locator("[data-state=taken]")).to_have_count(1)
    assert claims(stage) == before + 1


def test_a_lost_phone(open_page: Callable[..., Page]) -> None:
    """U-41: only the own group, names masked, encrypted with a key that cannot be taken out; after its days it is gone."""
    page = open_page(OFFLINE, as_="clerk")
    ready(page)
    codes = page.eval_on_selector_all("#offline-households option", "all => all.map(one => one.value)")
    assert set(codes) == {"1001", "1002", "1003"}
    labels = page.eval_on_selector_all("#offline-households option", "all => all.map(one => one.label)")
    assert all("*" in one or "＊" in one or "某" in one for one in labels), labels
    (row,) = kept(page, "keep")
    assert row["key"] == {"extractable": False}
    stored = bytes(row["data"])
    assert b"1001" not in stored and "演".encode() not in stored
    page.context.set_offline(True)
    page.clock.install()
    page.clock.set_fixed_time("2099-01-01T08:00:00Z")
    page.reload()
    page.wait_for_selector("[data-offline]:not([hidden])")
    assert kept(page, "keep") == []
    assert page.locator("#offline-households option").count() == 0


def test_the_phone_is_full(open_page: Callable[..., Page]) -> None:
    """U-40: a note that cannot be stored is said not to be, and stays in the form."""
    page = open_page(OFFLINE, as_="clerk")
    ready(page)
    page.context.set_offline(True)
    page.evaluate(
        "() => { IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    page.fill("#offline-household", "1001")
    page.get_by_role("button", name="记下这一条").click()
    expect(page.locator("[data-offline-error]")).to_contain_text("手机存储满了，这一条没有记下")
    expect(page.locator("#offline-household")).to_have_value("1001")


def test_without_script(open_page: Callable[..., Page]) -> None:
    """U-40: without script the page says which ways are left."""
    page = open_page(OFFLINE, as_="clerk", javascript=False)
    assert "请先记在纸上" in page.locator("noscript").inner_html()
    assert not page.locator("[data-offline]").is_visible()


@pytest.mark.parametrize("who", ["villager", "reviewer"])
def test_not_for_villagers(open_page: Callable[..., Page], who: str) -> None:
    """A-02, U-41: who does not work in the field gets neither page nor list."""
    page = open_page("/m/", as_=who)
    for path in (OFFLINE, f"{OFFLINE}list/", "/m/field/offline-worker.js"):
        assert page.request.get(path).status in (403, 404)
