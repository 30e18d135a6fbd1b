"""Binding a WeChat or DingTalk identity to a villager (N-01): by a clerk who sees the person, or by several facts.

Never by a name alone. A second identity of the same platform for the same person is a dispute that the clerk decides
with the person before them; until then the old one stands. Identities are "<app id>:<number>", so the same number of
another app is somebody else.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common import limits
from zhili.common.clock import now, random_bytes
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.idnumber import IdNumberError, check_id_number
from zhili.common.ids import CodeError, parse_short_code, short_code
from zhili.common.limits import Rate
from zhili.common.policy import may
from zhili.common.scope import scoped
from zhili.people.access import must
from zhili.people.errors import PeopleError
from zhili.people.models import IdentityClaim, IdentityDispute, Membership, Resident, User
from zhili.people.queries import LIVE
from zhili.people.role_actions import username_taken
from zhili.people.secrets import id_number_indexes
from zhili.people.sessions import end_sessions

PROVIDERS: Final = {"weixin": "微信", "dingtalk": "钉钉"}
MINUTES: Final = 30
CODE_LETTERS: Final = 8
CLERK_TRIES: Final = Rate("bind-clerk", 10, 60)
FACTS_PER_IDENTITY: Final = Rate("bind-facts", 5, 1800)
FACTS_PER_SOURCE: Final = Rate("bind-facts-source", 20, 300)


def wait_for_clerk(provider: str, uid: str) -> str:
    """A one-time code that stands for an identity nobody is bound to; the clerk types it within half an hour."""
    code = short_code(random_bytes(8), CODE_LETTERS)
    with transaction.atomic():
        IdentityClaim.objects.filter(made_at__lt=now() - timedelta(days=1)).delete()
        IdentityClaim.objects.filter(provider=provider, uid=uid, used_at=None).update(used_at=now())
        IdentityClaim.objects.create(
            provider=provider, uid=uid, digest=_digest(code), expires_at=now() + timedelta(minutes=MINUTES)
        )
    return code


@transaction.atomic
def bind_by_code(*, by: User, resident: Resident, code: str) -> SocialAccount | IdentityDispute:
    """The clerk has seen the person's papers and types the code on their phone. Raises NotAllowed, PeopleError, TooOften."""
    _must_be_clerk(by, resident.place)
    limits.check(CLERK_TRIES, by.pk)
    try:
        digest = _digest(parse_short_code(code, CODE_LETTERS))
    except CodeError as error:
        raise PeopleError(error.message, field="code", hint=error.hint) from error
    waiting = IdentityClaim.objects.select_for_update().filter(
        digest=digest, used_at=None, expires_at__gt=now()
    )
    found = waiting.first()
    if found is None:
        raise PeopleError(
            "没有这个绑定码，或者已经过期", field="code", hint="请让本人在手机上重新打开，再报新的码。"
        )
    if by.resident_id == resident.pk:
        raise PeopleError("不能给自己绑定", hint="请由另一位工作人员办理。")
    found.used_at = now()
    found.save(update_fields=["used_at"])
    return _bind(by, resident, found.provider, found.uid, basis="clerk")


@transaction.atomic
def bind_by_facts(
    *, provider: str, uid: str, name: str, id_number: str, household_code: str, source: str
) -> SocialAccount | IdentityDispute:
    """The person proves three facts at once: name, complete ID number, household number. Raises PeopleError, TooOften.

    What did not fit is not said, and each identity has few tries.
    """
    limits.check(FACTS_PER_SOURCE, source)
    limits.check(FACTS_PER_IDENTITY, provider, uid)
    wrong = PeopleError("填的内容和村里登记的对不上", hint="请核对；对不上就到村里，请文书当面绑定。")
    try:
        number = check_id_number(id_number)
    except IdNumberError:
        raise wrong from None
    with scoped("*"):
        rows = list(
            Resident.objects.filter(id_number_index__in=id_number_indexes(number), status__in=LIVE)
            .select_related("household")
            .order_by("pk")[:5]
        )
    fitting = [
        one for one in rows
        if hmac.compare_digest(one.name.encode(), name.strip().encode())
        and hmac.compare_digest(one.household.code.encode(), household_code.strip().encode())
    ]  # fmt: skip
    if len(fitting) != 1 or fitting[0].is_minor():
        raise wrong
    with scoped(fitting[0].place):
        return _bind(None, fitting[0], provider, uid, basis="facts")


def _bind(
    by: User | None, resident: Resident, provider: str, uid: str, *, basis: str
) -> SocialAccount | IdentityDispute:
    if resident.status not in LIVE or not resident.household.is_open:
        raise PeopleError(f"{resident.name}已不在村里登记，不能绑定")
    Resident.objects.select_for_update(of=("self",)).get(pk=resident.pk)
    with scoped("*"):  # somebody of another village may hold it already
        taken = SocialAccount.objects.filter(provider=provider, uid=uid).first()
    if taken is not None:
        raise PeopleError(f"这个{PROVIDERS[provider]}已经绑定了别的账号", hint="请先在原来的账号里解除绑定。")
    held = SocialAccount.objects.filter(provider=provider, user__resident=resident).first()
    if held is not None:
        dispute, _ = IdentityDispute.objects.get_or_create(
            resident=resident, provider=provider, uid=uid, state=IdentityDispute.State.OPEN,
            defaults={"place": resident.place, "basis": basis},
        )  # fmt: skip
        record(
            "accounts.bind_dispute",
            by=by,
            place=resident.place,
            target=resident,
            provider=provider,
            basis=basis,
        )
        return dispute
    user = User.objects.filter(resident=resident, is_active=True).order_by("pk").first() or _new_login(
        resident, provider
    )
    return _connect(by, user, resident, provider, uid, basis)


