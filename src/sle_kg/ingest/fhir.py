"""FHIR resources of one piece to facts, each with its patient as the reference says.

A bulk export scatters a patient over files, so what a record refers to may stand in another piece. The reader resolves
what its own document holds; medicines without their Medication, adverse events and the observations about them wait in
the part's books for the second pass (`references`), and whether a patient exists is decided by the merge. Every
resource goes through `patients/fhir.py` by itself, with its patient and what it refers to beside it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from sle_kg import ontology
from sle_kg.codes import CodeMap
from sle_kg.errors import InputError
from sle_kg.ingest.fill import Fill
from sle_kg.ingest.parts import Books, PartBuilder
from sle_kg.ingest.pieces import Segment
from sle_kg.ingest.repeats import Repeats, Rows
from sle_kg.patients import adverse_event
from sle_kg.patients.dosage import LIMITS
from sle_kg.patients.elements import concept, mapping, sequence, text_of
from sle_kg.patients.fhir import (
    FhirReader,
    born_and_sex,
    contained_in,
    is_in_error,
    medication_said,
    record_name,
    resources_in,
)
from sle_kg.patients.fhir_references import (
    BY_IDENTIFIER,
    looked_up,
    names_somebody,
    subject_of,
    url_of,
    urls_by_identifier,
)
from sle_kg.patients.interpret import Interpreter
from sle_kg.patients.json_text import parse_json
from sle_kg.patients.noted import death_of
from sle_kg.patients.raw import FHIR_TYPE, RawRecord
from sle_kg.terminology import Terminology

READ = frozenset({*FHIR_TYPE.values(), "Medication", "Bundle"})
"""Resource types that the reader knows; others are passed over."""
_MEDICINES = ("MedicationStatement", "MedicationRequest", "MedicationAdministration")
_ABOUT = ("focus", "derivedFrom", "partOf", "hasMember")
_FIRST_TYPE = re.compile(rb'"resourceType"\s*:\s*"(\w+)"')
_LONGEST_TYPE = 64
_NOBODY = "refers to no patient"
_LOST_SIGNS = "the id has signs that are no text (U+FFFD), so it may be that of another patient: mend the export"
_SELF = {"resourceType": "Patient", "id": "self"}
"""Stands for the patient of a resource while it is read alone; any id may be the real one."""
_OWN = {"reference": "Patient/self"}
_LIMITS = tuple(f'"{name}"'.encode() for name in LIMITS)
_UNNAMED = {"display": "(somebody)"}
"""Stands for the patient of a resource that names nobody, and may be of the only one of its document."""

Resource = dict[str, Any]
Line = tuple[str, int, bytes]
"""A line with its source and its number."""
LineFilter = Callable[[Iterable[Line], Fill], Iterable[Line]]
"""Fills in the rows of those lines of texts that it knows, each from its first number on, and gives the others."""
_T = TypeVar("_T")


@dataclass(slots=True)
class Document:
    """What the resources of one document mean when they refer to each other, by URL; and its patients."""

    patients: dict[str, str | None] = field(default_factory=dict)
    medications: dict[str, Resource | None] = field(default_factory=dict)
    events: dict[str, Resource] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)

    def note(self, resource: Resource, url: str) -> None:
        """Note by which URLs others may refer to a resource; of adverse events, the first counts."""
        kind, identifier = resource.get("resourceType"), str(resource.get("id"))
        urls = (url, f"{kind}/{identifier}")
        if kind == "Patient":
            self.people.add(identifier)
            _note(self.patients, (*urls, f"urn:uuid:{identifier}", *urls_by_identifier(resource)), identifier)
        elif kind == "Medication" and not is_in_error(resource):
            _note(self.medications, urls, medication_said(resource) | {"resourceType": kind})
        elif kind == "AdverseEvent":
            for name in filter(None, urls):
                self.events.setdefault(name, resource)


class PieceReader:
    """Reads segments of FHIR JSON into a part."""

    def __init__(
        self, terminology: Terminology, code_map: CodeMap, part: PartBuilder, forms: LineFilter | None = None
    ) -> None:
        self._forms = forms
        self._terminology = terminology
        self._code_map = code_map
        self._part = part
        self._interpreter = Interpreter(terminology, code_map, part)
        self._repeats: Repeats | None = Repeats()
        remarked = {kind.graded_by for kind in ontology.event_kinds().values()}
        self._remarked = remarked | {adverse_event.DOSE_LIMITING, adverse_event.COMMON_GRADE}

    def read(self, segment: Segment) -> None:
        """All resources of a segment, each line or document by itself; what cannot be read is rejected."""
        if segment.form == "lines":
            return self.read_lines([segment])
        self._reject(segment)
        content = segment.read()
        match segment.form:
            case "document":
                self._read_text(content, segment.source, segment.first)
            case "medicines":
                self._read_medicines(content)
            case "events":
                self._read_events(content)
        self.count()

    def read_lines(self, segments: Sequence[Segment]) -> None:
        """All resources of segments of lines, those of known forms together, whatever their source."""
        for segment in segments:
            self._reject(segment)
        texts = ((segment.source, segment.first, segment.read()) for segment in segments)
        lines = self._forms(texts, self._part.fill) if self._forms is not None else each_line(texts)
        for source, number, line in lines:
            self._read_text(line, source, number)
        self.count()

    def _reject(self, segment: Segment) -> None:
        """Note what of a segment could not be read."""
        for place, reason in segment.rejects:
            self._part.reject(segment.source, place, None, reason)

    def count(self) -> None:
        """Tell the part what the interpreter passed over."""
        self._part.skipped.update(self._interpreter.skipped)
        self._interpreter.skipped.clear()

    # ── Documents ────────────────────────────────────────────────────────────────────────────────────────

    def _read_text(self, content: bytes, source: str, line: int) -> None:
        """One JSON value, or a document that holds one."""
        if line == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        if not content or content.isspace():
            return
        first = _FIRST_TYPE.search(content)
        is_passed_over = first is not None and first[1].decode() not in READ and b'"contained"' not in content
        if first and is_passed_over and _has_type(content, kind := first[1].decode()):
            self._part.skipped[_shown(kind)] += 1
            return
        try:
            values = list(parse_json(content.decode("utf-8"), ""))
        except UnicodeDecodeError:
            self._part.reject(source, line, None, "the line is not UTF-8")
        except InputError as error:
            self._part.reject(source, line, None, str(error).partition(": ")[2])
        else:
            for value in values:
                if isinstance(value, dict) and isinstance(value.get("resourceType"), str):
                    self._read_document(value, source, line, content)
                else:
                    self._part.reject(source, line, None, "no FHIR resource (resourceType is missing)")

    def _read_document(self, value: Resource, source: str, line: int, content: bytes) -> None:
        """A resource, or the resources of a bundle, which may refer to each other."""
        document = Document()
        if value["resourceType"] != "Bundle":
            resources = [(_named(value, "", content.strip()), "")]
        else:
            resources = [(_named(resource, url), url) for resource, url in resources_in(value)]
            for resource, url in resources:
                document.note(resource, url)
        for resource, url in resources:
            self._read_resource(resource, url, document, source, line)
            for inside in contained_in(resource, _record_of(resource)):
                self._read_resource(inside, "", document, source, line)

    def _read_resource(self, resource: Resource, url: str, document: Document, source: str, line: int) -> None:
        """One resource: its facts, or its place among what waits for others."""
        kind = text_of(resource.get("resourceType")) or ""
        if kind not in READ:
            self._part.skipped[_shown(kind)] += 1
        elif kind == "Patient":
            self._person(resource, url, source, line)
        elif kind == "Medication" and is_in_error(resource):
            self._part.skipped["Medication entered in error"] += 1
        elif kind == "Medication":
            for name in {url, f"Medication/{resource['id']}"} - {""}:
                self._part.note("medication", name, to_json(medication_said(resource)))
        else:
            self._record(resource, url, document, source, line)

    def _person(self, resource: Resource, url: str, source: str, line: int) -> None:
        """What a Patient resource says, for the merge to compare."""
        if "\ufffd" in resource["id"]:
            self._part.reject(source, line, f"Patient/{resource['id']}", _LOST_SIGNS)
            return
        birth, gender = (None if value in (None, "") else str(value) for value in born_and_sex(resource))
        alias = of_patient(url) or url
        others = [alias] if alias and alias != resource["id"] else []
        others += [name for name in urls_by_identifier(resource) if "\n" not in name]
        self._part.note("person", resource["id"], birth, gender, "\n".join(others) or None, source, line)
        if (death := death_of(resource, resource["id"])) is not None:
            self._interpreter.forget()
            self._interpreter.add(death)
            self._part.close()
            self._part.note("source", resource["id"], death.id, source, line)

    def _record(self, resource: Resource, url: str, document: Document, source: str, line: int) -> None:
        """A record of a patient."""
        kind, record = resource["resourceType"], _record_of(resource)
        patient = _patient_of(resource, document)
        may_be = len(document.people) == 1 and kind != "AdverseEvent" and not names_somebody(subject_of(resource))
        if patient is None and may_be:
            [patient] = document.people
            resource = resource | {"subject": _UNNAMED}
        if patient is None:
            event = url_of(resource.get("subject"))
            if kind == "Observation" and event is not None and _short(event).startswith("AdverseEvent/"):
                self._part.note("about", None, _short(event), record, to_json(resource), source, line)
            else:
                self._part.reject(source, line, record, _NOBODY)
            return
        if kind == "AdverseEvent":
            self._part.note("event", patient, record, url, to_json(resource))
        elif kind == "Observation" and self._is_about_events(resource, document):
            self._part.note("about", patient, None, record, to_json(resource), source, line)
            return
        elif kind in _MEDICINES and (reference := _missing_medication(resource, document)) is not None:
            self._part.note("medicine", patient, reference, _short(reference), to_json(resource))
        elif not self.read_alone(resource, patient, document.medications):
            return
        self._part.note("source", patient, record, source, line)

    def read_alone(self, resource: Resource, patient: str, medications: Mapping[str, Resource | None]) -> bool:
        """The facts of one record by the rules of reading; False where it holds none that matter."""
        is_apart = resource["resourceType"] != "Observation" or "focus" in resource or _is_unnamed(resource)
        if self._repeats is not None and not is_apart:
            key = self._repeats.key(resource)
            if key is not None:
                return self._read_observation(self._repeats, resource, patient, *key)
        reader = FhirReader(self._terminology, self._code_map)
        reader.add(_SELF, "")
        reference = url_of(resource.get("medicationReference"))
        if reference is not None and (medication := _found(reference, medications)) is not None:
            bundle = [{"fullUrl": reference, "resource": medication}]
            reader.add({"resourceType": "Bundle", "entry": bundle}, "")
        reader.add(_of_self(resource), "")
        return self._interpret(reader, patient)[0]

    def _read_observation(self, repeats: Repeats, resource: Resource, patient: str, said: str, day: date) -> bool:
        """The facts of an observation of a day: those of one that says the same, where one was read."""
        known = repeats.get(said)
        if known is not None:
            self._part.put(known.filled(patient, f"Observation/{resource['id']}", day))
            self._part.skipped.update(known.skipped)
            return known.found
        before = self._part.skipped + self._interpreter.skipped
        reader = FhirReader(self._terminology, self._code_map)
        reader.add(_SELF, "")
        reader.add(_of_self(resource), "")
        found, rows = self._interpret(reader, patient)
        skipped = self._part.skipped + self._interpreter.skipped - before
        repeats.note(said, day, found, rows, skipped)
        return found

    def _interpret(self, reader: FhirReader, patient: str) -> tuple[bool, Rows]:
        """Whether there are facts in what a reader holds of one patient, and their rows."""
        found = False
        self._interpreter.forget()
        for raw in reader.records():
            if raw.kind != "Patient":
                found = True
                raw.patient = patient
                self._interpreter.add(raw)
        self._interpreter.finish()
        rows = self._part.close()
        self._part.skipped.update(reader.skipped)
        return found, rows

    def _is_about_events(self, resource: Resource, document: Document) -> bool:
        """Whether an observation may grade an adverse event: such a test, and a reference to something."""
        subject = url_of(resource.get("subject")) or ""
        if not any(resource.get(name) for name in _ABOUT) and _found(subject, document.events) is None:
            return False
        parts = [resource, *map(mapping, sequence(resource.get("component")))]
        return any(
            self._remarked.intersection(self._terminology.tests(concept(part.get("code"))[0], self._code_map))
            for part in parts
        )

    # ── Second pass ──────────────────────────────────────────────────────────────────────────────────────

    def _read_medicines(self, content: bytes) -> None:
        """Records of medicines, each with the Medication that it refers to, where one was found."""
        for line in content.splitlines():
            patient, reference, resource, medication = json.loads(line)
            known = {reference: _parsed(medication) | {"resourceType": "Medication"}} if medication else {}
            self.read_alone(_parsed(resource), patient, known)

    def _read_events(self, content: bytes) -> None:
        """Adverse events with the observations about them: a line holds all of one patient."""
        for line in content.splitlines():
            patient, resources = json.loads(line)
            reader = FhirReader(self._terminology, self._code_map)
            reader.add(_SELF, "")
            entries = [{"fullUrl": url, "resource": _of_self(_parsed(resource))} for url, resource in resources]
            reader.add({"resourceType": "Bundle", "entry": entries}, "")
            self._interpret(reader, patient)


class LineProbe(PieceReader):
    """Reads single lines as far as raw records."""

    def __init__(self, terminology: Terminology, code_map: CodeMap) -> None:
        self._read_into = PartBuilder()
        super().__init__(terminology, code_map, self._read_into)
        self._repeats = None
        self._raws: list[RawRecord] = []

    def raws(self, line: bytes) -> tuple[list[RawRecord], Books, Counter[str]]:
        """The raw records of a line (number 2 of a source without name), its bookkeeping, and what was passed over.

        A line with a focus, which is compared with the patient, or a statement with a dosage for some days or several
        doses, which are compared with its dates and with each other, gives only bookkeeping: it is read by itself.
        """
        is_compared = line.count(b'"doseQuantity"') > 1 or any(name in line for name in _LIMITS)
        if b'"focus"' in line or (b'"MedicationStatement"' in line and is_compared):
            return [], {"alone": [()]}, Counter()
        self._raws = []
        self.read(Segment("lines", "", 2, line))
        _, books, skipped = self._read_into.take()
        return self._raws, books, skipped

    def _interpret(self, reader: FhirReader, patient: str) -> tuple[bool, Rows]:
        raws = [raw for raw in reader.records() if raw.kind != "Patient"]
        for raw in raws:
            raw.patient = patient
        self._raws += raws
        self._read_into.skipped.update(reader.skipped)
        return bool(raws), []


def each_line(texts: Iterable[Line]) -> Iterator[Line]:
    """All lines of texts of several."""
    for source, first, content in texts:
        for number, line in enumerate(content.split(b"\n"), first):
            yield source, number, line


def named_patient(reference: str) -> str | None:
    """The patient of a record by itself whose subject is this reference; None where it names nobody."""
    return _patient_of({"resourceType": "", "subject": {"reference": reference}}, Document())


def of_patient(reference: str) -> str | None:
    """The patient id that a reference names by itself: `Patient/x`, `http://…/Patient/x` or `urn:uuid:x`."""
    if reference.startswith(BY_IDENTIFIER):
        return None
    kind, _, identifier = _short(reference).rpartition("/")
    if kind == "Patient" and identifier:
        return identifier
    return reference.removeprefix("urn:uuid:") if reference.startswith("urn:uuid:") else None


def _patient_of(resource: Resource, document: Document) -> str | None:
    """The patient of a record: by the document, by the reference itself, or by the adverse event it is about."""
    reference = subject_of(resource)
    if reference is None:
        return None
    if (found := _found(reference, document.patients)) is not None:
        return found
    if resource["resourceType"] == "Observation" and (event := _found(reference, document.events)) is not None:
        return _patient_of(event, document)
    if (named := of_patient(reference)) is not None:
        return named
    if reference.startswith(BY_IDENTIFIER):
        return None if document.people else reference
    return reference if ":" in reference else None


def _missing_medication(resource: Resource, document: Document) -> str | None:
    """The reference of a medicine to a Medication that its document does not hold."""
    reference = url_of(resource.get("medicationReference"))
    if resource.get("medicationCodeableConcept") is not None or reference is None or reference.startswith("#"):
        return None
    return reference if _found(reference, document.medications) is None else None


def _note(known: dict[str, _T | None], urls: Iterable[str], target: _T) -> None:
    """Something that these URLs may mean; one that may mean two different things has none."""
    for url in filter(None, urls):
        if known.setdefault(url, target) != target:
            known[url] = None


def _found(reference: str, known: Mapping[str, _T | None]) -> _T | None:
    """What a reference means by its whole URL or by its end."""
    return known.get(reference) if reference in known else known.get(_short(reference))


def _of_self(resource: Resource) -> Resource:
    """The resource as one of the patient `self`, without contained records; the subject of an observation may be an
    event.
    """
    named = resource.get("subject") or resource.get("patient")
    subject = url_of(named)
    own = {name: value for name, value in resource.items() if name != "patient"}
    if "contained" in own:
        own["contained"] = looked_up(own)
    if _is_unnamed(resource):
        return own
    own["subject"] = _OWN
    if "focus" in own:
        own["focus"] = [_OWN if _names(item) == _names(named) else item for item in sequence(own["focus"])]
    if resource["resourceType"] != "Observation" or subject is None:
        return own
    return own | {"derivedFrom": [*sequence(own.get("derivedFrom")), {"reference": subject}]}


def _is_unnamed(resource: Resource) -> bool:
    """Whether a record names nobody, and may be of the only patient of its document."""
    return resource.get("subject") == _UNNAMED


def _names(value: Any) -> str | None:
    """The patient whom a reference names, else the reference."""
    reference = url_of(value)
    return None if reference is None else of_patient(reference) or reference


def _named(resource: Resource, url: str, content: bytes = b"") -> Resource:
    """The resource with an id: its own, the end of its URL, or a hash of what it says."""
    if text_of(resource.get("id")) is None:
        tail = url.replace(":", "/").rsplit("/", 1)[-1]
        resource["id"] = tail or f"#{hashlib.blake2b(content or to_json(resource).encode(), digest_size=8).hexdigest()}"
    return resource


def _record_of(resource: Resource) -> str:
    """The name of a resource that has an id."""
    return record_name(resource.get("resourceType"), resource["id"])


def _shown(kind: str) -> str:
    """What a resource of an unknown type is counted as: its type, unless no type of FHIR may be called so."""
    return kind if kind.isascii() and kind.isalpha() and len(kind) <= _LONGEST_TYPE else "resource of no type of FHIR"


def _parsed(text: str) -> Resource:
    return mapping(next(iter(parse_json(text, ""))))


def _short(url: str) -> str:
    """`Medication/m1` of `https://server/fhir/Medication/m1`."""
    return "/".join(url.rsplit("/", 2)[-2:])


def _has_type(content: bytes, kind: str) -> bool:
    """Whether a text is valid JSON and a resource of this type."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("resourceType") == kind


def to_json(value: Any) -> str:
    """JSON with every decimal as it is."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{to_json(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(to_json, value)) + "]"
        case Decimal():
            return str(value)
    return json.dumps(value)
