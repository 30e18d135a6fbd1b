"""兑换资金 at the desk: deposits booked once, account books with a running balance, settings by resolution, settling."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from openpyxl import load_workbook

from zhili.audit.models import Entry
from zhili.common.ids import uuid7
from zhili.common.money import MoneyError, format_yuan, parse_yuan
from zhili.common.scope import set_scope
from zhili.ledger.queries import balances_of_village
from zhili.ledger.verify import verify
from zhili.places.queries import village_settings
from zhili.shop import actions
from zhili.shop.errors import ShopError
from zhili.shop.models import Fund, FundEntry, Order, Shop
from zhili.shop.money import cash_of, settings_of
from zhili.shop.settling import owed_to_shops, preview_floating
from zhili.shop.tests.stage import browser, give, open_for


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    found = open_for(cast)
    found.funds = f"/desk/{cast.place}/shop/funds/"
    found.page = f"{found.funds}{found.fund.pk}/"
    return found


def post(person, path: str, **data):
    answer = browser(person).post(path, data)
    set_scope(["511702"])
    return answer


def get(person, path: str, **data) -> str:
    answer = browser(person).get(path, data)
    set_scope(["511702"])
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize(
    "text, fen",
    [("23000", 2300000), ("12.5", 1250), (" ￥１２．５０ 元", 1250), ("0.01", 1), ("0", 0)],
)
def test_yuan_typed_is_fen_kept(text: str, fen: int):
    """L-17, L-02: one rule for text, no float."""
    assert parse_yuan(text) == fen


@pytest.mark.parametrize("text", ["", "12.345", "-5", "1e3", "一百", "1,000", "NaN"])
def test_what_is_no_amount_is_refused(text: str):
    with pytest.raises(MoneyError):
        parse_yuan(text)


def test_yuan_in_words():
    assert [format_yuan(n) for n in (0, 5, 2300000, -550)] == ["0.00", "0.05", "23,000.00", "-5.50"]


def test_a_fund_is_opened_and_filled_and_a_double_tap_books_once(shop: SimpleNamespace):
    """G-11, C-03: named source, receipt number, before and after in the answer."""
    clerk = shop.cast.clerk
    made = post(clerk, f"{shop.funds}new/", title="捐赠资金（演示）", basis="捐赠协议1号")
    fund = Fund.objects.get(title="捐赠资金（演示）")
    assert made.status_code == 302 and str(fund.pk) in made.url
    data = {"id": str(uuid7()), "fen": "1234.50", "source": "演示企业", "paper": "收-8", "on": "2020-01-01"}
    client = browser(clerk)
    path = f"{shop.funds}{fund.pk}/deposit/"
    first = client.post(path, data, follow=True).content.decode()
    assert "从 0.00 元变成 1,234.50 元" in first and "折合 1234.5 分" in first
    again = client.post(path, data, follow=True).content.decode()
    assert "已经登记了，没有再记" in again
    set_scope(["511702"])
    assert (cash_of(fund), FundEntry.objects.filter(fund=fund).count()) == (123450, 1)
    assert client.post(path, data | {"fen": "1"}).status_code == 422
    set_scope(["511702"])
    assert cash_of(fund) == 123450 and verify([shop.place]).ok


@pytest.mark.parametrize(
    "wrong, said",
    [({"fen": "abc"}, "不是金额"), ({"fen": "0"}, "大于 0"), ({"source": ""}, "这个字段"), ({"paper": " "}, "字段"),
     ({"on": "2199-01-01"}, "还没有到")],
)  # fmt: skip
def test_a_bad_deposit_is_said_and_keeps_what_was_typed(shop: SimpleNamespace, wrong: dict, said: str):
    data = {
        "id": str(uuid7()),
        "fen": "10",
        "source": "集体收益",
        "paper": "收-9",
        "on": "2026-01-01",
    } | wrong
    answer = post(shop.cast.clerk, f"{shop.page}deposit/", **data)
    assert answer.status_code == 422 and cash_of(shop.fund) == 100000 - 4000 - 17500
    page = answer.content.decode()
    assert said in page or "必填" in page
    assert data["source"] in page


def test_the_account_book_runs_its_balance_and_goes_to_excel(shop: SimpleNamespace):
    """L-17: opening 0 + every line = what is left, on the screen and in the workbook."""
    page = get(shop.cast.supervisor, shop.page)
    assert "1,000.00" in page and "785.00" in page and "大米10斤 5袋" in page
    answer = browser(shop.cast.clerk).get(shop.page, {"export": "xlsx"})
    sheet = load_workbook(io.BytesIO(answer.content)).active
    rows = [[c.value for c in row] for row in sheet.iter_rows()]
    head = next(n for n, row in enumerate(rows) if "结余（元）" in row)
    columns = {name: n for n, name in enumerate(rows[head])}
    lines = [row for row in rows[head + 1 :] if row[columns["事由"]]]
    came = sum(row[columns["收入（元）"]] or 0 for row in lines)
    went = sum(row[columns["支出（元）"]] or 0 for row in lines)
    assert (came, went, lines[0][columns["结余（元）"]]) == (1000, 215, 785)
    set_scope(["511702"])
    assert Entry.objects.filter(action="shop.export_book").count() == 1


def test_who_sees_the_money(shop: SimpleNamespace):
    """A-05: the books for who keeps and who watches; nobody else learns that they exist."""
    paths = [
        shop.funds,
        shop.page,
        f"{shop.funds}settings/",
        f"{shop.funds}queue/",
        f"/desk/{shop.place}/shop/budget/",
    ]
    for person in (shop.cast.clerk, shop.cast.supervisor, shop.cast.township, shop.cast.county):
        assert [browser(person).get(path).status_code for path in paths] == [200] * len(paths)
    for person in (
        shop.cast.villager,
        shop.cast.shopkeeper,
        shop.cast.reviewer,
        shop.cast.bank,
        shop.cast.stranger_clerk,
    ):
        assert {browser(person).get(path).status_code for path in paths} <= {403, 404}
    data = {"id": str(uuid7()), "fen": "10", "source": "集体收益", "paper": "收-9", "on": "2026-01-01"}
    for person in (shop.cast.supervisor, shop.cast.township, shop.cast.shopkeeper, shop.cast.stranger_clerk):
        assert post(person, f"{shop.page}deposit/", **data).status_code in (403, 404)
        assert post(person, f"{shop.funds}settings/", mode="floating").status_code in (403, 404)
    assert cash_of(shop.fund) == 78500
    assert (
        browser(shop.cast.clerk).get(shop.page.replace(shop.place, shop.cast.next_place)).status_code == 404
    )


SETTINGS = {"mode": "fixed", "value_fen": "1", "hold_days": "5", "cap_points": "20", "issue_policy": "queue",
            "resolution": "2026年第3次村民代表会议"}  # fmt: skip


def test_settings_by_resolution_also_say_what_happens_when_money_is_short(shop: SimpleNamespace):
    """G-11: the village's choice has its place beside the value of a point; both or neither are saved."""
    path = f"{shop.funds}settings/"
    assert post(shop.cast.clerk, path, **SETTINGS).status_code == 302
    row = settings_of(shop.place)
    assert (row.hold_days, row.cap_points, row.resolution) == (5, 2000, SETTINGS["resolution"])
    assert village_settings(shop.place).issue_policy == "queue"
    for wrong in ({"resolution": ""}, {"hold_days": "61"}, {"value_fen": ""}, {"value_fen": "0"}, {"cap_points": "x"},
                  {"issue_policy": "never"}):  # fmt: skip
        answer = post(shop.cast.clerk, path, **(SETTINGS | {"issue_policy": "refuse"} | wrong))
        assert answer.status_code == 422
    assert village_settings(shop.place).issue_policy == "queue"
    assert "排队等资金" in get(shop.cast.supervisor, path)


