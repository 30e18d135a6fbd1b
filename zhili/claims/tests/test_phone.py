"""The villager's and the clerk's phone: every step by plain HTTP, without script."""

from __future__ import annotations

import io
import re

import pytest
import time_machine
from django.test import Client
from PIL import Image

from tests.books import make_book
from tests.month import claim_for, home
from zhili.claims.actions import review_claim
from zhili.claims.models import Claim, Evidence
from zhili.common.ids import uuid7
from zhili.people.models import Delegation
from zhili.people.queries import card_url

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=True):
        yield


@pytest.fixture(autouse=True)
def _photo_root(settings, tmp_path):
    settings.PHOTO_ROOT = tmp_path / "photos"


@pytest.fixture
def village(cast):
    cast.book = make_book(cast)
    return cast


def browser(user) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def picture(shade: int = 120) -> io.BytesIO:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 80, 60)).save(data, "JPEG")
    data.seek(0)
    data.name = "a.jpg"
    return data


def body(**more):
    base = {"id": str(uuid7()), "occurred_on": "2026-10-20", "witness": "演示戊", "text": "扫了村口的路"}
    return base | {"resident": "", "kept": ""} | more


def hidden(html: str) -> dict[str, str]:
    """What the page between carries on."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html)
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


FORM = "/m/claims/new/HJ01/"


def test_choosing_an_item_shows_points_and_finds_by_word(village):
    """U-11, U-13: big rows by category; a deduction is nobody's own to claim."""
    client = browser(village.villager)
    page = client.get("/m/claims/new/").content.decode()
    assert "清扫一段公共道路" in page and "+2 分" in page and "占用公共通道" not in page
    found = client.get("/m/claims/new/", {"q": "捐"}).content.decode()
    assert "为公共设施捐款" in found and "清扫一段公共道路" not in found
    assert "没有找到" in client.get("/m/claims/new/", {"q": "飞天"}).content.decode()


def test_a_claim_is_looked_at_before_it_is_handed_in_and_nothing_is_lost(village):
    """C-01, U-15, C-03: form → 试算 with the photo kept → hand in → 已收到; the same tap twice is one claim."""
    client = browser(village.villager)
    first = client.post(FORM, {**body(), "photo": picture(), "step": "look"})
    page = first.content.decode()
    assert first.status_code == 200 and "能加" in page and "2<span" in page and "为什么是这个分" in page
    assert Claim.objects.count() == 0 and Evidence.objects.count() == 0
    kept = hidden(page)
    token = kept["kept"]
    shown = client.get(f"/m/claims/photo/{token}.jpg")
    assert shown["Content-Type"] == "image/jpeg" and shown["X-Content-Type-Options"] == "nosniff"
    back = client.post(FORM, {**kept, "step": "edit"}).content.decode()
    assert "扫了村口的路" in back and token in back and "没有保存" not in back
    done = client.post(FORM, {**kept, "step": "submit"})
    again = client.post(FORM, {**kept, "step": "submit"})
    claim = Claim.objects.get()
    assert done["Location"] == again["Location"] == f"/m/claims/{claim.pk}/done/"
    assert claim.evidence.filter(kind="photo").count() == 1 and claim.channel == "phone"
    said = client.get(done["Location"]).content.decode()
    assert "已收到，等待评议，编号 A-1" in said


def test_an_error_keeps_what_was_typed_and_the_photo(village):
    """F-01, W-05: a wrong file beside a right photo: the photo stays, the words stay, nothing is written."""
    client = browser(village.villager)
    wrong = io.BytesIO(b"not a photo")
    wrong.name = "b.jpg"
    answer = client.post(FORM, {**body(text="我扫的"), "photo": picture(), "photos": [wrong], "step": "look"})
    page = answer.content.decode()
    assert answer.status_code == 422 and "我扫的" in page and "去掉" in page
    assert Claim.objects.count() == 0


