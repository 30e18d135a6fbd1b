"""兑换资金 at the desk: funds by source, money that comes in, the account book of each, what a partner's shop is paid."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from django.contrib import messages
from django.db.models import Case, F, QuerySet, Sum, When, Window
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.audit.actions import record
from zhili.claims.models import Waiting
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.money import format_yuan
from zhili.common.paging import Column, table
from zhili.common.points import format_points
from zhili.common.policy import may, requires
from zhili.people.models import User
from zhili.places.models import VillageSettings
from zhili.places.queries import village_settings
from zhili.shop.access import access_fund
from zhili.shop.actions import deposit, open_fund
from zhili.shop.desk import at
from zhili.shop.forms_money import DepositForm, FundForm, SettleForm
from zhili.shop.models import Fund, FundEntry, Settings
from zhili.shop.money import SOURCES, cash_of, settings_of
from zhili.shop.queries import cover
from zhili.shop.settling import owed_to_shops, settle_shop


def fund_at(user: User, place: str, fund: UUID) -> Fund:
    """A fund of this very village."""
    found = access_fund(user, fund)
    if found.place != place:
        raise NotFound("没有这笔资金。")
    return found


@requires("shop.books")
def funds(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/funds/: what there is of money, from whom, and what waits for it."""
    user = at(request, place, "shop.books")
    rows = list(
        Fund.objects.filter(place=place, accounts__kind="cash")
        .annotate(cash=F("accounts__credits") - F("accounts__debits"), came=F("accounts__credits"))
        .order_by("opened_on", "title")
    )
    empty = list(Fund.objects.filter(place=place).exclude(pk__in=[row.pk for row in rows]))
    sources = FundEntry.objects.filter(place=place, code="deposit").values("source").annotate(sum=Sum("fen"))
    context = {
        "place": place,
        "funds": [*rows, *empty],
        "sources": [(row["source"], row["sum"]) for row in sources.order_by("-sum", "source")],
        "cover": cover(place),
        "settings": settings_of(place),
        "waiting": Waiting.objects.filter(place=place, batch_id=None).aggregate(sum=Sum("points"))["sum"],
        "owed": [one for one in owed_to_shops(place) if one.open] if len(place) == 12 else [],
        "may_manage": may(user, "shop.manage", place),
        "village": len(place) == 12,
        "free": village_settings(place).issue_policy == VillageSettings.IssuePolicy.FREE,
        "floating": settings_of(place).mode == Settings.Mode.FLOATING,
    }
    return render(request, "shop/desk_funds.html", context)


@requires("shop.manage")
def new_fund(request: HttpRequest, place: str) -> HttpResponse:
    """设立资金."""
    user = at(request, place, "shop.manage")
    form = FundForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = open_fund(by=user, place=place, **form.cleaned_data)
            messages.success(request, f"已设立“{made}”，请登记第一笔拨入。")
            return redirect("desk_fund_deposit", place, made.pk)
        except ZhiliError as error:
            show_error(form, error)
    context = {"place": place, "form": form}
    return render(request, "shop/desk_fund_new.html", context, status=422 if form.errors else 200)


def book_of(fund: Fund) -> QuerySet[FundEntry]:
    """The entries of one fund with what each changed of its cash and what was left then, fen."""
    change = Case(When(credit="cash", then=F("fen")), When(debit="cash", then=-F("fen")), default=0)
    rows = FundEntry.objects.filter(fund=fund).select_related("move__good").annotate(change=change)
    return rows.annotate(left=Window(Sum("change"), order_by=[F("at").asc(), F("pk").asc()]))


def _words(entry: FundEntry) -> str:
    if entry.move is not None:
        what = f"{entry.move.good} {abs(entry.move.quantity)}{entry.move.good.unit}"
        return f"捐物 {what}" if entry.debit == "source" else what
    return entry.source


def _yuan(value: Callable[[FundEntry], int | None]) -> Callable[[FundEntry], str]:
    def shown(entry: FundEntry) -> str:
        fen = value(entry)
        return "" if fen is None else format_yuan(fen)

    return shown


def _plain(value: Callable[[FundEntry], int | None]) -> Callable[[FundEntry], Decimal | None]:
    def number(entry: FundEntry) -> Decimal | None:
        fen = value(entry)
        return None if fen is None else Decimal(fen) / 100

    return number


def _came(entry: FundEntry) -> int | None:
    return entry.change if entry.change > 0 else None  # type: ignore[attr-defined]


def _went(entry: FundEntry) -> int | None:
    return -entry.change if entry.change < 0 else None  # type: ignore[attr-defined]


def _left(entry: FundEntry) -> int:
    left: int = entry.left  # type: ignore[attr-defined]
    return left


