"""Tables that DuckDB reads by itself, and tables that are read for it: the same rows, and no other file."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caselib import ON, Asked, Case, example, flat
from cohorts import cohort_of
from sle_kg.cohort.run import run
from sle_kg.cohort.sources import ParquetRows, open_sources
from sle_kg.cohort.tables import UNSEEN, CohortTables
from sle_kg.errors import InputError
from sle_kg.patients.facts import COLUMNS, schema
from sle_kg.screening import Options

ODD = ("a'b", 'a"b', "a{b,c}", "patient=someone", "é ﬀ", "http:x", "$HOME", "%20")
"""Names of folders that mean something elsewhere."""
PATTERNS = {"a[1]b": "a1b", "a*b": "aXb", "a?b": "a-b"}
"""Names that DuckDB takes for patterns, and others that they name."""
IDS = ("A", "b", "ﬀ")
SEEN = tuple(name for name in COLUMNS if name not in UNSEEN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients whose ids are sorted by their bytes: capitals, small letters, other letters."""
    cases = [Case(name, Asked("NCT06892145"), flat(example("a-01")), {}) for name in IDS]
    made = cohort_of(tmp_path_factory.mktemp("cohort"), cases)
    names = dict(zip(CohortTables.open(made).patients, IDS, strict=True))
    for file in made.iterdir():
        table = pq.read_table(file)
        patients = pa.array([names[one] for one in table["patient"].to_pylist()], pa.string())
        pq.write_table(table.set_column(table.column_names.index("patient"), "patient", patients), file)
    return made


