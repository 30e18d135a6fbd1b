"""The fixed cast every test plays with: invented people of 谭家沟村 and one stranger from the next village.

`cast` is a plain object with a User per role; households and residents are reached through them.
"""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

from zhili.claims.models import Recusal
from zhili.people.models import Household, Membership, Resident, User
from zhili.places.models import VillageSettings

VILLAGE = "511702109200"  # 谭家沟村
NEXT_VILLAGE = "511702109201"
TOWNSHIP = "511702109"
COUNTY = "511702"
OTHER_TOWN_VILLAGE = "511702103200"

# Invented. (username, name, household code, group, relation, role)
PEOPLE = [
    ("villager", "演示甲", "1001", "1组", "son", None),
    ("head", "演示乙", "1001", "1组", "head", None),
    ("group_leader", "演示丙", "1002", "1组", "head", "group_leader"),
    ("clerk", "演示丁", "1003", "1组", "head", "clerk"),
    ("reviewer", "演示戊", "2001", "2组", "head", "reviewer"),
    ("reviewer2", "演示己", "2002", "2组", "head", "reviewer"),
    ("reviewer3", "演示庚", "2003", "2组", "head", "reviewer"),
    ("elder", "演示辛", "3001", "3组", "head", "council"),
    ("elder2", "演示壬", "3002", "3组", "head", "council"),
    ("supervisor", "演示癸", "3003", "3组", "head", "supervisor"),
    ("shopkeeper", "演示子", "3004", "3组", "head", "shopkeeper"),
]


def make_person(username: str, name: str, place: str, code: str, group: str, relation: str) -> User:
    """A user tied to a resident of household `code` of `place`, both made where missing."""
    household, _ = Household.objects.get_or_create(
        place=place, code=code, defaults={"group": group, "opened_on": date(2020, 1, 1)}
    )
    resident = Resident.objects.create(
        place=place, household=household, name=name, relation=relation, birth_date=date(1960, 1, 1)
    )
    user = User(username=username, display_name=name, resident=resident, home_place=place)
    user.set_unusable_password()
    user.save()
    return user


def make_staff(username: str, name: str, role: str, place: str) -> User:
    """A user without a household here: township, county, bank, administrators."""
    user = User(username=username, display_name=name)
    user.set_unusable_password()
    user.save()
    Membership.objects.create(user=user, role=role, place=place, valid_from=date(2020, 1, 1))
    return user


def make_cast() -> SimpleNamespace:
    """Everybody. `reviewer` has declared to be a relative of household 1001 (villager, head)."""
    people: dict[str, User] = {}
    VillageSettings.objects.create(place=VILLAGE, office_phone="0818-0000000", demo=True)
    for username, name, code, group, relation, role in PEOPLE:
        user = people[username] = make_person(username, name, VILLAGE, code, group, relation)
        if role:
            Membership.objects.create(user=user, role=role, place=VILLAGE, valid_from=date(2020, 1, 1))
    people["stranger"] = make_person("stranger", "邻村演示", NEXT_VILLAGE, "1001", "1组", "head")
    people["stranger_clerk"] = make_person("stranger_clerk", "邻村文书", NEXT_VILLAGE, "1002", "1组", "head")
    Membership.objects.create(
        user=people["stranger_clerk"], role="clerk", place=NEXT_VILLAGE, valid_from=date(2020, 1, 1)
    )
    for username, role, place in [
        ("township", "township", TOWNSHIP),
        ("county", "county", COUNTY),
        ("bank", "bank", COUNTY),
        ("system_admin", "system_admin", COUNTY),
        ("security_admin", "security_admin", COUNTY),
        ("audit_admin", "audit_admin", COUNTY),
    ]:
        people[username] = make_staff(username, f"演示{username}", role, place)
    cast = SimpleNamespace(**people, place=VILLAGE, next_place=NEXT_VILLAGE)
    cast.household = cast.head.resident.household
    Recusal.objects.create(
        place=VILLAGE,
        user=cast.reviewer,
        household=cast.household,
        kind="relative",
        declared_by=cast.reviewer,
    )
    return cast
