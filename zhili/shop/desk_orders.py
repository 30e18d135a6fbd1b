"""兑换单 at the desk: all orders as a table, one order whole, cancel what waits, take back what went wrong in two hands."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.ids import uuid7
from zhili.common.masking import mask_name
from zhili.common.paging import Column, Filter, table
from zhili.common.policy import may, reauthenticated_export, requires
from zhili.ledger.receipts import receipt_code
from zhili.people.models import Household, Resident, User
from zhili.people.queries import head_names
from zhili.shop.access import access_order
from zhili.shop.desk import at
from zhili.shop.errors import ShopError
from zhili.shop.models import Order, OrderReversal
from zhili.shop.ordering import cancel
from zhili.shop.reversing import ask_back, decide_back, transfer_of

COLUMNS = [
    Column(
        "number", "单号", lambda r: str(r), order="-number",
        url=lambda r: reverse("desk_shop_order", args=[r.place, r.pk]),
    ),
    Column("on", "日期", lambda r: r.on, order="on", kind="date"),
    Column("household", "户编号", lambda r: r.household.code, order="household__code"),
    Column("name", "户主", lambda r: mask_name(r.head_name or "")),
    Column("shop", "超市", lambda r: r.shop.title, order="shop__title"),
    Column("goods", "物品", lambda r: "、".join(f"{x.title}×{x.quantity}" for x in r.lines.all()), width=30),
    Column("points", "积分", lambda r: r.points, order="points", kind="points"),
    Column("channel", "渠道", lambda r: r.get_channel_display(), order="channel"),
    Column("proxy", "代领", lambda r: r.collector_relation or ("是" if r.is_proxy else "")),
    Column("proof", "核对", lambda r: r.get_proof_display(), shown=False),
    Column("status", "状态", lambda r: r.get_status_display(), order="status", kind="state"),
]  # fmt: skip
FILTERS = [
    Filter("status", "状态", Order.Status.choices, lambda rows, value: rows.filter(status=value)),
    Filter("channel", "渠道", Order.Channel.choices, lambda rows, value: rows.filter(channel=value)),
    Filter("since", "从", "date", lambda rows, value: rows.filter(on__gte=value)),
    Filter("until", "到", "date", lambda rows, value: rows.filter(on__lte=value)),
    Filter(
        "proxy", "代领", [("1", "只看代领")],
        lambda rows, value: rows.exclude(collector=None, collector_relation=""),
    ),
    Filter(
        "q", "户编号、单号或纸表编号", "text",
        lambda rows, value: rows.filter(
            Q(household__code=value) | Q(paper_number=value) | Q(number=_number(value))
        ),
    ),
]  # fmt: skip


def _number(text: str) -> int:
    digits = text.upper().removeprefix("D-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0


def orders_at(place: str) -> QuerySet[Order]:
    """Orders of the place's households or of its shop, with head name and lines; three statements a page."""
    heads = Resident.objects.filter(household=OuterRef("household"), relation="head").order_by("status")
    rows = Order.objects.filter(Q(place__startswith=place) | Q(shop__place=place))
    return (
        rows.select_related("household", "shop")
        .prefetch_related("lines")
        .annotate(head_name=Subquery(heads.values("name")[:1]))
    )


