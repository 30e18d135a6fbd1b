"""柜台 on a PC: the flow of serving.py with the keyboard alone; a scanner that types is a keyboard too."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.common.policy import requires
from zhili.shop import counter_pages as pages
from zhili.shop.serving import counter_at


@requires("shop.serve")
def card(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/counter/: whose card."""
    return pages.card_page(request, counter_at(request, place, "desk"))


@requires("shop.serve")
def visit(request: HttpRequest, place: str, household: UUID) -> HttpResponse:
    """/desk/<place>/shop/counter/<household>/: goods, then confirm."""
    return pages.visit_page(request, counter_at(request, place, "desk"), household)


@requires("shop.serve")
def done(request: HttpRequest, place: str, order: UUID) -> HttpResponse:
    """/desk/<place>/shop/counter/done/<order>/."""
    return pages.done_page(request, counter_at(request, place, "desk"), order)


@requires("shop.serve")
def pick_up(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/pickup/: a code, typed or scanned."""
    return pages.pick_up_page(request, counter_at(request, place, "desk"))


@requires("shop.serve")
def pick_up_order(request: HttpRequest, place: str, order: UUID) -> HttpResponse:
    """/desk/<place>/shop/pickup/<order>/."""
    return pages.pick_up_order_page(request, counter_at(request, place, "desk"), order)


urlpatterns = [
    path("<str:place>/shop/counter/", card, name="desk_counter"),
    path("<str:place>/shop/counter/<uuid:household>/", visit, name="desk_counter_visit"),
    path("<str:place>/shop/counter/done/<uuid:order>/", done, name="desk_counter_done"),
    path("<str:place>/shop/pickup/", pick_up, name="desk_pick_up"),
    path("<str:place>/shop/pickup/<uuid:order>/", pick_up_order, name="desk_pick_up_order"),
]
