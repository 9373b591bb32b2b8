"""Screening again: only patients whose facts changed are judged, and every byte is as if all had been."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cohorts import write_tables
from sle_kg.cohort.run import Wanted, run
from sle_kg.cohort.state import State, context, fingerprints
from sle_kg.cohort.tables import CohortTables
from sle_kg.errors import InputError
from sle_kg.report.cohort import render_cohort
from sle_kg.screening import Options
from sle_kg.synthetic import write_cohort

PATIENTS = 24
OPTIONS = Options(on=dt.date(2022, 6, 1), trials=("NCT06892145", "NCT06150651"), complete=("conditions", "medications"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables of 24 patients, and their state."""
    place = tmp_path_factory.mktemp("cohort")
    write_cohort(place / "tables", PATIENTS, 7, "parquet", "screening")
    judged(place / "tables", place / "state")
    return place


def judged(folder: Path, state: Path | None, options: Options = OPTIONS, **how: Any) -> tuple[bytes, bytes, int]:
    """Summary and verdict table, as bytes, and how many patients were judged."""
    counts: list[int] = []
    file = folder.parent / "verdicts.parquet"
    wanted = Wanted(what_if=True, state=state)
    summary = run(folder, options, file, wanted, judged=lambda *told: counts.extend(told), chunk=12, **how)
    return render_cohort(summary, "json"), file.read_bytes(), counts[0]


def copied(state: Path, place: Path) -> Path:
    """The state as a file that the test may change."""
    place.write_bytes(state.read_bytes())
    return place


def changed(folder: Path, target: Path, patients: list[str]) -> Path:
    """The tables with one measurement less of some patients, one patient new and one gone."""
    tables = {file.stem: pq.read_table(file) for file in sorted(folder.glob("*.parquet"))}
    rows = tables["measurement"]
    places = [rows["patient"].to_pylist().index(patient) for patient in patients]
    tables["measurement"] = rows.filter(pa.array([n not in places for n in range(len(rows))]))
    people = tables["patient"]
    gone, new = people["patient"][0].as_py(), people.slice(1, 1).set_column(0, "patient", pa.array(["somebody new"]))
    tables["patient"] = pa.concat_tables([people, new.cast(people.schema)])
    tables = {name: table.filter(pc.not_equal(table["patient"], gone)) for name, table in tables.items()}
    return write_tables(target, tables)


def test_only_patients_with_other_facts_are_judged_again(before: Path, tmp_path: Path) -> None:
    ids = sorted(pq.read_table(before / "tables" / "patient.parquet")["patient"].to_pylist())
    folder = changed(before / "tables", tmp_path / "tables", [ids[5], ids[14], ids[20]])
    state = copied(before / "state", tmp_path / "state")
    *again, count = judged(folder, state)
    *all_of_them, everybody = judged(folder, None)
    assert (count, everybody) == (4, PATIENTS)
    assert again == all_of_them
    assert judged(folder, state)[2] == 0, "the state was written anew"


@pytest.mark.slow
def test_many_changed_patients_are_judged_chunk_by_chunk(before: Path, tmp_path: Path) -> None:
    ids = sorted(pq.read_table(before / "tables" / "patient.parquet")["patient"].to_pylist())
    folder = changed(before / "tables", tmp_path / "tables", ids[1:20])
    *again, count = judged(folder, copied(before / "state", tmp_path / "state"))
    *all_of_them, _ = judged(folder, None)
    assert count == 20
    assert again == all_of_them


@pytest.mark.parametrize(
    "other",
    [
        {"on": dt.date(2022, 6, 2)},
        {"complete": ()},
        {"events": {"consent": dt.date(2022, 5, 1)}},
        {"windows": {"result": 29}},
        {"trials": ("NCT06892145",)},
        {"readings": {"A3-04": "literal"}},
    ],
)
def test_in_another_context_nothing_is_kept(before: Path, other: dict[str, Any]) -> None:
    def made_in(options: Options, what_if: bool = True) -> str:
        return context(options, options.trials, "sql", what_if)

    prints = fingerprints(CohortTables.open(before / "tables"))
    kept = State.read(before / "state", made_in(OPTIONS), prints)
    assert kept is not None
    assert len(kept.same) == PATIENTS
    assert State.read(before / "state", made_in(replace(OPTIONS, **other)), prints) is None
    assert State.read(before / "state", made_in(OPTIONS, what_if=False), prints) is None


def test_the_order_of_rows_is_no_change(before: Path, tmp_path: Path) -> None:
    tables = {file.stem: pq.read_table(file) for file in (before / "tables").glob("*.parquet")}
    backwards = {
        name: table.take(pa.array(range(len(table) - 1, -1, -1), pa.int64())) for name, table in tables.items()
    }
    folder = write_tables(tmp_path / "tables", backwards)
    assert fingerprints(CohortTables.open(folder)) == fingerprints(CohortTables.open(before / "tables"))


@pytest.mark.parametrize("content", [b"no table", b""])
def test_a_file_that_is_no_state_is_refused_and_left_alone(before: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "state"
    file.write_bytes(content)
    with pytest.raises(InputError, match="state"):
        judged(before / "tables", file)
    assert file.read_bytes() == content


def test_a_verdict_table_is_no_state(before: Path) -> None:
    with pytest.raises(InputError, match="no state of a cohort"):
        judged(before / "tables", before / "tables" / "patient.parquet")