@requires("shop.see")
@reauthenticated_export
def orders(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/orders/: every order, newest first."""
    user = at(request, place)
    listed = table(
        request, orders_at(place), COLUMNS, title="兑换单", filters=FILTERS, default_order=("-made_at",),
        on_export=lambda count: record("shop.export", by=user, place=place, target=place, list="orders", count=count),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    asked = OrderReversal.objects.filter(place__startswith=place, status=OrderReversal.Status.WAITING)
    context = {
        "table": listed, "place": place, "serves": may(user, "shop.serve", place),
        "reversals": list(asked.select_related("order__household").order_by("asked_at")[:20]),
    }  # fmt: skip
    return render(request, "shop/desk_orders.html", context)


@requires("shop.see")
def order_page(request: HttpRequest, place: str, order: UUID) -> HttpResponse:
    """/desk/<place>/shop/orders/<id>/: what was taken by whom, and the ways back."""
    user = at(request, place)
    found = _order(user, place, order)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            messages.success(request, _act(request, user, found))
            return redirect("desk_shop_order", place, found.pk)
        except ZhiliError as refused:
            error = refused
            found = _order(user, place, order)
    asked = found.reversals.select_related("asked_by", "decided_by").first()
    home: Household = found.household
    waits = asked is not None and asked.status == OrderReversal.Status.WAITING
    handed = found.status == Order.Status.HANDED_OVER
    context = {
        "place": place, "order": found, "error": error, "asked": asked, "id": uuid7(),
        "name": mask_name(head_names(home.place, [home.pk]).get(home.pk, "")),
        "lines": [
            (line, line.points * line.quantity, request.POST.get(f"back-{line.pk}", str(line.quantity)))
            for line in found.lines.select_related("good")
        ],
        "code": receipt_code(transfer_of(found)) if handed or found.status == Order.Status.REVERSED else "",
        "collector": found.collector.household.code if found.collector else "",
        "may_cancel": found.status == Order.Status.RESERVED and may(user, "shop.serve", found.shop.place),
        "may_ask": handed and not waits and may(user, "ledger.reverse", found.place),
        "may_decide": waits and asked is not None and asked.asked_by_id != user.pk
        and may(user, "ledger.approve_reversal", found.place),
        "waits": waits, "reason": request.POST.get("reason", ""), "answer": request.POST.get("answer", ""),
        "sees_signature": _sees_signature(user, found),
    }  # fmt: skip
    return render(request, "shop/desk_order.html", context, status=422 if error else 200)


def _act(request: HttpRequest, user: User, order: Order) -> str:
    """Do what the button says; the sentence that tells it."""
    step, reason = request.POST.get("step", ""), request.POST.get("reason", "").strip()
    if step == "cancel":
        if len(reason) < 2:
            raise ShopError("请写取消的原因", field="reason", hint="例如：没有来领。")
        cancel(by=user, order=order, reason=reason)
        return f"{order} 已取消，积分和货都退回了。"
    if step == "ask":
        goods = {line.pk: _count(request.POST.get(f"back-{line.pk}", "")) for line in order.lines.all()}
        key = request.POST.get("id", "")
        ask_back(
            by=user, id=UUID(key) if len(key) == 36 else uuid7(), order=order, reason=reason, goods=goods
        )
        return "已提出冲正，等议事会成员或监督委员同意。"
    asked = order.reversals.filter(status=OrderReversal.Status.WAITING).first()
    if step in ("agree", "refuse") and asked is not None:
        done = decide_back(by=user, asked=asked, agree=step == "agree", answer=request.POST.get("answer", ""))
        return f"{order} {done.get_status_display()}。"
    raise ShopError("这一步已经办过了", hint="请刷新后查看。")


def _count(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0 if not text else -1


@requires("shop.see")
def signature(request: HttpRequest, place: str, order: UUID) -> HttpResponse:
    """The photo of the signed slip: for who serves and who watches."""
    user = at(request, place)
    found = _order(user, place, order)
    if not found.signature or not _sees_signature(user, found):
        raise NotFound("没有这张照片。")
    file = Path(settings.PHOTO_ROOT) / found.place / Path(found.signature).name
    if not file.is_file():
        raise NotFound("照片文件不在了，请告诉系统管理员。")
    record("shop.see_signature", by=user, place=found.place, target=found)
    return HttpResponse(file.read_bytes(), content_type="image/jpeg")


def _sees_signature(user: User, order: Order) -> bool:
    return user.has_role("clerk", "shopkeeper", "supervisor", place=order.place)


def _order(user: User, place: str, key: UUID) -> Order:
    found = access_order(user, key)
    if not (found.place.startswith(place) or found.shop.place == place):
        raise NotFound("没有这张兑换单。")
    return found


urlpatterns = [
    path("<str:place>/shop/orders/", orders, name="desk_shop_orders"),
    path("<str:place>/shop/orders/<uuid:order>/", order_page, name="desk_shop_order"),
    path("<str:place>/shop/orders/<uuid:order>/signature/", signature, name="desk_order_signature"),
]
