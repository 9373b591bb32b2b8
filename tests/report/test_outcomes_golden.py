"""The reports of the sample outcomes, byte for byte: a change of form is a change of these files, seen and meant."""

from pathlib import Path

import pytest

from report import outcome_sample as sample
from sle_kg.report.outcomes import render_outcomes
from sle_kg.report.scores import render_scores

GOLDEN = Path(__file__).parents[1] / "golden" / "report"
OUTCOMES = {"table": "outcomes.txt", "json": "outcomes.json", "csv": "outcomes.csv", "html": "outcomes.html"}
SCORES = {"table": "scores.txt", "json": "scores.json", "csv": "scores.csv"}


@pytest.mark.parametrize(("form", "name"), [*OUTCOMES.items(), ("turtle", "outcomes.ttl")])
def test_a_report_of_outcomes_is_as_it_was(form, name):
    assert render_outcomes(sample.outcomes(), form).decode() == (GOLDEN / name).read_bytes().decode()


@pytest.mark.parametrize(("form", "name"), SCORES.items())
def test_a_report_of_scores_is_as_it_was(form, name):
    assert render_scores(sample.scores(), form).decode() == (GOLDEN / name).read_bytes().decode()
