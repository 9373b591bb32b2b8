"""Deterministic, readable Turtle: the same triples give the same bytes, in any order and process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyoxigraph as ox

from sle_kg.namespaces import RDF

_TYPE = RDF + "type"


def write_turtle(triples: Iterable[ox.Triple], prefixes: Mapping[str, str]) -> bytes:
    """The triples as UTF-8 Turtle: subjects sorted, `a` first, one blank line between subjects, no duplicate.

    Blank nodes are labelled by RDFC-1.0. `prefixes` maps a prefix to its IRI; all are declared.
    """
    ordered = [quad.triple for quad in canonical_quads(ox.Quad(*triple) for triple in triples)]
    text = ox.serialize(ordered, format=ox.RdfFormat.TURTLE, prefixes=dict(sorted(prefixes.items())))
    return _blank_line_between_subjects(text or b"")


def canonical_quads(quads: Iterable[ox.Quad]) -> list[ox.Quad]:
    """The quads without duplicates, blank nodes relabelled by RDFC-1.0, sorted by graph, subject, type, predicate."""
    dataset = ox.Dataset(quads)
    if any(_has_blank_node(quad) for quad in dataset):
        dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return sorted(dataset, key=_order)


def canonical_n_quads(quads: Iterable[ox.Quad]) -> bytes:
    """Canonical N-Quads of a dataset: equal bytes mean equal (isomorphic) datasets."""
    return b"".join(sorted(f"{quad} .\n".encode() for quad in canonical_quads(quads)))


def _has_blank_node(quad: ox.Quad) -> bool:
    return any(isinstance(term, ox.BlankNode) for term in (quad.subject, quad.object, quad.graph_name))


def _order(quad: ox.Quad) -> tuple[str, str, bool, str, str]:
    predicate = quad.predicate.value
    return str(quad.graph_name), str(quad.subject), predicate != _TYPE, predicate, str(quad.object)


def _blank_line_between_subjects(turtle: bytes) -> bytes:
    """Set subjects apart; safe because the serialiser escapes line ends in literals and indents with tabs."""
    lines: list[bytes] = []
    previous = b"@prefix"
    for line in turtle.splitlines():
        if not line.startswith((b"@prefix", b"\t")) and previous:
            lines.append(b"")
        lines.append(line)
        previous = line
    return b"\n".join(lines) + b"\n"
