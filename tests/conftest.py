"""What every test has in common: no test, and no program that a test starts, reaches the network."""

import os
from pathlib import Path

import no_network  # noqa: F401

_GUARD = Path(__file__).parent / "guard"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH")]))


from hypothesis import settings  # noqa: E402

settings.register_profile("same every time", derandomize=True, database=None, deadline=None)
settings.load_profile("same every time")
