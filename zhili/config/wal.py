"""The database calls this program with every finished piece of its log (archive_command): seal it, put it away.

    python -m zhili.config.wal archive ARCHIVE_DIR PATH NAME

Exit 0 only when the sealed piece lies in the target, whole and on disk; anything else makes PostgreSQL keep the piece
and try again. Runs as the database's own user, without Django, in about a tenth of a second.
"""

from __future__ import annotations

import sys
import zlib
from io import BytesIO
from pathlib import Path

from zhili.common.cipher import Keyring
from zhili.common.errors import ZhiliError
from zhili.common.sealing import Sealer, open_sealed
from zhili.config.backup_store import SUFFIX, BackupError, read_settings, words, write_whole

SEGMENT_MAX = 64 * 1024 * 1024


def archive(folder: Path, source: Path, name: str) -> None:
    """Put one piece away. The same piece twice is fine; another one under the same name is refused."""
    settings = read_settings(folder)
    if settings is None:
        raise BackupError("没有备份设置", hint="请执行 zhili backup --to。")
    keyring = Keyring.load(folder / "key.json")
    plain = source.read_bytes()
    target = settings.target / "wal" / f"{name}{SUFFIX}"
    with words(settings.target):
        if target.exists():
            if open_piece(target, keyring, name) != plain:
                raise BackupError(f"备份里已有另一份 {name}", hint="两个系统不能用同一个备份位置。")
            return
        out = BytesIO()
        sealer = Sealer(out, keyring, f"wal/{name}")
        sealer.write(zlib.compress(plain, 1))
        sealer.close()
        write_whole(target, out.getvalue())


def open_piece(path: Path, keyring: Keyring, name: str) -> bytes:
    """The plain bytes of one sealed piece. Raises SealError by name."""
    with path.open("rb") as file:
        packed = open_sealed(file, keyring, f"wal/{name}").read()
    return zlib.decompressobj().decompress(packed, SEGMENT_MAX)


def main(arguments: list[str]) -> int:
    """Called by PostgreSQL; what it says goes to the database's log."""
    try:
        verb, folder, source, name = arguments
        if verb != "archive":
            raise ValueError(verb)
        archive(Path(folder), Path(source), name)
    except (ZhiliError, OSError, ValueError) as error:
        print(f"zhili: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
