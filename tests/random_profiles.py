"""Random profiles close to the thresholds of a trial, and the comparison of two opinions on them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from sle_kg.criteria import Leaf, Trial, walk
from sle_kg.engines import Engine, RowStatus
from sle_kg.evaluate import Bound, RuleSet, row_truths
from sle_kg.profile import Profile

ON = dt.date(2026, 11, 21)
STEP = Decimal("0.000000000001")
Statuses = Mapping[str, RowStatus]
Opinion = Callable[[Sequence[Profile]], Mapping[int, Statuses]]
"""What somebody says of profiles: by ask, the status of each row."""


def random_people(trial: Trial, number: int, seed: int) -> list[Profile]:
    """Profiles whose bounds lie at the thresholds of the trial and one step beside them, some rows attested."""
    chance = random.Random(seed)
    thresholds: dict[str, set[Decimal]] = {}
    for row in trial.criteria:
        for condition in (row.condition, row.not_applicable):
            for node in walk(condition) if condition is not None else ():
                if isinstance(node, Leaf):
                    thresholds.setdefault(node.feature.slug, {Decimal(0)}).update({node.met_bound, node.unmet_bound})

    def bound(slug: str) -> Bound:
        values = [value + STEP * chance.choice((-1, 0, 1)) for value in sorted(thresholds[slug])]
        low, high = sorted(chance.choices(values, k=2))
        return (low if chance.random() < 0.7 else None, high if chance.random() < 0.7 else None)

    def attested() -> dict[str, frozenset[bool]]:
        rows = [row.id for row in trial.criteria if chance.random() < 0.1]
        return {row: frozenset(chance.sample([True, False], chance.choice((1, 1, 2)))) for row in rows}

    return [
        Profile(n, f"p{n}", trial.id, ON, {slug: bound(slug) for slug in sorted(thresholds)}, attested())
        for n in range(number)
    ]


def choices_of_readings(trial: Trial) -> list[dict[str, str]]:
    """The default readings, and each other reading alone."""
    return [{}] + [{reading.ambiguity: reading.key} for reading in trial.readings if not reading.default]


def of_engine(engine: Engine, trial: Trial, readings: Mapping[str, str]) -> Opinion:
    """What an engine says."""
    return lambda people: engine.statuses(trial, readings, people)


def of_evaluator(trial: Trial, readings: Mapping[str, str]) -> Opinion:
    """What the direct evaluator says."""
    rules = RuleSet.of(trial, readings)

    def said(someone: Profile) -> dict[str, RowStatus]:
        truths = row_truths(rules, someone.bounds, someone.attestations)
        return {row: RowStatus(truth.met, truth.not_applicable) for row, truth in truths.items()}

    return lambda people: {someone.ask: said(someone) for someone in people}


def first_difference(one: Opinion, other: Opinion, people: Sequence[Profile]) -> str | None:
    """Nothing where both say the same of every row; else the smallest profile on which they differ, and where."""
    left, right = one(people), other(people)
    for someone in people:
        if dict(left[someone.ask]) != dict(right[someone.ask]):
            smallest = _smallest(someone, lambda less: one([less])[less.ask] != other([less])[less.ask])
            said, meant = one([smallest])[smallest.ask], other([smallest])[smallest.ask]
            rows = {row: (said[row], meant[row]) for row in said if said[row] != meant[row]}
            return f"{rows} of bounds {smallest.bounds}, attested {smallest.attestations}"
    return None


def _smallest(someone: Profile, differs: Callable[[Profile], bool]) -> Profile:
    """The profile without every bound and attestation that it does not need to differ."""
    for slug in list(someone.bounds):
        less = replace(someone, bounds={name: bound for name, bound in someone.bounds.items() if name != slug})
        someone = less if differs(less) else someone
    for row in list(someone.attestations):
        less = replace(someone, attestations={name: v for name, v in someone.attestations.items() if name != row})
        someone = less if differs(less) else someone
    return someone
