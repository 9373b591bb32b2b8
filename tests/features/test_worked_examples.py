"""The worked examples of the clinical fact base, from FHIR records to bounds.

`tests/facts/formulas_examples.csv` is the table of formulas with expected values; the examples of scores and
classification are those of the fact base's sections "Worked SLEDAI-2K examples" and "Worked examples".
"""

import csv
import re
from fractions import Fraction
from pathlib import Path

import pytest

from caselib import ago, biopsy, complete, drug, items, lab, person, said, score
from features.naive_facts import classification_rows, score_items
from features.real import bounds, feature

EXAMPLES = list(csv.DictReader((Path(__file__).parents[1] / "facts" / "formulas_examples.csv").open(encoding="utf-8")))
ATC = {
    "prednisone": "atc:H02AB07",
    "prednisolone": "atc:H02AB06",
    "methylprednisolone": "atc:H02AB04",
    "triamcinolone": "atc:H02AB08",
    "dexamethasone": "atc:H02AB02",
    "betamethasone": "atc:H02AB01",
    "hydrocortisone": "atc:H02AB09",
    "cortisone": "atc:H02AB10",
    "deflazacort": "atc:H02AB13",
}
PREDNISONE = feature("DailyDose", equivalence="prednisone", perKilogram=False, valueSet=("Glucocorticoid",))
PREDNISONE_PER_KG = feature("DailyDose", equivalence="prednisone", perKilogram=True, valueSet=("Glucocorticoid",))
HIGHEST_PER_KG = feature(
    "HighestDose", equivalence="prednisone", perKilogram=True, valueSet=("Glucocorticoid",), when="ever"
)
AZATHIOPRINE_PER_KG = feature("DailyDose", equivalence="none", perKilogram=True, valueSet=("azathioprine",))
CLEARANCE = feature("CreatinineClearance", validFor="result")


def examples(formula: str) -> list[dict[str, str]]:
    """The rows of one formula; a formula without rows is a fault of the test."""
    found = [row for row in EXAMPLES if row["formula"].startswith(formula)]
    assert found, formula
    return found


def test_cockcroft_gault() -> None:
    patients, wanted = {}, {}
    for row in examples("Cockcroft-Gault"):
        age, weight, creatinine, sex = re.match(
            r"age=(\d+) y; weight=(\d+) kg; creatinine=([\d.]+) mg/dL; (\w+)", row["input"]
        ).groups()  # type: ignore[union-attr]
        name = f"cg {row['input']}"
        patients[name] = [
            person(f"{2026 - int(age)}-01-15", sex),
            lab("weight", weight, "kg"),
            lab("creatinine", creatinine, "mg/dL"),
        ]
        wanted[name] = round(Fraction(row["expected"]), 2)
    found = bounds(patients, CLEARANCE)
    assert {name: round(lower, 2) for name, (lower, _) in found.items()} == wanted
    assert {name: round(upper, 2) for name, (_, upper) in found.items()} == wanted


def test_cockcroft_gault_at_the_limit_of_60_is_exactly_60() -> None:
    facts = [person("1976-01-15", "male"), lab("weight", 60, "kg"), lab("creatinine", "1.25", "mg/dL")]
    assert bounds({"tie": facts}, CLEARANCE) == {"tie": (60, 60)}


def test_cockcroft_gault_needs_a_sex_and_a_birth_year_gives_a_range() -> None:
    values = [lab("weight", 60, "kg"), lab("creatinine", "1.25", "mg/dL")]
    found = bounds(
        {"no sex": [person("1976-01-15", "other"), *values], "year": [person("1976", "male"), *values]}, CLEARANCE
    )
    assert found["no sex"] == (None, None)
    assert (found["year"][0], round(found["year"][1], 2)) == (60, Fraction("60.67"))


