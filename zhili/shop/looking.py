"""Reads of the back office: what is due, what lies on the shelf for too long, what the next price list starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum

from zhili.common.periods import Period, next_period, parse_code, period_of, today
from zhili.notices.queries import Duty
from zhili.places.queries import villages_under
from zhili.shop.models import (
    FairDay,
    Fund,
    FundAccount,
    Good,
    Order,
    Poll,
    Price,
    PriceList,
    Shop,
    StockCount,
    StockMove,
    Supplier,
)

LOW: Final = 3
"""So many free pieces or fewer: nearly out."""
SLOW_DAYS: Final = 60
SOON_DAYS: Final = 7
PERIOD_KINDS: Final = ("month", "quarter", "half_year", "year")


def shops_at(place: str) -> list[Shop]:
    """The shops this desk keeps: those of exactly this village or township, in their order."""
    return list(Shop.objects.filter(place=place).order_by("closed_on", "kind", "title"))


def shops_around(place: str) -> list[Shop]:
    """For a village: the township's shop that serves it. For a township: the shops of its villages."""
    if len(place) == 12:
        return list(Shop.objects.filter(place=place[:9], closed_on=None))
    return list(Shop.objects.filter(place__startswith=place, closed_on=None).exclude(place=place))


@dataclass(frozen=True, slots=True)
class Due:
    """One thing that waits at the desk. url: (name, arguments)."""

    title: str
    text: str
    url: tuple[str, list[Any]]
    label: str
    icon: str
    urgent: bool = False


@dataclass(slots=True)
class ShopState:
    """How one shop stands, for the overview."""

    shop: Shop
    goods: int = 0
    value_fen: int = 0
    low: int = 0
    waiting: int = 0
    slow: int = 0
    list_now: PriceList | None = None
    list_next: PriceList | None = None
    count: StockCount | None = None
    fair: FairDay | None = None
    unpriced: int = 0


def states(shops: Sequence[Shop]) -> list[ShopState]:
    """The overview of several shops in seven statements, whatever their number."""
    day, found = today(), {shop.pk: ShopState(shop) for shop in shops}
    goods = Good.objects.filter(shop__in=found, active=True).values("shop")
    for row in goods.annotate(
        goods=Count("pk"), value=Sum("value_fen"), low=Count("pk", filter=Q(stock__lte=F("reserved") + LOW))
    ):
        one = found[row["shop"]]
        one.goods, one.value_fen, one.low = row["goods"], row["value"] or 0, row["low"]
    for tired in slow_goods(list(shops)).order_by().values("shop").annotate(n=Count("pk")):
        found[tired["shop"]].slow = tired["n"]
    waiting = Order.objects.filter(shop__in=found, status=Order.Status.RESERVED).order_by().values("shop")
    for ordered in waiting.annotate(n=Count("pk")):
        found[ordered["shop"]].waiting = ordered["n"]
    for listed in PriceList.objects.filter(shop__in=found, ends__gte=day).order_by("starts"):
        one = found[listed.shop_id]
        if listed.starts <= day:
            one.list_now = listed
        elif one.list_next is None:
            one.list_next = listed
    for sheet in StockCount.objects.filter(shop__in=found, status=StockCount.Status.WAITING):
        found[sheet.shop_id].count = sheet
    live = [FairDay.Status.PLANNED, FairDay.Status.OPEN]
    for fair in FairDay.objects.filter(shop__in=found, status__in=live, on__gte=day).order_by("-on"):
        found[fair.shop_id].fair = fair
    _count_unpriced(found)
    return list(found.values())


def _count_unpriced(found: dict[UUID, ShopState]) -> None:
    lists = {one.list_now.pk: key for key, one in found.items() if one.list_now is not None}
    priced = Price.objects.filter(price_list__in=lists).values("good")
    rows = Good.objects.filter(shop__in=lists.values(), active=True, stock__gt=0).exclude(pk__in=priced)
    for row in rows.order_by().values("shop").annotate(n=Count("pk")):
        found[row["shop"]].unpriced = row["n"]


