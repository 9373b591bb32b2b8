"""What says whether a record holds, as systems write it: statuses that are missing, of other forms, or doubtful."""

import json
from datetime import date

import pyarrow.parquet as pq
import pytest

from patients.fhir_builder import (
    concept,
    condition,
    loinc,
    observation,
    quantity,
    read,
    reasons,
    resource,
    rows,
    snomed,
)
from sle_kg.ingest import Options, ingest_cohort
from sle_kg.namespaces import ATC, CVX
from sle_kg.patients.facts import COLUMNS
from sle_kg.patients.read import read_patients

SIGNED = date(2026, 11, 20)
UNCLEAR = "does not tell whether the consent holds"


def consent(**elements):
    given = {
        "status": "active",
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "dateTime": f"{SIGNED}",
        "identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT06892145"}],
    }
    return resource("Consent", **(given | elements))


def permitted(**period):
    return {"type": "permit", "period": period}


def act(code):
    return concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", code)


CONSENTS = [
    ({}, "active", SIGNED),
    ({"policyRule": act("OPTIN")}, "active", SIGNED),
    ({"policyRule": act("OPTOUT")}, "rejected", SIGNED),
    ({"status": None, "policyRule": act("OPTOUT")}, "rejected", SIGNED),
    ({"status": None}, "unclear", SIGNED),
    ({"provision": {"type": "permit", "provision": [{"type": "permit"}, {"type": "deny"}]}}, "unclear", SIGNED),
    ({"provision": [{"type": "deny"}]}, "unclear", SIGNED),
    ({"provision": permitted(start="2026-11-01")}, "active", SIGNED),
    ({"provision": permitted(start="2026")}, "active", SIGNED),
    ({"provision": permitted(start="2027-01-01", end="2030")}, "active", date(2027, 1, 1)),
    ({"provision": permitted(start="2027-01-01"), "dateTime": None}, "active", date(2027, 1, 1)),
    ({"provision": permitted(start="soon")}, "unclear", SIGNED),
    ({"provision": permitted(start="2026-13")}, "unclear", SIGNED),
    ({"provision": permitted(start="2027-01-01"), "status": "inactive"}, "inactive", SIGNED),
]


@pytest.mark.parametrize(("elements", "status", "since"), CONSENTS)
def test_a_consent_holds_where_all_of_it_says_so(tmp_path, elements, status, since):
    data = read(tmp_path, consent(**elements))
    assert [(row["status"], row["date_from"]) for row in rows(data, "consent")] == [(status, since)]
    assert reasons(data) == ([UNCLEAR] if status == "unclear" else [])


def test_a_consent_signed_on_a_day_that_cannot_be_read_is_reported(tmp_path):
    data = read(tmp_path, consent(provision=permitted(start="2027-01-01"), dateTime="soon"))
    assert (rows(data, "consent"), reasons(data)) == ([], ["'soon' is no date"])


def result(**elements):
    return observation(loinc("1742-6"), **({"valueQuantity": quantity(25, "U/L")} | elements))


@pytest.mark.parametrize(
    "given",
    [result(status=None), observation(loinc("24323-8"), status=None, component=[result()])],
)
def test_a_result_without_a_status_is_the_latest_and_says_nothing(tmp_path, given):
    data = read(tmp_path, given)
    [row] = rows(data, "measurement")
    assert (row["test"], row["low"], row["high"]) == ("alt", None, None)
    assert reasons(data) == ["the value '(no status)' is text"]


def status(code, system="http://terminology.hl7.org/CodeSystem/condition-ver-status"):
    return {"system": system, "code": code}


