"""Reserve, hand over, cancel, time out; and everything that is refused before anything moves."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.ledger.errors import LedgerError
from zhili.ledger.queries import balances
from zhili.ledger.verify import verify
from zhili.people.actions import delegate
from zhili.people.models import Household
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import FundAccount, Order, StockMove
from zhili.shop.tests.stage import RICE, SOAP, bought, give, later, open_for, ordered, shelf


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


def spend(shop: SimpleNamespace) -> tuple[int, int]:
    """(balance, available) of the cast's household, hundredths."""
    one = balances(shop.place, [shop.cast.household.pk])[shop.cast.household.pk, "spend"]
    return one.balance, one.available


def money(shop: SimpleNamespace) -> dict[str, int]:
    return {row.kind: row.balance for row in FundAccount.objects.filter(place=shop.place)}


def test_over_the_counter(shop: SimpleNamespace):
    """L-17: points leave the purse, goods the shelf, cost the money books; each in its own unit."""
    before = money(shop)
    order = bought(shop, 2)
    assert order.status == "handed_over"
    assert spend(shop) == (20_000 - 2 * SOAP, 20_000 - 2 * SOAP)
    assert shelf(shop.soap) == (18, 0)
    assert money(shop)["goods"] == before["goods"] - 400
    assert money(shop)["spent"] == 400
    assert verify([shop.place]).ok


def test_order_and_collect(shop: SimpleNamespace):
    """C-06: reserve → pick up → done; points and goods are set aside at once and taken once."""
    order = ordered(shop, 3)
    assert len(order.pick_up_code) == 6
    assert spend(shop) == (20_000, 20_000 - 3 * SOAP)
    assert shelf(shop.soap) == (20, 3)
    for _ in range(2):
        done = actions.hand_over(by=shop.cast.shopkeeper, order=order)
    assert done.status == "handed_over"
    assert spend(shop) == (20_000 - 3 * SOAP, 20_000 - 3 * SOAP)
    assert shelf(shop.soap) == (17, 0)
    assert StockMove.objects.filter(order=order).count() == 1


@pytest.mark.parametrize("way", ["cancel", "expire"])
def test_nobody_came(shop: SimpleNamespace, way: str):
    """C-06: cancelled or timed out, points and goods come back once, however often it is done."""
    order = ordered(shop, 3)
    for _ in range(2):
        if way == "cancel":
            actions.cancel(by=shop.cast.villager, order=order, reason="不要了")
        else:
            assert actions.expire_orders(shop.place, on=later(7)) == 0
            actions.expire_orders(shop.place, on=later(8))
    order.refresh_from_db()
    assert order.status == ("cancelled" if way == "cancel" else "expired")
    assert spend(shop) == (20_000, 20_000)
    assert shelf(shop.soap) == (20, 0)
    with pytest.raises(Conflict):
        actions.hand_over(by=shop.cast.shopkeeper, order=order)
    assert verify([shop.place]).ok


def test_the_same_request_takes_points_once(shop: SimpleNamespace):
    """C-03, C-15: same key and body, one redemption; same key and another body is refused."""
    key = uuid7()
    first = bought(shop, 1, id=key)
    again = bought(shop, 1, id=key)
    assert (again.pk, again.number) == (first.pk, first.number)
    assert spend(shop)[0] == 20_000 - SOAP
    with pytest.raises(Conflict):
        bought(shop, 2, id=key)
    assert shelf(shop.soap) == (19, 0)


@pytest.mark.parametrize(
    "case", ["sold_out", "short", "price", "limit", "paused", "unlisted", "fair_days_only"]
)
def test_refused_in_words_before_anything_moves(shop: SimpleNamespace, case: str):
    """C-01, L-06: shelf, purse, price, limit and window are checked first; nothing is half done."""
    facts: dict = {"visit": actions.Visit(proof=actions.Proof(second=shop.cast.clerk))}
    if case == "sold_out":
        words = "只剩 20块"
        facts["quantity"] = 21
    elif case == "short":
        facts["wanted"] = [actions.Wanted(shop.rice.pk, 5, RICE)]
        words = "兑换积分不够"
    elif case == "price":
        facts, words = {"wanted": [actions.Wanted(shop.soap.pk, 1, 200)]}, "现在是 2.5 分"
    elif case == "limit":
        actions.edit_good(by=shop.cast.clerk, good=shop.soap, limit_count=2)
        bought(shop, 2)
        facts, words = {"quantity": 1}, "限兑 2块，本户已兑 2块"
    elif case == "paused":
        actions.edit_shop(by=shop.cast.clerk, shop=shop.shop, paused="盘点")
        words = "暂停兑换：盘点"
    elif case == "fair_days_only":
        actions.edit_shop(by=shop.cast.clerk, shop=shop.shop, only_fair_days=True)
        words = "只在兑换日开放"
    else:
        late = actions.add_good(by=shop.cast.clerk, shop=shop.shop, code="C01", title="脸盆")
        facts, words = {"wanted": [actions.Wanted(late.pk, 1, 500)]}, "本期没有价格"
    before = spend(shop), shelf(shop.soap), shelf(shop.rice), Order.objects.count()
    with pytest.raises((ShopError, LedgerError), match=words):
        bought(shop, **facts)
    assert (spend(shop), shelf(shop.soap), shelf(shop.rice), Order.objects.count()) == before


