"""What is asked of Spark for tables elsewhere: addresses as they are given, Delta by its name."""

from __future__ import annotations

from typing import Any

import pytest

from sle_kg.errors import InputError
from sle_kg.spark.tables import SparkTables


class RefusedError(Exception):
    """What stands for Spark's answer after the first question."""


class Recorder:
    """Stands in for a session whose cluster is not there: it notes what it is asked to read."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self._format = ""

    @property
    def read(self) -> Recorder:
        return self

    def format(self, name: str) -> Recorder:
        self._format = name
        return self

    def load(self, path: str) -> Any:
        self.asked.append((self._format, path))
        raise RefusedError


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3a://bucket/lupus", ("parquet", "s3a://bucket/lupus/patient.parquet")),
        ("hdfs://name:8020/lupus/", ("parquet", "hdfs://name:8020/lupus/patient.parquet")),
        ("delta:s3a://bucket/lupus", ("delta", "s3a://bucket/lupus/patient")),
    ],
)
def test_addresses_pass_untouched(place: str, expected: tuple[str, str]) -> None:
    recorder = Recorder()
    with pytest.raises(RefusedError):
        SparkTables.open(place, recorder)  # type: ignore[arg-type]
    assert recorder.asked == [expected]


def test_a_folder_without_patients_is_refused(session: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"holds no patient\.parquet"):
        SparkTables.open(str(tmp_path), session)


def test_a_cluster_without_delta_is_told_in_one_sentence(session: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError, match="Spark cannot read it"):
        SparkTables.open(f"delta:{tmp_path}", session)
