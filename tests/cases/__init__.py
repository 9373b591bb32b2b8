"""One module of cases for each trial with eligibility criteria; `tests/caselib.py` says how to read them."""

from cases import nct06106906, nct06150651, nct06892145
from cases import rules as rules

SUITES = (nct06106906.suite, nct06150651.suite, nct06892145.suite)
