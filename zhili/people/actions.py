"""Every change to a household, a person, a role or a delegation. One verb each, one transaction, one audit row.

What happens to a household as a whole (split, merge, move, death, close) stands in household_actions.py, roles
and delegations in role_actions.py; all are called as `people.actions.<verb>`. `people` never touches points:
where points must move too, call `ledger.household_changes`, which calls these.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common.errors import ZhiliError
from zhili.common.idnumber import birth_date as birth_date_of
from zhili.common.idnumber import check_id_number
from zhili.common.periods import today
from zhili.people.access import must
from zhili.people.cards import print_cards as print_cards
from zhili.people.consent_actions import answer_consents as answer_consents
from zhili.people.consent_actions import record_refusals
from zhili.people.consent_actions import withdraw_consent as withdraw_consent
from zhili.people.consent_effects import is_health
from zhili.people.consent_models import Consent
from zhili.people.consents import has_consent, has_refused
from zhili.people.errors import PeopleError
from zhili.people.household_actions import close_household as close_household
from zhili.people.household_actions import come_back as come_back
from zhili.people.household_actions import merge_households as merge_households
from zhili.people.household_actions import move_away as move_away
from zhili.people.household_actions import new_head as new_head
from zhili.people.household_actions import record_death as record_death
from zhili.people.household_actions import reissue_card as reissue_card
from zhili.people.household_actions import set_away as set_away
from zhili.people.household_actions import split_household as split_household
from zhili.people.models import Household, HouseholdChange, Resident, User
from zhili.people.queries import LIVE, initials, tidy_code
from zhili.people.role_actions import bind_login as bind_login
from zhili.people.role_actions import delegate as delegate
from zhili.people.role_actions import end_role as end_role
from zhili.people.role_actions import grant_role as grant_role
from zhili.people.role_actions import make_login as make_login
from zhili.people.role_actions import revoke_delegation as revoke_delegation
from zhili.people.secrets import (
    check_bank,
    check_phone,
    id_number_indexes,
    open_bank,
    open_id_number,
    open_phone,
    seal_bank,
    seal_id_number,
    seal_phone,
)
from zhili.people.unmasking import unmask as unmask

NAME_MAX: Final = 60
TAGS_MAX: Final = 10
_HOUSEHOLD_FIELDS: Final = {"group": 20, "address": 60}
_SECRETS: Final = ("phone", "id_number", "bank")
_RESIDENT_FIELDS: Final = frozenset({"name", "relation", "birth_date", "tags", "status", *_SECRETS})


@transaction.atomic
def add_household(
    *,
    by: User | None,
    place: str,
    code: str,
    head_name: str,
    group: str = "",
    address: str = "",
    opened_on: date | None = None,
    published: bool = True,
    birth_date: date | None = None,
    phone: str = "",
    id_number: str = "",
) -> Household:
    """立户: a household with its head. `code` is unique in the village for ever. Raises PeopleError."""
    must(by, "people.change_households", place)
    code = tidy_code(code)
    if not 1 <= len(code) <= 20:
        raise PeopleError("户编号要填 1 到 20 个字", field="code", hint="例如 1023。")
    if Household.objects.filter(place=place, code=code).exists():
        raise PeopleError(f"户编号 {code} 已经用过", field="code", hint="请换一个没有用过的编号。")
    on = opened_on or today()
    if on > today():
        raise PeopleError("立户日期不能在今天以后", field="opened_on", hint="请改成今天或以前的日期。")
    household = Household(place=place, code=code, opened_on=on, published=published)
    _set_household(household, {"group": group, "address": address})
    try:
        with transaction.atomic():
            household.save(force_insert=True)
    except IntegrityError as error:  # somebody else has just taken the number
        raise PeopleError(f"户编号 {code} 已经用过", field="code", hint="请换一个没有用过的编号。") from error
    head = _new_resident(household, head_name, Resident.Relation.HEAD)
    _fill_resident(head, {"birth_date": birth_date, "phone": phone, "id_number": id_number})
    _save_resident(head, new=True)
    _changed(household, HouseholdChange.Kind.OPEN, on, "新立户", by, head=str(head.pk))
    if not published:
        record_refusals(by, [head], Consent.Channel.DESK)
    record("people.add_household", by=by, place=place, target=household, code=code)
    return household


@transaction.atomic
def edit_household(*, by: User | None, household: Household, **changes: Any) -> Household:
    """Group, address. Whether its name may be published is the people's own answer (consent_actions). Other fields
    are refused (A-11)."""
    household = _live(household)
    must(by, "people.edit_households", household)
    unknown = set(changes) - set(_HOUSEHOLD_FIELDS)
    if unknown:
        raise ValueError(f"not an editable field of a household: {sorted(unknown)}")
    before = {name: getattr(household, name) for name in changes}
    if "group" in changes and changes["group"] != household.group:
        must(by, "people.change_households", household)  # a group leader cannot take over another group's
    _set_household(household, changes)
    after = {name: getattr(household, name) for name in changes}
    if after == before:
        return household
    household.save(update_fields=list(changes))
    _changed(household, HouseholdChange.Kind.EDIT, today(), "登记信息变更", by, fields=sorted(changes))
    # Which fields, not what stood in them: a trail that cannot be changed holds keys, no address of anybody (T-07).
    record(
        "people.edit_household", by=by, place=household.place, target=household,
        fields=sorted(name for name in changes if after[name] != before[name]),
    )  # fmt: skip
    return household


@transaction.atomic
def add_resident(
    *,
    by: User | None,
    household: Household,
    name: str,
    relation: str = Resident.Relation.OTHER,
    birth_date: date | None = None,
    phone: str = "",
    id_number: str = "",
    tags: Sequence[str] = (),
    status: str = Resident.Status.PRESENT,
) -> Resident:
    """A further member: born, married in, come back. The head comes with the household or by `new_head`."""
    household = _live(household)
    must(by, "people.edit_households", household)
    if relation == Resident.Relation.HEAD:
        raise PeopleError("一户只有一个户主", field="relation", hint="要换户主，请用“更换户主”。")
    resident = _new_resident(household, name, relation)
    _fill_resident(
        resident,
        {"birth_date": birth_date, "phone": phone, "id_number": id_number, "tags": tags, "status": status},
    )
    _save_resident(resident, new=True)
    _changed(household, HouseholdChange.Kind.EDIT, today(), "新增成员", by, resident=str(resident.pk))
    record("people.add_resident", by=by, place=household.place, target=resident)
    return resident


@transaction.atomic
def edit_resident(*, by: User | None, resident: Resident, **changes: Any) -> Resident:
    """name, relation, birth_date, phone, id_number, bank, tags, status (present | away). "" clears a number.

    A bank account and a tag of health need the person's standing consent; an ID number none may have refused.

    The head's relation changes only by `new_head`. Other fields are refused (A-11). The audit row says which
    fields changed; numbers are never written into it.
    """
    unknown = set(changes) - _RESIDENT_FIELDS
    if unknown:
        raise ValueError(f"not an editable field of a resident: {sorted(unknown)}")
    resident = (
        Resident.objects.select_for_update(of=("self",)).select_related("household").get(pk=resident.pk)
    )
    must(by, "people.edit_households", resident)
    if resident.status in (Resident.Status.DEAD, Resident.Status.MOVED):
        raise PeopleError(f"{resident.name}{resident.get_status_display()}，不能再修改")
    wanted = changes.get("relation", resident.relation)
    if (wanted == Resident.Relation.HEAD) != resident.is_head:
        raise PeopleError("户主不能在这里改", field="relation", hint="请用“更换户主”。")
    before = _plain(resident)
    _fill_resident(resident, changes)
    after = _plain(resident)
    fields = sorted(name for name in after if after[name] != before[name])
    if not fields:
        return resident
    _save_resident(resident)
    _changed(
        resident.household, HouseholdChange.Kind.EDIT, today(), "成员信息变更", by,
        resident=str(resident.pk), fields=fields,
    )  # fmt: skip
    # Which fields; of what stood in them only what names nobody: the trail cannot forget a person (T-07).
    shown = [name for name in fields if name in ("relation", "status")]
    record(
        "people.edit_resident", by=by, place=resident.place, target=resident, fields=fields,
        before={name: before[name] for name in shown}, after={name: after[name] for name in shown},
    )  # fmt: skip
    return resident


def _set_household(household: Household, values: dict[str, Any]) -> None:
    for name, value in values.items():
        text = str(value).strip()
        if len(text) > _HOUSEHOLD_FIELDS[name]:
            raise PeopleError(f"最多 {_HOUSEHOLD_FIELDS[name]} 个字", field=name, hint="请写短一点。")
        setattr(household, name, text)


def _new_resident(household: Household, name: str, relation: str) -> Resident:
    resident = Resident(place=household.place, household=household)
    _fill_resident(resident, {"name": name, "relation": relation})
    return resident


def _fill_resident(resident: Resident, values: dict[str, Any]) -> None:
    """Set and check; numbers are sealed. An ID number gives the birth date, and must agree with one given."""
    for name, value in values.items():
        if name == "name":
            resident.name = check_name(value)
            resident.pinyin = initials(resident.name)
        elif name == "relation":
            _one_of(value, Resident.Relation.values, "relation", "与户主关系")
            resident.relation = value
        elif name == "status":
            _one_of(value, [Resident.Status.PRESENT, Resident.Status.AWAY], "status", "状态")
            resident.status = value
        elif name == "birth_date":
            if value is not None and value > today():
                raise PeopleError("出生日期不能在今天以后", field="birth_date", hint="请核对。")
            resident.birth_date = value
        elif name == "tags":
            _set_tags(resident, value)
        elif name == "phone":
            _seal_phone_if_new(resident, check_phone(value) if value else "")
        elif name == "bank":
            _set_bank(resident, check_bank(value) if value else "")
    if "id_number" in values:
        _set_id_number(resident, values["id_number"], values.get("birth_date"))


def _set_tags(resident: Resident, value: Sequence[str]) -> None:
    tags = list(dict.fromkeys(str(tag).strip()[:20] for tag in value if str(tag).strip()))
    if len(tags) > TAGS_MAX:
        raise PeopleError(f"标签最多 {TAGS_MAX} 个", field="tags", hint="请减少标签。")
    _health_allowed(resident, tags)
    resident.tags = tags


def _set_id_number(resident: Resident, text: str, given: date | None) -> None:
    if not text:
        resident.id_number_secret, resident.id_number_index = "", None
        return
    number = _checked_id_number(text)
    if not resident._state.adding and has_refused(resident, Consent.Purpose.ID_NUMBER):
        raise PeopleError(
            f"{resident.name}不同意登记身份证号", field="id_number", hint="请留空；本人改主意时先登记授权。"
        )
    born = birth_date_of(number)
    if given not in (None, born):
        raise PeopleError(
            "出生日期和身份证号对不上", field="birth_date", hint="请对照证件核对，或把出生日期留空。"
        )
    resident.birth_date = born
    if open_id_number(resident.id_number_secret) != number:
        resident.id_number_secret, resident.id_number_index = seal_id_number(number)


def check_name(value: object) -> str:
    """A person's name, tidied. Raises PeopleError."""
    name = " ".join(str(value).split())
    if not 1 <= len(name) <= NAME_MAX:
        raise PeopleError(f"姓名要填 1 到 {NAME_MAX} 个字", field="name", hint="请核对姓名。")
    return name


