from datetime import date
from decimal import Decimal

import pytest

from patients.fhir_builder import concept, local, loinc, observation, quantity, read, reasons, rows, snomed

POSITIVE, NEGATIVE = snomed("10828004"), snomed("260385009")
V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
EPSILON = Decimal("1e-12")


def ratio(comparator, titer, below=None):
    return {"numerator": quantity(1, None, comparator), "denominator": quantity(titer, None, below)}


def measured(folder, code, **elements):
    """The only measurement row of an observation, and why anything was unread."""
    data = read(folder, observation(code, **elements))
    found = rows(data, "measurement")
    assert len(found) == 1
    return found[0], reasons(data)


def test_a_result_with_its_unit_date_and_limit(tmp_path):
    limits = [{"low": quantity(7, "U/L"), "high": quantity(40, "U/L")}]
    row, unread = measured(tmp_path, loinc("1742-6"), valueQuantity=quantity(25, "U/L"), referenceRange=limits)
    assert (row["test"], row["low"], row["high"], row["uln"], row["lln"]) == ("alt", 25, 25, 40, 7)
    assert row["date_from"] == row["date_to"] == date(2026, 11, 10)
    assert unread == []


def test_si_units_become_the_canonical_unit_with_the_limit(tmp_path):
    limits = [{"high": quantity(88.4, "umol/L")}]
    row, _ = measured(tmp_path, loinc("14682-9"), valueQuantity=quantity(176.8, "umol/L"), referenceRange=limits)
    assert (row["test"], row["low"]) == ("serumCreatinine", Decimal("1.9999616"))
    assert row["low"] == 2 * row["uln"]


@pytest.mark.parametrize(
    ("code", "unit", "value"),
    [
        ("1742-6", "IU/L", 25),
        ("1742-6", "[IU]/L", 25),
        ("1742-6", "mIU/mL", 25),
        ("29463-7", "lb", "11.33980925"),
        ("42595-9", "IU/mL", 25),
        ("42595-9", "kIU/L", 25),
        ("19080-1", "mIU/ml", 25),
    ],
)
def test_units_as_laboratories_write_them(tmp_path, code, unit, value):
    given = {"value": 25, "unit": unit}
    row, unread = measured(tmp_path, loinc(code), valueQuantity=given, referenceRange=[{"high": given}])
    assert (row["low"], row["uln"], unread) == (Decimal(value), Decimal(value), [])


@pytest.mark.parametrize(
    ("comparator", "low", "high"),
    [("<", None, 20 - EPSILON), ("<=", None, 20), (">=", 20, None), (">", 20 + EPSILON, None)],
)
def test_comparators_are_intervals(tmp_path, comparator, low, high):
    row, _ = measured(tmp_path, loinc("1742-6"), valueQuantity=quantity(20, "U/L", comparator))
    assert (row["low"], row["high"]) == (low, high)


@pytest.mark.parametrize(("comparator", "below"), [("<", True), (None, False), (">", False)])
def test_viral_loads_below_quantification(tmp_path, comparator, below):
    row, _ = measured(tmp_path, loinc("42595-9"), valueQuantity=quantity(20, "[IU]/mL", comparator))
    assert row["below_quantification"] is below


@pytest.mark.parametrize(
    ("elements", "positive"),
    [
        ({"valueCodeableConcept": POSITIVE}, True),
        ({"valueCodeableConcept": NEGATIVE}, False),
        (
            {"interpretation": [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "POS")]},
            True,
        ),
        (
            {"interpretation": [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "NEG")]},
            False,
        ),
        ({"valueBoolean": True}, True),
        ({"valueCodeableConcept": loinc("LA6576-8")}, True),
        ({"valueCodeableConcept": loinc("LA6577-6")}, False),
        ({"interpretation": [concept(V3, "NR")]}, False),
        ({"valueCodeableConcept": NEGATIVE, "interpretation": [concept("http://lab.example", "RR")]}, False),
        ({"valueCodeableConcept": NEGATIVE | {"text": "Non-reactive"}}, False),
        ({"valueCodeableConcept": NEGATIVE | {"text": "No HBs antigen detected"}}, False),
        ({"valueCodeableConcept": NEGATIVE | {"text": "negative (positive if above 1.0)"}}, False),
        ({"valueCodeableConcept": POSITIVE | {"text": "weakly reactive"}}, True),
        ({"valueString": "negative", "interpretation": [concept(V3, "NEG")]}, False),
    ],
)
def test_qualitative_results(tmp_path, elements, positive):
    row, unread = measured(tmp_path, loinc("8061-4"), **elements)
    assert (row["test"], row["positive"], unread) == ("ana", positive, [])


