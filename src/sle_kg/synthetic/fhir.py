"""Synthetic records as FHIR R4 resources, with the codes that the ontology gives, and as NDJSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from sle_kg.namespaces import ATC, CVX, ICD10CM, LOCAL_CODES, LOINC, RXNORM, SLE, SNOMED, UCUM
from sle_kg.ontology import code_assignments, concepts
from sle_kg.synthetic.records import (
    AdverseEvent,
    Allergy,
    Complete,
    Consent,
    Diagnosis,
    Event,
    Medicine,
    Procedure,
    Record,
    Result,
    SyntheticPatient,
    Vaccine,
    Value,
)

Resource = dict[str, Any]

GRADE_EXTENSION = "https://w3id.org/sle-kg/fhir/ctcae-grade"
"""Extension of AdverseEvent for a CTCAE grade; FHIR R4 has no element for it."""
DOSE_LIMITING_EXTENSION = "https://w3id.org/sle-kg/fhir/dose-limiting"
_HL7 = "http://terminology.hl7.org/CodeSystem/"
_SYSTEMS = (LOINC, SNOMED, RXNORM, ATC)
"""Code systems of the resources, the first that has a code for a concept wins."""
_HIERARCHIES = (ATC, ICD10CM, CVX)
"""Code systems in which a record may ask to be written."""
_OWNED_BY_PATIENT = ("Immunization", "AllergyIntolerance", "Consent")
"""Resources that refer to the patient as `patient`, not as `subject`."""
_ANSWERS = {"positive": "labAssertedPositive", "negative": "labAssertedNegative"}
_NUMBER = "\x01"


def resources(patient: SyntheticPatient) -> Iterator[Resource]:
    """The patient, then every record as one resource."""
    yield {
        "resourceType": "Patient",
        "id": patient.id,
        "meta": {"security": [{"system": f"{_HL7}v3-ActReason", "code": "HTEST", "display": "test health data"}]},
        "birthDate": patient.birth,
        "gender": patient.sex,
    }
    for number, record in enumerate(patient.records, 1):
        kind, elements = _resource(record, patient.id)
        identifier = _event_id(patient.id, record.place) if isinstance(record, AdverseEvent) else str(number)
        own = {"resourceType": kind, "id": identifier if kind == "AdverseEvent" else f"{patient.id}-{identifier}"}
        owner = "patient" if kind in _OWNED_BY_PATIENT else "subject"
        yield own | {owner: {"reference": f"Patient/{patient.id}"}} | elements


def ndjson(values: Iterable[Resource]) -> bytes:
    """One resource a line; decimals are written as they are, without passing through binary fractions."""
    lines = [json.dumps(value, default=_marked, ensure_ascii=True, separators=(",", ":")) for value in values]
    text = "".join(f"{line}\n" for line in lines)
    return text.replace('"\\u0001', "").replace('\\u0001"', "").encode()


def _marked(value: object) -> str:
    """A decimal between marks, which `ndjson` takes away with the quotation marks around them."""
    if isinstance(value, Decimal):
        return f"{_NUMBER}{value:f}{_NUMBER}"
    raise TypeError(f"{value!r} has no place in FHIR JSON")


def _resource(record: Record, patient: str) -> tuple[str, Resource]:
    """Type and elements of one record."""
    match record:
        case Result():
            return "Observation", _observation(record, patient)
        case Medicine(once=True):
            return "MedicationAdministration", _administration(record)
        case Medicine(ordered=True):
            return "MedicationRequest", _order(record)
        case Medicine():
            return "MedicationStatement", _statement(record)
        case Diagnosis():
            return "Condition", _condition(record)
        case Procedure(concept, date, end, done):
            period = {"performedPeriod": {"start": date, "end": end}} if end else {"performedDateTime": date}
            return "Procedure", {"status": "completed" if done else "not-done", "code": _concept(concept)} | period
        case Vaccine(concept, date, given):
            elements = {"vaccineCode": _concept(concept, CVX), "occurrenceDateTime": date}
            return "Immunization", {"status": "completed" if given else "not-done"} | elements
        case Allergy():
            return "AllergyIntolerance", _allergy(record)
        case Consent():
            return "Consent", _consent(record)
        case Event(name, date):
            return "Observation", _stated(f"event:{name}", date) | {"valueDateTime": date}
        case Complete(section, date):
            answer = _coded(LOCAL_CODES, section)
            return "Observation", _stated("recordComplete", date) | {"valueCodeableConcept": answer}
        case AdverseEvent():
            return "AdverseEvent", _adverse_event(record)


def _observation(record: Result, patient: str) -> Resource:
    found: Resource = {"status": "final", "code": _concept(record.test), "effectiveDateTime": record.date}
    if record.value is not None:
        found |= _value(record.value, record.unit)
    if record.comparator is not None:
        found["valueQuantity"]["comparator"] = record.comparator
    if record.answer is not None:
        found["valueCodeableConcept"] = _concept(_ANSWERS[record.answer])
    if record.echocardiography:
        found["method"] = _coded(SNOMED, "40701008")
    limits = {
        side: _quantity(limit, record.unit)
        for side, limit in (("low", record.lower), ("high", record.upper))
        if limit is not None
    }
    if limits:
        found["referenceRange"] = [limits]
    if record.parts:
        found["component"] = [{"code": _concept(key)} | _value(value, None) for key, value in record.parts]
    if record.event is not None:
        found["focus"] = [{"reference": f"AdverseEvent/{_event_id(patient, record.event)}"}]
    return found


def _condition(diagnosis: Diagnosis) -> Resource:
    """A diagnosis with what is known of its course."""
    clinical = diagnosis.clinical or ("resolved" if diagnosis.abated else "active")
    found: Resource = {
        "clinicalStatus": _coded(f"{_HL7}condition-clinical", clinical),
        "verificationStatus": _coded(f"{_HL7}condition-ver-status", diagnosis.verification),
        "code": _concept(diagnosis.concept, diagnosis.system),
    }
    dates = {
        "onsetDateTime": diagnosis.onset,
        "abatementDateTime": diagnosis.abated,
        "recordedDate": diagnosis.recorded,
    }
    found |= {name: date for name, date in dates.items() if date is not None}
    return found | ({"severity": _concept(diagnosis.severity)} if diagnosis.severity else {})


def _allergy(allergy: Allergy) -> Resource:
    found: Resource = {
        "clinicalStatus": _coded(f"{_HL7}allergyintolerance-clinical", "active"),
        "code": _concept(allergy.concept),
        "recordedDate": allergy.recorded,
    }
    more = {"type": allergy.kind, "criticality": allergy.criticality}
    return found | {name: value for name, value in more.items() if value is not None}


def _consent(consent: Consent) -> Resource:
    """A research consent, bound to its trial by the registry's number."""
    trial = {"identifier": [{"system": "https://clinicaltrials.gov", "value": consent.trial}]} if consent.trial else {}
    scope = _coded(f"{_HL7}consentscope", "research")
    return {"status": "active", "scope": scope, "dateTime": consent.date} | trial


