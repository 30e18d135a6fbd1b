"""The database's log on its way out: PostgreSQL lays each finished piece into a spool, the service seals and sends it.

Two steps because they are two users: the database server may run as a user of its own, which reads neither the backup
key nor our program. Its step is a copy on the same disk; ours takes a piece out of the spool only when it lies in the
target, sealed, whole and on disk. Nothing is lost where the target is away: the spool waits.
"""

from __future__ import annotations

import shlex
import shutil
import zlib
from io import BytesIO
from pathlib import Path

from zhili.common.cipher import Keyring
from zhili.common.sealing import Sealer, open_sealed
from zhili.config import embedded
from zhili.config.backup_store import (
    SUFFIX,
    BackupError,
    archive_dir,
    key_path,
    read_settings,
    words,
    write_whole,
)

SEGMENT_MAX = 64 * 1024 * 1024


def spool_dir(var: Path) -> Path:
    """Where PostgreSQL lays its pieces; its user's own."""
    return var / "pg-spool"


def make_spool(var: Path) -> Path:
    spool = spool_dir(var)
    spool.mkdir(exist_ok=True, mode=0o700)
    user = embedded.system_user()
    if user:
        shutil.chown(spool, user)
    return spool


def archive_command(var: Path) -> str:
    """What PostgreSQL runs for each piece: copy, onto the disk, under its name. The same piece twice is fine."""
    place = shlex.quote(str(spool_dir(var))).replace("%", "%%")
    return (
        f'cmp -s "%p" {place}/"%f" || '
        f'{{ cp "%p" {place}/".%f.part" && sync {place}/".%f.part" && mv {place}/".%f.part" {place}/"%f"; }}'
    )


def waiting(var: Path) -> list[Path]:
    """Pieces in the spool, oldest first."""
    spool = spool_dir(var)
    return sorted(p for p in spool.iterdir() if p.name[0] != ".") if spool.is_dir() else []


def ship(var: Path) -> int:
    """Send what waits. Returns how many pieces went. Raises BackupError in words; the rest stays in the spool."""
    settings = read_settings(archive_dir(var))
    pieces = waiting(var)
    if settings is None or not pieces:
        return 0
    keyring = Keyring.load(key_path(var))
    target = settings.target / "wal"
    with words(settings.target):
        if not (settings.target / "zhili-backup.json").exists():
            raise BackupError(
                f"备份位置 {settings.target} 里没有 zhili-backup.json", hint="盘没有挂上？挂上后再试。"
            )
        for piece in pieces:
            put_piece(target, keyring, piece.name, piece.read_bytes())
            piece.unlink(missing_ok=True)
    return len(pieces)


def put_piece(target: Path, keyring: Keyring, name: str, plain: bytes) -> None:
    """One piece into the archive. The same one twice is fine; another one under the same name is refused."""
    path = target / f"{name}{SUFFIX}"
    if path.exists():
        if open_piece(path, keyring, name) != plain:
            raise BackupError(f"备份里已有另一份 {name}", hint="两个系统不能用同一个备份位置。")
        return
    out = BytesIO()
    sealer = Sealer(out, keyring, f"wal/{name}")
    sealer.write(zlib.compress(plain, 1))
    sealer.close()
    write_whole(path, out.getvalue())


def open_piece(path: Path, keyring: Keyring, name: str) -> bytes:
    """The plain bytes of one sealed piece. Raises SealError by name."""
    with path.open("rb") as file:
        packed = open_sealed(file, keyring, f"wal/{name}").read()
    return zlib.decompressobj().decompress(packed, SEGMENT_MAX)