def test_a_code_system_with_a_slash_at_its_end(tmp_path):
    row, unread = measured(tmp_path, concept("http://loinc.org/", "1742-6"), valueQuantity=quantity(25, "U/L"))
    assert (row["test"], row["low"], unread) == ("alt", 25, [])


def test_room_air(tmp_path):
    row, _ = measured(tmp_path, local("supplementalOxygen"), valueBoolean=False)
    assert row["positive"] is False


@pytest.mark.parametrize(
    ("code", "elements", "reason"),
    [
        (loinc("1742-6"), {"valueQuantity": quantity(25)}, "there is no unit"),
        (loinc("1742-6"), {"valueQuantity": quantity(25, "mg/dL")}, "does not convert"),
        (loinc("1742-6"), {"valueQuantity": quantity("many", "U/L")}, "no number"),
        (loinc("1742-6"), {"valueQuantity": quantity(-5, "U/L")}, "negative"),
        (loinc("1742-6"), {"valueString": "normal"}, "is text"),
        (loinc("72494-8"), {"valueQuantity": quantity(3.2, "{Log_IU}/mL")}, "logarithm"),
        (loinc("1742-6"), {}, "no value"),
        (loinc("10230-1"), {"valueQuantity": quantity(104, "%")}, "more than all"),
        (loinc("29463-7"), {"valueQuantity": quantity(0, "kg")}, "0 kg is none"),
        (loinc("8061-4"), {"valueCodeableConcept": snomed("419984006")}, "neither positive nor negative"),
        (loinc("8061-4"), {"valueCodeableConcept": POSITIVE, "interpretation": [concept("", "NEG")]}, "contradict"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE, "interpretation": [concept("", "IND")]}, "indeterminate"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE, "interpretation": [concept("", "E")]}, "indeterminate"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE | {"text": "POSITIVE, confirmed"}}, "its text"),
        (loinc("8061-4"), {"valueCodeableConcept": POSITIVE | {"text": "ANA negative"}}, "its text"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE | {"text": "Reactive"}}, "its text"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE | {"text": "Detected"}}, "its text"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE | {"text": "equivocal"}}, "its text"),
        (loinc("8061-4"), {"valueCodeableConcept": POSITIVE | {"text": "not detected"}}, "its text"),
        (loinc("8061-4"), {"valueString": "Positive", "interpretation": [concept("", "NEG")]}, "its text"),
        (loinc("8061-4"), {"valueString": "Non-reactive", "interpretation": [concept("", "POS")]}, "its text"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE, "interpretation": [concept(V3, "RR")]}, "contradict"),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE, "interpretation": [concept(V3, "WR")]}, "indeterminate"),
        (loinc("8061-4"), {"interpretation": [concept("", "NR")]}, "no value"),
        (
            loinc("8061-4"),
            {"valueCodeableConcept": {"coding": NEGATIVE["coding"] + loinc("LA6576-8")["coding"]}},
            "contradict",
        ),
        (
            loinc("8061-4"),
            {"valueCodeableConcept": {"coding": NEGATIVE["coding"] + POSITIVE["coding"]}},
            "contradict",
        ),
        (
            loinc("8061-4"),
            {"valueCodeableConcept": snomed("42425007"), "interpretation": [concept("", "NEG")]},
            "indeterminate",
        ),
        (loinc("8061-4"), {"valueCodeableConcept": NEGATIVE, "dataAbsentReason": concept("", "error")}, "(error)"),
        (loinc("5048-4"), {"valueRatio": ratio("<", 80)}, "'<1:80' is text"),
        (loinc("5048-4"), {"valueRatio": ratio(None, 80, ">")}, "'1:>80' is text"),
        (loinc("1742-6"), {"valueQuantity": quantity(25, "U/L"), "dataAbsentReason": concept("", "error")}, "(error)"),
        (
            loinc("1742-6"),
            {"valueQuantity": quantity(25, "U/L"), "interpretation": [concept("", ">")]},
            "off the scale",
        ),
        (
            loinc("1742-6"),
            {"valueQuantity": quantity(25, "U/L", ">"), "interpretation": [concept("", "<")]},
            "off the scale",
        ),
        (
            loinc("19080-1"),
            {
                "valueQuantity": quantity(12, "[IU]/L"),
                "interpretation": [concept("", "NEG")],
                "referenceRange": [{"high": quantity(5)}],
            },
            "negative by its interpretation",
        ),
        (
            loinc("19080-1"),
            {
                "valueQuantity": quantity(2, "[IU]/L"),
                "interpretation": [concept("", "POS")],
                "referenceRange": [{"high": quantity(5, "[IU]/L")}],
            },
            "positive by its interpretation",
        ),
        (loinc("8061-4"), {"valueInteger": 3}, "answered by positive or negative"),
        (local("sledai2kTotal"), {"valueInteger": 106}, "greatest possible"),
        (local("sledai2kTotal"), {"valueInteger": -1}, "least possible"),
        (local("sledai2kTotal"), {"valueQuantity": quantity(7.5, "{score}")}, "whole number"),
        (local("sledai2kTotal"), {"valueBoolean": True}, "a score is a number"),
        (local("pga"), {"valueQuantity": quantity(3.5)}, "greatest possible"),
        (local("pga"), {"valueQuantity": quantity(120, "mm")}, "greatest possible"),
        (local("pga"), {"valueQuantity": quantity(2, "{0-10}")}, "another scale"),
        (local("pga"), {"valueQuantity": quantity(2, "{points/10}")}, "another scale"),
        (local("isnRpsClass"), {"valueString": "IV (ruled out)"}, "no ISN/RPS class"),
        (local("isnRpsClass"), {"valueString": "IV (?)"}, "no ISN/RPS class"),
        (local("sledai2k:seizure"), {"valueInteger": 8}, "true or false"),
        (local("isnRpsClass"), {"valueString": "III or IV"}, "no ISN/RPS class"),
        (loinc("1742-6"), {"valueQuantity": quantity(25, "U/L"), "effectiveDateTime": "2026-02-30"}, "no date"),
    ],
)
def test_what_cannot_be_read_is_reported_and_leaves_the_bounds_open(tmp_path, code, elements, reason):
    row, unread = measured(tmp_path, code, **elements)
    assert [row[name] for name in ("low", "high", "positive", "text")] == [None] * 4
    assert len(unread) == 1
    assert reason in unread[0]


