"""`sle-kg cohort`: every patient of a folder of tables against every trial, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.cohort.ahead import FIRST_DAY, FirstDays
from sle_kg.cohort.judge import JUDGED, SqlJudge, iso_date, load_judged
from sle_kg.cohort.patterns import CLEAR, Patterns
from sle_kg.cohort.state import CONTEXT, State, context, database_of, fingerprints, rows_of
from sle_kg.cohort.summary import AHEAD, TOLD, CohortSummary, Counts, verdict_query
from sle_kg.cohort.tables import CodeMap, CohortTables
from sle_kg.cohort.whatif import WhatIf
from sle_kg.cohort.write import parquet_writer
from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.errors import InputError
from sle_kg.patients.facts import PatientData
from sle_kg.screening import Options, Session, check_options, chosen_trials
from sle_kg.wording import Words, ontology_label

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Progress = Callable[[int, int], None]
SHACL_PATIENTS = 100
"""Patients of a chunk that the shapes judge: they are slow, and progress should be seen."""
ENGINES = ("sql", "shacl")
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
    `state`: the file from which results of patients with unchanged facts are taken, and that is written anew.
    """

    candidates: int = 100
    what_if: bool = False
    state: Path | None = None


def run(
    folder: Path,
    options: Options,
    verdicts: Path | None = None,
    wanted: Wanted | None = None,
    progress: Progress | None = None,
    judged: Progress | None = None,
    chunk: int | None = None,
) -> CohortSummary:
    """Judge the patients of a folder, write the verdict table to `verdicts`, and give what it adds up to.

    `progress` is told how many patients are done, of how many; `judged` at the end how many were judged, not taken from
    a state. Raises InputError for options and tables that cannot be used.
    """
    from sle_kg.patients.codemap import read_code_map
    from sle_kg.terminology import terminology

    check_options(options)
    wanted = wanted or Wanted()
    trials = chosen_trials(options.trials)
    engine = options.engine or "sql"
    if engine not in ENGINES:
        raise InputError(f"--engine: {engine!r} does not judge cohorts; choose among {', '.join(ENGINES)}")
    code_map = read_code_map(options.code_map, terminology()) if options.code_map else {}
    tables = CohortTables.open(folder)
    cohort = _Cohort(trials, options, engine, wanted)
    chunks = tables.chunks(chunk or (SHACL_PATIENTS if engine == "shacl" else None))
    source = _Judging(cohort, tables, code_map) if wanted.state is None else _Keeping(cohort, tables, code_map, chunks)
    done = 0
    with (
        parquet_writer(verdicts, "--verdicts") as write,
        parquet_writer(wanted.state, "--state", source.metadata) as keep,
    ):
        for patients in chunks:
            connection, rows = source.counted(patients)
            if write is not None:
                write(cohort.verdict_table(connection))
            if keep is not None and rows is not None:
                keep(rows)
            connection.close()
            done += len(patients)
            if progress is not None:
                progress(done, len(tables.patients))
    if judged is not None:
        judged(source.judged, len(tables.patients))
    return cohort.summary()


