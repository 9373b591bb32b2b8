"""Diagnoses, procedures, vaccines, allergies, consent, statements, plans and completeness."""

from datetime import date

import pytest

from patients.fhir_builder import (
    concept,
    condition,
    local,
    loinc,
    observation,
    quantity,
    read,
    reasons,
    resource,
    rows,
    snomed,
)
from sle_kg.namespaces import CVX, ICD10CM, RXNORM, SNOMED

SLE = snomed("55464009")


def coded(code):
    return concept("http://terminology.hl7.org/CodeSystem/any", code)


def only(folder, table, *resources):
    found = rows(read(folder, *resources), table)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("verification", "expected"),
    [
        (None, "confirmed"),
        ("confirmed", "confirmed"),
        ("refuted", "refuted"),
        ("unconfirmed", "uncertain"),
        ("provisional", "uncertain"),
        ("differential", "uncertain"),
    ],
)
def test_verification_of_a_diagnosis(tmp_path, verification, expected):
    status = coded(verification) if verification else None
    assert only(tmp_path, "condition", condition(SLE, verificationStatus=status))["status"] == expected


@pytest.mark.parametrize("code", ["161445009", "161666008", "428935001"])
def test_a_history_of_another_system_is_unmapped_and_holds_its_section_open(tmp_path, code):
    """SNOMED CT codes of histories that no table holds match exactly or not at all (rule 1 of reading)."""
    unread = only(tmp_path, "unread", condition(snomed(code)))
    assert (unread["why"], unread["section"], unread["code"]) == (
        "unmapped code",
        "conditions",
        f"http://snomed.info/sct|{code}",
    )


def test_a_history_of_car_t_cells_is_a_treatment_too(tmp_path):
    history = condition(concept(ICD10CM, "Z92.850"), recordedDate="2025-06-01")
    row = only(tmp_path, "exposure", history)
    assert (row["concept"], row["taken"], row["start_from"], row["start_to"]) == (
        "icd:Z92.850",
        "yes",
        None,
        date(2025, 6, 1),
    )
    other = condition(concept(ICD10CM, "Z92.21"), recordedDate="2025-06-01")
    assert rows(read(tmp_path, other), "exposure") == []


@pytest.mark.parametrize(
    ("code", "elements", "expected"),
    [
        (snomed("416098002"), {}, ("drugAllergy", "confirmed", None)),
        (concept(ICD10CM, "Z88.0"), {"severity": snomed("24484000")}, ("icd:Z88.0", "confirmed", "high")),
        (concept(ICD10CM, "Z88.0"), {"clinicalStatus": coded("resolved")}, ("icd:Z88.0", "uncertain", None)),
        (concept(ICD10CM, "Z88.0"), {"verificationStatus": coded("provisional")}, ("icd:Z88.0", "uncertain", None)),
        (concept(ICD10CM, "T78.2XXA"), {}, ("icd:T78.2XXA", "uncertain", None)),
    ],
)
def test_an_allergy_noted_as_a_diagnosis_is_an_allergy_too(tmp_path, code, elements, expected):
    row = only(tmp_path, "allergy", condition(code, onsetDateTime="2025-06-01", **elements))
    assert (row["concept"], row["status"], row["criticality"]) == expected
    assert (row["kind"], row["recorded_from"], row["none_known"]) == ("allergy", date(2025, 6, 1), False)


def test_a_refuted_allergy_noted_as_a_diagnosis_is_none(tmp_path):
    refuted = condition(concept(ICD10CM, "Z88.0"), verificationStatus=coded("refuted"))
    assert rows(read(tmp_path, refuted), "allergy") == []


def test_long_term_use_noted_as_a_diagnosis_is_an_uncertain_medicine_until_its_end(tmp_path):
    use = condition(concept(ICD10CM, "Z79.01"), onsetDateTime="2025-06-01", abatementDateTime="2025-09-01")
    row = only(tmp_path, "exposure", use)
    assert (row["taken"], row["start_from"], row["end_to"]) == ("uncertain", date(2025, 6, 1), date(2025, 9, 1))