@pytest.mark.parametrize(
    "change, words",
    [
        ({"occurred_on": "2026-10-21"}, "还没有到"),
        ({"occurred_on": "2026-01-01"}, "补记期限"),
        ({"witness": "", "text": ""}, "要有证明人"),
        ({"occurred_on": "昨天"}, "没有保存"),
        ({"id": "x"}, "没有保存"),
    ],
)
def test_refusals_stand_in_the_form_with_what_was_typed(village, change, words):
    """Issue, bad input: at 试算 already, not only when handing in."""
    answer = browser(village.villager).post(FORM, {**body(), **change, "step": "look"})
    assert answer.status_code == 422 and words in answer.content.decode()
    assert Claim.objects.count() == 0


def test_extra_fields_have_no_effect(village):
    """A-11: points, status, village and submitter come from the server."""
    more = {"status": "approved", "points_decided": "9999", "place": "511702109201", "submitted_by": village.head.pk,
            "household": str(home(village, "3001").pk), "channel": "counter", "document": "假的"}  # fmt: skip
    browser(village.villager).post(FORM, {**body(), **more, "step": "submit"})
    claim = Claim.objects.get()
    assert (claim.status, claim.points_decided, claim.channel) == ("submitted", None, "phone")
    assert claim.household == village.household and claim.submitted_by == village.villager
    assert not claim.evidence.filter(kind="document").exists()


def test_get_changes_nothing(village):
    """W-03: looking at every page writes no claim."""
    client = browser(village.villager)
    claim = claim_for(village)
    for path in (
        "/m/claims/",
        "/m/claims/new/",
        FORM,
        f"/m/claims/{claim.pk}/",
        f"/m/claims/{claim.pk}/withdraw/",
    ):
        assert client.get(path).status_code == 200, path
    claim.refresh_from_db()
    assert Claim.objects.count() == 1 and claim.status == "submitted"


def test_another_persons_draft_photo_is_not_there(village):
    """F-03, A-04: a token is worth nothing to anybody else, and cannot be handed in by them."""
    mine = browser(village.villager)
    token = hidden(mine.post(FORM, {**body(), "photo": picture(), "step": "look"}).content.decode())["kept"]
    other = browser(village.shopkeeper)
    assert other.get(f"/m/claims/photo/{token}.jpg").status_code == 404
    other.post(FORM, {**body(kept=token), "step": "submit"})
    assert not Evidence.objects.exclude(file_name="").exists()
    assert mine.get("/m/claims/photo/..%2F..%2Fsecret.jpg").status_code == 404


def test_for_a_neighbour_by_number_and_for_the_one_i_act_for(village):
    """U-36, A-09: by 户编号, by the card's QR; by a delegation; foreign numbers do not exist."""
    client = browser(village.villager)
    neighbour = home(village, "3001")
    assert client.get("/m/claims/for/", {"q": "３００１"})["Location"].endswith("?h=3001")
    assert client.get("/m/claims/for/", {"q": card_url(neighbour)})["Location"].endswith("?h=3001")
    assert "没有找到" in client.get("/m/claims/for/", {"q": "9999"}).content.decode()
    client.post(f"{FORM}?h=3001", {**body(), "step": "submit"})
    assert Claim.objects.get().household == neighbour
    granny = village.supervisor.resident
    held = Delegation.objects.create(place=village.place, principal=granny, delegate=village.villager, scope="claim",
                                     valid_from="2026-01-01", valid_to="2026-12-31")  # fmt: skip
    client.post(f"{FORM}?for={held.pk}", {**body(), "step": "submit"})
    assert Claim.objects.get(household=granny.household).on_behalf_of == granny
    assert browser(village.head).get(f"{FORM}?for={held.pk}").status_code == 404
    assert browser(village.stranger).get("/m/claims/new/?h=3001").status_code == 404


