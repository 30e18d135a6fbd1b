"""From a clerk's lines to what would be written: new, changed, unchanged, and every contradiction at its cell.

One query for the households of the file, one for the people in them and for everybody whose ID number stands in
the file. Nothing is ever removed by an import, an empty cell changes nothing, and a new head is no matter for a
table: households end and heads change by named deeds with a basis (L-12).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from django.db.models import Q

from zhili.common.masking import mask_bank, mask_id, mask_phone
from zhili.people.consent_effects import is_health
from zhili.people.consent_models import Consent
from zhili.people.consents import consenting, refusing
from zhili.people.models import Household, Resident
from zhili.people.queries import LIVE, initials
from zhili.people.secrets import (
    id_number_indexes,
    open_bank,
    open_id_number,
    open_phone,
    seal_bank,
    seal_id_number,
    seal_phone,
)
from zhili.people.workbook import WANTED, Line, Lines

P = Consent.Purpose
HEAD: Final = Resident.Relation.HEAD.value
TITLES: Final = {key: names[0] for key, names in WANTED.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would change. row: the line in the file. before is "" for something new."""

    row: int
    code: str
    name: str
    kind: Literal["new_household", "new_resident", "changed"]
    title: str = ""
    before: str = ""
    after: str = ""


@dataclass(slots=True)
class Plan:
    """What would be written, and what stands against it."""

    errors: list[Any] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    new_households: list[Household] = field(default_factory=list)
    new_residents: list[Resident] = field(default_factory=list)
    changed_households: list[Household] = field(default_factory=list)
    changed_residents: list[Resident] = field(default_factory=list)
    touched: list[Household] = field(default_factory=list)
    refusals: list[Resident] = field(default_factory=list)
    unchanged: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {
            "households_new": len(self.new_households),
            "households_changed": len(self.changed_households),
            "residents_new": len(self.new_residents),
            "residents_changed": len(self.changed_residents),
            "residents_unchanged": self.unchanged,
        }


@dataclass(slots=True)
class _Stored:
    """What the village has now of what the file speaks about."""

    households: dict[str, Household]
    people: dict[UUID, list[Resident]]
    by_number: dict[bytes, Resident]
    # Who has said yes to a bank account, yes to health tags, no to an ID number, no to the name in public.
    bank: set[UUID] = field(default_factory=set)
    health: set[UUID] = field(default_factory=set)
    no_number: set[UUID] = field(default_factory=set)
    no_name: set[UUID] = field(default_factory=set)

    def numbered(self, numbers: dict[int, list[bytes]], line: Line) -> Resident | None:
        """Who has the ID number of this line, under whichever index key it is stored."""
        return next((self.by_number[one] for one in numbers.get(line.row, []) if one in self.by_number), None)


def plan(place: str, lines: Lines) -> Plan:
    """Check the lines together and against the village; two queries. Reads only."""
    found = Plan()
    faults = Lines(lines.header, lines.lines, [], [])
    numbers = {line.row: id_number_indexes(line.id_number) for line in lines.lines if line.id_number}
    _complete(faults)
    _once(faults)
    stored = _stored(place, lines, {index for both in numbers.values() for index in both})
    for code, group in _by_code(lines.lines).items():
        _one_head(faults, code, group)
        _same_household(faults, group)
        household = stored.households.get(code)
        if household is None:
            _plan_new(found, faults, place, code, group, numbers, stored)
        elif not household.is_open:
            said = f"户编号 {code} {household.get_status_display()}"
            faults.fault(group[0], "code", said, "请换一个没有用过的编号。")
        else:
            _plan_known(found, faults, household, group, numbers, stored)
    found.errors = faults.errors
    return found


def _by_code(lines: Iterable[Line]) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        if line.code:
            groups.setdefault(line.code, []).append(line)
    return groups


def _complete(faults: Lines) -> None:
    for line in faults.lines:
        if line.code is None and "code" not in line.masked:
            faults.fault(line, "code", "户编号没有填", "请填这一户的编号。")
        if line.name is None and "name" not in line.masked:
            key = "name" if "name" in line.cells else "head_name"
            faults.fault(line, key, "姓名没有填", "请填姓名；不要的行请整行删掉。")
        if line.relation is None and "relation" not in line.masked:
            faults.fault(line, "relation", "与户主关系没有填", "请写 户主、配偶、儿子、女儿 等。")


