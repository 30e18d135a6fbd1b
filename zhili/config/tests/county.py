"""A small county in an instance of its own, run as a process: python -m zhili.config.tests.county begin | post N | sealed.

Backup and restore work on whole servers, so their tests need servers of their own, not databases of the common one.
"""

from __future__ import annotations

import os
import sys
from datetime import date
from uuid import UUID, uuid4

PLACE = "511702109200"
OTHER = "511702109201"
ID_NUMBER = "511702196003121238"
PHONE = "13800138123"


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
    from zhili.config.setup import ready

    ready(migrate=arguments[0] == "begin")
    {"begin": begin, "post": post}[arguments[0]](*arguments[1:])


def begin() -> None:
    """Places, one household with sealed numbers, one photo, the first batch of two villages."""
    from django.conf import settings

    from zhili.common.scope import scoped
    from zhili.people.models import Household, Resident
    from zhili.people.secrets import seal_id_number, seal_phone
    from zhili.places.actions import load_tongchuan

    with scoped("*"):
        load_tongchuan()
        home = Household.objects.create(place=PLACE, code="1001", group="1组")
        number, number_index = seal_id_number(ID_NUMBER)
        phone, phone_index = seal_phone(PHONE)
        Resident.objects.create(
            place=PLACE, household=home, name="演示甲", birth_date=date(1960, 3, 12), relation="head",
            id_number_secret=number, id_number_index=number_index, phone_secret=phone, phone_index=phone_index,
        )  # fmt: skip
    photos = settings.PHOTO_ROOT / PLACE
    photos.mkdir(parents=True)
    (photos / "first.jpg").write_bytes(os.urandom(300_000))
    post("2", OTHER)
    post("3")


def post(count: str, place: str = PLACE) -> None:
    """One batch of `count` awards; prints its number and head."""
    from zhili.common.scope import scoped
    from zhili.ledger import actions, entries
    from zhili.ledger.tests.stories import DAY, PERIOD, cause

    transfers = []
    for _ in range(int(count)):
        key: UUID = uuid4()
        transfers += entries.award(key, uuid4(), 200, ["merit", "spend"], DAY, cause(claim=str(key)))
    with scoped(place):
        done = actions.post(transfers, place=place, by=None, period=PERIOD)
    print(done.seq, bytes(done.head).hex())


if __name__ == "__main__":
    main(sys.argv[1:])
