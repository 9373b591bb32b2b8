"""Numbers of a cohort."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sle_kg.followup.cohort import (
    Gap,
    at_least,
    clopper_pearson,
    cohort_rows,
    event_rows,
    grade_rows,
    mean,
    median,
    ratio,
)
from sle_kg.followup.results import AdverseEvent, EventRow, OutcomeResult, PatientOutcomes
from sle_kg.outcomes import OutcomeDefinition

INFUSION = dt.date(2026, 1, 10)
STATE = OutcomeDefinition("iri", "remission", "in remission", "state")
VALUE = OutcomeDefinition("iri", "igG", "IgG", "value", reports="change", unit="mg/dL")


@pytest.mark.parametrize(
    ("reached", "n", "lower", "upper"),
    [
        (8, 10, "0.4439", "0.9748"),
        (0, 10, "0", "0.3085"),
        (5, 5, "0.4782", "1"),
        (6, 8, "0.3491", "0.9681"),
        (1, 1, "0.025", "1"),
        (81, 263, "0.2527", "0.3676"),
        (0, 20, "0", "0.1684"),
        (1, 29, "0.0009", "0.1776"),
    ],
)
def test_the_exact_interval_agrees_with_published_values(reached: int, n: int, lower: str, upper: str) -> None:
    """The last three are the exact intervals of Newcombe, Stat Med 1998;17:857-872, table I."""
    low, high = clopper_pearson(reached, n)
    assert (low.quantize(Decimal("0.0001")), high.quantize(Decimal("0.0001"))) == (Decimal(lower), Decimal(upper))


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(1, 99))
def test_tails_are_those_of_the_binomial_distribution(counts: tuple[int, int], percent: int) -> None:
    reached, n = counts
    p = Fraction(percent, 100)
    exact = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(reached, n + 1))
    found = at_least(reached, n, Decimal(percent) / 100)
    assert abs(Fraction(found) - exact) < Fraction(1, 10**40)


@settings(max_examples=40)
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_proportion_and_is_symmetric(counts: tuple[int, int]) -> None:
    reached, n = counts
    low, high = clopper_pearson(reached, n)
    assert 0 <= low <= Decimal(reached) / n <= high <= 1
    assert clopper_pearson(n - reached, n) == (1 - high, 1 - low)


def test_means_and_medians_are_decimals() -> None:
    values = [Decimal("0.1"), Decimal("0.2"), Decimal("0.6")]
    assert (mean(values), median(values)) == (Decimal("0.3"), Decimal("0.2"))
    assert median([Decimal(1), Decimal(2), Decimal(4), Decimal(9)]) == 3
    assert mean([Decimal(1), Decimal(1), Decimal(2)]) == Decimal("1.333333")
    assert str(mean([Decimal(100), Decimal(200)])) == "150"
    assert ratio(2, 3) == Decimal("0.666667")


def patient(name: str, *results: OutcomeResult, infused: bool = True, **more: object) -> PatientOutcomes:
    return PatientOutcomes(name, INFUSION if infused else None, results, **more)  # type: ignore[arg-type]


def state(word: str, point: str = "week 4") -> OutcomeResult:
    return OutcomeResult("O2", "remission", point, "in remission", word, "", first=INFUSION)  # type: ignore[arg-type]


def test_both_denominators_are_given() -> None:
    patients = [
        patient("a", state("reached")),
        patient("b", state("not-reached")),
        patient("c", state("not-evaluable")),
        patient("d", state("not-evaluable"), infused=False),
    ]
    (row,) = cohort_rows(patients, [("O2", STATE)], [Gap("c", "O2", "remission", "week 4", "PGA")])
    assert (row.infused, row.evaluable, row.reached) == (3, 2, 1)
    assert (row.proportion_of_evaluable, row.proportion_of_infused) == (Decimal("0.5"), Decimal("0.333333"))
    assert row.ci95 == clopper_pearson(1, 2)
    assert row.missing == {"PGA": 1}


def test_nobody_evaluable_has_no_proportion_and_no_interval() -> None:
    gap = Gap("a", "O2", "remission", "week 4", "PGA")
    (row,) = cohort_rows([patient("a", state("not-evaluable"))], [("O2", STATE)], [gap])
    assert (row.evaluable, row.proportion_of_evaluable, row.ci95) == (0, None, None)
    assert row.proportion_of_infused == 0


def test_a_patient_without_such_a_visit_is_missing() -> None:
    patients = [
        patient("a", state("reached", "visit 1"), state("reached", "visit 2")),
        patient("b", state("reached", "visit 1")),
    ]
    first, second = cohort_rows(patients, [("O2", STATE)], [])
    assert (first.time_point, first.evaluable, second.time_point, second.evaluable) == ("visit 1", 2, "visit 2", 1)
    assert second.missing == {"no assessment": 1}


def test_time_points_are_in_the_order_of_time() -> None:
    points = ["week 12", "week 4", "month 1", "week 28"]
    rows = cohort_rows([patient("a", *(state("reached", point) for point in points))], [("O2", STATE)], [])
    assert [row.time_point for row in rows] == ["week 4", "week 12", "week 28", "month 1"]


def change(number: str | None) -> OutcomeResult:
    known = None if number is None else Decimal(number)
    return OutcomeResult("O9", "igG", "week 4", "IgG", "value", "", value=Decimal(7), change=known, first=INFUSION)


def test_values_are_those_that_the_outcome_reports() -> None:
    patients = [patient("a", change("-2")), patient("b", change("3.5")), patient("c", change(None))]
    (row,) = cohort_rows(patients, [("O9", VALUE)], [Gap("c", "O9", "igG", "week 4", "IgG at baseline")])
    assert (row.mean, row.median, row.least, row.greatest) == (
        Decimal("0.75"),
        Decimal("0.75"),
        Decimal(-2),
        Decimal("3.5"),
    )
    assert (row.evaluable, row.reached, row.missing) == (2, None, {"IgG at baseline": 1})


@given(st.lists(st.tuples(st.sampled_from(["reached", "not-reached", "not-evaluable"]), st.booleans()), max_size=12))
def test_counts_add_up(words: list[tuple[str, bool]]) -> None:
    patients = [patient(str(n), state(word), infused=infused) for n, (word, infused) in enumerate(words)]
    gaps = [
        Gap(str(n), "O2", "remission", "week 4", "PGA") for n, (word, _) in enumerate(words) if word == "not-evaluable"
    ]
    for row in cohort_rows(patients, [("O2", STATE)], gaps):
        assert row.infused == sum(infused for _, infused in words)
        assert row.infused == row.evaluable + sum(row.missing.values())
        assert row.reached == words.count(("reached", True))
        assert row.evaluable - row.reached == words.count(("not-reached", True))


def event(term: str, low: int | None, high: int | None, emergent: bool | None = True) -> AdverseEvent:
    return AdverseEvent(term, "AdverseEvent/e", None, None, low, high, None, None, None, emergent)


def test_a_patient_counts_once_a_term_with_the_highest_grade() -> None:
    patients = [
        patient("a", events=(event("Nausea", 1, 1), event("nausea", 3, 3), event("Fever", 2, 2))),
        patient("b", events=(event("Nausea", 2, 2),)),
    ]
    assert event_rows(patients) == (EventRow("Nausea", 2, {"2": 1, "3": 1}), EventRow("Fever", 1, {"2": 1}))


def test_an_unknown_grade_leaves_the_highest_unknown() -> None:
    patients = [patient("a", events=(event("Fever", 2, 2), event("Fever", None, None)))]
    assert event_rows(patients) == (EventRow("Fever", 1, {"unknown": 1}),)
    patients = [patient("a", events=(event("Fever", 5, 5), event("Fever", None, None)))]
    assert event_rows(patients) == (EventRow("Fever", 1, {"5": 1}),)


def test_only_events_known_to_be_treatment_emergent_are_counted() -> None:
    patients = [patient("a", events=(event("Fever", 2, 2, False), event("Rash", 1, 1, None)))]
    assert event_rows(patients) == ()


def test_laboratory_grades_count_those_known_to_have_had_one() -> None:
    grades = [{"Anemia": (1, 1)}, {"Anemia": (1, 3)}, {"Anemia": (0, 4)}, {"Anemia": (0, 0)}]
    patients = [patient(str(n), laboratory_grades=one) for n, one in enumerate(grades)]
    assert grade_rows(patients) == (EventRow("Anemia", 2, {"1": 1, "unknown": 1}),)
