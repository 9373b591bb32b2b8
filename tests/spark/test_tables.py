"""What is asked of Spark for tables elsewhere: addresses as they are given, Delta by its name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pyarrow as pa
import pytest

from cohorts import write_tables
from sle_kg.cohort.run import run
from sle_kg.cohort.tables import CohortTables
from sle_kg.errors import InputError
from sle_kg.patients.facts import COLUMNS, schema
from sle_kg.screening import Options
from sle_kg.spark.tables import DELTA, SparkTables, with_code_map
from sle_kg.terminology import UNMAPPED


class RefusedError(Exception):
    """What stands for Spark's answer after the first question."""


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3a://bucket/lupus", ("parquet", "s3a://bucket/lupus/patient.parquet")),
        ("hdfs://name:8020/lupus/", ("parquet", "hdfs://name:8020/lupus/patient.parquet")),
        ("delta:s3a://bucket/lupus", ("delta", "s3a://bucket/lupus/patient")),
    ],
)
def test_addresses_pass_untouched(place: str, expected: tuple[str, str]) -> None:
    """A stand-in for the session of a cluster that is not there; Delta's own classes are there."""
    session = MagicMock()
    files = session._jvm.org.apache.hadoop.fs.Path.return_value.getFileSystem.return_value
    files.exists.return_value = place.startswith(DELTA)
    session.read.format.return_value.load.side_effect = RefusedError
    with pytest.raises(RefusedError):
        SparkTables.open(place, session)
    session.read.format.assert_called_once_with(expected[0])
    session.read.format.return_value.load.assert_called_once_with(expected[1])


def test_a_folder_without_patients_is_refused(session: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"holds no patient\.parquet"):
        SparkTables.open(str(tmp_path), session)


def test_a_folder_without_delta_tables_is_refused(session: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError, match="holds no Delta table patient"):
        SparkTables.open(f"delta:{tmp_path}", session)


def test_an_address_that_spark_does_not_reach_is_told_in_one_sentence(session: Any) -> None:
    with pytest.raises(InputError, match="Spark cannot read it"):
        SparkTables.open("nowhere://bucket/lupus", session)


CODE_MAP = {("urn:a", "1"): "prednisone", ("", "2"): "other", ("urn:a|b", "3"): "sle", ("urn:a", "b|4"): "sle"}
CODES = ["urn:a|1", "2", "|2", "urn:a|b|3", "urn:a|b|4", "urn:b|1", "1", "", "it's|`${x}`"]


def with_unread(folder: Path) -> Path:
    """Tables of a patient with an unmapped diagnosis for each code, and what else is unread of each."""
    unread = [
        {"patient": "p", "record": f"r{place}", "code": code, "why": why}
        for place, code in enumerate(CODES)
        for why in ("unmapped code", "no date")
    ]
    condition = [
        {"patient": "p", "record": f"r{place}", "concept": concept}
        for place in range(len(CODES))
        for concept in (UNMAPPED, "sle")
    ]
    rows = {"patient": [{"patient": "p"}], "unread": unread, "condition": condition}
    return write_tables(
        folder / "tables", {name: pa.Table.from_pylist(rows.get(name, []), schema(name)) for name in COLUMNS}
    )


def test_a_code_map_settles_the_same_records_as_on_duckdb(session: Any, tmp_path: Path) -> None:
    folder = with_unread(tmp_path)
    settled = with_code_map(SparkTables.open(str(folder), session).tables, CODE_MAP, session)
    expected = CohortTables.open(folder).read(("p",), dt.date(2026, 11, 21), CODE_MAP)
    for name in ("unread", "condition", "exposure"):
        found = map(tuple, settled[name].collect())
        rows = [tuple(row.values()) for row in expected[name].to_pylist()]
        assert sorted(found, key=str) == sorted(rows, key=str), name
    assert {row["concept"] for row in expected["condition"].to_pylist()} == {UNMAPPED, "sle", "prednisone", "other"}


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [
        ("exposure", "start_from", "end_to"),
        ("measurement", "date_from", "date_to"),
        ("patient", "birth_from", "birth_to"),
    ],
)
def test_a_row_that_ends_before_it_begins_is_refused(
    session: Any, tmp_path: Path, table: str, first: str, last: str
) -> None:
    row = {"patient": "Secret", "record": "Secret", first: dt.date(2020, 1, 2), last: dt.date(2020, 1, 1)}
    rows = {"patient": [{"patient": "Secret"}]} | {table: [row]}
    folder = write_tables(
        tmp_path / "tables", {name: pa.Table.from_pylist(rows.get(name, []), schema(name)) for name in COLUMNS}
    )
    with pytest.raises(
        InputError, match=f"table {table}: has a row whose {last} is before its {first}; correct"
    ) as said:
        run(folder, Options(on=dt.date(2026, 11, 21), engine="spark", trials=("NCT06892145",)))
    assert "Secret" not in str(said.value)


def prints(session: Any, folder: Path, rows: list[dict[str, Any]]) -> list[Any]:
    """The fingerprints of a patient with these exposures."""
    tables = {"patient": [{"patient": "p"}], "exposure": [{"patient": "p", **row} for row in rows]}
    write_tables(folder, {name: pa.Table.from_pylist(tables.get(name, []), schema(name)) for name in COLUMNS})
    return [tuple(row.values()) for row in SparkTables.open(str(folder), session).fingerprints().to_pylist()]


def test_a_fingerprint_is_of_every_cell_and_of_no_order(session: Any, tmp_path: Path) -> None:
    day = dt.date(2020, 1, 1)
    rows: list[dict[str, Any]] = [{"record": "a", "start_to": day}, {"record": "b", "taken": "yes"}]
    moved = [{"record": "a", "end_from": day}, rows[1]]
    [first], [turned], [other] = (
        prints(session, tmp_path / name, some) for name, some in (("1", rows), ("2", rows[::-1]), ("3", moved))
    )
    assert first == turned
    assert first[0] == other[0] == "p"
    assert first[1] != other[1]
