"""Hostile ids, codes, units and displays: the same tables and verdicts as under plain names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caselib import ON
from faults import hostile
from faults.hostile import HOSTILE, IN_JSON_ALONE, plain, tables_of
from faults.statements import recorded
from sle_kg import screening
from sle_kg.cohort.run import run
from sle_kg.ingest import Options, ingest_cohort
from sle_kg.patients.facts import COLUMNS, schema


def ingested(folder: Path, form: str, names: list[str]) -> Path:
    """The tables of the small hospital in one form."""
    folder.mkdir()
    mapped = None
    match form:
        case "fhir":
            source = hostile.fhir(folder, names)
        case "csv":
            source, mapped = hostile.table(folder, names)
        case _:
            source = hostile.omop(folder, names)
    if form == "duckdb":
        with duckdb.connect(str(folder / "omop.duckdb")) as db:
            for file in source.glob("*.csv"):
                db.read_csv(str(file), all_varchar=True).create(file.stem)
        source = folder / "omop.duckdb"
    ingest_cohort([str(source)], folder / "out", Options(table_map=mapped, workers=1))
    return folder / "out"


@pytest.mark.parametrize(
    "form", ["fhir", "csv", *(pytest.param(form, marks=pytest.mark.slow) for form in ("omop", "duckdb"))]
)
def test_hostile_text_gives_the_tables_of_plain_text(form: str, tmp_path: Path) -> None:
    names = [*HOSTILE, *IN_JSON_ALONE] if form == "fhir" else list(HOSTILE)
    simple = [plain(number) for number in range(len(names))]
    places = ("why", "file", *(("line", "record") if form == "csv" else ()))  # reasons shorten what they quote
    becomes = dict(zip(simple, names, strict=True))
    expected = tables_of(ingested(tmp_path / "plain", form, simple), becomes, places, form in ("omop", "duckdb"))
    found = tables_of(ingested(tmp_path / "hostile", form, names), without=places)
    assert found.keys() == expected.keys()
    for table in sorted(found):
        assert found[table] == expected[table], table
    assert len(found["patient"]) == len(names)


# ---- cohort, and the statements of all of it ------------------------------------------------------------------------


def everywhere(names: Sequence[str]) -> dict[str, pa.Table]:
    """Patient tables with, for each name, a row of each table that has the name in all its texts."""
    made = {}
    for name in COLUMNS:
        columns = [
            pa.array(names if pa.types.is_string(column.type) else [None] * len(names), column.type)
            for column in schema(name)
        ]
        made[name] = pa.Table.from_arrays(columns, schema=schema(name))
    return made


def screened(folder: Path, names: Sequence[str], more: Path, trials: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The verdicts of a cohort of the patients in `more`, with other rows of theirs that are texts alone."""
    folder.mkdir()
    for name, table in everywhere(names).items():
        both = [pq.read_table(more / f"{name}.parquet"), table]
        pq.write_table(pa.concat_tables(both[: 1 if name == "patient" else 2]), folder / f"{name}.parquet")
    run(folder, screening.Options(on=ON, trials=trials), folder / "verdicts.parquet")
    rows = pq.read_table(folder / "verdicts.parquet").to_pylist()
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("trials", [("NCT06892145",), pytest.param((), marks=pytest.mark.slow)], ids=["one", "all"])
def test_a_cohort_of_hostile_text_has_the_verdicts_of_plain_text_and_no_text_is_sql(
    trials: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = recorded(monkeypatch)
    names, folder = sorted([*HOSTILE, *IN_JSON_ALONE]), tmp_path / plain(999)
    simple = [plain(number) for number in range(len(names))]
    folder.mkdir()
    for form in ("fhir", "omop", "csv"):
        ingested(folder / form, form, simple)
    expected = screened(folder / "cohort", simple, folder / "fhir" / "out", trials)
    assert len(statements) > 50
    assert [text for text in statements if re.search(r"Name[0-9]{3}Of", text)] == []
    found = screened(tmp_path / "hostile", names, ingested(tmp_path / "in", "fhir", names), trials)
    told = dict(zip(simple, names, strict=True))
    assert found == [(told[patient], *rest) for patient, *rest in expected]
    assert "pass" in str(found) and "fail" in str(found)


def test_a_text_that_became_sql_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    statements = recorded(monkeypatch)
    duckdb.connect().execute(f"SELECT '{plain(1)}'").execute("SELECT ?", [plain(2)])
    assert statements == [f"SELECT '{plain(1)}'", "SELECT ?"]
