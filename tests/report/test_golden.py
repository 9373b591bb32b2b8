"""The reports of the sample verdicts, byte for byte: a change of form is a change of these files, seen and meant."""

from pathlib import Path

import pytest

from report import sample
from sle_kg.report import render

GOLDEN = Path(__file__).parents[1] / "golden" / "report"


@pytest.mark.parametrize(
    ("form", "name"), [("table", "screening.txt"), ("json", "screening.json"), ("csv", "screening.csv")]
)
def test_a_report_is_as_it_was(form, name):
    assert render(sample.verdicts(), form).decode() == (GOLDEN / name).read_bytes().decode()


def test_verdicts_in_turtle_are_as_they_were():
    assert render([sample.eligible()], "turtle").decode() == (GOLDEN / "screening.ttl").read_text(encoding="utf-8")
