"""打印代办委托书: what the signed paper says is keyed in on the desk's page of delegations, with its number (A-09, U-35)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.ids import short_code, uuid7
from zhili.common.periods import today
from zhili.common.policy import may, open_to_all, requires
from zhili.people.access import person_of
from zhili.people.models import Delegation
from zhili.places.queries import get_place, village_settings
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.delegation import DelegationPaper, delegation_pdf
from zhili.web.publishing import public_file


def _drawn(place: str, number: str) -> bytes:
    settings = village_settings(place)
    paper = DelegationPaper(
        village=get_place(place).short_name,
        scopes=[label for _, label in Delegation.Scope.choices],
        printed_on=today(),
        number=number,
        phone=settings.office_phone,
        demo=settings.demo,
    )
    try:
        return delegation_pdf(paper)
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@requires("people.change_households")
def paper(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/delegations/form.pdf: with a number of its own."""
    if not may(person_of(request), "people.change_households", place):
        raise NotFound("没有这一页。")
    number = f"W-{short_code(uuid7())}"
    return answer(_drawn(place, number), f"delegation-{number}.pdf")


@open_to_all
def open_paper(request: HttpRequest, place: str) -> HttpResponse:
    """The blank form for whoever has a printer."""
    if len(get_place(place).code) != 12:
        raise NotFound("没有这一页。")
    return public_file(place, _drawn(place, ""), f"delegation-{place}.pdf")


desk_urlpatterns = [path("<str:place>/delegations/form.pdf", paper, name="desk_delegation_form")]
open_urlpatterns = [path("<str:place>/delegation.pdf", open_paper, name="open_delegation_form")]