def _once(faults: Lines) -> None:
    """The same person twice in the file."""
    numbers: dict[str, Line] = {}
    names: dict[tuple[Any, ...], Line] = {}
    for line in faults.lines:
        if line.id_number:
            first = numbers.setdefault(line.id_number, line)
            if first is not line:
                said = f"和第 {first.row + 1} 行的身份证号一样"
                faults.fault(line, "id_number", said, "同一个人只能填一次，请核对。")
        elif line.code and line.name:
            key = (line.code, line.name, line.birth_date, line.masked.get("id_number"))
            first = names.setdefault(key, line)
            if first is not line:
                faults.fault(
                    line, "name", f"和第 {first.row + 1} 行是同一个人", "请删掉一行，或填身份证号区分。"
                )


def _one_head(faults: Lines, code: str, group: list[Line]) -> None:
    heads = [line for line in group if line.relation == HEAD]
    named = [line for line in group if line.head_name]
    if len({line.head_name for line in named}) > 1:
        first, other = named[0], next(line for line in named if line.head_name != named[0].head_name)
        said = (
            f"户编号 {code} 用了两次：第 {first.row + 1} 行是{first.head_name}户，这里是{other.head_name}户"
        )
        faults.fault(other, "code", said, "两户要有不同的编号，请核对。")
    elif len(heads) > 1:
        said = f"{code} 户有两个户主：第 {heads[0].row + 1} 行{heads[0].name}和这一行{heads[1].name}"
        faults.fault(heads[1], "relation", said, "一户只能有一个户主；如果是两户，请用不同的户编号。")
    elif not heads and not any("relation" in line.masked for line in group):
        faults.fault(group[0], "code", f"{code} 户没有户主", "请在户主那一行的“与户主关系”填 户主。")
    elif heads and named and heads[0].name and named[0].head_name != heads[0].name:
        said = f"户主姓名是{named[0].head_name}，户主这一行却是{heads[0].name}"
        faults.fault(heads[0], "name", said, "请核对是哪一个。")


def _same_household(faults: Lines, group: list[Line]) -> None:
    for key in ("group", "published"):
        given = [line for line in group if line.values[key] is not None]
        other = next((line for line in given if line.values[key] != given[0].values[key]), None)
        if other is not None:
            said = f"和同一户第 {given[0].row + 1} 行的{TITLES[key]}不一样"
            faults.fault(other, key, said, "一户只能有一个，请核对。")


def _stored(place: str, lines: Lines, numbers: set[bytes]) -> _Stored:
    codes = {line.code for line in lines.lines if line.code}
    households = {one.code: one for one in Household.objects.filter(place=place, code__in=codes)}
    rows = Resident.objects.filter(
        Q(household__in=[one.pk for one in households.values()]) | Q(id_number_index__in=numbers),
        place=place,
        status__in=LIVE,
    ).select_related("household")
    stored = _Stored(households, {}, {})
    for one in rows:
        stored.people.setdefault(one.household_id, []).append(one)
        if one.id_number_index:
            stored.by_number[bytes(one.id_number_index)] = one
    everybody = {one.pk for people in stored.people.values() for one in people}
    stored.bank = consenting(place, everybody, P.BANK)
    stored.health = consenting(place, everybody, P.HEALTH)
    stored.no_number = refusing(place, everybody, P.ID_NUMBER)
    stored.no_name = refusing(place, everybody, P.PUBLISH)
    return stored


def _elsewhere(faults: Lines, line: Line, numbers: dict[int, list[bytes]], stored: _Stored) -> bool:
    known = stored.numbered(numbers, line)
    if known is None or known.household.code == line.code:
        return False
    said = f"这个身份证号已经登记在 {known.household.code} 户（{known.name}）"
    faults.fault(line, "id_number", said, "同一个人不能在两户；换户请办分户、并户，号码错了请改。")
    return True


