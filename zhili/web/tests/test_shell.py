"""The frame of every page: doors, refusals, large type, headers, navigation by role (U-08, U-21, W-02, W-08, A-04)."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from zhili.people.models import Membership, User
from zhili.privacy.notice import mark_read
from zhili.web import navigation, shell
from zhili.web.home import csrf_failure
from zhili.web.templatetags.zhili import TONE_ICONS, icon, tone

pytestmark = pytest.mark.django_db
PLACE = "511702109200"
PUBLIC = ["/", "/login/", "/places/", f"/open/{PLACE}/", "/nothing/"]
ELDER = re.compile(r'<html[^>]* class="elder"')


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[1])
    return client


@pytest.mark.parametrize("path", [*PUBLIC, "/m/", f"/desk/{PLACE}/"])
def test_headers_stand_on_every_page(path, cast):
    """W-02: a strict CSP, no framing, no sniffing; W-09: nothing of a person is stored on the way."""
    answer = client_of(cast.clerk).get(path)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff" and answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert path.startswith("/open/") or "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", [*PUBLIC, "/m/", "/m/me/", "/m/help/", "/m/shop/", f"/desk/{PLACE}/"])
def test_no_page_has_inline_script_or_style(path, cast):
    """W-02: what the CSP would refuse is not in the page; data blocks of charts are not script."""
    text = client_of(cast.clerk).get(path).content.decode()
    assert not re.search(r"<[^>]+\son[a-z]+=", text) and not re.search(r"<[^>]+\sstyle=", text)
    assert "<style" not in text and not re.search(r"<script(?![^>]*(src=|application/json))", text)


@pytest.mark.parametrize("path", [*PUBLIC, "/m/", f"/desk/{PLACE}/"])
def test_demo_data_is_marked_on_every_page(path, cast):
    client = Client() if path in PUBLIC else client_of(cast.clerk)
    assert settings.MODE == "demo" and "演示数据" in client.get(path).content.decode()


@pytest.mark.parametrize(
    "who, target",
    [
        ("clerk", f"/desk/{PLACE}/"), ("reviewer", f"/desk/{PLACE}/"), ("villager", "/m/"), ("stranger", "/m/"),
        ("township", "/places/"), ("county", "/places/"), ("system_admin", "/places/"),
        ("stranger_clerk", "/desk/511702109201/"),
    ],
)  # fmt: skip
def test_the_front_door_leads_each_role_to_its_day(who, target, cast):
    if target == "/m/":  # once a villager has read the notice about personal data
        mark_read(by=getattr(cast, who), place=getattr(cast, who).home_place)
    assert client_of(getattr(cast, who)).get("/")["Location"] == target


def test_large_type_stays_with_the_device_and_the_person(cast):
    """U-08: by POST, without script; another device of the same person has it too."""
    client = client_of(cast.villager)
    assert not ELDER.search(client.get("/m/").content.decode())
    assert client.post("/elder/", {"on": "1", "next": "/m/me/"})["Location"] == "/m/me/"
    assert ELDER.search(client.get("/m/").content.decode())
    assert ELDER.search(client_of(User.objects.get(pk=cast.villager.pk)).get("/m/").content.decode())
    client.post("/elder/", {"on": "0"})
    assert not ELDER.search(client.get("/m/").content.decode())


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "", "\\\\evil"]
)
def test_the_switch_sends_nobody_elsewhere(wanted):
    assert Client().post("/elder/", {"on": "1", "next": wanted})["Location"] == "/"


def test_the_switch_is_no_link():
    """A picture on another site must not change anything."""
    assert Client().get("/elder/?on=1").status_code == 405


@pytest.mark.parametrize(
    "path", ["/nothing/", "/m/nothing/", f"/desk/{PLACE}/nothing/", "/open/999999999999/"]
)
def test_an_absent_page_says_so_with_a_number(path):
    """W-08: plain words, a receipt, no trace of the machine."""
    answer = Client().get(path)
    text = answer.content.decode()
    assert answer.status_code == 404 and "找不到这一页" in text
    assert re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", text) and "Traceback" not in text and "Django" not in text


@pytest.mark.parametrize("who", ["villager", "stranger_clerk", "bank"])
def test_a_desk_is_closed_to_who_has_no_role_there(who, cast):
    """A-04: foreign and forbidden alike show nothing of the village."""
    answer = client_of(getattr(cast, who)).get(f"/desk/{PLACE}/")
    assert answer.status_code in (403, 404) and "该办的事" not in answer.content.decode()


@pytest.mark.parametrize("who", ["system_admin", "security_admin", "audit_admin"])
def test_keepers_of_the_system_see_none_of_the_business(who, cast):
    """A-07."""
    text = client_of(getattr(cast, who)).get(f"/desk/{PLACE}/").content.decode()
    assert "您管的是系统" in text and "等待评议" not in text and "家底" not in text


def test_an_old_form_keeps_what_was_typed_but_never_a_password():
    """A form that failed the CSRF check shows its text again, from the same site only."""
    client = Client(enforce_csrf_checks=True)
    typed = {"text": "扫了村口到水井的路", "password": "geheim-2026"}
    answer = client.post("/elder/", typed, headers={"origin": "http://testserver"})
    text = answer.content.decode()
    assert answer.status_code == 403 and "放得太久" in text
    assert typed["text"] in text and typed["password"] not in text
    foreign = client.post("/elder/", typed, headers={"origin": "https://evil.example"}).content.decode()
    assert typed["text"] not in foreign


def test_typed_markup_is_only_text():
    request = RequestFactory().post("/x/", {"text": "<b>粗</b>"}, headers={"referer": "http://testserver/x/"})
    request.user = User()
    assert "&lt;b&gt;" in csrf_failure(request).content.decode()


def test_navigation_holds_only_what_a_role_may_open(cast):
    """A group leader sees the month; nobody without a role there sees anything."""
    titles = [
        e.title for g in navigation.desk_groups(cast.clerk, PLACE, f"/desk/{PLACE}/") for e in g.entries
    ]
    assert titles[0] == "今天" and "操作记录" not in titles
    assert navigation.desk_groups(cast.stranger_clerk, PLACE, "") == []
    assert navigation.desk_groups(cast.villager, PLACE, "") == []


def test_an_ended_role_opens_nothing_more(cast):
    """A-06."""
    Membership.objects.filter(user=cast.clerk).update(valid_to=Membership.objects.first().valid_from)
    answer = client_of(User.objects.get(pk=cast.clerk.pk)).get(f"/desk/{PLACE}/")
    assert answer.status_code in (403, 404)


def test_the_place_in_the_frame_is_never_a_foreign_one(cast):
    request = RequestFactory().get("/m/")
    request.user, request.session, request.resolver_match = (
        cast.clerk,
        {shell.PLACE_KEY: "511702109201"},
        None,
    )
    assert shell.place_of(request) == PLACE


@pytest.mark.parametrize(
    "word, expected",
    [
        ("等待评议", "wait"), ("请补充", "due"), ("已通过，等待公示", "wait"), ("公示中", "wait"), ("有异议，暂缓", "due"),
        ("已入账", "ok"), ("未通过", "bad"), ("公示后撤下", "off"), ("已撤回", "off"), ("在村", "ok"), ("已迁出", "off"),
        ("成立", "ok"), ("不成立", "bad"), ("阻断", "bad"), ("需法审", "due"), ("通过", "ok"), ("逾期", "bad"),
    ],
)  # fmt: skip
def test_states_have_a_tone_and_a_symbol(word, expected):
    """U-04: colour is never the only signal."""
    assert tone(word) == expected and icon(TONE_ICONS[expected])


def test_home_costs_the_same_however_much_is_in_it(cast, django_assert_max_num_queries):
    """The phone's first page: a constant number of statements."""
    client = client_of(cast.villager)
    with django_assert_max_num_queries(30):
        client.get("/m/")


def test_a_set_of_choices_is_real_inputs():
    """Radio buttons reach the browser as inputs, their labels escaped."""
    from django import forms

    from zhili.web.templatetags.zhili import control

    class Form(forms.Form):
        one = forms.ChoiceField(choices=[("a", "甲<b>"), ("b", "乙")], widget=forms.RadioSelect)

    html = control(Form()["one"])
    assert html.count('<input type="radio"') == 2
    assert "甲&lt;b&gt;" in html