def test_a_blood_donor_noted_as_a_diagnosis_may_have_given_blood_that_day(tmp_path):
    row = only(tmp_path, "procedure", condition(concept(ICD10CM, "Z52.008"), onsetDateTime="2026-11-10"))
    assert (row["done"], row["from_from"], row["end_to"]) == ("uncertain", date(2026, 11, 10), date(2026, 11, 10))


def test_a_diagnosis_entered_in_error_does_not_exist(tmp_path):
    data = read(tmp_path, condition(SLE, verificationStatus=coded("entered-in-error")))
    assert rows(data, "condition") == []


@pytest.mark.parametrize(
    ("elements", "ongoing", "remission"),
    [
        ({}, None, False),
        ({"clinicalStatus": coded("active")}, True, False),
        ({"clinicalStatus": coded("recurrence")}, True, False),
        ({"clinicalStatus": coded("relapse")}, True, False),
        ({"clinicalStatus": coded("inactive")}, False, False),
        ({"clinicalStatus": coded("remission")}, False, True),
        ({"clinicalStatus": coded("resolved")}, False, False),
        ({"abatementDateTime": "2020-05"}, False, False),
        ({"abatementString": "years ago"}, False, False),
        ({"clinicalStatus": coded("active"), "abatementDateTime": "2020"}, None, False),
    ],
)
def test_whether_a_diagnosis_is_ongoing(tmp_path, elements, ongoing, remission):
    row = only(tmp_path, "condition", condition(SLE, **elements))
    assert (row["ongoing"], row["remission"]) == (ongoing, remission)


def test_dates_of_a_diagnosis(tmp_path):
    asserted = {"url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate", "valueDateTime": "2018-04"}
    row = only(
        tmp_path,
        "condition",
        condition(
            SLE, onsetDateTime="2017", recordedDate="2020-01-01", abatementDateTime="2021-02-03", extension=[asserted]
        ),
    )
    assert (row["onset_from"], row["onset_to"]) == (date(2017, 1, 1), date(2017, 12, 31))
    assert (row["abated_from"], row["abated_to"]) == (date(2021, 2, 3), date(2021, 2, 3))
    assert (row["recorded_from"], row["recorded_to"]) == (date(2018, 4, 1), date(2018, 4, 30))


@pytest.mark.parametrize(
    ("code", "severity"),
    [("24484000", "severe"), ("6736007", "moderate"), ("255604002", "mild"), ("371924009", None)],
)
def test_severity(tmp_path, code, severity):
    assert only(tmp_path, "condition", condition(SLE, severity=snomed(code)))["severity"] == severity


@pytest.mark.parametrize(
    "elements",
    [
        {"onsetDateTime": "2020-01-01", "abatementDateTime": "2019-12-31"},
        {"onsetDateTime": "2020-02-30"},
        {"recordedDate": "yesterday"},
    ],
)
def test_impossible_dates_leave_a_diagnosis_uncertain(tmp_path, elements):
    data = read(tmp_path, condition(SLE, **elements))
    assert rows(data, "condition")[0]["status"] == "uncertain"
    assert len(reasons(data)) == 1


def test_a_diagnosis_that_begins_after_it_was_recorded_was_made_between_the_two(tmp_path):
    data = read(tmp_path, condition(SLE, onsetDateTime="2062-05-01", recordedDate="2026-05-02"))
    row = rows(data, "condition")[0]
    assert (row["status"], row["onset_from"], row["onset_to"]) == ("confirmed", None, None)
    assert (row["recorded_from"], row["recorded_to"]) == (date(2026, 5, 2), date(2062, 5, 1))
    assert reasons(data) == ["the diagnosis begins after it was recorded"]
    assert reasons(read(tmp_path, condition(SLE, onsetDateTime="2026-05-02", recordedDate="2026-05"))) == []


def test_unmapped_diagnoses_keep_conditions_open_unless_refuted(tmp_path):
    unknown = snomed("254837009")
    data = read(tmp_path, condition(unknown, id="a"), condition(unknown, id="b", verificationStatus=coded("refuted")))
    found = {row["record"]: row["section"] for row in data.tables["unread"].to_pylist()}
    assert found == {"Condition/a": "conditions", "Condition/b": None}
    mapped = {("http://snomed.info/sct", "254837009"): "malignancy"}
    assert rows(read(tmp_path, condition(unknown), code_map=mapped), "condition")[0]["concept"] == "malignancy"
    other = {("http://snomed.info/sct", "254837009"): "other"}
    assert reasons(read(tmp_path, condition(unknown), code_map=other)) == []


