"""One transaction per request, limited to the places its person belongs to; and the headers every page carries."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.shortcuts import render

from zhili.common.busy import BUSY, BUSY_HINT, waited_in_vain
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
        response = in_words(request, get_response(request))
        response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.setdefault("X-Frame-Options", "DENY")
        response.setdefault("Permissions-Policy", "camera=(self), geolocation=(), microphone=(self)")
        if request.path.startswith("/open/"):
            response.setdefault("X-Robots-Tag", "noindex, noarchive")
        elif not request.path.startswith("/static/"):
            response.setdefault("Cache-Control", "no-store")
        return response

    return middleware


_NOT_OURS = (SuspiciousOperation, BadRequest, MultiPartParserError, UnreadablePostError, PermissionDenied)
_WORDS = {
    400: ("没有办成", "送来的内容太多或者格式不对，请退回上一页再试。"),
    403: ("不能打开", "您的身份不能打开这一页。"),
    404: ("找不到这一页", "网址可能抄错了，或者这一页已经撤下。"),
    405: ("这里不能这样提交", "请退回上一页，从那里的按钮再办一次。"),
    413: ("送来的内容太大", "请把照片或表格缩小，分几次再传。"),
    429: ("操作太快了", "请过一分钟再试。"),
}


def in_words(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A refusal of the framework's own, without a word in it, becomes ours: Chinese, with a receipt number (W-08)."""
    words = _WORDS.get(response.status_code)
    plain = (
        words
        and not response.streaming
        and not response.get("Content-Type", "").startswith("application/json")
    )
    if not plain or words is None or "请".encode() in response.content:
        return response
    receipt = receipt_number()
    if request.path.startswith("/api/"):
        body = {"message": words[0], "field": None, "hint": words[1], "receipt": receipt}
        ours: HttpResponse = JsonResponse(
            body, status=response.status_code, json_dumps_params={"ensure_ascii": False}
        )
    else:
        ours = render(request, "web/refused.html", _words(*words, receipt), status=response.status_code)
    if "Allow" in response:
        ours["Allow"] = response["Allow"]
    return ours


class one_transaction:
    """Everything a request does is one transaction; an error undoes all of it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/static/"):
            return self.get_response(request)
        outer = _scope() if connection.in_atomic_block else None
        try:
            with transaction.atomic():
                response = self.get_response(request)
                if response.status_code >= 500 or getattr(request, "failed", False):
                    transaction.set_rollback(True)
        except OperationalError as error:  # only at the commit: somebody held a row that is named here
            if not waited_in_vain(error):
                raise
            response = busy(request)
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
        if waited_in_vain(error):
            return busy(request)
        status = (
            413
            if isinstance(error, RequestDataTooBig)
            else 403
            if isinstance(error, PermissionDenied)
            else 400
        )
        if isinstance(error, _NOT_OURS):  # what was sent could not even be read
            return render(request, "web/refused.html", _words(*_WORDS[status], receipt), status=status)
        log.error("request failed, receipt %s", receipt, exc_info=error)
        return render(
            request,
            "web/refused.html",
            _words("系统出了问题", "刚才的操作没有保存，请再试一次。", receipt),
            status=500,
        )


def busy(request: HttpRequest) -> HttpResponse:
    """Somebody else was at the same thing for too long, and all is undone (C-07)."""
    receipt = receipt_number()
    if request.path.startswith("/api/"):
        body = {"message": BUSY, "field": None, "hint": BUSY_HINT, "receipt": receipt}
        return JsonResponse(body, status=409, json_dumps_params={"ensure_ascii": False})
    return render(request, "web/refused.html", _words(BUSY, BUSY_HINT, receipt), status=409)


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
