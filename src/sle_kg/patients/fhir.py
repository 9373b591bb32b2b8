"""FHIR R4 JSON to raw records: bundles, bulk-export NDJSON and single resources, several files making one set.

Nothing is judged here but form: what a record says is kept as it is written, and `interpret` applies the rules.
Unknown resource types and observations that no criterion needs are counted and passed over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.namespaces import LOCAL_CODES
from sle_kg.patients.dosage import dosage_lines
from sle_kg.patients.elements import concept, mapping, scalar, sequence, text_of
from sle_kg.patients.fhir_modifiers import MODIFIERS, modifier, own_modifier, withhold
from sle_kg.patients.fhir_references import (
    contained,
    looked_up,
    names_somebody,
    subject_of,
    url_of,
    urls_by_identifier,
)
from sle_kg.patients.fhir_resources import (
    CONVERT,
    add_codings,
    add_concept,
    add_dates,
    add_result,
    add_value,
    has_value,
    status_of,
    tail,
)
from sle_kg.patients.noted import DECEASED, death_of, noted
from sle_kg.patients.raw import RawRecord, Scalar
from sle_kg.terminology import UNMAPPED, Terminology

_T = TypeVar("_T")
_MEDICINES = {
    "MedicationStatement": "StatedExposure",
    "MedicationRequest": "OrderedExposure",
    "MedicationAdministration": "AdministeredExposure",
}


_ABOUT = ("subject", "focus", "derivedFrom", "partOf", "hasMember")
"""Elements by which an observation may refer to the adverse event that it grades."""
_REFERRING = ("resourceType", "id", *_ABOUT)
"""What of an observation is needed once it is converted."""
_READ = frozenset({*CONVERT, *_MEDICINES, "Observation"})
"""Types of resources that are records of a patient."""
_ITS_PATIENT = frozenset(
    "CarePlan ClinicalImpression Composition DiagnosticReport Encounter EpisodeOfCare List".split()  # noqa: SIM905
)
"""Further types of resources whose patient is that of the records that they contain; a relative's is not."""
_INSIDE = re.compile(r"[A-Za-z]+/[^/]*#[^/]*")
"""The id of a contained resource, which is its name at once."""
_NOT_NAMED = "its patient is not named by a reference"


@dataclass(slots=True)
class _Entry:
    """A resource with the bundle and the file it came from, its full URL in the bundle, and its place.

    An observation, of which there are many, is converted at once: `converted` holds its raw records (None where no
    criterion needs it), and `resource` only what it refers to. Entries about the same are equal.
    """

    resource: dict[str, Any] = field(compare=False)
    bundle: str = field(compare=False)
    file: str = field(compare=False)
    full_url: str = field(compare=False)
    place: int = field(compare=False)
    subject: str | None = None
    why: str | None = field(default=None, compare=False)
    converted: list[RawRecord] | None = field(default=None, compare=False)

    @property
    def record(self) -> str:
        """The name of the resource in evidence: `Observation/obs-3`."""
        identifier = text_of(self.resource.get("id")) or tail(self.full_url) or f"#{self.place}"
        return record_name(self.resource.get("resourceType"), identifier)


def _of(entry: _Entry) -> str:
    """The place of the records of the subject that an entry names."""
    return f"of {entry.subject}" if entry.subject else ""


class _References(Generic[_T]):
    """What references lead to, by the place that they stand in (a bundle, a file, records of one subject, or anywhere)
    and their URL.
    """

    def __init__(self) -> None:
        self._targets: dict[tuple[str, str], _T | None] = {}
        self._followed: dict[tuple[str, ...], _T | None] = {}

    def __bool__(self) -> bool:
        return bool(self._targets)

    def note(self, places: Iterable[str], url: str, target: _T) -> None:
        """Something that a reference in these places may mean; a URL that may mean two different things has none."""
        for place in places if url else ():
            if self._targets.setdefault((place, url), target) != target:
                self._targets[place, url] = None
        self._followed.clear()

    def follow(self, url: str | None, entry: _Entry, near: str = "") -> _T | None:
        """What a URL means in an entry: in the nearest place, in its bundle, its file, anywhere; None where nothing."""
        if url is None:
            return None
        key = (near, entry.bundle, entry.file, url)
        if key not in self._followed:
            self._followed[key] = self._find(url, (*filter(None, key[:-1]), ""))
        return self._followed[key]

    def within(self, url: str | None, place: str) -> _T | None:
        """What a URL means in one place."""
        return None if url is None else self._find(url, (place,))

    def _find(self, url: str, places: tuple[str, ...]) -> _T | None:
        short = "/".join(url.rsplit("/", 2)[-2:])
        ways = ((place, name) for place in places for name in (url, short))
        return next((self._targets[way] for way in ways if way in self._targets), None)


