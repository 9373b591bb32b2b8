"""Verdicts in RDF are EARL assertions that their shape accepts, and the shape refuses what is not."""

import dataclasses

import pyoxigraph as ox
import pyshacl
import pytest
import rdflib
from rdflib import RDF

from report import sample
from sle_kg.namespaces import EARL, PROV, SLE, TRIAL, VERDICT
from sle_kg.report.rdf import render_turtle
from sle_kg.resources import path

ROW = rdflib.URIRef(f"{VERDICT}vignette-17/NCT06106906/2026-11-21/I05b")


@pytest.fixture(scope="module")
def shapes() -> rdflib.Graph:
    return rdflib.Graph().parse(path("shapes") / "verdict.ttl")


def graph_of(verdicts) -> rdflib.Graph:
    return rdflib.Graph().parse(data=render_turtle(verdicts), format="turtle")


def conforms(graph: rdflib.Graph, shapes: rdflib.Graph) -> bool:
    return pyshacl.validate(graph, shacl_graph=shapes)[0]


def test_the_shapes_are_shapes(shapes):
    """Asked once: what SHACL says of shapes does not depend on the data."""
    pyshacl.validate(rdflib.Graph(), shacl_graph=shapes, meta_shacl=True)


def test_verdicts_conform_to_their_shape(shapes):
    assert conforms(graph_of([*sample.verdicts(), sample.hostile()]), shapes)


@pytest.mark.parametrize(
    ("predicate", "replacement"),
    [
        (SLE + "statusWord", rdflib.Literal("fail")),
        (SLE + "decisive", None),
        (EARL + "test", None),
        (EARL + "subject", rdflib.URIRef(VERDICT + "nobody")),
        (SLE + "validUntil", rdflib.Literal("soon")),
    ],
)
def test_the_shape_refuses_a_row_that_is_wrong(shapes, predicate, replacement):
    graph = graph_of(sample.verdicts())
    graph.remove((ROW, rdflib.URIRef(predicate), None))
    if replacement is not None:
        graph.add((ROW, rdflib.URIRef(predicate), replacement))
    assert not conforms(graph, shapes)


def test_the_shape_refuses_an_unknown_row_that_says_nothing(shapes):
    silent = sample.row("E01", "unknown")
    verdict = dataclasses.replace(sample.undetermined(), criteria=(silent,))
    assert not conforms(graph_of([verdict]), shapes)


def test_a_row_is_an_assertion_about_the_trials_row():
    graph = graph_of(sample.verdicts())
    assert (ROW, RDF.type, rdflib.URIRef(EARL + "Assertion")) in graph
    assert graph.value(ROW, rdflib.URIRef(EARL + "test")) == rdflib.URIRef(TRIAL + "NCT06106906/I05b")
    result = graph.value(ROW, rdflib.URIRef(EARL + "result"))
    assert graph.value(result, rdflib.URIRef(EARL + "outcome")) == rdflib.URIRef(EARL + "passed")
    record = graph.value(result, rdflib.URIRef(PROV + "wasDerivedFrom"))
    assert str(record) == "https://w3id.org/sle-kg/patient/vignette-17/Observation/obs-3"


def test_there_are_no_blank_nodes():
    triples = ox.parse(render_turtle(sample.verdicts()), format=ox.RdfFormat.TURTLE)
    assert [quad for quad in triples if ox.BlankNode in (type(quad.subject), type(quad.object))] == []


def test_the_order_of_verdicts_does_not_change_the_bytes():
    assert render_turtle(sample.verdicts()) == render_turtle(sample.verdicts()[::-1])
