"""Working days: day 1 is the first working day after opening; the county's own table wins."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.workdays import WorkdayError, add_workdays, is_workday, table_covers, workdays_between


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2025, 10, 1), False),  # National Day, a Wednesday
        (date(2025, 9, 28), True),  # a Sunday worked for it
        (date(2025, 1, 28), False),  # eve of Spring Festival
        (date(2025, 1, 26), True),
        (date(2025, 7, 4), True),
        (date(2025, 7, 5), False),
        (date(2027, 10, 1), True),  # outside the table a Friday is a Friday
        (date(2030, 1, 5), False),
        (date(1999, 5, 3), True),
    ],
)
def test_the_public_table(day, works):
    assert is_workday(day) is works


def test_the_table_says_which_years_it_knows():
    assert table_covers(2026)
    assert not table_covers(2003)
    assert not table_covers(2040)


def test_the_county_table_wins():
    day = date(2027, 10, 1)
    assert is_workday(day, {day: False}) is False
    assert is_workday(date(2027, 10, 2), {date(2027, 10, 2): True}) is True
    assert is_workday(date(2025, 10, 1), {date(2025, 10, 1): True}) is True


def test_the_opening_day_does_not_count():
    friday = date(2025, 7, 4)
    assert add_workdays(friday, 1) == date(2025, 7, 7)
    assert add_workdays(friday, 5) == date(2025, 7, 11)
    assert add_workdays(friday, 0) == friday


def test_a_long_holiday_stretches_the_deadline():
    """Opened on 30 September 2025: the holiday is 1–8 October, and Saturday 11 October is worked."""
    assert add_workdays(date(2025, 9, 30), 5) == date(2025, 10, 14)
    assert workdays_between(date(2025, 9, 30), date(2025, 10, 8)) == 0


@given(
    st.dates(min_value=date(2004, 1, 1), max_value=date(2035, 1, 1)), st.integers(min_value=0, max_value=40)
)
def test_adding_and_counting_agree(day, n):
    end = add_workdays(day, n)
    assert workdays_between(day, end) == n
    assert n == 0 or is_workday(end)
    assert workdays_between(end, day) == 0 or end == day


@pytest.mark.parametrize("n", [-1, 2_001, 10**9])
def test_senseless_numbers_are_refused(n):
    with pytest.raises(WorkdayError):
        add_workdays(date(2025, 7, 4), n)


def test_a_table_of_nothing_but_holidays_does_not_hang():
    day = date(2025, 7, 4)
    with pytest.raises(WorkdayError) as caught:
        add_workdays(day, 5, {day + timedelta(days=n): False for n in range(400)})
    assert "节假日" in caught.value.hint


def test_a_moment_is_no_day():
    with pytest.raises(WorkdayError):
        is_workday(datetime(2025, 7, 4, 12))
