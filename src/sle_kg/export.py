"""Writing the graph, or a part of it, as RDF: the same statements give the same bytes, on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pyoxigraph as ox

from sle_kg.contexts import context, refuse_remote
from sle_kg.errors import InputError
from sle_kg.graph import graph_quads, parse_file
from sle_kg.namespaces import OWL, PREFIXES, RDF, SLE, TRIAL, XSD
from sle_kg.ontology import module_files
from sle_kg.resources import path
from sle_kg.trials import trial_files
from sle_kg.turtle import canonical_n_quads, canonical_quads, write_turtle

WHAT = ("graph", "ontology", "shapes", "trial")
FORMATS = ("turtle", "json-ld", "n-triples", "n-quads", "trig", "rdf-xml")

_ROWS = {
    "criteria": frozenset({"InclusionCriterion", "ExclusionCriterion"}),
    "outcomes": frozenset({"OutcomeMeasure", "OutcomeComponent", "ExpectedOutcome"}),
    "ambiguities": frozenset({"Ambiguity"}),
    "passages": frozenset({"Passage"}),
}
"""What belongs to a trial by `ofTrial`: the list of the tree, and the types that stand in it."""

_TYPE = ox.NamedNode(RDF + "type")
_ONTOLOGY = ox.NamedNode(OWL + "Ontology")
_IMPORTS = ox.NamedNode(OWL + "imports")

_PLACED = frozenset({"ofTrial", "aboutTrial", "ofAmbiguity"})
"""A node with one of these has its own place in the tree."""


def export(what: str = "graph", trial: str | None = None, output_format: str = "turtle") -> bytes:
    """One of `WHAT` in one of `FORMATS`, all of it in the default graph.

    `trial` is an NCT number: needed for `trial` (any trial of the graph), and for `shapes` it picks the shapes of one
    trial. JSON-LD is a flat `graph`; for `trial` it is one tree. Raises InputError for a trial or format that is not.
    """
    if what not in WHAT:
        raise InputError(f"--what {what}: choose one of {', '.join(WHAT)}")
    if trial is not None and what not in ("trial", "shapes"):
        raise InputError(f"--trial goes with --what trial or shapes, not with --what {what}; leave it out")
    quads = _statements(what, trial)
    if what == "trial" and output_format == "json-ld":
        return _json(trial_tree(quads, str(trial)))
    return serialize(quads, output_format)


def serialize(quads: Iterable[ox.Quad], output_format: str) -> bytes:
    """Statements of a default graph in one of `FORMATS`, blank nodes labelled by RDFC-1.0, sorted."""
    match output_format:
        case "turtle" | "trig":
            return write_turtle((quad.triple for quad in quads), PREFIXES)
        case "n-triples" | "n-quads":
            return canonical_n_quads(quads)
        case "json-ld":
            return _json(_compacted(quads))
        case "rdf-xml":
            return _rdf_xml(quads)
    raise InputError(f"--format {output_format}: choose one of {', '.join(FORMATS)}")


def trial_tree(quads: Iterable[ox.Quad], trial: str) -> dict[str, Any]:
    """A trial's statements as one JSON-LD tree that reads without knowing RDF.

    Rows stand in `criteria` or `outcomes`, their parts in `parts`, readings in their ambiguity. Any other node stands
    inside the node that points to it, where the tree first meets it; everything else points by `id`. Nothing is lost:
    what hangs on nothing stands in `@included`.
    """
    document = _compacted(quads)
    nodes: dict[str, dict[str, Any]] = {node["id"]: node for node in document["graph"]}
    root = nodes.pop(f"trial:{trial}")
    tree = {"@context": document["@context"], **_nested(root, nodes)}
    for name, types in _ROWS.items():
        tree[name] = _taken(nodes, [key for key, node in nodes.items() if not types.isdisjoint(node.get("type", ()))])
    tree["facts"] = _taken(nodes, [key for key, node in nodes.items() if "aboutTrial" in node])
    for ambiguity in tree["ambiguities"]:
        readings = [key for key, node in nodes.items() if node.get("ofAmbiguity") == ambiguity["id"]]
        ambiguity |= {"readings": _taken(nodes, readings)} if readings else {}
    for name in ("criteria", "outcomes"):
        tree[name] = _with_parts(tree[name])
    tree["@included"] = _taken(nodes, list(nodes))
    return {key: value for key, value in tree.items() if value != []}


def _with_parts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are no parts, each with its parts in it."""
    for row in rows:
        parts = [part for part in rows if part.get("partOf") == row["id"]]
        row |= {"parts": parts} if parts else {}
    return [row for row in rows if "partOf" not in row]


