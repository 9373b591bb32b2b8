"""One value of a gigabyte: one reject, what stands beside it is read, and memory stays as it is."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import hostile

MEGABYTE = 1 << 20
MOST = 600
"""Megabytes that an ingest may hold: what it needs at all, and a few times the longest value that it reads (64 MB)."""
PROGRAM = """
import json, sys
from pathlib import Path
import peak_memory
from sle_kg.ingest import Options, ingest_cohort

table_map = Path(sys.argv[3]) if len(sys.argv) > 3 else None
done = ingest_cohort([sys.argv[1]], Path(sys.argv[2]), Options(table_map=table_map, workers=1))
json.dump([done.patients, done.rejects, peak_memory.megabytes()], sys.stdout)
"""


def padded(stream: Any, before: bytes, filling: bytes, after: bytes) -> None:
    """Write a gigabyte of filling, a megabyte at a time, between two texts."""
    stream.write(before)
    for _ in range(1024):
        stream.write((filling * MEGABYTE)[:MEGABYTE])
    stream.write(after)


def line(folder: Path) -> list[Path]:
    """A line of a gigabyte between two patients."""
    with (folder / "long.ndjson").open("wb") as stream:
        _between_patients(folder, stream)
    return [folder / "long.ndjson"]


def packed_line(folder: Path) -> list[Path]:
    """The same in gzip."""
    with gzip.open(folder / "long.ndjson.gz", "wb", 1) as stream:
        _between_patients(folder, stream)
    return [folder / "long.ndjson.gz"]


def _between_patients(folder: Path, stream: Any) -> None:
    one, two = (hostile.fhir(folder, [name]).read_bytes() for name in ("one", "two"))
    padded(stream, one + b'{"resourceType": "Condition", "id": "', b"x", b'"}\n' + two)


def document(folder: Path) -> list[Path]:
    """A document of a gigabyte beside two patients."""
    hostile.fhir(folder, ["one", "two"])
    with gzip.open(folder / "document.json.gz", "wb", 1) as stream:
        padded(stream, b'{\n"resourceType":\n"Bundle",\n"entry": [\n', b"12345,\n", b"1]}")
    return [folder]


def cell(folder: Path) -> list[Path]:
    """A cell of a gigabyte between two patients."""
    file, mapped = hostile.table(folder, ["one"])
    with gzip.open(folder / "table.csv.gz", "wb", 1) as stream:
        padded(stream, file.read_bytes() + b'long,1990-01-01,"', b"x", b'",,2020-01-01\ntwo,1990-01-01,1,,2020-01-01\n')
    return [folder / "table.csv.gz", mapped]


def omop(folder: Path) -> list[Path]:
    """A row of a gigabyte in a table of records and in one of vocabulary."""
    place = hostile.omop(folder, ["one", "two"])
    for table in ("measurement", "concept"):
        file = place / f"{table}.csv"
        with gzip.open(place / f"{table}.csv.gz", "wb", 1) as stream:
            padded(stream, file.read_bytes(), b"x", b"\n")
        file.unlink()
    return [place]


@pytest.mark.slow
@pytest.mark.parametrize("make", [line, packed_line, document, cell, omop])
def test_a_gigabyte_in_one_value_is_one_reject(make: Callable[[Path], list[Path]], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source, *mapped = make(tmp_path / "in")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py"), str(source), str(tmp_path / "out"), *map(str, mapped)]
    done = subprocess.run(command, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    patients, rejects, megabytes = json.loads(done.stdout)
    assert patients == 2
    ((reason, number),) = rejects.items()
    assert ("64 MB" in reason, number) == (True, 1)
    assert megabytes < MOST