def shelf_duties(place: str) -> list[Duty]:
    """For the today page: a sheet that waits, a price list that ends, a fair day that is near. Four statements."""
    day, shops = today(), {shop.pk: shop for shop in Shop.objects.filter(place=place, closed_on=None)}
    if not shops:
        return []
    found = [
        Duty("shop_counts", f"“{shops[key]}”的盘点单等签字，签了库存才改", "监督委员", None, False)
        for key in StockCount.objects.filter(shop__in=shops, status=StockCount.Status.WAITING).values_list(
            "shop", flat=True
        )
    ]
    ends: dict[UUID, date] = {}
    for key, last in PriceList.objects.filter(shop__in=shops, ends__gte=day).values_list("shop", "ends"):
        ends[key] = max(last, ends.get(key, last))
    for key, shop in shops.items():
        if shop.keeps_stock and key in ends and (ends[key] - day).days <= SOON_DAYS:
            found.append(
                Duty("shop_prices", f"“{shop}”的价目表快到期，请公布下一期", "村文书", ends[key], False)
            )
    for fair in FairDay.objects.filter(
        shop__in=shops, status=FairDay.Status.PLANNED, on__lte=day + timedelta(days=3), on__gte=day
    ):
        found.append(Duty("shop_fairs", f"“{shops[fair.shop_id]}”{fair}", "店员、村文书", fair.on, False))
    return found


def due_of(one: ShopState, *, may_stock: bool, may_manage: bool, may_sign: bool) -> list[Due]:
    """What waits in one shop, the pressing first; only what this person can do something about."""
    shop, day, due = one.shop, today(), []
    place = shop.place
    if one.count is not None and (may_sign or may_stock):
        due.append(Due("盘点单等签字", "要第二个人签字，库存才改", ("desk_shop_count", [place, one.count.pk]),
                       "去签字" if may_sign else "看一看", "checklist", urgent=may_sign))  # fmt: skip
    if may_manage and shop.keeps_stock and one.goods:
        if one.list_now is None:
            due.append(
                Due(
                    "现在没有价目表",
                    "没有价目就不能兑换",
                    ("desk_prices_new", [place, shop.pk]),
                    "公布价目",
                    "receipt",
                    True,
                )
            )
        elif one.list_next is None and (one.list_now.ends - day).days <= SOON_DAYS:
            until = f"本期到{one.list_now.ends:%-m月%-d日}"
            due.append(
                Due("下一期还没有价目表", until, ("desk_prices_new", [place, shop.pk]), "去做", "receipt")
            )
        if one.list_now is not None and one.unpriced:
            due.append(Due(f"{one.unpriced} 种在架的货没有价", "补进本期价目表才能兑换",
                           ("desk_price_list", [place, one.list_now.pk]), "补价", "receipt"))  # fmt: skip
    if one.fair is not None and (one.fair.on - day).days <= SOON_DAYS:
        words = "今天" if one.fair.on == day else f"还有 {(one.fair.on - day).days} 天"
        due.append(
            Due(
                f"{one.fair}",
                f"{words}，{one.fair.opens_at:%H:%M} 开始",
                ("desk_fairs", [place]),
                "看安排",
                "calendar",
            )
        )
    if may_stock and one.low:
        due.append(
            Due(
                f"{one.low} 种快没了", f"能兑的只剩 {LOW} 件以内", ("desk_goods", [place]), "看货物", "basket"
            )
        )
    if may_stock and one.slow:
        due.append(
            Due(
                f"{one.slow} 种 {SLOW_DAYS} 天没人换",
                "想想怎么处理，下次少进",
                ("desk_slow", [place]),
                "看滞销",
                "clock",
            )
        )
    return due


def slow_goods(shops: Sequence[Shop], days: int = SLOW_DAYS) -> QuerySet[Good]:
    """Goods that lie on the shelf and that nobody took for so many days, with `last_out` and `came_on` (G-15)."""
    since = today() - timedelta(days=days)
    outs = StockMove.objects.filter(good=OuterRef("pk"), kind="out").order_by("-on")
    ins = StockMove.objects.filter(good=OuterRef("pk"), kind="in").order_by()
    first_in = ins.values("good").annotate(first=Min("on")).values("first")
    rows = Good.objects.filter(shop__in=shops, stock__gt=0).select_related("shop")
    rows = rows.annotate(last_out=Subquery(outs.values("on")[:1]), came_on=Subquery(first_in[:1]))
    return rows.filter(Q(last_out__lt=since) | Q(last_out=None, came_on__lt=since)).order_by(
        "-value_fen", "code"
    )


