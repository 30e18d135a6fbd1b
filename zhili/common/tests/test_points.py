"""L-02: amounts are whole hundredths; one documented rule for text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.points import PointsError, format_points, format_signed, parse_points


@pytest.mark.parametrize(
    ("text", "centi"),
    [
        ("0", 0),
        ("5", 500),
        (" 5 ", 500),
        ("５", 500),
        ("５．５", 550),
        ("0.5", 50),
        ("0.50", 50),
        ("+2", 200),
        ("-1.25", -125),
        ("－１", -100),
        ("−1", -100),
        ("　3　", 300),
        ("9999999.99", 999999999),
        (7, 700),
        ("007", 700),
        ("-0", 0),
    ],
)
def test_amounts_are_read(text, centi):
    """L-02: full-width digits and spaces round about are put right."""
    assert parse_points(text) == centi


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0.005",
        "1.234",
        "1e3",
        "NaN",
        "nan",
        "inf",
        "Infinity",
        "1,000",
        "1，000",
        ".5",
        "5.",
        "+",
        "-",
        "--1",
        "1 000",
        "0x10",
        "1_000",
        "五",
        "5分",
        "½",
        "²",
        "10²",
        "③",
        "12345678",
        "1.2.3",
        "٣",
        "5\n6",
        "1/2",
        "'5",
        "9" * 1000,
        None,
        1.5,
        True,
        b"5",
        float("nan"),
    ],
)
def test_what_is_no_amount_is_refused(text):
    """L-02: nothing is rounded, guessed or read as scientific notation; the message is Chinese."""
    with pytest.raises(PointsError) as caught:
        parse_points(text)
    assert "积分" in caught.value.message
    assert caught.value.hint.endswith("。")


@pytest.mark.parametrize(
    ("centi", "plain", "signed"),
    [
        (200, "2", "+2"),
        (50, "0.5", "+0.5"),
        (-125, "-1.25", "-1.25"),
        (0, "0", "0"),
        (1, "0.01", "+0.01"),
        (-5, "-0.05", "-0.05"),
        (10000, "100", "+100"),
        (110, "1.1", "+1.1"),
    ],
)
def test_amounts_are_written_shortest(centi, plain, signed):
    assert format_points(centi) == plain
    assert format_signed(centi) == signed


@given(st.integers(min_value=-999_999_999, max_value=999_999_999))
def test_what_is_written_is_read_back(centi):
    """L-02: no amount is lost between screen and ledger."""
    assert parse_points(format_points(centi)) == centi
    assert parse_points(format_signed(centi)) == centi
