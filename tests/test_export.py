"""Exports: the same bytes every time, the same graph in every format, JSON that reads without RDF."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from sle_kg import export as module
from sle_kg.contexts import CONTEXT_FILE, context, refuse_remote
from sle_kg.errors import InputError
from sle_kg.export import FORMATS, WHAT, export, serialize
from sle_kg.graph import graph_quads
from sle_kg.namespaces import OWL, PREFIXES, RDF, SLE, TRIAL, XSD
from sle_kg.turtle import canonical_n_quads

N = ox.NamedNode
PARSERS = {
    "turtle": ox.RdfFormat.TURTLE,
    "json-ld": ox.RdfFormat.JSON_LD,
    "n-triples": ox.RdfFormat.N_TRIPLES,
    "n-quads": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "rdf-xml": ox.RdfFormat.RDF_XML,
}
CASES = [("graph", None), ("ontology", None), ("shapes", None), ("shapes", "NCT06892145")]
CASES += [("trial", f"NCT0{number}") for number in (6106906, 6150651, 6653556, 6710717, 6892145, 4146051)]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "trial"), CASES)
def test_every_format_parses_back_to_the_same_graph(what: str, trial: str | None) -> None:
    quads = module._statements(what, trial)
    canonical = canonical_n_quads(quads)
    for output_format in FORMATS:
        back = list(ox.parse(export(what, trial, output_format), format=PARSERS[output_format]))
        assert {quad.graph_name for quad in back} == {ox.DefaultGraph()}
        assert canonical_n_quads(back) == canonical, output_format


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "import hashlib; from sle_kg.export import export; "
        "print([hashlib.sha256(export(*case)).hexdigest() for case in "
        "[('graph', None, 'turtle'), ('ontology', None, 'rdf-xml'), ('graph', None, 'n-quads'), "
        "('trial', 'NCT06106906', 'json-ld'), ('ontology', None, 'json-ld')]])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale, zone in (("1", "C", "UTC"), ("2", "C.UTF-8", "Asia/Shanghai"))
    ]
    assert outputs[0] == outputs[1] != b""


def test_literals_are_exported_as_they_are_written() -> None:
    quads = [ox.Quad(N(SLE + "a"), N(SLE + "b"), ox.Literal("18.0", datatype=N(XSD + "decimal")))]
    for output_format in FORMATS:
        assert b"18.0" in serialize(quads, output_format)


def test_integers_that_are_not_canonical_stay_typed() -> None:
    quads = [ox.Quad(N(SLE + "a"), N(SLE + "b"), ox.Literal("007", datatype=N(XSD + "integer")))]
    back = ox.parse(serialize(quads, "json-ld"), format=ox.RdfFormat.JSON_LD)
    assert canonical_n_quads(back) == canonical_n_quads(quads)


def test_the_merged_ontology_imports_nothing_and_opens_in_owlready2(tmp_path: Path) -> None:
    owlready2 = pytest.importorskip("owlready2")
    file = tmp_path / "ontology.rdf"
    file.write_bytes(export("ontology", None, "rdf-xml"))
    ontology = owlready2.World().get_ontology(file.as_uri()).load(only_local=True)
    assert ontology.base_iri == SLE
    assert ontology.search_one(iri=SLE + "JAKInhibitor").equivalent_to != []
    quads = module._statements("ontology", None)
    headers = [quad.subject.value for quad in quads if quad.object == N(OWL + "Ontology")]
    assert headers == [SLE.removesuffix("#")]


def test_the_trial_export_holds_everything_under_the_trial_and_its_readings() -> None:
    quads = module._statements("trial", "NCT06892145")
    subjects = {str(quad.subject) for quad in quads}
    assert f"<{TRIAL}NCT06892145/I06d/condition/2/1>" in subjects
    assert "<https://w3id.org/sle-kg/reading/A3-04/literal>" in subjects
    assert not any("NCT06150651" in subject for subject in subjects)
    assert "<https://w3id.org/sle-kg/reading/A0-03/per-drug>" not in subjects


@pytest.mark.parametrize(
    ("what", "trial", "output_format", "message"),
    [
        ("trial", None, "turtle", "--trial is missing: name a trial of the graph; modelled are NCT06106906"),
        ("trial", "NCT1", "turtle", "--trial NCT1: name a trial of the graph"),
        ("trial", "", "turtle", "name a trial of the graph"),
        ("trial", "../NCT06892145", "turtle", "name a trial of the graph"),
        ("shapes", "NCT06653556", "turtle", "no shapes of that trial; there are those of NCT06106906"),
        ("graph", "NCT06892145", "turtle", "leave it out"),
        ("everything", None, "turtle", "choose one of graph, ontology"),
        ("graph", None, "hdt", "choose one of turtle, json-ld"),
    ],
)
def test_what_cannot_be_exported_is_said(what: str, trial: str | None, output_format: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        export(what, trial, output_format)


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(export("trial", "NCT06150651", "json-ld"))
    return document


def test_the_tree_reads_from_the_trial_down_to_a_threshold(tree: dict[str, Any]) -> None:
    assert (tree["id"], tree["registryId"]) == ("trial:NCT06150651", "NCT06150651")
    (refractory,) = (row for row in tree["criteria"] if row["criterionId"] == "I03")
    (active,) = (row for row in refractory["parts"] if row["criterionId"] == "I03.1")
    (azathioprine,) = (row for row in active["parts"] if row["criterionId"] == "I03.1b2")
    condition = azathioprine["condition"]
    assert condition["type"] == ["DailyDoseCondition"]
    assert condition["valueSet"] == ["azathioprine"]
    assert (Decimal(condition["minInclusive"]), condition["unit"]) == (Decimal("1.5"), "mg/kg/d")


def test_the_tree_keeps_the_order_of_the_record_and_every_row_once(tree: dict[str, Any]) -> None:
    def rows(nodes: list[dict[str, Any]]) -> list[str]:
        return [id for node in nodes for id in (node["criterionId"], *rows(node.get("parts", [])))]

    positions = [node["position"] for node in tree["criteria"]]
    assert positions == sorted(positions)
    assert len(set(rows(tree["criteria"]))) == len(rows(tree["criteria"])) == len(tree["hasCriterion"])


def test_the_tree_holds_readings_facts_and_sites(tree: dict[str, Any]) -> None:
    (scope,) = (node for node in tree["ambiguities"] if node["ambiguityId"] == "A0-03")
    assert {reading["readingKey"] for reading in scope["readings"]} == {"per-drug", "whole-list"}
    assert "CD19" in {value for fact in tree["facts"] for value in fact["value"]}
    assert tree["site"][0]["latitude"] == "13.75398"
    assert "@included" not in tree


def test_json_ld_holds_no_floats_and_no_remote_context() -> None:
    def refuse(text: str) -> float:
        assert text == "1.1", "only the version of JSON-LD, in the context, is no whole number"
        return 1.1

    for what, trial in (("graph", None), ("trial", "NCT06106906")):
        document = json.loads(export(what, trial, "json-ld"), parse_float=refuse)
        assert document["@context"] == context()


def test_the_context_gives_our_prefixes_and_every_term_its_type() -> None:
    shipped = context()
    assert {name: shipped[name] for name in PREFIXES if name != "reading"} == {
        name: iri for name, iri in PREFIXES.items() if name != "reading"
    }
    quads = graph_quads()
    values: dict[str, set[bool]] = {}
    for quad in quads:
        values.setdefault(quad.predicate.value, set()).add(isinstance(quad.object, ox.NamedNode))
    objects = {q.subject for q in quads if q.predicate == N(RDF + "type") and q.object == N(OWL + "ObjectProperty")}
    pointing = {str(node).strip("<>") for node in objects} | {iri for iri, kinds in values.items() if kinds == {True}}
    for iri in sorted(iri for iri in pointing if iri.startswith(SLE)):
        name = iri.removeprefix(SLE)
        entry = shipped["sle:reading" if name == "reading" else name]
        assert (entry["@id"], entry["@type"]) == (f"sle:{name}", "@vocab")
    for name in ("decimal", "date", "duration"):
        of_type = {q.predicate.value for q in quads if str(q.object).endswith(f"XMLSchema#{name}>")}
        terms = {iri.removeprefix(SLE) for iri in of_type if iri.startswith(SLE)}
        assert terms and all(shipped[term]["@type"] == f"xsd:{name}" for term in terms)


def test_a_property_with_several_values_is_always_a_list() -> None:
    counts: dict[tuple[str, str], int] = {}
    for quad in set(graph_quads()):
        key = (str(quad.subject), quad.predicate.value)
        counts[key] = counts.get(key, 0) + 1
    several = {iri.removeprefix(SLE) for (_, iri), number in counts.items() if number > 1 and iri.startswith(SLE)}
    assert sorted(name for name in several if context().get(name, {}).get("@container") != "@set") == []


def test_the_context_is_versioned_and_asks_for_nothing() -> None:
    assert CONTEXT_FILE.name == "sle-kg-0.1.0.jsonld"
    assert "@import" not in context()
    with pytest.raises(InputError, match="not fetched"):
        refuse_remote("https://example.org/context", {})


def test_the_choices_are_those_of_the_command_line() -> None:
    assert WHAT == ("graph", "ontology", "shapes", "trial")
    assert set(FORMATS) == set(PARSERS)
