"""Knowing more never turns a row from speaking for enrolment to speaking against it, or back (CONTRACT section 3).

Random patients are drawn from the facts of the case patients, completeness statements left out; one fact more is added.
Two facts about one question are left alone: there the later, the contradicting or the preferred one may turn the row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from caselib import ON, Case, Resource, Suite, bundle
from cases import SUITES
from sle_kg.criteria import Trial
from sle_kg.evaluate import RuleSet, row_truths
from sle_kg.features import Ask, FeatureBuilder, FeatureOptions, resolve_events
from sle_kg.patients.read import read_patients
from sle_kg.screening import Facts
from sle_kg.terminology import terminology
from sle_kg.trials import load_trials
from sle_kg.verdict import Status
from sle_kg.verdicts import status_of

PAIRS = 60
"""Patients with and without one fact that are compared at once."""
SAME_QUESTION = (
    ("creatinine", "2160-0", "14682-9", "35591-7", "29463-7"),
    ("saturation", "59408-5", "supplementalOxygen"),
    ("ejection fraction", "10230-1", "8806-2"),
    ("autoantibodies", "8061-4", "5048-4", "5130-0", "31348-6"),
    ("HIV", "56888-1", "7917-8"),
    ("pregnancy", "2118-8", "2106-3", "Z33.1", "childbearingPotential", "postmenopausal", "sterilised", "agrees"),
    ("biopsy", "isnRpsClass", "nihActivityIndex", "nihChronicityIndex"),
    ("lupus", "55464009", "M32", "acr1997", "slicc2012", "eularAcr2019", "8061-4"),
    ("tuberculosis", "Z22.7", "A15", "71773-6", "J04AC01"),
    ("allergy", "AllergyIntolerance"),
)
"""Codes (or their beginnings) of facts that answer one question: a later, contradicting or preferred one may turn it,
as an absent childbearing potential exempts from the test."""
NEVER_ADDED = ("Patient", "recordComplete", "attest:", "event:", '"Consent"')
"""Facts that are no part of this promise: completeness, attestations, anchors, and who the patient is."""


def questions(fact: Resource) -> set[str]:
    """What a fact is about: its own codes, and the questions that it shares with others."""
    text = json.dumps(fact)
    concepts = [fact[name] for name in ("code", "medicationCodeableConcept", "vaccineCode") if name in fact]
    own = {coding["code"].partition(":")[0] for concept in concepts for coding in concept.get("coding", ())}
    return own | {name for name, *codes in SAME_QUESTION if any(f'"{code}' in text for code in codes)}


def pool(suite: Suite) -> list[Resource]:
    """The facts of all cases of a suite, each once."""
    facts = {json.dumps(fact): fact for case in suite.cases for fact in case.facts}
    return [fact for text, fact in facts.items() if not any(word in text for word in NEVER_ADDED)]


def statuses(
    suite: Suite, trial: Trial, patients: Iterable[tuple[str, list[Resource]]], folder: Path
) -> dict[str, dict[str, Status]]:
    """The status of every row of each patient, by the direct evaluator under the default readings."""
    single = Suite(suite.trial)
    for name, facts in patients:
        single.case(name, "", facts)
    cases: list[Case] = single.cases
    file = folder / "patients.json"
    file.write_text(bundle(cases), encoding="utf-8")
    data = read_patients([file], terminology())
    features, facts_of = trial.features(), Facts(data.tables, ON)
    builder = FeatureBuilder(data.tables, features, terminology())
    slugs = [case.slug for case in cases]
    events = resolve_events(data.tables, slugs, trial.id, ON, {})
    asks = [Ask(number, slug, trial.id, ON, ON, events[slug]) for number, slug in enumerate(slugs)]
    bounds: list[dict[str, tuple[object, object]]] = [{} for _ in asks]
    for value in builder.compute(asks, {trial.id: features}, FeatureOptions()):
        bounds[value.ask][value.slug] = (value.lower, value.upper)
    rules = RuleSet.of(trial)
    found = {}
    for ask in asks:
        truths = row_truths(rules, bounds[ask.id], facts_of.attestations(ask.patient, trial.id))  # type: ignore[arg-type]
        found[ask.patient] = {
            row.id: status_of(row, truths[row.id].met, truths[row.id].not_applicable) for row in trial.criteria
        }
    return found


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.trial)
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
def test_one_fact_more_never_turns_a_row(suite: Suite, tmp_path: Path, seed: int) -> None:
    random, facts = Random(seed), pool(suite)
    drawn = {}
    while len(drawn) < PAIRS:
        some, more = random.sample(facts, random.randint(1, 12)), random.choice(facts)
        if not any(questions(more) & questions(fact) for fact in some):
            drawn[f"p{len(drawn)}"] = (some, more)
    trial = load_trials()[suite.trial]
    before = statuses(suite, trial, ((name, some) for name, (some, _) in drawn.items()), tmp_path)
    after = statuses(suite, trial, ((name, [*some, more]) for name, (some, more) in drawn.items()), tmp_path)
    turned = [
        (row, status, after[name][row], drawn[name])
        for name, rows in before.items()
        for row, status in rows.items()
        if {status, after[name][row]} in ({"pass", "fail"}, {"not-applicable", "fail"})
    ]
    assert turned == []
    assert before != after
