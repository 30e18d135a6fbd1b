"""F-06: ID numbers are checked where they are typed; messages never repeat them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.idnumber import IdNumberError, birth_date, check_id_number
from zhili.common.tests.samples import make_test_id_number

GOOD = make_test_id_number("511702", "19900101", "123")
WITH_X = next(
    number
    for n in range(1, 99)
    if (number := make_test_id_number("511702", "19631212", f"{n:03d}")).endswith("X")
)


def test_the_example_of_the_standard():
    """GB 11643-1999 annex: 11010519491231002X."""
    assert check_id_number("11010519491231002X") == "11010519491231002X"


@pytest.mark.parametrize(
    "typed",
    [
        GOOD,
        f" {GOOD} ",
        f"{GOOD[:6]} {GOOD[6:14]} {GOOD[14:]}",
        f"{GOOD[:6]}-{GOOD[6:14]}-{GOOD[14:]}",
        GOOD.translate({48 + n: 0xFF10 + n for n in range(10)}),
        f"{GOOD[:9]}\u200b{GOOD[9:]}",
    ],
)
def test_spellings_are_put_right(typed):
    assert check_id_number(typed) == GOOD


@pytest.mark.parametrize("last", ["x", "X", "ｘ", "Ｘ"])
def test_the_x_may_be_small_or_full_width(last):
    assert check_id_number(WITH_X[:17] + last) == WITH_X


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "没有填写"),
        ("   ", "没有填写"),
        (GOOD[:17], "17 位"),
        (GOOD + "1", "19 位"),
        ("511702900101123", "15 位"),
        ("A" + GOOD[1:], "只能有数字"),
        ("X" * 18, "只能有数字"),
        (GOOD[:5] + "X" + GOOD[6:], "只能有数字"),
        (make_test_id_number("991702", "19900101", "123"), "省份"),
        (make_test_id_number("011702", "19900101", "123"), "省份"),
        (make_test_id_number("511702", "19900231", "123"), "出生日期"),
        (make_test_id_number("511702", "18991231", "123"), "出生日期"),
        (make_test_id_number("511702", "29900101", "123"), "出生日期"),
        (make_test_id_number("511702", "00000000", "123"), "出生日期"),
        (GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"), "校验"),
        (GOOD[:15] + GOOD[16] + GOOD[15] + GOOD[17], "校验"),
        ("①" * 18, "出生日期"),
        ("9" * 5000, "位"),
    ],
)
def test_wrong_numbers_are_refused_by_name(typed, said):
    with pytest.raises(IdNumberError) as caught:
        check_id_number(typed)
    assert said in caught.value.message
    assert len(typed) < 15 or typed[:15] not in str(caught.value)


def test_nobody_is_born_tomorrow():
    number = make_test_id_number("511702", "20260302", "123")
    assert check_id_number(number, on=date(2026, 3, 2)) == number
    with pytest.raises(IdNumberError):
        check_id_number(number, on=date(2026, 3, 1))


def test_the_birth_date_is_read():
    assert birth_date(GOOD) == date(1990, 1, 1)


@given(st.integers(0, 16), st.integers(1, 9))
def test_every_single_wrong_digit_is_caught(place, add):
    """ISO 7064 MOD 11-2 finds each single substitution; other checks may see it first."""
    wrong = GOOD[:place] + str((int(GOOD[place]) + add) % 10) + GOOD[place + 1 :]
    with pytest.raises(IdNumberError):
        check_id_number(wrong)
