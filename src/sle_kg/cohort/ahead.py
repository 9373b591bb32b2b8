"""The first day on which a patient would be eligible, for all who wait at once.

It is the day that `screen` finds for each of them (`timeline.py`): features are probed on a grid of days and, between
two days on which a comparison differs, ever more finely. Here the database probes, for all patients, trials and days of
a round together, and only what time can change: a patient without facts about a feature keeps its bounds, and one whom
not even the best of all changes would let in (`hope.py`) is not followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sle_kg.cohort.hope import hopeful, may_change
from sle_kg.cohort.judge import SAID, SqlJudge, iso_date
from sle_kg.cohort.probes import FOUND, NO_EVENTS, PROBE, Parsed, Probes
from sle_kg.cohort.top_rows import WAITING, TopRows, part
from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import RuleSet
from sle_kg.features.database import load_rows
from sle_kg.features.presence import anchored
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import Pair, comparison, compile_plan, leaf_key
from sle_kg.timeline import GRID, HORIZON, PARTS, RISING, RUNNING_OUT, Case, changing_leaves

if TYPE_CHECKING:
    import duckdb

FIRST_DAY = "first_day"
"""First days of eligibility of patients who are not eligible: `number`, `trial`, `day`."""
MOST_PROBED = 100_000
"""Probes (a patient, a feature, a day) computed together; whom they leave no hope is asked no more."""
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

_ALIVE = "alive"
"""Those for whom there may be a day: `number`, `trial` (its place)."""
_ASKED_BY = "asked_by"
"""The features of the trials: `trial` (its place), `feature`, `events` that move it, and whether time `changes` it."""
_KNOWN = "known_day"
"""The features probed: `number`, `events`, `feature`, `day`, `low`, `high`, and the truths of the leaves that compare
them.

