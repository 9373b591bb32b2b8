"""What a cohort's next screening need not judge again: the results of every patient, with a fingerprint of his facts.

A state is one Parquet file with a row for each patient, in the order of their ids. Its metadata say in what context it
was made: date and options, versions, trial files and ontology. Where the context is another one, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg import __version__
from sle_kg.cohort.judge import JUDGED, StatusColumns
from sle_kg.cohort.summary import AHEAD, TOLD
from sle_kg.cohort.tables import UNSEEN, CohortTables
from sle_kg.cohort.top_rows import OPEN
from sle_kg.cohort.whatif import GAIN
from sle_kg.errors import InputError
from sle_kg.features.database import empty_database
from sle_kg.features.wide import PERSON
from sle_kg.patients.facts import COLUMNS
from sle_kg.resources import path

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sle_kg.screening import Options

CONTEXT = b"sle_kg.context"
"""Key of the context in the metadata of the file."""
_LISTS = {OPEN: ("trial", "row", "kind", "top_open", "settles"), GAIN: ("trial", "change", "step", "verdict")}
"""Tables kept as a list of structures in each patient's row, and their columns."""


def context(options: Options, trials: Sequence[str], engine: str, what_if: bool) -> str:
    """All that verdicts depend on beside the facts, as a digest."""
    import duckdb

    code_map = options.code_map.read_text(encoding="utf-8", errors="replace") if options.code_map else ""
    said: list[Any] = [
        __version__,
        duckdb.__version__,
        options.on.isoformat(),
        sorted((name, day.isoformat()) for name, day in options.events.items()),
        sorted(options.complete),
        sorted(options.windows.items()),
        sorted(options.readings.items()),
        code_map,
        list(trials),
        engine,
        what_if,
        list(_LISTS.items()),
    ]
    digest = hashlib.sha256(json.dumps(said).encode())
    for folder in ("trials", "ontology"):
        for file in sorted(path(folder).rglob("*.ttl")):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def fingerprints(tables: CohortTables) -> pa.Table:
    """`patient` and `facts`, which differs where any fact of the patient does; in one scan, sorted by patient.

    Rows are told apart by DuckDB's hash of all columns, and summed, so that their order does not count.
    """
    connection = empty_database()
    parts = []
    for number, name in enumerate(COLUMNS):
        if name in tables.tables and name not in UNSEEN:
            connection.register(f"source_{name}", tables.tables[name])
            columns = ", ".join(["record", *COLUMNS[name]])
            parts.append(
                f"""SELECT patient, {number} AS part, count(*) AS rows, sum(CAST(hash({columns}) AS HUGEINT)) AS hashes
                FROM source_{name} WHERE patient IS NOT NULL GROUP BY patient"""
            )
    return connection.sql(
        f"""SELECT patient, md5(string_agg(concat_ws(' ', part, rows, hashes), ',' ORDER BY part)) AS facts
        FROM ({" UNION ALL ".join(parts)}) GROUP BY patient ORDER BY patient"""
    ).to_arrow_table()


@dataclass(frozen=True)
class State:
    """The results of an earlier screening in the same context, and which patients' facts are still the same."""

    file: Path
    same: frozenset[str]

    @classmethod
    def read(cls, file: Path, made_in: str, prints: pa.Table) -> State | None:
        """The state in a file; None where there is none, or one made in another context.

        Raises InputError for a file that is no state.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not file.exists():
            return None
        try:
            said = (pq.read_schema(file).metadata or {}).get(CONTEXT)
            if said is None:
                raise InputError(f"{file}: is no state of a cohort; give --state a file of its own")
            if said.decode() != made_in:
                return None
            connection = empty_database()
            connection.register("prints", prints)
            connection.register("kept", pq.read_table(file, columns=["patient", "facts"]))
            same = connection.execute("SELECT patient FROM kept JOIN prints USING (patient, facts)").fetchall()
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{file}: cannot be read as a state of a cohort; remove it to judge all") from error
        return cls(file, frozenset(patient for (patient,) in same))

    def rows(self, patients: Sequence[str]) -> pa.Table:
        """The rows of some neighbouring patients whose facts are the same."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        kept = pa.array([patient for patient in patients if patient in self.same], pa.string())
        return ds.dataset(str(self.file), format="parquet").to_table(filter=ds.field("patient").isin(kept))


def rows_of(connection: duckdb.DuckDBPyConnection, columns: Sequence[StatusColumns], prints: pa.Table) -> pa.Table:
    """A judged and counted chunk as rows of a state, by patient."""
    connection.register("prints", prints)
    lists = "".join(f", coalesce({name}.told, []) AS {name}" for name in _LISTS)
    joins = " ".join(
        f"""LEFT JOIN (SELECT number, list({{{_struct(fields)}}} ORDER BY {", ".join(fields)}) AS told
        FROM {name} GROUP BY number) {name} USING (number)"""
        for name, fields in _LISTS.items()
    )
    return connection.sql(
        f"""SELECT patient, f.facts, {", ".join(_kept(columns))}, a.told AS {AHEAD}{lists}
        FROM {JUDGED} JOIN {PERSON} USING (number) JOIN prints f USING (patient)
        JOIN (SELECT number, list({{'clear': clear, 'earliest': earliest}} ORDER BY trial) AS told
              FROM {AHEAD} GROUP BY number) a USING (number) {joins} ORDER BY patient"""
    ).to_arrow_table()


def database_of(rows: pa.Table, columns: Sequence[StatusColumns]) -> duckdb.DuckDBPyConnection:
    """The tables that are counted and written, from rows of a state: as if all patients had been judged."""
    connection = empty_database()
    connection.register("kept", rows)
    connection.execute(
        f"""CREATE TABLE kept_row AS SELECT row_number() OVER (ORDER BY patient) - 1 AS number, * FROM kept;
        CREATE TABLE {PERSON} AS SELECT number, patient FROM kept_row;
        CREATE TABLE {JUDGED} AS SELECT number, {", ".join(_names(columns))} FROM kept_row;
        CREATE TABLE {AHEAD} AS
        SELECT number, unnest(range(len({AHEAD}))) AS trial, unnest({AHEAD}, recursive := true) FROM kept_row"""
    )
    for name in _LISTS:
        connection.execute(
            f"""CREATE TABLE {name}({TOLD[name]});
            INSERT INTO {name} BY NAME SELECT number, unnest({name}, recursive := true) FROM kept_row"""
        )
    return connection


def _names(columns: Sequence[StatusColumns]) -> list[str]:
    return [name for one in columns for name in (*one.rows.values(), one.verdict, one.unknown)]


def _kept(columns: Sequence[StatusColumns]) -> list[str]:
    """SQL of the columns of `JUDGED` as a file has them: words as text."""
    words = [name for one in columns for name in (*one.rows.values(), one.verdict)]
    return [*(f"CAST({name} AS VARCHAR) AS {name}" for name in words), *(one.unknown for one in columns)]


def _struct(fields: Sequence[str]) -> str:
    return ", ".join(f"'{name}': {name}" for name in fields)
