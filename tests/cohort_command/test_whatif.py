"""What-if: counted in one pass, and equal to what the changed trial itself says of every patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from caselib import ON
from changed_trials import about_time, changed_trial, gained, grow_old, interrupt, read_tables, told, treat, verdicts
from cohorts import GROUPS, cohort_of
from sle_kg.cohort.changes import (
    RESULTS,
    UNSTEPPED,
    Change,
    Limit,
    changed_rules,
    changes_of,
    read_by,
    relaxed,
    servings_of,
)
from sle_kg.cohort.run import Wanted, run
from sle_kg.cohort.summary import CohortSummary, Gained, Relaxed, WhatIfRow
from sle_kg.criteria import AllOf, AtLeast, Feature, Leaf, Not, Operator, Parameter, walk
from sle_kg.evaluate import RuleSet, row_truths
from sle_kg.features import FLAGS, query_of
from sle_kg.features.asks import WINDOWS, FeatureOptions
from sle_kg.features.database import feature_rows
from sle_kg.profile import Profile
from sle_kg.report.cohort_whatif import as_json, best, curves
from sle_kg.screening import Options, Session
from sle_kg.sql_plan import leaf_key
from sle_kg.synthetic import write_cohort
from sle_kg.trials import screenable
from sle_kg.verdicts import overall, status_of
from sle_kg.wording import Words, ontology_label

OPTIONS = Options(on=ON, complete=("conditions", "medications"), engine="sql")
WORDS = Words(ontology_label, lambda name: False, lambda kind: 0, ON, {})
CASES = [case for asked, cases in GROUPS.items() if not asked.code_map for case in cases]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients of the cases of all trials, one of each name."""
    cases = {case.name: case for case in CASES[::8]}.values()
    return cohort_of(tmp_path_factory.mktemp("people"), cases)


@pytest.fixture(scope="module")
def whole(people: Path) -> CohortSummary:
    return run(people, OPTIONS, wanted=Wanted(what_if=True))


@pytest.fixture(scope="module")
def profiles(people: Path) -> list[Profile]:
    session = Session([people.parent / "patients.json"], OPTIONS)
    return session.profiles(session.asks(session.data.patients))


@pytest.mark.slow
def test_every_gain_is_what_the_changed_trial_says(whole: CohortSummary, profiles: list[Profile]) -> None:
    gaining = set()
    for trial in whole.trials:
        rules = RuleSet.of(trial.trial)
        mine = [profile for profile in profiles if profile.trial == trial.trial.id]
        before = [verdict(rules, profile) for profile in mine]
        changes = changes_of(rules)
        for change in (one for one in changes if one.limit == "threshold"):
            for becomes, found in zip(change.steps or (None,), told(trial, changes, change), strict=True):
                changed = changed_rules(rules, change, becomes)
                assert found == gained(before, [verdict(changed, one) for one in mine]), (trial.trial.id, change)
                gaining.add((change.leaf is None, found != Gained(0, 0, 0)))
    assert gaining == {(True, True), (True, False), (False, True), (False, False)}


@pytest.mark.slow
def test_the_cohort_judged_by_a_changed_trial_has_the_counts_promised(whole: CohortSummary, people: Path) -> None:
    tables = read_tables(people, OPTIONS)
    for trial in whole.trials:
        rules = RuleSet.of(trial.trial)
        changes = changes_of(rules)
        most = max(changes, key=lambda change: told(trial, changes, change)[-1].newly_eligible or 0)
        changed = changed_rules(rules, most, most.steps[-1] if most.leaf else None)
        rows = tuple(
            replace(row, condition=changed.conditions[row.id], not_applicable=changed.not_applicable.get(row.id))
            for row in changed.trial.criteria
        )
        after = verdicts(replace(trial.trial, criteria=rows), tables, OPTIONS)
        assert told(trial, changes, most)[-1] == gained(verdicts(trial.trial, tables, OPTIONS), after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gaining"),
    [
        ("NCT06106906", {"lookback", "halfLives", "threshold", "gap", "dailyDose"}),
        ("NCT06150651", {"threshold", "gap", "concurrentGap", "dailyDose"}),
        ("NCT06892145", set()),
    ],
)
def test_a_window_washout_gap_or_dose_gains_what_a_trial_file_with_another_one_says(
    name: str, gaining: set[Limit], tmp_path: Path
) -> None:
    write_cohort(tmp_path / "tables", 300, 3, "parquet", "screening")
    interrupt(tmp_path / "tables", ON)
    treat(tmp_path / "tables", ON)
    options = replace(OPTIONS, trials=(name,))
    (trial,) = run(tmp_path / "tables", options, wanted=Wanted(what_if=True)).trials
    rules, tables = RuleSet.of(trial.trial), read_tables(tmp_path / "tables", options)
    before, changes = verdicts(trial.trial, tables, options), changes_of(rules)
    some = set()
    for change in about_time(changes):
        changed, found = changed_trial(rules, change, change.steps[-1], tmp_path), told(trial, changes, change)[-1]
        assert found == gained(before, verdicts(changed, tables, options)), change
        some |= {change.limit} if found != Gained(0, 0, 0) else set()
    assert some == gaining


