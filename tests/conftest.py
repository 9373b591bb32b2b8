"""What every test has in common: no test, and no program that a test starts, reaches the network."""

import os
from pathlib import Path

import no_network  # noqa: F401

_GUARD = Path(__file__).parent / "guard"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH")]))
