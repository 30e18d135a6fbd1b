"""The pages of honours: everybody their own part, nothing of who is not on a list, no deduction, no whole name."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from tests.cast import make_cast, make_person
from zhili.audit.models import Entry
from zhili.common.periods import today
from zhili.common.publication import scan_artefact
from zhili.common.scope import set_scope
from zhili.honours import actions
from zhili.honours.models import HonourEntry, HonourList, HonourScheme
from zhili.honours.tests.stage import award, decided, drafted, half_year, published, stars, top
from zhili.people.models import Household, Resident

pytestmark = [pytest.mark.django_db]
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
OFF_LIST = ("2002", "2003", "3002", "3003", "3004")


@pytest.fixture
def cast(db: None) -> Any:
    set_scope(["511702"])
    found = make_cast()
    half_year(found)
    return found


def as_(user: Any) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user, BACKEND)
    return client


def words(answer: Any) -> str:
    """What a reader sees: of a page its text, of a PDF its letters without the spaces between them."""
    if answer.headers["Content-Type"] == "application/pdf":
        return "".join(pages_of(answer))
    return re.sub(r"<svg.*?</svg>", "", answer.content.decode(), flags=re.DOTALL)


def pages_of(answer: Any) -> list[str]:
    """Large type is set wide, and comes out of a PDF with spaces in it."""
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return [re.sub(r"[\s\u200b]", "", page.extract_text()) for page in pages]


def test_nobody_below_the_list_is_anywhere(cast):
    """G-03, M-09: no page, paper or record shows a household that is not on the list, nor a deduction."""
    found, second = published(cast), published(cast, top(cast))
    desk, own = f"/desk/{cast.place}/honours/", found.entries.get(household_code="1001")
    pages = [
        (None, f"/open/{cast.place}/honours/"),
        *[(None, f"/open/{cast.place}/honours/{n}/") for n in (found.number, second.number)],
        *[(None, f"/open/{cast.place}/honours/{n}/poster.pdf") for n in (found.number, second.number)],
        (cast.reviewer3, "/m/honours/"),
        *[(cast.reviewer3, f"/m/honours/{n}/") for n in (found.number, second.number)],
        *[
            (cast.clerk, f"{desk}{part}")
            for part in (
                "", f"lists/{found.pk}/", f"schemes/{found.scheme_id}/", f"lists/{found.pk}/certificates.pdf",
                f"lists/{found.pk}/plates.pdf", f"lists/{second.pk}/poster.pdf", f"entries/{own.pk}/certificate.pdf",
            )
        ],
    ]  # fmt: skip
    for user, path in pages:
        answer = as_(user).get(path)
        assert answer.status_code == 200, path
        text = words(answer)
        shown = text.replace("2003 户", "") if path == "/m/honours/" else text
        assert not [code for code in OFF_LIST if re.search(rf"(?<![0-9a-f-]){code}(?![0-9a-f-])", shown)], (
            path
        )
        assert "-10" not in text and "−10" not in text, path
    assert set(HonourEntry.objects.values_list("household_code", flat=True)).isdisjoint(OFF_LIST)


def test_public_pages_are_masked_and_clean(cast):
    """M-01, M-03, M-05, M-08: group and number beside a masked name; no whole name; the scanner finds nothing."""
    found = published(cast)
    names = list(Resident.objects.filter(place=cast.place).values_list("name", flat=True))
    for path in ("", f"{found.number}/", f"{found.number}/poster.pdf"):
        answer = as_(None).get(f"/open/{cast.place}/honours/{path}")
        leaks = scan_artefact(answer.content, allowed=["0818-0000000"], names=names)
        assert not leaks, (path, leaks)
        if path.endswith("pdf"):
            assert "noindex" in answer.headers["X-Robots-Tag"]
        else:
            assert "noindex" in answer.content.decode()
            assert "<script" not in answer.content.decode().split("</head>")[1]
    rows = words(as_(None).get(f"/open/{cast.place}/honours/{found.number}/"))
    assert "1001" in rows and "1组" in rows and "演**" in rows


def test_the_link_dies(cast, time_machine):
    """M-07: the day after its last day the page and the poster are gone; so is one for the village only."""
    quiet = published(cast, top(cast, reach="village"))
    found = published(cast)
    client = as_(None)
    assert client.get(f"/open/{cast.place}/honours/{quiet.number}/").status_code == 404
    assert client.get(f"/open/{cast.place}/honours/{quiet.number}/poster.pdf").status_code == 404
    assert as_(cast.villager).get(f"/m/honours/{quiet.number}/").status_code == 200
    time_machine.move_to(f"{found.shown_to + timedelta(days=1)}T01:00:00+08:00")
    for path in ("", "poster.pdf"):
        assert client.get(f"/open/{cast.place}/honours/{found.number}/{path}").status_code == 404
    assert as_(cast.villager).get("/m/honours/").content.decode().count("下载证书") == 1


@pytest.mark.parametrize("stage", ["draft", "resolved", "published"])
def test_what_shows_when(cast, stage):
    """Nothing is public, and no certificate is printed, before the village decided and hung it out."""
    found = {"draft": drafted, "resolved": decided, "published": published}[stage](cast)
    entry = found.entries.get(household_code="1001")
    is_open = stage == "published"
    assert (as_(None).get(f"/open/{cast.place}/honours/{found.number}/").status_code == 200) == is_open
    assert ("三星" in as_(cast.villager).get("/m/honours/").content.decode()) == is_open
    own = as_(cast.villager).get(f"/m/honours/{entry.pk}/certificate.pdf")
    assert (own.status_code == 200) == is_open
    printed = as_(cast.clerk).get(f"/desk/{cast.place}/honours/lists/{found.pk}/certificates.pdf")
    assert (printed.status_code == 200) == (stage != "draft")


DESK = {
    "": {"clerk", "group_leader", "reviewer2", "elder", "supervisor", "township", "county"},
    "schemes/new/": {"clerk"},
    "goals/new/": {"clerk"},
    "priorities/new/": {"clerk"},
    "lists/{list}/": {"clerk", "group_leader", "reviewer2", "elder", "supervisor", "township", "county"},
    "entries/{entry}/strike/": {"clerk", "elder", "supervisor"},
    "lists/{list}/certificates.pdf": {"clerk"},
    "lists/{list}/plates.pdf": {"clerk"},
    "lists/{list}/poster.pdf": {"clerk"},
    "entries/{entry}/certificate.pdf": {"clerk"},
    "letters/{home}/": {"clerk"},
}
ROLES = ("clerk", "group_leader", "reviewer2", "elder", "supervisor", "township", "county", "villager", "shopkeeper",
         "bank", "stranger_clerk", "stranger")  # fmt: skip


def test_who_opens_what_at_the_desk(cast):
    """A-01, A-04: each role × each page; foreign looks like absent."""
    found = published(cast)
    entry = found.entries.get(household_code="1002")
    facts = {"list": found.pk, "entry": entry.pk, "home": entry.household_id}
    for role in ROLES:
        client = as_(getattr(cast, role))
        for path, may in DESK.items():
            status = client.get(f"/desk/{cast.place}/honours/{path.format(**facts)}").status_code
            assert (status == 200) == (role in may), (role, path, status)
            assert status in (200, 403, 404), (role, path, status)
    foreign = as_(cast.stranger_clerk)
    for path in ("lists/{list}/", "entries/{entry}/certificate.pdf", "letters/{home}/"):
        there = foreign.get(f"/desk/{cast.next_place}/honours/{path.format(**facts)}")
        assert there.status_code == 404, path


def test_a_neighbour_gets_no_certificate_of_ours(cast):
    entry = published(cast).entries.get(household_code="1001")
    assert as_(cast.elder).get(f"/m/honours/{entry.pk}/certificate.pdf").status_code == 404
    assert as_(cast.stranger).get(f"/m/honours/{entry.pk}/certificate.pdf").status_code == 404
    actions.strike_off(by=cast.elder, entry=entry, because="查实多记")
    assert as_(cast.villager).get(f"/m/honours/{entry.pk}/certificate.pdf").status_code == 404


def test_who_asked_not_to_be_published_has_it_at_home(cast):
    """P-04: on the own phone and as a certificate; on no page, poster or door plate."""
    Household.objects.filter(place=cast.place, code="1001").update(published=False)
    found = published(cast)
    entry = found.entries.get(household_code="1001")
    mine = as_(cast.villager)
    assert "三星" in mine.get("/m/honours/").content.decode()
    assert "三星级文明户" in words(mine.get(f"/m/honours/{entry.pk}/certificate.pdf"))
    desk = f"/desk/{cast.place}/honours/lists/{found.pk}/"
    for user, path in (
        (None, f"/open/{cast.place}/honours/{found.number}/"),
        (None, f"/open/{cast.place}/honours/{found.number}/poster.pdf"),
        (cast.elder, f"/m/honours/{found.number}/"),
        (cast.clerk, f"{desk}plates.pdf"),
        (cast.clerk, f"{desk}poster.pdf"),
    ):
        assert "1001" not in words(as_(user).get(path)), path
    assert "另有 1 户" in words(as_(None).get(f"/open/{cast.place}/honours/{found.number}/"))


def test_corrected_since_stands_beside_it(cast):
    """What a later reversal changed is said on every face and changed on none."""
    from zhili.ledger.actions import reverse

    keys = award(cast, "1003", 3000)
    found = published(cast)
    reverse(keys, place=cast.place, by=cast.clerk, approved_by=cast.elder, reason="记错了", period="2026-09")
    assert "后来有更正" in words(as_(None).get(f"/open/{cast.place}/honours/{found.number}/"))
    assert "后来有更正" in words(as_(None).get(f"/open/{cast.place}/honours/{found.number}/poster.pdf"))
    desk = as_(cast.supervisor).get(f"/desk/{cast.place}/honours/lists/{found.pk}/").content.decode()
    assert "现在是 20 分" in desk and ">50<" in desk
    assert "后来有更正，现在是 20 分" in as_(cast.clerk).get("/m/honours/").content.decode()


def test_the_office_goes_through_it(cast):
    """From the resolution to the wall by the pages alone; what is refused keeps what was typed."""
    clerk, elder, desk = as_(cast.clerk), as_(cast.elder), f"/desk/{cast.place}/honours/"
    facts = {
        "title": "星级文明户", "kind": "stars", "levels": "20，40，60", "period_kind": "half_year", "counts": "net",
        "reach": "public", "basis": "村民代表会议", "resolved_on": "2026-01-05", "minimum": "",
    }  # fmt: skip
    wrong = clerk.post(f"{desk}schemes/new/", facts | {"levels": "60，40"})
    assert (
        wrong.status_code == 422
        and "从少到多" in wrong.content.decode()
        and "60，40" in wrong.content.decode()
    )
    assert clerk.post(f"{desk}schemes/new/", facts | {"levels": "很多"}).status_code == 422
    assert clerk.post(f"{desk}schemes/new/", facts).status_code == 302
    scheme = HonourScheme.objects.get()
    assert elder.post(f"{desk}schemes/{scheme.pk}/", {"do": "draft", "period": "2026-H1"}).status_code == 422
    assert clerk.post(f"{desk}schemes/{scheme.pk}/", {"do": "draft", "period": "2026-H1"}).status_code == 302
    found = HonourList.objects.get()
    page = f"{desk}lists/{found.pk}/"
    assert "登记决定</button>" not in clerk.get(page).content.decode()
    decision = {
        "do": "decide",
        "digest": found.digest,
        "decided_by": "村民代表会议",
        "decided_on": "2026-07-18",
    }
    refused = elder.post(page, decision | {"present": "45", "in_favour": "20"})
    assert refused.status_code == 422 and "没有过半" in refused.content.decode()
    assert elder.post(page, decision | {"present": "45", "in_favour": "40"}).status_code == 302
    far = clerk.post(page, {"do": "publish", "shown_to": "2099-01-01"})
    assert far.status_code == 422 and "2099-01-01" in far.content.decode()
    until = (today() + timedelta(days=30)).isoformat()
    assert clerk.post(page, {"do": "publish", "shown_to": until}).status_code == 302
    assert "三星" in words(as_(None).get(f"/open/{cast.place}/honours/{found.number}/"))
    entry = found.entries.get(household_code="1002")
    strike = f"{desk}entries/{entry.pk}/strike/"
    assert clerk.post(strike, {"because": ""}).status_code == 422
    assert clerk.post(strike, {"because": "查实多记了"}).status_code == 302
    assert "1002" not in words(as_(None).get(f"/open/{cast.place}/honours/{found.number}/"))
    until_text = {"title": "先报名外出参观", "list": str(found.pk), "starts": today().isoformat(), "ends": until,
                  "basis": "村民代表会议"}  # fmt: skip
    assert clerk.post(f"{desk}priorities/new/", until_text).status_code == 302
    assert "先报名外出参观" in as_(cast.villager).get("/m/honours/").content.decode()
    assert "先报名外出参观" not in as_(cast.reviewer3).get("/m/honours/").content.decode()


def test_papers_say_what_they_must(cast):
    """G-14, U-30: certificates, plates, list and letter with selectable text; each leaves a row in the trail."""
    found = published(cast)
    clerk, desk = as_(cast.clerk), f"/desk/{cast.place}/honours/"
    answer = clerk.get(f"{desk}lists/{found.pk}/certificates.pdf")
    pages = pages_of(answer)
    assert len(pages) == found.entries.count() == 5
    for part in (
        "荣誉证书", "荣字2026-01-001", "1001户演示乙", "三星级文明户", "2026年上半年", "村民代表会议第1次会议",
        "到会45人，同意40人", "谭家沟村村民委员会", "2026年7月18日", "盖章处",
    ):  # fmt: skip
        assert part in pages[0], part
    assert all("演示" in page for page in pages)
    plates = words(clerk.get(f"{desk}lists/{found.pk}/plates.pdf?paper=a4"))
    assert "演示甲" not in plates and "演示乙" not in plates and "1001" in plates
    poster = words(clerk.get(f"{desk}lists/{found.pk}/poster.pdf"))
    assert "共5户" in poster and "演**" in poster and "20分" in poster
    assert Entry.objects.filter(action="honours.print").count() == 3


def test_a_letter_is_written_over_before_it_is_printed(cast):
    """G-14: prefilled, changed, printed; a number typed into it is refused with everything kept."""
    home = Household.objects.get(place=cast.place, code="1002")
    page = f"/desk/{cast.place}/honours/letters/{home.pk}/"
    clerk = as_(cast.clerk)
    assert "谢谢" in clerk.get(page).content.decode()
    typed = {
        "greeting": "1组 1002 户",
        "body": "您家修了水渠。\n\n大家记着。",
        "signed": "谭家沟村村民委员会",
    }
    text = words(clerk.post(page, typed))
    assert "您家修了水渠。" in text and "大家记着。" in text and "感" in text
    refused = clerk.post(page, typed | {"body": "有事打 13812345678"})
    assert refused.status_code == 422 and "13812345678" in refused.content.decode()
    assert Entry.objects.filter(action="honours.letter").count() == 1
    assert as_(cast.elder).post(page, typed).status_code == 403


def test_a_goal_by_the_pages(cast, time_machine):
    """G-14: set, reached, thanked; the letter goes to the group and names no household."""
    time_machine.move_to("2026-06-20T10:00:00+08:00")
    clerk, desk = as_(cast.clerk), f"/desk/{cast.place}/honours/"
    facts = {
        "group": "1组", "title": "全组达标换路灯", "measure": "share", "points": "20", "share": "100",
        "period": "2026-H1", "reward": "换 6 盏路灯", "basis": "村民代表会议", "resolved_on": "2026-01-05",
    }  # fmt: skip
    for code in ("1004", "1005"):
        make_person(f"more{code}", "演示多", cast.place, code, "1组", "head")
        award(cast, code, 2000)
    assert clerk.post(f"{desk}goals/new/", facts | {"share": ""}).status_code == 422
    assert clerk.post(f"{desk}goals/new/", facts).status_code == 302
    from zhili.honours.models import GroupGoal

    page = f"{desk}goals/{GroupGoal.objects.get().pk}/"
    assert "<progress" in clerk.get(page).content.decode()
    assert clerk.get(f"{page}letter.pdf").status_code == 400
    assert "还有" not in clerk.get(page).content.decode()
    assert as_(cast.elder).post(page, {"do": "reached"}).status_code == 422
    assert clerk.post(page, {"do": "reached"}).status_code == 302
    letter = words(clerk.get(f"{page}letter.pdf"))
    assert "1组全体村民" in letter and "换6盏路灯" in letter
    assert not [code for code in ("1001", "1002", "1004") if code in letter]


def test_statements_of_the_pages_do_not_grow(cast):
    """The open list and the desk's list cost the same for 5 and for 45 households."""
    found = published(cast)
    scheme = stars(cast, title="文明家庭")
    for n in range(40):
        make_person(f"more{n}", "演示多", cast.place, f"9{n:03}", "9组", "head")
        award(cast, f"9{n:03}", 4000)
    more = published(cast, scheme)

    def count(user: Any, path: str) -> int:
        client = as_(user)
        client.get(path)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    for user, path in (
        (None, "/open/{place}/honours/{number}/"),
        (cast.clerk, "/desk/{place}/honours/lists/{pk}/"),
    ):
        few, many = (
            count(user, path.format(place=cast.place, number=one.number, pk=one.pk)) for one in (found, more)
        )
        assert few == many, path
