"""What time could bring at best: rules under which every comparison that may change speaks for enrolment.

Kleene's logic is monotone: whoever fails or stays unknown where every comparison that time may change is what is best
for him, does so on every day ahead. Nobody needs to look for his day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from sle_kg.criteria import AllOf, AnyOf, AtLeast, Condition, Criterion, Feature, Leaf, Not, RowRef
from sle_kg.evaluate import RuleSet

Changes = Callable[[Leaf], bool]
"""Whether time may change a comparison."""
_ONE = Decimal(1)


def hopeful(rules: RuleSet, changes: Changes) -> RuleSet | None:
    """The rules with each comparison that `changes` beside a leaf over `may_change` of its feature.

    Where that feature is 1, the comparison is as its row wants it, where it is 0, what it is. None for rules in which
    a row with such comparisons is wanted both to hold and not to hold.
    """
    wanted = _wanted(rules)
    made: dict[str, Condition] = {}
    exempt: dict[str, Condition] = {}
    for criterion in rules.order:
        row, signs = criterion.id, wanted.get(criterion.id, set())
        made[row] = rules.conditions[row]
        if row in rules.not_applicable:
            exempt[row] = rules.not_applicable[row]
        if len(signs) > 1 and any(changes(leaf) for one in _conditions(rules, row) for leaf, _ in _leaves(one, True)):
            return None
        for sign in signs:
            made[row] = _hopeful(rules.conditions[row], sign, changes)
            if row in exempt:
                exempt[row] = _hopeful(rules.not_applicable[row], _sign_of_exemption(criterion, sign), changes)
    return replace(rules, conditions=made, not_applicable=exempt)


def may_change(feature: Feature) -> Feature:
    """The feature that is 1 where time may change another one, else 0."""
    return Feature(f"MayChange{feature.kind}", feature.parameters)


def _wanted(rules: RuleSet) -> Mapping[str, set[bool]]:
    """By row, whether enrolment wants it to hold, not to hold, or both, of rows on which top-level rows depend."""
    found: dict[str, set[bool]] = {}
    known = {criterion.id: criterion for criterion in rules.order}
    todo = [(row.id, row.kind == "inclusion") for row in rules.order if row.parent is None]
    while todo:
        row, sign = todo.pop()
        if sign in found.setdefault(row, set()):
            continue
        found[row].add(sign)
        todo += _references(rules.conditions[row], sign)
        if row in rules.not_applicable:
            todo += _references(rules.not_applicable[row], _sign_of_exemption(known[row], sign))
    return found


def _sign_of_exemption(criterion: Criterion, sign: bool) -> bool:
    """Whether an exemption serves who wants the row to be `sign`: exempt, it counts as speaking for enrolment."""
    return sign == (criterion.kind == "inclusion")


def _conditions(rules: RuleSet, row: str) -> list[Condition]:
    return [one for one in (rules.conditions[row], rules.not_applicable.get(row)) if one is not None]


def _references(condition: Condition, sign: bool) -> Iterator[tuple[str, bool]]:
    """The rows referred to, and whether each is wanted to hold."""
    match condition:
        case RowRef(row=row):
            yield row, sign
        case Not(operand=operand):
            yield from _references(operand, not sign)
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            for operand in operands:
                yield from _references(operand, sign)


def _leaves(condition: Condition, sign: bool) -> Iterator[tuple[Leaf, bool]]:
    """The leaves, and whether each is wanted to hold."""
    match condition:
        case Leaf():
            yield condition, sign
        case Not(operand=operand):
            yield from _leaves(operand, not sign)
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            for operand in operands:
                yield from _leaves(operand, sign)


def _hopeful(condition: Condition, sign: bool, changes: Changes) -> Condition:
    """The condition with hope for each leaf that changes: it holds where that is wanted, else it does not."""
    match condition:
        case Leaf() if changes(condition):
            may = Leaf(f"{condition.iri}/mayChange", may_change(condition.feature), ">=", _ONE, _ONE)
            if sign:
                return AnyOf(f"{condition.iri}/hopeful", (condition, may))
            return AllOf(f"{condition.iri}/hopeful", (condition, Not(f"{may.iri}/not", may)))
        case Not(operand=operand):
            return replace(condition, operand=_hopeful(operand, not sign, changes))
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            return replace(condition, operands=tuple(_hopeful(one, sign, changes) for one in operands))
    return condition
