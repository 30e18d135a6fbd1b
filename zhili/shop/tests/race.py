"""The shop from many real processes at once: `python -m zhili.shop.tests.race` with ZHILI_DATABASE set; prints JSON.

Five processes of ten connections each are fifty counters; they start each round at the same moment (C-01, C-02, C-07).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
SCOPE = "511702"
fork = multiprocessing.get_context("fork")
Job = Callable[[], Any]


def together(rounds: Sequence[Sequence[Job]], processes: int = 5) -> list[list[Any]]:
    """Every round's jobs at once, each on a connection of its own; round after round on the same connections.

    A refusal in words becomes {"refused": kind, "text"}, anything else {"error": kind, "text"}.
    """
    from django.db import connections

    connections.close_all()
    width = len(rounds[0])
    barrier = fork.Barrier(width)
    answers = fork.SimpleQueue()

    def stand(n: int) -> None:
        from zhili.common.errors import ZhiliError

        for number, jobs in enumerate(rounds):
            barrier.wait(60)
            try:
                answer = jobs[n]()
            except ZhiliError as error:
                answer = {"refused": type(error).__name__, "text": str(error)}
            except BaseException as error:
                answer = {"error": type(error).__name__, "text": traceback.format_exc()[-600:]}
            answers.put((number, n, answer))
        connections.close_all()

    def process(first: int) -> None:
        threads = [threading.Thread(target=stand, args=(n,)) for n in range(first, width, processes)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        os._exit(0)

    workers = [fork.Process(target=process, args=(first,)) for first in range(min(processes, width))]
    for worker in workers:
        worker.start()
    found: list[list[Any]] = [[None] * width for _ in rounds]
    for _ in range(width * len(rounds)):
        number, n, answer = answers.get()
        found[number][n] = answer
    for worker in workers:
        worker.join(30)
    return found


def doing(username: str, deed: Callable[..., Any]) -> Any:
    """`deed(by)` as one request of this person: its scope, its three seconds of waiting, its end."""
    from tests.simulator.perform import person

    with person(username) as user:
        return deed(user)


def village() -> SimpleNamespace:
    """The cast, a shop, a second shop beside it, fifty households with 500 points each."""
    from tests.books import PLAIN_BOOK, make_book
    from tests.cast import make_cast
    from zhili.common.ids import uuid7
    from zhili.common.periods import period_of, today
    from zhili.common.scope import scoped
    from zhili.ledger import actions as ledger
    from zhili.ledger import entries
    from zhili.people.models import Household
    from zhili.shop import actions
    from zhili.shop.tests.stage import open_for

    with scoped(SCOPE):
        cast = make_cast()
        cast.book = make_book(cast, PLAIN_BOOK)
        made = open_for(cast, points=0)
        made.homes = [
            Household.objects.create(
                place=cast.place, code=f"9{n:03d}", group="9组", opened_on=date(2020, 1, 1)
            )
            for n in range(50)
        ]
        cause = {"rule": "r", "rule_version": 1, "item": "HJ01", "claim": "c", "evidence": [], "reviewers": [],
                 "actor": cast.clerk.pk, "channel": "counter", "number": "A-1"}  # fmt: skip
        news = [one for home in made.homes
                for one in entries.award(uuid7(), home.pk, 50_000, ["merit", "spend"], today(), cause)]  # fmt: skip
        ledger.post(news, place=cast.place, by=cast.clerk, period=period_of(today(), "month").code)
        made.second = actions.open_shop(by=cast.clerk, place=cast.place, title="第二超市（演示）")
        actions.deposit(by=cast.clerk, fund=made.fund, fen=5_000_000, source="财政", paper="收-2")
    return made


def goods(made: SimpleNamespace, shop: Any, prefix: str, count: int, stock: int, points: int) -> list[Any]:
    """`count` new goods on a shop's shelf, codes running against their keys."""
    from zhili.common.periods import period_of, today
    from zhili.common.scope import scoped
    from zhili.shop import actions
    from zhili.shop.models import PriceList

    cast = made.cast
    with scoped(SCOPE):
        found = [
            actions.add_good(
                by=cast.clerk, shop=shop, code=f"{prefix}{count - n:03d}", title=f"{prefix}物品{n}"
            )
            for n in range(count)
        ]
        for good in found:
            actions.stock_in(
                by=cast.clerk, good=good, quantity=stock, fen=100 * stock, fund=made.fund, paper="进-9"
            )
        prices = {good.pk: points for good in found}
        rows = PriceList.objects.filter(shop=shop)
        if rows:
            actions.add_prices(by=cast.clerk, price_list=rows[0], points=prices)
        else:
            month = period_of(today(), "month").code
            actions.publish_prices(by=cast.clerk, shop=shop, period=month, points=prices)
    return found


