"""What records refer to: their patient, their Medication, what stands inside of others; the same in both readers."""

import json

import pyarrow.parquet as pq
import pytest

from patients.fhir_builder import (
    bundle,
    concept,
    condition,
    dosage,
    loinc,
    observation,
    quantity,
    resource,
    snomed,
    statement,
)
from sle_kg.ingest import Options, ingest_cohort
from sle_kg.namespaces import LOCAL_CODES, RXNORM
from sle_kg.patients.facts import COLUMNS
from sle_kg.patients.read import read_patients

MODIFIER = [{"url": "http://example.org/not", "valueBoolean": True}]
CANCER = snomed("363346000")
ALT = {"code": loinc("1742-6"), "valueQuantity": quantity(400, "U/L"), "id": "alt", "subject": None}
HYDROXYCHLOROQUINE, RUXOLITINIB = concept(RXNORM, "5521"), concept(RXNORM, "1193326")
NUMBER = {"system": "urn:mrn", "value": "77"}


def person(name="p", **elements):
    return {"resourceType": "Patient", "id": name, "birthDate": "1990-05-10", "gender": "female"} | elements


def link(kind):
    return {"type": kind, "other": {"reference": "Patient/other"}}


def medication(code, **elements):
    return {"resourceType": "Medication", "id": "m", "code": code} | elements


def taken(name="p", reference="Medication/m", **elements):
    elements |= {"medicationReference": {"reference": reference}}
    return statement(None, id=f"s-{name}", subject={"reference": f"Patient/{name}"}, **elements)


def facts(folder, *values, rejects=False):
    """The facts of lines of NDJSON, which the tables of an ingest hold as well; and what is told as passed over."""
    file = folder / "lines.ndjson"
    file.write_text("".join(f"{json.dumps(value)}\n" for value in values))
    data = read_patients([file])
    summary = ingest_cohort([str(file)], folder / "tables", Options())
    for name in COLUMNS if bool(summary.rejects) == rejects else ():
        found = pq.read_table(folder / "tables" / f"{name}.parquet").to_pylist()
        assert sorted(map(repr, found)) == sorted(map(repr, data.tables[name].to_pylist())), name
    assert bool(summary.rejects) == rejects
    return {name: table.to_pylist() for name, table in data.tables.items()}


def why(found):
    return [(row["record"], row["why"], row["section"]) for row in found["unread"]]


# ── Medications ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "elements",
    [
        {"medicationReference": {"display": "Vitamin D"}},
        {"medicationReference": {"identifier": {"value": "1"}}},
        {"medicationReference": {"reference": ""}},
        {"medication": {"concept": HYDROXYCHLOROQUINE}},
    ],
)
def test_a_medicine_without_reference_is_not_the_first_medication(tmp_path, elements):
    lines = [medication(RUXOLITINIB), statement(None, id="x", **elements)]
    for shape in ([person(), *lines], [bundle(*lines)]):
        found = facts(tmp_path / str(len(shape)), *shape) if (tmp_path / str(len(shape))).mkdir() is None else {}
        assert why(found) == [("MedicationStatement/x", "no code", "medications")]
        assert [row["concept"] for row in found["exposure"]] == ["unmapped"]


def test_a_medication_of_the_own_bundle_counts(tmp_path):
    found = facts(
        tmp_path,
        bundle(medication(HYDROXYCHLOROQUINE), taken("a"), patient=person("a")),
        bundle(medication(RUXOLITINIB), taken("b"), patient=person("b")),
        person("c"),
        taken("c"),
    )
    drugs = {row["patient"]: row["concept"] for row in found["exposure"]}
    assert drugs["a"] != drugs["b"] != "unmapped"
    assert drugs["c"] == "unmapped"


def test_the_same_medication_twice_is_one(tmp_path):
    twice = [medication(RUXOLITINIB), medication(RUXOLITINIB, meta={"versionId": "2"})]
    assert why(facts(tmp_path, person(), taken(), *twice)) == []


