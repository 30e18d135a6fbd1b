"""Files that leave the machine: backups are sealed chunk by chunk, so that they stream and still cannot be altered.

A sealed file is one JSON header line, then chunks: four bytes of length, then ciphertext with its tag. Every file has
a key of its own (derived from the backup key, a random salt and the file's name), every chunk its number, the last one
a mark: a chunk that was changed, moved, left out or taken from another file does not open. AES-256-GCM under the
profile `intl`, SM4-GCM under `gm` (K-01, K-02, K-07).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zhili.common.cipher import PROFILES, Keyring
from zhili.common.errors import ZhiliError
from zhili.common.hashing import keyed_digest

FORMAT: Final = "zhili-sealed/1"
CHUNK: Final = 1024 * 1024
_TAG: Final = 16
_KEY_BYTES: Final = {"aesgcm": 32, "sm4gcm": 16}
_HEADER_MAX: Final = 1_000


class SealError(ZhiliError):
    """A sealed file that does not open: the wrong key, or a changed byte."""


def _file_key(secret: bytes, alg: str, name: str, salt: bytes) -> bytes:
    hash_alg = "sha256" if alg == "aesgcm" else "sm3"
    label = b"zhili/1 sealed file|" + salt + b"|" + name.encode() + b"\x01"
    return keyed_digest(hash_alg, secret, label)[: _KEY_BYTES[alg]]


def _key_check(secret: bytes, salt: bytes) -> str:
    """Eight bytes by which a wrong key is told from a changed file."""
    return keyed_digest("sha256", secret, b"zhili/1 key check|" + salt)[:8].hex()


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


class Sealer(io.RawIOBase):
    """Writes plain bytes into `target` sealed. `close()` seals the last chunk; without it the file does not open.

    name: what the file is called in its backup. Afterwards .sha256 is the digest of the sealed bytes, .size their
    number, .plain_size that of the plain ones.
    """

    def __init__(self, target: IO[bytes], keyring: Keyring, name: str) -> None:
        self._target = target
        self._alg = PROFILES[keyring.profile][0]
        salt = os.urandom(16)
        secret = keyring.keys[keyring.current]
        header = {
            "format": FORMAT,
            "alg": self._alg,
            "key": keyring.current,
            "salt": salt.hex(),
            "check": _key_check(secret, salt),
        }
        self._key = _file_key(secret, self._alg, name, salt)
        self._bound = json.dumps(header, sort_keys=True).encode()
        self._buffer = bytearray()
        self._number = 0
        self._digest = hashlib.sha256()
        self.size = self.plain_size = 0
        self.sha256 = ""
        self._put(self._bound + b"\n")

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._buffer += data
        self.plain_size += len(data)
        while len(self._buffer) > CHUNK:
            self._seal(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._seal(bytes(self._buffer), last=True)
            self.sha256 = self._digest.hexdigest()
            super().close()

    def _seal(self, data: bytes, *, last: bool) -> None:
        nonce = _nonce(self._number, last)
        self._number += 1
        if self._alg == "aesgcm":
            sealed = AESGCM(self._key).encrypt(nonce, data, self._bound)
        else:
            state = Cipher(algorithms.SM4(self._key), modes.GCM(nonce)).encryptor()
            state.authenticate_additional_data(self._bound)
            sealed = state.update(data) + state.finalize() + state.tag
        self._put(len(sealed).to_bytes(4, "big") + sealed)

    def _put(self, data: bytes) -> None:
        self._target.write(data)
        self._digest.update(data)
        self.size += len(data)


class Opener(io.RawIOBase):
    """Reads a sealed file's plain bytes. Raises SealError naming the file at the first chunk that does not open."""

    def __init__(self, source: IO[bytes], keyring: Keyring, name: str) -> None:
        self._source = source
        self._name = name
        line = source.readline(_HEADER_MAX)
        try:
            header = json.loads(line)
            if header["format"] != FORMAT or header["alg"] not in _KEY_BYTES:
                raise ValueError(header["format"])
            alg, key_id, salt, check = (
                header["alg"],
                header["key"],
                bytes.fromhex(header["salt"]),
                header["check"],
            )
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise self._damaged("开头不是智理的加密文件") from error
        secret = keyring.keys.get(key_id)
        if secret is None or _key_check(secret, salt) != check:
            raise SealError(
                f"备份文件 {name} 用的不是这把备份密钥",
                hint="请从离线保管处取出当时的 key.json（备份密钥）再试；密钥没有错的话，就是文件开头被改动过。",
            )
        self._alg = alg
        self._key = _file_key(secret, alg, name, salt)
        self._bound = line.rstrip(b"\n")
        self._number = 0
        self._rest = b""
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest and not self._done:
            self._rest = self._next()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self) -> bytes:
        length = self._source.read(4)
        if len(length) < 4:
            raise self._damaged(f"到第 {self._number + 1} 块就断了，后面被截掉")
        size = int.from_bytes(length, "big")
        if not _TAG <= size <= CHUNK + _TAG:
            raise self._damaged(f"第 {self._number + 1} 块被改动过")
        sealed = self._source.read(size)
        if len(sealed) != size:
            raise self._damaged(f"到第 {self._number + 1} 块就断了，后面被截掉")
        # The last chunk opens with another nonce; nothing may follow it.
        last = False
        try:
            plain = self._open(sealed, last=False)
        except (InvalidTag, ValueError):
            try:
                plain, last = self._open(sealed, last=True), True
            except (InvalidTag, ValueError) as error:
                raise self._damaged(f"第 {self._number + 1} 块被改动过") from error
        self._number += 1
        if last:
            self._done = True
            if self._source.read(1):
                raise self._damaged("末尾多出了内容")
        return plain

    def _open(self, sealed: bytes, *, last: bool) -> bytes:
        nonce = _nonce(self._number, last)
        if self._alg == "aesgcm":
            return AESGCM(self._key).decrypt(nonce, sealed, self._bound)
        state = Cipher(algorithms.SM4(self._key), modes.GCM(nonce, sealed[-_TAG:])).decryptor()
        state.authenticate_additional_data(self._bound)
        return state.update(sealed[:-_TAG]) + state.finalize()

    def _damaged(self, what: str) -> SealError:
        return SealError(f"备份文件 {self._name} 不可信：{what}", hint="请换另一份备份，并查明是谁动过它。")


def open_sealed(source: IO[bytes], keyring: Keyring, name: str) -> io.BufferedReader:
    """A buffered reader over the plain bytes of a sealed file."""
    return io.BufferedReader(Opener(source, keyring, name), buffer_size=CHUNK)
