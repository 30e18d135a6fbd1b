"""zhili serve, demo, migrate: starting the whole."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from zhili.common.errors import ZhiliError
from zhili.config import serving


def add(subparsers: Any) -> None:
    """Register this module's sub-commands."""
    migrate = subparsers.add_parser("migrate", help="建立或更新数据库")
    migrate.set_defaults(run=run_migrate)
    serving.add(subparsers)
    demo = subparsers.add_parser("demo", help="演示村：一整年的积分，然后启动网页")
    demo.add_argument("--no-serve", action="store_true", help="只建演示数据，不启动网页")
    demo.add_argument("--json", action="store_true", help="只输出一份 JSON")
    demo.add_argument("--bind", default="127.0.0.1:8000", metavar="地址:端口")
    demo.set_defaults(run=run_demo)


def run_migrate(options: argparse.Namespace) -> int:
    """Start the database, bring it up to date."""
    from zhili.config.setup import ready

    ready()
    print("数据库已就绪。")
    return 0


def run_demo(options: argparse.Namespace) -> int:
    """Build the demo village once, then serve it. The second run only serves."""
    from zhili.config.setup import ready

    host, port = serving.parse_bind(options.bind)
    if not options.no_serve:
        serving.share_counts()
    ready()
    summary = demo_summary(quiet=options.json)
    if options.json:
        print(json.dumps(summary, ensure_ascii=False, indent=1))
    else:
        print_demo(summary, f"http://{host}:{port}", serving_now=not options.no_serve)
    if not options.no_serve:
        serving.serve(host, port)
    return 0


def demo_summary(*, quiet: bool) -> dict[str, Any]:
    """Build the demo where it is not there yet; its counts, seconds and last head. Kept in var/demo.json."""
    from django.db import connection
    from tqdm import tqdm

    from zhili.common.scope import scoped
    from zhili.config.demo.build import PLACE, build
    from zhili.config.embedded import var_dir
    from zhili.people.models import Household
    from zhili.places.actions import load_tongchuan

    note = var_dir() / f"demo-{connection.settings_dict['NAME']}.json"
    with scoped("*"):
        built = Household.objects.filter(place=PLACE).exists()
    if built and note.exists():
        found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        return found
    if built:
        raise ZhiliError(f"数据库里已有 {PLACE} 的户，却没有演示记录，不能再建演示村。请换一个 ZHILI_VAR。")
    places = load_tongchuan()
    with tqdm(
        total=100,
        unit="%",
        disable=quiet or not sys.stderr.isatty(),
        bar_format="{l_bar}{bar}| {elapsed}",
        file=sys.stderr,
    ) as bar:

        def progress(step: str, share: float) -> None:
            bar.set_description_str(step, refresh=False)
            bar.update(round(share * 100) - bar.n)
            bar.refresh()

        summary = {"places": places, **build(progress)}
    note.write_text(json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8")
    return summary


def print_demo(summary: dict[str, Any], url: str, *, serving_now: bool) -> None:
    """Addresses and one log-in per role."""
    from zhili.config.demo.build import LOGINS, PASSWORD, PLACE

    print(f"\n演示村：谭家沟村（{PLACE}），全部为虚构数据。账本指纹 {summary['head_short']}")
    if serving_now:
        print(f"  公开页   {url}/open/{PLACE}/")
        print(f"  手机     {url}/m/")
        print(f"  办公     {url}/desk/{PLACE}/")
    print(f"  登录账号（密码都是 {PASSWORD}）：")
    for title, username in LOGINS:
        print(f"    {title:　<8}{username}")
    print(flush=True)
