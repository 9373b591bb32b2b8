"""The profile: what the shapes see of one patient, for one trial, on one date.

It is flat: `profile:<feature>Lower` and `profile:<feature>Upper` are the sure bounds of a feature as xsd:decimal, a
missing bound is not known; `profile:attested-<row>` says what was attested of a row. It is derived from raw facts and
never an input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from sle_kg.errors import InputError
from sle_kg.evaluate import Attestations, Bounds
from sle_kg.namespaces import DCTERMS, PATIENT, PREFIXES, PROV, RDF, RDFS, SLE, TRIAL, XSD
from sle_kg.shapes import attestation_property, bound_property, decimal_text, profile_class

if TYPE_CHECKING:
    import pyoxigraph as ox
    import rdflib


@dataclass(frozen=True, slots=True)
class Profile:
    """Bounds of features (by slug), attestations (by row id) and the records behind each feature."""

    ask: int
    patient: str
    trial: str
    on: date
    bounds: Bounds
    attestations: Attestations
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def iri(self) -> str:
        """One IRI for each patient, trial and date."""
        return f"{patient_iri(self.patient)}/profile/{self.trial}/{self.on.isoformat()}"


def patient_iri(patient: str) -> str:
    """The IRI of a patient; any character that an IRI does not allow is percent-encoded."""
    return PATIENT + quote(patient, safe="")


def record_iri(patient: str, record: str) -> str:
    """The IRI of a patient's record `Type/id`."""
    return f"{patient_iri(patient)}/{quote(record, safe='/')}"


def data_graph(profiles: Iterable[Profile]) -> rdflib.Graph:
    """The profiles in rdflib's own memory store, for pySHACL: types, bounds and attestations only."""
    import rdflib

    graph = rdflib.Graph(bind_namespaces="none")
    kind = rdflib.URIRef(RDF + "type")
    for profile in profiles:
        node = rdflib.URIRef(profile.iri)
        graph.add((node, kind, rdflib.URIRef(profile_class(profile.trial))))
        for path, text, datatype in _values(profile):
            literal = rdflib.Literal(text, datatype=rdflib.URIRef(XSD + datatype))
            graph.add((node, rdflib.URIRef(path), literal))
    return graph


def triples(profiles: Iterable[Profile]) -> Iterator[ox.Triple]:
    """The profiles with patient, trial, date and, for each feature, the records that it was derived from (if any)."""
    import pyoxigraph as ox

    def iri(subject: str, predicate: str, value: str) -> ox.Triple:
        return ox.Triple(ox.NamedNode(subject), ox.NamedNode(predicate), ox.NamedNode(value))

    def literal(subject: str, predicate: str, text: str, datatype: str) -> ox.Triple:
        value = ox.Literal(text, datatype=ox.NamedNode(XSD + datatype))
        return ox.Triple(ox.NamedNode(subject), ox.NamedNode(predicate), value)

    for profile in profiles:
        yield iri(profile.iri, RDF + "type", SLE + "Profile")
        yield iri(profile.iri, RDF + "type", profile_class(profile.trial))
        yield iri(profile.iri, SLE + "profileOf", patient_iri(profile.patient))
        yield iri(profile.iri, SLE + "ofTrial", TRIAL + profile.trial)
        yield literal(profile.iri, SLE + "onDate", profile.on.isoformat(), "date")
        for path, text, datatype in _values(profile):
            yield literal(profile.iri, path, text, datatype)
        for slug in sorted(slug for slug, records in profile.records.items() if records):
            value = f"{profile.iri}/{quote(slug, safe='=+:.,-_')}"
            yield iri(value, RDF + "type", PROV + "Entity")
            yield iri(value, DCTERMS + "isPartOf", profile.iri)
            yield literal(value, RDFS + "label", slug, "string")
            for record in profile.records[slug]:
                yield iri(value, PROV + "wasDerivedFrom", record_iri(profile.patient, record))


def serialize(profiles: Iterable[Profile], form: str = "turtle") -> bytes:
    """The profiles as RDF (`turtle`, `json-ld`, `n-triples`, `n-quads`, `trig`, `rdf-xml`), the same bytes each time.

    Raises InputError for another format.
    """
    import pyoxigraph as ox

    from sle_kg.turtle import canonical_quads, write_turtle

    formats = {
        "json-ld": ox.RdfFormat.JSON_LD,
        "n-triples": ox.RdfFormat.N_TRIPLES,
        "n-quads": ox.RdfFormat.N_QUADS,
        "trig": ox.RdfFormat.TRIG,
        "rdf-xml": ox.RdfFormat.RDF_XML,
    }
    if form == "turtle":
        return write_turtle(triples(profiles), PREFIXES)
    if form not in formats:
        raise InputError(f"--format: {form!r} is not known; choose among turtle, {', '.join(formats)}")
    ordered = [quad.triple for quad in canonical_quads(ox.Quad(*triple) for triple in triples(profiles))]
    return ox.serialize(ordered, format=formats[form], prefixes=PREFIXES) or b""


def _values(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Property, text and XSD type of every value of the flat profile."""
    for slug, sides in profile.bounds.items():
        for side, number in zip(("Lower", "Upper"), sides, strict=True):
            if number is not None:
                yield bound_property(slug, side), decimal_text(Decimal(number)), "decimal"
    for row, values in profile.attestations.items():
        for value in values:
            yield attestation_property(row), "true" if value else "false", "boolean"
