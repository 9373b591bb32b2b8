"""The direct evaluator: a criteria tree over feature bounds, in Kleene's strong three-valued logic.

It is the second opinion on every SHACL engine, and what the search for dates (`timeline.py`) runs. True means known to
hold, False known not to hold, None unknown. A row's truth is about its *sentence*: for an exclusion row True means that
the excluding fact holds; only a verdict turns the sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sle_kg.criteria import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    ByReading,
    Condition,
    Criterion,
    Judgement,
    Leaf,
    Not,
    RowRef,
    Trial,
    under_readings,
    walk,
)
from sle_kg.errors import TrialFileError

Truth = bool | None
Bound = tuple[Decimal | None, Decimal | None]
Bounds = Mapping[str, Bound]
Attestations = Mapping[str, frozenset[bool]]
"""What was attested of each row: {True}, {False}, both where two of one date contradict each other."""

UNBOUNDED: Bound = (None, None)
NOT_ATTESTED: frozenset[bool] = frozenset()


@dataclass(frozen=True, slots=True)
class RowTruth:
    """What is known of one row.

    `met` is the truth with attestation, `data` without. `not_applicable` is true only where that is known to hold.
    """

    met: Truth
    not_applicable: bool = False
    data: Truth = None
    attested: frozenset[bool] = NOT_ATTESTED


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A trial's rows under chosen readings: conditions without `ByReading`, rows after the rows they refer to."""

    trial: Trial
    order: tuple[Criterion, ...]
    conditions: Mapping[str, Condition]
    not_applicable: Mapping[str, Condition]

    @classmethod
    def of(cls, trial: Trial, readings: Mapping[str, str] | None = None) -> RuleSet:
        """The rules of `trial` under `readings` (ambiguity → key), the default wherever none is chosen.

        Raises TrialFileError when rows refer to each other in a circle or to a row that is not there.
        """
        chosen = readings or {}
        conditions = {row.id: under_readings(row.condition, chosen) for row in trial.criteria}
        exempt = {
            row.id: under_readings(row.not_applicable, chosen)
            for row in trial.criteria
            if row.not_applicable is not None
        }
        return cls(trial, _parts_first(trial, conditions, exempt), conditions, exempt)

    def nodes(self, row: str) -> list[Condition]:
        """Every node of the conditions of a row: when its sentence holds, and of whom it asks nothing."""
        own = (self.conditions[row], self.not_applicable.get(row))
        return [node for condition in own if condition is not None for node in walk(condition)]

    def parts(self, row: str) -> list[str]:
        """The rows to which a row refers."""
        return [node.row for node in self.nodes(row) if isinstance(node, RowRef)]

    def reached(self, rows: Iterable[str]) -> list[str]:
        """The rows and every row that they refer to, however far; each once."""
        found: dict[str, None] = {}
        todo = list(rows)
        while todo:
            row = todo.pop()
            if row not in found:
                found[row] = None
                todo += self.parts(row)
        return list(found)

    def leaves(self, rows: Iterable[str]) -> list[Leaf]:
        """The leaves of some rows."""
        return [node for row in rows for node in self.nodes(row) if isinstance(node, Leaf)]


def compare(leaf: Leaf, bound: Bound) -> Truth:
    """The leaf's comparison with what is known of its feature."""
    low, high = bound
    match leaf.operator:
        case ">=":
            met, unmet = low is not None and low >= leaf.met_bound, high is not None and high < leaf.unmet_bound
        case ">":
            met, unmet = low is not None and low > leaf.met_bound, high is not None and high <= leaf.unmet_bound
        case "<=":
            met, unmet = high is not None and high <= leaf.met_bound, low is not None and low > leaf.unmet_bound
        case "<":
            met, unmet = high is not None and high < leaf.met_bound, low is not None and low >= leaf.unmet_bound
    return True if met else False if unmet else None


def negation(truth: Truth) -> Truth:
    """Kleene's not."""
    return None if truth is None else not truth


def at_least(count: int, truths: Iterable[Truth]) -> Truth:
    """Whether at least `count` hold: all-of is `at_least(n)` of n, any-of is `at_least(1)`."""
    values = list(truths)
    if values.count(True) >= count:
        return True
    return False if len(values) - values.count(False) < count else None


def evaluate(condition: Condition, bounds: Bounds, rows: Mapping[str, Truth]) -> Truth:
    """The truth of a condition; `rows` gives what each row that it refers to counts as (`counts_as`).

    Raises TypeError for a `ByReading`: choose readings first (`RuleSet.of`).
    """
    match condition:
        case Leaf():
            return compare(condition, bounds.get(condition.feature.slug, UNBOUNDED))
        case RowRef(row=row):
            return rows[row]
        case Judgement():
            return None
        case Always():
            return True
        case Not(operand=operand):
            return negation(evaluate(operand, bounds, rows))
        case AllOf(operands=operands):
            return at_least(len(operands), (evaluate(operand, bounds, rows) for operand in operands))
        case AnyOf(operands=operands):
            return at_least(1, (evaluate(operand, bounds, rows) for operand in operands))
        case AtLeast(count=count, operands=operands):
            return at_least(count, (evaluate(operand, bounds, rows) for operand in operands))
        case ByReading():
            raise TypeError(f"{condition.iri}: no reading chosen")


def settle(data: Truth, attested: frozenset[bool]) -> Truth:
    """Data and attestation together: either settles the row, a contradiction leaves it unknown (section 4, rule 3)."""
    if data is None:
        return next(iter(attested)) if len(attested) == 1 else None
    return data if (not data) not in attested else None


