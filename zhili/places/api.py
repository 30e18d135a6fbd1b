"""区划 for machines: the tree of places. Names and codes are public facts; who works where is not in here."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from zhili.common.api import Page, PagingQuery, answers, caller, page_of
from zhili.places.models import Place
from zhili.places.queries import get_place

router = Router(tags=["区划"])
Code = Annotated[str, Field(pattern=r"^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{14})$")]


class PlaceRow(Schema):
    """kind: province, city, county, township, village, community or group. Its parent's code, null at the top."""

    code: str
    name: str
    kind: str
    parent: str | None


def _rows(places: list[Place]) -> list[PlaceRow]:
    return [PlaceRow(code=p.code, name=p.name, kind=p.kind, parent=p.parent_id) for p in places]


@router.get("/places", auth=caller(), response=answers(Page[PlaceRow]), summary="区划：某地及以下")
def list_places(
    request: HttpRequest, paging: PagingQuery, under: Annotated[Code | None, Query()] = None
) -> Any:
    """All places, or one and everything below it, in code order."""
    rows = Place.objects.order_by("code")
    return page_of(rows.filter(code__startswith=under) if under else rows, paging, _rows)


@router.get("/places/{code}", auth=caller(), response=answers(PlaceRow), summary="一个区划")
def one_place(request: HttpRequest, code: Code) -> Any:
    """One place by its code."""
    return _rows([get_place(code)])[0]
