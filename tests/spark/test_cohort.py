"""A cohort on Spark: bounds, statuses, verdict table and summary as on DuckDB, cell by cell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caselib import bundle
from cases import SUITES
from cohorts import write_tables
from sle_kg.cohort.changes import further_features
from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.cohort.run import Wanted, run
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


def cases_and_others(folder: Path) -> Path:
    """The patients of every case, and 200 synthetic ones."""
    write_cohort(folder / "synthetic", 200, 5, "parquet", "screening")
    some, others = (CohortTables.open(place) for place in (every_case(folder), folder / "synthetic"))
    tables = [one.read(one.patients, dt.date.max, {}) for one in (some, others)]
    return write_tables(folder / "both", {name: pa.concat_tables([one[name] for one in tables]) for name in COLUMNS})


COMPLETE = Options(
    on=ON, complete=("medications", "conditions", "procedures"), events={"infusion": ON + dt.timedelta(days=20)}
)


@pytest.mark.parametrize(
    ("options", "cohort", "verdicts"),
    [(Options(on=ON), cases_and_others, "verdicts.parquet"), (COMPLETE, every_case, "verdicts/")],
    ids=["plain", "complete"],
)
def test_bounds_statuses_verdicts_and_summary_are_those_of_duckdb(
    session: Any, tmp_path: Path, options: Options, cohort: Callable[[Path], Path], verdicts: str
) -> None:
    folder = cohort(tmp_path)
    summaries, tables = [], []
    for engine, place in (("sql", "sql.parquet"), ("spark", verdicts)):
        summary = run(folder, replace(options, engine=engine), f"{tmp_path}/{place}", Wanted(what_if=True), chunk=400)
        assert summary.engine == engine
        summaries.append(render_cohort(replace(summary, engine=""), "json"))
        tables.append(pq.read_table(tmp_path / place).sort_by([("patient", "ascending"), ("trial", "ascending")]))
    assert summaries[0] == summaries[1]
    assert tables[0].equals(tables[1].cast(tables[0].schema))
    if not verdicts.endswith("/"):
        assert (tmp_path / "sql.parquet").read_bytes() == (tmp_path / verdicts).read_bytes()
    read = CohortTables.open(folder)
    trials = list(screenable().values())
    further = further_features(trials, options.readings, options.windows)
    duck = SqlJudge(trials, options, terminology(), further).judge(read.read(read.patients, ON, {}))
    for name in (PERSON, WIDE, SAID, JUDGED):
        expected = duck.sql(f"SELECT * FROM {name} ORDER BY number").to_arrow_table()
        found = session.table(name).orderBy("number").toArrow()
        assert found.column_names == expected.column_names
        for column in expected.column_names:
            assert day_numbers(found[column]) == day_numbers(expected[column]), (name, column)


def day_numbers(column: Any) -> list[Any]:
    """The values of a column; days as Spark holds them, numbers since 1970."""
    return [(v - dt.date(1970, 1, 1)).days if isinstance(v, dt.date) else v for v in column.to_pylist()]


def without_first_result(folder: Path, patient: str) -> None:
    """Take the first measurement of a patient out of the tables."""
    rows = pq.read_table(folder / "measurement.parquet")
    place = rows["patient"].to_pylist().index(patient)
    pq.write_table(pa.concat_tables([rows.slice(0, place), rows.slice(place + 1)]), folder / "measurement.parquet")


def test_with_a_state_only_patients_with_other_facts_are_judged(session: Any, tmp_path: Path) -> None:
    folder, state = tmp_path / "tables", tmp_path / "state"
    write_cohort(folder, 12, 7, "parquet", "screening")
    counts: list[tuple[int, int]] = []

    def judged(engine: str, kept: Path | None) -> tuple[bytes, bytes]:
        options = Options(on=ON, trials=("NCT06892145",), engine=engine)
        file = tmp_path / "verdicts.parquet"
        summary = run(folder, options, file, Wanted(state=kept), judged=lambda *told: counts.append(told), chunk=5)
        return render_cohort(replace(summary, engine=""), "json"), file.read_bytes()

    assert judged("spark", state) == judged("sql", None)
    ids = CohortTables.open(folder).patients
    for patient in (ids[3], ids[8]):
        without_first_result(folder, patient)
    assert judged("spark", state) == judged("sql", None)
    judged("spark", state)
    assert counts == [(12, 12), (12, 12), (2, 12), (12, 12), (0, 12)]
