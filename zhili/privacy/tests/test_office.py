"""Assessments, sharing, children's data, the notice, automation: what a county must be able to show."""

from __future__ import annotations

import json
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import override_settings

from tests.books import make_book
from tests.month import approved, claim_for, deduction
from zhili.audit.models import Entry
from zhili.claims.actions import review_claim
from zhili.claims.queries import claim_story
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.gates import guard, pass_gate
from zhili.common.periods import today
from zhili.common.scope import set_scope
from zhili.notices.actions import close_notice, open_notice
from zhili.notices.models import Notice
from zhili.people.consent_actions import answer_consents
from zhili.people.models import Resident
from zhili.privacy import actions
from zhili.privacy.errors import PrivacyError
from zhili.privacy.golive import checklist, in_force, keep_file, read_file, template
from zhili.privacy.minors import figures
from zhili.privacy.models import Assessment, MinorReport, NoticeRead, Recipient, Sharing
from zhili.privacy.notice import changes_since, notice_of, unread
from zhili.privacy.register import register
from zhili.privacy.tests.filled import COVERS, answers, filled_in

RECIPIENT = {
    "name": "演示银行", "contact": "演示联系人 0818-0000000", "purpose": "办理贷款参考", "data_kinds": "户编号、积分余额",
    "method": "本人申请后出具证明", "contract": "协议 2026-1", "basis": "本人单独同意（个人信息保护法第二十三条）",
}  # fmt: skip


def assessed(cast: SimpleNamespace, place: str = "511702") -> Assessment:
    made = actions.save_assessment(
        by=cast.county, place=place, title="影响评估", answers=answers(), covers=COVERS
    )
    return actions.approve_assessment(by=cast.security_admin, assessment=made)


# --- the impact assessment (P-09)


def test_the_template_is_filled_from_the_register() -> None:
    """P-09: what is handled, why and on what basis is there already; what people must judge is empty."""
    made = template()
    assert made["register_digest"] == register().digest
    sensitive = made["subjects"]["sensitive"]
    assert any("身份证号" in line and "二十九" in line for line in sensitive["data"])
    assert (sensitive["needed"], sensitive["risk"], sensitive["level"], made["signed"]) == ("", "", "", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"conclusion": "行"}, "结论"), ({"signed": ""}, "签的字"), ({"register_digest": "0" * 64}, "登记表已经变了"),
     ({"format": "x"}, "不是影响评估文件"), ({"subjects": {}}, "还没有写清楚")],
)  # fmt: skip
def test_an_unfinished_or_stale_file_is_refused(change: dict[str, Any], words: str) -> None:
    """P-09: nothing half-filled counts."""
    with pytest.raises(PrivacyError, match=words):
        read_file(json.dumps(filled_in(**change)))
    with pytest.raises(PrivacyError, match="读不出来"):
        read_file("{")


@pytest.mark.parametrize("name", ["needed", "risk", "measures", "level"])
def test_every_question_of_every_subject(cast: SimpleNamespace, name: str) -> None:
    """P-09 (56): none of the three questions and no level may be left out."""
    for code in COVERS:
        given = answers()
        given["subjects"][code][name] = ""
        with pytest.raises(PrivacyError):
            actions.save_assessment(
                by=cast.county, place="511702", title="影响评估", answers=given, covers=COVERS
            )
    assert not Assessment.objects.exists()


def test_a_second_person_approves(cast: SimpleNamespace) -> None:
    """P-09: the writer does not, a village clerk does not; the database agrees; approved is approved once."""
    set_scope(["511702"])
    made = actions.save_assessment(
        by=cast.county, place="511702", title="影响评估", answers=answers(), covers=COVERS
    )
    with pytest.raises(PrivacyError, match="同一个人"):
        actions.approve_assessment(by=cast.county, assessment=made)
    for who in (cast.clerk, cast.supervisor, cast.villager, cast.township):
        with pytest.raises(NotAllowed):
            actions.approve_assessment(by=who, assessment=made)
    with pytest.raises(IntegrityError), transaction.atomic():
        Assessment.objects.filter(pk=made.pk).update(status="approved")
    assert in_force(cast.place, "publication") is None
    done = actions.approve_assessment(by=cast.security_admin, assessment=made)
    assert in_force(cast.place, "publication") == done
    with pytest.raises(PrivacyError, match="已经批准"):
        actions.approve_assessment(by=cast.security_admin, assessment=done)


def test_the_village_reads_the_countys_and_writes_nothing_of_it(cast: SimpleNamespace) -> None:
    """P-09, A-03: row security lets it be read downwards only."""
    made = assessed(cast)
    set_scope([cast.place])
    assert in_force(cast.place, "sharing") == made
    with pytest.raises(Exception, match="row-level security"), transaction.atomic():
        Assessment.objects.create(place="511702", title="x", register_digest="0" * 64)
    assert not Assessment.objects.filter(pk=made.pk).update(title="y")


