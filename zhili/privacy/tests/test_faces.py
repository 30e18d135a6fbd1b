"""The pages: two taps on the phone, no script, foreign and absent alike, nobody's page for the wrong role."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from zhili.people.models import Resident, User
from zhili.places.models import VillageSettings
from zhili.privacy import actions
from zhili.privacy.models import Erasure, NoticeRead, Recipient, Request
from zhili.privacy.tests.filled import SENTENCE
from zhili.privacy.tests.test_breach import TEXTS
from zhili.privacy.tests.test_requests import ask

NOBODY = "00000000-0000-7000-8000-000000000000"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_two_taps_from_my_page_to_a_request(cast: SimpleNamespace) -> None:
    """P-06, P-04: 我的 → 我的信息 → the form; withdrawal of consent is the same two taps; each works without script."""
    client = client_of(cast.villager)
    assert reverse("m_mydata") in text_of(client.get("/m/me/"))
    page = text_of(client.get(reverse("m_mydata")))
    own = cast.villager.resident_id
    for kind in ("correct", "complete", "explain", "delete"):
        assert reverse("m_mydata_ask", args=[own, kind]) in page
    assert reverse("m_consents") in page and reverse("m_mydata_copy", args=[own]) in page
    refused = client.post(reverse("m_mydata_ask", args=[own, "correct"]), {"text": ""})
    assert refused.status_code == 200 and "请写哪里错了" in text_of(refused)
    done = client.post(reverse("m_mydata_ask", args=[own, "correct"]), {"text": "名字少一笔"}, follow=True)
    assert "已收到，编号 G-1" in text_of(done) and "名字少一笔" in text_of(done)


def test_what_was_typed_stays_and_extra_fields_have_no_effect(cast: SimpleNamespace) -> None:
    """A-11: status, resident and place in the post are ignored; a refusal keeps the text."""
    url = reverse("m_mydata_ask", args=[cast.villager.resident_id, "explain"])
    kept = client_of(cast.villager).post(url, {"text": "我的电话13912345678谁看过"})
    assert "我的电话13912345678谁看过" in text_of(kept) and "不要把证件号" in text_of(kept)
    client_of(cast.villager).post(
        url,
        {
            "text": "谁看过",
            "status": "done",
            "resident": cast.head.resident_id,
            "place": cast.next_place,
            "answer": "x",
        },
    )
    made = Request.objects.get()
    assert (made.status, made.resident, made.place, made.answer) == (
        "received",
        cast.villager.resident,
        cast.place,
        "",
    )


def test_other_peoples_data_looks_like_nothing(cast: SimpleNamespace) -> None:
    """A-02, A-04: on every page and file of the phone a neighbour's key and one that does not exist look the same."""
    client = client_of(cast.villager)
    for name in ("m_mydata_of", "m_mydata_copy", "m_mydata_xlsx", "m_mydata_pdf"):
        for key in (cast.reviewer2.resident_id, cast.stranger.resident_id, cast.head.resident_id, NOBODY):
            answer = client.get(reverse(name, args=[key]))
            assert answer.status_code == 404 and "演示己" not in text_of(answer), name
    made = ask(cast, by=cast.head, resident=cast.head.resident)
    assert client.get(reverse("m_mydata_request", args=[made.pk])).status_code == 404


def test_the_relative_of_a_dead_person_takes_the_copy(cast: SimpleNamespace) -> None:
    """P-06 (49): same household on the phone."""
    Resident.objects.filter(pk=cast.villager.resident_id).update(status="dead", left_on="2026-01-01")
    page = text_of(client_of(cast.head).get(reverse("m_mydata")))
    assert "已去世，由家人办" in page
    assert (
        client_of(cast.head).get(reverse("m_mydata_copy", args=[cast.villager.resident_id])).status_code
        == 200
    )


