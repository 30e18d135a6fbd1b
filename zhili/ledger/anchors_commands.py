"""zhili ledger publish, zhili ledger anchors, zhili ledger mailbox."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add(subparsers: Any) -> None:
    """Add three verbs to `ledger`."""
    room = subparsers.choices["ledger"]
    verbs = next(action for action in room._actions if isinstance(action, argparse._SubParsersAction))
    publish = verbs.add_parser("publish", help="现在就公布今天的账本指纹（平时每天夜里自动公布）")
    publish.add_argument("--json", action="store_true", help="只输出一个 JSON")
    publish.set_defaults(run=run_publish, database=True)
    anchors = verbs.add_parser("anchors", help="列出公布过的指纹，每行一个 JSON，可直接交给 verify --anchors")
    anchors.add_argument("--place", required=True, help="村（社区）、乡镇或区县代码")
    anchors.add_argument("--book", choices=["ledger", "audit"], default="ledger", help="台账或留痕")
    anchors.set_defaults(run=run_anchors, database=True)
    mailbox = verbs.add_parser("mailbox", help="每天收指纹的邮箱")
    mailbox.add_argument("--place", required=True, help="乡镇或区县代码")
    what = mailbox.add_mutually_exclusive_group(required=True)
    what.add_argument("--add", metavar="邮箱")
    what.add_argument("--remove", metavar="邮箱")
    what.add_argument("--list", action="store_true")
    mailbox.set_defaults(run=run_mailbox, database=True)


def run_publish(options: argparse.Namespace) -> int:
    """Publish and send now."""
    from zhili.common.outbox import deliver_due
    from zhili.common.periods import today
    from zhili.common.scope import scoped
    from zhili.ledger.anchors import offices, publish_heads

    counts = {}
    for office in offices():
        with scoped(office):
            counts[office] = publish_heads(office, today())
    sent = deliver_due(1_000)
    if options.json:
        print(json.dumps({"day": str(today()), "published": counts, "outbox": sent}, ensure_ascii=False))
        return 1 if sent["failed"] else 0
    print(f"公布了 {sum(counts.values())} 个指纹，发出 {sent['sent']} 件，等待重发 {sent['again']} 件。")
    if sent["failed"]:
        print(f"有 {sent['failed']} 件没有发出，请看邮件服务器的设置（ZHILI_SMTP）。")
    return 1 if sent["failed"] else 0


def run_anchors(options: argparse.Namespace) -> int:
    """Print what was published, newest first."""
    from zhili.common.scope import scoped
    from zhili.ledger.anchors import anchor_line, published

    with scoped(options.place):
        for row in published(options.place, options.book):
            print(anchor_line(row))
    return 0


def run_mailbox(options: argparse.Namespace) -> int:
    """Register, remove or list mailboxes."""
    from zhili.common.scope import scoped
    from zhili.ledger.anchors import add_mailbox, mailboxes, remove_mailbox

    with scoped(options.place):
        if options.add:
            add_mailbox(options.place, options.add)
            print(f"已登记：每天把 {options.place} 的指纹发到 {options.add}。")
        elif options.remove:
            remove_mailbox(options.place, options.remove)
            print(f"已去掉 {options.remove}。")
        else:
            for address in mailboxes(options.place):
                print(address)
    return 0
