"""The patient vocabulary: RDF gives the same facts as the FHIR that it stands for."""

import json
from datetime import date
from pathlib import Path

import pytest

from patients.fhir_builder import (
    bundle,
    concept,
    condition,
    dosage,
    local,
    loinc,
    observation,
    order,
    quantity,
    resource,
    rows,
    snomed,
    statement,
)
from sle_kg.errors import InputError
from sle_kg.namespaces import RXNORM
from sle_kg.patients.facts import PatientData
from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.resources import path

PREFIXES = """
@prefix sle: <https://w3id.org/sle-kg/ontology#> .
@prefix patient: <https://w3id.org/sle-kg/patient/> .
@prefix ex: <https://clinic.example/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""


def facts(data: PatientData):
    """All tables, order aside."""
    return {
        name: sorted(table.to_pylist(), key=lambda row: repr(sorted(row.items(), key=str)))
        for name, table in data.tables.items()
    }


def again(data: PatientData, folder: Path) -> PatientData:
    file = folder / "patient.ttl"
    file.write_bytes(to_rdf(data))
    return read_patients([file])


def from_turtle(folder, text):
    file = folder / "patient.ttl"
    file.write_text(PREFIXES + text, encoding="utf-8")
    return read_patients([file])


EXAMPLES = sorted(path("examples").glob("patients/[abc]-*.json"))


def test_there_are_examples():
    assert len(EXAMPLES) == 9


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_give_the_same_facts_as_fhir_and_as_rdf(file, tmp_path):
    data = read_patients([file])
    assert facts(again(data, tmp_path)) == facts(data)


def test_untidy_records_give_the_same_facts_as_fhir_and_as_rdf(tmp_path):
    messy = bundle(
        observation(loinc("1742-6"), id="a/b", valueQuantity=quantity(25, "furlong")),
        observation(loinc("42595-9"), valueQuantity=quantity(20, "[IU]/mL", "<"), effectiveDateTime="2026-11"),
        observation(loinc("1742-6"), valueQuantity=quantity("many", "U/L"), effectiveDateTime="2026-02-30"),
        observation(local("sledai2kTotal"), component=[{"code": local("sledai2k:seizure"), "valueBoolean": True}]),
        observation(loinc("2160-0"), valueQuantity=quantity(0.70, "mg/dL"), referenceRange=[{"high": quantity(1.10)}]),
        condition(snomed("254837009") | {"text": "Breast cancer"}, onsetDateTime="2017", abatementString="long ago"),
        condition(snomed("55464009"), clinicalStatus=concept("", "active"), verificationStatus=concept("", "refuted")),
        statement(concept(RXNORM, "8640"), dosage=[dosage(quantity(10, "mg")), dosage(quantity(2.50, "mg"))]),
        statement(concept(RXNORM, "8640"), status="stopped", effectivePeriod={"end": "2027"}, dateAsserted="2026-10"),
        order(concept(RXNORM, "8640"), dosageInstruction=[{**dosage(quantity(1, "mg/kg")), "asNeededBoolean": True}]),
        resource("Procedure", status="not-done", code=snomed("302497006"), performedPeriod={"start": "2026-10"}),
        resource("Procedure", status="completed", code=snomed("302497006"), performedPeriod={"start": "2026-10-01"}),
        resource("AllergyIntolerance", code=snomed("716186003")),
        resource("Immunization", status="completed", vaccineCode=local("liveVaccine"), occurrenceDateTime="2026"),
        observation(local("event:infusion/NCT06106906"), valueDateTime="2026-12-05T10:00:00Z"),
        observation(local("bloodDonationVolume"), valueQuantity=quantity(450, "mL")),
        resource(
            "AdverseEvent",
            id="ae/1",
            event={"text": "CRS"},
            date="2026-11-12T08:00:00Z",
            severity=concept("", "mild"),
            seriousness=concept("", "Serious"),
            outcome={"text": "resolved"},
            extension=[
                {"url": "http://example.org/ctcae-grade", "valueInteger": 2},
                {"url": "http://example.org/ctcae-grade", "valueString": "severe"},
                {"url": "http://example.org/doseLimiting", "valueBoolean": False},
            ],
            suspectEntity=[{"causality": [{"assessment": {"text": "Probably related"}}]}, {}],
        ),
        observation(local("crsGrade"), valueInteger=2, focus=[{"reference": "AdverseEvent/ae/1"}]),
        resource("AdverseEvent", actuality="potential", event={"text": "Fall"}),
        patient={"resourceType": "Patient", "id": "Müller 1/2", "birthDate": "1990-05"},
    )
    for entry in messy["entry"][1:]:
        for owner in ("subject", "patient"):
            if owner in entry["resource"]:
                entry["resource"][owner] = {"reference": "urn:uuid:x"}
    messy["entry"][0]["fullUrl"] = "urn:uuid:x"
    file = tmp_path / "messy.json"
    file.write_text(json.dumps(messy), encoding="utf-8")
    data = read_patients([file])
    assert data.tables["unread"].num_rows > 0
    assert facts(again(data, tmp_path)) == facts(data)


def test_rdf_is_the_same_bytes_again(tmp_path):
    data = read_patients([EXAMPLES[0]])
    assert to_rdf(again(data, tmp_path)) == to_rdf(data)


def test_patients_written_by_hand(tmp_path):
    data = from_turtle(
        tmp_path,
        """
        ex:anna a sle:Patient ; sle:birthDate "1996-04"^^xsd:gYearMonth ; sle:gender "female" .
        ex:d1 a sle:ConditionRecord ; sle:subject ex:anna ; sle:concept sle:sle ; sle:clinicalStatus "active" .
        ex:o1 a sle:Measurement ; sle:subject ex:anna ; sle:coding "http://loinc.org|1742-6" ;
            sle:effective "2026-11-10"^^xsd:date ; sle:measuredValue 25.0 ; sle:ucumUnit "U/L" ;
            sle:referenceHigh 40 .
        ex:m1 a sle:Exposure ; sle:subject ex:anna ; sle:concept sle:prednisone ; sle:recordStatus "active" ;
            sle:started "2026"^^xsd:gYear ; sle:doseValue 5 ; sle:doseUnit "mg" ;
            sle:frequency 2 ; sle:period 1 ; sle:periodUnit "d" .
        ex:i1 a sle:Measurement ; sle:subject ex:anna ; sle:concept sle:sledai2k-seizure ; sle:statedValue true ;
            sle:effective "2026-11-10"^^xsd:date .
        """,
    )
    assert data.patients == ["anna"]
    assert rows(data, "condition")[0]["concept"] == "sle"
    alt, seizure = data.tables["measurement"].to_pylist()
    assert (alt["record"], alt["low"], alt["uln"]) == ("Observation/o1", 25, 40)
    assert (seizure["test"], seizure["positive"]) == ("sledai2k:seizure", True)
    exposure = rows(data, "exposure")[0]
    assert (exposure["concept"], exposure["dose"], exposure["start_to"]) == ("prednisone", 5, date(2026, 12, 31))


def test_json_ld_with_its_own_context(tmp_path):
    document = {
        "@context": {"@vocab": "https://w3id.org/sle-kg/ontology#", "subject": {"@type": "@id"}},
        "@graph": [
            {"@id": "https://clinic.example/anna", "@type": "Patient", "birthDate": "1996-04-01", "gender": "female"},
            {
                "@id": "https://clinic.example/o1",
                "@type": "Measurement",
                "subject": "https://clinic.example/anna",
                "coding": "http://loinc.org|2160-0",
                "effective": "2026-11-10",
                "measuredValue": 0.7,
                "ucumUnit": "mg/dL",
            },
        ],
    }
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    row = rows(read_patients([file]), "measurement")[0]
    assert (str(row["low"].normalize()), row["date_from"]) == ("0.7", date(2026, 11, 10))


def test_two_values_where_there_can_be_one_are_reported(tmp_path):
    data = from_turtle(
        tmp_path,
        """
        ex:anna a sle:Patient .
        ex:o1 a sle:Measurement ; sle:subject ex:anna ; sle:coding "http://loinc.org|1742-6" ;
            sle:effective "2026-11-10"^^xsd:date ; sle:measuredValue 25, 250 ; sle:ucumUnit "U/L" .
        """,
    )
    assert [row["why"] for row in rows(data, "unread")] == ["the value '(2 values)' is no number"]
    assert rows(data, "measurement")[0]["low"] is None


def test_a_patient_with_two_birth_dates_is_refused(tmp_path):
    with pytest.raises(InputError, match="two birth dates"):
        from_turtle(tmp_path, 'ex:anna a sle:Patient ; sle:birthDate "1990", "1991" .')


def test_numbers_that_are_none_are_reported(tmp_path):
    data = from_turtle(
        tmp_path,
        """
        ex:anna a sle:Patient .
        ex:o1 a sle:Measurement ; sle:subject ex:anna ; sle:coding "http://loinc.org|1742-6" ;
            sle:effective "2026-11-10"^^xsd:date ; sle:measuredValue "NaN"^^xsd:double ; sle:ucumUnit "U/L" .
        """,
    )
    assert [row["why"] for row in rows(data, "unread")] == ["the value 'NaN' is no number"]


def test_the_vocabulary_defines_every_property_and_class_that_is_written(tmp_path):
    """A term that to_rdf writes and ontology/patient.ttl does not define would be our own error."""
    import pyoxigraph as ox

    graph = ox.Store()
    for module in path("ontology").glob("*.ttl"):
        graph.load(module.read_bytes(), format=ox.RdfFormat.TURTLE)
    written = set()
    for file in EXAMPLES:
        for quad in ox.parse(to_rdf(read_patients([file])), format=ox.RdfFormat.TURTLE):
            written |= {quad.predicate.value} | (
                {quad.object.value} if quad.predicate.value.endswith("#type") else set()
            )
    terms = {term for term in written if "sle-kg/ontology#" in term}
    assert len(terms) > 20
    assert [term for term in sorted(terms) if not any(graph.quads_for_pattern(ox.NamedNode(term), None, None))] == []


def test_a_misspelt_property_is_counted(tmp_path):
    data = from_turtle(
        tmp_path,
        """
        ex:anna a sle:Patient .
        ex:o1 a sle:Measurement ; sle:subject ex:anna ; sle:coding "http://loinc.org|1742-6" ; sle:mesuredValue 25 .
        """,
    )
    assert data.skipped == {"property sle:mesuredValue, which no record has": 1}


def test_a_date_of_another_class_of_records_is_counted(tmp_path):
    data = from_turtle(
        tmp_path,
        """
        ex:anna a sle:Patient .
        ex:m1 a sle:AdministeredExposure ; sle:subject ex:anna ; sle:recordStatus "completed" ;
            sle:coding "http://www.whocc.no/atc|L01FA01" ; sle:effective "2026-05-01" .
        """,
    )
    asked = "property sle:effective of AdministeredExposure, which is dated by sle:started, sle:ended, sle:asserted"
    assert data.skipped == {asked: 1}
    assert data.tables["exposure"]["start_to"].to_pylist() == [None]


def test_parts_of_parts_and_circles_end(tmp_path):
    data = from_turtle(
        tmp_path,
        """
        ex:anna a sle:Patient .
        ex:whole a sle:Measurement ; sle:subject ex:anna .
        ex:part a sle:Measurement ; sle:partOfRecord ex:whole ; sle:concept sle:sledai2k-seizure ;
            sle:statedValue true .
        ex:a a sle:Measurement ; sle:subject ex:anna ; sle:partOfRecord ex:b ; sle:concept sle:alt .
        ex:b a sle:Measurement ; sle:partOfRecord ex:a ; sle:concept sle:ast .
        """,
    )
    found = {row["test"]: row["record"] for row in data.tables["measurement"].to_pylist()}
    assert found == {"sledai2k:seizure": "Observation/whole", "alt": "Observation/b", "ast": "Observation/a"}


def test_one_patient_in_fhir_and_rdf(tmp_path):
    fhir = tmp_path / "p.json"
    fhir.write_text(json.dumps(bundle(condition(snomed("55464009")))), encoding="utf-8")
    rdf = tmp_path / "p.ttl"
    rdf.write_text(PREFIXES + 'patient:p a sle:Patient ; sle:gender "female" .', encoding="utf-8")
    assert read_patients([fhir, rdf]).tables["patient"].num_rows == 1
    rdf.write_text(PREFIXES + 'patient:p a sle:Patient ; sle:gender "male" .', encoding="utf-8")
    with pytest.raises(InputError, match=r"'p' has two birth dates or sexes"):
        read_patients([fhir, rdf])
