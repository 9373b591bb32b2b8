"""Time points, windows and the day of the assessment."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sle_kg.errors import InputError
from sle_kg.followup.moments import (
    TimePoint,
    Visit,
    add_months,
    day_name,
    named_visits,
    nearest,
    own_visits,
    parse_visits,
    previous,
    time_points,
)
from sle_kg.outcomes import Schedule

INFUSION = dt.date(2026, 1, 10)
WEEKS = named_visits(Schedule(weeks=(4, 8, 12)))


def after(days: int) -> dt.date:
    return INFUSION + dt.timedelta(days=days)


def window(point: TimePoint) -> tuple[int, int]:
    return (point.first - INFUSION).days, (point.last - INFUSION).days


def test_a_week_is_seven_days_and_a_month_is_a_calendar_month() -> None:
    points = time_points(named_visits(Schedule(weeks=(4,), months=(3,))), INFUSION, 0)
    assert [(point.name, point.target) for point in points] == [
        ("week 4", dt.date(2026, 2, 7)),
        ("month 3", dt.date(2026, 4, 10)),
    ]


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (dt.date(2026, 1, 31), 1, dt.date(2026, 2, 28)),
        (dt.date(2027, 11, 30), 3, dt.date(2028, 2, 29)),
        (dt.date(2026, 12, 31), 12, dt.date(2027, 12, 31)),
        (dt.date(2026, 1, 10), 24, dt.date(2028, 1, 10)),
    ],
)
def test_a_month_that_is_too_short_ends_on_its_last_day(day: dt.date, months: int, expected: dt.date) -> None:
    assert add_months(day, months) == expected


def test_windows_part_the_time_between_targets_and_the_last_is_symmetric() -> None:
    assert [window(point) for point in time_points(WEEKS, INFUSION, 0)] == [(14, 41), (42, 69), (70, 98)]


def test_uneven_distances_are_halved_each() -> None:
    visits = parse_visits(["day 1", "week 1", "month 1"], 0)
    assert [window(point) for point in time_points(visits, INFUSION, 0)] == [(1, 3), (4, 18), (19, 43)]


def test_a_single_time_point_reaches_half_way_to_the_infusion() -> None:
    (point,) = time_points(named_visits(Schedule(months=(3,))), INFUSION, 0)
    assert window(point) == (45, 135)


def test_two_names_of_one_day_share_a_window() -> None:
    points = time_points(parse_visits(["week 4", "day 28", "week 8"], 0), INFUSION, 0)
    assert [window(point) for point in points] == [(14, 41), (14, 41), (42, 70)]


def test_the_user_sets_the_days_of_a_window() -> None:
    assert [window(point) for point in time_points(WEEKS, INFUSION, 0, 3)] == [(25, 31), (53, 59), (81, 87)]


def test_a_window_of_no_days_is_the_target_alone() -> None:
    assert [window(point) for point in time_points(WEEKS, INFUSION, 0, 0)] == [(28, 28), (56, 56), (84, 84)]


def test_where_windows_overlap_the_nearest_time_point_wins() -> None:
    assert [window(point) for point in time_points(WEEKS, INFUSION, 0, 20)] == [(8, 41), (42, 69), (70, 104)]


def test_the_day_of_the_infusion_is_in_no_window() -> None:
    assert time_points(WEEKS, INFUSION, 0, 40)[0].first == after(1)


@given(
    st.lists(st.tuples(st.sampled_from(["day", "week", "month"]), st.integers(2, 60)), min_size=1, max_size=8),
    st.one_of(st.none(), st.integers(0, 90)),
    st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)),
)
def test_a_day_belongs_to_the_time_points_of_one_target(
    visits: list[tuple[str, int]], wide: int | None, infusion: dt.date
) -> None:
    points = time_points([Visit(*visit) for visit in dict.fromkeys(visits)], infusion, 1, wide)
    for one in points:
        assert infusion < one.first <= one.target <= one.last
        for other in points:
            assert one.target == other.target or one.last < other.first or other.last < one.first


def test_days_are_numbered_as_the_trial_numbers_them() -> None:
    assert [day_name(after(days), INFUSION, 0) for days in (-1, 0, 1)] == ["day -1", "day 0", "day 1"]
    assert [day_name(after(days), INFUSION, 1) for days in (-1, 0, 1)] == ["day -1", "day 1", "day 2"]
    assert Visit("day", 29).date(INFUSION, 1) == Visit("day", 28).date(INFUSION, 0) == after(28)


@pytest.mark.parametrize("text", ["", "visit 3", "week", "week x", "week -4", "week 4.5", "year 1", "4 weeks"])
def test_what_is_no_time_point_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write week 4, month 6 or day 29"):
        parse_visits([text], 0)


@pytest.mark.parametrize(("text", "infusion_day"), [("week 0", 0), ("day 0", 0), ("day 1", 1), ("month 0", 1)])
def test_a_time_point_comes_after_the_infusion(text: str, infusion_day: int) -> None:
    with pytest.raises(InputError, match="not after the infusion"):
        parse_visits([text], infusion_day)


def test_words_may_be_written_freely_and_count_once() -> None:
    assert parse_visits(["Week  4", "week 4", "day 1"], 0) == (Visit("week", 4), Visit("day", 1))


def test_the_nearest_day_counts_and_of_two_as_near_the_later() -> None:
    point = time_points(WEEKS, INFUSION, 0)[0]
    assert nearest([after(13), after(25), after(30), after(42)], point) == after(30)
    assert nearest([after(26), after(30)], point) == after(30)
    assert nearest([after(27), after(30)], point) == after(27)
    assert nearest([after(13), after(42)], point) is None


def test_edges_of_a_window_count() -> None:
    point = time_points(WEEKS, INFUSION, 0)[0]
    assert nearest([after(14)], point) == after(14)
    assert nearest([after(41)], point) == after(41)


def visits(visit_window: int | None = None, **assessed: list[int]) -> list[tuple[str, int, int, int]]:
    """Name, target, first and last day of the own visits, days counted from the infusion."""
    days = {measure: list(map(after, numbers)) for measure, numbers in assessed.items()}
    points = own_visits(days, INFUSION, visit_window)
    return [(point.name, (point.target - INFUSION).days, *window(point)) for point in points]


def test_own_visits_are_days_after_the_infusion() -> None:
    assert visits(pga=[-3, 0, 1, 30]) == [("visit 1", 1, 1, 4), ("visit 2", 30, 27, 33)]
    assert visits(5, pga=[-3, 0, 1, 30]) == [("visit 1", 1, 1, 6), ("visit 2", 30, 25, 35)]
    assert visits(0, pga=[1, 30]) == [("visit 1", 1, 1, 1), ("visit 2", 30, 30, 30)]
    assert visits() == []


def test_measures_of_neighbouring_days_are_one_visit() -> None:
    assert visits(sledai=[28, 56], pga=[27, 59]) == [("visit 1", 28, 24, 31), ("visit 2", 59, 53, 62)]


def test_measures_further_apart_are_two_visits() -> None:
    assert visits(sledai=[28], pga=[32]) == [("visit 1", 28, 25, 29), ("visit 2", 32, 30, 35)]


def test_a_measure_assessed_twice_makes_two_visits() -> None:
    assert visits(sledai=[28, 30], pga=[29]) == [("visit 1", 29, 25, 29), ("visit 2", 30, 30, 33)]


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(-5, 60), max_size=12, unique=True)),
    st.one_of(st.none(), st.integers(0, 20)),
)
def test_visits_do_not_mix(assessed: dict[str, list[int]], wide: int | None) -> None:
    """Every day of assessment is in one visit, and no visit has a measure twice."""
    found = visits(wide, **assessed)
    for measure in assessed.values():
        for number in measure:
            assert sum(first <= number <= last for _, _, first, last in found) == (number > 0)
        for _, _, first, last in found:
            assert sum(first <= number <= last for number in measure) <= 1


def test_moments_of_an_assessment() -> None:
    point = time_points(WEEKS, INFUSION, 0)[0]
    moments = point.moments(after(30), INFUSION, [after(-2), after(2), after(30), after(58)])
    assert (moments["visit"].first, moments["visit"].last, moments["visit"].target) == (after(14), after(41), after(30))
    assert (moments["baseline"].last, moments["baseline"].target) == (INFUSION, INFUSION)
    assert (moments["previous"].last, moments["previous"].target) == (after(29), after(2))


def test_the_previous_assessment_may_be_that_of_baseline() -> None:
    assert previous([after(-2), after(30)], after(30)).target == after(-2)
    assert previous([after(30)], after(30)).target == after(29)
