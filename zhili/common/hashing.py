"""Digests by name, so that every stored digest can say which algorithm made it (SHA-256, or SM3 under
国密).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as keyed

from zhili.common.errors import ZhiliError

ALGORITHMS: Final = ("sha256", "sm3")
DIGEST_BYTES: Final = 32
"""Both give 32 bytes."""


class HashError(ZhiliError):
    """An algorithm this system does not know."""


def digest(alg: str, data: bytes) -> bytes:
    """The 32-byte digest of data. alg: sha256 or sm3. Raises HashError."""
    if alg == "sha256":
        return hashlib.sha256(data).digest()
    if alg == "sm3":
        # hashlib's sm3 depends on how the system's OpenSSL was built; cryptography brings its own.
        state = hashes.Hash(hashes.SM3())
        state.update(data)
        return state.finalize()
    raise _unknown(alg)


def keyed_digest(alg: str, key: bytes, data: bytes) -> bytes:
    """HMAC of data, 32 bytes. alg: sha256 or sm3. Raises HashError."""
    if alg == "sha256":
        return hmac.digest(key, data, "sha256")
    if alg == "sm3":
        state = keyed.HMAC(key, hashes.SM3())
        state.update(data)
        return state.finalize()
    raise _unknown(alg)


def _unknown(alg: str) -> HashError:
    return HashError(f"没有“{alg[:20]}”这种摘要算法", hint=f"可用：{'、'.join(ALGORITHMS)}。")
