"""The first day on which a patient would be eligible, for all who wait at once.

It is the day that `screen` finds for each of them (`timeline.py`): features are probed on a grid of days and, between
two days on which a comparison differs, ever more finely. Here the database probes, for all patients and days of a round
together, and only what time can change: a patient without facts about a feature keeps its bounds, and one whom not even
the best of all changes would let in (`hope.py`) is not followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sle_kg.cohort.hope import hopeful, may_change
from sle_kg.cohort.judge import SAID, iso_date
from sle_kg.cohort.patterns import WAITING, Patterns, truth_digit
from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import RuleSet
from sle_kg.features import QUERIES, batches
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.database import COMPLETE, FEATURE_COLUMNS, feature_references, load_references
from sle_kg.features.presence import anchored
from sle_kg.features.query import by_patient
from sle_kg.features.sql import text
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import Pair, comparison, compile_plan
from sle_kg.timeline import GRID, HORIZON, PARTS, RISING, RUNNING_OUT, Case, changing_leaves

if TYPE_CHECKING:
    import duckdb

FIRST_DAY = "first_day"
"""First days of eligibility of patients who are not eligible: `number`, `trial`, `day`."""
MOST_PROBED = 500_000
"""Probes (a patient, a feature, a day) computed together."""
OF_CODES = frozenset(
    {
        "CumulativeDoseCondition",
        "DailyDoseCondition",
        "DiagnosisCondition",
        "DoseDurationCondition",
        "ExposureCondition",
        "HighestDoseCondition",
        "ImmunizationCondition",
        "ProcedureCondition",
        "RenalWorseningCondition",
        "TreatmentDurationCondition",
        "WashoutCondition",
    }
)
"""Leaf classes about facts with a code of their `valueSet`: of a patient without such facts their bounds never change,
unless an event moves them."""
LEAVING = frozenset(
    {"DiagnosisCondition", "ExposureCondition", "ImmunizationCondition", "ProcedureCondition", "WashoutCondition"}
)
"""Leaf classes whose value only falls with time, unless an event moves them: facts leave their window, none enters it.
Where such a leaf is today what it is at the end, it never changes."""

_ANCHORS = "anchor_today"
"""The table `anchor` as it was made for the screening date."""
_ALIVE = "alive"
"""Those for whom there may be a day: `number`."""
_KNOWN = "known_day"
"""The features probed: `number`, `feature`, `day`, `low`, `high`, and the truths of the leaves that compare them.

