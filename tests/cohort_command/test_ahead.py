"""Days of patients who wait: found for several chunks together, and never missed by what is not looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caselib import ON, Asked, Case, ago, attest, example, person, procedure, vaccine
from cohorts import cohort_of, judged
from sle_kg.cohort import ahead
from sle_kg.cohort import run as command
from sle_kg.cohort.hope import hopeful, may_change
from sle_kg.criteria import Trial
from sle_kg.evaluate import Attestations, Bound, Bounds, RuleSet, row_truths
from sle_kg.screening import Options
from sle_kg.timeline import GRID, HORIZON, passes
from trees import NAMES, attestations, bounds, feature, leaf, ref, row, slug, trial, trials

ONE: Bound = (Decimal(1), Decimal(1))


def eligible(rules: RuleSet, known: Bounds, attested: Attestations) -> bool:
    """Whether every top-level row passes."""
    truths = row_truths(rules, known, attested)
    return all(passes(rules, top.id, truths[top.id]) for top in rules.trial.criteria if top.parent is None)


def best(rules: RuleSet, changing: frozenset[str], today: Bounds, attested: Attestations) -> bool | None:
    """Whether the best of all changes lets in; None where that is not known."""
    features = {feature(name): name in changing for name in NAMES}
    made = hopeful(rules, lambda compared: features[compared.feature])
    may: Mapping[str, Bound] = {may_change(feature(name)).slug: ONE for name in changing}
    return None if made is None else eligible(made, {**today, **may}, attested)


@given(trials(), bounds(), bounds(), st.frozensets(st.sampled_from(NAMES)), attestations)
@settings(max_examples=80)
def test_whom_no_change_lets_in_no_day_does(
    made: Trial, today: Bounds, later: Bounds, changing: frozenset[str], attested: Attestations
) -> None:
    rules = RuleSet.of(made)
    then = {**today, **{slug(name): later[slug(name)] for name in changing}}
    if best(rules, changing, today, attested) is False:
        assert not eligible(rules, then, attested)


def test_a_row_out_of_reach_of_time_ends_hope() -> None:
    rules = RuleSet.of(trial(row("I1", leaf("a")), row("E1", leaf("b"), kind="exclusion")))
    today = {slug("a"): ONE, slug("b"): ONE}
    assert best(rules, frozenset("b"), today, {}) is True
    assert best(rules, frozenset("a"), today, {}) is False


def test_a_row_wanted_both_ways_leaves_hope_open() -> None:
    part = row("P1", leaf("a"), parent="G")
    rules = RuleSet.of(trial(row("G", ref("P1")), part, row("E1", ref("P1"), kind="exclusion")))
    assert best(rules, frozenset("a"), {slug("a"): ONE}, {}) is None


BIRTHS = {"a": "2008-11-25", "b": "1980-01-01", "c": "2008-12-31", "d": "2009-02-28"}


TRIAL = "NCT06892145"
DAYS = ["2026-11-25", str(ON), "2026-12-31", "2027-02-28"]


def waiting(tmp_path: Path) -> Path:
    """Tables of patients of whom all but one are too young today."""
    asked, agreed, without = Asked(TRIAL), attest(f"{TRIAL}/I01", True), '"Consent"'
    facts = {name: example("a-01", person(birth), agreed, without=without) for name, birth in BIRTHS.items()}
    return cohort_of(tmp_path, [Case(name, asked, some, {}) for name, some in facts.items()])


def days(folder: Path, options: Options, trial: str = TRIAL, **how: int) -> list[str]:
    """The first days of the patients in one trial."""
    rows = judged(folder, options, **how)[1]
    return [str(row["earliest_eligible"]) for row in rows if row["trial"] == trial]


def test_days_of_several_chunks_are_searched_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = waiting(tmp_path)
    monkeypatch.setattr(command, "MOST_PARTS", 3)
    assert days(folder, Asked(TRIAL).options(tmp_path), chunk=1) == DAYS


def test_days_do_not_depend_on_how_many_are_probed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = waiting(tmp_path)
    monkeypatch.setattr(ahead, "MOST_PROBED", HORIZON // GRID + 1)
    assert days(folder, Asked(TRIAL).options(tmp_path)) == DAYS


@pytest.mark.slow
def test_days_do_not_depend_on_the_order_of_the_trials(tmp_path: Path) -> None:
    signed, other = Asked("NCT06106906"), "NCT06150651"
    facts = example("b-01", procedure("sct:20720000", ago(4)), vaccine("cvx:03", ago(20)))
    folder = cohort_of(tmp_path, [Case("b", signed, facts, {})])
    for order in ((signed.trial, other), (other, signed.trial)):
        options = replace(signed.options(tmp_path), trials=order)
        assert days(folder, options, signed.trial) == [ago(-11)]
