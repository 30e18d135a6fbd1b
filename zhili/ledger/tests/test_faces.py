"""台账 on its faces: the passbook, the desk's book, reversal in two hands, the open proof of one line."""

from __future__ import annotations

import re

import pytest
import time_machine
from django.test import Client

from tests.books import make_book
from tests.month import approved, home
from zhili.claims.tests.test_phone import browser
from zhili.common.ids import uuid7
from zhili.ledger.models import ReversalRequest
from zhili.ledger.queries import balances, statement
from zhili.notices.actions import close_notice, open_notice


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-11-03 10:00:00+08:00", tick=True) as traveller:
        yield traveller


@pytest.fixture
def village(cast, clock):
    """October is posted: 2 points each for households 1001 and 3001."""
    cast.book = make_book(cast)
    cast.desk, cast.open = f"/desk/{cast.place}", f"/open/{cast.place}"
    cast.claim = approved(cast)
    approved(cast, by=cast.clerk, household=home(cast, "3001"), channel="counter")
    notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
    clock.move_to("2026-11-11 10:00:00+08:00")
    close_notice(by=cast.clerk, notice=notice)
    return cast


def text_of(response) -> str:
    return response.content.decode()


def award(village, purse="merit"):
    page = statement(village.place, village.household.pk, purse=purse)
    return next(entry for entry in page.entries if entry.code == "award")


def test_the_passbook_leads_from_the_total_to_the_reviewer_in_two_taps(village):
    """U-31, U-63: total → line → rule, evidence and review."""
    client = browser(village.villager)
    page = text_of(client.get("/m/passbook/?purse=merit"))
    assert "清扫一段公共道路" in page and "+2" in page and "结余" in page
    why = re.search(r'class="cell" href="(/m/claims/[^"]+)"', page)[1]
    story = text_of(client.get(why))
    assert "HJ01" in story and "评议：通过" in story and "回执" in story


def test_the_passbook_by_month_and_by_purse(village):
    """U-31: opening + lines = closing of the month asked for; nonsense asks for everything."""
    client = browser(village.villager)
    assert "清扫一段公共道路" in text_of(client.get("/m/passbook/", {"month": "2026-11", "purse": "spend"}))
    assert "这里还没有记录" in text_of(client.get("/m/passbook/", {"month": "2026-10"}))
    assert client.get("/m/passbook/", {"month": "昨天", "purse": "../x"}).status_code == 200


def test_the_passbook_prints(village):
    """U-31: phone and desk, A5 and A4."""
    own = browser(village.villager).get("/m/passbook/passbook.pdf?purse=spend")
    office = browser(village.clerk).get(
        f"{village.desk}/ledger/households/{village.household.pk}/passbook.pdf?paper=a4"
    )
    assert own.content[:4] == office.content[:4] == b"%PDF"


def test_nobody_reads_another_households_passbook(village):
    """A-04: neighbours and the next village's clerk get the same 404 as for a household that is not there."""
    path = f"{village.desk}/ledger/households/{village.household.pk}/"
    for person in ("stranger_clerk", "villager", "shopkeeper", "bank"):
        for wanted in (path, f"{path}passbook.pdf", path.replace(str(village.household.pk), str(uuid7()))):
            assert browser(getattr(village, person)).get(wanted).status_code in (403, 404), (person, wanted)
    assert browser(village.township).get(path).status_code == 200
    foreign = browser(village.stranger).get(f"/m/passbook/{award(village).transfer_id}/")
    assert foreign.status_code == browser(village.stranger).get(f"/m/passbook/{uuid7()}/").status_code == 404


def test_the_desk_lists_households_with_their_purses(village):
    """U-52: balances on the screen and in the workbook; the shopkeeper has no business here."""
    client = browser(village.clerk)
    page = text_of(client.get(f"{village.desk}/ledger/"))
    assert "1001" in page and "荣誉积分" in page and "演示乙" in page
    sheet = client.get(f"{village.desk}/ledger/", {"export": "xlsx", "q": "1001"})
    assert sheet["Content-Type"].endswith("sheet") and len(sheet.content) > 2000
    assert browser(village.shopkeeper).get(f"{village.desk}/ledger/").status_code == 403
    assert browser(village.stranger_clerk).get(f"{village.desk}/ledger/").status_code == 404


