"""The units that laboratories and prescriptions use most, so that pint need not be loaded to convert among them.

What stands here is what pint says, and a test compares each pair; any other unit is left to pint.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

_DIMENSIONS: dict[str, dict[str, str]] = {
    "mass": {"kg": "1000", "g": "1", "mg": "1e-3", "ug": "1e-6", "ng": "1e-9"},
    "volume": {"L": "1", "dL": "1e-1", "mL": "1e-3", "uL": "1e-6"},
    "length": {"m": "1", "cm": "1e-2", "mm": "1e-3", "[in_i]": "0.0254"},
    "mass/volume": {
        "g/L": "1",
        "g/dL": "10",
        "mg/mL": "1",
        "mg/dL": "1e-2",
        "mg/L": "1e-3",
        "ug/mL": "1e-3",
        "ug/dL": "1e-5",
        "ug/L": "1e-6",
        "ng/mL": "1e-6",
        "ng/dL": "1e-8",
        "ng/L": "1e-9",
        "pg/mL": "1e-9",
    },
    "substance/volume": {"mol/L": "1", "mmol/L": "1e-3", "umol/L": "1e-6", "nmol/L": "1e-9", "pmol/L": "1e-12"},
    "number/volume": {
        "/L": "1",
        "/mL": "1e3",
        "/uL": "1e6",
        "/mm3": "1e6",
        "10*3/uL": "1e9",
        "10*3/mL": "1e6",
        "10*6/uL": "1e12",
        "10*6/L": "1e6",
        "10*9/L": "1e9",
        "10*12/L": "1e12",
    },
    "activity/volume": {"U/L": "1", "U/mL": "1e3", "mU/mL": "1"},
    "ratio": {"g/g": "1", "%": "1e-2", "mg/g": "1e-3", "mg/g{creat}": "1e-3"},
    "arbitrary units/volume": {"[arb'U]/L": "1", "[arb'U]/mL": "1e3"},
    "international units/volume": {"[IU]/L": "1", "[IU]/mL": "1e3", "k[IU]/L": "1e3", "m[IU]/mL": "1"},
}
"""UCUM units by dimension, each with its size in one unit of the dimension (g, L, m, mol, their quotients)."""
UNITS = {unit: (name, Fraction(size)) for name, units in _DIMENSIONS.items() for unit, size in units.items()}
_OF_SUBSTANCE = frozenset({"substance/volume", "activity/volume"})


def common_factor(unit: str, target: str, molar_mass: Decimal | None) -> Fraction | Literal[False] | None:
    """What a value in `unit` is multiplied by for `target`; False where it does not convert, None for pint to tell.

    `molar_mass` (g/mol) turns amounts of substance into masses.
    """
    if unit not in UNITS or target not in UNITS:
        return None
    (dimension, size), (goal, one) = UNITS[unit], UNITS[target]
    if dimension == goal:
        return size / one
    if molar_mass is None or not _OF_SUBSTANCE & {dimension, goal}:
        return False
    if (dimension, goal) == ("substance/volume", "mass/volume"):
        return size * Fraction(molar_mass) / one
    return None