@pytest.mark.parametrize(
    "who", ["villager", "reviewer", "stranger", "stranger_clerk", "bank", "township", "supervisor"]
)
def test_only_the_shop_s_people_hand_over(shop: SimpleNamespace, who: str):
    """A-07: nobody takes goods off the shelf for points but who keeps the counter."""
    order = ordered(shop)
    with pytest.raises(NotAllowed):
        bought(shop, by=getattr(shop.cast, who))
    with pytest.raises(NotAllowed):
        actions.hand_over(by=getattr(shop.cast, who), order=order)


@pytest.mark.parametrize("who", ["reviewer", "stranger", "bank", "township"])
def test_nobody_orders_for_a_household_that_did_not_ask(shop: SimpleNamespace, who: str):
    with pytest.raises(NotAllowed):
        ordered(shop, by=getattr(shop.cast, who))


def test_a_delegate_orders_and_it_says_so(shop: SimpleNamespace):
    """A-09: 乙 代 甲 stands in the order."""
    cast = shop.cast
    delegate(by=cast.clerk, principal=cast.head.resident, delegate=cast.reviewer2, scope="redeem", valid_to=later(30),
             paper_number="WT-1")  # fmt: skip
    order = ordered(shop, by=cast.reviewer2)
    assert order.on_behalf_of == cast.head.resident


def test_a_neighbour_collects(shop: SimpleNamespace):
    """AD-05: 代领 is recorded as such, and the card alone is not enough."""
    order = ordered(shop)
    visit = actions.Visit(collector=shop.cast.reviewer2.resident, relation="邻居")
    with pytest.raises(ShopError, match="代领"):
        actions.hand_over(by=shop.cast.shopkeeper, order=order, visit=visit)
    done = actions.hand_over(
        by=shop.cast.shopkeeper,
        order=order,
        visit=replace(visit, proof=actions.Proof(second=shop.cast.clerk)),
    )
    assert done.is_proxy
    assert (done.proof, done.second) == ("second", shop.cast.clerk)


def test_above_the_cap_a_card_is_not_enough(shop: SimpleNamespace):
    """N-07: a found or copied card buys small things only; PIN, signature or a second person above."""
    actions.set_pin(by=shop.cast.villager, household=shop.cast.household, pin="2580")
    facts = {"wanted": [actions.Wanted(shop.rice.pk, 1, RICE)]}
    with pytest.raises(ShopError, match="超过 30 分"):
        bought(shop, **facts)
    with pytest.raises(ShopError, match="密码不对"):
        bought(shop, visit=actions.Visit(proof=actions.Proof(pin="0000")), **facts)
    with pytest.raises(ShopError, match="另一个人"):
        bought(shop, visit=actions.Visit(proof=actions.Proof(second=shop.cast.shopkeeper)), **facts)
    assert bought(shop, visit=actions.Visit(proof=actions.Proof(pin="2580")), **facts).proof == "pin"


def test_guessing_a_pin_waits_longer_each_time(shop: SimpleNamespace):
    """N-07: after three wrong tries the right one has to wait too."""
    household = shop.cast.household
    actions.set_pin(by=shop.cast.villager, household=household, pin="2580")
    assert [actions.pin_is_right(household, one) for one in ("0000", "2581", "1")] == [False] * 3
    with pytest.raises(ShopError, match="分钟后再试"):
        actions.pin_is_right(household, "2580")
    with pytest.raises(ShopError, match="密码不对"):
        bought(shop, visit=actions.Visit(proof=actions.Proof(pin="2580")),
               wanted=[actions.Wanted(shop.rice.pk, 1, RICE)])  # fmt: skip


@pytest.mark.parametrize("pin", ["", "123", "1234", "4321", "7777", "12a4", "1234567"])
def test_easy_pins_are_refused(shop: SimpleNamespace, pin: str):
    with pytest.raises(ShopError):
        actions.set_pin(by=shop.cast.villager, household=shop.cast.household, pin=pin)


def test_nobody_serves_the_own_household_alone(shop: SimpleNamespace):
    """A-07: the shopkeeper's own household needs a second person, whatever the amount."""
    keeper = shop.cast.shopkeeper
    own = keeper.resident.household
    give(shop.cast, own, 1_000)
    with pytest.raises(ShopError, match="自己家"):
        bought(shop, household=own)
    visit = actions.Visit(proof=actions.Proof(second=shop.cast.clerk))
    assert bought(shop, household=own, visit=visit).second == shop.cast.clerk


def test_a_closed_household_redeems_nothing(shop: SimpleNamespace):
    home = Household.objects.get(place=shop.place, code="1002")
    Household.objects.filter(pk=home.pk).update(status="moved", closed_on=later(0))
    with pytest.raises(Exception, match="不能再办理"):
        bought(shop, household=home)


def test_a_household_of_the_next_village_is_not_served(shop: SimpleNamespace):
    """A-02: the other village's household and this village's shelf never meet."""
    other = shop.cast.stranger.resident.household
    with pytest.raises((NotAllowed, ShopError)):
        bought(shop, household=other)


@pytest.mark.parametrize("whose", ["another household", "a person of another household", "nobody"])
def test_nobody_pays_with_the_points_of_another(shop: SimpleNamespace, whose: str):
    """A-11: the purse named in a form is the household's or one of its people's; else refused, nothing moved."""
    other = Household.objects.get(place=shop.place, code="1002")
    give(shop.cast, other, 10_000)
    owner = {
        "another household": other.pk,
        "a person of another household": shop.cast.group_leader.resident.pk,
        "nobody": uuid7(),
    }[whose]
    with pytest.raises(NotAllowed, match="别家的积分"):
        bought(shop, owner=owner)
    with pytest.raises(NotAllowed, match="别家的积分"):
        ordered(shop, owner=owner)
    assert Order.objects.count() == 0
    assert shelf(shop.soap) == (20, 0)