def test_icd_codes_stay_codes(tmp_path):
    assert only(tmp_path, "condition", condition(concept(ICD10CM, "C50.911")))["concept"] == "icd:C50.911"


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ("completed", "yes"),
        ("in-progress", "yes"),
        ("not-done", "no"),
        ("stopped", "uncertain"),
        ("on-hold", "uncertain"),
        ("unknown", "uncertain"),
    ],
)
def test_statuses_of_a_procedure(tmp_path, status, done):
    row = only(
        tmp_path,
        "procedure",
        resource("Procedure", status=status, code=snomed("302497006"), performedDateTime="2026-11-01"),
    )
    assert (row["concept"], row["done"], row["from_from"]) == ("hemodialysis", done, date(2026, 11, 1))
    assert row["end_to"] == (None if status == "in-progress" else date(2026, 11, 1))


@pytest.mark.parametrize("status", ["preparation", "entered-in-error"])
def test_procedures_that_do_not_exist(tmp_path, status):
    assert rows(read(tmp_path, resource("Procedure", status=status, code=snomed("302497006"))), "procedure") == []


def test_period_of_a_procedure(tmp_path):
    period = {"start": "2026-10", "end": "2026-11-02"}
    row = only(
        tmp_path,
        "procedure",
        resource("Procedure", status="completed", code=snomed("20720000"), performedPeriod=period),
    )
    assert [row[name] for name in ("from_from", "from_to", "end_from", "end_to")] == [
        date(2026, 10, 1),
        date(2026, 10, 31),
        date(2026, 11, 2),
        date(2026, 11, 2),
    ]


@pytest.mark.parametrize(("status", "done"), [("completed", "yes"), ("unknown", "uncertain"), ("stopped", "uncertain")])
def test_a_procedure_in_a_period_without_an_end_ended_on_an_unknown_day(tmp_path, status, done):
    dialysis = resource("Procedure", status=status, code=snomed("302497006"), performedPeriod={"start": "2026-06"})
    row = only(tmp_path, "procedure", dialysis)
    assert (row["done"], row["end_from"], row["end_to"]) == (done, date(2026, 6, 1), None)


def test_a_procedure_noted_as_an_observation_of_a_period_without_an_end(tmp_path):
    noted = observation(snomed("302497006"), valueBoolean=True, effectivePeriod={"start": "2026-06-01"})
    row = only(tmp_path, "procedure", {**noted, "effectiveDateTime": None})
    assert (row["done"], row["end_from"], row["end_to"]) == ("uncertain", date(2026, 6, 1), None)


def test_a_diagnosis_begins_and_ends_on_a_day_of_a_period_without_an_end(tmp_path):
    periods = {"onsetPeriod": {"start": "2024-01-01"}, "abatementPeriod": {"start": "2026-06-01"}}
    row = only(tmp_path, "condition", condition(SLE, clinicalStatus=concept("", "resolved"), **periods))
    assert [row[name] for name in ("onset_from", "onset_to", "abated_from", "abated_to")] == [
        date(2024, 1, 1),
        None,
        date(2026, 6, 1),
        None,
    ]


def test_a_result_of_a_period_without_an_end_is_of_its_start(tmp_path):
    result = observation(loinc("2160-0"), valueQuantity=quantity(1, "mg/dL"), effectivePeriod={"start": "2026-11-10"})
    row = only(tmp_path, "measurement", {**result, "effectiveDateTime": None})
    assert (row["date_from"], row["date_to"]) == (date(2026, 11, 10), date(2026, 11, 10))


@pytest.mark.parametrize(("status", "given"), [("completed", "yes"), ("not-done", "no")])
def test_vaccines(tmp_path, status, given):
    vaccine = resource("Immunization", status=status, vaccineCode=concept(CVX, "3"), occurrenceDateTime="2026-11-01")
    row = only(tmp_path, "immunization", vaccine)
    assert (row["concept"], row["given"], row["date_from"]) == ("cvx:03", given, date(2026, 11, 1))