def test_results_that_serve_longer_gain_what_the_option_says(tmp_path: Path) -> None:
    write_cohort(tmp_path, 120, 7, "parquet", "screening")
    grow_old(tmp_path)
    options = replace(OPTIONS, trials=("NCT06892145",), windows={"result": 20})
    (trial,) = run(tmp_path, options, wanted=Wanted(what_if=True)).trials
    tables, promised = read_tables(tmp_path, options), (trial.what_if or ())[-1].relaxed[0]
    before = verdicts(trial.trial, tables, options)
    after = [verdicts(trial.trial, tables, replace(options, windows={"result": days})) for days in (30, 40)]
    assert promised.steps == tuple((days, gained(before, one)) for days, one in zip((30, 40), after, strict=True))
    assert promised.what == "Results" and promised.steps[-1][1] != Gained(0, 0, 0)


def test_what_reads_a_kind_of_result_is_what_its_days_change() -> None:
    assert set(RESULTS) == set(WINDOWS)
    features = {feature for trial in screenable().values() for feature in trial.features()}
    assert {kind for feature in features for kind in read_by(feature)} == set(WINDOWS)
    for feature in features:
        said = {kind: asked_by(feature, {kind: 77}) for kind in WINDOWS}
        changed = {kind for kind in WINDOWS if said[kind] != asked_by(feature, {})}
        assert changed == set(read_by(feature)), feature


def asked_by(feature: Feature, windows: dict[str, int]) -> tuple[object, object]:
    """The parameters and the query of a feature."""
    options = FeatureOptions(windows=windows)
    return feature_rows([feature], options), query_of(feature, options)


def test_how_long_results_serve_is_relaxed_by_a_half_and_to_twice_as_long() -> None:
    rules = RuleSet.of(screenable()["NCT06150651"])
    for windows, steps in ({}, [(42, 56)]), ({"result": 35}, [(52, 70)]), ({"result": 1}, [(2,)]), ({"result": 0}, []):
        assert [serving.steps for serving in servings_of(rules, windows)] == steps


def test_every_number_of_every_criterion_is_relaxed_or_documented_as_kept() -> None:
    found = set()
    for name, trial in screenable().items():
        for readings in [{}, *({one.ambiguity: one.key} for one in trial.readings)]:
            found |= {(f"{name}/{row}", number) for row, number in kept(RuleSet.of(trial, readings))}
    document = (Path(__file__).parents[2] / "docs" / "cohorts.md").read_text(encoding="utf-8")
    assert found == set(re.findall(r"^\| (NCT\d+/\S+) \| `(\w+)`", document, re.MULTILINE))


def kept(rules: RuleSet) -> Iterator[tuple[str, str]]:
    """The numbers that no change of a trial relaxes: the row, and the name of the number."""
    relaxing = {(one.row, leaf_key(one.leaf), one.limit) for one in changes_of(rules) if one.leaf is not None}
    serving = {one.kind for one in servings_of(rules, {})}
    for row, condition in [*rules.conditions.items(), *rules.not_applicable.items()]:
        for node in walk(condition):
            if isinstance(node, AtLeast):
                yield row, "atLeast"
            if isinstance(node, Leaf):
                key = leaf_key(node)
                yield from ((row, name) for name in numbers(node) if (row, key, name) not in relaxing)
                if (valid := node.feature.get("validFor")) in WINDOWS and valid not in serving:
                    yield row, "validFor"


def numbers(asked: Leaf) -> list[str]:
    """The names of the numbers that a comparison holds; what asks yes or no has no threshold."""
    assert (asked.unit in UNSTEPPED) == (asked.feature.kind in FLAGS), asked
    names = [] if asked.feature.kind in FLAGS else ["threshold"]
    return names + [name for name, value in asked.feature.parameters if is_number(value)]


def is_number(value: Parameter) -> bool:
    """Whether a parameter is a number or a duration."""
    if isinstance(value, str):
        return re.fullmatch(r"P(?=.)(\d+[YMWD])*(T0S)?", value) is not None
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def verdict(rules: RuleSet, profile: Profile) -> str:
    """The verdict of the direct evaluator."""
    truths = row_truths(rules, profile.bounds, profile.attestations)
    rows = rules.trial.criteria
    return overall(rules.trial, {r.id: status_of(r, truths[r.id].met, truths[r.id].not_applicable) for r in rows})


