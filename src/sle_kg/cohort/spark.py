"""A cohort judged on Spark: features and plan on the cluster, what they add up to on the driver.

The script of `features.wide` and `cohort.judge` runs as it is, translated (`dialect.py`), over all patients at once.
Bounds, attestations and statuses then come to the driver in chunks, and with them the facts of the patients for whom a
first day of eligibility is searched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.cohort.top_rows import WAITING
from sle_kg.cohort.write import Write, plain
from sle_kg.errors import InputError
from sle_kg.features.database import Reference, arrow_rows, concepts_query, empty_database
from sle_kg.features.wide import PERSON, WIDE, Statement
from sle_kg.patients.facts import schema
from sle_kg.spark.dialect import steps, to_spark
from sle_kg.spark.session import start
from sle_kg.spark.tables import SparkTables, check_order, in_days, is_date, reason, with_code_map
from sle_kg.spark.write import spark_writer

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

SAME_TIME = 2
"""Statements of features that are prepared and run at the same time."""
RESULTS = (PERSON, WIDE, SAID, JUDGED)
ANCHOR = "anchor"


class SparkCohort:
    """Judges every patient of some tables when it is first asked, and hands results to the driver in chunks."""

    name = "spark"
    at_once = 1

    def __init__(
        self, judge: SqlJudge, tables: SparkTables, code_map: Mapping[tuple[str, str], str], session: SparkSession
    ) -> None:
        self.sql, self.tables, self._code_map, self._session = judge, tables, code_map, session
        self._references: list[Reference] = []
        self._facts: list[str] = []
        self._first = 0
        self._everybody = len(tables.patients)
        self._kept: dict[str, DataFrame] = {}

    @classmethod
    def open(
        cls, judge: SqlJudge, place: str, code_map: Mapping[tuple[str, str], str], master: str | None
    ) -> SparkCohort:
        """The patients of an address. Raises MissingToolError without Spark, InputError for tables it cannot read."""
        session = start(master)
        return cls(judge, SparkTables.open(place, session), code_map, session)

    @property
    def patients(self) -> int:
        """How many there are."""
        return self._everybody

    def chunks(self, most: int | None = None) -> Sequence[tuple[str, ...]]:
        """The patients in chunks that the driver holds."""
        return self.tables.chunks(most)

    @contextmanager
    def writer(self, place: str, option: str) -> Iterator[Write]:
        """See `spark_writer`."""
        with spark_writer(place, option, self._session) as write:
            yield lambda table: write(plain(table))

    def fingerprints(self) -> pa.Table:
        """See `CohortEngine`. Raises InputError where Spark fails."""
        with self._told():
            return self.tables.fingerprints()

    def expect(self, patients: Sequence[str]) -> None:
        """See `CohortEngine`: nobody else will be judged."""
        if len(patients) < self._everybody:
            self.tables = self.tables.of(patients, self._session)

    # ---- on the cluster ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Make the views of the script, `PERSON` to `JUDGED`, and compute what the driver will ask for."""
        sources = with_code_map(self.tables.tables, self._code_map, self._session)
        for name, table in sources.items():
            self._keep(f"source_{name}", table.repartition("patient").sortWithinPartitions(*table.columns))
        check_order(sources, "source_", self.tables.place, self._session)
        concepts = [row[0] for row in self._session.sql(to_spark(concepts_query("source_"))).collect()]
        self._references = self.sql.references(concepts)
        for known in self._references:
            in_days(arrow_rows(known.columns, known.rows), self._session).createOrReplaceTempView(known.name)
        statements = self.sql.statements
        found = [one for one in statements if one.name.startswith("found")]
        last = [one for one in statements if one.name.startswith((WIDE, SAID, JUDGED))]
        rest = [one for one in statements if one not in found and one not in last]
        self._facts = [one.name for one in rest if one.name.startswith("fact_")]
        for one in rest:
            self._view(one)
        for name in sources:
            self._forget(f"source_{name}")
        with ThreadPoolExecutor(SAME_TIME) as pool:
            list(pool.map(self._view, found))
        for one in last:
            self._view(one)
        for one in found:
            self._forget(one.name)

    def _view(self, statement: Statement) -> None:
        """Compute a statement and what it is made from."""
        made = steps(statement.name, statement.select)
        for step in made:
            self._keep(step.name, self._session.sql(step.select))
        for step in made[:-1]:
            self._forget(step.name)

    def _keep(self, name: str, table: DataFrame) -> None:
        """Compute a table and keep it as a view.

        What is computed is cut off from how it was made: Spark would plan that again for every statement that reads it.
        """
        self._kept[name] = table.localCheckpoint()
        self._kept[name].createOrReplaceTempView(name)

    def _forget(self, name: str) -> None:
        """Free what was kept; Spark would do so when Java is short of memory."""
        self._session.catalog.dropTempView(name)
        plan: Any = self._kept.pop(name)
        plan._jdf.queryExecution().analyzed().rdd().unpersist(False)

    # ---- on the driver ----------------------------------------------------------------------------------------------

    def judge(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """See `CohortEngine`; the first call has the whole cohort judged. Raises InputError where Spark fails."""
        if not self._references:
            with self._told():
                self.run()
        self._first = bisect_left(self.tables.patients, patients[0])
        connection = empty_database()
        for name in RESULTS:
            mine = self._session.table(name).where(_between("number", self._first, len(patients)))
            _add(connection, name, _less(mine.toArrow(), "number", self._first))
        return connection

    def judge_only(self, patients: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """See `CohortEngine`; the first call has all judged who are expected."""
        return self.judge(patients)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What Spark raises, in one sentence."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            yield
        except (PySparkException, Py4JError) as error:
            said = f"Spark did not finish ({reason(error)}); check the tables and the cluster's log"
            raise InputError(f"{self.tables.place}: {said}") from error

    def load_facts(self, connection: duckdb.DuckDBPyConnection) -> None:
        """See `CohortEngine`."""
        numbers = connection.execute(f"SELECT DISTINCT number FROM {WAITING}").fetchall()
        asked = arrow_rows({"patient": "whole"}, [(number + self._first,) for (number,) in numbers])
        wanted = self._session.createDataFrame(asked)
        for name in self._facts:
            found = self._session.table(name).join(wanted, "patient", "left_semi").toArrow()
            dates = [column.name for column in schema(name.removeprefix("fact_")) if is_date(column.type)]
            _add(connection, name, _less(_dated(found, dates), "patient", self._first))
        self._load_anchors(connection)

    def _load_anchors(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The anchors of the chunk; an ask is a patient's number times the trials, plus the trial's place."""
        count, several = connection.execute(f"SELECT count(*) FROM {PERSON}").fetchall()[0][0], len(self.sql.trials)
        mine = self._session.table(ANCHOR).where(_between("ask", self._first * several, count * several))
        _add(connection, ANCHOR, _less(_dated(mine.toArrow(), ("first", "last")), "ask", self._first * several))


def _between(column: str, first: int, count: int) -> str:
    return f"{column} >= {first} AND {column} < {first + count}"


def _add(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """A table with these rows."""
    connection.register("arrow_made", rows)
    connection.execute(f"CREATE TABLE {name} AS FROM arrow_made")
    connection.unregister("arrow_made")


def _less(table: pa.Table, column: str, first: int) -> pa.Table:
    """The table with its numbers counted from `first`."""
    import pyarrow.compute as pc

    place = table.schema.get_field_index(column)
    kind = table.schema.field(place).type
    return table.set_column(place, column, pc.subtract(table.column(place), first).cast(kind))


def _dated(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table with days since 1970 as dates."""
    import pyarrow as pa

    for name in names:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(place).cast(pa.int32()).cast(pa.date32()))
    return table
