"""The demo village's shop: money in, goods in, three fair days, a counter, orders by phone, counts and monthly books.

Everything by the real actions in the village's own clock, with a chance of its own, so that the rest of the year stays as
it is. Points come from the year's awards; nobody is given any for this.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from zhili.common.errors import ZhiliError
from zhili.common.ids import uuid7
from zhili.common.periods import parse_code, today
from zhili.config.demo.shop_goods import DEAR_FROM_JULY, SUPPLIER, THINGS, VALUE_FEN, picture_of
from zhili.ledger.queries import balances_of_village
from zhili.people.models import Household, User
from zhili.shop import actions
from zhili.shop.models import Fund, Good, Order, PriceList, Shop
from zhili.shop.settling import owed_to_shops

if TYPE_CHECKING:
    from zhili.config.demo.build import Village

PLACE: Final = "511702109200"
QUARTERS: Final = ("2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")
# 23,000 yuan: day, yuan, named source, receipt.
MONEY: Final = [
    (date(2025, 12, 1), 8_000, "集体收益", "收-2025-031"), (date(2026, 2, 3), 6_000, "财政", "川财农〔2026〕11号"),
    (date(2026, 5, 6), 3_000, "捐赠", "收-2026-018"), (date(2026, 8, 4), 2_000, "企业", "收-2026-042"),
    (date(2026, 9, 1), 4_000, "集体收益", "收-2026-047"),
]  # fmt: skip
# day, share of the first list's pieces in per cent.
DELIVERIES: Final = [(date(2025, 12, 3), 60), (date(2026, 5, 8), 55), (date(2026, 9, 8), 65)]
# day, households that come.
FAIRS: Final = [(date(2026, 1, 8), 95), (date(2026, 5, 15), 195), (date(2026, 9, 18), 210)]
NUMBERS: Final = 30
"""Queue numbers written at a fair day; the others come when the queue is short."""


@dataclass
class DemoShop:
    """What the year's deeds share."""

    chance: random.Random
    shop: Shop
    partner: Shop
    fund: Fund
    goods: dict[str, Good] = field(default_factory=dict)
    waiting: list[Order] = field(default_factory=list)

    def price(self, code: str, day: date) -> int:
        dear = DEAR_FROM_JULY.get(code, 0) if day >= date(2026, 7, 1) else 0
        return dear or next(one.points for one in THINGS if one.code == code)


