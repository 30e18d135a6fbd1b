"""Photos and other files in a backup: each sealed once, under the digest of its content, however many copies name it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from zhili.common.cipher import Keyring
from zhili.common.sealing import Sealer, open_sealed
from zhili.config import backup_store as store
from zhili.config.backup_store import Settings

# Never in a backup: the database itself (it is copied its own way), keys, and what the machine says of itself.
NOT_COPIED: Final = (
    "pg",
    "keys",
    "archive",
    "status",
    "metrics",
    "cache",
    ".",
    "readonly.json",
    "readonly.ballast",
)


def own_files(var: Path) -> Iterator[str]:
    """Relative paths of everything under ZHILI_VAR that is data and not the database."""
    for top in sorted(var.iterdir()):
        if top.name.startswith(NOT_COPIED) or top.is_symlink():
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                yield str(path.relative_to(var))


def copy_files(var: Path, target: Path, keyring: Keyring) -> list[dict[str, Any]]:
    """Seal every file that is not in the store yet, each under the digest of its content; returns the whole list."""
    before = {one["path"]: one for one in read_list(target / "files.latest.zhi", keyring, "files.latest")}
    listed = []
    for name in own_files(var):
        path = var / name
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # removed a moment ago
        known = before.get(name)
        if known is None or (known["size"], known["mtime"]) != (stat.st_size, stat.st_mtime_ns):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            known = {
                "path": name,
                "size": len(data),
                "mtime": stat.st_mtime_ns,
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            _store_file(target, keyring, known["sha256"], data)
        elif not file_path(target, known["sha256"]).exists():
            _store_file(target, keyring, known["sha256"], path.read_bytes())
        listed.append(known)
    fresh = target / ".files.latest.part"
    write_list(fresh, keyring, "files.latest", listed)
    fresh.replace(target / "files.latest.zhi")
    return listed


def file_path(target: Path, digest: str) -> Path:
    return target / "files" / digest[:2] / f"{digest}{store.SUFFIX}"


def _store_file(target: Path, keyring: Keyring, digest: str, data: bytes) -> None:
    path = file_path(target, digest)
    if path.exists():
        return
    path.parent.mkdir(exist_ok=True, mode=0o700)
    part = path.with_name(f".{digest}.part")
    with part.open("wb") as out:
        sealer = Sealer(out, keyring, f"files/{digest}")
        sealer.write(data)
        sealer.close()
        store.sync(out)
    part.replace(path)


def write_list(path: Path, keyring: Keyring, name: str, listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a sealed list of files; size and digest of the sealed bytes."""
    with path.open("wb") as out:
        sealer = Sealer(out, keyring, name)
        for one in listed:
            sealer.write(json.dumps(one, ensure_ascii=False).encode() + b"\n")
        sealer.close()
        store.sync(out)
    return {"size": sealer.size, "sha256": sealer.sha256}


def read_list(path: Path, keyring: Keyring, name: str) -> list[dict[str, Any]]:
    """A sealed list of files; empty where there is none yet."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        return [json.loads(line) for line in open_sealed(file, keyring, name)]


def prune_files(settings: Settings, keyring: Keyring) -> int:
    """Remove stored files that no kept copy and not the newest list names: an erased photo leaves the backups too."""
    named = {
        one["sha256"] for one in read_list(settings.target / "files.latest.zhi", keyring, "files.latest")
    }
    for folder in store.copies(settings.target):
        listed = read_list(folder / "files.list.zhi", keyring, f"{folder.name}/files.list")
        named |= {one["sha256"] for one in listed}
    gone = 0
    for path in (settings.target / "files").glob(f"??/*{store.SUFFIX}"):
        if path.name.removesuffix(store.SUFFIX) not in named:
            path.unlink()
            gone += 1
    return gone
