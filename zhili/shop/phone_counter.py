"""柜台 on a phone, one hand, on a table in the yard where the network comes and goes: the flow of serving.py."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.common.policy import requires
from zhili.people.access import village_of
from zhili.shop import counter_pages as pages
from zhili.shop.serving import Counter, counter_at


def _counter(request: HttpRequest) -> Counter:
    return counter_at(request, village_of(request), "m")


@requires("shop.serve")
def card(request: HttpRequest) -> HttpResponse:
    """/m/counter/: whose card."""
    return pages.card_page(request, _counter(request))


@requires("shop.serve")
def visit(request: HttpRequest, household: UUID) -> HttpResponse:
    """/m/counter/<household>/: goods, then confirm."""
    return pages.visit_page(request, _counter(request), household)


@requires("shop.serve")
def done(request: HttpRequest, order: UUID) -> HttpResponse:
    """/m/counter/done/<order>/."""
    return pages.done_page(request, _counter(request), order)


@requires("shop.serve")
def pick_up(request: HttpRequest) -> HttpResponse:
    """/m/counter/pickup/: a code, typed or scanned."""
    return pages.pick_up_page(request, _counter(request))


@requires("shop.serve")
def pick_up_order(request: HttpRequest, order: UUID) -> HttpResponse:
    """/m/counter/pickup/<order>/."""
    return pages.pick_up_order_page(request, _counter(request), order)


urlpatterns = [
    path("counter/", card, name="m_counter"),
    path("counter/<uuid:household>/", visit, name="m_counter_visit"),
    path("counter/done/<uuid:order>/", done, name="m_counter_done"),
    path("counter/pickup/", pick_up, name="m_pick_up"),
    path("counter/pickup/<uuid:order>/", pick_up_order, name="m_pick_up_order"),
]
