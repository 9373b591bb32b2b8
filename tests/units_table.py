"""Makes `src/sle_kg/units.toml`, the common units in base units, by ucumvert and pint: `python -m tests.units_table`.

Common are the examples of UCUM codes of the National Library of Medicine that ucumvert brings along, and the units of
our measurements and doses; those with an offset (temperatures), or without a short exact size, are left to pint.
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import ucumvert

from sle_kg import units
from sle_kg.ontology import laboratory_tests

HEAD = "# Common units: their size in base units and their dimension. Made by tests/units_table.py; do not edit.\n"


def names() -> list[str]:
    """The UCUM codes of the common units, in order."""
    file = Path(ucumvert.__file__).with_name("vendor") / "ucum_examples.tsv"
    with file.open(encoding="utf-8", newline="") as stream:
        examples = {row[1] for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) > 1}
    ours = {test.canonical_unit for test in laboratory_tests().values()} - {None}
    return sorted(examples | ours | {"mg", "g", "ug", "mg/kg"})


def text() -> str:
    """The table as TOML."""
    return HEAD + "".join(filter(None, map(_line, names())))


def _line(name: str) -> str | None:
    """The line of a unit; None for what is none, or has an offset."""
    try:
        quantity = units._quantity(name)
        with localcontext() as context:
            context.prec = 60
            base = (quantity * 1).to_root_units()
            if (quantity * 0).to_root_units().magnitude != 0:
                return None
    except Exception:  # of pint and ucumvert, many kinds
        return None
    if not isinstance(base.magnitude, int | Decimal):
        return None
    dimension = {part.strip("[]"): int(power) for part, power in sorted(base.dimensionality.items())}
    if any(power != base.dimensionality[f"[{part}]"] for part, power in dimension.items()):
        return None
    size = Fraction(base.magnitude).limit_denominator(10**15)
    if not size or size != Fraction(base.magnitude).limit_denominator(10**18):
        return None
    told = "".join(f", {part} = {power}" for part, power in dimension.items())
    return f'{json.dumps(name)} = {{ size = "{size}"{told} }}\n'


if __name__ == "__main__":
    Path(units.__file__).with_suffix(".toml").write_text(text(), encoding="utf-8")