def test_a_dearer_point_than_the_money_covers_is_refused(shop: SimpleNamespace):
    """G-12: 200 points are out, 1,000 yuan in cash and goods: 5 yuan a point is covered, 6 is not."""
    path = f"{shop.funds}settings/"
    assert post(shop.cast.clerk, path, **(SETTINGS | {"value_fen": "6"})).status_code == 422
    assert settings_of(shop.place).value_fen == 100 and village_settings(shop.place).issue_policy == "free"
    assert post(shop.cast.clerk, path, **(SETTINGS | {"value_fen": "5"})).status_code == 302


def partner(shop: SimpleNamespace) -> Shop:
    made = actions.open_shop(by=shop.cast.clerk, place=shop.place, title="演示商店", kind="partner")
    actions.redeem(
        by=shop.cast.shopkeeper, id=uuid7(), shop=made, household=shop.cast.household,
        wanted=[actions.Wanted(None, 1, 2000, "食用油")],
    )  # fmt: skip
    return made


def test_a_partner_is_paid_what_its_orders_come_to_and_no_more(shop: SimpleNamespace):
    """G-15: 20 points at 1 yuan; a part, then the rest, never more, and a double tap pays once."""
    made, clerk, path = partner(shop), shop.cast.clerk, f"{shop.page}settle/"
    assert "应付 20.00 元" in get(clerk, path) and "演示商店" in get(clerk, shop.funds)
    data = {"id": str(uuid7()), "shop": str(made.pk), "fen": "15", "paper": "付-1"}
    assert post(clerk, path, **(data | {"id": str(uuid7()), "fen": "20.01"})).status_code == 422
    assert post(clerk, path, **data).status_code == 302
    assert post(clerk, path, **data).status_code == 302
    assert [(one.fen, one.paid, one.open) for one in owed_to_shops(shop.place)] == [(2000, 1500, 500)]
    assert cash_of(shop.fund) == 78500 - 1500
    rest = {"id": str(uuid7()), "shop": str(made.pk), "fen": "5.01", "paper": "付-2"}
    answer = post(clerk, path, **rest)
    assert answer.status_code == 422 and "只应付 5.00 元" in answer.content.decode()
    assert post(clerk, path, **(rest | {"shop": str(shop.shop.pk)})).status_code == 422
    assert post(clerk, path, **(rest | {"fen": "5"})).status_code == 302
    assert Order.objects.filter(shop=made).count() == 1 and cash_of(shop.fund) == 78500 - 2000


