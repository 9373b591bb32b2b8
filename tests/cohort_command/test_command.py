"""The command `cohort`: what it prints, in which form, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from caselib import ON, Asked, Case, bundle, example, flat, person
from sle_kg.cli import app
from sle_kg.errors import InputError
from sle_kg.patients.read import read_patients
from sle_kg.report.text import AID_SENTENCE

PEOPLE = {
    "secret-alice": example("a-01"),
    "secret-<b>bob</b>": example("a-01", without="Consent"),
    "secret-carol": example("a-01", person("2015-01-01")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cohort")
    cases = [Case(name, Asked("NCT06892145"), flat(facts), {}) for name, facts in PEOPLE.items()]
    file = place / "patients.json"
    file.write_text(bundle(cases), encoding="utf-8")
    for name, table in read_patients([file]).tables.items():
        pq.write_table(table, place / f"{name}.parquet")
    return place


def cohort(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["cohort", *map(str, arguments)])


def asked(folder: Path, *more: object) -> Result:
    return cohort(folder, "--on", ON, "--trial", "NCT06892145", *more)


def test_json_tells_counts_funnel_candidates_and_work(folder: Path) -> None:
    found = json.loads(asked(folder, "--format", "json").stdout)
    (trial,) = found["trials"]
    assert (found["patients"], found["on"]) == (3, ON.isoformat())
    assert sum(trial["verdicts"].values()) == 3
    assert trial["funnel"][0]["left"] == 3
    assert {one["patient"] for one in trial["candidates"]} <= {"secret-alice", "secret-b-bob-b", "secret-carol"}
    assert trial["caveats"], "the copy shows no exclusion criteria"
    assert len(trial["candidates"]) == trial["candidatesInAll"]


def test_the_table_says_what_the_tool_is_and_who_recruits(folder: Path) -> None:
    text = " ".join(asked(folder).stdout.split())
    assert AID_SENTENCE in text
    assert "RECRUITING as of" in text
    assert "meets the listed inclusion criteria" in text
    assert "secret-alice" in text


def test_html_is_whole_asks_the_network_nothing_and_has_a_flow_diagram(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "cohort.html"
    assert asked(folder, "--format", "html", "--output", file).exit_code == 0
    text = file.read_text(encoding="utf-8")
    (start, end) = (text.index("<svg"), text.index("</svg>") + 6)
    boxes = ElementTree.fromstring(text[start:end]).findall("{http://www.w3.org/2000/svg}rect")
    assert len(boxes) >= 4
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_messages_name_no_patient(folder: Path, tmp_path: Path) -> None:
    done = asked(folder, "--verdicts", tmp_path / "verdicts.parquet", "--suppress-below", 5)
    assert "secret" not in done.stderr + done.stdout
    assert done.exit_code == 0
    assert pq.read_table(tmp_path / "verdicts.parquet").num_rows == 3


def test_suppressed_counts_are_null_and_no_patient_is_listed(folder: Path) -> None:
    (trial,) = json.loads(asked(folder, "--format", "json", "--suppress-below", 5).stdout)["trials"]
    assert trial["candidates"] is None
    assert set(trial["verdicts"].values()) <= {0, None}


def test_no_more_candidates_than_asked_for(folder: Path) -> None:
    (trial,) = json.loads(asked(folder, "--format", "json", "--candidates", 1).stdout)["trials"]
    assert len(trial["candidates"]) == min(1, trial["candidatesInAll"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "abacus"], "sql, shacl"),
        (["--trial", "NCT06653556"], "holds no eligibility criteria"),
        (["--complete", "everything"], "conditions"),
        (["--verdicts", "no/such/place.parquet"], "--verdicts"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder: Path, options: list[str], words: str) -> None:
    refused = cohort(folder, "--on", ON, *options).exception
    assert isinstance(refused, InputError)
    assert words in str(refused)