def test_no_publication_in_production_without_one(cast: SimpleNamespace) -> None:
    """P-09, P-05: the gate before a notice; with it the notice hangs. In the demo it is open."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        approved(cast)
    with time_machine.travel(date(2026, 11, 2), tick=True), override_settings(MODE="production"):
        with pytest.raises(ZhiliError, match="影响评估"):
            open_notice(by=cast.clerk, place=cast.place, period="2026-10")
        assert not Notice.objects.exists() and not all(one.ok for one in checklist(cast.place)[:4])
        assessed(cast)
        assert open_notice(by=cast.clerk, place=cast.place, period="2026-10").status == "open"
        assert all(one.ok for one in checklist(cast.place))


def test_it_runs_out_after_two_years(cast: SimpleNamespace) -> None:
    """P-09: then it is made again; the row stays three years."""
    made = assessed(cast)
    assert in_force(cast.place, "publication", made.valid_until) == made
    assert made.valid_until is not None
    assert in_force(cast.place, "publication", made.valid_until + timedelta(days=1)) is None


def test_the_signed_file_becomes_the_countys(cast: SimpleNamespace) -> None:
    """P-09: at `zhili init`, signed on paper by named people."""
    made = keep_file("511702", filled_in())
    assert (made.status, made.signed, made.place) == ("approved", "演示甲、演示乙 2026-10-01", "511702")


def test_a_gate_nobody_guards_is_open_and_a_guard_stands_once() -> None:
    """P-09: the same check set twice asks once."""
    asked: list[str] = []

    def check(**facts: Any) -> None:
        asked.append(facts["place"])

    pass_gate("test.nobody", place="1")
    guard("test.somebody", check)
    guard("test.somebody", check)
    pass_gate("test.somebody", place="2")
    assert asked == ["2"]


# --- sharing (P-13)


def recipient(cast: SimpleNamespace, **changes: Any) -> Recipient:
    facts: dict[str, Any] = {
        "by": cast.clerk, "place": cast.place, "kind": "handler", "starts_on": today(),
        "ends_on": today() + timedelta(days=90), **RECIPIENT,
    }  # fmt: skip
    return actions.add_recipient(**(facts | changes))


def test_nothing_goes_out_without_a_contract_that_runs(cast: SimpleNamespace) -> None:
    """P-13: not before, not after, not once it was ended, not to the next village's recipient."""
    row = recipient(cast)
    made = actions.record_sharing(
        by=cast.clerk, place=cast.place, recipient=row, what="积分余额", resident=cast.head.resident
    )
    assert (made.people, made.resident) == (1, cast.head.resident)
    share = {"by": cast.clerk, "place": cast.place, "what": "积分余额"}
    later = recipient(cast, starts_on=today() + timedelta(days=1))
    with pytest.raises(PrivacyError, match="没有对这个接收方有效的登记"):
        actions.record_sharing(**share, recipient=later)
    with pytest.raises(PrivacyError):
        actions.record_sharing(**share | {"place": cast.next_place}, recipient=row)
    with time_machine.travel(today() + timedelta(days=91)), pytest.raises(PrivacyError):
        actions.record_sharing(**share, recipient=row)
    actions.end_recipient(by=cast.clerk, recipient=row)
    with pytest.raises(PrivacyError):
        actions.record_sharing(**share, recipient=row)
    assert Sharing.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"kind": "processor"}, "不得转委托"), ({"kind": "friend"}, "身份"), ({"contract": ""}, "合同"),
     ({"purpose": "x" * 201}, "目的"),
     ({"ends_on": date(2020, 1, 1)}, "起止日期"), ({"data_kinds": "手机 13912345678"}, "像号码")],
)  # fmt: skip
def test_what_cannot_be_registered(cast: SimpleNamespace, changes: dict[str, Any], words: str) -> None:
    """P-13 (21): a processor's contract forbids passing the work on; who, why, what, how long are compulsory."""
    with pytest.raises(PrivacyError, match=words):
        recipient(cast, **changes)
    assert not Recipient.objects.exists()


@pytest.mark.parametrize(
    "who", ["villager", "supervisor", "shopkeeper", "bank", "system_admin", "stranger_clerk"]
)
def test_who_may_not_register_a_recipient(cast: SimpleNamespace, who: str) -> None:
    """P-13, A-07: not the recipient itself, not those who watch."""
    with pytest.raises(NotAllowed):
        recipient(cast, by=getattr(cast, who))


# --- children (P-07)


