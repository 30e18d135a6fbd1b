"""Three villages of forty households, built once and copied for every run; the same to the byte every time."""

from __future__ import annotations

import random
from datetime import date, datetime
from typing import Any

from tests.simulator.model import House, Village, World

START = datetime.fromisoformat("2026-01-01T08:00:00+08:00")
SURNAMES = "赵钱孙李周吴郑王冯陈"
# place, township, a sign that stands in every text of the village and nowhere else.
VILLAGES = (
    ("511702109200", "511702109", "鑫"),
    ("511702109203", "511702109", "淼"),
    ("511702103200", "511702103", "焱"),
)
HOUSEHOLDS = 40
# Household number → what its head is. The rest are villagers; the first six of them have a log-in.
STAFF = {
    1: "clerk", 2: "reviewer", 3: "reviewer", 4: "reviewer", 5: "reviewer", 6: "council", 7: "council", 8: "council",
    9: "supervisor", 10: "group_leader",
}  # fmt: skip
VILLAGERS = range(11, 17)
ID_NUMBER = "51302119600101{:04d}"
PHONE = "138{:08d}"

BOOK = """
format: zhili-rulebook/1
title: {sign}村积分细则
unit: household
effective: {{from: 2026-01-01, to: null}}
settlement: month
purses:
  - {{code: merit, title: 荣誉积分}}
  - {{code: spend, title: 兑换积分, spendable: true, expiry: {{policy: years, years: 1}}}}
categories:
  - {{code: HJ, title: 环境{sign}}}
  - {{code: GY, title: 公益{sign}}}
  - {{code: ZX, title: 秩序{sign}}}
items:
  - {{code: HJ01, category: HJ, title: 清扫{sign}路, points: {sweep}, caps: [{{times: 3, every: month}}], claim_by: [self, neighbour, clerk], evidence: witness, review: 1}}
  - {{code: HJ02, category: HJ, title: 种{sign}树, points: 3, claim_by: [self, neighbour, clerk], evidence: photo, review: 1}}
  - {{code: GY01, category: GY, title: 捐{sign}款, points: {{each: 1, per: 100, of: 元, round: down, max: 10}}, claim_by: [clerk], evidence: document, review: 1}}
  - {{code: GY04, category: GY, title: 突出{sign}贡献, points: {{min: 1, max: 20}}, claim_by: [self, neighbour, clerk], review: council, evidence: witness}}
  - {{code: GY05, category: GY, title: 义务{sign}劳动, points: {{min: 1, max: 5}}, claim_by: [self, neighbour, clerk], review: 2, evidence: none}}
  - {{code: GY06, category: GY, title: 荣誉{sign}善举, points: 1, purses: [merit], claim_by: [self, neighbour, clerk], evidence: none, review: 1}}
  - {{code: ZX01, category: ZX, title: 占用{sign}道经提醒不改, points: -5, claim_by: [clerk], review: 2, evidence: witness}}
"""  # noqa: E501


def usernames(n: int) -> dict[str, str]:
    """Log-in → role in village n (0, 1, 2): v0.clerk, v0.reviewer2 …, v0.villager11."""
    found: dict[str, str] = {}
    for number, role in STAFF.items():
        name = f"v{n}.{role}{number}"
        found[name] = role
    for number in VILLAGERS:
        found[f"v{n}.villager{number}"] = "villager"
    return found


def code_of(n: int, number: int) -> str:
    return f"{n + 1}{number:03d}"


def house_of(username: str) -> str:
    """The household number of whoever has this log-in."""
    village, _, rest = username.partition(".")
    return code_of(int(village[1:]), int("".join(letter for letter in rest if letter.isdigit())))


def model(seed: int) -> World:
    """The villages as they stand in the template, as plain Python."""
    villages = []
    for n, (place, _, sign) in enumerate(VILLAGES):
        village = Village(n, place, sign, roles=usernames(n), books=[(START.date(), 200)])
        for number in range(1, HOUSEHOLDS + 1):
            code = code_of(n, number)
            village.houses[code] = House(code, f"{1 + number % 4}组", members=2)
        for one, number in ties():
            village.ties.add((f"v{n}.reviewer{one}", code_of(n, number)))
        villages.append(village)
    return World(seed, START, villages)