@pytest.mark.parametrize(
    ("code", "elements", "expected"),
    [
        ("1742-6", {"valueQuantity": quantity(90, "U/L"), "interpretation": [concept("", "HH")]}, (90, None)),
        ("1742-6", {"valueQuantity": quantity(90, "U/L", ">="), "interpretation": [concept("", ">")]}, (90, None)),
        ("8061-4", {"valueCodeableConcept": NEGATIVE | {"text": "Not detected; control positive"}}, (None, False)),
        ("8061-4", {"interpretation": [concept("", "NEG")], "dataAbsentReason": concept("", "masked")}, (None, False)),
        (
            "19080-1",
            {
                "valueQuantity": quantity(12, "[IU]/L"),
                "interpretation": [concept("", "POS"), concept("", "H")],
                "referenceRange": [{"high": quantity(5)}],
            },
            (12, True),
        ),
    ],
)
def test_what_stands_beside_a_value_and_does_not_contradict_it(tmp_path, code, elements, expected):
    row, unread = measured(tmp_path, loinc(code), **elements)
    assert (row["low"] and round(row["low"]), row["positive"], unread) == (*expected, [])


@pytest.mark.parametrize(("text", "method"), [("Echocardiography", "echocardiography"), ("not echocardiography", None)])
def test_a_method_in_words(tmp_path, text, method):
    row, _ = measured(tmp_path, loinc("10230-1"), valueQuantity=quantity(62, "%"), method={"text": text})
    assert row["method"] == method


