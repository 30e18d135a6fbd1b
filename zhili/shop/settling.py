"""商户结算 and 按分兑现: what a partner's confirmed orders come to, and what every household gets when the pot is divided.

Read first, confirmed second: the page shows each figure before anything is booked, and what is booked is what was shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum

from zhili.common.masking import mask_name
from zhili.common.money import format_yuan
from zhili.ledger.flows import paid_out
from zhili.ledger.queries import balances_of_village
from zhili.people.models import Household, Resident, User
from zhili.people.queries import head_names
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import Fund, FundEntry, Order, Settings, Shop
from zhili.shop.money import SPEND, pay_partner, settings_of, settle_floating, shares


@dataclass(frozen=True, slots=True)
class Owed:
    """What a village owes a partner's or the township's shop. points: hundredths handed over; fen: at the fixed value."""

    shop: Shop
    orders: int
    points: int
    fen: int
    paid: int

    @property
    def open(self) -> int:
        return max(0, self.fen - self.paid)


def owed_to_shops(place: str) -> list[Owed]:
    """Shops that fill their shelf from another purse than the village's, and what they handed out for its points.

    Points taken back in the ledger no longer count. Four statements.
    """
    shops = list(
        Shop.objects.filter(place__in=[place, place[:9]]).exclude(kind=Shop.Kind.OWN).order_by("title")
    )
    done = Order.objects.filter(place=place, shop__in=shops, status=Order.Status.HANDED_OVER)
    sums = {
        row["shop"]: row
        for row in done.values("shop").annotate(sum=Sum("points"), count=Count("pk")).order_by()
    }
    payments = FundEntry.objects.filter(place=place, code="settle", shop__in=shops)
    paid = dict(payments.values_list("shop").annotate(fen=Sum("fen")).order_by())
    value = settings_of(place).value_fen
    found = []
    for shop in shops:
        row = sums.get(shop.pk, {"sum": 0, "count": 0})
        fen = row["sum"] * value // 100
        found.append(Owed(shop, row["count"], row["sum"], fen, paid.get(shop.pk, 0)))
    return found


def settle_shop(*, by: User, fund: Fund, shop: Shop, fen: int, paper: str, id: UUID) -> FundEntry:
    """Pay a shop what its confirmed orders come to, or a part of it; never more. Same id again: the same entry.

    Raises NotAllowed, ShopError, Conflict.
    """
    with transaction.atomic():
        Fund.objects.select_for_update(no_key=True).filter(place=fund.place).order_by("pk").first()
        if not FundEntry.objects.filter(pk=id).exists():
            owed = next((one for one in owed_to_shops(fund.place) if one.shop.pk == shop.pk), None)
            if owed is None:
                raise ShopError("这家超市不用结算", field="shop", hint="只有合作商户和乡镇办的超市要结算。")
            if fen > owed.open:
                raise ShopError(
                    f"“{shop}”现在只应付 {format_yuan(owed.open)} 元", field="fen",
                    hint=f"已领走的兑换单共 {format_yuan(owed.fen)} 元，已付 {format_yuan(owed.paid)} 元。", word="too_much",
                )  # fmt: skip
        return pay_partner(by=by, fund=fund, fen=fen, paper=paper, shop=shop, id=id)


@dataclass(frozen=True, slots=True)
class Share:
    """One line of the list that is signed when money is handed out. name: masked."""

    owner: UUID
    group: str
    code: str
    name: str
    points: int
    fen: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A floating settlement before it is booked. seen: names exactly these points, so that nothing else is confirmed."""

    fen: int
    points: int
    lines: list[Share]
    seen: str

    @property
    def value_fen(self) -> str:
        """Yuan for one point, four decimals, cut off."""
        if not self.points:
            return "0"
        return f"{self.fen * 10_000 // self.points // 10_000}.{self.fen * 10_000 // self.points % 10_000:04d}"


def preview_floating(place: str, fen: int) -> Preview:
    """Who would get what if `fen` were divided now; the lines sum to it. Four statements. Raises ShopError."""
    if settings_of(place).mode != Settings.Mode.FLOATING:
        raise ShopError("本村是固定分值，不按资金除以积分结算", hint="要改计价方式，请先由村里决议。")
    held = {
        owner: one.available
        for (owner, purse), one in balances_of_village(place).items()
        if purse == SPEND and one.available > 0
    }
    given = shares(fen, held)
    facts = [(owner, held[owner], given[owner]) for owner in sorted(held)]
    return Preview(fen, sum(held.values()), _named(place, facts), _seen(facts))


def confirm_floating(*, by: User, fund: Fund, fen: int, paper: str, id: UUID, seen: str) -> FundEntry:
    """Book exactly what the preview showed. Raises Conflict where points moved meanwhile, ShopError, NotAllowed."""
    with transaction.atomic():
        Fund.objects.select_for_update(no_key=True).get(pk=fund.pk)
        known = FundEntry.objects.filter(pk=id).first()
        if known is not None:
            return known
        if preview_floating(fund.place, fen).seen != seen:
            raise Conflict(
                "积分刚有变动，名单和刚才看到的不一样了", hint="请再看一遍，再确认。", word="moved"
            )
        settle_floating(by=by, fund=fund, fen=fen, paper=paper, id=id)
        return FundEntry.objects.get(pk=id)


def settlement_list(entry: FundEntry) -> list[Share]:
    """The lines of a settlement that was booked, by group and household. Three statements."""
    return _named(entry.place, paid_out(entry.place, entry.pk))


def _seen(facts: Sequence[tuple[UUID, int, int]]) -> str:
    return hashlib.sha256("|".join(f"{o}:{p}:{f}" for o, p, f in facts).encode()).hexdigest()[:32]


def _named(place: str, facts: Sequence[tuple[UUID, int, int]]) -> list[Share]:
    """Owners are households, or people where the rule book is by person."""
    keys = [owner for owner, _, _ in facts]
    homes = {one.pk: one for one in Household.objects.filter(place=place, pk__in=keys)}
    people = {
        one.pk: one for one in Resident.objects.filter(place=place, pk__in=keys).select_related("household")
    }
    heads = head_names(place, list(homes))
    lines = []
    for owner, points, fen in facts:
        person = people.get(owner)
        home = homes.get(owner) or (person.household if person is not None else None)
        name = person.name if person is not None else heads.get(owner, "")
        lines.append(
            Share(owner, home.group if home else "", home.code if home else "", mask_name(name), points, fen)
        )
    return sorted(lines, key=lambda one: (len(one.group), one.group, one.code, one.name, str(one.owner)))
