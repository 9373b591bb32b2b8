"""The jobs of the table of cohorts. `python -m benchmarks.cohort_jobs NAME [ARGUMENT…]` runs one and prints its seconds
and those of processors.

A job prepares, starts the clock, does the work, stops the clock; each has a process of its own.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cohort_data import UNREAD

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

    from sle_kg.criteria import Trial

ON = dt.date(2026, 11, 21)
CHUNK = 125_000
"""Patients that are judged together, so that memory holds what is made of them: by the script and by the yardstick."""
AT_ONCE = 2
"""Chunks that are judged at once, each by one thread."""
SCAN_KEYS = ("test", "concept", "statement", "section", "event", "criterion")
"""What rows are told apart by, beside the patient."""
Work = Callable[[], object]


def resident(connection: Connection, folder: str) -> int:
    """The fact tables of a folder as tables named as the cohort script names them, in a schema for each chunk.

    Returns the number of chunks.
    """
    connection.execute("SET threads = 1")
    chunks = _chunks(folder)
    for number, ends in enumerate(chunks):
        _load(connection, folder, number, *ends)
    return len(chunks)


def _chunks(folder: str) -> list[tuple[str, str]]:
    """The first and the last patient of each chunk of a folder."""
    import pyarrow.parquet as pq

    ids = pq.read_table(Path(folder) / "patient.parquet", columns=["patient"])["patient"]
    size = min(CHUNK, -(-len(ids) // AT_ONCE))
    starts = range(0, len(ids), size)
    return [(ids[start].as_py(), ids[min(start + size, len(ids)) - 1].as_py()) for start in starts]


def _files(folder: str) -> list[str]:
    """The files that `_load` reads."""
    from sle_kg.patients.facts import COLUMNS

    return [f"{folder}/{name}.parquet" for name in COLUMNS]


def _load(
    connection: Connection, folder: str, number: int, first: str, last: str, without: Collection[str] = ()
) -> None:
    """Load the patients of a chunk into its schema; the ids of records but for some tables.

    DuckDB reads the files by itself, as `cohort` lets it.
    """
    from sle_kg.patients.facts import COLUMNS, schema

    connection.execute(f"CREATE SCHEMA IF NOT EXISTS chunk{number}")
    for name, own in COLUMNS.items():
        table = f"chunk{number}.source_{name}"
        if name in UNREAD:
            connection.register("arrow_rows", schema(name).empty_table())
            connection.execute(f"CREATE TABLE {table} AS FROM arrow_rows")
            connection.unregister("arrow_rows")
            continue
        columns = ", ".join(["patient", *([] if name in without else ["record"]), *own])
        connection.execute(
            f"CREATE TABLE {table} AS SELECT {columns} FROM read_parquet(?) WHERE patient BETWEEN ? AND ?",
            [f"{folder}/{name}.parquet", first, last],
        )


def by_chunk(connection: Connection, count: int, work: Callable[[Connection, int], None]) -> None:
    """The work of so many chunks, `AT_ONCE` at the same time, in the schema of each, which is dropped afterwards."""

    def one(number: int) -> None:
        with connection.cursor() as own:
            own.execute(f"CREATE SCHEMA IF NOT EXISTS chunk{number}")
            own.execute(f"SET search_path = 'chunk{number},main'")
            work(own, number)
            own.execute(f"DROP SCHEMA chunk{number} CASCADE")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(count)))


def yardstick(folder: str) -> Work:
    """The hand-written SQL over resident fact tables, codes included."""
    import duckdb

    from benchmarks.yardstick import judge, load_codes

    connection = duckdb.connect()
    chunks = resident(connection, folder)

    def each(own: Connection, _: int) -> None:
        load_codes(own)
        judge(own, ON)

    return lambda: by_chunk(connection, chunks, each)


def grouped(folder: str) -> Work:
    """Reading with the group-bys that the features need, from Parquet: the hand-written SQL without its verdicts."""
    import duckdb

    from benchmarks.yardstick import judge, load_codes

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    chunks = _chunks(folder)

    def each(own: Connection, number: int) -> None:
        _load(own, folder, number, *chunks[number], without=("measurement",))
        load_codes(own)
        judge(own, ON, verdicts=False)

    return lambda: by_chunk(connection, len(chunks), each)


def ready(folder: str) -> Work:
    """The plan alone: every row and verdict of three trials from the bounds of features, which are ready."""
    from sle_kg.cohort.judge import JUDGED, SqlJudge
    from sle_kg.features.database import concepts_query, empty_database, load_references
    from sle_kg.screening import Options
    from sle_kg.terminology import terminology
    from sle_kg.trials import screenable

    connection = empty_database(files=_files(folder))
    judge = SqlJudge(list(screenable().values()), Options(on=ON), terminology())
    _load(connection, folder, 0, _chunks(folder)[0][0], _chunks(folder)[-1][1])
    connection.execute("SET search_path = 'chunk0,main'")
    concepts = [row[0] for row in connection.execute(concepts_query("source_")).fetchall()]
    load_references(connection, judge.references(concepts))
    *before, plan = judge.statements
    assert plan.name == JUDGED
    for statement in before:
        connection.execute(f"CREATE TABLE {statement.name} AS {statement.select}")
    return lambda: connection.execute(f"CREATE TABLE {plan.name} AS {plan.select}")


def program(folder: str) -> Work:
    """The compiled script over resident fact tables, codes and features included."""
    from sle_kg.trials import screenable

    return _script(folder, lambda: list(screenable().values()))


def invented(folder: str, count: str) -> Work:
    """The script of so many synthetic trials."""
    from benchmarks.cohort_trials import invented_trials

    return _script(folder, lambda: invented_trials(int(count)))


def _script(folder: str, trials: Callable[[], list[Trial]]) -> Work:
    from sle_kg.cohort.judge import SqlJudge
    from sle_kg.features.database import concepts_query, empty_database, load_references
    from sle_kg.screening import Options
    from sle_kg.terminology import terminology

    connection, chosen, terms = empty_database(files=_files(folder)), trials(), terminology()
    chunks = resident(connection, folder)

    def work() -> None:
        judge = SqlJudge(chosen, Options(on=ON), terms)

        def each(own: Connection, _: int) -> None:
            concepts = [row[0] for row in own.execute(concepts_query("source_")).fetchall()]
            load_references(own, judge.references(concepts))
            for _, statement in judge.parsed:
                own.execute(statement)

        by_chunk(connection, chunks, each)

    return work


def spark_start() -> Work:
    """The start of Java and of a session, this machine alone."""
    from sle_kg.spark.session import start

    return lambda: start(None)


def spark(folder: str) -> Work:
    """The script on Spark, this machine alone, two threads; the session is up, reading the Parquet files counts."""
    from sle_kg.cohort.judge import SqlJudge
    from sle_kg.cohort.spark import SparkCohort
    from sle_kg.screening import Options
    from sle_kg.spark.session import start
    from sle_kg.terminology import terminology
    from sle_kg.trials import screenable

    judge = SqlJudge(list(screenable().values()), Options(on=ON), terminology())
    start(None)
    return lambda: SparkCohort.open(judge, folder, {}, None).run()


def duckdb_files(folder: str) -> Work:
    """The script on DuckDB, from the same Parquet files: loading counts."""
    return lambda: program(folder)()


def scan(folder: str) -> Work:
    """What reading alone costs: every column that a cohort reads, in groups by patient and by test, concept or kind.

    Of each group: how many rows, the latest row's values by its day, least and greatest of dates and numbers, any of
    flags. The groups are folded into one row, so that nothing is written and nothing can be left out.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    queries = [_scan_query(name, folder) for name in _scanned()]
    return lambda: [connection.execute(query).fetchall() for query in queries]


