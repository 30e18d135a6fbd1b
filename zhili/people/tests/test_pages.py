"""The pages of households and people: who opens which, what they keep, what they never show (A-02, A-04, A-11, U-50)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from zhili.common.spreadsheets import read_workbook
from zhili.people import actions
from zhili.people.models import Delegation, Household, ImportFile, Membership, Resident
from zhili.people.queries import find_by_card
from zhili.people.tests.messy import ROWS, number, with_head, xlsx

ABSENT = "019b0000-0000-7000-8000-000000000000"


def client(user) -> Client:
    signed_in = Client()
    signed_in.force_login(user)
    return signed_in


def pages(cast: SimpleNamespace) -> dict[str, str]:
    """Name → address, in the cast's village."""
    at, home, one = cast.place, cast.household.pk, cast.villager.resident_id
    names = {
        "desk_households": [at], "desk_household_new": [at], "desk_household": [at, home],
        "desk_household_edit": [at, home], "desk_member_new": [at, home], "desk_resident": [at, one],
        "desk_resident_numbers": [at, one], "desk_resident_login": [at, one], "desk_households_import": [at],
        "desk_households_template": [at], "desk_households_export": [at], "desk_members": [at],
        "desk_member_grant": [at], "desk_staff_login": [at], "desk_delegations": [at], "desk_delegation_new": [at],
    }  # fmt: skip
    found = {name: reverse(name, args=args) for name, args in names.items()}
    for verb in ("away", "return", "death", "new_head", "card"):
        found[verb] = reverse("desk_household_do", args=[at, home, verb])
    for verb in ("split", "merge", "move", "close"):
        found[verb] = reverse("desk_household_points", args=[at, home, verb])
    return found


READ = {"desk_households", "desk_household", "desk_households_export"}
EDIT = {"desk_household_edit", "desk_member_new", "desk_resident", "away", "return", "death"}
ROLES = {"desk_member_grant", "desk_staff_login"}
MAY = {
    "villager": set(), "head": set(), "reviewer": set(), "elder": set(), "shopkeeper": set(), "stranger": set(),
    "stranger_clerk": set(), "bank": set(),
    "group_leader": READ | EDIT,
    "supervisor": READ | {"desk_members"},
    "township": READ | ROLES | {"desk_members", "desk_resident_login"},
    "county": READ | ROLES | {"desk_members", "desk_resident_login"},
    "system_admin": ROLES | {"desk_members"},
    "security_admin": {"desk_members", "desk_staff_login"},
    "audit_admin": {"desk_members"},
}  # fmt: skip


@pytest.mark.parametrize("person", MAY)
def test_who_opens_which_page(cast: SimpleNamespace, person: str):
    """A-02: every page of the room, for every role; the clerk's are tried below."""
    browser = client(getattr(cast, person))
    for name, address in pages(cast).items():
        answer = browser.get(address)
        if name in MAY[person]:
            assert answer.status_code == 200, f"{person} {name}: {answer.status_code}"
        else:
            assert answer.status_code in (403, 404), f"{person} {name}: {answer.status_code}"
            assert "演示乙" not in answer.content.decode()


def test_the_clerk_opens_every_page_of_the_own_village_and_none_of_the_next(cast: SimpleNamespace):
    browser = client(cast.clerk)
    for name, address in pages(cast).items():
        if name not in ROLES:
            assert browser.get(address).status_code == 200, name
        assert browser.get(address.replace(cast.place, cast.next_place)).status_code == 404, name


def test_absent_and_foreign_are_the_same_page(cast: SimpleNamespace):
    """A-04: the same 404, but for its receipt number."""
    import re

    browser = client(cast.clerk)
    bodies = set()
    for one in (cast.stranger.resident.household_id, ABSENT):
        answer = browser.get(reverse("desk_household", args=[cast.place, one]))
        assert answer.status_code == 404
        bodies.add(re.sub(r"<strong>.*?</strong>", "", answer.content.decode()))
    assert len(bodies) == 1