def test_allergies(tmp_path):
    drug = resource(
        "AllergyIntolerance", code=concept(RXNORM, "8640"), type="allergy", criticality="high", recordedDate="2020"
    )
    row = only(tmp_path, "allergy", drug)
    assert (row["concept"], row["status"], row["kind"], row["criticality"]) == (
        "prednisone",
        "confirmed",
        "allergy",
        "high",
    )
    assert (row["recorded_to"], row["none_known"]) == (date(2020, 12, 31), False)
    by_reaction = resource("AllergyIntolerance", reaction=[{"substance": concept(RXNORM, "1256")}])
    assert only(tmp_path, "allergy", by_reaction)["concept"] == "azathioprine"
    refuted = resource("AllergyIntolerance", code=concept(RXNORM, "8640"), verificationStatus=coded("refuted"))
    assert only(tmp_path, "allergy", refuted)["status"] == "refuted"


def test_no_known_allergy_is_no_unmapped_code(tmp_path):
    for system in (SNOMED, "urn:oid:2.16.840.1.113883.6.96", "http://snomed.info/sct/900000000000207008"):
        data = read(tmp_path, resource("AllergyIntolerance", code=concept(system, "716186003")))
        assert (rows(data, "allergy")[0]["none_known"], reasons(data)) == (True, [])


ABSENT_UNKNOWN = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"


@pytest.mark.parametrize(
    ("system", "code", "told"),
    [
        (ABSENT_UNKNOWN, "no-known-allergies", ("other", "confirmed", True, [])),
        (ABSENT_UNKNOWN, "no-allergy-info", ("unmapped", "uncertain", False, ["unmapped code"])),
        (ABSENT_UNKNOWN, "no-known-food-allergies", ("unmapped", "uncertain", False, ["unmapped code"])),
        (SNOMED, "409137002", ("unmapped", "uncertain", False, ["unmapped code"])),
        (SNOMED, "91936005", ("unmapped", "confirmed", False, ["unmapped code"])),
    ],
)
def test_what_an_allergy_says_of_none(tmp_path, system, code, told):
    data = read(tmp_path, resource("AllergyIntolerance", code=concept(system, code), type="allergy"))
    [row] = rows(data, "allergy")
    assert (row["concept"], row["status"], row["none_known"], reasons(data)) == told


@pytest.mark.parametrize(
    ("kind", "element", "known", "unknown"),
    [
        ("Condition", "code", "no-known-problems", "no-problem-info"),
        ("Procedure", "code", "no-known-procedures", "no-procedure-info"),
        ("Immunization", "vaccineCode", "no-known-immunizations", "no-immunization-info"),
        ("MedicationStatement", "medicationCodeableConcept", "no-known-medications", "no-medication-info"),
    ],
)
def test_none_known_is_no_unmapped_code_and_nothing_known_is_one(tmp_path, kind, element, known, unknown):
    assert reasons(read(tmp_path, resource(kind, **{element: concept(ABSENT_UNKNOWN, known)}))) == []
    assert reasons(read(tmp_path, resource(kind, **{element: concept(ABSENT_UNKNOWN, unknown)}))) == ["unmapped code"]


def test_no_known_allergy_beside_a_substance_denies_none(tmp_path):
    codes = snomed("716186003")["coding"] + concept("http://www.whocc.no/atc", "L04AX01")["coding"]
    [row] = rows(read(tmp_path, resource("AllergyIntolerance", code={"coding": codes})), "allergy")
    assert (row["none_known"], "L04AX01" in row["concept"], row["status"]) == (False, True, "confirmed")


def consent(**elements):
    given = {
        "status": "active",
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "dateTime": "2026-11-20",
        "identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT06892145"}],
    }
    return resource("Consent", **(given | elements))


def test_consent(tmp_path):
    row = only(tmp_path, "consent", consent())
    assert (row["trial"], row["date_from"]) == ("NCT06892145", date(2026, 11, 20))
    assert only(tmp_path, "consent", consent(identifier=None))["trial"] is None


