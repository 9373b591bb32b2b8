"""What the statuses of a patient do not tell: whether anything speaks against him, what would settle him, and whether
time alone could help.

All of it depends on which comparisons of a top-level row and its parts are true, false or unknown, and on what is
attested of them; that is asked of columns of truths (`family.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sle_kg.cohort.columns import Columns, Numbers
from sle_kg.cohort.family import CLOSED, Family, Kinds
from sle_kg.cohort.judge import SqlJudge
from sle_kg.cohort.kleene import Flags
from sle_kg.criteria import Criterion, Trial
from sle_kg.evaluate import RuleSet, families
from sle_kg.open_kinds import against
from sle_kg.sql_plan import comparison, leaf_key
from sle_kg.timeline import Case, changing_leaves
from sle_kg.verdicts import KINDS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CLEAR = "clear_patient"
"""Patients whom no row excludes and against whom nothing speaks: `number`, `trial` (its place)."""
OPEN = "open_row"
"""Open rows that decide, of patients whom no row excludes: `number`, `trial`, `row` (its place), `kind`, whether its
top-level row is open as well (`top_open`; else that is attested), and whether the row `settles` the patient."""
WAITING = "waiting"
"""Patients for whom time alone could help: `number`, `trial` (its place)."""


class TopRows:
    """The top-level rows of one trial with their parts, and what their truths tell of every patient."""

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
        bounds = judge.columns.bounds
        spoken = [other for leaf in self.rules.leaves(self.rules.conditions) if (other := against(leaf)) is not None]
        self._against = {leaf_key(one): comparison(bounds(trial.id, one.feature.slug), one) for one in spoken}
        self.still = {top for top in self.tops if not changing_leaves(Case(0, self.rules, {}, {}), [top], True)}
        """Top-level rows that time alone never changes, whatever is known."""

    def tell(self, connection: duckdb.DuckDBPyConnection, chunk: Columns, trial: int) -> list[pa.RecordBatch]:
        """Add to `CLEAR` and `WAITING`, and give the rows of `OPEN`; `trial` is the place of this trial."""
        self._tell_waiting(connection, chunk, trial)
        return self._tell_open(connection, chunk, trial)

    def _tell_open(self, connection: duckdb.DuckDBPyConnection, chunk: Columns, trial: int) -> list[pa.RecordBatch]:
        """Add to `CLEAR` the patients whom no row excludes; their rows of `OPEN`."""
        here = np.flatnonzero(~chunk.verdict_is("ineligible"))
        chunk.compare(connection, self._against, here)
        unknown = {top: chunk.status_is(top, "unknown")[here] for top in self.tops}
        alone = np.sum(list(unknown.values()), axis=0) == 1
        clear = np.ones(len(here), np.bool_)
        open_rows = []
        for top, family in self._families.items():
            of = np.flatnonzero(unknown[top]) if len(family.members) == 1 else np.arange(len(here))
            found = family.look(chunk.patients(here[of], self.reached[top]))
            clear[of] &= found.clear
            for row, kinds, settles in found.open:
                who = np.flatnonzero(kinds != CLOSED)
                top_open = unknown[top][of[who]]
                flags = (top_open, settles[who] & alone[of[who]] & top_open)
                open_rows.append(_open_rows(chunk.numbers[here[of[who]]], trial, self.place[row], kinds[who], *flags))
        _insert(connection, CLEAR, trial, chunk.numbers[here[clear]])
        return open_rows

    def _tell_waiting(self, connection: duckdb.DuckDBPyConnection, chunk: Columns, trial: int) -> None:
        """Add to `WAITING` who is not eligible, and of whom every top-level row against him may pass later.

        So asks `screening` before it looks for dates.
        """
        against = {top: chunk.status_is(top, "fail") | chunk.status_is(top, "unknown") for top in self.tops}
        may = ~chunk.verdict_is("eligible")
        for top in self.still:
            may &= ~against[top]
        for top, family in self._families.items():
            if top not in self.still:
                of = np.flatnonzero(may & against[top])
                may[of] = family.may_pass_later(chunk.patients(of, self.reached[top]))
        _insert(connection, WAITING, trial, chunk.numbers[may])


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


def open_schema() -> pa.Schema:
    """The columns of `OPEN`."""
    import pyarrow as pa

    place, word = pa.int32(), pa.dictionary(pa.int8(), pa.string())
    flags = dict.fromkeys(("top_open", "settles"), pa.bool_())
    return pa.schema({"number": pa.int64(), "trial": place, "row": place, "kind": word, **flags})


def _open_rows(numbers: Numbers, trial: int, row: int, kinds: Kinds, *flags: Flags) -> pa.RecordBatch:
    """An open row of some patients."""
    import pyarrow as pa

    same = (np.full(len(numbers), place, np.int32) for place in (trial, row))
    words = pa.DictionaryArray.from_arrays(kinds, list(KINDS))
    return pa.record_batch([numbers, *same, words, *flags], schema=open_schema())


def _insert(connection: duckdb.DuckDBPyConnection, name: str, trial: int, numbers: Numbers) -> None:
    """Add patients of a trial to a table."""
    connection.register("these_numbers", {"number": numbers})
    connection.execute(f"INSERT INTO {name} SELECT number, {trial} FROM these_numbers")
    connection.unregister("these_numbers")