def test_the_list_filters_by_pinyin_and_exports_what_it_shows(cast: SimpleNamespace):
    """U-52."""
    actions.edit_resident(by=cast.clerk, resident=cast.head.resident, name="演示乙乙")
    browser = client(cast.clerk)
    page = browser.get(reverse("desk_households", args=[cast.place]), {"q": "ysyy"}).content.decode()
    assert "演示乙乙" in page and "演示丙" not in page
    sheet = browser.get(reverse("desk_households", args=[cast.place]), {"q": "ysyy", "export": "xlsx"})
    texts = [cell.text for row in read_workbook(sheet.content, "x.xlsx").first.rows for cell in row]
    assert "演示乙乙" in texts and "演示丙" not in texts


def test_a_group_leader_sees_the_own_group_only(cast: SimpleNamespace):
    page = client(cast.group_leader).get(reverse("desk_households", args=[cast.place])).content.decode()
    assert "演示乙" in page and "演示戊" not in page
    other = cast.reviewer.resident.household
    assert (
        client(cast.group_leader).get(reverse("desk_household", args=[cast.place, other.pk])).status_code
        == 404
    )


def test_standing_up_a_household_keeps_what_was_typed(cast: SimpleNamespace):
    """Errors keep the form; extra fields do nothing (A-11)."""
    browser, address = client(cast.clerk), reverse("desk_household_new", args=[cast.place])
    form = {"code": "1001", "head_name": "演示新", "opened_on": "2026-01-05", "published": "on"}
    page = browser.post(address, form).content.decode()
    assert "已经用过" in page and "演示新" in page
    extra = {"place": cast.next_place, "status": "closed", "card_token": "x" * 22, "card_version": "9"}
    answer = browser.post(address, {**form, "code": "8001", **extra})
    made = Household.objects.get(code="8001")
    assert answer.status_code == 302
    assert (made.place, made.status, made.card_version) == (
        cast.place,
        "living",
        1,
    ) and made.card_token != "x" * 22


def test_numbers_are_masked_until_a_reason_is_given(cast: SimpleNamespace):
    """M-06, A-14."""
    one = cast.villager.resident
    actions.edit_resident(by=cast.clerk, resident=one, id_number=number(7), phone="13812345678")
    browser = client(cast.clerk)
    for name, args in (
        ("desk_household", [cast.place, cast.household.pk]),
        ("desk_resident", [cast.place, one.pk]),
    ):
        page = browser.get(reverse(name, args=args)).content.decode()
        assert number(7) not in page and "13812345678" not in page
    address = reverse("desk_resident_numbers", args=[cast.place, one.pk])
    assert number(7) not in browser.post(address, {"reason": ""}).content.decode()
    assert (
        number(7) in browser.post(address, {"field": "id_number", "reason": "高龄补贴核对"}).content.decode()
    )


def test_saving_a_person_without_touching_the_numbers_keeps_them(cast: SimpleNamespace):
    one = cast.villager.resident
    actions.edit_resident(by=cast.clerk, resident=one, phone="13812345678")
    address = reverse("desk_resident", args=[cast.place, one.pk])
    form = {"name": "演示甲甲", "relation": "son", "status": "present", "birth_date": "1960-01-01"}
    client(cast.clerk).post(address, {**form, "household": ABSENT, "place": cast.next_place})
    one.refresh_from_db()
    assert (one.name, one.place) == ("演示甲甲", cast.place) and one.phone_secret
    client(cast.clerk).post(address, {**form, "phone": "无"})
    one.refresh_from_db()
    assert one.phone_secret == "" and one.phone_index is None


def upload(browser: Client, cast: SimpleNamespace, data: bytes, name: str = "户.xlsx"):
    return browser.post(
        reverse("desk_households_import", args=[cast.place]), {"file": SimpleUploadedFile(name, data)}
    )


