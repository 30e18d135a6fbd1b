"""zhili audit verify."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Register this room's sub-commands."""
    audit = subparsers.add_parser("audit", help="核对留痕")
    verbs = audit.add_subparsers(dest="verb", required=True, metavar="动作")
    verify = verbs.add_parser("verify", help="重新计算每一条留痕的指纹")
    verify.add_argument("--place", action="append", help="只核对这个区划（可写多次）")
    verify.add_argument("--anchors", type=Path, help="以前公布的留痕指纹，每行一个 JSON：place、seq、head")
    verify.add_argument("--json", action="store_true", help="只输出一个 JSON")
    verify.set_defaults(run=run_verify, database=True)


def run_verify(options: argparse.Namespace) -> int:
    """Check the trail. Exit 0 whole, 1 not whole, 2 the anchors file cannot be read."""
    from zhili.audit.verify import AnchorError, read_anchors, verify

    try:
        lines = options.anchors.read_text(encoding="utf-8").splitlines() if options.anchors else []
        anchors = read_anchors(lines)
    except (OSError, UnicodeDecodeError) as error:
        print(f"锚点文件打不开：{error}", file=sys.stderr)
        return 2
    except AnchorError as error:
        print(error, file=sys.stderr)
        return 2
    report = verify(options.place, anchors=anchors)
    if options.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
        return 0 if report.ok else 1
    print(f"核对了 {len(report.heads)} 个区划的 {report.rows} 条留痕，用时 {report.seconds:.1f} 秒。")
    for problem in report.problems:
        print(f"不对：{problem}")
    if report.ok:
        tail = (
            ""
            if report.anchored
            else "（没有给出以前公布的指纹，看不出末尾是否被截掉，也看不出整条链是否重做过）"
        )
        print(f"留痕完整{tail}。")
    return 0 if report.ok else 1
