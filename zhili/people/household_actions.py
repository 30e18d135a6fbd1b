"""What happens to a household as a whole: split, merge, move away, away and back, death, close, new head, new card.

Each is a named deed with a date and a stated basis (L-12), leaves a HouseholdChange and an audit row, and never
touches points: the database refuses to end a household whose passbook is not empty, and
`ledger.household_changes` moves the points first, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common import planned
from zhili.common.ids import new_token
from zhili.common.periods import today
from zhili.people.access import must
from zhili.people.consent_effects import refresh_published
from zhili.people.errors import PeopleError
from zhili.people.models import Household, HouseholdChange, Resident, User
from zhili.people.queries import LIVE, tidy_code

Kind = HouseholdChange.Kind


@transaction.atomic
def split_household(
    *,
    by: User | None,
    household: Household,
    code: str,
    residents: Sequence[Resident | UUID],
    head: Resident | UUID,
    basis: str,
    on: date | None = None,
    group: str | None = None,
    address: str | None = None,
    relations: dict[UUID, str] | None = None,
) -> Household:
    """分户: `residents` leave `household` and form a new one under `head`, who is one of them. → the new one.

    The old head stays with the old household. relations: resident id → relation to the new head (else other).
    """
    household = lock_open(household)
    must(by, "people.change_households", household)
    on, basis = _day_and_basis(household, on, basis)
    leaving = _of_household(household, [_key(one) for one in residents])
    if _key(head) not in leaving:
        raise PeopleError("新户的户主要从分出去的人里选", field="head", hint="请勾选他，再选为户主。")
    if any(one.is_head for one in leaving.values()):
        raise PeopleError("原户主不能分出去", field="residents", hint="请先“更换户主”，或让户主留在原户。")
    code = tidy_code(code)
    if not 1 <= len(code) <= 20 or Household.objects.filter(place=household.place, code=code).exists():
        raise PeopleError("新户编号没有填，或者已经用过", field="code", hint="请换一个没有用过的编号。")
    new = Household.objects.create(
        place=household.place,
        code=code,
        group=household.group if group is None else group.strip()[:20],
        address=(household.address if address is None else address.strip())[:60],
        opened_on=on,
        published=household.published,
    )
    for one in leaving.values():
        one.household = new
        one.relation = "head" if one.pk == _key(head) else (relations or {}).get(one.pk, "other")
        if one.relation not in Resident.Relation.values or (one.relation == "head") != (one.pk == _key(head)):
            raise PeopleError("与新户主的关系填的不对", field="relations", hint="请从下拉表里选。")
    Resident.objects.bulk_update(leaving.values(), ["household", "relation"])
    refresh_published(household)
    refresh_published(new)
    ids = [str(one) for one in leaving]
    write_change(household, Kind.SPLIT, on=on, basis=basis, by=by, other=new, residents=ids)
    write_change(new, Kind.OPEN, on=on, basis=basis, by=by, other=household, residents=ids)
    record("people.split_household", by=by, place=household.place, target=household, new=str(new.pk))
    return new


@transaction.atomic
def merge_households(
    *, by: User | None, household: Household, into: Household, basis: str, on: date | None = None
) -> Household:
    """并户: `household` ends, its people go to `into` as 其他 members. → `into`. Points must be moved before."""
    if household.pk == into.pk:
        raise PeopleError("不能并到自己", field="into", hint="请选另一户。")
    # In the order of ids, so that two merges the other way round cannot wait for each other.
    locked = {one.pk: one for one in map(lock_open, sorted((household, into), key=lambda h: h.pk))}
    household, into = locked[household.pk], locked[into.pk]
    if household.place != into.place:
        raise PeopleError("两户不在同一个村，不能并户", field="into", hint="请先办迁出，再在那边立户。")
    must(by, "people.change_households", household)
    on, basis = _day_and_basis(household, on, basis)
    _day_and_basis(into, on, basis)
    # The relations are those to a head who is a head no longer; the clerk sets the new ones by hand.
    moved = list(household.residents.filter(status__in=LIVE).values_list("pk", flat=True))
    Resident.objects.filter(pk__in=moved).update(household=into, relation=Resident.Relation.OTHER)
    refresh_published(into)
    _end(household, Household.Status.MERGED, on, successor=into)
    ids = [str(one) for one in moved]
    write_change(household, Kind.MERGE, on=on, basis=basis, by=by, other=into, residents=ids)
    write_change(into, Kind.MERGE, on=on, basis=basis, by=by, other=household, residents=ids)
    record("people.merge_households", by=by, place=household.place, target=household, into=str(into.pk))
    return into


@transaction.atomic
def move_away(
    *, by: User | None, household: Household, basis: str, on: date | None = None, to: str = ""
) -> Household:
    """迁出: the household leaves the village for good. Points must be settled before."""
    household = lock_open(household)
    must(by, "people.change_households", household)
    on, basis = _day_and_basis(household, on, basis)
    household.residents.filter(status__in=LIVE).update(status=Resident.Status.MOVED, left_on=on)
    _end(household, Household.Status.MOVED, on)
    write_change(household, Kind.MOVE_AWAY, on=on, basis=basis, by=by, to=to.strip()[:60])
    record("people.move_away", by=by, place=household.place, target=household)
    return household


@transaction.atomic
def close_household(
    *, by: User | None, household: Household, basis: str, on: date | None = None
) -> Household:
    """销户: nobody is left. Living members must have moved, merged or died first; points must be settled."""
    household = lock_open(household)
    must(by, "people.change_households", household)
    on, basis = _day_and_basis(household, on, basis)
    left = list(household.residents.filter(status__in=LIVE).values_list("name", flat=True)[:3])
    if left:
        raise PeopleError(
            f"{household.code} 户还有人：{'、'.join(left)}", hint="请先办并户、迁出或登记去世，再销户。"
        )
    _end(household, Household.Status.CLOSED, on)
    write_change(household, Kind.CLOSE, on=on, basis=basis, by=by)
    record("people.close_household", by=by, place=household.place, target=household)
    return household


@transaction.atomic
def set_away(
    *, by: User | None, household: Household, on: date | None = None, basis: str = "外出务工"
) -> Household:
    """外出: the household lives elsewhere for now and keeps its points and its card."""
    household = lock_open(household)
    must(by, "people.edit_households", household)
    on, basis = _day_and_basis(household, on, basis)
    if household.status == Household.Status.AWAY:
        return household
    household.status = Household.Status.AWAY
    household.save(update_fields=["status"])
    household.residents.filter(status=Resident.Status.PRESENT).update(status=Resident.Status.AWAY)
    write_change(household, Kind.AWAY, on=on, basis=basis, by=by)
    record("people.set_away", by=by, place=household.place, target=household)
    return household


@transaction.atomic
def come_back(
    *, by: User | None, household: Household, on: date | None = None, basis: str = "返乡"
) -> Household:
    """返乡: an away household lives in the village again."""
    household = lock_open(household)
    must(by, "people.edit_households", household)
    on, basis = _day_and_basis(household, on, basis)
    if household.status == Household.Status.LIVING:
        return household
    household.status = Household.Status.LIVING
    household.save(update_fields=["status"])
    household.residents.filter(status=Resident.Status.AWAY).update(status=Resident.Status.PRESENT)
    write_change(household, Kind.RETURN, on=on, basis=basis, by=by)
    record("people.come_back", by=by, place=household.place, target=household)
    return household


@transaction.atomic
def record_death(
    *,
    by: User | None,
    resident: Resident,
    on: date,
    basis: str = "死亡登记",
    new_head: Resident | UUID | None = None,
) -> Resident:
    """去世: of a head with living members a new head must be named in the same step; the points stay with the household."""
    household = lock_open(resident.household)
    must(by, "people.edit_households", household)
    on, basis = _day_and_basis(household, on, basis, opened=False)
    found = _of_household(household, [resident.pk])
    resident = found[resident.pk]
    others = [one for one in household.residents.filter(status__in=LIVE) if one.pk != resident.pk]
    heir = next((one for one in others if new_head is not None and one.pk == _key(new_head)), None)
    if resident.is_head and others and heir is None:
        raise PeopleError(
            f"{resident.name}是户主，请同时选一位新户主", field="new_head", hint="从其余成员里选一位。"
        )
    if new_head is not None and (heir is None or not resident.is_head):
        raise PeopleError("新户主要从这一户在世的成员里选", field="new_head", hint="请重新选择。")
    resident.status, resident.left_on = Resident.Status.DEAD, on
    resident.save(update_fields=["status", "left_on"])
    resident.delegations.filter(revoked_on=None, valid_to__gte=on).update(revoked_on=max(on, today()))
    write_change(household, Kind.DEATH, on=on, basis=basis, by=by, resident=str(resident.pk))
    if heir is not None:
        heir.relation = Resident.Relation.HEAD
        heir.save(update_fields=["relation"])
        write_change(household, Kind.NEW_HEAD, on=on, basis=basis, by=by, resident=str(heir.pk))
    record("people.record_death", by=by, place=household.place, target=resident)
    return resident


@transaction.atomic
def new_head(
    *,
    by: User | None,
    household: Household,
    resident: Resident | UUID,
    basis: str,
    former_relation: str = Resident.Relation.OTHER,
    on: date | None = None,
) -> Household:
    """更换户主: `resident`, a living member, becomes the head; the former head becomes `former_relation`."""
    household = lock_open(household)
    must(by, "people.change_households", household)
    on, basis = _day_and_basis(household, on, basis)
    chosen = _of_household(household, [_key(resident)])[_key(resident)]
    if chosen.is_head:
        raise PeopleError(f"{chosen.name}已经是户主", field="resident", hint="请选别的成员。")
    if former_relation not in Resident.Relation.values or former_relation == Resident.Relation.HEAD:
        raise PeopleError("原户主与新户主的关系填的不对", field="former_relation", hint="请从下拉表里选。")
    former = household.residents.filter(relation="head", status__in=LIVE).first()
    if former is not None:
        former.relation = former_relation
        former.save(update_fields=["relation"])
    chosen.relation = Resident.Relation.HEAD
    chosen.save(update_fields=["relation"])
    write_change(
        household, Kind.NEW_HEAD, on=on, basis=basis, by=by,
        resident=str(chosen.pk), former=str(former.pk) if former else None,
    )  # fmt: skip
    record("people.new_head", by=by, place=household.place, target=household, resident=str(chosen.pk))
    return household


@transaction.atomic
def reissue_card(*, by: User | None, household: Household, reason: str) -> Household:
    """换卡: a new random token; the card printed before finds nothing from now on (N-07, U-30)."""
    household = lock_open(household)
    must(by, "people.change_households", household)
    _, reason = _day_and_basis(household, None, reason)
    household.card_token = new_token()
    household.card_version += 1
    household.save(update_fields=["card_token", "card_version"])
    write_change(household, Kind.CARD, on=today(), basis=reason, by=by, version=household.card_version)
    record(
        "people.reissue_card", by=by, place=household.place, target=household, version=household.card_version
    )
    return household


def lock_open(household: Household, *, no_key: bool = False) -> Household:
    """The row as it is now, locked until the transaction ends. Raises PeopleError where it has ended.

    no_key: rows that only name this household may still be written beside it (the shop's counter).
    """
    lock = "NO KEY UPDATE" if no_key else "UPDATE"
    found = planned.first(Household, f"id = %s FOR {lock}", [household.pk])
    if found is None:
        raise PeopleError("没有这一户", hint="请回到户列表重新选择。")
    if not found.is_open:
        raise PeopleError(
            f"{found.code} 户{found.get_status_display()}，不能再办理", hint="请核对户编号，或查看变更记录。"
        )
    return found


def write_change(
    household: Household,
    kind: str,
    *,
    on: date,
    basis: str,
    by: User | None,
    other: Household | None = None,
    **detail: Any,
) -> HouseholdChange:
    """One line of the household's history."""
    return HouseholdChange.objects.create(
        place=household.place, household=household, other=other, kind=kind, on=on, basis=basis, by=by,
        detail=detail,
    )  # fmt: skip


def _day_and_basis(
    household: Household, on: date | None, basis: str, *, opened: bool = True
) -> tuple[date, str]:
    day = on or today()
    if day > today():
        raise PeopleError("日期不能在今天以后", field="on", hint="请改成今天或以前的日期。")
    if opened and day < household.opened_on:
        raise PeopleError(
            f"日期早于立户日期（{household.opened_on}）", field="on", hint="请改成立户以后的日期。"
        )
    text = basis.strip()
    if not 2 <= len(text) <= 200:
        raise PeopleError("请写明依据，2 到 200 个字", field="basis", hint="例如：户口簿变更登记。")
    return day, text


def _key(one: Resident | UUID) -> UUID:
    return one.pk if isinstance(one, Resident) else one


def _of_household(household: Household, ids: Sequence[UUID]) -> dict[UUID, Resident]:
    """The living members with these ids; anybody else's id is refused as if it did not exist (A-04)."""
    found = {one.pk: one for one in household.residents.filter(pk__in=ids, status__in=LIVE)}
    if not ids or set(ids) != set(found):
        raise PeopleError(
            "选的人不在这一户，或者已经迁出、去世", field="residents", hint="请从这一户的成员里重新选。"
        )
    return found


def _end(household: Household, status: str, on: date, *, successor: Household | None = None) -> None:
    household.status, household.closed_on, household.successor = status, on, successor
    with _points_left(household):
        household.save(update_fields=["status", "closed_on", "successor"])


@contextmanager
def _points_left(household: Household) -> Iterator[None]:
    """The ledger's trigger speaks for itself: nothing that still holds points ends (L-12)."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "household_has_points" not in str(error) and "存折里还有积分" not in str(error):
            raise
        raise PeopleError(
            f"{household.code} 户的存折里还有积分或没取走的兑换", hint="请先把积分转到接收的户，再办理。"
        ) from error