def leaf(operator: Operator, threshold: str, unit: str | None, instrument: str = "sledai2kTotal") -> Leaf:
    number = Decimal(threshold)
    return Leaf("leaf", Feature("ScoreCondition", (("instrument", instrument),)), operator, number, number, unit)


@pytest.mark.parametrize(
    ("asked", "wanted", "thresholds"),
    [
        (leaf(">=", "7", "{score}"), True, ["6", "5", "4", "3", "2"]),
        (leaf(">=", "3", "{score}"), True, ["2", "1"]),
        (leaf(">=", "1", "{score}", "pga"), True, ["0.9", "0.8", "0.7", "0.6", "0.5"]),
        (leaf(">=", "3", "{score}"), False, ["4", "5", "6", "7", "8"]),
        (leaf(">=", "3", "{score}", "cssrsIdeation"), False, ["4", "5"]),
        (leaf("<=", "60", "a"), True, ["61", "62", "63", "64", "65"]),
        (leaf(">=", "28", "d"), True, ["21", "14", "7"]),
        (leaf(">=", "14", "d"), True, ["13", "12", "11", "10", "9"]),
        (leaf(">=", "168", "d"), True, ["140", "112", "84", "56", "28"]),
        (leaf("<=", "2", "[ULN]"), True, ["2.2", "2.4", "2.6", "2.8", "3.0"]),
        (leaf(">", "10", "mg/d"), False, ["11.0", "12.0", "13.0", "14.0", "15.0"]),
        (leaf(">=", "1", None), True, []),
        (leaf(">=", "1", "{count}"), True, []),
    ],
)
def test_thresholds_are_relaxed_by_the_steps_of_their_unit(asked: Leaf, wanted: bool, thresholds: list[str]) -> None:
    assert [step.met_bound for step in relaxed(asked, wanted)] == [Decimal(text) for text in thresholds]


def lasting(days: str, months: str) -> Leaf:
    """A treatment of so many months without an anchor."""
    return replace(leaf(">=", days, "d"), unmet_bound=Decimal(months))


@pytest.mark.parametrize(
    ("asked", "wanted", "months"),
    [(lasting("92", "89"), True, ["2", "1"]), (lasting("92", "89"), False, ["6", "12"])],
)
def test_durations_in_months_are_relaxed_by_the_months_that_a_trial_file_can_name(
    asked: Leaf, wanted: bool, months: list[str]
) -> None:
    steps = relaxed(asked, wanted)
    change = Change("I01", asked, steps)
    assert change.amount(asked) == (Decimal(3), "mo")
    assert [change.amount(step) for step in steps] == [(Decimal(text), "mo") for text in months]


def found_within(**parameters: Parameter) -> Leaf:
    """Whether something is there, in a window or within the wash-out."""
    named = tuple(sorted({"valueSet": ("ivig",), "when": "within", **parameters}.items()))
    return Leaf("leaf", Feature("ExposureCondition", named), ">=", Decimal(1), Decimal(1))


@pytest.mark.parametrize(
    ("limit", "was", "wanted", "steps"),
    [
        ("lookback", "P14D", False, ["P13D", "P12D", "P11D", "P10D", "P9D"]),
        ("lookback", "P3D", False, ["P2D", "P1D"]),
        ("lookback", "P56D", False, ["P49D", "P42D", "P35D", "P28D", "P21D"]),
        ("lookback", "P56D", True, ["P63D", "P70D", "P77D", "P84D", "P91D"]),
        ("lookback", "P180D", False, ["P152D", "P124D", "P96D", "P68D", "P40D"]),
        ("lookback", "P6M", True, ["P7M", "P8M", "P9M", "P10M", "P11M"]),
        ("lookback", "P1Y", False, ["P11M", "P10M", "P9M", "P8M", "P7M"]),
        ("lookback", "P1M14D", True, []),
        ("halfLives", 5, False, [4, 3, 2, 1]),
        ("halfLives", 3, True, [4, 5]),
        ("gap", "P7D", True, ["P8D", "P9D", "P10D", "P11D", "P12D"]),
        ("gap", "P30D", True, ["P37D", "P44D", "P51D", "P58D", "P65D"]),
        ("gap", "P3D", False, ["P2D", "P1D"]),
        ("gap", "PT0S", True, []),
        ("concurrentGap", "P35D", True, ["P42D", "P49D", "P56D", "P63D", "P70D"]),
        ("dailyDose", Decimal("0.7"), True, [Decimal(f"0.{n}") for n in (63, 56, 49, 42, 35)]),
        ("dailyDose", Decimal(100), False, [110, 120, 130, 140, 150]),
    ],
)
def test_windows_washouts_and_gaps_are_relaxed_by_the_steps_of_their_unit(
    limit: Limit, was: Parameter, wanted: bool, steps: list[Parameter]
) -> None:
    asked = found_within(**{limit: was})
    assert [step.feature.get(limit) for step in relaxed(asked, wanted, limit)] == steps
    assert relaxed(asked, wanted) == ()


