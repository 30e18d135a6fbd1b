"""退出与迁入: everything a county owns in one folder of open files, and the way back into a fresh instance (O-13).

    OUT/database.dump        PostgreSQL's custom format: every table, with the schema
    OUT/schema.sql           the same schema as text, for a reader without our program
    OUT/files/…              photos and other files as they lie
    OUT/ledger/<village>/…   each village's book as CSV and beancount text
    OUT/anchors.jsonl        the newest fingerprint of every village's book; audit-anchors.jsonl of every trail
    OUT/manifest.json        size and SHA-256 of every file

Encrypted fields stay encrypted: the key is handed over by hand, apart from this folder (K-06).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from zhili.config import backup_store as store
from zhili.config import embedded
from zhili.config.backup import dump_command, pg_options
from zhili.config.backup_files import own_files
from zhili.config.backup_store import BackupError, words

FORMAT: Final = "zhili-export/1"
README: Final = """智理 全部数据

database.dump      全部数据表（PostgreSQL 自定义格式，pg_restore 可读）
schema.sql         表结构
files/             照片等文件
ledger/            每个村的台账：CSV 和 beancount 文本，说明见各文件夹里的 SCHEMA.md
anchors.jsonl      每个村台账的最新指纹；audit-anchors.jsonl 是留痕的最新指纹
manifest.json      每个文件的大小和 SHA-256

身份证号、电话等仍是密文，密钥（keys/people.json）须当面另行移交。
迁入：在新装的智理上执行  zhili import-all 本文件夹
"""


def export_all(out: Path) -> dict[str, Any]:
    """Write everything into a new folder. Needs `ready()`. Raises BackupError; then the folder is gone again."""
    from zhili.common.scope import scoped
    from zhili.config.instance import Known
    from zhili.config.restore import anchor_lines
    from zhili.ledger.export import export

    if out.exists() and any(out.iterdir()):
        raise BackupError(f"文件夹 {out} 不是空的", hint="请换一个新的文件夹。")
    started = time.perf_counter()
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with words(out.parent):
            part.mkdir(parents=True, mode=0o700)
            known = Known.now()
            _dump(part / "database.dump", [])
            _dump(part / "schema.sql", ["-Fp", "--schema-only"])
            for name in own_files(embedded.var_dir()):
                target = part / "files" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(embedded.var_dir() / name, target)
            for place in known.heads:
                with scoped(place):
                    export(place, part / "ledger" / place)
            for name, heads in (("anchors.jsonl", known.heads), ("audit-anchors.jsonl", known.audit_heads)):
                (part / name).write_text(
                    "".join(f"{line}\n" for line in anchor_lines(heads)), encoding="utf-8"
                )
            (part / "说明.txt").write_text(README, encoding="utf-8")
            files = digests(part)
            said = {
                "format": FORMAT,
                "versions": known.versions,
                "closed_functions": list(known.closed_functions),
                "heads": known.heads,
                "audit_heads": known.audit_heads,
                "files": files,
            }
            store.write_whole(part / "manifest.json", json.dumps(said, ensure_ascii=False, indent=1).encode())
            if out.exists():
                out.rmdir()
            part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    size = sum(int(one["size"]) for one in files.values())
    return {
        "out": str(out),
        "files": len(files),
        "bytes": size,
        "villages": len(known.heads),
        "seconds": round(time.perf_counter() - started, 2),
    }


def digests(folder: Path) -> dict[str, dict[str, Any]]:
    """Relative path → {"size", "sha256"} of every file below."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": digest}
    return found


def _dump(path: Path, more: list[str]) -> None:
    command, env = dump_command()
    with path.open("wb") as out:
        done = subprocess.run(  # noqa: S603
            [*command, *more], env={**os.environ, **env}, stdout=out, stderr=subprocess.PIPE, check=False
        )
    if done.returncode:
        raise BackupError(f"数据库没有把数据交出来：{done.stderr.decode(errors='replace').strip()[-300:]}")


