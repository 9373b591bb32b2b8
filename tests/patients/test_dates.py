from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sle_kg.patients.dates import in_order, interval, words


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-02", "2023-02-01", "2023-02-28"),
        ("2024-12", "2024-12-01", "2024-12-31"),
        ("2024-05-06", "2024-05-06", "2024-05-06"),
        ("2024-05-06T23:59:59+02:00", "2024-05-06", "2024-05-06"),
        ("2024-05-06T00:00:00Z", "2024-05-06", "2024-05-06"),
        ("2024-05-06T23:30:00.123-11:00", "2024-05-06", "2024-05-06"),
        ("2024-05-06Z", "2024-05-06", "2024-05-06"),
    ],
)
def test_partial_dates_are_intervals_and_times_are_the_day_as_written(text, first, last):
    assert interval(text) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-02-29",
        "2024-13",
        "2024-00-10",
        "0000",
        "06.05.2024",
        "2024-5-6",
        "2024-05-06 10:00",
        "2024-05-06T25:00:00Z",
        "soon",
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError, match="no date"):
        interval(text)


@given(st.dates())
def test_every_day_lies_in_its_month_and_year(day):
    exact, month, year = (interval(day.isoformat()[:length]) for length in (10, 7, 4))
    assert exact == (day, day)
    assert year[0] <= month[0] <= day <= month[1] <= year[1]


@given(st.dates(), st.dates())
def test_order_of_exact_days(start, end):
    assert in_order((start, start), (end, end)) == (start <= end)
    assert in_order((start, None), (None, end)) == (start <= end)
    assert in_order((None, start), (end, None))


@pytest.mark.parametrize("text", ["2026", "2026-02", "2024-02", "2026-12-31", "2026-01-01"])
def test_days_have_the_words_in_which_they_were_recorded(text):
    assert words(interval(text)) == text


@pytest.mark.parametrize(
    "days", [(None, date(2026, 1, 1)), (date(2026, 1, 1), None), (date(2026, 1, 1), date(2026, 2, 1))]
)
def test_days_that_no_recorded_date_means_have_no_words(days):
    assert words(days) is None
