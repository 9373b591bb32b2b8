"""Python runs this file at its start where this folder is on PYTHONPATH, as conftest.py sees to."""

import no_network  # noqa: F401
