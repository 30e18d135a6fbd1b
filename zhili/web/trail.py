"""Rows of the trail that no action writes: coming in, failing to, going out, and being refused (O-01).

They belong to the instance and not to a village's business, so they stand in the county's chain, where the audit
administrator reads them and the village's own people do not (DESIGN §8.10: nobody counts other people's log-ins).
Django's signals are used here because every way in (password, code, WeChat, passkey) ends in the same one.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest
from django.urls import ResolverMatch

from zhili.audit.actions import record
from zhili.common.scope import scoped
from zhili.people.models import User
from zhili.people.tokens import place_of
from zhili.places.models import Place

COUNTY_DIGITS: Final = 6


def instance_place(user: User | None = None) -> str:
    """The county whose chain a deed of the whole instance belongs to; "00" where it cannot be told."""
    if user is not None and len(found := place_of(user)[:COUNTY_DIGITS]) == COUNTY_DIGITS:
        return found
    counties = Place.objects.filter(kind=Place.Kind.COUNTY, valid_to=None).values_list("code", flat=True)[:2]
    return counties[0] if len(counties) == 1 else "00"


def denied(user: User, *, status: int, method: str, match: ResolverMatch | None) -> None:
    """A signed-in person was refused a page (403), or asked for something not theirs or not there (404)."""
    place = str(match.kwargs.get("place", "")) if match else ""
    with scoped("*"):
        record(
            "access.denied",
            by=user,
            place=instance_place(user),
            outcome="denied",
            status=status,
            method=method,
            route=match.route if match else "",
            asked_place=place if place.isascii() and place.isdigit() and len(place) <= 14 else "",
        )


def login(sender: Any, request: HttpRequest | None, user: User, **more: Any) -> None:
    """Somebody came in."""
    _record("accounts.login", user, way=_way(user))


def logout(sender: Any, request: HttpRequest | None, user: User | None, **more: Any) -> None:
    """Somebody went out. A session that had already ended says nothing."""
    if user is not None:
        _record("accounts.logout", user)


def login_failed(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **more: Any
) -> None:
    """Somebody did not come in. Of a name that exists only its number is kept; of one that does not, nothing at all."""
    name = str(credentials.get("username") or credentials.get("login") or "")[:150]
    with scoped("*"):
        user = User.objects.filter(username=name).first() if name else None
        record(
            "accounts.login_failed",
            by=None,
            place=instance_place(user),
            target=user or "",
            outcome="failed",
            known=user is not None,
        )


def code_failed() -> None:
    """A wrong code from a phone: of whom, nobody knows."""
    with scoped("*"):
        record(
            "accounts.login_failed",
            by=None,
            place=instance_place(),
            outcome="failed",
            known=False,
            way="phone",
        )


def _record(action: str, user: User, **detail: Any) -> None:
    with scoped("*"):
        record(action, by=user, place=instance_place(user), target=user, **detail)


def _way(user: User) -> str:
    return str(getattr(user, "backend", "")).rsplit(".", 1)[-1]


def connect() -> None:
    """Listen; called once when the app is ready."""
    user_logged_in.connect(login, dispatch_uid="zhili.trail.login")
    user_logged_out.connect(logout, dispatch_uid="zhili.trail.logout")
    user_login_failed.connect(login_failed, dispatch_uid="zhili.trail.failed")