@pytest.mark.parametrize(
    "elements",
    [
        {"status": "proposed"},
        {"status": "proposed", "provision": {"type": "deny"}},
        {"status": "draft"},
        {"dateTime": "2026-11-31"},
        {"scope": coded("patient-privacy")},
    ],
)
def test_what_is_no_active_research_consent(tmp_path, elements):
    assert rows(read(tmp_path, consent(**elements)), "consent") == []


@pytest.mark.parametrize(
    ("elements", "expected", "value"),
    [
        ({}, ("active", date(2026, 11, 20), None), "NCT06892145"),
        ({"status": "rejected"}, ("rejected", date(2026, 11, 20), None), "NCT06892145, refused"),
        ({"status": "inactive"}, ("inactive", date(2026, 11, 20), None), "NCT06892145, withdrawn or replaced"),
        ({"provision": {"type": "deny"}}, ("rejected", date(2026, 11, 20), None), "NCT06892145, refused"),
        ({"status": "rejected", "dateTime": None}, ("rejected", None, None), "NCT06892145, refused"),
        (
            {"status": "rejected", "identifier": None},
            ("rejected", date(2026, 11, 20), None),
            "bound to no trial, refused",
        ),
        (
            {"provision": {"period": {"end": "2027-01"}}},
            ("active", date(2026, 11, 20), date(2027, 1, 1)),
            "NCT06892145, until 2027-01",
        ),
        (
            {"provision": {"period": {"end": "soon"}}},
            ("active", date(2026, 11, 20), date.min),
            "NCT06892145, until soon",
        ),
    ],
)
def test_a_consent_says_since_when_it_stands_and_until_when(tmp_path, elements, expected, value):
    data = read(tmp_path, consent(**elements))
    [row] = rows(data, "consent")
    assert (row["status"], row["date_from"], row["until_from"]) == expected
    assert value in [line["value"] for line in rows(data, "record")]
    assert reasons(data) == (["'soon' is no date"] if "soon" in value else [])


def test_a_consent_may_be_to_several_trials(tmp_path):
    numbers = [{"system": "https://clinicaltrials.gov", "value": name} for name in ("NCT06892145", "NCT06106906")]
    data = read(tmp_path, consent(identifier=numbers, status="rejected"))
    assert [(row["trial"], row["status"]) for row in rows(data, "consent")] == [
        ("NCT06892145", "rejected"),
        ("NCT06106906", "rejected"),
    ]


def test_attestations(tmp_path):
    row = only(tmp_path, "attestation", observation(local("attest:NCT06106906/E24a"), valueBoolean=False))
    assert (row["trial"], row["criterion"], row["value"]) == ("NCT06106906", "E24a", False)
    data = read(tmp_path, observation(local("attest:NCT06106906"), valueBoolean=True))
    assert (rows(data, "attestation"), len(reasons(data))) == ([], 1)


@pytest.mark.parametrize(
    "elements",
    [
        {"valueInteger": 1},
        {"valueCodeableConcept": snomed("373067005")},
        {"effectiveDateTime": "2026-11-31", "valueBoolean": False},
    ],
)
def test_an_attestation_that_cannot_be_read_may_say_either(tmp_path, elements):
    data = read(tmp_path, observation(local("attest:NCT06106906/E24a"), **elements))
    assert ([row["value"] for row in rows(data, "attestation")], len(reasons(data))) == ([None], 1)


def test_statements(tmp_path):
    row = only(tmp_path, "statement", observation(local("plansPregnancy"), valueBoolean=False))
    assert (row["statement"], row["value"], row["amount"]) == ("plansPregnancy", False, None)
    row = only(tmp_path, "statement", observation(local("contraindication:azathioprine"), valueBoolean=True))
    assert (row["statement"], row["value"]) == ("contraindication:azathioprine", True)
    row = only(tmp_path, "statement", observation(local("bloodDonationVolume"), valueQuantity=quantity(0.45, "L")))
    assert (row["value"], row["amount"]) == (None, 450)


def test_a_contraindication_to_an_unknown_drug_keeps_statements_open(tmp_path):
    data = read(tmp_path, observation(local("contraindication:nothing"), valueBoolean=True))
    assert [(row["why"], row["section"]) for row in rows(data, "unread")] == [("unmapped code", "statements")]


