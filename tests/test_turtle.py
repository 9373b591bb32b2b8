"""The Turtle writer: one set of triples, one sequence of bytes."""

from __future__ import annotations

import random

import pyoxigraph as ox
import pytest

from sle_kg.namespaces import OWL, RDF, SLE, XSD
from sle_kg.turtle import canonical_n_quads, write_turtle

N, L, B, T = ox.NamedNode, ox.Literal, ox.BlankNode, ox.Triple
PREFIXES = {"sle": SLE, "owl": OWL}


def triples(label: str = "b") -> list[ox.Triple]:
    """Two subjects, awkward literals and a two-step chain of blank nodes whose labels depend on `label`."""
    first, second = B(label + "1"), B(label + "2")
    return [
        T(N(SLE + "b"), N(SLE + "note"), L('one\n\n"two" .\n@prefix')),
        T(N(SLE + "b"), N(SLE + "line"), L("carriage\rreturn\u2028separator\x0bform\x0c")),
        T(N(SLE + "b"), N(SLE + "value"), L("2", datatype=N(XSD + "decimal"))),
        T(N(SLE + "b"), N(RDF + "type"), N(SLE + "Thing")),
        T(N(SLE + "a"), N(OWL + "equivalentClass"), first),
        T(first, N(OWL + "someValuesFrom"), second),
        T(second, N(OWL + "onProperty"), N(SLE + "p")),
    ]


def test_order_and_blank_node_labels_do_not_change_the_bytes() -> None:
    shuffled = triples("other")
    random.Random(1).shuffle(shuffled)
    assert write_turtle(shuffled, PREFIXES) == write_turtle([*triples(), *triples()], PREFIXES)


@pytest.mark.parametrize("index", range(len(triples())))
def test_every_triple_changes_the_bytes(index: int) -> None:
    fewer = triples()[:index] + triples()[index + 1 :]
    assert write_turtle(fewer, PREFIXES) != write_turtle(triples(), PREFIXES)


def test_what_is_written_parses_back_to_the_same_graph() -> None:
    back = ox.parse(write_turtle(triples(), PREFIXES), format=ox.RdfFormat.TURTLE)
    assert canonical_n_quads(back) == canonical_n_quads(ox.Quad(*triple) for triple in triples())


def test_type_comes_first_and_subjects_are_set_apart() -> None:
    text = write_turtle(triples(), PREFIXES).decode()
    assert "\n\nsle:b a sle:Thing ;" in text
    assert text.index("sle:a owl:equivalentClass") < text.index("sle:b a sle:Thing")