# ── Modifiers ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "record",
    [
        statement(HYDROXYCHLOROQUINE, id="x", dosage=[dosage() | {"modifierExtension": MODIFIER}]),
        statement(HYDROXYCHLOROQUINE, id="x", dosage=[{"timing": {"modifierExtension": MODIFIER}}]),
        statement(HYDROXYCHLOROQUINE, id="x", implicitRules="http://example.org/rules"),
        taken(),
        taken(reference="#c", contained=[medication(RUXOLITINIB, id="c", implicitRules="http://rules")]),
    ],
)
def test_a_modifier_within_a_medicine_or_of_its_medication_withholds_it(tmp_path, record):
    found = facts(tmp_path, person(), record | {"id": "x"}, medication(RUXOLITINIB, modifierExtension=MODIFIER))
    assert why(found) == [("MedicationStatement/x", "no code", "medications")]


@pytest.mark.parametrize(
    "elements",
    [
        {"referenceRange": [{"high": quantity(40, "U/L"), "modifierExtension": MODIFIER}]},
        {"implicitRules": "http://example.org/rules"},
    ],
)
def test_a_modifier_within_a_result_withholds_it(tmp_path, elements):
    result = {"code": loinc("1742-6"), "valueQuantity": quantity(25, "U/L")}
    lines = [observation(**result, on=f"2026-11-1{day}", **elements) for day in (1, 2)]
    found = facts(tmp_path, person(), *lines, observation(**result))
    assert [row["low"] is None for row in found["measurement"]] == [True, True, False]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"modifierExtension": MODIFIER}, "'(modifierExtension http://example.org/not)' is no date"),
        ({"link": [link("replaces"), link("replaced-by")]}, "'(replaced by Patient/other)' is no date"),
        ({"link": [link("replaces"), link("seealso")]}, None),
    ],
)
def test_of_a_patient_replaced_or_with_a_modifier_birth_date_and_sex_are_not_known(tmp_path, given, reason):
    found = facts(tmp_path, person(**given))
    assert [(row["birth_from"] is None, row["sex"] is None) for row in found["patient"]] == [(bool(reason),) * 2]
    assert [said for _, said, _ in why(found)[:1]] == [reason] * bool(reason)


# ── Records within others ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["DiagnosticReport", "EpisodeOfCare", "Observation"])
def test_a_contained_result_is_read_under_the_name_of_both(tmp_path, kind):
    inside = observation(**ALT)
    lines = [resource(kind, id=f"r{n}", contained=[inside], code=loinc("24323-8")) for n in (1, 2)]
    found = facts(tmp_path, person(), *lines, resource("DiagnosticReport", id="r3"))
    results = [(row["record"], row["low"]) for row in found["measurement"] if row["test"] == "alt"]
    assert results == [(f"{kind}/r1#alt", 400), (f"{kind}/r2#alt", 400)]


def test_contained_records_refer_to_what_stands_beside_them(tmp_path):
    inside = [statement(None, id="s", subject=None, medicationReference={"reference": "#m"}), medication(RUXOLITINIB)]
    inside.append(condition(CANCER, id="c"))
    found = facts(tmp_path, person(), resource("Encounter", id="e", contained=inside))
    assert [row["record"] for row in found["exposure"]] == ["Encounter/e#s"]
    assert [row["record"] for row in found["condition"]] == ["Encounter/e#c"]
    assert why(found) == []


@pytest.mark.parametrize(
    "outer",
    [
        {"resourceType": "FamilyMemberHistory", "status": "completed"},
        {"resourceType": "RelatedPerson"},
        {"resourceType": "Condition", "verificationStatus": concept("x", "entered-in-error"), "code": CANCER},
        {"resourceType": "Observation", "status": "final", "code": loinc("24323-8"), "focus": [{"display": "donor"}]},
    ],
)
def test_what_is_contained_in_a_record_of_somebody_else_is_none_of_the_patient(tmp_path, outer):
    inside = [observation(**ALT), condition(CANCER, id="c", subject=None)]
    outer |= {"id": "r", "patient": {"reference": "Patient/p"}, "subject": {"reference": "Patient/p"}}
    found = facts(tmp_path, bundle(outer | {"contained": inside}))
    assert [row["low"] for row in found["measurement"] if row["low"] is not None] == []
    assert [row for row in found["condition"] if row["concept"] != "unmapped"] == []


