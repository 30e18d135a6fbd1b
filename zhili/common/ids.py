"""Names for things: row keys, short codes people read aloud, and unguessable tokens.

A phone without signal makes the key of a claim itself (UUIDv7, RFC 9562), so sending it twice files it once.
On paper the same claim is 编号 A1B2-C3D4: Crockford's base 32, which has no I, L, O or U, because villagers
copy it by hand.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from zhili.common import clock
from zhili.common.errors import ZhiliError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ: Final = {letter: n for n, letter in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_SKIP: Final = re.compile(r"[\s\-‐‑‒–—_·.]+")
_GROUP: Final = 4


class CodeError(ZhiliError):
    """The short code cannot be read."""


def uuid7(now: datetime | None = None, rand: Callable[[int], bytes] | None = None) -> UUID:
    """A UUIDv7: 48 bits of Unix milliseconds, 12 bits of the millisecond's fraction, 62 random bits.

    now: an aware datetime (default: common.clock). rand: n → n random bytes (default: common.clock's); inside
    `clock.replay` both repeat, so the demo gets the same keys every time.
    """
    moment = now or clock.now()
    if moment.tzinfo is None:
        raise ValueError("uuid7 needs an aware datetime")
    nanoseconds = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    noise = int.from_bytes((rand or clock.random_bytes)(8), "big") & ((1 << 62) - 1)
    return UUID(int=(milliseconds & ((1 << 48) - 1)) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | noise)


def short_code(value: UUID | bytes, length: int = 8) -> str:
    """A code to print and read aloud, in groups of four: A1B2-C3D4.

    Of a UUID it shows the last bits (the first are time); of a digest the first bits, so it agrees with the
    beginning of the digest. length: 4…20 characters of 5 bits each.
    """
    if not 4 <= length <= 20:
        raise ValueError("length must be 4…20")
    bits = 5 * length
    if isinstance(value, UUID):
        number = value.int & ((1 << bits) - 1)
        if bits > 62:
            raise ValueError("a UUIDv7 has only 62 random bits: length must be at most 12")
    else:
        have = len(value) * 8
        if have < bits:
            raise ValueError(f"{len(value)} bytes are too few for {length} characters")
        number = int.from_bytes(value, "big") >> (have - bits)
    letters = "".join(ALPHABET[(number >> shift) & 31] for shift in range(bits - 5, -1, -5))
    return _grouped(letters)


def parse_short_code(text: str, length: int | None = 8) -> str:
    """What a person typed → the canonical code, ready to look up. Raises CodeError.

    Tolerant of small letters, full-width letters, spaces and dashes, O for 0, and I or L for 1.
    """
    clean = _SKIP.sub("", unicodedata.normalize("NFKC", text[:80])).upper()
    if not clean:
        raise CodeError("编号没有填写", hint="请抄写单子上的编号，例如 A1B2-C3D4。")
    unknown = [letter for letter in clean if letter not in _READ]
    if unknown:
        raise CodeError(f"编号里没有“{unknown[0]}”这个字", hint="请对照单子再抄一遍，例如 A1B2-C3D4。")
    if length is not None and len(clean) != length:
        raise CodeError(f"编号应是 {length} 位，这里有 {len(clean)} 位", hint="请对照单子再抄一遍。")
    return _grouped("".join(ALPHABET[_READ[letter]] for letter in clean))


def short_code_bits(code: str) -> int:
    """The number a canonical code stands for (5 bits a character): for a prefix or suffix search."""
    number = 0
    for letter in code.replace("-", ""):
        number = number << 5 | _READ[letter]
    return number


def new_token() -> str:
    """128 random bits for a link or a card that must not be guessed: 22 URL-safe characters."""
    return base64.urlsafe_b64encode(clock.random_bytes(16)).rstrip(b"=").decode()


def _grouped(letters: str) -> str:
    return "-".join(letters[i : i + _GROUP] for i in range(0, len(letters), _GROUP))
