"""What is found of a top-level row is what the direct evaluator finds, however much is remembered."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sle_kg.cohort.family import Family, Found
from sle_kg.cohort.patterns import part
from sle_kg.criteria import Trial
from sle_kg.engines import RowStatus
from sle_kg.evaluate import Attestations, Bounds, RowTruth, RuleSet, decisive_rows, families, row_truths
from sle_kg.open_rows import OpenRows
from sle_kg.verdicts import statuses
from trees import attestations, bounds, trials


def evaluated(rules: RuleSet, top: str, members: list[str], known: Bounds, attested: Attestations) -> Found:
    """What is found by judging all rows anew for every question."""
    truths = row_truths(rules, known, attested)
    found = {row: RowStatus(truth.met, truth.not_applicable) for row, truth in truths.items()}
    status, opened = statuses(rules.trial, found), OpenRows(rules, known, attested, found)
    deciding = decisive_rows(rules, known, attested)
    decisive = [row for row in members if row in deciding]
    kinds = [(row, kind) for row in decisive if (kind := opened.kind(row)) is not None]
    groups = {row.parent for row in rules.trial.criteria}
    ends = tuple((row, kind) for row, kind in kinds if row not in groups)

    def settles(row: str) -> bool:
        tops = [row_truths(rules, known, attested, {row: RowTruth(answer)})[top] for answer in (True, False)]
        return all(truth.met is not None or truth.not_applicable for truth in tops)

    clear = not any(status[row] == "fail" for row in decisive) and all(kind != "data" for _, kind in kinds)
    return Found(clear, ends, tuple(row for row, _ in ends if settles(row)))


@given(trials(), st.lists(st.tuples(bounds(), attestations), min_size=1, max_size=6))
@settings(max_examples=100)
def test_a_family_finds_what_the_evaluator_finds(made: Trial, patients: list[tuple[Bounds, Attestations]]) -> None:
    rules, top_of = RuleSet.of(made), families(made)
    for top in set(top_of.values()):
        members = [row for row in top_of if top_of[row] == top]
        own = part(rules, rules.reached(members), members)
        family = Family(own, top, members)
        for known, attested in patients:
            assert family.look(known, attested) == evaluated(own, top, members, known, attested)