def with_price(rows: QuerySet[Good]) -> QuerySet[Good]:
    """Goods with `price` of the list in force today (hundredths; None: no price)."""
    day = today()
    now = Price.objects.filter(good=OuterRef("pk"), price_list__starts__lte=day, price_list__ends__gte=day)
    return rows.annotate(price=Subquery(now.values("points")[:1]))


def last_prices(shop: Shop) -> dict[UUID, int]:
    """Good → the newest price it ever had here: what the next list starts from. One statement."""
    rows = (
        Price.objects.filter(price_list__shop=shop)
        .order_by("price_list__starts")
        .values_list("good_id", "points")
    )
    return dict(rows)


def open_periods(shop: Shop) -> list[Period]:
    """Periods a new list may be published for: this one and the next of each kind that overlap no list."""
    day = today()
    taken = list(PriceList.objects.filter(shop=shop, ends__gte=day).values_list("starts", "ends"))
    last = max((ends for _, ends in taken), default=None)
    found: list[Period] = []
    for kind in PERIOD_KINDS:
        first = period_of(day, kind)
        for period in (first, next_period(first)):
            free = all(period.end < starts or period.start > ends for starts, ends in taken)
            if free and (last is None or period.start > last or period.start <= day):
                found.append(period)
    return sorted(found, key=lambda one: (one.start, one.days))


def usual_period(shop: Shop, periods: Sequence[Period]) -> Period | None:
    """The period a clerk most likely means: the next one of the kind this shop had before."""
    before = PriceList.objects.filter(shop=shop).order_by("-starts").first()
    kind = parse_code(before.period).kind if before is not None else "month"
    return next((one for one in periods if one.kind == kind), periods[0] if periods else None)


def price_lists(place: str) -> QuerySet[PriceList]:
    rows = PriceList.objects.filter(shop__place=place).select_related("shop")
    return rows.annotate(goods=Count("prices")).order_by("-starts", "shop__title")


def funds_with_cash(place: str) -> list[tuple[Fund, int]]:
    """Each fund of a place with what it can still pay, fen. Two statements."""
    rows = FundAccount.objects.filter(place=place, kind="cash").exclude(fund=None)
    cash = {row.fund_id: row.balance for row in rows}
    return [
        (fund, cash.get(fund.pk, 0))
        for fund in Fund.objects.filter(place=place).order_by("-opened_on", "title")
    ]


def suppliers_of(place: str) -> QuerySet[Supplier]:
    """With how often and for how much was bought there, and when last."""
    came = StockMove.objects.filter(supplier=OuterRef("pk"), kind="in").order_by().values("supplier")
    return Supplier.objects.filter(place=place).annotate(
        deliveries=Subquery(came.annotate(n=Count("delivery", distinct=True)).values("n")),
        fen=Subquery(came.annotate(n=Sum("fen")).values("n")),
        last=Subquery(came.annotate(n=Max("on")).values("n")),
    )


def polls_of(place: str) -> QuerySet[Poll]:
    rows = Poll.objects.filter(shop__place=place).select_related("shop")
    return rows.annotate(households=Count("answers")).order_by("-opens_on", "-closes_on")


def fairs_to_come(shops: Sequence[Shop]) -> list[FairDay]:
    """Announced days from today on, also the called-off ones: people must learn of both."""
    rows = FairDay.objects.filter(shop__in=shops, on__gte=today()).exclude(status=FairDay.Status.CLOSED)
    return list(rows.order_by("on"))


def shops_below(place: str) -> list[tuple[str, str, int]]:
    """For a township: (village code, name, how many shops) of its villages. Two statements."""
    rows = Shop.objects.filter(place__startswith=place, closed_on=None).exclude(place=place)
    counts = {row["place"]: row["n"] for row in rows.order_by().values("place").annotate(n=Count("pk"))}
    return [(one.code, one.name, counts.get(one.code, 0)) for one in villages_under(place)]
