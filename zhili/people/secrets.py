"""ID numbers and phones at rest: sealed, and found again by a keyed index, never by reading them all.

The county's key file lies beside the database, not in it (people.json, mode 0600, in ZHILI_VAR/keys or where
ZHILI_PEOPLE_KEYS says); it is made at first use, in the profile ZHILI_CIPHER names, and must be in the off-line store.
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

from zhili.common.cipher import Keyring, blind_index, blind_indexes, decrypt, encrypt
from zhili.common.leaks import luhn
from zhili.people.errors import PeopleError

PHONE: Final = "people.resident.phone"
ID_NUMBER: Final = "people.resident.id_number"
BANK: Final = "people.resident.bank"
SHEET: Final = "people.consent.sheet"
UPLOAD: Final = "people.upload"
ROWS: Final = "people.import.rows"
_CHUNK: Final = 45_000
_PHONE: Final = re.compile(r"1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8}|[0-9]{7,8}")


def key_path() -> Path:
    """Where the county's keys lie."""
    return Path(settings.PEOPLE_KEYS)


def keyring() -> Keyring:
    """The county's keys, made at first use; read again when the file has changed, as a rotation does."""
    path = key_path()
    try:
        seen = path.stat()
    except FileNotFoundError:
        _make(path)
        seen = path.stat()
    return _loaded(str(path), seen.st_ino, seen.st_mtime_ns)


@lru_cache(maxsize=4)
def _loaded(path: str, inode: int, changed: int) -> Keyring:
    return Keyring.load(path)


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(f".people-{os.getpid()}-{os.urandom(4).hex()}.json")
    Keyring.create(fresh, profile=settings.CIPHER_PROFILE)
    try:
        os.link(fresh, file)  # whole or not at all: two processes may start at once
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


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


def check_bank(text: str) -> str:
    """What was typed → 16 to 19 digits with a right check digit (Luhn). Raises PeopleError without the number."""
    clean = re.sub(r"[\s\-‐–—]", "", unicodedata.normalize("NFKC", text[:40]))
    if not re.fullmatch(r"[0-9]{16,19}", clean):
        raise PeopleError("银行卡号应是 16 到 19 位数字", field="bank", hint="请对照银行卡核对。")
    if not luhn(clean):
        raise PeopleError("银行卡号校验不通过，可能有一位抄错", field="bank", hint="请对照银行卡逐位核对。")
    return clean


def seal_phone(number: str) -> tuple[str, bytes | None]:
    """A checked phone → (token, blind index); ("", None) if empty."""
    return _seal(PHONE, number)


def seal_id_number(number: str) -> tuple[str, bytes | None]:
    """A checked ID number → (token, blind index); ("", None) if empty."""
    return _seal(ID_NUMBER, number)


def seal_bank(number: str) -> tuple[str, bytes | None]:
    """A checked bank account → (token, blind index); ("", None) if empty."""
    return _seal(BANK, number)


def _seal(purpose: str, number: str) -> tuple[str, bytes | None]:
    if not number:
        return "", None
    ring = keyring()
    return encrypt(ring, purpose, number), blind_index(ring, purpose, number)


def id_number_indexes(number: str) -> list[bytes]:
    """The blind indexes a checked ID number may be stored under: `filter(id_number_index__in=…)`."""
    return blind_indexes(keyring(), ID_NUMBER, number)


def phone_indexes(number: str) -> list[bytes]:
    """The blind indexes a checked phone may be stored under: `filter(phone_index__in=…)`."""
    return blind_indexes(keyring(), PHONE, number)


def bank_indexes(number: str) -> list[bytes]:
    """The blind indexes a checked bank account may be stored under."""
    return blind_indexes(keyring(), BANK, number)


def open_phone(token: str) -> str:
    """The phone in clear, or "". For masking and for the audited `unmasking.unmask` only."""
    return decrypt(keyring(), PHONE, token) if token else ""


def open_id_number(token: str) -> str:
    """The ID number in clear, or "". For masking and for the audited `unmasking.unmask` only."""
    return decrypt(keyring(), ID_NUMBER, token) if token else ""


def open_bank(token: str) -> str:
    """The bank account in clear, or "". For masking and for the audited `unmasking.unmask` only."""
    return decrypt(keyring(), BANK, token) if token else ""


def seal_sheet(data: bytes) -> str:
    """The photographed consent paper → tokens, one a line."""
    return _seal_bytes(SHEET, data)


def open_sheet(sealed: str) -> bytes:
    """Back to the bytes."""
    return _open_bytes(SHEET, sealed)


def seal_file(data: bytes) -> str:
    """A file of any size → tokens, one a line (the cipher seals at most 64 KB at a time)."""
    return _seal_bytes(UPLOAD, data)


def open_file(sealed: str) -> bytes:
    """Back to the bytes."""
    return _open_bytes(UPLOAD, sealed)


def _seal_bytes(purpose: str, data: bytes) -> str:
    ring = keyring()
    return "\n".join(
        encrypt(ring, purpose, base64.b64encode(data[n : n + _CHUNK]).decode())
        for n in range(0, len(data), _CHUNK)
    )


def _open_bytes(purpose: str, sealed: str) -> bytes:
    ring = keyring()
    return b"".join(base64.b64decode(decrypt(ring, purpose, token)) for token in sealed.splitlines())


def rows_digests(text: str) -> list[str]:
    """Keyed digests of an import's rows, the current key's first: equal for equal rows, useless for guessing an ID
    number. After the old key is retired an old import is known by its file alone."""
    return [index[2:].hex() for index in blind_indexes(keyring(), ROWS, text)]
