"""Synthetic trials drawn from the vocabulary of the real ones.

Their comparisons, with other thresholds, windows and value sets, in random trees. The same seed gives the same trials.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sle_kg.criteria import (
    AllOf,
    AnyOf,
    AtLeast,
    Condition,
    Criterion,
    Feature,
    Judgement,
    Leaf,
    Not,
    Parameter,
    Trial,
    walk,
)
from sle_kg.namespaces import TRIAL
from sle_kg.trials import screenable

SEED = 20261121
ROWS = 40
"""Rows of a synthetic trial; the real ones have 27 to 80."""
LOOKBACKS = ("P7D", "P14D", "P28D", "P56D", "P90D", "P6M", "P1Y")
FACTORS = tuple(map(Decimal, ("0.5", "0.75", "1", "1", "1.25", "2")))


def invented_trials(count: int, seed: int = SEED) -> list[Trial]:
    """So many trials; the first ones of a longer list are those of a shorter one."""
    return [_trial(number, random.Random(f"{seed} {number}")) for number in range(count)]


def _vocabulary() -> list[Leaf]:
    """Every comparison of the real trials once, in the order of its feature's name."""
    found: dict[tuple[str, str, Decimal], Leaf] = {}
    for trial in screenable().values():
        for row in trial.criteria:
            for node in walk(row.condition):
                if isinstance(node, Leaf):
                    found.setdefault((node.feature.slug, node.operator, node.met_bound), node)
    return [found[key] for key in sorted(found)]


def _trial(number: int, chance: random.Random) -> Trial:
    nct = f"NCT9{number:07}"
    leaves = _vocabulary()
    sets = _sets_by_kind(leaves)
    rows = tuple(_row(nct, f"R{place:02}", leaves, sets, chance) for place in range(ROWS))
    return Trial(nct, f"Synthetic trial {number}", rows, (), True, "RECRUITING", "2026-11-21", "drawn at random")


def _row(
    nct: str, name: str, leaves: Sequence[Leaf], sets: dict[str, list[Parameter]], chance: random.Random
) -> Criterion:
    condition = _tree(f"{TRIAL}{nct}/{name}/condition", leaves, sets, chance, depth=2)
    return Criterion(
        id=name,
        trial=nct,
        kind=chance.choice(("inclusion", "exclusion")),
        parent=None,
        text=name,
        sentence=name,
        computability="computable",
        condition=condition,
    )


def _tree(
    iri: str, leaves: Sequence[Leaf], sets: dict[str, list[Parameter]], chance: random.Random, depth: int
) -> Condition:
    """A comparison, or a group of trees; most rows of real trials are one comparison."""
    shape = chance.choices(("leaf", "all", "any", "at least", "not", "judgement"), (60, 10, 15, 3, 5, 7))[0]
    if shape == "judgement":
        return Judgement(iri, "?")
    if shape == "leaf" or depth == 0:
        return _changed(replace(chance.choice(leaves), iri=iri), sets, chance)
    if shape == "not":
        return Not(iri, _tree(f"{iri}/1", leaves, sets, chance, depth - 1))
    parts = tuple(_tree(f"{iri}/{place}", leaves, sets, chance, depth - 1) for place in range(1, chance.choice((3, 4))))
    if shape == "at least":
        return AtLeast(iri, chance.randint(1, len(parts)), parts)
    return AllOf(iri, parts) if shape == "all" else AnyOf(iri, parts)


def _changed(leaf: Leaf, sets: dict[str, list[Parameter]], chance: random.Random) -> Leaf:
    """The comparison with another value set of its kind, another look-back, another threshold, or as it is."""
    parameters = dict(leaf.feature.parameters)
    if "valueSet" in parameters and chance.random() < 0.5:
        parameters["valueSet"] = chance.choice(sets[leaf.feature.kind])
    if "lookback" in parameters and chance.random() < 0.5:
        parameters["lookback"] = chance.choice(LOOKBACKS)
    feature = Feature(leaf.feature.kind, tuple(sorted(parameters.items())))
    if leaf.met_bound <= 1:  # a presence; or a bound of which fractions say nothing new
        return replace(leaf, feature=feature)
    factor = chance.choice(FACTORS)
    return replace(leaf, feature=feature, met_bound=leaf.met_bound * factor, unmet_bound=leaf.unmet_bound * factor)


def _sets_by_kind(leaves: Sequence[Leaf]) -> dict[str, list[Parameter]]:
    """The value sets that the real trials ask each kind of feature for."""
    found: dict[str, set[Parameter]] = {}
    for leaf in leaves:
        value_set = leaf.feature.get("valueSet")
        if value_set is not None:
            found.setdefault(leaf.feature.kind, set()).add(value_set)
    return {kind: sorted(sets, key=str) for kind, sets in found.items()}
