"""Engines on synthetic patients: they agree, and where one were wrong, the smallest patient would show it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from random_patients import (
    DATES,
    NOT_REMOVED,
    Screening,
    bounds_of_cohort,
    bounds_of_screen,
    by_evaluator,
    by_shapes,
    by_sql,
    first_difference,
    patients,
    smallest_patient,
    words_of_cohort,
    words_of_screen,
)
from sle_kg import sql_plan
from sle_kg.patients.facts import PatientData
from sle_kg.screening import Options


@pytest.mark.parametrize("place", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_plan_evaluator_and_cohort_agree_on_a_hundred_patients(place: int) -> None:
    on = DATES[place]
    everybody = Screening(patients(range(100 * place + 1, 100 * place + 101), 11, on), Options(on=on, engine="sql"))
    assert first_difference(everybody, by_sql, by_evaluator) is None
    assert first_difference(everybody, bounds_of_screen, bounds_of_cohort) is None
    assert first_difference(everybody, words_of_screen, words_of_cohort) is None


def test_shapes_agree_on_six_patients() -> None:
    some = Screening(patients(range(201, 207), 11, DATES[0]), Options(on=DATES[0]))
    assert first_difference(some, by_shapes, by_evaluator) is None


def test_the_smallest_patient_keeps_every_fact_that_matters() -> None:
    everything = patients(range(26, 27), 11, DATES[0])
    wanted = {("measurement", "alt"), ("measurement", "sledai2kTotal"), ("condition", "sle")}

    def named(data: PatientData) -> list[tuple[str, str]]:
        columns = {"measurement": "test", "condition": "concept"}
        return [(name, text) for name, column in columns.items() for text in data.tables[name][column].to_pylist()]

    smallest = smallest_patient(everything, lambda data: wanted <= set(named(data)))
    assert sorted(named(smallest)) == sorted(wanted)
    assert sum(table.num_rows for name, table in smallest.tables.items() if name not in NOT_REMOVED) == 3


@pytest.mark.slow
def test_a_wrong_plan_is_shown_on_the_one_fact_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sql_plan._comparison

    def wrong(bounds: tuple[str, str], operator: str, met: Decimal, unmet: Decimal) -> object:
        """At least 7 points become more than 7 points."""
        return right(bounds, ">" if met == 7 and operator == ">=" else operator, met, unmet)

    monkeypatch.setattr(sql_plan, "_comparison", wrong)
    options = Options(trials=("NCT06892145",), on=DATES[0], engine="sql")
    screening = Screening(patients(range(26, 27), 11, DATES[0]), options)
    assert sum(table.num_rows for table in screening.data.tables.values()) > 80
    shown = first_difference(screening, by_sql, by_evaluator)
    assert shown is not None
    assert [line.partition("(")[0].strip() for line in shown.splitlines() if "patient=" in line] == [
        "patient",
        "measurement",
    ]
    assert "test=sledai2kTotal" in shown
    assert "low=7.000000000000, high=7.000000000000" in shown
    assert "  I04: " in shown
