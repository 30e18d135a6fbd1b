"""核查提示 (AD-05, AD-09): each detector finds a simulated cheat, and leaves an honest village alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from types import SimpleNamespace

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from zhili.audit.models import Entry
from zhili.claims.models import Recusal
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.scope import set_scope
from zhili.people.models import Household, Resident
from zhili.shop import actions
from zhili.shop.errors import ShopError
from zhili.shop.flags import Flag, flags, open_count
from zhili.shop.models import FlagResult, Order
from zhili.shop.ordering import Visit
from zhili.shop.proofs import Proof
from zhili.shop.tests.stage import RICE, SOAP, bought, browser, give, open_for


@pytest.fixture
def clock():
    with time_machine.travel("2026-11-02 10:00:00+08:00", tick=True) as traveller:
        yield traveller


@pytest.fixture
def shop(cast: SimpleNamespace, clock) -> SimpleNamespace:
    """A shop and fourteen more households (4101 … 4114) with an old person each and 60 points."""
    found = open_for(cast)
    actions.deposit(by=cast.clerk, fund=found.fund, fen=500_000, source="财政", paper="收-2")
    for good, count, cost in ((found.soap, 280, 200), (found.rice, 25, 3500)):
        actions.stock_in(
            by=cast.shopkeeper, good=good, quantity=count, fen=count * cost, fund=found.fund, paper="进-0"
        )
    found.homes = []
    for n in range(1, 15):
        home = Household.objects.create(
            place=cast.place, code=f"41{n:02d}", group="4组", opened_on=date(2020, 1, 1)
        )
        Resident.objects.create(
            place=cast.place,
            household=home,
            name=f"演示老人{n}",
            relation="head",
            birth_date=date(1945, 1, 1),
        )
        give(cast, home, 6000)
        found.homes.append(home)
    found.page = f"/desk/{cast.place}/shop/flags/"
    return found


def collect(
    shop: SimpleNamespace, home: Household, collector: Resident | None, relation: str = "邻居", **more
) -> Order:
    """Soap handed to somebody of another household, with the second person N-07 asks for."""
    visit = Visit(collector=collector, relation=relation, proof=Proof(second=shop.cast.clerk))
    return bought(shop, household=home, visit=visit, **more)


def of(shop: SimpleNamespace, rule: str) -> list[Flag]:
    return [flag for flag in flags(shop.place) if flag.rule == rule]


def honest(shop: SimpleNamespace) -> None:
    """A quarter of an honest village: everybody redeems, neighbours collect for one or two, a bag breaks, rice gets a
    little dearer, a relative's shop sells a pencil, big orders are proved."""
    cast = shop.cast
    for n, home in enumerate(shop.homes):
        bought(shop, 1 + n % 3, household=home)
    for home, neighbour in zip(shop.homes[:6], [cast.elder, cast.elder, cast.elder2, cast.elder2, cast.head, cast.head],
                               strict=True):  # fmt: skip
        collect(shop, home, neighbour.resident)
    collect(shop, shop.homes[7], None, "儿媳")
    actions.redeem(by=cast.shopkeeper, id=uuid7(), shop=shop.shop, household=shop.homes[8],
                   wanted=[actions.Wanted(shop.rice.pk, 1, RICE)],
                   visit=Visit(proof=Proof(second=cast.clerk)))  # fmt: skip
    actions.stock_in(by=cast.shopkeeper, good=shop.rice, quantity=10, fen=38500, fund=shop.fund, paper="进-2")
    tied = actions.add_supplier(
        by=cast.clerk, place=shop.place, title="亲戚文具（演示）", related_to="文书的表弟"
    )
    pencil = actions.add_good(by=cast.shopkeeper, shop=shop.shop, code="P01", title="铅笔")
    actions.stock_in(
        by=cast.shopkeeper, good=pencil, quantity=20, fen=2000, fund=shop.fund, supplier=tied, paper="进-3"
    )
    counted(shop, 2)


