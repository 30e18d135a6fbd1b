"""Personal fields at rest: ID number, phone and bank account are encrypted, and found again by a keyed
blind index.

Two profiles, the same code: `intl` (AES-256-GCM, HMAC-SHA-256) and `gm` 国密 (SM4-GCM, HMAC-SM3). A stored
value is a token that names how it was made, so keys and algorithms can change without a flag day:

    v1:aesgcm:<key id>:<base64url of nonce + ciphertext + tag>

The purpose ("people.resident.phone") is bound as associated data: a token copied into another column does
not open. Keys live in one JSON file of mode 0600 outside the database: with a dump of the database alone
nothing can be opened or looked up (zhili/common/keyring.py). Each purpose uses its own key derived from the
file's key, so one index says nothing of another."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zhili.common.hashing import digest, keyed_digest
from zhili.common.keyring import PROFILES as PROFILES
from zhili.common.keyring import CipherError as CipherError
from zhili.common.keyring import Keyring as Keyring

MAX_TEXT_BYTES: Final = 64 * 1024
_VERSION: Final = "v1"
_NONCE: Final = 12
_TAG: Final = 16
_INDEX_ALGS: Final = {"sha256": 1, "sm3": 2}
_KEY_BYTES: Final = {"aesgcm": 32, "sm4gcm": 16}


def encrypt(keyring: Keyring, purpose: str, text: str) -> str:
    """Plain text → token. purpose: table and field, e.g. "people.resident.phone"; needed again to open
    it.
    """
    data = text.encode()
    if len(data) > MAX_TEXT_BYTES:
        raise CipherError(f"要加密的内容超过 {MAX_TEXT_BYTES // 1024} KB", hint="请把它拆小，或改存为附件。")
    alg = PROFILES[keyring.profile][0]
    nonce = os.urandom(_NONCE)
    bound = _bound(alg, keyring.current, purpose)
    sealed = _seal(alg, _purpose_key(keyring.keys[keyring.current], alg, purpose), nonce, data, bound)
    body = base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")
    return f"{_VERSION}:{alg}:{keyring.current}:{body}"


def decrypt(keyring: Keyring, purpose: str, token: str) -> str:
    """Token → plain text. Raises CipherError for another purpose, a lost key, or a changed byte."""
    version, _, rest = token.partition(":")
    alg, _, rest = rest.partition(":")
    name, _, body = rest.partition(":")
    if version != _VERSION or alg not in _KEY_BYTES or not body:
        raise CipherError("密文格式不认识", hint="数据可能被改动，请联系系统管理员。")
    if name not in keyring.keys:
        raise CipherError(f"缺少编号为 {name[:16]} 的密钥", hint="请从离线备份恢复旧密钥。")
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        key = _purpose_key(keyring.keys[name], alg, purpose)
        return _open(alg, key, raw[:_NONCE], raw[_NONCE:], _bound(alg, name, purpose)).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise CipherError("密文打不开", hint="数据被改动过，或密钥不对，请联系系统管理员。") from error


def needs_new_key(keyring: Keyring, token: str) -> bool:
    """Whether a stored token was made with an older key or profile and should be encrypted again."""
    return not token.startswith(token_prefix(keyring))


def blind_index(keyring: Keyring, purpose: str, text: str) -> bytes:
    """34 bytes that are equal for equal texts of one purpose: how a clerk finds an ID number without opening all.

    The first byte names the algorithm, the second the index key, 32 are the HMAC (K-01). Normalise the text first
    (check_id_number); the index knows nothing of spellings. While keys turn over, look up by `blind_indexes`.
    """
    return _index(keyring, keyring.current_index, purpose, text)


def blind_indexes(keyring: Keyring, purpose: str, text: str) -> list[bytes]:
    """Every index this text may be stored under now, the current key's first: one, or two during a rotation."""
    names = sorted(keyring.indexes, key=lambda name: name != keyring.current_index)
    return [_index(keyring, name, purpose, text) for name in names]


def index_prefix(keyring: Keyring) -> bytes:
    """The two bytes every index made with the current key begins with; others must be made anew."""
    return _header(keyring.indexes[keyring.current_index][0], keyring.current_index)


def token_prefix(keyring: Keyring) -> str:
    """What every token made with the current key begins with."""
    return f"{_VERSION}:{PROFILES[keyring.profile][0]}:{keyring.current}:"


