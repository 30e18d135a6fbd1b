"""zhili rulebook whatif: a draft file against a village's real year."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from zhili.common.errors import ZhiliError
from zhili.common.points import format_points, format_signed


def add(subparsers: Any) -> None:
    """Add `whatif` to the verbs of `rulebook`; it needs claims, which live above that room."""
    room = subparsers.choices["rulebook"]
    verbs = next(action for action in room._actions if isinstance(action, argparse._SubParsersAction))
    what_if = verbs.add_parser("whatif", help="用一份草案重算某村某年的记录，看各户、各类、各项差多少")
    what_if.add_argument("file", type=Path)
    what_if.add_argument("--against", required=True, metavar="PLACE", help="村（社区）12 位代码")
    what_if.add_argument("--year", required=True, type=int)
    what_if.add_argument("--json", action="store_true")
    what_if.set_defaults(run=run_whatif, database=True)


def run_whatif(options: argparse.Namespace) -> int:
    """Print the comparison. The file is read before the database is asked, so that a bad file says so at once."""
    from zhili.common.scope import scoped
    from zhili.places.queries import get_place
    from zhili.rulebook.commands import read_book
    from zhili.rulebook.whatif import what_if, what_if_json
    from zhili.web.whatif import account_names, past_events

    draft = read_book(options.file)
    if not re.fullmatch(r"[0-9]{12}", options.against) or not 2000 <= options.year <= 2100:
        raise ZhiliError("--against 要写村（社区）的 12 位代码，--year 要写 2025 这样的年份。")
    with scoped(options.against):
        place = get_place(options.against)
        result = what_if(draft, past_events(place.code, options.year))
        names = account_names(place.code, result)
    for row in result.accounts:
        row.title = names.get(row.key, row.key)
    if options.json:
        json.dump(
            {"place": place.code, "year": options.year, **what_if_json(result)},
            sys.stdout,
            ensure_ascii=False,
            indent=1,
        )
        print()
        return 0
    print(f"{place.short_name} {options.year} 年：{result.total.events} 件事，"
          f"当时记 {format_points(result.total.before)} 分，按草案记 {format_points(result.total.after)} 分。")  # fmt: skip
    print(f"{result.more} 户变多，{result.less} 户变少，{result.same} 户不变。")
    for title, rows in (
        ("类别", result.categories),
        ("项目", result.items),
        ("户（变化最大的在前）", result.accounts[:20]),
    ):
        print(f"\n{title}")
        for row in rows:
            print(f"  {row.key if title != '户（变化最大的在前）' else '':<8}{row.title}  {row.events} 件  "
                  f"{format_points(row.before)} → {format_points(row.after)}（{format_signed(row.change)}）")  # fmt: skip
    for gone in result.lost:
        print(f"\n算不出：{gone.item} {gone.title} {gone.events} 件，{gone.reason}")
    return 0
