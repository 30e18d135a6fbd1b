"""zhili households import: the clerk's Excel list from the command line, with the same dry run as on the desk.
zhili api-token: a key for a machine, given by the administrator at this machine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from zhili.common.errors import ZhiliError

SHOWN = 50


def add(subparsers: Any) -> None:
    """Register `zhili households import FILE --place CODE [--dry-run] [--by NAME] [--json]`."""
    households = subparsers.add_parser("households", help="户和人员").add_subparsers(
        required=True, metavar="动作"
    )
    one = households.add_parser("import", help="从 Excel 或 CSV 导入户和人员")
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--place", required=True, metavar="CODE", help="村（社区）的 12 位代码")
    one.add_argument("--dry-run", action="store_true", help="只检查，不写入")
    one.add_argument("--by", default="", metavar="NAME", help="以哪个账号的名义（默认：系统管理员）")
    one.add_argument("--corrected", type=Path, metavar="FILE", help="把标好错误的表写到这个文件")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=run_import, database=True)
    slip = subparsers.add_parser("one-time-password", help="给一个账号开一次性密码（在这台机器上）")
    slip.add_argument("user", metavar="USER", help="账号名")
    slip.set_defaults(run=run_one_time, database=True)
    token = subparsers.add_parser("api-token", help="给一个账号开接口密钥")
    token.add_argument("user", metavar="USER", help="账号名")
    token.add_argument("--title", required=True, help="用途，例如：镇政务平台对接")
    token.add_argument("--days", type=int, default=90, help="多少天后到期，最多 366")
    token.add_argument("--json", action="store_true")
    token.set_defaults(run=run_api_token, database=True)


def run_one_time(options: argparse.Namespace) -> int:
    """For the security administrator, whom nobody else may help: by the administrator at the machine (N-05)."""
    from zhili.common.scope import scoped
    from zhili.people.errors import PeopleError
    from zhili.people.passwords import SLIP_HOURS, issue_one_time
    from zhili.people.queries import find_user

    with scoped("*"):
        user = find_user(options.user)
        if user is None:
            raise PeopleError(f"没有“{options.user}”这个账号", hint="请核对账号名。")
        secret = issue_one_time(by=None, user=user)
    print(f"{user.username}　{secret}　（{SLIP_HOURS} 小时内有效，登录后要先改成自己的）")
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Check, and unless --dry-run apply. Exit 1 where a cell must be mended or the file was imported before."""
    from zhili.common.scope import scoped

    try:
        with scoped(options.place[:12] if options.place.isdigit() else "00"):
            return _import(options)
    except OSError as error:
        raise ZhiliError(f"读不到文件 {options.file.name}", hint="请核对文件名。") from error


def _import(options: argparse.Namespace) -> int:
    from zhili.people.errors import PeopleError
    from zhili.people.importing import apply_households, corrected_file, read_households
    from zhili.people.queries import find_user
    from zhili.places.queries import get_place

    place = get_place(options.place)
    if len(place.code) != 12:
        raise PeopleError(f"{place.name}不是村或社区", hint="请写 12 位代码。")
    by = find_user(options.by) if options.by else None
    if options.by and by is None:
        raise PeopleError(f"没有“{options.by}”这个账号", hint="请核对账号名。")
    dry_run = read_households(options.file.read_bytes(), options.file.name, place.code)
    answer = dry_run.as_json() | {"applied": False}
    if dry_run.errors and options.corrected:
        options.corrected.write_bytes(corrected_file(dry_run))
    if not options.dry_run and dry_run.ok:
        answer |= {"applied": True, "run": str(apply_households(dry_run, by=by).pk)}
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        _say(answer)
    return 1 if dry_run.errors or (dry_run.repeated and not options.dry_run) else 0


def _say(answer: dict[str, Any]) -> None:
    counts = answer["counts"]
    for remark in answer["remarks"]:
        print(f"提示：{remark}")
    for error in answer["errors"][:SHOWN]:
        where = f"第 {error['row']} 行 {error['column']} 列（{error['title']}）"
        print(f"{where}：{error['message']}。{error['hint']}", file=sys.stderr)
    if len(answer["errors"]) > SHOWN:
        print(f"还有 {len(answer['errors']) - SHOWN} 处，没有全部列出。", file=sys.stderr)
    print(
        f"共 {answer['rows']} 行：新立户 {counts['households_new']}，改户 {counts['households_changed']}，"
        f"新增 {counts['residents_new']} 人，改 {counts['residents_changed']} 人，"
        f"不变 {counts['residents_unchanged']} 人，错误 {len(answer['errors'])} 处。"
    )
    if answer["repeated"]:
        print("这份表已导入过，没有再写入。")
    elif answer["applied"]:
        print("已导入。")
    else:
        print("没有写入。")


def run_api_token(options: argparse.Namespace) -> int:
    """Print the secret, once. It is not stored and cannot be shown again."""
    from datetime import timedelta

    from zhili.common.periods import today
    from zhili.common.scope import EVERYWHERE, scoped
    from zhili.people.errors import PeopleError
    from zhili.people.queries import find_user
    from zhili.people.tokens import issue_token

    days = max(-1, min(options.days, 9_999))
    with scoped(EVERYWHERE):
        user = find_user(options.user)
        if user is None:
            raise PeopleError(f"没有“{options.user}”这个账号", hint="请核对账号名。")
        token, secret = issue_token(
            by=None, user=user, title=options.title, expires_on=today() + timedelta(days=days)
        )
    if options.json:
        document = {"token": secret, "user": user.username, "expires_on": token.expires_on.isoformat()}
        print(json.dumps(document, ensure_ascii=False))
    else:
        print(f"{secret}\n{user} 的接口密钥，{token.expires_on} 到期。只显示这一次，请立即保存。")
    return 0