def test_a_result_without_a_date_is_reported(tmp_path):
    row, unread = measured(tmp_path, loinc("1742-6"), on=None, valueQuantity=quantity(25, "U/L"))
    assert (row["date_from"], row["date_to"], unread) == (None, None, ["the result has no date"])


def test_an_absent_value_is_no_result_and_no_fault(tmp_path):
    absent = concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed")
    data = read(tmp_path, observation(loinc("1742-6"), dataAbsentReason=absent))
    assert (rows(data, "measurement"), reasons(data)) == ([], [])


@pytest.mark.parametrize("status", ["registered", "preliminary", "cancelled", "entered-in-error", "unknown"])
def test_results_that_are_not_final_do_not_count(tmp_path, status):
    data = read(tmp_path, observation(loinc("1742-6"), valueQuantity=quantity(25, "U/L"), status=status))
    assert (rows(data, "measurement"), reasons(data), sum(data.skipped.values())) == ([], [], 1)


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_final_results_count(tmp_path, status):
    assert measured(tmp_path, loinc("1742-6"), valueQuantity=quantity(25, "U/L"), status=status)[0]["low"] == 25


def test_observations_that_no_criterion_needs_are_counted(tmp_path):
    data = read(tmp_path, observation(loinc("8302-2"), valueQuantity=quantity(170, "cm")))
    assert data.skipped == {"Observation with a code that no criterion needs": 1}
    assert reasons(data) == []


def test_components_are_items_of_the_same_record_and_day(tmp_path):
    parts = [
        {"code": local("sledai2k:seizure"), "valueBoolean": False},
        {"code": local("sledai2k:arthritis"), "valueBoolean": True},
        {"code": loinc("8302-2"), "valueQuantity": quantity(170, "cm")},
    ]
    data = read(tmp_path, observation(local("sledai2kTotal"), component=parts, id="items"))
    found = {row["test"]: row["positive"] for row in rows(data, "measurement")}
    assert found == {"sledai2k:seizure": False, "sledai2k:arthritis": True}
    assert {row["record"] for row in data.tables["measurement"].to_pylist()} == {"Observation/items"}
    assert [row["value"] for row in rows(data, "record") if "SLEDAI" in row["what"] or row["what"] == "Seizure"]


def line_of(folder, code, **elements):
    """The evidence line of an observation: what it is called, its value, its date."""
    data = read(folder, observation(code, id="o", **elements))
    [line] = [row for row in data.tables["record"].to_pylist() if row["record"] == "Observation/o"]
    return line["what"], line["value"], line["date"]


def parts(prefix, **answers):
    """Components with the answers to items."""
    value = {bool: "valueBoolean", str: "valueString"}
    return [{"code": local(f"{prefix}:{key}"), value[type(answer)]: answer} for key, answer in answers.items()]


def test_the_items_of_a_record_are_one_line(tmp_path):
    items = parts("sledai2k", seizure=False, arthritis=True, lowComplement=True, rash=False)
    total = {"valueQuantity": quantity(6, "{score}")}
    what, value, day = line_of(tmp_path, local("sledai2kTotal"), component=items, **total)
    assert (what, value, day) == (
        "SLEDAI-2K total score",
        "6; arthritis, low complement present; 2 items absent",
        "2026-11-10",
    )
    assert line_of(tmp_path, local("sledai2k"), component=items) == (
        "SLEDAI-2K",
        "arthritis, low complement present; 2 items absent",
        "2026-11-10",
    )
    assert line_of(tmp_path, local("sledai2k"), component=items[:1])[1] == "1 item absent"


def test_items_that_cannot_be_read_are_named(tmp_path):
    items = [*parts("sledai2k", rash=False), {"code": local("sledai2k:fever"), "valueQuantity": quantity(39, "Cel")}]
    assert line_of(tmp_path, local("sledai2k"), component=items)[1] == "1 item absent; fever not readable"


def test_the_grades_of_systems_are_one_line(tmp_path):
    grades = parts("bilag", renal="A", mucocutaneous="E")
    assert line_of(tmp_path, local("bilag"), component=grades)[:2] == ("BILAG-2004", "renal A, mucocutaneous E")


