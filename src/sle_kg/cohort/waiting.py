"""Patients of several chunks for whom time alone could help, gathered so that their days are searched together.

A search is many small queries, which cost as much to plan for one chunk as for ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sle_kg.cohort.ahead import FIRST_DAY, FirstDays
from sle_kg.cohort.judge import SAID
from sle_kg.cohort.top_rows import WAITING
from sle_kg.features.database import concepts_query, empty_database, load_references
from sle_kg.features.doses import PREPARED
from sle_kg.features.wide import PERSON, UNUSED, WIDE
from sle_kg.patients.facts import COLUMNS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FACTS = tuple(f"fact_{name}" for name in COLUMNS if name not in UNUSED)
PLANNED_SLOWLY = ("cte_inlining", "join_order", "statistics_propagation")
"""Steps of DuckDB's optimizer that take longer than they save in many small queries."""
_ROWS = 2**40
"""More than the rows of a fact table of a chunk: what keeps their ids apart."""


@dataclass(slots=True)
class Waiting:
    """What the search reads of the patients who wait in a chunk of so many `patients`; `count` wait."""

    patients: int
    count: int
    tables: dict[str, pa.Table]


class WaitingPatients:
    """Copies out of chunks the patients in `WAITING`, and has their days searched for."""

    def __init__(self, search: FirstDays) -> None:
        self._search, self._judge = search, search.judge
        self._bounds = ", ".join(search.bounds)

    def of(self, connection: duckdb.DuckDBPyConnection) -> Waiting:
        """The patients in `WAITING` of a chunk.

        The connection is that of a chunk: `PERSON`, `WIDE`, `SAID` and `WAITING`, and where anybody waits fact tables
        and `anchor`.
        """
        patients = connection.execute(f"SELECT count(*) FROM {PERSON}").fetchall()[0][0]
        connection.execute(f"CREATE OR REPLACE TABLE gathered AS SELECT DISTINCT number FROM {WAITING}")
        count = connection.execute("SELECT count(*) FROM gathered").fetchall()[0][0]
        if not count:
            return Waiting(patients, 0, {})
        asked = {name: f"FROM {name} WHERE patient IN (FROM gathered)" for name in FACTS}
        asked["anchor"] = f"FROM anchor WHERE ask // {len(self._judge.trials)} IN (FROM gathered)"
        asked[WIDE] = f"SELECT number, {self._bounds} FROM {WIDE} SEMI JOIN gathered USING (number)"
        asked |= {name: f"FROM {name} SEMI JOIN gathered USING (number)" for name in (SAID, WAITING)}
        return Waiting(patients, count, {name: connection.sql(query).to_arrow_table() for name, query in asked.items()})

    def first_days(self, chunks: Sequence[Waiting]) -> pa.Table:
        """The first days (`FIRST_DAY`) of all who wait in some chunks.

        Numbers are raised by those of all patients of the chunks before. The tables of the chunks are given up.
        """
        connection = empty_database(threads=1, without=PLANNED_SLOWLY)
        connection.execute(f"CREATE TABLE {FIRST_DAY}(number BIGINT, trial INTEGER, day DATE)")
        if any(chunk.count for chunk in chunks):
            self._load(connection, chunks)
            self._search.tell(connection)
        return connection.sql(f"FROM {FIRST_DAY}").to_arrow_table()

    def _load(self, connection: duckdb.DuckDBPyConnection, chunks: Sequence[Waiting]) -> None:
        """What was copied, table by table so that memory holds it once, and reference tables."""
        import pyarrow as pa

        raised, first = [], 0
        for place, chunk in enumerate(chunks):
            ids = {"number": first, "patient": first, "ask": first * len(self._judge.trials), "row_id": place * _ROWS}
            raised.append((chunk, ids))
            first += chunk.patients
        for name in (*FACTS, "anchor", WIDE, SAID, WAITING):
            parts = [_raised(chunk.tables.pop(name), ids) for chunk, ids in raised if chunk.count]
            connection.register("arrow_rows", pa.concat_tables(parts, promote_options="permissive"))
            connection.execute(f"CREATE TABLE {name} AS FROM arrow_rows")
            connection.unregister("arrow_rows")
        concepts = [row[0] for row in connection.execute(concepts_query("fact_")).fetchall()]
        load_references(connection, self._judge.references(concepts))
        for name, select in PREPARED.items():
            connection.execute(f"CREATE TABLE {name} AS {select}")


def _raised(table: pa.Table, ids: Mapping[str, int]) -> pa.Table:
    """The table with its numbers raised, so that those of several chunks are apart."""
    import pyarrow.compute as pc

    for name, more in ids.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, pc.add(table[name], more))
    return table
