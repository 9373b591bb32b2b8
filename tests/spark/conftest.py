"""One Spark session for these tests. They need the extra `spark`: `make test-spark` runs them."""

import os
from typing import Any

import pytest

from sle_kg.spark.session import start

os.environ.setdefault(
    "SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
)  # many short queries: compiling costs most
SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
}
"""Settings under which small tables cost least; they change no result."""


@pytest.fixture(scope="session")
def session() -> Any:
    """The session of a whole run, on this machine."""
    started = start()
    for name, value in SMALL.items():
        started.conf.set(name, value)
    return started
