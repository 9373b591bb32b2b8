"""A cohort on Spark: bounds, statuses, verdict table and summary as on DuckDB, cell by cell."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from caselib import bundle
from cases import SUITES
from cohorts import write_tables
from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.cohort.run import Wanted, run
from sle_kg.cohort.spark import SparkCohort
from sle_kg.cohort.tables import CohortTables
from sle_kg.features.wide import PERSON, WIDE
from sle_kg.patients.facts import COLUMNS
from sle_kg.patients.read import read_patients
from sle_kg.report.cohort import render_cohort
from sle_kg.screening import Options
from sle_kg.synthetic import write_cohort
from sle_kg.terminology import terminology
from sle_kg.trials import screenable

ON = dt.date(2026, 11, 21)
HOSTILE = ("it's", 'a"b', "back\\slash\\n", "${spark.app.name}", "%s {x}", "`;--", "Ωмега 患者", "a\nb", " ")


def every_case(folder: Path) -> Path:
    """The patients of every case as one cohort; ids with what an id can hold."""
    made: dict[str, list[pa.Table]] = {name: [] for name in COLUMNS}
    for number, suite in enumerate(SUITES):
        file = folder / f"{number}.json"
        file.write_text(bundle(suite.cases), encoding="utf-8")
        tables = read_patients([file]).tables
        for name, table in tables.items():
            ids = [f"{HOSTILE[len(one) % len(HOSTILE)]}{number}-{one}" for one in table["patient"].to_pylist()]
            made[name].append(table.set_column(0, "patient", pa.array(ids, pa.string())))
    return write_tables(folder / "tables", {name: pa.concat_tables(some) for name, some in made.items()})


@pytest.mark.parametrize(
    "options",
    [
        Options(on=ON),
        Options(
            on=ON,
            complete=("medications", "conditions", "procedures"),
            events={"infusion": ON + dt.timedelta(days=20)},
        ),
    ],
    ids=["plain", "complete"],
)
def test_bounds_and_statuses_of_every_case_are_those_of_duckdb(session: Any, tmp_path: Path, options: Options) -> None:
    folder = every_case(tmp_path)
    judge = SqlJudge(list(screenable().values()), options, terminology())
    tables = CohortTables.open(folder)
    duck = judge.judge(tables.read(tables.patients, ON, {}))
    spark = SparkCohort.open(judge, str(folder), {}, None).judge(tables.patients)
    for name in (PERSON, WIDE, SAID, JUDGED):
        columns = [one[0] for one in duck.execute(f"SELECT * FROM {name} LIMIT 0").description]
        for column in columns:
            query = f"SELECT {column} FROM {name} ORDER BY number"
            assert spark.execute(query).fetchall() == duck.execute(query).fetchall(), (name, column)


def test_verdict_table_and_summary_are_those_of_duckdb(session: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    write_cohort(folder, 200, 5, "parquet", "screening")
    found = {}
    for engine in ("sql", "spark"):
        file = tmp_path / f"{engine}.parquet"
        summary = run(folder, Options(on=ON, engine=engine), file, Wanted(what_if=True), chunk=120)
        assert summary.engine == engine
        found[engine] = (render_cohort(replace(summary, engine=""), "json"), file.read_bytes())
    assert found["spark"] == found["sql"]
