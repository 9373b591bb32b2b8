"""Delta tables without Delta's own classes: real ones, which `deltalake` wrote, and those that Spark's files become."""

from __future__ import annotations

import base64
import datetime as dt
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from sle_kg.cohort.run import run
from sle_kg.cohort.tables import CohortTables
from sle_kg.delta import LOG
from sle_kg.errors import InputError
from sle_kg.patients.facts import schema
from sle_kg.screening import Options
from sle_kg.spark.tables import UNSEEN, SparkTables, in_days
from sle_kg.spark.write import spark_writer
from sle_kg.synthetic import write_cohort

ON = dt.date(2026, 11, 21)
OLD = "somebody who is gone"


def rows(table: pa.Table) -> list[str]:
    """What a table holds, whatever the order of its rows."""
    return sorted(map(str, table.to_pylist()))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables in Parquet."""
    folder = tmp_path_factory.mktemp("plain") / "tables"
    write_cohort(folder, 40, 3, "parquet", "screening")
    return folder


@pytest.fixture(scope="module")
def delta(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as Delta tables: overwritten, in several files, partitioned by kind, by day and by a number."""
    folder = tmp_path_factory.mktemp("delta") / "it's a place"
    by = {"measurement": ["test"], "statement": ["statement", "amount"], "condition": ["onset_from"]}
    for file in plain.glob("*.parquet"):
        table, place = pq.read_table(file), f"{folder}/{file.stem}"
        old = pa.Table.from_pylist([{"patient": OLD, "record": "r"}], table.schema)
        write_deltalake(place, old, partition_by=by.get(file.stem))
        half = table.num_rows // 2
        write_deltalake(place, table.slice(0, half), mode="overwrite")
        write_deltalake(place, table.slice(half), mode="append")
    return folder


def test_the_files_that_count_are_read_and_no_others(session: Any, plain: Path, delta: Path) -> None:
    assert list(delta.glob("patient/*.parquet")) != DeltaTable(delta / "patient").file_uris()
    read = CohortTables.open(delta)
    expected = CohortTables.open(plain)
    assert read.patients == expected.patients
    named, found = (SparkTables.open(f"{prefix}{delta}", session) for prefix in ("delta:", ""))
    for name, table in expected.read_only(expected.patients, dt.date.max, {}).items():
        if name not in UNSEEN:
            assert rows(read.read_only(read.patients, dt.date.max, {})[name]) == rows(table), name
            days = rows(in_days(table, session).toArrow())
            assert rows(named.tables[name].toArrow()) == rows(found.tables[name].toArrow()) == days, name


def test_a_cohort_in_delta_and_out_to_delta_is_that_of_parquet(
    session: Any, plain: Path, delta: Path, tmp_path: Path
) -> None:
    out = f"delta:{tmp_path}/verdicts"
    options = Options(on=ON, trials=("NCT06892145",))
    run(plain, options, tmp_path / "expected.parquet")
    run(delta, options, tmp_path / "read.parquet")
    assert (tmp_path / "read.parquet").read_bytes() == (tmp_path / "expected.parquet").read_bytes()
    run(f"delta:{delta}", replace(options, engine="spark"), out, chunk=25)
    found = DeltaTable(tmp_path / "verdicts").to_pyarrow_table()
    expected = pq.read_table(tmp_path / "expected.parquet")
    order = [("patient", "ascending"), ("trial", "ascending")]
    assert found.cast(expected.schema).sort_by(order).equals(expected.sort_by(order))


TABLE = pa.table(
    {"patient": ["a", "b"], "status": pa.array([[("I01", "pass")], []], pa.map_(pa.string(), pa.string()))}
)


def write(place: Path, table: pa.Table, session: Any) -> None:
    """A table written twice over, as two chunks."""
    with spark_writer(f"delta:{place}", "--verdicts", session) as add:
        add(table)
        add(table)


def test_a_delta_table_is_replaced_in_one_transaction(session: Any, tmp_path: Path) -> None:
    place = tmp_path / "verdicts"
    write(place, TABLE, session)
    write(place, TABLE.slice(1), session)
    versions = [DeltaTable(place, version=number).to_pyarrow_table()["patient"].to_pylist() for number in (0, 1)]
    assert [sorted(one) for one in versions] == [["a", "a", "b", "b"], ["b", "b"]]
    assert DeltaTable(place).version() == 1


