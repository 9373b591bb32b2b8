"""What every test has in common: no network, the same random examples in every run, commands built once a process."""

import os
from functools import cache
from pathlib import Path

import no_network  # noqa: F401
import typer.main
from hypothesis import HealthCheck, settings

_GUARD = Path(__file__).parent / "guard"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH")]))

settings.register_profile("repeatable", derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no fault of the tests."""
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

typer.main.get_command = cache(typer.main.get_command)
"""A process of `sle-kg` builds its commands once; one of the tests calls it hundreds of times."""
