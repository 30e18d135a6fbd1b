"""K-02, K-05: encrypted fields and blind index under both profiles."""

import json
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhili.common import cipher
from zhili.common.cipher import (
    CipherError,
    Keyring,
    blind_index,
    blind_indexes,
    decrypt,
    encrypt,
    needs_new_key,
    self_test,
)
from zhili.common.hashing import HashError, digest, keyed_digest

PHONE = "people.resident.phone"


@pytest.fixture(params=["intl", "gm"])
def ring(request, tmp_path):
    return Keyring.create(tmp_path / "keys.json", profile=request.param)


def test_the_published_vectors_hold():
    """1.3: AES-GCM, SM4, SM4-GCM, SM3, SHA-256 and HMAC by their published vectors."""
    assert self_test() is None


def test_a_wrong_algorithm_stops_the_start(monkeypatch):
    monkeypatch.setitem(cipher._VECTORS, "SM3", lambda: False)
    with pytest.raises(CipherError) as caught:
        self_test()
    assert "SM3" in caught.value.message


def test_a_missing_algorithm_stops_the_start(monkeypatch):
    monkeypatch.setitem(cipher._VECTORS, "SM4", lambda: 1 // 0 == 0)
    with pytest.raises(CipherError) as caught:
        self_test()
    assert "SM4" in caught.value.message


def test_hmac_sha256_of_rfc_4231():
    """RFC 4231 cases 1, 2 and 6."""
    assert (
        keyed_digest("sha256", b"\x0b" * 20, b"Hi There").hex().startswith("b0344c61d8db38535ca8afceaf0bf12b")
    )
    assert (
        keyed_digest("sha256", b"Jefe", b"what do ya want for nothing?").hex().startswith("5bdcc146bf60754e")
    )
    long_key = b"Test Using Larger Than Block-Size Key - Hash Key First"
    assert (
        keyed_digest("sha256", b"\xaa" * 131, long_key).hex().startswith("60e431591ee0b67f0d8a26aacbf5b77f")
    )


def test_sm3_of_the_standard():
    """GB/T 32905-2016 examples 1 and 2."""
    assert digest("sm3", b"abc").hex().startswith("66c7f0f462eeedd9d1f2d46bdc10e4e2")
    assert digest("sm3", b"abcd" * 16).hex().startswith("debe9ff92275b8a138604889c18e5a4d")


@pytest.mark.parametrize("alg", ["", "md5", "SHA256", "sha-256"])
def test_unknown_digests_are_refused(alg):
    with pytest.raises(HashError):
        digest(alg, b"")
    with pytest.raises(HashError):
        keyed_digest(alg, b"k", b"")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_is_sealed_opens_again(ring, text):
    assert decrypt(ring, PHONE, encrypt(ring, PHONE, text)) == text


def test_a_token_says_how_it_was_made_and_nothing_more(ring):
    token = encrypt(ring, PHONE, "13800138000")
    alg = "aesgcm" if ring.profile == "intl" else "sm4gcm"
    assert token.startswith(f"v1:{alg}:k1:")
    assert "13800138000" not in token
    assert encrypt(ring, PHONE, "13800138000") != token


def test_a_token_opens_only_for_its_purpose(ring):
    token = encrypt(ring, PHONE, "13800138000")
    with pytest.raises(CipherError):
        decrypt(ring, "people.resident.bank", token)


def test_every_changed_character_is_noticed(ring):
    token = encrypt(ring, PHONE, "13800138000")
    start = token.rindex(":") + 1
    for place in range(start, len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(CipherError):
            decrypt(ring, PHONE, changed)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "v1",
        "v1:aesgcm:k1:",
        "v2:aesgcm:k1:AAAA",
        "v1:rot13:k1:AAAA",
        "v1:aesgcm:k9:AAAA",
        "v1:aesgcm:k1:AAAA",
        "v1:aesgcm:k1:!!!!",
        "v1:sm4gcm:k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "13800138000",
        "v1:aesgcm:k1:é",
    ],
)
def test_what_is_no_token_is_refused(ring, token):
    with pytest.raises(CipherError):
        decrypt(ring, PHONE, token)


def test_the_same_ciphertext_under_another_algorithm_does_not_open(ring):
    token = encrypt(ring, PHONE, "13800138000")
    other = token.replace(":aesgcm:", ":x:").replace(":sm4gcm:", ":aesgcm:").replace(":x:", ":sm4gcm:")
    with pytest.raises(CipherError):
        decrypt(ring, PHONE, other)


def test_an_overlong_text_is_refused(ring):
    with pytest.raises(CipherError):
        encrypt(ring, PHONE, "字" * 30_000)


