"""保障率: how far the money reaches for the points that are out, month by month (G-12). Sums and shares, no names.

Alarms are told to whoever keeps the money and whoever watches over it; nothing stops by itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Final
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import TruncMonth

from zhili.claims.models import Waiting
from zhili.common.money import format_yuan
from zhili.common.periods import SHANGHAI, parse_code, period_of, periods_between, previous_period, today
from zhili.common.points import format_points
from zhili.ledger.flows import Flow, Spread, monthly_flows, spread
from zhili.ledger.funding import unissued, village_accounts
from zhili.people.models import Household, Resident
from zhili.people.queries import LIVE
from zhili.rulebook.queries import in_force, parsed
from zhili.shop.models import Fund, FundEntry, Order, Settings
from zhili.shop.money import SPEND, settings_of
from zhili.shop.queries import Cover, cover

MONTHS: Final = 12
GROWTH_PERCENT: Final = 20
"""More issued than this over the period before, while no more money came in, is an alarm."""
ISSUED_MIN: Final = 50_00
"""Hundredths issued in the period before, below which growth says nothing."""


@dataclass(frozen=True, slots=True)
class Month:
    """One month: what moved, what money came in (fen), what was out at its end (hundredths)."""

    code: str
    title: str
    flow: Flow
    deposits: int
    outstanding: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """kind: cover | growth. sentence: what is wrong, with its figures. todo: what to do."""

    kind: str
    sentence: str
    todo: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Everything the dashboard shows. Points in hundredths; fen where it says so."""

    cover: Cover
    settings: Settings
    total: Flow
    held: int
    reserved: int
    free: int
    waiting: int
    spread: Spread
    months: list[Month]
    alarms: list[Alarm]

    @property
    def overissued(self) -> int:
        return max(0, -self.free)

    @property
    def floating(self) -> bool:
        return self.settings.mode == Settings.Mode.FLOATING


def budget(place: str) -> Budget:
    """The whole dashboard; a fixed number of statements."""
    settings, flows, came = settings_of(place), monthly_flows(place, SPEND), _deposits(place)
    total = replace(sum(flows, Flow()), month="")
    waiting = Waiting.objects.filter(place=place, batch_id=None).aggregate(sum=Sum("points"))["sum"] or 0
    reserved = Order.objects.filter(place=place, status=Order.Status.RESERVED).aggregate(sum=Sum("points"))[
        "sum"
    ]
    seen = cover(place, value_fen=settings.value_fen)
    return Budget(
        cover=seen, settings=settings, total=total, held=village_accounts(place, SPEND).get("holder", 0),
        reserved=reserved or 0, free=unissued(place, SPEND), waiting=waiting,
        spread=spread(place, SPEND, _owners(place)), months=_months(flows, came),
        alarms=_alarms(_settlement(place), seen, settings, flows, came),
    )  # fmt: skip


def alarms(place: str) -> list[Alarm]:
    """What the today page says. Nothing where the village has no fund; else seven statements."""
    if not Fund.objects.filter(place=place).exists():
        return []
    settings, kind = settings_of(place), _settlement(place)
    seen = cover(place, value_fen=settings.value_fen)
    # The running period, the one before it, and the one that is compared with.
    first = previous_period(previous_period(period_of(today(), kind))).start
    flows = monthly_flows(place, SPEND, since=datetime.combine(first, time(), tzinfo=SHANGHAI))
    return _alarms(kind, seen, settings, flows, _deposits(place))


def _settlement(place: str) -> str:
    row = in_force(place, today())
    return parsed(row).settlement if row is not None else "month"


def _alarms(
    kind: str, seen: Cover, settings: Settings, flows: list[Flow], came: dict[str, int]
) -> list[Alarm]:
    found = []
    if settings.mode == Settings.Mode.FIXED and seen.short_fen > 0:
        found.append(
            Alarm(
                "cover",
                f"兑换资金不够：没兑完的 {format_points(seen.outstanding)} 分要 {format_yuan(seen.owed_fen)} 元，"
                f"钱和货共 {format_yuan(seen.cash_fen + seen.goods_fen)} 元，保障率 {seen.ratio_percent}%",
                f"请拨入 {format_yuan(seen.short_fen)} 元，或先少发兑换积分。",
            )
        )
    growth = _growth(kind, flows, came)
    return [*found, growth] if growth else found


def _growth(kind: str, flows: list[Flow], came: dict[str, int]) -> Alarm | None:
    """The running settlement period, or the last one, against the one before it, with the money of both."""
    issued: dict[str, int] = defaultdict(int)
    money: dict[str, int] = defaultdict(int)
    for flow in flows:
        issued[_period(flow.month, kind)] += flow.issued
    for month, fen in came.items():
        money[_period(month, kind)] += fen
    running = period_of(today(), kind)
    for later in (running, previous_period(running)):
        before = previous_period(later)
        old, new = issued[before.code], issued[later.code]
        if (
            old >= ISSUED_MIN
            and new * 100 > old * (100 + GROWTH_PERCENT)
            and money[later.code] <= money[before.code]
        ):
            return Alarm(
                "growth",
                f"{later.title}发放 {format_points(new)} 分，比{before.title}多 {new * 100 // old - 100}%，"
                "拨入的资金没有增加",
                "请看看哪一类发得多，要不要调细则，或补资金。",
            )
    return None


def _period(month: str, kind: str) -> str:
    return period_of(parse_code(month).start, kind).code


def _deposits(place: str) -> dict[str, int]:
    """Month of booking → fen that came in from outside: money, not given goods."""
    rows = FundEntry.objects.filter(place=place, code="deposit", credit="cash")
    months = rows.annotate(month=TruncMonth("at", tzinfo=SHANGHAI)).values_list("month")
    return {f"{month:%Y-%m}": fen for month, fen in months.annotate(sum=Sum("fen")).order_by()}


def _months(flows: list[Flow], came: dict[str, int]) -> list[Month]:
    """The last twelve months, each with what was out when it ended."""
    end = today()
    start = date(end.year - 1, end.month, 1)
    start = date(start.year + start.month // 12, start.month % 12 + 1, 1)
    by_month = {flow.month: flow for flow in flows}
    first = f"{start:%Y-%m}"
    held = sum(flow.growth for flow in flows if flow.month < first)
    found = []
    for period in periods_between(start, end, "month"):
        flow = by_month.get(period.code, Flow(period.code))
        held += flow.growth
        found.append(Month(period.code, period.title, flow, came.get(period.code, 0), held))
    return found


def _owners(place: str) -> list[list[UUID]]:
    """For every open household its purses: its own, and its people's where the book is by person."""
    owners: dict[UUID, list[UUID]] = {
        key: [key]
        for key in Household.objects.filter(place=place, status__in=Household.OPEN).values_list(
            "pk", flat=True
        )
    }
    people = Resident.objects.filter(place=place, status__in=LIVE, household__in=list(owners))
    for person, home in people.values_list("pk", "household_id"):
        owners[home].append(person)
    return list(owners.values())
