"""Profiles: what the shapes see, written exactly, the same bytes each time, valid against their own shapes."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import pyoxigraph as ox
import pyshacl
import pytest
import rdflib

from sle_kg.errors import InputError
from sle_kg.namespaces import PROFILE, PROV, SLE, XSD
from sle_kg.profile import Profile, data_graph, record_iri, serialize, triples
from sle_kg.resources import path
from sle_kg.shapes import bound_property, profile_form
from sle_kg.trials import screenable

NCT = "NCT06892145"
SLUG = screenable()[NCT].features()[0].slug
FORMS = {
    "turtle": ox.RdfFormat.TURTLE,
    "json-ld": ox.RdfFormat.JSON_LD,
    "n-triples": ox.RdfFormat.N_TRIPLES,
    "n-quads": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "rdf-xml": ox.RdfFormat.RDF_XML,
}


def someone(low: str | None = "36", high: str | None = "36", attested: frozenset[bool] = frozenset({True})) -> Profile:
    """A profile of a patient whose id needs escaping."""
    bounds = {SLUG: (Decimal(low) if low else None, Decimal(high) if high else None)}
    records = {SLUG: ("Patient/x y",)}
    return Profile(0, "x/y <1>", NCT, dt.date(2026, 11, 21), bounds, {"I01": attested}, records)


def faults(data: bytes) -> list[str]:
    """The messages of shapes/profile.ttl for some Turtle."""
    graph = rdflib.Graph().parse(data=data, format="turtle")
    shapes = rdflib.Graph().parse(path("shapes") / "profile.ttl")
    _, report, _ = pyshacl.validate(graph, shacl_graph=shapes)
    return sorted(str(m) for m in report.objects(None, rdflib.SH.resultMessage))  # type: ignore[union-attr]


def test_numbers_are_decimals_and_missing_bounds_are_absent() -> None:
    found = {t.predicate.value: t.object for t in triples([someone("36.50", None)])}
    assert found[bound_property(SLUG, "Lower")] == ox.Literal("36.5", datatype=ox.NamedNode(XSD + "decimal"))
    assert bound_property(SLUG, "Upper") not in found


def test_a_feature_names_the_records_that_it_was_derived_from() -> None:
    derived = [t.object.value for t in triples([someone()]) if t.predicate.value == PROV + "wasDerivedFrom"]
    assert (
        derived
        == [record_iri("x/y <1>", "Patient/x y")]
        == ["https://w3id.org/sle-kg/patient/x%2Fy%20%3C1%3E/Patient/x%20y"]
    )


def test_contradicting_attestations_are_both_there() -> None:
    graph = data_graph([someone(attested=frozenset({True, False}))])
    values = graph.objects(None, rdflib.URIRef(PROFILE + "attested-I01"))
    assert sorted(value.toPython() for value in values) == [False, True]  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_holds_the_same_triples(form: str) -> None:
    parsed = {quad.triple for quad in ox.parse(serialize([someone()], form), format=FORMS[form])}
    assert parsed == set(triples([someone()]))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="--format: 'pdf'"):
        serialize([someone()], "pdf")


def test_another_process_writes_the_same_bytes() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); import test_profile as t;"
        "sys.stdout.buffer.write(t.serialize([t.someone()]))"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=path("shapes").parent)
    assert again.stdout == serialize([someone()])


def test_a_good_profile_has_the_form_that_the_shapes_ask_for() -> None:
    assert faults(serialize([someone(attested=frozenset({True, False}))])) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("profileOf", "profileOff"), "exactly one patient"),
        (("ofTrial", "ofTrail"), "exactly one trial"),
        (("sle:onDate", "sle:onDay"), "exactly one date"),
        (('"2026-11-21"^^xsd:date', '"2026-11-21"'), "exactly one date"),
    ],
)
def test_a_fault_of_form_is_named(change: tuple[str, str], message: str) -> None:
    text = serialize([someone()]).decode()
    changed = text.replace(*change)
    assert changed != text
    assert any(message in fault for fault in faults(changed.encode())), faults(changed.encode())


def test_bounds_in_the_wrong_order_are_named() -> None:
    assert faults(serialize([someone("37", "36")])) == [f"{SLUG}: one lower bound, not above the upper one."]


def test_the_committed_form_is_what_the_trials_give() -> None:
    assert (path("shapes") / "profile.ttl").read_bytes() == profile_form(screenable().values()), (
        "run: python -m sle_kg.shapes"
    )


def test_the_terms_of_a_profile_are_in_the_ontology() -> None:
    ontology = b"".join(file.read_bytes() for file in sorted(path("ontology").glob("*.ttl"))).decode()
    used = {t.predicate.value for t in triples([someone()]) if t.predicate.value.startswith(SLE)}
    for term in used | {SLE + "Profile"}:
        assert f"\nsle:{term.removeprefix(SLE)} a owl:" in ontology
