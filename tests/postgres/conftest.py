"""These tests need the extra `test-postgres` and run only when asked for: `make test-postgres`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres.server import Server, running_server

_ASKED = any("postgres" in argument for argument in sys.argv[1:])


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave this folder out of a run of all tests."""
    return None if _ASKED else True


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests of this folder."""
    with running_server() as running:
        yield running