def _connect(
    by: User | None, user: User, resident: Resident, provider: str, uid: str, basis: str
) -> SocialAccount:
    try:
        with transaction.atomic():
            made = SocialAccount.objects.create(user=user, provider=provider, uid=uid)
    except IntegrityError as error:
        raise PeopleError(
            f"这个{PROVIDERS[provider]}已经绑定了别的账号", hint="请先在原来的账号里解除绑定。"
        ) from error
    record(
        "accounts.bind", by=by, place=resident.place, target=user, provider=provider, basis=basis,
        resident=str(resident.pk),
    )  # fmt: skip
    return made


def _new_login(resident: Resident, provider: str) -> User:
    """A log-in without a password for somebody who had none."""
    while True:
        name = f"{'wx' if provider == 'weixin' else 'dd'}{short_code(random_bytes(8), 8).replace('-', '').lower()}"
        if not username_taken(name):
            break
    user = User(username=name, display_name=resident.name[:60], resident=resident, home_place=resident.place)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


@transaction.atomic
def decide_dispute(*, by: User, dispute: IdentityDispute, change: bool, reason: str) -> IdentityDispute:
    """The clerk has seen the person: keep the old identity, or take the new one; then the old one's log-ins end."""
    _must_be_clerk(by, dispute.place)
    if len(reason.strip()) < 2:
        raise PeopleError("请写明怎么核对的", field="reason", hint="例如：看了身份证，本人换了手机。")
    if by.resident_id == dispute.resident_id:
        raise PeopleError("不能处理关于自己的争议", hint="请由另一位工作人员办理。")
    row = (
        IdentityDispute.objects.select_for_update(of=("self",)).select_related("resident").get(pk=dispute.pk)
    )
    if row.state != IdentityDispute.State.OPEN:
        raise PeopleError("这件争议已经办过", hint="不用再办。")
    row.state = IdentityDispute.State.CHANGED if change else IdentityDispute.State.KEPT
    row.decided_by, row.decided_at, row.reason = by, now(), reason.strip()[:200]
    row.save()
    if change:
        old = SocialAccount.objects.filter(provider=row.provider, user__resident=row.resident).select_related(
            "user"
        )
        user = next((one.user for one in old), None) or _new_login(row.resident, row.provider)
        old.delete()
        end_sessions(user)
        _connect(by, user, row.resident, row.provider, row.uid, "dispute")
    record(
        "accounts.bind_decide", by=by, place=row.place, target=f"people.resident:{row.resident_id}",
        provider=row.provider, changed=change, reason=row.reason,
    )  # fmt: skip
    return row


@transaction.atomic
def unbind(*, by: User, provider: str) -> None:
    """Let go of one's own WeChat or DingTalk. Raises PeopleError where nothing else would be left to log in with."""
    mine = SocialAccount.objects.filter(user=by, provider=provider)
    others = SocialAccount.objects.filter(user=by).exclude(provider=provider).exists()
    phone = by.resident is not None and bool(by.resident.phone_secret)
    if not (by.has_usable_password() or others or phone):
        raise PeopleError("解除以后就没有办法登录了", hint="请先设一个密码。")
    if mine.delete()[0]:
        record("accounts.unbind", by=by, place=by.home_place or "00", target=by, provider=provider)


def _must_be_clerk(by: User, place: str) -> None:
    """The clerk of the village, who knows the person: not who merely opens accounts, the machine's administrator least."""
    must(by, "people.make_login", place)
    if not by.has_role(Membership.Role.CLERK, place=place):
        raise NotAllowed("绑定由本村文书当面办", hint="请本人带身份证到村里。")


def open_disputes(place: str) -> list[IdentityDispute]:
    """Disputes of a village, those that wait first (100 at most)."""
    rows = IdentityDispute.objects.filter(place=place).select_related("resident__household", "decided_by")
    return sorted(rows.order_by("-made_at")[:100], key=lambda one: one.state != IdentityDispute.State.OPEN)


def access_dispute(by: Any, dispute_id: UUID) -> IdentityDispute:
    """A dispute of the clerk's village. NotFound for absent and foreign alike."""
    try:
        found = IdentityDispute.objects.select_related("resident__household").filter(pk=dispute_id).first()
    except (ValueError, ValidationError):
        found = None
    if found is None or not may(by, "people.make_login", found.place):
        raise NotFound("没有这件争议。")
    return found


def _digest(code: str) -> str:
    return hashlib.sha256(f"{settings.SECRET_KEY}|bind|{code}".encode()).hexdigest()
