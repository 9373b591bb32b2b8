"""Random criteria over the comparisons of the real trials, put to synthetic patients (`make test-identity`)."""

from __future__ import annotations

import random
from functools import cache

import pytest

from random_patients import DATES, Screening, patients
from random_profiles import first_difference, of_engine, of_evaluator
from sle_kg.criteria import AllOf, AnyOf, AtLeast, Condition, Judgement, Not, Trial
from sle_kg.engines import get_engine
from sle_kg.namespaces import TRIAL
from sle_kg.profile import Profile
from sle_kg.screening import Options
from sle_kg.synthetic.bent import comparisons
from trees import NCT, named, ref, row, trial

TREES, PEOPLE, SHAPES = 150, 300, 4
"""Trees; patients before each; and of these before the shapes."""


def tree(chance: random.Random, depth: int, rows: tuple[str, ...] = ()) -> Condition:
    """A random tree over real comparisons, judgements and references to rows."""
    if depth == 0 or chance.random() < 0.2:
        if rows and chance.random() < 0.5:
            return ref(chance.choice(rows))
        return chance.choice([*comparisons(), Judgement(f"{TRIAL}{NCT}/judgement", "?")])
    operands = tuple(tree(chance, depth - 1, rows) for _ in range(chance.randint(1, 4)))
    match chance.randrange(4):
        case 0:
            return AllOf("", operands)
        case 1:
            return AnyOf("", operands)
        case 2:
            return AtLeast("", chance.randint(1, len(operands)), operands)
    return Not("", operands[0])


def random_trial(seed: int) -> Trial:
    """Four rows: two parts, one of which asks nothing of some; a group over them; and a row of its own."""
    chance = random.Random(seed)

    def condition(name: str, rows: tuple[str, ...] = ()) -> Condition:
        return named(tree(chance, 3, rows), f"{TRIAL}{NCT}/{name}/condition")

    kinds = chance.choices(["inclusion", "exclusion"], k=4)
    return trial(
        row("G", condition("G", ("P1", "P2")), kinds[0]),
        row("P1", condition("P1"), kinds[1], "G", named(tree(chance, 1), f"{TRIAL}{NCT}/P1/exempt")),
        row("P2", condition("P2"), kinds[2], "G"),
        row("R", condition("R"), kinds[3]),
    )


@cache
def profiles() -> tuple[Profile, ...]:
    """One profile for each synthetic patient, with the bounds of all trials."""
    made = Screening(patients(range(1, PEOPLE + 1), 77, DATES[0]), Options(on=DATES[0], engine="sql")).profiles
    known: dict[str, dict] = {}  # type: ignore[type-arg]
    for profile in made:
        known.setdefault(profile.patient, {}).update(profile.bounds)
    chance = random.Random(5)
    return tuple(
        Profile(ask, patient, NCT, DATES[0], bounds, {"P1": frozenset({True})} if chance.random() < 0.1 else {})
        for ask, (patient, bounds) in enumerate(known.items())
    )


@pytest.mark.parametrize("seed", range(TREES))
def test_random_criteria_have_the_same_statuses_by_every_engine(seed: int) -> None:
    made, people = random_trial(seed), profiles()
    evaluator = of_evaluator(made, {})
    assert first_difference(of_engine(get_engine("sql"), made, {}), evaluator, people) is None
    some = people[seed % PEOPLE :: PEOPLE // SHAPES]
    assert first_difference(of_engine(get_engine("shacl"), made, {}), evaluator, some) is None


def test_random_criteria_are_met_by_some_and_not_by_others() -> None:
    found = set()
    for seed in range(TREES):
        said = of_evaluator(random_trial(seed), {})(profiles())
        found |= {rows["R"].met for rows in said.values()}
    assert found == {True, False, None}