def test_a_claims_lines_are_reversed_in_two_hands(village):
    """L-04: the clerk asks, somebody who had no part agrees, every purse goes back at once, once."""
    entry = award(village)
    path = f"{village.desk}/ledger/transfers/{entry.transfer_id}/"
    clerk = browser(village.clerk)
    assert clerk.post(path, {"id": str(uuid7()), "reason": ""}).status_code == 422
    asked = clerk.post(path, {"id": str(uuid7()), "reason": "户编号记错，应是 1002 户"})
    request = ReversalRequest.objects.get()
    assert (
        asked["Location"] == f"{village.desk}/ledger/reversals/{request.pk}/" and len(request.transfers) == 2
    )
    second = clerk.post(path, {"id": str(uuid7()), "reason": "再来一次"})
    assert second.status_code == 422 and "已经有人提出" in text_of(second)
    assert clerk.post(asked["Location"], {"agree": "yes"}).status_code == 422
    assert browser(village.villager).post(asked["Location"], {"agree": "yes"}).status_code == 403
    assert browser(village.reviewer3).post(asked["Location"], {"agree": "yes"}).status_code == 422
    before = balances(village.place, [village.household.pk])[village.household.pk, "merit"].balance
    supervisor = browser(village.supervisor)
    done = supervisor.post(asked["Location"], {"agree": "yes", "answer": ""}, follow=True)
    assert "已冲正" in text_of(done)
    held = balances(village.place, [village.household.pk])
    assert held[village.household.pk, "merit"].balance == before - 200
    assert supervisor.post(asked["Location"], {"agree": "yes"}).status_code == 422
    third = clerk.post(path, {"id": str(uuid7()), "reason": "再来一次"})
    assert third.status_code == 422 and "已经冲正" in text_of(third)
    assert "冲正" in text_of(browser(village.villager).get("/m/passbook/"))


def test_a_reversal_may_be_refused_with_a_reason(village):
    """L-04: without a reason it is asked again; refused, nothing is posted."""
    entry = award(village)
    browser(village.clerk).post(
        f"{village.desk}/ledger/transfers/{entry.transfer_id}/", {"id": str(uuid7()), "reason": "记错"}
    )
    request = ReversalRequest.objects.get()
    path = f"{village.desk}/ledger/reversals/{request.pk}/"
    supervisor = browser(village.supervisor)
    assert supervisor.post(path, {"agree": "no", "answer": ""}).status_code == 422
    assert supervisor.post(path, {"agree": "maybe"}).status_code == 422
    assert supervisor.post(path, {"agree": "no", "answer": "查过了，没有错"}).status_code == 302
    request.refresh_from_db()
    assert request.status == "refused" and request.seq is None
    assert not award(village).reversed


@pytest.mark.parametrize("person", ["reviewer2", "supervisor", "township", "elder"])
def test_only_the_clerk_asks_for_a_reversal(village, person):
    """A-07."""
    path = f"{village.desk}/ledger/transfers/{award(village).transfer_id}/"
    client = browser(getattr(village, person))
    assert "提出冲正" not in text_of(client.get(path))
    assert client.post(path, {"id": str(uuid7()), "reason": "我要冲正"}).status_code == 422
    assert not ReversalRequest.objects.exists()


def test_a_line_of_another_village_is_not_there(village):
    """A-04."""
    for person, place in (("stranger_clerk", village.next_place), ("clerk", village.place)):
        wanted = award(village).transfer_id if person == "stranger_clerk" else uuid7()
        assert (
            browser(getattr(village, person)).get(f"/desk/{place}/ledger/transfers/{wanted}/").status_code
            == 404
        )


