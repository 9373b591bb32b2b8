"""What-if: counted in one pass, and equal to what the changed trial itself says of every patient."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from caselib import ON
from cohorts import GROUPS, cohort_of
from sle_kg.cohort.judge import JUDGED, SqlJudge
from sle_kg.cohort.run import Wanted, run
from sle_kg.cohort.summary import CohortSummary, Gained, TrialSummary
from sle_kg.cohort.tables import CohortTables
from sle_kg.cohort.whatif import Change, changed_rules, changes_of, relaxed
from sle_kg.criteria import Feature, Leaf, Operator
from sle_kg.evaluate import RuleSet, row_truths
from sle_kg.profile import Profile
from sle_kg.screening import Options, Session
from sle_kg.terminology import terminology
from sle_kg.verdicts import overall, status_of

OPTIONS = Options(on=ON, complete=("conditions", "medications"), engine="sql")
CASES = [case for asked, cases in GROUPS.items() if not asked.code_map for case in cases]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients of the cases of all trials, one of each name."""
    cases = {case.name: case for case in CASES[::15]}.values()
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
        for change in changes_of(rules):
            for place, becomes in enumerate(change.steps or (None,)):
                changed = changed_rules(rules, change, becomes)
                moves = Counter(zip(before, (verdict(changed, profile) for profile in mine), strict=True))
                found = told(trial, change, place)
                assert found == gained(moves), (trial.trial.id, change)
                gaining.add((trial.trial.id, change.leaf is None, found != Gained(0, 0, 0)))
    assert {(kind, some) for _, kind, some in gaining} == {(True, True), (True, False), (False, True), (False, False)}


@pytest.mark.slow
def test_the_cohort_judged_by_a_changed_trial_has_the_counts_promised(whole: CohortSummary, people: Path) -> None:
    for trial in whole.trials:
        rules = RuleSet.of(trial.trial)
        best = max(changes_of(rules), key=lambda change: told(trial, change, -1 if change.leaf else 0).newly_eligible)
        changed = changed_rules(rules, best, best.steps[-1] if best.leaf else None)
        assert after(rules, changed, people) == told(trial, best, -1 if best.leaf else 0)


def verdict(rules: RuleSet, profile: Profile) -> str:
    """The verdict of the direct evaluator."""
    truths = row_truths(rules, profile.bounds, profile.attestations)
    rows = rules.trial.criteria
    return overall(rules.trial, {r.id: status_of(r, truths[r.id].met, truths[r.id].not_applicable) for r in rows})


def after(rules: RuleSet, changed: RuleSet, people: Path) -> Gained:
    """What the plan says of all patients under the rules and under the changed ones."""
    tables = CohortTables.open(people)
    read = tables.read(tables.patients, ON, {})
    verdicts = []
    for some in (rules, changed):
        rows = tuple(
            replace(row, condition=some.conditions[row.id], not_applicable=some.not_applicable.get(row.id))
            for row in some.trial.criteria
        )
        trial = replace(some.trial, criteria=rows)
        judge = SqlJudge([trial], OPTIONS, terminology())
        query = f"SELECT {judge.status_columns(trial.id).verdict} FROM {JUDGED} ORDER BY number"
        verdicts.append([word for (word,) in judge.judge(read).execute(query).fetchall()])
    return gained(Counter(zip(*verdicts, strict=True)))


def gained(moves: Counter[tuple[str, str]]) -> Gained:
    """The gains that follow from verdicts before and after."""
    entered, opened = moves["ineligible", "eligible"], moves["ineligible", "undetermined"]
    return Gained(entered + opened, entered + moves["undetermined", "eligible"], opened)


def told(trial: TrialSummary, change: Change, step: int) -> Gained:
    """What the summary says of a change."""
    (row,) = (row for row in trial.what_if or () if row.row == change.row)
    if change.leaf is None:
        return row.dropped
    of_row = [one for one in changes_of(RuleSet.of(trial.trial)) if one.row == change.row and one.leaf is not None]
    threshold, found = row.relaxed[of_row.index(change)].steps[step]
    assert threshold == change.steps[step].met_bound
    return found


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
        (leaf("<=", "60", "a"), True, ["61", "62", "63", "64", "65"]),
        (leaf(">=", "28", "d"), True, ["21", "14", "7"]),
        (leaf("<=", "2", "[ULN]"), True, ["2.2", "2.4", "2.6", "2.8", "3.0"]),
        (leaf(">", "10", "mg/d"), False, ["11.0", "12.0", "13.0", "14.0", "15.0"]),
        (leaf(">=", "1", None), True, []),
        (leaf(">=", "1", "{count}"), True, []),
    ],
)
def test_thresholds_are_relaxed_by_the_steps_of_their_unit(asked: Leaf, wanted: bool, thresholds: list[str]) -> None:
    assert [step.met_bound for step in relaxed(asked, wanted)] == [Decimal(text) for text in thresholds]