def _plan_new(
    found: Plan,
    faults: Lines,
    place: str,
    code: str,
    group: list[Line],
    numbers: dict[int, list[bytes]],
    stored: _Stored,
) -> None:
    said = {key: next((line.values[key] for line in group if line.values[key] is not None), None)
            for key in ("group", "address", "published")}  # fmt: skip
    away = all(line.status == "away" for line in group)
    household = Household(
        place=place, code=code, group=said["group"] or "", address=said["address"] or "",
        published=said["published"] is not False, status="away" if away else "living",
    )  # fmt: skip
    found.new_households.append(household)
    head = next((line.name for line in group if line.relation == HEAD), "") or ""
    found.changes.append(
        Change(group[0].row + 1, code, head, "new_household", after=f"新立户，{len(group)} 人")
    )
    for line in group:
        _no_masks(faults, line)
        _consented(faults, line, None, stored)
        if not _elsewhere(faults, line, numbers, stored):
            found.new_residents.append(_new_resident(household, line))
            if not household.published and line.relation == HEAD:
                found.refusals.append(found.new_residents[-1])


def _plan_known(
    found: Plan,
    faults: Lines,
    household: Household,
    group: list[Line],
    numbers: dict[int, list[bytes]],
    stored: _Stored,
) -> None:
    people = stored.people.get(household.pk, [])
    head = next((one for one in people if one.is_head), None)
    touched = _change_household(found, household, group) | _published(
        found, faults, household, group, head, stored
    )
    taken: set[UUID] = set()
    for line in group:
        if _elsewhere(faults, line, numbers, stored):
            continue
        known = _match(line, people, stored.numbered(numbers, line), taken)
        if line.relation == HEAD and head is not None and (known is None or known.pk != head.pk):
            said = f"户编号 {household.code} 已是{head.name}户，表里的户主是{line.name}"
            faults.fault(line, "code", said, "换户主请在系统里办理；如果是另一户，请换户编号。")
            continue
        if (
            head is not None
            and known is not None
            and known.pk == head.pk
            and line.relation not in (HEAD, None)
        ):
            faults.fault(line, "relation", f"{head.name}是这一户的户主", "换户主请在系统里办理。")
            continue
        if known is None:
            _no_masks(faults, line)
            _consented(faults, line, None, stored)
            found.new_residents.append(_new_resident(household, line))
            found.changes.append(
                Change(line.row + 1, household.code, line.name or "", "new_resident", after="新增成员")
            )
            touched = True
        else:
            taken.add(known.pk)
            _consented(faults, line, known, stored)
            touched |= _change_resident(found, faults, known, line)
    if touched:
        found.touched.append(household)


def _match(
    line: Line, people: list[Resident], by_number: Resident | None, taken: set[UUID]
) -> Resident | None:
    """The person meant: by ID number; else by name, and by birth date where the name is not alone."""
    if by_number is not None:
        return by_number
    same = [one for one in people if one.name == line.name and one.pk not in taken]
    if line.birth_date:
        same = [one for one in same if one.birth_date in (line.birth_date, None)]
    if line.id_number:  # another number on record is another person
        same = [one for one in same if not one.id_number_secret]
    return same[0] if len(same) == 1 else None


def _new_resident(household: Household, line: Line) -> Resident:
    phone, phone_index = seal_phone(line.phone or "")
    number, number_index = seal_id_number(line.id_number or "")
    return Resident(
        place=household.place, household=household, name=line.name or "", pinyin=initials(line.name or ""),
        birth_date=line.birth_date, relation=line.relation or "other", status=line.status or "present",
        tags=line.tags or [], phone_secret=phone, phone_index=phone_index, id_number_secret=number,
        id_number_index=number_index,
    )  # fmt: skip


def _no_masks(faults: Lines, line: Line) -> None:
    for key, text in line.masked.items():
        if "*" in text:
            faults.fault(line, key, "号码是遮住的，这个人还没有登记", "请填完整号码，或留空。")