def floating_village(shop: SimpleNamespace) -> str:
    give(shop.cast, shop.cast.clerk.resident.household, 100)
    give(shop.cast, shop.cast.elder.resident.household, 100)
    actions.change_settings(by=shop.cast.clerk, place=shop.place, resolution="会-9", mode="floating")
    return f"{shop.page}floating/"


def test_the_pot_is_divided_to_the_fen_after_a_look(shop: SimpleNamespace):
    """G-11 mode B: 100 yuan over 202 points in three households; the list sums to the pot; booked as it was shown."""
    path, clerk = floating_village(shop), shop.cast.clerk
    data = {"id": str(uuid7()), "fen": "100", "paper": "支-1"}
    look = browser(clerk).post(path, data | {"do": "look"})
    assert look.status_code == 200 and "加起来正好 100.00 元" in look.content.decode()
    set_scope(["511702"])
    preview = preview_floating(shop.place, 10000)
    assert sum(line.fen for line in preview.lines) == 10000 and preview.points == 20200
    assert sorted(line.fen for line in preview.lines) == [49, 50, 9901]
    assert post(clerk, path, **data, do="confirm", seen="other").status_code == 422
    done = post(clerk, path, **data, do="confirm", seen=preview.seen)
    assert done.status_code == 302 and cash_of(shop.fund) == 78500 - 10000
    assert all(
        one.balance == 0 for (_, purse), one in balances_of_village(shop.place).items() if purse == "spend"
    )
    assert post(clerk, path, **data, do="confirm", seen=preview.seen).url == done.url
    page = get(shop.cast.supervisor, done.url)
    assert "99.01" in page and "100.00" in page and shop.cast.head.display_name not in page
    book = load_workbook(io.BytesIO(browser(clerk).get(done.url, {"export": "xlsx"}).content)).active
    values = [c.value for row in book.iter_rows() for c in row]
    assert "领款人签字" in values and 99.01 in values and 100 in values
    set_scope(["511702"])
    assert verify([shop.place]).ok
    assert Entry.objects.filter(action="shop.export_settlement").count() == 1


