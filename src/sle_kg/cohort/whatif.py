"""What if a criterion were dropped, or a limit relaxed: how many patients a trial would gain.

A *change* drops one row (it then asks nothing of anybody) or relaxes one limit of it, step by step (`changes.py`); what
lets results serve longer changes the whole trial (`serving.py`). Of the others only patients near the trial can be
gained: those whose top-level rows against them all depend on the changed row. For them the database compares bounds
with the thresholds of all steps at once; bounds for another window or wash-out were computed with all others. What
follows from the truths found is looked into once for each pattern, as in `patterns.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sle_kg.cohort.changes import Change, Serving, changed_rules, changes_of, servings_of
from sle_kg.cohort.judge import JUDGED, SAID
from sle_kg.cohort.patterns import Attested, Memory, Patterns, part, truth_digit
from sle_kg.cohort.serving import LongerServing
from sle_kg.criteria import Always, Condition, Judgement, Leaf, Not
from sle_kg.evaluate import Bound, RuleSet, row_truths
from sle_kg.features.database import load_rows
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import comparison, leaf_key
from sle_kg.verdict import VerdictWord
from sle_kg.verdicts import overall, status_of

if TYPE_CHECKING:
    import duckdb

GAIN = "gain"
"""Who would be gained: `number`, `trial`, `change` (its place), `step` (from 1; 0 for a row dropped), `verdict`."""
_NEAR = "near"
_TRUTHS = {"1": True, "0": False, "-": None}


class WhatIf:
    """The changes of one trial, and whom each would gain."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns, self.rules = patterns, patterns.rules
        self.changes = changes_of(patterns.rules)
        servings = servings_of(patterns.rules, patterns.judge.options.windows)
        self.every: list[Change | Serving] = [*self.changes, *servings]
        """All that may be changed, in the order of `GAIN`."""
        self._longer = LongerServing(patterns, servings, len(self.changes))
        self._known: Memory[str] = Memory()
        self._variants: dict[tuple[int, str], RuleSet] = {}

    def tell_gains(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Add to `GAIN` every patient whose verdict some step of some change would better."""
        self._known.make_room()
        self._near(connection)
        asked = [query for place, change in enumerate(self.changes) if (query := self._asked(place, change))]
        connection.execute(f"CREATE OR REPLACE TABLE asked_change AS {' UNION ALL '.join(asked)}")
        shown = connection.execute("SELECT change, pattern, min(number) FROM asked_change GROUP BY ALL ORDER BY ALL")
        first = {(change, pattern): number for change, pattern, number in shown.fetchall()}
        new = {key: number for key, number in first.items() if key not in self._known}
        bounds = self.patterns.bounds_of(connection, sorted(set(new.values()))) if new else {}
        for (place, pattern), number in new.items():
            self._known[place, pattern] = self._outcome(place, pattern, *bounds[number])
        gains = [
            (*key, int(step), word)
            for key in first
            for step, word in (one.split(":") for one in self._known[key].split())
        ]
        kinds = {"change": "whole", "pattern": "text", "step": "whole", "verdict": "text"}
        load_rows(connection, "pattern_gain", kinds, gains)
        connection.execute(
            f"""INSERT INTO {GAIN} SELECT number, {trial}, change, step, verdict
            FROM asked_change JOIN pattern_gain USING (change, pattern) ORDER BY number, change, step"""
        )
        self._longer.tell_gains(connection, trial, GAIN)

    # ── What the database gives ──────────────────────────────────────────────────────────────────────────

    def _near(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`near`: patients whom few enough top-level rows keep out, with all that their changes depend on."""
        patterns, tops = self.patterns, self.patterns.tops
        columns = patterns.judge.status_columns(patterns.trial.id)
        status = [columns.rows[top] for top in tops]
        said = patterns.attested_rows(connection)
        most = max(len(self._affected(change)) for change in self.changes)
        shown = [
            f"CASE WHEN {name} IN ('fail', 'unknown') THEN {patterns.pattern(top, said)} ELSE '' END AS pattern{place}"
            for place, (top, name) in enumerate(zip(tops, status, strict=True))
        ]
        kept = [f"{name} AS status{place}" for place, name in enumerate(status)]
        leaves = patterns.judge.trial_columns(patterns.trial.id).leaves
        compared = [
            f"{truth_digit(leaves[leaf_key(change.leaf)])} AS now{place}"
            for place, change in enumerate(self.changes)
            if change.leaf is not None
        ]
        bounds = dict.fromkeys(name for change in self.changes for step in change.steps for name in self._bounds(step))
        fails, opens = (" + ".join(f"CAST({name} = '{word}' AS INTEGER)" for name in status) for word in _AGAINST)
        connection.execute(
            f"""CREATE OR REPLACE TABLE {_NEAR} AS
            SELECT number, failed, opened, {", ".join([*kept, *shown, *compared, *bounds])}
            FROM (SELECT *, {fails} AS failed, {opens} AS opened FROM {JUDGED} WHERE {columns.verdict} <> 'eligible')
            LEFT JOIN {SAID} USING (number) JOIN {WIDE} USING (number)
            WHERE failed BETWEEN 1 AND {most} OR failed = 0 AND opened BETWEEN 1 AND {most}"""
        )

    def _asked(self, place: int, change: Change) -> str | None:
        """SQL: the patients near whom a change concerns, and their pattern; None where it concerns no verdict."""
        affected = [self.patterns.tops.index(top) for top in self._affected(change)]
        if not affected:
            return None
        fails, opens = (" + ".join(f"CAST(status{top} = '{word}' AS INTEGER)" for top in affected) for word in _AGAINST)
        parts = [f"CASE WHEN opened > {opens} THEN 'o' ELSE 'c' END"]
        where = f"failed = {fails} AND (failed > 0 OR opened = {opens})"
        if change.leaf is not None:
            digits = [truth_digit(f"({comparison(self._bounds(step), step)})") for step in change.steps]
            moved = f"concat({', '.join(digits)})"
            where += f" AND {moved} <> repeat(now{place}, {len(digits)})"
            parts.append(moved)
        else:
            parts.append("''")
        parts += [f"pattern{top}" for top in affected]
        key = " || ' ' || ".join(parts)
        return f"SELECT number, {place} AS change, {key} AS pattern FROM {_NEAR} WHERE {where}"

    def _affected(self, change: Change) -> list[str]:
        """The top-level rows that depend on the changed row."""
        return [top for top in self.patterns.tops if change.row in self.patterns.reached[top]]

    def _bounds(self, leaf: Leaf) -> tuple[str, str]:
        return self.patterns.judge.columns.bounds(self.patterns.trial.id, leaf.feature.slug)

    # ── What Python says of a pattern ────────────────────────────────────────────────────────────────────

    def _outcome(self, place: int, pattern: str, bounds: Mapping[str, Bound], attested: Attested) -> str:
        """`1:undetermined 2:eligible`: the verdict from each step on at which it is better than today."""
        change = self.changes[place]
        others_open, digits = pattern[0] == "o", pattern.split(" ")[1]
        before = self._verdict(place, "", bounds, attested, others_open)
        found = []
        for step, digit in enumerate(digits if change.leaf is not None else ("drop",), change.leaf is not None):
            word = self._verdict(place, digit, bounds, attested, others_open)
            if _RANK[word] > _RANK[before]:
                found.append(f"{step}:{word}")
        return " ".join(found)

    def _verdict(
        self, place: int, digit: str, bounds: Mapping[str, Bound], attested: Attested, others_open: bool
    ) -> VerdictWord:
        """The verdict of a patient near, the change made so that the truth of its leaf is `digit` (empty: unmade)."""
        truths = row_truths(self._variant(place, digit), bounds, attested)
        tops = set(self._affected(self.changes[place]))
        trial = self.rules.trial
        status = {
            row.id: status_of(row, truths[row.id].met, truths[row.id].not_applicable) if row.id in tops else "pass"
            for row in trial.criteria
        }
        word = overall(trial, status)
        return "undetermined" if word == "eligible" and others_open else word

    def _variant(self, place: int, digit: str) -> RuleSet:
        """The rules of the rows that depend on a change, made or (`digit` empty) not, kept for the next pattern."""
        if (place, digit) not in self._variants:
            change, rules = self.changes[place], self.rules
            if digit:
                becomes = None if change.leaf is None else _constant(change.leaf.iri, _TRUTHS[digit])
                rules = changed_rules(rules, change, becomes)
            reached = set().union(*(self.patterns.reached[top] for top in self._affected(change)))
            self._variants[place, digit] = part(rules, reached)
        return self._variants[place, digit]


_AGAINST = ("fail", "unknown")
_RANK: dict[VerdictWord, int] = {"ineligible": 0, "undetermined": 1, "eligible": 2}


def _constant(iri: str, truth: bool | None) -> Condition:
    return Judgement(iri, "") if truth is None else Always(iri) if truth else Not(iri, Always(iri))
