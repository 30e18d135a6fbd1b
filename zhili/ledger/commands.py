"""zhili ledger verify, zhili ledger export, zhili ledger import."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Register this room's sub-commands."""
    ledger = subparsers.add_parser("ledger", help="核对或导出台账")
    verbs = ledger.add_subparsers(dest="verb", required=True, metavar="动作")
    verify = verbs.add_parser("verify", help="重新计算每一条流水、余额和账本指纹")
    verify.add_argument("--place", action="append", help="只核对这个村（可写多次）")
    verify.add_argument("--anchors", type=Path, help="以前公布的账本指纹，每行一个 JSON：place、seq、head")
    verify.add_argument("--jobs", type=int, default=1, help="用几个进程，按村分（默认 1）")
    verify.add_argument("--alarm", action="store_true", help="发现不对的村，停止记账并报警")
    verify.add_argument("--json", action="store_true", help="只输出一个 JSON")
    verify.set_defaults(run=run_verify, database=True)
    export = verbs.add_parser("export", help="导出为 CSV 和 beancount 文本")
    export.add_argument("--place", required=True, help="村（社区）代码")
    export.add_argument("--out", required=True, type=Path, help="一个新的文件夹")
    export.add_argument("--json", action="store_true", help="只输出一个 JSON")
    export.set_defaults(run=run_export, database=True)
    take = verbs.add_parser("import", help="把导出的台账收进一个还没有台账的村，指纹不变")
    take.add_argument("folder", type=Path, help="zhili ledger export 写出的文件夹")
    take.add_argument("--anchors", type=Path, help="以前公布的账本指纹；对不上就不收")
    take.add_argument("--json", action="store_true", help="只输出一个 JSON")
    take.set_defaults(run=run_import, database=True, as_owner=True)


def run_verify(options: argparse.Namespace) -> int:
    """Check the books. Exit 0 whole, 1 not whole, 2 the anchors file cannot be read."""
    from zhili.ledger.verify import AnchorError, read_anchors, verify

    try:
        anchors = (
            read_anchors(options.anchors.read_text(encoding="utf-8").splitlines()) if options.anchors else []
        )
    except (OSError, UnicodeDecodeError) as error:
        print(f"锚点文件打不开：{error}", file=sys.stderr)
        return 2
    except AnchorError as error:
        print(error, file=sys.stderr)
        return 2
    progress = None if options.json or not sys.stderr.isatty() else _progress
    report = verify(options.place, anchors=anchors, progress=progress, jobs=max(1, options.jobs))
    if options.alarm and not report.ok:
        from zhili.ledger.alarms import raise_from

        raise_from(report)
    if options.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
        return 0 if report.ok else 1
    known = report.counts
    print(
        f"核对了 {known['villages']} 个村、{known['batches']} 批、{known['transfers']} 笔流水、"
        f"{known['accounts']} 个账户，用时 {report.seconds:.1f} 秒。"
    )
    for problem in report.problems:
        print(f"不对：{problem}")
    if report.ok:
        print(
            "台账完整。" if report.anchored else "台账完整（没有给出以前公布的指纹，看不出末尾是否被截掉）。"
        )
    return 0 if report.ok else 1


def _progress(count: int) -> None:
    print(f"\r已核对 {count} 笔", end="", file=sys.stderr, flush=True)


def run_export(options: argparse.Namespace) -> int:
    """Write the open form of one village's book."""
    from zhili.audit.actions import record
    from zhili.common.scope import scoped
    from zhili.ledger.export import export

    with scoped(options.place):
        counts = export(options.place, options.out)
        record("ledger.export", by=None, place=options.place, count=counts["transfers"])
    if options.json:
        print(json.dumps({"out": str(options.out), "rows": counts}, ensure_ascii=False))
    else:
        print(f"已导出到 {options.out}：{counts['transfers']} 笔流水、{counts['batches']} 批。")
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Take an exported book in, as the database's owner. Exit 1: the folder is not whole, or the village has a book."""
    from zhili.ledger.taking_in import take_in

    taken = take_in(options.folder, anchors=options.anchors)
    if options.json:
        print(json.dumps(taken.as_json(), ensure_ascii=False))
    else:
        print(
            f"已收进 {taken.place} 的台账：{taken.batches} 批、{taken.transfers} 笔流水；"
            f"第 {taken.seq} 批的账本指纹 {taken.head}，与导出的一致。"
        )
    return 0
