"""Around every request: its receipt number, its line in the access log, and a row in the trail where it was refused.

The line says which page (the pattern of its address, never the address), whose log-in (a number), what came of it
and how long it took. No name, no code of a card, no search word can be in it (W-09, O-03).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty

from zhili.common.ids import short_code, uuid7
from zhili.common.origin import coming_from, shorten
from zhili.web.trail import denied

GetResponse = Callable[[HttpRequest], HttpResponse]
REFUSED: Final = (403, 404)
access = logging.getLogger("zhili.access")
log = logging.getLogger(__name__)


def request_log(get_response: GetResponse) -> GetResponse:
    """The outermost middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/static/"):
            return get_response(request)
        started = time.perf_counter()
        with coming_from(shorten(address_of(request)), short_code(uuid7())) as here:
            response = get_response(request)
            user, match = user_of(request), request.resolver_match
            if response.status_code in REFUSED and user is not None and match is not None:
                _note_refusal(request, response.status_code, user)
            access.info(
                "request",
                extra={
                    "method": request.method if request.method in _METHODS else "other",
                    "route": match.route if match else "",
                    "place": _place(match),
                    "status": response.status_code,
                    "outcome": _OUTCOMES.get(response.status_code // 100, "failed"),
                    "ms": round((time.perf_counter() - started) * 1000),
                    "user": user.pk if user is not None else None,
                    "source": here.source,
                },
            )
        return response

    return middleware


_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OUTCOMES: Final = {2: "ok", 3: "ok", 4: "refused"}


def address_of(request: HttpRequest) -> str:
    """The caller's address: the connection's, or what the county's own proxies say (settings.PROXIES of them)."""
    hops = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    # Each trusted proxy adds one at the right; whatever stands left of those anybody may have written.
    if settings.PROXIES and len(hops) >= settings.PROXIES:
        return hops[-settings.PROXIES]
    return str(request.META.get("REMOTE_ADDR", ""))


def user_of(request: HttpRequest) -> Any:
    """Who this request was answered for, if that was ever asked; no query is made for it now."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject):
        if user.__dict__.get("_wrapped", empty) is empty:
            return None
        user = user._wrapped
    user = getattr(user, "supported_by", None) or user  # who looks in for support, not whose pages
    return user if user is not None and user.is_authenticated else None


def _place(match: Any) -> str | None:
    place = match.kwargs.get("place") if match else None
    return (
        place if isinstance(place, str) and place.isascii() and place.isdigit() and len(place) <= 14 else None
    )


def _note_refusal(request: HttpRequest, status: int, user: Any) -> None:
    try:
        denied(user, status=status, method=request.method or "", match=request.resolver_match)
    except DatabaseError:
        # Nothing was done, so there is nothing to undo; but the operator must hear of it.
        log.exception("refusal could not be written into the trail")