def bought(made: SimpleNamespace, home: Any, good: Any, shop: Any = None, key: Any = None) -> Job:
    from zhili.common.ids import uuid7
    from zhili.shop import actions

    key = key or uuid7()
    return lambda: doing("shopkeeper", lambda by: actions.redeem(
        by=by, id=key, shop=shop or made.shop, household=home, wanted=[actions.Wanted(good.pk, 1)]).number)  # fmt: skip


def said(answers: Sequence[Any]) -> dict[str, Any]:
    """How many went through, what the others heard."""
    return {
        "done": sum(not isinstance(one, dict) for one in answers),
        "refused": Counter(one["text"] for one in answers if isinstance(one, dict) and "refused" in one),
        "errors": [one for one in answers if isinstance(one, dict) and "error" in one],
    }


def purses(made: SimpleNamespace, homes: Sequence[Any]) -> list[tuple[int, int]]:
    from zhili.common.scope import scoped
    from zhili.ledger.queries import balances

    with scoped(SCOPE):
        held = balances(made.place, [home.pk for home in homes])
        return [(held[home.pk, "spend"].balance, held[home.pk, "spend"].available) for home in homes]


def last_item(made: SimpleNamespace) -> dict[str, Any]:
    """Fifty households, one piece, twenty times over."""
    from zhili.common.scope import scoped
    from zhili.shop.models import Good

    shelf = goods(made, made.shop, "L", 20, 1, 100)
    before = sum(balance for balance, _ in purses(made, made.homes))
    rounds = together([[bought(made, home, good) for home in made.homes] for good in shelf])
    after = sum(balance for balance, _ in purses(made, made.homes))
    with scoped(SCOPE):
        left = list(Good.objects.filter(pk__in=[good.pk for good in shelf]).values_list("stock", "reserved"))
    return {"rounds": [said(one) for one in rounds], "charged": before - after, "left": left}


def two_shops(made: SimpleNamespace) -> dict[str, Any]:
    """A household's last points at two counters at once, twenty households."""
    here, there = (
        goods(made, made.shop, "T", 1, 40, 40_000)[0],
        goods(made, made.second, "U", 1, 40, 40_000)[0],
    )
    homes = made.homes[:20]
    from dataclasses import replace

    from zhili.common.ids import uuid7
    from zhili.shop import actions

    def job(home: Any, good: Any, shop: Any, second: str) -> Job:
        from zhili.people.models import User

        key = uuid7()

        def deed(by: Any) -> int:
            proof = replace(actions.Visit(), proof=actions.Proof(second=User.objects.get(username=second)))
            return actions.redeem(by=by, id=key, shop=shop, household=home, visit=proof,
                                  wanted=[actions.Wanted(good.pk, 1)]).number  # fmt: skip

        return lambda: doing("shopkeeper" if second == "clerk" else "clerk", deed)

    rounds = together([[job(home, here, made.shop, "clerk"), job(home, there, made.second, "shopkeeper")]
                       for home in homes])  # fmt: skip
    return {"rounds": [said(one) for one in rounds], "purses": purses(made, homes)}


def same_key(made: SimpleNamespace) -> list[list[Any]]:
    """One request that eight processes deliver at the same moment, five times; the fifth takes the last piece."""
    from zhili.common.ids import uuid7

    good = goods(made, made.shop, "S", 1, 5, 100)[0]
    return together(
        [[bought(made, made.homes[30], good, key=key)] * 8 for key in (uuid7() for _ in range(5))]
    )


def ordered(made: SimpleNamespace, homes: Sequence[Any], good: Any) -> list[Any]:
    from zhili.common.ids import uuid7
    from zhili.common.scope import scoped
    from zhili.shop import actions

    with scoped(SCOPE):
        return [
            actions.reserve(by=made.cast.clerk, id=uuid7(), shop=made.shop, household=home,
                            wanted=[actions.Wanted(good.pk, 1)]) for home in homes
        ]  # fmt: skip


