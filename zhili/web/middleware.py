"""One transaction per request, limited to the places its person belongs to; and the headers every page carries."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.origin import receipt as receipt_number
from zhili.people.scope import enter_scope
from zhili.people.tokens import bearer

GetResponse = Callable[[HttpRequest], HttpResponse]
log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def security_headers(get_response: GetResponse) -> GetResponse:
    """W-02 on every page; pages of a signed-in person are never stored by anything in between (W-09)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.setdefault("X-Frame-Options", "DENY")
        response.setdefault("Permissions-Policy", "camera=(self), geolocation=(), microphone=(self)")
        if request.path.startswith("/open/"):
            response.setdefault("X-Robots-Tag", "noindex, noarchive")
        elif not request.path.startswith("/static/"):
            response.setdefault("Cache-Control", "no-store")
        return response

    return middleware


class one_transaction:
    """Everything a request does is one transaction; an error undoes all of it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/static/"):
            return self.get_response(request)
        outer = _scope() if connection.in_atomic_block else None
        with transaction.atomic():
            response = self.get_response(request)
            if response.status_code >= 500 or getattr(request, "failed", False):
                transaction.set_rollback(True)
        if outer is not None:
            _restore(outer)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Refusals become a page in plain words with a receipt number; foreign and absent look the same (A-04, W-08)."""
        request.failed = True  # type: ignore[attr-defined]
        receipt = receipt_number()
        if isinstance(error, (Http404, NotFound)):
            return render(request, "web/refused.html", _words("找不到这一页", "", receipt), status=404)
        if isinstance(error, NotAllowed):
            return render(request, "web/refused.html", _words("不能打开", error.message, receipt), status=403)
        if isinstance(error, ZhiliError):
            return render(request, "web/refused.html", _words("没有办成", error.message, receipt), status=400)
        log.error("request failed, receipt %s", receipt, exc_info=error)
        return render(
            request,
            "web/refused.html",
            _words("系统出了问题", "刚才的操作没有保存，请再试一次。", receipt),
            status=500,
        )


def _words(title: str, message: str, receipt: str) -> dict[str, str]:
    return {"title": title, "message": message, "receipt": receipt}


def _scope() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('zhili.scope', true), current_setting('zhili.user', true)")
        scope, user = cursor.fetchone()
    return scope or "", user or ""


def _restore(saved: tuple[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('zhili.scope', %s, true), set_config('zhili.user', %s, true)", list(saved)
        )


def scope_of_person(get_response: GetResponse) -> GetResponse:
    """Second wall (A-03): the transaction sees the places this person belongs to, and nothing else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_view(
        request: HttpRequest, view: Callable[..., HttpResponse], args: object, kwargs: dict[str, str]
    ) -> None:
        api, public = request.path.startswith("/api/"), request.path.startswith(("/open/", "/api/v1/open/"))
        if api:
            request.user = bearer(request)
        place = kwargs.get("place")
        prefixes = enter_scope(request.user, place, public=public)
        # A stranger gets the log-in page, a machine its own words (common/api.py).
        if place is not None and not prefixes and request.user.is_authenticated and not (api or public):
            raise Http404
        request.scope_prefixes = prefixes  # type: ignore[attr-defined]

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware
