"""The invented people of the demo village: about 300 households, as a clerk's list would have them.

Every name is put together by chance from common characters; no person is meant. ID numbers use a county code
that does not exist (511799), so that none of them can belong to anybody.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

HOUSEHOLDS = 300
GROUPS = 9
# One surname leads, as it does in many villages; masked names alone would not tell households apart (M-05).
SURNAMES = (
    ["谭"] * 42
    + ["王", "李", "张", "刘", "陈", "杨", "何", "罗", "周", "邓", "唐", "胡"] * 4
    + ["欧阳", "冉", "向"]
)
GIVEN_OLD = "德明国华正光文玉秀英兰珍芳清贵兴福才昌荣成仁义礼忠孝芝莲菊桂香琼碧素淑"
GIVEN_YOUNG = "浩宇欣怡子涵梓轩雨婷佳俊杰思远嘉豪静雯晨曦一诺可心志强丽娟建平海燕小红"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK = "10X98765432"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the clerk's list."""

    code: str
    group: str
    name: str
    relation: str
    birth_date: date
    id_number: str


def village_list(chance: random.Random) -> list[Row]:
    """About 1,000 residents in 300 households, in household order."""
    rows: list[Row] = []
    for number in range(HOUSEHOLDS):
        group = number * GROUPS // HOUSEHOLDS + 1
        code = f"{group}{number % 100:03d}"
        rows += _household(chance, code, f"{group}组", len(rows))
    return rows


def _household(chance: random.Random, code: str, group: str, first: int) -> list[Row]:
    surname = chance.choice(SURNAMES)
    head_age = chance.randint(34, 82)
    people = [("户主", surname, head_age, head_age > 45)]
    if chance.random() < 0.8:
        people.append(("配偶", chance.choice(SURNAMES), head_age - chance.randint(-2, 5), head_age > 45))
    for relation in ("儿子", "女儿"):
        if chance.random() < 0.55:
            people.append((relation, surname, max(1, head_age - chance.randint(22, 30)), head_age > 75))
    if head_age > 55 and chance.random() < 0.4:
        people.append(("孙辈", surname, max(1, head_age - chance.randint(48, 56)), False))
    if head_age < 55 and chance.random() < 0.3:
        people.append(("父母", surname, head_age + chance.randint(22, 28), True))
    rows = []
    for offset, (relation, family, age, old) in enumerate(people):
        born = date(2025, 11, 1) - timedelta(days=365 * age + chance.randint(0, 364))
        number = id_number(born, first + offset) if chance.random() < 0.6 else ""
        rows.append(Row(code, group, family + _given(chance, old), relation, born, number))
    return rows


def _given(chance: random.Random, old: bool) -> str:
    letters = GIVEN_OLD if old else GIVEN_YOUNG
    return "".join(chance.choice(letters) for _ in range(chance.choice((1, 2, 2, 2))))


def id_number(born: date, sequence: int) -> str:
    """A number of the right form in a county that does not exist. `sequence` makes it unique per birthday."""
    body = f"511799{born:%Y%m%d}{sequence % 1000:03d}"
    return body + CHECK[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]
