"""The plan compiled to SQL: Kleene's logic, attestations, thresholds, sharing, dialects."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import product

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from random_profiles import choices_of_readings, first_difference, of_engine, of_evaluator, random_people
from sle_kg.criteria import AllOf, AnyOf, AtLeast, Condition, Judgement, Leaf, Not, Trial
from sle_kg.engines.sql import SqlEngine, wide_table
from sle_kg.errors import TrialFileError
from sle_kg.evaluate import RuleSet, Truth, at_least, compare, negation, settle
from sle_kg.sql_plan import DIALECTS, Plan, compile_plan
from sle_kg.trials import screenable
from trees import attestations, bounds, leaf, number, profile, ref, row, slug, trial, trials

TRUTHS: tuple[Truth, ...] = (True, False, None)
NAMES = ("a", "b", "c")
ENGINE = SqlEngine()


def known(truth: Truth) -> tuple[Decimal | None, Decimal | None]:
    """Bounds that make `leaf(name)`, at least 1, true, false or unknown."""
    return {True: (Decimal(1), None), False: (None, Decimal(0)), None: (None, None)}[truth]


def truths_of(condition: Condition) -> dict[tuple[Truth, ...], Truth]:
    """What the plan makes of a condition over the leaves a, b, c, for each combination of their truths."""
    made = trial(row("R", condition))
    every = list(product(TRUTHS, repeat=len(NAMES)))
    people = [
        profile({slug(name): known(truth) for name, truth in zip(NAMES, truths, strict=True)}, ask=place)
        for place, truths in enumerate(every)
    ]
    found = ENGINE.statuses(made, {}, people)
    return {truths: found[place]["R"].met for place, truths in enumerate(every)}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_at_least_is_kleenes(count: int) -> None:
    for truths, found in truths_of(AtLeast("", count, tuple(map(leaf, NAMES)))).items():
        assert found is at_least(count, truths), truths


def test_all_any_and_not_are_kleenes() -> None:
    a, b, c = map(leaf, NAMES)
    expected = {
        truths: at_least(1, [at_least(2, truths[:2]), negation(truths[2])]) for truths in product(TRUTHS, repeat=3)
    }
    assert truths_of(AnyOf("", (AllOf("", (a, b)), Not("", c)))) == expected


def test_groups_without_members_and_judgements() -> None:
    assert set(truths_of(AllOf("", ())).values()) == {True}
    assert set(truths_of(AnyOf("", ())).values()) == {False}
    assert set(truths_of(Not("", Judgement("", "?"))).values()) == {None}


@pytest.mark.parametrize("data", TRUTHS)
@pytest.mark.parametrize("said", [set(), {True}, {False}, {True, False}], ids=str)
def test_attestation_settles_as_in_the_evaluator(data: Truth, said: set[bool]) -> None:
    someone = profile({slug("a"): known(data)}, {"R": frozenset(said)})
    found = ENGINE.statuses(trial(row("R", leaf("a"))), {}, [someone])[0]["R"].met
    assert found is settle(data, frozenset(said))


@pytest.mark.parametrize("operator", [">=", ">", "<=", "<"])
def test_a_comparison_is_exact_to_the_last_decimal(operator: str) -> None:
    values = [None, *map(Decimal, ("6.999999999999", "7", "7.000000000001", "12345678901234567890123456"))]
    pairs = [pair for pair in product(values, repeat=2) if None in pair or pair[0] <= pair[1]]  # type: ignore[operator]
    one = leaf("a", operator, 7)  # type: ignore[arg-type]
    found = ENGINE.statuses(trial(row("R", one)), {}, [profile({slug("a"): p}, ask=n) for n, p in enumerate(pairs)])
    assert [found[n]["R"].met for n in range(len(pairs))] == [compare(one, pair) for pair in pairs]


@pytest.mark.parametrize(("days", "expected"), [("92", True), ("91", None), ("89", None), ("88", False)])
def test_months_without_an_anchor_have_two_thresholds(days: str, expected: Truth) -> None:
    months = Leaf("x", leaf("a").feature, ">=", Decimal(92), Decimal(89))
    found = ENGINE.statuses(trial(row("R", months)), {}, [profile({slug("a"): (number(days), number(days))})])
    assert found[0]["R"].met is expected


def test_a_threshold_with_too_many_decimals_is_refused() -> None:
    with pytest.raises(TrialFileError, match="12 decimals"):
        ENGINE.statuses(trial(row("R", leaf("a", ">=", "0.0000000000001"))), {}, [profile({})])


@settings(max_examples=25, deadline=None)
@given(trials(), st.lists(st.tuples(bounds(), attestations), min_size=1, max_size=8))
def test_random_trees_agree_with_the_evaluator(made, known_and_said) -> None:  # type: ignore[no-untyped-def]
    people = [profile(some, said, ask) for ask, (some, said) in enumerate(known_and_said)]
    assert first_difference(of_engine(SqlEngine(), made, {}), of_evaluator(made, {}), people) is None


@pytest.mark.slow
@pytest.mark.parametrize("nct", sorted(screenable()))
def test_random_profiles_agree_with_the_evaluator_under_every_reading(nct: str) -> None:
    made = screenable()[nct]
    people = random_people(made, 200, seed=3)
    for readings in choices_of_readings(made):
        differs = first_difference(of_engine(ENGINE, made, readings), of_evaluator(made, readings), people)
        assert differs is None, readings


def test_only_the_rows_wanted_are_given() -> None:
    made = trial(row("G", ref("P")), row("P", leaf("a"), parent="G"))
    assert set(ENGINE.statuses(made, {}, [profile({})], ["P"])[0]) == {"P"}


# ---- the text of the plan -------------------------------------------------------------------------------------------


def plan(*made: Trial, source: str = "profile") -> Plan:
    """The plan over a table whose columns are told from the place of feature and row, shared by the trials."""
    features = sorted({feature.slug for some in made for feature in some.features()})
    rows = sorted({(some.id, criterion.id) for some in made for criterion in some.criteria})
    return compile_plan(
        [RuleSet.of(some) for some in made],
        source,
        ["ask"],
        lambda _, name: (f"f{features.index(name)}_low", f"f{features.index(name)}_high"),
        lambda nct, name: (f"a{rows.index((nct, name))}_true", f"a{rows.index((nct, name))}_false"),
    )


def test_trials_share_every_comparison() -> None:
    made = list(screenable().values())
    bound = re.compile(r"f\d+_(?:low|high) [<>]")
    alone = sum(len(bound.findall(plan(one).sql())) for one in made)
    compared = {column for columns in plan(*made).trials.values() for column in columns.leaves.values()}
    assert len(bound.findall(plan(*made).sql())) == 2 * len(compared) < alone


def test_a_group_that_two_rows_use_is_computed_once() -> None:
    group = AllOf("", (leaf("a"), leaf("b")))
    made = trial(row("R", Not("", group)), row("S", AnyOf("", (group, leaf("c")))))
    assert plan(made).sql().count(" AND ") == 1 + 1, "one group, and both rows together for the verdict"


def test_names_of_rows_and_features_are_no_part_of_the_query() -> None:
    hostile = "x'); DROP TABLE profile; --"
    made = trial(row(hostile, leaf(hostile)))
    assert "DROP" not in plan(made).sql()
    assert ENGINE.statuses(made, {}, [profile({slug(hostile): known(True)})])[0][hostile].met is True


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_can_read_its_own_plan(dialect: str) -> None:
    text = plan(*screenable().values()).sql(dialect)
    assert sqlglot.parse_one(text, dialect=dialect).sql(dialect) == text
    assert ("BIGNUMERIC" in text) is (dialect == "bigquery")


@pytest.mark.parametrize("dialect", ["spark", "postgres", "snowflake"])
def test_a_plan_read_back_from_another_dialect_gives_the_same(dialect: str) -> None:
    import duckdb

    for made in screenable().values():
        people = random_people(made, 40, seed=5)
        connection = duckdb.connect()
        connection.register("profile", wide_table(made, people))
        compiled = compile_plan(
            [RuleSet.of(made)],
            "profile",
            ["ask"],
            lambda _, name, made=made: _places(f"f{[f.slug for f in made.features()].index(name)}", "low", "high"),
            lambda _, name, made=made: _places(f"a{[c.id for c in made.criteria].index(name)}", "true", "false"),
        )
        direct, back = compiled.sql(), sqlglot.transpile(compiled.sql(dialect), read=dialect, write="duckdb")[0]
        assert connection.execute(direct).fetchall() == connection.execute(back).fetchall()


def _places(name: str, one: str, other: str) -> tuple[str, str]:
    return f"{name}_{one}", f"{name}_{other}"
