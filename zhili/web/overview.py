"""今天: what is owed in the village, by whom and by when; then few numbers about outcomes (U-60, U-61).

Duties and outcomes only: no log-ins, no clicks, no ranking of people. Groups stand in their own order, not by result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count

from zhili.claims.models import Claim, Sheet
from zhili.claims.queries import overview
from zhili.claims.sheets import sheets_for
from zhili.common.periods import local_date, periods_between, today
from zhili.common.policy import may
from zhili.ledger.alarms import open_alarms
from zhili.notices.queries import Duty, due_today
from zhili.people.models import Household, User
from zhili.privacy.queries import duties as privacy_duties
from zhili.shop.duties import shop_duties
from zhili.shop.looking import shelf_duties
from zhili.web import navigation
from zhili.web.charts import Chart, moment

SOON_DAYS = 3
DUTY_PAGES = {
    "review": "desk_reviews", "second_review": "desk_reviews", "council": "desk_reviews",
    "returned": "desk_claims", "hearing": "desk_claims", "recheck": "desk_claims",
    "notice": "desk_notices", "close": "desk_notices", "open": "desk_notices", "rulebook": "desk_rulebooks",
    "acknowledge": "desk_objections", "answer": "desk_objections", "privacy": "desk_privacy_requests",
    "ledger": "desk_ledger_check", "shop_budget": "desk_shop_budget", "shop_books": "desk_reconciliations",
    "shop_flags": "desk_shop_flags", "shop_counts": "desk_shop_counts", "shop_prices": "desk_prices",
    "shop_fairs": "desk_fairs", "sheets": "desk_sheets",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Owed:
    """One duty as the page shows it. state: 逾期, 今天到期, 还有 2 天 … or ""."""

    duty: Duty
    url: str | None
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class Stat:
    """One number that opens its list."""

    label: str
    value: int
    note: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of setting a village up."""

    title: str
    text: str
    url: str | None
    label: str


def owed(place: str, user: User) -> list[Owed]:
    """Duties with their link, where `user` may open it, and how near their day is."""
    day = today()
    both = [
        *_alarms(place), *due_today(place), *_sheets(place, user), *privacy_duties(place), *_shop(place, user)
    ]  # fmt: skip
    both.sort(key=lambda duty: (not duty.overdue, duty.due or date.max, duty.kind))
    return [_owed(duty, place, day, user) for duty in both]


def _sheets(place: str, user: User) -> list[Duty]:
    """Sheets of paper that somebody else keyed in and this person may count again (U-34)."""
    if not may(user, "claims.sheets", place):
        return []
    count = sheets_for(user, place).filter(status=Sheet.Status.KEYED).exclude(keyed_by=user).count()
    return [Duty("sheets", f"{count} 张纸表等您核对", "第二个人", None, False, count)] if count else []


def _alarms(place: str) -> list[Duty]:
    """A stopped book comes before everything else (L-15)."""
    title = "台账有警报，已停止记账，要查清后解除"
    return [Duty("ledger", title, "乡镇、区县", local_date(a.raised_at), True) for a in open_alarms([place])]


def _shop(place: str, user: User) -> list[Duty]:
    """The shop's shelf and money: for who keeps the books and who watches over them; patterns for the watchers alone."""
    if len(place) != 12 or not may(user, "shop.books", place):
        return []
    return [*shelf_duties(place), *shop_duties(place, watcher=may(user, "shop.flags", place))]


def _owed(duty: Duty, place: str, day: date, user: User) -> Owed:
    name = DUTY_PAGES.get(duty.kind, "desk_claims")
    url = _objections(place, user) if name == "desk_objections" else navigation.address(name, place)
    if duty.due is None:
        return Owed(duty, url, "", "wait")
    left = (duty.due - day).days
    if duty.overdue:
        return Owed(duty, url, f"已过期 {-left} 天" if left < 0 else "已到期", "bad")
    if left <= SOON_DAYS:
        return Owed(duty, url, "今天到期" if left == 0 else f"还有 {left} 天", "due")
    return Owed(duty, url, f"{duty.due.month}月{duty.due.day}日前", "wait")


def _objections(place: str, user: User) -> str | None:
    """Who objected is not for everybody in the office."""
    may = user.has_perm("notices.objections", place)
    return navigation.address("desk_objections" if may else "desk_notices", place)