def test_the_desk_from_paper_to_the_slip(cast: SimpleNamespace) -> None:
    """P-06, U-35, U-38: found by household number, keyed in with the sheet's number, answered, slip and state by code."""
    client = client_of(cast.clerk)
    found = text_of(client.get(reverse("desk_privacy_find", args=[cast.place]), {"q": "1001"}))
    url = reverse("desk_privacy_new", args=[cast.place, cast.villager.resident_id])
    assert url in found and reverse("open_privacy_form", args=[cast.place]) in found
    post = {"kind": "copy", "asked_by": "person", "channel": "paper", "paper_number": "", "text": ""}
    assert "请填申请表的编号" in text_of(client.post(url, post))
    page = client.post(url, post | {"paper_number": "S-9"}, follow=True)
    made = Request.objects.get()
    assert made.lookup_code in text_of(page)
    copy = reverse("desk_privacy_copy", args=[cast.place, made.pk])
    assert client.get(copy).status_code == 200
    answered = client.post(
        reverse("desk_privacy_request", args=[cast.place, made.pk]), {"do": "answer", "text": "已交给本人。"}
    )
    assert answered.status_code == 302 and client.get(copy).status_code == 404, "no copy once it is answered"
    state = Client().get(reverse("open_privacy_request", args=[cast.place]), {"code": made.lookup_code})
    assert "已交给本人" in text_of(state) and "演示" not in re.sub("演示数据", "", text_of(state))
    slip = Client().get(reverse("open_privacy_slip", args=[cast.place]), {"code": made.lookup_code})
    assert slip["Content-Type"] == "application/pdf"
    assert (
        Client().get(reverse("open_privacy_slip", args=[cast.place]), {"code": "0000-0000-0000"}).status_code
        == 404
    )


def test_two_hands_on_the_pages(cast: SimpleNamespace) -> None:
    """T-07: the clerk has no approve button and may not post one; the supervisor approves; the page says what stayed."""
    made = ask(cast, kind="delete", text="")
    url = reverse("desk_privacy_request", args=[cast.place, made.pk])
    clerk, supervisor = client_of(cast.clerk), client_of(cast.supervisor)
    assert 'value="prepare"' in text_of(clerk.get(url)) and 'value="prepare"' not in text_of(
        supervisor.get(url)
    )
    clerk.post(url, {"do": "prepare"})
    assert 'value="approve"' not in text_of(clerk.get(url))
    assert clerk.post(url, {"do": "approve"}).status_code in (200, 403) and not Erasure.objects.exists()
    assert supervisor.post(url, {"do": "nonsense"}).status_code == 400
    done = supervisor.post(url, {"do": "approve"}, follow=True)
    assert "已删除" in text_of(done) and Erasure.objects.count() == 1


DESK = ("desk_privacy", "desk_privacy_requests", "desk_privacy_find", "desk_privacy_sharing", "desk_privacy_assessments",
        "desk_privacy_minors", "desk_privacy_incidents", "desk_privacy_pdf")  # fmt: skip
SEES = {
    "clerk": DESK[:6] + DESK[7:], "supervisor": (*DESK[:2], *DESK[3:6], DESK[7]), "township": DESK[:6] + DESK[7:],
    "county": (DESK[0], *DESK[3:6], DESK[7]), "security_admin": (DESK[0], *DESK[3:]),
    "audit_admin": (DESK[0], *DESK[3:6], DESK[7]),
    "villager": (), "group_leader": (), "reviewer": (), "elder": (), "shopkeeper": (), "bank": (), "system_admin": (),
    "stranger_clerk": (),
}  # fmt: skip


@pytest.mark.parametrize("who", sorted(SEES))
def test_who_opens_what(cast: SimpleNamespace, who: str) -> None:
    """O-07, A-07: the pages of the room by role; a foreign village's clerk gets what a stranger gets."""
    client = client_of(getattr(cast, who))
    for name in DESK:
        status = client.get(reverse(name, args=[cast.place])).status_code
        assert status == 200 if name in SEES[who] else status in (403, 404), name


def test_the_supervisors_page_has_all_of_it_and_prints(cast: SimpleNamespace) -> None:
    """O-07: register, consents, sharing register, requests and deadlines, last audit; printable."""
    ask(cast)
    actions.make_report(by=cast.supervisor, place=cast.place, year=2025, findings="逐条核对，没有发现问题。")
    client = client_of(cast.supervisor)
    page = text_of(client.get(reverse("desk_privacy", args=[cast.place])))
    for words in (
        "登记表",
        "电话和身份证号（加密）",
        "同意和不同意",
        "提供给别人",
        "在办的请求",
        "最近一次：2025 年",
        "到期该清的",
    ):
        assert words in page
    pdf = client.get(reverse("desk_privacy_pdf", args=[cast.place]))
    assert pdf["Content-Type"] == "application/pdf" and pdf.content.startswith(b"%PDF")