def _scanned() -> list[str]:
    from sle_kg.patients.facts import COLUMNS

    return [name for name in COLUMNS if name not in UNREAD]


def _scan_query(name: str, folder: str) -> str:
    from sle_kg.patients.facts import COLUMNS

    kinds = COLUMNS[name]
    key = next((column for column in SCAN_KEYS if column in kinds), None)
    day = next((column for column in kinds if column.endswith("_from")), None)
    made = ["count(*) AS n", "max(record) AS record"]
    for column, kind in kinds.items():
        if column == key:
            continue
        if kind == "flag":
            made.append(f"bool_or({column}) AS {column}")
        elif kind == "date":
            made.append(f"{'min' if column.endswith('_from') else 'max'}({column}) AS {column}")
        elif day is not None:
            made.append(f"arg_max({column}, {day}) AS {column}")
        else:
            made.append(f"max({column}) AS {column}")
    group = "patient" if key is None else f"patient, {key}"
    names = [one.rpartition(" AS ")[2] for one in made]
    file = Path(folder) / f"{name}.parquet"
    folded = ", ".join(f"max({one})" for one in names)
    return f"SELECT {folded} FROM (SELECT {group}, {', '.join(made)} FROM '{file}' GROUP BY {group})"


def bare(count: str) -> Work:
    """pySHACL on the shapes of the three trials, over made-up profiles that are ready: so many patients."""
    import pyshacl
    import rdflib

    from benchmarks.jobs import profiles
    from sle_kg.engines.shacl import MAX_DEPTH
    from sle_kg.profile import data_graph
    from sle_kg.shapes import serialize
    from sle_kg.trials import screenable

    ready = [
        (data_graph(profiles(count, trial.id)), rdflib.Graph().parse(data=serialize(trial), format="ttl"))
        for trial in screenable().values()
    ]
    return lambda: [pyshacl.validate(data, shacl_graph=graph, max_validation_depth=MAX_DEPTH) for data, graph in ready]


def parse(folder: str) -> Work:
    """What orjson alone takes to parse every line of an export, one thread, nothing kept."""
    import orjson

    files = sorted(Path(folder).glob("*.ndjson"))

    def work() -> None:
        for file in files:
            with file.open("rb") as lines:
                for line in lines:
                    orjson.loads(line)

    return work


JOBS: dict[str, Callable[..., Work]] = {
    job.__name__: job
    for job in (yardstick, grouped, ready, program, invented, spark_start, spark, duckdb_files, scan, bare, parse)
}


def main() -> None:
    """Run the job named on the command line and print what its work took."""
    name, *arguments = sys.argv[1:]
    work = JOBS[name](*arguments)
    start, processor = time.perf_counter(), time.process_time()
    work()
    print(time.perf_counter() - start, time.process_time() - processor)


if __name__ == "__main__":
    main()
