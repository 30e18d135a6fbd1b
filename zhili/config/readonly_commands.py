"""zhili readonly on|off|status: turn the county's system to looking only, and back."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add(subparsers: Any) -> None:
    """Register `zhili readonly`."""
    readonly = subparsers.add_parser("readonly", help="只读：只能看、不能改；磁盘满了也能用")
    readonly.add_argument("turn", choices=("on", "off", "status"), metavar="on|off|status")
    readonly.add_argument("--reason", default="", help="为什么转为只读，网页上会显示")
    readonly.add_argument("--json", action="store_true", help="只输出一个 JSON")
    readonly.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Turn the switch. The database is not needed to turn it on; turning it off takes the kept traces in."""
    import django

    from zhili.common import readonly

    django.setup()
    taken = 0
    if options.turn == "on":
        readonly.switch(on=True, reason=options.reason)
    elif options.turn == "off":
        taken = turn_off()
    now = readonly.state()
    if options.json:
        since = now.since.isoformat() if now.since else None
        print(json.dumps({"on": now.on, "reason": now.reason, "since": since, "traces": taken}))
        return 0
    if now.on:
        print(f"{now.words}。恢复请执行 zhili readonly off。")
    else:
        print("系统可以正常写入。" + (f"只读期间的 {taken} 条留痕已补入。" if taken else ""))
    return 0


def turn_off() -> int:
    """Writing again; first of all the traces kept meanwhile, then that it was off and why."""
    from django.db import transaction

    from zhili.audit.actions import record
    from zhili.audit.deferred import take_in
    from zhili.common import readonly
    from zhili.common.scope import scoped
    from zhili.config.setup import ready
    from zhili.places.models import Place

    was = readonly.state()
    readonly.switch(on=False, reason="")
    ready()
    taken = take_in()
    if was.on:
        with scoped("*"), transaction.atomic():
            county = Place.objects.filter(kind=Place.Kind.COUNTY).values_list("code", flat=True).first()
            if county is not None:
                since = was.since.isoformat() if was.since else ""
                record("config.readonly", by=None, place=county, reason=was.reason, since=since, traces=taken)
    return taken
