"""The knowledge graph: ontology, modelled trials, registered trials, and a description of the dataset itself.

Everything stands in the default graph of one Oxigraph store. What a statement about a trial rests on is said in the
graph (`sle:Fact`, `sle:asOf`, `dcterms:source`), not by named graphs. Building touches no network and takes well under
a second, so nothing is cached.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyoxigraph as ox

from sle_kg.errors import InputError, TrialFileError
from sle_kg.landscape import ATTRIBUTION, SNAPSHOT_SOURCE, landscape, snapshot_date
from sle_kg.namespaces import BASE, DCAT, DCTERMS, PREFIXES, RDF, SLE, TRIAL, VOID, XSD
from sle_kg.ontology import module_files
from sle_kg.trials import trial_files

if TYPE_CHECKING:
    import rdflib

DATASET = BASE + "dataset"
_CC_BY = ox.NamedNode("https://creativecommons.org/licenses/by/4.0/")


def build_graph() -> rdflib.Graph:
    """The whole graph behind rdflib's API, with the project's prefixes bound."""
    return as_rdflib(build_store())


def as_rdflib(store: ox.Store) -> rdflib.Graph:
    """An rdflib graph over the default graph of an Oxigraph store; nothing is copied."""
    import rdflib
    from oxrdflib import OxigraphStore
    from rdflib.graph import DATASET_DEFAULT_GRAPH_ID

    graph = rdflib.Graph(OxigraphStore(store=store), identifier=DATASET_DEFAULT_GRAPH_ID, bind_namespaces="none")
    for prefix, iri in PREFIXES.items():
        graph.bind(prefix, iri)
    return graph


def build_store() -> ox.Store:
    """The whole graph in a new in-memory store. Raises as `graph_quads`."""
    store = ox.Store()
    store.extend(graph_quads())
    return store


def graph_quads() -> list[ox.Quad]:
    """Every statement of the graph, literals as they are written (a store keeps numbers by value only).

    Raises TrialFileError or InputError naming the file that cannot be read.
    """
    files = trial_files()
    parts = {"ontology": [quad for file in module_files() for quad in parse_file(file)]}
    for file in files:
        parts[f"trial/{file.stem}"] = [*parse_file(file), _source_content(file)]
    modelled = frozenset(file.stem for file in files)
    parts["registry"] = [ox.Quad(*triple) for triple in landscape(modelled)]
    quads = [quad for part in parts.values() for quad in part]
    sizes = {name: len(set(part)) for name, part in parts.items()}
    quads += [ox.Quad(*triple) for triple in _description(sizes, len(set(quads)))]
    return quads


def parse_file(file: Path) -> Iterator[ox.Quad]:
    """The statements of a Turtle file of ours. Raises TrialFileError or InputError naming file, line and fault."""
    try:
        yield from ox.parse(path=file, format=ox.RdfFormat.TURTLE, rename_blank_nodes=True)
    except (SyntaxError, OSError, ValueError) as error:
        kind = TrialFileError if file.parent.name == "trials" else InputError
        raise kind(f"{file.parent.name}/{file.name}: not readable as Turtle: {error}") from error


def _source_content(file: Path) -> ox.Quad:
    """The text that the trial's quotations are from, so that queries can compare the two character by character.

    Raises TrialFileError where the source text is missing or not UTF-8.
    """
    source = file.parent / "sources" / f"{file.stem}.txt"
    try:
        text = source.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrialFileError(f"trials/sources/{source.name}: the source text cannot be read: {error}") from error
    return ox.Quad(ox.NamedNode(TRIAL + file.stem), ox.NamedNode(SLE + "sourceContent"), ox.Literal(text))


def _description(sizes: dict[str, int], total: int) -> Iterator[ox.Triple]:
    """VoID and DCAT: what the dataset and each of its parts is, how large, whose, and under which licence."""
    whole = ox.NamedNode(DATASET)
    yield from _dataset(
        whole,
        "sle-kg: CAR-T trials in systemic lupus erythematosus as a knowledge graph",
        "Ontology, trial criteria with their quotations, and the registered CAR-T trials in autoimmune disease.",
        total,
    )
    yield ox.Triple(whole, _RDF_TYPE, ox.NamedNode(DCAT + "Dataset"))
    yield ox.Triple(whole, ox.NamedNode(DCAT + "version"), ox.Literal(version("sle-kg")))
    yield ox.Triple(whole, ox.NamedNode(DCTERMS + "license"), _CC_BY)
    yield ox.Triple(whole, ox.NamedNode(VOID + "uriSpace"), ox.Literal(BASE))
    yield ox.Triple(whole, ox.NamedNode(VOID + "vocabulary"), ox.NamedNode(SLE.removesuffix("#")))
    for name, size in sizes.items():
        part = ox.NamedNode(f"{DATASET}/{name}")
        yield ox.Triple(whole, ox.NamedNode(VOID + "subset"), part)
        yield from _part(part, name, size)


def _part(part: ox.NamedNode, name: str, size: int) -> Iterator[ox.Triple]:
    if name == "registry":
        date = snapshot_date()
        yield from _dataset(part, f"Registered CAR-T trials, {date}", "Structured registry fields, no free text.", size)
        yield ox.Triple(part, ox.NamedNode(DCTERMS + "source"), ox.NamedNode(f"{SNAPSHOT_SOURCE}/{date}"))
        yield ox.Triple(part, ox.NamedNode(DCTERMS + "rights"), ox.Literal(ATTRIBUTION.format(date=date)))
        issued = ox.Literal(date, datatype=ox.NamedNode(XSD + "date"))
        yield ox.Triple(part, ox.NamedNode(DCTERMS + "issued"), issued)
    elif name == "ontology":
        yield from _dataset(part, "The sle-kg ontology", "Classes, properties, concepts, codes, value sets.", size)
        yield ox.Triple(part, ox.NamedNode(DCTERMS + "license"), _CC_BY)
    else:
        number = name.removeprefix("trial/")
        yield from _dataset(part, f"Trial {number}", "The trial's criteria, outcomes, design and quotations.", size)
        yield ox.Triple(part, ox.NamedNode(DCTERMS + "license"), _CC_BY)
        yield ox.Triple(part, ox.NamedNode(VOID + "rootResource"), ox.NamedNode(TRIAL + number))


def _dataset(node: ox.NamedNode, title: str, description: str, triples: int) -> Iterator[ox.Triple]:
    yield ox.Triple(node, _RDF_TYPE, ox.NamedNode(VOID + "Dataset"))
    yield ox.Triple(node, ox.NamedNode(DCTERMS + "title"), ox.Literal(title, language="en"))
    yield ox.Triple(node, ox.NamedNode(DCTERMS + "description"), ox.Literal(description, language="en"))
    yield ox.Triple(node, ox.NamedNode(VOID + "triples"), ox.Literal(triples))


_RDF_TYPE = ox.NamedNode(RDF + "type")
