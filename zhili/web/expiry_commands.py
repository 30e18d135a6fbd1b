"""zhili ledger expire: announce what the rule book lets lapse, and post it on its day."""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import Any

from zhili.common.errors import ZhiliError
from zhili.common.points import format_points


def add(subparsers: Any) -> None:
    """Add `expire` to the verbs of `ledger`; it needs the rule book, which that room does not know."""
    room = subparsers.choices["ledger"]
    verbs = next(action for action in room._actions if isinstance(action, argparse._SubParsersAction))
    expire = verbs.add_parser("expire", help="按细则办理积分到期：先公告，到日子再入账")
    expire.add_argument("--place", required=True, help="村（社区）代码")
    expire.add_argument("--on", type=date.fromisoformat, metavar="DATE", help="到期日，例如 2027-01-10")
    expire.add_argument("--announce", action="store_true", help="今天公告，不入账")
    expire.add_argument("--json", action="store_true", help="只输出一个 JSON")
    expire.set_defaults(run=run_expire, database=True)


def run_expire(options: argparse.Namespace) -> int:
    """Announce or post for every purse of the village that lapses. Exit 1 with a sentence where it may not be yet."""
    from django.db import transaction

    from zhili.common.scope import scoped
    from zhili.places.queries import get_place
    from zhili.web.expiry import announce, lapse, plans

    done: list[dict[str, object]] = []
    with scoped(options.place), transaction.atomic():
        get_place(options.place)
        found = plans(options.place, options.on)
        if options.on is not None:
            found = [plan for plan in found if plan.on == options.on]
        if not found:
            raise ZhiliError("本村施行中的细则里没有这一天会到期的存折。")
        for plan in found:
            row: dict[str, object] = {
                "purse": plan.purse,
                "on": str(plan.on),
                "earned_until": str(plan.earned_until),
            }
            if options.announce:
                said = announce(by=None, place=options.place, plan=plan)
                done.append(row | {"holders": said.holders, "points": format_points(said.points)})
            else:
                done.append(row | {"posted": lapse(by=None, place=options.place, plan=plan)})
    if options.json:
        print(json.dumps(done, ensure_ascii=False))
        return 0
    for plan, told in zip(found, done, strict=True):
        what = (
            f"已公告，{told['holders']} 户共 {told['points']} 分"
            if options.announce
            else f"已入账 {told['posted']} 笔"
        )
        print(f"{plan.title}（{plan.earned_until} 以前得的）{plan.on} 到期：{what}。")
    return 0