def _stated(code: str, date: str) -> Resource:
    return {"status": "final", "code": _coded(LOCAL_CODES, code), "effectiveDateTime": date}


def _value(value: Value, unit: str | None) -> Resource:
    match value:
        case bool():
            return {"valueBoolean": value}
        case Decimal():
            return {"valueQuantity": _quantity(value, unit)}
    return {"valueString": value}


def _quantity(value: Decimal, unit: str | None) -> Resource:
    return {"value": value} | ({"unit": unit, "system": UCUM, "code": unit} if unit else {})


def _statement(medicine: Medicine) -> Resource:
    """A medicine with its dose, completed where it has an end."""
    return {
        "status": medicine.status or ("completed" if medicine.end else "active"),
        "medicationCodeableConcept": _concept(medicine.concept, medicine.system),
        "effectivePeriod": _period(medicine),
        **_dosage("dosage", medicine),
    }


def _order(medicine: Medicine) -> Resource:
    """The order of a medicine, which is no proof that it was taken."""
    return {
        "status": medicine.status or ("completed" if medicine.end else "active"),
        "intent": "order",
        "medicationCodeableConcept": _concept(medicine.concept, medicine.system),
        "authoredOn": medicine.start,
        "dispenseRequest": {"validityPeriod": _period(medicine)},
        **_dosage("dosageInstruction", medicine),
    }


def _period(medicine: Medicine) -> Resource:
    return {"start": medicine.start} | ({"end": medicine.end} if medicine.end else {})