def ties() -> list[tuple[int, int]]:
    """Reviewer's household number, and the household of declared relatives."""
    return [(2, 11), (2, 20), (3, 12), (4, 21), (5, 30)]


def build() -> None:
    """Write the template's rows, as the application, in the database this process is connected to."""
    from zhili.common import clock
    from zhili.common.scope import scoped

    with clock.replay(START, 20260101), scoped("*"):
        county = _staff("county", "county", "511702")
        towns = {code: _staff(f"town{code}", "township", code) for code in {row[1] for row in VILLAGES}}
        for n, (place, town, sign) in enumerate(VILLAGES):
            _village(n, place, sign, towns[town], county)


def _staff(username: str, role: str, place: str) -> Any:
    from zhili.people.models import Membership, User

    user = User(username=username, display_name=username)
    user.set_unusable_password()
    user.save()
    Membership.objects.create(user=user, role=role, place=place, valid_from=date(2020, 1, 1))
    return user


def _village(n: int, place: str, sign: str, township: Any, county: Any) -> None:
    from zhili.claims.models import Recusal
    from zhili.people.models import Household, Membership, Resident, User
    from zhili.people.secrets import seal_id_number, seal_phone
    from zhili.places.models import VillageSettings

    VillageSettings.objects.create(place=place, office_phone="0818-0000000", demo=True)
    chance = random.Random(n)
    heads: dict[str, Resident] = {}
    for number in range(1, HOUSEHOLDS + 1):
        code = code_of(n, number)
        house = Household.objects.create(
            place=place,
            code=code,
            group=f"{1 + number % 4}组",
            address=f"{sign}院{number}",
            opened_on=date(2020, 1, 1),
        )
        for k, relation in enumerate(("head", "spouse", "son")):
            id_secret, id_index = seal_id_number(ID_NUMBER.format(n * 1000 + number * 10 + k))
            phone_secret, phone_index = seal_phone(PHONE.format(n * 100_000 + number * 100 + k))
            person = Resident.objects.create(
                place=place, household=house, name=f"{chance.choice(SURNAMES)}{sign}{'甲乙丙'[k]}", relation=relation,
                birth_date=date(1960 + 10 * k, 1, 1 + k), id_number_secret=id_secret, id_number_index=id_index,
                phone_secret=phone_secret, phone_index=phone_index,
            )  # fmt: skip
            if k == 0:
                heads[code] = person
    users: dict[str, User] = {}
    for name, role in usernames(n).items():
        user = User(
            username=name, display_name=f"{sign}{role}", resident=heads[house_of(name)], home_place=place
        )
        user.set_unusable_password()
        user.save()
        users[name] = user
        give_key(user)
        if role != "villager":
            group = heads[house_of(name)].household.group if role == "group_leader" else ""
            Membership.objects.create(
                user=user, role=role, place=place, group=group, valid_from=date(2020, 1, 1)
            )
    for one, number in ties():
        reviewer = users[f"v{n}.reviewer{one}"]
        Recusal.objects.create(
            place=place, user=reviewer, household=heads[code_of(n, number)].household, kind="relative",
            declared_by=reviewer,
        )  # fmt: skip
    put_book(place, sign, 2, date(2026, 1, 1), township, county)


def give_key(user: Any) -> None:
    """A key to the API that workers can work out from the name."""
    from hashlib import sha256

    from tests.simulator.perform_pages import key_for
    from zhili.people.models import ApiToken

    ApiToken.objects.create(
        user=user,
        digest=sha256(key_for(user.username).encode()).hexdigest(),
        title="模拟",
        expires_on=date(2029, 1, 1),
    )


def put_book(place: str, sign: str, sweep: int, on: date, township: Any, county: Any) -> str:
    """A version of the book in force from `on`; sweeping the road brings `sweep` points."""
    from zhili.rulebook.actions import put_in_force, save_draft

    draft = save_draft(by=township, place=place, text=BOOK.format(sign=sign, sweep=sweep))
    book = put_in_force(
        by=county,
        book=draft,
        on=on,
        adoption={"meeting": "村民代表会议", "held_on": "2025-12-20", "in_favour": 40, "present": 45},
        override={"by": "区司法局", "opinion": "合法", "on": "2025-12-22"},
    )
    return str(book.pk)
