"""Consent by purpose, on the phone, at the desk and on paper; what a no does, and what it does not (P-02 … P-05, P-07)."""

from __future__ import annotations

import io
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.people import actions, consents
from zhili.people.consent_actions import access_sheet, read_sheet
from zhili.people.consent_models import Alarm, Consent, MinorAccess
from zhili.people.consent_purposes import VERSIONS, NoticeVersion, current
from zhili.people.errors import PeopleError
from zhili.people.importing import apply_households, export_households, read_households
from zhili.people.models import Household, Resident
from zhili.people.tests.keys_worker import numbers
from zhili.people.tests.messy import HEAD, ROWS, xlsx
from zhili.people.unmasking import ask_minor, decide_minor, settle_alarm

BANK = numbers(1)["bank"]


def client(user) -> Client:
    signed_in = Client()
    signed_in.force_login(user)
    return signed_in


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (400, 300), "white").save(out, "JPEG")
    return out.getvalue()


def say(cast, purpose: str, agreed: bool, person="villager", **more):
    user = getattr(cast, person)
    options = {"by": user, "resident": user.resident, "answers": {purpose: agreed}, "channel": "phone"}
    return actions.answer_consents(**(options | more))


def child_of(cast, name="演示小宝") -> Resident:
    return Resident.objects.create(
        place=cast.place,
        household=cast.household,
        name=name,
        relation="grandchild",
        birth_date=date(2018, 5, 1),
    )


def test_nothing_is_consented_until_somebody_says_so(cast: SimpleNamespace):
    """P-03: no purpose is ticked beforehand, on the page as little as in the register."""
    one = cast.villager.resident
    assert [consents.has_consent(one, purpose.code) for purpose in current().purposes] == [False] * 8
    assert {purpose.code for purpose in consents.outstanding(one)} == {
        purpose.code for purpose in current().purposes if not purpose.for_minor
    }
    page = client(cast.clerk).get(reverse("desk_consents_of", args=[cast.place, one.pk])).content.decode()
    ticked = [part for part in page.split("<input") if "checked" in part.split(">")[0]]
    assert all('value="yes"' not in part and 'value="no"' not in part for part in ticked)


def test_each_purpose_is_answered_and_withdrawn_on_its_own(cast: SimpleNamespace):
    """P-03, P-04: the row before is kept, ended and marked; the other purposes stay as they are."""
    say(cast, "phone_sms", True)
    say(cast, "share_credit", True)
    actions.withdraw_consent(by=cast.villager, resident=cast.villager.resident, purpose="phone_sms")
    one = cast.villager.resident
    assert not consents.has_consent(one, "phone_sms") and consents.has_refused(one, "phone_sms")
    assert consents.has_consent(one, "share_credit")
    ended = Consent.objects.get(resident=one, purpose="phone_sms", agreed=True)
    assert (ended.withdrawn, ended.withdrawal_channel, ended.withdrawn_by) == (True, "phone", cast.villager)
    assert say(cast, "share_credit", True) == [], "the same answer again is no new row"
    assert Entry.objects.filter(action="people.consent").count() == 3


def test_withdrawing_takes_one_tap_on_the_page(cast: SimpleNamespace):
    """P-04: my page → 我的授权 → 撤回同意: two taps, no form to fill in, no question why."""
    say(cast, "phone_sms", True)
    browser = client(cast.villager)
    assert reverse("m_consents") in browser.get(reverse("m_household")).content.decode()
    page = browser.get(reverse("m_consents")).content.decode()
    assert "撤回同意" in page and "不同意不影响积分和兑换" in page
    browser.post(reverse("m_consents"), {"purpose": "phone_sms", "agreed": "0"})
    assert not consents.has_consent(cast.villager.resident, "phone_sms")
    assert "您不同意" in browser.get(reverse("m_consents")).content.decode()


