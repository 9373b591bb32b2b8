"""The contract, seen from outside: patients of `tests/cases` and the verdicts they must get."""

from __future__ import annotations

import pytest

from caselib import Case, Verdicts, faults
from cases import SUITES

CASES = [case for suite in SUITES for case in suite.cases]
VERDICTS = Verdicts(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.asked.trial}: {case.name}")
def test_a_patient_gets_the_verdict_of_the_contract(case: Case) -> None:
    assert faults(case, VERDICTS.of(case)) == []