def test_points_that_move_between_look_and_confirm_are_shown_again(shop: SimpleNamespace):
    path = floating_village(shop)
    seen = preview_floating(shop.place, 10000).seen
    give(shop.cast, shop.cast.elder.resident.household, 1000)
    answer = post(shop.cast.clerk, path, id=str(uuid7()), fen="100", paper="支-1", do="confirm", seen=seen)
    assert answer.status_code == 422 and "再看一遍" in answer.content.decode()
    assert cash_of(shop.fund) == 78500


def test_a_fixed_value_is_not_divided_and_the_pot_is_not_overdrawn(shop: SimpleNamespace):
    path = f"{shop.page}floating/"
    assert "本村是固定分值" in get(shop.cast.clerk, path)
    assert post(shop.cast.clerk, path, id=str(uuid7()), fen="10", paper="支-1", do="look").status_code == 422
    floating_village(shop)
    answer = post(shop.cast.clerk, path, id=str(uuid7()), fen="785.01", paper="支-1", do="look")
    assert answer.status_code == 422 and "只有 785.00 元" in answer.content.decode()


def test_a_township_keeps_a_fund_without_points(shop: SimpleNamespace):
    """L-17: its shop is filled from its own money; points belong to the villages."""
    township = shop.cast.township
    fund = actions.open_fund(by=township, place="511702109", title="镇超市资金（演示）", basis="党委会议")
    path = f"/desk/511702109/shop/funds/{fund.pk}/"
    data = {"id": str(uuid7()), "fen": "100", "source": "财政", "paper": "收-1", "on": "2026-01-01"}
    assert post(township, f"{path}deposit/", **data).status_code == 302
    assert FundEntry.objects.get(fund=fund).ledger_points == 0
    assert "100.00" in get(township, path) and "镇超市资金" in get(township, "/desk/511702109/shop/funds/")
    for name in ("settings/", "queue/", f"{fund.pk}/floating/"):
        assert browser(township).get(f"/desk/511702109/shop/funds/{name}").status_code == 404
    for person in (shop.cast.clerk, shop.cast.supervisor, shop.cast.stranger_clerk):
        assert browser(person).get(path).status_code == 404


def test_a_partner_with_a_new_name_is_not_paid_twice(shop: SimpleNamespace):
    """What was paid belongs to the shop, whatever stands over its door."""
    partner = actions.open_shop(by=shop.cast.clerk, place=shop.place, title="演示理发店", kind="partner")
    actions.redeem(
        by=shop.cast.clerk, id=uuid7(), shop=partner, household=shop.cast.household,
        wanted=[actions.Wanted(None, 1, 1000, "理发一次")],
    )  # fmt: skip
    facts = {"by": shop.cast.clerk, "fund": shop.fund, "shop": partner, "fen": 1000, "paper": "付-1"}
    actions.settle_shop(id=uuid7(), **facts)
    actions.edit_shop(by=shop.cast.clerk, shop=partner, title="演示新理发店")
    with pytest.raises(ShopError, match=r"现在只应付 0\.00 元"):
        actions.settle_shop(id=uuid7(), **facts)