def _checked_id_number(text: str) -> str:
    try:
        return check_id_number(text)
    except ZhiliError as error:
        raise PeopleError(error.message, field="id_number", hint=error.hint) from error


def _seal_phone_if_new(resident: Resident, number: str) -> None:
    # A fresh seal of the same number would look like a change.
    if open_phone(resident.phone_secret) != number:
        resident.phone_secret, resident.phone_index = seal_phone(number)


def _set_bank(resident: Resident, number: str) -> None:
    if number and (resident._state.adding or not has_consent(resident, Consent.Purpose.BANK)):
        raise PeopleError(
            "登记银行卡号要先有本人的授权", field="bank", hint="请先在“授权”里登记，纸质的也可以。"
        )
    if open_bank(resident.bank_secret) != number:
        resident.bank_secret, resident.bank_index = seal_bank(number)


def _health_allowed(resident: Resident, tags: Sequence[str]) -> None:
    new = next((tag for tag in tags if is_health(tag) and tag not in resident.tags), "")
    if new and (resident._state.adding or not has_consent(resident, Consent.Purpose.HEALTH)):
        raise PeopleError(
            f"登记“{new}”要先有本人的授权", field="tags", hint="这是健康情况，请先在“授权”里登记。"
        )


def _one_of(value: object, allowed: Sequence[str], field: str, title: str) -> None:
    if value not in allowed:
        raise PeopleError(f"{title}填的不对", field=field, hint="请从下拉表里选。")


