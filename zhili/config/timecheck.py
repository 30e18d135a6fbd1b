"""对时 (O-08): the database's clock, this machine's, and a time source of the county's own, against each other.

Two dates stand on every line of the ledger; a clock that is five seconds off makes the order of deeds doubtful.
ZHILI_TIME_SOURCE names the county's time server: ntp://host or ntp://host:port. Nothing outside is asked without it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from django.db import connection

LIMIT_SECONDS: Final = 5.0
_NTP_EPOCH: Final = 2_208_988_800
_TIMEOUT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock beside this machine's. offset: seconds it is ahead; None where it could not be read."""

    name: str
    offset: float | None
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.offset is not None and abs(self.offset) <= LIMIT_SECONDS


def check() -> list[Clock]:
    """The database's clock, and the county's time source where one is named."""
    clocks = [database_clock()]
    source = os.environ.get("ZHILI_TIME_SOURCE", "")
    if source:
        clocks.append(source_clock(source))
    return clocks


def database_clock() -> Clock:
    """Asked between two looks at our own clock; the middle of them counts."""
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
    after = datetime.now(UTC)
    return Clock("数据库", (there - (before + (after - before) / 2)).total_seconds())


def source_clock(url: str) -> Clock:
    """One SNTP question (RFC 4330)."""
    parts = urlsplit(url)
    if parts.scheme != "ntp" or not parts.hostname:
        return Clock("时间源", None, "ZHILI_TIME_SOURCE 要写成 ntp://主机名")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(_TIMEOUT)
            before = time.time()
            line.sendto(b"\x23" + bytes(47), (parts.hostname, parts.port or 123))
            answer, _ = line.recvfrom(512)
            after = time.time()
    except OSError as error:
        return Clock("时间源", None, f"问不到：{type(error).__name__}")
    if len(answer) < 48 or answer[0] & 0x07 != 4 or answer[1] == 0:
        return Clock("时间源", None, "回答不是时间服务器的格式")
    received, sent = (
        seconds - _NTP_EPOCH + fraction / 2**32
        for seconds, fraction in (struct.unpack("!II", answer[32:40]), struct.unpack("!II", answer[40:48]))
    )
    return Clock("时间源", ((received - before) + (sent - after)) / 2)