def test_withdrawing_and_handing_in_again(village):
    """C-05: taking back asks first; what was returned comes back with the reason and the old words."""
    client = browser(village.villager)
    claim = claim_for(village, text="第一次写的")
    assert "要撤回" in client.get(f"/m/claims/{claim.pk}/withdraw/").content.decode()
    assert "已撤回" in client.post(f"/m/claims/{claim.pk}/withdraw/", follow=True).content.decode()
    back = claim_for(village, text="第二次写的")
    review_claim(by=village.reviewer2, claim=back, decision="return", reason="请写清楚哪一段")
    page = client.get(f"/m/claims/{back.pk}/again/").content.decode()
    assert "请写清楚哪一段" in page and "第二次写的" in page
    answer = client.post(
        f"/m/claims/{back.pk}/again/",
        {**body(text="村口到水井"), "id": str(back.pk), "occurred_on": "2026-01-01"},
    )
    back.refresh_from_db()
    assert answer.status_code == 302 and back.status == "submitted" and back.text == "村口到水井"
    assert str(back.occurred_on) == "2026-10-20"


def test_a_strangers_claim_is_not_there_whatever_is_asked(village):
    """A-04: absent and foreign look the same; a photo likewise."""
    claim = claim_for(village, photos=[picture().getvalue()])
    photo = claim.evidence.get(kind="photo")
    for path in (
        f"/m/claims/{claim.pk}/",
        f"/m/claims/{claim.pk}/done/",
        f"/m/claims/{claim.pk}/again/",
        f"/m/evidence/{photo.pk}.jpg",
    ):
        foreign = browser(village.stranger).get(path)
        absent = browser(village.stranger).get(
            path.replace(str(claim.pk), str(uuid7())).replace(str(photo.pk), str(uuid7()))
        )
        assert foreign.status_code == absent.status_code == 404, path
    assert browser(village.stranger).post(f"/m/claims/{claim.pk}/withdraw/").status_code == 404
    mine = browser(village.villager).get(f"/m/evidence/{photo.pk}.jpg?small=1")
    assert (
        mine.status_code == 200
        and mine["X-Content-Type-Options"] == "nosniff"
        and mine["Content-Type"] == "image/jpeg"
    )


def test_the_story_leads_from_total_to_rule_to_review(village):
    """U-63: the claim's page shows the rule, the evidence and who decided."""
    claim = claim_for(village)
    review_claim(by=village.reviewer2, claim=claim, decision="approve")
    page = browser(village.villager).get(f"/m/claims/{claim.pk}/").content.decode()
    assert "谭家沟村积分细则" in page and "HJ01" in page and "评议：通过" in page


# ------------------------------------------------------------------------------------------------- field work


def test_field_work_takes_a_number_one_tap_and_says_what_was_entered(village):
    """U-30, issue Claims: scan or type → household → item → save → back at the pad, with a way to undo."""
    client = browser(village.clerk)
    found = client.get("/m/field/", {"q": "1001"})
    page = client.get(found["Location"]).content.decode()
    assert "演示乙" in page and "清扫一段公共道路" in page
    key = re.search(r'name="id" value="([^"]+)"', page)[1]
    tapped = client.post(found["Location"], {"id": key, "item": "HJ01", "occurred_on": "2026-10-20"})
    twice = client.post(found["Location"], {"id": key, "item": "HJ01", "occurred_on": "2026-10-20"})
    assert tapped["Location"] == twice["Location"]
    claim = Claim.objects.get()
    assert claim.channel == "counter" and claim.submitted_by == village.clerk
    said = client.get(tapped["Location"]).content.decode()
    assert f"已记：演示乙 清扫一段公共道路 2 分，编号 {claim}" in said
    undone = client.post(f"/m/field/undo/{claim.pk}/", follow=True).content.decode()
    claim.refresh_from_db()
    assert claim.status == "withdrawn" and "已撤回" in undone