def read_export(folder: Path) -> dict[str, Any]:
    """The manifest of an export, every file checked against it. Raises BackupError naming the first bad file."""
    try:
        said: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        listed: dict[str, dict[str, Any]] = said["files"]
        if said["format"] != FORMAT:
            raise ValueError(said["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder} 不是智理的全部数据", hint="文件夹里应有 manifest.json。") from error
    present = digests(folder)
    present.pop("manifest.json")
    for name in sorted({*listed, *present}):
        if name not in present:
            raise BackupError(f"缺文件 {name}", hint="请重新拷贝整个文件夹。")
        if name not in listed:
            raise BackupError(f"多出文件 {name}，清单里没有", hint="请重新拷贝整个文件夹。")
        if present[name] != listed[name]:
            raise BackupError(f"文件 {name} 与清单对不上，被改动过或没有拷全", hint="请重新拷贝整个文件夹。")
    return said


def import_all(folder: Path) -> dict[str, Any]:
    """Take an export into this instance, which must be empty. Raises BackupError. Ends in `verify` on the same heads."""
    from zhili.config.restore import anchor_lines, verify_there

    started = time.perf_counter()
    said = read_export(folder)
    var = embedded.var_dir()
    load(folder / "database.dump", said["closed_functions"])
    for name in [n for n in said["files"] if n.startswith("files/")]:
        target = (var / name.removeprefix("files/")).resolve()
        if var not in target.parents:
            raise BackupError(f"清单里有不该有的路径 {name[:80]}")
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(folder / name, target)
    ledger = verify_there(var, "ledger", anchor_lines(store.read_heads(said["heads"])), here=True)
    audit = verify_there(var, "audit", anchor_lines(store.read_heads(said["audit_heads"])), here=True)
    same = {place: known["head"] for place, known in ledger["heads"].items()} == {
        place: head for place, (_, head) in store.read_heads(said["heads"]).items()
    }
    return {
        "ok": bool(ledger["ok"] and audit["ok"] and same),
        "problems": [*ledger["problems"], *audit["problems"]],
        "counts": ledger["counts"],
        "seconds": round(time.perf_counter() - started, 2),
    }


def load(dump: Path, closed_functions: Iterable[str]) -> None:
    """A dump into this instance's empty database; rights of the application's role are given anew."""
    from psycopg import sql

    found = embedded.start()
    owner, app = found["owner"], found["app"]
    with owner.connect() as db:
        if db.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchone():
            raise BackupError("这里的数据库不是空的", hint="请用一个新的 ZHILI_VAR，或一个空的数据库。")
    done = subprocess.run(  # noqa: S603
        [
            embedded.program("pg_restore"), "-w", "--no-owner", "--no-privileges", "--single-transaction",
            "--exit-on-error", "-h", owner.host, "-U", owner.user, "-d", owner.database,
            *(["-p", owner.port] if owner.port else []), str(dump),
        ],
        env={**os.environ, "PGPASSWORD": owner.password, "PGOPTIONS": "-c zhili.scope=*", **pg_options(owner)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BackupError(f"数据库没有收下：{done.stderr.strip()[-300:]}", hint="数据库没有改动，可以再试。")
    with owner.connect() as db:
        # Names come from the database that was dumped and are looked up in this one: an unknown one is an error.
        for name in closed_functions:
            row = db.execute("SELECT %s::regprocedure::oid::int", [name]).fetchone()
            assert row is not None
            exact = db.execute("SELECT %s::regprocedure::text", [row[0]]).fetchone()
            assert exact is not None
            db.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(sql.SQL(exact[0])))
    from zhili.config import roles, setup

    roles.grant(owner, app.user)
    setup.ready()


def load_there(var: Path, dump: Path, closed_functions: Iterable[str]) -> None:
    """`load` in another, embedded instance."""
    env = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ZHILI_DATABASE")
    }
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "zhili.config.exchange", str(dump), *closed_functions],
        env={**env, "ZHILI_VAR": str(var), "DJANGO_SETTINGS_MODULE": "zhili.config.settings"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BackupError(done.stderr.strip()[-400:] or "数据库没有收下备份")


if __name__ == "__main__":
    try:
        load(Path(sys.argv[1]), sys.argv[2:])
    except BackupError as problem:
        sys.exit(str(problem))