def _index(keyring: Keyring, name: str, purpose: str, text: str) -> bytes:
    alg, key = keyring.indexes[name]
    return _header(alg, name) + keyed_digest(alg, _derived(key, alg, f"index:{purpose}"), text.encode())


def _header(alg: str, name: str) -> bytes:
    return bytes([_INDEX_ALGS[alg], int(name[1:])])


def self_test() -> None:
    """Published vectors of every algorithm used; run at start-up. Raises CipherError naming the one that
    fails.

    AES-256-GCM: McGrew & Viega test case 16 (NIST SP 800-38D). SM3: GB/T 32905 example 1. SM4: GB/T 32907
    example 1. SM4-GCM: RFC 8998 A.1. HMAC-SHA-256: RFC 4231 case 2. HMAC-SM3: checked against its
    definition (RFC 2104) over SM3."""
    for name, holds in _VECTORS.items():
        try:
            good = holds()
        except Exception as error:
            raise CipherError(f"密码算法 {name} 用不了：{error}", hint="请检查运行环境的密码库。") from error
        if not good:
            raise CipherError(f"密码算法 {name} 自检不通过", hint="请停止使用并检查运行环境的密码库。")


def _seal(alg: str, key: bytes, nonce: bytes, data: bytes, bound: bytes) -> bytes:
    if alg == "aesgcm":
        return AESGCM(key).encrypt(nonce, data, bound)
    state = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    state.authenticate_additional_data(bound)
    return state.update(data) + state.finalize() + state.tag


def _open(alg: str, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
    if len(nonce) != _NONCE or len(sealed) < _TAG:
        raise ValueError("too short")
    if alg == "aesgcm":
        return AESGCM(key).decrypt(nonce, sealed, bound)
    state = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-_TAG:])).decryptor()
    state.authenticate_additional_data(bound)
    return state.update(sealed[:-_TAG]) + state.finalize()


def _bound(alg: str, name: str, purpose: str) -> bytes:
    return f"{_VERSION}|{alg}|{name}|{purpose}".encode()


def _purpose_key(key: bytes, alg: str, purpose: str) -> bytes:
    hash_alg = "sha256" if alg == "aesgcm" else "sm3"
    return _derived(key, hash_alg, f"{alg}:{purpose}")[: _KEY_BYTES[alg]]


@lru_cache(maxsize=256)
def _derived(key: bytes, alg: str, label: str) -> bytes:
    """One step of HKDF-expand (RFC 5869): 32 bytes for a label; the file's key is already uniformly
    random.
    """
    return keyed_digest(alg, key, b"zhili/1 " + label.encode() + b"\x01")


def _aes_gcm_vector() -> bool:
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    return _seal("aesgcm", key, nonce, plain, bound) == sealed


def _sm4_gcm_vector() -> bool:
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    nonce = bytes.fromhex("00001234567800000000abcd")
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = bytes.fromhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
    )
    sealed = bytes.fromhex(
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
    return _seal("sm4gcm", key, nonce, plain, bound) == sealed


def _sm4_block_vector() -> bool:
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    state = Cipher(algorithms.SM4(key), modes.CBC(bytes(16))).encryptor()
    return (state.update(key) + state.finalize()).hex() == "681edf34d206965e86b3e94f536e4246"


def _hmac_sm3_by_definition() -> bool:
    key, data = bytes(range(1, 33)), b"abc" * 50
    inner = digest("sm3", bytes(n ^ 0x36 for n in key.ljust(64, b"\0")) + data)
    return keyed_digest("sm3", key, data) == digest(
        "sm3", bytes(n ^ 0x5C for n in key.ljust(64, b"\0")) + inner
    )


_VECTORS: Final[dict[str, Callable[[], bool]]] = {
    "AES-256-GCM": _aes_gcm_vector,
    "SM4-GCM": _sm4_gcm_vector,
    "SM4": _sm4_block_vector,
    "SM3": lambda: (
        digest("sm3", b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    ),
    "SHA-256": lambda: (
        digest("sha256", b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ),
    "HMAC-SHA-256": lambda: (
        keyed_digest("sha256", b"Jefe", b"what do ya want for nothing?").hex()
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    "HMAC-SM3": _hmac_sm3_by_definition,
}
