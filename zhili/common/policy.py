"""Every view says who may open it; an undeclared one fails the tests (A-01)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import rules
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.module_loading import import_string

from zhili.common.clock import now
from zhili.common.errors import NotAllowed

View = Callable[..., HttpResponse]
# The whole of what a "log-in as" for support may open: pages to look at. Everything else, also what is written
# next year, is refused: voting, consenting, redeeming, reviewing, approving, unmasking, exporting, granting.
SUPPORT_SEES: Final = frozenset(
    {
        "claims.see", "claims.desk", "claims.see_claim", "honours.see", "ledger.read", "notices.see", "notices.objections",
        "people.see_household", "people.see_households", "people.see_roles", "rulebook.see", "shop.see",
    }
)  # fmt: skip
_FILE: Final = re.compile(r"\.[a-z]{2,5}\Z")
PROVED_AT: Final = "proved_at"
"""Session key: when this person last proved who they are (seconds since 1970)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a view declares: `name` is 'open', 'signed_in' or a permission such as 'claims.review'."""

    name: str


def may(user: Any, permission: str, obj: object = None) -> bool:
    """Whether `permission` (see the rooms' access.py) holds for this person on `obj`, or somewhere where it is None.

    The predicate itself, whoever asks: no superuser walks round it (A-07). Somebody who looks in for support sees,
    and may do nothing (A-10).
    """
    signed_in = user is not None and user.is_authenticated and user.is_active
    if signed_in and getattr(user, "supported_by", None) is not None and permission not in SUPPORT_SEES:
        return False
    return bool(signed_in and rules.has_perm(permission, user, obj))


def _declare(name: str, check: Callable[[HttpRequest], HttpResponse | None]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            refused = check(request) or _only_fetched(request)
            return refused if refused is not None else view(request, *args, **kwargs)

        inner.policy = Policy(name)  # type: ignore[attr-defined]
        return inner

    return decorate


def _only_fetched(request: HttpRequest) -> HttpResponse | None:
    """A paper, a sheet or a picture is fetched; nothing is ever sent to it (405)."""
    if request.method in ("GET", "HEAD") or not _FILE.search(request.path):
        return None
    return HttpResponseNotAllowed(["GET", "HEAD"])


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


def recently_proved(request: HttpRequest) -> bool:
    """Whether the person logged in or proved who they are within settings.REAUTHENTICATE_MINUTES."""
    at = request.session.get(PROVED_AT)
    return isinstance(at, int | float) and 0 <= now().timestamp() - at <= settings.REAUTHENTICATE_MINUTES * 60


def reauthenticated(view: View) -> View:
    """Before what cannot be undone or shows much, ask once more who it is (N-09): unmask, export, a bank consent, a
    role, a rule. Written under the policy: `@requires("…")` above, `@reauthenticated` below.

    What was typed comes back after the answer. A machine's key has no session and is not asked.
    """

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated or request.path.startswith("/api/") or recently_proved(request):
            return view(request, *args, **kwargs)
        ask: View = import_string(settings.REAUTHENTICATE)
        return ask(request)

    inner.reauthenticated = True  # type: ignore[attr-defined]
    return inner


def reauthenticated_export(view: View) -> View:
    """The same, only where the page is asked for as a file (`?export=xlsx`, common/paging.py)."""
    asking = reauthenticated(view)

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return (asking if "export" in request.GET else view)(request, *args, **kwargs)

    inner.reauthenticated = True  # type: ignore[attr-defined]
    return inner