def test_field_work_asks_for_a_number_or_a_grade_where_the_item_needs_one(village):
    """C-01: one more step, then saved; by card address too."""
    client = browser(village.clerk)
    target = home(village, "3001")
    assert client.get("/m/field/", {"q": card_url(target)})["Location"] == f"/m/field/{target.pk}/"
    asked = client.post(
        f"/m/field/{target.pk}/", {"id": str(uuid7()), "item": "GY02", "occurred_on": "2026-10-19"}
    )
    assert asked["Location"] == f"/m/field/{target.pk}/GY02/?on=2026-10-19"
    assert "2026-10-19" in client.get(asked["Location"]).content.decode()
    path = f"/m/field/{target.pk}/GY02/"
    bad = client.post(path, {**body(quantity="很多"), "step": "submit"})
    assert bad.status_code == 422 and "很多" in bad.content.decode()
    saved = client.post(path, {**body(quantity="12"), "step": "submit"}, follow=True)
    assert "已记：演示辛 志愿服务累计 2 分" in saved.content.decode()


def test_field_work_says_why_not(village):
    """Bad input: a household that moved; a number nobody has; an item the book does not have."""
    client = browser(village.clerk)
    gone = home(village, "3004")
    type(gone).objects.filter(pk=gone.pk).update(status="moved", closed_on="2026-09-01")
    refused = client.post(
        f"/m/field/{gone.pk}/", {"id": str(uuid7()), "item": "HJ01", "occurred_on": "2026-10-20"}
    )
    assert refused.status_code == 422 and "不能再记分" in refused.content.decode()
    assert "没有找到“9999”" in client.get("/m/field/", {"q": "9999"}).content.decode()
    assert (
        client.post(f"/m/field/{village.household.pk}/", {"id": str(uuid7()), "item": "XX99"}).status_code
        == 400
    )
    assert Claim.objects.count() == 0


@pytest.mark.parametrize("person", ["villager", "reviewer", "shopkeeper", "township", "bank", "system_admin"])
def test_field_work_is_for_clerks_and_leaders(village, person):
    """A-07: anybody else is told no, and writes nothing."""
    client = browser(getattr(village, person))
    assert client.get("/m/field/").status_code == 403
    assert (
        client.post(f"/m/field/{village.household.pk}/", {"id": str(uuid7()), "item": "HJ01"}).status_code
        == 403
    )
    assert Claim.objects.count() == 0


def test_a_clerk_of_the_next_village_does_not_find_the_household(village):
    """A-03, A-04."""
    client = browser(village.stranger_clerk)
    assert client.get(f"/m/field/{home(village, '3001').pk}/").status_code == 404
    assert (
        client.post(f"/m/field/{home(village, '3001').pk}/", {"id": str(uuid7()), "item": "HJ01"}).status_code
        == 404
    )


def test_a_whole_activity_on_one_tick_list(village):
    """Issue Claims: tick list by group; all or nothing; the same list sent twice is one list."""
    client = browser(village.clerk)
    page = client.get("/m/field/activity/").content.decode()
    assert "1组" in page and "演示辛" in page and "占用公共通道" not in page
    who = [str(home(village, code).pk) for code in ("1001", "2001", "3001")]
    data = {
        "id": str(uuid7()),
        "activity": "河道清扫",
        "item": "HJ01",
        "occurred_on": "2026-10-19",
        "who": who,
    }
    first, second = client.post("/m/field/activity/", data), client.post("/m/field/activity/", data)
    assert first["Location"] == second["Location"] and Claim.objects.count() == 3
    assert "河道清扫，3 条" in client.get(first["Location"]).content.decode()


def test_an_activity_with_an_error_keeps_the_ticks(village):
    """Nothing half-written, nothing typed lost."""
    client = browser(village.clerk)
    who = str(home(village, "3001").pk)
    data = {"id": str(uuid7()), "activity": "", "item": "HJ01", "occurred_on": "2026-10-19", "who": [who]}
    answer = client.post("/m/field/activity/", data)
    page = answer.content.decode()
    assert answer.status_code == 422 and re.search(rf'value="{who}" checked', page)
    nobody = client.post("/m/field/activity/", {**data, "activity": "河道清扫", "who": []})
    assert nobody.status_code == 422 and "请至少选一户" in nobody.content.decode()
    assert Claim.objects.count() == 0


