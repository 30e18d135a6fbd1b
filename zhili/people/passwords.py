"""Passwords by profile, and one-time passwords for those who have none yet or forgot theirs (N-04, N-05).

The standards disagree, so the county chooses (ZHILI_PASSWORD_PROFILE): `asvs` wants long ones, no composition, no
rotation, and refuses what stands in lists of common and breached ones; `gbt` (GB/T 22239) wants three kinds of signs
and a new one every 90 days. An administrator can start a reset but neither choose nor learn the password that counts:
the slip holds a one-time one that is good for a day and opens nothing but the page where a new one is set.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from zhili.audit.actions import record
from zhili.common.clock import now, random_bytes
from zhili.common.errors import NotAllowed
from zhili.common.ids import short_code
from zhili.common.policy import may
from zhili.common.scope import scoped
from zhili.people.access import may_grant
from zhili.people.errors import PeopleError
from zhili.people.models import User
from zhili.people.sessions import end_sessions
from zhili.people.tokens import place_of

WARN_DAYS: Final = 10
SLIP_HOURS: Final = 24
INIT_HOURS: Final = 72
SLIP_LETTERS: Final = 16
"""80 random bits."""
DEMO_PASSWORD: Final = "zhili-demo-2026"  # noqa: S105 - printed on the demo's own screen, refused in production
_OURS: Final = tuple(
    [
        "zhili",
        "智理",
        "jifen",
        "积分",
        "tongchuan",
        "通川",
        "dazhou",
        "达州",
        "admin",
        "password",
        "mima",
        "密码",
    ]
)
_CHINESE_COMMON: Final = frozenset(
    [
        "woaini1314520",
        "woaini520520",
        "5201314woaini",
        "a123456789",
        "aa123456789",
        "qq123456789",
        "abc123456789",
        "wang123456789",
        "1qaz2wsx3edc",
        "1qaz@wsx3edc",
        "1q2w3e4r5t6y",
        "qwer12345678",
        "asdf12345678",
        "zxcvbnm123456",
        "147258369000",
        "123456789abc",
        "admin@123456",
        "admin123456!",
        "p@ssw0rd1234",
        "password@123",
        "huawei@12345",
        "root@1234567",
        "abcd@1234567",
        "aaaa1111!!!!",
        "123qwe!@#asd",
        "qwe123!@#asd",
        "zaq12wsxcde3",
        "woaizhongguo1",
        "zhongguo12345",
        "xiaoming12345",
        "18888888888a",
        "13888888888a",
    ]
)


class Common:
    """Not one of the passwords many have; the demo's own is refused in production."""

    def validate(self, password: str, user: Any = None) -> None:
        low = password.strip().lower()
        if low in _CHINESE_COMMON or (settings.MODE == "production" and password == DEMO_PASSWORD):
            raise ValidationError("这个密码很多人在用，一猜就中。请换一个。", code="password_too_common")
        if len(set(low)) < 5:
            raise ValidationError("这个密码的字符太少变化。请换一个。", code="password_too_plain")

    def get_help_text(self) -> str:
        return "不用常见的密码。"


class OurWords:
    """What remains without the names of the place and the system must still be eight signs (ASVS 6.2.11)."""

    def validate(self, password: str, user: Any = None) -> None:
        rest = password.lower()
        for word in (*_OURS, str(getattr(user, "username", "") or "").lower()):
            if len(word) > 1:
                rest = rest.replace(word, "")
        if len(rest) < 8:
            raise ValidationError(
                "密码里地名、系统名和账号以外的部分太短。请再加几个字。", code="password_our_words"
            )

    def get_help_text(self) -> str:
        return "不要主要用地名、系统名或账号。"


class ThreeKinds:
    """GB/T 22239: of small letters, capitals, digits and other signs at least three kinds."""

    def validate(self, password: str, user: Any = None) -> None:
        tests = (str.islower, str.isupper, str.isdigit, lambda letter: not letter.isalnum())
        if sum(any(test(letter) for letter in password) for test in tests) < 3:
            raise ValidationError(
                "密码要有小写字母、大写字母、数字、符号里的至少三种。", code="password_too_simple"
            )

    def get_help_text(self) -> str:
        return "小写字母、大写字母、数字、符号至少三种。"


State = Literal["ok", "must_change", "soon", "expired"]


def state(user: User) -> tuple[State, int]:
    """(what the person must do about the password, days left). Only `gbt` lets one grow old."""
    if user.must_change_password:
        return "must_change", 0
    if settings.PASSWORD_PROFILE != "gbt" or not user.has_usable_password():  # noqa: S105
        return "ok", 0
    since = user.password_changed_at or user.date_joined
    left = settings.PASSWORD_MAX_DAYS - (now() - since).days
    return ("expired" if left <= 0 else "soon" if left <= WARN_DAYS else "ok"), max(left, 0)


def lapsed(user: User) -> bool:
    """A one-time password that nobody used in time."""
    return bool(user.must_change_password and user.password_until and user.password_until < now())


def note_changed(user: User) -> None:
    """The person has chosen a password: fields only, saved by who calls."""
    user.must_change_password, user.password_until, user.password_changed_at = False, None, now()


def may_reset(by: User, user: User) -> bool:
    """Never one's own; a villager's by the clerk of the village; staff's by who may give all the roles they hold."""
    if by.pk == user.pk or not user.is_active:
        return False
    with scoped(user_id=str(user.pk)):  # roles held outside the helper's scope count too
        held = list(user.memberships_today)
    if held:
        return all(may_grant(by, one.role, one.place) for one in held)
    return bool(user.home_place) and may(by, "people.make_login", user.home_place)


@transaction.atomic
def issue_one_time(*, by: User | None, user: User, hours: int = SLIP_HOURS) -> str:
    """A random password that must be changed at the first log-in and lapses after `hours`; shown once, for a slip.

    What the person had before is void and every session of theirs ends; second factors stay, so the slip alone opens
    no staff account. by None: the administrator at the machine. Raises NotAllowed, PeopleError.
    """
    if by is not None and not may_reset(by, user):
        raise NotAllowed("您不能给这个账号开一次性密码", hint="请找授予这个身份的经办人；自己的密码自己改。")
    if not user.is_active:
        raise PeopleError("这个账号已停用", hint="请先核对账号。")
    secret = short_code(random_bytes(10), SLIP_LETTERS)
    user.set_password(secret)
    user.must_change_password, user.password_until = True, now() + timedelta(hours=hours)
    user.save(update_fields=["password", "must_change_password", "password_until"])
    end_sessions(user)
    record(
        "accounts.one_time", by=by, place=place_of(user), target=user, until=user.password_until.isoformat()
    )
    return secret
