"""What time could bring at best: rules under which every comparison that may change speaks for enrolment.

Kleene's logic is monotone: whoever fails or stays unknown where every comparison that time may change is what is best
for him, does so on every day ahead. Nobody needs to look for his day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from sle_kg.criteria import AllOf, AnyOf, Condition, Criterion, Feature, Leaf, Not, RowRef, signed, with_leaves
from sle_kg.evaluate import RuleSet

Changes = Callable[[Leaf], bool]
"""Whether time may change a comparison."""
_ONE = Decimal(1)


def hopeful(rules: RuleSet, changes: Changes) -> RuleSet | None:
    """The rules with each comparison that `changes` beside a leaf over `may_change` of its feature.

    Where that feature is 1, the comparison is as its row wants it, where it is 0, what it is. None for rules in which
    a row with such comparisons is wanted both to hold and not to hold.
    """

    def hope(leaf: Leaf, sign: bool) -> Condition:
        return _with_hope(leaf, sign) if changes(leaf) else leaf

    wanted = _wanted(rules)
    made: dict[str, Condition] = {}
    exempt: dict[str, Condition] = {}
    for criterion in rules.order:
        row, signs = criterion.id, wanted.get(criterion.id, set())
        made[row] = rules.conditions[row]
        if row in rules.not_applicable:
            exempt[row] = rules.not_applicable[row]
        if len(signs) > 1 and any(changes(leaf) for leaf in rules.leaves([row])):
            return None
        for sign in signs:
            made[row] = with_leaves(rules.conditions[row], hope, sign)
            if row in exempt:
                exempt[row] = with_leaves(rules.not_applicable[row], hope, _sign_of_exemption(criterion, sign))
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
        todo += _rows(rules.conditions[row], sign)
        if row in rules.not_applicable:
            todo += _rows(rules.not_applicable[row], _sign_of_exemption(known[row], sign))
    return found


def _rows(condition: Condition, sign: bool) -> Iterator[tuple[str, bool]]:
    """The rows referred to, and whether each is wanted to hold."""
    return ((node.row, wanted) for node, wanted in signed(condition, sign) if isinstance(node, RowRef))


def _sign_of_exemption(criterion: Criterion, sign: bool) -> bool:
    """Whether an exemption serves who wants the row to be `sign`: exempt, it counts as speaking for enrolment."""
    return sign == (criterion.kind == "inclusion")


def _with_hope(leaf: Leaf, sign: bool) -> Condition:
    """A leaf that time may change: it holds where that is wanted, else it does not."""
    may = Leaf(f"{leaf.iri}/mayChange", may_change(leaf.feature), ">=", _ONE, _ONE)
    if sign:
        return AnyOf(f"{leaf.iri}/hopeful", (leaf, may))
    return AllOf(f"{leaf.iri}/hopeful", (leaf, Not(f"{may.iri}/not", may)))