def test_an_item_of_its_own_keeps_its_name(tmp_path):
    line = line_of(tmp_path, local("sledai2k:arthritis"), valueBoolean=True)
    assert line[:2] == ("Arthritis (SLEDAI-2K)", "yes")


@pytest.mark.parametrize(
    ("code", "unit", "expected"),
    [
        (local("sledai2kTotal"), "{score}", "7"),
        (loinc("5048-4"), "{titer}", "7 (upper limit 40)"),
        (local("upcr"), "mg/g{creat}", "7 mg/g (upper limit 40)"),
        (loinc("1742-6"), "U/L", "7 U/L (upper limit 40)"),
    ],
)
def test_annotations_of_units_are_not_shown(tmp_path, code, unit, expected):
    limits = {} if unit == "{score}" else {"referenceRange": [{"high": quantity(40, unit)}]}
    assert line_of(tmp_path, code, valueQuantity=quantity(7, unit), **limits)[1] == expected


@pytest.mark.parametrize(
    ("ranges", "uln"),
    [
        ([{"high": quantity(40)}], 40),
        ([{"high": quantity(40), "type": concept("", "normal")}], 40),
        ([{"high": quantity(30), "type": concept("", "treatment")}, {"high": quantity(40)}], 40),
        ([{"high": quantity(30), "type": concept("", "treatment")}], None),
        ([{"high": quantity(35), "appliesTo": [snomed("248152002")]}, {"high": quantity(40)}], None),
        ([{"high": quantity(40), "appliesTo": [snomed("248152002")]}, {"high": quantity(40)}], 40),
        ([{"high": quantity(35), "appliesTo": [snomed("248152002")]}], 35),
        ([{"high": quantity(35), "appliesTo": [{"text": "Women"}, concept("", "normal")]}], 35),
        ([{"high": quantity(35), "appliesTo": [{"text": "dialysis"}]}], None),
        ([{"high": quantity(60), "age": {"high": quantity(1, "a")}}], None),
        ([{"high": quantity(60), "age": {"low": quantity(60, "a")}}, {"high": quantity(40)}], None),
        ([{"high": quantity(60), "text": "60 years and older"}], None),
        ([{"high": quantity(40), "text": "Adults (over 18 years)"}], 40),
        ([{"high": quantity(426), "appliesTo": [snomed("77386006")]}], None),
        ([{"high": quantity(426), "text": "4 weeks of pregnancy: 5-426"}], None),
        ([{"high": quantity(426), "text": "Pregnant"}, {"high": quantity(5), "text": "Non-pregnant: < 5"}], 5),
        (
            [
                {"high": quantity(35), "appliesTo": [snomed("248152002")]},
                {"high": quantity(45), "appliesTo": [snomed("248153007")]},
            ],
            None,
        ),
        ([{"high": quantity(35)}, {"high": quantity(40)}], None),
        ([{"high": quantity(40, "mg/dL")}], None),
        ([{"high": quantity(667, "nkat/L")}], Decimal("40.02")),
        ([{"text": "up to 40"}], None),
        ([{"high": quantity(1000), "text": "Panic values"}], None),
        ([{"high": quantity(1000), "text": "critical"}, {"high": quantity(40)}], 40),
        ([{"high": quantity(40), "text": "Normal range (critical above 1000)"}], 40),
        ([{"high": quantity(40), "text": "Recommended by IFCC, adults"}], 40),
        ([{"high": quantity(40), "text": "0-40 (desirable)"}], 40),
        ([{"high": quantity(40), "text": "Patients not on anticoagulant therapy"}], 40),
        ([{"high": quantity(60), "text": "recommended therapeutic range"}], None),
        ([{"high": quantity(60), "text": "Therapeutic reference range"}], None),
        ([{"high": quantity(60), "text": "Patients on anticoagulant therapy"}], None),
        ([{"high": quantity(60), "text": "target range 0-60"}], None),
    ],
)
def test_only_an_unambiguous_limit_of_normal_is_used(tmp_path, ranges, uln):
    row, unread = measured(tmp_path, loinc("1742-6"), valueQuantity=quantity(25, "U/L"), referenceRange=ranges)
    assert (row["low"], row["uln"], unread) == (25, uln, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IV", "IV"),
        ("III+V", "III+V"),
        ("V + III", "III+V"),
        ("Class IV-S (A/C)", "IV"),
        ("class 4", "IV"),
        ("IV (diffuse, active) + V (membranous)", "IV+V"),
        ("ISN/RPS III and V", "III+V"),
    ],
)
def test_biopsy_classes(tmp_path, text, expected):
    assert measured(tmp_path, local("isnRpsClass"), valueString=text)[0]["text"] == expected


