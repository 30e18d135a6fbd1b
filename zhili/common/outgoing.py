"""The one way out: every request this house makes to another server goes through `send` (W-06).

A county's server may reach an SMS gateway, WeChat or a bank, and nothing else: only origins the administrator wrote
down (ZHILI_OUTGOING), no redirect, no proxy from the environment, and no address inside the county's own network
unless it was written down as a number. The name is resolved once, and the connection goes to the very address that
was checked, so a name that points elsewhere a second later gains nothing.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from zhili.common.errors import ZhiliError

BODY_MAX: Final = 1024 * 1024
SECONDS: Final = 10.0
METHODS: Final = ("GET", "POST")
_PORTS: Final = {"https": 443, "http": 80}


class OutgoingError(ZhiliError):
    """A request that may not leave, or did not come back in order."""


@dataclass(frozen=True, slots=True)
class Answer:
    """status: HTTP status, never a redirect. body: at most BODY_MAX bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read_origins(text: str) -> tuple[str, ...]:
    """ZHILI_OUTGOING: origins with commas, e.g. "https://api.weixin.qq.com,http://10.20.0.5:8080"."""
    found = []
    for one in text.replace(" ", "").split(","):
        if not one:
            continue
        parts = urlsplit(one)
        numeric = _address(parts.hostname or "") is not None
        if (
            parts.scheme not in _PORTS
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or parts.username is not None
            or (parts.scheme == "http" and not numeric)
        ):
            raise ValueError(
                f"ZHILI_OUTGOING: {one} 不是可用的地址；写成 https://主机名，内网用 http://IP:端口。"
            )
        found.append(_origin(parts))
    return tuple(found)


def send(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """One request to an allowed origin. Raises OutgoingError in words; its text never holds the address's query."""
    parts = urlsplit(url)
    if method not in METHODS:
        raise OutgoingError("只允许 GET 和 POST 请求外部系统")
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise OutgoingError("外部系统的地址不对", hint="请联系系统管理员核对设置。")
    if _origin(parts) not in settings.OUTGOING_ORIGINS:
        raise OutgoingError(
            f"没有允许连接 {parts.hostname}", hint="请系统管理员把它写进 ZHILI_OUTGOING 再重启。"
        )
    target = _checked_address(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Connection(parts, target, seconds)
    try:
        connection.request(
            method, path, body=body, headers={"Accept-Encoding": "identity", **(headers or {})}
        )
        response = connection.getresponse()
        data = response.read(BODY_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise OutgoingError(f"连不上 {parts.hostname}", hint="请稍后再试。") from error
    finally:
        connection.close()
    if 300 <= response.status < 400:
        raise OutgoingError(f"{parts.hostname} 要求转到别的地址，已停止", hint="请系统管理员核对接口地址。")
    if len(data) > BODY_MAX:
        raise OutgoingError(f"{parts.hostname} 的回答太大，已停止")
    return Answer(response.status, dict(response.headers), data)


def _origin(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".").lower()
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS[parts.scheme]}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _checked_address(parts: SplitResult) -> str:
    """The address to connect to: as written if it is a number, else resolved, and then a public one."""
    host = parts.hostname or ""
    if _address(host) is not None:
        return host  # the administrator wrote this very number down
    try:
        found = socket.getaddrinfo(host, parts.port or _PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except OSError as error:
        raise OutgoingError(f"找不到 {host} 的网络地址", hint="请稍后再试。") from error
    addresses = [str(one[4][0]) for one in found]
    for one in addresses:
        number = _address(one.split("%")[0])
        mapped = getattr(number, "ipv4_mapped", None) or number
        if mapped is None or not mapped.is_global or mapped.is_multicast:
            raise OutgoingError(f"{host} 指向内部网络，不能连接", hint="请系统管理员核对设置。")
    return addresses[0]


class _Connection(http.client.HTTPConnection):
    """To the checked address; TLS is verified against the name. http.client follows no redirect and no proxy."""

    def __init__(self, parts: SplitResult, target: str, seconds: float) -> None:
        super().__init__(parts.hostname or "", parts.port or _PORTS[parts.scheme], timeout=seconds)
        self._target = target
        self._context = ssl.create_default_context() if parts.scheme == "https" else None

    def connect(self) -> None:
        self.sock = socket.create_connection((self._target, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)