def test_the_wizard_from_file_to_list(cast: SimpleNamespace):
    """U-50, C-09: upload, look, apply; the file kept meanwhile is sealed, and gone afterwards."""
    browser = client(cast.clerk)
    page = upload(browser, cast, xlsx(with_head(ROWS)))
    assert "新立户 2" in page.content.decode() and "确认导入" in page.content.decode()
    kept = ImportFile.objects.get()
    assert "8001" not in kept.sealed
    address = reverse("desk_households_apply", args=[cast.place, kept.pk])
    for other in (cast.stranger_clerk, cast.group_leader, cast.township):
        assert client(other).post(address).status_code in (403, 404)
    assert not Household.objects.filter(code="8001").exists()
    assert browser.get(address).status_code == 302 and not Household.objects.filter(code="8001").exists()
    assert browser.post(address).status_code == 302
    assert find_by_card(cast.place, "8001") and not ImportFile.objects.exists()
    assert browser.post(address).status_code == 404
    assert "已导入过" in upload(browser, cast, xlsx(with_head(ROWS))).content.decode()


def test_the_wizard_names_every_cell_and_hands_back_the_table(cast: SimpleNamespace):
    rows = [[*ROWS[0][:4], "户主", 511799196003050013, *ROWS[0][6:]]]
    browser = client(cast.clerk)
    page = upload(browser, cast, xlsx(with_head(rows))).content.decode()
    assert "F2" in page and "文本格式" in page and "确认导入" not in page
    mend = browser.get(reverse("desk_households_corrected", args=[cast.place, ImportFile.objects.get().pk]))
    assert mend.status_code == 200 and mend.content[:2] == b"PK"
    for bad in (b"", b"no table at all \x00", b"PK\x03\x04"):
        page = upload(browser, cast, bad)
        assert page.status_code == 200 and not ImportFile.objects.exclude(filename="户.xlsx").exists()


def test_template_and_export_download_with_chinese_names(cast: SimpleNamespace):
    """F-08."""
    browser = client(cast.clerk)
    answer = browser.get(reverse("desk_households_template", args=[cast.place]))
    assert "filename*=UTF-8''%E6%88%B7" in answer["Content-Disposition"]
    address = reverse("desk_households_export", args=[cast.place])
    assert browser.post(address, {"reveal": "on", "reason": ""})["Content-Type"].startswith("text/html")
    assert browser.post(address, {}).content[:2] == b"PK"
    assert client(cast.supervisor).post(address, {"reveal": "on", "reason": "看看"}).status_code in (200, 403)


def test_deeds_from_the_household_page(cast: SimpleNamespace):
    browser = client(cast.clerk)
    do = lambda verb: reverse("desk_household_do", args=[cast.place, cast.household.pk, verb])  # noqa: E731
    form = {"on": "2026-02-01", "basis": "本人告知"}
    assert "新户主" in browser.post(do("death"), {**form, "resident": cast.head.resident_id}).content.decode()
    assert browser.post(do("away"), form).status_code == 302
    assert browser.post(do("return"), form).status_code == 302
    new = {**form, "resident": cast.villager.resident_id, "former_relation": "parent"}
    assert browser.post(do("new_head"), new).status_code == 302
    foreign = {**new, "resident": cast.stranger.resident_id}
    assert browser.post(do("new_head"), foreign).status_code == 200
    assert browser.get(do("fly")).status_code == 404
    assert [c.kind for c in cast.household.changes.all()] == ["away", "return", "new_head"]


