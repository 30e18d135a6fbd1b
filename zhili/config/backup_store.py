"""Where backups lie: one folder, on another disk or a mounted share, holding nothing that opens without its key.

    TARGET/zhili-backup.json           which instance this folder belongs to
    TARGET/base/20261123T101500Z/      one whole copy: base.tar.gz, files.list (both sealed), manifest.json
    TARGET/wal/0000…A1.zhi             the database's log since then, segment by segment, sealed
    TARGET/files/<folder>/<name>.zhi   photos, each sealed once; they never change

A copy is written beside the others under a name that begins with a dot and gets its own name only when all of it is
there, read back and checked. The key lies in ZHILI_VAR/archive, never in TARGET (K-06).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from zhili.common.cipher import Keyring
from zhili.common.errors import ZhiliError
from zhili.common.hashing import keyed_digest

FORMAT: Final = "zhili-backup/1"
SUFFIX: Final = ".zhi"
SEGMENT_BYTES: Final = 16 * 1024 * 1024
_STAMP: Final = re.compile(r"\d{8}T\d{6}Z")
SEGMENT: Final = re.compile(r"[0-9A-F]{24}")


class BackupError(ZhiliError):
    """A backup or a restore cannot be done, or not from these files."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `zhili backup --to` was told. hook: a program run after each copy with the target as its argument.

    keep_days, keep_weeks, keep_months: newest copies of so many days, weeks and months stay.
    """

    target: Path
    instance: str = ""
    hook: str = ""
    keep_days: int = 7
    keep_weeks: int = 4
    keep_months: int = 12


def archive_dir(var: Path) -> Path:
    """Key and settings of the backup. Also read by the database's own user, which archives the log."""
    return var / "archive"


def key_path(var: Path) -> Path:
    return archive_dir(var) / "key.json"


def read_settings(folder: Path) -> Settings | None:
    """From the archive folder; None where no backup was set up."""
    try:
        known = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BackupError(
            "备份设置 archive/settings.json 读不出来", hint="请重新执行 zhili backup --to。"
        ) from error
    return Settings(**{**known, "target": Path(known["target"])})


def write_settings(folder: Path, settings: Settings) -> None:
    text = {name: getattr(settings, name) for name in Settings.__dataclass_fields__} | {
        "target": str(settings.target)
    }
    write_whole(folder / "settings.json", json.dumps(text, ensure_ascii=False, indent=1).encode())


@contextmanager
def words(where: Path) -> Iterator[None]:
    """Errors of the disk as sentences."""
    try:
        yield
    except OSError as error:
        if error.errno is None or isinstance(error, BlockingIOError):
            raise
        name = os.strerror(error.errno)
        known = {
            28: ("满了", "请腾出空间或换一块更大的盘；以前的备份没有动，仍然可用。"),
            122: ("超出了配额", "请找管理存储的人加配额；以前的备份没有动，仍然可用。"),
            27: ("装不下这么大的文件", "请换一种文件系统或去掉大小限制；以前的备份没有动。"),
            30: ("是只读的", "请检查挂载方式。"),
            13: ("没有写入的权限", "请检查文件夹属主和权限。"),
            2: ("不在了", "请检查盘是否挂上。"),
        }
        what, hint = known.get(error.errno, (f"出错（{name}）", "请检查盘和网络；以前的备份没有动。"))
        raise BackupError(f"备份位置 {where} {what}", hint=hint) from error


def write_whole(path: Path, data: bytes) -> None:
    """All of it under its name, or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as out:
            out.write(data)
            sync(out)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync(out: IO[bytes]) -> None:
    out.flush()
    os.fsync(out.fileno())


def sync_folder(folder: Path) -> None:
    """Make a new name last through a power cut, where the file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # a network share may refuse this
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Copy:
    """One whole copy. ended: from this moment on the database can be brought back to any minute the log reaches.

    kind: "base" (with point-in-time) or "dump" (a served database: that moment only). heads: village → (seq, head)
    at the time of the copy. files: name → {"size", "sha256"} of the sealed bytes. closed_functions: those that not
    everybody may call (a dump does not carry rights).
    """

    folder: Path
    stamp: str
    kind: str
    ended: datetime
    wal_first: str
    wal_last: str
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    audit_heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    closed_functions: tuple[str, ...] = ()


def write_manifest(folder: Path, keyring: Keyring, copy: Copy) -> None:
    """The last file of a copy, with a keyed digest over all it says."""
    said = {
        "format": FORMAT,
        "stamp": copy.stamp,
        "kind": copy.kind,
        "ended": copy.ended.isoformat(),
        "wal_first": copy.wal_first,
        "wal_last": copy.wal_last,
        "heads": copy.heads,
        "files": copy.files,
        "versions": copy.versions,
        "audit_heads": copy.audit_heads,
        "closed_functions": list(copy.closed_functions),
        "key": keyring.current,
    }
    mac = _mac(keyring, keyring.current, said)
    write_whole(
        folder / "manifest.json", json.dumps({**said, "mac": mac}, ensure_ascii=False, indent=1).encode()
    )


def _mac(keyring: Keyring, key_id: str, said: dict[str, Any]) -> str:
    secret = keyed_digest("sha256", keyring.keys[key_id], b"zhili/1 backup manifest\x01")
    return keyed_digest("sha256", secret, json.dumps(said, sort_keys=True).encode()).hex()


