"""One suite for all engines: every case of the tests, by the shapes and by SQL, the same status of every row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from caselib import Case, batches, bundle
from cases import SUITES
from random_profiles import first_difference, of_engine, of_evaluator, random_people
from sle_kg.engines import SHACL_UP_TO, default_engine, get_engine
from sle_kg.resources import path
from sle_kg.screening import Options, Session, screen
from sle_kg.trials import screenable

SHACL, SQL = get_engine("shacl"), get_engine("sql")
BATCHES = [batch for suite in SUITES for batch in batches(suite.cases)]


@pytest.mark.slow
@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: f"{batch[0].asked.trial}: {batch[0].name} and so on")
def test_every_case_has_the_same_statuses_by_every_engine(batch: tuple[Case, ...], tmp_path: Path) -> None:
    file = tmp_path / "patients.json"
    file.write_text(bundle(batch), encoding="utf-8")
    session = Session([file], batch[0].asked.options(tmp_path))
    people = session.profiles(session.asks(session.data.patients))
    (trial,), readings = session.trials, session.options.readings
    shapes = of_engine(SHACL, trial, readings)
    assert first_difference(of_engine(SQL, trial, readings), shapes, people) is None
    assert first_difference(of_evaluator(trial, readings), shapes, people) is None


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_random_profiles_have_the_same_statuses_by_every_engine(nct: str) -> None:
    trial = screenable()[nct]
    readings = {reading.ambiguity: reading.key for reading in trial.readings if not reading.default}
    people = random_people(trial, 15, seed=11)
    assert first_difference(of_engine(SQL, trial, readings), of_engine(SHACL, trial, readings), people) is None


@pytest.mark.slow
def test_verdicts_are_the_same_to_the_last_date() -> None:
    files = sorted((path("examples") / "patients").glob("[abc]-0[12].json"))
    by_shapes, by_sql = (screen(files, Options(on=dt.date(2026, 11, 21), engine=name)) for name in ("shacl", "sql"))
    assert by_shapes == by_sql


def test_sql_decides_by_default_where_there_are_many_patients() -> None:
    assert (default_engine(SHACL_UP_TO), default_engine(SHACL_UP_TO + 1)) == ("shacl", "sql")


def test_a_named_engine_wins(tmp_path: Path) -> None:
    file = path("examples") / "patients" / "a-01.json"
    assert Session([file], Options()).engine.name == "shacl"
    assert Session([file], Options(engine="sql")).engine.name == "sql"
    many = tmp_path / "many.json"
    many.write_text(bundle(case for batch in BATCHES[:3] for case in batch), encoding="utf-8")
    assert Session([many], Options()).engine.name == "sql"
    assert Session([many], Options(engine="shacl")).engine.name == "shacl"
