"""Named changes of households: each leaves a history and an audit row, none touches points (L-12, C-13)."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.people import actions
from zhili.people.errors import PeopleError
from zhili.people.models import Household, Resident
from zhili.people.queries import find_by_card, head_names, head_of, initials, members, search_households

GOOD_ID = "511799196001011237"


def id_number(seed: int = 0, birth: str = "19600101") -> str:
    """An ID number of a county code that does not exist, with a right check character."""
    from zhili.common.idnumber import check_character

    first = f"511799{birth}{seed:03d}"
    return first + check_character(first)


def audited(action: str) -> Entry:
    return Entry.objects.get(action=action)


def test_a_new_household_has_a_head_a_card_and_a_history(cast: SimpleNamespace):
    """U-30, C-13."""
    made = actions.add_household(
        by=cast.clerk, place=cast.place, code=" ８００１ ", head_name="演示新 户", group="8组",
        id_number=id_number(7).lower(), phone="138 0000 0000",
    )  # fmt: skip
    head = head_of(made)
    assert made.code == "8001" and len(made.card_token) == 22
    assert head is not None and head.birth_date == date(1960, 1, 1) and head.pinyin == "ysxh"
    assert "138" not in head.phone_secret and head.id_number_index
    assert [change.kind for change in made.changes.all()] == ["open"]
    assert audited("people.add_household").actor_id == cast.clerk.pk


@pytest.mark.parametrize(
    "change, field",
    [
        ({"code": ""}, "code"),
        ({"code": "1001"}, "code"),
        ({"code": "9" * 21}, "code"),
        ({"head_name": "  "}, "name"),
        ({"head_name": "长" * 61}, "name"),
        ({"opened_on": date(2999, 1, 1)}, "opened_on"),
        ({"birth_date": date(2999, 1, 1)}, "birth_date"),
        ({"phone": "12345"}, "phone"),
        ({"id_number": "511799196001010000"}, "id_number"),
        ({"id_number": id_number(1), "birth_date": date(1961, 1, 1)}, "birth_date"),
        ({"address": "长" * 61}, "address"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(cast: SimpleNamespace, change: dict, field: str):
    """The message never repeats the number."""
    values = {"by": cast.clerk, "place": cast.place, "code": "8001", "head_name": "演示新", **change}
    with pytest.raises(PeopleError) as refused:
        actions.add_household(**values)
    assert refused.value.field == field
    assert not Household.objects.filter(code="8001").exists()
    assert "511799" not in str(refused.value) and "12345" not in str(refused.value)


def test_one_person_is_registered_once_in_a_village(cast: SimpleNamespace):
    number = id_number(5)
    actions.add_resident(by=cast.clerk, household=cast.household, name="演示新", id_number=number)
    other = cast.reviewer.resident.household
    with pytest.raises(PeopleError, match="已经登记，在 1001 户"):
        actions.add_resident(by=cast.clerk, household=other, name="演示新", id_number=number)


def test_who_moved_away_may_come_back_as_a_new_row(cast: SimpleNamespace):
    old = actions.add_household(
        by=cast.clerk, place=cast.place, code="8001", head_name="演示新", id_number=id_number(5),
        opened_on=date(2021, 1, 1),
    )  # fmt: skip
    actions.move_away(by=cast.clerk, household=old, basis="户口迁出", on=date(2022, 1, 1))
    again = actions.add_household(
        by=cast.clerk, place=cast.place, code="8002", head_name="演示新", id_number=id_number(5)
    )
    assert head_of(again).name == "演示新" and head_of(old) is None


def test_extra_fields_are_not_settable(cast: SimpleNamespace):
    """A-11: place, status, card or household cannot be slipped in."""
    for name in ("place", "status", "card_token", "closed_on", "code"):
        with pytest.raises(ValueError):
            actions.edit_household(by=cast.clerk, household=cast.household, **{name: "x"})
    for name in ("place", "household", "phone_secret", "pinyin"):
        with pytest.raises(ValueError):
            actions.edit_resident(by=cast.clerk, resident=cast.head.resident, **{name: "x"})


def test_an_edit_says_what_changed_but_never_a_number(cast: SimpleNamespace):
    """A-14: the audit row names the field, not the phone."""
    resident = cast.villager.resident
    actions.edit_resident(by=cast.clerk, resident=resident, name="演示甲二", phone="13900000000")
    entry = audited("people.edit_resident")
    assert entry.detail["fields"] == ["name", "phone"]
    assert (
        "name" in entry.detail["fields"]
        and "演示甲" not in str(entry.detail)
        and "139" not in str(entry.detail)
    )
    before = Entry.objects.count()
    resident.refresh_from_db()
    actions.edit_resident(by=cast.clerk, resident=resident, phone="139-0000-0000")
    assert Entry.objects.count() == before, "the same phone again is no change"


def test_seeing_a_number_in_clear_needs_a_reason_and_is_on_record(cast: SimpleNamespace):
    """M-06, A-14."""
    resident = actions.edit_resident(by=cast.clerk, resident=cast.head.resident, id_number=id_number(9))
    with pytest.raises(PeopleError, match="为什么"):
        actions.unmask(by=cast.clerk, resident=resident, field="id_number", reason=" ")
    for person in (cast.villager, cast.supervisor, cast.township, cast.stranger_clerk, cast.system_admin):
        with pytest.raises(NotAllowed):
            actions.unmask(by=person, resident=resident, field="id_number", reason="核对")
    assert not Entry.objects.filter(action="people.unmask").exists()
    shown = actions.unmask(by=cast.clerk, resident=resident, field="id_number", reason="高龄补贴核对")
    assert shown == id_number(9)
    assert audited("people.unmask").detail == {"field": "id_number", "reason": "高龄补贴核对"}


def test_a_split_makes_a_new_household_with_its_own_head(cast: SimpleNamespace):
    """L-12: both households say what happened and on what basis."""
    son = cast.villager.resident
    new = actions.split_household(
        by=cast.clerk,
        household=cast.household,
        code="1001A",
        residents=[son],
        head=son.pk,
        basis="户口簿分户",
    )
    assert head_of(new).pk == son.pk and head_of(cast.household).pk == cast.head.resident_id
    assert new.card_token != cast.household.card_token
    old_change, new_change = cast.household.changes.get(), new.changes.get()
    assert (old_change.kind, old_change.other, new_change.kind) == ("split", new, "open")
    assert old_change.basis == "户口簿分户" and old_change.by == cast.clerk


@pytest.mark.parametrize(
    "change, words",
    [
        ({"residents": []}, "从这一户的成员里重新选"),
        ({"head": "head"}, "新户的户主"),
        ({"residents": ["head"], "head": "head"}, "原户主不能分出去"),
        ({"residents": ["stranger"], "head": "stranger"}, "不在这一户"),
        ({"code": "1002"}, "已经用过"),
        ({"code": " "}, "没有填"),
        ({"basis": "x"}, "依据"),
        ({"on": date(2999, 1, 1)}, "今天以后"),
        ({"on": date(2001, 1, 1)}, "立户日期"),
    ],
)
def test_a_split_that_makes_no_sense_changes_nothing(cast: SimpleNamespace, change: dict, words: str):
    people = {"head": cast.head.resident, "stranger": cast.stranger.resident, "son": cast.villager.resident}
    values = {"code": "1001A", "residents": ["son"], "head": "son", "basis": "户口簿分户", **change}
    values["residents"] = [people[one] for one in values["residents"]]
    values["head"] = people[values["head"]]
    with pytest.raises(PeopleError, match=words):
        actions.split_household(by=cast.clerk, household=cast.household, **values)
    assert not Household.objects.filter(code="1001A").exists()
    assert cast.household.changes.count() == 0


def test_a_merge_moves_the_people_and_points_to_the_successor(cast: SimpleNamespace):
    into = cast.reviewer.resident.household
    actions.merge_households(by=cast.clerk, household=cast.household, into=into, basis="子女合户")
    cast.household.refresh_from_db()
    assert (cast.household.status, cast.household.successor) == ("merged", into)
    assert {one.name for one in members(into)} == {"演示甲", "演示乙", "演示戊"}
    assert head_of(into).name == "演示戊"
    with pytest.raises(PeopleError, match="已并户"):
        actions.set_away(by=cast.clerk, household=cast.household)


def test_a_merge_across_villages_or_into_itself_is_refused(cast: SimpleNamespace):
    for into in (cast.household, cast.stranger.resident.household):
        with pytest.raises(PeopleError):
            actions.merge_households(by=cast.clerk, household=cast.household, into=into, basis="子女合户")


def test_away_and_back(cast: SimpleNamespace):
    actions.set_away(by=cast.clerk, household=cast.household)
    assert {one.status for one in members(cast.household)} == {"away"}
    actions.come_back(by=cast.clerk, household=cast.household)
    assert {one.status for one in members(cast.household)} == {"present"}
    assert [c.kind for c in cast.household.changes.all()] == ["away", "return"]


def test_a_household_does_not_lose_its_head_by_a_death(cast: SimpleNamespace):
    head, son = cast.head.resident, cast.villager.resident
    with pytest.raises(PeopleError, match="新户主"):
        actions.record_death(by=cast.clerk, resident=head, on=today())
    with pytest.raises(PeopleError, match="新户主"):
        actions.record_death(by=cast.clerk, resident=head, on=today(), new_head=cast.clerk.resident)
    actions.record_death(by=cast.clerk, resident=head, on=today(), new_head=son)
    assert head_of(cast.household).pk == son.pk
    assert head_names(cast.place, [cast.household.pk]) == {cast.household.pk: "演示甲"}
    with pytest.raises(PeopleError):
        actions.record_death(by=cast.clerk, resident=head, on=today())
    with pytest.raises(PeopleError, match="不能再修改"):
        actions.edit_resident(by=cast.clerk, resident=head, name="别人")


def test_a_household_closes_only_when_nobody_is_left(cast: SimpleNamespace):
    alone = cast.elder.resident.household
    with pytest.raises(PeopleError, match="还有人：演示辛"):
        actions.close_household(by=cast.clerk, household=alone, basis="五保老人去世")
    actions.record_death(by=cast.clerk, resident=cast.elder.resident, on=today())
    actions.close_household(by=cast.clerk, household=alone, basis="五保老人去世")
    alone.refresh_from_db()
    assert (alone.status, alone.closed_on) == ("closed", today())


def test_a_new_card_makes_the_old_one_worthless(cast: SimpleNamespace):
    """N-07, U-30: the copied card finds nothing."""
    old = cast.household.card_token
    assert find_by_card(cast.place, old) == cast.household
    made = actions.reissue_card(by=cast.clerk, household=cast.household, reason="老人遗失")
    assert find_by_card(cast.place, old) is None
    assert find_by_card(cast.place, f"https://zhili.example/m/card/{made.card_token}/") == cast.household
    assert made.card_version == 2


@pytest.mark.parametrize("typed", ["1001", " 1001 ", "１００１", "10 01", "1001\n"])
def test_a_number_may_be_typed_as_people_type(cast: SimpleNamespace, typed: str):
    """U-51."""
    assert find_by_card(cast.place, typed) == cast.household


@pytest.mark.parametrize("typed", ["", "   ", "9999", "/m/card//", "x" * 400, "演示乙", "\x00"])
def test_what_is_no_card_finds_nothing(cast: SimpleNamespace, typed: str):
    assert find_by_card(cast.place, typed) is None


def test_a_card_of_another_village_finds_nothing_here(cast: SimpleNamespace):
    """A-04."""
    stranger = cast.stranger.resident.household
    assert find_by_card(cast.place, stranger.card_token) is None


def test_search_by_number_name_and_pinyin_initials(cast: SimpleNamespace):
    for resident in Resident.objects.all():
        resident.pinyin = initials(resident.name)
        resident.save(update_fields=["pinyin"])
    for text in ("1001", "演示乙", "示甲", "YSY"):
        assert cast.household in search_households(cast.place, text)
    assert search_households(cast.place, "1001")[0].head_name == "演示乙"
    assert search_households(cast.place, "邻村") == []
    assert search_households(cast.place, "%") == [] and search_households(cast.place, "") == []


def test_new_head_swaps_the_relations(cast: SimpleNamespace):
    actions.new_head(
        by=cast.clerk, household=cast.household, resident=cast.villager.resident, basis="户口簿变更",
        former_relation="parent",
    )  # fmt: skip
    assert [(one.name, one.relation) for one in members(cast.household)] == [
        ("演示甲", "head"),
        ("演示乙", "parent"),
    ]
    with pytest.raises(PeopleError, match="已经是户主"):
        actions.new_head(
            by=cast.clerk, household=cast.household, resident=cast.villager.resident, basis="户口簿变更"
        )


def test_a_group_leader_keeps_to_the_own_group(cast: SimpleNamespace):
    """组长: own group only, and no splitting, merging, closing."""
    other = cast.reviewer.resident.household
    actions.set_away(by=cast.group_leader, household=cast.household)
    for act in (
        lambda: actions.set_away(by=cast.group_leader, household=other),
        lambda: actions.edit_household(by=cast.group_leader, household=cast.household, group="2组"),
        lambda: actions.reissue_card(by=cast.group_leader, household=cast.household, reason="遗失了"),
        lambda: actions.move_away(by=cast.group_leader, household=cast.household, basis="户口迁出"),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_dates_before_tomorrow_only(cast: SimpleNamespace):
    with pytest.raises(PeopleError, match="今天以后"):
        actions.set_away(by=cast.clerk, household=cast.household, on=today() + timedelta(days=1))
