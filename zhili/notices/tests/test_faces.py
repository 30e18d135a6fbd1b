"""公示 on its faces: hung out, read, objected to with and without log-in, answered, closed; on paper too."""

from __future__ import annotations

import re
from datetime import date

import pytest
import time_machine
from django.test import Client

from tests.books import make_book
from tests.month import approved, claim_for, deduction, home
from zhili.claims.tests.test_phone import browser
from zhili.common.ids import uuid7
from zhili.notices.actions import open_notice
from zhili.notices.models import Line, Notice, Objection


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-11-03 10:00:00+08:00", tick=True) as traveller:
        yield traveller


@pytest.fixture
def village(cast):
    cast.book = make_book(cast)
    cast.desk, cast.open = f"/desk/{cast.place}", f"/open/{cast.place}"
    return cast


@pytest.fixture
def notice(village):
    """October hangs out: the villager's household, a neighbour's, and a deduction."""
    approved(village)
    approved(village, by=village.clerk, household=home(village, "3001"), channel="counter")
    deduction(village)
    return open_notice(by=village.clerk, place=village.place, period="2026-10")


def line_of(notice: Notice, code: str) -> Line:
    return notice.lines.get(household_code=code)


def text_of(response) -> str:
    return response.content.decode()


def test_the_clerk_sees_what_would_hang_out_before_it_does(village):
    """Desk: count, points, by group, until when, what is not finished; then one button."""
    approved(village)
    claim_for(village)
    client = browser(village.clerk)
    page = text_of(client.get(f"{village.desk}/notices/open/"))
    assert "1 条" in page and "+2 分" in page and "11月10日" in page and "还有 1 条没有评完" in page
    assert Notice.objects.count() == 0
    done = client.post(f"{village.desk}/notices/open/", {"period": "2026-10"}, follow=True)
    assert "已公布" in text_of(done) and Notice.objects.get().closes_on == date(2026, 11, 10)


@pytest.mark.parametrize("period, status", [("2026-11", 422), ("2025-Q1", 422), ("", 422), ("ever", 422)])
def test_a_period_that_cannot_hang_out_is_refused_in_words(village, period, status):
    approved(village)
    answer = browser(village.clerk).post(f"{village.desk}/notices/open/", {"period": period})
    assert answer.status_code == status and Notice.objects.count() == 0


def test_what_stands_in_the_way_is_said_before_the_button(village, notice):
    """One notice at a time; the page says so and shows no button."""
    page = text_of(browser(village.clerk).get(f"{village.desk}/notices/open/?period=2026-10"))
    assert "还在公示" in page and "公布，到" not in page


@pytest.mark.parametrize(
    "person", ["villager", "reviewer", "supervisor", "township", "group_leader", "system_admin"]
)
def test_only_the_clerk_hangs_out_and_closes(village, notice, person, clock):
    """A-07."""
    clock.move_to("2026-11-11 10:00:00+08:00")
    client = browser(
        getattr(village, person)
    )  # logged in on that day: a session of last week has ended (N-06)
    assert client.post(f"{village.desk}/notices/open/", {"period": "2026-10"}).status_code in (403, 404)
    assert client.post(f"{village.desk}/notices/1/close/").status_code in (403, 404)
    notice.refresh_from_db()
    assert notice.status == "open"


def test_the_open_page_shows_masked_lines_and_how_to_object(village, notice):
    """M-04, M-05, M-09, G-21: no whole name, no name beside a deduction, deadline, telephone, escalation."""
    page = text_of(Client().get(f"{village.open}/notices/1/"))
    assert "演**" in page and "演示" not in page.replace("演示数据", "")
    assert "1001" in page and "2026年11月10日" in page and "0818-0000000" in page
    assert "村务监督委员会" in page and "人民法院" in page and "不公布姓名" in page
    row = next(one for one in page.split("<tr") if ">1002 " in one)
    assert "演" not in row and "-5" in row
    answer = Client().get(f"{village.open}/notices/1/")
    assert "noindex" in answer["X-Robots-Tag"]
    found = text_of(Client().get(f"{village.open}/notices/1/", {"q": "３００１"}))
    assert "3001" in found and ">1001 " not in found