def test_the_yearly_audit_of_childrens_data(cast: SimpleNamespace) -> None:
    """P-07: figures of the year; once; reported to somebody on a day; no child's name in it."""
    child = Resident.objects.create(
        place=cast.place, household=cast.household, name="演示小", birth_date=today() - timedelta(days=3000)
    )
    Resident.objects.create(
        place=cast.place,
        household=cast.household,
        name="演示大",
        birth_date=today() - timedelta(days=366 * 15),
    )
    assert figures(cast.place, today().year)["children"] == 1
    assert figures(cast.place, today().year)["without_consent"] == 1
    answer_consents(by=cast.head, resident=child, answers={"minor": True}, channel="phone")
    made = actions.make_report(
        by=cast.supervisor, place=cast.place, year=today().year, findings="逐条核对，没有发现问题。"
    )
    assert (made.figures["consented"], made.figures["by_guardian"], made.figures["without_consent"]) == (
        1,
        1,
        0,
    )
    assert "演示小" not in str(made.figures) and str(child.pk) not in str(made.figures)
    with pytest.raises(PrivacyError, match="已经做过"):
        actions.make_report(
            by=cast.supervisor, place=cast.place, year=today().year, findings="再做一次看看。"
        )
    with pytest.raises(PrivacyError, match="年份"):
        actions.make_report(
            by=cast.supervisor, place=cast.place, year=today().year + 1, findings="明年的先做了。"
        )
    done = actions.report_to(by=cast.supervisor, report=made, to="乡镇人民政府", on=today())
    with pytest.raises(PrivacyError, match="已经报告"):
        actions.report_to(by=cast.supervisor, report=done, to="区县", on=today())
    for who in (cast.clerk, cast.villager, cast.system_admin):
        with pytest.raises(NotAllowed):
            actions.make_report(by=who, place=cast.place, year=2025, findings="不该由我来做。")
    assert MinorReport.objects.count() == 1


# --- the notice (P-02)


def test_the_notice_says_it_all_and_asks_again_when_it_changes(
    cast: SimpleNamespace, monkeypatch: Any
) -> None:
    """P-02 (14, 17): who, what, why, how long, effect, rights; read once; a new version asks again."""
    from zhili.people import consent_purposes
    from zhili.privacy import notice

    found = notice_of(cast.place)
    assert [part.title for part in found.parts] == [
        "谁在用", "用什么", "做什么用", "要您点头才用的", "大家看得到什么", "留多久", "对您有什么影响", "您可以"
    ]  # fmt: skip
    text = "".join(line for part in found.parts for line in part.lines)
    assert (
        "谭家沟村" in text
        and "0818-0000000" in text
        and "15 个工作日" in text
        and "个人信息保护法" not in text
    )
    assert unread(cast.villager) == found.version
    assert unread(cast.county) == "" and unread(None) == "", "who lives in no village is not asked"
    actions.mark_read(by=cast.villager, place=cast.place)
    actions.mark_read(by=cast.villager, place=cast.place)
    assert unread(cast.villager) == "" and NoticeRead.objects.count() == 1
    purposes = consent_purposes.VERSIONS[-1].purposes
    newer = consent_purposes.NoticeVersion("2027-1", date(2027, 1, 1), "增加了银行卡号。", purposes)
    monkeypatch.setattr(notice, "VERSIONS", (*consent_purposes.VERSIONS, newer))
    monkeypatch.setattr(notice, "current", lambda: newer)
    assert unread(cast.villager) == "2027-1" and changes_since(cast.villager) == ("增加了银行卡号。",)


# --- automation (P-08)


def test_no_grade_and_no_deduction_without_a_named_human(cast: SimpleNamespace) -> None:
    """P-08 (24): each posted transfer of an award or a deduction names its reviewers, who are people with a log-in and
    none of them the one who entered it; why-this-score stands behind each claim."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        claims = [approved(cast, text="扫了路"), deduction(cast)]
        waiting = claim_for(cast, occurred_on=date(2026, 10, 18))
    with time_machine.travel(date(2026, 11, 2), tick=True):
        notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
    with time_machine.travel(date(2026, 11, 12), tick=True):
        close_notice(by=cast.clerk, notice=notice)
    with connection.cursor() as cursor:
        cursor.execute("SELECT cause FROM ledger_transfer WHERE code IN ('award', 'deduct')")
        causes = [json.loads(row[0]) for row in cursor.fetchall()]
    assert causes and {one["claim"] for one in causes} == {str(claim.pk) for claim in claims}
    for cause in causes:
        reviewers = set(cause["reviewers"])
        assert reviewers and cause["actor"] not in reviewers
        assert reviewers <= {cast.reviewer2.pk, cast.reviewer3.pk, cast.elder.pk}
    for claim in claims:
        claim.refresh_from_db()
        kinds = [step.kind for step in claim_story(claim)]
        assert {"rule", "submitted", "review", "score"} <= set(kinds)
    waiting.refresh_from_db()
    assert waiting.status == "submitted", "what nobody has decided on goes nowhere by itself"


def test_no_job_of_the_machine_reviews(cast: SimpleNamespace) -> None:
    """P-08: a review needs a person; nobody signed in is refused, and no daily job calls one."""
    from pathlib import Path

    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        claim = claim_for(cast)
    with pytest.raises((ZhiliError, AttributeError)):
        review_claim(by=None, claim=claim, decision="approve")  # type: ignore[arg-type]
    room = Path(__file__).resolve().parents[2]
    jobs = [file.read_text(encoding="utf-8") for file in room.glob("*/tasks.py")]
    assert jobs and not [text for text in jobs if "review" in text]
    assert not Entry.objects.filter(action="claims.review", actor_id=None).exists()
