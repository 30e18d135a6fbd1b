"""The counter through its pages: card, goods, confirm, done; refusals in words; the same request twice is once."""

from __future__ import annotations

import re
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from PIL import Image

from zhili.audit.models import Entry
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.ledger.queries import balances
from zhili.ledger.verify import verify
from zhili.people.household_actions import reissue_card
from zhili.shop import actions
from zhili.shop.models import Order, Pin, Shop
from zhili.shop.tests.stage import RICE, SOAP, give, open_for, ordered, shelf

FACES = ["desk", "m"]


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    return open_for(cast)


def at(cast: SimpleNamespace, face: str, way: str = "counter/") -> str:
    if face == "desk":
        return f"/desk/{cast.place}/shop/" + way.replace("counter/pickup", "pickup")
    return "/m/" + way


def as_(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def left(shop: SimpleNamespace) -> int:
    return balances(shop.place, [shop.cast.household.pk])[shop.cast.household.pk, "spend"].available


def visit(shop: SimpleNamespace, face: str, household: Any = None) -> str:
    home = household or shop.cast.household
    return at(shop.cast, face, f"counter/{home.pk}/")


def goods(shop: SimpleNamespace, count: int = 1, **more: Any) -> dict[str, Any]:
    """The goods page filled in, as the form sends it."""
    return {
        "id": str(uuid7()), "fair": "", f"n-{shop.soap.pk}": str(count), f"seen-{shop.soap.pk}": str(SOAP), **more,
    }  # fmt: skip


def photo() -> BytesIO:
    file = BytesIO()
    Image.new("RGB", (60, 40), (200, 180, 90)).save(file, "JPEG")
    file.seek(0)
    file.name = "slip.jpg"
    return file


@pytest.mark.parametrize("face", FACES)
def test_card_goods_confirm_done(shop: SimpleNamespace, face: str):
    """U-30, A-05: from the scanned card to the last page, on both machines, without script; masked name and balance."""
    client, cast = as_(shop.cast.shopkeeper), shop.cast
    found = client.get(at(cast, face), {"q": f"https://x.cn/m/card/{cast.household.card_token}/"})
    assert found.status_code == 302 and str(cast.household.pk) in found.url
    page = client.get(found.url)
    key = UUID(page.context["typed"].id.hex)
    assert f"id={key}" in found.url, "looking again is the same visit"
    assert "能用 <strong>200</strong> 分" in text(page)
    assert str(cast.head.resident.name) not in text(page) and "演**" in text(page)
    for secret in ("1960", "0818-1"):
        assert secret not in text(page)
    sent = goods(shop, 2, id=str(key))
    look = client.post(found.url, {**sent, "step": "look"})
    assert look.status_code == 200 and left(shop) == 20_000, "a look moves nothing"
    assert "195 分" in text(look) and "确认兑换，用 5 分" in text(look)
    done = client.post(found.url, {**sent, "step": "confirm"}, follow=True)
    assert "换了香皂 2 件" in text(done) and "还剩 <strong>195</strong> 分" in text(done)
    assert "autofocus" in text(done)
    assert shelf(shop.soap) == (18, 0) and left(shop) == 19_500
    assert client.get(found.url).status_code == 302, (
        "back to the address of a visit that is done: its last page"
    )
    assert verify([shop.place]).ok


@pytest.mark.parametrize("face", FACES)
def test_the_same_confirmation_twice_is_one_redemption(shop: SimpleNamespace, face: str):
    """C-03, C-15: double tap, lost answer, back button: the same last page, points once; other goods are refused."""
    client, sent = as_(shop.cast.shopkeeper), goods(shop, 1)
    answers = [client.post(visit(shop, face), {**sent, "step": "confirm"}) for _ in range(4)]
    assert {(one.status_code, one.url) for one in answers} == {(302, answers[0].url)}
    assert Order.objects.count() == 1 and left(shop) == 20_000 - SOAP
    other = client.post(visit(shop, face), {**sent, f"n-{shop.soap.pk}": "2", "step": "confirm"})
    assert (
        other.status_code == 422
        and "已经办过，内容不同" in text(other)
        and "看这张单子已经办成的样子" in text(other)
    )
    assert Order.objects.count() == 1 and shelf(shop.soap) == (19, 0)


def test_the_last_one_sent_twice_is_still_the_same_page(shop: SimpleNamespace):
    """C-15: the retry comes when the shelf is empty because of the first."""
    client, sent = as_(shop.cast.shopkeeper), goods(shop, 1)
    sent[f"n-{shop.soap.pk}"] = "12"
    first = client.post(visit(shop, "m"), {**sent, "step": "confirm"})
    assert first.status_code == 302
    actions.edit_good(by=shop.cast.clerk, good=shop.soap, limit_count=12)
    again = client.post(visit(shop, "m"), {**sent, "step": "confirm"})
    assert (again.status_code, again.url) == (302, first.url)
    assert shelf(shop.soap) == (8, 0)


@pytest.mark.parametrize("case", ["revoked", "unknown", "merged", "foreign"])
def test_a_card_that_leads_nowhere_is_said(shop: SimpleNamespace, case: str):
    """N-07, U-30: a revoked or copied card, a wrong number, an ended household, the next village's card."""
    cast, client = shop.cast, as_(shop.cast.shopkeeper)
    token = cast.household.card_token
    if case == "revoked":
        reissue_card(by=cast.clerk, household=cast.household, reason="丢了")
        asked, words = token, "可能已经换过新卡"
    elif case == "foreign":
        asked, words = cast.stranger.resident.household.card_token, "不是本村的卡"
    elif case == "merged":
        home = cast.elder.resident.household
        home.status, home.closed_on, token = "merged", today(), home.card_token
        home.save(update_fields=["status", "closed_on"])
        asked, words = token, "不能再兑换"
    else:
        asked, words = "9876", "没有“9876”这一户"
    answer = client.get(at(cast, "m"), {"q": asked})
    assert answer.status_code == 422 and words in text(answer)
    logged = Entry.objects.filter(action="shop.card_refused")
    assert logged.count() == (case in ("revoked", "foreign"))


@pytest.mark.parametrize(
    "case", ["sold_out", "short", "price", "limit", "paused", "nothing", "nonsense", "gone"]
)
def test_refused_in_words_and_everything_typed_stays(shop: SimpleNamespace, case: str):
    """C-01: stock, points, price, limit, window: named before anything moves, the numbers typed stand again."""
    client, sent, clerk = as_(shop.cast.shopkeeper), goods(shop, 3), shop.cast.clerk
    if case == "sold_out":
        sent[f"n-{shop.soap.pk}"], words = "21", "只剩 20块"
    elif case == "short":
        sent |= {f"n-{shop.rice.pk}": "5", f"seen-{shop.rice.pk}": str(RICE)}
        words = "积分不够：要 257.5 分，能用的只有 200 分"
    elif case == "price":
        sent[f"seen-{shop.soap.pk}"], words = "200", "价格刚刚变了"
    elif case == "limit":
        actions.edit_good(by=clerk, good=shop.soap, limit_count=2)
        words = "限兑 2块"
    elif case == "paused":
        actions.edit_shop(by=clerk, shop=shop.shop, paused="盘点")
        words = "暂停兑换：盘点"
    elif case == "nothing":
        sent[f"n-{shop.soap.pk}"], words = "0", "请选要兑换的物品"
    elif case == "nonsense":
        sent[f"n-{shop.soap.pk}"], words = "两块", "数量请填整数"
    else:
        actions.edit_good(by=clerk, good=shop.soap, active=False)
        words = "刚刚下架"
    for step in ("look", "confirm"):
        answer = client.post(visit(shop, "desk"), {**sent, "step": step})
        assert answer.status_code == 422 and words in text(answer), text(answer)[-3000:]
        assert "积分没有动" in text(answer) and str(answer.context["typed"].id) == sent["id"]
    if case not in ("gone", "nothing"):
        assert f'value="{sent[f"n-{shop.soap.pk}"]}"' in text(answer)
    assert left(shop) == 20_000 and shelf(shop.soap) == (20, 0) and not Order.objects.exists()


def test_the_queue_goes_on_and_a_visit_put_aside_is_taken_up(shop: SimpleNamespace):
    """An error holds nobody up: what was typed waits in this log-in, without any secret, and can be finished or dropped."""
    client, sent = as_(shop.cast.shopkeeper), goods(shop, 4)
    away = client.post(visit(shop, "m"), {**sent, "step": "aside", "pin": "2580"}, follow=True)
    assert "放在一边的" in text(away) and "1001 户，1 种" in text(away)
    assert "2580" not in str(dict(client.session))
    page = client.get(away.context["aside"][0]["url"])
    assert str(page.context["typed"].id) == sent["id"] and 'value="4"' in text(page)
    client.post(visit(shop, "m"), {**sent, "step": "confirm"})
    assert client.session["counter_aside"] == []
    client.post(visit(shop, "m"), {**goods(shop, 1), "step": "aside"})
    client.post(at(shop.cast, "m"), {"forget": client.session["counter_aside"][0]["id"]})
    assert client.session["counter_aside"] == []


def big(shop: SimpleNamespace, **more: Any) -> dict[str, Any]:
    """50 points: above the cap of 30."""
    return {"id": str(uuid7()), "fair": "", f"n-{shop.rice.pk}": "1", f"seen-{shop.rice.pk}": str(RICE),
            "step": "confirm", **more}  # fmt: skip


def test_above_the_cap_by_pin(shop: SimpleNamespace):
    """N-07: wrong PINs are counted and wait, the household is never shut out, the right one goes through."""
    client, cast = as_(shop.cast.shopkeeper), shop.cast
    sent = big(shop, proof="pin", pin="2580")
    none = client.post(visit(shop, "m"), sent)
    assert none.status_code == 422 and "还没有设密码" in text(none)
    actions.set_pin(by=cast.villager, household=cast.household, pin="2580")
    for _ in range(3):
        wrong = client.post(visit(shop, "m"), {**sent, "pin": "1470"})
        assert wrong.status_code == 422 and "密码不对" in text(wrong) and "1470" not in text(wrong)
    wait = client.post(visit(shop, "m"), sent)
    assert "分钟后再试" in text(wait) and left(shop) == 20_000
    assert Pin.objects.get().wrong == 3
    Pin.objects.update(wait_until=None)
    done = client.post(visit(shop, "m"), sent)
    assert done.status_code == 302
    again = client.post(visit(shop, "m"), {**sent, "pin": "0000"})
    assert again.url == done.url and Pin.objects.get().wrong == 0, "a retry never asks for the PIN again"
    assert Order.objects.get().proof == "pin"


def test_above_the_cap_by_signature_kept_through_an_error(
    shop: SimpleNamespace, settings: Any, tmp_path: Any
):
    """N-07: the photo of the signed slip is taken once; whoever may see it is written down."""
    settings.PHOTO_ROOT = str(tmp_path)
    client, cast = as_(shop.cast.shopkeeper), shop.cast
    nothing = client.post(visit(shop, "m"), big(shop, proof="signature"))
    assert nothing.status_code == 422 and "请拍下签了名的单子" in text(nothing)
    wrong = client.post(visit(shop, "m"), big(shop, proof="pin", pin="", signature=photo()))
    kept = wrong.context["form"].data["kept"]
    assert "照片已经收下" in text(wrong) and kept
    done = client.post(visit(shop, "m"), big(shop, proof="signature", kept=kept))
    assert done.status_code == 302
    order = Order.objects.get()
    assert order.proof == "signature" and (tmp_path / order.place / order.signature).is_file()
    url = f"/desk/{cast.place}/shop/orders/{order.pk}/signature/"
    assert as_(cast.supervisor).get(url)["Content-Type"] == "image/jpeg"
    assert as_(cast.elder).get(url).status_code == 404


@pytest.mark.parametrize("case", ["right", "wrong", "same", "villager", "often"])
def test_above_the_cap_by_a_second_staff_member(shop: SimpleNamespace, case: str):
    """N-07: another staff member signs in at the counter; wrong passwords wait, nobody is locked out."""
    cast = shop.cast
    for user in (cast.clerk, cast.shopkeeper, cast.villager):
        user.set_password("zhili-demo-2026")
        user.save(update_fields=["password"])
    client = as_(cast.shopkeeper)
    who = {"same": "shopkeeper", "villager": "villager"}.get(case, "clerk")
    word = "zhili-demo-2026" if case not in ("wrong", "often") else "nicht-richtig"
    sent = big(shop, proof="second", second_name=who, second_password=word)
    for _ in range(6 if case == "often" else 1):
        answer = client.post(visit(shop, "desk"), sent)
    if case == "right":
        assert answer.status_code == 302 and Order.objects.get().second == cast.clerk
        return
    words = {"wrong": "登录名或密码不对", "often": "试的次数太多"}.get(case, "第二位工作人员要是另一个人")
    assert answer.status_code == 422 and words in text(answer)
    assert word not in text(answer) and left(shop) == 20_000


def test_nobody_serves_the_own_household_alone(shop: SimpleNamespace):
    """A-07: the shopkeeper's own household needs a second staff member, whatever the amount."""
    home = shop.cast.shopkeeper.resident.household
    give(shop.cast, home, 1000)
    client = as_(shop.cast.shopkeeper)
    look = client.post(visit(shop, "m", home), {**goods(shop), "step": "look"})
    assert "给自己家兑换" in text(look) and "本户的兑换密码" not in text(look)
    answer = client.post(
        visit(shop, "m", home), {**goods(shop), "step": "confirm", "proof": "pin", "pin": "2580"}
    )
    assert answer.status_code == 422 and not Order.objects.exists()


@pytest.mark.parametrize("case", ["neighbour", "outsider", "same", "nobody", "unsaid"])
def test_collecting_for_somebody_else_is_recorded(shop: SimpleNamespace, case: str):
    """代领: who, which relation; always with a proof; the own household is none."""
    cast, client = shop.cast, as_(shop.cast.shopkeeper)
    actions.set_pin(by=cast.villager, household=cast.household, pin="2580")
    sent = goods(shop, proxy="1", collector="1002", relation="邻居", proof="pin", pin="2580", step="confirm")
    words = ""
    if case == "outsider":
        sent |= {"collector": "", "relation": "外村女儿"}
    elif case == "same":
        sent["collector"], words = "1001", "这是本户自己的编号"
    elif case == "nobody":
        sent["collector"], words = "8888", "没有“8888”这一户"
    elif case == "unsaid":
        sent["relation"], words = "", "请写清代领人是什么人"
    answer = client.post(visit(shop, "desk"), sent)
    if words:
        assert (
            answer.status_code == 422
            and words in text(answer)
            and 'name="proxy" value="1" checked' in text(answer)
        )
        return
    order = Order.objects.get()
    assert order.is_proxy and order.proof == "pin"
    assert (order.collector is not None) == (case == "neighbour")
    bare = client.post(visit(shop, "desk"), goods(shop, proxy="1", relation="邻居", step="confirm"))
    assert bare.status_code == 422 and "代领要有密码" in text(bare)


@pytest.mark.parametrize("face", FACES)
def test_picking_up_by_code(shop: SimpleNamespace, face: str):
    """C-06, C-15: six digits, typed or scanned, lead to the order; handing over twice is once; a used code says so."""
    client, order = as_(shop.cast.shopkeeper), ordered(shop, 2)
    start = at(shop.cast, face, "counter/pickup/")
    wrong = client.get(start, {"q": f"{(int(order.pick_up_code) + 1) % 1_000_000:06d}"})
    assert wrong.status_code == 422 and "没有取货码" in text(wrong)
    assert "6 位数字" in text(client.get(start, {"q": "12"}))
    found = client.get(start, {"q": f"{order.pick_up_code[:3]} {order.pick_up_code[3:]}"})
    assert found.status_code == 302
    page = client.get(found.url)
    assert "香皂" in text(page) and "演**" in text(page)
    answers = [client.post(found.url, {"step": "hand"}) for _ in range(3)]
    assert len({one.url for one in answers}) == 1
    assert "换了香皂 2 件" in text(client.get(answers[0].url))
    assert shelf(shop.soap) == (18, 0) and left(shop) == 20_000 - 2 * SOAP
    assert "已领取，不能再领" in text(client.get(start, {"q": order.pick_up_code}))


def test_an_order_that_cannot_be_handed_over_gives_everything_back(shop: SimpleNamespace):
    """C-06: damaged goods: with a reason, points and goods are back; without one nothing happens."""
    client, order = as_(shop.cast.shopkeeper), ordered(shop, 2)
    url = at(shop.cast, "desk", f"counter/pickup/{order.pk}/")
    bare = client.post(url, {"step": "cancel", "reason": ""})
    assert bare.status_code == 422 and "请写取消的原因" in text(bare)
    assert client.post(url, {"step": "cancel", "reason": "包装破了"}).status_code == 302
    order.refresh_from_db()
    assert order.status == "cancelled" and left(shop) == 20_000 and shelf(shop.soap) == (20, 0)
    late = client.post(url, {"step": "hand"})
    assert late.status_code == 422 and "已取消" in text(late)


def test_at_a_partner_words_and_points_only(shop: SimpleNamespace):
    """合作商户: what it was and how many points; the village's shelf does not move."""
    cast = shop.cast
    partner = actions.open_shop(
        by=cast.clerk, place=cast.place, title="村口小店（演示）", kind=Shop.Kind.PARTNER
    )
    client = as_(cast.shopkeeper)
    client.get(at(cast, "m"), {"shop": str(partner.pk)})
    sent = {
        "id": str(uuid7()),
        "fair": "",
        "title-0": "食盐",
        "count-0": "2",
        "points-0": "2.5",
        "step": "confirm",
    }
    wrong = client.post(visit(shop, "m"), {**sent, "points-0": "两分"})
    assert wrong.status_code == 422 and "第 1 行" in text(wrong) and "两分" in text(wrong)
    done = client.post(visit(shop, "m"), sent, follow=True)
    assert "换了食盐 2 件" in text(done) and left(shop) == 19_500
    assert shelf(shop.soap) == (20, 0)


@pytest.mark.parametrize(
    "who",
    ["villager", "group_leader", "reviewer", "elder", "supervisor", "stranger_clerk", "township", "bank"],
)
def test_only_who_serves_opens_the_counter(shop: SimpleNamespace, who: str):
    """A-01, A-04: everybody else finds no counter, no visit, no order."""
    client, order = as_(getattr(shop.cast, who)), ordered(shop, 1)
    for way in ("counter/", f"counter/{shop.cast.household.pk}/", f"counter/done/{order.pk}/", "pickup/"):
        assert client.get(f"/desk/{shop.cast.place}/shop/{way}").status_code in (403, 404)
        sent = client.post(f"/desk/{shop.cast.place}/shop/{way}", {**goods(shop), "step": "confirm"})
        assert sent.status_code in (403, 404)
    assert Order.objects.filter(status="handed_over").count() == 0


def test_a_visit_of_the_next_village_is_nowhere(shop: SimpleNamespace):
    """A-04: another village's household is not served here."""
    client = as_(shop.cast.shopkeeper)
    assert client.get(visit(shop, "desk", shop.cast.stranger.resident.household)).status_code == 404


def test_the_slip_and_its_code(shop: SimpleNamespace):
    """T-06, U-30: the slip names no name in full; its code finds the line in the village's book, of both ways to redeem."""
    client = as_(shop.cast.shopkeeper)
    bought = client.post(visit(shop, "desk"), {**goods(shop), "step": "confirm"}, follow=True)
    order = ordered(shop, 1)
    picked = client.post(at(shop.cast, "desk", f"counter/pickup/{order.pk}/"), {"step": "hand"}, follow=True)
    for page in (bought, picked):
        code = page.context["code"]
        proof = Client().get(f"/open/{shop.place}/receipt/", {"code": code})
        assert proof.status_code == 200 and proof.context["receipts"][0].proven
        slip = client.get(page.context["slip"])
        assert slip["Content-Type"] == "application/pdf"
    waiting = ordered(shop, 1)
    assert client.get(f"/desk/{shop.place}/shop/orders/{waiting.pk}/slip.pdf").status_code == 400
    assert as_(shop.cast.stranger).get(f"/m/shop/orders/{order.pk}/slip.pdf").status_code == 404
