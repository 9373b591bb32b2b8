"""shapes/patient.ttl: the examples conform, and each fault is found by the shape that is named for it."""

import pytest
from pyshacl import validate
from rdflib import RDF, RDFS, Graph, URIRef
from rdflib.namespace import SH as SHACL

from sle_kg.patients.rdf import to_rdf
from sle_kg.patients.read import read_patients
from sle_kg.resources import path

SHAPES = Graph().parse(path("shapes") / "patient.ttl")
PATIENT = """
@prefix sle: <https://w3id.org/sle-kg/ontology#> .
@prefix ex: <https://clinic.example/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:anna a sle:Patient ; sle:birthDate "1996-04"^^xsd:gYearMonth ; sle:gender "female" .
"""
RESULT = 'ex:o a sle:Measurement ; sle:subject ex:anna ; sle:effective "2026-11-10"^^xsd:date ; '
EVENT = 'ex:v a sle:AdverseEvent ; sle:subject ex:anna ; sle:onset "2026-11-12"^^xsd:date ; '


def faults(turtle: str | bytes) -> set[str]:
    """Local names of the shapes that found something."""
    _, report, _ = validate(Graph().parse(data=turtle, format="turtle"), shacl_graph=SHAPES)
    results = report.objects(None, SHACL.result)
    return {str(report.value(result, SHACL.sourceShape)).rpartition("patient-")[2] for result in results}


@pytest.mark.parametrize("name", ["a-01", "b-16", "b-38", "c-09"])
def test_examples_conform(name):
    assert faults(to_rdf(read_patients([path("examples") / "patients" / f"{name}.json"]))) == set()


@pytest.mark.parametrize(
    ("turtle", "shape"),
    [
        ("", None),
        (RESULT + 'sle:coding "http://loinc.org|1742-6" ; sle:measuredValue 25.0 ; sle:ucumUnit "U/L" .', None),
        ('ex:b a sle:Patient ; sle:birthDate "1990", "1991" .', "birthDate"),
        ('ex:b a sle:Patient ; sle:gender "f" .', "gender"),
        ("[] a sle:Patient .", "person"),
        (RESULT.replace("ex:anna", "ex:nobody") + "sle:measuredValue 1 .", "subject"),
        ("ex:o a sle:ConditionRecord .", "subject"),
        (RESULT + 'sle:coding "1742-6" .', "coding"),
        (RESULT + 'sle:measuredValue "7.5e0"^^xsd:double .', "measuredValue"),
        (RESULT + "sle:measuredValue 7, 8 .", "measuredValue"),
        (RESULT + 'sle:measuredValue 7 ; sle:comparator "~" .', "comparator"),
        ("ex:o a sle:Measurement ; sle:subject ex:anna ; sle:measuredValue 7 .", "effective"),
        ('ex:d a sle:ConditionRecord ; sle:subject ex:anna ; sle:onset "last spring" .', "onset"),
        ('ex:d a sle:ConditionRecord ; sle:subject ex:anna ; sle:verificationStatus "sure" .', "verificationStatus"),
        ("ex:m a sle:StatedExposure ; sle:subject ex:anna .", "exposure-status"),
        (
            'ex:m a sle:OrderedExposure ; sle:subject ex:anna ; sle:recordStatus "active" ; sle:doseValue -5 .',
            "doseValue",
        ),
        (
            'ex:m a sle:Exposure ; sle:subject ex:anna ; sle:recordStatus "active" ; sle:periodUnit "day" .',
            "periodUnit",
        ),
        (
            'ex:s a sle:Statement ; sle:subject ex:anna ; sle:effective "2026"^^xsd:gYear ; sle:statementKey "x" .',
            "statementKey",
        ),
        (
            'ex:v a sle:AdverseEvent ; sle:subject ex:anna ; sle:onset "2026-11-12"^^xsd:date ; sle:eventGrade 2 ; '
            'sle:causalityCoding "|related" . ' + RESULT + "sle:measuredValue 2 ; sle:aboutEvent ex:v .",
            None,
        ),
        ("ex:v a sle:AdverseEvent ; sle:subject ex:anna .", "adverseEvent"),
        ('ex:v a sle:AdverseEvent ; sle:recorded "2026"^^xsd:gYear .', "subject"),
        (EVENT + "sle:eventGrade 6 .", "eventGrade"),
        (EVENT + 'sle:eventGrade "severe" .', "eventGrade"),
        (EVENT + 'sle:actuality "avoided" .', "actuality"),
        (EVENT + 'sle:causalityCoding "related" .', "causality"),
        (EVENT + 'sle:seriousnessCoding "serious" .', "seriousness"),
        (EVENT + 'sle:outcomeCoding "fatal" .', "outcome"),
        (EVENT + 'sle:doseLimiting "yes" .', "doseLimiting"),
        (RESULT + "sle:measuredValue 2 ; sle:aboutEvent ex:nothing .", "aboutEvent"),
        ('ex:a a sle:Allergy ; sle:subject ex:anna ; sle:criticality "some" .', "criticality"),
        (
            'ex:c a sle:Consent ; sle:subject ex:anna ; sle:effective "2026"^^xsd:gYear ; sle:trialIdentifier "X" .',
            "trialIdentifier",
        ),
        ('ex:e a sle:PlannedEvent ; sle:subject ex:anna ; sle:eventName "infusion" .', "plannedDate"),
        (
            'ex:e a sle:PlannedEvent ; sle:subject ex:anna ; sle:eventName "x" ; sle:plannedDate "2026"^^xsd:gYear .',
            "eventName",
        ),
        ('ex:k a sle:CompletenessStatement ; sle:subject ex:anna ; sle:effective "2026"^^xsd:gYear .', "recordSection"),
        (
            'ex:t a sle:Attestation ; sle:subject ex:anna ; sle:effective "2026"^^xsd:gYear ; sle:statedValue true ; '
            'sle:criterionIdentifier "I07" .',
            "attestation-trial",
        ),
        (
            'ex:t a sle:Attestation ; sle:subject ex:anna ; sle:effective "2026"^^xsd:gYear ; '
            'sle:trialIdentifier "NCT06892145" ; sle:criterionIdentifier "I07" .',
            "attestation-value",
        ),
    ],
)
def test_each_fault_is_found_by_its_shape(turtle, shape):
    assert faults(PATIENT + turtle) == ({shape} if shape else set())


def test_every_shape_is_named_and_says_what_is_wrong_and_how_bad():
    shapes = {*SHAPES.subjects(RDF.type, SHACL.NodeShape), *SHAPES.subjects(RDF.type, SHACL.PropertyShape)}
    assert len(shapes) > 40
    for shape in shapes:
        assert isinstance(shape, URIRef)
        assert SHAPES.value(shape, SHACL.message) and SHAPES.value(shape, SHACL.severity)
        assert SHAPES.value(shape, SHACL.name) or SHAPES.value(shape, RDFS.label)
