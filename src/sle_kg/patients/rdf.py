"""The patient vocabulary in Turtle, N-Triples and JSON-LD: to raw records, and from raw records to Turtle.

The vocabulary mirrors FHIR (ontology/patient.ttl): a class for each kind of record, properties named like FHIR's
elements. Nothing is fetched: a JSON-LD context must stand in the file itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sle_kg.errors import InputError
from sle_kg.namespaces import LOCAL_CODES, PATIENT, PREFIXES, RDF, SLE, XSD
from sle_kg.patients.elements import exact_number
from sle_kg.patients.facts import PatientData
from sle_kg.patients.raw import FHIR_TYPE, PROPERTIES, RawRecord, Scalar

if TYPE_CHECKING:
    import pyoxigraph as ox

_CLASSES = {**{SLE + name: name for name in FHIR_TYPE}, SLE + "Exposure": "StatedExposure"}
_SEVERAL = frozenset(
    """coding valueCoding interpretation methodCoding severityCoding routeCoding trialIdentifier eventGrade
    seriousnessCoding causalityCoding outcomeCoding doseLimiting aboutEvent""".split()  # noqa: SIM905 (as in raw.py)
)
"""Properties of which a record may have more than one value."""
_NUMBERS = frozenset({"decimal", "double", "float", "integer", "int", "long", "short", "byte", "nonNegativeInteger"})
_DATES = ((r"\d{4}", "gYear"), (r"\d{4}-\d\d", "gYearMonth"), (r"\d{4}-\d\d-\d\d", "date"))
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_OF_EXPOSURES = ("started", "ended", "asserted")
_DATES_OF = {
    "Patient": ("birthDate",),
    "ConditionRecord": ("onset", "onsetEnd", "abatement", "abatementEnd", "recorded"),
    "StatedExposure": _OF_EXPOSURES,
    "OrderedExposure": _OF_EXPOSURES,
    "AdministeredExposure": _OF_EXPOSURES,
    "Allergy": ("recorded",),
    "AdverseEvent": ("onset", "onsetEnd", "recorded"),
}
"""The properties by which records of a class are dated."""
_OTHER_DATES = ("effective", "effectiveEnd", "plannedDate")
"""Those of all other classes."""
_DATED = frozenset((*_OTHER_DATES, *chain.from_iterable(_DATES_OF.values())))
_MOST_TRIPLE_TERMS = 500
"""Triples quoted in triples, one in the other, exhaust the parser's stack; the patient vocabulary has none."""
_MOST_WHOLES = 8
"""Records that may be parts of parts; the vocabulary needs one level."""
_XML = re.compile(r"<(\?xml|!|rdf:RDF|html|[\w:.-]+\s)")
"""How XML begins; an IRI of Turtle has no space."""


