"""What if a criterion were dropped, or a limit relaxed: how many patients a trial would gain.

A *change* drops one row (it then asks nothing of anybody) or relaxes one limit of it, step by step (`changes.py`); what
lets results serve longer changes the whole trial (`serving.py`). Of the others only patients near the trial can be
gained: those whose top-level rows against them all depend on the changed row. For them the database compares bounds
with the thresholds of all steps at once; bounds for another window or wash-out were computed with all others. Rows are
then judged again, of all these patients at once, by the rules of each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sle_kg.cohort.changes import Change, Serving, changed_rules, changes_of, servings_of
from sle_kg.cohort.columns import Columns, Numbers, Places
from sle_kg.cohort.kleene import Flags, Patients, all_truths
from sle_kg.cohort.serving import LongerServing
from sle_kg.cohort.top_rows import TopRows, part
from sle_kg.criteria import Leaf
from sle_kg.evaluate import RuleSet
from sle_kg.sql_plan import comparison, leaf_key
from sle_kg.verdict import VerdictWord

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

GAIN = "gain"
"""Who would be gained: `number`, `trial`, `change` (its place), `step` (from 1; 0 for a row dropped), `verdict`."""
_RANKED: tuple[VerdictWord, ...] = ("ineligible", "undetermined", "eligible")
"""Verdicts, the best one last."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a change: its number, the relaxed leaf (None for a row dropped), and the rules of the rows affected.

    `tops` are the top-level rows that depend on the changed row.
    """

    number: int
    leaf: Leaf | None
    rules: RuleSet
    tops: Sequence[str]

    def ranks(self, patients: Patients, others_open: Flags) -> Numbers:
        """The verdict of each patient after the step, as a place in `_RANKED`; no other top-level row fails."""
        truths = all_truths(self.rules, patients)
        tops = [(row, truths[row.id]) for row in self.rules.order if row.id in self.tops]
        fails = np.logical_or.reduce([top.fails(row) for row, top in tops])
        unknown = np.logical_or.reduce([others_open, *(~top.known for _, top in tops)])
        return np.where(fails, 0, np.where(unknown, 1, 2))


class WhatIf:
    """The changes of one trial, and whom each would gain."""

    def __init__(self, top_rows: TopRows) -> None:
        self.top_rows, self.rules = top_rows, top_rows.rules
        self.changes = changes_of(top_rows.rules)
        servings = servings_of(top_rows.rules, top_rows.judge.options.windows)
        self.every: list[Change | Serving] = [*self.changes, *servings]
        """All that may be changed, in the order of `GAIN`."""
        self._longer = LongerServing(top_rows, servings, len(self.changes))
        self._affected = [self._depending(change) for change in self.changes]
        self._steps = [list(self._steps_of(*one)) for one in zip(self.changes, self._affected, strict=True)]
        columns, trial = top_rows.judge.columns, top_rows.trial.id
        self._comparisons = {
            leaf_key(leaf): comparison(columns.bounds(trial, leaf.feature.slug), leaf)
            for change in self.changes
            for leaf in change.steps
        }

    def tell_gains(self, connection: duckdb.DuckDBPyConnection, chunk: Columns, trial: int) -> None:
        """Add to `GAIN` every patient whose verdict some step of some change would better."""
        import pyarrow as pa

        fails, opens = ({top: chunk.status_is(top, word) for top in self.top_rows.tops} for word in ("fail", "unknown"))
        failed, opened = (np.sum(list(flags.values()), axis=0) for flags in (fails, opens))
        most = max(map(len, self._affected), default=0)
        near = ~chunk.verdict_is("eligible") & (np.where(failed > 0, failed, opened) <= most)
        chunk.compare(connection, self._comparisons, np.flatnonzero(near))
        found: list[pa.Table] = []
        for place, affected in enumerate(self._affected):
            if affected:
                failing, unknown = (np.sum([flags[top] for top in affected], axis=0) for flags in (fails, opens))
                of = np.flatnonzero(near & (failed == failing) & ((failed > 0) | (opened == unknown)))
                before = np.where(failed[of] > 0, 0, 1)
                found += self._gained(chunk, place, of, before, opened[of] > unknown[of])
        if found:
            connection.register("found_gain", pa.concat_tables(found))
            connection.execute(f"INSERT INTO {GAIN} SELECT number, {trial}, change, step, verdict FROM found_gain")
            connection.unregister("found_gain")
        self._longer.tell_gains(connection, trial, GAIN)

    def _gained(
        self, chunk: Columns, place: int, of: Places, before: Numbers, others_open: Flags
    ) -> Iterator[pa.Table]:
        """Rows of `GAIN` for one change, of the patients whom it concerns, without the trial."""
        import pyarrow as pa

        change, affected = self.changes[place], self._affected[place]
        rows = set().union(*(self.top_rows.reached[top] for top in affected))
        for step in self._steps[place]:
            moved = np.arange(len(of))
            if change.leaf is not None and step.leaf is not None:
                moved = np.flatnonzero(chunk.truths(change.leaf)[of] != chunk.truths(step.leaf)[of])
            ranks = step.ranks(chunk.patients(of[moved], rows), others_open[moved])
            better = np.flatnonzero(ranks > before[moved])
            words = pa.DictionaryArray.from_arrays(ranks[better].astype(np.int8), list(_RANKED))
            same = (np.full(len(better), number, np.int32) for number in (place, step.number))
            names = ["number", "change", "step", "verdict"]
            yield pa.table([chunk.numbers[of[moved[better]]], *same, words], names=names)

    def _depending(self, change: Change) -> list[str]:
        """The top-level rows that depend on the changed row."""
        return [top for top in self.top_rows.tops if change.row in self.top_rows.reached[top]]

    def _steps_of(self, change: Change, affected: Sequence[str]) -> Iterator[_Step]:
        """The rules of each step, of the rows alone on which the affected ones depend."""
        reached = set().union(*(self.top_rows.reached[top] for top in affected))
        for number, leaf in enumerate(change.steps, 1) if change.leaf is not None else [(0, None)]:
            yield _Step(number, leaf, part(changed_rules(self.rules, change, leaf), reached), affected)
