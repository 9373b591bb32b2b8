"""Outcomes in RDF conform to their shape, which refuses what is not so; their terms are those of the ontology."""

import pyoxigraph as ox
import pyshacl
import pytest
import rdflib
from rdflib import RDF

from report import outcome_sample as sample
from report.test_vocabulary import is_ours
from sle_kg.namespaces import BASE, PATIENT, PROV, RDFS, SLE, TRIAL
from sle_kg.ontology import ontology_store
from sle_kg.report.outcomes_rdf import render_turtle
from sle_kg.resources import path

ROOT = f"{BASE}outcome/NCT06710717"
RESULT = rdflib.URIRef(f"{ROOT}/patient/cart-01/O5/antiDsDna/week%2012")
COHORT = rdflib.URIRef(f"{ROOT}/cohort/O2/clinicalSledai/week%2012")
STATE = rdflib.URIRef(f"{ROOT}/patient/cart-01/state/clinicalSledai/2026-04-03")
SCORE = rdflib.URIRef(f"{ROOT}/patient/cart-01/score/sledai2kTotal/2026-02-08")
EVENT = rdflib.URIRef(f"{ROOT}/patient/cart-01/event/1")
COUNT = rdflib.URIRef(f"{ROOT}/cohort/event/headache/unknown")


@pytest.fixture(scope="module")
def shapes() -> rdflib.Graph:
    return rdflib.Graph().parse(path("shapes") / "outcomes.ttl")


def graph_of(result) -> rdflib.Graph:
    return rdflib.Graph().parse(data=render_turtle(result), format="turtle")


def conforms(graph: rdflib.Graph, shapes: rdflib.Graph) -> bool:
    return pyshacl.validate(graph, shacl_graph=shapes)[0]


def test_the_shapes_are_shapes(shapes):
    """Asked once: what SHACL says of shapes does not depend on the data."""
    pyshacl.validate(rdflib.Graph(), shacl_graph=shapes, meta_shacl=True)


@pytest.mark.parametrize("result", [sample.outcomes(), sample.hostile(), sample.nobody()], ids=["all", "bad", "none"])
def test_outcomes_conform_to_their_shape(shapes, result):
    assert conforms(graph_of(result), shapes)


@pytest.mark.parametrize(
    ("node", "predicate", "replacement"),
    [
        (RESULT, SLE + "resultWord", None),
        (RESULT, SLE + "resultWord", rdflib.URIRef(SLE + "stateMet")),
        (RESULT, SLE + "changeNumber", rdflib.Literal("less")),
        (RESULT, SLE + "lowerBound", rdflib.Literal("0.5", datatype=rdflib.XSD.decimal)),
        (RESULT, SLE + "windowFrom", rdflib.Literal("2027-01-01", datatype=rdflib.XSD.date)),
        (RESULT, SLE + "ofPatient", rdflib.URIRef(PATIENT + "nobody")),
        (RESULT, SLE + "ofOutcome", rdflib.URIRef(TRIAL + "NCT06710717")),
        (RESULT, SLE + "resultReason", None),
        (RESULT, PROV + "wasGeneratedBy", None),
        (COHORT, SLE + "patientsInfused", None),
        (COHORT, SLE + "patientsEvaluable", rdflib.Literal(3)),
        (COHORT, SLE + "patientsReached", rdflib.Literal(2)),
        (COHORT, SLE + "proportionOfEvaluable", rdflib.Literal("1.5", datatype=rdflib.XSD.decimal)),
        (STATE, SLE + "stateWord", rdflib.URIRef(SLE + "resultReached")),
        (STATE, SLE + "assessmentDate", None),
        (SCORE, SLE + "upperBound", rdflib.Literal("3", datatype=rdflib.XSD.decimal)),
        (EVENT, SLE + "highestGrade", rdflib.Literal(6)),
        (EVENT, PROV + "wasDerivedFrom", None),
        (COUNT, SLE + "gradeWord", rdflib.Literal("high")),
    ],
)
def test_the_shape_refuses_what_is_wrong(shapes, node, predicate, replacement):
    graph = graph_of(sample.outcomes())
    assert (node, rdflib.URIRef(predicate), None) in graph
    graph.remove((node, rdflib.URIRef(predicate), None))
    if replacement is not None:
        graph.add((node, rdflib.URIRef(predicate), replacement))
    assert not conforms(graph, shapes)


def test_the_shape_refuses_a_value_without_a_number(shapes):
    graph = graph_of(sample.outcomes())
    for predicate in ("resultNumber", "changeNumber"):
        graph.remove((RESULT, rdflib.URIRef(SLE + predicate), None))
    assert not conforms(graph, shapes)


def test_a_result_names_its_row_its_records_and_the_evaluation():
    graph = graph_of(sample.outcomes())
    assert (RESULT, RDF.type, rdflib.URIRef(SLE + "OutcomeResult")) in graph
    assert graph.value(RESULT, rdflib.URIRef(SLE + "ofOutcome")) == rdflib.URIRef(TRIAL + "NCT06710717/O5")
    assert graph.value(RESULT, rdflib.URIRef(PROV + "wasDerivedFrom")) == rdflib.URIRef(
        PATIENT + "cart-01/Observation/d12"
    )
    evaluation = graph.value(RESULT, rdflib.URIRef(PROV + "wasGeneratedBy"))
    assert graph.value(evaluation, rdflib.URIRef(SLE + "ofTrial")) == rdflib.URIRef(TRIAL + "NCT06710717")
    assert graph.value(evaluation, rdflib.URIRef(SLE + "optionUsed")) == rdflib.Literal("--derive-items")


def test_a_state_is_called_by_its_definition_and_a_score_by_its_term():
    graph = graph_of(sample.outcomes())
    assert graph.value(STATE, rdflib.URIRef(SLE + "resultMeasure")) == rdflib.Literal("clinicalSledai")
    assert graph.value(STATE, rdflib.URIRef(SLE + "resultDefinition")) == rdflib.Literal("clinical SLEDAI-2K = 0")
    assert graph.value(SCORE, rdflib.URIRef(SLE + "assesses")) == rdflib.URIRef(SLE + "sledai2kTotal")


def test_every_term_has_a_label_in_the_ontology():
    triples = list(ox.parse(render_turtle(sample.outcomes()), format=ox.RdfFormat.TURTLE))
    used = {node.value for triple in triples for node in (triple.predicate, triple.object) if is_ours(node)}
    label = ox.NamedNode(RDFS + "label")
    labelled = {quad.subject.value for quad in ontology_store().quads_for_pattern(None, label, None)}
    assert len(used) > 40
    assert used - labelled == set()


def test_there_are_no_blank_nodes():
    triples = ox.parse(render_turtle(sample.outcomes()), format=ox.RdfFormat.TURTLE)
    assert [quad for quad in triples if ox.BlankNode in (type(quad.subject), type(quad.object))] == []


def test_the_same_outcomes_give_the_same_bytes():
    assert render_turtle(sample.outcomes()) == render_turtle(sample.outcomes())
