"""The command line: exit codes, one plain sentence for a mistake, results on standard output and nothing else there."""

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from sle_kg import __version__
from sle_kg.cli import main
from sle_kg.resources import path

COMMANDS = ["demo", "trials", "screen", "compare", "query", "export", "profile", "check"]


@dataclass(frozen=True)
class Done:
    """What a command gave back."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str | Path) -> Done:
    """Run `sle-kg` in this process, without a terminal."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    before = sys.argv
    sys.argv = ["sle-kg", *map(str, arguments)]
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]), pytest.raises(SystemExit) as exit_:
            main()
    finally:
        sys.argv = before
    return Done(exit_.value.code, *(stream.buffer.getvalue().decode() for stream in streams))


def run_process(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Run `sle-kg` as a user does, in a process of its own."""
    command = [sys.executable, "-m", "sle_kg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    """A terminal of 100 columns, whatever the tests run in."""
    monkeypatch.setenv("COLUMNS", "100")


def refused(*arguments: str | Path) -> str:
    """The one sentence with which `sle-kg` refuses; it must exit with 2 and print nothing else."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_help_lists_every_command_with_an_example():
    done = run("--help")
    assert done.returncode == 0
    assert [command for command in COMMANDS if not re.search(rf"│ {command} ", done.stdout)] == []
    assert "Example: sle-kg" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Example: sle-kg {command}" in done.stdout


def test_version():
    assert run_process("--version").stdout == f"sle-kg {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bogus"], "bogus"),
        (["screen"], "FILE"),
        (["screen", "p.json", "--format", "pdf"], "'table', 'json', 'csv', 'html', 'turtle'"),
        (["screen", "p.json", "--on", "21.11.2026"], "--on: '21.11.2026' is no date; write it as YYYY-MM-DD"),
        (["screen", "p.json", "--on", "2026-02-30"], "--on: '2026-02-30' is no date"),
        (["screen", "p.json", "--on", "20261121"], "--on: '20261121' is no date"),
        (["screen", "p.json", "--event", "infusion"], "--event: 'infusion' is not of the form NAME=DATE"),
        (["screen", "p.json", "--event", "infusion=soon"], "--event: 'soon' is no date"),
        (["screen", "p.json", "--window", "result=-1"], "--window: '-1' for result is no whole number of days"),
        (["screen", "p.json", "--window", "result=1.5"], "--window: '1.5' for result is no whole number of days"),
        (["screen", "p.json", "--reading", "A3-04"], "--reading: 'A3-04' is not of the form AMBIGUITY=KEY"),
        (["screen", "p.json", "--reading", "A3-04=x", "--reading", "A3-04=y"], "'A3-04' is given twice"),
        (["query"], "no NAME or FILE was given; see sle-kg query --list"),
        (["query", "no-such-query"], "no-such-query: neither a readable file nor a query"),
        (["export", "--what", "everything"], "'graph', 'ontology', 'shapes', 'trial'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments, words):
    assert words in refused(*arguments)


def test_a_missing_file_is_named():
    assert "no-such-patient.json" in refused("screen", "no-such-patient.json", "--on", "2026-11-21")


def test_a_mistake_cannot_steer_the_terminal():
    assert "\x1b" not in refused("query", "\x1b[2Jquery")


def test_trials_are_one_line_each():
    lines = run("trials").stdout.splitlines()
    assert [line[:11] for line in lines] == ["NCT06106906", "NCT06150651", "NCT06653556", "NCT06710717", "NCT06892145"]
    assert all("2026-08-22" in line and "Phase" in line.replace("phase", "Phase") and "CD19" in line for line in lines)
    assert "no exclusion criteria" in lines[1]
    assert "no inclusion criteria" in lines[2]


def test_all_trials_are_the_modelled_ones_and_the_registered():
    modelled, everything = run("trials").stdout.splitlines(), run("trials", "--all").stdout.splitlines()
    assert everything[: len(modelled)] == modelled
    assert len({line[:11] for line in everything}) == len(everything) == 315
    assert all("not modelled" in line for line in everything[len(modelled) :])


def test_a_reader_that_leaves_early_is_no_fault():
    command = f"{sys.executable} -m sle_kg trials --all | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_output_that_cannot_be_written_is_said(tmp_path):
    assert str(tmp_path) in refused("query", "--list", "--output", tmp_path / "missing" / "list.txt")


def test_output_holds_what_standard_output_would(tmp_path):
    assert run("query", "--list", "--output", tmp_path / "list.txt").stdout == ""
    assert (tmp_path / "list.txt").read_text() == run("query", "--list").stdout


EXAMPLES = Path(__file__).parents[1] / "examples" / "patients"
"""The example patients; a-08 is undetermined for NCT06892145."""

SCREEN = ["screen", EXAMPLES / "a-08.json", "--on", "2026-11-21", "--trial", "NCT06892145"]


def test_screen_gives_json():
    done = run(*SCREEN, "--format", "json")
    [verdict] = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (verdict["patient"], verdict["trial"], verdict["on"]) == ("a-08", "NCT06892145", "2026-11-21")
    assert verdict["verdict"] == "undetermined"


@pytest.mark.parametrize(
    "command",
    [
        ("profile", EXAMPLES / "a-08.json", "--on", "2026-11-21", "--trial", "NCT06892145"),
        ("export", "--what", "trial", "--trial", "NCT06892145"),
        ("compare", "NCT06892145"),
    ],
    ids=lambda command: command[0],
)
def test_the_number_of_a_trial_may_be_typed_in_small_letters(command):
    *options, number = command
    as_registered, typed = run(*command), run(*options, f" {number.lower()}")
    assert (as_registered.returncode, as_registered.stderr) == (0, typed.stderr)
    assert as_registered.stdout == typed.stdout != ""


def test_screen_prints_a_table_by_default():
    done = run(*SCREEN)
    assert done.returncode == 0
    assert "a-08 on 2026-11-21" in done.stdout
    assert "pre-screening aid" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("form", "start"), [("csv", "patient,trial,"), ("html", "<!DOCTYPE html>"), ("turtle", "@prefix")]
)
def test_screen_writes_its_other_formats(form, start, tmp_path):
    done = run(*SCREEN, "--format", form, "--output", tmp_path / "result")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "result").read_text().startswith(start)


