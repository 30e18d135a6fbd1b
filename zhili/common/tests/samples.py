"""Plainly invented numbers for tests: valid in form, belonging to nobody we know of."""

from __future__ import annotations

from zhili.common.idnumber import check_character


def make_test_id_number(region: str, birth: str, seq: str) -> str:
    """Six digits of region, eight of birth, three of order → 18 characters with the right check character."""
    first = region + birth + seq
    return first + check_character(first)


def make_bank_number(first: str) -> str:
    """Digits → the same with a Luhn digit at the end."""
    for check in "0123456789":
        number, total = first + check, 0
        for n, digit in enumerate(reversed(number)):
            value = int(digit) * (1 + n % 2)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            return number
    raise AssertionError("one of ten digits always fits")
