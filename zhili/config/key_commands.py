"""zhili keys: the county's keys for personal fields — what is in use, a new one brought in, the old one retired."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add(subparsers: Any) -> None:
    """Register `zhili keys status | rotate | retire`."""
    keys = subparsers.add_parser("keys", help="个人信息的密钥").add_subparsers(required=True, metavar="动作")
    status = keys.add_parser("status", help="在用的密钥，还有多少数据用着旧的")
    status.set_defaults(run=run_status)
    rotate = keys.add_parser("rotate", help="换新密钥：全部重新加密，可以中断后接着做")
    rotate.add_argument("--profile", choices=["intl", "gm"], help="同时换算法：intl 国际、gm 国密")
    rotate.add_argument("--batch", type=int, default=500, metavar="行数", help="每批多少行（1 到 5000）")
    rotate.set_defaults(run=run_rotate)
    retire = keys.add_parser("retire", help="没有数据再用旧密钥时，把它移出系统")
    retire.set_defaults(run=run_retire)
    for one in (status, rotate, retire):
        one.add_argument("--json", action="store_true", help="只输出一份 JSON")
        one.set_defaults(database=True)


def run_status(options: argparse.Namespace) -> int:
    """Never prints a key."""
    from zhili.people import rotation, secrets

    ring = secrets.keyring()
    old = rotation.left(ring)
    document = {
        "profile": ring.profile, "current": ring.current, "keys": sorted(ring.keys),
        "index": ring.current_index, "indexes": sorted(ring.indexes), "turning": ring.turning, "left": old,
    }  # fmt: skip
    if options.json:
        print(json.dumps(document))
        return 0
    print(f"算法 {ring.profile}，当前密钥 {ring.current}，索引密钥 {ring.current_index}。")
    total = sum(old.values())
    print(f"正在换密钥，还有 {total} 处用着旧的。" if ring.turning else "没有在换密钥。")
    return 0


def run_rotate(options: argparse.Namespace) -> int:
    """Bring every row under a new key."""
    from zhili.people import rotation, secrets

    def progress(name: str, count: int) -> None:
        if not options.json and sys.stderr.isatty():
            print(f"\r{name}：{count}", end="", file=sys.stderr)

    batch = max(1, min(options.batch, 5_000))
    changed = rotation.rotate(profile=options.profile, batch=batch, progress=progress)
    ring = secrets.keyring()
    if options.json:
        print(json.dumps({"current": ring.current, "profile": ring.profile, "changed": changed}))
        return 0
    print(f"新密钥 {ring.current} 已启用，重新加密 {sum(changed.values())} 处。")
    print("旧密钥还留着。过一小时运行 zhili keys retire，把它移出系统。")
    return 0


def run_retire(options: argparse.Namespace) -> int:
    """Move the old keys to a file of their own."""
    from zhili.people import rotation

    ring, archive = rotation.retire()
    if options.json:
        print(json.dumps({"current": ring.current, "archive": archive.name}))
        return 0
    print(f"旧密钥已停用，只剩 {ring.current}。")
    print(f"旧密钥移到了 {archive.name}：旧备份还要用它，请拷到离线保管处，再从本机删去。")
    return 0
