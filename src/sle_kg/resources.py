"""Where the project's own data files are: in the wheel under `sle_kg/data`, in a checkout at its top level."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).parent / "data"
_CHECKOUT = Path(__file__).parents[2]


def path(name: str) -> Path:
    """The folder `name` (`ontology`, `trials`, `shapes`, `examples`, `registry`).

    Raises FileNotFoundError when the installation holds no such folder.
    """
    for root in (_PACKAGED, _CHECKOUT):
        candidate = root / name
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation of sle-kg lacks its folder {name!r}: install it again")
