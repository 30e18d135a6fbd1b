"""The slip a claim gives when it is received: printed at the counter or saved from the phone, taken home (T-06, U-33).

Its code opens the same page for everybody: first where the claim stands, later the proof that its points are in the book.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.claims.access import access_claim
from zhili.claims.models import Claim
from zhili.claims.receipts import claim_code
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import local_date, today
from zhili.common.policy import requires, signed_in
from zhili.notices.queries import chinese_day
from zhili.people.access import person_of
from zhili.places.queries import get_place, village_settings
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError, Slip, slip_pdf


def _slip(request: HttpRequest, claim: Claim) -> HttpResponse:
    settings, code = village_settings(claim.place), claim_code(claim.pk)
    made = Slip(
        village=get_place(claim.place).short_name,
        title="申报回执",
        number=str(claim),
        statement="已收到。评议、公示都过了才入账。",
        rows=[
            ("回执码", code),
            ("项目", claim.item.title),
            ("发生", chinese_day(claim.occurred_on, weekday=False)),
            ("收到", chinese_day(local_date(claim.submitted_at), weekday=False)),
        ],
        printed_on=today(),
        qr_url=request.build_absolute_uri(f"/open/{claim.place}/receipt/?code={code}"),
        qr_caption="扫码查办到哪一步、入账没有",
        phone=settings.office_phone,
        demo=settings.demo,
    )
    try:
        return answer(slip_pdf(made), f"claim-slip-{claim.place}-{claim.number}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@signed_in
def phone_slip(request: HttpRequest, claim: UUID) -> HttpResponse:
    """/m/claims/<id>/slip.pdf: of a claim this person may see."""
    return _slip(request, access_claim(person_of(request), claim))


@requires("claims.desk")
def desk_slip(request: HttpRequest, place: str, claim: UUID) -> HttpResponse:
    """/desk/<place>/claims/<id>/slip.pdf: for whoever stands at the counter."""
    found = access_claim(person_of(request), claim)
    if found.place != place:
        raise NotFound("没有这条申报。")
    return _slip(request, found)


phone_urlpatterns = [path("claims/<uuid:claim>/slip.pdf", phone_slip, name="m_claim_slip")]
desk_urlpatterns = [path("<str:place>/claims/<uuid:claim>/slip.pdf", desk_slip, name="desk_claim_slip")]
