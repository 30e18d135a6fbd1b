"""/api/v1/: the face for machines. The operations live in the rooms' api.py; here they are put together.

A refusal is always the same small document in Chinese, and undoes everything the request did.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.throttling import BaseThrottle

import zhili.claims.api
import zhili.claims.api_submit
import zhili.ledger.api
import zhili.ledger.api_office
import zhili.notices.api
import zhili.notices.api_objections
import zhili.people.api
import zhili.places.api
import zhili.rulebook.api
import zhili.shop.api
from zhili.claims.errors import Conflict as ClaimConflict
from zhili.common.api import BODY_MAX, TooLarge
from zhili.common.busy import BUSY, BUSY_HINT, waited_in_vain
from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.origin import receipt as receipt_number
from zhili.common.policy import open_to_all
from zhili.ledger.errors import LedgerError
from zhili.notices.errors import Conflict as NoticeConflict
from zhili.shop.errors import Conflict as ShopConflict
from zhili.web import rates
from zhili.web.request_log import address_of

log = logging.getLogger(__name__)
API = "/api/v1/"
_CONFLICTS: Final = frozenset(
    {"key_used", "busy", "period_closed", "transfer_reversed_once", "reversal_decided"}
)


class Rate(BaseThrottle):
    """Counted per person or address in the database (web/rates.py), so that nobody walks a register by machine (W-07)."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def allow_request(self, request: HttpRequest) -> bool:
        user: Any = request.user
        kind = "open" if not user.is_authenticated else "staff" if user.memberships_today else "villager"
        self.seconds = rates.take(rates.API[kind], user.pk or address_of(request))
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds


api = NinjaAPI(
    title="智理",
    version="1",
    description="乡村治理积分：区划、户、细则、申报、评议、公示、台账、积分超市。积分写成十进制文本，日期写成 2026-01-31。",
    urls_namespace="api",
    docs_url=None,  # the viewer's pages need inline script, which our pages forbid
    throttle=[Rate()],
)
# One router a room: two routers under one path would hide each other's methods.
for room in (
    zhili.places.api, zhili.people.api, zhili.rulebook.api, zhili.claims.api_submit, zhili.notices.api,
    zhili.ledger.api_office, zhili.shop.api,
):  # fmt: skip
    api.add_router("", room.router)


def refuse(
    request: HttpRequest, status: int, message: str, *, field: str | None = None, hint: str = ""
) -> HttpResponse:
    """The answer to what was not done; web.middleware rolls everything back."""
    request.failed = True  # type: ignore[attr-defined]
    receipt = receipt_number()
    body = {"message": message, "field": field, "hint": hint, "receipt": receipt}
    answer = api.create_response(request, body, status=status)
    if status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def status_of(error: ZhiliError) -> int:
    """Foreign and absent look the same; a race or a used key is a conflict; the rest the caller can mend."""
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, NotAllowed):
        return 403
    if isinstance(error, ClaimConflict | NoticeConflict | ShopConflict):
        return 409
    return 409 if isinstance(error, LedgerError) and error.word in _CONFLICTS else 422


@api.exception_handler(ZhiliError)
def refused(request: HttpRequest, error: ZhiliError) -> HttpResponse:
    """A room said no."""
    if isinstance(error, NotFound):  # one body for foreign and absent
        return refuse(request, 404, "没有找到", hint="请核对编号；别村的资料看不到。")
    return refuse(request, status_of(error), error.message, field=error.field, hint=error.hint)


@api.exception_handler(Http404)
def absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return refuse(request, 404, "没有找到", hint="请核对编号；别村的资料看不到。")


@api.exception_handler(AuthenticationError)
def unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return refuse(
        request, 401, "没有接口密钥，或密钥已过期、已停用", hint="请在请求头里写 Authorization: Bearer 密钥。"
    )


@api.exception_handler(Throttled)
def too_fast(request: HttpRequest, error: Throttled) -> HttpResponse:
    return refuse(request, 429, "请求太快了", hint="请过一分钟再试。")


@api.exception_handler(HttpError)
def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """ninja's own: a body that is no JSON."""
    return refuse(request, 422, "读不懂发来的内容", hint="请发送 JSON（UTF-8），并核对括号和引号。")


@api.exception_handler(RequestDataTooBig)
def too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return refuse(request, 413, f"这次发来的内容超过 {BODY_MAX // 1024 // 1024} MB", hint="请分几次。")


@api.exception_handler(MultiPartParserError)
def broken_form(request: HttpRequest, error: MultiPartParserError) -> HttpResponse:
    return refuse(request, 422, "读不懂发来的文件", hint="请按 multipart/form-data 发送。")


_WORDS: Final = {
    "missing": "没有填写",
    "string_too_long": "太长",
    "string_too_short": "太短",
    "string_pattern_mismatch": "的写法不对",
    "enum": "不在可选的值里",
    "literal_error": "不在可选的值里",
    "too_long": "太多",
    "too_short": "太少",
    "uuid_parsing": "不是 UUID",
    "date_from_datetime_parsing": "不是日期",
    "date_parsing": "不是日期",
    "value_error": "里有看不见的字符",
    "greater_than_equal": "太小",
    "less_than_equal": "太大",
}


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The first field that does not fit, in the same shape as every other refusal."""
    first = error.errors[0]
    # ("body", "body", "claims", 3, "item") → claims.3.item
    where = ".".join(str(part) for part in first["loc"][1:] if part not in ("body", "paging", "filters"))
    more = f"，共 {len(error.errors)} 处" if len(error.errors) > 1 else ""
    return refuse(
        request,
        422,
        f"“{where or '内容'}”{_WORDS.get(first['type'], '不符合要求')}{more}",
        field=where or None,
        hint="请对照 /api/v1/openapi.json 改正后再发。",
    )


@api.exception_handler(Exception)
def broken(request: HttpRequest, error: Exception) -> HttpResponse:
    """Our own mistake: nothing of it is shown (W-08)."""
    if waited_in_vain(error):  # C-07
        return refuse(request, 409, BUSY, hint=BUSY_HINT)
    answer = refuse(request, 500, "系统出了问题，刚才的操作没有保存", hint="请再试一次，仍不行请报回执号。")
    log.error("API request failed: %s", request.path, exc_info=error)
    return answer


@open_to_all
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Any other address under /api/: the same body as for a thing that is not there."""
    return refuse(request, 404, "没有找到", hint="请核对地址，见 /api/v1/openapi.json。")
