"""Answering and withdrawing: by the person on the phone, at the desk, or on paper, which counts the same (P-03, P-04)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.photos import clean_photo
from zhili.common.policy import may
from zhili.people.access import must
from zhili.people.consent_effects import carry_out, refresh_published
from zhili.people.consent_models import Consent, ConsentSheet
from zhili.people.consent_purposes import current
from zhili.people.consents import consents_of, purposes_for, valid_versions
from zhili.people.errors import PeopleError
from zhili.people.models import Household, Resident, User
from zhili.people.queries import LIVE, active_delegation
from zhili.people.secrets import open_sheet, seal_sheet

GivenBy = Consent.GivenBy
Channel = Consent.Channel
PAPER_MAX: Final = 30
PUBLISH: Final = Consent.Purpose.PUBLISH


@transaction.atomic
def answer_consents(
    *,
    by: User | None,
    resident: Resident,
    answers: Mapping[str, bool],
    channel: str,
    given_by: str = GivenBy.PERSON,
    giver: Resident | None = None,
    paper_number: str = "",
    sheet: bytes | None = None,
) -> list[Consent]:
    """Record yes or no to each purpose named; purposes not named stay as they are. → the rows that are new.

    On the phone who answers follows from who is signed in: the person, a grown-up of a child's own household,
    or the delegate. At the desk and on paper the clerk says who it was. A no over a standing yes is its
    withdrawal and takes effect at once. Raises PeopleError, NotAllowed.
    """
    resident = (
        Resident.objects.select_for_update(of=("self",)).select_related("household").get(pk=resident.pk)
    )
    given_by, giver = _who(by, resident, channel, given_by, giver)
    paper_number = paper_number.strip()[:PAPER_MAX]
    if channel == Channel.PAPER and not paper_number:
        raise PeopleError("请填授权书的编号", field="paper_number", hint="编号印在授权书右上角。")
    asked = {one.code for one in purposes_for(resident)}
    if not answers or set(answers) - asked:
        raise PeopleError("这一项不能问这个人", field="answers", hint="请重新打开页面再选。")
    kept = _keep_sheet(by, resident, paper_number, sheet)
    standing = consents_of(resident.place, [resident.pk])
    made: list[Consent] = []
    for code, agreed in answers.items():
        before = standing.get((resident.pk, code))
        if before and before.agreed == agreed and before.notice_version in valid_versions(code):
            continue
        if before:
            _end(before, by, channel, paper_number, withdrawn=before.agreed and not agreed)
        made.append(
            Consent.objects.create(
                place=resident.place, resident=resident, household=resident.household, purpose=code,
                agreed=agreed, notice_version=current().version, channel=channel, given_by=given_by,
                giver=giver, paper_number=paper_number, sheet=kept, recorded_by=by,
            )
        )  # fmt: skip
    emptied = carry_out(resident, [one.purpose for one in made if not one.agreed])
    refresh_published(resident.household)
    if made:
        record(
            "people.consent", by=by, place=resident.place, target=resident, channel=channel, given_by=given_by,
            answers={one.purpose: one.agreed for one in made}, paper_number=paper_number,
            version=current().version, emptied=emptied,
        )  # fmt: skip
    return made


def withdraw_consent(
    *, by: User | None, resident: Resident, purpose: str, channel: str = Channel.PHONE,
    given_by: str = GivenBy.PERSON, giver: Resident | None = None, paper_number: str = "",
    sheet: bytes | None = None,
) -> list[Consent]:  # fmt: skip
    """Take back one yes (个保法 15). It holds from now on and costs nothing else."""
    return answer_consents(
        by=by, resident=resident, answers={purpose: False}, channel=channel, given_by=given_by, giver=giver,
        paper_number=paper_number, sheet=sheet,
    )  # fmt: skip


def read_sheet(*, by: User, sheet: ConsentSheet) -> bytes:
    """The photographed paper, as JPEG, for those who keep or check consents; the look is on record."""
    must(by, "people.see_consents", sheet.resident)
    record("people.consent_sheet", by=by, place=sheet.place, target=sheet, resident=str(sheet.resident_id))
    return open_sheet(sheet.sealed)


def _who(
    by: User | None, resident: Resident, channel: str, given_by: str, giver: Resident | None
) -> tuple[str, Resident | None]:
    """Who answers, checked. Raises NotAllowed, PeopleError."""
    if resident.status not in LIVE:
        raise PeopleError(f"{resident.name}已不在村里登记", hint="请核对是哪一位。")
    child = resident.is_minor()
    if channel == Channel.PHONE:
        own = by.resident if by is not None else None
        if own is not None and own.pk == resident.pk and not child:
            return GivenBy.PERSON, None
        if own is not None and child and _guards(own, resident):
            return GivenBy.GUARDIAN, own
        if by is not None and not child and active_delegation(by, resident, "all"):
            return GivenBy.DELEGATE, own
        raise NotAllowed("只能由本人、孩子的家长或代办人答复。需要的话，请到村委会办理。")
    if channel not in Channel.values:
        raise PeopleError("渠道填的不对", field="channel", hint="请从下拉表里选。")
    must(by, "people.record_consent", resident)
    if given_by not in GivenBy.values:
        raise PeopleError("谁答复填的不对", field="given_by", hint="请从下拉表里选。")
    if child != (given_by == GivenBy.GUARDIAN):
        said = "未满 14 岁的孩子要由监护人答复" if child else "满 14 岁的人由本人或代办人答复"
        raise PeopleError(said, field="given_by", hint="请改“谁答复”。")
    if given_by == GivenBy.GUARDIAN and (giver is None or not _guards(giver, resident)):
        raise PeopleError("监护人要选同一户的成年人", field="giver", hint="请从本户成员里选。")
    if by is not None and by.resident_id == resident.pk:
        raise NotAllowed("自己的授权请在手机上答复，或由另一位工作人员登记。")
    return given_by, giver if given_by != GivenBy.PERSON else None


def _guards(adult: Resident, child: Resident) -> bool:
    grown = adult.birth_date is not None and not adult.is_minor()
    return (
        adult.household_id == child.household_id and adult.pk != child.pk and grown and adult.status in LIVE
    )


def _end(before: Consent, by: User | None, channel: str, paper: str, *, withdrawn: bool) -> None:
    before.ended_at = max(now(), before.given_at)
    before.withdrawn = withdrawn
    if withdrawn:
        before.withdrawal_channel, before.withdrawal_paper, before.withdrawn_by = channel, paper, by
    before.save(
        update_fields=["ended_at", "withdrawn", "withdrawal_channel", "withdrawal_paper", "withdrawn_by"]
    )


def _keep_sheet(
    by: User | None, resident: Resident, paper_number: str, data: bytes | None
) -> ConsentSheet | None:
    if not data:
        return None
    if not paper_number:
        raise PeopleError("有授权书照片就要填编号", field="paper_number", hint="编号印在授权书右上角。")
    photo = clean_photo(data)
    return ConsentSheet.objects.create(
        place=resident.place, resident=resident, paper_number=paper_number, sha256=photo.sha256,
        sealed=seal_sheet(photo.bytes),
    )  # fmt: skip


def record_refusals(by: User | None, people: Iterable[Resident], channel: str) -> int:
    """A table, or the clerk on opening a household, said 不同意公开: a no of each of these. → how many rows are new.

    Two statements and one for the households, whatever the number. Who has answered already is left as they are.
    """
    asked = list(people)
    if not asked:
        return 0
    known = {who for who, code in consents_of(asked[0].place, [one.pk for one in asked]) if code == PUBLISH}
    version = current().version
    rows = [
        Consent(
            place=one.place, resident=one, household_id=one.household_id, purpose=PUBLISH, agreed=False,
            notice_version=version, channel=channel, recorded_by=by,
        )
        for one in asked
        if one.pk not in known
    ]  # fmt: skip
    Consent.objects.bulk_create(rows)
    Household.objects.filter(pk__in=[row.household_id for row in rows]).update(published=False)
    return len(rows)


def access_sheet(by: User, sheet_id: UUID) -> ConsentSheet:
    """A sheet of the clerk's or supervisor's village. NotFound for absent and foreign alike."""
    found = ConsentSheet.objects.select_related("resident__household").filter(pk=sheet_id).first()
    if found is None or not may(by, "people.see_consents", found.resident):
        raise NotFound("没有这张授权书。")
    return found
