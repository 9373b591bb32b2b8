"""What if results served longer: whom a trial would gain.

Results of one day grow too old together, in many rows of a trial, so how long they serve is changed for the trial as a
whole. Where that changes any comparison of a patient who is not eligible, the rows that read such results are judged
again, for all steps by one plan over the bounds that were computed with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sle_kg.cohort.changes import Serving
from sle_kg.cohort.judge import JUDGED, SAID
from sle_kg.cohort.top_rows import TopRows, part
from sle_kg.evaluate import RuleSet
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import comparison, compile_plan, leaf_key

if TYPE_CHECKING:
    import duckdb

SERVED = "served"
"""Patients of whom some comparison is another if results serve longer: `number`, `now` (the verdict), what is read."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a change, judged again: what is `elsewhere` are the top-level rows that it leaves as they are."""

    place: int
    number: int
    rules: RuleSet
    elsewhere: tuple[str, ...]


class LongerServing:
    """The changes of one trial that let results serve longer; `first` is the place of the first among its changes."""

    def __init__(self, top_rows: TopRows, servings: Sequence[Serving], first: int) -> None:
        self.top_rows, self.servings = top_rows, servings
        self._steps = [step for place, one in enumerate(servings, first) for step in self._steps_of(place, one)]

    def tell_gains(self, connection: duckdb.DuckDBPyConnection, trial: int, gain: str) -> None:
        """Add to the table `gain` every patient whose verdict some step would better."""
        if not self._steps:
            return
        connection.execute(f"CREATE OR REPLACE TABLE {SERVED} AS {self._served}")
        if connection.execute(f"SELECT 1 FROM {SERVED} LIMIT 1").fetchall():
            connection.execute(
                f"""INSERT INTO {gain} SELECT number, {trial}, change, step, verdict FROM ({self._again})
                WHERE verdict <> now AND verdict <> 'ineligible' ORDER BY number, change, step"""
            )

    def _steps_of(self, place: int, serving: Serving) -> list[_Step]:
        """The rules of each step, of the rows alone that read such results and those that depend on them."""
        top_rows, rules = self.top_rows, self.top_rows.rules
        reading = {row for row in rules.conditions if any(map(serving.is_read_by, rules.leaves([row])))}
        tops = [top for top in top_rows.tops if reading & top_rows.reached[top]]
        kept = set().union(*(top_rows.reached[top] for top in tops))
        elsewhere = tuple(top for top in top_rows.tops if top not in kept)
        return [
            _Step(place, number, _named(part(serving.rules(rules, days), kept, kept), f"{place}/{number}"), elsewhere)
            for number, days in enumerate(serving.steps, 1)
        ]

    @cached_property
    def _served(self) -> str:
        """SELECT of `SERVED`: whatever a step changes, the last step of its kind changes, too."""
        judge, trial, rules = self.top_rows.judge, self.top_rows.trial.id, self.top_rows.rules
        now, columns = judge.trial_columns(trial).leaves, judge.status_columns(trial)
        leaves = {leaf_key(leaf): leaf for leaf in rules.leaves(rules.conditions)}
        changed = [
            f"({comparison(judge.columns.bounds(trial, longer.feature.slug), longer)}) IS DISTINCT FROM {now[key]}"
            for serving in self.servings
            for key, leaf in leaves.items()
            if (longer := serving.longer(leaf, serving.steps[-1])) != leaf
        ]
        bounds = [
            name
            for step in self._steps
            for leaf in step.rules.leaves(step.rules.conditions)
            for name in judge.columns.bounds(trial, leaf.feature.slug)
        ]
        read = dict.fromkeys([*bounds, *judge.said_bits, *(columns.rows[top] for top in self.top_rows.tops)])
        return f"""
            SELECT number, CAST({columns.verdict} AS VARCHAR) AS now, {", ".join(read)}
            FROM {JUDGED} JOIN {WIDE} USING (number) LEFT JOIN {SAID} USING (number)
            WHERE {columns.verdict} <> 'eligible' AND ({" OR ".join(changed)})"""

    @cached_property
    def _again(self) -> str:
        """SELECT from `SERVED`: `number`, `now`, and for each step of each change its verdict."""
        judge, trial = self.top_rows.judge, self.top_rows.trial.id
        status = judge.status_columns(trial).rows
        tops = [status[top] for top in self.top_rows.tops]
        plan = compile_plan(
            [step.rules for step in self._steps],
            SERVED,
            ["number", "now", *tops],
            lambda _, slug: judge.columns.bounds(trial, slug),
            lambda _, row: judge.said(trial, row),
            truths=False,
            prefix="again_",
        )
        verdicts = []
        for step in self._steps:
            verdict = plan.trials[step.rules.trial.id].verdict
            fails, opens = (
                " OR ".join([f"{status[top]} = '{word}'" for top in step.elsewhere]) or "false"
                for word in ("fail", "unknown")
            )
            verdicts.append(
                f"""CASE WHEN {fails} THEN 'ineligible'
                WHEN {verdict} = 'eligible' AND ({opens}) THEN 'undetermined' ELSE {verdict} END"""
            )
        return f"""
            SELECT number, now, unnest({[step.place for step in self._steps]}) AS change,
                   unnest({[step.number for step in self._steps]}) AS step,
                   unnest([{", ".join(verdicts)}]) AS verdict
            FROM ({plan.sql()})"""


def _named(rules: RuleSet, name: str) -> RuleSet:
    """The rules as those of a trial of this name, so that one plan can hold several forms of a trial."""
    rows = {row.id: replace(row, trial=name) for row in rules.trial.criteria}
    trial = replace(rules.trial, id=name, criteria=tuple(rows.values()))
    return replace(rules, trial=trial, order=tuple(rows[row.id] for row in rules.order))
