"""Raw facts: what FHIR and RDF both say of a record, before any rule is applied to it.

A raw record is flat: its kind is the class of the patient vocabulary (`Measurement`), its values are named by the
properties of that vocabulary (`effective`, `coding`). FHIR and RDF readers give raw records, `interpret` turns them
into fact tables, and `rdf` writes them; so the rules of reading stand in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from sle_kg.codes import Coding, normalise_system

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
    "Death": "Patient",
}
"""Class of the patient vocabulary → FHIR resource type, by which a record is named."""


PROPERTIES = frozenset(
    """subject partOfRecord coding concept display recordStatus birthDate gender
    effective effectiveEnd measuredValue statedValue textValue valueCoding comparator ucumUnit interpretation
    referenceLow referenceHigh referenceLowUnit referenceHighUnit referenceSex dataAbsentReason methodCoding
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
    values: dict[str, tuple[Scalar, ...]] = field(default_factory=dict)
    _record: str = field(default="", init=False, repr=False, compare=False)

    @property
    def record(self) -> str:
        """The record that evidence names: the id without its part."""
        if not self._record:
            self._record = "/".join(self.id.split("/", 2)[:2])
        return self._record

    def add(self, name: str, value: Scalar | None) -> None:
        """Note one value; None and repetitions are passed over."""
        if value is None or value == "":
            return
        known = self.values.get(name)
        if known is None:
            self.values[name] = _alone(value) if isinstance(value, str) else (value,)
        elif value not in known:
            self.values[name] = (*known, value)

    def contradicts(self, other: RawRecord) -> bool:
        """Whether the two say different things of one name."""
        return any(other.values.get(name, values) != values for name, values in self.values.items())

    def text(self, name: str) -> str | None:
        """The first value as text."""
        values = self.values.get(name)
        return values[0] if values and isinstance(values[0], str) else None

    def flag(self, name: str) -> bool | None:
        """The first value, where it is a truth value."""
        values = self.values.get(name)
        return values[0] if values and isinstance(values[0], bool) else None

    def number(self, name: str) -> Decimal | None:
        """The first value, where it is a number."""
        values = self.values.get(name)
        return values[0] if values and isinstance(values[0], Decimal) else None

    def first(self, name: str) -> Scalar | None:
        """The first value of this name."""
        values = self.values.get(name)
        return values[0] if values else None

    def codings(self, name: str) -> list[Coding]:
        """Values of the form `system|code` as codings."""
        values = self.values.get(name)
        return [_coding(str(value)) for value in values] if values else []


@lru_cache(maxsize=16384)
def _alone(text: str) -> tuple[str]:
    """The tuple of one text, shared by all records that say it: units, statuses and dates are many times the same."""
    return (text,)


@lru_cache(maxsize=16384)
def _coding(text: str) -> Coding:
    """The coding that a text `system|code` stands for."""
    system, separator, code = text.rpartition("|")
    return normalise_system(system) if separator else "", code.strip(), ""
