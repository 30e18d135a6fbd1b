"""Roles by place and date, log-ins and acting for others (A-06, A-07, A-09, V-13, N-01)."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
import rules

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people import actions
from zhili.people.access import (
    MAY_GRANT,
    VILLAGE_ROLES,
    access_delegation,
    access_household,
    access_membership,
    access_resident,
    clash,
)
from zhili.people.errors import PeopleError
from zhili.people.models import Membership, User
from zhili.people.queries import active_delegation, roles_at

PERSONS = (
    *("villager", "head", "group_leader", "clerk", "reviewer", "elder", "supervisor", "shopkeeper"),
    *("stranger", "stranger_clerk", "township", "county", "bank"),
    *("system_admin", "security_admin", "audit_admin"),
)
# Who may, for household 1001 (group 1) of the cast's village. Everybody not named may not.
MATRIX = {
    "people.see_households": {"group_leader", "clerk", "supervisor", "township", "county"},
    "people.see_household": {"villager", "head", "group_leader", "clerk", "supervisor", "township", "county"},
    "people.edit_households": {"group_leader", "clerk"},
    "people.change_households": {"clerk"},
    "people.import": {"clerk"},
    "people.reveal": {"clerk"},
    "people.record_consent": {"clerk"},
    "people.see_consents": {"clerk", "supervisor"},
    "people.allow_minor": {"supervisor"},
    "people.delegate": {"clerk"},
}
PLACE_MATRIX = {
    "people.see_alarms": {"security_admin"},
    "people.see_roles": {
        "clerk", "supervisor", "township", "county", "system_admin", "security_admin", "audit_admin",
    },
    "people.grant_roles": {"township", "county", "system_admin", "security_admin"},
    "people.make_login": {"clerk", "township", "county", "system_admin", "security_admin"},
}  # fmt: skip


@pytest.mark.parametrize("permission", MATRIX)
@pytest.mark.parametrize("person", PERSONS)
def test_role_by_deed_on_a_household(cast: SimpleNamespace, permission: str, person: str):
    """A-02, A-07: the whole table, by has_perm and by the predicate."""
    user = getattr(cast, person)
    assert may(user, permission, cast.household) == (person in MATRIX[permission])
    assert user.has_perm(permission, cast.household) == (person in MATRIX[permission])
    assert not may(user, permission, cast.stranger.resident.household) or (
        person in {"stranger", "stranger_clerk", "township", "county"}
    )


@pytest.mark.parametrize("permission", PLACE_MATRIX)
@pytest.mark.parametrize("person", PERSONS)
def test_role_by_deed_on_a_place(cast: SimpleNamespace, permission: str, person: str):
    user = getattr(cast, person)
    assert may(user, permission, cast.place) == (person in PLACE_MATRIX[permission])


def test_every_permission_of_the_room_is_in_the_table():
    named = {name for name in rules.permissions.permissions if name.startswith("people.")}
    assert named == {*MATRIX, *PLACE_MATRIX}


def test_no_superuser_walks_round_the_table(cast: SimpleNamespace):
    """A-07."""
    cast.system_admin.is_superuser = True
    assert not cast.system_admin.has_perm("people.see_households", cast.household)
    cast.clerk.is_active = False
    assert not cast.clerk.has_perm("people.see_households", cast.household)


@pytest.mark.parametrize("giver", PERSONS)
@pytest.mark.parametrize("role", Membership.Role.values)
def test_who_may_give_which_role(cast: SimpleNamespace, giver: str, role: str):
    """A clerk gives none; nobody gives outside the own place."""
    user = getattr(cast, giver)
    held = user.memberships_today[0].role if user.memberships_today else None
    place = {"township": "511702109", "county": "511702"}.get(
        role, cast.place if role in VILLAGE_ROLES else "511702"
    )
    person = actions.make_login(None, "newperson", by=None, place=cast.place, display_name="演示新人")
    give = {"by": user, "user": person, "role": role, "place": place, "group": "1组", "no_kin_declared": True}
    if role in MAY_GRANT.get(held, ()) and place.startswith(user.memberships_today[0].place):
        assert actions.grant_role(**give).role == role
        assert person.has_role(role, place=place)
    else:
        with pytest.raises(NotAllowed):
            actions.grant_role(**give)


def test_nobody_gives_a_role_to_themselves(cast: SimpleNamespace):
    with pytest.raises(NotAllowed, match="不能给自己"):
        actions.grant_role(by=cast.township, user=cast.township, role="clerk", place=cast.place)


def test_a_township_gives_nothing_in_another_township(cast: SimpleNamespace):
    with pytest.raises(NotAllowed):
        actions.grant_role(by=cast.township, user=cast.head, role="clerk", place="511702103200")


@pytest.mark.parametrize(
    "person, role",
    [
        ("clerk", "supervisor"),
        ("reviewer", "supervisor"),
        ("elder", "supervisor"),
        ("shopkeeper", "supervisor"),
        ("supervisor", "clerk"),
        ("supervisor", "reviewer"),
        ("supervisor", "council"),
        ("supervisor", "shopkeeper"),
        ("clerk", "shopkeeper"),
        ("shopkeeper", "clerk"),
        ("system_admin", "clerk"),
        ("audit_admin", "reviewer"),
        ("bank", "clerk"),
    ],
)
def test_who_watches_does_not_do(cast: SimpleNamespace, person: str, role: str):
    """V-13, A-07: also when the other role is held far above the village."""
    with pytest.raises(PeopleError, match="不能同时当"):
        actions.grant_role(
            by=cast.county, user=getattr(cast, person), role=role, place=cast.place, no_kin_declared=True
        )


def test_the_three_administrators_are_three_people(cast: SimpleNamespace):
    """等保 三员分立."""
    for person, role in ((cast.system_admin, "audit_admin"), (cast.audit_admin, "system_admin")):
        with pytest.raises(PeopleError, match="不能同时当"):
            actions.grant_role(by=cast.security_admin, user=person, role=role, place="511702")


def test_the_table_of_pairs_reads_the_same_both_ways():
    for first in Membership.Role.values:
        assert not clash(first, first)
        for second in Membership.Role.values:
            assert clash(first, second) == clash(second, first)


def test_a_supervisor_is_no_relative_of_the_committee(cast: SimpleNamespace):
    """V-13: the same household is refused, and the declaration is needed; surnames are not looked at."""
    wife = actions.add_resident(by=cast.clerk, household=cast.clerk.resident.household, name="演示妻")
    login = actions.make_login(wife, "wife", by=cast.clerk)
    give = {"by": cast.township, "role": "supervisor", "place": cast.place}
    with pytest.raises(PeopleError, match="先声明"):
        actions.grant_role(user=cast.head, **give)
    with pytest.raises(PeopleError, match="一家人"):
        actions.grant_role(user=login, no_kin_declared=True, **give)
    given = actions.grant_role(user=cast.head, no_kin_declared=True, **give)
    assert Entry.objects.get(action="people.grant_role").detail["no_kin_declared"] is True
    assert given in roles_at(cast.place)


@pytest.mark.parametrize(
    "change, field",
    [
        ({"role": "king"}, "role"),
        ({"role": "clerk", "place": "511702109"}, None),
        ({"role": "group_leader"}, "group"),
        ({"role": "clerk", "valid_to": today()}, "valid_to"),
        ({"role": "reviewer", "user": "reviewer"}, "role"),
    ],
)
def test_a_role_that_cannot_be_is_refused(cast: SimpleNamespace, change: dict, field: str | None):
    values = {"by": cast.county, "user": "head", "place": cast.place, **change}
    values["user"] = getattr(cast, values["user"])
    with pytest.raises((PeopleError, NotFound)) as refused:
        actions.grant_role(**values)
    assert field is None or refused.value.field == field


def test_a_dismissed_clerk_is_out_at_the_next_request(cast: SimpleNamespace):
    """A-06: the role is read anew with the user row."""
    held = cast.clerk.memberships_today[0]
    with pytest.raises(NotAllowed):
        actions.end_role(by=cast.clerk, membership=held)
    actions.end_role(by=cast.township, membership=held)
    again = User.objects.get(pk=cast.clerk.pk)
    assert not again.has_role("clerk") and not may(again, "people.edit_households", cast.household)
    with pytest.raises(PeopleError, match="已经结束"):
        actions.end_role(by=cast.township, membership=held)


def test_a_delegation_lets_one_person_act_until_it_ends(cast: SimpleNamespace):
    """A-09."""
    old = cast.head.resident
    neighbour = cast.reviewer2
    assert not may(neighbour, "people.see_household", cast.household)
    given = actions.delegate(
        by=cast.clerk, principal=old, delegate=neighbour, scope="claim", valid_to=today() + timedelta(days=300),
        paper_number="委2026-01",
    )  # fmt: skip
    assert active_delegation(neighbour, old, "claim") == given
    assert active_delegation(neighbour, cast.household, "claim") == given
    assert active_delegation(neighbour, old, "redeem") is None
    assert active_delegation(neighbour, cast.villager.resident, "claim") is None
    assert may(neighbour, "people.see_household", cast.household)
    actions.revoke_delegation(by=cast.head, delegation=given)
    assert active_delegation(neighbour, old, "claim") is None
    assert not may(neighbour, "people.see_household", cast.household)
    with pytest.raises(PeopleError, match="已经撤销"):
        actions.revoke_delegation(by=cast.head, delegation=given)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"paper_number": ""}, "委托书编号"),
        ({"valid_to": today() + timedelta(days=400)}, "最长一年"),
        ({"valid_to": today() - timedelta(days=1)}, "已经过去"),
        ({"delegate": "head"}, "本人"),
        ({"delegate": "stranger"}, "本村"),
        ({"delegate": "clerk"}, "登记人不能"),
        ({"scope": "vote"}, "代办事项"),
        ({"by": "stranger_clerk"}, "身份不能"),
        ({"by": "villager"}, "身份不能"),
        ({"by": "township"}, "身份不能"),
    ],
)
def test_a_delegation_that_goes_too_far_is_refused(cast: SimpleNamespace, change: dict, words: str):
    values = {
        "by": "clerk", "delegate": "reviewer2", "valid_to": today() + timedelta(days=30), "paper_number": "1",
        **change,
    }  # fmt: skip
    values["by"], values["delegate"] = getattr(cast, values["by"]), getattr(cast, values["delegate"])
    with pytest.raises((PeopleError, NotAllowed), match=words):
        actions.delegate(principal=cast.head.resident, **values)
    assert not cast.head.resident.delegations.exists()


def test_the_principal_needs_no_paper(cast: SimpleNamespace):
    given = actions.delegate(
        by=cast.head, principal=cast.head.resident, delegate=cast.clerk, valid_to=today() + timedelta(days=30)
    )
    with pytest.raises(NotAllowed):
        actions.revoke_delegation(by=cast.shopkeeper, delegation=given)
    actions.revoke_delegation(by=cast.clerk, delegation=given)


def test_a_death_ends_what_was_delegated(cast: SimpleNamespace):
    given = actions.delegate(
        by=cast.head, principal=cast.head.resident, delegate=cast.clerk, valid_to=today() + timedelta(days=30)
    )
    actions.record_death(
        by=cast.clerk, resident=cast.head.resident, on=today(), new_head=cast.villager.resident
    )
    given.refresh_from_db()
    assert given.revoked_on == today()


@pytest.mark.parametrize("username", ["", "a", "有 空格", "甲乙丙", "x" * 41, "a/b", "head", "HEAD"])
def test_a_log_in_name_that_cannot_be_is_refused(cast: SimpleNamespace, username: str):
    with pytest.raises(PeopleError):
        actions.make_login(cast.head.resident, username, by=cast.clerk)


def test_a_clerk_makes_log_ins_for_the_own_village_only(cast: SimpleNamespace):
    """N-01."""
    made = actions.make_login(cast.head.resident, "head2", "long-enough-9-Word", by=cast.clerk)
    assert made.check_password("long-enough-9-Word") and made.home_place == cast.place
    with pytest.raises(PeopleError):
        actions.make_login(cast.head.resident, "head3", "12345", by=cast.clerk)
    for by, resident in (
        (cast.clerk, None), (cast.clerk, cast.stranger.resident), (cast.villager, cast.head.resident),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            actions.make_login(resident, "somebody", by=by, place=cast.place)


def test_binding_a_log_in_works_once_and_never_by_oneself(cast: SimpleNamespace):
    staff = actions.make_login(None, "staff", by=cast.county, place=cast.place)
    actions.bind_login(by=cast.clerk, user=staff, resident=cast.villager.resident)
    with pytest.raises(PeopleError, match="已经绑定"):
        actions.bind_login(by=cast.clerk, user=staff, resident=cast.head.resident)
    with pytest.raises(NotAllowed):
        actions.bind_login(by=cast.clerk, user=cast.clerk, resident=cast.head.resident)


def test_absent_and_foreign_look_alike(cast: SimpleNamespace):
    """A-04: the same words for a wrong id, nonsense and another village's row."""
    foreign = cast.stranger.resident
    held = Membership.objects.get(user=cast.stranger_clerk)
    given = actions.delegate(
        by=cast.stranger,
        principal=foreign,
        delegate=cast.stranger_clerk,
        valid_to=today() + timedelta(days=9),
    )
    for access, ids in (
        (access_household, [foreign.household_id, "x", "019b0000-0000-7000-8000-000000000000"]),
        (access_resident, [foreign.pk, "x", "019b0000-0000-7000-8000-000000000000"]),
        (access_membership, [held.pk, "x", 10**9]),
        (access_delegation, [given.pk, "x"]),
    ):
        said = set()
        for one in ids:
            with pytest.raises(NotFound) as refused:
                access(cast.clerk, one)
            said.add(str(refused.value))
        assert len(said) == 1
