"""The first day on which a patient would be eligible, for all patients of a chunk at once.

It is the day that `screen` finds for each of them (`timeline.py`): features are probed on a grid of days and, between
two days on which a comparison differs, ever more finely. Here the database probes, for all patients and days of a round
together; top-level rows are followed one after the other, those first that need the fewest features, and a patient
leaves as soon as there is no day on which all rows followed so far pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sle_kg.cohort.judge import SAID, iso_date
from sle_kg.cohort.patterns import WAITING, Patterns, truth_digit
from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import RuleSet
from sle_kg.features import QUERIES, batches
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import COMPLETE, FEATURE_COLUMNS, feature_references, load_references
from sle_kg.features.query import by_patient
from sle_kg.features.sql import text
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import Plan, comparison, compile_plan
from sle_kg.timeline import GRID, HORIZON, PARTS, RISING, RUNNING_OUT, Case, changing_leaves, leaves_of, only_rising

if TYPE_CHECKING:
    import duckdb

FIRST_DAY = "first_day"
"""First days of eligibility of patients who are not eligible: `number`, `trial`, `day`."""
MOST_PROBED = 500_000
"""Probes (a patient, a feature, a day) computed together."""

_ANCHORS = "anchor_today"
"""The table `anchor` as it was made for the screening date."""
_ALIVE = "alive"
"""Intervals of days on which all rows followed so far pass: `number`, `first`, `last`."""
_KNOWN = "known_day"
"""The features probed: `number`, `feature`, `day`, `low`, `high`, and the truths of the leaves that compare them."""


class FirstDays:
    """The search for one trial."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns, self.rules, self.trial = patterns, patterns.rules, patterns.trial
        options = patterns.judge.options
        self.on = iso_date(options.on)
        self.options = FeatureOptions(frozenset(options.complete), options.windows)
        self.features: list[Feature] = self.trial.features()
        self.number = {feature.slug: number for number, feature in enumerate(self.features)}
        blank = Case(0, self.rules, {}, {})
        self._changing = {
            top: changing_leaves(blank, [top], True) for top in patterns.tops if top not in patterns.still
        }
        self._plans: dict[str | None, Plan] = {}
        compared = leaves_of(self.rules, patterns.tops)
        self._leaves = {
            feature.slug: [leaf for leaf in compared if leaf.feature == feature] for feature in self.features
        }

    def tell(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Add to `FIRST_DAY` the patients of `WAITING` for whom there is such a day; `trial` is the place of the trial.

        The connection is that of a chunk: fact and reference tables, `anchor` of the screening date, `WIDE`, `SAID`.
        """
        connection.execute(
            f"CREATE OR REPLACE TABLE {_ALIVE} AS SELECT number, 0 AS first, {HORIZON} AS last FROM {WAITING}"
        )
        if not _any(connection, _ALIVE):
            return
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_ANCHORS} AS FROM anchor")
        self._prepare(connection)
        followed: set[str] = set()
        for top in self._cheapest_first():
            features = {leaf.feature for leaf in self._changing[top] if leaf.feature.slug not in followed}
            self._follow(connection, sorted(features, key=lambda feature: feature.slug))
            followed |= {feature.slug for feature in features}
            self._keep_passing(connection, top)
            if not _any(connection, _ALIVE):
                return
        self._confirm(connection, trial)

    def _cheapest_first(self) -> list[str]:
        """The top-level rows that time can change, those first whose course is found with the fewest probes."""
        leaves = self._changing
        return sorted(
            leaves, key=lambda top: (not only_rising(leaves[top]), len({leaf.feature for leaf in leaves[top]}))
        )

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The features of the trial as reference tables; the events as they are on the screening date."""
        load_references(connection, feature_references({one: [self.trial.id] for one in self.features}, self.options))
        trials = list(self.patterns.judge.wanted)
        connection.execute(
            f"""CREATE OR REPLACE TABLE event_today AS
            SELECT number, anchor, first, last, record, record IS NULL OR first > {self.on} AS moves
            FROM (SELECT ask // {len(trials)} AS number, * FROM {_ANCHORS}
                  WHERE ask % {len(trials)} = {trials.index(self.trial.id)} AND anchor <> 'screening');
            CREATE OR REPLACE TABLE {_KNOWN}(number BIGINT, feature INTEGER, day INTEGER, low DECIMAL(38, 12),
                                             high DECIMAL(38, 12), truths VARCHAR)"""
        )

    # ── The course of features ───────────────────────────────────────────────────────────────────────────

    def _follow(self, connection: duckdb.DuckDBPyConnection, features: Sequence[Feature]) -> None:
        """Find every day on which a comparison of these features changes, for the patients alive."""
        if not features:
            return
        first = []
        for feature in features:
            self._know_today(connection, feature)
            rises = feature.kind in RISING
            days = f"[{HORIZON}]" if rises else f"list_append(range({GRID}, {HORIZON}, {GRID}), {HORIZON})"
            number = self.number[feature.slug]
            first.append(f"SELECT number, feature, unnest({days}) AS day FROM {_KNOWN} WHERE feature = {number}")
        query = " UNION ALL ".join(first)
        while self._probe(connection, features, query):
            query = f"""
            WITH gap AS (
                SELECT number, feature, day AS before, lead(day) OVER course AS after,
                       truths <> lead(truths) OVER course AS differ
                FROM {_KNOWN} WHERE feature IN ({self._numbers(features)})
                WINDOW course AS (PARTITION BY number, feature ORDER BY day)),
            part AS (SELECT *, (after - before + {PARTS - 1}) // {PARTS} AS step FROM gap
                     WHERE differ AND after - before > 1)
            SELECT number, feature, unnest(range(before + step, after, step)) AS day FROM part"""

    def _know_today(self, connection: duckdb.DuckDBPyConnection, feature: Feature) -> None:
        """Day 0 of a feature, for the patients alive of whom time can change it."""
        low, high = self.patterns.judge.columns.bounds(self.trial.id, feature.slug)
        leaves = self._leaves[feature.slug]
        changes = "true"
        if feature.kind in RUNNING_OUT and all(leaf.operator in (">=", ">") for leaf in leaves):
            changes = " OR ".join(f"coalesce({comparison(('low', 'high'), leaf)}, true)" for leaf in leaves)
        connection.execute(
            f"""INSERT INTO {_KNOWN}
            SELECT number, {self.number[feature.slug]}, 0, low, high, {_truths(leaves)}
            FROM (SELECT number, {low} AS low, {high} AS high FROM {WIDE} SEMI JOIN {_ALIVE} USING (number)) today
            WHERE {changes}"""
        )

    def _probe(self, connection: duckdb.DuckDBPyConnection, features: Sequence[Feature], query: str) -> bool:
        """Compute what a query asks for (number, feature, day) into `known_day`; false where it asks nothing."""
        connection.execute(
            f"CREATE OR REPLACE TABLE asked_probe AS SELECT *, row_number() OVER () AS place FROM ({query})"
        )
        (count,) = connection.execute("SELECT count(*) FROM asked_probe").fetchall()[0]
        for start in range(0, count, MOST_PROBED):
            connection.execute(
                f"""CREATE OR REPLACE TABLE probe AS
                SELECT number, feature, CAST(day AS INTEGER) AS day FROM asked_probe
                WHERE place > {start} AND place <= {start + MOST_PROBED}"""
            )
            self._compute(connection)
            known = " ".join(
                f"WHEN {self.number[feature.slug]} THEN {_truths(self._leaves[feature.slug])}" for feature in features
            )
            connection.execute(
                f"""INSERT INTO {_KNOWN} SELECT number, feature, day, low, high, CASE feature {known} END
                FROM probe LEFT JOIN found USING (number, feature, day)"""
            )
        return bool(count)

    def _compute(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`found`: the bounds of what `probe` asks for (number, feature, day), results taken as repeated that day."""
        connection.execute(
            f"""CREATE OR REPLACE TABLE ask AS
            SELECT row_number() OVER () - 1 AS ask, number AS patient, {text(self.trial.id)} AS trial,
                   {self.on} + day AS on_date, {self.on} AS base, {self.on} AS complete_until, day AS shift
            FROM (SELECT DISTINCT number, day FROM probe);
            CREATE OR REPLACE TABLE anchor AS
            SELECT ask, 'screening' AS anchor, on_date AS first, on_date AS last, CAST(NULL AS VARCHAR) AS record
            FROM ask
            UNION ALL
            SELECT k.ask, e.anchor, {_moved("e.first")}, {_moved("e.last")}, e.record
            FROM ask k JOIN event_today e ON e.number = k.patient;
            CREATE OR REPLACE TABLE complete AS {COMPLETE};
            CREATE OR REPLACE TABLE found(number BIGINT, feature INTEGER, day INTEGER, low DECIMAL(38, 12),
                                          high DECIMAL(38, 12))"""
        )
        count = len(self.features)
        wanted = {number for (number,) in connection.execute("SELECT DISTINCT feature FROM probe").fetchall()}
        parameters = ", ".join(f"f.{name}" for name in FEATURE_COLUMNS if name != "trials")
        for batch in batches(self.features):
            asked = [number for number in batch if number in wanted]
            if not asked:
                continue
            connection.execute(
                f"""CREATE OR REPLACE TEMP TABLE a AS
                SELECT k.ask * {count} + f.feature AS ask, k.ask AS of, k.patient, k.trial, k.on_date, k.base, k.shift,
                       {parameters}
                FROM probe p JOIN ask k ON k.patient = p.number AND k.shift = p.day JOIN wanted f USING (feature)
                WHERE f.feature IN ({", ".join(map(str, asked))})"""
            )
            query = QUERIES[self.features[asked[0]].kind](self.features[asked[0]], self.options)
            query = by_patient(query) if isinstance(query, str) else query.by_ask()
            connection.execute(
                f"""INSERT INTO found
                SELECT k.patient, q.feature, k.shift, lower, upper
                FROM (SELECT ask // {count} AS of, ask % {count} AS feature, lower, upper FROM ({query})) q
                JOIN ask k ON k.ask = q.of"""
            )

    # ── The course of rows ───────────────────────────────────────────────────────────────────────────────

    def _keep_passing(self, connection: duckdb.DuckDBPyConnection, top: str) -> None:
        """Cut `alive` down to the days on which a top-level row passes as well."""
        plan, rules = self._plan(top)
        columns = plan.trials[self.trial.id].rows[top]
        changing = sorted({self.number[leaf.feature.slug] for leaf in self._changing[top]})
        moved = ", ".join(
            f"arg_max({{'low': low, 'high': high}}, k.day) FILTER (WHERE feature = {number}) AS b{number}"
            for number in changing
        )
        bounds = ", ".join(
            f"CASE WHEN b{number} IS NULL THEN {was} ELSE b{number}.{side} END AS b{number}_{side}"
            if number in changing
            else f"{was} AS b{number}_{side}"
            for number, side, was in self._columns(rules)
        )
        connection.execute(
            f"""CREATE OR REPLACE TABLE passing AS
            WITH turn AS (
                SELECT number, feature, day, low, high,
                       truths <> lag(truths) OVER (PARTITION BY number, feature ORDER BY day) AS turns
                FROM {_KNOWN} SEMI JOIN {_ALIVE} USING (number) WHERE feature IN ({", ".join(map(str, changing))})),
            changed AS (SELECT number, feature, day, low, high FROM turn WHERE turns),
            day AS (SELECT DISTINCT number, day FROM changed UNION SELECT DISTINCT number, 0 FROM {_ALIVE}),
            later AS (
                SELECT d.number, d.day, {moved} FROM day d LEFT JOIN changed k ON k.number = d.number AND k.day <= d.day
                GROUP BY d.number, d.day),
            asked AS (SELECT number, day, {bounds}, {self._said(rules)}
                      FROM later JOIN {WIDE} USING (number) LEFT JOIN {SAID} USING (number)),
            judged_then AS ({plan.sql()})
            SELECT number, first, last FROM (
                SELECT number, day AS first, {columns.status} AS status,
                       coalesce(lead(day) OVER (PARTITION BY number ORDER BY day) - 1, {HORIZON}) AS last
                FROM judged_then)
            WHERE status IN ('pass', 'not-applicable');
            CREATE OR REPLACE TABLE {_ALIVE} AS
            SELECT number, greatest(a.first, p.first) AS first, least(a.last, p.last) AS last
            FROM {_ALIVE} a JOIN passing p USING (number) WHERE a.first <= p.last AND p.first <= a.last"""
        )

    def _confirm(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Judge everybody alive on his first day by the whole trial: a day that is not confirmed is not given."""
        connection.execute(
            f"""CREATE OR REPLACE TABLE probe AS
            SELECT number, feature, day
            FROM (SELECT number, CAST(min(first) AS INTEGER) AS day FROM {_ALIVE} GROUP BY number)
            CROSS JOIN (SELECT unnest(range({len(self.features)})) AS feature)"""
        )
        self._compute(connection)
        plan, rules = self._plan(None)
        bounds = ", ".join(
            f"max({side}) FILTER (WHERE feature = {number}) AS b{number}_{side}"
            for number, side, _ in self._columns(rules)
        )
        connection.execute(
            f"""INSERT INTO {FIRST_DAY}
            WITH later AS (SELECT number, day, {bounds} FROM probe LEFT JOIN found USING (number, feature, day)
                           GROUP BY number, day),
            asked AS (SELECT later.*, {self._said(rules)} FROM later LEFT JOIN {SAID} USING (number)),
            judged_then AS ({plan.sql()})
            SELECT number, {trial}, {self.on} + day FROM judged_then
            WHERE {plan.trials[self.trial.id].verdict} = 'eligible' ORDER BY number"""
        )

    def _plan(self, top: str | None) -> tuple[Plan, RuleSet]:
        """The plan of one top-level row and what it depends on, or of the whole trial, over the columns of `asked`."""
        rules = self.rules if top is None else _part(self.rules, self.patterns.reached[top])
        if top not in self._plans:
            self._plans[top] = compile_plan(
                [rules], "asked", ["number", "day"], self._bounds, self.patterns.judge.said_columns
            )
        return self._plans[top], rules

    def _bounds(self, trial: str, slug: str) -> tuple[str, str]:
        return f"b{self.number[slug]}_low", f"b{self.number[slug]}_high"

    def _columns(self, rules: RuleSet) -> list[tuple[int, str, str]]:
        """Number of each feature of some rules, side, and the column of its bound on the screening date."""
        needed = sorted({leaf.feature.slug for leaf in leaves_of(rules, list(rules.conditions))})
        return [
            (self.number[slug], side, column)
            for slug in needed
            for side, column in zip(
                ("low", "high"), self.patterns.judge.columns.bounds(self.trial.id, slug), strict=True
            )
        ]

    def _said(self, rules: RuleSet) -> str:
        """SQL: the attestations of the rows, false where there are none."""
        names = [name for row in rules.conditions for name in self.patterns.judge.said_columns(self.trial.id, row)]
        return ", ".join(f"coalesce({name}, false) AS {name}" for name in names)

    def _numbers(self, features: Iterable[Feature]) -> str:
        return ", ".join(str(self.number[feature.slug]) for feature in features)


def _part(rules: RuleSet, rows: Iterable[str]) -> RuleSet:
    """The rules of some rows of a trial only."""
    kept = set(rows)
    return RuleSet(
        replace(rules.trial, criteria=tuple(row for row in rules.trial.criteria if row.id in kept)),
        tuple(row for row in rules.order if row.id in kept),
        {row: condition for row, condition in rules.conditions.items() if row in kept},
        {row: condition for row, condition in rules.not_applicable.items() if row in kept},
    )


def _truths(leaves: Sequence[Leaf]) -> str:
    """SQL: the truths of the leaves of one feature, whose bounds are in the columns `low` and `high`, as text."""
    digits = [truth_digit(f"({comparison(('low', 'high'), leaf)})") for leaf in leaves]
    return f"concat({', '.join(digits)})"


def _moved(day: str) -> str:
    """SQL: an event's day as it is when the date judged moves, at most the last day of the calendar."""
    return f"CASE WHEN e.moves THEN {day} + CAST(least(k.shift, DATE '9999-12-31' - {day}) AS INTEGER) ELSE {day} END"


def _any(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether a table has rows."""
    return bool(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall())