def test_the_blind_index_finds_equals_within_one_purpose(ring, tmp_path):
    """K-05: equal for equal texts, different by purpose and by county."""
    found = blind_index(ring, PHONE, "13800138000")
    assert len(found) == 34 and found[:2] == bytes([1 if ring.profile == "intl" else 2, 1])
    assert found == blind_index(ring, PHONE, "13800138000")
    assert found != blind_index(ring, PHONE, "13800138001")
    assert found != blind_index(ring, "people.resident.id", "13800138000")
    other = Keyring.create(tmp_path / "other.json", profile=ring.profile)
    assert found != blind_index(other, PHONE, "13800138000")


def test_the_index_is_not_a_plain_digest(ring):
    """K-05: without the key the brute force of 1.3 finds nothing."""
    guesses = {digest(alg, b"13800138000") for alg in ("sha256", "sm3")}
    assert blind_index(ring, PHONE, "13800138000")[2:] not in guesses


def test_keys_turn_over_and_old_values_still_open(ring, tmp_path):
    token = encrypt(ring, PHONE, "13800138000")
    newer = ring.rotated(tmp_path / "keys.json")
    assert newer == Keyring.load(tmp_path / "keys.json")
    assert newer.current == "k2"
    assert decrypt(newer, PHONE, token) == "13800138000"
    assert needs_new_key(newer, token)
    assert not needs_new_key(newer, encrypt(newer, PHONE, "13800138000"))
    assert blind_index(newer, PHONE, "1") != blind_index(ring, PHONE, "1")
    assert blind_indexes(newer, PHONE, "1") == [blind_index(newer, PHONE, "1"), blind_index(ring, PHONE, "1")]
    with pytest.raises(CipherError):
        decrypt(ring, PHONE, encrypt(newer, PHONE, "13800138000"))


def test_the_profile_can_change_without_a_flag_day(tmp_path):
    """K-02: intl today, 国密 tomorrow, both open."""
    ring = Keyring.create(tmp_path / "keys.json")
    token = encrypt(ring, PHONE, "13800138000")
    gm = ring.rotated(tmp_path / "keys.json", profile="gm")
    assert decrypt(gm, PHONE, token) == "13800138000"
    assert encrypt(gm, PHONE, "1").startswith("v1:sm4gcm:k2:")
    assert [index[:2] for index in blind_indexes(gm, PHONE, "1")] == [b"\x02\x02", b"\x01\x01"]


def test_old_keys_go_to_an_archive_and_open_nothing_here_any_more(ring, tmp_path):
    """K-04: what still needs the old key is a backup, and it needs the archive."""
    token = encrypt(ring, PHONE, "13800138000")
    path = tmp_path / "keys.json"
    alone, archive = ring.rotated(path).retired(path)
    assert not alone.turning and alone == Keyring.load(path)
    with pytest.raises(CipherError):
        decrypt(alone, PHONE, token)
    assert decrypt(Keyring.load(archive), PHONE, token) == "13800138000"
    assert blind_index(ring, PHONE, "1") not in blind_indexes(alone, PHONE, "1")
    assert stat.S_IMODE(os.stat(archive).st_mode) == 0o600


def test_the_key_file_is_for_its_owner_only(ring, tmp_path):
    path = tmp_path / "keys.json"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(CipherError) as caught:
        Keyring.load(path)
    assert "chmod 600" in caught.value.hint


def test_an_existing_key_file_is_never_overwritten(ring, tmp_path):
    before = (tmp_path / "keys.json").read_bytes()
    with pytest.raises(CipherError):
        Keyring.create(tmp_path / "keys.json")
    assert (tmp_path / "keys.json").read_bytes() == before


def test_keys_do_not_show_in_a_printout(ring):
    assert str(ring.keys["k1"]) not in repr(ring)
    assert str(ring.index) not in repr(ring)


@pytest.mark.parametrize("profile", ["", "none", "GM"])
def test_unknown_profiles_are_refused(tmp_path, profile):
    with pytest.raises(CipherError):
        Keyring.create(tmp_path / "keys.json", profile=profile)
    assert not (tmp_path / "keys.json").exists()


def test_a_missing_key_file_is_said_plainly(tmp_path):
    with pytest.raises(CipherError) as caught:
        Keyring.load(tmp_path / "none.json")
    assert "找不到密钥文件" in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored.pop("indexes"),
        lambda stored: stored.update(indexes={"i1": {"alg": "md5", "key": stored["indexes"]["i1"]["key"]}}),
        lambda stored: stored.update(indexes={"i300": stored["indexes"]["i1"]}, current_index="i300"),
        lambda stored: stored.update(current="k7"),
        lambda stored: stored.update(keys={}),
        lambda stored: stored["indexes"]["i1"].update(key="AAAA"),
        lambda stored: stored["keys"].update(k1="!"),
        lambda stored: stored.update(keys=[]),
        lambda stored: stored.update(profile="rot13"),
        lambda stored: stored["keys"].update(k1=None),
    ],
)
def test_a_damaged_key_file_is_refused(ring, tmp_path, change):
    path = tmp_path / "keys.json"
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(CipherError):
        Keyring.load(path)
