"""One server for these tests. They need the extra `test-postgres`: `make test-postgres` runs them."""

from collections.abc import Iterator

import pytest

from postgres.server import Server, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of a whole run."""
    with running_server() as running:
        yield running
