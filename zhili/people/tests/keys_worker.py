"""A process of the rotation tests: fill a database, turn its keys and be killed in the middle, look it all up."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

PLACE = "511702109200"
PEOPLE = 60


def numbers(n: int) -> dict[str, str]:
    """The ID number, phone and bank account of person n: invented, all with right check digits."""
    from zhili.common.idnumber import check_character
    from zhili.common.leaks import luhn

    first = f"51179919{50 + n % 40:02d}0305{n:03d}"
    bank = f"6222020{n:011d}"
    return {
        "id_number": first + check_character(first),
        "phone": f"1391234{n:04d}",
        "bank": next(bank + str(digit) for digit in range(10) if luhn(bank + str(digit))),
    }


def fill() -> dict[str, Any]:
    """PEOPLE households of one person each, every number sealed, every consent given."""
    from zhili.people import actions
    from zhili.people.models import Household, Resident

    for n in range(PEOPLE):
        known = numbers(n)
        household = actions.add_household(
            by=None, place=PLACE, code=f"9{n:03d}", head_name=f"演示{n}", phone=known["phone"],
            id_number=known["id_number"],
        )  # fmt: skip
        one = Resident.objects.get(household=household)
        actions.answer_consents(by=None, resident=one, answers={"bank_account": True}, channel="desk")
        actions.edit_resident(by=None, resident=one, bank=known["bank"])
    return {"households": Household.objects.filter(place=PLACE).count()}


def look() -> dict[str, Any]:
    """Every number read from its row, and every row found by each of its numbers; and no second one let in."""
    from zhili.people import actions
    from zhili.people.errors import PeopleError
    from zhili.people.models import Resident
    from zhili.people.secrets import (
        bank_indexes,
        id_number_indexes,
        keyring,
        open_bank,
        open_id_number,
        open_phone,
        phone_indexes,
    )  # fmt: skip

    read = found = 0
    rows = {one.household.code: one for one in Resident.objects.select_related("household")}
    for n in range(PEOPLE):
        one, known = rows[f"9{n:03d}"], numbers(n)
        read += open_phone(one.phone_secret) == known["phone"]
        read += open_id_number(one.id_number_secret) == known["id_number"]
        read += open_bank(one.bank_secret) == known["bank"]
        found += Resident.objects.filter(phone_index__in=phone_indexes(known["phone"])).get() == one
        found += (
            Resident.objects.filter(id_number_index__in=id_number_indexes(known["id_number"])).get() == one
        )
        found += Resident.objects.filter(bank_index__in=bank_indexes(known["bank"])).get() == one
    refused = 0
    for n in (0, PEOPLE - 1):  # one of the first batch, one of the last
        try:
            actions.add_household(
                by=None, place=PLACE, code=f"T{n}", head_name="重复", id_number=numbers(n)["id_number"]
            )
        except PeopleError as error:
            refused += "已经登记" in error.message
    ring = keyring()
    tokens = {one.id_number_secret.rsplit(":", 1)[0] for one in rows.values()}
    heads = {bytes(one.id_number_index or b"")[:2].hex() for one in rows.values()}
    return {"read": read, "found": found, "refused": refused, "current": ring.current, "turning": ring.turning,
            "tokens": sorted(tokens), "index": sorted(heads)}  # fmt: skip


def killed() -> dict[str, Any]:
    """A rotation whose process dies after two batches, the way a power cut does."""
    from zhili.common.faults import arm
    from zhili.people.rotation import rotate

    passed: list[str] = []

    def hook(name: str) -> None:
        passed.append(name)
        if name == "keys.rotate.batch" and len(passed) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    arm(hook)
    rotate(profile=sys.argv[2] if len(sys.argv) > 2 else None, batch=20)
    return {"survived": True}


def main() -> None:
    import django

    django.setup()
    from zhili.common.scope import scoped

    deed = {"fill": fill, "look": look, "killed": killed}[sys.argv[1]]
    if sys.argv[1] == "killed":
        answer = deed()
    else:
        with scoped(PLACE):
            answer = deed()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