def test_verdicts_of_real_patients_conform_to_their_shape(tmp_path):
    import pyshacl

    run(*SCREEN, "--format", "turtle", "--output", tmp_path / "v.ttl")
    conforms, _, text = pyshacl.validate(str(tmp_path / "v.ttl"), shacl_graph=str(path("shapes") / "verdict.ttl"))
    assert conforms, text


def test_a_mistake_leaves_no_output_behind(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json" in refused("screen", tmp_path / "bad.json", "--output", tmp_path / "result.json")
    assert [file.name for file in tmp_path.iterdir()] == ["bad.json"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--event", "party=2026-01-01"), "consent"),
        (("--complete", "everything"), "conditions"),
        (("--window", "mood=3"), "pregnancyTest"),
        (("--reading", "A9-99=x"), "A3-04"),
        (("--reading", "A3-04=x"), "at-least-two"),
        (("--trial", "NCT00000000"), "NCT06892145"),
        (("--trial", "NCT06710717"), "holds no eligibility criteria"),
        (("--trial", "06892145"), "NCT06892145"),
        (("--engine", "abacus"), "--engine: 'abacus' is not known; choose among shacl, sql"),
    ],
)
def test_a_wrong_value_is_answered_with_the_right_ones(option, words):
    assert words in refused("screen", EXAMPLES / "a-08.json", *option)


def test_profile_shows_what_the_shapes_see():
    done = run(
        "profile", EXAMPLES / "a-08.json", "--on", "2026-11-21", "--trial", "NCT06892145", "--format", "n-triples"
    )
    assert done.returncode == 0
    assert "<https://w3id.org/sle-kg/patient/a-08/profile/NCT06892145/2026-11-21>" in done.stdout


def test_compare_two_trials():
    done = run("compare", "NCT06892145", "NCT06150651", "--format", "json")
    assert [trial["id"] for trial in json.loads(done.stdout)["trials"]] == ["NCT06892145", "NCT06150651"]


def test_query_with_a_parameter():
    done = run("query", "criteria-of-a-trial", "--param", "trial=NCT06150651", "--format", "turtle")
    assert done.returncode == 0
    assert "NCT06150651" in done.stdout
    assert "NCT06892145" not in done.stdout


def test_export_is_the_same_in_every_process():
    first, second = (run_process("export", "--what", "trial", "--trial", "NCT06892145") for _ in range(2))
    assert first.stdout.startswith("@prefix")
    assert first.stdout == second.stdout


@pytest.mark.slow
def test_demo_says_where_the_graph_and_the_reports_are(tmp_path):
    done = run("demo", "--folder", tmp_path / "demo")
    assert done.returncode == 0
    assert {file.stem for file in EXAMPLES.glob("?-*.json")} <= set(re.findall(r"━ (\S+) on 2026-11-21", done.stdout))
    for name, least in (("graph.ttl", 100_000), ("report.html", 100_000), ("outcomes.html", 20_000)):
        assert str(tmp_path / "demo" / name) in done.stdout
        assert (tmp_path / "demo" / name).stat().st_size > least


@pytest.mark.slow
def test_check_announces_its_steps_and_finds_nothing():
    done = run("check")
    assert (done.returncode, done.stdout) == (0, "no faults\n")
    assert "checking queries" in done.stderr
