"""FHIR R4 JSON to raw records: bundles, bulk-export NDJSON and single resources, several files making one set.

Nothing is judged here but form: what a record says is kept as it is written, and `interpret` applies the rules.
Unknown resource types and observations that no criterion needs are counted and passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.namespaces import LOCAL_CODES
from sle_kg.patients.dosage import dosage_lines
from sle_kg.patients.elements import concept, mapping, scalar, sequence, text_of
from sle_kg.patients.fhir_resources import (
    CONVERT,
    add_codings,
    add_concept,
    add_dates,
    add_result,
    add_value,
    has_value,
    tail,
)
from sle_kg.patients.noted import DECEASED, death_of, noted
from sle_kg.patients.raw import FHIR_TYPE, RawRecord, Scalar
from sle_kg.terminology import UNMAPPED, Terminology

_T = TypeVar("_T")
_MEDICINES = {
    "MedicationStatement": "StatedExposure",
    "MedicationRequest": "OrderedExposure",
    "MedicationAdministration": "AdministeredExposure",
}


_ABOUT = ("subject", "focus", "derivedFrom", "partOf", "hasMember")
"""Elements by which an observation may refer to the adverse event that it grades."""
_REFERRING = ("resourceType", "id", "patient", "modifierExtension", *_ABOUT)
"""What of an observation is needed once it is converted."""
_SAYING = frozenset(
    """measuredValue statedValue textValue valueCoding comparator interpretation dataAbsentReason plannedDate
    recordSection""".split()  # noqa: SIM905
)
"""Properties by which raw records of observations say something."""


@dataclass(slots=True)
class _Entry:
    """A resource with the file it came from, its full URL in the bundle, and its place.

    An observation, of which there are many, is converted at once: `converted` holds its raw records (None where no
    criterion needs it), and `resource` only what it refers to.
    """

    resource: dict[str, Any]
    file: str
    full_url: str
    place: int
    converted: list[RawRecord] | None = None

    @property
    def record(self) -> str:
        """The name of the resource in evidence: `Observation/obs-3`."""
        identifier = text_of(self.resource.get("id")) or tail(self.full_url) or f"#{self.place}"
        return f"{self.resource.get('resourceType')}/{identifier}"


class _References(Generic[_T]):
    """What references lead to, by the file that they stand in and their URL."""

    def __init__(self) -> None:
        self._targets: dict[tuple[str, str], _T] = {}
        self._followed: dict[tuple[str, str], _T | None] = {}

    def __bool__(self) -> bool:
        return bool(self._targets)

    def note(self, file: str, url: str, target: _T) -> None:
        """Something that a reference in this file, or in any other, may mean; what was first noted counts."""
        self._targets.setdefault((file, url), target)
        self._targets.setdefault(("", url), target)
        self._followed.clear()

    def follow(self, reference: Any, file: str) -> _T | None:
        """What a FHIR reference means, in its own file first; None where nothing."""
        url = text_of(mapping(reference).get("reference"))
        if url is None:
            return None
        if (file, url) not in self._followed:
            self._followed[file, url] = self._find(url.split("/_history/", 1)[0], file)
        return self._followed[file, url]

    def _find(self, url: str, file: str) -> _T | None:
        short = "/".join(url.rsplit("/", 2)[-2:])
        places = ((file, url), (file, short), ("", url), ("", short))
        return next((self._targets[place] for place in places if place in self._targets), None)


class FhirReader:
    """Collects the resources of all files, then gives the raw records of their patients."""

    def __init__(self, terminology: Terminology, code_map: CodeMap) -> None:
        self._terminology = terminology
        self._code_map = code_map
        self._entries: list[_Entry] = []
        self._patients: dict[str, RawRecord] = {}
        self._deaths: list[RawRecord] = []
        self._patient_urls: _References[str] = _References()
        self._medications: dict[tuple[str, str], dict[str, Any]] = {}
        self._adverse_events: _References[_Entry] = _References()
        self.skipped: Counter[str] = Counter()

    def add(self, value: Any, file: str) -> None:
        """Take in one JSON value of a file: a resource, or a bundle of resources.

        Raises InputError for JSON that is no FHIR resource, and for two patients of one id that contradict each other.
        """
        if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
            raise InputError(f"{file}: this JSON is no FHIR resource (resourceType is missing)")
        for resource, full_url in _resources(value):
            kind = resource.get("resourceType")
            entry = _Entry(resource, file, full_url, len(self._entries) + 1)
            if kind == "Patient":
                self._add_patient(entry)
            elif kind == "Medication" and is_in_error(resource):
                self.skipped["Medication entered in error"] += 1
            elif kind == "Medication":
                for reference in (full_url, f"Medication/{resource.get('id')}"):
                    self._medications.setdefault((file, reference), resource)
                    self._medications.setdefault(("", reference), resource)
            elif kind == "AdverseEvent":
                for reference in (full_url, entry.record):
                    self._adverse_events.note(file, reference, entry)
            elif kind == "Observation":
                entry.converted = self._observation(resource, entry.record)
                entry.resource = {name: resource[name] for name in _REFERRING if name in resource}
            self._entries.append(entry)

    def _add_patient(self, entry: _Entry) -> None:
        resource = entry.resource
        identifier = text_of(resource.get("id")) or tail(entry.full_url) or f"patient-{len(self._patients) + 1}"
        raw = RawRecord("Patient", identifier, f"Patient/{identifier}")
        for name in ("birthDate", "gender"):
            raw.add(name, scalar(resource.get(name)))
        known = self._patients.setdefault(identifier, raw)
        if known.contradicts(raw):
            raise InputError(
                f"{entry.file}: the patient {identifier!r} contradicts another record of the same id "
                "(birth date or sex): give the two patients different ids"
            )
        known.values = raw.values | known.values
        if (death := death_of(resource, identifier)) is not None and death not in self._deaths:
            self._deaths.append(death)
        for url in (entry.full_url, f"Patient/{identifier}", f"urn:uuid:{identifier}"):
            if url:
                self._patient_urls.note(entry.file, url, identifier)

    def records(self) -> Iterator[RawRecord]:
        """Every raw record, patients first, in the order of the input; the same record twice counts once."""
        yield from self._patients.values()
        yield from self._deaths
        seen: dict[tuple[str, str, str], dict[str, tuple[Scalar, ...]]] = {}
        for entry in self._entries:
            for raw in self._convert(entry):
                key = (raw.patient, raw.kind, raw.id)
                if key not in seen or seen[key] != raw.values:
                    seen[key] = raw.values
                    yield raw

    def _convert(self, entry: _Entry) -> Iterator[RawRecord]:
        """The raw records of one resource."""
        resource = entry.resource
        kind = text_of(resource.get("resourceType")) or "resource without a type"
        if kind in ("Patient", "Medication"):
            return
        if kind != "Observation" and kind not in CONVERT and kind not in _MEDICINES:
            self.skipped[kind] += 1
            return
        patient = self._patient_of(entry)
        if patient is None:
            self.skipped[f"{kind} of no patient in the files"] += 1
            return
        if kind == "Observation":
            found = self._observed(entry, patient)
        elif kind in _MEDICINES:
            found = self._medicine(entry, patient, entry.record)
        else:
            found = CONVERT[kind](resource, patient, entry.record)
        why = _modifier(resource) or self._other_focus(entry, patient)
        for raw in found:
            if why is not None:
                _withhold(raw, why)
            yield raw

    def _patient_of(self, entry: _Entry) -> str | None:
        """The patient that a resource is about; of an observation about an adverse event, the patient of that."""
        subject = entry.resource.get("subject") or entry.resource.get("patient")
        found = self._patient_urls.follow(subject, entry.file)
        if found is None and entry.resource.get("resourceType") == "Observation":
            event = self._adverse_events.follow(subject, entry.file)
            return self._patient_of(event) if event is not None else None
        return found

    def _other_focus(self, entry: _Entry, patient: str) -> str | None:
        """What an observation is about instead of the patient or an adverse event: a donor, a device, a child."""
        for reference in sequence(entry.resource.get("focus")):
            url = text_of(mapping(reference).get("reference")) or "somebody else"
            is_event = self._adverse_events.follow(reference, entry.file) is not None or "AdverseEvent/" in url
            if not is_event and self._patient_urls.follow(reference, entry.file) != patient:
                return f"about {url}"
        return None

    def _events_of(self, entry: _Entry, patient: str) -> list[str]:
        """The adverse events of the patient that an observation refers to, as records."""
        references = (reference for name in _ABOUT for reference in sequence(entry.resource.get(name)))
        found = (self._adverse_events.follow(reference, entry.file) for reference in references)
        return [event.record for event in found if event is not None and self._patient_of(event) == patient]

    # ── Observations ─────────────────────────────────────────────────────────────────────────────────────

    def _observed(self, entry: _Entry, patient: str) -> Iterator[RawRecord]:
        """The raw records of an observation, now that its patient and the adverse events of all files are known."""
        if entry.converted is None:
            self.skipped["Observation with a code that no criterion needs"] += 1
            return
        events = self._events_of(entry, patient) if self._adverse_events else ()
        for raw in entry.converted:
            raw.patient = patient
            for event in events if raw.kind == "Measurement" else ():
                raw.add("aboutEvent", event)
            yield raw

    def _observation(self, resource: dict[str, Any], record: str) -> list[RawRecord] | None:
        """The raw records of an observation, their patient not yet known; None where no criterion needs it."""
        codings, display = concept(resource.get("code"))
        for system, code, _ in codings:
            key = self._code_map.get((system, code), code if system == LOCAL_CODES else "")
            if key and (raw := self._statement(resource, record, key)) is not None:
                raw.add("display", display)
                return [raw]
        components = [c for c in sequence(resource.get("component")) if isinstance(c, dict)]
        wanted = bool(self._terminology.tests(codings, self._code_map))
        found = []
        whole = RawRecord("Measurement", "", record)
        whole.add("recordStatus", scalar(resource.get("status")))
        add_dates(whole, resource, "effective", "effective", "effectiveEnd")
        for number, component in enumerate(components, 1):
            part_codings, part_display = concept(component.get("code"))
            if self._terminology.tests(part_codings, self._code_map):
                part = RawRecord("Measurement", "", f"{record}/component/{number}", whole.values.copy())
                add_codings(part, part_codings, part_display)
                add_result(part, component, resource)
                if (why := _modifier(component)) is not None:
                    _withhold(part, why)
                found.append(part)
        if wanted and (has_value(resource) or not (components or resource.get("hasMember"))):
            add_codings(whole, codings, display)
            add_result(whole, resource, resource)
            found.insert(0, whole)
        return found if found or wanted else noted(resource, whole, codings, self._terminology, self._code_map)

    def _statement(self, resource: dict[str, Any], record: str, code: str) -> RawRecord | None:
        """What an observation with a local code states, where it is no measurement; its patient not yet known."""
        patient = ""
        kind, _, rest = code.partition(":")
        if code == DECEASED:
            if resource.get("valueBoolean") is False:
                return None
            raw = RawRecord("Death", patient, record)
        elif kind == "attest":
            raw = RawRecord("Attestation", patient, record)
            trial, _, criterion = rest.partition("/")
            raw.add("trialIdentifier", trial)
            raw.add("criterionIdentifier", criterion)
        elif kind == "event":
            raw = RawRecord("PlannedEvent", patient, record)
            event, _, trial = rest.partition("/")
            raw.add("eventName", event)
            raw.add("trialIdentifier", trial)
            raw.add("plannedDate", scalar(resource.get("valueDateTime")))
        elif code == "recordComplete":
            raw = RawRecord("CompletenessStatement", patient, record)
            for system, section, _ in concept(resource.get("valueCodeableConcept"))[0]:
                if system == LOCAL_CODES:
                    raw.add("recordSection", section)
        elif kind == "contraindication" or self._terminology.is_statement(code):
            raw = RawRecord("Statement", patient, record)
            raw.add("statementKey", code)
        else:
            return None
        raw.add("recordStatus", scalar(resource.get("status")))
        add_dates(raw, resource, "effective", "effective", "effectiveEnd")
        if kind not in ("event", DECEASED):
            add_value(raw, resource)
        return raw

    # ── Medicines ────────────────────────────────────────────────────────────────────────────────────────

    def _medicine(self, entry: _Entry, patient: str, record: str) -> Iterator[RawRecord]:
        """One raw record for each dosage line of a statement, an order or an administration."""
        resource = entry.resource
        base = RawRecord(_MEDICINES[str(resource["resourceType"])], patient, record)
        concepts = self._medication(entry)
        for codeable in concepts:
            add_concept(base, codeable)
        for name, element in (("recordStatus", "status"), ("intent", "intent"), ("doNotPerform", "doNotPerform")):
            base.add(name, scalar(resource.get(element)))
        if base.kind == "OrderedExposure":
            validity = mapping(mapping(resource.get("dispenseRequest")).get("validityPeriod"))
            base.add("started", scalar(validity.get("start")) or scalar(resource.get("authoredOn")))
            base.add("ended", scalar(validity.get("end")))
        else:
            add_dates(base, resource, "effective", "started", "ended")
            if base.kind == "AdministeredExposure" and "effectiveDateTime" in resource:
                base.add("ended", scalar(resource.get("effectiveDateTime")))
            base.add("asserted", scalar(resource.get("dateAsserted")))
        dosage = resource.get("dosageInstruction") if base.kind == "OrderedExposure" else resource.get("dosage")
        yield from dosage_lines(base, [line for line in sequence(dosage) if isinstance(line, dict)])

    def _medication(self, entry: _Entry) -> list[Any]:
        """The codeable concepts of a medicine: its own, of the medication referred to, or of its ingredients."""
        resource = entry.resource
        if resource.get("medicationCodeableConcept") is not None:
            return [resource["medicationCodeableConcept"]]
        reference = text_of(mapping(resource.get("medicationReference")).get("reference")) or ""
        medication: dict[str, Any] = {}
        if reference.startswith("#"):
            for contained in sequence(resource.get("contained")):
                if mapping(contained).get("id") == reference[1:] and not is_in_error(contained):
                    medication = mapping(contained)
        else:
            reference = reference.split("/_history/", 1)[0]
            short = "/".join(reference.rsplit("/", 2)[-2:])
            for key in ((entry.file, reference), (entry.file, short), ("", reference), ("", short)):
                medication = medication or self._medications.get(key, {})
        concepts = [medication.get("code")] if medication.get("code") else []
        codings = concept(medication.get("code"))[0]
        if self._terminology.concept(codings, self._code_map) == UNMAPPED:
            for ingredient in sequence(medication.get("ingredient")):
                if mapping(ingredient).get("isActive") is not False:
                    concepts.append(mapping(ingredient).get("itemCodeableConcept"))
        return concepts or [mapping(resource.get("medicationReference"))]


# ── Resources ────────────────────────────────────────────────────────────────────────────────────────────


def _resources(value: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every resource of a bundle (bundles in it included) with its full URL; of anything else, itself."""
    waiting: list[tuple[Any, str]] = [(value, "")]
    while waiting:
        resource, url = waiting.pop()
        if not isinstance(resource, dict):
            continue
        if resource.get("resourceType") != "Bundle":
            yield resource, url
            continue
        entries = [entry for entry in sequence(resource.get("entry")) if isinstance(entry, dict)]
        waiting.extend((entry.get("resource"), text_of(entry.get("fullUrl")) or "") for entry in reversed(entries))


def is_in_error(resource: dict[str, Any]) -> bool:
    """Whether a resource was entered in error: a Medication that was is as good as none."""
    return resource.get("status") == "entered-in-error"


def _modifier(part: dict[str, Any]) -> str | None:
    """The extension that changes what a resource or a component means, if there is one: none is understood."""
    extension = next(iter(sequence(part.get("modifierExtension"))), None)
    return None if extension is None else f"modifierExtension {text_of(mapping(extension).get('url')) or ''}".strip()


def _withhold(raw: RawRecord, why: str) -> None:
    """Take from a raw record what it says, so that it is reported and leaves its criterion or its section open."""
    if FHIR_TYPE[raw.kind] == "Observation":
        for name in _SAYING & raw.values.keys():
            del raw.values[name]
        raw.add("textValue", f"({why})")
    elif raw.kind == "Consent":
        raw.values["recordStatus"] = (why,)
    elif raw.kind != "AdverseEvent":
        raw.values.pop("coding", None)
        raw.values["display"] = (f"{raw.text('display') or ''} ({why})".strip(),)
