"""我的信息: complete by the register, withheld only with a reason, nobody else's data in it."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from python_calamine import CalamineWorkbook

from tests.books import make_book
from tests.month import approved
from zhili.audit.models import Entry
from zhili.common.clock import now
from zhili.people.actions import edit_resident
from zhili.people.consent_actions import answer_consents
from zhili.people.models import Consent, Resident
from zhili.people.unmasking import unmask
from zhili.privacy import mydata
from zhili.privacy.actions import ask, hand_out
from zhili.privacy.register import register

ID_NUMBER = "11010519491231002X"


@pytest.fixture
def one(cast: SimpleNamespace) -> Resident:
    """A villager with numbers, an answer, a claim, a request, a log-in; the clerk has looked once."""
    resident = edit_resident(
        by=cast.clerk, resident=cast.villager.resident, phone="13987650123", id_number=ID_NUMBER
    )
    answer_consents(by=cast.villager, resident=resident, answers={"phone_sms": True}, channel="phone")
    make_book(cast)
    cast.claim = approved(cast, resident=resident, text="扫了路")
    ask(by=cast.villager, resident=resident, kind="explain", channel="phone", text="为什么要出生日期")
    unmask(by=cast.clerk, resident=resident, field="phone", reason="核对补贴")
    return resident


def test_every_registered_field_of_the_person_appears_or_is_withheld_with_a_reason(one: Resident) -> None:
    """P-06 (45): walks the register: each column of each table that can be about a person is a column of the copy or
    stands among the withheld with its reason."""
    found = {part.label: part for part in mydata.collect(one).sections}
    checked = 0
    for model in register().models.values():
        if not model.whose or model.label not in found:
            continue
        part = found[model.label]
        withheld = {name: why for name, why in part.withheld}
        for entry in model.entries:
            if part.total and entry.name not in part.names:
                assert withheld.get(entry.title), f"{entry.model}.{entry.name} is missing without a word"
            checked += 1
    assert checked > 120
    assert {"people.Resident", "people.Household", "people.User", "people.Consent", "claims.Claim", "claims.Evidence",
            "claims.Review", "privacy.Request", "audit.Entry"} <= set(found)  # fmt: skip


def test_tables_with_nothing_are_named(one: Resident) -> None:
    """P-06: what is empty is said, so that nothing can be left out in silence."""
    found = mydata.collect(one)
    shown = {part.title for part in found.sections} | set(found.empty)
    assert shown == {model.title for model in register().models.values() if model.whose}
    assert "取货密码" in found.empty


def test_own_numbers_in_full_and_secrets_never(one: Resident) -> None:
    """P-06: the person gets the whole number; password, second factor and blind index are withheld with a reason."""
    parts = {part.label: part for part in mydata.collect(one).sections}
    person = parts["people.Resident"]
    row = dict(zip(person.names, person.rows[0], strict=True))
    assert (row["phone_secret"], row["id_number_secret"]) == ("13987650123", ID_NUMBER)
    assert "id_number_index" not in person.names and "password" not in parts["people.User"].names
    assert all(why for part in parts.values() for _, why in part.withheld)


def test_points_agree_with_the_books_and_looks_are_shown(one: Resident) -> None:
    """P-06, P-08: who looked and why stands in the copy."""
    parts = {part.label: part for part in mydata.collect(one).sections}
    trail = parts["audit.Entry"]
    looks = [dict(zip(trail.names, row, strict=True)) for row in trail.rows]
    look = next(row for row in looks if row["action"] == "查看完整号码")
    assert (look["actor_id"], look["target"], look["outcome"]) == ("演示丁", "村民", "办成")
    assert look["detail"] == "理由：核对补贴；哪一项：电话"
    cells = "".join(cell for part in parts.values() for row in [part.columns, *part.rows] for cell in row)
    assert "people." not in cells and "household" not in cells, "nothing of the machine's own words"
    claims = dict(zip(parts["claims.Claim"].names, parts["claims.Claim"].rows[0], strict=True))
    assert claims["text"] == "扫了路" and claims["status"] == "已通过，等待公示"


def test_nobody_elses_data(one: Resident, cast: SimpleNamespace) -> None:
    """P-06, A-02: not another household's, not a neighbour's consent, not the name of a relative's household."""
    neighbour = cast.elder.resident
    Consent.objects.create(
        place=cast.place, resident=neighbour, household=neighbour.household, purpose="phone_sms", agreed=True,
        notice_version="2026-1", channel="desk", given_at=now(),
    )  # fmt: skip
    text = str([part.rows for part in mydata.collect(one).sections])
    assert "演示辛" not in text and "3001" not in text and str(neighbour.pk) not in text


def test_the_number_of_statements_does_not_grow(one: Resident, cast: SimpleNamespace) -> None:
    """P-06: one look a table, however much somebody did."""
    with CaptureQueriesContext(
        connection,
    ) as few:
        mydata.collect(one)
    for n in range(3):
        approved(
            cast, resident=one, text=f"又扫了路 {n}", occurred_on=cast.claim.occurred_on.replace(day=5 + n)
        )
    with CaptureQueriesContext(connection) as more:
        mydata.collect(one)
    assert len(more) == len(few)


def test_excel_and_the_trail(one: Resident, cast: SimpleNamespace) -> None:
    """P-06: a first sheet with what is withheld and why, then a sheet a table; handing out is on record, without data."""
    found = hand_out(by=cast.villager, resident=one, form="xlsx")
    book = CalamineWorkbook.from_filelike(io.BytesIO(mydata.workbook(found, watermark="本人取得")))
    assert book.sheet_names[0] == "目录" and "村民登记" in book.sheet_names
    first = "\n".join("，".join(map(str, row)) for row in book.get_sheet_by_name("目录").to_python())
    assert "安全凭证不能抄出来" in first and "本人取得" in first
    entry = Entry.objects.get(action="privacy.copy")
    assert entry.detail["own"] is True and ID_NUMBER not in str(entry.detail)


def test_the_walk_covers_every_room() -> None:
    """P-06: a table with a link to a person or household that the copy would never reach is a mistake in the register."""
    reachable = {label for label, model in register().models.items() if model.whose}
    for model in apps.get_models():
        label = model._meta.label
        links = {
            field.related_model._meta.label
            for field in model._meta.get_fields()
            if field.concrete and field.is_relation and field.related_model is not None
        }  # fmt: skip
        if links & {"people.Resident", "people.Household"}:
            assert label in reachable, label
