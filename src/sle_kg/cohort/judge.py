"""A chunk of patients judged: one table `judged` with the status of every row of every trial, by either engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlglot import exp

from sle_kg.cohort.sources import FACT, Source, check_order, open_sources, reading, take
from sle_kg.criteria import Feature, Trial
from sle_kg.engines import RowStatus
from sle_kg.evaluate import RuleSet
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import Reference, concepts_query, empty_database, load_references, load_rows
from sle_kg.features.sql import text
from sle_kg.features.wide import BITS, PERSON, WIDE, Statement, WideColumns, WideScript, wide_columns
from sle_kg.sql_plan import Plan, Said, TrialColumns, compile_plan
from sle_kg.verdicts import overall, statuses

if TYPE_CHECKING:
    import duckdb

    from sle_kg.screening import Options
    from sle_kg.terminology import Terminology

JUDGED = "judged"
"""The table of statuses: `number` of the patient, and the columns of each trial."""
TOGETHER = 10
"""Trials that one query judges; databases take ever longer to plan more."""
SAID = "said"
"""The attestations that count, of patients who have any: `number`, and columns of bits (`SqlJudge.said`)."""
SIDES = {"yes": "coalesce(value, true)", "no": "NOT coalesce(value, false)"}
"""Attested true, attested false: start of the columns of `SAID`, and SQL; what cannot be read (null) may say either."""


@dataclass(frozen=True, slots=True)
class StatusColumns:
    """The columns of one trial in `JUDGED`: the status of each row, verdict, number of unknown rows."""

    rows: Mapping[str, str]
    verdict: str
    unknown: str


class SqlJudge:
    """Judges chunks by plans that are compiled from several trials at once; all share the bounds of features.

    `further` are features that are bounded for a trial beside its own.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        options: Options,
        terminology: Terminology,
        further: Mapping[str, Sequence[Feature]] | None = None,
    ) -> None:
        self.trials, self.options, self.terminology = trials, options, terminology
        self.rules = {trial.id: RuleSet.of(trial, options.readings) for trial in trials}
        self.wanted = {trial.id: trial.features() for trial in trials}
        self.place = {
            (trial.id, row.id): f"a{number}_{place}"
            for number, trial in enumerate(trials)
            for place, row in enumerate(trial.criteria)
        }
        more = further or {}
        bounded = {trial: list(dict.fromkeys([*own, *more.get(trial, ())])) for trial, own in self.wanted.items()}
        self.columns: WideColumns = wide_columns(bounded)
        self._number = {key: number for number, key in enumerate(self.place)}
        groups = [list(trials[start : start + TOGETHER]) for start in range(0, len(trials), TOGETHER)]
        self._plans = [
            (group, self._compiled(group, self._said_bit, f"g{n}_" if n else "", _word))
            for n, group in enumerate(groups)
        ]
        self._of_trial = {trial: columns for _, plan in self._plans for trial, columns in plan.trials.items()}
        asked = FeatureOptions(frozenset(options.complete), options.windows)
        self._wide = WideScript(bounded, options.on, options.events, asked, terminology)

    @property
    def plan(self) -> Plan:
        """The plan of all trials as one query."""
        return self._compiled(self.trials, self.said_columns)

    def trial_columns(self, trial: str) -> TrialColumns:
        """The columns of a trial in `JUDGED`."""
        return self._of_trial[trial]

    def _compiled(
        self,
        trials: Sequence[Trial],
        said: Said,
        prefix: str = "",
        word: Callable[[str], exp.Expr] = exp.Literal.string,
    ) -> Plan:
        rules = [self.rules[trial.id] for trial in trials]
        return compile_plan(
            rules, "asked", ["number"], self.columns.bounds, said, truths=False, prefix=prefix, word=word
        )

    def said_columns(self, trial: str, row: str) -> tuple[str, str]:
        """The columns of `plan` that tell whether a row is attested true, and attested false."""
        stem = self.place[trial, row]
        return f"{stem}_true", f"{stem}_false"

    def said(self, trial: str, row: str) -> tuple[str, str]:
        """SQL over `SAID`: whether a row is attested true, and attested false; null for who has no attestation."""
        yes, no = (one.sql("duckdb") for one in self._said_bit(trial, row))
        return yes, no

    def said_place(self, trial: str, row: str) -> tuple[tuple[str, str], int]:
        """Where `SAID` tells whether a row is attested true, and attested false: two columns, and the bit in both."""
        bit = self._number[trial, row] % BITS
        yes, no = (f"{side}{self._number[trial, row] - bit}" for side in SIDES)
        return (yes, no), bit

    def _said_bit(self, trial: str, row: str) -> tuple[exp.Expr, exp.Expr]:
        columns, bit = self.said_place(trial, row)
        both = (exp.BitwiseAnd(this=exp.column(name), expression=exp.Literal.number(1 << bit)) for name in columns)
        yes, no = (exp.NEQ(this=exp.paren(one, copy=False), expression=exp.Literal.number(0)) for one in both)
        return yes, no

    @property
    def said_bits(self) -> list[str]:
        """The columns of bits of `SAID`."""
        return [f"{side}{first}" for first in range(0, len(self.place), BITS) for side in SIDES]

    def judge(self, tables: dict[str, Source], place: str = "the tables") -> duckdb.DuckDBPyConnection:
        """A database with `PERSON`, the bounds in `WIDE`, attestations in `SAID`, and `JUDGED`.

        Each table is taken out of `tables` when its facts are in the database, so that memory holds them once.
        One thread judges; a cohort has several chunks judged at once. Raises InputError for files that cannot be read,
        and for rows that end before they begin, naming the table in the folder `place`.
        """
        connection = open_sources(tables)
        (_, person), *script = self.parsed
        with reading(tables["patient"]):
            connection.execute(person)
        for name, statement in script:
            if name.startswith(FACT):
                take(connection, statement, name.removeprefix(FACT), tables)
        check_order(connection, place)
        concepts = [row[0] for row in connection.execute(concepts_query(FACT)).fetchall()]
        load_references(connection, self.references(concepts))
        for name, statement in script:
            if not name.startswith(FACT):
                connection.execute(statement)
            if name == WIDE:
                for passed in self._wide.passed:
                    connection.execute(f"DROP TABLE {passed}")
        return connection

    def references(self, concepts: Sequence[str]) -> list[Reference]:
        """The reference tables of the script; `concepts` are those that occur in the source tables."""
        rows = [(trial, row, number) for number, (trial, row) in enumerate(self.place)]
        asked = Reference("asked_row", {"trial": "text", "criterion": "text", "place": "whole"}, rows)
        return [*self._wide.references(concepts), asked]

    @cached_property
    def parsed(self) -> list[tuple[str, duckdb.Statement]]:
        """The script as DuckDB has parsed it, once for all chunks: names of tables, statements that make them."""
        with empty_database() as connection:
            return [(one.name, connection.extract_statements(one.sql)[0]) for one in self.statements]

    @cached_property
    def statements(self) -> Sequence[Statement]:
        """The script from source tables to `JUDGED`, in the order in which it is run."""
        parts = [
            Statement(JUDGED if len(self._plans) == 1 else f"{JUDGED}{number}", self._judged(group, plan))
            for number, (group, plan) in enumerate(self._plans)
        ]
        if len(parts) > 1:
            joins = " ".join(f"JOIN {part.name} USING (number)" for part in parts[1:])
            parts.append(Statement(JUDGED, f"SELECT * FROM {parts[0].name} {joins}"))
        return [
            *self._wide.statements(),
            Statement(SAID, self._said()),
            *parts,
        ]

    def _judged(self, trials: Sequence[Trial], plan: Plan) -> str:
        """SELECT of the columns of a plan."""
        asked = [(trial.id, feature.slug) for trial in trials for feature in self.wanted[trial.id]]
        bounds = dict.fromkeys(name for key in asked for name in self.columns.bounds(*key))
        columns = ", ".join(["w.number", *bounds, *self.said_bits])
        return f"""
        WITH asked AS (SELECT {columns} FROM {WIDE} w LEFT JOIN {SAID} s ON s.number = w.number)
        SELECT * FROM ({plan.sql()}) q"""

    def status_columns(self, trial: str) -> StatusColumns:
        """Where the statuses of a trial are."""
        return status_columns(self._of_trial[trial])

    def _said(self) -> str:
        """SELECT of the latest attestation of each row; both where the order of two is not known (rule 3)."""
        columns = ", ".join(
            f"bit_or(CASE WHEN {test} AND place >= {first} AND place < {first + BITS} "
            f"THEN CAST(1 AS BIGINT) << (place - {first}) ELSE 0 END) AS {side}{first}"
            for first in range(0, len(self.place), BITS)
            for side, test in SIDES.items()
        )
        return f"""
        WITH counting AS (
            SELECT f.patient AS number, r.place, f.value
            FROM fact_attestation f JOIN asked_row r ON r.trial = f.trial AND r.criterion = f.criterion
            WHERE f.date_from IS NULL OR f.date_from <= {iso_date(self.options.on)}
            QUALIFY f.date_to IS NULL OR f.date_to >= coalesce(
                max(f.date_from) OVER (PARTITION BY f.patient, r.place), DATE '0001-01-01'))
        SELECT number, {columns} FROM counting GROUP BY number"""