def counted(shop: SimpleNamespace, missing: int) -> None:
    shop.soap.refresh_from_db()
    count = actions.ask_count(by=shop.cast.shopkeeper, shop=shop.shop,
                              counted=[actions.Counted(shop.soap, shop.soap.stock - missing, "包装破损")])  # fmt: skip
    actions.sign_count(by=shop.cast.supervisor, count=count, agree=True)


def test_an_honest_village_has_no_flag(shop: SimpleNamespace):
    """AD-05, AD-09: smallest numbers keep ordinary life out."""
    honest(shop)
    assert flags(shop.place) == [] and open_count(shop.place) == 0


def one_collects_for_all(shop: SimpleNamespace) -> None:
    for home in shop.homes[:5]:
        collect(shop, home, shop.cast.group_leader.resident)


def nobody_is_named(shop: SimpleNamespace) -> None:
    for home in shop.homes[:4]:
        collect(shop, home, None, "邻居")


def three_take_it_all(shop: SimpleNamespace) -> None:
    for home in shop.homes[3:]:
        bought(shop, 1, household=home)
    for home in shop.homes[:3]:
        bought(shop, 8, household=home)


def large_without_proof(shop: SimpleNamespace) -> None:
    """No door of the application lets it through: somebody wrote into the table."""
    for home in shop.homes[:2]:
        order = actions.redeem(by=shop.cast.shopkeeper, id=uuid7(), shop=shop.shop, household=home,
                               wanted=[actions.Wanted(shop.rice.pk, 1, RICE)],
                               visit=Visit(proof=Proof(second=shop.cast.clerk)))  # fmt: skip
        Order.objects.filter(pk=order.pk).update(proof="", second=None)


def soap_vanishes(shop: SimpleNamespace) -> None:
    bought(shop, 10)
    counted(shop, 5)


def the_price_jumps(shop: SimpleNamespace) -> None:
    actions.stock_in(
        by=shop.cast.shopkeeper, good=shop.rice, quantity=10, fen=43000, fund=shop.fund, paper="进-2"
    )


def bought_from_a_cousin(shop: SimpleNamespace) -> None:
    tied = actions.add_supplier(
        by=shop.cast.clerk, place=shop.place, title="亲戚粮油（演示）", related_to="店员的妹夫"
    )
    actions.stock_in(by=shop.cast.shopkeeper, good=shop.rice, quantity=20, fen=70000, fund=shop.fund, supplier=tied,
                     paper="进-4")  # fmt: skip


CHEATS: list[tuple[str, Callable[[SimpleNamespace], None], str]] = [
    ("collector", one_collects_for_all, "1002 户的人替 5 户领过 5 次，共 12.5 分"),
    ("unnamed", nobody_is_named, "同一位经办人有 4 单代领没有写明是谁领的，涉及 4 户"),
    ("few", three_take_it_all, "“香皂”兑出 35块，其中 24块（68%）是 3 户兑走的"),
    ("no_proof", large_without_proof, "同一位经办人有 2 单超过 30 分，没有密码、签名照片"),
    ("shrinkage", soap_vanishes, "“香皂”盘点一共少 5块，值 10.00 元"),
    ("price", the_price_jumps, "“大米10斤”进货价从每袋 35.00 元涨到 43.00 元，涨了 22%"),
    ("tied", bought_from_a_cousin, "从“亲戚粮油（演示）”进货 1 次，共 700.00 元；登记的关系：店员的妹夫"),
]


@pytest.mark.parametrize("rule, cheat, sentence", CHEATS, ids=[rule for rule, _, _ in CHEATS])
def test_every_detector_catches_its_cheat_and_no_other_speaks(
    shop: SimpleNamespace, clock, rule, cheat, sentence
):
    """AD-05, AD-09: one flag, one sentence with its numbers, its lines and what it is compared with; gone after a
    quarter."""
    cheat(shop)
    (flag,) = flags(shop.place)
    assert flag.rule == rule and sentence in flag.sentence and flag.open
    assert flag.rows and flag.comparison and all(words for _, words in flag.rows)
    clock.move_to("2027-02-05 10:00:00+08:00")
    assert flags(shop.place) == []