@pytest.mark.parametrize("person", ["head", "clerk", "supervisor", "stranger", "township", "system_admin"])
def test_nobody_answers_for_another_on_the_phone(cast: SimpleNamespace, person: str):
    """P-03: not the head for a grown-up son, not the clerk, not an administrator."""
    with pytest.raises(NotAllowed):
        say(cast, "phone_sms", True, by=getattr(cast, person))
    assert client(getattr(cast, person)).get(
        reverse("m_consents_of", args=[cast.villager.resident_id])
    ).status_code == 404  # fmt: skip
    assert not Consent.objects.exists()


def test_a_delegate_s_answer_is_recorded_as_one(cast: SimpleNamespace):
    """P-03: only with 全部, and the row says who spoke."""
    given = dict(
        principal=cast.head.resident, delegate=cast.villager, valid_to=date.today() + timedelta(days=30)
    )
    actions.delegate(by=cast.head, scope="claim", **given)
    with pytest.raises(NotAllowed):
        say(cast, "phone_sms", True, person="villager", resident=cast.head.resident)
    actions.delegate(by=cast.head, scope="all", **given)
    (row,) = say(cast, "phone_sms", True, person="villager", resident=cast.head.resident)
    assert (row.given_by, row.giver) == ("delegate", cast.villager.resident)


def test_paper_counts_the_same_and_its_photo_is_sealed(cast: SimpleNamespace):
    """P-03, U-35: number compulsory, photo encrypted, every look on record, foreign and absent alike."""
    one = cast.villager.resident
    with pytest.raises(PeopleError, match="编号"):
        say(cast, "bank_account", True, by=cast.clerk, channel="paper")
    form = {
        "channel": "paper", "given_by": "person", "paper_number": "S-12", "p_bank_account": "yes",
        "sheet": SimpleUploadedFile("s.jpg", photo(), "image/jpeg"),
    }  # fmt: skip
    answer = client(cast.clerk).post(reverse("desk_consents_of", args=[cast.place, one.pk]), form)
    assert answer.status_code == 302
    row = Consent.objects.get(resident=one, purpose="bank_account")
    assert (row.channel, row.paper_number, row.recorded_by, row.agreed) == ("paper", "S-12", cast.clerk, True)
    assert row.sheet.sealed.startswith("v1:") and consents.has_consent(one, "bank_account")
    assert read_sheet(by=cast.supervisor, sheet=row.sheet).startswith(b"\xff\xd8")
    assert Entry.objects.filter(action="people.consent_sheet").count() == 1
    for person in (cast.villager, cast.township, cast.stranger_clerk, cast.reviewer):
        with pytest.raises(NotFound):
            access_sheet(person, row.sheet.pk)
    address = reverse("desk_consent_sheet", args=[cast.place, row.sheet.pk])
    assert client(cast.clerk).get(address)["Cache-Control"] == "no-store"
    assert client(cast.stranger_clerk).get(address).status_code in (403, 404)


def test_the_clerk_does_not_record_the_own_consent(cast: SimpleNamespace):
    """P-03: nobody signs for themselves at the desk."""
    with pytest.raises(NotAllowed):
        say(cast, "bank_account", True, person="clerk", channel="desk")


def test_a_changed_wording_asks_again_and_an_unchanged_one_does_not(cast: SimpleNamespace, monkeypatch):
    """P-02: version 2 rewrites one purpose; the yes to it no longer holds, the others do."""
    from dataclasses import replace

    from zhili.people import consent_purposes

    say(cast, "phone_sms", True)
    say(cast, "share_credit", True)
    first = VERSIONS[0].purposes
    second = tuple(replace(one, long="三个月。") if one.code == "phone_sms" else one for one in first)
    versions = (*VERSIONS, NoticeVersion("2027-1", date(2027, 1, 1), "短信改了期限。", second))
    monkeypatch.setattr(consent_purposes, "VERSIONS", versions)
    assert consents.valid_versions("phone_sms", versions) == {"2027-1"}
    assert consents.valid_versions("share_credit", versions) == {"2026-1", "2027-1"}
    monkeypatch.setattr(consents, "valid_versions", lambda code: _valid(code, versions))
    one = cast.villager.resident
    assert not consents.has_consent(one, "phone_sms") and consents.has_consent(one, "share_credit")
    assert "phone_sms" in {purpose.code for purpose in consents.outstanding(one)}


