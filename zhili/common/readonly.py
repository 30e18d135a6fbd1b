"""只读: the county may stop all writing for a while — a full disk, a suspected break-in, a move to another machine —
and look-up, posters, passbooks and public pages go on (O-09).

The switch is one small file under ZHILI_VAR, made beforehand with room to spare: turning it is writing over bytes that
are already on the disk, so it works where nothing else can be written. Beside it lies ballast: a few megabytes that are
given up when the switch is turned, so that what must be traced while looking can still be kept (audit/deferred.py).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from zhili.common.clock import now
from zhili.common.errors import ZhiliError
from zhili.common.periods import SHANGHAI

ROOM: Final = 4096
BALLAST_BYTES: Final = 4 * 1024 * 1024
REASON_MAX: Final = 200
_known: dict[Path, tuple[tuple[int, int], State]] = {}


class ReadOnlyError(ZhiliError):
    """Nothing is written just now; the message says why and since when."""


@dataclass(frozen=True, slots=True)
class State:
    """on: nothing may be written. since: None while off."""

    on: bool = False
    reason: str = ""
    since: datetime | None = None

    @property
    def words(self) -> str:
        """What people are told."""
        since = f"{self.since.astimezone(SHANGHAI):%m月%d日 %H:%M} 起，" if self.since else ""
        return f"{since}系统只能看、不能改。原因：{self.reason or '没有写明'}"


def _path() -> Path:
    return Path(settings.READONLY_FILE)


def state() -> State:
    """How the switch stands now; one look at the file's dates, read again only where it changed."""
    if os.environ.get("ZHILI_READONLY"):
        return State(True, os.environ["ZHILI_READONLY"][:REASON_MAX])
    path = _path()
    try:
        stat = path.stat()
    except FileNotFoundError:
        return State()
    key = (stat.st_mtime_ns, stat.st_size)
    known = _known.get(path)
    if known is None or known[0] != key:
        known = (key, _read(path))
        _known[path] = known
    return known[1]


def _read(path: Path) -> State:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(said["since"]) if said["since"] else None
        return State(bool(said["on"]), str(said["reason"]), since)
    except (OSError, ValueError, KeyError, TypeError):
        # A switch that cannot be read stands on the safe side.
        return State(True, "只读开关文件读不出来，请系统管理员执行 zhili readonly off")


def prepare() -> None:
    """Make the switch (off) and the ballast where they are missing: at every start, while there is room."""
    path = _path()
    if not path.exists():
        _write(path, State())
    ballast = path.with_suffix(".ballast")
    if not ballast.exists() and not state().on:
        ballast.write_bytes(b"\0" * BALLAST_BYTES)


def switch(*, on: bool, reason: str) -> State:
    """Turn it. Raises ReadOnlyError without a reason to turn it on, or where the file cannot be written."""
    reason = reason.strip()
    if on and not reason:
        raise ReadOnlyError("请写明为什么转为只读", hint="打开网页的人都会看到这句话。")
    if len(reason) > REASON_MAX:
        raise ReadOnlyError(f"理由最多 {REASON_MAX} 个字")
    path = _path()
    found = State(on, reason if on else "", now() if on else None)
    try:
        if on:
            path.with_suffix(".ballast").unlink(missing_ok=True)
        _write(path, found)
    except OSError as error:
        raise ReadOnlyError(
            f"只读开关写不进去：{os.strerror(error.errno or 0)}",
            hint='可以设环境变量 ZHILI_READONLY="原因" 再启动，效果相同。',
        ) from error
    if not on:
        prepare()
    return found


def _write(path: Path, found: State) -> None:
    text = json.dumps(
        {"on": found.on, "reason": found.reason, "since": found.since.isoformat() if found.since else ""}
    ).encode()
    flags = os.O_WRONLY | os.O_CREAT  # never O_TRUNC: the room is kept
    handle = os.open(path, flags, 0o644)
    try:
        os.pwrite(handle, text.ljust(ROOM), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