class FhirReader:
    """Collects the resources of all files, then gives the raw records of their patients."""

    def __init__(self, terminology: Terminology, code_map: CodeMap) -> None:
        self._terminology = terminology
        self._code_map = code_map
        self._entries: list[_Entry] = []
        self._patients: dict[str, RawRecord] = {}
        self._deaths: list[RawRecord] = []
        self._patient_urls: _References[str] = _References()
        self._medications: _References[dict[str, Any]] = _References()
        self._adverse_events: _References[_Entry] = _References()
        self._bundles = 0
        self._people: dict[str, set[str]] = {}
        self.skipped: Counter[str] = Counter()

    def add(self, value: Any, file: str) -> None:
        """Take in one JSON value of a file: a resource, or a bundle of resources.

        Raises InputError for JSON that is no FHIR resource, and for two patients of one id that contradict each other.
        """
        if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
            raise InputError(f"{file}: this JSON is no FHIR resource (resourceType is missing)")
        bundle = ""
        if value["resourceType"] == "Bundle":
            self._bundles += 1
            bundle = f"bundle {self._bundles}"
        for resource, full_url in resources_in(value):
            record = self._add(resource, bundle, file, full_url)
            for inside in contained_in(resource, record) if "contained" in resource else ():
                self._add(inside, bundle, file, "")

    def _add(self, resource: dict[str, Any], bundle: str, file: str, full_url: str) -> str:
        """Take in one resource; how it is named."""
        kind = text_of(resource.get("resourceType"))
        entry = _Entry(resource, bundle, file, full_url, len(self._entries) + 1)
        record = entry.record
        if kind == "Patient":
            self._add_patient(entry)
        elif kind == "Medication" and is_in_error(resource):
            self.skipped["Medication entered in error"] += 1
        elif kind == "Medication":
            for url in (full_url, record):
                self._medications.note((bundle, "") if bundle else ("",), url, medication_said(resource))
        elif kind in _READ:
            entry.subject, entry.why = subject_of(resource), modifier(resource)
            if kind == "AdverseEvent":
                for url in (full_url, record):
                    self._adverse_events.note((bundle, file, "", _of(entry)), url, entry)
            elif kind == "Observation":
                entry.converted = self._observation(resource, record)
                entry.resource = {name: resource[name] for name in _REFERRING if name in resource}
        self._entries.append(entry)
        return record

    def _add_patient(self, entry: _Entry) -> None:
        resource = entry.resource
        identifier = text_of(resource.get("id")) or tail(entry.full_url) or f"patient-{len(self._patients) + 1}"
        raw = RawRecord("Patient", identifier, f"Patient/{identifier}")
        for name, value in zip(("birthDate", "gender"), born_and_sex(resource), strict=True):
            raw.add(name, value)
        known = self._patients.setdefault(identifier, raw)
        if known.contradicts(raw):
            raise InputError(
                f"{entry.file}: the patient {identifier!r} contradicts another record of the same id "
                "(birth date or sex): give the two patients different ids"
            )
        known.values = raw.values | known.values
        if (death := death_of(resource, identifier)) is not None and death not in self._deaths:
            self._deaths.append(death)
        if entry.bundle:
            self._people.setdefault(entry.bundle, set()).add(identifier)
        for url in (entry.full_url, f"Patient/{identifier}", f"urn:uuid:{identifier}", *urls_by_identifier(resource)):
            self._patient_urls.note((entry.bundle, ""), url, identifier)

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
        patient, why = self._patient_of(entry), entry.why
        if patient is None and (patient := self._may_be_of(entry)) is not None:
            why = _NOT_NAMED
        if patient is None:
            self.skipped[f"{kind} of no patient in the files"] += 1
            return
        if kind == "Observation":
            found = self._observed(entry, patient)
        elif kind in _MEDICINES:
            medication = self._medication(entry)
            found = self._medicine(entry, patient, medication)
            why = why or modifier(medication)
        else:
            found = CONVERT[kind](resource, patient, entry.record)
        why = why or self._other_focus(entry, patient)
        for raw in found:
            if why is not None:
                withhold(raw, why)
            yield raw

    def _patient_of(self, entry: _Entry) -> str | None:
        """The patient that a resource is about; of an observation about an adverse event, the patient of that."""
        if self._people.get(entry.bundle) and not names_somebody(entry.subject):
            return self._patient_urls.within(entry.subject, entry.bundle)
        found = self._patient_urls.follow(entry.subject, entry)
        if found is None and entry.resource.get("resourceType") == "Observation":
            event = self._adverse_events.follow(entry.subject, entry)
            return self._patient_of(event) if event is not None else None
        return found

    def _may_be_of(self, entry: _Entry) -> str | None:
        """The only patient of the bundle, or of all files, whom a record may be of that names nobody by a URL."""
        if names_somebody(entry.subject) or entry.resource.get("resourceType") == "AdverseEvent":
            return None
        people = self._people.get(entry.bundle) or self._patients
        return next(iter(people)) if len(people) == 1 else None

    def _other_focus(self, entry: _Entry, patient: str) -> str | None:
        """What an observation is about instead of the patient or an adverse event: a donor, a device, a child."""
        for reference in sequence(entry.resource.get("focus")):
            url = url_of(reference)
            is_event = self._adverse_events.follow(url, entry) is not None or "AdverseEvent/" in (url or "")
            if not is_event and self._patient_urls.follow(url, entry) != patient:
                return f"about {text_of(mapping(reference).get('reference')) or 'somebody else'}"
        return None

    def _events_of(self, entry: _Entry, patient: str) -> list[str]:
        """The adverse events of the patient that an observation refers to, as records."""
        references = (reference for name in _ABOUT for reference in sequence(entry.resource.get(name)))
        found = (self._adverse_events.follow(url_of(reference), entry, _of(entry)) for reference in references)
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
                if (why := modifier(component)) is not None:
                    withhold(part, why)
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

    def _medicine(self, entry: _Entry, patient: str, medication: dict[str, Any]) -> Iterator[RawRecord]:
        """One raw record for each dosage line of a statement, an order or an administration of this Medication."""
        resource = entry.resource
        base = RawRecord(_MEDICINES[str(resource["resourceType"])], patient, entry.record)
        for codeable in self._medication_concepts(resource, medication):
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

    def _medication(self, entry: _Entry) -> dict[str, Any]:
        """The Medication that a medicine refers to; an empty one where there is none, or it has a code itself."""
        url = url_of(entry.resource.get("medicationReference"))
        if url is None or entry.resource.get("medicationCodeableConcept") is not None:
            return {}
        if not url.startswith("#"):
            return self._medications.follow(url, entry) or {}
        found = contained(entry.resource, url)
        return {} if is_in_error(found) else found

    def _medication_concepts(self, resource: dict[str, Any], medication: dict[str, Any]) -> list[Any]:
        """The codeable concepts of a medicine: its own, of the medication referred to, or of its ingredients."""
        if resource.get("medicationCodeableConcept") is not None:
            return [resource["medicationCodeableConcept"]]
        concepts = [medication.get("code")] if medication.get("code") else []
        codings = concept(medication.get("code"))[0]
        if self._terminology.concept(codings, self._code_map) == UNMAPPED:
            for ingredient in sequence(medication.get("ingredient")):
                if mapping(ingredient).get("isActive") is not False:
                    concepts.append(mapping(ingredient).get("itemCodeableConcept"))
        return concepts or [mapping(resource.get("medicationReference"))]