def rows_of(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    """The rows of a table as the database sees them."""
    columns = ", ".join(schema(name).names)
    return connection.execute(f"SELECT {columns} FROM source_{name} ORDER BY ALL").fetchall()


def same_rows(tables: CohortTables, patients: tuple[str, ...], on: dt.date = ON) -> int:
    """How many tables DuckDB reads by itself, of which it sees what is read for it otherwise."""
    sources = tables.sources(patients, on, {})
    read = tables.read(patients, on, {})
    with open_sources(sources) as one, open_sources({**read}) as other:
        for name in SEEN:
            assert rows_of(one, name) == rows_of(other, name)
            assert {row[0] for row in rows_of(one, name)} <= set(patients)
    return sum(isinstance(source, ParquetRows) for source in sources.values())


@pytest.mark.parametrize("patients", [("A", "b", "ﬀ"), ("A",), ("b",), ("ﬀ",), ("nobody",)], ids="-".join)
def test_duckdb_sees_the_rows_that_are_read_for_it(folder: Path, patients: tuple[str, ...]) -> None:
    assert same_rows(CohortTables.open(folder), patients) == len(SEEN)


def test_results_of_later_days_are_not_seen(folder: Path) -> None:
    tables, early = CohortTables.open(folder), dt.date(2026, 7, 1)
    same_rows(tables, tables.patients, early)
    with open_sources(tables.sources(tables.patients, early, {})) as connection:
        seen = connection.execute("SELECT count(*), max(date_from) FROM source_measurement").fetchall()
    assert seen[0][0] < tables.tables["measurement"].count_rows()
    assert seen[0][1] is None or seen[0][1] <= early


@pytest.mark.parametrize("name", ODD)
def test_names_of_folders_are_names(folder: Path, tmp_path: Path, name: str) -> None:
    odd = shutil.copytree(folder, tmp_path / name)
    tables = CohortTables.open(odd)
    assert same_rows(tables, tables.patients) == len(SEEN)


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_names_too(folder: Path, tmp_path: Path, name: str) -> None:
    """Neither the folder nor the part that a pattern names is read in the place of the one with that name."""
    whole = CohortTables.open(folder).tables["measurement"].to_table()
    odd = shutil.copytree(folder, tmp_path / name)
    other = shutil.copytree(folder, tmp_path / PATTERNS[name])
    for place in (odd, other):
        (place / "measurement.parquet").unlink()
        (place / "measurement").mkdir()
        pq.write_table(whole.slice(0, 1), place / "measurement" / f"{PATTERNS[name]}.parquet")
        pq.write_table(whole.slice(1), place / "measurement" / f"{name}.parquet")
    for place, own in ((odd, 0), (other, len(SEEN) - 1)):
        tables = CohortTables.open(place)
        assert same_rows(tables, tables.patients) == own
        with open_sources(tables.sources(tables.patients, ON, {})) as connection:
            assert len(rows_of(connection, "measurement")) == len(whole)


def larger_texts(table: pa.Table) -> pa.Table:
    texts = {one.name for one in table.schema if one.type == pa.string()}
    return table.cast(
        pa.schema([(one.name, pa.large_string() if one.name in texts else one.type) for one in table.schema])
    )


def other_numbers(table: pa.Table) -> pa.Table:
    numbers = {one.name for one in table.schema if pa.types.is_decimal(one.type)}
    return table.cast(
        pa.schema([(one.name, pa.decimal128(20, 6) if one.name in numbers else one.type) for one in table.schema])
    )


def turned_round(table: pa.Table) -> pa.Table:
    return table.select(reversed(table.column_names))


def with_another_column(table: pa.Table) -> pa.Table:
    return table.append_column("Patient", table["record"])


def shouted(table: pa.Table) -> pa.Table:
    return table.rename_columns([name.upper() for name in table.column_names])


@pytest.mark.parametrize("change", [shouted, lambda table: table.drop_columns(["low"])], ids=["capitals", "one less"])
def test_a_part_with_other_columns_is_refused(
    folder: Path, tmp_path: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    odd = shutil.copytree(folder, tmp_path / "odd")
    table = pq.read_table(odd / "measurement.parquet")
    (odd / "measurement.parquet").unlink()
    (odd / "measurement").mkdir()
    pq.write_table(table, odd / "measurement" / "1.parquet")
    pq.write_table(change(table), odd / "measurement" / "2.parquet")
    with pytest.raises(InputError, match="measurement: has no column"):
        CohortTables.open(odd)


KINDS: dict[str, tuple[Callable[[pa.Table], pa.Table], bool]] = {
    "larger texts": (larger_texts, True),
    "columns in another order": (turned_round, True),
    "numbers of another type": (other_numbers, False),
    "a column whose name differs in case alone": (with_another_column, False),
}
"""Changes of a table, and whether DuckDB still reads it by itself."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", [False, True], ids=["all", "one file of two"])
def test_only_columns_like_ours_are_read_by_duckdb(folder: Path, tmp_path: Path, kind: str, parts: bool) -> None:
    change, is_own = KINDS[kind]
    odd = shutil.copytree(folder, tmp_path / "odd")
    table = pq.read_table(odd / "measurement.parquet")
    (odd / "measurement.parquet").unlink()
    (odd / "measurement").mkdir()
    half = len(table) // 2
    first = table.slice(0, half) if parts else change(table.slice(0, half))
    pq.write_table(first, odd / "measurement" / "1.parquet")
    pq.write_table(change(table.slice(half)), odd / "measurement" / "2.parquet")
    tables = CohortTables.open(odd)
    assert same_rows(tables, tables.patients) == len(SEEN) - (not is_own)


def test_a_database_reads_no_file_but_the_tables(folder: Path, tmp_path: Path) -> None:
    other = shutil.copy(folder / "patient.parquet", tmp_path / "other.parquet")
    tables = CohortTables.open(folder)
    with open_sources(tables.sources(tables.patients, ON, {})) as connection:
        assert rows_of(connection, "patient")
        reads = (f"FROM read_parquet('{other}')", f"FROM read_text('{__file__}')")
        for query in (*reads, f"COPY source_patient TO '{other}'"):
            with pytest.raises(duckdb.Error, match="disabled by configuration"):
                connection.execute(query).fetchall()
        with pytest.raises(duckdb.Error, match=r"[Cc]annot"):
            connection.execute("SET enable_external_access = true")


def test_damaged_data_are_told_with_the_table(folder: Path, tmp_path: Path) -> None:
    odd = shutil.copytree(folder, tmp_path / "odd")
    file = odd / "measurement.parquet"
    content = bytearray(file.read_bytes())
    footer = int.from_bytes(content[-8:-4], "little") + 8
    content[4:-footer] = bytes(byte ^ 0x55 for byte in content[4:-footer])
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"{odd}/measurement: cannot be read") as refused:
        run(odd, Options(on=ON))
    assert "\n" not in str(refused.value)
