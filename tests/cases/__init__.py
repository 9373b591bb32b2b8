"""One module of cases for each trial with eligibility criteria; `tests/caselib.py` says how to read them."""

from cases import nct06892145

SUITES = (nct06892145.suite,)
