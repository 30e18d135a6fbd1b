"""zhili backup, restore, export-all, import-all: what an administrator types, and what comes back in plain words."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zhili.common.periods import SHANGHAI


def add(subparsers: Any) -> None:
    """Register this module's sub-commands."""
    backup = subparsers.add_parser("backup", help="备份：第一次用 --to 说备份到哪里，以后每晚自动")
    backup.add_argument("--to", type=Path, metavar="FOLDER", help="另一块盘或挂载的共享文件夹（空的）")
    backup.add_argument("--hook", default="", metavar="COMMAND", help="备份后执行的命令，例如送往另一处")
    backup.add_argument("--profile", choices=("intl", "gm"), default="intl", help="国际算法或国密算法")
    backup.add_argument("--keep", default="7,4,12", metavar="D,W,M", help="保留最近几天、几周、几月的备份")
    backup.add_argument("--light", action="store_true", help="只送日志和新照片")
    backup.add_argument("--json", action="store_true", help="只输出一个 JSON")
    backup.set_defaults(run=run_backup)
    restore = subparsers.add_parser("restore", help="从备份恢复到一个新的文件夹，或做一次恢复演练")
    restore.add_argument("source", type=Path, nargs="?", metavar="FROM", help="备份所在的文件夹")
    restore.add_argument("--to", type=Path, metavar="VAR", help="新的数据文件夹")
    restore.add_argument("--keys", type=Path, metavar="FOLDER", help="离线保管的密钥：key.json、people.json")
    restore.add_argument("--at", metavar="MOMENT", help='恢复到这一刻，例如 "2026-11-23 10:15"（北京时间）')
    restore.add_argument("--anchors", type=Path, metavar="FILE", help="以前公布的账本指纹")
    restore.add_argument("--without-people-key", action="store_true", help="个人信息密钥确实已经丢失")
    restore.add_argument("--drill", action="store_true", help="演练：恢复到临时位置，核对，然后清掉")
    restore.add_argument("--json", action="store_true", help="只输出一个 JSON")
    restore.set_defaults(run=run_restore)
    leave = subparsers.add_parser("export-all", help="导出全部数据：数据库、照片、台账、指纹、表结构")
    leave.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="一个新的文件夹")
    leave.add_argument("--json", action="store_true", help="只输出一个 JSON")
    leave.set_defaults(run=run_export)
    enter = subparsers.add_parser("import-all", help="把导出的全部数据迁入一个空的系统")
    enter.add_argument("folder", type=Path, metavar="FOLDER")
    enter.add_argument("--json", action="store_true", help="只输出一个 JSON")
    enter.set_defaults(run=run_import)


def run_backup(options: argparse.Namespace) -> int:
    """Set up where --to is given; then one copy, checked."""
    from zhili.config import backup
    from zhili.config.backup_store import BackupError, key_path
    from zhili.config.embedded import var_dir
    from zhili.config.setup import ready

    ready()
    if options.to is not None:
        try:
            days, weeks, months = (int(part) for part in options.keep.split(","))
        except ValueError as error:
            raise BackupError("--keep 看不懂", hint="请写成 7,4,12：几天、几周、几月。") from error
        fresh = backup.configure(
            var_dir(), options.to, hook=options.hook, profile=options.profile, keep=(days, weeks, months)
        )
        if fresh and not options.json:
            print(f"新的备份密钥：{key_path(var_dir())}")
            print("请现在把它和 keys/people.json 抄到离线保管处（两份，两处）。没有它，备份打不开。")
    done = backup.back_up(light=options.light)
    note_in_trail("config.backup", {name: done[name] for name in ("stamp", "kind", "files")})
    if options.json:
        print(json.dumps(done, ensure_ascii=False))
    elif options.light:
        print(f"日志和新照片已送到备份位置，用时 {done['seconds']} 秒。")
    else:
        print(
            f"备份完成：{done['stamp']}，{done['bytes'] / 1e6:.1f} MB，文件 {done['files']} 个，"
            f"已读回核对，用时 {done['seconds']} 秒。"
        )
        if done["removed"]:
            print(f"按保留规则清掉 {len(done['removed'])} 份旧备份。")
    return 0