_valid = consents.valid_versions


def test_one_no_in_the_family_takes_the_household_off_and_the_last_yes_brings_it_back(cast: SimpleNamespace):
    """P-04, P-05: head or son, whoever says no; a split carries each person's own answer along."""
    say(cast, "publish_household", False)
    assert Household.objects.get(pk=cast.household.pk).published is False
    say(cast, "publish_household", True, person="head")
    assert Household.objects.get(pk=cast.household.pk).published is False, "the son's no stands"
    new = actions.split_household(
        by=cast.clerk, household=cast.household, code="1999", residents=[cast.villager.resident],
        head=cast.villager.resident, basis="分家协议",
    )  # fmt: skip
    assert Household.objects.get(pk=new.pk).published is False
    assert Household.objects.get(pk=cast.household.pk).published is True


def test_a_table_may_bring_a_no_and_never_takes_one_back(cast: SimpleNamespace):
    """P-04: 同意公开 否 in the clerk's list is a recorded no; 是 over a person's own no is refused at its cell."""
    rows = [[*row, "否" if row[1] == "8001" else "是"] for row in ROWS]
    apply_households(
        read_households(xlsx([[*HEAD, "同意公开"], *rows]), "户.xlsx", cast.place), by=cast.clerk
    )
    quiet = Household.objects.get(place=cast.place, code="8001")
    assert quiet.published is False
    assert Consent.objects.get(household=quiet).channel == "excel"
    again = read_households(
        xlsx([[*HEAD, "同意公开"], *[[*row, "是"] for row in ROWS]]), "户.xlsx", cast.place
    )
    assert [(error.title, "不能用表格改" in error.message) for error in again.errors] == [("同意公开", True)]


def test_no_bank_account_without_consent_and_none_after_a_withdrawal(cast: SimpleNamespace):
    """K-07, P-03, P-04: refused before, sealed after, gone with the no; the audit row never holds it."""
    one = cast.villager.resident
    with pytest.raises(PeopleError, match="授权"):
        actions.edit_resident(by=cast.clerk, resident=one, bank=BANK)
    say(cast, "bank_account", True)
    one = actions.edit_resident(by=cast.clerk, resident=one, bank=f"{BANK[:4]} {BANK[4:]}")
    assert one.bank_secret.startswith("v1:") and BANK not in one.bank_secret
    assert actions.unmask(by=cast.clerk, resident=one, field="bank", reason="发放奖励") == BANK
    actions.withdraw_consent(by=cast.villager, resident=one, purpose="bank_account")
    one.refresh_from_db()
    assert (one.bank_secret, one.bank_index) == ("", None)
    assert all(BANK not in str(entry.detail) for entry in Entry.objects.all())


@pytest.mark.parametrize(
    "typed", [BANK[:-1] + str((int(BANK[-1]) + 1) % 10), "62220212345", "六二二二", BANK + "0" * 9]
)
def test_a_wrong_bank_account_is_refused_without_being_repeated(cast: SimpleNamespace, typed: str):
    """F-06: length and check digit."""
    say(cast, "bank_account", True)
    with pytest.raises(PeopleError) as refused:
        actions.edit_resident(by=cast.clerk, resident=cast.villager.resident, bank=typed)
    assert typed not in str(refused.value) and refused.value.field == "bank"