def stats(place: str, counts: dict[str, int], user: User) -> list[Stat]:
    """The month's flow in four numbers, each opening its list."""
    waiting = counts.get("submitted", 0) + counts.get("second_review", 0) + counts.get("council", 0)
    claims, notices = navigation.address("desk_claims", place), navigation.address("desk_notices", place)
    return [
        Stat("等待评议", waiting, "条", navigation.address("desk_reviews", place) or claims),
        Stat("已通过，等公示", counts.get("approved", 0), "条", notices),
        Stat("公示中", counts.get("on_notice", 0), "条", notices),
        Stat(
            "有异议，暂缓",
            counts.get("held", 0),
            "条",
            _objections(place, user),
        ),
    ]


def first_steps(place: str, *, households: int, book: bool, claims: bool) -> list[Step]:
    """What an empty village does first, in order; empty where all of it is done."""
    found = []
    if not households:
        found.append(
            Step(
                "录入户和人",
                "用 Excel 一次导入全村，先试导、再落库。",
                navigation.address("desk_households", place),
                "去导入",
            )
        )
    if not book:
        found.append(
            Step(
                "采用积分细则",
                "从样本改起，过红线检查，议事会表决后施行。",
                navigation.address("desk_rulebooks", place),
                "选细则",
            )
        )
    if not claims:
        found.append(
            Step(
                "记第一条申报",
                "扫卡或输户编号，选项目，保存。",
                navigation.address("desk_claims", place),
                "去申报",
            )
        )
    return found


def charts(place: str) -> list[Chart]:
    """A year of outcomes: facts by month, points by category, households reached by group. 6 queries."""
    end = today()
    start = (end.replace(day=1) - timedelta(days=330)).replace(day=1)
    numbers = overview(place, start, end)
    if not any(row["claims"] for row in numbers["by_month"]):
        return []
    return [
        _by_month(numbers["by_month"], start, end),
        _by_category(numbers["by_category"]),
        _reached(place, start, end),
    ]


def _by_month(rows: Sequence[dict[str, Any]], start: date, end: date) -> Chart:
    known = {row["key"]: row for row in rows}
    months = periods_between(start, end, "month")
    claims = [known.get(month.code, {}).get("claims", 0) for month in months]
    points = [known.get(month.code, {}).get("points", 0) / 100 for month in months]
    total, posted = sum(claims), sum(points)
    top = max(range(len(months)), key=lambda n: claims[n])
    return Chart(
        key="month",
        title="每月申报和入账积分",
        sentence=(
            f"最近 {len(months)} 个月报了 {total} 件事，入账 {posted:g} 分；"
            f"最多的是{months[top].title}，{claims[top]} 件。"
        ),
        kind="line",
        label_title="月份",
        labels=[month.title.removeprefix(f"{months[-1].start.year}年") for month in months],
        series=[("申报（件）", claims), ("入账（分）", points)],
        unit="",
        source="按事情发生的日期计，已撤回的不算",
        at=moment(),
    )


def _by_category(rows: Sequence[dict[str, Any]]) -> Chart:
    shown = [row for row in rows if row["claims"]]
    top = max(shown, key=lambda row: row["points"])
    names = "、".join(row["title"] for row in shown[:8])
    return Chart(
        key="category",
        title="各类事情入账积分",
        sentence=f"最近一年有{names}几类；积分最多的是{top['title']}，{top['points'] / 100:g} 分。",
        kind="bar",
        label_title="类别",
        labels=[row["title"] for row in shown],
        series=[("入账（分）", [row["points"] / 100 for row in shown])],
        unit="分",
        source="只算已经入账的",
        at=moment(),
    )


def _reached(place: str, start: date, end: date) -> Chart:
    """How many households of each group had at least one posted fact: who was never reached is the question."""
    living = dict(
        Household.objects.filter(place=place, status__in=Household.OPEN)
        .values_list("group").annotate(count=Count("pk")).order_by()
    )  # fmt: skip
    reached = dict(
        Claim.objects.filter(
            place=place, status=Claim.Status.POSTED, occurred_on__range=(start, end),
            household__status__in=Household.OPEN,
        )
        .values_list("household__group").annotate(count=Count("household", distinct=True)).order_by()
    )  # fmt: skip
    groups = sorted(living, key=lambda name: (len(name), name))
    shares = [round(100 * reached.get(group, 0) / living[group]) for group in groups]
    missing = sum(living.values()) - sum(min(reached.get(g, 0), living[g]) for g in groups)
    return Chart(
        key="reached",
        title="各组参与到的户",
        sentence=f"全村 {sum(living.values())} 户，最近一年还有 {missing} 户一次也没有得过分，可以上门问问。",
        kind="share",
        label_title="组",
        labels=[group or "未分组" for group in groups],
        series=[("得过分的户占比", shares)],
        unit="%",
        source="在村和外出的户，至少一条已入账",
        at=moment(),
    )
