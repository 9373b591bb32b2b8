"""Exact conversion of UCUM units, by ucumvert and pint; a unit that does not convert is refused, never guessed.

What these say of common units stands in a table (`units.toml`, made and checked by the tests).

Every conversion is affine (a factor, and for temperatures an offset), so it is found once for a pair of units and kept
as exact fractions; values are decimals with at most twelve places, as in the fact tables.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

CREATININE_MOLAR_MASS = Decimal("113.12")
"""g/mol; formulas.md, unit conversions. Also of the creatinine below a protein/creatinine ratio."""
PLACES = Decimal("1e-12")
"""The last decimal place of the fact tables."""
LARGEST = Decimal("1e20")
"""Larger magnitudes are no clinical value, and do not fit the fact tables."""
_LARGEST_FACTOR = Decimal("1e100")
"""Units further apart than this are none of a clinical value, and as fractions they take long."""

_VISUAL_ANALOGUE_SCALE = (Fraction(3, 100), Fraction(0))
"""PGA of 0 to 3 from millimetres of a 100 mm line: mm × 3/100 (labs_and_findings.csv, row pga)."""
_SURFACE_AREA = re.compile(r"1\.73")
_LONGEST = 100
"""Characters of a unit; longer ones are no unit, and nest without end."""
_WITHOUT_DIMENSION = re.compile(r"1?|(\{[^{}]*\})|scores?|points?", re.IGNORECASE)
"""Bare numbers: no unit, 1, an annotation such as `{score}`, or the words that exports write for it."""
_LOGARITHM = re.compile(r"\{[^{}]*(?<![a-z])(log|lg)(?![a-z])[^{}]*\}", re.IGNORECASE)
"""Annotations such as `{Log_copies}`: to UCUM they say nothing, but the number is the logarithm of a value."""
_ARBITRARY = re.compile(r"^(\w+) = +(?:1 \* )?1( = .*)?$", re.MULTILINE)
"""Units that ucumvert defines as bare numbers, by name and other symbols; they convert into nothing else."""


class UnitError(ValueError):
    """A unit that is no UCUM unit, or that does not convert into the unit needed; the message says which."""


def convert(value: Decimal, unit: str | None, target: str, molar_mass: Decimal | None = None) -> Decimal:
    """`value` in `unit` as a value in `target`, both UCUM, exact to twelve decimal places.

    `molar_mass` (g/mol) turns amounts of substance into masses. No unit is accepted only where the target is a bare
    number (`{score}`, `{titer}`). Raises UnitError.
    """
    if not value.is_finite() or value.copy_abs() >= LARGEST:
        raise UnitError(f"the value {value} is no clinical value")
    return _converted(value, unit, target, molar_mass)


def is_bare(unit: str | None) -> bool:
    """Whether a unit is that of a bare number: none, 1, an annotation such as `{score}`, or the words for it."""
    return bool(_WITHOUT_DIMENSION.fullmatch((unit or "").strip()))


def per_kilogram(unit: str) -> tuple[str, bool]:
    """The unit of a dose without its "per kg of body weight", and whether it had one: `mg/kg` → (`mg`, True)."""
    match = re.fullmatch(r"(.+)/kg(?:\{[^{}]*\})?", unit)
    return (match[1], True) if match else (unit, False)


@lru_cache(maxsize=65536)
def _converted(value: Decimal, unit: str | None, target: str, molar_mass: Decimal | None) -> Decimal:
    """`convert`, once for each value: laboratory results are many times the same."""
    found = _found((unit or "").strip().replace("µ", "u").replace("μ", "u"), target, molar_mass)
    if isinstance(found, str):
        raise UnitError(found)
    factor, offset = found
    result = Fraction(value) * factor + offset
    if abs(result) >= LARGEST:
        raise UnitError(f"the value {value} in {unit!r} is no clinical value")
    return _decimal(result)


def _decimal(value: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        result = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(PLACES)
    return result.normalize() + 0 if result else Decimal(0)


@lru_cache(maxsize=65536)
def _found(unit: str, target: str, molar_mass: Decimal | None) -> tuple[Fraction, Fraction] | str:
    """`_affine`, or why there is none: what is no unit stands in millions of records, and is parsed once too."""
    try:
        return _affine(unit, target, molar_mass)
    except UnitError as error:
        return str(error)


def _affine(unit: str, target: str, molar_mass: Decimal | None) -> tuple[Fraction, Fraction]:
    """Factor and offset of a conversion. Raises UnitError."""
    if unit == target:
        return Fraction(1), Fraction(0)
    if len(unit) > _LONGEST:
        raise UnitError(f"{unit[:20]!r}… is no UCUM unit")
    if _LOGARITHM.search(unit):
        raise UnitError(f"the unit {unit!r} is that of a logarithm, and {target!r} is needed")
    if _WITHOUT_DIMENSION.fullmatch(target):
        if _WITHOUT_DIMENSION.fullmatch(unit):
            return Fraction(1), Fraction(0)
        if unit == "mm" and target == "{score}":
            return _VISUAL_ANALOGUE_SCALE
        raise UnitError(f"the unit {unit!r} is not the unit of a bare number")
    if unit == "":
        raise UnitError(f"there is no unit, and {target!r} is needed")
    if bool(_SURFACE_AREA.search(unit)) != bool(_SURFACE_AREA.search(target)):
        raise UnitError(f"the unit {unit!r} does not convert into {target!r} (body surface area)")
    convertible = _by_table if unit in _common() and target in _common() else _by_pint
    found = convertible(unit, target, molar_mass)
    if found is None:
        raise UnitError(f"the unit {unit!r} does not convert into {target!r}")
    return found


@cache
def _common() -> dict[str, dict[str, Any]]:
    """Size and dimension of common units; pint knows the same, but takes longer to load than thousands of records."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _by_table(unit: str, target: str, molar_mass: Decimal | None) -> tuple[Fraction, Fraction] | None:
    """Factor and offset of a conversion between common units; None where their dimensions differ."""
    source, goal = Counter(_common()[unit]), Counter(_common()[target])
    factor = Fraction(source.pop("size")) / Fraction(goal.pop("size"))
    amounts = source["substance"] - goal["substance"]
    if amounts and molar_mass is not None:
        factor *= Fraction(molar_mass) ** amounts
        source["substance"] -= amounts
        source["mass"] += amounts
    return (factor.limit_denominator(10**18), Fraction(0)) if source == goal else None


