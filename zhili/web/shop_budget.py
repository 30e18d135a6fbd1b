"""保障率 at the desk: the shop's money against its points, as figures, a chart with its table, and alarms (G-12, U-62)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.points import format_points
from zhili.common.policy import may, requires
from zhili.shop.dashboard import Budget, budget
from zhili.web.charts import Chart, moment


@requires("shop.books")
def shop_budget(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/budget/: sums and shares of the village; nobody is named and nobody is ranked."""
    if not may(request.user, "shop.books", place) or len(place) != 12:
        raise NotFound("没有这一页。")
    found = budget(place)
    moved = any(m.flow.issued or m.flow.redeemed or m.outstanding or m.deposits for m in found.months)
    context = {"place": place, "budget": found, "chart": _chart(found) if moved else None, "at": moment()}
    return render(request, "web/desk_shop_budget.html", context)


def _chart(found: Budget) -> Chart:
    months = found.months
    issued, redeemed = sum(m.flow.issued for m in months), sum(m.flow.redeemed for m in months)
    return Chart(
        key="budget",
        title="每月发放和兑换的积分",
        sentence=(
            f"最近 {len(months)} 个月发放 {format_points(issued)} 分，兑换 {format_points(redeemed)} 分；"
            f"现在没兑完的有 {format_points(found.held)} 分。"
        ),
        kind="columns",
        label_title="月份",
        labels=[m.title.removeprefix(f"{months[-1].title[:5]}") for m in months],
        series=[
            ("发放（分）", [m.flow.issued / 100 for m in months]),
            ("兑换（分）", [m.flow.redeemed / 100 for m in months]),
        ],
        unit="分",
        source="来自台账，按记账的日期算",
        at=moment(),
    )


urlpatterns = [path("<str:place>/shop/budget/", shop_budget, name="desk_shop_budget")]
