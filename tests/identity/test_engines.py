"""The engines against each other at length (`make test-identity`): random profiles, random patients, every case.

`SLE_KG_IDENTITY_PROFILES` sets the number of random profiles of each trial (default 10000). A difference is shown on
the smallest profile that has it.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from caselib import Asked, Case
from cohorts import GROUPS, cohort_of, judged, screened, write_tables
from identity.test_identity import BATCH, COUNT, ON, patient
from random_profiles import choices_of_readings, first_difference, of_engine, of_evaluator, random_people
from sle_kg.engines import get_engine
from sle_kg.resources import path
from sle_kg.screening import Options, Session
from sle_kg.trials import screenable

PROFILES = int(os.environ.get("SLE_KG_IDENTITY_PROFILES", "10000"))
SHARE = 100
"""Of so many random profiles one is put to the shapes too."""
SHACL, SQL = get_engine("shacl"), get_engine("sql")


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_random_profiles_have_the_same_statuses_under_every_reading(nct: str) -> None:
    trial = screenable()[nct]
    for number, readings in enumerate(choices_of_readings(trial)):
        people = random_people(trial, PROFILES, seed=100 + number)
        sql = of_engine(SQL, trial, readings)
        assert first_difference(sql, of_evaluator(trial, readings), people) is None, readings
        assert first_difference(sql, of_engine(SHACL, trial, readings), people[::SHARE]) is None, readings


@pytest.mark.parametrize("start", range(0, COUNT, BATCH))
def test_random_patients_have_the_same_verdicts_by_both_engines_and_in_a_cohort(tmp_path: Path, start: int) -> None:
    rng = random.Random(1_000_000 + start)
    folder = path("examples") / "patients"
    bundles = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("[abc]-01.json"))]
    entries = [{"resource": resource} for n in range(start, start + BATCH) for resource in patient(rng, n, bundles)]
    file = tmp_path / "patients.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), encoding="utf-8")
    session = Session([file], Options(on=ON, engine="sql"))
    made = session.profiles(session.asks(session.data.patients))
    for trial in session.trials:
        mine = [profile for profile in made if profile.trial == trial.id]
        assert first_difference(of_engine(SQL, trial, {}), of_engine(SHACL, trial, {}), mine) is None
    tables = tmp_path / "tables"
    rows = judged(write_tables(tables, session.data.tables), Options(on=ON))[1]
    assert rows == screened(file, Options(on=ON, engine="sql"))


@pytest.mark.parametrize(("asked", "cases"), GROUPS.items(), ids=lambda value: getattr(value, "trial", ""))
def test_every_case_has_the_same_verdict_in_a_cohort(asked: Asked, cases: list[Case], tmp_path: Path) -> None:
    if asked.code_map:
        asked = replace(asked, code_map="")
    options = replace(asked.options(tmp_path), engine="sql")
    assert judged(cohort_of(tmp_path, cases), options)[1] == screened(tmp_path / "patients.json", options)
