"""What is found of a top-level row for many patients at once is what the direct evaluator finds of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sle_kg.cohort.family import Family
from sle_kg.cohort.kleene import FALSE, TRUE, UNKNOWN, Flags, Patients, Truths
from sle_kg.cohort.top_rows import part
from sle_kg.criteria import AllOf, Judgement, Leaf, Trial, with_leaves
from sle_kg.engines import RowStatus
from sle_kg.evaluate import (
    UNBOUNDED,
    Attestations,
    Bounds,
    RowTruth,
    RuleSet,
    compare,
    decisive_rows,
    families,
    row_truths,
)
from sle_kg.open_rows import OpenRows
from sle_kg.timeline import Case, may_pass_later
from sle_kg.verdict import OpenKind
from sle_kg.verdicts import KINDS, statuses
from trees import attestations, bounds, feature, leaf, row, slug, trial, trials

Known = list[tuple[Bounds, Attestations]]
Answer = tuple[bool, tuple[tuple[str, OpenKind], ...], tuple[str, ...]]
"""Whether nothing speaks against a patient, his open rows with whose move each is, and those that settle the top."""


def columns(rules: RuleSet, known: Known) -> Patients:
    """Some patients as columns of truths."""

    def compared(leaf: Leaf) -> Truths:
        truths = [compare(leaf, bounds.get(leaf.feature.slug, UNBOUNDED)) for bounds, _ in known]
        return np.array([UNKNOWN if truth is None else TRUE if truth else FALSE for truth in truths], np.int8)

    def attested(row: str, answer: bool) -> Flags:
        return np.array([answer in some.get(row, ()) for _, some in known])

    said = {row.id for row in rules.order if any(some.get(row.id) for _, some in known)}
    return Patients(len(known), compared, {row: (attested(row, True), attested(row, False)) for row in said})


def evaluated(rules: RuleSet, top: str, members: list[str], known: Bounds, attested: Attestations) -> Answer:
    """What is found by judging all rows anew for every question."""
    truths = row_truths(rules, known, attested)
    found = {row: RowStatus(truth.met, truth.not_applicable) for row, truth in truths.items()}
    status, opened = statuses(rules.trial, found), OpenRows(rules, known, attested, found)
    deciding = decisive_rows(rules, known, attested)
    decisive = [row for row in members if row in deciding]
    kinds = [(row, kind) for row in decisive if (kind := opened.kind(row)) is not None]
    groups = {row.parent for row in rules.trial.criteria}
    ends = tuple((row, kind) for row, kind in kinds if row not in groups)

    def settles(row: str) -> bool:
        tops = [row_truths(rules, known, attested, {row: RowTruth(answer)})[top] for answer in (True, False)]
        return all(truth.met is not None or truth.not_applicable for truth in tops)

    clear = not any(status[row] == "fail" for row in decisive) and all(kind != "data" for _, kind in kinds)
    return clear, ends, tuple(row for row, _ in ends if settles(row))


UNRIPE = trial(row("G", AllOf("g", (Judgement("j", "?"), leaf("a")))))
"""What is judged is asked last: the test comes first."""


@given(trials(), st.lists(st.tuples(bounds(), attestations), min_size=1, max_size=6))
@example(UNRIPE, [({}, {})])
@settings(max_examples=100)
def test_a_family_finds_what_the_evaluator_finds(made: Trial, patients: Known) -> None:
    rules, top_of = of_kinds(RuleSet.of(made), CONSENT), families(made)
    patients = [(rekeyed(known, CONSENT), said) for known, said in patients]
    for top in set(top_of.values()):
        members = [row for row in top_of if top_of[row] == top]
        own = part(rules, rules.reached(members), members)
        found = Family(own, top, members).look(columns(own, patients))
        for number, (known, attested) in enumerate(patients):
            ends = [
                (row, KINDS[kinds[number]], settles[number])
                for row, kinds, settles in found.open
                if kinds[number] < len(KINDS)
            ]
            answer = (
                bool(found.clear[number]),
                tuple((row, kind) for row, kind, _ in ends),
                tuple(row for row, _, settles in ends if settles),
            )
            assert answer == evaluated(own, top, members, known, attested)


KINDS_OF_LEAVES = {"a": "AgeCondition", "b": "WashoutCondition", "c": "DiagnosisCondition", "d": "ScoreCondition"}
"""Features of the random trees as such that only rise, run out (twice), or stay where results are repeated."""


CONSENT = {"a": "ConsentCondition", **dict.fromkeys("bcd", "ScoreCondition")}
"""One feature is a consent, of which records may speak against it: its lower bound is then 0."""


def rekeyed(known: Bounds, kinds: Mapping[str, str]) -> Bounds:
    """The bounds of features by name under their kinds."""
    return {slug(name, kind): known[slug(name)] for name, kind in kinds.items() if slug(name) in known}


def of_kinds(rules: RuleSet, kinds: Mapping[str, str]) -> RuleSet:
    """The rules over features of these kinds."""
    features = {feature(name): feature(name, kind) for name, kind in kinds.items()}

    def timed(of: Leaf, _: bool) -> Leaf:
        return replace(of, feature=features[of.feature])

    conditions, exempt = (
        {row: with_leaves(condition, timed) for row, condition in some.items()}
        for some in (rules.conditions, rules.not_applicable)
    )
    return replace(rules, conditions=conditions, not_applicable=exempt)


@given(trials(), st.lists(st.tuples(bounds(), attestations), min_size=1, max_size=6))
@settings(max_examples=50)
def test_time_helps_whom_the_search_for_dates_would_look_at(made: Trial, patients: Known) -> None:
    rules, top_of = of_kinds(RuleSet.of(made), KINDS_OF_LEAVES), families(made)
    timed = [(rekeyed(known, KINDS_OF_LEAVES), said) for known, said in patients]
    for top in set(top_of.values()):
        members = [row for row in top_of if top_of[row] == top]
        own = part(rules, rules.reached(members), members)
        found = Family(own, top, members).may_pass_later(columns(own, timed))
        assert list(found) == [may_pass_later(Case(0, rules, known, attested), top) for known, attested in timed]
