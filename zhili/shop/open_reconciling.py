"""月度对账 for everybody: published months, without names and without script; printable."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.periods import parse_code
from zhili.common.policy import open_to_all
from zhili.places.queries import get_place
from zhili.shop.desk_reconciling import sheet
from zhili.shop.matching import canonical
from zhili.shop.models import Reconciliation

SHOWN_MAX = 36


@open_to_all
def reconciliations(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/shop/reconciliation/: the published months, newest first."""
    get_place(place)
    rows = Reconciliation.objects.filter(place=place, status=Reconciliation.Status.PUBLISHED)[:SHOWN_MAX]
    months = [(row, parse_code(row.month).title, row.figures.get("points")) for row in rows]
    return render(request, "shop/open_reconciliations.html", {"months": months, "place_code": place})


@open_to_all
def reconciliation(request: HttpRequest, place: str, month: str) -> HttpResponse:
    """One published month."""
    get_place(place)
    found = Reconciliation.objects.filter(
        place=place, month=month, status=Reconciliation.Status.PUBLISHED
    ).first()
    if found is None:
        raise NotFound("没有这个月的对账，或者还没有公布。")
    context = {
        "one": found, "place_code": place, "title": parse_code(month).title, "notes": found.notes.all(), **sheet(found),
    }  # fmt: skip
    return render(request, "shop/open_reconciliation.html", context)


@open_to_all
def figures(request: HttpRequest, place: str, month: str) -> HttpResponse:
    """The very bytes the digest was taken of, so that anybody can work it out again."""
    get_place(place)
    found = Reconciliation.objects.filter(
        place=place, month=month, status=Reconciliation.Status.PUBLISHED
    ).first()
    if found is None:
        raise NotFound("没有这个月的对账，或者还没有公布。")
    name = f'attachment; filename="reconciliation-{place}-{found.month}.json"'
    return HttpResponse(
        canonical(found.figures), content_type="application/json", headers={"Content-Disposition": name}
    )


urlpatterns = [
    path("<str:place>/shop/reconciliation/", reconciliations, name="open_reconciliations"),
    path("<str:place>/shop/reconciliation/<str:month>/", reconciliation, name="open_reconciliation"),
    path(
        "<str:place>/shop/reconciliation/<str:month>/figures.json",
        figures,
        name="open_reconciliation_figures",
    ),
]
