"""JSON has the keys of the public contract and no others; CSV has a line for each row and starts no formula."""

import csv
import io
import json

from report import sample
from sle_kg.report.csv_report import COLUMNS, cell, render_csv
from sle_kg.report.json_report import render_json

VERDICT_KEYS = [
    "patient",
    "trial",
    "on",
    "verdict",
    "nothingAgainst",
    "openItems",
    "sourceComplete",
    "recruitment",
    "caveats",
    "earliestEligible",
    "unread",
    "criteria",
]
ROW_KEYS = [
    "id",
    "parent",
    "kind",
    "text",
    "sentence",
    "status",
    "decisive",
    "reason",
    "evidence",
    "missing",
    "openKind",
    "needsJudgement",
    "flags",
    "reading",
    "otherReadings",
    "passesFrom",
    "validUntil",
]


def lines(verdicts) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(verdicts).decode(), newline="")))


def test_json_has_exactly_the_keys_of_the_contract():
    first, *_ = json.loads(render_json(sample.verdicts()))
    assert list(first) == VERDICT_KEYS
    assert [list(row) for row in first["criteria"]] == [ROW_KEYS] * 7
    assert list(first["openItems"]) == ["data", "test", "agreement", "judgement"]
    assert list(first["recruitment"]) == ["status", "asOf", "source"]
    assert [list(unread) for unread in first["unread"]] == [["record", "code", "display", "why"]] * 2


def test_json_of_a_row():
    first, *_ = json.loads(render_json(sample.verdicts()))
    row = first["criteria"][2]
    assert row["otherReadings"] == [{"ambiguity": "A1-05", "key": "any-sledai", "status": "pass"}]
    assert first["criteria"][3]["evidence"] == [
        {"record": "Observation/obs-3", "what": "SLEDAI-2K", "value": "9", "date": "2026-11-10"}
    ]
    assert (row["openKind"], row["passesFrom"]) == ("test", None)


def test_json_keeps_the_order_of_the_input():
    assert [v["patient"] for v in json.loads(render_json(sample.verdicts()))] == [
        "vignette-17",
        "vignette-17",
        "vignette-02",
    ]


def test_json_keeps_hostile_text_as_it_was():
    [verdict] = json.loads(render_json([sample.hostile()]))
    assert verdict["patient"] == sample.hostile().patient


def test_json_of_nobody_is_an_empty_array():
    assert json.loads(render_json([])) == []


def test_csv_has_a_line_for_each_patient_trial_and_row():
    rows = lines(sample.verdicts())
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == sum(len(verdict.criteria) for verdict in sample.verdicts())
    assert (rows[0]["patient"], rows[0]["trial"], rows[0]["id"]) == ("vignette-17", "NCT06106906", "I02")
    assert rows[3]["evidence"] == "SLEDAI-2K: 9 (2026-11-10, Observation/obs-3)"


def test_csv_carries_the_caveats_in_every_line():
    assert all("pre-screening aid" in row["caveats"] for row in lines(sample.verdicts()))


def test_csv_starts_no_formula():
    starts = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "＝1"]
    assert [cell(start)[0] for start in starts] == ["'"] * len(starts)


def test_csv_leaves_harmless_text_alone():
    assert [cell(value) for value in ("9", "a=b", None, True, 0)] == ["9", "a=b", "", "true", "0"]