# ── Resources ────────────────────────────────────────────────────────────────────────────────────────────


def resources_in(value: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every resource of a bundle (bundles in it included) with its full URL, in order; of anything else, itself."""
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


def contained_in(resource: dict[str, Any], record: str) -> Iterator[dict[str, Any]]:
    """The records that a resource of this name contains, as resources by themselves: `DiagnosticReport/r#alt`.

    They are of its patient where they name none and its records are the patient's, and changed by what changes it.
    """
    if "contained" not in resource or is_in_error(resource):
        return
    every = [inside for inside in sequence(resource["contained"]) if isinstance(inside, dict)]
    outer = {name: resource[name] for name in (*MODIFIERS, "focus") if name in resource}
    is_patients = text_of(resource.get("resourceType")) in _READ | _ITS_PATIENT
    about = {"subject": resource.get("subject") or resource.get("patient")} if is_patients else {}
    beside = {"contained": looked_up(resource)}
    for number, inside in enumerate(every, 1):
        if text_of(inside.get("resourceType")) in _READ:
            name = {"id": f"{record}#{text_of(inside.get('id')) or number}"}
            yield outer | inside | ({} if inside.get("subject") or inside.get("patient") else about) | name | beside


def record_name(kind: Any, identifier: str) -> str:
    """The name of a resource in evidence; the id of a contained one is its name."""
    return identifier if "#" in identifier and _INSIDE.fullmatch(identifier) else f"{kind}/{identifier}"


def is_in_error(resource: dict[str, Any]) -> bool:
    """Whether a resource was entered in error: a Medication that was is as good as none."""
    statuses = resource.get("status"), status_of(resource.get("verificationStatus"))
    return "entered-in-error" in statuses


def medication_said(resource: dict[str, Any]) -> dict[str, Any]:
    """What of a Medication is read: two of one URL that differ in it are two."""
    return {name: resource[name] for name in ("code", "ingredient", *MODIFIERS) if resource.get(name)}


def born_and_sex(resource: dict[str, Any]) -> tuple[Scalar | None, Scalar | None]:
    """Birth date and sex of a Patient resource; of one replaced, or changed by rules, why they are not known."""
    why = own_modifier(resource) or _replaced(resource)
    if why is not None:
        return f"({why})", f"({why})"
    return scalar(resource.get("birthDate")), scalar(resource.get("gender"))


def _replaced(patient: dict[str, Any]) -> str | None:
    """By whom a Patient resource was replaced, so that newer records are of another, if it was."""
    links = map(mapping, sequence(patient.get("link")))
    return next(
        (f"replaced by {url_of(link.get('other'))}" for link in links if link.get("type") == "replaced-by"), None
    )