def one_outcome(made: SimpleNamespace) -> list[dict[str, Any]]:
    """Twice handed over, cancelled and expired at once, one order after the other."""
    from zhili.common.scope import scoped
    from zhili.shop import actions
    from zhili.shop.models import Order
    from zhili.shop.tests.stage import later

    good = goods(made, made.shop, "O", 1, 50, 100)[0]
    orders = ordered(made, made.homes[:20], good)
    before = purses(made, made.homes[:20])

    def hand(order: Any) -> Job:
        return lambda: doing("shopkeeper", lambda by: actions.hand_over(by=by, order=order).status)

    def off(order: Any) -> Job:
        return lambda: doing("clerk", lambda by: actions.cancel(by=by, order=order, reason="x").status)

    late = lambda: doing("clerk", lambda by: actions.expire_orders(made.place, on=later(60)))  # noqa: E731
    rounds = together([[hand(order), off(order), hand(order), off(order)] for order in orders[:-1]]
                      + [[hand(orders[-1]), late, off(orders[-1]), late]])  # fmt: skip
    after = purses(made, made.homes[:20])
    with scoped(SCOPE):
        rows = {one.pk: one for one in Order.objects.filter(pk__in=[order.pk for order in orders])}
        moves = [rows[order.pk].moves.count() for order in orders]
    return [
        {"status": rows[order.pk].status, "moves": moves[n], "answers": rounds[n],
         "paid": before[n][0] - after[n][0], "held": after[n][0] - after[n][1]} for n, order in enumerate(orders)
    ]  # fmt: skip


def expiry(made: SimpleNamespace) -> dict[str, Any]:
    """Thirty orders nobody came for; the job runs in six processes at once, and once more."""
    from zhili.common.scope import scoped
    from zhili.shop import actions
    from zhili.shop.models import Good
    from zhili.shop.tests.stage import later

    good = goods(made, made.shop, "E", 1, 30, 100)[0]
    before = purses(made, made.homes[20:])
    ordered(made, made.homes[20:], good)
    job = lambda: doing("clerk", lambda by: actions.expire_orders(made.place, on=later(60)))  # noqa: E731
    first, again = together([[job] * 6, [job] * 6], processes=6)
    with scoped(SCOPE):
        row = Good.objects.get(pk=good.pk)
        return {"first": first, "again": again, "shelf": [row.stock, row.reserved],
                "same_purses": purses(made, made.homes[20:]) == before}  # fmt: skip


def at_counter(by: Any, made: SimpleNamespace, kind: str, some: list[Any], home: Any) -> str:
    """Order, redeem, hand over or cancel; three goods in whatever order."""
    from zhili.common.ids import uuid7
    from zhili.shop import actions
    from zhili.shop.models import Order

    if kind in ("reserve", "redeem"):
        act = actions.reserve if kind == "reserve" else actions.redeem
        wanted = [actions.Wanted(good.pk, 1) for good in some]
        return str(act(by=by, id=uuid7(), shop=made.shop, household=home, wanted=wanted).status)
    order = Order.objects.filter(shop=made.shop, status="reserved").order_by("?").first()
    if order is None:
        return "nothing"
    if kind == "hand":
        return str(actions.hand_over(by=by, order=order).status)
    return str(actions.cancel(by=by, order=order, reason="不要了").status)


def at_shelf(by: Any, made: SimpleNamespace, kind: str, some: list[Any], less: int) -> str:
    """Deliver, be given, count, take money in, expire, take something back."""
    from zhili.shop import actions
    from zhili.shop.models import Good, Order
    from zhili.shop.tests.stage import later

    if kind in ("in", "gift"):
        given = "村民" if kind == "gift" else ""
        actions.stock_in(
            by=by, good=some[0], quantity=1, fen=100, fund=made.fund, paper="进", donated_by=given
        )
        return kind
    if kind == "deposit":
        return actions.deposit(by=by, fund=made.fund, fen=100, source="捐赠", paper="收-9").code
    if kind == "count":
        rows = Good.objects.filter(pk__in=[good.pk for good in some])
        found = [actions.Counted(good, good.stock - less, "破损") for good in rows]
        return str(actions.ask_count(by=by, shop=made.shop, counted=found).status)
    if kind == "expire":
        actions.expire_orders(made.place, on=later(60))
        return kind
    order = Order.objects.filter(shop=made.shop, status="handed_over").order_by("?").first()
    line = None if order is None else order.lines.first()
    if order is None or line is None:
        return "nothing"
    return actions.take_back(by=by, order=order, line=line, quantity=1, reason="坏的").kind


def sign(by: Any, made: SimpleNamespace) -> str:
    """The count that waits: agreed to, or refused where the shelf moved since."""
    from zhili.shop import actions
    from zhili.shop.errors import ShopError
    from zhili.shop.models import StockCount

    count = StockCount.objects.filter(shop=made.shop, status="waiting").first()
    if count is None:
        return "nothing"
    try:
        return str(actions.sign_count(by=by, count=count, agree=True).status)
    except ShopError:
        return str(actions.sign_count(by=by, count=count, agree=False).status)


COUNTER = ("reserve", "reserve", "reserve", "redeem", "redeem", "hand", "cancel")
SHELF = ("in", "gift", "deposit", "count", "expire", "back")