def test_a_result_is_of_the_adverse_event_of_its_own_patient(tmp_path):
    lines = []
    for name in ("p", "q"):
        subject = {"reference": f"Patient/{name}"}
        event = resource(
            "AdverseEvent", id="ae", subject=subject, event=concept(LOCAL_CODES, "crs"), actuality="actual"
        )
        about = {"focus": [{"reference": "AdverseEvent/ae"}], "subject": subject, "valueInteger": 2}
        lines += [person(name), event, observation(concept(LOCAL_CODES, "crsGrade"), id=f"g-{name}", **about)]
    found = facts(tmp_path, *lines)
    assert [(row["patient"], row["grade_low"]) for row in found["adverse_event"]] == [("p", 2), ("q", 2)]


def test_what_changes_the_outer_resource_changes_what_it_contains(tmp_path):
    report = {"contained": [observation(**ALT)], "id": "r"}
    [row] = facts(tmp_path, person(), resource("DiagnosticReport", **report, modifierExtension=MODIFIER))["measurement"]
    assert row["low"] is None
    (tmp_path / "2").mkdir()
    wrong = resource("DiagnosticReport", **report, status="entered-in-error")
    assert facts(tmp_path / "2", person(), wrong)["measurement"] == []


# ── Patients ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "subject",
    [
        {"identifier": NUMBER},
        {"reference": "Patient?identifier=urn:mrn|77"},
        {"reference": "https://hospital.example/fhir/Patient?identifier=urn%3Amrn%7C77"},
        {"reference": "#in"},
    ],
)
def test_a_patient_is_found_by_identifier(tmp_path, subject):
    inside = [{"resourceType": "Patient", "id": "in", "identifier": [NUMBER]}]
    lines = [condition(CANCER, id=f"c{n}", subject=subject, contained=inside) for n in (1, 2)]
    found = facts(tmp_path, *lines, person("q"), person("p", identifier=[{"value": "1"}, NUMBER]))
    assert [(row["patient"], row["record"]) for row in found["condition"]] == [
        ("p", "Condition/c1"),
        ("p", "Condition/c2"),
    ]
    assert why(found) == []


def test_an_identifier_of_two_patients_names_neither(tmp_path):
    lines = [person("p", identifier=[NUMBER]), person("q", identifier=[NUMBER])]
    found = facts(tmp_path, *lines, condition(CANCER, subject={"identifier": NUMBER}), rejects=True)
    assert found["condition"] == []


@pytest.mark.parametrize(
    "subject", [None, {"display": "Doe, Jane"}, {"reference": "#in"}, {"type": "Patient"}, {"identifier": NUMBER}]
)
def test_a_record_that_names_nobody_keeps_the_section_of_the_only_patient_open(tmp_path, subject):
    inside = [{"resourceType": "Patient", "id": "in"}]
    lines = [
        condition(CANCER, id="c", subject=subject, contained=inside),
        observation(loinc("1742-6"), id="o", subject=subject, contained=inside, valueQuantity=quantity(400, "U/L")),
    ]
    found = facts(tmp_path, bundle(*lines), bundle(patient=person("q")))
    assert [(row["patient"], row["record"], row["section"]) for row in found["unread"]] == [
        ("p", "Condition/c", "conditions"),
        ("p", "Observation/o", None),
    ]
    assert [(row["patient"], row["low"]) for row in found["measurement"]] == [("p", None)]


@pytest.mark.parametrize("subject", ["Patient/other", "Group/g", "#device", "urn:uuid:1"])
def test_a_record_of_somebody_else_is_not_of_the_only_patient(tmp_path, subject):
    inside = [{"resourceType": "Device", "id": "device"}]
    found = facts(tmp_path, bundle(condition(CANCER, subject={"reference": subject}, contained=inside)), rejects=True)
    assert (found["condition"], found["unread"]) == ([], [])
