"""The card says whose household it is; it does not prove who stands there (N-07).

Up to the village's cap the card is enough. Above it, for 代领 and when a server serves the own household, one more
thing is needed: the household's PIN, a photo of the signed slip, or a second staff member who signs in.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction

from zhili.audit.actions import record
from zhili.common import limits
from zhili.common.cipher import decrypt, encrypt
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.people.models import Household, Membership, User
from zhili.people.secrets import keyring
from zhili.shop.errors import ShopError
from zhili.shop.models import Order, Pin
from zhili.shop.money import settings_of

PURPOSE: Final = "shop.pin"
WAIT_MAX_MINUTES: Final = 60
FREE_TRIES: Final = 3
SECOND: Final = limits.Pause("shop-second", 4, 5, 900)
"""Wrong names and passwords of the second staff member at one server's counter (docs/login.md)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One of: pin (as typed), signature (name of a stored photo), second (a staff member who has just signed in)."""

    pin: str = ""
    signature: str = ""
    second: User | None = None

    @property
    def kind(self) -> str:
        if self.pin:
            return Order.Proof.PIN
        if self.signature:
            return Order.Proof.SIGNATURE
        return Order.Proof.SECOND if self.second is not None else Order.Proof.NONE


NO_PROOF: Final = Proof()


def proof_needed(by: User, household: Household, points: int, *, proxy: bool) -> str:
    """Why more than the card is needed, in words; "" where it is enough."""
    if lives_in(by, household):
        return "给自己家兑换，要有第二位工作人员在场"
    if proxy:
        return "代领要有密码、签名照片，或第二位工作人员在场"
    cap = settings_of(household.place).cap_points
    if points > cap:
        return f"超过 {format_points(cap)} 分，要有密码、签名照片，或第二位工作人员在场"
    return ""


def check_proof(by: User, household: Household, points: int, proof: Proof, *, proxy: bool) -> Proof:
    """The proof, checked. Raises ShopError (word "proof") where it is missing or wrong. Wrong PINs are counted by
    `pin_is_right`, which the page calls first: a count must outlive the refused request."""
    why = proof_needed(by, household, points, proxy=proxy)
    if not why:
        return proof
    own = lives_in(by, household)
    if (own and proof.second is None) or proof.kind == Order.Proof.NONE:
        raise ShopError(why, field="proof", hint="请选一种验证方式。", word="proof")
    if proof.second is not None:
        _second(by, household, proof.second)
    elif proof.pin and Pin.objects.filter(household=household, set_by=by).exists():
        raise ShopError(
            "这一户的密码是您替他们设的，您办理时不能用",
            field="pin",
            hint="请用签名照片，或请第二位工作人员。",
            word="proof",
        )
    elif proof.pin and not _matches(household, proof.pin):
        raise ShopError("密码不对", field="pin", hint="可以改用签名照片，或请第二位工作人员。", word="proof")
    return proof


def lives_in(user: User, household: Household) -> bool:
    """Whether it is the person's own household."""
    return user.resident is not None and user.resident.household_id == household.pk


def second_staff(*, by: User, name: str, password: str) -> User:
    """The second staff member, who types name and password at the server's own screen. Wrong ones wait longer and
    longer, counted for this server: nobody is locked out. Raises ShopError."""
    wait, _ = limits.attempt(SECOND, by.pk)
    if wait:
        raise ShopError(
            f"试的次数太多，请过{limits.in_words(wait)}再试",
            field="second",
            hint="可以改用签名照片。",
            word="proof",
        )
    found = User.objects.filter(username=name.strip()[:150], is_active=True).first()
    if found is None or not found.has_usable_password() or not found.check_password(password):
        raise ShopError(
            "第二位的登录名或密码不对", field="second", hint="请那一位自己再输一遍。", word="proof"
        )
    limits.clear(SECOND, by.pk)
    return found


def _second(by: User, household: Household, second: User) -> None:
    own = lives_in(second, household)
    allowed = may(second, "shop.serve", household.place) or may(second, "shop.sign", household.place)
    if second.pk == by.pk or own or not allowed:
        raise ShopError(
            "第二位工作人员要是另一个人，也不能是这一户的", field="second", hint="请换一位。", word="proof"
        )


def set_pin(*, by: User, household: Household, pin: str) -> None:
    """The household chooses 4 to 6 digits: its own people on the phone, or at the clerk's desk in person."""
    own = lives_in(by, household) or by.has_role(Membership.Role.CLERK, place=household.place)
    if not (own and may(by, "shop.order", household)):
        raise NotAllowed("您不能给这一户设密码", hint="请本户的人在手机上设，或到村文书那里设。")
    digits = pin.strip()
    if not (digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 6):
        raise ShopError("密码要是 4 到 6 位数字", field="pin", hint="请选好记、别人猜不到的。")
    if len(set(digits)) == 1 or digits in "01234567890" or digits in "09876543210":
        raise ShopError("这个密码太容易猜", field="pin", hint="不要用 1111、1234 这样的。")
    with transaction.atomic():
        sealed = encrypt(keyring(), PURPOSE, digits)
        Pin.objects.update_or_create(
            household=household,
            defaults={"place": household.place, "sealed": sealed, "wrong": 0, "wait_until": None, "set_by": by,
                      "set_at": now()},
        )  # fmt: skip
        record("shop.set_pin", by=by, place=household.place, target=household)


def pin_is_right(household: Household, pin: str) -> bool:
    """Check and count, in a transaction that is kept. Raises ShopError while wrong tries must wait, or without a PIN."""
    with transaction.atomic():
        row = Pin.objects.select_for_update(no_key=True).filter(household=household).first()
        if row is None:
            raise ShopError(
                "这一户还没有设密码", field="pin", hint="请用签名照片，或请第二位工作人员。", word="proof"
            )
        moment = now()
        if row.wait_until is not None and row.wait_until > moment:
            minutes = -(-int((row.wait_until - moment).total_seconds()) // 60)
            raise ShopError(
                f"密码错得太多，请 {minutes} 分钟后再试", field="pin", hint="可以改用签名照片。", word="proof"
            )
        right = _same(row, pin)
        row.wrong = 0 if right else row.wrong + 1
        late = row.wrong - FREE_TRIES
        row.wait_until = moment + timedelta(minutes=min(WAIT_MAX_MINUTES, 2**late)) if late >= 0 else None
        row.save(update_fields=["wrong", "wait_until"])
    return right


def _matches(household: Household, pin: str) -> bool:
    row = Pin.objects.filter(household=household).first()
    waiting = row is not None and row.wait_until is not None and row.wait_until > now()
    return row is not None and not waiting and _same(row, pin)


def _same(row: Pin, pin: str) -> bool:
    return hmac.compare_digest(decrypt(keyring(), PURPOSE, row.sealed), pin.strip())
