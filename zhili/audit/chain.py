"""The audit chain in plain Python: the same formula as sql/01_chain.sql, so that a check needs no trust in the server.

    digest  H(10 | line), and the line contains the digest before it

Each place has a chain of its own (a village's deeds in the village's, log-ins and other deeds of the whole instance
in the county's), so villages never wait for each other. The row's texts stand in it with their lengths.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from zhili.common.canonical import moment, netstring
from zhili.common.hashing import digest
from zhili.common.keyring import PROFILES

ZERO: Final = bytes(32)


def algorithm() -> str:
    """The digest of new rows: sha256, or sm3 under the profile gm. Rows of both may stand in one chain (K-01)."""
    return PROFILES[settings.CIPHER_PROFILE][1]


def line(
    *,
    place: str,
    seq: int,
    previous: bytes,
    algorithm: str,
    id: UUID,
    at: datetime,
    utc_offset: int,
    actor_id: int | None,
    on_behalf_of: UUID | None,
    role: str,
    action: str,
    target: str,
    outcome: str,
    source: str,
    receipt: str,
    detail: str,
) -> str:
    """The canonical line of one row, every column of it. detail: the JSON text as the database returns it."""
    actor = "" if actor_id is None else actor_id
    words = "".join(map(netstring, (role, action, target, outcome, source, receipt, detail)))
    return (
        f"zhili-audit/1|{place}|{seq}|{previous.hex()}|{algorithm}|{id}|{moment(at)}|{utc_offset}|"
        f"{actor}|{on_behalf_of or ''}|{words}"
    )


def link(algorithm: str, line: str) -> bytes:
    """The digest of a line, 32 bytes. Raises HashError for an unknown algorithm."""
    return digest(algorithm, b"\x10" + line.encode())
