"""`cohort` on tables that cannot be used and in places that cannot be written: one sentence, exit 2, nobody named."""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from caselib import ON
from faults import hostile
from sle_kg.cli import app
from sle_kg.errors import InputError
from sle_kg.ingest import Options, ingest_cohort

NAME = "SecretName"
ASKED = ("cohort", "--on", str(ON), "--trial", "NCT06892145")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export whose every text is NAME, and a broken line."""
    file = hostile.fhir(tmp_path_factory.mktemp("export"), [NAME])
    file.write_text(file.read_text() + f'{{"resourceType": "Condition", "id": "{NAME}", "id": "{NAME}2"}}\n')
    return file


@pytest.fixture(scope="module")
def tables(export: Path) -> Path:
    folder = export.parent / "tables"
    ingest_cohort([str(export)], folder, Options(workers=1))
    return folder


@pytest.fixture
def folder(tables: Path, tmp_path: Path) -> Path:
    """Tables of one's own to spoil."""
    made = tmp_path / "tables"
    made.mkdir()
    for file in tables.glob("*.parquet"):
        (made / file.name).write_bytes(file.read_bytes())
    return made


def command(*arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    line = [sys.executable, "-m", "sle_kg", *map(str, arguments)]
    return subprocess.run(line, stderr=subprocess.PIPE, text=True, timeout=120, **how)


def column(table: str, name: str, values: Callable[[int], pa.Array]) -> Callable[[Path], None]:
    """Puts other values into a column."""

    def change(folder: Path) -> None:
        file = folder / f"{table}.parquet"
        found = pq.read_table(file)
        made = found.set_column(found.schema.get_field_index(name), name, values(len(found)))
        pq.write_table(made, file)

    return change


def backwards(table: str, first: str, last: str, **others: object) -> Callable[[Path], None]:
    """Adds a row of a patient with a day in one column, and the day before in another, unless `others` say more."""

    def change(folder: Path) -> None:
        file = folder / f"{table}.parquet"
        found = pq.read_table(file)
        row = dict.fromkeys(found.schema.names) | {"patient": found["patient"][0].as_py(), "record": NAME}
        row |= {first: dt.date(2020, 1, 2), last: dt.date(2020, 1, 1)} | others
        pq.write_table(pa.concat_tables([found, pa.Table.from_pylist([row], found.schema)]), file)

    return change


def emptied(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / "patient.parquet").slice(0, 0), folder / "patient.parquet")


def repeated(folder: Path) -> None:
    found = pq.read_table(folder / "patient.parquet")
    pq.write_table(pa.concat_tables([found, found.slice(0, 1)]), folder / "patient.parquet")


def doubled(folder: Path) -> None:
    (folder / "condition").mkdir()
    (folder / "condition" / "part.parquet").write_bytes((folder / "condition.parquet").read_bytes())


def replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Takes the table of exposures away and makes something else in its place."""

    def change(folder: Path) -> None:
        (folder / "exposure.parquet").unlink()
        make(folder / "exposure.parquet")

    return change


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "nobody": (emptied, "holds no patient"),
    "patients who stand twice": (repeated, "patient: has 1 more rows than patients; keep one row for each"),
    "ids that are not UTF-8": (
        column("patient", "patient", lambda n: pa.array([b"\xff"] * n).view(pa.string())),
        "patient: cannot be read",
    ),
    "patients without ids": (column("patient", "patient", lambda n: pa.nulls(n, pa.string())), "holds no patient"),
    "ids that are numbers": (column("patient", "patient", lambda n: pa.array(range(n))), "cannot be read"),
    "not UTF-8": (column("condition", "concept", lambda n: pa.array([b"\xff"] * n)), "condition: cannot be read"),
    "lists": (column("condition", "concept", lambda n: pa.array([["sle"]] * n)), "condition: cannot be read"),
    "no numbers": (column("measurement", "low", lambda n: pa.array([float("nan")] * n)), "measurement: cannot be"),
    "too large": (
        column("measurement", "low", lambda n: pa.array([10**30] * n, pa.decimal256(50, 12))),
        "measurement: cannot be read",
    ),
    "neither yes nor no": (column("exposure", "administration", lambda n: pa.array(["?"] * n)), "exposure: cannot"),
    "an exposure that ends before it begins": (
        backwards("exposure", "start_from", "end_to"),
        "exposure: has a row whose end_to is before its start_from; correct its dates",
    ),
    "a diagnosis that ends before it begins": (
        backwards("condition", "onset_from", "abated_to"),
        "condition: has a row",
    ),
    "a procedure that ends before it begins": (backwards("procedure", "from_from", "end_to"), "procedure: has a row"),
    "a result whose last possible day is before the first": (
        backwards("measurement", "date_from", "date_to", test="serumCreatinine"),
        "measurement: has a row whose date_to is before its date_from",
    ),
    "a result whose greatest possible value is below the least": (
        backwards("measurement", "low", "high", test="serumCreatinine", low=Decimal("1.5"), high=Decimal("1.4")),
        "measurement: has a row whose high is below its low; correct its values",
    ),
    "an empty file": (replaced(Path.touch), "exposure.parquet: is no Parquet file"),
    "a folder without parts": (replaced(Path.mkdir), "exposure.parquet: holds no Parquet files"),
    "a link to nowhere": (replaced(lambda file: file.symlink_to("nowhere")), "exposure.parquet: holds no Parquet"),
    "a file and a folder": (doubled, "holds both condition.parquet and a folder condition"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_tables_of_no_use_are_refused_in_one_sentence(what: str, folder: Path) -> None:
    change, message = SPOILT[what]
    change(folder)
    verdicts = folder.parent / "verdicts.parquet"
    refused = CliRunner().invoke(app, [*ASKED, str(folder), "--verdicts", str(verdicts)]).exception
    assert isinstance(refused, InputError)
    assert message in str(refused)
    assert "\n" not in str(refused)
    assert NAME not in str(refused)
    assert [file.name for file in folder.parent.iterdir()] == ["tables"]


@pytest.mark.slow
def test_a_table_may_be_a_folder_of_that_name_as_spark_writes_it(folder: Path, tmp_path: Path) -> None:
    def verdicts(name: str) -> list[Any]:
        file = tmp_path / name
        assert CliRunner().invoke(app, [*ASKED, str(folder), "--verdicts", str(file)]).exception is None
        return pq.read_table(file).to_pylist()

    before = verdicts("before.parquet")
    content = (folder / "measurement.parquet").read_bytes()
    (folder / "measurement.parquet").unlink()
    (folder / "measurement.parquet").mkdir()
    (folder / "measurement.parquet" / "part-00000.snappy.parquet").write_bytes(content)
    assert verdicts("after.parquet") == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_are_refused_or_do_no_harm(seed: int, folder: Path) -> None:
    import random

    dice = random.Random(seed)
    file = dice.choice([file for file in sorted(folder.iterdir()) if file.stat().st_size])
    content = bytearray(file.read_bytes())
    if dice.random() < 0.4:
        del content[dice.randrange(len(content)) :]
    else:
        for _ in range(dice.randint(1, 20)):
            content[dice.randrange(len(content))] = dice.randrange(256)
    file.write_bytes(content)
    done = command(*ASKED, folder, stdout=subprocess.DEVNULL)
    assert done.returncode in (0, 2), done.stderr
    assert done.stderr.count("\n") == (done.returncode == 2)
    assert NAME not in done.stderr


# ---- places that take nothing --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_no_half_verdicts(tables: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))

    done = command(*ASKED, tables, "--verdicts", tmp_path / "v.parquet", stdout=subprocess.DEVNULL, preexec_fn=limit)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "v.parquet: cannot be written (" in done.stderr
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [ASKED, ("ingest-cohort", "-o")], ids=["cohort", "ingest-cohort"])
def test_standard_output_that_is_full_is_told(
    arguments: tuple[str, ...], tables: Path, export: Path, tmp_path: Path
) -> None:
    more = [tables] if arguments is ASKED else [tmp_path / "out", export]
    with Path("/dev/full").open("w") as full:
        done = command(*arguments, *more, stdout=full)
    assert (done.returncode, done.stderr) == (2, "sle-kg: standard output: No space left on device\n")


def test_a_device_that_is_full_is_told(tables: Path) -> None:
    refused = CliRunner().invoke(app, [*ASKED, str(tables), "--output", "/dev/full"]).exception
    assert isinstance(refused, InputError)
    assert str(refused).startswith("/dev/full: cannot be written (No space left on device)")


def test_verdicts_replace_no_pipe_device_or_folder(tables: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        refused = CliRunner().invoke(app, [*ASKED, str(tables), "--verdicts", str(tmp_path / name)]).exception
        assert isinstance(refused, InputError)
        assert "--verdicts" in str(refused)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


# ---- nobody is named -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_text_of_a_record_reaches_standard_error(export: Path, tables: Path, tmp_path: Path) -> None:
    for arguments in (
        ("ingest-cohort", export, "-o", tmp_path / "out"),
        ("ingest-cohort", export, "-o", tmp_path / "out"),
        (*ASKED, tables),
        (*ASKED, tables, "--engine", "shacl"),
        (*ASKED, tables, "--complete", "conditions", "--verdicts", tmp_path / "v.parquet"),
        (*ASKED, tables, "--format", "json", "--suppress-below", 5),
    ):
        done = command(*arguments, stdout=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        assert NAME not in done.stderr
        assert (NAME in done.stdout) == (arguments[0] == "cohort" and "5" not in map(str, arguments))
