"""Synthetic patients of a lupus centre before every engine (`make test-identity`), cell by cell.

`SLE_KG_IDENTITY_PATIENTS` sets their number (default 10000). A difference is shown on the smallest patient that has it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cohorts import judged, screened, write_tables
from engines.test_rudof import by_rudof
from random_patients import (
    DATES,
    Said,
    Screening,
    bounds_of_cohort,
    bounds_of_screen,
    by_evaluator,
    by_shapes,
    by_sql,
    first_difference,
    patients,
    words_of_cohort,
    words_of_screen,
    write_patients,
)
from sle_kg.engines import RowStatus
from sle_kg.resources import path
from sle_kg.screening import Options, screen
from sle_kg.trials import screenable

COUNT = int(os.environ.get("SLE_KG_IDENTITY_PATIENTS", "10000"))
BATCH = 500
STARTS = range(0, COUNT, BATCH)
SHAPES, DATED, EXPLAINED = 20, 25, 3
"""Of each batch, so many are put to pySHACL, compared to the last date, and compared with all that `screen` says."""
SEED = 2026
ALTERNATIVES = {
    reading.ambiguity: reading.key
    for trial in screenable().values()
    for reading in trial.readings
    if not reading.default
}
"""For each ambiguity a reading that is not the default."""


def numbers(start: int, count: int = BATCH) -> range:
    """The patients of a batch."""
    return range(start + 1, start + 1 + min(count, COUNT - start))


def day(start: int) -> Options:
    """The day of a batch; every other round of days asks about the other readings."""
    place = start // BATCH
    readings = ALTERNATIVES if place // len(DATES) % 2 else {}
    return Options(on=DATES[place % len(DATES)], readings=readings, engine="sql")


def by_shapes_of_rudof(screening: Screening) -> Said:
    """The shapes, by rudof."""
    found: dict[tuple[str, str], dict[str, RowStatus]] = {}
    for trial in screening.session.trials:
        mine = [someone for someone in screening.profiles if someone.trial == trial.id]
        shapes = (path("shapes") / "eligibility" / f"{trial.id}.ttl").read_bytes()
        said = by_rudof(trial, mine, shapes)
        for someone in mine:
            rows = {row.id: said[someone.iri, row.id] for row in trial.criteria}
            found[someone.patient, trial.id] = {row: RowStatus(met, exempt) for row, (met, exempt) in rows.items()}
    return found


@pytest.mark.parametrize("start", STARTS)
def test_plan_evaluator_and_cohort_agree_on_every_patient(start: int) -> None:
    options = day(start)
    everybody = Screening(patients(numbers(start), SEED, options.on), options)
    assert first_difference(everybody, by_sql, by_evaluator) is None
    assert first_difference(everybody, bounds_of_screen, bounds_of_cohort) is None
    assert first_difference(everybody, words_of_screen, words_of_cohort) is None


@pytest.mark.parametrize("start", STARTS)
def test_shapes_in_rudof_agree_on_every_patient(start: int) -> None:
    options = replace(day(start), readings={})
    everybody = Screening(patients(numbers(start), SEED, options.on), options)
    assert first_difference(everybody, by_evaluator, by_shapes_of_rudof) is None


@pytest.mark.parametrize("start", STARTS)
def test_shapes_in_pyshacl_agree_on_a_share(start: int) -> None:
    options = day(start)
    some = Screening(patients(numbers(start, SHAPES), SEED, options.on), options)
    assert first_difference(some, by_evaluator, by_shapes) is None


@pytest.mark.parametrize("start", STARTS)
def test_cohort_has_the_dates_of_screening_for_a_share(start: int, tmp_path: Path) -> None:
    options = day(start)
    file = write_patients(tmp_path / "patients.ndjson", numbers(start, DATED), SEED, options.on)
    tables = write_tables(tmp_path / "tables", patients(numbers(start, DATED), SEED, options.on).tables)
    assert judged(tables, options)[1] == screened(file, options)


@pytest.mark.parametrize("start", STARTS)
def test_verdicts_are_the_same_to_the_last_record_and_date_for_a_share(start: int, tmp_path: Path) -> None:
    options = day(start)
    file = write_patients(tmp_path / "patients.ndjson", numbers(start, EXPLAINED), SEED, options.on)
    assert screen([file], options) == screen([file], replace(options, engine="shacl"))