@pytest.mark.parametrize(
    ("test", "here", "there"),
    [
        ("creatinineSI", ("88.4", "umol/L"), ("0.99998", "mg/dL")),
        ("creatinineSI", ("88.402", "umol/L"), ("1.0", "mg/dL")),
        ("creatinine", ("2.5", "mg/dL"), ("221.0", "umol/L")),
        ("bilirubin", ("1.0", "mg/dL"), ("17.104", "umol/L")),
        ("bilirubin", ("2.0", "mg/dL"), ("34.2", "umol/L")),
        ("upcr", ("50", "mg/mmol"), ("442.01", "mg/g")),
        ("upcr", ("0.5", "g/g"), ("56.56", "mg/mmol")),
        ("loinc:4485-9", ("0.90", "g/L"), ("90", "mg/dL")),
    ],
)
def test_units_of_one_value_agree(test: str, here: tuple[str, str], there: tuple[str, str]) -> None:
    """Both ways of writing a value are one value in the test's unit, to the places of the table."""
    keys = ("serumCreatinine", "totalBilirubin", "upcr", "c3")
    wanted = feature("Measurement", quantity="value", test=keys, validFor="result")
    found = bounds({"here": [lab(test, *here)], "there": [lab(test, *there)]}, wanted)
    (one, _), (other, _) = found["here"], found["there"]
    assert one is not None and other is not None
    assert abs(one - other) / other < Fraction(3, 10**4)


def test_prednisone_equivalents_add_up() -> None:
    patients, wanted = {}, {}
    for row in examples("prednisone equivalent"):
        doses = re.findall(r"(\w+) ([\d.]+) mg/d", row["input"])
        patients[row["input"]] = [
            [drug(ATC[name], ago(100), dose=dose) for name, dose in doses],
            complete("medications"),
        ]
        wanted[row["input"]] = (Fraction(row["expected"]),) * 2
    assert bounds(patients, PREDNISONE) == wanted


def test_doses_per_kilogram_at_their_limits() -> None:
    on_prednisolone = [
        drug(ATC["prednisolone"], ago(30), dose="39.9"),
        lab("weight", 57, "kg"),
        complete("medications"),
    ]
    by_weight = [drug(ATC["prednisolone"], ago(30), dose="0.7", unit="mg/kg"), lab("weight", 57, "kg")]
    methyl = [drug(ATC["methylprednisolone"], ago(30), dose=44), lab("weight", 55, "kg"), complete("medications")]
    azathioprine = [drug("atc:L04AX01", ago(30), dose=90), lab("weight", 60, "kg"), complete("medications")]
    patients = {"prednisolone": on_prednisolone, "by weight": by_weight, "methyl": methyl, "aza": azathioprine}
    found = bounds(patients, [PREDNISONE_PER_KG, HIGHEST_PER_KG, AZATHIOPRINE_PER_KG, PREDNISONE])
    assert found["prednisolone"][0] == (Fraction(7, 10), Fraction(7, 10))
    assert found["by weight"][0][0] == Fraction(7, 10)
    assert found["by weight"][3][0] == Fraction("39.9")
    assert found["methyl"][:2] == [(1, 1), (1, 1)]
    assert found["aza"][2] == (Fraction(3, 2), Fraction(3, 2))


def test_a_weight_that_says_nothing_leaves_the_dose_per_kilogram_to_the_others() -> None:
    """One of 0 kg, or in no unit of weight, is nearer than the true one; `>39` kg says something, `<70` too."""
    dose, true = drug("atc:L04AX01", ago(30), dose=90), lab("weight", 60, "kg", on=ago(300))
    nothing, of_no_weight = lab("weight", 0, "kg", on=ago(10)), lab("weight", 70, "mmol/L", on=ago(10))
    some = [lab("weight", kg, "kg", on=ago(10), comparator=sign) for kg, sign in ((39, ">"), (70, "<"))]
    known = [dose, complete("medications")]
    patients = {
        "nothing": [*known, true, nothing],
        "of no weight": [*known, true, of_no_weight],
        "no other": [*known, nothing, of_no_weight],
        "more than": [*known, true, some[0]],
        "less than": [*known, true, some[1]],
    }
    found = bounds(patients, [AZATHIOPRINE_PER_KG])
    assert found["nothing"] == found["of no weight"] == [(Fraction(3, 2), Fraction(3, 2))]
    assert found["no other"] == [(0, None)]
    [(low, high)] = found["more than"]
    assert (low, high is not None and Fraction(23, 10) < high < Fraction(231, 100)) == (0, True)
    [(low, high)] = found["less than"]
    assert (Fraction(128, 100) < low < Fraction(129, 100), high) == (True, None)


