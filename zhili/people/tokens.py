"""Keys of machines (接口密钥): the village's own program, or the township's, speaks to /api/v1/ in a person's name.

A key can do what its user can on that day and nothing more, so a dismissed cadre's key is dead at the next
request (A-06). The secret is shown once; only its digest is stored.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import date, timedelta
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest

from zhili.audit.actions import record
from zhili.common import planned
from zhili.common.clock import now, random_bytes
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.people.errors import PeopleError
from zhili.people.models import ApiToken, Membership, User

DAYS_MAX: Final = 366
TOKENS_MAX: Final = 10
TITLE_MAX: Final = 60
PREFIX: Final = "zhili_"
_SECRET: Final = re.compile(r"zhili_[A-Za-z0-9_-]{43}")
_ISSUERS: Final = (Membership.Role.COUNTY, Membership.Role.SYSTEM_ADMIN)
_STOPPERS: Final = (*_ISSUERS, Membership.Role.SECURITY_ADMIN)


def issue_token(*, by: User | None, user: User, title: str, expires_on: date) -> tuple[ApiToken, str]:
    """A new key for `user` and its secret, which is not kept and cannot be shown again.

    by: staff for themselves; county or system administrators for a machine's log-in (one without a resident
    and a password, so nobody gets a key in a person's name) all of whose roles lie below theirs; None: the
    administrator at the machine itself. Raises NotAllowed, PeopleError.
    """
    if by is not None and not _may_issue(by, user):
        raise NotAllowed(
            "您不能开这个接口密钥", hint="工作人员只能给自己开；给机器开，请找区县或系统管理员。"
        )
    title = title.strip()
    if not title or len(title) > TITLE_MAX:
        raise PeopleError(
            f"请写明密钥的用途，最多 {TITLE_MAX} 个字", field="title", hint="例如：镇政务平台对接。"
        )
    last = today() + timedelta(days=DAYS_MAX)
    if not today() < expires_on <= last:
        raise PeopleError("密钥的到期日要在明天到一年之内", field="expires_on", hint=f"最晚 {last}。")
    if not user.is_active:
        raise PeopleError("这个账号已停用，不能开密钥", field="user", hint="请先核对账号。")
    secret = PREFIX + base64.urlsafe_b64encode(random_bytes(32)).rstrip(b"=").decode()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if _alive(user).count() >= TOKENS_MAX:
            raise PeopleError(f"这个账号已有 {TOKENS_MAX} 个密钥", hint="请先停用不用的。")
        token = ApiToken.objects.create(user=user, digest=_digest(secret), title=title, expires_on=expires_on)
        record(
            "people.issue_token",
            by=by,
            place=place_of(user),
            target=token,
            user=user.pk,
            until=expires_on.isoformat(),
        )
    return token, secret


def revoke_token(*, by: User | None, token: ApiToken) -> ApiToken:
    """Stop a key from the next request on; stopping it twice changes nothing. Raises NotAllowed."""
    if by is not None and by.pk != token.user_id and not _over(by, token.user, _STOPPERS):
        raise NotAllowed("您不能停用别人的接口密钥", hint="请找区县或安全管理员。")
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now()):
            record("people.revoke_token", by=by, place=place_of(token.user), target=token)
        token.refresh_from_db()
    return token


def user_of(secret: str) -> User | None:
    """Whose key this is, if it is good today: not expired, not stopped, its user active. One query."""
    if not _SECRET.fullmatch(secret):
        return None
    good = "SELECT user_id FROM people_apitoken WHERE digest = %s AND revoked_at IS NULL AND expires_on >= %s"
    return planned.first(User, f"is_active AND id IN ({good})", [_digest(secret), today()])


def bearer(request: HttpRequest) -> User | AnonymousUser:
    """The person a request to the API speaks for: its key's user. Cookies do not count there."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    return (user_of(secret.strip()) if kind.lower() == "bearer" else None) or AnonymousUser()


def tokens_of(user: User) -> list[ApiToken]:
    """The keys of a log-in that still open something."""
    return list(_alive(user).order_by("expires_on", "pk"))


def place_of(user: User) -> str:
    """Where a deed about this log-in is written down: its first role's place, or its home; else the country's."""
    held: Any = user.memberships.order_by("-valid_from", "place").first()
    return held.place if held else user.home_place or "00"


def _alive(user: User) -> Any:
    return ApiToken.objects.filter(user=user, revoked_at=None, expires_on__gte=today())


def _may_issue(by: User, user: User) -> bool:
    if by.pk == user.pk:
        return bool(by.memberships_today)
    return user.resident_id is None and not user.has_usable_password() and _over(by, user, _ISSUERS)


def _over(by: User, user: User, roles: tuple[str, ...]) -> bool:
    """One of `roles` held by `by` lies over every role of `user`."""
    places = [held.place for held in user.memberships.all()]
    return bool(places) and all(by.has_role(*roles, place=place) for place in places)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
