"""What the village decided about its points' worth, the queue of points that wait for money, and dividing the pot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone

from zhili.audit.actions import record
from zhili.claims.funded import award_waiting
from zhili.claims.models import Waiting
from zhili.common.clock import now
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.money import format_yuan
from zhili.common.paging import XLSX, Column, table
from zhili.common.periods import today
from zhili.common.points import format_points
from zhili.common.policy import may, requires
from zhili.common.spreadsheets import Column as Sheet
from zhili.common.spreadsheets import SheetOut, safe_filename, write_workbook
from zhili.ledger.funding import unissued
from zhili.people.models import User
from zhili.places.actions import set_village_settings
from zhili.places.queries import village_settings
from zhili.shop.actions import change_settings
from zhili.shop.desk import at
from zhili.shop.desk_money import fund_at
from zhili.shop.errors import ShopError
from zhili.shop.forms_money import FloatingForm, ShopSettingsForm
from zhili.shop.models import FundEntry, Settings
from zhili.shop.money import SPEND, cash_of, period_for, settings_of
from zhili.shop.settling import Preview, Share, confirm_floating, preview_floating, settlement_list


def _village(request: HttpRequest, place: str, permission: str) -> User:
    user = at(request, place, permission)
    if len(place) != 12:
        raise NotFound("没有这一页。")
    return user


@requires("shop.books")
def settings_page(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/funds/settings/: what a point is worth and what happens when money is short; by resolution."""
    user = _village(request, place, "shop.books")
    row, issue = settings_of(place), village_settings(place).issue_policy
    known = {"mode": row.mode, "value_fen": row.value_fen, "hold_days": row.hold_days, "issue_policy": issue,
             "cap_points": format_points(row.cap_points)}  # fmt: skip
    form = ShopSettingsForm(request.POST if request.method == "POST" else None, initial=known)
    may_manage, left = may(user, "shop.manage", place), unissued(place, SPEND)
    if request.method == "POST":
        at(request, place, "shop.manage")
        if form.is_valid():
            try:
                _save(user, place, form.cleaned_data)
                messages.success(request, "已保存，从现在起按新的办。")
                return redirect("desk_shop_settings", place)
            except ZhiliError as error:
                show_error(form, error)
    context = {
        "place": place, "form": form, "settings": row, "may_manage": may_manage, "left": left,
        "over": -left, "issue": village_settings(place).get_issue_policy_display(),
    }  # fmt: skip
    return render(request, "shop/desk_settings.html", context, status=422 if form.errors else 200)


def _save(user: User, place: str, data: dict[str, Any]) -> None:
    facts = {name: data[name] for name in ("mode", "hold_days", "cap_points")}
    if data["mode"] == Settings.Mode.FIXED:
        facts["value_fen"] = data["value_fen"]
    with transaction.atomic():
        change_settings(by=user, place=place, resolution=data["resolution"], **facts)
        set_village_settings(by=user, place=place, issue_policy=data["issue_policy"])


QUEUE = [
    Column("claim", "申报编号", lambda w: str(w.claim), order="claim__number"),
    Column("on", "发生日", lambda w: w.claim.occurred_on, order="claim__occurred_on", kind="date"),
    Column("group", "组", lambda w: w.claim.household.group, order="claim__household__group"),
    Column("household", "户编号", lambda w: w.claim.household.code, order="claim__household__code"),
    Column("item", "项目", lambda w: w.claim.item.title, width=28),
    Column("points", "排队的分", lambda w: w.points, order="points", kind="points"),
    Column("since", "从哪天等起", lambda w: w.since, order="since", width=18),
]


@requires("shop.books")
def queue(request: HttpRequest, place: str) -> HttpResponse:
    """Points that wait for money, oldest deed first, and the button that awards them when money came."""
    user = _village(request, place, "shop.books")
    error: ZhiliError | None = None
    if request.method == "POST":
        at(request, place, "claims.clerk")
        try:
            done = award_waiting(by=user, place=place, period=period_for(place, today()))
            if done is not None:
                messages.success(request, f"已入账 {done.count} 笔，共 {format_points(done.total)} 分。")
                return redirect("desk_shop_queue", place)
            error = ShopError("资金还不够给排在最前面的一条，没有入账", hint="请先登记拨入。")
        except ZhiliError as refused:
            error = refused
    rows = Waiting.objects.filter(place=place, batch_id=None)
    listed = table(
        request, rows.select_related("claim__household", "claim__item"), QUEUE, title="等待资金的积分",
        default_order=["claim__occurred_on", "pk"],
        on_export=lambda count: record("shop.export_book", by=user, place=place, count=count, what="queue"),
    )  # fmt: skip
    if isinstance(listed, HttpResponse):
        return listed
    context = {
        "place": place, "table": listed, "error": error, "sum": rows.aggregate(sum=Sum("points"))["sum"] or 0,
        "left": unissued(place, SPEND), "may_award": may(user, "claims.clerk", place),
        "issue": village_settings(place).get_issue_policy_display(),
    }  # fmt: skip
    return render(request, "shop/desk_queue.html", context, status=422 if error else 200)


