"""The search for dates: every change is found to the day, and what time cannot change is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sle_kg.criteria import AllOf, AnyOf, Condition, Feature, Not
from sle_kg.evaluate import Bounds, RuleSet
from sle_kg.timeline import GRID, HORIZON, Case, Course, Probe, courses, may_pass_later
from trees import leaf, ref, row, slug, trial

STEP = "TreatmentDurationCondition"
"""A kind of leaf that time changes."""


class Table:
    """A prober: the value of each feature steps on given days; counts what it is asked."""

    def __init__(self, steps: dict[str, list[tuple[int, int | None]]]) -> None:
        self.steps = steps
        self.asked = 0

    def bounds(self, day: int, slugs: Sequence[str]) -> Bounds:
        found = {}
        for name in slugs:
            value = [value for start, value in self.steps.get(name, []) if start <= day]
            known = Decimal(value[-1]) if value and value[-1] is not None else None
            found[name] = (known, known)
        return found

    def __call__(self, probes: Sequence[Probe], features: Sequence[Feature]) -> list[Bounds]:
        self.asked += len(probes)
        return [self.bounds(probe.days, [feature.slug for feature in features]) for probe in probes]


def course(condition: Condition, table: Table, kind: str = "inclusion", repeat: bool = True) -> Course | None:
    """The course of a trial of one row."""
    rules = RuleSet.of(trial(row("A", condition, kind)))
    case = Case(0, rules, table.bounds(0, list(table.steps)), {})
    return courses([case], {0: ["A"]}, repeat, table).get(0)


@pytest.mark.parametrize("day", [1, 2, GRID - 1, GRID, GRID + 1, 400, HORIZON - 1, HORIZON])
def test_a_failing_row_passes_from_the_day_of_the_change(day: int) -> None:
    found = course(leaf("a", ">=", 1, STEP), Table({slug("a", STEP): [(0, 0), (day, 1)]}))
    assert found is not None
    assert (found.first_pass("A"), found.first_eligible()) == (day, day)


def test_a_change_after_the_horizon_is_not_found() -> None:
    found = course(leaf("a", ">=", 1, STEP), Table({slug("a", STEP): [(0, 0), (HORIZON + 1, 1)]}))
    assert found is not None and found.first_pass("A") is None and found.first_eligible() is None


@pytest.mark.parametrize("day", [1, GRID, GRID + 1, 500])
def test_a_passing_row_passes_last_on_the_day_before_the_change(day: int) -> None:
    found = course(leaf("a", ">=", 1, STEP), Table({slug("a", STEP): [(0, 1), (day, None)]}), repeat=False)
    assert found is not None and found.last_pass("A") == day - 1


def test_an_exclusion_row_passes_when_its_sentence_no_longer_holds() -> None:
    found = course(leaf("a", ">=", 1, STEP), Table({slug("a", STEP): [(0, 1), (16, 0)]}), kind="exclusion")
    assert found is not None and found.first_pass("A") == 16


def test_an_upper_age_limit_is_found_beyond_the_horizon() -> None:
    age = slug("a", "AgeCondition")
    found = course(leaf("a", "<=", 70, "AgeCondition"), Table({age: [(0, 40), (11_000, 71)]}), repeat=False)
    assert found is not None and found.last_pass("A") == 10_999


def test_results_do_not_age_when_they_are_repeated() -> None:
    table = Table({slug("a"): [(0, 1), (20, None)]})
    assert course(leaf("a"), table, repeat=True) is None
    found = course(leaf("a"), table, repeat=False)
    assert found is not None and found.last_pass("A") == 19


def test_what_time_cannot_change_is_not_asked_for() -> None:
    table = Table({slug("a", "SexCondition"): [(0, 0)]})
    assert course(leaf("a", ">=", 1, "SexCondition"), table) is None
    assert table.asked == 0


def test_an_absent_fact_of_a_window_cannot_enter_it() -> None:
    kind = "WashoutCondition"
    assert course(leaf("a", ">=", 1, kind), Table({slug("a", kind): [(0, 0)]})) is None


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.lists(st.tuples(st.integers(1, HORIZON), st.sampled_from([0, 1, None])), max_size=3),
        min_size=1,
    ),
    st.sampled_from(["all", "any", "not"]),
)
def test_the_search_finds_what_asking_every_day_finds(steps, group) -> None:  # type: ignore[no-untyped-def]
    spaced = {}
    for name, changes in steps.items():
        days = sorted({day // (2 * GRID) * 2 * GRID + 1: value for day, value in changes}.items())
        spaced[slug(name, STEP)] = [(0, 0), *days]
    leaves = tuple(leaf(name, ">=", 1, STEP) for name in sorted(steps))
    tree: Condition = {"all": AllOf("g", leaves), "any": AnyOf("g", leaves), "not": Not("g", AllOf("h", leaves))}[group]
    table = Table(spaced)
    found = course(tree, table)
    assert found is not None
    rules = found.case.rules
    every = Course(
        Case(0, rules, {}, {}),
        tuple(range(HORIZON + 1)),
        tuple(table.bounds(day, list(spaced)) for day in range(HORIZON + 1)),
    )
    assert found.first_pass("A") == every.first_pass("A")
    assert found.last_pass("A") == every.last_pass("A")
    assert found.first_eligible() == every.first_eligible()


def test_cases_are_told_apart() -> None:
    name = slug("a", STEP)
    rules = RuleSet.of(trial(row("A", leaf("a", ">=", 1, STEP))))
    cases = [Case(number, rules, {name: (Decimal(0), Decimal(0))}, {}) for number in (3, 30)]

    def probe(probes: Sequence[Probe], features: Sequence[Feature]) -> list[Bounds]:
        return [{name: (Decimal(p.days >= p.case), Decimal(p.days >= p.case))} for p in probes]

    found = courses(cases, {3: ["A"], 30: ["A"]}, True, probe)
    assert {number: course.first_pass("A") for number, course in found.items()} == {3: 3, 30: 30}


def test_a_row_that_fails_whatever_time_brings_is_not_waited_for() -> None:
    table = {slug("a", STEP): (Decimal(0), Decimal(0)), slug("b", "SexCondition"): (Decimal(0), Decimal(0))}
    both = (leaf("a", ">=", 1, STEP), leaf("b", ">=", 1, "SexCondition"))
    for tree, expected in ((AllOf("g", both), False), (AnyOf("g", both), True)):
        rules = RuleSet.of(trial(row("A", tree)))
        assert may_pass_later(Case(0, rules, table, {}), "A") is expected


def test_a_group_waits_for_its_parts() -> None:
    name = slug("a", STEP)
    rules = RuleSet.of(trial(row("G", ref("P")), row("P", leaf("a", ">=", 1, STEP), parent="G")))
    case = Case(0, rules, {name: (Decimal(0), Decimal(0))}, {})
    found = courses([case], {0: ["G"]}, True, Table({name: [(0, 0), (9, 1)]}))[0]
    assert (found.first_pass("G"), found.first_pass("P")) == (9, 9)
