"""Features on days ahead: what they would be for some patients, results taken as repeated that day.

One query for each batch of features that share one, whatever trials ask for them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sle_kg.cohort.judge import SqlJudge, iso_date
from sle_kg.criteria import Feature
from sle_kg.features import batches, query_of
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import COMPLETE, FEATURE_COLUMNS, feature_references, load_references
from sle_kg.features.query import by_patient
from sle_kg.features.sql import text
from sle_kg.features.wide import shared_by_trials
from sle_kg.timeline import HORIZON

if TYPE_CHECKING:
    import duckdb

NO_EVENTS = -1
"""Instead of the place of a trial whose events move a feature: none does, it is the same for all trials."""
PROBE = "probe"
"""What is asked: `number`, `events` (place of a trial, or `NO_EVENTS`), `feature`, `day`, and the `ask` of all four."""
FOUND = "found"
"""What is found: `ask`, `low`, `high`; an ask of which nothing is known may have no row."""
_DAYS = HORIZON + 1


class Parsed:
    """Statements that are run in one database after the other, each parsed once."""

    def __init__(self) -> None:
        self._statements: dict[str, list[duckdb.Statement]] = {}

    def run(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Run the statements of a text."""
        if sql not in self._statements:
            self._statements[sql] = connection.extract_statements(sql)
        for statement in self._statements[sql]:
            connection.execute(statement)


class Probes:
    """The features of all trials, each numbered once."""

    def __init__(self, judge: SqlJudge, parsed: Parsed) -> None:
        self.features: list[Feature] = list(dict.fromkeys(one for wanted in judge.wanted.values() for one in wanted))
        self.number = {feature: number for number, feature in enumerate(self.features)}
        self._trials, self._parsed = list(judge.wanted), parsed
        self._on = iso_date(judge.options.on)
        self._options = FeatureOptions(frozenset(judge.options.complete), judge.options.windows)

    def events(self, feature: Feature, place: int) -> int:
        """Whose events move a feature of the trial at a place."""
        return NO_EVENTS if shared_by_trials(feature) else place

    def prepare(self, connection: duckdb.DuckDBPyConnection, patients: str) -> None:
        """The features as reference tables; events and complete sections as they are on the screening date.

        The connection has the fact tables, reference tables and `anchor` of the screening date; `patients` is a table
        with the `number` of all who will be asked about.
        """
        load_references(connection, feature_references({one: [] for one in self.features}, self._options))
        several = len(self._trials)
        self._parsed.run(
            connection,
            f"""CREATE TABLE event_today AS
            SELECT ask // {several} AS number, ask % {several} AS events, anchor, first, last, record,
                   record IS NULL OR first > {self._on} AS moves
            FROM anchor WHERE anchor <> 'screening';
            CREATE TABLE ask AS
            SELECT DISTINCT number AS ask, number AS patient, {self._on} AS on_date, {self._on} AS base,
                   {self._on} AS complete_until FROM {patients};
            CREATE TABLE complete_today AS {COMPLETE}""",
        )

    def compute(self, connection: duckdb.DuckDBPyConnection, query: str) -> set[int]:
        """`PROBE` from what a query asks for (number, events, feature, day), and `FOUND`; the features asked for."""
        self._parsed.run(
            connection,
            f"""CREATE OR REPLACE TABLE {PROBE} AS
            SELECT number, events, feature, day, {self._ask} AS ask
            FROM (SELECT number, events, feature, CAST(day AS INTEGER) AS day FROM ({query}))""",
        )
        wanted = {number for (number,) in connection.execute(f"SELECT DISTINCT feature FROM {PROBE}").fetchall()}
        if wanted:
            self._parsed.run(connection, self._moved)
            for batch, statement in self._queries:
                if wanted.intersection(batch):
                    self._parsed.run(connection, statement)
        return wanted

    @property
    def _ask(self) -> str:
        """SQL: one number for a patient, events, a day and a feature; without the feature, by `//`, an ask of `a`."""
        person_and_events = f"CAST(number AS BIGINT) * {len(self._trials) + 1} + events + 1"
        return f"(({person_and_events}) * {_DAYS} + day) * {len(self.features)} + feature"

    @property
    def _moved(self) -> str:
        """Statements: the events and complete sections of each patient and day, and `FOUND` without rows."""
        return f"""
            CREATE OR REPLACE TABLE ask AS
            SELECT DISTINCT ask // {len(self.features)} AS ask, number AS patient, events, day FROM {PROBE};
            CREATE OR REPLACE TABLE anchor AS
            SELECT k.ask, e.anchor, {_moved_by("k.day", "e.first")} AS first, {_moved_by("k.day", "e.last")} AS last,
                   e.record
            FROM ask k JOIN event_today e ON e.number = k.patient AND e.events = k.events;
            CREATE OR REPLACE TABLE complete AS
            SELECT k.ask, c.section, CASE WHEN c.until >= {self._on} THEN {self._on} + k.day ELSE c.until END AS until,
                   c.record
            FROM ask k JOIN complete_today c ON c.ask = k.patient;
            CREATE OR REPLACE TABLE {FOUND}(ask BIGINT, low DECIMAL(38, 12), high DECIMAL(38, 12))"""

    @cached_property
    def _queries(self) -> list[tuple[list[int], str]]:
        """For each batch of features the statement that adds to `FOUND` what is asked of them."""
        parameters = ", ".join(f"f.{name}" for name in FEATURE_COLUMNS if name != "trials")
        names = ", ".join(map(text, self._trials))
        made = []
        for batch in batches(self.features):
            feature = self.features[batch[0]]
            query = query_of(feature, self._options)
            query = by_patient(query) if isinstance(query, str) else query.by_ask()
            asks = f"""SELECT p.ask, p.ask // {len(self.features)} AS of, p.number AS patient,
                ([{names}])[p.events + 1] AS trial, {self._on} + p.day AS on_date, {self._on} AS base,
                p.day AS shift, {parameters}
                FROM {PROBE} p JOIN wanted f USING (feature) WHERE p.feature IN ({", ".join(map(str, batch))})"""
            made.append((batch, f"INSERT INTO {FOUND} WITH a AS ({asks}) SELECT ask, lower, upper FROM ({query})"))
        return made


def _moved_by(days: str, day: str) -> str:
    """SQL: an event's day as it is when the date judged moves, at most the last day of the calendar."""
    return f"CASE WHEN e.moves THEN {day} + CAST(least({days}, DATE '9999-12-31' - {day}) AS INTEGER) ELSE {day} END"
