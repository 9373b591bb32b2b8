"""Ingests that are killed, or find the disk full, and are run again: the same bytes, nothing twice, nothing lost."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from faults import forks, hostile
from sle_kg.synthetic import write_cohort

KILLED = -9


def runs(source: Path, folder: Path, *stops: dict[str, float]) -> list[tuple[int, str, int]]:
    """Exit code, words and number of changes of each run."""
    command = [sys.executable, forks.__file__, json.dumps([str(source)]), str(folder), json.dumps(stops)]
    done = subprocess.run(command, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    return [(code, said, changes) for code, said, changes in json.loads(done.stdout)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients scattered over files, some of them twice, a broken line, a record of nobody, half a gzip file."""
    folder = tmp_path_factory.mktemp("source")
    write_cohort(folder / "export", 2, 5)
    lines = hostile.fhir(folder, ["one", "two", "three"]).read_bytes().splitlines(keepends=True)
    (folder / "export.ndjson").write_bytes(b"".join(lines[::2]) + b"broken\n")
    (folder / "other.ndjson").write_bytes(b"".join(lines[1::2]) + b"".join(lines[5:20]))
    nobody = b'{"resourceType": "Condition", "id": "n", "subject": {"reference": "Patient/nobody"}}\n'
    packed = gzip.compress(b"".join(lines[:4]) + nobody * 2 + random.Random(1).randbytes(9000))
    (folder / "half.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """What an undisturbed ingest leaves, and how often it changes the folder."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    ((code, said, changes),) = runs(source, folder, {})
    assert (code, said) == (0, "")
    assert changes > 50
    assert pq.read_metadata(folder / "rejects.parquet").num_rows > 2
    return bytes_of(folder), changes


@pytest.mark.slow
def test_an_ingest_killed_twice_gives_the_same_bytes(
    source: Path, whole: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    expected, changes = whole
    early, late, end = runs(source, tmp_path / "out", {"operation": changes // 3}, {"operation": 40}, {})
    assert [early[0], late[0], end[0]] == [KILLED, KILLED, 0]
    assert bytes_of(tmp_path / "out") == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_an_ingest_killed_at_random_points_gives_the_same_bytes(
    seed: int, source: Path, whole: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    expected, changes = whole
    dice = random.Random(seed)
    stops = [
        {"operation": dice.randint(1, changes)} if dice.random() < 0.6 else {"after": dice.uniform(0.01, 1.0)}
        for _ in range(6)
    ]
    *_, last = runs(source, tmp_path / "out", *stops, {})
    assert last[:2] == (0, "")
    assert bytes_of(tmp_path / "out") == expected


@pytest.mark.slow
def test_an_ingest_killed_at_each_of_its_last_steps_is_whole_or_goes_on(
    source: Path, whole: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    expected, changes = whole
    for back in range(0, 28, 3):
        folder = tmp_path / str(back)
        ((code, _, _),) = runs(source, folder, {"operation": changes - back})
        assert code == KILLED
        assert (folder / "ingest.json").exists() or (folder / "parts").exists()
        assert all(file.read_bytes() == expected[file.name] for file in folder.glob("*.parquet"))
        ((code, said, _),) = runs(source, folder, {})
        assert (code, said) == (0, "")
        assert bytes_of(folder) == expected


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 3_000, None], ids=["100 bytes", "3000 bytes", "all but one byte"])
def test_a_disk_that_takes_no_more_is_told_and_the_ingest_goes_on(
    size: int | None, source: Path, whole: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    """No file may be larger than so many bytes; one less than the largest of the result, where none are given."""
    size = size or max(map(len, whole[0].values())) - 1
    (code, said, _), (again, _, _) = runs(source, tmp_path / "out", {"size": size}, {})
    assert code == 2
    assert said.startswith(f"{tmp_path / 'out'}: the tables cannot be written (")
    assert said.endswith("File too large); make room and run the same command again: what is done is kept")
    assert again == 0
    assert bytes_of(tmp_path / "out") == whole[0]
