"""The hand-written SQL of benchmarks and the program judge alike, cell by cell: what is timed is the same work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from benchmarks.perturb import perturbed

from benchmarks import yardstick
from caselib import bundle
from cases import SUITES
from sle_kg.cohort.judge import JUDGED, PERSON, SqlJudge
from sle_kg.patients.read import read_patients
from sle_kg.resources import path
from sle_kg.screening import Options
from sle_kg.terminology import terminology
from sle_kg.trials import screenable

ON = dt.date(2026, 11, 21)
SECTIONS = ("conditions", "medications", "procedures", "allergies", "immunizations", "statements")
Tables = Mapping[str, pa.Table]
Cells = dict[tuple[str, str, str], object]


@cache
def examples() -> Tables:
    """The example patients."""
    return read_patients(sorted((path("examples") / "patients").glob("*.json"))).tables


def by_program(tables: Tables, options: Options) -> Cells:
    """(patient, trial, row) → what the program says; verdict and number of unknown rows are rows of their own."""
    trials = list(screenable().values())
    judge = SqlJudge(trials, options, terminology())
    connection = judge.judge(dict(tables))
    found: Cells = {}
    for trial in trials:
        columns = judge.status_columns(trial.id)
        places = {**columns.rows, "verdict": columns.verdict, "unknown": columns.unknown}
        query = f"SELECT p.patient, {', '.join(places.values())} FROM {JUDGED} j JOIN {PERSON} p USING (number)"
        found |= cells(trial.id, list(places), connection.execute(query).fetchall())
    return found


def by_hand(tables: Tables, options: Options) -> Cells:
    """The same by the yardstick."""
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register("arrow_rows", table)
        connection.execute(f"CREATE TABLE source_{name} AS FROM arrow_rows")
    yardstick.load_codes(connection)
    yardstick.judge(connection, options.on, options.complete, options.events.get("consent"))
    found: Cells = {}
    for trial in screenable().values():
        rows = [*(row.id for row in trial.criteria), "verdict", "unknown"]
        query = f"SELECT patient, {', '.join(yardstick.column(trial.id, row) for row in rows)} FROM judged"
        found |= cells(trial.id, rows, connection.execute(query).fetchall())
    return found


def cells(trial: str, rows: list[str], table: list[tuple[object, ...]]) -> Cells:
    return {(str(one[0]), trial, row): value for one in table for row, value in zip(rows, one[1:], strict=True)}


def differences(tables: Tables, options: Options) -> Cells:
    """The cells on which both differ: what either says."""
    hand, program = by_hand(tables, options), by_program(tables, options)
    assert hand.keys() == program.keys()
    return {cell: (hand[cell], program[cell]) for cell in hand if hand[cell] != program[cell]}


def test_yardstick_and_program_agree_on_changed_examples() -> None:
    tables = perturbed(examples(), 300, 1, ON)
    options = Options(on=ON, complete=SECTIONS[:2], events={"consent": ON - dt.timedelta(days=10)})
    assert differences(tables, options) == {}


def test_the_comparison_sees_a_lost_result() -> None:
    options, lost = Options(on=ON), dict(examples())
    is_weight = pc.equal(lost["measurement"]["test"], "bodyWeight")
    lost["measurement"] = lost["measurement"].filter(pc.invert(is_weight))
    full, less = by_hand(examples(), options), by_program(lost, options)
    assert "I03" in {cell[2] for cell, value in full.items() if value != less[cell]}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("complete", [(), SECTIONS])
def test_yardstick_and_program_agree_on_changed_cases(seed: int, complete: tuple[str, ...], tmp_path: Path) -> None:
    tables = perturbed(case_tables(tmp_path), 2000, seed, ON)
    assert differences(tables, Options(on=ON, complete=complete)) == {}


def case_tables(folder: Path) -> Tables:
    """The patients of the cases of all trials."""
    found = []
    for number, suite in enumerate(SUITES):
        file = folder / "patients.json"
        file.write_text(bundle(suite.cases), encoding="utf-8")
        made = read_patients([file]).tables
        found.append({name: renamed(table, number) for name, table in made.items()})
    return {name: pa.concat_tables([one[name] for one in found]) for name in found[0]}


def renamed(table: pa.Table, number: int) -> pa.Table:
    """The table with ids that patients of other suites do not have."""
    ids = pa.array([f"{number}-{one}" for one in table["patient"].to_pylist()], pa.string())
    return table.set_column(0, "patient", ids)