def test_one_below_the_least_number_says_nothing(shop: SimpleNamespace):
    for home in shop.homes[:3]:
        collect(shop, home, shop.cast.group_leader.resident)
        collect(shop, home, None, "邻居")
    actions.stock_in(
        by=shop.cast.shopkeeper, good=shop.rice, quantity=10, fen=42000, fund=shop.fund, paper="进-2"
    )
    actions.stock_in(
        by=shop.cast.shopkeeper, good=shop.soap, quantity=10, fen=1000, fund=shop.fund, paper="进-2"
    )
    assert flags(shop.place) == []


def test_a_familys_turns_are_one_pattern_and_kin_of_the_server_come_first(shop: SimpleNamespace):
    """AD-05: two people of one household count together; declared relatives of whoever handed over stand on top."""
    cast = shop.cast
    for n, home in enumerate(shop.homes[:6]):
        collect(shop, home, (cast.villager if n % 2 else cast.head).resident)
    for home in shop.homes[6:10]:
        collect(shop, home, cast.elder.resident)
    assert [flag.subject for flag in of(shop, "collector")] == [
        str(cast.household.pk), str(cast.elder.resident.household_id)
    ]  # fmt: skip
    Recusal.objects.create(place=shop.place, user=cast.shopkeeper, household=cast.elder.resident.household,
                           kind="relative", declared_by=cast.shopkeeper)  # fmt: skip
    first, second = of(shop, "collector")
    assert first.kin and first.subject == str(cast.elder.resident.household_id) and not second.kin
    assert "亲属" in first.sentence and "亲属" not in second.sentence


def judged(shop: SimpleNamespace, flag: Flag, by=None, **more) -> FlagResult:
    facts = {"result": "reason", "note": "问了五户，都是自己托的。"} | more
    return actions.judge_flag(by=by or shop.cast.supervisor, place=shop.place, rule=flag.rule, subject=flag.subject,
                              **facts)  # fmt: skip


