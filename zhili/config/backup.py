"""备份: every night a whole copy of database and photos, all the time the database's log; sealed, checked, elsewhere.

Together they bring the county back to any minute since the oldest copy of the last days (O-05, C-16). A database server
of the county's own (DATABASE_URL) is copied with pg_dump, to the moment of the copy; its minute-by-minute history is
its own administrator's business (docs/operations.md).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from zhili.common import status
from zhili.common.cipher import Keyring
from zhili.common.sealing import Sealer, open_sealed
from zhili.config import backup_store as store
from zhili.config import embedded, wal
from zhili.config.backup_files import copy_files, prune_files, write_list
from zhili.config.backup_store import BackupError, Copy, Settings, words
from zhili.config.instance import Known

ARCHIVE_SECONDS: Final = 60
"""A piece of the log leaves the machine at the latest after this many seconds with something in it."""
ARCHIVE_WAIT_SECONDS: Final = 60
PART: Final = ".part-"
_STEP: Final = 1024 * 1024


# ---------------------------------------------------------------- setting it up


def configure(
    var: Path, target: Path, *, hook: str = "", profile: str = "intl", keep: tuple[int, int, int] = (7, 4, 12)
) -> bool:
    """Say where backups go; from now on the log goes there too. Returns whether a new key was made.

    keep: days, weeks, months. Raises BackupError where the place cannot be used.
    """
    target = target.resolve()
    if not target.is_dir():
        raise BackupError(f"备份位置 {target} 不是文件夹", hint="请先挂上盘或建好文件夹。")
    if target == var or var in target.parents or target in var.parents:
        raise BackupError("备份位置不能和数据放在一起", hint="请选另一块盘或挂载的共享文件夹。")
    if min(keep) < 0 or keep[0] < 1:
        raise BackupError("至少要保留 1 天的备份")
    instance = _instance()
    folder = store.archive_dir(var)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with words(target):
        _claim_target(target, instance)
    fresh = not store.key_path(var).exists()
    if fresh:
        Keyring.create(store.key_path(var), profile=profile)
    Keyring.load(store.key_path(var))
    store.write_settings(folder, Settings(target, instance, hook, *keep))
    if not os.environ.get("DATABASE_URL"):
        _archive_log(var)
    return fresh


def _claim_target(target: Path, instance: str) -> None:
    marker = target / "zhili-backup.json"
    if marker.exists():
        known = json.loads(marker.read_text(encoding="utf-8"))
        if known.get("instance") != instance:
            raise BackupError(
                f"备份位置 {target} 属于另一个系统", hint="请为这个系统另建一个文件夹，两个系统不能混用。"
            )
    else:
        if any(target.iterdir()):
            raise BackupError(f"备份位置 {target} 里已有别的东西", hint="请用一个空文件夹。")
        said = {"format": store.FORMAT, "instance": instance}
        store.write_whole(marker, json.dumps(said).encode())
    for name in ("base", "wal", "files"):
        (target / name).mkdir(exist_ok=True, mode=0o700)


def _instance() -> str:
    """What tells this database from every other: PostgreSQL's own identifier and the database's name."""
    owner = embedded.logins()["owner"]
    with owner.connect() as db:
        row = db.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    assert row is not None
    return f"{row[0]}/{owner.database}"


def _archive_log(var: Path) -> None:
    from psycopg import sql

    wal.make_spool(var)
    with embedded.superuser().connect() as db:
        wanted = {"archive_command": wal.archive_command(var), "archive_timeout": str(ARCHIVE_SECONDS)}
        for name, value in wanted.items():
            db.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        db.execute("ALTER SYSTEM SET archive_mode = 'on'")
        db.execute("SELECT pg_reload_conf()")
        on = db.execute("SHOW archive_mode").fetchone() == ("on",)
    if not on:
        if not embedded.alone():
            raise BackupError(
                "数据库要重启一次才能备份日志", hint="请先停下 zhili serve，再执行一次这个命令。"
            )
        embedded.restart()
    push_log()


def push_log() -> None:
    """Send the log written so far; returns once it lies in the target. Raises BackupError with the reason."""
    with embedded.superuser().connect() as db:
        # A switch with nothing new writes nothing; a restore point makes sure that there is something.
        db.execute("SELECT pg_create_restore_point('zhili backup')")
        row = db.execute("SELECT pg_walfile_name(pg_switch_wal()), now()").fetchone()
        assert row is not None
        wanted, asked = row
        until = time.monotonic() + ARCHIVE_WAIT_SECONDS
        while time.monotonic() < until:
            done, failed = db.execute(
                "SELECT last_archived_wal, last_failed_time FROM pg_stat_archiver"
            ).fetchone() or (None, None)
            if done is not None and done[:24] >= wanted:
                wal.ship(embedded.var_dir())
                return
            if failed is not None and failed > asked:
                break
            time.sleep(0.1)
    raise BackupError(
        f"数据库写不进 {wal.spool_dir(embedded.var_dir())}",
        hint="请检查这个文件夹的属主和磁盘空间，再备份一次；日志留在数据库里，不会丢。",
    )


# ---------------------------------------------------------------- making a copy


def back_up(*, light: bool = False) -> dict[str, Any]:
    """One whole copy (light: only the log and new photos), checked by reading it back; then what is old goes.

    Needs `ready()`. Returns {"stamp", "kind", "seconds", "bytes", "files", "removed"}. Raises BackupError.
    """
    var = embedded.var_dir()
    settings = store.read_settings(store.archive_dir(var))
    if settings is None:
        raise BackupError("还没有说备份到哪里", hint="请执行 zhili backup --to 文件夹。")
    keyring = Keyring.load(store.key_path(var))
    started = time.perf_counter()
    try:
        with _only_one(var), words(settings.target):
            done = _back_up(var, settings, keyring, light=light)
        _run_hook(settings)
    except BackupError as error:
        status.note(var, "backup-failed", message=str(error))
        raise
    done["seconds"] = round(time.perf_counter() - started, 2)
    if not light:
        status.note(var, "backup", **done)
    status.note(var, "backup-light", stamp=done["stamp"])
    return done


def _back_up(var: Path, settings: Settings, keyring: Keyring, *, light: bool) -> dict[str, Any]:
    target = settings.target
    if not (target / "zhili-backup.json").exists():
        raise BackupError(f"备份位置 {target} 里没有 zhili-backup.json", hint="盘没有挂上？挂上后再试。")
    for left in (target / "base").glob(f"{PART}*"):
        shutil.rmtree(left)
    served = bool(os.environ.get("DATABASE_URL"))
    stamp = store.stamp_of(datetime.now(UTC))
    if light:
        files = copy_files(var, target, keyring)
        if not served:
            push_log()
        return {"stamp": stamp, "kind": "light", "files": len(files), "removed": []}
    part = target / "base" / f"{PART}{stamp}"
    final = target / "base" / stamp
    if final.exists():
        raise BackupError("这一秒已经有一份备份", hint="请再执行一次。")
    part.mkdir(mode=0o700)
    try:
        known = Known.now()
        files = copy_files(var, target, keyring)
        sealed = {"files.list": write_list(part / "files.list.zhi", keyring, f"{stamp}/files.list", files)}
        span = ("", "")
        if served:
            sealed["database.dump"] = _dump(part, stamp, keyring)
        else:
            sealed["base.tar.gz"], span = _base(part, stamp, keyring)
        copy = Copy(
            part, stamp, "dump" if served else "base", datetime.now(UTC), *span, known.heads, sealed, known.versions,
            known.audit_heads, known.closed_functions,
        )  # fmt: skip
        store.write_manifest(part, keyring, copy)
        for name, facts in copy.files.items():
            store.check_file(part, f"{name}{store.SUFFIX}", facts)
        part.rename(final)
        store.sync_folder(final.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    size = sum(int(one["size"]) for one in copy.files.values())
    removed = store.prune(settings, keyring)
    prune_files(settings, keyring)
    return {"stamp": stamp, "kind": copy.kind, "bytes": size, "files": len(files), "removed": removed}


@contextmanager
def _only_one(var: Path) -> Iterator[None]:
    with (var / "archive" / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError("另一次备份正在进行", hint="请等它做完。") from error
        yield


def _run_hook(settings: Settings) -> None:
    """The county's own command that carries the folder further, for example rsync to another building."""
    if not settings.hook:
        return
    try:
        done = subprocess.run(  # noqa: S603 - the administrator's own command, from the settings on this machine
            [*shlex.split(settings.hook), str(settings.target)],
            capture_output=True,
            text=True,
            timeout=6 * 3600,
            check=False,
        )
        said, failed = (done.stderr or done.stdout).strip()[-200:], done.returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error), 1
    if failed:
        raise BackupError(
            f"备份做好了，但送往别处的命令失败：{said}", hint="本地这一份可用；请检查那条命令。"
        )


