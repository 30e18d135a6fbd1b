"""M-01…M-06: what of a person may be seen where."""

import csv
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.masking import (
    COMPOUND_SURNAMES,
    graphemes,
    mask_bank,
    mask_id,
    mask_name,
    mask_phone,
    public_address,
    public_label,
    scan_public,
)
from zhili.common.tests.samples import make_bank_number, make_test_id_number

with (Path(__file__).parent / "names.csv").open(encoding="utf-8", newline="") as _file:
    NAMES = [(row["name"], row["masked"], row["why"]) for row in csv.DictReader(_file)]


@pytest.mark.parametrize(
    ("name", "masked", "why"), NAMES, ids=[f"{n}-{row[2]}" for n, row in enumerate(NAMES)]
)
def test_names(name, masked, why):
    """M-04: the table a clerk can read."""
    assert mask_name(name) == masked, why


def test_the_table_is_long_enough():
    """M-04 asks for 40 cases."""
    assert len(NAMES) >= 40


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=8))
def test_a_chinese_name_shows_its_surname_only(name):
    """M-02: at most the surname is left, and the length is kept."""
    masked = mask_name(name)
    assert len(masked) == len(name)
    shown = masked.rstrip("*")
    assert name.startswith(shown)
    assert len(shown) <= (2 if name[:2] in COMPOUND_SURNAMES else 1)
    assert masked != name


@given(st.text(alphabet=st.characters(exclude_characters="⿰⿱⿲⿳⿴⿵⿶⿷⿸⿹⿺⿻"), max_size=30))
def test_no_text_leaks_more_than_two_letters_a_person(text):
    """M-02: whatever is typed into a name field, no digit and little else comes out."""
    for person in re.split(r"[、，,；;／/＆&\n]", mask_name(text)):
        letters = [c for c in person if c.isalnum() and unicodedata.category(c) not in ("Mn", "Mc", "Me")]
        assert len(letters) <= 2


@given(st.text(alphabet="0123456789 -", max_size=24))
def test_digits_never_pass_as_a_name(text):
    """M-01: a number typed into the name column is hidden whole."""
    assert not any(letter.isdigit() for letter in mask_name(text))


@given(st.text(max_size=20))
def test_masking_twice_changes_nothing_more(name):
    masked = mask_name(name)
    assert len(graphemes(mask_name(masked))) <= len(graphemes(masked))


@pytest.mark.parametrize(
    ("name", "group", "household", "label"),
    [
        ("张三", "3", "0123", "3组 0123 张*"),
        ("张三", "3组", "0123", "3组 0123 张*"),
        ("张三", "", "0123", "0123 张*"),
        ("张三", "七社", "", "七社 张*"),
    ],
)
def test_a_household_finds_its_row(name, group, household, label):
    """M-05: masked names of one surname are told apart by group and card number."""
    assert public_label(name, group=group, household=household) == label


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("谭家沟村3组17号", "谭家沟村3组"),
        ("达州市通川区谭家沟村三组王家院子", "达州市通川区谭家沟村三组"),
        ("谭家沟村5社22号", "谭家沟村5社"),
        ("谭家沟村王家院子3号", "谭家沟村"),
        ("某某小区3栋2单元501", ""),
        ("", ""),
    ],
)
def test_addresses_end_at_the_group(address, shown):
    """M-01: no house number in public."""
    assert public_address(address) == shown


def test_numbers_inside_the_system():
    """M-06: an ID shows 1 + 1."""
    number = make_test_id_number("511702", "19900101", "004")
    assert mask_id(number) == f"5****************{number[-1]}"
    assert mask_phone("13800138000") == "*******8000"
    assert mask_bank("6222021234567890123") == "***************0123"


@pytest.mark.parametrize("mask", [mask_id, mask_phone, mask_bank])
@pytest.mark.parametrize("short", ["", "1", "12345", "123456"])
def test_short_numbers_are_hidden_whole(mask, short):
    assert mask(short) == "*" * len(short)


def test_inside_masks_are_not_fit_for_the_public():
    """M-01: what staff see masked is still a leak on a poster, even joined from two systems."""
    card = make_bank_number("622202123456789012")
    for masked in (
        mask_id(make_test_id_number("511702", "19900101", "004")),
        mask_phone("13800138000"),
        mask_bank(card),
    ):
        assert [leak.kind for leak in scan_public(f"联系 {masked} 谢谢")] == ["masked"]