def test_anybody_objects_without_a_name_and_reads_the_answer_by_the_slip(village, notice):
    """G-19, U-35: no log-in; the line waits; the code opens the answer; the slip prints."""
    client = Client()
    path = f"{village.open}/notices/1/{line_of(notice, '3001').position}/"
    key = re.search(r'name="id" value="([^"]+)"', text_of(client.get(path)))[1]
    sent = client.post(path, {"id": key, "text": "那天她不在村里"})
    again = client.post(path, {"id": key, "text": "那天她不在村里"})
    assert sent["Location"] == again["Location"] and Objection.objects.count() == 1
    objection = Objection.objects.get()
    assert objection.by_resident is None and objection.entered_by is None
    assert line_of(notice, "3001").status == "held" and line_of(notice, "1001").status == "shown"
    page = text_of(client.get(sent["Location"]))
    assert "已收到，编号 Y-1" in page and objection.lookup_code in page
    slip = client.get(f"{village.open}/objections/slip.pdf", {"code": objection.lookup_code})
    assert slip["Content-Type"] == "application/pdf" and slip.content[:4] == b"%PDF"
    supervisor = browser(village.supervisor)
    at = f"{village.desk}/objections/{objection.pk}/"
    supervisor.post(at, {"do": "acknowledge"})
    answered = supervisor.post(
        at, {"do": "answer", "outcome": "refused", "answer": "问了三位邻居，她在村里扫了路。"}
    )
    assert answered.status_code == 302 and line_of(notice, "3001").status == "shown"
    read = text_of(
        client.get(f"{village.open}/objections/", {"code": objection.lookup_code.lower().replace("-", " ")})
    )
    assert "问了三位邻居" in read and "不成立" in read


@pytest.mark.parametrize("code", ["AAAA-BBBB-CCCC", "x", "1", "'; DROP", "AAAA-BBBB-CCC!"])
def test_a_code_that_opens_nothing_says_so(village, notice, code):
    """A-04: wrong and foreign sound the same; the slip likewise."""
    answer = Client().get(f"{village.open}/objections/", {"code": code})
    assert answer.status_code == 404 and "没有找到这张回执" in text_of(answer)
    assert Client().get(f"{village.open}/objections/slip.pdf", {"code": code}).status_code == 404


def test_a_code_of_the_next_village_opens_nothing_here(village, notice):
    objection = _objected(village, notice)
    answer = Client().get(f"/open/{village.next_place}/objections/", {"code": objection.lookup_code})
    assert answer.status_code == 404


def _objected(village, notice, code="3001", text="那天没有看见"):
    line = line_of(notice, code)
    browser(village.shopkeeper).post(f"/m/notice/{line.pk}/object/", {"id": str(uuid7()), "text": text})
    return Objection.objects.latest("number")


@pytest.mark.parametrize(
    "data, words",
    [({"text": ""}, "没有保存"), ({"text": "x" * 501}, "没有保存"), ({"text": "没", "id": "1"}, "没有保存")],
)
def test_an_objection_that_says_nothing_is_asked_again(village, notice, data, words):
    path = f"{village.open}/notices/1/1/"
    answer = Client().post(path, {"id": str(uuid7()), **data})
    assert answer.status_code == 422 and words in text_of(answer) and Objection.objects.count() == 0


def test_after_the_deadline_the_page_says_where_to_go_instead(village, notice, clock):
    clock.move_to("2026-11-11 10:00:00+08:00")
    page = text_of(Client().get(f"{village.open}/notices/1/"))
    assert "已经过了" in page and "我不同意</a>" not in page
    answer = Client().post(f"{village.open}/notices/1/1/", {"id": str(uuid7()), "text": "迟了"})
    assert answer.status_code == 422 and "监督委员会" in text_of(answer) and Objection.objects.count() == 0


def test_the_phone_puts_my_household_first_and_takes_my_objection(village, notice):
    """U-15: my lines on top; object under my name; others cannot open it."""
    client = browser(village.villager)
    page = text_of(client.get("/m/notice/"))
    assert "我家（1001 户）" in page and page.index("我家") < page.index("全村")
    assert "演示辛" not in page
    line = line_of(notice, "3001")
    sent = client.post(f"/m/notice/{line.pk}/object/", {"id": str(uuid7()), "text": "那天下雨"})
    said = text_of(client.get(sent["Location"]))
    assert "已收到您的异议，编号 Y-1" in said
    objection = Objection.objects.get()
    assert objection.by_resident == village.villager.resident
    own = f"/m/notice/objections/{objection.pk}/"
    assert "那天下雨" in text_of(client.get(own))
    for other in (village.head, village.reviewer2, village.stranger):
        assert browser(other).get(own).status_code == 404, other
    client.post(own)
    objection.refresh_from_db()
    assert objection.status == "withdrawn" and line_of(notice, "3001").status == "shown"


