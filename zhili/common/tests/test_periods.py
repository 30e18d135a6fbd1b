"""DESIGN §6: periods and their codes, in Asia/Shanghai."""

from datetime import UTC, date, datetime

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.periods import (
    EVER,
    KINDS,
    PeriodError,
    local_date,
    next_period,
    parse_code,
    period_of,
    periods_between,
    previous_period,
    today,
)

DAYS = st.dates(min_value=date(1900, 1, 8), max_value=date(2199, 12, 1))
STEPPED = [kind for kind in KINDS if kind != "ever"]


@pytest.mark.parametrize(
    ("kind", "code", "start", "end", "title"),
    [
        ("day", "2022-07-15", "2022-07-15", "2022-07-15", "2022年7月15日"),
        ("week", "2022-W28", "2022-07-11", "2022-07-17", "2022年第28周"),
        ("month", "2022-07", "2022-07-01", "2022-07-31", "2022年7月"),
        ("two_months", "2022-B4", "2022-07-01", "2022-08-31", "2022年7—8月"),
        ("quarter", "2022-Q3", "2022-07-01", "2022-09-30", "2022年第三季度"),
        ("half_year", "2022-H2", "2022-07-01", "2022-12-31", "2022年下半年"),
        ("year", "2022", "2022-01-01", "2022-12-31", "2022年度"),
    ],
)
def test_every_kind_by_example(kind, code, start, end, title):
    period = period_of(date(2022, 7, 15), kind)
    assert (period.code, period.start.isoformat(), period.end.isoformat()) == (code, start, end)
    assert period.title == title


def test_the_iso_week_may_belong_to_another_year():
    assert period_of(date(2021, 1, 3), "week").code == "2020-W53"
    assert period_of(date(2024, 12, 30), "week").code == "2025-W01"


def test_february_of_a_leap_year():
    assert period_of(date(2024, 2, 1), "month").end == date(2024, 2, 29)
    assert period_of(date(2023, 1, 31), "two_months").end == date(2023, 2, 28)


@given(DAYS, st.sampled_from(KINDS))
def test_code_and_period_say_the_same(day, kind):
    period = period_of(day, kind)
    assert day in period
    assert parse_code(period.code) == period


@given(DAYS, st.sampled_from(STEPPED))
def test_periods_meet_without_gap_or_overlap(day, kind):
    period = period_of(day, kind)
    after = next_period(period)
    assert (after.start - period.end).days == 1
    assert previous_period(after) == period
    assert period < after


@pytest.mark.parametrize(
    "code",
    [
        "",
        "2022-Q0",
        "2022-Q5",
        "2022-B7",
        "2022-B0",
        "2022-H3",
        "2022-13",
        "2022-00",
        "2022-W00",
        "2022-W53",
        "2022-7",
        "2022-02-30",
        "2022-7-1",
        "22",
        "0000",
        "2022Q3",
        "2022-q3",
        "EVER",
        " 2022",
        "2022\n",
        "２０２２",
        None,
        2022,
    ],
)
def test_codes_that_do_not_exist_are_refused(code):
    with pytest.raises(PeriodError) as caught:
        parse_code(code)
    assert "2022-Q3" in caught.value.hint


@pytest.mark.parametrize("kind", ["", "decade", "Month", "quarterly"])
def test_unknown_kinds_are_refused(kind):
    with pytest.raises(PeriodError):
        period_of(date(2022, 7, 15), kind)


def test_a_moment_is_no_date():
    with pytest.raises(PeriodError):
        period_of(datetime(2022, 7, 15, 12, 0, tzinfo=UTC), "day")


@pytest.mark.parametrize("step", [next_period, previous_period])
def test_ever_has_no_neighbours(step):
    with pytest.raises(PeriodError):
        step(EVER)


def test_the_village_day_begins_at_16_utc():
    assert local_date(datetime(2022, 6, 30, 15, 59, tzinfo=UTC)) == date(2022, 6, 30)
    assert local_date(datetime(2022, 6, 30, 16, 0, tzinfo=UTC)) == date(2022, 7, 1)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(PeriodError):
        local_date(datetime(2022, 6, 30, 16, 0))


def test_today_is_the_date_in_shanghai():
    with time_machine.travel(datetime(2026, 12, 31, 17, 0, tzinfo=UTC), tick=False):
        assert today() == date(2027, 1, 1)


def test_periods_between_covers_every_day_once():
    months = periods_between(date(2022, 1, 15), date(2022, 12, 31), "month")
    assert [period.code for period in months] == [f"2022-{n:02d}" for n in range(1, 13)]
    assert periods_between(date(2022, 2, 1), date(2022, 1, 1), "month") == []
