"""JSON and CSV of outcomes and scores: the keys of the contract, exact numbers, no formula, nothing lost."""

import csv
import io
import json
from decimal import Decimal

import pytest

from report import outcome_sample as sample
from sle_kg.report.outcomes_csv import COLUMNS, cell, render_csv
from sle_kg.report.outcomes_json import exact_json, render_json
from sle_kg.report.scores import render_scores

CONTRACT_RESULT = [
    "id",
    "timePoint",
    "date",
    "value",
    "result",
    "change",
    "unit",
    "definition",
    "reason",
    "evidence",
    "missing",
    "measure",
    "window",
    "lower",
    "upper",
]
CONTRACT_COHORT = [
    "id",
    "timePoint",
    "infused",
    "evaluable",
    "reached",
    "proportionOfEvaluable",
    "ci95",
    "proportionOfInfused",
    "mean",
    "median",
    "range",
    "measure",
    "definition",
    "unit",
    "missing",
]
CONTRACT_SCORE = [
    "patient",
    "date",
    "name",
    "value",
    "result",
    "lower",
    "upper",
    "items",
    "reason",
    "missing",
    "facet",
    "band",
    "change",
    "unit",
    "grades",
    "proposed",
    "contradictions",
    "evidence",
]


def read(result) -> dict:
    return json.loads(render_json(result), parse_float=Decimal)


def lines(result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(result).decode(), newline="")))


def test_json_has_the_keys_of_the_contract_in_its_order():
    document = read(sample.outcomes())
    assert list(document)[:4] == ["trial", "patients", "cohort", "adverseEvents"]
    assert list(document)[4:] == ["laboratoryGrades", "windows", "caveats"]
    first = document["patients"][0]
    assert list(first) == ["patient", "infusion", "results", "events", "laboratoryGrades", "unread"]
    assert [list(result) for result in first["results"]] == [CONTRACT_RESULT] * 2
    assert [list(row) for row in document["cohort"]] == [CONTRACT_COHORT] * 2
    assert list(document["adverseEvents"][0]) == ["term", "patients", "highestGrade"]


def test_json_of_a_result_and_of_a_cohort_row():
    document = read(sample.outcomes())
    change = document["patients"][0]["results"][1]
    assert (change["value"], change["change"], change["unit"]) == (Decimal("12.5"), Decimal("-187.5"), "[IU]/mL")
    assert change["window"] == {"from": "2026-03-07", "to": "2026-05-01"}
    state, value = document["cohort"]
    assert (state["infused"], state["evaluable"], state["reached"], state["range"]) == (2, 1, 1, None)
    assert (state["ci95"], state["proportionOfInfused"]) == ([Decimal("0.025"), 1], Decimal("0.5"))
    assert (value["reached"], value["ci95"], value["range"]) == (None, None, [Decimal("-187.5")] * 2)


def test_json_of_a_patient_who_was_not_infused():
    patient = read(sample.outcomes())["patients"][2]
    assert (patient["infusion"], patient["results"][0]["window"]) == (None, {"from": None, "to": None})
    assert patient["results"][0]["missing"] == ["the date of the infusion"]


def test_json_of_bounds_that_are_not_known():
    total, change = read(sample.outcomes())["patients"][1]["results"]
    assert (total["value"], total["lower"], total["upper"]) == (None, 0, 24)
    assert (change["lower"], change["upper"]) == (None, Decimal("-3.333333"))


def test_json_of_nobody():
    document = read(sample.nobody())
    assert [document[key] for key in ("patients", "cohort", "adverseEvents")] == [[], [], []]


def test_json_keeps_hostile_text_as_it_was():
    assert json.loads(render_json(sample.hostile()))["patients"][0]["patient"] == sample.ATTACK


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.1", "0.1"), ("1E+3", "1000"), ("12.50", "12.5"), ("-0.0", "0"), ("0.30000000000000004", None)],
)
def test_json_numbers_are_exact(value, text):
    assert exact_json(Decimal(value)).decode() == f"{text or value}\n"


def test_csv_has_a_line_for_everything_found():
    result = sample.outcomes()
    kinds = [line["line"] for line in lines(result)]
    assert kinds.count("result") == sum(len(patient.results) for patient in result.patients)
    assert kinds.count("adverse event") == 3
    assert kinds.count("cohort") == len(result.cohort)
    assert kinds.count("cohort adverse event") == 3
    assert list(lines(result)[0]) == list(COLUMNS)


def test_csv_leaves_a_negative_number_a_number_and_starts_no_formula():
    assert lines(sample.outcomes())[1]["change"] == "-187.5"
    assert [cell(value) for value in (Decimal("-1"), -1, "-1", "=1+1", True)] == ["-1", "-1", "'-1", "'=1+1", "true"]
    hostile = [text for line in lines(sample.hostile()) for text in line.values()]
    assert [text for text in hostile if text.startswith(("=", "@", "+"))] == []


def test_csv_carries_the_caveats_in_every_line():
    wanted = ("half the distance", "--derive-items", "no visit windows", "aid to analysis")
    assert all(words in line["caveats"] for line in lines(sample.outcomes()) for words in wanted)


def test_csv_of_nobody_is_the_header():
    assert lines(sample.nobody()) == []


def test_scores_have_the_keys_of_the_contract_then_ours():
    found = json.loads(render_scores([*sample.scores(), sample.hostile_score()], "json"))
    assert [list(one) for one in found] == [CONTRACT_SCORE] * 5
    assert found[1]["items"] == {"arthritis": False, "seizure": None, "visual": None}
    assert (found[1]["value"], found[1]["lower"], found[1]["upper"]) == (None, 0, 12)
    assert [one["result"] for one in found] == [None, None, "met", None, None]
    assert found[4]["reason"] == sample.ATTACK


def test_scores_of_nobody():
    assert json.loads(render_scores([], "json")) == []
    assert len(render_scores([], "csv").decode().splitlines()) == 1
    assert "No result" in render_scores([], "table").decode()


def test_scores_as_csv_start_no_formula():
    [line] = csv.DictReader(io.StringIO(render_scores([sample.hostile_score()], "csv").decode(), newline=""))
    assert [text for text in line.values() if text.startswith(("=", "+", "-", "@"))] == []
