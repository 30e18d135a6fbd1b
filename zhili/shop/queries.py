"""Reads of the shop: what is on the shelf at which price, what waits for collection, how money covers points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import QuerySet, Sum

from zhili.common import planned
from zhili.common.periods import today
from zhili.ledger.funding import village_accounts
from zhili.shop.models import FairDay, FundAccount, Good, Order, Price, PriceList, Shop, StockMove
from zhili.shop.money import SPEND, settings_of


@dataclass(frozen=True, slots=True)
class Offer:
    """A good with the price in force. points: hundredths."""

    good: Good
    points: int


def shops_for(place: str) -> QuerySet[Shop]:
    """Every open shop where households of a village may redeem: its own, its partners, the township's."""
    return Shop.objects.filter(place__in=[place, place[:9]], closed_on=None).order_by(
        "-place", "kind", "title"
    )


def shop_for(place: str, id: UUID) -> Shop | None:
    """One of shops_for(), or None."""
    return planned.first(Shop, "id = %s AND place = ANY(%s) AND closed_on IS NULL", [id, [place, place[:9]]])


def price_list_on(shop: Shop, day: date | None = None) -> PriceList | None:
    """The list in force on a day (today), or None."""
    on = day or today()
    return PriceList.objects.filter(shop=shop, starts__lte=on, ends__gte=on).first()


def offers(shop: Shop, day: date | None = None) -> list[Offer]:
    """What may be had today, by category and code. One statement."""
    on = day or today()
    rows = Price.objects.filter(
        price_list__shop=shop, price_list__starts__lte=on, price_list__ends__gte=on, good__active=True
    )
    return [
        Offer(price.good, price.points)
        for price in rows.select_related("good").order_by("good__category", "good__code")
    ]


def find_waiting(shop: Shop, code: str) -> Order | None:
    """An order that waits for collection, by the six digits somebody reads out."""
    rows = Order.objects.select_related("shop", "household")
    return rows.filter(shop=shop, status=Order.Status.RESERVED, pick_up_code=code.strip()).first()


def orders_of(household_id: UUID, limit: int = 50) -> list[Order]:
    """A household's orders with their lines, newest first. Two statements."""
    rows = Order.objects.filter(household=household_id).select_related("shop").prefetch_related("lines")
    return list(rows.order_by("-made_at")[:limit])


def slow_movers(shop: Shop, days: int = 60) -> list[Good]:
    """Goods that lie on the shelf and that nobody took for so many days (G-15)."""
    since = date.fromordinal(today().toordinal() - days)
    moved = StockMove.objects.filter(good__shop=shop, kind="out", on__gte=since).values("good")
    return list(Good.objects.filter(shop=shop, stock__gt=0, added_on__lt=since).exclude(pk__in=moved))


@dataclass(frozen=True, slots=True)
class Cover:
    """Money against points (保障率). cash and goods in fen; outstanding in hundredths of a point; ratio None: no points."""

    cash_fen: int
    goods_fen: int
    outstanding: int
    value_fen: int

    @property
    def money_fen(self) -> int:
        """Cash and goods together."""
        return self.cash_fen + self.goods_fen

    @property
    def owed_fen(self) -> int:
        """What the points that are out would cost at the fixed value, fen, rounded up."""
        return -(-self.outstanding * self.value_fen // 100)

    @property
    def short_fen(self) -> int:
        return max(0, self.owed_fen - self.cash_fen - self.goods_fen)

    @property
    def ratio(self) -> float | None:
        return (self.cash_fen + self.goods_fen) / self.owed_fen if self.owed_fen else None

    @property
    def ratio_percent(self) -> int | None:
        """Whole percent, cut off, so that 99.9 is not yet 100."""
        return 100 * (self.cash_fen + self.goods_fen) // self.owed_fen if self.owed_fen else None


def cover(place: str, *, value_fen: int | None = None) -> Cover:
    """How far the village's money covers its points, now. Three statements."""
    rows = FundAccount.objects.filter(place=place, kind__in=["cash", "goods"]).values("kind")
    sums = {row["kind"]: row["c"] - row["d"] for row in rows.annotate(c=Sum("credits"), d=Sum("debits"))}
    held = village_accounts(place, SPEND)
    value = settings_of(place).value_fen if value_fen is None else value_fen
    return Cover(sums.get("cash", 0), sums.get("goods", 0), held.get("holder", 0), value)


def next_fair_day(place: str, since: date) -> FairDay | None:
    """The next fair day that is planned for a village's households on or after a day; its own or the township's."""
    rows = FairDay.objects.filter(place__in=[place, place[:9]], on__gte=since, status=FairDay.Status.PLANNED)
    return rows.order_by("on", "place").first()


def fair_day_on(place: str, day: date) -> FairDay | None:
    """The fair day of that day, held or not; one that was held before one that was called off."""
    rows = list(FairDay.objects.filter(place__in=[place, place[:9]], on=day))
    rows.sort(key=lambda one: (one.status == FairDay.Status.DROPPED, one.status == FairDay.Status.PLANNED))
    return rows[0] if rows else None