class RdfReader:
    """Collects the triples of all files, then gives the raw records of their patients."""

    def __init__(self) -> None:
        self._subjects: dict[str, dict[str, dict[ox.NamedNode | ox.BlankNode | ox.Literal, None]]] = {}
        self._files: dict[str, str] = {}
        self.skipped: Counter[str] = Counter()

    def add_text(self, text: str, file: str) -> None:
        """Take in Turtle or N-Triples. Raises InputError for anything else."""
        import pyoxigraph as ox

        if _XML.match(text.lstrip()):
            raise InputError(f"{file}: XML is not accepted: give FHIR JSON, Turtle, N-Triples or JSON-LD")
        if text.count("<<") > _MOST_TRIPLE_TERMS:
            raise InputError(f"{file}: too many quoted triples (<<): patients need none, take them out")
        self._add(text, ox.RdfFormat.TURTLE, file)

    def add_json_ld(self, value: Any, text: str, file: str) -> None:
        """Take in JSON-LD, already parsed as `value`. Raises InputError where a context would have to be fetched."""
        import pyoxigraph as ox

        if (url := _remote_context(value)) is not None:
            raise InputError(f"{file}: the JSON-LD context {url!r} is not fetched: put the context into the file")
        self._add(text, ox.RdfFormat.JSON_LD, file)

    def _add(self, text: str, form: ox.RdfFormat, file: str) -> None:
        import pyoxigraph as ox

        try:
            for quad in ox.parse(text, format=form, base_iri=PATIENT):
                if isinstance(quad.subject, (ox.NamedNode, ox.BlankNode)) and not isinstance(quad.object, ox.Triple):
                    values = self._subjects.setdefault(str(quad.subject), {}).setdefault(quad.predicate.value, {})
                    values[quad.object] = None
                    self._files.setdefault(str(quad.subject), file)
        except (SyntaxError, ValueError) as error:
            place = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            raise InputError(
                f"{file}{place}: neither FHIR JSON nor readable as {form.name} ({_reason(error)}): mend it, or give "
                "FHIR R4 JSON, Turtle, N-Triples or JSON-LD"
            ) from error

    def records(self) -> Iterator[RawRecord]:
        """Every raw record in the order of the input, patients first.

        Raises InputError for a record without an IRI, and a patient with two birth dates or sexes.
        """
        found = [raw for subject in self._subjects if (raw := self._record(subject)) is not None]
        yield from (raw for raw in found if raw.kind == "Patient")
        yield from (raw for raw in found if raw.kind != "Patient")

    def _record(self, subject: str) -> RawRecord | None:
        properties = self._subjects[subject]
        kinds = {_CLASSES[t.value] for t in properties.get(RDF + "type", ()) if t.value in _CLASSES}
        if not kinds:
            return None
        file = self._files[subject]
        if subject.startswith("_:"):
            raise InputError(f"{file}: a {min(kinds)} is a blank node: give every record an IRI")
        kinds = kinds - {"StatedExposure"} if len(kinds) > 1 else kinds
        kind, iri = min(kinds), subject[1:-1]
        if kind == "Patient":
            patient = _patient_id(iri)
            raw = RawRecord(kind, patient, f"Patient/{patient}")
        else:
            owner = self._owner(subject)
            if owner is None:
                self.skipped[f"{kind} of no patient in the files"] += 1
                return None
            raw = RawRecord(kind, _patient_id(owner), self._record_id(iri, kind, _patient_id(owner)))
        for predicate, values in properties.items():
            name = predicate.removeprefix(SLE)
            if name == "aboutEvent":
                for event in values:
                    raw.add(name, self._record_id(event.value, "AdverseEvent", raw.patient))
            elif name in _DATED and name not in (own := _DATES_OF.get(kind, _OTHER_DATES)):
                its = ", ".join(f"sle:{one}" for one in own)
                self.skipped[f"property sle:{name} of {kind}, which is dated by {its}"] += 1
            elif name in PROPERTIES:
                _add_values(raw, name, values)
            elif predicate.startswith(SLE):
                self.skipped[f"property sle:{name}, which no record has"] += 1
        if kind == "Patient" and any(str(v[0]).endswith(" values)") for v in raw.values.values()):
            raise InputError(f"{file}: the patient {raw.patient!r} has two birth dates or two sexes: keep one")
        return raw

    def _owner(self, subject: str) -> str | None:
        """The IRI of the patient of a record, or of the record that it is a part of."""
        for _ in range(_MOST_WHOLES):
            properties = self._subjects.get(subject, {})
            for patient in properties.get(SLE + "subject", ()):
                if RDF + "type" in self._subjects.get(str(patient), {}):
                    return patient.value
            subject = next((str(whole) for whole in properties.get(SLE + "partOfRecord", ())), "")
        return None

    def _record_id(self, iri: str, kind: str, patient: str) -> str:
        """`Observation/obs-3`: the path below the patient's IRI, else the FHIR type and the local name."""
        base = f"{PATIENT}{_segment(patient)}/"
        if iri.startswith(base):
            return "/".join(map(unquote, iri.removeprefix(base).split("/")))
        names, seen = [_local_name(iri)], {iri}
        while len(seen) <= _MOST_WHOLES:
            whole = next(iter(self._subjects.get(f"<{iri}>", {}).get(SLE + "partOfRecord", ())), None)
            if whole is None or whole.value in seen:
                break
            iri = whole.value
            seen.add(iri)
            names.append(iri.removeprefix(base + FHIR_TYPE[kind] + "/") if iri.startswith(base) else _local_name(iri))
        return "/".join([FHIR_TYPE[kind], *reversed(names)])


def to_rdf(data: PatientData) -> bytes:
    """The raw facts as Turtle in the patient vocabulary: read again, they give the same fact tables."""
    from sle_kg.turtle import write_turtle

    prefixes = {prefix: PREFIXES[prefix] for prefix in ("patient", "rdf", "sle", "xsd")}
    return write_turtle(triples(data.records), prefixes)


