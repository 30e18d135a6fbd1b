"""UUIDv7 by RFC 9562, codes to read aloud, tokens."""

import random
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.ids import CodeError, new_token, parse_short_code, short_code, short_code_bits, uuid7

NOON = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_uuid7_is_the_one_of_the_rfc():
    """RFC 9562 appendix A.6: time 017F22E2-79B0, version 7, variant 10."""
    made = uuid7(NOON, lambda n: bytes(n))
    assert made.hex.startswith("017f22e279b07")
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_the_same_clock_and_seed_give_the_same_keys():
    first = [uuid7(NOON, random.Random(7).randbytes) for _ in range(3)]
    assert first == [uuid7(NOON, random.Random(7).randbytes) for _ in range(3)]


def test_keys_differ_and_follow_the_clock():
    keys = [uuid7() for _ in range(2_000)]
    assert len(set(keys)) == 2_000
    later = uuid7(NOON.replace(microsecond=500))
    assert uuid7(NOON).int < later.int


def test_a_clock_without_zone_is_refused():
    with pytest.raises(ValueError, match="aware"):
        uuid7(datetime(2022, 1, 1))


def test_short_codes_show_random_bits_of_a_uuid_and_the_front_of_a_digest():
    assert short_code(UUID("017f22e2-79b0-7000-8000-00ffffffffff")) == "ZZZZ-ZZZZ"
    assert short_code(bytes.fromhex("00443214c7" + "00" * 27)) == "0123-4567"
    assert short_code(bytes(32), 12) == "0000-0000-0000"


@pytest.mark.parametrize("length", [3, 21])
def test_a_code_has_a_sensible_length(length):
    with pytest.raises(ValueError, match="length"):
        short_code(bytes(32), length)


def test_a_code_never_shows_the_time_in_a_uuid():
    with pytest.raises(ValueError, match="random"):
        short_code(uuid7(), 16)


def test_too_few_bytes_make_no_code():
    with pytest.raises(ValueError, match="too few"):
        short_code(b"abc", 8)


@pytest.mark.parametrize(
    "typed",
    [
        "A1B0-C3D4",
        "a1b0c3d4",
        "AIBO-C3D4",
        "albo c3d4",
        "Ａ１Ｂ０－Ｃ３Ｄ４",
        " a1b0 – c3d4 ",
        "a 1 b 0 c 3 d 4",
    ],
)
def test_what_people_write_down_is_understood(typed):
    assert parse_short_code(typed) == "A1B0-C3D4"


@pytest.mark.parametrize(
    "typed", ["", " - ", "A1B0-C3D", "A1B0-C3D45", "A1B0-C3DU", "A1B0_C3D*", "甲乙丙丁戊己庚辛"]
)
def test_what_is_no_code_is_refused(typed):
    with pytest.raises(CodeError) as caught:
        parse_short_code(typed)
    assert "编号" in caught.value.message


@given(st.uuids())
def test_codes_have_no_letters_people_confuse(value):
    code = short_code(value)
    assert not set(code) & set("ILOU")
    assert parse_short_code(code.lower()) == code
    assert short_code_bits(code) == value.int & ((1 << 40) - 1)


def test_tokens_are_long_and_different():
    tokens = {new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(len(token) == 22 for token in tokens)