def test_statements_of_the_page_do_not_grow(cast: SimpleNamespace) -> None:
    """O-07: the overview costs the same with more requests."""
    client, url = client_of(cast.supervisor), reverse("desk_privacy", args=[cast.place])
    ask(cast)
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for n in range(8):
        ask(cast, text=f"第 {n} 处不对")
    with CaptureQueriesContext(connection) as more:
        client.get(url)
    assert len(more) == len(few)


def test_sharing_assessment_minors_incident_by_hand(cast: SimpleNamespace) -> None:
    """P-13, P-09, P-07, P-12: each form keeps what was typed and says what is missing; then it is done."""
    clerk, county, security = client_of(cast.clerk), client_of(cast.county), client_of(cast.security_admin)
    url = reverse("desk_privacy_sharing", args=[cast.place])
    post = dict.fromkeys(
        ("name", "contact", "purpose", "data_kinds", "method", "contract", "basis"), "演示公司"
    )
    wrong = clerk.post(url, post | {"kind": "processor", "starts_on": "2026-01-01", "ends_on": "2030-01-01"})
    assert "不得转委托" in text_of(wrong) and "演示公司" in text_of(wrong) and not Recipient.objects.exists()
    url = reverse("desk_privacy_assessments", args=["511702"])
    post = {"title": "影响评估", "conclusion": SENTENCE}
    for code in ("sensitive", "publication", "sharing", "automation"):
        post |= {f"{code}_{name}": SENTENCE for name in ("needed", "risk", "measures")} | {
            f"{code}_level": "低"
        }
    assert "请选" in text_of(county.post(url, post | {"sharing_level": ""}))
    assert county.post(url, post).status_code == 302
    minors = client_of(cast.supervisor).post(
        reverse("desk_privacy_minors", args=[cast.place]),
        {"year": "2025", "findings": "逐条核对，没有发现问题。"},
    )
    assert minors.status_code == 302
    url = reverse("desk_privacy_incidents", args=["511702"])
    post = {"since": "2026-01-01", "until": "2027-01-01", "actors": "", "kinds": ["unmask"], **TEXTS}
    assert "没有账号" in text_of(security.post(url, post | {"actors": "nobody-here"}))
    done = security.post(url, post, follow=True)
    assert "给主管部门的报告" in text_of(done)
    pack = re.search(r'href="(/desk/511702/privacy/incidents/[^"]*pack\.xlsx)"', text_of(done))
    assert pack is not None and security.get(pack[1]).status_code == 200
    assert security.get(pack[1].replace("xlsx", "pdf"))["Content-Type"] == "application/pdf"
    assert county.get(pack[1]).status_code == 403


def test_the_notice_comes_once_after_logging_in(cast: SimpleNamespace) -> None:
    """P-02: the front door leads a villager to the unread notice, with a way past it; read, it leads home."""
    client = client_of(cast.villager)
    assert client.get("/")["Location"] == reverse("m_privacy_notice")
    page = text_of(client.get(reverse("m_privacy_notice")))
    assert "以后再看" in page and "我看过了" in page
    assert client.get("/m/").status_code == 200, "nobody is locked out"
    assert client.post(reverse("m_privacy_notice"), {"then": "consents"})["Location"] == reverse("m_consents")
    assert client.get("/")["Location"] == "/m/" and NoticeRead.objects.count() == 1


def test_the_open_notice_is_large_readable_aloud_and_printable(cast: SimpleNamespace) -> None:
    """P-02, M-01: 18 pt at least, read aloud as an extra, a PDF, no person in it."""
    page = text_of(Client().get(reverse("open_privacy", args=[cast.place])))
    assert 'data-read="#notice"' in page and "web/read" in page and "演示甲" not in page
    with open(get_static("privacy/notice.css"), encoding="utf-8") as file:
        sizes = [
            float(size)
            for size in re.findall(r"\.notice (?:p|li|ul)?\s*\{[^}]*font-size: ([\d.]+)px", file.read())
        ]
    assert sizes and min(sizes) >= 24, "24 CSS pixels are 18 pt"
    VillageSettings.objects.filter(place=cast.place).update(
        office_address="谭家沟村3组村委会一楼便民服务大厅"
    )
    pdf = Client().get(reverse("open_privacy_pdf", args=[cast.place]))
    assert len(PdfReader(io.BytesIO(pdf.content)).pages) == 1
    assert pdf["Content-Type"] == "application/pdf" and pdf["X-Robots-Tag"].startswith("noindex")


def get_static(name: str) -> str:
    from django.contrib.staticfiles import finders

    found = finders.find(name)
    assert isinstance(found, str)
    return found
