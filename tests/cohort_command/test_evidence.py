"""Evidence in a second pass: records and reasons as `screen` gives them, of the patients and rows asked for alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from caselib import ON, Asked, Case, example, flat, person
from cohorts import cohort_of
from sle_kg.cli import app
from sle_kg.errors import InputError

TRIAL = "NCT06892145"
PEOPLE = {
    "alice": example("a-01"),
    "bob": example("a-01", without="Consent"),
    "carol": example("a-01", person("2015-01-01")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cases = [Case(name, Asked(TRIAL), flat(facts), {}) for name, facts in PEOPLE.items()]
    return cohort_of(tmp_path_factory.mktemp("cohort"), cases)


def called(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [command, *map(str, arguments), "--on", str(ON), "--trial", TRIAL])


def explained(folder: Path, *arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(called("cohort", folder, "--format", "json", *arguments).stdout)[
        "evidence"
    ]
    return found


def screened(folder: Path) -> dict[str, dict[str, Any]]:
    said = called("screen", folder.parent / "patients.json", "--format", "json", "--engine", "sql").stdout
    return {verdict["patient"]: verdict for verdict in json.loads(said)}


def test_a_patient_is_explained_as_by_screen(folder: Path) -> None:
    whole = screened(folder)
    assert explained(folder, "--evidence", "bob", "--evidence", "carol") == [whole["bob"], whole["carol"]]


def test_rows_asked_for_are_those_of_the_candidates_listed(folder: Path) -> None:
    whole = screened(folder)
    found = explained(folder, "--evidence-of", f"{TRIAL}/I04")
    assert [one["patient"] for one in found] == ["alice", "bob"], "a child is no candidate"
    for one in found:
        rows = [row for row in whole[one["patient"]]["criteria"] if row["id"] == "I04"]
        assert one == {**whole[one["patient"]], "criteria": rows}


def test_without_being_asked_for_nobody_is_explained(folder: Path) -> None:
    assert explained(folder) == []


@pytest.mark.parametrize("form", [pytest.param("table", marks=pytest.mark.slow), "html"])
def test_reasons_and_records_are_shown(folder: Path, form: str) -> None:
    text = called("cohort", folder, "--format", form, "--evidence", "alice", "--evidence-of", f"{TRIAL}/I04").stdout
    (row,) = [row for row in screened(folder)["alice"]["criteria"] if row["id"] == "I04"]
    assert row["evidence"][0]["record"] in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--evidence", "alice", "--evidence", "secret"], "the patient given as number 2"),
        (["--evidence-of", f"{TRIAL}/I99"], "is no row"),
        (["--evidence-of", "NCT06150651/I01"], "is no row of a trial screened"),
        (["--evidence", "alice", "--suppress-below", "5"], "nothing is suppressed"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence_without_patients(
    folder: Path, options: list[str], words: str
) -> None:
    refused = called("cohort", folder, *options).exception
    assert isinstance(refused, InputError)
    assert words in str(refused)
    assert "secret" not in str(refused)


def test_tables_without_evidence_lines_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.glob("*.parquet"):
        if file.stem != "record":
            pq.write_table(pq.read_table(file), tmp_path / file.name)
    refused = called("cohort", tmp_path, "--evidence", "alice").exception
    assert "record.parquet" in str(refused)