def test_a_person_finds_out_and_nothing_else_happens(shop: SimpleNamespace, clock):
    """AD-05: 有理由 is written down once and for all; points and orders are as they were; more of it opens it again."""
    one_collects_for_all(shop)
    (flag,) = flags(shop.place)
    before = list(Order.objects.order_by("pk").values())
    made = judged(shop, flag)
    (flag,) = flags(shop.place)
    assert not flag.open and open_count(shop.place) == 0 and flag.result == made
    assert list(Order.objects.order_by("pk").values()) == before
    assert Entry.objects.get(action="shop.judge_flag").detail == {"rule": "collector", "result": "reason"}
    for home in shop.homes[5:8]:
        collect(shop, home, shop.cast.group_leader.resident)
    assert open_count(shop.place) == 0
    collect(shop, shop.homes[8], shop.cast.group_leader.resident)
    (flag,) = flags(shop.place)
    assert flag.open and flag.reopened
    for change in ({"result": "false"}, {"by": shop.cast.clerk}, {"subject": "x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            FlagResult.objects.filter(pk=made.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        made.delete()


def test_who_may_look_and_who_may_judge(shop: SimpleNamespace):
    """A-07, AD-05: those who serve never see it, those above see it, nobody judges what is about themselves."""
    one_collects_for_all(shop)
    for home in shop.homes[8:13]:
        collect(shop, home, shop.cast.supervisor.resident)
    cast, found = shop.cast, of(shop, "collector")
    own = next(flag for flag in found if flag.subject == str(cast.supervisor.resident.household_id))
    other = next(flag for flag in found if flag is not own)
    for person in (cast.clerk, cast.shopkeeper, cast.county, cast.villager, cast.elder, cast.stranger_clerk):
        with pytest.raises(NotAllowed):
            judged(shop, other, by=person)
    with pytest.raises(NotAllowed, match="自己有关"):
        judged(shop, own)
    assert judged(shop, own, by=cast.township).result == "reason"
    for wrong in ({"result": "guilty"}, {"note": "短"}, {"result": ""}):
        with pytest.raises(ShopError):
            judged(shop, other, **wrong)
    with pytest.raises(ShopError, match="没有了"):
        actions.judge_flag(
            by=cast.supervisor, place=shop.place, rule="few", subject="x", result="true", note="没有这条"
        )
    asked = (
        "supervisor",
        "township",
        "county",
        "clerk",
        "shopkeeper",
        "elder",
        "villager",
        "bank",
        "stranger_clerk",
    )
    codes = {who: browser(getattr(cast, who)).get(shop.page).status_code for who in asked}
    assert [who for who, code in codes.items() if code == 200] == ["supervisor", "township", "county"]
    assert set(codes.values()) <= {200, 403, 404}


def test_the_page_in_words_and_its_form(shop: SimpleNamespace):
    """AD-05: sentence, comparison, lines by household number, no name; a bad answer keeps what was typed."""
    one_collects_for_all(shop)
    supervisor = browser(shop.cast.supervisor)
    page = supervisor.get(shop.page).content.decode()
    assert "1002 户的人替 5 户领过" in page and "4103 户" in page and "不是说谁有错" in page
    assert "演示老人" not in page and shop.cast.group_leader.display_name not in page
    data = {"rule": "collector", "subject": str(shop.cast.group_leader.resident.household_id)}
    bad = supervisor.post(shop.page, data | {"result": "true", "note": "问"})
    assert (
        bad.status_code == 422
        and "写明怎么核查的" in bad.content.decode()
        and ">\n问</textarea>" in bad.content.decode()
    )
    assert (
        supervisor.post(shop.page, data | {"result": "false", "note": "问过本人和五户。"}).status_code == 302
    )
    page = supervisor.get(shop.page).content.decode()
    assert "已经核查过的" in page and "误报" in page and "没有要核查的" in page
    assert (
        browser(shop.cast.county).post(shop.page, data | {"result": "true", "note": "看看看看"}).status_code
        == 422
    )
    set_scope(["511702"])
    assert FlagResult.objects.count() == 1


def test_flags_are_on_the_watchers_today_page_only(shop: SimpleNamespace):
    one_collects_for_all(shop)
    today = f"/desk/{shop.place}/"
    assert "1 条核查提示" in browser(shop.cast.supervisor).get(today).content.decode()
    for person in (shop.cast.clerk, shop.cast.group_leader, shop.cast.reviewer, shop.cast.elder):
        assert "条核查提示" not in browser(person).get(today).content.decode()
    for path in (f"/open/{shop.place}/", f"/open/{shop.place}/shop/reconciliation/"):
        assert "核查提示" not in Client().get(path).content.decode()


def test_statements_do_not_grow_with_orders(shop: SimpleNamespace):
    with CaptureQueriesContext(connection) as few:
        flags(shop.place)
    honest(shop)
    one_collects_for_all(shop)
    with CaptureQueriesContext(connection) as many:
        assert len(flags(shop.place)) == 1
    assert len(many) == len(few) == 9


def test_a_price_that_fell_and_a_gift_are_no_jump(shop: SimpleNamespace):
    actions.stock_in(
        by=shop.cast.shopkeeper, good=shop.rice, quantity=10, fen=20000, fund=shop.fund, paper="进-2"
    )
    actions.stock_in(by=shop.cast.shopkeeper, good=shop.soap, quantity=10, fen=9000, fund=shop.fund, paper="赠-2",
                     donated_by="演示企业")  # fmt: skip
    assert of(shop, "price") == [] and SOAP == 250
