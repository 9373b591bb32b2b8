"""The command line: exit codes, one plain sentence for a mistake, results on standard output and nothing else there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["demo", "trials", "screen", "compare", "query", "export", "profile", "check"]


def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    """Run `sle-kg` as a user does, without a terminal; the streams are text."""
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "sle_kg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **options)


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
    from sle_kg import __version__

    assert run("--version").stdout == f"sle-kg {__version__}\n"


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
