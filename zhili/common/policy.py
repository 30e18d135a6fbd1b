"""Every view says who may open it; an undeclared one fails the tests (A-01)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import rules
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from zhili.common.errors import NotAllowed

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a view declares: `name` is 'open', 'signed_in' or a permission such as 'claims.review'."""

    name: str


def may(user: Any, permission: str, obj: object = None) -> bool:
    """Whether `permission` (see the rooms' access.py) holds for this person on `obj`, or somewhere where it is None.

    The predicate itself, whoever asks: no superuser walks round it (A-07).
    """
    signed_in = user is not None and user.is_authenticated and user.is_active
    return bool(signed_in and rules.has_perm(permission, user, obj))


def _declare(name: str, check: Callable[[HttpRequest], HttpResponse | None]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            refused = check(request)
            return refused if refused is not None else view(request, *args, **kwargs)

        inner.policy = Policy(name)  # type: ignore[attr-defined]
        return inner

    return decorate


def _signed_in(request: HttpRequest) -> HttpResponse | None:
    return None if request.user.is_authenticated else redirect_to_login(request.get_full_path())


def open_to_all(view: View) -> View:
    """Anyone, without log-in: public pages only, and everything on them masked."""
    return _declare("open", lambda request: None)(view)


def signed_in(view: View) -> View:
    """Any person with a log-in; what they see is limited by scope and by their own household."""
    return _declare("signed_in", _signed_in)(view)


def requires(permission: str) -> Callable[[View], View]:
    """Persons for whom `permission` (see the room's access.py) holds somewhere; the action checks the object again."""

    def check(request: HttpRequest) -> HttpResponse | None:
        refused = _signed_in(request)
        if refused is not None:
            return refused
        if not may(request.user, permission):
            raise NotAllowed("您的身份不能打开这一页。需要的话，请找村里的管理员开通。")
        return None

    return _declare(permission, check)
