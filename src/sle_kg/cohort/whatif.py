"""What if a criterion were dropped, or a threshold relaxed: how many patients a trial would gain.

A *change* drops one row (it then asks nothing of anybody) or relaxes one threshold of it, step by step. Only patients
near the trial can be gained: those whose top-level rows against them all depend on the changed row. For them the
database compares bounds with the thresholds of all steps at once; what follows from the truths found is looked into
once for each pattern, as in `patterns.py`. Nothing is judged a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sle_kg.cohort.judge import JUDGED, SAID
from sle_kg.cohort.patterns import Attested, Memory, Patterns, truth_digit
from sle_kg.criteria import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    Condition,
    Judgement,
    Leaf,
    Not,
)
from sle_kg.evaluate import Bound, RuleSet, row_truths
from sle_kg.features.database import load_rows
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import comparison, leaf_key
from sle_kg.verdict import VerdictWord
from sle_kg.verdicts import overall, status_of

if TYPE_CHECKING:
    import duckdb

STEPS = 5
"""Steps by which a threshold is relaxed."""
STEP_OF_UNIT = {"d": Decimal(7), "a": Decimal(1), "{score}": Decimal(1), "{count}": Decimal(1)}
"""One step of a threshold in such a unit: a week, a year, a point, one more."""
STEP_OF_INSTRUMENT = {"pga": Decimal("0.1")}
"""One step of an instrument whose scale is finer than points."""
SHARE = Decimal("0.1")
"""One step of any other threshold: this share of it."""
UNSTEPPED = (None, "{presence}")
"""Units of leaves that ask whether something is there: no threshold to relax."""

GAIN = "gain"
"""Who would be gained: `number`, `trial`, `change` (its place), `step` (from 1; 0 for a row dropped), `verdict`."""
_NEAR = "near"
_TRUTHS = {"1": True, "0": False, "-": None}


@dataclass(frozen=True, slots=True)
class Change:
    """One row dropped, or (`leaf`, and `steps` its relaxed forms) one threshold of the row relaxed."""

    row: str
    leaf: Leaf | None = None
    steps: tuple[Leaf, ...] = ()


def changes_of(rules: RuleSet) -> list[Change]:
    """Every change of a trial: each row dropped, then each of its thresholds that can be relaxed."""
    found = []
    for criterion in rules.trial.criteria:
        found.append(Change(criterion.id))
        same: dict[object, list[tuple[Leaf, bool]]] = {}
        for leaf, sign in _signed(rules.conditions[criterion.id], criterion.kind == "inclusion"):
            same.setdefault(leaf_key(leaf), []).append((leaf, sign))
        for uses in same.values():
            leaf, sign = uses[0]
            if all(other == sign for _, other in uses) and (steps := relaxed(leaf, sign)):
                found.append(Change(criterion.id, leaf, steps))
    return found


def relaxed(leaf: Leaf, wanted: bool) -> tuple[Leaf, ...]:
    """The leaf with its threshold moved by one step, two steps …, so that more patients may enter.

    `wanted`: enrolment asks that the leaf holds (else that it does not). None for a leaf without a threshold; a
    threshold above zero stays above zero.
    """
    if leaf.unit in UNSTEPPED:
        return ()
    step = _step(leaf)
    down = (leaf.operator in (">=", ">")) == wanted
    moved = [step * n * (-1 if down else 1) for n in range(1, STEPS + 1)]
    return tuple(
        replace(leaf, met_bound=leaf.met_bound + by, unmet_bound=leaf.unmet_bound + by)
        for by in moved
        if leaf.unmet_bound + by > 0
    )


def changed_rules(rules: RuleSet, change: Change, becomes: Condition | None = None) -> RuleSet:
    """The rules with a change made: the row dropped, or its leaf replaced by `becomes`."""
    if change.leaf is None:
        exempt = {**rules.not_applicable, change.row: Always(f"{change.row}/dropped")}
        return replace(rules, not_applicable=exempt)
    assert becomes is not None
    condition = _replaced(rules.conditions[change.row], change.leaf, becomes)
    return replace(rules, conditions={**rules.conditions, change.row: condition})


class WhatIf:
    """The changes of one trial, and whom each would gain."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns, self.rules = patterns, patterns.rules
        self.changes = changes_of(patterns.rules)
        self._known: Memory[str] = Memory()
        self._variants: dict[tuple[int, str], RuleSet] = {}

    def tell_gains(self, connection: duckdb.DuckDBPyConnection, trial: int) -> None:
        """Add to `GAIN` every patient whose verdict some step of some change would better."""
        self._known.make_room()
        self._near(connection)
        parts = [part for place, change in enumerate(self.changes) if (part := self._asked(place, change))]
        connection.execute(f"CREATE OR REPLACE TABLE asked_change AS {' UNION ALL '.join(parts)}")
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
        bounds = dict.fromkeys(name for change in self.changes if change.leaf for name in self._bounds(change.leaf))
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
            low, high = self._bounds(change.leaf)
            digits = [truth_digit(f"({comparison((low, high), step)})") for step in change.steps]
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
        truths = row_truths(self._variant(place, digit) if digit else self.rules, bounds, attested)
        tops = set(self._affected(self.changes[place]))
        trial = self.rules.trial
        status = {
            row.id: status_of(row, truths[row.id].met, truths[row.id].not_applicable) if row.id in tops else "pass"
            for row in trial.criteria
        }
        word = overall(trial, status)
        return "undetermined" if word == "eligible" and others_open else word

    def _variant(self, place: int, digit: str) -> RuleSet:
        """The rules with a change made, kept for the next pattern."""
        if (place, digit) not in self._variants:
            change, becomes = self.changes[place], None
            if change.leaf is not None:
                becomes = _constant(change.leaf.iri, _TRUTHS[digit])
            self._variants[place, digit] = changed_rules(self.rules, change, becomes)
        return self._variants[place, digit]


_AGAINST = ("fail", "unknown")
_RANK: dict[VerdictWord, int] = {"ineligible": 0, "undetermined": 1, "eligible": 2}


def _constant(iri: str, truth: bool | None) -> Condition:
    return Judgement(iri, "") if truth is None else Always(iri) if truth else Not(iri, Always(iri))


def _signed(condition: Condition, sign: bool) -> Iterator[tuple[Leaf, bool]]:
    """The leaves of a condition, and whether enrolment wants each to hold."""
    match condition:
        case Leaf():
            yield condition, sign
        case Not(operand=operand):
            yield from _signed(operand, not sign)
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            for operand in operands:
                yield from _signed(operand, sign)


def _replaced(condition: Condition, leaf: Leaf, by: Condition) -> Condition:
    """The condition with everything that compares as `leaf` does replaced."""
    match condition:
        case Leaf() if leaf_key(condition) == leaf_key(leaf):
            return by
        case Not(operand=operand):
            return replace(condition, operand=_replaced(operand, leaf, by))
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            return replace(condition, operands=tuple(_replaced(one, leaf, by) for one in operands))
    return condition


def _step(leaf: Leaf) -> Decimal:
    """One step of a threshold: see `STEP_OF_UNIT`."""
    instrument = str(leaf.feature.get("instrument"))
    if instrument in STEP_OF_INSTRUMENT:
        return STEP_OF_INSTRUMENT[instrument]
    return STEP_OF_UNIT.get(str(leaf.unit)) or abs(leaf.met_bound) * SHARE
