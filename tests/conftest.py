"""What every test has in common: no network, and the same random examples in every run."""

import os
from pathlib import Path

import no_network  # noqa: F401
from hypothesis import settings

_GUARD = Path(__file__).parent / "guard"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH")]))

settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