def test_a_stranger_cannot_object_under_a_log_in_here(village, notice):
    """A-03."""
    line = line_of(notice, "3001")
    client = browser(village.stranger)
    assert client.get(f"/m/notice/{line.pk}/object/").status_code == 404
    assert (
        client.post(f"/m/notice/{line.pk}/object/", {"id": str(uuid7()), "text": "不对"}).status_code == 404
    )
    assert Objection.objects.count() == 0


def test_the_clerk_keys_in_a_paper_objection_and_hands_over_a_slip(village, notice):
    """U-34, U-35: paper number, household; an unknown household is named; the done page prints the slip."""
    client = browser(village.clerk)
    path = f"{village.desk}/notices/lines/{line_of(notice, '1001').pk}/"
    data = {"do": "object", "id": str(uuid7()), "text": "他家没有扫", "paper_number": "YY-07"}
    wrong = client.post(path, {**data, "household": "9999"})
    assert wrong.status_code == 422 and "没有找到" in text_of(wrong) and "他家没有扫" in text_of(wrong)
    done = client.post(path, {**data, "household": "3002"}, follow=True)
    assert "已登记异议，编号 Y-1" in text_of(done) and "打印回执" in text_of(done)
    objection = Objection.objects.get()
    assert (objection.channel, objection.paper_number) == ("paper", "YY-07")
    assert objection.by_resident == village.elder2.resident


def test_a_correction_is_seen_by_everybody(village, notice):
    """Correct during the notice with a visible mark; the reason is public and may hold no number."""
    client = browser(village.clerk)
    line = line_of(notice, "3001")
    path = f"{village.desk}/notices/lines/{line.pk}/"
    assert client.post(path, {"do": "correct", "c-points": "", "c-reason": ""}).status_code == 422
    assert client.post(path, {"do": "correct", "c-points": "99", "c-reason": "写错了"}).status_code == 422
    bad = client.post(path, {"do": "correct", "c-points": "", "c-reason": "打 13800138000 问过"})
    assert bad.status_code == 422 and "理由会公开" in text_of(bad)
    assert client.post(path, {"do": "correct", "c-points": "", "c-reason": "和另一条重复"}).status_code == 302
    page = text_of(Client().get(f"{village.open}/notices/1/"))
    assert "和另一条重复" in page and "更正" in page and "crossed" in page


@pytest.mark.parametrize("person", ["reviewer", "supervisor", "township", "group_leader"])
def test_only_the_clerk_corrects(village, notice, person):
    """A-07: the form is not shown; posting by hand changes nothing."""
    line = line_of(notice, "3001")
    client = browser(getattr(village, person))
    path = f"{village.desk}/notices/lines/{line.pk}/"
    assert "更正这一条" not in text_of(client.get(path))
    client.post(path, {"do": "correct", "c-points": "", "c-reason": "我说改就改"})
    line.refresh_from_db()
    assert line.correction == ""


def test_who_decided_before_may_not_answer_and_reads_why(village, notice):
    """G-19, A-08: council member who objects or reviewed; the clerk sees whom to ask; nobody else sees it at all."""
    objection = _objected(village, notice)
    path = f"{village.desk}/objections/{objection.pk}/"
    clerk = browser(village.clerk)
    assert "演示癸（" in text_of(clerk.get(path)) and "书面答复</label>" not in text_of(clerk.get(path))
    own = _objected_by(village.elder, notice)
    page = text_of(browser(village.elder).get(f"{village.desk}/objections/{own.pk}/"))
    assert "您不能答复" in page
    browser(village.elder).post(
        f"{village.desk}/objections/{own.pk}/", {"do": "answer", "outcome": "upheld", "answer": "我说成立"}
    )
    own.refresh_from_db()
    assert own.status == "received"
    for person in ("villager", "reviewer2", "group_leader", "stranger_clerk", "shopkeeper"):
        assert browser(getattr(village, person)).get(path).status_code in (403, 404), person


