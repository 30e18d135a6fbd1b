"""What every room's face for machines (api.py) shares: who may call, how lists are cut, how a refusal reads.

An operation names its policy in its own line: `auth=caller("claims.review")` (a permission that holds
somewhere; the action checks the object again), `auth=caller()` (anyone with a key), or `auth=None` under
/open/ for what hangs on the wall anyway. tests/test_api_matrix.py walks all of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Final, Generic, TypeVar, overload
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Query, Schema
from ninja.errors import AuthenticationError
from ninja.security import HttpBearer
from pydantic import AfterValidator, WithJsonSchema

from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.points import format_points

BODY_MAX: Final = 2 * 1024 * 1024
UPLOAD_MAX: Final = 10 * 1024 * 1024
"""Bytes of one request: JSON, and multipart with photos or a sheet."""
PAGE_MAX: Final = 200
Row = TypeVar("Row")


class TooLarge(ZhiliError):
    """The request's body is larger than the limit (413)."""


class Refusal(Schema):
    """Why nothing was done: message and hint in plain Chinese, the field it is about, a number to quote."""

    message: str
    field: str | None
    hint: str
    receipt: str


def _printable(text: str) -> str:
    # A NUL cannot be stored; other controls come from a broken program or an attack.
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in text):
        raise ValueError("里有看不见的字符")
    return text.strip()


Line = Annotated[str, AfterValidator(_printable)]
"""Text a person typed. Give it a length with Field(max_length=…)."""
PlaceCode = Annotated[str, Field(pattern=r"^[0-9]{12}$", examples=["511702109200"])]
Points = Annotated[str, Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,2})?$", examples=["2.5"])]
"""Points going out: decimal text."""
PointsText = Annotated[str, AfterValidator(_printable), Field(max_length=20, examples=["2.5"])]
"""Points coming in, read by common.points.parse_points."""
Quantity = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?$", examples=["100"])]


def _version_7(key: UUID) -> UUID:
    if key.version != 7:
        raise ValueError("不是 UUIDv7")
    return key


NewKey = Annotated[
    UUID,
    AfterValidator(_version_7),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uuid",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        }
    ),
]
"""A key the caller makes (UUIDv7, RFC 9562): the same key posts once, for ever (C-03)."""
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SLIP: Final = r"^[0-9A-Za-z -]{1,20}$"


class Paging(Schema):
    """?page and ?size of a list."""

    page: int = Field(1, ge=1, le=100_000)
    size: int = Field(50, ge=1, le=PAGE_MAX)


PagingQuery = Annotated[Paging, Query()]


class Page(Schema, Generic[Row]):
    """One page of a list in a stable order; total counts all rows."""

    items: list[Row]
    page: int
    size: int
    total: int


def page_of(
    rows: QuerySet[Any] | Sequence[Any], paging: Paging, shown: Callable[[list[Any]], list[Any]]
) -> dict[str, Any]:
    """The asked page of rows that are in a total order already. shown: a page's rows → what goes out.

    One count and one slice, whatever the length.
    """
    total = rows.count() if isinstance(rows, QuerySet) else len(rows)
    start = (paging.page - 1) * paging.size
    cut = list(rows[start : start + paging.size]) if start < total else []
    return {"items": shown(cut), "page": paging.page, "size": paging.size, "total": total}


@overload
def points_text(centi: int) -> str: ...
@overload
def points_text(centi: None) -> None: ...
@overload
def points_text(centi: int | None) -> str | None: ...
def points_text(centi: int | None) -> str | None:
    """Hundredths → decimal text, None stays None."""
    return None if centi is None else format_points(centi)


class Bearer(HttpBearer):
    """`Authorization: Bearer zhili_…`. web.middleware has found the person and the places of that key."""

    def __init__(self, permission: str | None) -> None:
        super().__init__()
        self.permission = permission

    def __call__(self, request: HttpRequest) -> Any:
        refuse_large(request)
        user: Any = request.user
        if not user.is_authenticated:
            raise AuthenticationError
        asked = request.resolver_match.kwargs.get("place") if request.resolver_match else None
        if asked is not None and not request.scope_prefixes:  # type: ignore[attr-defined]
            raise NotFound("没有这个村。")
        if self.permission is not None and not user.has_perm(self.permission):
            raise NotAllowed("这个密钥的身份不能办这件事", hint="需要的话，请找村里或区县的管理员开通。")
        return user

    def authenticate(
        self, request: HttpRequest, token: str
    ) -> Any:  # pragma: no cover - replaced by __call__
        raise NotImplementedError


def caller(permission: str | None = None) -> Bearer:
    """An operation's policy: a permission of some room's access.py, or anyone with a key."""
    return Bearer(permission)


def refuse_large(request: HttpRequest) -> None:
    """Before the body is read: 2 MB of JSON, 10 MB of files."""
    files = request.content_type == "multipart/form-data"
    most = UPLOAD_MAX if files else BODY_MAX
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > most:
        raise TooLarge(f"这次发来的内容超过 {most // 1024 // 1024} MB", hint="请分几次，或把照片缩小。")


def answers(model: Any, *, created: bool = False, public: bool = False) -> dict[Any, Any]:
    """What an operation may answer: the thing itself, or a Refusal. created: 201 at first, 200 on a replay."""
    refused = frozenset({404, 422, 429} if public else {401, 403, 404, 409, 413, 422, 429})
    return {200: model, **({201: model} if created else {}), refused: Refusal}
