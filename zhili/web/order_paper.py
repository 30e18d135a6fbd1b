"""The slip of a redemption: what was taken, what is left, and a code that finds the line in the village's book (T-06).

Printed at the counter on 80 mm paper or saved from the phone; the code opens the same page for everybody.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.masking import mask_name
from zhili.common.periods import local_date, today
from zhili.common.points import format_points
from zhili.common.policy import requires, signed_in
from zhili.ledger.queries import balances
from zhili.ledger.receipts import receipt_code
from zhili.notices.queries import chinese_day
from zhili.people.access import person_of
from zhili.people.queries import head_names
from zhili.places.queries import get_place, village_settings
from zhili.shop.access import access_order
from zhili.shop.models import Order
from zhili.shop.money import SPEND
from zhili.shop.reversing import transfer_of
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError, Slip, slip_pdf


def _slip(request: HttpRequest, order: Order) -> HttpResponse:
    if order.status != Order.Status.HANDED_OVER or order.ended_at is None:
        raise ZhiliError(f"{order} {order.get_status_display()}，没有小票", hint="领走以后再打印。")
    settings, code = village_settings(order.place), receipt_code(transfer_of(order))
    name = head_names(order.place, [order.household_id]).get(order.household_id, "")
    left = balances(order.place, [order.owner])[order.owner, SPEND].available
    rows = [
        ("户", f"{order.household.code} 户 {mask_name(name)}".strip()),
        *[(line.title, f"{line.quantity} × {format_points(line.points)} 分") for line in order.lines.all()],
        ("这次用", f"{format_points(order.points)} 分"),
        ("还剩", f"{format_points(left)} 分（打印时）"),
        ("日期", chinese_day(local_date(order.ended_at), weekday=False)),
        ("回执码", code),
    ]
    if order.is_proxy:
        rows.insert(1, ("代领", order.collector_relation))
    made = Slip(
        village=get_place(order.place).short_name,
        title="兑换小票",
        number=str(order),
        statement=f"{order.shop}：东西已经领走，积分已经记账。",
        rows=rows,
        printed_on=today(),
        qr_url=request.build_absolute_uri(f"/open/{order.place}/receipt/?code={code}"),
        qr_caption="扫码查这一笔在不在账本里",
        phone=settings.office_phone,
        demo=settings.demo,
    )
    try:
        return answer(slip_pdf(made), f"order-slip-{order.place}-{order.number}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@signed_in
def phone_slip(request: HttpRequest, order: UUID) -> HttpResponse:
    """/m/shop/orders/<id>/slip.pdf: of an order this person may see."""
    return _slip(request, access_order(person_of(request), order))


@requires("shop.see")
def desk_slip(request: HttpRequest, place: str, order: UUID) -> HttpResponse:
    """/desk/<place>/shop/orders/<id>/slip.pdf: for whoever stands at the counter."""
    found = access_order(person_of(request), order)
    if not found.place.startswith(place):
        raise NotFound("没有这张兑换单。")
    return _slip(request, found)


phone_urlpatterns = [path("shop/orders/<uuid:order>/slip.pdf", phone_slip, name="m_order_slip")]
desk_urlpatterns = [path("<str:place>/shop/orders/<uuid:order>/slip.pdf", desk_slip, name="desk_order_slip")]
