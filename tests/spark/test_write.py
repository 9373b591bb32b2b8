"""The verdict table written by Spark: the same rows as DuckDB's, put in place as a whole or not at all."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pyarrow as pa
import pytest

from sle_kg.cohort.run import run
from sle_kg.errors import InputError
from sle_kg.screening import Options
from sle_kg.spark.tables import DELTA
from sle_kg.spark.write import is_spark_place, spark_writer
from sle_kg.synthetic import write_cohort

DAY = dt.date(2026, 11, 21)
STATUS = pa.map_(pa.string(), pa.string())
SCHEMA = pa.schema(
    [
        ("patient", pa.string()),
        ("nothing_against", pa.bool_()),
        ("earliest_eligible", pa.date32()),
        ("unknown_count", pa.int32()),
        ("status", STATUS),
    ]
)
CHUNKS = [
    [("a'\\", True, DAY, 3, [("I01", "pass"), ("E02", "unknown")]), ("b", False, None, 0, [("I01", "fail")])],
    [("c\n${x}", None, dt.date(1, 1, 1), 7, [])],
]


def arrow(rows: list[tuple[Any, ...]]) -> pa.Table:
    """Rows of a table like that of verdicts."""
    return pa.table([list(column) for column in zip(*rows, strict=True)], SCHEMA)


def write(place: str, session: Any, chunks: list[list[tuple[Any, ...]]]) -> None:
    """A table written in chunks."""
    with spark_writer(place, "--verdicts", session) as add:
        for chunk in chunks:
            add(arrow(chunk))


def rows_of(session: Any, place: str) -> pa.Table:
    """What Spark reads there, by patient."""
    return session.read.parquet(place).toArrow().sort_by("patient").cast(SCHEMA)


@pytest.mark.parametrize("address", ["{}/verdicts/", "file://{}/verdicts"], ids=["folder", "address"])
def test_chunks_become_one_table_that_replaces_an_earlier_one(session: Any, tmp_path: Path, address: str) -> None:
    place = address.format(tmp_path)
    write(place, session, CHUNKS[1:])
    write(place, session, CHUNKS)
    assert rows_of(session, place).equals(arrow(CHUNKS[0] + CHUNKS[1]))
    assert [one.name for one in tmp_path.iterdir()] == ["verdicts"]


def test_after_a_failure_the_place_is_as_it_was(session: Any, tmp_path: Path) -> None:
    place = f"{tmp_path}/verdicts/"
    write(place, session, CHUNKS[:1])
    with pytest.raises(ZeroDivisionError), spark_writer(place, "--verdicts", session) as add:
        add(arrow(CHUNKS[1]))
        raise ZeroDivisionError
    assert rows_of(session, place).equals(arrow(CHUNKS[0]))
    assert [one.name for one in tmp_path.iterdir()] == ["verdicts"]


def test_a_folder_with_anything_else_is_not_replaced(session: Any, tmp_path: Path) -> None:
    (tmp_path / "patient.parquet").touch()
    with pytest.raises(InputError, match=r"holds patient\.parquet, which Spark did not write"):
        write(f"{tmp_path}/", session, CHUNKS)
    assert (tmp_path / "patient.parquet").exists()


@pytest.mark.parametrize("place", ["/", "nowhere://x/y", "/proc/verdicts/", "delta:/proc/verdicts"])
def test_what_cannot_be_written_is_told_in_one_sentence(session: Any, place: str) -> None:
    with pytest.raises(InputError, match="Spark cannot write it"):
        write(place, session, CHUNKS)


@pytest.mark.parametrize(
    ("place", "name", "beside"),
    [("s3a://bucket/verdicts", "", "s3a://bucket/verdicts."), ("delta:hdfs://n:1/v/", "hdfs://n:1/v", "hdfs://n:1/v.")],
)
def test_addresses_and_delta_are_asked_for(place: str, name: str, beside: str) -> None:
    session = MagicMock()
    files = session._jvm.org.apache.hadoop.fs.Path.return_value.getFileSystem.return_value
    files.exists.return_value = False
    write(place, session, CHUNKS)
    parquet = session.createDataFrame.return_value.coalesce.return_value.write.format.return_value.mode.return_value
    saved = [call.args[0] for call in parquet.save.call_args_list]
    assert len(saved) == len(CHUNKS)
    assert len(set(saved)) == 1
    assert saved[0].startswith(beside)
    written = session.read.parquet.return_value.write
    if place.startswith(DELTA):
        written.format.assert_called_once_with("delta")
        written.format.return_value.mode.assert_called_once_with("overwrite")
        written.format.return_value.mode.return_value.save.assert_called_once_with(name)
    assert files.rename.called is not place.startswith(DELTA)


def test_a_name_tells_who_writes() -> None:
    assert [is_spark_place(one) for one in ("verdicts/", "hdfs://n/v", "delta:v", "verdicts.parquet", "a/v")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_other_engines_write_files_only(tmp_path: Path) -> None:
    write_cohort(tmp_path / "tables", 1, 5, "parquet", "screening")
    with pytest.raises(InputError, match="for --engine spark"):
        run(tmp_path / "tables", Options(on=DAY, engine="sql"), f"{tmp_path}/verdicts/")