def test_the_whole_book_is_checked_on_demand_and_only_by_post(village):
    """T-08, W-03."""
    client = browser(village.supervisor)
    assert "全账无误" not in text_of(client.get(f"{village.desk}/ledger/check/"))
    page = text_of(client.post(f"{village.desk}/ledger/check/"))
    assert "全账无误" in page and "逐笔重算" in page
    assert "第 1 批" in text_of(client.get(f"{village.desk}/ledger/batches/"))


def test_a_receipt_proves_its_line_to_anybody_without_a_name(village):
    """T-06, M-01: typed carelessly; the fingerprint is the one on the open page; no name, no household."""
    entry = award(village)
    typed = entry.receipt.lower().replace("-", " ")
    page = text_of(Client().get(f"{village.open}/receipt/", {"code": typed}))
    assert "没有被改过" in page and "与公示榜上的账本指纹核对" in page and "2 分" in page
    for secret in ("演示", "1001", str(village.household.pk)):
        assert secret not in page.replace("演示数据", ""), secret
    short = re.search(r'class="codebig">([^<]+)<', page)[1]
    assert short in text_of(Client().get(f"{village.open}/ledger/"))


@pytest.mark.parametrize("code", ["AAAA-BBBB-CCCC", "12", "你好", "A1B2-C3D4-E5F6-7777", "<script>"])
def test_a_receipt_that_is_none_says_so_in_plain_words(village, code):
    answer = Client().get(f"{village.open}/receipt/", {"code": code})
    assert (
        answer.status_code == 404 and "<script>" not in text_of(answer).split("<main")[1].split("</main")[0]
    )
    assert "再抄一遍" in text_of(answer)


def test_a_receipt_of_this_village_is_unknown_in_the_next(village):
    answer = Client().get(f"/open/{village.next_place}/receipt/", {"code": award(village).receipt})
    assert answer.status_code == 404


def test_an_alarm_is_seen_today_and_lifted_at_the_desk(village):
    """L-15: on the first page before everything else; the clerk reads it, the township lifts it with its reason, by name."""
    from zhili.ledger.alarms import is_stopped, raise_alarm

    raise_alarm(village.place, "账户 1：余额与流水合计对不上", found_by="verify")
    assert "已停止记账" in text_of(browser(village.township).get(f"{village.desk}/"))
    path = f"{village.desk}/ledger/check/"
    page = text_of(browser(village.clerk).get(path))
    assert "余额与流水合计对不上" in page and "ledger_" not in page and 'name="reason"' not in page
    client = browser(village.township)
    page = text_of(client.get(path))
    alarm = re.search(r'name="id" value="([^"]+)"', page)[1]
    short = client.post(path, {"do": "lift", "id": alarm, "reason": "好"})
    assert short.status_code == 422 and "查到了什么" in text_of(short) and is_stopped(village.place)
    refused = browser(village.clerk).post(path, {"do": "lift", "id": alarm, "reason": "硬盘故障，已恢复"})
    assert refused.status_code == 422 and is_stopped(village.place)
    assert client.post(path, {"do": "lift", "id": alarm, "reason": "硬盘故障，已恢复"}).status_code == 302
    assert not is_stopped(village.place)
    page = text_of(client.get(path))
    assert "以前的警报" in page and "硬盘故障，已恢复" in page and str(village.township) in page


def test_the_book_is_taken_home_as_a_zip(village, tmp_path):
    """T-10, O-13: book and verifier in one file, for those with the duty; the verifier finds it whole."""
    import io
    import zipfile

    from zhili.ledger import verify_ledger

    path = f"{village.desk}/ledger/export.zip"
    answer = browser(village.clerk).get(path)
    assert answer.status_code == 200 and answer["Content-Type"] == "application/zip"
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)
    check = verify_ledger.Check(tmp_path / village.place)
    check.run()
    assert check.problems == [] and check.transfers >= 4
    text = "".join(one.read_text(encoding="utf-8") for one in (tmp_path / village.place).iterdir())
    assert "演示" not in text
    for person in (village.villager, village.stranger, village.stranger_clerk):
        assert browser(person).get(path).status_code in (403, 404)
