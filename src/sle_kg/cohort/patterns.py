"""What the statuses of a patient do not tell: whether anything speaks against him, what would settle him, and whether
time alone could help.

All of it depends on which comparisons of a top-level row and its parts are true, false or unknown, and on what is
attested of them: on their pattern. A cohort has few patterns, so each is looked into once, by the same Python that
explains the verdicts of `screen`, on the first patient who shows it; the database then tells every patient of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sle_kg.cohort.family import Family, Found
from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.criteria import Criterion, Leaf, Trial
from sle_kg.evaluate import Bound, RuleSet, families
from sle_kg.features.database import load_rows
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import leaf_key
from sle_kg.timeline import Case, changing_leaves, may_pass_later

if TYPE_CHECKING:
    import duckdb

Attested = dict[str, frozenset[bool]]
Known = TypeVar("Known")

CLEAR = "clear_patient"
"""Patients whom no row excludes and against whom nothing speaks: `number`, `trial` (its place)."""
OPEN = "open_row"
"""Open rows of undetermined patients: `number`, `trial`, `row` (its place), `kind`, and whether it `settles` him."""
WAITING = "waiting"
"""Patients for whom time alone could help: `number`, `trial` (its place)."""
SHOWN = "shown"
"""Patterns of one trial: `number`, `top` (place among the top-level rows), its `status` and `pattern`."""
MOST_KNOWN = 200_000
"""Patterns remembered; a cohort has a few thousand, and memory must not grow with it."""


class Memory(dict[tuple[int, str], Known]):
    """What is known of patterns (place of the top-level row, pattern), forgotten as a whole when it grows too large."""

    def make_room(self) -> None:
        """Forget everything where there is too much."""
        if len(self) > MOST_KNOWN:
            self.clear()


class Patterns:
    """The patterns of one trial, each looked into once for the whole cohort.

    Threads tell one at a time: they share what is known of patterns.
    """

    def __init__(self, trial: Trial, judge: SqlJudge) -> None:
        self.trial, self.judge = trial, judge
        self.rules: RuleSet = judge.rules[trial.id]
        self.tops = [row.id for row in trial.criteria if row.parent is None]
        self.place = {row.id: place for place, row in enumerate(trial.criteria)}
        top_of = families(trial)
        self._members = {top: [row for row in top_of if top_of[row] == top] for top in self.tops}
        self.reached = {top: set(self.rules.reached(rows)) for top, rows in self._members.items()}
        """Of each top-level row the rows on which it depends."""
        self._families = {
            top: Family(part(self.rules, self.reached[top], rows), top, rows) for top, rows in self._members.items()
        }
        self.still = {top for top in self.tops if not changing_leaves(Case(0, self.rules, {}, {}), [top], True)}
        """Top-level rows that time alone never changes, whatever is known."""
        self._found: Memory[Found] = Memory()
        self._later: Memory[bool] = Memory()

    # ── What is told of every patient ────────────────────────────────────────────────────────────────────

    def tell_open(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Add to `CLEAR` and `OPEN` the patients whom no row excludes; `trial` is the place of this trial."""
        verdict = self.judge.status_columns(self.trial.id).verdict
        grouped = [place for place, top in enumerate(self.tops) if len(self._members[top]) > 1]
        or_grouped = f" OR top IN ({', '.join(map(str, grouped))})" if grouped else ""
        said = self.attested_rows(connection)
        patterns = [self._standing(top, said) for top in self.tops]
        self._show(connection, patterns, f"{verdict} <> 'ineligible'", f"status = 'unknown'{or_grouped}")
        found = self._look(connection, self._found, self._found_of)
        clear = [(*key, one.clear) for key, one in found.items()]
        load_rows(connection, "pattern_clear", {"top": "whole", "pattern": "text", "clear": "flag"}, clear)
        ends = [
            (*key, self.place[row], kind, row in one.settling) for key, one in found.items() for row, kind in one.open
        ]
        kinds = {"top": "whole", "pattern": "text", "row": "whole", "kind": "text", "settles": "flag"}
        load_rows(connection, "pattern_open", kinds, ends)
        connection.execute(
            f"""INSERT INTO {CLEAR}
            SELECT number, {trial} FROM {JUDGED} WHERE {verdict} <> 'ineligible' AND number NOT IN (
                SELECT number FROM {SHOWN} JOIN pattern_clear USING (top, pattern) WHERE NOT clear);
            INSERT INTO {OPEN}
            WITH unknown AS (
                SELECT *, count(*) OVER (PARTITION BY number) = 1 AS alone FROM {SHOWN} WHERE status = 'unknown')
            SELECT number, {trial}, row, kind, settles AND alone FROM unknown JOIN pattern_open USING (top, pattern)
            ORDER BY number, row"""
        )

    def tell_waiting(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Add to `WAITING` who is not eligible, and of whom every top-level row against him may pass later.

        So asks `screening` before it looks for dates.
        """
        columns = self.judge.status_columns(self.trial.id)
        moved = [f"{columns.rows[top]} NOT IN ('fail', 'unknown')" for top in sorted(self.still)]
        where = " AND ".join([f"{columns.verdict} <> 'eligible'", *moved])
        said = self.attested_rows(connection)
        patterns = [self.pattern(top, said) for top in self.tops]
        self._show(connection, patterns, where, "status IN ('fail', 'unknown')")
        later = self._look(connection, self._later, self._later_of)
        load_rows(
            connection,
            "pattern_later",
            {"top": "whole", "pattern": "text", "later": "flag"},
            [(*key, yes) for key, yes in later.items()],
        )
        connection.execute(
            f"""INSERT INTO {WAITING} SELECT number, {trial}
            FROM {SHOWN} JOIN pattern_later USING (top, pattern) GROUP BY number HAVING bool_and(later)"""
        )

    # ── What the database gives ──────────────────────────────────────────────────────────────────────────

    def pattern(self, top: str, said: Iterable[str]) -> str:
        """SQL: the pattern of a top-level row as text: a digit for each comparison, then what is attested.

        `said` are the rows of which anything is attested (`attested_rows`).
        """
        digits = self._digits(self.rules.leaves(self.rules.reached(self._members[top])))
        return _joined([*digits, *(mark for row in sorted(self.reached[top] & set(said)) for mark in self._marks(row))])

    def _standing(self, top: str, said: Iterable[str]) -> str:
        """SQL: what decides which parts of a top-level row are open, and with whose move, as text.

        A row that refers to no other is known by its status; only where it is unknown does it matter which of its
        comparisons are. That makes far fewer patterns than all comparisons do.
        """
        status, attested = self.judge.status_columns(self.trial.id).rows, set(said)
        parts: list[str] = []
        for row in sorted(self.reached[top]):
            own = self._digits(self.rules.leaves([row]))
            own += self._marks(row) if row in attested else []
            if self.rules.parts(row):
                parts += own
            else:
                letters = " ".join(f"WHEN '{word}' THEN '{word[0]}'" for word in ("pass", "fail", "not-applicable"))
                parts.append(f"CASE {status[row]} {letters} ELSE {_joined(own)} END")
        return _joined(parts)

    def _digits(self, leaves: Iterable[Leaf]) -> list[str]:
        """SQL: a digit for each comparison of the leaves, each once."""
        columns = self.judge.trial_columns(self.trial.id).leaves
        return [truth_digit(columns[key]) for key in sorted({leaf_key(leaf) for leaf in leaves})]

    def _marks(self, row: str) -> list[str]:
        """SQL: what is attested of a row."""
        true, false = self.judge.said(self.trial.id, row)
        stem = self.judge.place[self.trial.id, row]
        return [f"CASE WHEN {true} THEN '+{stem};' ELSE '' END", f"CASE WHEN {false} THEN '/{stem};' ELSE '' END"]

    def attested_rows(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """The rows of which anybody attests anything."""
        return {row for trial, row in self.judge.attested(connection) if trial == self.trial.id}

    def bounds_of(
        self, connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]
    ) -> dict[int, tuple[dict[str, Bound], Attested]]:
        """The bounds of some patients, and what is attested of them."""
        slugs = [feature.slug for feature in self.judge.wanted[self.trial.id]]
        names = [name for slug in slugs for name in self.judge.columns.bounds(self.trial.id, slug)]
        columns = [f"CAST({name} AS DECIMAL(38, 12))" for name in names]
        known = _rows(connection, WIDE, columns, numbers)
        rows = [row.id for row in self.trial.criteria]
        columns = [name for row in rows for name in self.judge.said(self.trial.id, row)]
        said = _rows(connection, SAID, columns, numbers)
        found = {}
        for number in numbers:
            values, answers = known[number], said.get(number, (False,) * len(columns))
            bounds = {slug: (values[2 * place], values[2 * place + 1]) for place, slug in enumerate(slugs)}
            attested = {
                row: frozenset(yes for yes, holds in ((True, answers[2 * n]), (False, answers[2 * n + 1])) if holds)
                for n, row in enumerate(rows)
            }
            found[number] = (bounds, {row: some for row, some in attested.items() if some})
        return found

    def _show(self, connection: duckdb.DuckDBPyConnection, patterns: Sequence[str], patients: str, rows: str) -> None:
        """`SHOWN` with the patterns (SQL) of the patients and top-level rows that two SQL conditions pick."""
        status = self.judge.status_columns(self.trial.id).rows
        words = ", ".join(status[top] for top in self.tops)
        connection.execute(
            f"""CREATE OR REPLACE TABLE {SHOWN} AS SELECT * FROM (
                SELECT number, unnest(range({len(self.tops)})) AS top, unnest([{words}]) AS status,
                       unnest([{", ".join(patterns)}]) AS pattern
                FROM {JUDGED} LEFT JOIN {SAID} USING (number) WHERE {patients}) WHERE {rows}"""
        )

    def _look(
        self,
        connection: duckdb.DuckDBPyConnection,
        known: Memory[Known],
        look: Callable[[Sequence[str], Mapping[str, Bound], Attested], list[Known]],
    ) -> dict[tuple[int, str], Known]:
        """What is known of each pattern of `SHOWN`; those not met before are looked into."""
        known.make_room()
        shown = connection.execute(f"SELECT top, pattern, min(number) FROM {SHOWN} GROUP BY ALL ORDER BY ALL")
        first = {(top, pattern): number for top, pattern, number in shown.fetchall()}
        new: dict[int, list[tuple[int, str]]] = {}
        for key, number in first.items():
            if key not in known:
                new.setdefault(number, []).append(key)
        for number, (bounds, attested) in self.bounds_of(connection, list(new)).items() if new else ():
            answers = look([self.tops[top] for top, _ in new[number]], bounds, attested)
            known |= dict(zip(new[number], answers, strict=True))
        return {key: known[key] for key in first}

    # ── What Python says of a pattern ────────────────────────────────────────────────────────────────────

    def _later_of(self, tops: Sequence[str], bounds: Mapping[str, Bound], attested: Attested) -> list[bool]:
        return [may_pass_later(Case(0, self.rules, bounds, attested), top) for top in tops]

    def _found_of(self, tops: Sequence[str], bounds: Mapping[str, Bound], attested: Attested) -> list[Found]:
        return [self._families[top].look(bounds, attested) for top in tops]


def part(rules: RuleSet, rows: Iterable[str], family: Iterable[str] = ()) -> RuleSet:
    """The rules of some rows of a trial only; those that are not of the family stand without parents."""
    kept, related = set(rows), set(family)

    def alone(row: Criterion) -> Criterion:
        return row if row.id in related else replace(row, parent=None)

    return RuleSet(
        replace(rules.trial, criteria=tuple(alone(row) for row in rules.trial.criteria if row.id in kept)),
        tuple(alone(row) for row in rules.order if row.id in kept),
        {row: condition for row, condition in rules.conditions.items() if row in kept},
        {row: condition for row, condition in rules.not_applicable.items() if row in kept},
    )


def _joined(parts: Sequence[str]) -> str:
    """SQL: texts one after the other."""
    return f"concat({', '.join(parts)})" if parts else "''"


def truth_digit(column: str) -> str:
    """SQL: a truth as one character: 1, 0, or - where it is unknown."""
    return f"CASE WHEN {column} THEN '1' WHEN NOT {column} THEN '0' ELSE '-' END"


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], numbers: Sequence[int]
) -> dict[int, tuple[Any, ...]]:
    """The columns of some patients, by their number."""
    query = f"SELECT number, {', '.join(columns)} FROM {table} WHERE number IN (SELECT unnest(?))"
    return {number: tuple(values) for number, *values in connection.cursor().execute(query, [list(numbers)]).fetchall()}