On day 0, the screening date, these are the features that time may change, for the patients of whom it may.
"""


class FirstDays:
    """The search for one trial."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns, self.rules, self.trial = patterns, patterns.rules, patterns.trial
        judge = patterns.judge
        self.on = iso_date(judge.options.on)
        self.options = FeatureOptions(frozenset(judge.options.complete), judge.options.windows)
        self.features: list[Feature] = self.trial.features()
        self.number = {feature.slug: number for number, feature in enumerate(self.features)}
        compared = self.rules.leaves(self.rules.reached(patterns.tops))
        self._leaves = {
            feature.slug: [leaf for leaf in compared if leaf.feature == feature] for feature in self.features
        }
        self._may = {may_change(one).slug: f"may{number}" for number, one in enumerate(self.features)}
        changing = {leaf.feature for leaf in changing_leaves(Case(0, self.rules, {}, {}), patterns.tops, True)}
        self._changing = [feature for feature in self.features if feature in changing]
        self._judged_then = self._eligible(self.rules)
        best = hopeful(self.rules, lambda leaf: leaf.feature in changing)
        self._at_best = None if best is None else self._eligible(best)

    def tell(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Add to `FIRST_DAY` the patients of `WAITING` for whom there is such a day; `trial` is the place of the trial.

        The connection has their fact tables, reference tables, `anchor` of the screening date, `WIDE` and `SAID`.
        """
        connection.execute(f"CREATE OR REPLACE TABLE {_ALIVE} AS SELECT number FROM {WAITING} WHERE trial = {trial}")
        if not self._changing or not _any(connection, _ALIVE):
            return
        self._prepare(connection)
        self._know_today(connection)
        self._keep_hopeful(connection)
        for features, days in self._stages():
            self._probe(connection, self._first(features, days))
            self._forget_unchanged(connection, features)
            self._keep_hopeful(connection)
        if _any(connection, _ALIVE):
            self._follow(connection)
            self._confirm(connection, trial)

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The features of the trial as reference tables; the events as they are on the screening date."""
        load_references(connection, feature_references({one: [self.trial.id] for one in self.features}, self.options))
        trials = list(self.patterns.judge.wanted)
        connection.execute(
            f"""CREATE TABLE IF NOT EXISTS {_ANCHORS} AS FROM anchor;
            CREATE OR REPLACE TABLE event_today AS
            SELECT number, anchor, first, last, record, record IS NULL OR first > {self.on} AS moves
            FROM (SELECT ask // {len(trials)} AS number, * FROM {_ANCHORS}
                  WHERE ask % {len(trials)} = {trials.index(self.trial.id)} AND anchor <> 'screening')"""
        )

    def _eligible(self, rules: RuleSet) -> str:
        """SELECT of those of the table `asked` who are eligible by some rules: `number`, `day`."""
        plan = compile_plan([rules], "asked", ["number", "day"], self._bounds, self.patterns.judge.said)
        return f"SELECT number, day FROM ({plan.sql()}) WHERE {plan.trials[rules.trial.id].verdict} = 'eligible'"

    # ── Whom to follow ───────────────────────────────────────────────────────────────────────────────────

    def _know_today(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`_KNOWN` on day 0: the features of those alive that time may change."""
        columns = self.patterns.judge.columns
        parts = []
        for feature in self._changing:
            low, high = columns.bounds(self.trial.id, feature.slug)
            parts.append(
                f"""SELECT number, {self.number[feature.slug]} AS feature, CAST(low AS DECIMAL(38, 12)) AS low,
                       CAST(high AS DECIMAL(38, 12)) AS high, {_truths(self._leaves[feature.slug])} AS truths
                FROM (SELECT number, {low} AS low, {high} AS high FROM {WIDE} SEMI JOIN {_ALIVE} USING (number)) w
                WHERE {self._changes(feature)}"""
            )
        coded = [one for one in self._changing if one.kind in OF_CODES and not anchored(one)]
        connection.execute(
            f"""CREATE OR REPLACE TABLE {_KNOWN} AS
            WITH fact AS ({" UNION ALL ".join(f"SELECT patient, concept FROM fact_{name}" for name in _CODED)}),
            concerned AS (
                SELECT DISTINCT f.patient AS number, s.feature
                FROM fact f JOIN membership m ON m.concept = f.concept
                JOIN wanted_set s ON s.value_set = m.value_set AND s.parameter = 'valueSet')
            SELECT number, feature, 0 AS day, low, high, truths FROM ({" UNION ALL ".join(parts)}) today
            WHERE CASE WHEN feature IN ({self._numbers(coded)}) THEN (number, feature) IN (FROM concerned)
                       ELSE true END"""
        )

    def _changes(self, feature: Feature) -> str:
        """SQL over `low` and `high` of today: whether time may change what is compared with a feature."""
        leaves = self._leaves[feature.slug]
        if feature.kind in RUNNING_OUT and all(leaf.operator in (">=", ">") for leaf in leaves):
            return " OR ".join(f"coalesce({comparison(('low', 'high'), leaf)}, true)" for leaf in leaves)
        return "true"

    def _keep_hopeful(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Cut those alive down to whom the best of all changes would let in."""
        if self._at_best is None:
            return
        may = ", ".join(
            f"CASE WHEN bool_or(feature = {number}) THEN 1 ELSE 0 END AS may{number}"
            for number in map(self._number, self._changing)
        )
        bounds = ", ".join(f"{was} AS b{number}_{side}" for number, side, was in self._columns())
        connection.execute(
            f"""CREATE OR REPLACE TABLE {_ALIVE} AS
            WITH may AS (SELECT number, {may} FROM {_KNOWN} GROUP BY number),
            asked AS (SELECT may.*, 0 AS day, {bounds}, {self._said()}
                      FROM may JOIN {WIDE} USING (number) LEFT JOIN {SAID} USING (number))
            SELECT number FROM ({self._at_best});
            DELETE FROM {_KNOWN} WHERE number NOT IN (FROM {_ALIVE})"""
        )

    # ── The course of features ───────────────────────────────────────────────────────────────────────────

    def _stages(self) -> list[tuple[list[Feature], str]]:
        """What is probed first, with the days (SQL): what only rises or falls at the end, then the rest on the grid."""
        steady = [one for one in self._changing if one.kind in RISING or (one.kind in LEAVING and not anchored(one))]
        others = [one for one in self._changing if one not in steady]
        return [(steady, f"[{HORIZON}]"), (others, f"list_append(range({GRID}, {HORIZON}, {GRID}), {HORIZON})")]

    def _first(self, features: Sequence[Feature], days: str) -> str:
        """SELECT of the first probes of some features."""
        return f"""SELECT number, feature, unnest({days}) AS day FROM {_KNOWN}
            WHERE feature IN ({self._numbers(features)})"""

    def _forget_unchanged(self, connection: duckdb.DuckDBPyConnection, features: Sequence[Feature]) -> None:
        """Drop from `_KNOWN` the features of which no comparison is other than today on any day probed."""
        connection.execute(
            f"""DELETE FROM {_KNOWN} WHERE (number, feature) IN (
                SELECT (number, feature) FROM {_KNOWN} WHERE feature IN ({self._numbers(features)})
                GROUP BY number, feature HAVING count(DISTINCT truths) = 1)"""
        )

    def _follow(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Find every day on which a comparison changes, for the patients alive."""
        query = f"""
            WITH gap AS (
                SELECT number, feature, day AS before, lead(day) OVER course AS after,
                       truths <> lead(truths) OVER course AS differ
                FROM {_KNOWN} WINDOW course AS (PARTITION BY number, feature ORDER BY day)),
            part AS (SELECT *, (after - before + {PARTS - 1}) // {PARTS} AS step FROM gap
                     WHERE differ AND after - before > 1)
            SELECT number, feature, unnest(range(before + step, after, step)) AS day FROM part"""
        while self._probe(connection, query):
            pass

    def _probe(self, connection: duckdb.DuckDBPyConnection, query: str) -> bool:
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
                f"WHEN {self._number(feature)} THEN {_truths(self._leaves[feature.slug])}" for feature in self._changing
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

    # ── The day ──────────────────────────────────────────────────────────────────────────────────────────

    def _confirm(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """The first day on which all rows pass, judged again by all features: one not confirmed is not given."""
        self._find(connection)
        connection.execute(
            f"""CREATE OR REPLACE TABLE probe AS
            SELECT number, feature, day FROM found_day
            CROSS JOIN (SELECT unnest(range({len(self.features)})) AS feature)"""
        )
        if not _any(connection, "probe"):
            return
        self._compute(connection)
        bounds = ", ".join(
            f"max({side}) FILTER (WHERE feature = {number}) AS b{number}_{side}" for number, side, _ in self._columns()
        )
        connection.execute(
            f"""INSERT INTO {FIRST_DAY}
            WITH later AS (SELECT number, day, {bounds} FROM probe LEFT JOIN found USING (number, feature, day)
                           GROUP BY number, day),
            asked AS (SELECT later.*, {self._said()} FROM later LEFT JOIN {SAID} USING (number))
            SELECT number, {trial}, {self.on} + day FROM ({self._judged_then}) ORDER BY number"""
        )

    def _find(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`found_day`: the first day on which all rows pass, by the days on which comparisons change."""
        numbers = list(map(self._number, self._changing))
        moved = ", ".join(
            f"arg_max({{'low': low, 'high': high}}, k.day) FILTER (WHERE feature = {number}) AS b{number}"
            for number in numbers
        )
        bounds = ", ".join(
            f"CASE WHEN b{number} IS NULL THEN {was} ELSE b{number}.{side} END AS b{number}_{side}"
            if number in numbers
            else f"{was} AS b{number}_{side}"
            for number, side, was in self._columns()
        )
        connection.execute(
            f"""CREATE OR REPLACE TABLE found_day AS
            WITH turn AS (
                SELECT number, feature, day, low, high,
                       truths <> lag(truths) OVER (PARTITION BY number, feature ORDER BY day) AS turns FROM {_KNOWN}),
            changed AS (SELECT number, feature, day, low, high FROM turn WHERE turns),
            day AS (SELECT DISTINCT number, day FROM changed),
            later AS (SELECT d.number, d.day, {moved}
                      FROM day d JOIN changed k ON k.number = d.number AND k.day <= d.day GROUP BY d.number, d.day),
            asked AS (SELECT number, day, {bounds}, {self._said()}
                      FROM later JOIN {WIDE} USING (number) LEFT JOIN {SAID} USING (number))
            SELECT number, min(day) AS day FROM ({self._judged_then}) GROUP BY number"""
        )

    def _bounds(self, trial: str, slug: str) -> Pair:
        if slug in self._may:
            return self._may[slug], self._may[slug]
        return f"b{self.number[slug]}_low", f"b{self.number[slug]}_high"

    def _columns(self) -> list[tuple[int, str, str]]:
        """Number of each feature, side, and the column of its bound on the screening date."""
        return [
            (self.number[slug], side, column)
            for slug in self._leaves
            for side, column in zip(
                ("low", "high"), self.patterns.judge.columns.bounds(self.trial.id, slug), strict=True
            )
        ]

    def _said(self) -> str:
        """SQL: the columns of attestations."""
        return ", ".join(self.patterns.judge.said_bits)

    def _number(self, feature: Feature) -> int:
        return self.number[feature.slug]

    def _numbers(self, features: Sequence[Feature]) -> str:
        return ", ".join(str(self._number(feature)) for feature in features) or "NULL"


_CODED = ("exposure", "condition", "procedure", "immunization")
"""Fact tables of what `OF_CODES` asks about."""


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
