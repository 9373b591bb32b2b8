"""The graph: what it holds, how it describes itself, and what it says of files that cannot be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyoxigraph as ox
import pytest

from sle_kg.errors import TrialFileError
from sle_kg.graph import DATASET, as_rdflib, build_store, graph_quads, parse_file
from sle_kg.namespaces import DCTERMS, RDF, RDFS, SLE, TRIAL, VOID, XSD
from sle_kg.trials import trial_files

N = ox.NamedNode
FIVE = {"NCT06106906", "NCT06150651", "NCT06653556", "NCT06710717", "NCT06892145"}


@pytest.fixture(scope="module")
def quads() -> set[ox.Quad]:
    return set(graph_quads())


def test_every_modelled_trial_is_one_node_with_one_label(quads: set[ox.Quad]) -> None:
    modelled = [q.subject for q in quads if q.predicate == N(SLE + "modelled") and q.object == ox.Literal(True)]
    assert {node.value.removeprefix(TRIAL) for node in modelled} == FIVE
    labels = Counter(q.subject for q in quads if q.predicate == N(RDFS + "label") and q.subject in modelled)
    assert set(labels.values()) == {1}


def test_every_own_term_in_use_is_declared_in_the_ontology(quads: set[ox.Quad]) -> None:
    used = {term.value for quad in quads for term in (quad.predicate, quad.object) if isinstance(term, ox.NamedNode)}
    declared = {
        q.subject.value for q in quads if q.predicate == N(RDF + "type") and isinstance(q.subject, ox.NamedNode)
    }
    assert sorted(term for term in used - declared if term.startswith(SLE)) == []


def test_numbers_are_exact(quads: set[ox.Quad]) -> None:
    datatypes = {quad.object.datatype.value for quad in quads if isinstance(quad.object, ox.Literal)}
    assert datatypes.isdisjoint({XSD + "double", XSD + "float"})


def test_trials_hold_no_blank_nodes(quads: set[ox.Quad]) -> None:
    blank = [q for q in quads if str(q.subject).startswith(f"<{TRIAL}") and isinstance(q.object, ox.BlankNode)]
    assert blank == []


def test_the_description_counts_what_is_there(quads: set[ox.Quad]) -> None:
    sizes = {q.subject.value: int(q.object.value) for q in quads if q.predicate == N(VOID + "triples")}
    described = {q for q in quads if str(q.subject).startswith(f"<{DATASET}")}
    assert sizes[DATASET] == len(quads) - len(described)
    assert {f"{DATASET}/trial/{trial}" for trial in FIVE} < set(sizes)
    for file in trial_files():
        assert sizes[f"{DATASET}/trial/{file.stem}"] == len(set(parse_file(file))) + 1


def test_every_part_of_the_dataset_names_licence_or_rights(quads: set[ox.Quad]) -> None:
    parts = {q.object for q in quads if q.predicate == N(VOID + "subset")}
    covered = {q.subject for q in quads if q.predicate in (N(DCTERMS + "license"), N(DCTERMS + "rights"))}
    assert parts and parts <= covered


def test_the_source_texts_are_verbatim(quads: set[ox.Quad]) -> None:
    contents = {q.subject.value: q.object.value for q in quads if q.predicate == N(SLE + "sourceContent")}
    for file in trial_files():
        source = file.parent / "sources" / f"{file.stem}.txt"
        assert contents[TRIAL + file.stem].encode() == source.read_bytes()


def test_rdflib_sees_the_same_graph() -> None:
    store = build_store()
    graph = as_rdflib(store)
    assert len(graph) == len(store)
    assert dict(graph.namespaces())["sle"].toPython() == SLE


def test_a_broken_trial_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    file = tmp_path / "trials" / "NCT00000000.ttl"
    file.write_text("@prefix sle: <https://w3id.org/sle-kg/ontology#> .\nsle:a sle:b .\n")
    with pytest.raises(TrialFileError, match=r"trials/NCT00000000.ttl: not readable as Turtle: .*line 2"):
        list(parse_file(file))