def test_planned_events(tmp_path):
    row = only(tmp_path, "event", observation(local("event:leukapheresis"), valueDateTime="2026-12-05T09:00:00Z"))
    assert (row["event"], row["trial"], row["date_from"]) == ("leukapheresis", None, date(2026, 12, 5))
    row = only(tmp_path, "event", observation(local("event:infusion/NCT06106906"), valueDateTime="2026-12"))
    assert (row["event"], row["trial"], row["date_to"]) == ("infusion", "NCT06106906", date(2026, 12, 31))
    for elements in ({"valueDateTime": "soon"}, {}):
        data = read(tmp_path, observation(local("event:infusion"), **elements))
        assert (rows(data, "event"), len(reasons(data))) == ([], 1)
    assert reasons(read(tmp_path, observation(local("event:party"), valueDateTime="2026"))) != []


def test_completeness(tmp_path):
    row = only(
        tmp_path, "completeness", observation(local("recordComplete"), valueCodeableConcept=local("medications"))
    )
    assert (row["section"], row["date_from"]) == ("medications", date(2026, 11, 10))
    data = read(tmp_path, observation(local("recordComplete"), valueCodeableConcept=local("everything")))
    assert (rows(data, "completeness"), len(reasons(data))) == ([], 1)


@pytest.mark.parametrize("status", ["preliminary", "entered-in-error"])
def test_statements_that_are_not_final_do_not_count(tmp_path, status):
    data = read(tmp_path, observation(local("attest:NCT06106906/E24a"), valueBoolean=True, status=status))
    assert rows(data, "attestation") == []


def test_birth_date_and_sex(tmp_path):
    row = only(tmp_path, "patient")
    assert (row["birth_from"], row["birth_to"], row["sex"]) == (date(1990, 5, 10), date(1990, 5, 10), "female")


# ── Noted as observations ────────────────────────────────────────────────────────────────────────────────

PRESENT, ABSENT = snomed("52101004"), snomed("2667000")
HISTORY = snomed("266987004")
PREGNANT = {"valueCodeableConcept": snomed("77386006")}


@pytest.mark.parametrize(
    ("code", "elements", "expected"),
    [
        (HISTORY, {"valueBoolean": True}, "historyOfMalignancy"),
        (HISTORY, {"valueCodeableConcept": PRESENT}, "historyOfMalignancy"),
        (concept(ICD10CM, "Z85.3"), {}, "icd:Z85.3"),
        (local("malignancy"), {"valueString": "breast, 2019"}, "malignancy"),
        (loinc("82810-3"), PREGNANT, "pregnancy"),
        (HISTORY, {"valueBoolean": False}, None),
        (HISTORY, {"valueCodeableConcept": ABSENT}, None),
        (HISTORY, {"valueCodeableConcept": snomed("373067005")}, None),
        (HISTORY, {"valueString": "Denied"}, None),
        (HISTORY, {"valueQuantity": {"value": 0}}, None),
        (HISTORY, {"dataAbsentReason": coded("not-asked")}, None),
        (HISTORY, {"status": "preliminary"}, None),
        (loinc("82810-3"), PREGNANT | {"interpretation": [coded("NEG")]}, None),
        (loinc("8670-2"), {"valueCodeableConcept": HISTORY}, None),
        (loinc("72166-2"), {"valueCodeableConcept": snomed("266919005")}, None),
    ],
)
def test_a_diagnosis_noted_as_an_observation_is_uncertain_and_one_negated_is_none(tmp_path, code, elements, expected):
    found = rows(read(tmp_path, observation(code, on="2026-11-10", **elements)), "condition")
    told = [(row["concept"], row["status"], row["onset_to"], row["recorded_to"]) for row in found]
    assert told == ([(expected, "uncertain", None, date(2026, 11, 10))] if expected else [])


def test_a_procedure_noted_as_an_observation_is_uncertain(tmp_path):
    found = only(tmp_path, "procedure", observation(snomed("116859006"), on="2026-11-10"))
    assert (found["concept"], found["done"], found["from_from"]) == ("transfusion", "uncertain", date(2026, 11, 10))
