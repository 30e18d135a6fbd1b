"""The county's keys for personal fields: one JSON file of mode 0600, outside the database and outside its backups.

Several keys may stand side by side while one takes the place of another: the current ones write, all of them open
and find. So a rotation can stop half-way and go on later, and everything is readable throughout (K-04).
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from zhili.common.errors import ZhiliError

PROFILES: Final = {"intl": ("aesgcm", "sha256"), "gm": ("sm4gcm", "sm3")}
"""Profile → cipher of new values, digest of the blind index."""
_KEY_ID: Final = re.compile(r"[a-z0-9]{1,16}")
_INDEX_ID: Final = re.compile(r"i([1-9][0-9]{0,2})")
_DIGESTS: Final = ("sha256", "sm3")


class CipherError(ZhiliError):
    """A value that cannot be opened, or a key file that cannot be used."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The county's keys. keys: key id → 32 secret bytes; `current` encrypts, all may decrypt.

    indexes: blind index key id (i1, i2 …) → (digest algorithm, 32 secret bytes); `current_index` writes, all find.
    """

    profile: str
    current: str
    keys: dict[str, bytes] = field(repr=False)
    indexes: dict[str, tuple[str, bytes]] = field(repr=False)
    current_index: str = "i1"

    @property
    def index(self) -> bytes:
        """The secret of the current blind index."""
        return self.indexes[self.current_index][1]

    @property
    def turning(self) -> bool:
        """Whether a rotation is under way: more than one key is in use."""
        return len(self.keys) > 1 or len(self.indexes) > 1

    @staticmethod
    def create(path: Path | str, *, profile: str = "intl") -> Keyring:
        """Make new keys and write them to a new file of mode 0600; an existing file is never overwritten."""
        check_profile(profile)
        index = (PROFILES[profile][1], secrets.token_bytes(32))
        ring = Keyring(profile, "k1", {"k1": secrets.token_bytes(32)}, {"i1": index})
        _write(Path(path), ring.stored())
        return ring

    @staticmethod
    def load(path: Path | str) -> Keyring:
        """Read the key file. Raises CipherError if it is missing, open to others, or damaged."""
        path = Path(path)
        try:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise CipherError(f"密钥文件 {path.name} 别人也能读", hint="请执行 chmod 600 后再启动。")
            ring = _read(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise CipherError(
                f"找不到密钥文件 {path.name}", hint="请从离线备份恢复，没有它就打不开身份证号。"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CipherError(f"密钥文件 {path.name} 已损坏", hint="请从离线备份恢复。") from error
        if not _sound(ring):
            raise CipherError(f"密钥文件 {path.name} 内容不全", hint="请从离线备份恢复。")
        return ring

    def rotated(self, path: Path | str, *, profile: str | None = None) -> Keyring:
        """A ring with one more key and one more index key, both current from now on, written in place of the old
        file; old values still open and are still found."""
        profile = profile or self.profile
        check_profile(profile)
        name = f"k{_next(self.keys, 'k')}"
        index = f"i{_next(self.indexes, 'i')}"
        ring = Keyring(
            profile, name, self.keys | {name: secrets.token_bytes(32)},
            self.indexes | {index: (PROFILES[profile][1], secrets.token_bytes(32))}, index,
        )  # fmt: skip
        _replace(Path(path), ring.stored())
        return ring

    def retired(self, path: Path | str) -> tuple[Keyring, Path]:
        """The ring with its current keys only, written in place of the old file; → it, and the file the old keys were
        moved to: old backups still need them, so that file goes to the off-line store, not into the bin."""
        path = Path(path)
        archive = path.with_name(f"{path.stem}-retired-before-{self.current}.json")
        if not archive.exists():
            _write(archive, self.stored())
        ring = replace(
            self, keys={self.current: self.keys[self.current]},
            indexes={self.current_index: self.indexes[self.current_index]},
        )  # fmt: skip
        _replace(path, ring.stored())
        return ring, archive

    def stored(self) -> dict[str, Any]:
        """What stands in the file."""
        return {
            "format": "zhili-keys/2",
            "profile": self.profile,
            "current": self.current,
            "keys": {name: base64.b64encode(key).decode() for name, key in self.keys.items()},
            "current_index": self.current_index,
            "indexes": {
                name: {"alg": alg, "key": base64.b64encode(key).decode()}
                for name, (alg, key) in self.indexes.items()
            },
        }


def check_profile(profile: str) -> None:
    """CipherError for a profile that does not exist."""
    if profile not in PROFILES:
        raise CipherError(f"没有“{profile}”这种密码方案", hint="可用：intl（国际算法）、gm（国密算法）。")


def _read(stored: dict[str, Any]) -> Keyring:
    if stored.get("format") == "zhili-keys/1":  # one index key, which did not yet name its algorithm
        index = {"alg": PROFILES[stored["profile"]][1], "key": stored["index"]}
        stored = {**stored, "indexes": {"i1": index}, "current_index": "i1"}
    return Keyring(
        stored["profile"],
        stored["current"],
        {name: base64.b64decode(key, validate=True) for name, key in stored["keys"].items()},
        {
            name: (one["alg"], base64.b64decode(one["key"], validate=True))
            for name, one in stored["indexes"].items()
        },
        stored["current_index"],
    )


def _sound(ring: Keyring) -> bool:
    keys = all(_KEY_ID.fullmatch(name) and len(key) == 32 for name, key in ring.keys.items())
    indexes = all(
        (found := _INDEX_ID.fullmatch(name)) and int(found[1]) < 256 and alg in _DIGESTS and len(key) == 32
        for name, (alg, key) in ring.indexes.items()
    )
    here = ring.current in ring.keys and ring.current_index in ring.indexes
    return keys and indexes and here and ring.profile in PROFILES


def _next(names: dict[str, Any], letter: str) -> int:
    numbers = [int(name[1:]) for name in names if re.fullmatch(rf"{letter}[0-9]+", name)]
    return max(numbers, default=0) + 1


def _replace(path: Path, stored: dict[str, Any]) -> None:
    """Whole or not at all: a process killed here leaves the old file, and a stray one nobody reads."""
    fresh = path.with_name(f".{path.stem}-{os.getpid()}-{os.urandom(4).hex()}.json")
    _write(fresh, stored)
    fresh.replace(path)


def _write(path: Path, stored: dict[str, Any]) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CipherError(
            f"密钥文件 {path.name} 已经存在", hint="不会覆盖它；确实要换，请先把它移走。"
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(stored, out, indent=1)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