def counts_as(criterion: Criterion, truth: RowTruth) -> Truth:
    """What a row counts as where another refers to it: one that asks nothing of this patient speaks for enrolment."""
    return criterion.kind == "inclusion" if truth.not_applicable else truth.met


def row_truths(
    rules: RuleSet,
    bounds: Bounds,
    attestations: Attestations,
    fixed: Mapping[str, RowTruth] | None = None,
) -> dict[str, RowTruth]:
    """The truth of every row. `fixed` rows are taken as given: they answer "what if this row were different?"."""
    given = fixed or {}
    truths: dict[str, RowTruth] = {}
    counted: dict[str, Truth] = {}
    for criterion in rules.order:
        row = criterion.id
        truths[row] = given[row] if row in given else row_truth(rules, row, bounds, attestations, counted)
        counted[row] = counts_as(criterion, truths[row])
    return truths


def families(trial: Trial) -> dict[str, str]:
    """For each row its top-level row: the one without a parent above it (itself, where it has none)."""
    parent = {criterion.id: criterion.parent for criterion in trial.criteria}
    tops: dict[str, str] = {}
    for row in parent:
        top, above = row, parent[row]
        while above is not None:
            top, above = above, parent[above]
        tops[row] = top
    return tops


def decisive_rows(rules: RuleSet, bounds: Bounds, attestations: Attestations) -> set[str]:
    """The rows of which another status alone could change the status of their top-level row; every top-level row."""
    found = {criterion.id for criterion in rules.trial.criteria if criterion.parent is None}
    truths = row_truths(rules, bounds, attestations)
    tops = families(rules.trial)
    counted = {row.id: counts_as(row, truths[row.id]) for row in rules.order}
    for top in {tops[row] for row in truths if row not in found}:
        members = [criterion for criterion in rules.order if tops[criterion.id] == top]
        before = _standing(truths[top])
        parts = {member.id: set(rules.parts(member.id)) for member in members}
        for place, member in enumerate(members):
            above = [(row, parts[row.id]) for row in members[place + 1 :]]
            if member.id != top and any(
                _standing(_with(rules, above, truths, counted, bounds, attestations, member, other)[top]) != before
                for other in (True, False, None)
                if other != counted[member.id]
            ):
                found.add(member.id)
    return found


def deciding_leaves(condition: Condition, bounds: Bounds, rows: Mapping[str, Truth]) -> Iterator[Leaf | RowRef]:
    """The leaves and rows that make a known condition what it is: those that agree with it, negation considered."""
    truth = evaluate(condition, bounds, rows)
    if truth is None:
        return
    match condition:
        case Leaf() | RowRef():
            yield condition
        case Not(operand=operand):
            yield from deciding_leaves(operand, bounds, rows)
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            for operand in operands:
                if evaluate(operand, bounds, rows) == truth:
                    yield from deciding_leaves(operand, bounds, rows)


def row_truth(
    rules: RuleSet, row: str, bounds: Bounds, attestations: Attestations, counted: Mapping[str, Truth]
) -> RowTruth:
    """The truth of one row; `counted` gives what each row that it refers to counts as."""
    data = evaluate(rules.conditions[row], bounds, counted)
    exempt = rules.not_applicable.get(row)
    attested = attestations.get(row, NOT_ATTESTED)
    not_applicable = exempt is not None and evaluate(exempt, bounds, counted) is True
    return RowTruth(settle(data, attested), not_applicable, data, attested)


def _with(
    rules: RuleSet,
    above: Iterable[tuple[Criterion, set[str]]],
    truths: Mapping[str, RowTruth],
    counted: Mapping[str, Truth],
    bounds: Bounds,
    attestations: Attestations,
    changed: Criterion,
    truth: Truth,
) -> dict[str, RowTruth]:
    """The truths if `changed` counted as `truth`; `above` are the rows after it in order, with those they refer to."""
    result = {**truths, changed.id: RowTruth(truth)}
    counts = {**counted, changed.id: truth}
    moved = {changed.id}
    for row, parts in above:
        if not parts.isdisjoint(moved):
            result[row.id] = row_truth(rules, row.id, bounds, attestations, counts)
            counts[row.id] = counts_as(row, result[row.id])
            moved.add(row.id)
    return result


def _standing(truth: RowTruth) -> tuple[Truth, bool]:
    return (True, True) if truth.not_applicable else (truth.met, False)


def _parts_first(
    trial: Trial, conditions: Mapping[str, Condition], exempt: Mapping[str, Condition]
) -> tuple[Criterion, ...]:
    """The rows, each after the rows that it refers to."""
    order: dict[str, Criterion] = {}
    known = {criterion.id: criterion for criterion in trial.criteria}

    def place(row: str, path: tuple[str, ...]) -> None:
        if row in order:
            return
        if row in path:
            raise TrialFileError(f"{trial.id}: the rows {' → '.join((*path, row))} refer to each other in a circle")
        if row not in known:
            raise TrialFileError(f"{trial.id}: {path[-1]} refers to {row}, which is no row of this trial")
        for condition in (conditions[row], exempt.get(row)):
            for node in walk(condition) if condition is not None else ():
                if isinstance(node, RowRef):
                    place(node.row, (*path, row))
        order[row] = known[row]

    for criterion in trial.criteria:
        place(criterion.id, ())
    return tuple(order.values())
