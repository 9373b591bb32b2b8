"""The facts of a chunk of patients as a database sees them: Arrow tables, or Parquet files that DuckDB reads by itself.

DuckDB takes less time and memory for its own reading than for tables that were read for it. It is given only files that
hold the columns of a fact table as they are, since a file with other types is to be cast with care.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sle_kg.errors import InputError
from sle_kg.features.database import empty_database
from sle_kg.features.wide import UNUSED
from sle_kg.patients.facts import COLUMNS, order_query, out_of_order, schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.dataset as ds


_PATTERN = re.compile(r"[*?\[]")
"""What makes a path a pattern for DuckDB; it would read whatever else the pattern names."""
AGAIN = "make the tables again with sle-kg ingest-cohort"
"""The cure of a table that is damaged."""
FACT = "fact_"
"""Begins the names of the tables of facts."""


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """The rows in Parquet files of a fact table, of the patients from `first` to `last`.

    `place` is the table as messages name it. Rows of measurements dated after the day `until` are left out.
    """

    name: str
    place: str
    files: tuple[str, ...]
    first: str
    last: str
    until: dt.date

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the view `source_<table>`. Raises InputError for files that cannot be read."""
        values = {"files": list(self.files), "first": self.first, "last": self.last, "until": self.until}
        for name, value in values.items():
            connection.execute(f"SET VARIABLE {self.name}_{name} = ?", [value])
        files, first, last, until = (f"getvariable('{self.name}_{name}')" for name in values)
        seen = f" AND (date_from IS NULL OR date_from <= {until})" if self.name == "measurement" else ""
        with reading(self):
            connection.execute(
                f"""CREATE VIEW source_{self.name} AS SELECT {", ".join(schema(self.name).names)}
                FROM read_parquet({files}, hive_partitioning = false) WHERE patient BETWEEN {first} AND {last}{seen}"""
            )


Source: TypeAlias = "pa.Table | ParquetRows"
"""Where the rows of a fact table are."""


@contextmanager
def reading(table: Source) -> Iterator[None]:
    """Raises InputError where DuckDB cannot read the files of a table."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if not isinstance(table, ParquetRows) or isinstance(error, duckdb.OutOfMemoryException | duckdb.InternalError):
            raise
        raise unreadable(table.place, error) from error


def unreadable(place: str, error: Exception) -> InputError:
    """What is said of a table that cannot be read."""
    return InputError(f"{place}: cannot be read ({first_line(error)}); {AGAIN}")


def first_line(error: Exception) -> str:
    """What a library says was wrong, shortened."""
    return (str(error).strip().splitlines() or ["no reason given"])[0][:200]


def files_of(name: str, table: ds.Dataset) -> tuple[str, ...]:
    """The files of a fact table that DuckDB may read by itself.

    None where their columns are not as ours are, or where DuckDB would take a path for a pattern of several.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    wanted = schema(name)
    texts = (pa.string(), pa.large_string(), pa.string_view())

    def is_same(column: pa.Field, other: pa.Schema) -> bool:
        alike = [field for field in other if field.name.lower() == column.name]
        if [field.name for field in alike] != [column.name]:
            return False
        return alike[0].type == column.type or (alike[0].type in texts and column.type in texts)

    if not isinstance(table, ds.FileSystemDataset) or any(_PATTERN.search(file) for file in table.files):
        return ()
    schemas = [fragment.physical_schema for fragment in table.get_fragments()]
    return tuple(table.files) if all(is_same(column, one) for one in schemas for column in wanted) else ()


def open_sources(tables: Mapping[str, Source]) -> duckdb.DuckDBPyConnection:
    """A database, for one thread, that sees each table as `source_<table>`, and no file but theirs."""
    rows = [table for table in tables.values() if isinstance(table, ParquetRows)]
    connection = empty_database(threads=1, files=[file for one in rows for file in one.files])
    for name, table in tables.items():
        if isinstance(table, ParquetRows):
            table.show(connection)
        else:
            connection.register(f"source_{name}", table)
    return connection


def take(
    connection: duckdb.DuckDBPyConnection,
    statement: duckdb.Statement,
    name: str,
    tables: dict[str, Source],
) -> None:
    """Run the statement that takes the facts of a table into the database, and give the table up: memory holds it once.

    Raises InputError where its files cannot be read.
    """
    table = tables.pop(name)
    with reading(table):
        connection.execute(statement)
    if isinstance(table, ParquetRows):
        connection.execute(f"DROP VIEW source_{name}")
    else:
        connection.unregister(f"source_{name}")


def check_order(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    """Raises InputError where a row of the fact tables, those of the folder `place`, ends before it begins."""
    query, pairs = order_query(FACT, (name for name in COLUMNS if name not in UNUSED))
    [(number,)] = connection.execute(query).fetchall()
    if number is not None:
        name, pair = pairs[number]
        raise out_of_order(f"{place}/{name}", pair)