def test_a_bank_account_as_an_excel_number_is_refused_at_its_cell(cast: SimpleNamespace):
    """F-06: 请设为文本格式, with the address; as text it needs the person's consent."""
    rows = [[*row, float(BANK) if n == 0 else ""] for n, row in enumerate(ROWS)]
    (error,) = read_households(xlsx([[*HEAD, "银行卡号"], *rows]), "户.xlsx", cast.place).errors
    assert error.ref.startswith("J2") or error.ref == "J2"
    assert "文本" in f"{error.message}{error.hint}"
    rows = [[*row, BANK if n == 0 else ""] for n, row in enumerate(ROWS)]
    (error,) = read_households(xlsx([[*HEAD, "银行卡号"], *rows]), "户.xlsx", cast.place).errors
    assert "授权" in error.message


def test_health_and_id_number_follow_the_answer(cast: SimpleNamespace):
    """P-03: a health tag needs a yes; a no to the ID number removes it and keeps it out, from a table too."""
    one = cast.villager.resident
    with pytest.raises(PeopleError, match="授权"):
        actions.edit_resident(by=cast.clerk, resident=one, tags=["党员", "残疾"])
    say(cast, "health_tag", True)
    actions.edit_resident(by=cast.clerk, resident=one, tags=["党员", "残疾"])
    actions.edit_resident(by=cast.clerk, resident=one, id_number=numbers(3)["id_number"])
    say(cast, "health_tag", False)
    say(cast, "id_number", False)
    one.refresh_from_db()
    assert (one.tags, one.id_number_secret, one.id_number_index) == (["党员"], "", None)
    with pytest.raises(PeopleError, match="不同意登记身份证号"):
        actions.edit_resident(by=cast.clerk, resident=one, id_number=numbers(3)["id_number"])


def test_the_queries_do_not_grow_with_the_people(cast: SimpleNamespace):
    ids = list(Resident.objects.filter(place=cast.place).values_list("pk", flat=True))
    with CaptureQueriesContext(
        connection,
    ) as few:
        consents.consents_of(cast.place, ids[:1])
    with CaptureQueriesContext(connection) as many:
        consents.consents_of(cast.place, ids)
    assert len(few) == len(many) == 1


def test_a_guardian_answers_for_a_child_and_nobody_else_does(cast: SimpleNamespace):
    """P-07: a grown-up of the household, recorded as such; a child is asked only what concerns children."""
    child = child_of(cast)
    (row,) = say(cast, "minor", True, resident=child)
    assert (row.given_by, row.giver) == ("guardian", cast.villager.resident)
    with pytest.raises(PeopleError):
        say(cast, "share_credit", True, resident=child)
    with pytest.raises(NotAllowed):
        say(cast, "minor", True, person="group_leader", resident=child)
    for wrong in (
        {"given_by": "person"},
        {"given_by": "guardian"},
        {"given_by": "guardian", "giver": cast.clerk.resident},
    ):
        with pytest.raises(PeopleError):
            say(cast, "minor", True, by=cast.clerk, resident=child, channel="desk", **wrong)


def test_a_child_s_details_need_a_reason_and_a_second_person(cast: SimpleNamespace):
    """P-07: hidden on the desk page, in the edit form, in the export and from unmasking, until the supervisor allows it."""
    child = child_of(cast)
    page = reverse("desk_household", args=[cast.place, cast.household.pk])
    edit = reverse("desk_resident", args=[cast.place, child.pk])
    browser = client(cast.clerk)
    assert "2018年5月1日" not in browser.get(page).content.decode()
    assert browser.get(edit).url == reverse("desk_minor_ask", args=[cast.place, child.pk])
    with pytest.raises(NotAllowed):
        actions.unmask(by=cast.clerk, resident=child, field="id_number", reason="入学")
    with pytest.raises(PeopleError):
        ask_minor(by=cast.clerk, resident=child, reason=" ")
    asked = ask_minor(by=cast.clerk, resident=child, reason="办理入学证明")
    for person in (cast.clerk, cast.villager, cast.township, cast.stranger_clerk):
        with pytest.raises(NotAllowed):
            decide_minor(by=person, asked=asked, allow=True)
    client(cast.supervisor).post(
        reverse("desk_minors", args=[cast.place]), {"asked": str(asked.pk), "allow": "1"}
    )
    assert "2018年5月1日" in browser.get(page).content.decode()
    assert Entry.objects.filter(action="people.minor_view", actor_id=cast.clerk.pk).count() == 1
    assert "2018年5月1日" not in client(cast.supervisor).get(page).content.decode(), (
        "allowed to who asked, to nobody else"
    )
    with time_machine.travel(date.today() + timedelta(days=9)):
        assert "2018年5月1日" not in browser.get(page).content.decode()
    assert b"2018-05-01" not in export_households(cast.place, reveal=True)