def _sealed(path: Path, keyring: Keyring, name: str, source: IO[bytes]) -> dict[str, Any]:
    """Seal a stream into a new file, on disk before this returns."""
    with path.open("wb") as out:
        sealer = Sealer(out, keyring, name)
        while data := source.read(_STEP):
            sealer.write(data)
        sealer.close()
        store.sync(out)
    return {"size": sealer.size, "sha256": sealer.sha256}


def _base(part: Path, stamp: str, keyring: Keyring) -> tuple[dict[str, Any], tuple[str, str]]:
    """The embedded server's files, streamed and sealed; never in clear on the target. Facts, first and last log."""
    login = embedded.superuser()
    command = [
        embedded.program("pg_basebackup"), "-h", login.host, "-U", login.user, "-w", "-D", "-", "-Ft", "-X", "none",
        "-c", "fast", "-Z", "client-gzip:1", "--manifest-checksums=SHA256", "-l", f"zhili {stamp}",
    ]  # fmt: skip
    push_log()  # a copy is worth nothing where its log does not arrive: say so before copying everything
    path = part / "base.tar.gz.zhi"
    facts = _piped(command, {"PGPASSWORD": login.password}, path, keyring, f"{stamp}/base.tar.gz")
    first, last = _read_back(path, keyring, f"{stamp}/base.tar.gz")
    wal.ship(embedded.var_dir())  # PostgreSQL has waited until the log of the copy lay in the spool
    name, have = first, store.stored_log(part.parents[1])
    while name <= last:
        if name not in have:
            raise BackupError(f"这份备份需要的日志 {name} 不在备份位置", hint="请再备份一次。")
        name = store.next_segment(name)
    return facts, (first, last)


