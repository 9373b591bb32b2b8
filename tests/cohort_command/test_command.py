"""The command `cohort`: what it prints, in which form, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from caselib import ON, Asked, Case, bundle, example, flat, person
from cohort_command.printed_cohorts import counted, kinds
from sle_kg.cli import app
from sle_kg.cohort.summary import Gained, Relaxed, WhatIfRow
from sle_kg.errors import InputError
from sle_kg.patients.read import read_patients
from sle_kg.report.cohort import CohortFormat, render_cohort
from sle_kg.report.cohort_whatif import curves, path
from sle_kg.report.text import AID_SENTENCE

PEOPLE = {
    "secret-alice": example("a-01"),
    "secret-<b>bob</b>": example("a-01", without="Consent"),
    "secret-carol": example("a-01", person("2015-01-01")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tables_of(PEOPLE, tmp_path_factory.mktemp("cohort"))


def tables_of(people: Mapping[str, Any], place: Path) -> Path:
    """The patient tables of some people, in a folder."""
    cases = [Case(name, Asked("NCT06892145"), flat(facts), {}) for name, facts in people.items()]
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


def test_what_if_is_told_in_every_form(folder: Path) -> None:
    told = {form: asked(folder, "--what-if", "--format", form).stdout for form in ("json", "html", "table")}
    (trial,) = json.loads(told["json"])["trials"]
    (row,) = [row for row in trial["whatIf"] if row["id"] == "I02"]
    assert row["dropped"] == {"noLongerExcluded": 1, "newlyEligible": 1, "newlyUndetermined": 0}, "the child"
    assert [step["threshold"] for step in row["relaxed"][0]["steps"]] == ["17", "16", "15", "14", "13"]
    assert "I02 dropped" in " ".join(told["table"].split())
    assert "<caption>What if: patients gained." in told["html"]
    for start in (place for place in range(len(told["html"])) if told["html"].startswith("<svg", place)):
        ElementTree.fromstring(told["html"][start : told["html"].index("</svg>", start) + 6])


def test_the_plan_is_printed_for_another_database() -> None:
    done = cohort("nowhere", "--sql", "postgres", "--trial", "NCT06892145")
    assert done.exit_code == 0
    assert done.stdout.startswith("WITH level1 AS (SELECT ")


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


def test_a_table_lists_twenty_candidates_unless_more_are_asked_for(tmp_path: Path) -> None:
    folder = tables_of({f"p{number}": example("a-01") for number in range(22)}, tmp_path)
    assert "Candidates: 20 of 22," in asked(folder).stdout
    assert "Candidates: 21 of 22," in asked(folder, "--candidates", 21).stdout


@pytest.mark.parametrize("form", ["table", "html", "json"])
def test_every_format_lists_all_candidates_kept(form: CohortFormat) -> None:
    summary = counted({kinds((1, 4))[0]: 130}, (1, 4))
    (trial,) = summary.trials
    listed = tuple(replace(trial.candidates[0], patient=f"somebody-{number:03}") for number in range(120))
    summary = replace(summary, trials=(replace(trial, candidates=listed),))
    text = render_cohort(summary, form).decode()
    assert all(one.patient in text for one in listed)


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


@pytest.mark.parametrize("option", ["--verdicts", "--state", "--output"])
@pytest.mark.parametrize("name", ["patient.parquet", "measurement/part.parquet", "ingest.json", "rejects.csv"])
def test_no_result_takes_the_place_of_a_table(folder: Path, option: str, name: str) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    refused = asked(folder, option, folder / name).exception
    assert isinstance(refused, InputError)
    assert option in str(refused) and "name another file" in str(refused)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("options", [("--verdicts", "--state"), ("--state", "--output"), ("--verdicts", "--output")])
def test_no_result_takes_the_place_of_another(folder: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    refused = asked(folder, options[0], tmp_path / "one", options[1], tmp_path / "x" / ".." / "one").exception
    assert isinstance(refused, InputError)
    assert options[0] in str(refused) and options[1] in str(refused)
    assert not (tmp_path / "one").exists()


def test_a_curve_rises_in_steps_and_leaves_out_what_is_suppressed() -> None:
    steps = tuple(
        (Decimal(threshold), Gained(count, count, count if count is None else 0))
        for threshold, count in ((6, None), (5, 5), (4, 5), (3, 10))
    )
    row = WhatIfRow("I04", "", steps[-1][1], (Relaxed("SLEDAI-2K", ">=", Decimal(7), "{score}", steps),))
    plot = curves([row])
    assert plot is not None
    (panel,) = plot.panels
    assert (panel.title, panel.most) == ("I04: ≥ 7", 10)
    assert [text for _, _, text in panel.points] == ["7", "5", "4", "3"]
    heights = [panel.y + plot.panel_height - y for _, y, _ in panel.points]
    assert heights == [0, plot.panel_height // 2, plot.panel_height // 2, plot.panel_height]
    assert path(panel).startswith(f"M{panel.points[0][0]} {panel.points[0][1]}H")
    assert curves([WhatIfRow("I04", "", Gained(0, 0, 0), ())]) is None