def _objected_by(user, notice):
    line = line_of(notice, "1001")
    browser(user).post(f"/m/notice/{line.pk}/object/", {"id": str(uuid7()), "text": "我不同意"})
    return Objection.objects.latest("number")


@pytest.mark.parametrize(
    "data",
    [
        {"outcome": "upheld", "answer": ""},
        {"outcome": "", "answer": "查过了"},
        {"outcome": "refused", "answer": "查过了", "points": "3"},
        {"outcome": "upheld", "answer": "查过了", "points": "77"},
        {"outcome": "upheld", "answer": "查过了", "points": "三"},
    ],
)
def test_an_answer_that_is_not_whole_is_asked_again(village, notice, data):
    """The written answer is kept as typed."""
    objection = _objected(village, notice)
    answer = browser(village.supervisor).post(
        f"{village.desk}/objections/{objection.pk}/", {"do": "answer", **data}
    )
    objection.refresh_from_db()
    assert answer.status_code == 422 and objection.status == "received"
    assert data["answer"] in text_of(answer)


def test_closing_waits_for_the_day_and_posts_what_nobody_disputes(village, notice, clock):
    """M-07, G-19: too early says from when; then one button; the held line stays out."""
    _objected(village, notice)
    client = browser(village.clerk)
    early = client.post(f"{village.desk}/notices/1/close/")
    assert early.status_code == 422 and "11月11日" in text_of(early)
    assert "结束并入账</a>" not in text_of(client.get(f"{village.desk}/notices/1/"))
    clock.move_to("2026-11-11 10:00:00+08:00")
    client = browser(village.clerk)  # logged in again: a session of last week has ended (N-06)
    assert "公示期满了" in text_of(client.get(f"{village.desk}/notices/1/"))
    assert client.get(f"{village.desk}/notices/1/close/").status_code == 200
    notice.refresh_from_db()
    assert notice.status == "open"
    done = client.post(f"{village.desk}/notices/1/close/", follow=True)
    assert "2 条已入账" in text_of(done)
    statuses = dict(notice.lines.values_list("household_code", "status"))
    assert statuses == {"1001": "posted", "1002": "posted", "3001": "held"}
    clock.move_to("2026-12-20 10:00:00+08:00")
    assert Client().get(f"{village.open}/notices/1/").status_code == 404


def test_paper_says_what_the_page_says(village, notice):
    """U-32: A3 and A4, the picture for the chat group, the objection form; a picture that is not there is a 404."""
    client = Client()
    for name in ("poster.pdf?paper=a3", "poster.pdf?paper=a4", "objection.pdf", "objection.pdf?line=1"):
        answer = client.get(f"{village.open}/notices/1/{name}")
        assert answer.status_code == 200 and answer.content[:4] == b"%PDF", name
    assert client.get(f"{village.open}/notices/1/poster-1.png").content[:4] == b"\x89PNG"
    assert client.get(f"{village.open}/notices/1/poster-9.png").status_code == 404
    assert client.get(f"{village.open}/notices/7/poster.pdf").status_code == 404


@pytest.mark.parametrize("path", ["notices/", "notices/open/", "notices/1/", "objections/"])
def test_the_next_village_finds_no_page(village, notice, path):
    """A-03, A-04."""
    assert browser(village.stranger_clerk).get(f"{village.desk}/{path}").status_code == 404
    assert browser(village.bank).get(f"{village.desk}/{path}").status_code in (403, 404)


def test_get_changes_nothing_on_any_of_these_pages(village, notice):
    """W-03."""
    objection = _objected(village, notice)
    before = (
        list(Line.objects.order_by("pk").values_list("pk", "status")),
        Objection.objects.count(),
        objection.status,
    )
    line = line_of(notice, "1001")
    for path in (
        f"{village.desk}/notices/",
        f"{village.desk}/notices/1/",
        f"{village.desk}/notices/1/close/",
        f"{village.desk}/notices/lines/{line.pk}/",
        f"{village.desk}/objections/",
        f"{village.desk}/objections/{objection.pk}/",
        "/m/notice/",
        f"/m/notice/{line.pk}/object/",
        f"{village.open}/notices/1/1/",
    ):
        assert browser(village.clerk).get(path).status_code == 200, path
    objection.refresh_from_db()
    assert before == (
        list(Line.objects.order_by("pk").values_list("pk", "status")),
        Objection.objects.count(),
        objection.status,
    )