def _dump(part: Path, stamp: str, keyring: Keyring) -> dict[str, Any]:
    """A served database as its owner sees it, row security open for this one transaction."""
    command, env = dump_command()
    return _piped(command, env, part / "database.dump.zhi", keyring, f"{stamp}/database.dump")


def dump_command() -> tuple[list[str], dict[str, str]]:
    """pg_dump of everything, to standard output, and the environment it needs."""
    owner = embedded.logins()["owner"]
    command = [
        embedded.program("pg_dump"), "-Fc", "-w", "--no-owner", "--no-privileges", "--enable-row-security",
        "-h", owner.host, "-U", owner.user, "-d", owner.database, *(["-p", owner.port] if owner.port else []),
    ]  # fmt: skip
    return command, {"PGPASSWORD": owner.password, "PGOPTIONS": "-c zhili.scope=*", **pg_options(owner)}


def pg_options(login: embedded.Login) -> dict[str, str]:
    """The URL's further options (sslmode, sslrootcert …) as libpq's environment variables."""
    return {f"PG{name.upper()}": value for name, value in login.options if name.startswith("ssl")}


def _piped(
    command: list[str], env: dict[str, str], path: Path, keyring: Keyring, name: str
) -> dict[str, Any]:
    with subprocess.Popen(  # noqa: S603
        command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            facts = _sealed(path, keyring, name, process.stdout)
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise BackupError(f"数据库没有把备份交出来：{said[-300:]}", hint="以前的备份没有动。")
    return facts


def _read_back(path: Path, keyring: Keyring, name: str) -> tuple[str, str]:
    """Open the sealed copy again and check every file in it against PostgreSQL's own manifest.

    Returns the first and last piece of log it needs. Raises BackupError.
    """
    found: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    with path.open("rb") as file, tarfile.open(fileobj=open_sealed(file, keyring, name), mode="r|gz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            if member.name == "backup_manifest":
                manifest = json.loads(content.read())
            else:
                found[member.name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    for one in manifest.get("Files", ()):
        if found.get(one["Path"]) != one["Checksum"]:
            raise BackupError(
                f"刚写好的备份里 {one['Path']} 与数据库给出的不同", hint="请检查盘，再备份一次。"
            )
    try:
        span = manifest["WAL-Ranges"][-1]
        timeline = int(span["Timeline"])
        return (
            store.segment_name(timeline, span["Start-LSN"]),
            store.segment_name(timeline, span["End-LSN"], before=True),
        )
    except (KeyError, IndexError) as error:
        raise BackupError("刚写好的备份里没有数据库的清单", hint="请再备份一次。") from error