@pytest.mark.parametrize(
    ("code", "value_set", "half_lives", "days"),
    [
        ("atc:L04AF01", "commercialJAKInhibitor", 3, 1),
        ("atc:L01EL01", "BTKInhibitor", 3, 1),
        ("atc:L04AF03", "commercialJAKInhibitor", 3, 2),
        ("atc:L04AG04", "biologicOtherThanBCellNarrow", 5, 97),
        ("local:telitacicept", "biologicOtherThanBCellNarrow", 5, 58),
        ("atc:L04AG11", "biologicOtherThanBCellNarrow", 5, 112),
        ("atc:L04AG04", "biologicOtherThanBCellNarrow", 4, 78),
        ("atc:L04AG04", "biologicOtherThanBCellNarrow", 1, 20),
    ],
)
def test_washout_days(code: str, value_set: str, half_lives: int, days: int) -> None:
    """Tofacitinib 1, ibrutinib 1, upadacitinib 2, belimumab 97, telitacicept 58, anifrolumab 112 whole days.

    A half-life of belimumab is 19.4 days: four are 77.6, one is 19.4.
    """
    wanted = feature("Washout", halfLives=half_lives, valueSet=(value_set,))
    patients = {
        "over": [drug(code, ago(400), ago(days)), complete("medications")],
        "last day": [drug(code, ago(400), ago(days - 1)), complete("medications")],
        "ongoing": [drug(code, ago(400)), complete("medications")],
        "over, not complete": [drug(code, ago(400), ago(days))],
    }
    assert bounds(patients, wanted) == {
        "over": (None, 0),
        "last day": (1, None),
        "ongoing": (1, None),
        "over, not complete": (None, None),
    }
    assert bounds({"over later": patients["last day"]}, wanted, later=1) == {"over later": (None, 0)}


def test_fewer_half_lives_than_days_are_known_for_are_over_when_those_have_passed() -> None:
    """Anifrolumab: 112 days stand for five half-lives; how long four are is not known, but not longer."""
    wanted = feature("Washout", halfLives=4, valueSet=("biologicOtherThanBCellNarrow",))
    patients = {
        "over": [drug("atc:L04AG11", ago(400), ago(112)), complete("medications")],
        "last day": [drug("atc:L04AG11", ago(400), ago(111)), complete("medications")],
        "ongoing": [drug("atc:L04AG11", ago(400)), complete("medications")],
    }
    assert bounds(patients, wanted) == {"over": (None, 0), "last day": (None, None), "ongoing": (None, None)}


def test_pga_in_millimetres() -> None:
    wanted = feature("Score", instrument="pga", validFor="result")
    found = bounds({"mm": [score("pga", 34, unit="mm")], "points": [score("pga", 1)]}, wanted)
    assert found == {"mm": (Fraction(102, 100), Fraction(102, 100)), "points": (1, 1)}


SLEDAI_EXAMPLES = {
    "": 0,
    "arthritis": 4,
    "lowComplement increasedDNABinding": 4,
    "proteinuria": 4,
    "rash alopecia lowComplement": 6,
    "pleurisy": 2,
    "fever": 1,
    "arthritis proteinuria hematuria lowComplement increasedDNABinding leukopenia": 17,
    "rash mucosalUlcers thrombocytopenia increasedDNABinding": 7,
    "arthritis rash increasedDNABinding": 8,
    "thrombocytopenia leukopenia rash": 4,
    " ".join(key.partition(":")[2] for key in score_items("sledai2kTotal")): 105,
}
"""Descriptors present → total."""


