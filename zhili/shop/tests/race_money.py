"""The shop's money from many processes at once: one deposit tapped ten times, one debt paid by ten, one job by six hosts."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from zhili.shop.tests.race import SCOPE, doing, together


def money(made: SimpleNamespace) -> dict[str, Any]:
    """Ten processes with the same deposit; ten with a payment of their own for the same 20 yuan; six schedulers."""
    from zhili.common.ids import uuid7
    from zhili.common.scope import scoped
    from zhili.shop import actions
    from zhili.shop.models import FundEntry
    from zhili.shop.settling import owed_to_shops

    key = uuid7()

    def deposit(by: Any) -> str:
        return str(
            actions.deposit(by=by, fund=made.fund, fen=12_345, source="捐赠", paper="收-77", id=key).pk
        )

    partner = doing(
        "clerk", lambda by: actions.open_shop(by=by, place=made.place, title="演示商店", kind="partner")
    )
    doing("shopkeeper", lambda by: actions.redeem(by=by, id=uuid7(), shop=partner, household=made.homes[0],
                                                  wanted=[actions.Wanted(None, 1, 2_000, "食用油")]).pk)  # fmt: skip

    def pay(paid: Any) -> Any:
        return lambda: doing("clerk", lambda by: actions.settle_shop(
            by=by, fund=made.fund, shop=partner, fen=2_000, paper="付-77", id=paid).fen)  # fmt: skip

    deposits = [lambda: doing("clerk", deposit)] * 10
    booked, paid = together([deposits, [pay(uuid7()) for _ in range(10)]], processes=5)
    job = schedulers(made)
    with scoped(SCOPE):
        return {
            "booked": booked, "paid": paid, "entries": FundEntry.objects.filter(paper="收-77").count(),
            "payments": FundEntry.objects.filter(paper="付-77").count(),
            "open": [one.open for one in owed_to_shops(made.place)], "job": job,
        }  # fmt: skip


def schedulers(made: SimpleNamespace) -> list[str]:
    """Six hosts whose clocks strike two at the same moment (C-12)."""
    from zhili.common import daily as jobs

    jobs.load()
    job = jobs.JOBS["shop.expire_orders"]
    return [
        str(one)
        for one in together([[lambda: jobs.run_part(job, date(2030, 1, 1), made.place)] * 6], processes=6)[0]
    ]