def _word(word: str) -> exp.Expr:
    """A status or verdict: of the type that has only those, compared and stored as one byte."""
    return exp.func("word", exp.Literal.string(word))


def status_columns(columns: TrialColumns) -> StatusColumns:
    """The columns of a trial that every engine fills."""
    rows = {row: named.status for row, named in columns.rows.items()}
    return StatusColumns(rows, columns.verdict, columns.unknown)


def load_judged(
    connection: duckdb.DuckDBPyConnection,
    patients: Sequence[str],
    trials: Sequence[Trial],
    columns: Mapping[str, StatusColumns],
    found: Mapping[tuple[str, str], Mapping[str, RowStatus]],
) -> None:
    """`PERSON` and `JUDGED` from what another engine says, by patient and trial."""
    load_rows(connection, PERSON, {"number": "whole", "patient": "text"}, list(enumerate(patients)))
    kinds = {"number": "whole"}
    for trial in trials:
        kinds |= dict.fromkeys(columns[trial.id].rows.values(), "text")
        kinds |= {columns[trial.id].verdict: "text", columns[trial.id].unknown: "whole"}
    rows = [
        (number, *(value for trial in trials for value in _values(trial, columns[trial.id], found[patient, trial.id])))
        for number, patient in enumerate(patients)
    ]
    load_rows(connection, JUDGED, kinds, rows)


def _values(trial: Trial, columns: StatusColumns, found: Mapping[str, RowStatus]) -> Iterable[str | int]:
    status = statuses(trial, found)
    yield from (status[row] for row in columns.rows)
    yield overall(trial, status)
    yield list(status.values()).count("unknown")


def iso_date(day: dt.date) -> str:
    """The day as an SQL literal."""
    return f"DATE {text(day.isoformat())}"