class _Judging:
    """Every patient is judged."""

    metadata: Mapping[bytes, bytes] | None = None

    def __init__(self, cohort: _Cohort, tables: CohortTables, code_map: CodeMap) -> None:
        self.cohort, self.tables, self.code_map = cohort, tables, code_map
        self.judged = 0

    def counted(self, patients: tuple[str, ...]) -> tuple[duckdb.DuckDBPyConnection, pa.Table | None]:
        """A chunk that is judged and counted; no rows of a state."""
        connection = self.judge(patients, self.tables.read(patients, self.cohort.options.on, self.code_map))
        self.cohort.counts.add(connection)
        return connection, None

    def judge(self, patients: tuple[str, ...], tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
        """The database of some patients, judged."""
        self.judged += len(patients)
        return self.cohort.judge_chunk(patients, tables)


class _Keeping(_Judging):
    """Patients whose facts are those of the state are not judged again."""

    def __init__(
        self, cohort: _Cohort, tables: CohortTables, code_map: CodeMap, chunks: Sequence[tuple[str, ...]]
    ) -> None:
        super().__init__(cohort, tables, code_map)
        file = cohort.wanted.state
        assert file is not None
        trials = [trial.id for trial in cohort.trials]
        made_in = context(cohort.options, trials, cohort.engine, cohort.wanted.what_if)
        self.metadata = {CONTEXT: made_in.encode()}
        self.prints = fingerprints(tables)
        self.state = State.read(file, made_in, self.prints)
        self.columns = list(cohort.columns.values())
        changed = [patient for chunk in chunks for patient in self._changed(chunk)]
        most = max(map(len, chunks), default=0)
        self.ahead = self._rows(tuple(changed)) if 0 < len(changed) <= most else None
        """The rows of the patients who changed, where they are few enough to be judged in one chunk."""

    def counted(self, patients: tuple[str, ...]) -> tuple[duckdb.DuckDBPyConnection, pa.Table | None]:
        """A chunk counted, and its rows of the new state."""
        import pyarrow as pa
        import pyarrow.compute as pc

        changed, parts = self._changed(patients), []
        if self.state is not None and len(changed) < len(patients):
            parts.append(self.state.rows(patients))
        if changed and self.ahead is not None:
            parts.append(self.ahead.filter(pc.is_in(self.ahead["patient"], pa.array(changed, pa.string()))))
        elif changed:
            parts.append(self._rows(changed))
        rows = pa.concat_tables([part.cast(parts[-1].schema) for part in parts]).sort_by("patient")
        connection = database_of(rows, self.columns)
        self.cohort.counts.add(connection)
        return connection, rows

    def _changed(self, patients: tuple[str, ...]) -> tuple[str, ...]:
        if self.state is None:
            return patients
        same = self.state.same
        return tuple(patient for patient in patients if patient not in same)

    def _rows(self, patients: tuple[str, ...]) -> pa.Table:
        """Some patients judged, as rows of a state."""
        connection = self.judge(patients, self.tables.read_only(patients, self.cohort.options.on, self.code_map))
        rows = rows_of(connection, self.columns, self.prints)
        connection.close()
        return rows


class _Cohort:
    """The trials as they are judged, and what is kept from chunk to chunk."""

    def __init__(self, trials: Sequence[Trial], options: Options, engine: str, wanted: Wanted) -> None:
        from sle_kg.terminology import terminology

        self.trials, self.options, self.engine, self.wanted = trials, options, engine, wanted
        self.judge = SqlJudge(trials, options, terminology())
        self.columns = {trial.id: self.judge.status_columns(trial.id) for trial in trials}
        self.patterns = [Patterns(trial, self.judge) for trial in trials]
        self.first_days = [FirstDays(patterns) for patterns in self.patterns]
        self.what_if = [WhatIf(patterns) for patterns in self.patterns] if wanted.what_if else []
        changes = [one.changes for one in self.what_if] if wanted.what_if else [[] for _ in trials]
        self.counts = Counts(trials, list(self.columns.values()), changes, wanted.candidates)

    def judge_chunk(self, patients: tuple[str, ...], tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
        """Judge a chunk; its database holds `PERSON`, `JUDGED`, `AHEAD` and the tables of `TOLD`."""
        connection = self.judge.judge(tables)
        if self.engine == "shacl":
            self._judge_by_shapes(connection, patients, tables)
        for name, columns in TOLD.items():
            connection.execute(f"CREATE TABLE {name}({columns})")
        for place, patterns in enumerate(self.patterns):
            patterns.tell_open(connection, place)
            patterns.tell_waiting(connection)
            self.first_days[place].tell(connection, place)
        for place, what_if in enumerate(self.what_if):
            what_if.tell_gains(connection, place)
        self._tell_ahead(connection)
        return connection

    def _judge_by_shapes(
        self, connection: duckdb.DuckDBPyConnection, patients: tuple[str, ...], tables: Mapping[str, pa.Table]
    ) -> None:
        """The statuses by pySHACL in place of those of the plan; comparisons stay, for what needs patterns."""
        session = self._session(patients, tables)
        asks = session.asks(patients)
        found: dict[int, Mapping[str, RowStatus]] = dict(session.statuses(session.profiles(asks)))
        connection.execute(f"ALTER TABLE {JUDGED} RENAME TO planned")
        by_patient = {(ask.patient, ask.trial): found[ask.id] for ask in asks}
        load_judged(connection, patients, self.trials, self.columns, by_patient)
        same = [name for one in self.columns.values() for name in (*one.rows.values(), one.verdict, one.unknown)]
        connection.execute(
            f"""CREATE TABLE both_ways AS SELECT * FROM (SELECT * EXCLUDE ({", ".join(same)}) FROM planned)
            JOIN {JUDGED} USING (number);
            DROP TABLE {JUDGED}; DROP TABLE planned; ALTER TABLE both_ways RENAME TO {JUDGED}"""
        )

    def _session(self, patients: Sequence[str], tables: Mapping[str, pa.Table]) -> Session:
        """A session of `screen` by the shapes over the facts of some patients; the code map is applied already."""
        options = replace(self.options, trials=tuple(trial.id for trial in self.trials), code_map=None, engine="shacl")
        return Session(PatientData(dict(tables), {}, list(patients)), options)

    def _tell_ahead(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`AHEAD`: what every row of the verdict table needs beside statuses."""
        on = iso_date(self.options.on)
        asked = " UNION ALL ".join(
            f"SELECT number, {place} AS trial, {self.columns[trial.id].verdict} = 'eligible' AS eligible FROM {JUDGED}"
            for place, trial in enumerate(self.trials)
        )
        connection.execute(
            f"""CREATE TABLE {AHEAD} AS
            SELECT number, trial, c.number IS NOT NULL AS clear, CASE WHEN eligible THEN {on} ELSE f.day END AS earliest
            FROM ({asked}) LEFT JOIN {CLEAR} c USING (number, trial) LEFT JOIN {FIRST_DAY} f USING (number, trial)"""
        )

    def verdict_table(self, connection: duckdb.DuckDBPyConnection) -> pa.Table:
        """The verdict table of the chunk: patients in the order of their ids, trials in the order asked for."""
        queries = [verdict_query(trial, self.columns[trial.id], place) for place, trial in enumerate(self.trials)]
        return connection.sql(
            f"SELECT {', '.join(VERDICT_COLUMNS)} FROM ({' UNION ALL '.join(queries)}) ORDER BY number, place"
        ).to_arrow_table()

    def summary(self) -> CohortSummary:
        """What all chunks add up to."""
        words = Words(ontology_label, self.judge.terminology.is_open, lambda kind: 0, self.options.on, {})
        return self.counts.summary(self.options.on, self.engine, words)