def test_titres_are_stored_as_their_reciprocal(tmp_path):
    assert measured(tmp_path, loinc("5048-4"), valueQuantity=quantity(160, "{titer}"))[0]["low"] == 160
    assert measured(tmp_path, loinc("5048-4"), valueString="1:160")[0]["low"] == 160


def test_bilag_grades(tmp_path):
    assert measured(tmp_path, local("bilag:renal"), valueString="b")[0]["text"] == "B"
    assert "no BILAG grade" in measured(tmp_path, local("bilag:renal"), valueString="F")[1][0]


def test_pga_from_millimetres(tmp_path):
    assert measured(tmp_path, local("pga"), valueQuantity=quantity(34, "mm"))[0]["low"] == Decimal("1.02")


@pytest.mark.parametrize(
    ("code", "elements", "method"),
    [
        ("8806-2", {}, "echocardiography"),
        ("10230-1", {}, None),
        ("10230-1", {"method": snomed("40701008")}, "echocardiography"),
        ("10230-1", {"method": {"text": "Transthoracic echocardiography"}}, "echocardiography"),
        ("10230-1", {"method": {"text": "MRI"}}, None),
    ],
)
def test_method_of_an_ejection_fraction(tmp_path, code, elements, method):
    assert measured(tmp_path, loinc(code), valueQuantity=quantity(60, "%"), **elements)[0]["method"] == method


def test_numbers_are_exact(tmp_path):
    row, _ = measured(tmp_path, loinc("2160-0"), valueQuantity=quantity(0.7, "mg/dL"))
    assert row["low"] == Decimal("0.7")


def test_classification_by_answer_and_by_points(tmp_path):
    assert measured(tmp_path, local("eularAcr2019"), valueBoolean=True)[0]["positive"] is True
    assert measured(tmp_path, local("eularAcr2019"), valueInteger=12)[0]["low"] == 12
    assert measured(tmp_path, local("eularAcr2019:fever"), valueBoolean=True)[0]["positive"] is True


# ── Observations of the follow-up ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("sdi", 3),
        ("facitFatigue", 52),
        ("facitF", 160),
        ("iceScore", 10),
        ("cssrsIdeation", 5),
        ("cssrsBehaviour", 2),
        ("crsGrade", 4),
        ("icansGrade", 0),
        ("ctcaeGrade", 5),
        ("vasopressor", 2),
        ("hypoxia", 3),
        ("icans:consciousness", 4),
        ("icans:seizure", 3),
        ("icans:motor", 0),
        ("icans:oedema", 3),
    ],
)
def test_numbers_of_the_follow_up(tmp_path, code, value):
    row, unread = measured(tmp_path, local(code), valueInteger=value)
    assert (row["test"], row["low"], row["high"]) == (code, value, value)
    assert unread == []


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("sdi", 48),
        ("facitFatigue", 53),
        ("facitF", 161),
        ("iceScore", 11),
        ("crsGrade", 6),
        ("ctcaeGrade", 0),
        ("hypoxia", 4),
        ("icans:motor", 5),
        ("vasopressor", 1.5),
        ("vasopressor", -1),
        ("facitFatigue", 40.5),
    ],
)
def test_numbers_that_cannot_be(tmp_path, code, value):
    row, unread = measured(tmp_path, local(code), valueQuantity=quantity(value))
    assert (row["low"], row["high"]) == (None, None)
    assert len(unread) == 1


@pytest.mark.parametrize(
    "code", ["cssrsBehaviour", "hypotension", "hypoxia", "vasopressor", "icans:consciousness", "icans:motor"]
)
def test_present_is_at_least_one_and_absent_none(tmp_path, code):
    present, _ = measured(tmp_path, local(code), valueBoolean=True)
    absent, _ = measured(tmp_path, local(code), valueBoolean=False)
    assert (present["positive"], present["low"], present["high"]) == (True, 1, None)
    assert (absent["positive"], absent["low"], absent["high"]) == (False, 0, 0)


