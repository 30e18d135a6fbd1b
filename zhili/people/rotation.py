"""换密钥: every sealed value and every blind index made anew under a fresh key, in batches (K-04).

Each batch is one short transaction; a process killed between two leaves rows under the old key and rows under the
new, and both are readable and found all the time because the key file holds both keys. Starting again goes on where
it stopped. The old keys are retired only when no row needs them and no process may still be writing with them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction

from zhili.audit.actions import record
from zhili.common.cipher import (
    CipherError,
    Keyring,
    blind_index,
    decrypt,
    encrypt,
    index_prefix,
    needs_new_key,
    token_prefix,
)
from zhili.common.faults import fault
from zhili.common.scope import EVERYWHERE, scoped
from zhili.people import secrets

BATCH: Final = 500
SETTLE_SECONDS: Final = 3_600
"""How long after the new key was made the old one may be retired while other connections are open: a request that
took the old key in hand has ended by then."""
_LOCK: Final = 704_513


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed column. lines: several tokens, one a line. index: the blind index beside it, or ""."""

    table: str
    column: str
    purpose: str
    index: str = ""
    lines: bool = False


COLUMNS: Final = (
    Sealed("people_resident", "phone_secret", secrets.PHONE, "phone_index"),
    Sealed("people_resident", "id_number_secret", secrets.ID_NUMBER, "id_number_index"),
    Sealed("people_resident", "bank_secret", secrets.BANK, "bank_index"),
    Sealed("people_consentsheet", "sealed", secrets.SHEET, lines=True),
    Sealed("people_importfile", "sealed", secrets.UPLOAD, lines=True),
    Sealed("shop_pin", "sealed", "shop.pin"),
)
"""Every column the county's keys seal; a test walks the models and knows if one is missing here."""


def rotate(
    *, profile: str | None = None, batch: int = BATCH, progress: Callable[[str, int], None] | None = None
) -> dict[str, int]:
    """Make a new key where none is being brought in yet, and bring every row over. → column → rows changed.

    Safe to call again after any interruption. Raises CipherError where another rotation is running.
    """
    path = secrets.key_path()
    ring = secrets.keyring()
    changed: dict[str, int] = {}
    with _alone():
        if not ring.turning:
            ring = ring.rotated(path, profile=profile)
            with scoped(EVERYWHERE):
                record("people.keys_rotate", by=None, place="51", key=ring.current, profile=ring.profile)
        elif profile and profile != ring.profile:
            raise CipherError(
                "上一次换密钥还没有做完", hint="请先不带 --profile 再运行一次，做完后再换方案。"
            )
        for one in COLUMNS:
            name = f"{one.table}.{one.column}"
            changed[name] = 0
            for count in _bring_over(ring, one, batch):
                changed[name] += count
                if progress:
                    progress(name, changed[name])
    return changed


def left(ring: Keyring) -> dict[str, int]:
    """Column → rows still under an older key; all 0 when the rotation is complete."""
    found: dict[str, int] = {}
    with scoped(EVERYWHERE), connection.cursor() as cursor:
        for one in COLUMNS:
            cursor.execute(f"SELECT count(*) FROM {one.table} WHERE {_old(one)}", _old_values(ring, one))  # noqa: S608
            found[f"{one.table}.{one.column}"] = cursor.fetchone()[0]
    return found


def retire(*, now_seconds: float | None = None) -> tuple[Keyring, Path]:
    """Take the old keys out of the key file; → the ring, and the file they were moved to (for old backups).

    Raises CipherError where a row still needs them, where there is nothing to retire, or where the new key is younger
    than an hour and another process is connected, which may still be writing with the old one.
    """
    path = secrets.key_path()
    ring = secrets.keyring()
    if not ring.turning:
        raise CipherError("没有要停用的旧密钥", hint="请先运行 zhili keys rotate。")
    with _alone():
        waiting = {name: count for name, count in left(ring).items() if count}
        if waiting:
            said = "、".join(f"{name} {count} 行" for name, count in waiting.items())
            raise CipherError(f"还有数据用着旧密钥：{said}", hint="请先运行 zhili keys rotate 做完。")
        age = (now_seconds or time.time()) - path.stat().st_mtime
        if age < SETTLE_SECONDS and _others():
            raise CipherError(
                "新密钥启用还不到一小时，还有别的程序连着数据库", hint="请一小时后再运行，或先停下网页服务。"
            )
        alone, archive = ring.retired(path)
        with scoped(EVERYWHERE):
            record("people.keys_retire", by=None, place="51", key=alone.current, archive=archive.name)
    return alone, archive


def _bring_over(ring: Keyring, one: Sealed, batch: int) -> Iterator[int]:
    last = None
    while True:
        fault("keys.rotate.batch")
        with scoped(EVERYWHERE), transaction.atomic(), connection.cursor() as cursor:
            after = "AND id > %s" if last is not None else ""
            cursor.execute(
                f"SELECT id, {one.column} FROM {one.table} WHERE {_old(one)} {after} ORDER BY id LIMIT %s FOR UPDATE",  # noqa: S608
                [*_old_values(ring, one), *([last] if last is not None else []), batch],
            )
            rows = cursor.fetchall()
            fresh = [(key, *_made_anew(ring, one, value)) for key, value in rows]
            index = f", {one.index} = v.idx" if one.index else ""
            if fresh:
                # One statement a batch; the trigger-free columns change and nothing else of the row.
                cursor.execute(
                    f"UPDATE {one.table} AS t SET {one.column} = v.token{index}"  # noqa: S608
                    " FROM unnest(%s::uuid[], %s::text[], %s::bytea[]) AS v(id, token, idx) WHERE t.id = v.id",
                    [[row[0] for row in fresh], [row[1] for row in fresh], [row[2] for row in fresh]],
                )
        if not rows:
            return
        last = rows[-1][0]
        yield len(rows)


def _made_anew(ring: Keyring, one: Sealed, value: str) -> tuple[str, bytes | None]:
    tokens = value.splitlines() if one.lines else [value]
    plain = [decrypt(ring, one.purpose, token) for token in tokens]
    fresh = [
        encrypt(ring, one.purpose, text) if needs_new_key(ring, token) else token
        for token, text in zip(tokens, plain, strict=True)
    ]
    return "\n".join(fresh), blind_index(ring, one.purpose, plain[0]) if one.index else None


def _old(one: Sealed) -> str:
    old = f"{one.column} <> '' AND ({one.column} NOT LIKE %s"
    return old + (f" OR {one.index} IS NULL OR substr({one.index}, 1, 2) <> %s)" if one.index else ")")


def _old_values(ring: Keyring, one: Sealed) -> list[Any]:
    return [token_prefix(ring) + "%", *([index_prefix(ring)] if one.index else [])]


def _others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND usename = current_user"
        )
        return int(cursor.fetchone()[0])


class _alone:
    """One rotation at a time in this database; the lock dies with the process."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            if not cursor.fetchone()[0]:
                raise CipherError(
                    "已经有一次换密钥在进行", hint=f"请等它做完（本次进程 {os.getpid()} 没有动）。"
                )

    def __exit__(self, *error: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
