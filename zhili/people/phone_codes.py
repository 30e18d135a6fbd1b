"""短信验证码 (N-08): six digits, once, ten minutes, five tries; the same work and the same answer for any number.

A number is found through the keyed blind index and never stored here. Whether somebody in the county has it shows
neither in the answer nor in the time it takes: the row is written either way, and the sending is done by a thread of
its own after the answer.
"""

from __future__ import annotations

import hmac
import logging
import threading
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils.module_loading import import_string

from zhili.common import limits
from zhili.common.clock import now, random_bytes
from zhili.common.limits import Rate
from zhili.common.scope import scoped
from zhili.people.errors import PeopleError
from zhili.people.models import PhoneCode, Resident, User
from zhili.people.queries import LIVE
from zhili.people.secrets import check_phone, phone_indexes

MINUTES: Final = 10
TRIES: Final = 5
PER_PHONE: Final = Rate("code-phone", 1, 60)
PER_PHONE_DAY: Final = Rate("code-phone-day", 8, 3 * 3600)
PER_SOURCE: Final = Rate("code-source", 10, 60)
WRONG: Final = "验证码不对，或者已经过期、用过了"
log = logging.getLogger(__name__)


def ask_code(phone: str, *, source: str) -> UUID:
    """Make a code for this number and send it, if anybody here has the number. Returns the key of the pending code.

    Raises PeopleError for what is no number, TooOften.
    """
    number = check_phone(phone)
    indexes = phone_indexes(number)
    for rate, key in ((PER_SOURCE, source), (PER_PHONE, indexes[0].hex()), (PER_PHONE_DAY, indexes[0].hex())):
        limits.check(rate, key)
    code = f"{int.from_bytes(random_bytes(8), 'big') % 1_000_000:06d}"
    with transaction.atomic():
        PhoneCode.objects.filter(made_at__lt=now() - timedelta(days=1)).delete()
        # An older one for the same number is void.
        joined = b"".join(indexes)  # more than one while the keys turn over
        PhoneCode.objects.filter(phone_index=joined, used_at=None).update(used_at=now())
        row = PhoneCode(phone_index=joined, expires_at=now() + timedelta(minutes=MINUTES))
        row.digest = _digest(row.pk, code)
        row.save(force_insert=True)
        known = bool(_users(indexes))
        transaction.on_commit(lambda: _hand_over(number if known else "", code))
    return row.pk


def _hand_over(number: str, code: str) -> None:
    threading.Thread(target=_send, args=(number, code), name="phone-code", daemon=True).start()


def _send(number: str, code: str) -> None:
    if not number:
        return
    try:
        import_string(settings.PHONE_CODE_SENDER)(number, code)
    except Exception as error:
        # The person asks again; the operator sees that the platform is down. No number in the log.
        log.error("phone code not sent: %s", type(error).__name__)
    finally:
        connection.close()


def redeem_code(key: UUID | str, code: str) -> list[User]:
    """The log-ins whose person has the phone this code went to (a family may share one). Raises PeopleError.

    The try is counted before it is compared, and a code can be used by one request only.
    """
    clean = "".join(letter for letter in code if letter.isalnum())
    tried = PhoneCode.objects.filter(pk=key, used_at=None, expires_at__gt=now(), tries__lt=TRIES)
    # Counted by the limits' own connection too: a rolled back request must not give the try back.
    spent = limits.take(Rate("code-tries", TRIES, MINUTES * 60.0), key)
    if spent or not tried.update(tries=F("tries") + 1):
        raise PeopleError(WRONG, field="code", hint="请重新要一个验证码。")
    row = PhoneCode.objects.get(pk=key)
    if not hmac.compare_digest(row.digest, _digest(row.pk, clean)):
        raise PeopleError(WRONG, field="code", hint=f"请对照短信再填，一共可以试 {TRIES} 次。")
    if not PhoneCode.objects.filter(pk=key, used_at=None).update(used_at=now()):
        raise PeopleError(WRONG, field="code", hint="请重新要一个验证码。")
    joined, size = bytes(row.phone_index), len(phone_indexes("13800000000")[0])
    found = _users([joined[n : n + size] for n in range(0, len(joined), size)])
    if not found:
        raise PeopleError(WRONG, field="code", hint="请重新要一个验证码。")
    return found


def phone_of(user: User) -> str:
    """The phone on record of a villager's log-in, or "": for asking them once more who they are."""
    from zhili.people.secrets import open_phone

    return open_phone(user.resident.phone_secret) if user.resident is not None else ""


def _users(indexes: list[bytes]) -> list[User]:
    # Before log-in no village is in scope; the look-up is by a number that only its holder and the clerk know.
    with scoped("*"):
        people: Any = Resident.objects.filter(phone_index__in=indexes, status__in=LIVE)
        return list(
            User.objects.filter(resident__in=people.values("pk"), is_active=True)
            .select_related("resident__household")
            .order_by("pk")[:12]
        )


def _digest(key: Any, code: str) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), f"phone-code|{key}|{code}".encode(), "sha256").hex()
