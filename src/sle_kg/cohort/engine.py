"""Engines of cohorts: who judges a chunk of patients. One protocol; DuckDB and the shapes here, Spark beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sle_kg.cohort.judge import JUDGED, SqlJudge, load_judged
from sle_kg.cohort.state import fingerprints
from sle_kg.cohort.tables import CodeMap, CohortTables
from sle_kg.cohort.write import Write, parquet_writer
from sle_kg.engines import RowStatus
from sle_kg.errors import InputError
from sle_kg.patients.facts import PatientData
from sle_kg.screening import Options, Session
from sle_kg.spark.write import is_spark_place

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHACL_PATIENTS = 100
"""Patients of a chunk that the shapes judge: they are slow, and progress should be seen."""


class CohortEngine(Protocol):
    """Judges the patients of one cohort, a chunk at a time."""

    name: str
    at_once: int
    """How many chunks may be judged at the same time, each by a thread of its own."""

    @property
    def patients(self) -> int:
        """How many there are."""
        ...

    def chunks(self, most: int | None = None) -> Sequence[tuple[str, ...]]:
        """All patients, in the order of their ids, in chunks (of at most `most`)."""
        ...

    def judge(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """A DuckDB database with `PERSON`, `WIDE`, `SAID` and `JUDGED` of the patients of a chunk."""
        ...

    def load_facts(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add the fact tables and `anchor` of (at least) the patients in `WAITING`, by number; once for a chunk."""
        ...

    def fingerprints(self) -> pa.Table:
        """`patient` and `facts`, which differs where any fact of the patient does, whatever the order of his rows."""
        ...

    def expect(self, patients: Sequence[str]) -> None:
        """Before `judge_only`: all patients for whom it will be asked, in the order of their ids."""
        ...

    def judge_only(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """What `judge` gives, of neighbours among those expected."""
        ...


class DuckEngine:
    """The plan, run by DuckDB in this process."""

    name = "sql"
    at_once = 2

    def __init__(self, judge: SqlJudge, tables: CohortTables, options: Options, code_map: CodeMap) -> None:
        self.sql, self.tables, self.options, self.code_map = judge, tables, options, code_map

    @property
    def patients(self) -> int:
        """How many there are."""
        return len(self.tables.patients)

    @property
    def _place(self) -> str:
        return str(self.tables.folder)

    def chunks(self, most: int | None = None) -> Sequence[tuple[str, ...]]:
        """The patients in chunks that fit into memory."""
        return self.tables.chunks(self.sql.columns.count, most)

    def judge(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """The database of neighbouring patients, fact tables included."""
        return self.sql.judge(self.tables.sources(patients, self.options.on, self.code_map), self._place)

    def fingerprints(self) -> pa.Table:
        """See `CohortEngine`."""
        return fingerprints(self.tables)

    def expect(self, patients: Sequence[str]) -> None:
        """They are read when they are asked for."""

    def judge_only(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """The database of patients wherever they stand."""
        return self._judge(patients, self.tables.read_only(patients, self.options.on, self.code_map))

    def load_facts(self, connection: duckdb.DuckDBPyConnection) -> None:
        """They are there."""

    def _judge(self, patients: tuple[str, ...], tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
        return self.sql.judge({**tables}, self._place)


class ShapesEngine(DuckEngine):
    """The statuses by the shapes themselves (pySHACL), all else by the plan."""

    name = "shacl"
    at_once = 1

    def chunks(self, most: int | None = None) -> Sequence[tuple[str, ...]]:
        """The patients in small chunks."""
        return self.tables.chunks(self.sql.columns.count, most or SHACL_PATIENTS)

    def judge(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """The database of neighbouring patients, fact tables included."""
        return self._judge(patients, self.tables.read(patients, self.options.on, self.code_map))

    def _judge(self, patients: tuple[str, ...], tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
        connection = self.sql.judge({**tables}, self._place)
        trials = self.sql.trials
        options = replace(self.options, trials=tuple(trial.id for trial in trials), code_map=None, engine=self.name)
        session = Session(PatientData(dict(tables), {}, list(patients)), options)
        asks = session.asks(patients)
        found: dict[int, Mapping[str, RowStatus]] = dict(session.statuses(session.profiles(asks)))
        by_patient = {(ask.patient, ask.trial): found[ask.id] for ask in asks}
        columns = {trial.id: self.sql.status_columns(trial.id) for trial in trials}
        same = [name for one in columns.values() for name in (*one.rows.values(), one.verdict, one.unknown)]
        connection.execute(f"ALTER TABLE {JUDGED} RENAME TO planned")
        load_judged(connection, patients, trials, columns, by_patient)
        connection.execute(
            f"""CREATE TABLE both_ways AS SELECT * FROM (SELECT * EXCLUDE ({", ".join(same)}) FROM planned)
            JOIN {JUDGED} USING (number);
            DROP TABLE {JUDGED}; DROP TABLE planned; ALTER TABLE both_ways RENAME TO {JUDGED}"""
        )
        return connection


ENGINES: dict[str, Callable[[SqlJudge, CohortTables, Options, CodeMap], CohortEngine]] = {
    "sql": DuckEngine,
    "shacl": ShapesEngine,
}


SPARK = "spark"
VERDICTS = "--verdicts"
"""The option that names where the verdict table goes."""


def get_cohort_engine(
    name: str, judge: SqlJudge, place: str, options: Options, code_map: CodeMap, master: str | None = None
) -> CohortEngine:
    """The engine of this name over a folder; for Spark any address that it reads, and the master that it runs on.

    Raises InputError where there is none of that name, or the folder is unfinished.
    """
    if name not in (*ENGINES, SPARK):
        raise InputError(f"--engine: {name!r} does not judge cohorts; choose among {', '.join(ENGINES)}, {SPARK}")
    if master is not None and name != SPARK:
        raise InputError(f"--master: is for --engine spark; --engine {name} runs on this machine")
    _check_finished(Path(place))
    if name == SPARK:
        from sle_kg.cohort.spark import SparkCohort

        return SparkCohort.open(judge, place, code_map, master)
    return ENGINES[name](judge, CohortTables.open(Path(place)), options, code_map)


def verdict_writer(engine: CohortEngine, place: str | None) -> AbstractContextManager[Write | None]:
    """A writer of the verdict table into a file, or, on Spark, to any place that Spark writes.

    Raises InputError where only Spark could write there, or the place cannot be written.
    """
    if place is None or not is_spark_place(place):
        return parquet_writer(None if place is None else Path(place), VERDICTS)
    if engine.name != SPARK:
        raise InputError(f"{VERDICTS} {place}: a folder or an address is for --engine spark; name a file")
    from sle_kg.cohort.spark import SparkCohort

    assert isinstance(engine, SparkCohort)
    return engine.writer(place, VERDICTS)


def _check_finished(folder: Path) -> None:
    """Raises InputError for a folder into which an ingest was begun and not finished: its tables are not all there."""
    from sle_kg.ingest.run import DONE, PARTS

    if (folder / PARTS).is_dir() and not (folder / DONE).exists():
        raise InputError(f"{folder}: an ingest into it is not finished; run the same sle-kg ingest-cohort again")
