"""The contract, seen from outside: the patients of `tests/cases` and the verdicts that they must get."""

from __future__ import annotations

import pytest

from caselib import Case, batches, faults, screened
from cases import SUITES
from sle_kg.criteria import Always
from sle_kg.trials import load_trials

NEVER = {("NCT06150651", "I03.2e", "fail")}
"""An exception that nobody claims is not applicable, and one that is documented passes."""
BATCHES = [batch for suite in SUITES for batch in batches(suite.cases, 200)]
"""Large: each screening costs what thirty of its patients cost."""


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: f"{batch[0].asked.trial}: {batch[0].name} and so on")
def test_patients_get_the_verdicts_of_the_contract(batch: tuple[Case, ...]) -> None:
    verdicts = screened(batch)
    assert {case.name: found for case in batch if (found := faults(case, verdicts[case.slug]))} == {}


def test_cases_are_told_apart_by_their_names() -> None:
    for suite in SUITES:
        names = [case.slug for case in suite.cases]
        assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("status", ["pass", "fail", "unknown"])
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.trial)
def test_every_row_has_a_patient_who_passes_one_who_fails_and_one_unknown(suite, status: str) -> None:  # type: ignore[no-untyped-def]
    rows = [row.id for row in load_trials()[suite.trial].criteria if not isinstance(row.condition, Always)]
    stated = {row for case in suite.cases for row, found in case.statuses.items() if found == status}
    assert {row for row in rows if row not in stated} == {
        row for trial, row, never in NEVER if (trial, never) == (suite.trial, status)
    }


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.trial)
def test_every_reading_changes_the_row_of_some_patient(suite) -> None:  # type: ignore[no-untyped-def]
    readings = {
        f"{reading.ambiguity}/{reading.key}" for reading in load_trials()[suite.trial].readings if not reading.default
    }
    listed = {name for case in suite.cases for others in case.others.values() for name in others}
    chosen = {f"{ambiguity}/{key}" for case in suite.cases for ambiguity, key in case.asked.readings}
    assert (readings - listed, readings - chosen) == (set(), set())