def test_a_leader_ticks_only_the_own_group(village):
    """A-05: households of other groups sent by hand are not entered."""
    client = browser(village.group_leader)
    page = client.get("/m/field/activity/").content.decode()
    assert "演示丁" in page and "演示辛" not in page
    who = [str(home(village, code).pk) for code in ("1001", "3001")]
    client.post(
        "/m/field/activity/",
        {"id": str(uuid7()), "activity": "清扫", "item": "HJ01", "occurred_on": "2026-10-19", "who": who},
    )
    assert list(Claim.objects.values_list("household__code", flat=True)) == ["1001"]


# ----------------------------------------------------------------------------------------------------- review


def test_reviewing_one_claim_a_screen(village):
    """A-07, U-15: facts, what it brings and why, a decision in one tap, then the next."""
    first = claim_for(village)
    client = browser(village.reviewer2)
    start = client.get("/m/review/")
    assert start["Location"] == f"/m/review/{first.pk}/"
    page = client.get(start["Location"]).content.decode()
    assert "清扫一段公共道路" in page and "+2 分" in page and "演示戊" in page
    assert client.post(start["Location"], {"decision": "approve", "status": "submitted"}).status_code == 302
    first.refresh_from_db()
    assert first.status == "approved"
    end = client.get("/m/review/").content.decode()
    assert "都评完了" in end and "A-1 通过" in end


def test_a_relative_sees_why_and_gets_no_buttons(village):
    """A-08, G-08: the declared relative reads the reason; posting by hand is refused."""
    claim = claim_for(village)
    client = browser(village.reviewer)
    end = client.get("/m/review/").content.decode()
    assert "您需要回避" in end and "亲属" in end
    page = client.get(f"/m/review/{claim.pk}/").content.decode()
    assert "您需要回避" in page and 'value="approve"' not in page
    client.post(f"/m/review/{claim.pk}/", {"decision": "approve", "status": "submitted"})
    claim.refresh_from_db()
    assert claim.status == "submitted"


def test_a_stale_page_decides_nothing_and_keeps_the_reason(village):
    """C-08: somebody was faster."""
    claim = claim_for(village)
    review_claim(by=village.reviewer3, claim=claim, decision="approve")
    answer = browser(village.reviewer2).post(
        f"/m/review/{claim.pk}/", {"decision": "refuse", "status": "submitted", "reason": "没看见"}
    )
    assert answer.status_code == 409 and "没看见" in answer.content.decode()
    claim.refresh_from_db()
    assert claim.status == "approved" and claim.reviews.count() == 1


@pytest.mark.parametrize(
    "data, words",
    [
        ({"decision": "refuse"}, "要写理由"),
        ({"decision": "return", "reason": " "}, "要写理由"),
        ({"decision": "approve", "points": "5"}, "不能改分"),
        ({"decision": "approve", "points": "许多"}, "不是积分"),
        ({"decision": "post"}, "没有保存"),
        ({}, "没有保存"),
    ],
)
def test_a_decision_that_cannot_be_taken_is_explained(village, data, words):
    """W-05."""
    claim = claim_for(village)
    answer = browser(village.reviewer2).post(f"/m/review/{claim.pk}/", {"status": "submitted", **data})
    claim.refresh_from_db()
    assert answer.status_code == 422 and words in answer.content.decode() and claim.status == "submitted"


@pytest.mark.parametrize("person", ["villager", "clerk", "supervisor", "stranger_clerk", "county"])
def test_reviewing_is_for_reviewers(village, person):
    """A-07."""
    claim = claim_for(village)
    client = browser(getattr(village, person))
    assert client.get("/m/review/").status_code == 403
    assert (
        client.post(f"/m/review/{claim.pk}/", {"decision": "approve", "status": "submitted"}).status_code
        == 403
    )