def _statements(what: str, trial: str | None) -> list[ox.Quad]:
    if what == "graph":
        return graph_quads()
    if what == "ontology":
        return _merged([quad for file in module_files() for quad in parse_file(file)])
    if what == "trial":
        return _trial_statements(trial)
    folder = path("shapes")
    files = sorted(folder.rglob("*.ttl")) if trial is None else [folder / "eligibility" / f"{trial}.ttl"]
    if not all(file.is_file() for file in files):
        known = ", ".join(file.stem for file in sorted((folder / "eligibility").glob("*.ttl")))
        raise InputError(f"--trial {trial}: there are no shapes of that trial; there are those of {known}")
    return [quad for file in files for quad in parse_file(file)]


def _merged(quads: list[ox.Quad]) -> list[ox.Quad]:
    """The modules as one ontology: the header of the whole stays, without imports of the modules that are now in it."""
    whole = ox.NamedNode(SLE.removesuffix("#"))
    headers = {quad.subject for quad in quads if quad.predicate == _TYPE and quad.object == _ONTOLOGY}
    return [
        quad
        for quad in quads
        if quad.subject not in headers - {whole} and not (quad.predicate == _IMPORTS and quad.object in headers)
    ]


def _trial_statements(trial: str | None) -> list[ox.Quad]:
    """What the graph says of a trial and of everything under its IRI, and the readings of its ambiguities."""
    iri = f"{TRIAL}{trial}"
    quads = graph_quads()
    readings = {
        quad.subject
        for quad in quads
        if quad.predicate.value == SLE + "ofAmbiguity" and str(quad.object).startswith(f"<{iri}/")
    }
    found = [
        quad
        for quad in quads
        if quad.subject in readings
        or (isinstance(quad.subject, ox.NamedNode) and f"{quad.subject.value}/".startswith(f"{iri}/"))
    ]
    if trial is None or not found:
        modelled = ", ".join(file.stem for file in trial_files())
        raise InputError(f"--trial {trial or 'is missing'}: name a trial of the graph; modelled are {modelled}")
    return found


def _rdf_xml(quads: Iterable[ox.Quad]) -> bytes:
    """RDF/XML with every prefix declared: owlready2 tells the format by the declaration of `owl`."""
    triples = [quad.triple for quad in canonical_quads(quads)]
    return ox.serialize(triples, format=ox.RdfFormat.RDF_XML, prefixes=PREFIXES) or b""


def _compacted(quads: Iterable[ox.Quad]) -> dict[str, Any]:
    """JSON-LD compacted with our context: a flat, sorted `graph`; decimals stay typed strings, never floats."""
    from pyld import jsonld

    # pyld calls uuid1, for which the C library opens a network socket to read the machine's address.
    jsonld.uuid = SimpleNamespace(uuid1=uuid4)
    expanded = json.loads(ox.serialize(canonical_quads(quads), format=ox.RdfFormat.JSON_LD) or b"[]")
    for node in expanded:
        _use_native_json(node)
    options = {"graph": True, "documentLoader": refuse_remote}
    compacted: dict[str, Any] = jsonld.compact(expanded, {"@context": context()}, options)
    return compacted


def _use_native_json(node: dict[str, Any]) -> None:
    """Types as `@type`, integers and booleans as JSON's own, which JSON-LD reads back as the same literals."""
    types = node.pop(RDF + "type", None)
    for values in node.values():
        for value in values if isinstance(values, list) else []:
            text, datatype = value.get("@value"), value.get("@type")
            if (datatype == XSD + "integer" and str(int(text)) == text) or (
                datatype == XSD + "boolean" and text in ("true", "false")
            ):
                value["@value"] = json.loads(text)
                del value["@type"]
    if types is not None:
        node["@type"] = [kind["@id"] for kind in types]


def _nested(node: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The node with the nodes that it points to put in place; those are taken out of `nodes`."""

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return [place(item) for item in value]
        reference = value.get("id") if isinstance(value, dict) and set(value) == {"id"} else value
        if isinstance(reference, str) and reference in nodes and _PLACED.isdisjoint(nodes[reference]):
            return _nested(nodes.pop(reference), nodes)
        return value

    return {key: value if key in ("id", "type") else place(value) for key, value in node.items()}


def _taken(nodes: dict[str, dict[str, Any]], ids: list[str]) -> list[dict[str, Any]]:
    """These nodes, out of `nodes`, in the order of the record (then of their ids), each with what hangs on it."""
    chosen = [nodes.pop(id) for id in ids]
    chosen.sort(key=lambda node: (node.get("position", node.get("passageStart", 0)), node["id"]))
    return [_nested(node, nodes) for node in chosen]


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