def _change_household(found: Plan, household: Household, group: list[Line]) -> bool:
    changed = False
    for key in ("group", "address"):
        line = next((one for one in group if one.values[key] is not None), None)
        before = getattr(household, key)
        if line is None or line.values[key] == before:
            continue
        setattr(household, key, line.values[key])
        found.changes.append(
            Change(
                line.row + 1,
                household.code,
                "",
                "changed",
                TITLES[key],
                _words(before),
                _words(line.values[key]),
            )
        )
        changed = True
    if changed:
        found.changed_households.append(household)
    return changed


def _published(
    found: Plan,
    faults: Lines,
    household: Household,
    group: list[Line],
    head: Resident | None,
    stored: _Stored,
) -> bool:
    """A table may bring a no; it may not take back the no somebody gave (个保法 15, 25)."""
    line = next((one for one in group if one.values["published"] is not None), None)
    if line is None or line.values["published"] == household.published:
        return False
    if line.values["published"] or head is None:
        said = "这一户有人不同意公示名字，不能用表格改" if line.values["published"] else "这一户没有户主"
        faults.fault(line, "published", said, "要改请本人在“我的授权”里答复，或到村里填授权书。")
        return False
    found.refusals.append(head)
    found.changes.append(Change(line.row + 1, household.code, "", "changed", TITLES["published"], "是", "否"))
    return True


def _consented(faults: Lines, line: Line, known: Resident | None, stored: _Stored) -> None:
    """What the person has not allowed, or has forbidden, is not taken in from a table either (P-03)."""
    if line.bank and (known is None or known.pk not in stored.bank):
        faults.fault(line, "bank", "还没有本人的银行卡授权", "请先在系统里登记授权，再导入；或把这一格清空。")
    if known is not None and line.id_number and known.pk in stored.no_number:
        faults.fault(line, "id_number", "本人不同意登记身份证号", "请把这一格清空。")
    new = next(
        (tag for tag in line.tags or [] if is_health(tag) and (known is None or tag not in known.tags)), ""
    )
    if new and (known is None or known.pk not in stored.health):
        faults.fault(line, "tags", f"登记“{new}”要先有本人的授权", "这是健康情况，请先登记授权，再导入。")


def _change_resident(found: Plan, faults: Lines, one: Resident, line: Line) -> bool:
    changed = False

    def note(key: str, before: str, after: str) -> None:
        nonlocal changed
        changed = True
        found.changes.append(
            Change(line.row + 1, line.code, line.name or "", "changed", TITLES[key], before, after)
        )

    for key in ("name", "relation", "birth_date", "status", "tags"):
        new, old = line.values[key], getattr(one, key)
        if new is None or new == old:
            continue
        before = _shown(one, key)
        setattr(one, key, new)
        note(key, before, _shown(one, key))
    one.pinyin = initials(one.name)
    number, phone, bank = (
        open_id_number(one.id_number_secret), open_phone(one.phone_secret), open_bank(one.bank_secret)
    )  # fmt: skip
    for key, mask, stored in (
        ("id_number", mask_id, number), ("phone", mask_phone, phone), ("bank", mask_bank, bank),
    ):  # fmt: skip
        text = line.masked.get(key, "")
        if "*" in text and text != mask(stored):
            faults.fault(line, key, "遮住的号码和登记的对不上", "请填完整号码，或留空表示不改。")
    if line.id_number and line.id_number != number:
        one.id_number_secret, one.id_number_index = seal_id_number(line.id_number)
        note("id_number", mask_id(number), mask_id(line.id_number))
    if line.phone and line.phone != phone:
        one.phone_secret, one.phone_index = seal_phone(line.phone)
        note("phone", mask_phone(phone), mask_phone(line.phone))
    if line.bank and line.bank != bank:
        one.bank_secret, one.bank_index = seal_bank(line.bank)
        note("bank", mask_bank(bank), mask_bank(line.bank))
    if changed:
        found.changed_residents.append(one)
    else:
        found.unchanged += 1
    return changed


def _shown(one: Resident, key: str) -> str:
    if key in ("relation", "status"):
        return str(getattr(one, f"get_{key}_display")())
    return _words(getattr(one, key))


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    return "、".join(value) if isinstance(value, list) else str(value or "")


def summary(changes: Iterable[Change]) -> Counter[str]:
    """How many changes of each kind."""
    return Counter(change.kind for change in changes)
