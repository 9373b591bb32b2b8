from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from unittest.mock import Mock
from xml.etree import ElementTree

import pytest
import ucumvert
from hypothesis import given, settings
from hypothesis import strategies as st

import units_table
from sle_kg import units
from sle_kg.units import UnitError, convert, per_kilogram

CREATININE, BILIRUBIN = Decimal("113.12"), Decimal("584.66")


@pytest.mark.parametrize(
    ("value", "unit", "target", "mass", "expected"),
    [
        ("88.4", "umol/L", "mg/dL", CREATININE, "0.99998"),
        ("1.0", "mg/dL", "umol/L", CREATININE, "88.402"),
        ("2.5", "mg/dL", "umol/L", CREATININE, "221.0"),
        ("1.0", "mg/dL", "umol/L", BILIRUBIN, "17.104"),
        ("34.2", "umol/L", "mg/dL", BILIRUBIN, "2.0"),
        ("50", "mg/mmol", "mg/g{creat}", CREATININE, "442.01"),
        ("0.5", "g/g", "mg/mmol", CREATININE, "56.56"),
        ("0.90", "g/L", "mg/dL", None, "90"),
        ("34", "mm", "{score}", None, "1.02"),
    ],
)
def test_worked_examples_of_the_fact_base(value, unit, target, mass, expected):
    """formulas_examples.csv, to the places printed there."""
    assert round(convert(Decimal(value), unit, target, mass), len(expected.partition(".")[2])) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "unit", "target", "expected"),
    [
        ("5", "10*3/uL", "10*9/L", "5"),
        ("1000", "/mm3", "10*9/L", "1"),
        ("120", "[lb_av]", "kg", "54.4310844"),
        ("55000", "g", "kg", "55"),
        ("0.62", "1", "%", "62"),
        ("1.2", "g/d", "g/(24.h)", "1.2"),
        ("0.5", "g/g{creat}", "mg/g{creat}", "500"),
        ("5", "{cells}/uL", "/uL", "5"),
        ("5", "k[IU]/L", "[IU]/mL", "5"),
        ("100.4", "[degF]", "Cel", "38"),
        ("88", "µmol/L", "umol/L", "88"),
        ("9", None, "{score}", "9"),
        ("9", "{score}", "{score}", "9"),
        ("9", "points", "{score}", "9"),
        ("9", "{Points}", "{score}", "9"),
        ("160", "1", "{titer}", "160"),
    ],
)
def test_exact_conversions(value, unit, target, expected):
    assert convert(Decimal(value), unit, target) == Decimal(expected)


@pytest.mark.parametrize(
    ("unit", "target"),
    [
        (None, "mg/dL"),
        ("mg/dL", "{score}"),
        ("umol/L", "mg/dL"),
        ("mL/min", "mL/min/{1.73_m2}"),
        ("mL/min/{1.73_m2}", "mL/min"),
        ("[arb'U]/mL", "[IU]/mL"),
        ("/uL", "[IU]/mL"),
        ("K/uL", "10*9/L"),
        ("cells/uL", "/uL"),
        ("{tbl}", "mg"),
        ("mm", "kg"),
        ("mg/g{", "mg/g{creat}"),
        ("kg/kg", "kg"),
    ],
)
def test_units_that_do_not_convert_are_refused(unit, target):
    with pytest.raises(UnitError):
        convert(Decimal(1), unit, target)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e20", "-1e30"])
def test_values_that_are_no_clinical_value_are_refused(value):
    with pytest.raises(UnitError):
        convert(Decimal(value), "mg/dL", "mg/dL")


@pytest.mark.parametrize(
    ("unit", "target", "mass"),
    [
        *((unit, "%", None) for unit in ("dB", "Np", "10*999", "10*99999", "1" * 99, "10*999999", "10*9999999999")),
        *((unit, "umol/L", CREATININE) for unit in ("Cel", "[degF]", "dB")),
        ("mol99999999/L", "mg/dL", CREATININE),
        ("10*40.g", "kg", None),
        ("10*19", "%", None),
        ("10*-21", "%", None),
        ("10*-999", "%", None),
        ("10*-999999/10*999999", "%", None),
    ],
)
def test_units_of_logarithms_offsets_and_powers_are_refused(unit, target, mass):
    for value in ("5", "-5"):
        with pytest.raises(UnitError):
            convert(Decimal(value), unit, target, mass)


def _arbitrary_units():
    """The units that UCUM itself calls arbitrary."""
    essence = Path(ucumvert.__file__).with_name("vendor") / "ucum-essence.xml"
    return [unit.get("Code") for unit in ElementTree.parse(essence).iter() if unit.get("isArbitrary") == "yes"]


