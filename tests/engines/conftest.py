"""These tests need the extra `engines` and run only when asked for: `pytest tests/engines` (`make test-engines`)."""

import sys
from pathlib import Path

_ASKED = any("engines" in argument for argument in sys.argv[1:])


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave this folder out of a run of all tests."""
    return None if _ASKED else True
