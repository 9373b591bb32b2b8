"""Every command and query of the documents runs, and prints what the document says."""

import re
from pathlib import Path
from typing import Any

import pytest

import documents
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.scores import scores
from sle_kg.followup.trial_outcomes import trial_outcomes

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def relative(document: Path) -> str:
    return document.relative_to(documents.ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=relative)
def test_a_document_prints_what_the_program_prints(document, tmp_path):
    assert documents.refreshed(document, documents.copy_checkout(tmp_path)) == document.read_text()


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=relative)
def test_links_inside_the_project_lead_somewhere(document):
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=relative)
def test_commands_stand_only_where_they_are_run(document):
    blocks = documents.fences(document.read_text())
    assert [block.info for block in blocks if block.info.split()[:1] in (["sh"], ["bash"], ["shell"])] == []


def test_a_wrong_output_is_noticed(tmp_path):
    document = tmp_path / "wrong.md"
    document.write_text("```console\n$ echo true\nfalse\n```\n")
    assert documents.refreshed(document, tmp_path) == "```console\n$ echo true\ntrue\n```\n"


def test_a_failing_command_is_noticed(tmp_path):
    document = tmp_path / "failing.md"
    document.write_text("```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="'false' ended with 1"):
        documents.refreshed(document, tmp_path)


# ---- the patient worked by hand in docs/outcomes.md ----------------------------------------------------------------

FOLLOWUP = documents.ROOT / "examples" / "followup.json"
OFFICIAL = {"A4-05": "official"}


def by_hand(heading: str) -> list[dict[str, str]]:
    """The rows of the first table under a heading of the outcome guide, by the names of their columns."""
    guide = (documents.ROOT / "docs" / "outcomes.md").read_text()
    lines = [
        line for line in guide.split(f"### {heading}\n")[1].split("\n### ")[0].splitlines() if line.startswith("|")
    ]
    names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(names, row, strict=True)) for row in rows]


def visits() -> dict[str, str]:
    """Number of the visit → its date, as the guide says what is recorded."""
    return {row["visit"]: row["date"] for row in by_hand("What is recorded")}


def by_date(trial: str, id: str, measure: str, **options: Any) -> dict[str, str]:
    """Day of the assessment → the program's result of one definition."""
    (patient,) = trial_outcomes([FOLLOWUP], trial, FollowUpOptions(**options)).patients
    found = [result for result in patient.results if (result.id, result.measure) == (id, measure) and result.date]
    return {str(result.date): result.result for result in found}


@pytest.mark.parametrize(("name", "column"), [("sledai2k", "SLEDAI-2K"), ("clinicalSledai", "clinical")])
def test_totals_worked_by_hand_are_those_of_the_program(name, column):
    computed = {str(one.date): one.value for one in scores([FOLLOWUP], name, FollowUpOptions())}
    hand = {visits()[row["visit"]]: int(row[column].split("=")[-1]) for row in by_hand("Sums")}
    assert computed == hand


def test_changes_worked_by_hand_are_those_of_the_program():
    computed = {str(one.date): one.change for one in scores([FOLLOWUP], "sledai2k", FollowUpOptions())}
    after = [row for row in by_hand("Sums") if row["change since baseline"]]
    hand = {row["visit"]: int(row["change since baseline"].split("=")[1].replace("−", "-")) for row in after}
    assert {visit: computed[visits()[visit]] for visit in hand} == hand
    assert list(hand) == list("123456")


def test_windows_worked_by_hand_are_those_of_the_program():
    (patient,) = trial_outcomes([FOLLOWUP], "NCT06710717", FollowUpOptions()).patients
    computed = {
        result.time_point: (f"{result.first} to {result.last}", str(result.date or "none"))
        for result in patient.results
        if result.measure == "clinicalSledai"
    }
    hand = by_hand("Which visit serves which time point")
    assert computed == {row["time point"]: (row["window"], row["assessment"]) for row in hand}


@pytest.mark.parametrize(
    ("column", "trial", "id", "measure", "readings"),
    [
        ("clinical SLEDAI-2K = 0", "NCT06710717", "O2", "clinicalSledai", {}),
        ("DORIS 2021", "NCT06710717", "O2", "doris2021", {}),
        ("LLDAS as worded", "NCT06653556", "O7", "lldas", {}),
        ("LLDAS official", "NCT06653556", "O7", "lldas", OFFICIAL),
    ],
)
def test_states_worked_by_hand_are_those_of_the_program(column, trial, id, measure, readings):
    hand = {visits()[row["visit"]]: row[column].split(":")[0].replace(" ", "-") for row in by_hand("States")}
    assert by_date(trial, id, measure, readings=readings) == hand


def test_values_worked_by_hand_are_those_of_the_program():
    (patient,) = trial_outcomes([FOLLOWUP], "NCT06710717", FollowUpOptions()).patients
    names = {"BILAG": "bilag", "PGA": "pga", "FACIT-Fatigue": "facitFatigue", "anti-dsDNA": "antiDsDna"}
    computed = {
        (result.measure, result.time_point): result.change
        for result in patient.results
        if result.id in ("O3", "O5", "O6")
    }
    measure, hand = "", {}
    for row in by_hand("Values"):
        words = row["measure, NCT06710717"]
        measure = next((key for start, key in names.items() if words.startswith(start)), "") if words else measure
        if measure and "=" in row["change"]:
            hand[measure, row["at"]] = row["change"].split("=")[1].strip().replace("−", "-")
    assert {place: str(computed[place]) for place in hand} == hand
    assert {place[0] for place in hand} == set(names.values())


def test_what_the_guide_says_of_options_holds():
    strict = by_date("NCT06710717", "O2", "doris2021", readings={"A2-10": "doris-below-5"})
    narrow = by_date("NCT06710717", "O2", "clinicalSledai", visit_window=7)
    assert strict[visits()["6"]] == "not-reached"
    assert sorted(narrow) == sorted(day for visit, day in visits().items() if visit in "13456")
