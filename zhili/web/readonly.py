"""Read-only mode on the pages: looking goes on, every change is refused in words, and nothing typed is lost (O-09).

Two locks: pages that change something are refused before they run, and the transaction of every other page is told to
the database as read-only, so that a change somewhere in a look-up cannot slip through. Who is signed in stays so; a new
log-in would have to be written, so there is none: public pages need none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from zhili.common import readonly
from zhili.common.origin import receipt

GetResponse = Callable[[HttpRequest], HttpResponse]
SAFE: Final = ("GET", "HEAD", "OPTIONS")
FIELDS_MAX: Final = 200
VALUE_MAX: Final = 20_000
_NOT_SHOWN: Final = ("csrfmiddlewaretoken",)
READ_ONLY_TRANSACTION: Final = "25006"


class read_only:
    """Between the request's transaction and everything that reads the database."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/static/") or not readonly.state().on:
            return self.get_response(request)
        if request.method not in SAFE:
            return refused(request)
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        response = self.get_response(request)
        if connection.in_atomic_block:
            # There is nothing to commit; and a transaction around this one must not stay read-only.
            transaction.set_rollback(True)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """A page that notes something in the session (the village last looked at) goes on without it."""
        if readonly.state().on and hasattr(request, "session"):
            request.session.save = _not_now  # type: ignore[method-assign]

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, readonly.ReadOnlyError):
            return refused(request, error.message)
        if isinstance(error, DatabaseError) and (
            getattr(error.__cause__, "sqlstate", "") == READ_ONLY_TRANSACTION
        ):
            return refused(request)
        return None


def _not_now(must_create: bool = False) -> None:
    """Instead of writing the session."""


def refused(request: HttpRequest, message: str = "") -> HttpResponse:
    """503 in plain words: since when, why, and everything that was typed, with one button to send it again later."""
    request.failed = True  # type: ignore[attr-defined]
    state = readonly.state()
    message = message or state.words
    number = receipt()
    if request.path.startswith("/api/"):
        answer: HttpResponse = JsonResponse(
            {"message": message, "field": None, "hint": "请稍后用同一个编号再送一次。", "receipt": number},
            status=503,
            json_dumps_params={"ensure_ascii": False},
        )
    else:
        context: dict[str, object] = {
            "message": message,
            "receipt": number,
            "kept": _kept(request),
            "files": _files(request),
        }
        context["login"] = request.path.startswith("/login")
        answer = render(request, "web/readonly.html", context, status=503)
    answer["Retry-After"] = "600"
    return answer


def _kept(request: HttpRequest) -> list[tuple[str, str]]:
    """What the form sent, to show it and to send it again. Only from a page of ours, and never a password."""
    origin = request.headers.get("Origin") or request.headers.get("Referer") or ""
    if urlsplit(origin).netloc != request.get_host() or request.path.startswith("/login"):
        return []
    pairs = [(name, value) for name, values in request.POST.lists() for value in values]
    return [
        (name, value[:VALUE_MAX])
        for name, value in pairs[:FIELDS_MAX]
        if name not in _NOT_SHOWN and "password" not in name and name != "code"
    ]


def _files(request: HttpRequest) -> list[str]:
    return [file.name or "" for file in request.FILES.values() if not isinstance(file, list)][:20]