BOOK = [
    Column("on", "日期", lambda e: e.on, kind="date"),
    Column("code", "事由", lambda e: e.get_code_display(), kind="text"),
    Column("words", "来源、去向", _words, width=28),
    Column("came", "收入（元）", _yuan(_came), kind="number", export=_plain(_came)),
    Column("went", "支出（元）", _yuan(_went), kind="number", export=_plain(_went)),
    Column("left", "结余（元）", _yuan(_left), kind="number", export=_plain(_left)),
    Column("paper", "凭证号", lambda e: e.paper),
    Column("points", "折合积分", lambda e: e.ledger_points or None, kind="points", shown=False),
    Column("at", "登记时间", lambda e: e.at, shown=False, width=18),
]


@requires("shop.books")
def fund_page(request: HttpRequest, place: str, fund: UUID) -> HttpResponse:
    """One fund's account book: every entry, newest first, with the running balance; the same as Excel."""
    user = at(request, place, "shop.books")
    found = fund_at(user, place, fund)
    listed = table(
        request,
        book_of(found),
        BOOK,
        title=f"{found}账簿",
        default_order=["-at", "-pk"],
        on_export=lambda count: record("shop.export_book", by=user, place=place, target=found, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    context = {
        "place": place, "fund": found, "table": listed, "cash": cash_of(found),
        "may_manage": may(user, "shop.manage", place),
    }  # fmt: skip
    return render(request, "shop/desk_fund.html", context)


@requires("shop.manage")
def deposit_page(request: HttpRequest, place: str, fund: UUID) -> HttpResponse:
    """登记拨入: typed in yuan, booked once however often the button is pressed; then before and after."""
    user = at(request, place, "shop.manage")
    found = fund_at(user, place, fund)
    form = DepositForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        before = cash_of(found)
        known = FundEntry.objects.filter(pk=form.cleaned_data["id"]).exists()
        try:
            entry = deposit(by=user, fund=found, **form.cleaned_data)
        except ZhiliError as error:
            show_error(form, error)
        else:
            messages.success(request, _deposited(entry, before, known))
            return redirect("desk_fund", place, found.pk)
    context = {
        "place": place, "fund": found, "form": form, "cash": cash_of(found), "sources": SOURCES,
        "settings": settings_of(place),
    }  # fmt: skip
    return render(request, "shop/desk_fund_deposit.html", context, status=422 if form.errors else 200)


def _deposited(entry: FundEntry, before: int, known: bool) -> str:
    if known:
        return f"这笔 {format_yuan(entry.fen)} 元刚才已经登记了，没有再记。结余 {format_yuan(before)} 元。"
    worth = f"，折合 {format_points(entry.ledger_points)} 分，可以发放" if entry.ledger_points else ""
    return (
        f"已登记拨入 {format_yuan(entry.fen)} 元（{entry.source}，凭证 {entry.paper}）{worth}。"
        f"结余从 {format_yuan(before)} 元变成 {format_yuan(before + entry.fen)} 元。"
    )


@requires("shop.manage")
def settle_page(request: HttpRequest, place: str, fund: UUID) -> HttpResponse:
    """商户结算: what each shop's confirmed orders come to, what is paid already, what is open."""
    user = at(request, place, "shop.manage")
    found = fund_at(user, place, fund)
    owed = owed_to_shops(place)
    choices = [(str(one.shop.pk), f"{one.shop}（应付 {format_yuan(one.open)} 元）") for one in owed]
    first = next((one for one in owed if one.open), None)
    initial = {"shop": str(first.shop.pk), "fen": min(first.open, cash_of(found))} if first else {}
    form = SettleForm(request.POST if request.method == "POST" else None, shops=choices, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        shop = next(one.shop for one in owed if str(one.shop.pk) == data["shop"])
        try:
            entry = settle_shop(
                by=user, fund=found, shop=shop, fen=data["fen"], paper=data["paper"], id=data["id"]
            )
        except ZhiliError as error:
            show_error(form, error)
        else:
            left = format_yuan(cash_of(found))
            messages.success(request, f"已付“{shop}”{format_yuan(entry.fen)} 元，资金结余 {left} 元。")
            return redirect("desk_fund", place, found.pk)
    context = {
        "place": place, "fund": found, "form": form, "owed": owed, "cash": cash_of(found),
        "settings": settings_of(place),
    }  # fmt: skip
    return render(request, "shop/desk_fund_settle.html", context, status=422 if form.errors else 200)


urlpatterns = [
    path("<str:place>/shop/funds/", funds, name="desk_funds"),
    path("<str:place>/shop/funds/new/", new_fund, name="desk_fund_new"),
    path("<str:place>/shop/funds/<uuid:fund>/", fund_page, name="desk_fund"),
    path("<str:place>/shop/funds/<uuid:fund>/deposit/", deposit_page, name="desk_fund_deposit"),
    path("<str:place>/shop/funds/<uuid:fund>/settle/", settle_page, name="desk_fund_settle"),
]