def test_deeds_that_move_points(cast: SimpleNamespace):
    """L-12: through the ledger's own deed."""
    browser = client(cast.clerk)
    do = lambda verb: reverse("desk_household_points", args=[cast.place, cast.household.pk, verb])  # noqa: E731
    form = {"on": "2026-02-01", "basis": "户口簿分户", "share_percent": "50"}
    son = str(cast.villager.resident_id)
    assert (
        f'<input type="checkbox" name="residents" value="{son}"' in browser.get(do("split")).content.decode()
    )
    wrong = browser.post(do("split"), {**form, "code": "1002", "residents": [son], "head": son})
    assert wrong.status_code == 200 and "已经用过" in wrong.content.decode()
    assert (
        browser.post(do("split"), {**form, "code": "1099", "residents": [son], "head": son}).status_code
        == 302
    )
    assert browser.post(do("merge"), {**form, "into": "9999"}).status_code == 200
    assert browser.post(do("merge"), {**form, "into": "1099"}).status_code == 302
    cast.household.refresh_from_db()
    assert cast.household.status == "merged" and Resident.objects.get(pk=son).household.code == "1099"


def test_roles_on_the_page(cast: SimpleNamespace):
    """A-11: the place is the page's, the giver is the person."""
    browser, address = client(cast.township), reverse("desk_member_grant", args=[cast.place])
    form = {
        "user": "head",
        "role": "reviewer",
        "valid_from": "2026-01-01",
        "place": "511702",
        "granted_by": "1",
    }
    assert browser.post(address, {**form, "role": "county"}).status_code == 200
    assert browser.post(address, {**form, "user": "nobody"}).status_code == 200
    assert browser.post(address, form).status_code == 302
    held = Membership.objects.get(user=cast.head)
    assert (held.place, held.role, held.granted_by) == (cast.place, "reviewer", cast.township)
    end = reverse("desk_role_end", args=[cast.place, held.pk])
    assert client(cast.clerk).post(end).status_code in (403, 404)
    assert browser.post(end).status_code == 302
    held.refresh_from_db()
    assert held.valid_to is not None


def test_delegation_on_desk_and_phone(cast: SimpleNamespace):
    """A-09."""
    from datetime import timedelta

    from zhili.common.periods import today

    form = {"delegate": "reviewer2", "scope": "claim", "valid_to": str(today() + timedelta(days=60))}
    desk = {**form, "card": "1001", "person": "演示乙", "paper_number": "委-1"}
    address = reverse("desk_delegation_new", args=[cast.place])
    assert client(cast.clerk).post(address, {**desk, "person": "演示戊"}).status_code == 200
    assert client(cast.clerk).post(address, {**desk, "paper_number": ""}).status_code == 200
    assert client(cast.clerk).post(address, desk).status_code == 302
    assert client(cast.villager).post(reverse("m_delegations"), {**form, "principal": "x"}).status_code == 302
    given = Delegation.objects.get(principal=cast.villager.resident)
    end = reverse("m_delegation_end", args=[given.pk])
    assert client(cast.shopkeeper).post(end).status_code == 404
    assert client(cast.head).post(end).status_code == 404
    assert client(cast.reviewer2).get(reverse("m_delegations")).status_code == 200
    assert client(cast.villager).post(end).status_code == 302


@pytest.mark.parametrize("person", ["villager", "township", "shopkeeper"])
def test_my_household_on_the_phone(cast: SimpleNamespace, person: str):
    page = client(getattr(cast, person)).get(reverse("m_household"))
    assert page.status_code == 200
    assert ("1001" in page.content.decode()) == (person == "villager")


def test_a_scanned_card_identifies_and_does_not_log_in(cast: SimpleNamespace):
    """N-07: without log-in it opens nothing; a neighbour gets the same page as for nonsense."""
    address = reverse("m_card", args=[cast.household.card_token])
    assert Client().get(address)["Location"].startswith("/login/")
    assert client(cast.head).get(address)["Location"] == reverse("m_household")
    assert client(cast.clerk).get(address)["Location"] == f"/m/field/{cast.household.pk}/"
    assert cast.place in client(cast.township).get(address)["Location"]
    for person in (cast.reviewer, cast.stranger_clerk, cast.bank):
        assert client(person).get(address).status_code == 404
    assert client(cast.clerk).get(reverse("m_card", args=["x" * 22])).status_code == 404
    actions.reissue_card(by=cast.clerk, household=cast.household, reason="老人遗失")
    assert client(cast.clerk).get(address).status_code == 404