def _dosage(name: str, medicine: Medicine) -> Resource:
    """Dose, timing and route of a medicine taken over days; nothing where neither is known."""
    line: Resource = {"route": _concept(f"{medicine.route}Route")} if medicine.route else {}
    if medicine.dose is not None:
        line["timing"] = {"repeat": {"frequency": medicine.times, "period": medicine.days, "periodUnit": "d"}}
        line["doseAndRate"] = [{"doseQuantity": _quantity(medicine.dose, medicine.unit)}]
    return {name: [line]} if line else {}


def _administration(medicine: Medicine) -> Resource:
    """One administration, its dose where it is known in milligrams."""
    found = {
        "status": medicine.status or "completed",
        "medicationCodeableConcept": _concept(medicine.concept, medicine.system),
        "effectiveDateTime": medicine.start,
    }
    dosage: Resource = {"route": _concept(f"{medicine.route}Route")} if medicine.route else {}
    if medicine.dose is not None:
        dosage["dose"] = _quantity(medicine.dose, medicine.unit)
    return found | ({"dosage": dosage} if dosage else {})


def _adverse_event(event: AdverseEvent) -> Resource:
    """An adverse event; its grade and whether it limits the dose are extensions, causality is that of the cells."""
    extensions: list[Resource] = []
    if event.grade is not None:
        extensions.append({"url": GRADE_EXTENSION, "valueInteger": event.grade})
    if event.dose_limiting is not None:
        extensions.append({"url": DOSE_LIMITING_EXTENSION, "valueBoolean": event.dose_limiting})
    suspect: Resource = {"instance": {"display": "CAR-T cells"}}
    if event.related is not None:
        suspect["causality"] = [{"assessment": {"text": "related" if event.related else "not related"}}]
    return {
        "extension": extensions,
        "actuality": "actual",
        "event": {"text": event.term},
        "date": event.date,
        "seriousness": _coded(f"{_HL7}adverse-event-seriousness", "Serious" if event.serious else "Non-serious"),
        "suspectEntity": [suspect],
    }


def _event_id(patient: str, place: int) -> str:
    return f"{patient}-event-{place}"


@cache
def _codes() -> dict[str, tuple[str, str]]:
    """Key of a concept → code system and code, the best ranked of the first system that has one."""
    found: dict[str, tuple[int, int, str, str]] = {}
    for code in code_assignments():
        if code.system in _SYSTEMS and not (code.local_use or code.broader or code.superseded):
            key = code.concept.removeprefix(SLE)
            offer = (_SYSTEMS.index(code.system), code.rank, code.system, code.code)
            found[key] = min(found.get(key, offer), offer)
    return {key: (system, code) for key, (_, _, system, code) in found.items()}


@cache
def _codes_of(system: str) -> dict[str, str]:
    """Key of a concept → its best ranked code in one of the hierarchies."""
    found: dict[str, tuple[int, str]] = {}
    for code in code_assignments():
        if code.system == system and not (code.local_use or code.broader or code.superseded):
            key, offer = code.concept.removeprefix(SLE), (code.rank, code.code)
            found[key] = min(found.get(key, offer), offer)
    return {key: code for key, (_, code) in found.items()}


def code_of(key: str, wanted: str | None = None) -> tuple[str, str]:
    """Code system and code of a concept as it is written, or its key in the local code system; see `_concept`."""
    if "|" in key:
        system, code, _ = key.split("|")
        return system, code
    if wanted in _HIERARCHIES and key in _codes_of(wanted):
        return wanted, _codes_of(wanted)[key]
    return _codes().get(key, (LOCAL_CODES, key))


@cache
def _concept(key: str, wanted: str | None = None) -> Resource:
    """The code of a concept, or its key in the local code system; its label as the display.

    `wanted`: one of the hierarchies, taken where it has a code. A key `<system>|<code>|<words>` is a code itself.
    """
    system, code = code_of(key, wanted)
    if "|" in key:
        return {"coding": [{"system": system, "code": code, "display": key.split("|")[2]}]}
    if system == wanted:
        return _coded(system, code)
    coding = {"system": system, "code": code}
    concept = concepts().get(key)
    return {"coding": [coding | ({"display": concept.label} if concept and system != SNOMED else {})]}


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
