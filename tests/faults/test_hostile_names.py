"""Files and folders whose names look like options, addresses, patterns or SQL."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from caselib import ON
from faults import hostile
from faults.hostile import tables_of
from sle_kg.cli import app
from sle_kg.errors import InputError

NAMES = ["s3:a"]
MORE = ["-rf", "~", "*?[a]{b}", "'; DROP TABLE x; --", "new\nline", "$(id)", "back\\slash", "%41", "\x1b[31m"]
NOT_UTF8 = os.fsdecode(b"caf\xe9")


def sle_kg(*arguments: object) -> tuple[object, str]:
    """What becomes of a command: its refusal (or nothing) and what it prints."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exception, done.stdout


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, so that names stand alone in arguments."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source(folder: Path) -> Path:
    """The folder with an export of two patients and a broken line, in a file of the same name."""
    folder.mkdir()
    file = hostile.fhir(folder, ["a", "b"])
    file.write_text(file.read_text() + "broken\n")
    return file.rename(folder / f"{folder.name}.ndjson")


@pytest.mark.parametrize("name", [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)], ids=repr)
def test_any_name_serves_for_sources_tables_and_verdicts(name: str, here: Path) -> None:
    (here / "in").mkdir()
    file = source(here / "in" / name)
    assert sle_kg("ingest-cohort", "--workers", 1, "-o", name, "--", Path("in", name))[0] is None
    found = tables_of(here / name)
    assert len(found["patient"]) == 2
    assert [row[0] for row in found["rejects"]] == [str(file.relative_to(here))]
    asked = ("cohort", "--on", ON, "--trial", "NCT06892145", "--verdicts", f"{name}.v", "-o", f"{name}.t", "--", name)
    assert sle_kg(*asked)[0] is None
    assert pq.read_metadata(here / f"{name}.v").num_rows == 2
    assert sorted(path.name for path in here.iterdir()) == sorted(["in", name, f"{name}.v", f"{name}.t"])


def test_a_source_whose_name_is_not_utf8_is_read_and_escaped_in_rejects(here: Path) -> None:
    source(here / NOT_UTF8)
    assert sle_kg("ingest-cohort", "--workers", 1, "-o", "out", NOT_UTF8)[0] is None
    assert [row[0] for row in tables_of(here / "out")["rejects"]] == ["caf\\xe9/caf\\xe9.ndjson"]


def test_tables_cannot_lie_where_the_name_is_not_utf8(here: Path) -> None:
    source(here / "in")
    for arguments in (("ingest-cohort", "in", "-o", NOT_UTF8), ("cohort", "--on", ON, NOT_UTF8)):
        refused, _ = sle_kg(*arguments)
        assert isinstance(refused, InputError)
        assert "caf\\xe9: the name is not UTF-8" in str(refused)