def test_a_window_of_which_a_row_asks_both_ways_is_made_longer_and_shorter() -> None:
    (trial,) = (trial for trial in screenable().values() if trial.id == "NCT06892145")
    window = found_within(lookback="P7D", anchor="screening")
    row = replace(trial.criteria[0], condition=AllOf("both", (window, Not("no", window))))
    rules = RuleSet.of(replace(trial, criteria=(row,)))
    ways = [[step.feature.get("lookback") for step in change.steps] for change in changes_of(rules) if change.leaf]
    assert ways == [["P8D", "P9D", "P10D", "P11D", "P12D"], ["P6D", "P5D", "P4D", "P3D", "P2D"]]


def test_a_window_is_told_with_its_event_its_unit_and_its_steps() -> None:
    asked = found_within(lookback="P3D", anchor="leukapheresis")
    change = Change("E25", asked, relaxed(asked, False, "lookback"), "lookback")
    steps = tuple((change.amount(step)[0], Gained(n, 0, n)) for n, step in enumerate(change.steps, 1))
    curve = Relaxed(change.about(WORDS), change.operator, *change.amount(asked), steps, "lookback")
    row = WhatIfRow("E25", "no immunoglobulin", Gained(3, 0, 3), (curve,))
    lines = [line.words(30) for line in best([row])]
    assert lines == [
        "dropped",
        "Immunoglobulin, normal…: within 3 days made within 1 day",
        "Immunoglobulin, normal…: within 3 days made within 2 days",
    ]
    (told_of,) = as_json([row])[0]["relaxed"]
    assert (told_of["parameter"], told_of["operator"], told_of["threshold"], told_of["unit"]) == (
        "lookBack",
        None,
        "3",
        "d",
    )
    assert [step["threshold"] for step in told_of["steps"]] == ["2", "1"]
    drawn = curves([row])
    assert drawn is not None
    assert [panel.title for panel in drawn.panels] == ["E25: within 3 days"]


def test_a_gap_is_told_with_the_treatment_that_it_may_interrupt() -> None:
    named: dict[str, Parameter] = {"valueSet": ("ivig",), "gap": "P7D", "measure": "runToScreening"}
    asked = replace(leaf(">=", "56", "d"), feature=Feature("TreatmentDurationCondition", tuple(sorted(named.items()))))
    change = Change("I06", asked, relaxed(asked, True, "gap"), "gap")
    steps = tuple((change.amount(step)[0], Gained(1, 1, 0)) for step in change.steps)
    curve = Relaxed(change.about(WORDS), change.operator, *change.amount(asked), steps, "gap")
    first = best([WhatIfRow("I06", "treated", Gained(0, 0, 0), (curve,))])[0]
    assert first.what == "Immunoglobulin, normal human, intravenous, duration of treatment"
    assert first.change == "gaps up to 7 days made gaps up to 8 days"


def test_how_long_results_serve_is_told_of_the_whole_trial() -> None:
    (serving,) = servings_of(RuleSet.of(screenable()["NCT06150651"]), {})
    steps = tuple((days, Gained(n, 0, n)) for n, (days, _) in enumerate(serving.amounts[1:], 1))
    curve = Relaxed(serving.about(WORDS), serving.operator, *serving.amounts[0], steps, serving.limit)
    row = WhatIfRow("", "", None, (curve,))
    assert [line.words(30) for line in best([row])] == [
        "Results: not older than 28 days made not older than 56 days",
        "Results: not older than 28 days made not older than 42 days",
    ]
    (told_of,) = as_json([row])
    assert (told_of["id"], told_of["text"], told_of["dropped"]) == (None, None, None)
    assert told_of["relaxed"][0]["parameter"] == "validFor"
    drawn = curves([row])
    assert drawn is not None
    assert [panel.title for panel in drawn.panels] == ["Results: not older than 28 days"]


def test_of_steps_that_gain_the_same_the_mildest_is_listed() -> None:
    steps = tuple((Decimal(days), Gained(gained, 0, gained)) for days, gained in ((6, 0), (5, 2), (4, 2), (3, 4)))
    row = WhatIfRow("E25", "no immunoglobulin", Gained(4, 0, 4), (Relaxed("IgG", None, Decimal(7), "d", steps, "gap"),))
    changes = ["dropped", "gaps up to 7 days made gaps up to 3 days", "gaps up to 7 days made gaps up to 5 days"]
    assert [line.change for line in best([row])] == changes