@requires("shop.manage")
def floating(request: HttpRequest, place: str, fund: UUID) -> HttpResponse:
    """按分兑现 in two steps: first the list as it would be, then the booking of exactly that list."""
    user = _village(request, place, "shop.manage")
    found = fund_at(user, place, fund)
    form = FloatingForm(request.POST if request.method == "POST" else None, initial={"fen": cash_of(found)})
    preview: Preview | None = None
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        try:
            if cash_of(found) < data["fen"] and not FundEntry.objects.filter(pk=data["id"]).exists():
                raise ShopError(
                    f"“{found}”只有 {format_yuan(cash_of(found))} 元", field="fen", hint="请改少一些。"
                )
            if request.POST.get("do") == "confirm":
                entry = confirm_floating(by=user, fund=found, **data)
                messages.success(
                    request, f"已结算 {format_yuan(entry.fen)} 元，积分已兑。请打印名单，发钱时签字。"
                )
                return redirect("desk_settlement", place, entry.pk)
            preview = preview_floating(place, data["fen"])
        except ZhiliError as error:
            show_error(form, error)
            preview = _again(place, data["fen"], error)
    context = {
        "place": place, "fund": found, "form": form, "preview": preview, "cash": cash_of(found),
        "settings": settings_of(place), "floating": settings_of(place).mode == Settings.Mode.FLOATING,
    }  # fmt: skip
    return render(request, "shop/desk_floating.html", context, status=422 if form.errors else 200)


def _again(place: str, fen: int, error: ZhiliError) -> Preview | None:
    """Points moved between looking and confirming: the new list at once."""
    return preview_floating(place, fen) if getattr(error, "word", "") == "moved" else None


@requires("shop.books")
def settlement(request: HttpRequest, place: str, payout: UUID) -> HttpResponse:
    """A settlement that was booked: its list, and the same as Excel with a column to sign."""
    user = _village(request, place, "shop.books")
    found = FundEntry.objects.select_related("fund").filter(pk=payout, place=place, code="payout").first()
    if found is None:
        raise NotFound("没有这次结算。")
    lines = settlement_list(found)
    if request.GET.get("export") == "xlsx":
        record("shop.export_settlement", by=user, place=place, target=found, count=len(lines))
        return _signed_list(found, lines, str(user))
    context = {
        "place": place, "entry": found, "lines": lines, "points": sum(one.points for one in lines),
        "sum": sum(one.fen for one in lines), "excel": reverse("desk_settlement", args=[place, found.pk]),
    }  # fmt: skip
    return render(request, "shop/desk_settlement.html", context)


SIGNED = [
    Sheet("序号", 6, "int"), Sheet("组", 8), Sheet("户编号", 12), Sheet("姓名", 10), Sheet("积分", 10, "points"),
    Sheet("金额（元）", 12, "number"), Sheet("领款人签字", 22), Sheet("代领人与关系", 18),
]  # fmt: skip


def _signed_list(entry: FundEntry, lines: list[Share], person: str) -> HttpResponse:
    rows: list[list[object]] = [
        [n, one.group, one.code, one.name, one.points, Decimal(one.fen) / 100, None, None]
        for n, one in enumerate(lines, start=1)
    ]
    points, fen = sum(one.points for one in lines), sum(one.fen for one in lines)
    rows.append([None, "合计", None, None, points, Decimal(fen) / 100, None, None])
    note = f"{entry.on:%Y-%m-%d} 结算，凭证 {entry.paper}，共 {len(lines)} 户（人）。发钱时当面签字，签好的名单留存。"
    sheet = SheetOut(
        title="兑现名单", heading=f"{entry.fund}按分兑现名单", columns=SIGNED, rows=rows, notes=[note]
    )
    moment = timezone.localtime(now())
    body = write_workbook([sheet], watermark=f"{person} 于 {moment:%Y-%m-%d %H:%M} 导出")
    _, disposition = safe_filename(f"兑现名单-{entry.on:%Y%m%d}.xlsx")
    return HttpResponse(body, content_type=XLSX, headers={"Content-Disposition": disposition})


urlpatterns = [
    path("<str:place>/shop/funds/settings/", settings_page, name="desk_shop_settings"),
    path("<str:place>/shop/funds/queue/", queue, name="desk_shop_queue"),
    path("<str:place>/shop/funds/settlements/<uuid:payout>/", settlement, name="desk_settlement"),
    path("<str:place>/shop/funds/<uuid:fund>/floating/", floating, name="desk_floating"),
]
