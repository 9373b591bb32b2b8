"""`sle-kg cohort`: every patient of a folder of tables against every trial, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from sle_kg.cohort.ahead import FIRST_DAY, FirstDays
from sle_kg.cohort.changes import further_features
from sle_kg.cohort.columns import Columns
from sle_kg.cohort.engine import CohortEngine, get_cohort_engine, verdict_writer
from sle_kg.cohort.judge import JUDGED, SqlJudge, iso_date
from sle_kg.cohort.state import CONTEXT, State, context, database_of, rows_of
from sle_kg.cohort.summary import AHEAD, TOLD, CohortSummary, Counts, verdict_query
from sle_kg.cohort.top_rows import CLEAR, OPEN, WAITING, TopRows, open_schema
from sle_kg.cohort.waiting import Waiting, WaitingPatients
from sle_kg.cohort.whatif import WhatIf
from sle_kg.cohort.write import parquet_writer
from sle_kg.features.sql import texts
from sle_kg.features.wide import PERSON
from sle_kg.screening import Options, check_options, chosen_trials
from sle_kg.sql_plan import Plan
from sle_kg.wording import Words, ontology_label

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Item = TypeVar("Item")
Made = TypeVar("Made")
Progress = Callable[[int, int], None]
_Counted = tuple["duckdb.DuckDBPyConnection", "pa.Table | None"]
"""The database of a counted chunk, and its rows of a state."""
MOST_PARTS = 5
"""Chunks whose days are searched for together: each waits with some 50 MB."""
MOST_MADE = 2
"""Chunks, told, that may wait for the days of those before them."""
MOST_WAITING = 20_000
"""Patients waiting for whom days are searched at once, however few chunks they are from."""
VERDICT_COLUMNS = (
    "patient",
    "trial",
    "verdict",
    "nothing_against",
    "source_complete",
    "earliest_eligible",
    "unknown_count",
    "status",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a cohort beside verdicts.

    `candidates`: how many are kept of each trial; `what_if`: whether to count who would be gained by changing a trial;
    `state`: the file from which results of patients with unchanged facts are taken, and that is written anew;
    `master`: the cluster on which Spark judges.
    """

    candidates: int = 100
    what_if: bool = False
    state: Path | None = None
    master: str | None = None


def run(
    folder: Path | str,
    options: Options,
    verdicts: Path | str | None = None,
    wanted: Wanted | None = None,
    progress: Progress | None = None,
    judged: Progress | None = None,
    chunk: int | None = None,
) -> CohortSummary:
    """Judge the patients of a folder, write the verdict table to `verdicts`, and give what it adds up to.

    `verdicts` is a file; on Spark also a folder (`/` at its end) or an address, by `spark_writer`.
    `progress` is told how many patients are done, of how many; `judged` at the end how many were judged, not taken from
    a state. Raises InputError for options and tables that cannot be used.
    """
    import pyarrow as pa

    from sle_kg.patients.codemap import read_code_map
    from sle_kg.terminology import terminology

    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what a chunk gave back
    check_options(options)
    wanted = wanted or Wanted()
    code_map = read_code_map(options.code_map, terminology(), routes=False) if options.code_map else {}
    trials = chosen_trials(options.trials)
    further = further_features(trials, options.readings, options.windows) if wanted.what_if else None
    judge = SqlJudge(trials, options, terminology(), further)
    engine = get_cohort_engine(options.engine or "sql", judge, str(folder), options, code_map, wanted.master)
    cohort = _Cohort(judge, engine, wanted)
    chunks = engine.chunks(chunk)
    source = _Judging(cohort) if wanted.state is None else _Keeping(cohort, wanted.state, chunks)
    done = 0

    def advance(patients: int) -> None:
        nonlocal done
        done += patients
        if progress is not None:
            progress(done, engine.patients)

    with (
        verdict_writer(engine, None if verdicts is None else str(verdicts)) as write,
        parquet_writer(wanted.state, "--state", source.metadata) as keep,
    ):
        for connection, rows in source.counted(chunks, advance):
            if write is not None:
                write(cohort.verdict_table(connection))
            if keep is not None and rows is not None:
                keep(rows)
            connection.close()
    if judged is not None:
        judged(source.judged, engine.patients)
    return cohort.summary()


def plan_of(options: Options) -> Plan:
    """The plan of the trials asked for, over a table of bounds. Raises InputError as `run` does."""
    from sle_kg.terminology import terminology

    check_options(options)
    return SqlJudge(chosen_trials(options.trials), options, terminology()).plan


