"""Records that may not be read as they stand: about somebody else, or with a modifier that is not understood."""

import json

import pyarrow.parquet as pq
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
    statement,
)
from sle_kg.ingest import Options, ingest_cohort
from sle_kg.patients.facts import COLUMNS
from sle_kg.patients.read import read_patients

MODIFIER = [{"url": "http://example.org/not-valid", "valueBoolean": True}]
ALT = {"code": loinc("1742-6"), "valueQuantity": quantity(25, "U/L")}


def about(*references):
    return [{"reference": reference} for reference in references]


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"modifierExtension": MODIFIER}, "(modifierExtension http://example.org/not-valid)"),
        ({"focus": about("RelatedPerson/donor")}, "(about RelatedPerson/donor)"),
        ({"focus": about("Patient/p", "Patient/child")}, "(about Patient/child)"),
        ({"focus": [{"display": "donor"}]}, "(about somebody else)"),
    ],
)
def test_a_result_that_may_not_be_the_patients_is_the_latest_and_says_nothing(tmp_path, elements, why):
    data = read(tmp_path, observation(**ALT, interpretation=[concept("", "POS")], **elements))
    [row] = rows(data, "measurement")
    assert (row["low"], row["high"], row["positive"]) == (None, None, None)
    assert reasons(data) == [f"the value {why!r} is text"]


@pytest.mark.parametrize("focus", ["Patient/p", "AdverseEvent/x", "http://hospital.example/fhir/Patient/p"])
def test_a_result_about_the_patient_or_an_event_is_read(tmp_path, focus):
    data = read(tmp_path, observation(**ALT, focus=about(focus)))
    assert ([row["low"] for row in rows(data, "measurement")], reasons(data)) == ([25], [])


def test_a_component_with_a_modifier_leaves_the_others(tmp_path):
    parts = [ALT | {"modifierExtension": MODIFIER}, {"code": loinc("1920-8"), "valueQuantity": quantity(20, "U/L")}]
    data = read(tmp_path, observation(loinc("24323-8"), component=parts))
    assert {row["test"]: row["low"] for row in rows(data, "measurement")} == {"alt": None, "ast": 20}


@pytest.mark.parametrize(
    ("record", "section"),
    [
        (condition(snomed("55464009"), modifierExtension=MODIFIER), "conditions"),
        (statement(concept("http://www.whocc.no/atc", "P01BA02"), modifierExtension=MODIFIER), "medications"),
    ],
)
def test_a_record_with_a_modifier_keeps_its_section_open(tmp_path, record, section):
    [unread] = rows(read(tmp_path, record), "unread")
    assert (unread["section"], unread["why"]) == (section, "no code")
    assert "http://example.org/not-valid" in unread["display"]


def test_statements_and_consents_with_a_modifier_settle_nothing(tmp_path):
    consent = {"status": "active", "dateTime": "2026-11-01", "scope": concept("", "research")}
    data = read(
        tmp_path,
        observation(local("agreesContraception"), valueBoolean=True, modifierExtension=MODIFIER),
        resource("Consent", id="c", **consent, modifierExtension=MODIFIER),
        resource("Consent", id="d", **consent | {"status": "draft"}, modifierExtension=MODIFIER),
        resource("Consent", id="e", **consent | {"status": "rejected"}, modifierExtension=MODIFIER),
    )
    assert [row["value"] for row in rows(data, "statement")] == [None]
    assert [row["status"] for row in rows(data, "consent")] == ["unclear", "rejected"]
    assert any("whether the consent holds" in why for why in reasons(data))


def test_a_medication_entered_in_error_is_none(tmp_path):
    wrong = {
        "resourceType": "Medication",
        "id": "m",
        "status": "entered-in-error",
        "code": concept("http://www.whocc.no/atc", "P01BA02"),
    }
    taken = statement(None, medicationReference={"reference": "Medication/m"})
    held = statement(None, medicationReference={"reference": "#m"}, contained=[wrong])
    assert reasons(read(tmp_path, wrong, taken, held)) == ["no code", "no code"]


def test_tables_hold_the_same(tmp_path):
    """What is read by remembered forms, in bundles, or line by line is withheld, too."""
    kinds = [
        {"modifierExtension": MODIFIER},
        {"focus": about("RelatedPerson/donor")},
        {"focus": about("Patient/a")},
        {"focus": about("Patient/b")},
        {},
    ]
    lines = [
        observation(
            **ALT, subject={"reference": f"Patient/{patient}"}, id=f"{patient}{number}{day}", on=f"2026-11-0{day}"
        )
        | elements
        for patient in "ab"
        for number, elements in enumerate(kinds)
        for day in (1, 2)
    ]
    wrong = {"resourceType": "Medication", "id": "m", "status": "entered-in-error", "code": snomed("1")}
    lines += [{"resourceType": "Patient", "id": patient} for patient in "ab"]
    lines += [wrong, statement(None, medicationReference={"reference": "Medication/m"}, subject=about("Patient/a")[0])]
    file = tmp_path / "export.ndjson"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    whole = tmp_path / "bundle.json"
    whole.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": line} for line in lines]}))
    expected = read_patients([file]).tables
    for source in (file, whole):
        ingest_cohort([str(source)], tmp_path / source.stem, Options())
        for name in COLUMNS:
            found = pq.read_table(tmp_path / source.stem / f"{name}.parquet").to_pylist()
            assert sorted(map(repr, found)) == sorted(map(repr, expected[name].to_pylist())), name
    assert sum(row["low"] is None for row in expected["measurement"].to_pylist()) == 12
