"""Every term that a verdict in RDF uses is defined in the ontology."""

import pyoxigraph as ox

from report import sample
from sle_kg.namespaces import RDFS, SLE
from sle_kg.ontology import ontology_store
from sle_kg.report.rdf import render_turtle


def test_every_term_of_a_verdict_has_a_label_in_the_ontology():
    triples = list(ox.parse(render_turtle(sample.verdicts()), format=ox.RdfFormat.TURTLE))
    used = {node.value for triple in triples for node in (triple.predicate, triple.object) if is_ours(node)}
    label = ox.NamedNode(RDFS + "label")
    labelled = {quad.subject.value for quad in ontology_store().quads_for_pattern(None, label, None)}
    assert used - labelled == set()


def is_ours(node) -> bool:
    return isinstance(node, ox.NamedNode) and node.value.startswith(SLE)