def _by_pint(unit: str, target: str, molar_mass: Decimal | None) -> tuple[Fraction, Fraction] | None:
    """Factor and offset of any conversion; None where there is none. Raises UnitError for what is no unit."""
    from pint import PintError

    try:
        return _line(_quantity(unit), _quantity(target), molar_mass)
    except UnitError:
        raise
    except (PintError, ArithmeticError, TypeError, ValueError):  # logarithms, offsets of a product, powers out of range
        return None


def _line(source: Any, goal: Any, molar_mass: Decimal | None) -> tuple[Fraction, Fraction] | None:
    """Factor and offset between two pint quantities; None where the dimensions differ."""
    registry = _registry()
    amounts = source.dimensionality.get("[substance]", 0) - goal.dimensionality.get("[substance]", 0)
    if amounts and (molar_mass is not None):
        source = source * (registry.Quantity(molar_mass, "gram / mole") ** int(amounts))
    if source.dimensionality != goal.dimensionality:
        return None
    with localcontext() as context:
        context.prec = 60
        at_zero, at_one = (_scaled(registry, source, goal, Decimal(number)) for number in (0, 1))
    factor = at_one - at_zero
    return (factor, at_zero) if factor else None  # a factor that rounds to nothing would make any value 0


def _scaled(registry: Any, source: Any, goal: Any, number: Decimal) -> Fraction:
    """`number` of the source unit in the goal unit, as an exact fraction. Raises ArithmeticError where it is none."""
    converted = registry.Quantity(number * source.magnitude, source.units).to(goal.units).magnitude / goal.magnitude
    if converted and not 1 / _LARGEST_FACTOR < abs(converted) < _LARGEST_FACTOR:
        raise ArithmeticError
    return Fraction(converted).limit_denominator(10**18)


@lru_cache(maxsize=65536)
def _quantity(unit: str) -> Any:
    """The pint quantity of a UCUM unit; a bare annotation counts as 1. Raises UnitError."""
    from lark.exceptions import LarkError
    from pint import PintError

    bare = re.sub(r"\{[^{}]*\}", "", unit) if _SURFACE_AREA.search(unit) else unit
    text = bare.rstrip("/") or "1"
    with localcontext() as context:
        context.prec = 60
        try:
            quantity = _transformer().transform(_parser().parse(text))
        except (LarkError, PintError, AttributeError, TypeError, ValueError) as error:
            raise UnitError(f"{unit!r} is no UCUM unit") from error
    return quantity if hasattr(quantity, "dimensionality") else _registry().Quantity(Decimal(1))


@cache
def _parser() -> Any:
    """The parser of UCUM, made once: its grammar takes longer to read than a hundred units."""
    from ucumvert import get_ucum_parser

    return get_ucum_parser()


@cache
def _transformer() -> Any:
    """ucumvert's transformer into pint, with decimals instead of floats from the first number on."""
    from ucumvert import UcumToPintTransformer

    registry = _registry()

    class ExactTransformer(UcumToPintTransformer):  # type: ignore[misc]
        def simple_unit(self, args: list[Any]) -> Any:
            quantity = super().simple_unit(args)
            return registry.Quantity(Decimal(str(quantity.magnitude)), quantity.units)

    return ExactTransformer(registry)


@cache
def _registry() -> Any:
    """pint with UCUM's units; arbitrary units get a dimension of their own, so that they convert into nothing else.

    As PintUcumRegistry of ucumvert, which makes a second registry for its own way of reading units.
    """
    import logging

    import ucumvert
    from pint import UnitRegistry

    logger = logging.getLogger("pint.util")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with localcontext() as context:
            context.prec = 60
            registry: Any = UnitRegistry(non_int_type=Decimal)
            definitions = Path(ucumvert.__file__).with_name("pint_ucum_defs.txt")
            registry.load_definitions(definitions)
            for name, symbols in _ARBITRARY.findall(definitions.read_text(encoding="utf-8")):
                registry.define(f"{name} = [{name}]{symbols}")
    finally:
        logger.setLevel(level)
    return registry
