"""Patients of several chunks for whom time alone could help, gathered so that their days are searched together.

A search is many small queries, which cost as much to plan for one chunk as for ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sle_kg.cohort.ahead import FIRST_DAY, FirstDays
from sle_kg.cohort.judge import SAID, SqlJudge
from sle_kg.cohort.patterns import WAITING
from sle_kg.features.database import concepts_query, empty_database, load_references
from sle_kg.features.doses import PREPARED
from sle_kg.features.wide import PERSON, UNUSED, WIDE
from sle_kg.patients.facts import COLUMNS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FACTS = tuple(f"fact_{name}" for name in COLUMNS if name not in UNUSED)
_ROWS_OF_A_CHUNK = 2**40
"""More than the rows of a fact table of a chunk: what keeps their ids apart."""


class WaitingPatients:
    """The patients in `WAITING` of several chunks, with what the search for their days reads."""

    def __init__(self, judge: SqlJudge) -> None:
        self._judge = judge
        bounds = (
            name for trial, some in judge.wanted.items() for f in some for name in judge.columns.bounds(trial, f.slug)
        )
        self._bounds = ", ".join(dict.fromkeys(bounds))
        self._parts: dict[str, list[pa.Table]] = {}
        self._chunks = self._numbers = 0
        self.count = 0
        """How many there are."""

    def add(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Copy the patients in `WAITING` of a chunk; their numbers are raised by the number that is given back.

        The connection is that of a chunk: `PERSON`, `WIDE`, `SAID` and `WAITING`, and where anybody waits fact tables
        and `anchor`.
        """
        first, several = self._numbers, len(self._judge.trials)
        self._numbers += connection.execute(f"SELECT count(*) FROM {PERSON}").fetchall()[0][0]
        self._chunks += 1
        connection.execute(f"CREATE OR REPLACE TABLE gathered AS SELECT DISTINCT number FROM {WAITING}")
        count = connection.execute("SELECT count(*) FROM gathered").fetchall()[0][0]
        if not count:
            return first
        self.count += count
        with_ids = connection.execute("SELECT table_name FROM duckdb_columns() WHERE column_name = 'row_id'").fetchall()
        asked = {}
        for name in FACTS:
            raised = [f"patient + {first} AS patient"]
            if (name,) in with_ids:
                raised.append(f"row_id + {self._chunks * _ROWS_OF_A_CHUNK} AS row_id")
            asked[name] = f"SELECT * REPLACE ({', '.join(raised)}) FROM {name} WHERE patient IN (FROM gathered)"
        asked["anchor"] = f"""SELECT * REPLACE (ask + {first * several} AS ask) FROM anchor
            WHERE ask // {several} IN (FROM gathered)"""
        asked[WIDE] = f"SELECT number + {first} AS number, {self._bounds} FROM {WIDE} SEMI JOIN gathered USING (number)"
        for name in (SAID, WAITING):
            asked[name] = f"SELECT * REPLACE (number + {first} AS number) FROM {name} SEMI JOIN gathered USING (number)"
        for name, query in asked.items():
            self._parts.setdefault(name, []).append(connection.sql(query).to_arrow_table())
        return first

    def take(self, searches: Sequence[FirstDays]) -> pa.Table:
        """The first days (`FIRST_DAY`) of all who were gathered, by the search of each trial; nobody is left."""
        connection = empty_database()
        connection.execute("SET disabled_optimizers = 'cte_inlining'")  # to plan takes less
        connection.execute(f"CREATE TABLE {FIRST_DAY}(number BIGINT, trial INTEGER, day DATE)")
        if self.count:
            self._load(connection)
            for place, search in enumerate(searches):
                search.tell(connection, place)
        self._parts, self._chunks, self._numbers, self.count = {}, 0, 0, 0
        return connection.sql(f"FROM {FIRST_DAY}").to_arrow_table()

    def _load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What was copied, table by table so that memory holds it once, and reference tables."""
        import pyarrow as pa

        for name in list(self._parts):
            connection.register("arrow_rows", pa.concat_tables(self._parts.pop(name), promote_options="permissive"))
            connection.execute(f"CREATE TABLE {name} AS FROM arrow_rows")
            connection.unregister("arrow_rows")
        concepts = [row[0] for row in connection.execute(concepts_query("fact_")).fetchall()]
        load_references(connection, self._judge.references(concepts))
        for name, select in PREPARED.items():
            connection.execute(f"CREATE TABLE {name} AS {select}")
