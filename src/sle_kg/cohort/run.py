"""`sle-kg cohort`: every patient of a folder of tables against every trial, chunk by chunk."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.cohort.judge import JUDGED, SqlJudge, load_judged
from sle_kg.cohort.patterns import Patterns, WorkList
from sle_kg.cohort.summary import AHEAD, CohortSummary, Counts, Work, verdict_query
from sle_kg.cohort.tables import CohortTables
from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.errors import InputError
from sle_kg.features.database import load_rows
from sle_kg.patients.facts import PatientData
from sle_kg.profile import Profile
from sle_kg.screening import Options, Session, check_options, chosen_trials
from sle_kg.verdict import Status

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

Ahead = tuple[int, int, bool, dt.date | None]
"""Number of the patient, place of the trial, whether nothing speaks against him, first day of eligibility."""


def run(
    folder: Path,
    options: Options,
    verdicts: Path | None = None,
    most: int = 100,
    progress: Progress | None = None,
    chunk: int | None = None,
) -> CohortSummary:
    """Judge the patients of a folder, write the verdict table to `verdicts`, and give what it adds up to.

    `most` candidates of each trial are kept. Raises InputError for options and tables that cannot be used.
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
    cohort = _Cohort(trials, options, engine, most)
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

    def __init__(self, trials: Sequence[Trial], options: Options, engine: str, most: int) -> None:
        from sle_kg.terminology import terminology

        self.trials, self.options, self.engine = trials, options, engine
        self.judge = SqlJudge(trials, options, terminology())
        self.columns = {trial.id: self.judge.status_columns(trial.id) for trial in trials}
        self.patterns = [Patterns(trial, self.judge) for trial in trials]
        self.work = [WorkList.empty() for _ in trials]
        self.counts = Counts(trials, [self.columns[trial.id] for trial in trials], most)
        self.searched = 0
        self.unsearched = False

    def add(self, patients: tuple[str, ...], tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
        """Judge and count a chunk; its database holds `PERSON`, `JUDGED` and `AHEAD`."""
        connection = self.judge.judge(tables)
        if self.engine == "shacl":
            self._judge_by_shapes(connection, patients, tables)
        ahead: list[Ahead] = []
        for place in range(len(self.trials)):
            ahead += self._ahead(connection, place, patients, tables)
        kinds = {"number": "whole", "trial": "whole", "clear": "flag", "earliest": "date"}
        load_rows(connection, AHEAD, kinds, ahead)
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

    def _ahead(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: int,
        patients: tuple[str, ...],
        tables: Mapping[str, pa.Table],
    ) -> list[Ahead]:
        """What the statuses of one trial do not tell, for every patient of a chunk."""
        patterns, columns = self.patterns[place], self.columns[self.trials[place].id]
        eligible, clear = set(), set()
        for number, status, pattern in patterns.rows(connection, f"{columns.verdict} <> 'ineligible'"):
            found = patterns.found(connection, number, pattern)
            if all(one.clear for one in found):
                clear.add(number)
            if "unknown" in status:
                self.work[place].add(status, found)
            else:
                eligible.add(number)
        first = self._first_days(connection, place, patients, tables)
        on = self.options.on
        return [
            (number, place, number in clear, on if number in eligible else first.get(number))
            for number in range(len(patients))
        ]

    def _first_days(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: int,
        patients: tuple[str, ...],
        tables: Mapping[str, pa.Table],
    ) -> dict[int, dt.date]:
        """The first day of eligibility of the patients for whom time alone can help, searched as `screen` does."""
        patterns, trial = self.patterns[place], self.trials[place]
        columns = self.columns[trial.id]
        moved = [f"{columns.rows[top]} NOT IN ('fail', 'unknown')" for top in sorted(patterns.still)]
        where = " AND ".join([f"{columns.verdict} <> 'eligible'", *moved])
        waiting: list[tuple[int, dict[str, Status]]] = []
        for number, status, pattern in patterns.rows(connection, where):
            if patterns.later(connection, number, status, pattern):
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
        return found

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
        work = [self._work(place) for place in range(len(self.trials))]
        return self.counts.summary(work, self.options.on, self.engine, dates_of)

    def _work(self, place: int) -> list[Work]:
        """The open rows, those first that settle most patients."""
        counted, trial = self.work[place], self.trials[place]
        return [
            Work(
                row,
                trial.criterion(row).text,
                min(counted.kinds[row].items(), key=lambda item: (-item[1], item[0]))[0],
                counted.settles[row],
                counted.open[row],
            )
            for row in sorted(counted.open, key=lambda row: (-counted.settles[row], -counted.open[row], row))
        ]


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
