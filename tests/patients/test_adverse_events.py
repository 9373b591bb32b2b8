"""Adverse events: grade, seriousness, relation and outcome, from the event and from observations about it."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from patients.fhir_builder import concept, local, observation, quantity, read, reasons, resource, rows, snomed
from sle_kg.namespaces import ICD10CM, LOCAL_CODES
from sle_kg.patients.adverse_event import grade_in, named_kinds, relation_in
from sle_kg.patients.facts import PatientData
from sle_kg.patients.raw import Scalar

HL7 = "http://terminology.hl7.org/CodeSystem/adverse-event-"
MEDDRA = "http://terminology.hl7.org/CodeSystem/MDRAE"
GRADE = "http://hl7.org/fhir/us/ctcae/StructureDefinition/ctcae-grade"
GRADES = "http://hl7.org/fhir/us/ctcae/CodeSystem/ctcae-grade-code-system"
CRS = {"text": "Cytokine release syndrome"}


def event(code=CRS, on="2026-11-12", **elements):
    return resource("AdverseEvent", **({"id": "ae1", "actuality": "actual", "event": code, "date": on} | elements))


def graded(value, **elements):
    return event(extension=[{"url": GRADE, "valueInteger": value}], **elements)


def grade(test="ctcaeGrade", value=2, on="2026-11-12", element="focus", **elements):
    reference = {"reference": "AdverseEvent/ae1"}
    many = element != "subject"
    given = {"valueInteger": value, element: [reference] if many else reference} | elements
    return observation(local(test), on, **given)


def only(data: PatientData):
    [row] = rows(data, "adverse_event")
    return row


def bounds(data: PatientData) -> tuple[Scalar | None, Scalar | None]:
    row = only(data)
    return row["grade_low"], row["grade_high"]


def suspect(*answers):
    """Suspected products with their causality; None: not assessed."""
    return [
        {"instance": {"display": "product"}} | ({"causality": [{"assessment": answer}]} if answer else {})
        for answer in answers
    ]


# ── An event as it is written ────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_event(tmp_path):
    data = read(
        tmp_path,
        event(
            concept(MEDDRA, "10052015", "Cytokine release syndrome"),
            detected="2026-11-13",
            recordedDate="2026-11-14",
            seriousness=concept(HL7 + "seriousness", "SeriousResultsInHospitalization"),
            severity=concept(HL7 + "severity", "moderate"),
            outcome=concept(HL7 + "outcome", "resolved"),
            suspectEntity=suspect(concept(HL7 + "causality-assess", "probably-likely")),
            extension=[{"url": GRADE, "valueCodeableConcept": concept(GRADES, "2", "Moderate Adverse Event")}],
        ),
        grade("doseLimitingToxicity", valueInteger=None, valueBoolean=False),
    )
    assert only(data) == {
        "term": "Cytokine release syndrome",
        "concept": "crs",
        "date_from": date(2026, 11, 12),
        "date_to": date(2026, 11, 12),
        "grade_low": 2,
        "grade_high": 2,
        "serious": True,
        "related": True,
        "dose_limiting": False,
        "fatal": False,
    }
    [line] = [row for row in data.tables["record"].to_pylist() if row["record"] == "AdverseEvent/ae1"]
    assert (line["what"], line["value"], line["date"]) == (
        "Cytokine release syndrome",
        "grade 2, serious, related",
        "2026-11-12",
    )
    assert reasons(data) == []


def test_what_is_not_said_is_not_known(tmp_path):
    row = only(read(tmp_path, event({"text": "Headache"})))
    assert {name for name, value in row.items() if value is not None} == {"term", "concept", "date_from", "date_to"}
    assert row["concept"] == "unmapped"


@pytest.mark.parametrize("actuality", ["potential", "entered-in-error"])
def test_what_did_not_happen_is_passed_over(tmp_path, actuality):
    data = read(tmp_path, event(actuality=actuality))
    assert rows(data, "adverse_event") == []
    assert data.skipped == {f"AdverseEvent that is {actuality}": 1}


@pytest.mark.parametrize(
    ("elements", "first", "last"),
    [
        ({"on": "2026-11"}, date(2026, 11, 1), date(2026, 11, 30)),
        ({"on": None, "detected": "2026-11-13", "recordedDate": "2026-11-20"}, None, date(2026, 11, 13)),
        ({"on": None, "recordedDate": "2026-11-20"}, None, date(2026, 11, 20)),
    ],
)
def test_the_onset_is_at_the_latest_the_day_of_detection(tmp_path, elements, first, last):
    row = only(read(tmp_path, event(**elements)))
    assert (row["date_from"], row["date_to"]) == (first, last)


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"on": None}, "the adverse event has no date"),
        ({"on": "2026-02-30"}, "'2026-02-30' is no date of the calendar"),
        ({"code": None}, "the adverse event has no name"),
    ],
)
def test_an_event_without_date_or_name_is_kept_and_reported(tmp_path, elements, why):
    data = read(tmp_path, event(**elements))
    assert len(rows(data, "adverse_event")) == 1
    assert reasons(data) == [why]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ({"text": "CRS"}, "crs"),
        ({"text": "Cytokine Release Syndrome (CRS), grade 2"}, "crs"),
        (concept(ICD10CM, "D89.832", "Cytokine release syndrome, grade 2"), "crs|icd:D89.832"),
        (concept("urn:oid:2.16.840.1.113883.6.163", "10052015"), "crs"),
        (concept("https://www.meddra.org", "10052015"), "crs"),
        (concept(LOCAL_CODES, "icans"), "icans"),
        (concept(ICD10CM, "G92.01"), "icans|icd:G92.01"),
        ({"text": "Immune effector cell-associated neurotoxicity syndrome"}, "icans"),
        ({"text": "Fever before CRS"}, "unmapped"),
        (snomed("25064002") | {"text": "Headache"}, "unmapped"),
    ],
)
def test_crs_and_icans_are_known_by_code_and_by_name(tmp_path, code, found):
    assert only(read(tmp_path, event(code)))["concept"] == found


def test_a_code_map_names_the_kind_of_event(tmp_path):
    codes = {("http://hospital.example/ae", "77"): "crs"}
    data = read(tmp_path, event(concept("http://hospital.example/ae", "77")), code_map=codes)
    assert (only(data)["term"], only(data)["concept"]) == ("77", "crs")


def test_the_example_of_the_documentation(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "patient-data.md").read_text(encoding="utf-8")
    [example] = [block for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "AdverseEvent" in block]
    data = read(tmp_path, json.loads(example) | {"subject": {"reference": "Patient/p"}})
    row = only(data)
    assert (row["concept"], row["serious"], row["related"], row["fatal"]) == ("crs", True, True, False)
    assert (bounds(data), reasons(data)) == ((2, 2), [])


# ── Grade ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 3},
        {"valueCode": "3"},
        {"valueString": "Grade 3"},
        {"valueCodeableConcept": {"coding": [{"code": "C41340", "display": "Grade 3 Severe Adverse Event"}]}},
        {"valueCodeableConcept": {"coding": [{"code": "grade-3"}]}},
        {"valueCoding": {"code": "3", "display": "Severe Adverse Event"}},
        {"valueQuantity": {"value": 3}},
    ],
)
def test_a_grade_as_extension(tmp_path, value):
    data = read(tmp_path, event(extension=[{"url": GRADE, **value}]))
    assert bounds(data) == (3, 3)
    assert reasons(data) == []


@pytest.mark.parametrize("value", [0, 6, 2.5, -1, "severe", True])
def test_a_grade_that_is_none_is_reported_and_leaves_the_grade_open(tmp_path, value):
    data = read(tmp_path, event(extension=[{"url": GRADE, "valueInteger": value}]))
    assert bounds(data) == (None, None)
    assert [why for why in reasons(data) if "is no grade of an adverse event: 1 to 5" in why]


@pytest.mark.parametrize("element", ["focus", "derivedFrom", "partOf", "hasMember", "subject"])
def test_a_grade_in_an_observation_that_refers_to_the_event(tmp_path, element):
    assert bounds(read(tmp_path, grade(element=element), event())) == (2, 2)


def test_an_observation_about_another_event_is_none_of_this_one(tmp_path):
    other = grade(focus=[{"reference": "AdverseEvent/ae2"}])
    data = read(tmp_path, event(), event({"text": "Headache"}, id="ae2"), other)
    assert [row["grade_low"] for row in rows(data, "adverse_event")] == [None, 2]


def test_an_observation_that_refers_to_no_known_event_is_only_a_grade(tmp_path):
    data = read(
        tmp_path,
        event(),
        grade(focus=[{"reference": "AdverseEvent/elsewhere"}]),
        observation(local("crsGrade"), valueInteger=3),
    )
    assert bounds(data) == (None, None)
    assert [row["low"] for row in rows(data, "measurement")] == [2, 3]


def test_the_highest_of_several_days_is_the_grade(tmp_path):
    days = [grade("crsGrade", value, f"2026-11-1{value + 2}") for value in (1, 3, 0)]
    assert bounds(read(tmp_path, event(), *days)) == (3, 3)


def test_grades_of_one_day_are_a_range(tmp_path):
    assert bounds(read(tmp_path, event(), grade(value=1), grade(value=3))) == (1, 3)


def test_a_grade_in_the_event_and_another_in_an_observation_are_a_range(tmp_path):
    assert bounds(read(tmp_path, graded(3), grade(value=2))) == (2, 3)


def test_a_syndrome_is_graded_by_its_own_scale(tmp_path):
    """CTCAE grades cytokine release syndrome otherwise than ASTCT, which is the default (scores.md section 10)."""
    assert bounds(read(tmp_path, event(), grade("crsGrade", 2), grade("ctcaeGrade", 3))) == (2, 2)
    assert bounds(read(tmp_path, event(), grade("icansGrade", 4))) == (None, None)
    assert bounds(read(tmp_path, event({"text": "Confusion"}), grade("icansGrade", 4))) == (4, 4)


@pytest.mark.parametrize("elements", [{"valueInteger": 6}, {"valueInteger": None, "valueString": "severe"}])
def test_an_observation_that_cannot_be_read_leaves_the_grade_open_above(tmp_path, elements):
    data = read(tmp_path, event(), grade(value=2), grade(on="2026-11-13", **elements))
    assert bounds(data) == (2, None)
    assert len(reasons(data)) == 1


def test_a_grade_of_nothing_is_no_grade_of_an_event(tmp_path):
    data = read(tmp_path, event(), grade("crsGrade", 0))
    assert bounds(data) == (None, None)
    assert reasons(data) == ["the grade 0 is no grade of an adverse event: 1 to 5"]


def test_a_comparator_is_a_bound(tmp_path):
    data = read(tmp_path, event(), grade(valueInteger=None, valueQuantity=quantity(3, None, ">=")))
    assert bounds(data) == (3, None)


def test_a_severity_is_no_grade(tmp_path):
    data = read(tmp_path, event(severity=concept(HL7 + "severity", "severe")))
    assert bounds(data) == (1, None)
    assert reasons(data) == []


@pytest.mark.parametrize(
    "elements",
    [
        {"outcome": concept(HL7 + "outcome", "fatal")},
        {"seriousness": concept(HL7 + "seriousness", "SeriousResultsInDeath")},
    ],
)
def test_a_fatal_event_is_of_grade_5(tmp_path, elements):
    row = only(read(tmp_path, graded(4, **elements)))
    assert (row["fatal"], row["grade_low"], row["grade_high"]) == (True, 5, 5)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", "2"),
        ("CTCAE Grade 4", "4"),
        ("grade-1", "1"),
        ("2.0", "2"),
        ("Grade 1-2", None),
        ("Grade 3 or more", None),
        ("severe", None),
    ],
)
def test_grades_in_words(text, number):
    assert grade_in(text) == number


# ── Seriousness, relation, dose limitation ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seriousness", "answer"),
    [
        (concept(HL7 + "seriousness", "Serious"), True),
        (concept(HL7 + "seriousness", "Non-serious"), False),
        (concept(HL7 + "seriousness", "SeriousIsLifeThreatening", "Is Life-threatening"), True),
        (concept("http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "C41336", "Non-serious Adverse Event"), False),
        ({"text": "not serious"}, False),
        ({"text": "yes"}, None),
    ],
)
def test_seriousness(tmp_path, seriousness, answer):
    assert only(read(tmp_path, event(seriousness=seriousness)))["serious"] is answer


@pytest.mark.parametrize(
    ("answers", "related"),
    [
        ([{"text": "Related"}], True),
        ([{"text": "not related"}], False),
        ([concept(HL7 + "causality-assess", "Unlikely")], False),
        ([concept(HL7 + "causality-assess", "Possible")], True),
        ([concept("http://x.example", "4", "Probable")], True),
        ([concept(HL7 + "causality-assess", "unassessable-unclassifiable")], None),
        ([None], None),
        ([{"text": "Related"}, {"text": "certain"}], True),
        ([{"text": "Related"}, {"text": "Unrelated"}], None),
        ([{"text": "Related"}, None], None),
    ],
)
def test_relation_to_the_suspected_products(tmp_path, answers, related):
    assert only(read(tmp_path, event(suspectEntity=suspect(*answers))))["related"] is related


def test_product_relatedness_is_a_relation(tmp_path):
    causes = [{"instance": {}, "causality": [{"productRelatedness": "probable"}]}]
    assert only(read(tmp_path, event(suspectEntity=causes)))["related"] is True


@pytest.mark.parametrize(("text", "related"), [("Probably/Likely", True), ("UNLIKELY_RELATED", False), ("maybe", None)])
def test_categories_of_causality(text, related):
    assert relation_in(text) is related


def test_an_event_is_dose_limiting_where_the_investigator_says_so(tmp_path):
    stated = event(extension=[{"url": "http://trial.example/dose-limiting-toxicity", "valueBoolean": True}])
    assert only(read(tmp_path, stated))["dose_limiting"] is True
    answer = grade("doseLimitingToxicity", valueInteger=None, valueBoolean=False)
    assert only(read(tmp_path, event(), answer))["dose_limiting"] is False
    assert only(read(tmp_path, stated, answer))["dose_limiting"] is None


def test_names_are_compared_as_a_whole():
    from sle_kg.ontology import event_kinds

    kinds = event_kinds().values()
    assert named_kinds("Grade 3 ICANS", kinds) == {"icans"}
    assert named_kinds("(CRS)", kinds) == set()
    assert named_kinds("CRS and ICANS", kinds) == set()


def test_adverse_events_may_be_complete(tmp_path):
    data = read(tmp_path, observation(local("recordComplete"), valueCodeableConcept=local("adverseEvents")))
    assert [row["section"] for row in rows(data, "completeness")] == ["adverseEvents"]


def test_grades_are_exact(tmp_path):
    assert isinstance(bounds(read(tmp_path, graded(2)))[0], Decimal)