def read_manifest(folder: Path, keyring: Keyring) -> Copy:
    """One copy's manifest, checked. Raises BackupError naming what is wrong."""
    name = f"{folder.name}/manifest.json"
    try:
        said = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        mac, key_id = said.pop("mac"), said["key"]
        if said["format"] != FORMAT:
            raise ValueError(said["format"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"备份清单 {name} 读不出来", hint="请换另一份备份。") from error
    if key_id not in keyring.keys or not hmac.compare_digest(_mac(keyring, key_id, said), str(mac)):
        raise BackupError(
            f"备份清单 {name} 与备份密钥对不上", hint="不是密钥拿错了，就是清单被改动过；请先核对密钥。"
        )
    return Copy(
        folder,
        said["stamp"],
        said["kind"],
        datetime.fromisoformat(said["ended"]),
        said["wal_first"],
        said["wal_last"],
        read_heads(said["heads"]),
        said["files"],
        said["versions"],
        read_heads(said["audit_heads"]),
        tuple(said["closed_functions"]),
    )


def read_heads(said: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Village → (seq, head) out of JSON."""
    return {place: (int(seq), str(head)) for place, (seq, head) in said.items()}


def copies(target: Path) -> list[Path]:
    """Folders of whole copies, oldest first; unfinished ones are not among them."""
    base = target / "base"
    if not base.is_dir():
        return []
    return sorted(p for p in base.iterdir() if _STAMP.fullmatch(p.name) and (p / "manifest.json").exists())


def stamp_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def moment_of(folder: Path) -> datetime:
    return datetime.strptime(folder.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def check_file(folder: Path, name: str, known: dict[str, Any]) -> None:
    """Size and digest of a sealed file as the manifest has them. Raises BackupError by name."""
    path = folder / name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupError(f"备份 {folder.name} 里缺 {name}", hint="请换另一份备份。") from error
    if size != known["size"] or found != known["sha256"]:
        raise BackupError(f"备份文件 {folder.name}/{name} 被改动过，与清单对不上", hint="请换另一份备份。")


# ---------------------------------------------------------------- the log


def segment_name(timeline: int, lsn: str, *, before: bool = False) -> str:
    """The log segment an address lies in: (1, "0/2000028") → 000000010000000000000002. before: of the byte before."""
    high, _, low = lsn.partition("/")
    number = ((int(high, 16) << 32) + int(low, 16) - before) // SEGMENT_BYTES
    per = 0x100000000 // SEGMENT_BYTES
    return f"{timeline:08X}{number // per:08X}{number % per:08X}"


def next_segment(name: str) -> str:
    """The segment after this one, of the same timeline."""
    per = 0x100000000 // SEGMENT_BYTES
    number = int(name[8:16], 16) * per + int(name[16:], 16) + 1
    return f"{name[:8]}{number // per:08X}{number % per:08X}"


def stored_log(target: Path) -> set[str]:
    """Names of all log files in the archive."""
    folder = target / "wal"
    if not folder.is_dir():
        return set()
    return {
        p.name.removesuffix(SUFFIX) for p in folder.iterdir() if p.name.endswith(SUFFIX) and p.name[0] != "."
    }


# ---------------------------------------------------------------- what stays


def to_keep(moments: list[datetime], settings: Settings) -> set[datetime]:
    """All copies of the last two days; then the newest of each of the last so many days, weeks and months that have one.

    Two days whole, because a further copy in the afternoon must not cost the way back to the morning.
    """
    kept = {moment for moment in moments if max(moments) - moment < timedelta(days=2)}
    rules = (
        (settings.keep_days, "%Y%m%d"),
        (settings.keep_weeks, "%G%V"),
        (settings.keep_months, "%Y%m"),
    )
    for count, form in rules:
        newest: dict[str, datetime] = {}
        for moment in sorted(moments):
            newest[moment.strftime(form)] = moment
        kept |= {newest[key] for key in sorted(newest, reverse=True)[:count]}
    return kept


def prune(settings: Settings, keyring: Keyring) -> list[str]:
    """Remove copies no rule keeps, and the log that no copy of the last days needs. Returns what went.

    Whole copies first lose their manifest, so that one half removed is never taken for whole.
    """
    target = settings.target
    present = {moment_of(folder): folder for folder in copies(target)}
    kept = to_keep(list(present), settings)
    gone = []
    for moment, folder in sorted(present.items()):
        if moment not in kept:
            (folder / "manifest.json").unlink()
            shutil.rmtree(folder)
            gone.append(folder.name)
    _prune_log(settings, [present[moment] for moment in sorted(kept)], keyring)
    return gone


def _prune_log(settings: Settings, folders: list[Path], keyring: Keyring) -> None:
    """Older copies keep the segments they were made of; the newest days keep every segment since."""
    kept = [copy for copy in (read_manifest(folder, keyring) for folder in folders) if copy.kind == "base"]
    if not kept:
        return
    since = kept[-1].ended - timedelta(days=settings.keep_days)
    from_here = min(copy.wal_first[8:] for copy in kept if copy.ended >= since)
    ranges = [(copy.wal_first[8:], copy.wal_last[8:]) for copy in kept]
    for name in stored_log(settings.target):
        if SEGMENT.fullmatch(name[:24]) is None:
            continue  # history files are small and tell one timeline from another
        place = name[8:24]
        if place < from_here and not any(first <= place <= last for first, last in ranges):
            (settings.target / "wal" / f"{name}{SUFFIX}").unlink()
