"""Raw facts: what FHIR and RDF both say of a record, before any rule is applied to it.

A raw record is flat: its kind is the class of the patient vocabulary (`Measurement`), its values are named by the
properties of that vocabulary (`effective`, `coding`). FHIR and RDF readers give raw records, `interpret` turns them
into fact tables, and `rdf` writes them; so the rules of reading stand in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from sle_kg.codes import Coding

Scalar = str | Decimal | bool

FHIR_TYPE = {
    "Patient": "Patient",
    "Measurement": "Observation",
    "ConditionRecord": "Condition",
    "StatedExposure": "MedicationStatement",
    "OrderedExposure": "MedicationRequest",
    "AdministeredExposure": "MedicationAdministration",
    "ProcedureRecord": "Procedure",
    "Immunization": "Immunization",
    "Allergy": "AllergyIntolerance",
    "AdverseEvent": "AdverseEvent",
    "Statement": "Observation",
    "Consent": "Consent",
    "Attestation": "Observation",
    "PlannedEvent": "Observation",
    "CompletenessStatement": "Observation",
}
"""Class of the patient vocabulary → FHIR resource type, by which a record is named."""


PROPERTIES = frozenset(
    """subject partOfRecord coding concept display recordStatus birthDate gender
    effective effectiveEnd measuredValue statedValue textValue valueCoding comparator ucumUnit interpretation
    referenceLow referenceHigh referenceLowUnit referenceHighUnit dataAbsentReason methodCoding
    verificationStatus clinicalStatus onset onsetEnd abatement abatementEnd abated recorded severityCoding
    intent doNotPerform started ended asserted routeCoding doseValue doseUnit frequency period periodUnit asNeeded
    allergyType criticality actuality eventGrade seriousnessCoding causalityCoding outcomeCoding doseLimiting
    aboutEvent statementKey trialIdentifier criterionIdentifier eventName plannedDate
    recordSection""".split()  # noqa: SIM905 (a table of names reads better in lines)
)
"""Properties of raw records; `ontology/patient.ttl` defines each."""


@dataclass(slots=True)
class RawRecord:
    """One record of a patient, or one component or dosage line of it.

    `id` is `Observation/obs-3`, of a part `Observation/obs-3/component/1`. Codings are texts `system|code`.
    """

    kind: str
    patient: str
    id: str
    values: dict[str, list[Scalar]] = field(default_factory=dict)

    @property
    def record(self) -> str:
        """The record that evidence names: the id without its part."""
        return "/".join(self.id.split("/", 2)[:2])

    def add(self, name: str, value: Scalar | None) -> None:
        """Note one value; None and repetitions are passed over."""
        if value is not None and value != "":
            values = self.values.setdefault(name, [])
            if value not in values:
                values.append(value)

    def contradicts(self, other: RawRecord) -> bool:
        """Whether the two say different things of one name."""
        return any(other.values.get(name, values) != values for name, values in self.values.items())

    def text(self, name: str) -> str | None:
        """The first value as text."""
        value = self.first(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool | None:
        """The first value, where it is a truth value."""
        value = self.first(name)
        return value if isinstance(value, bool) else None

    def number(self, name: str) -> Decimal | None:
        """The first value, where it is a number."""
        value = self.first(name)
        return value if isinstance(value, Decimal) else None

    def first(self, name: str) -> Scalar | None:
        """The first value of this name."""
        values = self.values.get(name)
        return values[0] if values else None

    def codings(self, name: str) -> list[Coding]:
        """Values of the form `system|code` as codings."""
        found: list[Coding] = []
        for value in self.values.get(name, ()):
            system, separator, code = str(value).rpartition("|")
            found.append((system if separator else "", code, ""))
        return found
