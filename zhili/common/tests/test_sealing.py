"""Sealed files: what goes in comes out; whatever was changed on the way does not open, and is named."""

from __future__ import annotations

import io

import pytest

from zhili.common.cipher import Keyring
from zhili.common.sealing import CHUNK, Sealer, SealError, open_sealed


@pytest.fixture(params=["intl", "gm"])
def ring(request, tmp_path):
    return Keyring.create(tmp_path / "key.json", profile=request.param)


def sealed(ring, plain: bytes, name: str = "a") -> bytes:
    out = io.BytesIO()
    sealer = Sealer(out, ring, name)
    for start in range(0, len(plain), 70_001):
        sealer.write(plain[start : start + 70_001])
    sealer.close()
    assert sealer.size == len(out.getvalue()) and sealer.plain_size == len(plain)
    return out.getvalue()


def opened(ring, data: bytes, name: str = "a") -> bytes:
    return open_sealed(io.BytesIO(data), ring, name).read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_what_went_in_comes_out(ring, size):
    """K-02, K-07: under both profiles, at every border of a chunk."""
    plain = bytes(n % 251 for n in range(size))
    assert opened(ring, sealed(ring, plain)) == plain


def test_no_two_files_look_alike(ring):
    """K-07: the same content twice gives other bytes, and neither holds the plain ones."""
    plain = b"511702196003121238" * 10
    one, two = sealed(ring, plain), sealed(ring, plain)
    assert one != two and b"511702" not in one


def test_every_changed_byte_is_refused(ring):
    """O-05: header, length, ciphertext, tag: whichever byte is flipped, nothing opens."""
    data = sealed(ring, b"points of the village" * 20)
    for place in range(len(data)):
        broken = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(SealError):
            opened(ring, broken)


@pytest.mark.parametrize(
    "change",
    [
        lambda data, cut: data[:cut],  # truncated in the middle of a chunk
        lambda data, cut: data[:-1],
        lambda data, cut: data + b"x",
        lambda data, cut: b"",
        lambda data, cut: b'{"format": "zhili-sealed/2"}\n',
    ],
)
def test_a_cut_or_longer_file_is_refused_by_name(ring, change):
    """O-05: also where a whole chunk is missing at the end."""
    data = sealed(ring, bytes(2 * CHUNK + 5))
    with pytest.raises(SealError, match="备份文件 a 不可信"):
        opened(ring, change(data, len(data) // 2))


def test_a_missing_last_chunk_and_swapped_chunks_are_refused(ring):
    """O-05: chunks know their number and which one is the last."""
    data = sealed(ring, bytes(range(256)) * (CHUNK // 256 * 3))
    head = data.index(b"\n") + 1
    size = 4 + CHUNK + 16
    one, two = data[head : head + size], data[head + size : head + 2 * size]
    for broken in (data[: head + 2 * size], data[:head] + two + one + data[head + 2 * size :]):
        with pytest.raises(SealError, match="不可信"):
            opened(ring, broken)


def test_a_file_under_another_name_is_refused(ring):
    """O-05: yesterday's copy cannot be passed off as today's."""
    with pytest.raises(SealError, match="今天"):
        opened(ring, sealed(ring, b"x", "昨天"), "今天")


def test_another_key_is_told_from_a_changed_file(ring, tmp_path):
    """K-06: the words say that it is the key."""
    other = Keyring.create(tmp_path / "other.json", profile=ring.profile)
    with pytest.raises(SealError, match="不是这把备份密钥"):
        opened(other, sealed(ring, b"x"))


def test_an_older_key_still_opens(ring, tmp_path):
    """K-01, K-04: after rotation, and after a change of profile, old copies open."""
    data = sealed(ring, b"old")
    newer = ring.rotated(tmp_path / "key.json", profile="gm" if ring.profile == "intl" else "intl")
    assert opened(newer, data) == b"old" and opened(newer, sealed(newer, b"new")) == b"new"
    with pytest.raises(SealError):
        opened(ring, sealed(newer, b"new"))