def test_nobody_allows_the_own_request_even_in_sql(cast: SimpleNamespace):
    """P-07, A-07: the database says so too."""
    child = child_of(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        MinorAccess.objects.create(
            place=cast.place, resident=child, by=cast.clerk, reason="看看", decided_by=cast.clerk, allowed=True,
            until=date.today(),
        )  # fmt: skip


def test_too_many_numbers_in_an_hour_raise_one_alarm(cast: SimpleNamespace, settings):
    """A-14: the row holds who and how many; only another security administrator settles it, with a word."""
    settings.UNMASK_ALARM_PER_HOUR = 3
    one = actions.edit_resident(by=cast.clerk, resident=cast.head.resident, phone="13812345678")
    for n in range(6):
        actions.unmask(by=cast.clerk, resident=one, field="phone", reason=f"核对 {n}")
    alarm = Alarm.objects.get()
    assert (alarm.user, alarm.count, alarm.seen_at) == (cast.clerk, 6, None)
    page = client(cast.security_admin).get(reverse("desk_alarms", args=["511702"])).content.decode()
    assert "一小时内 6 次" in page and "13812345678" not in page
    assert client(cast.clerk).get(reverse("desk_alarms", args=[cast.place])).status_code in (403, 404)
    with pytest.raises(PeopleError):
        settle_alarm(by=cast.security_admin, alarm=alarm, note="")
    settle_alarm(by=cast.security_admin, alarm=alarm, note="集中核对，已问过本人")
    with pytest.raises(PeopleError):
        settle_alarm(by=cast.security_admin, alarm=alarm, note="再处理一次")


def test_one_act_shows_one_field(cast: SimpleNamespace):
    """A-14: the page shows the number asked for and not the other; the row holds no number."""
    one = actions.edit_resident(
        by=cast.clerk, resident=cast.head.resident, phone="13812345678", id_number=numbers(5)["id_number"]
    )
    page = client(cast.clerk).post(
        reverse("desk_resident_numbers", args=[cast.place, one.pk]), {"field": "phone", "reason": "通知开会"}
    ).content.decode()  # fmt: skip
    assert "13812345678" in page and numbers(5)["id_number"] not in page
    entry = Entry.objects.get(action="people.unmask")
    assert entry.detail == {"field": "phone", "reason": "通知开会"} and str(one.pk) in entry.target


def test_the_paper_has_a_number_every_purpose_and_a_slip(cast: SimpleNamespace):
    """U-35, P-03: one page, nothing ticked; two prints have two numbers; only the clerk of the village prints."""
    from pypdf import PdfReader

    address = reverse("desk_consent_paper", args=[cast.place, cast.villager.resident_id])
    texts = []
    for _ in range(2):
        reader = PdfReader(io.BytesIO(client(cast.clerk).get(address).content))
        assert len(reader.pages) == 1
        texts.append(reader.pages[0].extract_text().replace("\n", ""))
    printed = [
        entry.detail["number"] for entry in Entry.objects.filter(action="people.consent_paper").order_by("at")
    ]
    assert len(set(printed)) == 2 and all(number in text for number, text in zip(printed, texts, strict=True))
    assert all(purpose.title in texts[0] for purpose in current().purposes if not purpose.for_minor)
    assert "授权回执" in texts[0] and "✓" in texts[0]
    for person in (cast.villager, cast.supervisor, cast.stranger_clerk):
        assert client(person).get(address).status_code in (403, 404)