def plan_shop(village: Village) -> None:
    """Write the shop's year into the diary."""
    from zhili.config.demo.build import SEED

    shop = DemoShop(random.Random(f"{SEED} shop"), Shop(), Shop(), Fund())  # noqa: S311
    village.plan(date(2025, 12, 1), 7, found_shop, shop)
    for day, yuan, source, paper in MONEY:
        village.plan(day, 8, money_in, shop, yuan, source, paper)
    for day, share in DELIVERIES:
        village.plan(day, 14, goods_in, shop, share)
    village.plan(date(2026, 4, 20), 14, gift, shop)
    for quarter in QUARTERS:
        start = max(parse_code(quarter).start, date(2025, 12, 2))
        village.plan(start, 8, prices, shop, quarter)
    for day, come in FAIRS:
        village.plan(day - timedelta(days=10), 10, fair, shop, day, come)
    for month in range(2, 11):
        for n in range(6):
            village.plan(date(2026, month, 3 + 4 * n), 15, counter, shop)
            village.plan(date(2026, month, 2 + 4 * n), 12, orders, shop)
            village.plan(date(2026, month, 5 + 4 * n), 16, collect, shop)
        village.plan(date(2026, month, 17), 10, at_partner, shop)
    for n in range(40):
        village.plan(date(2026, 2, 1) + timedelta(days=7 * n), 2, give_back)
    village.plan(date(2026, 4, 1), 9, poll, shop)
    village.plan(date(2026, 6, 29), 17, count, shop)
    village.plan(date(2026, 10, 20), 10, settle, shop)
    for month in range(12, 23):
        village.plan(date(2026 + month // 12 - 1, month % 12 + 1, 6), 11, month_s_books, month)


def found_shop(village: Village, shop: DemoShop) -> None:
    clerk, keeper = village.fresh("clerk"), village.fresh("shop")
    actions.change_settings(by=clerk, place=PLACE, resolution="2025年第4次村民代表会议（演示）", value_fen=VALUE_FEN,
                            cap_points=1_000)  # fmt: skip
    shop.shop = actions.open_shop(by=clerk, place=PLACE, title="谭家沟幸福超市（演示）", address="村委会一楼",
                                  hours="周一至周五 14:00—17:00")  # fmt: skip
    shop.partner = actions.open_shop(by=clerk, place=PLACE, title="谭家沟理发店（演示）", kind=Shop.Kind.PARTNER,
                                     address="二组路口")  # fmt: skip
    shop.fund = actions.open_fund(by=clerk, place=PLACE, title="2026年积分兑换资金（演示）",
                                  basis="2025年第4次村民代表会议（演示）")  # fmt: skip
    for one in THINGS:
        good = actions.add_good(by=keeper, shop=shop.shop, code=one.code, title=one.title, category=one.category,
                                unit=one.unit, limit_count=one.limit)  # fmt: skip
        shop.goods[one.code] = good
    for one in THINGS[:12:2]:
        actions.set_picture(by=keeper, good=shop.goods[one.code], data=picture_of(one))
    village.counts["shop_goods"] += len(shop.goods)


def money_in(village: Village, shop: DemoShop, yuan: int, source: str, paper: str) -> None:
    actions.deposit(
        by=village.fresh("clerk"), fund=shop.fund, fen=yuan * 100, source=source, paper=f"{paper}（演示）"
    )
    village.counts["shop_fund_yuan"] += yuan


def goods_in(village: Village, shop: DemoShop, share: int) -> None:
    keeper = village.fresh("shop")
    supplier = actions.add_supplier(by=keeper, place=PLACE, title=SUPPLIER)
    lines = []
    for one in THINGS:
        pieces = max(1, one.count * share // 100)
        dear = 106 if one.code in DEAR_FROM_JULY and today() >= date(2026, 7, 1) else 100
        lines.append(actions.Arrived(shop.goods[one.code], pieces, pieces * one.fen * dear // 100))
    actions.take_delivery(by=keeper, lines=lines, fund=shop.fund, id=uuid7(), supplier=supplier,
                          paper=f"进-{today():%m%d}（演示）")  # fmt: skip
    village.counts["shop_deliveries"] += 1


def gift(village: Village, shop: DemoShop) -> None:
    """A company brings towels instead of money."""
    actions.take_delivery(
        by=village.fresh("shop"), lines=[actions.Arrived(shop.goods["A06"], 30, 30 * 580)], fund=shop.fund,
        id=uuid7(), donated_by="川东洗护公司（演示）", paper="捐-1（演示）",
    )  # fmt: skip
    village.counts["shop_deliveries"] += 1


def prices(village: Village, shop: DemoShop, quarter: str) -> None:
    day = today()
    points = {good.pk: shop.price(code, day) for code, good in shop.goods.items()}
    actions.publish_prices(by=village.fresh("clerk"), shop=shop.shop, period=quarter, points=points)
    village.counts["price_lists"] += 1


# -- the counter --------------------------------------------------------------------------------------------


def purses() -> dict[UUID, int]:
    """What every household may spend now."""
    return {
        owner: one.available for (owner, purse), one in balances_of_village(PLACE).items() if purse == "spend"
    }


def basket(shop: DemoShop, may_spend: int, most: int) -> list[actions.Wanted]:
    """One to three things somebody with so many points takes home, at today's prices."""
    day, left = today(), min(may_spend, most)
    found: list[actions.Wanted] = []
    for code in shop.chance.sample(sorted(shop.goods), len(shop.goods)):
        price = shop.price(code, day)
        if price <= left and len(found) < 3:
            found.append(actions.Wanted(shop.goods[code].pk, 1, price))
            left -= price
            if shop.chance.random() < 0.35:
                break
    return found


def serve(
    village: Village, shop: DemoShop, home: Household, wanted: Sequence[actions.Wanted], **more: Any
) -> bool:
    """Over the table, with a second person where the amount or 代领 asks for one. False where it was refused in words."""
    keeper: User = more.pop("by")
    total = sum((one.seen_points or 0) * one.quantity for one in wanted)
    proxy = more.pop("collector", None)
    own = keeper.resident is not None and keeper.resident.household_id == home.pk
    second = village.users["clerk"] if total > 1_000 or proxy is not None or own else None
    visit = actions.Visit(collector=proxy, relation="邻居" if proxy else "", fair_day=more.pop("fair_day", None),
                          proof=actions.Proof(second=second))  # fmt: skip
    try:
        actions.redeem(by=keeper, id=uuid7(), household=home, wanted=wanted, visit=visit,
                       shop=more.pop("at", shop.shop), **more)  # fmt: skip
    except ZhiliError:
        village.counts["redemptions_refused"] += 1
        return False
    village.counts["redemptions"] += 1
    village.counts["redemptions_proved"] += second is not None
    village.counts["redemptions_by_proxy"] += proxy is not None
    return True


def with_points(village: Village, least: int) -> tuple[list[Household], dict[UUID, int]]:
    held = purses()
    return [home for home in village.households if held.get(home.pk, 0) >= least], held


def counter(village: Village, shop: DemoShop) -> None:
    """An ordinary afternoon: somebody comes by."""
    homes, held = with_points(village, 250)
    keeper = village.fresh("shop")
    for home in shop.chance.sample(homes, 1):
        most = 1_800 if shop.chance.random() < 0.2 else 900
        if wanted := basket(shop, held[home.pk], most):
            serve(village, shop, home, wanted, by=keeper)


def at_partner(village: Village, shop: DemoShop) -> None:
    """The hairdresser confirms a haircut; the village pays for it later."""
    homes, _ = with_points(village, 300)
    (home,) = shop.chance.sample(homes, 1)
    wanted = [actions.Wanted(None, 1, 300, "理发一次")]
    if serve(village, shop, home, wanted, by=village.fresh("clerk"), at=shop.partner):
        village.counts["redemptions_at_partner"] += 1


def settle(village: Village, shop: DemoShop) -> None:
    for owed in owed_to_shops(PLACE):
        if owed.open:
            actions.settle_shop(by=village.fresh("clerk"), fund=shop.fund, shop=owed.shop, fen=owed.open,
                                paper="付-1（演示）", id=uuid7())  # fmt: skip
            village.counts["partner_settlements"] += 1


# -- fair days ----------------------------------------------------------------------------------------------


def fair(village: Village, shop: DemoShop, day: date, come: int) -> None:
    """Announced ten days before; opened at eight, closed at five."""
    made = actions.plan_fair_day(
        by=village.fresh("clerk"), shop=shop.shop, on=day, opens_at=time(8), closes_at=time(17),
        groups=[f"{n}组" for n in range(1, 10)], quota_points=2_000,
    )  # fmt: skip
    village.counts["fair_days"] += 1
    homes: list[Household] = []
    village.plan(day, 8, fair_opens, shop, made, homes, come)
    for part, hour in enumerate((9, 10, 11, 14, 15, 16)):
        village.plan(day, hour, fair_hour, shop, made, homes, part)
    village.plan(day, 17, fair_closes, made)


def fair_opens(village: Village, shop: DemoShop, made: Any, homes: list[Household], come: int) -> None:
    keeper = village.fresh("shop")
    actions.open_fair_day(by=keeper, fair_day=made)
    able, _ = with_points(village, 150)
    homes += sorted(shop.chance.sample(able, min(come, len(able))), key=lambda one: (one.group, one.code))
    for n, home in enumerate(homes[:NUMBERS]):
        ticket = actions.take_number(by=keeper, fair_day=made, household=home)
        if n % 14 == 13:
            actions.pass_over(by=keeper, ticket=ticket)
            village.counts["tickets_passed"] += 1


def fair_hour(village: Village, shop: DemoShop, made: Any, homes: list[Household], part: int) -> None:
    """A sixth of the queue; now and then somebody collects for a neighbour."""
    keeper, held = village.fresh("shop"), purses()
    for n, home in enumerate(homes[part * len(homes) // 6 : (part + 1) * len(homes) // 6]):
        wanted = basket(shop, held.get(home.pk, 0), 1_400 if n % 9 == 4 else 600)
        proxy = None
        if n % 16 == 7:
            proxy = village.heads[homes[(part * 7 + n + 1) % len(homes)].pk]
            proxy = None if proxy.household_id == home.pk else proxy
        if wanted and serve(village, shop, home, wanted, by=keeper, channel=Order.Channel.FAIR, fair_day=made,
                            collector=proxy):  # fmt: skip
            village.counts["redemptions_at_fairs"] += 1


def fair_closes(village: Village, made: Any) -> None:
    actions.close_fair_day(by=village.fresh("shop"), fair_day=made)


# -- orders -------------------------------------------------------------------------------------------------


def orders(village: Village, shop: DemoShop) -> None:
    """Two orders: from a villager's own phone, or called in to the clerk."""
    held = purses()
    for called in (False, True):
        if called:
            able = [home for home in village.households if held.get(home.pk, 0) >= 250]
            by, home = village.fresh("clerk"), shop.chance.choice(able)
        else:
            by = village.fresh(f"villager{shop.chance.randint(1, 24)}")
            assert by.resident is not None
            home = village.heads[by.resident.household_id].household
        wanted = basket(shop, held.get(home.pk, 0), 700)
        if not wanted:
            continue
        try:
            order = actions.reserve(by=by, id=uuid7(), shop=shop.shop, household=home, wanted=wanted)
        except ZhiliError:
            village.counts["orders_refused"] += 1
            continue
        shop.waiting.append(order)
        village.counts["orders"] += 1


def collect(village: Village, shop: DemoShop) -> None:
    """Most come within days; one calls off; one never comes."""
    keeper, rest = village.fresh("shop"), []
    for order in shop.waiting:
        way = shop.chance.random()
        if way < 0.10:
            actions.cancel(by=village.fresh("clerk"), order=order, reason="本户说不要了（演示）")
            village.counts["orders_cancelled"] += 1
        elif way < 0.22:
            rest.append(order)  # stays on the shelf until the job takes it back
        else:
            visit = actions.Visit(proof=actions.Proof(second=village.users["clerk"]))
            actions.hand_over(by=keeper, order=order, visit=visit)
            village.counts["redemptions"] += 1
            village.counts["orders_collected"] += 1
    shop.waiting.clear()


def give_back(village: Village) -> None:
    """The daily job, once a week here."""
    village.counts["orders_expired"] += actions.expire_orders(PLACE)


# -- once in the year ---------------------------------------------------------------------------------------


def poll(village: Village, shop: DemoShop) -> None:
    """Before buying for May: what would people like?"""
    made = actions.open_poll(
        by=village.fresh("clerk"), shop=shop.shop, title="五月进货想换什么", closes_on=date(2026, 4, 15),
        options=["菜籽油", "大米", "洗衣粉", "锄头", "雨伞", "暖水瓶"],
    )  # fmt: skip
    for n in range(1, 25):
        user = village.fresh(f"villager{n}")
        assert user.resident is not None
        chosen = shop.chance.sample([option["code"] for option in made.options], shop.chance.randint(1, 3))
        actions.answer_poll(by=user, poll=made, chosen=chosen,
                            household=village.heads[user.resident.household_id].household)  # fmt: skip
        village.counts["poll_answers"] += 1


def count(village: Village, shop: DemoShop) -> None:
    """Half a year is over: three goods are counted, one packet of noodles is torn; the supervisor signs."""
    rows = Good.objects.filter(shop=shop.shop, code__in=["A01", "B05", "B06"]).order_by("code")
    found = [
        actions.Counted(
            good, good.stock - (good.code == "B05"), "包装破损一份（演示）" if good.code == "B05" else ""
        )
        for good in rows
    ]
    asked = actions.ask_count(by=village.fresh("shop"), shop=shop.shop, counted=found)
    actions.sign_count(by=village.fresh("supervisor1"), count=asked, agree=True, note="现场看过（演示）")
    village.counts["stock_counts"] += 1


def month_s_books(village: Village, month: int) -> None:
    """The month before last month's end is drawn up by the clerk and signed by the supervisor."""
    last = today().replace(day=1) - timedelta(days=1)
    made = actions.make_reconciliation(by=village.fresh("clerk"), place=PLACE, month=f"{last:%Y-%m}")
    actions.sign_reconciliation(by=village.fresh("supervisor1"), reconciliation=made)
    village.counts["reconciliations"] += 1
    village.counts["reconciliations_matching"] += made.matches


def leave_a_shop_for_today(village: Village) -> None:
    """On the real clock: prices in force and a fair day ahead. Nothing is posted."""
    day = today()
    shop = Shop.objects.filter(place=PLACE, kind=Shop.Kind.OWN).order_by("title").first()
    assert shop is not None
    clerk = village.fresh("clerk")
    if not PriceList.objects.filter(shop=shop, starts__lte=day, ends__gte=day).exists():
        points = {
            good.pk: next(one.points for one in THINGS if one.code == good.code) for good in shop.goods.all()
        }
        quarter = f"{day.year}-Q{(day.month + 2) // 3}"
        actions.publish_prices(by=clerk, shop=shop, period=quarter, points=points)
    actions.plan_fair_day(by=clerk, shop=shop, on=day + timedelta(days=20), opens_at=time(8), closes_at=time(17),
                          groups=[f"{n}组" for n in range(1, 10)], quota_points=2_000)  # fmt: skip
