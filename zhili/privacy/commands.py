"""zhili privacy register | retention | breach | assess | again."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import date, datetime, time
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Register this room's sub-commands."""
    privacy = subparsers.add_parser("privacy", help="个人信息：登记表、到期清理、泄露事件、影响评估")
    verbs = privacy.add_subparsers(dest="verb", required=True, metavar="动作")
    register = verbs.add_parser("register", help="核对登记表：每一列都登记了没有")
    register.add_argument("--json", action="store_true", help="只输出一个 JSON")
    register.set_defaults(run=run_register)
    retention = verbs.add_parser("retention", help="到期清理")
    retention.add_argument("--place", default="", help="只清理这个区划")
    retention.add_argument("--rule", default="", help="只用这一条规则")
    how = retention.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="只说会清理什么（默认）")
    how.add_argument("--apply", action="store_true", help="清理；中断了再运行一次就接着清")
    retention.add_argument("--json", action="store_true", help="只输出一个 JSON")
    retention.set_defaults(run=run_retention, database=True)
    breach = verbs.add_parser("breach", help="泄露事件：按留痕查涉及谁")
    breach.add_argument("--place", required=True, help="区县、乡镇或村的代码")
    breach.add_argument("--from", dest="since", required=True, metavar="日期", help="例如 2026-06-01")
    breach.add_argument("--to", dest="until", required=True, metavar="日期")
    breach.add_argument("--actor", action="append", default=[], help="账号名（可写多次；不写按所有人）")
    breach.add_argument(
        "--kind", action="append", default=[], help="unmask、view、export、copy、import（可写多次）"
    )
    breach.add_argument("--out", type=Path, help="名单和通知写到这个 Excel 文件")
    breach.add_argument("--json", action="store_true", help="只输出一个 JSON")
    breach.set_defaults(run=run_breach, database=True)
    assess = verbs.add_parser("assess", help="影响评估：按登记表生成要填的文件")
    assess.add_argument("--out", type=Path, required=True, help="写到这个文件（JSON）")
    assess.set_defaults(run=run_assess)
    again = verbs.add_parser("again", help="恢复备份以后：把名单上已删除的人再删一遍")
    again.set_defaults(run=run_again, database=True)


def run_register(options: argparse.Namespace) -> int:
    """Exit 1 where a column stands nowhere."""
    import django

    django.setup()
    from zhili.privacy.register import problems, register

    found, wrong = register(), problems()
    if options.json:
        print(json.dumps({"version": found.version, "digest": found.digest, "tables": len(found.models),
                          "columns": len(found.entries), "problems": wrong}, ensure_ascii=False))  # fmt: skip
        return 1 if wrong else 0
    print(f"登记表第 {found.version} 版：{len(found.models)} 张表，{len(found.entries)} 列关系到个人。")
    for line in wrong:
        print(f"不对：{line}")
    return 1 if wrong else 0


def run_retention(options: argparse.Namespace) -> int:
    """Dry run unless --apply."""
    from zhili.common.scope import EVERYWHERE, scoped
    from zhili.privacy.errors import PrivacyError
    from zhili.privacy.retention import BY_CODE, apply, due

    if options.rule and options.rule not in BY_CODE:
        raise PrivacyError(f"没有规则 {options.rule[:20]}", hint=f"可以写 {'、'.join(BY_CODE)}。")
    if not options.apply:
        with scoped(options.place or EVERYWHERE):
            found = [one for one in due(options.place) if not options.rule or one.rule.code == options.rule]
        rows = [{"rule": one.rule.code, "title": one.rule.title, "why": one.rule.why, "before": str(one.before),
                 "days": one.days, "count": one.count} for one in found]  # fmt: skip
        if options.json:
            print(json.dumps({"dry_run": True, "rules": rows}, ensure_ascii=False))
            return 0
        for row in rows:
            print(f"{row['title']}：{row['count']} 处（{row['before']} 以前，{row['why']}）")
        print("只是试算，没有清理。要清理请加 --apply。账本和留痕从来不动。")
        return 0
    runs = apply(options.place, only=options.rule)
    done = [{"rule": run.rule, "title": BY_CODE[run.rule].title, "count": run.count} for run in runs]
    if options.json:
        print(json.dumps({"dry_run": False, "rules": done}, ensure_ascii=False))
        return 0
    for row in done:
        print(f"{row['title']}：清理了 {row['count']} 处。")
    print("清理完了。" if done else "没有到期的。")
    return 0


def run_breach(options: argparse.Namespace) -> int:
    """The list of affected people; with --out as a workbook."""
    from zhili.common.periods import SHANGHAI
    from zhili.common.scope import scoped
    from zhili.privacy.breach import KINDS, Question, actors_named, affected, list_workbook
    from zhili.privacy.errors import PrivacyError

    try:
        days = [date.fromisoformat(text) for text in (options.since, options.until)]
    except ValueError as error:
        raise PrivacyError("日期不对", hint="写成 2026-06-01 这样。") from error
    window = (
        datetime.combine(days[0], time.min, tzinfo=SHANGHAI),
        datetime.combine(days[1], time.max, tzinfo=SHANGHAI),
    )
    with scoped(options.place):
        actors = actors_named(options.place, options.actor)
        question = Question(options.place, *window, actors, tuple(options.kind) or tuple(KINDS))
        people = affected(question)
        if options.out:
            options.out.write_bytes(list_workbook(people))
            options.out.chmod(0o600)
    minors = sum(one.minor for one in people)
    if options.json:
        rows = [{**asdict(one), "last": one.last.isoformat()} for one in people]
        print(json.dumps({"people": len(people), "minors": minors, "rows": rows}, ensure_ascii=False))
        return 0
    print(
        f"涉及 {len({one.place for one in people})} 个村（社区）{len(people)} 人，其中未满 14 岁 {minors} 人。"
    )
    if options.out:
        print(f"名单写在 {options.out}。", file=sys.stderr)
    else:
        print("要名单请加 --out 文件.xlsx。通知文本请安全管理员在“个人信息 → 泄露事件”里出。")
    return 0


def run_assess(options: argparse.Namespace) -> int:
    """The template, filled from the register."""
    import django

    django.setup()
    from zhili.privacy.errors import PrivacyError
    from zhili.privacy.golive import template

    if options.out.exists():
        raise PrivacyError(f"{options.out} 已经有了", hint="换一个文件名，免得盖掉写好的评估。")
    options.out.write_text(json.dumps(template(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(f"已写到 {options.out}。请填 needed、risk、measures、level、conclusion，写上谁签的字（signed）。")
    return 0


def run_again(options: argparse.Namespace) -> int:
    """After a restore."""
    from zhili.common.scope import EVERYWHERE, scoped
    from zhili.privacy.erasing import again

    with scoped(EVERYWHERE):
        count, waiting = again()
    print(f"又删除了 {count} 人。" + (f"还有 {waiting} 人有没办完的事，办完再运行一次。" if waiting else ""))
    return 1 if waiting else 0
