"""`sle-kg cohort`: every patient of a folder of tables against every trial, chunk by chunk."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.cohort.ahead import FIRST_DAY, FirstDays
from sle_kg.cohort.judge import JUDGED, SqlJudge, iso_date, load_judged
from sle_kg.cohort.patterns import CLEAR, WAITING, Patterns
from sle_kg.cohort.summary import AHEAD, TOLD, CohortSummary, Counts, verdict_query
from sle_kg.cohort.tables import CohortTables
from sle_kg.cohort.whatif import WhatIf
from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.errors import InputError
from sle_kg.features.database import load_rows
from sle_kg.patients.facts import PatientData
from sle_kg.profile import Profile
from sle_kg.screening import Options, Session, check_options, chosen_trials
from sle_kg.verdict import Status
from sle_kg.wording import Words, ontology_label

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Progress = Callable[[int, int], None]
SHACL_PATIENTS = 100
"""Patients of a chunk that the shapes judge: they are slow, and progress should be seen."""
SEARCHED = 2000
"""Patients whose future is searched together."""
MOST_SEARCHED = 5_000
"""Ineligible patients, in all, for whom the first day of eligibility is searched; candidates always are."""
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


def run(
    folder: Path,
    options: Options,
    verdicts: Path | None = None,
    most: int = 100,
    progress: Progress | None = None,
    chunk: int | None = None,
    what_if: bool = False,
) -> CohortSummary:
    """Judge the patients of a folder, write the verdict table to `verdicts`, and give what it adds up to.

    `most` candidates of each trial are kept; `what_if` also counts who would be gained by changing a trial. Raises
    InputError for options and tables that cannot be used.
    """
    from sle_kg.patients.codemap import read_code_map
    from sle_kg.terminology import terminology

    check_options(options)
    trials = chosen_trials(options.trials)
    engine = options.engine or "sql"
    if engine not in ENGINES:
        raise InputError(f"--engine: {engine!r} does not judge cohorts; choose among {', '.join(ENGINES)}")
    code_map = read_code_map(options.code_map, terminology()) if options.code_map else {}
    tables = CohortTables.open(folder)
    cohort = _Cohort(trials, options, engine, most, what_if)
    chunks = tables.chunks(chunk or (SHACL_PATIENTS if engine == "shacl" else None))
    done = 0
    with _verdict_writer(verdicts) as write:
        for patients in chunks:
            connection = cohort.add(patients, tables.read(patients, options.on, code_map))
            if write is not None:
                write(cohort.verdict_table(connection))
            connection.close()
            done += len(patients)
            if progress is not None:
                progress(done, len(tables.patients))
    return cohort.summary()


class _Cohort:
    """What is kept from chunk to chunk."""

    def __init__(self, trials: Sequence[Trial], options: Options, engine: str, most: int, what_if: bool) -> None:
        from sle_kg.terminology import terminology

        self.trials, self.options, self.engine = trials, options, engine
        self.judge = SqlJudge(trials, options, terminology())
        self.columns = {trial.id: self.judge.status_columns(trial.id) for trial in trials}
        self.patterns = [Patterns(trial, self.judge) for trial in trials]
        self.first_days = [FirstDays(patterns) for patterns in self.patterns]
        self.what_if = [WhatIf(patterns) for patterns in self.patterns] if what_if else []
        changes = [one.changes for one in self.what_if] if what_if else [[] for _ in trials]
        self.counts = Counts(trials, [self.columns[trial.id] for trial in trials], changes, most)
        self.searched = 0
        self.unsearched = False

    def add(self, patients: tuple[str, ...], tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
        """Judge and count a chunk; its database holds `PERSON`, `JUDGED` and `AHEAD`."""
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
        self.counts.add(connection)
        return connection

    def _judge_by_shapes(
        self, connection: duckdb.DuckDBPyConnection, patients: tuple[str, ...], tables: Mapping[str, pa.Table]
    ) -> None:
        """The statuses by pySHACL in place of those of the plan; comparisons stay, for what needs patterns."""
        session = self._session(patients, tables, tuple(trial.id for trial in self.trials), "shacl")
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

    def _tell_first_days(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: int,
        patients: tuple[str, ...],
        tables: Mapping[str, pa.Table],
    ) -> None:
        """Add to `FIRST_DAY` the patients for whom time alone can help, searched as `screen` does."""
        patterns, trial = self.patterns[place], self.trials[place]
        columns = self.columns[trial.id]
        patterns.tell_waiting(connection)
        tops = ", ".join(columns.rows[top] for top in patterns.tops)
        waiting: list[tuple[int, dict[str, Status]]] = []
        query = f"SELECT number, {tops} FROM {JUDGED} SEMI JOIN {WAITING} USING (number) ORDER BY number"
        for number, *status in connection.execute(query).fetchall():
            if "fail" in status and self.searched >= MOST_SEARCHED:
                self.unsearched = True
                continue
            self.searched += "fail" in status
            waiting.append((number, dict(zip(patterns.tops, status, strict=True))))
        found: dict[int, dt.date] = {}
        for start in range(0, len(waiting), SEARCHED):
            some = dict(waiting[start : start + SEARCHED])
            chosen = [patients[number] for number in some]
            session = self._session(chosen, tables, (trial.id,), self.engine)
            asks = session.asks(chosen)
            known = patterns.bounds_of(connection, list(some))
            made = [
                Profile(ask.id, ask.patient, trial.id, ask.on, *known[number])
                for ask, number in zip(asks, some, strict=True)
            ]
            status_of = {ask.id: some[number] for ask, number in zip(asks, some, strict=True)}
            numbers = {ask.id: number for ask, number in zip(asks, some, strict=True)}
            found |= {numbers[ask]: day for ask, day in session.earliest(asks, made, status_of).items()}
        rows = [(number, place, day) for number, day in found.items()]
        load_rows(connection, "found_day", {"number": "whole", "trial": "whole", "day": "date"}, rows)
        connection.execute(f"INSERT INTO {FIRST_DAY} FROM found_day")

    def _session(
        self, patients: Sequence[str], tables: Mapping[str, pa.Table], trials: tuple[str, ...], engine: str
    ) -> Session:
        """A session of `screen` with the facts of some patients; the code map is applied already."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chosen = pa.array(patients, pa.string())
        mine = {name: table.filter(pc.is_in(table["patient"], chosen)) for name, table in tables.items()}
        options = Options(
            trials=trials,
            on=self.options.on,
            events=self.options.events,
            complete=self.options.complete,
            windows=self.options.windows,
            readings=self.options.readings,
            engine=engine,
        )
        return Session(PatientData(mine, {}, list(patients)), options)

    def verdict_table(self, connection: duckdb.DuckDBPyConnection) -> pa.Table:
        """The verdict table of the chunk: patients in the order of their ids, trials in the order asked for."""
        queries = [verdict_query(trial, self.columns[trial.id], place) for place, trial in enumerate(self.trials)]
        return connection.sql(
            f"SELECT {', '.join(VERDICT_COLUMNS)} FROM ({' UNION ALL '.join(queries)}) ORDER BY number, place"
        ).to_arrow_table()

    def summary(self) -> CohortSummary:
        """What all chunks add up to."""
        dates_of = (
            f"candidates and the first {MOST_SEARCHED} excluded patients whom time alone could help"
            if self.unsearched
            else "all"
        )
        words = Words(ontology_label, self.judge.terminology.is_open, lambda kind: 0, self.options.on, {})
        return self.counts.summary(self.options.on, self.engine, dates_of, words)


@contextmanager
def _verdict_writer(file: Path | None) -> Iterator[Callable[[pa.Table], None] | None]:
    """A writer of the verdict table: beside the file first, renamed when all is there; nothing where `file` is None."""
    if file is None:
        yield None
        return
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=file.resolve().parent, prefix=f".{file.name}.")
        os.close(descriptor)
        temporary = Path(name)

        def write(table: pa.Table) -> None:
            nonlocal writer
            writer = writer or pq.ParquetWriter(name, table.schema, compression="zstd")
            writer.write_table(table)

        yield write
        if writer is not None:
            writer.close()
            temporary.chmod(0o644)
            temporary.replace(file.resolve())
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror}); choose another --verdicts") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