@pytest.mark.parametrize(("code", "value", "positive"), [("vasopressor", 2, True), ("hypoxia", 0, False)])
def test_a_count_answers_whether_there_was_any(tmp_path, code, value, positive):
    assert measured(tmp_path, local(code), valueInteger=value)[0]["positive"] is positive


@pytest.mark.parametrize("code", ["sdi", "facitFatigue", "iceScore", "crsGrade", "icansGrade", "sledai2kTotal"])
def test_a_score_is_not_true_or_false(tmp_path, code):
    row, unread = measured(tmp_path, local(code), valueBoolean=False)
    assert (row["low"], unread) == (None, ["a score is a number, not true or false"])


@pytest.mark.parametrize(
    ("value", "unit", "level"),
    [(0, "L/min", 0), (2, "L/min", 1), (6, "L/min", 1), (6.5, "L/min", 2), (40, "L/min", 2), (500, "mL/min", 1)],
)
def test_a_flow_of_oxygen_is_a_level_of_hypoxia(tmp_path, value, unit, level):
    row, unread = measured(tmp_path, local("hypoxia"), valueQuantity=quantity(value, unit))
    assert (row["low"], row["high"], row["positive"], unread) == (level, level, level > 0, [])


def test_a_flow_above_a_limit_is_a_bound(tmp_path):
    row, _ = measured(tmp_path, local("hypoxia"), valueQuantity=quantity(6, "L/min", ">"))
    assert (row["low"], row["high"], row["positive"]) == (2, None, True)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("none", 0),
        ("Room air", 0),
        ("No supplemental oxygen", 0),
        ("low-flow", 1),
        ("Low-flow nasal cannula", 1),
        ("blow-by", 1),
        ("High-flow nasal cannula", 2),
        ("facemask", 2),
        ("non-rebreather mask", 2),
        ("Venturi mask", 2),
        ("CPAP", 3),
        ("BiPAP mask", 3),
        ("Mechanical ventilation", 3),
        ("non-invasive ventilation", 3),
    ],
)
def test_how_oxygen_was_given_is_a_level_of_hypoxia(tmp_path, text, level):
    for value in ({"valueString": text}, {"valueCodeableConcept": {"text": text}}):
        row, unread = measured(tmp_path, local("hypoxia"), **value)
        assert (row["low"], row["high"], unread) == (level, level, [])


@pytest.mark.parametrize("text", ["no mask", "nasal cannula 8 L/min", "severe", "not ventilated", "oxygen"])
def test_other_words_on_oxygen_are_not_read(tmp_path, text):
    row, unread = measured(tmp_path, local("hypoxia"), valueString=text)
    assert (row["low"], row["high"]) == (None, None)
    assert len(unread) == 1


@pytest.mark.parametrize("unit", ["L", "%"])
def test_a_flow_in_another_unit_is_not_read(tmp_path, unit):
    row, unread = measured(tmp_path, local("hypoxia"), valueQuantity=quantity(2, unit))
    assert (row["low"], len(unread)) == (None, 1)


@pytest.mark.parametrize(
    ("value", "positive"),
    [
        ({"valueBoolean": True}, True),
        ({"valueCodeableConcept": NEGATIVE}, False),
        ({"interpretation": [concept("", "POS")]}, True),
    ],
)
def test_a_new_anti_drug_antibody(tmp_path, value, positive):
    assert measured(tmp_path, local("newAntiDrugAntibody"), **value)[0]["positive"] is positive


def test_a_dose_limiting_toxicity_is_an_answer(tmp_path):
    assert measured(tmp_path, local("doseLimitingToxicity"), valueBoolean=True)[0]["positive"] is True


@pytest.mark.parametrize(
    "value", [{"valueString": "b"}, {"valueCodeableConcept": {"coding": [{"code": "B", "display": "Moderate"}]}}]
)
def test_a_bilag_grade(tmp_path, value):
    assert measured(tmp_path, local("bilag:renal"), **value)[0]["text"] == "B"