def run_restore(options: argparse.Namespace) -> int:
    """Restore, or a drill. Exit 1 where `verify` found anything."""
    from zhili.config import backup_store, restore
    from zhili.config.backup_store import BackupError
    from zhili.config.embedded import var_dir
    from zhili.config.setup import ready

    settings = backup_store.read_settings(backup_store.archive_dir(var_dir()))
    source = options.source or (settings.target if settings else None)
    if source is None:
        raise BackupError("没有说从哪里恢复", hint="请写备份所在的文件夹。")
    if options.drill:
        done = restore.drill(source, options.keys or var_dir(), options.anchors)
        ready()  # the drill itself has not needed the running database
        note_in_trail("config.restore_drill", {"stamp": done["stamp"], "ok": done["ok"]})
    else:
        if options.to is None:
            raise BackupError(
                "没有说恢复到哪里", hint="请用 --to 写一个新的文件夹，例如 --to /srv/zhili-new。"
            )
        done = restore.restore(
            restore.Wanted(
                source.resolve(),
                options.to.resolve(),
                (options.keys or var_dir()).resolve(),
                restore.parse_moment(options.at) if options.at else None,
                options.anchors,
                options.without_people_key,
            )
        )
    if options.json:
        print(json.dumps(done, ensure_ascii=False))
    else:
        _print_restored(done, options)
    return 0 if done["ok"] else 1


def _print_restored(done: dict[str, Any], options: argparse.Namespace) -> None:
    from datetime import datetime

    seconds = done["seconds"]
    parts = "，".join(f"{_PARTS[name]} {value} 秒" for name, value in seconds.items() if name in _PARTS)
    print(f"备份 {done['stamp']}，照片等文件 {done['files']} 个。{parts}；共 {seconds['total']} 秒。")
    if done["reached"]:
        try:
            moment = datetime.fromisoformat(done["reached"].replace("+00", "+00:00"))
            print(f"最后一笔是 {moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}（北京时间）。")
        except ValueError:
            print(f"最后一笔是 {done['reached']}。")
    counts = done["counts"]
    print(
        f"核对了 {counts.get('villages', 0)} 个村 {counts.get('transfers', 0)} 笔流水，"
        f"对上 {done['anchors']} 个以前的账本指纹。"
    )
    for problem in done["problems"]:
        print(f"不对：{problem}")
    if done["ok"] and options.drill:
        print("演练通过：台账和留痕完整。演练用的数据已清掉，正在用的系统没有动。")
    elif done["ok"]:
        print(f"恢复完成：台账和留痕完整。请设 ZHILI_VAR={options.to} 再启动，并重新执行 zhili backup --to。")
    else:
        print("恢复出来的数据没有通过核对，请不要启用。")


_PARTS = {
    "unpack": "解开",
    "log": "取日志",
    "replay": "重放",
    "database": "装库",
    "files": "照片",
    "verify": "核对",
}


def run_export(options: argparse.Namespace) -> int:
    """Everything into one folder."""
    from zhili.config.exchange import export_all
    from zhili.config.setup import ready

    ready()
    done = export_all(options.out.resolve())
    note_in_trail("config.export_all", {"villages": done["villages"], "files": done["files"]})
    if options.json:
        print(json.dumps(done, ensure_ascii=False))
    else:
        print(
            f"已导出到 {done['out']}：{done['villages']} 个村，{done['files']} 个文件，"
            f"{done['bytes'] / 1e6:.1f} MB，用时 {done['seconds']} 秒。"
        )
        print("个人信息的密钥 keys/people.json 不在里面，请当面另行移交。")
    return 0


def run_import(options: argparse.Namespace) -> int:
    """An export into this empty instance. Exit 1 where `verify` found anything or a head differs."""
    from zhili.config.exchange import import_all

    done = import_all(options.folder.resolve())
    if options.json:
        print(json.dumps(done, ensure_ascii=False))
    else:
        for problem in done["problems"]:
            print(f"不对：{problem}")
        print(
            f"{done['counts'].get('transfers', 0)} 笔流水，"
            f"{'指纹与导出时相同' if done['ok'] else '与导出时不同，请不要启用'}，用时 {done['seconds']} 秒。"
        )
    return 0 if done["ok"] else 1


def note_in_trail(action: str, detail: dict[str, Any]) -> None:
    """The county's own trail says that a copy was made, or a drill held. Needs `ready()`."""
    from django.db import transaction

    from zhili.audit.actions import record
    from zhili.common.scope import scoped
    from zhili.places.models import Place

    with scoped("*"), transaction.atomic():
        county = Place.objects.filter(kind=Place.Kind.COUNTY).values_list("code", flat=True).first()
        if county is not None:
            record(action, by=None, place=county, **detail)