class _Cohort:
    """The trials as they are judged, and what is kept from chunk to chunk."""

    def __init__(self, judge: SqlJudge, engine: CohortEngine, wanted: Wanted) -> None:
        self.trials, self.options = judge.trials, judge.options
        self.judge, self.engine, self.wanted = judge, engine, wanted
        self.columns = [judge.status_columns(trial.id) for trial in self.trials]
        self.top_rows = [TopRows(trial, judge) for trial in self.trials]
        self.first_days = FirstDays(judge, self.top_rows)
        self.waiting = WaitingPatients(self.first_days)
        self.what_if = [WhatIf(top_rows) for top_rows in self.top_rows] if wanted.what_if else []
        changes = [one.every for one in self.what_if] if wanted.what_if else [[] for _ in self.trials]
        self.counts = Counts(self.trials, self.columns, changes, wanted.candidates)
        self.searching = Lock()
        """One thread at a time searches for days."""

    def tell(self, connection: duckdb.DuckDBPyConnection) -> _Part:
        """Add to the database of a judged chunk what statuses do not tell, in the tables of `TOLD`; but no days."""
        import pyarrow as pa

        for name, columns in TOLD.items():
            if name != OPEN:
                connection.execute(f"CREATE TABLE {name}({columns})")
        rows: list[pa.RecordBatch] = []
        for place, top_rows in enumerate(self.top_rows):
            chunk = Columns(connection, self.judge, top_rows.trial)
            rows += top_rows.tell(connection, chunk, place)
            if self.what_if:
                self.what_if[place].tell_gains(connection, chunk, place)
        connection.register(OPEN, pa.Table.from_batches(rows, open_schema()).combine_chunks())
        if connection.execute(f"SELECT 1 FROM {WAITING} LIMIT 1").fetchall():
            self.engine.load_facts(connection)
        return _Part(connection, self.waiting.of(connection))

    def tell_days(self, parts: Sequence[_Part]) -> None:
        """Add `FIRST_DAY` and `AHEAD` to some parts; days are searched for together."""
        days, first = self.waiting.first_days([part.waiting for part in parts]), 0
        for part in parts:
            part.connection.register("found_days", days)
            part.connection.execute(
                f"""INSERT INTO {FIRST_DAY} SELECT number - {first}, trial, day FROM found_days
                WHERE number - {first} IN (SELECT number FROM {PERSON}) ORDER BY number, trial"""
            )
            first += part.waiting.patients
            self._tell_ahead(part.connection)

    def slim(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Drop all that days, counts and the verdict table do not need of a chunk."""
        kept = {PERSON, JUDGED, *TOLD}
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        connection.execute(";".join(f"DROP TABLE {name}" for (name,) in tables if name not in kept))

    def _tell_ahead(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`AHEAD`: what every row of the verdict table needs beside statuses."""
        on = iso_date(self.options.on)
        asked = " UNION ALL ".join(
            f"SELECT number, {place} AS trial, {columns.verdict} = 'eligible' AS eligible FROM {JUDGED}"
            for place, columns in enumerate(self.columns)
        )
        connection.execute(
            f"""CREATE TABLE {AHEAD} AS
            SELECT number, trial, c.number IS NOT NULL AS clear, CASE WHEN eligible THEN {on} ELSE f.day END AS earliest
            FROM ({asked}) LEFT JOIN {CLEAR} c USING (number, trial) LEFT JOIN {FIRST_DAY} f USING (number, trial)"""
        )

    def verdict_table(self, connection: duckdb.DuckDBPyConnection) -> pa.Table:
        """The verdict table of the chunk: patients in the order of their ids, trials in the order asked for.

        The words of the map `status` are numbers into dictionaries, as Parquet keeps them.
        """
        import pyarrow as pa

        ids = f"ENUM({texts({row.id for trial in self.trials for row in trial.criteria})})"
        asked = enumerate(self.trials)
        queries = [verdict_query(trial, self.columns[place], place, ids) for place, trial in asked]
        table = connection.sql(
            f"SELECT * EXCLUDE (number, place) FROM ({' UNION ALL '.join(queries)}) ORDER BY number, place"
        ).to_arrow_table()
        rows, status = (table[name].combine_chunks() for name in ("rows", "status"))
        # Arrow makes the maps of whole columns; DuckDB would look for repeated keys in every row.
        maps = pa.MapArray.from_arrays(status.offsets, rows.values, status.values)
        return table.set_column(table.schema.get_field_index("status"), "status", maps).select(VERDICT_COLUMNS)

    def summary(self) -> CohortSummary:
        """What all chunks add up to."""
        words = Words(ontology_label, self.judge.terminology.is_open, lambda kind: 0, self.options.on, {})
        return self.counts.summary(self.options.on, self.engine.name, words)


@dataclass(frozen=True, slots=True)
class _Part:
    """A chunk that is judged and told, but for days."""

    connection: duckdb.DuckDBPyConnection
    waiting: Waiting


class _Judging:
    """Every patient is judged."""

    metadata: Mapping[bytes, bytes] | None = None

    def __init__(self, cohort: _Cohort) -> None:
        self.cohort = cohort
        self.judged = 0

    def counted(self, chunks: Sequence[tuple[str, ...]], advance: Callable[[int], None]) -> Iterator[_Counted]:
        """The chunks, judged and counted; no rows of a state.

        `advance` is told the patients of each chunk when it is judged: that is before it is counted, since the days of
        several chunks are searched for together. While the last chunks are judged those before them are searched for,
        so that little is left to do alone.
        """
        parts: list[_Part] = []
        at_once = self.cohort.engine.at_once
        for number, (patients, part) in enumerate(in_turn(self._told, chunks, at_once), 1):
            self.judged += len(patients)
            parts.append(part)
            advance(len(patients))
            waiting = sum(part.waiting.count for part in parts)
            if len(parts) >= MOST_PARTS or waiting >= MOST_WAITING or len(chunks) - number in (0, at_once):
                yield from self._finished(parts)
                parts = []

    def _told(self, patients: tuple[str, ...]) -> tuple[tuple[str, ...], _Part]:
        """A chunk judged and told."""
        connection = self.cohort.engine.judge(patients)
        part = self.cohort.tell(connection)
        self.cohort.slim(connection)
        return patients, part

    def _finished(self, parts: Sequence[_Part]) -> Iterator[_Counted]:
        self.cohort.tell_days(parts)
        for part in parts:
            self.cohort.counts.add(part.connection)
            yield part.connection, None


def in_turn(make: Callable[[Item], Made], items: Iterable[Item], at_once: int) -> Iterator[Made]:
    """What is made of each item, in their order; so many threads make it, and go on while the last one given is used.

    At most `MOST_MADE` wait, made, to be asked for. What fails is raised in its turn.
    """
    if at_once == 1:
        yield from map(make, items)
        return
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    begun: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for item in items:
                begun.append(pool.submit(make, item))
                if len(begun) >= at_once + MOST_MADE:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()


class _Keeping(_Judging):
    """Patients whose facts are those of the state are not judged again."""

    def __init__(self, cohort: _Cohort, file: Path, chunks: Sequence[tuple[str, ...]]) -> None:
        super().__init__(cohort)
        self.engine = cohort.engine
        trials = [trial.id for trial in cohort.trials]
        made_in = context(cohort.options, trials, self.engine.name, cohort.wanted.what_if)
        self.metadata = {CONTEXT: made_in.encode()}
        self.prints = self.engine.fingerprints()
        self.state = State.read(file, made_in, self.prints)
        changed = [patient for chunk in chunks for patient in self._changed(chunk)]
        self.engine.expect(changed)
        most = max(map(len, chunks), default=0)
        self.ahead = self._rows(tuple(changed)) if 0 < len(changed) <= most else None
        """The rows of the patients who changed, where they are few enough to be judged in one chunk."""
        self.judged = 0 if self.ahead is None else len(changed)

    def counted(self, chunks: Sequence[tuple[str, ...]], advance: Callable[[int], None]) -> Iterator[_Counted]:
        """The chunks counted, and their rows of the new state."""
        for patients, judged, rows in in_turn(self._rows_of, chunks, self.engine.at_once):
            self.judged += judged
            connection = database_of(rows, self.cohort.columns)
            self.cohort.counts.add(connection)
            advance(len(patients))
            yield connection, rows

    def _rows_of(self, patients: tuple[str, ...]) -> tuple[tuple[str, ...], int, pa.Table]:
        """The rows of a chunk, old and new, by patient; beside them how many were judged."""
        import pyarrow as pa
        import pyarrow.compute as pc

        changed, judged, parts = self._changed(patients), 0, []
        if self.state is not None and len(changed) < len(patients):
            parts.append(self.state.rows(patients))
        if changed and self.ahead is not None:
            parts.append(self.ahead.filter(pc.is_in(self.ahead["patient"], pa.array(changed, pa.string()))))
        elif changed:
            parts.append(self._rows(changed))
            judged = len(changed)
        return patients, judged, pa.concat_tables([part.cast(parts[-1].schema) for part in parts]).sort_by("patient")

    def _changed(self, patients: tuple[str, ...]) -> tuple[str, ...]:
        if self.state is None:
            return patients
        same = self.state.same
        return tuple(patient for patient in patients if patient not in same)

    def _rows(self, patients: tuple[str, ...]) -> pa.Table:
        """Some patients judged, as rows of a state."""
        connection = self.engine.judge_only(patients)
        part = self.cohort.tell(connection)
        with self.cohort.searching:
            self.cohort.tell_days([part])
        rows = rows_of(connection, self.cohort.columns, self.prints)
        connection.close()
        return rows