@pytest.mark.parametrize(
    ("instrument", "prefix"), [("sledai2kTotal", "sledai2k"), ("selenaSledaiTotal", "selenaSledai")]
)
def test_sledai_totals_from_items(instrument: str, prefix: str) -> None:
    every = [key.partition(":")[2] for key in score_items("sledai2kTotal")]
    wanted = feature("Score", instrument=instrument, validFor="result")
    patients = {
        f"sledai {number}": items(prefix, present, " ".join(key for key in every if key not in present.split()))
        for number, present in enumerate(SLEDAI_EXAMPLES)
    }
    found = bounds(patients, wanted)
    assert list(found.values()) == [(total, total) for total in SLEDAI_EXAMPLES.values()]


def test_sledai_items_not_recorded_leave_a_range() -> None:
    wanted = feature("Score", instrument="sledai2kTotal", validFor="result")
    facts = items("sledai2k", "arthritis rash", "seizure psychosis")
    other = items("selenaSledai", "arthritis rash", "seizure psychosis")
    assert bounds({"some": facts, "selena": other}, wanted) == {"some": (6, 105 - 16), "selena": (None, None)}


def others(name: str, *present: str) -> str:
    """The items of a classification set that are not among those present, as keys parted by blanks."""
    return " ".join(row["key"] for row in classification_rows(name) if row["key"] not in present)


def titer(value: int) -> dict[str, object]:
    return lab("anaTiter", value, "{titer}")


CLASSIFICATION_EXAMPLES = [
    ("eularAcr2019", [titer(160)], "acuteCutaneous jointInvolvement", True),
    ("eularAcr2019", [titer(160)], "antiDsDNAorSm lowC3andC4", False),
    ("eularAcr2019", [titer(40)], "biopsyIIIorIV", False),
    ("slicc2012", [titer(160), biopsy(ago(100), "IV")], "", True),
    ("eularAcr2019", [titer(80)], "biopsyIIIorIV", True),
    ("eularAcr2019", [titer(160)], "leukopenia thrombocytopenia oralUlcers fever antiphospholipid", True),
    ("acr1997", [], "malarRash photosensitivity oralUlcers ana", True),
    ("slicc2012", [], "acuteCutaneous oralOrNasalUlcers ana", False),
    ("eularAcr2019", [titer(160)], "acuteCutaneous oralUlcers", False),
]
"""Set, test results, items present, classified."""


@pytest.mark.parametrize("number", range(len(CLASSIFICATION_EXAMPLES)))
def test_classification_from_items(number: int) -> None:
    name, results, present, classified = CLASSIFICATION_EXAMPLES[number]
    absent = others(name, *present.split(), *(["ana"] if name == "eularAcr2019" and results else []))
    if results == [titer(40)]:
        absent += " ana"
    wanted = feature("Classification", classificationSet=name, diagnosis="sleDiagnosis")
    facts = [*results, *items(name, present, absent)]
    assert bounds({"patient": facts}, wanted) == {"patient": (1, None) if classified else (None, 0)}


def test_points_alone() -> None:
    """Rule 10: EULAR/ACR from 13 with ANA, below 10 never, 10 to 12 open; ACR 1997 at 4; SLICC never."""
    ana = said("eularAcr2019:ana")
    patients = {
        "13 with ANA": [score("eularAcr2019", 13), ana],
        "13 without": [score("eularAcr2019", 13)],
        "12 with ANA": [score("eularAcr2019", 12), ana],
        "9": [score("eularAcr2019", 9), ana],
    }
    wanted = feature("Classification", classificationSet="eularAcr2019", diagnosis="sleDiagnosis")
    unknown = (None, None)
    assert list(bounds(patients, wanted).values()) == [(1, None), unknown, unknown, (None, 0)]
    wanted = feature("Classification", classificationSet="acr1997", diagnosis="sleDiagnosis")
    found = bounds({"4": [score("acr1997", 4)], "3": [score("acr1997", 3)]}, wanted)
    assert list(found.values()) == [(1, None), (None, 0)]
    wanted = feature("Classification", classificationSet="slicc2012", diagnosis="sleDiagnosis")
    assert list(bounds({"9": [score("slicc2012", 9)], "2": [score("slicc2012", 2)]}, wanted).values()) == [unknown] * 2