def _plain(resident: Resident) -> dict[str, Any]:
    """What may be compared and, apart from the two numbers, written into the audit row."""
    return {
        "name": resident.name,
        "relation": resident.relation,
        "birth_date": resident.birth_date.isoformat() if resident.birth_date else None,
        "tags": list(resident.tags),
        "status": resident.status,
        "phone": resident.phone_secret,
        "id_number": resident.id_number_secret,
        "bank": resident.bank_secret,
    }


def _save_resident(resident: Resident, *, new: bool = False) -> None:
    # While keys turn over, the same number may stand under the old index; the database compares one index only.
    number = open_id_number(resident.id_number_secret)
    if number and _registered(resident, number) is not None:
        raise _twice(resident, number)
    try:
        with transaction.atomic():
            resident.save(force_insert=new)
    except IntegrityError as error:
        if "resident_id_number_once" not in str(error):
            raise
        raise _twice(resident, number) from error


def _registered(resident: Resident, number: str) -> Resident | None:
    rows = Resident.objects.filter(
        place=resident.place, id_number_index__in=id_number_indexes(number), status__in=LIVE
    )
    return rows.exclude(pk=resident.pk).select_related("household").first()


def _twice(resident: Resident, number: str) -> PeopleError:
    other = _registered(resident, number)
    where = f"，在 {other.household.code} 户（{other.name}）" if other else ""
    return PeopleError(
        f"这个身份证号在本村已经登记{where}", field="id_number", hint="请核对；同一个人不能登记在两户。"
    )


def _live(household: Household) -> Household:
    from zhili.people.household_actions import lock_open

    return lock_open(household)


def _changed(
    household: Household, kind: str, on: date, basis: str, by: User | None, **detail: Any
) -> HouseholdChange:
    from zhili.people.household_actions import write_change

    return write_change(household, kind, on=on, basis=basis, by=by, **detail)
