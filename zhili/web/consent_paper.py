"""打印授权书: for people without a phone, for the visit at home; what comes back is keyed in with its number."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.audit.actions import record
from zhili.common.errors import ZhiliError
from zhili.common.ids import short_code, uuid7
from zhili.common.periods import today
from zhili.common.policy import requires
from zhili.people.access import person_of
from zhili.people.consent_purposes import current
from zhili.people.consents import purposes_for
from zhili.people.desk import resident_at
from zhili.places.queries import get_place, village_settings
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.consent import ConsentPaper, ConsentRow, consent_pdf


@requires("people.record_consent")
def paper(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """One person's sheet, with a number of its own."""
    one = resident_at(request, place, resident_id, "people.record_consent")
    number = f"S-{short_code(uuid7())}"
    settings = village_settings(place)
    made = ConsentPaper(
        village=get_place(place).short_name, number=number, version=current().version,
        rows=[ConsentRow(row.title, row.what, row.why, row.long, row.refuse) for row in purposes_for(one)],
        printed_on=today(), household_code=one.household.code, name=one.name, minor=one.is_minor(),
        phone=settings.office_phone, demo=settings.demo,
    )  # fmt: skip
    try:
        body = consent_pdf(made)
    except PrintError as error:
        raise ZhiliError(str(error)) from error
    record("people.consent_paper", by=person_of(request), place=place, target=one, number=number)
    return answer(body, f"consent-{number}.pdf")


urlpatterns = [
    path("<str:place>/residents/<uuid:resident_id>/consent.pdf", paper, name="desk_consent_paper"),
]