def test_after_a_failure_the_delta_table_is_as_it_was(session: Any, tmp_path: Path) -> None:
    place = tmp_path / "verdicts"

    def fail() -> None:
        with pytest.raises(ZeroDivisionError), spark_writer(f"delta:{place}", "--verdicts", session) as add:
            add(TABLE)
            raise ZeroDivisionError

    fail()
    assert not place.exists()
    write(place, TABLE, session)
    before = sorted(place.iterdir())
    fail()
    assert sorted(place.iterdir()) == before
    with pytest.raises(InputError, match="other columns"):
        write(place, TABLE.select(["patient"]), session)
    assert sorted(place.iterdir()) == before


def test_a_folder_of_something_else_becomes_no_delta_table(session: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(InputError, match=r"holds note\.txt and no Delta table"):
        write(tmp_path, TABLE, session)
    write(tmp_path / "delta", TABLE, session)
    with (
        pytest.raises(InputError, match="which Spark did not write"),
        spark_writer(f"{tmp_path}/delta/", "--verdicts", session),
    ):
        pass


def test_a_delta_table_in_partitions_is_not_replaced(session: Any, tmp_path: Path) -> None:
    place = tmp_path / "verdicts"
    write_deltalake(place, TABLE, partition_by=["patient"])
    before = sorted(place.rglob("*"))
    with pytest.raises(InputError, match="in partitions"), spark_writer(f"delta:{place}", "--verdicts", session):
        pytest.fail("it is said before anything is computed")
    assert sorted(place.rglob("*")) == before


def test_a_folder_whose_name_deltalake_takes_for_another_is_refused(session: Any, plain: Path, tmp_path: Path) -> None:
    place = tmp_path / "100%20a"
    with pytest.raises(InputError, match="rename the folder"), spark_writer(f"delta:{place}", "--verdicts", session):
        pytest.fail("it is said before anything is computed")
    assert not place.exists()
    write_deltalake(tmp_path / "tables" / "patient", pq.read_table(plain / "patient.parquet"))
    (tmp_path / "tables").rename(place)
    with pytest.raises(InputError, match="rename the folder"):
        SparkTables.open(f"delta:{place}", session)
    with pytest.raises(InputError, match="rename the folder"):
        CohortTables.open(place)


def changed(place: Path, action: str, change: dict[str, Any]) -> None:
    """The log of a table, the first action of a kind changed."""
    (log,) = (place / LOG).glob("*.json")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    next(line[action] for line in lines if action in line).update(change)
    log.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
FIRST_ROW = struct.pack("<IQIIIHHIHxx", 1681511377, 1, 0, 12346, 1, 0, 0, 16, 0)
"""A deletion vector: Delta's number for it, then a Roaring bitmap of one row, the first."""
VECTOR = {
    "storageType": "i",
    "pathOrInlineDv": base64.b85encode(FIRST_ROW).decode().translate(str.maketrans(B85, Z85)),
    "sizeInBytes": len(FIRST_ROW),
    "cardinality": 1,
}
REFUSED = {
    "vectors": (
        [
            ("protocol", {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}),
            ("protocol", {"writerFeatures": ["deletionVectors"]}),
            ("add", {"deletionVector": VECTOR}),
        ],
        "deletion vectors",
    ),
    "columns": (
        [
            ("protocol", {"minReaderVersion": 2, "minWriterVersion": 5}),
            ("metaData", {"configuration": {"delta.columnMapping.mode": "name"}}),
        ],
        "Delta",
    ),
    "future": (
        [
            ("protocol", {"minReaderVersion": 3, "minWriterVersion": 7}),
            ("protocol", {"readerFeatures": ["magic"], "writerFeatures": ["magic"]}),
        ],
        "Delta",
    ),
    "no log": ([("protocol", {"minReaderVersion": "?"})], "log"),
    "gone": ([("add", {"path": "part-gone.parquet"})], "cannot"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_the_files_do_not_say_is_refused_in_one_sentence(session: Any, tmp_path: Path, fault: str) -> None:
    changes, expected = REFUSED[fault]
    write_deltalake(tmp_path / "patient", pa.Table.from_pylist([{"patient": "p"}] * 40, schema("patient")))
    for action, change in changes:
        changed(tmp_path / "patient", action, change)
    with pytest.raises(InputError, match=expected):
        SparkTables.open(f"delta:{tmp_path}", session)
    with pytest.raises(InputError, match=expected):
        CohortTables.open(tmp_path)