def opposed(made: SimpleNamespace, deeds: int = 1_000, counters: int = 10) -> dict[str, Any]:
    """A thousand requests that take the same goods and the same money in opposite orders."""
    shelf = goods(made, made.shop, "X", 6, 3_000, 10)

    def deed(seed: int) -> Any:
        chance = random.Random(seed)
        some, home = chance.sample(shelf, 3), chance.choice(made.homes[40:])
        kind = chance.choice((*COUNTER * 3, *SHELF, *SHELF, "sign"))
        if kind == "sign":
            return doing("supervisor", lambda by: sign(by, made))
        if kind in COUNTER:
            return doing("clerk", lambda by: at_counter(by, made, kind, some, home))
        return doing("clerk", lambda by: at_shelf(by, made, kind, some, chance.randint(0, 1)))

    rounds = together([[lambda seed=n * counters + k: deed(seed) for k in range(counters)]
                       for n in range(deeds // counters)])  # fmt: skip
    flat = [one for answers in rounds for one in answers]
    return {"asked": len(flat), "answers": Counter(one for one in flat if isinstance(one, str)), **said(flat)}


BOOKS = {
    "stock is the moves": """SELECT g.id FROM shop_good g LEFT JOIN shop_stockmove m ON m.good_id = g.id GROUP BY g.id
        HAVING g.stock <> coalesce(sum(m.quantity), 0) OR g.stock < 0 OR g.reserved < 0""",
    "reserved is what waits": """SELECT g.id FROM shop_good g LEFT JOIN
        (SELECT l.good_id, sum(l.quantity) AS n FROM shop_orderline l JOIN shop_order o ON o.id = l.order_id
          WHERE o.status = 'reserved' GROUP BY 1) w ON w.good_id = g.id WHERE g.reserved <> coalesce(w.n, 0)""",
    "money is the entries": """SELECT a.kind FROM shop_fundaccount a LEFT JOIN shop_fundentry e ON e.place = a.place
          AND a.kind IN (e.credit, e.debit) AND (a.fund_id IS NULL OR e.fund_id = a.fund_id)
        GROUP BY a.id HAVING a.credits <> coalesce(sum(e.fen) FILTER (WHERE e.credit = a.kind), 0)
            OR a.debits <> coalesce(sum(e.fen) FILTER (WHERE e.debit = a.kind), 0)""",
    "points redeemed are the orders": """SELECT 1 WHERE
        (SELECT coalesce(sum(points), 0) FROM shop_order WHERE status = 'handed_over') <>
        (SELECT coalesce(sum(credits - debits), 0) FROM ledger_account WHERE kind = 'redeemed')""",
    "nobody is below zero": """SELECT id FROM ledger_account
        WHERE kind = 'holder' AND purse = 'spend' AND credits - debits - reserved < 0""",
}


def books(made: SimpleNamespace) -> dict[str, Any]:
    """What must hold at the end, and how often PostgreSQL had to break a deadlock in this database."""
    from django.db import connection

    from zhili.common.scope import scoped
    from zhili.ledger.verify import verify

    with scoped(SCOPE), connection.cursor() as cursor:
        wrong = []
        for name, statement in BOOKS.items():
            cursor.execute(statement)
            wrong += [name] if cursor.fetchall() else []
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return {"wrong": wrong, "deadlocks": cursor.fetchone()[0], "verified": verify([made.place]).ok}


def waited(made: SimpleNamespace) -> dict[str, Any]:
    """Somebody else keeps a good locked while a counter wants it."""
    from zhili.common.scope import scoped
    from zhili.config import embedded
    from zhili.shop.models import Order

    good = goods(made, made.shop, "W", 1, 5, 100)[0]
    job = bought(made, made.homes[45], good)
    with embedded.logins()["owner"].connect(os.environ["ZHILI_DATABASE"]) as other:
        other.autocommit = False
        other.execute("SELECT set_config('zhili.scope', '*', false)")
        other.execute("SELECT 1 FROM shop_good WHERE id = %s FOR UPDATE", [good.pk])
        started = time.monotonic()
        answer = together([[job]])[0][0]
        seconds = time.monotonic() - started
        other.rollback()
    with scoped(SCOPE):
        left = Order.objects.filter(lines__good=good).count()
    return {**answer, "seconds": seconds, "left_behind": left, "then": together([[job]])[0][0]}


def main() -> None:

    import django

    django.setup()
    made = village()
    from zhili.shop.tests.race_money import money

    found: dict[str, Any] = {}
    for part in (last_item, two_shops, same_key, one_outcome, expiry, money, opposed, waited, books):
        started = time.monotonic()
        found[part.__name__] = part(made)
        found.setdefault("seconds", {})[part.__name__] = round(time.monotonic() - started, 1)
    print(json.dumps(found, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
