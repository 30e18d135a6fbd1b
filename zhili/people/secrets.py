"""ID numbers and phones at rest: sealed, and found again by a keyed index, never by reading them all.

The county's key file lies beside the database, not in it (ZHILI_VAR/keys/people.json, mode 0600); it is made
at first use and must be in the off-line backup.
"""

from __future__ import annotations

import base64
import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings

from zhili.common.cipher import Keyring, blind_index, decrypt, encrypt
from zhili.people.errors import PeopleError

PHONE: Final = "people.resident.phone"
ID_NUMBER: Final = "people.resident.id_number"
UPLOAD: Final = "people.upload"
ROWS: Final = "people.import.rows"
_CHUNK: Final = 45_000
_PHONE: Final = re.compile(r"1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8}|[0-9]{7,8}")


def keyring() -> Keyring:
    """The county's keys, made at first use."""
    return _keyring(str(settings.VAR / "keys" / "people.json"))


@lru_cache(maxsize=4)
def _keyring(path: str) -> Keyring:
    file = Path(path)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = file.with_name(f".people-{os.getpid()}-{os.urandom(4).hex()}.json")
        Keyring.create(fresh)
        try:
            os.link(fresh, file)  # whole or not at all: two processes may start at once
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return Keyring.load(file)


def check_phone(text: str) -> str:
    """What was typed → digits only. Raises PeopleError; the message does not repeat the number."""
    clean = re.sub(r"[\s\-‐–—()]", "", unicodedata.normalize("NFKC", text[:40]))
    clean = re.sub(r"^\+?86(?=1[3-9])", "", clean)
    if not _PHONE.fullmatch(clean):
        raise PeopleError(
            "电话号码不对，应是 11 位手机号，或区号加 7 到 8 位座机号",
            field="phone",
            hint="请核对后重填，没有电话就留空。",
        )
    return clean


def seal_phone(number: str) -> tuple[str, bytes | None]:
    """A checked phone → (token, blind index); ("", None) if empty."""
    return (
        (encrypt(keyring(), PHONE, number), blind_index(keyring(), PHONE, number)) if number else ("", None)
    )


def seal_id_number(number: str) -> tuple[str, bytes | None]:
    """A checked ID number → (token, blind index); ("", None) if empty."""
    if not number:
        return "", None
    return encrypt(keyring(), ID_NUMBER, number), blind_index(keyring(), ID_NUMBER, number)


def id_number_index(number: str) -> bytes:
    """The blind index of a checked ID number, to look it up."""
    return blind_index(keyring(), ID_NUMBER, number)


def open_phone(token: str) -> str:
    """The phone in clear, or "". For masking and for the audited `actions.reveal` only."""
    return decrypt(keyring(), PHONE, token) if token else ""


def open_id_number(token: str) -> str:
    """The ID number in clear, or "". For masking and for the audited `actions.reveal` only."""
    return decrypt(keyring(), ID_NUMBER, token) if token else ""


def seal_file(data: bytes) -> str:
    """A file of any size → tokens, one a line (the cipher seals at most 64 KB at a time)."""
    return "\n".join(
        encrypt(keyring(), UPLOAD, base64.b64encode(data[n : n + _CHUNK]).decode())
        for n in range(0, len(data), _CHUNK)
    )


def open_file(sealed: str) -> bytes:
    """Back to the bytes."""
    return b"".join(base64.b64decode(decrypt(keyring(), UPLOAD, token)) for token in sealed.splitlines())


def rows_digest(text: str) -> str:
    """A keyed digest of an import's rows: equal for equal rows, and useless for guessing an ID number."""
    return blind_index(keyring(), ROWS, text).hex()