On day 0, the screening date, these are the features that time may change, for the patients of whom it may.
"""
_DAY = "found_day"
"""The first days on which all rows pass, before they are confirmed: `number`, `trial` (its place), `day`."""


class FirstDays:
    """The search for all trials; the places of `top_rows` are those of their trials. One thread searches at a time."""

    def __init__(self, judge: SqlJudge, top_rows: Sequence[TopRows]) -> None:
        self.judge, self._parsed = judge, Parsed()
        self.probes = Probes(judge, self._parsed)
        self.trials = [_TrialAhead(one, place, self.probes) for place, one in enumerate(top_rows)]
        changing = {feature for trial in self.trials for feature in trial.changing}
        self._changing = [feature for feature in self.probes.features if feature in changing]
        self._on = iso_date(judge.options.on)

    @property
    def bounds(self) -> list[str]:
        """The columns of `WIDE` that are read."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.bounds))

    def tell(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add to `FIRST_DAY` the patients of `WAITING` for whom there is such a day.

        The connection has their fact tables, reference tables, `anchor` of the screening date, `WIDE` and `SAID`.
        """
        columns = {"trial": "whole", "feature": "whole", "events": "whole", "changes": "flag"}
        load_rows(connection, _ASKED_BY, columns, [row for trial in self.trials for row in trial.asked()])
        connection.execute(
            f"""CREATE TABLE {_ALIVE} AS
            SELECT number, trial FROM {WAITING} SEMI JOIN (FROM {_ASKED_BY} WHERE changes) USING (trial)"""
        )
        if not self._changing or not connection.execute(f"FROM {_ALIVE} LIMIT 1").fetchall():
            return
        self.probes.prepare(connection, _ALIVE)
        self._know_today(connection)
        self._keep_hopeful(connection, set(map(self._number, self._changing)))
        for features, days in self._stages():
            while probed := self._probe(connection, self._first(features, days)):
                self._forget_unchanged(connection)
                self._keep_hopeful(connection, probed)
        while self._probe(connection, _BETWEEN):
            pass
        self._confirm(connection)

    # ── Whom to follow ───────────────────────────────────────────────────────────────────────────────────

    def _know_today(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`_KNOWN` on day 0: the features of those alive that time may change."""
        coded = (one for one in self._changing if one.kind in OF_CODES and not anchored(one))
        numbers = _numbers(map(self._number, coded))
        self._parsed.run(
            connection,
            f"""CREATE TABLE {_KNOWN} AS
            WITH fact AS ({" UNION ALL ".join(f"SELECT patient, concept FROM fact_{name}" for name in FACTS_OF_CODES)}),
            asking AS (
                SELECT DISTINCT m.concept, s.feature FROM membership m JOIN wanted_set s ON s.value_set = m.value_set
                WHERE s.parameter = 'valueSet' AND s.feature IN ({numbers})),
            concerned AS (SELECT f.patient AS number, a.feature FROM fact f JOIN asking a ON a.concept = f.concept)
            SELECT DISTINCT number, events, feature, 0 AS day, low, high, truths
            FROM ({" UNION ALL ".join(self._today_of(trial) for trial in self.trials if trial.changing)}) today
            WHERE changes AND CASE WHEN feature IN ({numbers}) THEN (number, feature) IN (FROM concerned)
                                   ELSE true END""",
        )

    def _today_of(self, trial: _TrialAhead) -> str:
        """SELECT of the features of a trial that time changes, of those alive, and whether it `changes` each."""
        several: dict[str, list[str]] = {}
        for feature in trial.changing:
            low, high = trial.columns[feature]
            values = {
                "events": str(self.probes.events(feature, trial.place)),
                "feature": str(self._number(feature)),
                "low": f"CAST({low} AS DECIMAL(38, 12))",
                "high": f"CAST({high} AS DECIMAL(38, 12))",
                "truths": _truths(self._leaves(feature), (low, high)),
                "changes": self._changes(feature, (low, high)),
            }
            for name, value in values.items():
                several.setdefault(name, []).append(value)
        columns = ", ".join(f"unnest([{', '.join(values)}]) AS {name}" for name, values in several.items())
        return f"""SELECT number, {columns} FROM {WIDE}
            WHERE number IN (SELECT number FROM {_ALIVE} WHERE trial = {trial.place})"""

    def _changes(self, feature: Feature, today: Pair) -> str:
        """SQL over the bounds of today: whether time may change what is compared with a feature."""
        leaves = self._leaves(feature)
        if feature.kind in RUNNING_OUT and all(leaf.operator in (">=", ">") for leaf in leaves):
            return " OR ".join(f"coalesce({comparison(today, leaf)}, true)" for leaf in leaves)
        return "true"

    def _keep_hopeful(self, connection: duckdb.DuckDBPyConnection, news: set[int]) -> None:
        """Cut those alive down to whom the best of all changes would let in, where there is news of these features."""
        for trial in self.trials:
            if trial.hopeless is not None and news.intersection(map(self._number, trial.changing)):
                self._parsed.run(connection, trial.hopeless)
        connection.execute(
            f"""DELETE FROM {_KNOWN} WHERE (number, events, feature) NOT IN (
                SELECT (number, events, feature) FROM {_ALIVE} JOIN {_ASKED_BY} USING (trial))"""
        )

    # ── The course of features ───────────────────────────────────────────────────────────────────────────

    def _stages(self) -> list[tuple[list[Feature], list[int]]]:
        """What is probed first, on which days: what only rises or falls at the end, then the rest on the grid."""
        steady = [one for one in self._changing if one.kind in RISING or (one.kind in LEAVING and not anchored(one))]
        others = [one for one in self._changing if one not in steady]
        return [(steady, [HORIZON]), (others, [*range(GRID, HORIZON, GRID), HORIZON])]

    def _first(self, features: Sequence[Feature], days: Sequence[int]) -> str:
        """SELECT of the first probes of some features, those of the fewest patients first, no more than are allowed."""
        return f"""SELECT number, events, feature, unnest([{_numbers(days)}]) AS day FROM (
                SELECT number, events, feature, count(*) OVER (PARTITION BY feature) AS patients FROM {_KNOWN}
                WHERE feature IN ({_numbers(map(self._number, features))})
                GROUP BY number, events, feature HAVING max(day) = 0
                ORDER BY patients, feature, number, events LIMIT {MOST_PROBED // len(days)})"""

    def _forget_unchanged(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Drop from `_KNOWN` the features of which no comparison is other than today on any day probed."""
        connection.execute(
            f"""DELETE FROM {_KNOWN} WHERE (number, events, feature) IN (
                SELECT (number, events, feature) FROM {_KNOWN} GROUP BY number, events, feature
                HAVING max(day) > 0 AND min(truths) = max(truths))"""
        )

    def _probe(self, connection: duckdb.DuckDBPyConnection, query: str) -> set[int]:
        """Add to `_KNOWN` what a query asks for (number, events, feature, day); the features that it asks for."""
        probed = self.probes.compute(connection, query)
        if probed:
            truths = " ".join(
                f"WHEN {number} THEN {_truths(self._leaves(self.probes.features[number]))}" for number in sorted(probed)
            )
            connection.execute(
                f"""INSERT INTO {_KNOWN} SELECT number, events, feature, day, low, high, CASE feature {truths} END
                FROM {PROBE} LEFT JOIN {FOUND} USING (ask)"""
            )
        return probed

    # ── The day ──────────────────────────────────────────────────────────────────────────────────────────

    def _confirm(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The first day on which all rows pass, judged again by all features: one not confirmed is not given."""
        connection.execute(f"CREATE TABLE {_DAY}(number BIGINT, trial INTEGER, day INTEGER)")
        for place in _trials_of(connection, _ALIVE):
            self._parsed.run(connection, self.trials[place].find)
        asked = f"SELECT DISTINCT number, events, feature, day FROM {_DAY} JOIN {_ASKED_BY} USING (trial)"
        if self.probes.compute(connection, asked):
            for place in _trials_of(connection, _DAY):
                self._parsed.run(connection, self.trials[place].confirm(self._on))

    def _leaves(self, feature: Feature) -> list[Leaf]:
        """The leaves of all trials that compare a feature, each comparison once."""
        return list(
            {leaf_key(leaf): leaf for trial in self.trials for leaf in trial.compared.get(feature, [])}.values()
        )

    def _number(self, feature: Feature) -> int:
        return self.probes.number[feature]


class _TrialAhead:
    """What the search asks of one trial: its features, and its statements."""

    def __init__(self, top_rows: TopRows, place: int, probes: Probes) -> None:
        self.place, self._probes = place, probes
        rules, judge = top_rows.rules, top_rows.judge
        leaves = rules.leaves(rules.reached(top_rows.tops))
        self.compared = {
            one: [leaf for leaf in leaves if leaf.feature == one] for one in judge.wanted[top_rows.trial.id]
        }
        self.columns = {one: judge.columns.bounds(top_rows.trial.id, one.slug) for one in self.compared}
        changing = {leaf.feature for leaf in changing_leaves(Case(0, rules, {}, {}), top_rows.tops, True)}
        self.changing = [one for one in self.compared if one in changing]
        moving = rules.reached(top for top in top_rows.tops if top not in top_rows.still)
        moved = part(rules, moving, moving)  # whoever waits passes all that time never changes
        judged_by = {leaf.feature for leaf in moved.leaves(moving)}
        self._bounds = {one: pair for one, pair in self.columns.items() if one in judged_by}
        """Of features of rows that time may move the columns of `WIDE`."""
        self._said_bits = ", ".join(judge.said_bits)
        self._eligible = self._eligible_by(rules, judge)
        self.find = self._find(self._eligible_by(moved, judge))
        best = hopeful(moved, lambda leaf: leaf.feature in changing)
        self.hopeless = None if best is None else self._hopeless(self._eligible_by(best, judge))
        """Statement: takes from `_ALIVE` whom the best of all changes would not let in; None where that is unknown."""

    @property
    def bounds(self) -> list[str]:
        """The columns of `WIDE` by which rows are judged that time may move."""
        return [name for pair in self._bounds.values() for name in pair]

    def asked(self) -> list[tuple[int, int, int, bool]]:
        """The rows of `_ASKED_BY`."""
        return [
            (self.place, self._probes.number[one], self._probes.events(one, self.place), one in self.changing)
            for one in self.compared
        ]

    def _eligible_by(self, rules: RuleSet, judge: SqlJudge) -> str:
        """SELECT of those of the table `asked` who are eligible by some rules: `number`, `day`."""
        may = {may_change(one).slug: self._may(one) for one in self.changing}

        def bounds(trial: str, slug: str) -> Pair:
            return (may[slug], may[slug]) if slug in may else judge.columns.bounds(trial, slug)

        plan = compile_plan([rules], "asked", ["number", "day"], bounds, judge.said, rows=False)
        return f"SELECT number, day FROM ({plan.sql()}) WHERE {plan.trials[rules.trial.id].verdict} = 'eligible'"

    def _hopeless(self, eligible: str) -> str:
        may = ", ".join(
            f"CASE WHEN bool_or(feature = {self._probes.number[one]}) THEN 1 ELSE 0 END AS {self._may(one)}"
            for one in self.changing
        )
        bounds = ", ".join(self.bounds)
        return f"""DELETE FROM {_ALIVE} WHERE trial = {self.place} AND number NOT IN (
            WITH may AS (SELECT number, {may} FROM {self._known()} GROUP BY number),
            asked AS (SELECT may.*, 0 AS day, {bounds}, {self._said_bits}
                      FROM may JOIN {WIDE} USING (number) LEFT JOIN {SAID} USING (number))
            SELECT number FROM ({eligible}))"""

    def _known(self) -> str:
        """SQL: `_KNOWN` of the patients of the trial who are alive, and of its features."""
        features = _numbers(self._probes.number[one] for one in self.changing)
        return f"""(SELECT k.* FROM {_KNOWN} k SEMI JOIN (FROM {_ALIVE} WHERE trial = {self.place}) USING (number)
            WHERE feature IN ({features}) AND events IN ({NO_EVENTS}, {self.place}))"""

    def _find(self, eligible: str) -> str:
        """Statement: adds to `_DAY` the first day on which all rows pass, by the days on which comparisons change."""
        moved = ", ".join(
            f"arg_max({{'low': low, 'high': high}}, k.day) FILTER (WHERE feature = {self._probes.number[one]})"
            f" AS {self._moved(one)}"
            for one in self.changing
        )
        bounds = ", ".join(
            f"CASE WHEN {self._moved(one)} IS NULL THEN {was} ELSE {self._moved(one)}.{side} END AS {was}"
            if one in self.changing
            else was
            for one, pair in self._bounds.items()
            for side, was in zip(("low", "high"), pair, strict=True)
        )
        return f"""INSERT INTO {_DAY}
            WITH turn AS (
                SELECT number, feature, day, low, high,
                       truths <> lag(truths) OVER (PARTITION BY number, feature ORDER BY day) AS turns
                FROM {self._known()}),
            changed AS (SELECT number, feature, day, low, high FROM turn WHERE turns),
            day AS (SELECT DISTINCT number, day FROM changed),
            later AS (SELECT d.number, d.day, {moved}
                      FROM day d JOIN changed k ON k.number = d.number AND k.day <= d.day GROUP BY d.number, d.day),
            asked AS (SELECT number, day, {bounds}, {self._said_bits}
                      FROM later JOIN {WIDE} USING (number) LEFT JOIN {SAID} USING (number))
            SELECT number, {self.place}, min(day) FROM ({eligible}) GROUP BY number"""

    def confirm(self, on: str) -> str:
        """Statement: adds to `FIRST_DAY` the days of `_DAY` on which all rows pass by what was `FOUND` of them."""
        ordered = sorted(self.columns, key=lambda one: self._probes.number[one])
        bounds = ", ".join(
            f"{side}s[{place}] AS {name}"
            for place, one in enumerate(ordered, 1)
            for side, name in zip(("low", "high"), self.columns[one], strict=True)
        )
        return f"""INSERT INTO {FIRST_DAY}
            WITH later AS (
                SELECT d.number, d.day, list(f.low ORDER BY p.feature) AS lows, list(f.high ORDER BY p.feature) AS highs
                FROM {_DAY} d JOIN {PROBE} p ON p.number = d.number AND p.day = d.day
                JOIN {_ASKED_BY} a ON a.trial = d.trial AND a.feature = p.feature AND a.events = p.events
                LEFT JOIN {FOUND} f USING (ask)
                WHERE d.trial = {self.place} GROUP BY d.number, d.day),
            asked AS (SELECT number, day, {bounds}, {self._said_bits} FROM later LEFT JOIN {SAID} USING (number))
            SELECT number, {self.place}, {on} + day FROM ({self._eligible}) ORDER BY number"""

    def _may(self, feature: Feature) -> str:
        """The column of whether time may change a feature."""
        return f"may{self._probes.number[feature]}"

    def _moved(self, feature: Feature) -> str:
        """The column of what a feature is after the last change."""
        return f"moved{self._probes.number[feature]}"


_BETWEEN = f"""
    WITH gap AS (
        SELECT number, events, feature, day AS before, lead(day) OVER course AS after,
               truths <> lead(truths) OVER course AS differ
        FROM {_KNOWN} WINDOW course AS (PARTITION BY number, events, feature ORDER BY day)),
    part AS (SELECT *, (after - before + {PARTS - 1}) // {PARTS} AS step FROM gap
             WHERE differ AND after - before > 1 LIMIT {MOST_PROBED // PARTS})
    SELECT number, events, feature, unnest(range(before + step, after, step)) AS day FROM part"""
"""SELECT of probes between two days on which a comparison differs."""
FACTS_OF_CODES = ("exposure", "condition", "procedure", "immunization")
"""Fact tables of what `OF_CODES` asks about."""


def _numbers(numbers: Iterable[int]) -> str:
    """SQL: a list of numbers; NULL where it is empty."""
    return ", ".join(map(str, numbers)) or "NULL"


def _truths(leaves: Sequence[Leaf], bounds: Pair = ("low", "high")) -> str:
    """SQL: the truths of the leaves of one feature, whose bounds are in these columns, as text."""
    digits = [_truth_digit(f"({comparison(bounds, leaf)})") for leaf in leaves]
    return f"concat({', '.join(digits)})"


def _truth_digit(column: str) -> str:
    """SQL: a truth as one character: 1, 0, or - where it is unknown."""
    return f"CASE WHEN {column} THEN '1' WHEN NOT {column} THEN '0' ELSE '-' END"


def _trials_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[int]:
    """The places of the trials in a table."""
    return [place for (place,) in connection.execute(f"SELECT DISTINCT trial FROM {table} ORDER BY 1").fetchall()]
