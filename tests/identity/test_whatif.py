"""Every step of every window, wash-out, duration, gap and dose kept up, and of how long results serve.

`--what-if` promises what a trial file that says so gives, and what `--window` gives.

`SLE_KG_IDENTITY_WHATIF` sets the number of patients (default 1000).
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import pytest

from changed_trials import about_time, changed_trial, gained, grow_old, interrupt, read_tables, told, treat, verdicts
from sle_kg.cohort.changes import RESULTS, changes_of, servings_of
from sle_kg.cohort.run import Wanted, run
from sle_kg.cohort.summary import CohortSummary
from sle_kg.evaluate import RuleSet
from sle_kg.screening import Options
from sle_kg.synthetic import write_cohort
from sle_kg.trials import screenable

COUNT = int(os.environ.get("SLE_KG_IDENTITY_WHATIF", "1000"))
OPTIONS = Options(on=dt.date(2026, 11, 21), complete=("conditions", "medications"), engine="sql")
PLACES = [
    (name, place)
    for name, trial in screenable().items()
    for place in range(len(list(about_time(changes_of(RuleSet.of(trial))))))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cohort") / "tables"
    write_cohort(place, COUNT, 7, "parquet", "screening")
    interrupt(place, OPTIONS.on)
    treat(place, OPTIONS.on)
    grow_old(place)
    return place


@pytest.fixture(scope="module")
def summary(folder: Path) -> CohortSummary:
    return run(folder, OPTIONS, wanted=Wanted(what_if=True))


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_every_step_gains_what_a_trial_file_that_says_so_gives(
    name: str, place: int, folder: Path, summary: CohortSummary, tmp_path: Path
) -> None:
    (trial,) = (one for one in summary.trials if one.trial.id == name)
    rules, tables = RuleSet.of(trial.trial), read_tables(folder, OPTIONS)
    changes = changes_of(rules)
    change = list(about_time(changes))[place]
    before = verdicts(trial.trial, tables, OPTIONS)
    after = [verdicts(changed_trial(rules, change, step, tmp_path), tables, OPTIONS) for step in change.steps]
    assert told(trial, changes, change) == [gained(before, one) for one in after]


@pytest.mark.parametrize("name", screenable())
def test_every_step_of_how_long_results_serve_gains_what_the_option_gives(
    name: str, folder: Path, summary: CohortSummary
) -> None:
    (trial,) = (one for one in summary.trials if one.trial.id == name)
    tables = read_tables(folder, OPTIONS)
    before = verdicts(trial.trial, tables, OPTIONS)
    promised = {one.what: [found for _, found in one.steps] for one in (trial.what_if or ())[-1].relaxed}
    assert promised == {
        RESULTS[serving.kind]: [
            gained(before, verdicts(trial.trial, tables, replace(OPTIONS, windows={serving.kind: days})))
            for days in serving.steps
        ]
        for serving in servings_of(RuleSet.of(trial.trial), {})
    }


def test_windows_washouts_durations_gaps_and_doses_gain_some(summary: CohortSummary) -> None:
    gaining = {
        one.limit
        for trial in summary.trials
        for row in trial.what_if or ()
        for one in row.relaxed
        if one.limit != "threshold" or one.unit in ("d", "mo")
        for _, found in one.steps
        if found.no_longer_excluded
    }
    assert gaining == {"lookback", "halfLives", "threshold", "gap", "concurrentGap", "dailyDose", "validFor"}
