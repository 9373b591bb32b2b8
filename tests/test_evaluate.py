"""The direct evaluator: Kleene's logic, bounds, attestations, decisive rows."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sle_kg.criteria import AllOf, AnyOf, AtLeast, Condition, Judgement, Leaf, Not
from sle_kg.errors import TrialFileError
from sle_kg.evaluate import (
    RowTruth,
    RuleSet,
    Truth,
    at_least,
    compare,
    deciding_leaves,
    decisive_rows,
    evaluate,
    negation,
    row_truths,
    settle,
)
from sle_kg.namespaces import TRIAL
from trees import NCT, attestations, bounds, leaf, named, number, ref, row, slug, trial, trials

TRUTHS: tuple[Truth, ...] = (True, False, None)
truths = st.sampled_from(TRUTHS)


@pytest.mark.parametrize(("left", "right"), list(product(TRUTHS, TRUTHS)))
def test_all_of_and_any_of_are_kleenes_tables(left: Truth, right: Truth) -> None:
    rank = {False: 0, None: 1, True: 2}
    assert at_least(2, (left, right)) is min(left, right, key=rank.__getitem__)
    assert at_least(1, (left, right)) is max(left, right, key=rank.__getitem__)


@given(st.lists(truths, min_size=1, max_size=5), st.integers(1, 5))
def test_negated_at_least_is_at_least_of_negations(values: list[Truth], count: int) -> None:
    if count <= len(values):
        needed = len(values) - count + 1
        assert negation(at_least(count, values)) is at_least(needed, [negation(value) for value in values])


@given(st.lists(truths, min_size=1, max_size=5), st.integers(1, 5), st.data())
def test_knowing_more_never_changes_what_is_known(values: list[Truth], count: int, data: st.DataObject) -> None:
    known = at_least(count, values)
    more = [value if value is not None else data.draw(truths) for value in values]
    assert known is None or at_least(count, more) is known


@pytest.mark.parametrize(
    ("operator", "low", "high", "expected"),
    [
        (">=", "7", None, True),
        (">=", "6.999999999999", None, None),
        (">=", None, "7", None),
        (">=", None, "6.999999999999", False),
        (">", "7", None, None),
        (">", "7.000000000001", None, True),
        (">", None, "7", False),
        ("<=", None, "7", True),
        ("<=", "7", None, None),
        ("<=", "7.000000000001", None, False),
        ("<", None, "7", None),
        ("<", None, "6.999999999999", True),
        ("<", "7", None, False),
        ("<", None, None, None),
    ],
)
def test_a_leaf_is_decided_by_the_bound_that_is_sure(operator: str, low: str, high: str, expected: Truth) -> None:
    assert compare(leaf("a", operator, 7), (number(low), number(high))) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("days", "expected"), [("92", True), ("91", None), ("89", None), ("88", False)])
def test_three_months_without_anchor_are_89_to_92_days(days: str, expected: Truth) -> None:
    months = Leaf("x", leaf("a").feature, ">=", Decimal(92), Decimal(89))
    assert compare(months, (Decimal(days), Decimal(days))) is expected


@pytest.mark.parametrize(
    ("data", "attested", "expected"),
    [
        (None, set(), None),
        (None, {True}, True),
        (None, {False}, False),
        (None, {True, False}, None),
        (True, set(), True),
        (True, {True}, True),
        (True, {False}, None),
        (False, {False}, False),
        (False, {True}, None),
        (True, {True, False}, None),
    ],
)
def test_attestation_settles_what_is_open_and_opens_what_it_contradicts(
    data: Truth, attested: set[bool], expected: Truth
) -> None:
    assert settle(data, frozenset(attested)) is expected


@pytest.mark.parametrize(("kind", "expected"), [("inclusion", True), ("exclusion", False)])
def test_a_row_that_is_not_applicable_counts_for_enrolment_in_its_group(kind: str, expected: bool) -> None:
    rules = RuleSet.of(trial(row("G", ref("P"), kind), row("P", leaf("a"), kind, "G", leaf("man"))))
    found = row_truths(rules, {slug("man"): (Decimal(1), None)}, {})
    assert found["P"].not_applicable
    assert found["G"].met is expected


def test_a_row_applies_where_its_exemption_is_only_possible() -> None:
    rules = RuleSet.of(trial(row("P", leaf("a"), not_applicable=leaf("man"))))
    assert not row_truths(rules, {}, {})["P"].not_applicable


def test_an_attested_part_decides_its_group() -> None:
    rules = RuleSet.of(trial(row("G", AllOf("g", (ref("P"), leaf("a")))), row("P", Judgement("j", "?"), parent="G")))
    found = row_truths(rules, {slug("a"): (Decimal(1), None)}, {"P": frozenset({True})})
    assert found["G"] == RowTruth(True, False, True)


def test_a_failing_part_of_a_passing_any_of_is_not_decisive() -> None:
    rules = RuleSet.of(
        trial(
            row("G", AnyOf("g", (ref("P1"), ref("P2")))),
            row("P1", leaf("a"), parent="G"),
            row("P2", leaf("b"), parent="G"),
        )
    )
    known = {slug("a"): (Decimal(0), Decimal(0)), slug("b"): (Decimal(1), Decimal(1))}
    assert decisive_rows(rules, known, {}) == {"G", "P2"}
    assert decisive_rows(rules, {slug("a"): known[slug("a")]}, {}) == {"G", "P1", "P2"}


def test_a_part_that_another_part_refers_to_is_decisive_through_it() -> None:
    rules = RuleSet.of(
        trial(
            row("G", ref("P2")),
            row("P1", leaf("a"), parent="G"),
            row("P2", ref("P1"), parent="G"),
            row("P3", leaf("a"), parent="G"),
        )
    )
    assert decisive_rows(rules, {}, {}) == {"G", "P1", "P2"}


@given(trials(), bounds(), attestations)
def test_decisive_is_what_a_change_of_one_row_shows(made, known, attested) -> None:  # type: ignore[no-untyped-def]
    rules = RuleSet.of(made)
    before = row_truths(rules, known, attested)
    expected = {"G"}
    for part in ("P1", "P2"):
        for other in TRUTHS:
            after = row_truths(rules, known, attested, fixed={part: RowTruth(other)})
            if after["G"].met is not before["G"].met:
                expected.add(part)
    assert decisive_rows(rules, known, attested) == expected


@given(trials(), bounds())
def test_the_deciding_leaves_alone_decide(made, known) -> None:  # type: ignore[no-untyped-def]
    rules = RuleSet.of(made)
    condition = rules.conditions["P2"]
    truth = evaluate(condition, known, {})
    if truth is not None:
        kept = {node.feature.slug for node in deciding_leaves(condition, known, {}) if isinstance(node, Leaf)}
        assert evaluate(condition, {name: known[name] for name in kept}, {}) is truth


def test_double_negation_is_nothing() -> None:
    twice: Condition = Not("n", Not("m", leaf("a")))
    for known in ({}, {slug("a"): (Decimal(1), None)}, {slug("a"): (None, Decimal(0))}):
        assert evaluate(twice, known, {}) is evaluate(leaf("a"), known, {})


def test_rows_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(TrialFileError, match="A → B → A"):
        RuleSet.of(trial(row("A", ref("B")), row("B", ref("A"))))


def test_a_row_that_is_not_there_is_named() -> None:
    with pytest.raises(TrialFileError, match=f"{NCT}: A refers to X"):
        RuleSet.of(trial(row("A", AtLeast("g", 1, (ref("X"),)))))


def test_named_gives_every_group_its_own_iri() -> None:
    tree = named(AllOf("", (Not("", leaf("a")), AnyOf("", (leaf("b"),)))), f"{TRIAL}{NCT}/P")
    assert isinstance(tree, AllOf)
    assert [tree.iri, *(operand.iri for operand in tree.operands)] == [
        f"{TRIAL}{NCT}/P{end}" for end in ("", "/1", "/2")
    ]