def germany(certainty, **elements):
    """A diagnosis as German systems write how certain its code is."""
    sure = {"system": "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_DIAGNOSESICHERHEIT", "code": certainty}
    extension = {"url": "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit", "valueCoding": sure}
    code = {"system": "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "code": "M32.9", "extension": [extension]}
    return condition({"coding": [code]}, **elements)


LOCAL = status("7", "http://hospital.example/certainty")
SLE = snomed("55464009")
CONFIRMED = {"coding": [status("confirmed")]}
ACTIVE = {"coding": [status("active")]}
DIAGNOSES = [
    (condition(SLE, verificationStatus="refuted"), "refuted", None),
    (condition(SLE, verificationStatus="Confirmed", clinicalStatus="active"), "confirmed", True),
    (condition(SLE, verificationStatus="entered-in-error"), None, None),
    (condition(SLE, verificationStatus={"coding": [LOCAL, status("refuted")]}), "refuted", None),
    (condition(SLE, verificationStatus={"coding": [LOCAL, status("confirmed")]}), "confirmed", None),
    (condition(SLE, verificationStatus={"coding": [LOCAL, status("entered-in-error")]}), None, None),
    (condition(SLE, verificationStatus={"coding": [status("confirmed", "x"), status("refuted")]}), "refuted", None),
    (condition(SLE, verificationStatus={"coding": [LOCAL, status("refuted", "x")]}), "refuted", None),
    (condition(SLE, verificationStatus={"coding": [LOCAL], "text": "Confirmed"}), "uncertain", None),
    (condition(SLE, verificationStatus={"text": "Confirmed"}), "confirmed", None),
    (condition(SLE, verificationStatus={"extension": [{"url": "x", "valueCode": "unknown"}]}), "uncertain", None),
    (condition(SLE, clinicalStatus={"coding": [LOCAL, status("active")]}), "confirmed", True),
    (germany("G"), "confirmed", None),
    (germany("A"), "refuted", None),
    (germany("V"), "uncertain", None),
    (germany("V", verificationStatus=CONFIRMED), "uncertain", None),
    (germany("A", verificationStatus=CONFIRMED), "uncertain", None),
    (germany("V", verificationStatus={"coding": [status("refuted")]}), "refuted", None),
    (germany("Z", clinicalStatus=ACTIVE), "confirmed", None),
    (germany("Z", clinicalStatus={"coding": [status("resolved")]}), "confirmed", False),
    (condition(SLE, category=[snomed("57177007")], verificationStatus=CONFIRMED), "uncertain", None),
    (condition(SLE, category=[{"text": "Family History"}]), "uncertain", None),
    (condition(SLE, category=[concept("http://x", "problem-list-item")]), "confirmed", None),
]


@pytest.mark.parametrize(("given", "expected", "ongoing"), DIAGNOSES)
def test_statuses_of_a_diagnosis_as_systems_write_them(tmp_path, given, expected, ongoing):
    found = [(row["status"], row["ongoing"]) for row in rows(read(tmp_path, given), "condition")]
    assert found == ([(expected, ongoing)] if expected else [])


def test_a_refuted_allergy_as_systems_wrote_it(tmp_path):
    allergy = resource("AllergyIntolerance", code=concept(ATC, "L04AX01"), verificationStatus="refuted")
    assert [row["status"] for row in rows(read(tmp_path, allergy), "allergy")] == ["refuted"]


DENIED = [
    resource("Immunization", vaccineCode=concept(CVX, "03"), status="completed", notGiven=True),
    resource("Immunization", vaccineCode=concept(CVX, "03"), status="completed", wasNotGiven=True),
    resource("Procedure", code=snomed("116859006"), status="completed", notDone=True),
    resource("Procedure", code=snomed("116859006"), status="completed", notPerformed=True),
]


@pytest.mark.parametrize("given", DENIED)
def test_what_was_not_done_as_systems_wrote_it(tmp_path, given):
    data = read(tmp_path, given)
    assert [row["given"] for row in rows(data, "immunization")] + [row["done"] for row in rows(data, "procedure")] == [
        "no"
    ]
    assert rows(read(tmp_path, given | {"status": "entered-in-error"}), "record")[1:] == []


def test_tables_hold_the_same(tmp_path):
    """What is read by remembered forms says the same."""
    lines = [{"resourceType": "Patient", "id": "p"}]
    for day in ("2026-11-10", "2026-11-20", "2026"):
        lines += [consent(**elements) | {"dateTime": day} for elements, _, _ in CONSENTS]
        lines += [result(status=None, effectiveDateTime=day), result(effectiveDateTime=day)]
        lines += [given | {"recordedDate": day} for given, _, _ in DIAGNOSES]
        lines += [given | {"occurrenceDateTime": day, "performedDateTime": day} for given in DENIED]
    file = tmp_path / "export.ndjson"
    file.write_text("".join(f"{json.dumps(line | {'id': f'r{number}'})}\n" for number, line in enumerate(lines)))
    file.write_text(file.read_text().replace('"id": "r0"', '"id": "p"'))
    expected = read_patients([file]).tables
    ingest_cohort([str(file)], tmp_path / "tables", Options())
    for name in COLUMNS:
        found = pq.read_table(tmp_path / "tables" / f"{name}.parquet").to_pylist()
        assert sorted(map(repr, found)) == sorted(map(repr, expected[name].to_pylist())), name
