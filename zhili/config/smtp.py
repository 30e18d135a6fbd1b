"""The mail server's address as one line of the environment → what Django's SMTP backend wants."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


def read_smtp(url: str) -> dict[str, Any]:
    """smtp://user:password@host:port → keyword arguments; "" → {}. Raises ImproperlyConfigured in plain words."""
    if not url:
        return {}
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ImproperlyConfigured("ZHILI_SMTP 看不懂，请写成 smtps://用户:口令@主机:465 这样。")
    return {
        "host": parts.hostname,
        "port": parts.port or _PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": parts.scheme == "smtps",
        "use_tls": parts.scheme == "smtp+starttls",
    }
