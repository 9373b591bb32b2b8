"""The command on a cluster: master, worker, executor and driver in processes of their own, the result DuckDB's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sle_kg.synthetic import write_cohort
from spark.cluster import cluster

PATIENTS = 60


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A cluster for these tests, and the environment of its users."""
    with cluster(tmp_path_factory.mktemp("cluster")) as (address, environment):
        yield address, environment


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of synthetic patients."""
    folder = tmp_path_factory.mktemp("cohort") / "tables"
    write_cohort(folder, PATIENTS, 11, "parquet", "screening")
    return folder


def cohort(folder: Path, *options: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    command = [sys.executable, "-m", "sle_kg", "cohort", str(folder), "--on", "2026-11-21", "--format", "json"]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, env=os.environ | environment, check=False
    )


def test_a_cluster_gives_the_bytes_of_duckdb(there: tuple[str, dict[str, str]], tables: Path, tmp_path: Path) -> None:
    address, environment = there
    mine, theirs = tmp_path / "sql.parquet", tmp_path / "spark.parquet"
    trial = ("--trial", "NCT06150651")
    expected = cohort(tables, *trial, "--verdicts", str(mine), environment={})
    on_spark = ("--engine", "spark", "--master", address)
    found = cohort(tables, *trial, *on_spark, "--verdicts", str(theirs), environment=environment)
    assert (found.returncode, expected.returncode) == (0, 0), found.stderr
    assert found.stdout.replace('"engine": "spark"', '"engine": "sql"') == expected.stdout
    assert mine.read_bytes() == theirs.read_bytes()
    ids = set(pq.read_table(mine)["patient"].to_pylist())
    assert len(ids) == PATIENTS
    assert not any(one in found.stderr for one in ids)


def test_a_master_that_is_not_there_is_told_in_one_sentence(tables: Path, there: tuple[str, dict[str, str]]) -> None:
    _, environment = there
    done = cohort(tables, "--engine", "spark", "--master", "nowhere://127.0.0.1:1", environment=environment)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--master nowhere://127.0.0.1:1" in done.stderr