def triples(records: Iterable[RawRecord]) -> Iterator[ox.Triple]:
    """The triples of raw records."""
    import pyoxigraph as ox

    for raw in records:
        patient = ox.NamedNode(f"{PATIENT}{_segment(raw.patient)}")
        if raw.kind == "Patient":
            subject = patient
        else:
            subject = _record_node(patient, raw.id)
            yield ox.Triple(subject, ox.NamedNode(SLE + "subject"), patient)
            if raw.id != raw.record:
                yield ox.Triple(subject, ox.NamedNode(SLE + "partOfRecord"), _record_node(patient, raw.record))
        yield ox.Triple(subject, ox.NamedNode(RDF + "type"), ox.NamedNode(SLE + raw.kind))
        for name, values in raw.values.items():
            for value in values:
                held = _record_node(patient, str(value)) if name == "aboutEvent" else _literal(name, value)
                yield ox.Triple(subject, ox.NamedNode(SLE + name), held)


def _record_node(patient: ox.NamedNode, identifier: str) -> ox.NamedNode:
    import pyoxigraph as ox

    return ox.NamedNode("/".join([patient.value, *map(_segment, identifier.split("/"))]))


def _literal(name: str, value: Scalar) -> ox.Literal:
    """A typed literal; what is meant as a date and is none stays text, and is reported on reading."""
    import pyoxigraph as ox

    if isinstance(value, bool):
        return ox.Literal("true" if value else "false", datatype=ox.NamedNode(XSD + "boolean"))
    if isinstance(value, Decimal):
        kind = "integer" if value == value.to_integral_value() and "." not in format(value, "f") else "decimal"
        return ox.Literal(format(value, "f"), datatype=ox.NamedNode(XSD + kind))
    if name in _DATED:
        if _DATE_TIME.fullmatch(value):
            return ox.Literal(value, datatype=ox.NamedNode(XSD + "dateTime"))
        for pattern, kind in _DATES:
            if re.fullmatch(pattern, value):
                return ox.Literal(value, datatype=ox.NamedNode(XSD + kind))
    return ox.Literal(value)


def _add_values(raw: RawRecord, name: str, values: Iterable[ox.NamedNode | ox.BlankNode | ox.Literal]) -> None:
    """Note the values of a property; two values where there can be one are kept as a text that no rule can read."""
    import pyoxigraph as ox

    if name in ("subject", "partOfRecord"):
        return
    if name == "concept":
        for value in values:
            raw.add("coding", f"{LOCAL_CODES}|{value.value.removeprefix(SLE).replace('-', ':', 1)}")
        return
    found = [_scalar(value) if isinstance(value, ox.Literal) else value.value for value in values]
    if len(found) > 1 and name not in _SEVERAL:
        found = [f"({len(found)} values)"] if name != "display" else [min(map(str, found))]
    for scalar in found:
        raw.add(name, scalar)


def _scalar(literal: ox.Literal) -> Scalar:
    """A literal as text, exact number or truth value; a number that is none (NaN) stays text."""
    kind = literal.datatype.value.removeprefix(XSD)
    if kind == "boolean" and literal.value in ("true", "false", "1", "0"):
        return literal.value in ("true", "1")
    if kind in _NUMBERS:
        return exact_number(literal.value)
    return literal.value


def _remote_context(value: Any) -> str | None:
    """The first context of a JSON-LD value that would have to be fetched."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            contexts = item.get("@context")
            for context in contexts if isinstance(contexts, list) else [contexts]:
                if isinstance(context, str):
                    return context
                if isinstance(context, dict) and "@import" in context:
                    return str(context["@import"])
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return None


def _patient_id(iri: str) -> str:
    """The id of a patient from its IRI."""
    return unquote(iri.removeprefix(PATIENT)) if iri.startswith(PATIENT) else _local_name(iri)


def _local_name(iri: str) -> str:
    return unquote(re.split(r"[#/:]", iri.rstrip("/#"))[-1])


def _segment(text: str) -> str:
    """One path segment of an IRI."""
    return quote(text, safe="-._~:@+")


def _reason(error: Exception) -> str:
    """What the parser says, without the place."""
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return re.sub(r"^Parser error (at|between) [^:]*: | \(line \d+\)$", "", line)