def test_arbitrary_units_convert_into_nothing_else():
    """UCUM, section 3.6: arbitrary units are not commensurable with any other unit."""
    found = _arbitrary_units()
    assert {"[GPL'U]", "[CFU]", "[IU]", "[EID_50]"} <= set(found)
    for unit in found:
        for name, target in ((unit, "%"), (f"{unit}/uL", "/uL"), (f"10*3.{unit}/L", "10*9/L"), (f"m{unit}", "{titer}")):
            with pytest.raises(UnitError):
                convert(Decimal(5), name, target)
    for target in ("[IU]/mL", "[arb'U]/mL"):
        for unit in set(found) - {"[IU]", "[iU]", "[arb'U]"}:
            with pytest.raises(UnitError):
                convert(Decimal(5), f"{unit}/mL", target)


@pytest.mark.parametrize("unit", ["{Log}", "{log10}", "{Log_copies}/mL", "{Log_IU}/mL", "{copies, log}/mL", "{lg}"])
def test_the_logarithm_of_a_value_is_no_value(unit):
    for target in ("{titer}", "{score}", "%", "/uL", "[IU]/mL"):
        with pytest.raises(UnitError):
            convert(Decimal("5.2"), unit, target)
    assert convert(Decimal(5), "{serology}", "{titer}") == 5


def test_large_values_convert_below_the_largest_of_the_fact_tables():
    assert convert(Decimal("99999"), "10*13", "%") == Decimal("99999e15")
    with pytest.raises(UnitError, match="the value 100000 in '10\\*13' is no clinical value"):
        convert(Decimal(100000), "10*13", "%")


@settings(deadline=None)
@given(
    st.decimals(-(10**19), 10**19, places=6),
    st.lists(
        st.sampled_from(["dB", "Np", "B[V]", "[pH]", "Cel", "[degF]", "mol", "g", "L", "10*", "%", "[IU]"])
        | st.integers(-(10**6), 10**6).map(lambda power: f"10*{power}"),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from("./"),
    st.sampled_from(["%", "umol/L", "mg/dL", "Cel", "kg", "10*9/L"]),
    st.sampled_from([None, CREATININE]),
)
def test_any_unit_gives_a_value_of_the_fact_tables_or_is_refused(value, units_of_value, sign, target, mass):
    try:
        found = convert(value, sign.join(units_of_value), target, mass)
    except UnitError:
        return
    assert abs(found) <= units.LARGEST and -found.as_tuple().exponent <= 12


@given(st.integers(1, 10**6))
def test_multiples_of_a_limit_stay_exact_in_other_units(thousandths):
    """Twice the upper limit in umol/L is twice the upper limit in mg/dL, without rounding."""
    limit = Decimal(thousandths) / 1000
    converted = convert(limit, "umol/L", "mg/dL", CREATININE)
    assert convert(2 * limit, "umol/L", "mg/dL", CREATININE) == 2 * converted
    assert Fraction(converted) == Fraction(limit) * Fraction("0.011312")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("mg/kg", ("mg", True)), ("g/kg", ("g", True)), ("mg/kg{bw}", ("mg", True)), ("mg", ("mg", False))],
)
def test_doses_by_body_weight(unit, expected):
    assert per_kilogram(unit) == expected


def test_what_is_no_unit_is_parsed_once(monkeypatch):
    class Parser:
        parse = Mock(side_effect=ValueError)

    monkeypatch.setattr(units, "_parser", Parser)
    for value in (1, 2):
        with pytest.raises(UnitError, match="'IE/once' is no UCUM unit"):
            convert(Decimal(value), "IE/once", "mg/dL")
    assert Parser.parse.call_count == 1


def test_the_table_of_common_units_is_what_pint_says():
    assert Path(units.__file__).with_suffix(".toml").read_text(encoding="utf-8") == units_table.text()
    assert {"mg/dL", "umol/L", "mg/g{creat}", "[in_i]", "%", "10*9/L", "mL/min/{1.73_m2}"} < units._common().keys()
    assert not {"Cel", "[degF]", "[pH]", "g/{unknown}"} & units._common().keys()


@pytest.mark.parametrize("mass", [None, CREATININE])
@pytest.mark.parametrize("target", ["mg/dL", "umol/L", "%", "10*9/L", "U/L", "mg"])
def test_common_units_convert_as_by_pint(target, mass):
    for unit in units._common():
        told, expected = units._by_table(unit, target, mass), units._by_pint(unit, target, mass)
        assert (told is None) == (expected is None), unit
        if told is not None:
            assert told[1] == expected[1] == 0 and abs(told[0] / expected[0] - 1) < Fraction(1, 10**15), unit
