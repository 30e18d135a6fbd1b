"""The log's second copy on another machine (O-02): whoever takes over this one can no longer make the past silent.

ZHILI_LOG_COPY names a folder of another host (a share mounted here). The worker adds what is new every few seconds and
never writes over anything. A copy that is gone, shorter than it was, or different from what was sent, and a target that
cannot be reached, is a loss: it stands in the log, in `status/logcopy.json` and red on 安全自查 until it is mended.
The share should let this machine append and not remove; that is for the other host to say.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final

from zhili.common import status
from zhili.common.errors import ZhiliError

COMPARED_BYTES: Final = 4096
CHUNK_BYTES: Final = 1024 * 1024
NAME: Final = "logcopy"


class LogCopyError(ZhiliError):
    """The copy cannot be trusted or reached."""


def host() -> str:
    """The folder of this machine in the target, so that two machines may share one."""
    clean = "".join(letter for letter in socket.gethostname() if letter.isalnum() or letter in "-_")
    return clean[:60] or "zhili"


def copy_logs(logs: Path, target: Path, var: Path) -> int:
    """Bring the copy up to date; bytes sent. What was found stands in the status file. Raises LogCopyError in words."""
    known = status.read(var, NAME) or {}
    sizes: dict[str, int] = dict(known.get("sizes", {}))
    try:
        sent = _copy_all(logs, target, sizes)
    except OSError as error:
        said = f"日志副本的位置写不进去（{type(error).__name__}）"
        status.note(var, NAME, ok=False, error=said, sizes=sizes)
        raise LogCopyError(said, hint="请看共享盘有没有挂上、有没有满。") from error
    except LogCopyError as error:
        status.note(var, NAME, ok=False, error=str(error), sizes=sizes)
        raise
    if sent or not known.get("ok"):
        status.note(var, NAME, ok=True, error="", sizes=sizes)
    return sent


def _copy_all(logs: Path, target: Path, sizes: dict[str, int]) -> int:
    if (
        not target.is_dir()
    ):  # never made here: an empty mount point would quietly fill this machine's own disk
        raise LogCopyError(f"日志副本的文件夹 {target} 不在", hint="请看共享盘有没有挂上。")
    folder = target / host()
    folder.mkdir(exist_ok=True, mode=0o750)
    here = {path.name: path for path in sorted(logs.glob("zhili-*.jsonl"))}
    for name in sorted(set(sizes) - set(here)):
        del sizes[name]  # old enough to have been removed here (P-19); the copy keeps its own time
    sent = 0
    for name, path in here.items():
        sent += _copy(path, folder / name, sizes.get(name, 0))
        sizes[name] = path.stat().st_size
    return sent


def _copy(path: Path, copy: Path, before: int) -> int:
    """Append what is new of one file. before: how long the copy was when it was last looked at."""
    held = copy.stat().st_size if copy.exists() else 0
    if held < before:
        raise LogCopyError(
            f"日志副本 {copy.name} 少了 {before - held} 字节", hint="有人动过副本，请查那台机器。"
        )
    size = path.stat().st_size
    if held > size:
        raise LogCopyError(
            f"本机的日志 {path.name} 比副本短 {held - size} 字节", hint="有人动过本机的日志，请查。"
        )
    with path.open("rb") as source:
        start = max(0, held - COMPARED_BYTES)
        source.seek(start)
        if held and source.read(held - start) != _tail(copy, start):
            raise LogCopyError(
                f"日志副本 {copy.name} 和本机的不一样", hint="有人改过其中一份，请查两台机器。"
            )
        source.seek(held)
        left = size - held  # lines that come while we copy are for the next round
        if not left:
            return 0
        with copy.open("ab") as out:
            while left and (piece := source.read(min(left, CHUNK_BYTES))):
                out.write(piece)
                left -= len(piece)
            out.flush()
            os.fsync(out.fileno())
    return size - held


def _tail(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read()


def state(var: Path) -> dict[str, Any] | None:
    """What the last round found: ok, error, at; None where there was none."""
    return status.read(var, NAME)
