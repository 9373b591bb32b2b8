"""The compiled shapes, as they are, in a second SHACL engine (rudof): the same results as the direct evaluator."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import pyrudof
import pytest
from hypothesis import given, settings

from caselib import ON as CASES_ON
from caselib import Suite, bundle
from cases import SUITES
from random_profiles import random_people
from sle_kg.criteria import Trial
from sle_kg.evaluate import RuleSet, row_truths
from sle_kg.namespaces import PREFIXES
from sle_kg.profile import Profile, serialize
from sle_kg.resources import path
from sle_kg.screening import Options, profiles
from sle_kg.shapes import compile_trial, row_shape
from sle_kg.trials import screenable
from sle_kg.turtle import write_turtle
from trees import attestations, bounds, profile, trials

CHUNK = 25
ON = dt.date(2026, 11, 21)
Said = dict[tuple[str, str], tuple[bool | None, bool]]
"""(profile, row) → met, not applicable."""


def by_rudof(trial: Trial, people: Sequence[Profile], shapes: bytes) -> Said:
    """What rudof says of every row, from its validation report."""
    said: Said = {}
    for start in range(0, len(people), CHUNK):
        chunk = people[start : start + CHUNK]
        engine = pyrudof.Rudof(pyrudof.RudofConfig())
        engine.read_data(serialize(chunk).decode(), pyrudof.RDFFormat.Turtle)
        engine.read_shacl(shapes.decode(), pyrudof.ShaclFormat.Turtle)
        violated = {(str(entry.focus_node), str(entry.source_shape)) for entry in engine.validate_shacl()}
        for someone in chunk:
            for row in trial.criteria:
                met, unmet, exempt = (
                    (someone.iri, row_shape(trial.id, row.id, outcome)) not in violated
                    for outcome in ("met", "unmet", "na")
                )
                truth = True if met else False if unmet else None
                said[someone.iri, row.id] = (truth, row.not_applicable is not None and exempt)
    return said


def direct(trial: Trial, people: Sequence[Profile], readings: dict[str, str] | None = None) -> Said:
    """What the direct evaluator says of every row."""
    rules = RuleSet.of(trial, readings)
    return {
        (someone.iri, row): (truth.met, truth.not_applicable)
        for someone in people
        for row, truth in row_truths(rules, someone.bounds, someone.attestations).items()
    }


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_committed_shapes_give_the_same_results_on_random_profiles(nct: str) -> None:
    trial = screenable()[nct]
    people = random_people(trial, 60, seed=7)
    committed = (path("shapes") / "eligibility" / f"{nct}.ttl").read_bytes()
    expected = direct(trial, people)
    assert {met for met, _ in expected.values()} == {True, False, None}
    assert by_rudof(trial, people, committed) == expected


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_shapes_under_every_other_reading_give_the_same_results(nct: str) -> None:
    trial = screenable()[nct]
    readings = {reading.ambiguity: reading.key for reading in trial.readings if not reading.default}
    people = random_people(trial, 20, seed=8)
    shapes = write_turtle(compile_trial(trial, readings), PREFIXES)
    assert by_rudof(trial, people, shapes) == direct(trial, people, readings)


@pytest.mark.parametrize("nct", sorted(screenable()))
def test_example_patients_get_the_same_results(nct: str) -> None:
    names = json.loads((path("examples") / "expected.json").read_text(encoding="utf-8"))["cases"]
    files = [path("examples") / "patients" / f"{name}.json" for name in names]
    people = profiles(files, Options(trials=(nct,), on=ON))
    committed = (path("shapes") / "eligibility" / f"{nct}.ttl").read_bytes()
    assert by_rudof(screenable()[nct], people, committed) == direct(screenable()[nct], people)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.trial)
def test_every_case_gets_the_same_results(tmp_path: Path, suite: Suite) -> None:
    file = tmp_path / "cases.json"
    file.write_text(bundle(suite.cases), encoding="utf-8")
    people = profiles([file], Options(trials=(suite.trial,), on=CASES_ON))
    committed = (path("shapes") / "eligibility" / f"{suite.trial}.ttl").read_bytes()
    trial = screenable()[suite.trial]
    assert len(people) == len(suite.cases)
    assert by_rudof(trial, people, committed) == direct(trial, people)


@settings(max_examples=50, deadline=None)
@given(trials(), bounds(), attestations)
def test_random_trees_give_the_same_results(made, known, attested) -> None:  # type: ignore[no-untyped-def]
    someone = profile(known, attested)
    shapes = write_turtle(compile_trial(made), PREFIXES)
    assert by_rudof(made, [someone], shapes) == direct(made, [someone])
