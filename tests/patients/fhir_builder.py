"""Small FHIR resources for tests: every function gives a resource about the patient `p`."""

import json
from itertools import count
from pathlib import Path
from typing import Any

from sle_kg.namespaces import LOCAL_CODES, LOINC, SNOMED, UCUM
from sle_kg.patients.facts import PatientData
from sle_kg.patients.read import read_patients

Resource = dict[str, Any]
_numbers = count(1)


def concept(system: str, code: str, display: str | None = None) -> Resource:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def local(code: str) -> Resource:
    return concept(LOCAL_CODES, code)


def loinc(code: str) -> Resource:
    return concept(LOINC, code)


def snomed(code: str) -> Resource:
    return concept(SNOMED, code)


def quantity(value: float | int | str, unit: str | None = None, comparator: str | None = None) -> Resource:
    found: Resource = {"value": value}
    if unit is not None:
        found |= {"unit": unit, "code": unit, "system": UCUM}
    return found | ({"comparator": comparator} if comparator else {})


def resource(kind: str, **elements: Any) -> Resource:
    """A resource with an id, about the patient `p`; None leaves an element out."""
    owner = "patient" if kind in ("Immunization", "AllergyIntolerance", "Consent") else "subject"
    base = {"resourceType": kind, "id": f"{kind[:1].lower()}{next(_numbers)}", owner: {"reference": "Patient/p"}}
    return {name: value for name, value in (base | elements).items() if value is not None}


def observation(code: Resource, on: str | None = "2026-11-10", **elements: Any) -> Resource:
    return resource("Observation", **({"status": "final", "code": code, "effectiveDateTime": on} | elements))


def condition(code: Resource, **elements: Any) -> Resource:
    return resource("Condition", code=code, **elements)


def statement(code: Resource, **elements: Any) -> Resource:
    given = {"medicationCodeableConcept": code, "status": "active", "effectivePeriod": {"start": "2026-01-01"}}
    return resource("MedicationStatement", **(given | elements))


def order(code: Resource, **elements: Any) -> Resource:
    given = {"medicationCodeableConcept": code, "status": "active", "intent": "order", "authoredOn": "2026-01-01"}
    return resource("MedicationRequest", **(given | elements))


def dosage(dose: Resource | None = None, frequency: int = 1, period: float = 1, unit: str = "d") -> Resource:
    line: Resource = {"timing": {"repeat": {"frequency": frequency, "period": period, "periodUnit": unit}}}
    return line | ({"doseAndRate": [{"doseQuantity": dose}]} if dose else {})


def bundle(*resources: Resource, patient: Resource | None = None) -> Resource:
    person = patient or {"resourceType": "Patient", "id": "p", "birthDate": "1990-05-10", "gender": "female"}
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in (person, *resources)]}


def read(folder: Path, *resources: Resource, **options: Any) -> PatientData:
    """The facts of these resources, through a file."""
    file = folder / "patient.json"
    file.write_text(json.dumps(bundle(*resources)), encoding="utf-8")
    return read_patients([file], **options)


def rows(data: PatientData, table: str) -> list[dict[str, Any]]:
    """The rows of a table without patient and record."""
    return [
        {name: value for name, value in row.items() if name not in ("patient", "record")}
        for row in data.tables[table].to_pylist()
    ]


def reasons(data: PatientData) -> list[str]:
    return [row["why"] for row in rows(data, "unread")]
