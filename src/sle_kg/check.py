"""Is everything that the project ships sound, and does every generated file say what its source gives?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.errors import SleKgError
from sle_kg.resources import path

if TYPE_CHECKING:
    import rdflib


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in which file of the project (relative to the project's data)."""

    file: str
    message: str


def run_checks(report: Callable[[str], None] = lambda step: None) -> list[Fault]:
    """Every check, each announced through `report` before it begins; an empty list means sound.

    A check that cannot run (no Java for the reasoner, a file that is missing) is a fault that says so.
    """
    checks: tuple[tuple[str, Callable[[], Iterable[Fault]]], ...] = (
        ("that every Turtle file can be read", _readable),
        ("trial files against shapes/trial.ttl", _trial_shapes),
        ("trial files: conditions, quotations, coverage of the source texts", _trial_contents),
        ("shapes/eligibility against the trial files", _eligibility),
        ("queries", _queries),
        ("JSON-LD contexts", _contexts),
        ("ontology with the reasoner HermiT", _ontology),
    )
    faults: list[Fault] = []
    for step, check in checks:
        report(step)
        try:
            faults += check()
        except (SleKgError, OSError) as error:
            faults.append(Fault(step, str(error)))
    return faults


def _readable() -> Iterator[Fault]:
    """Each Turtle file parses."""
    import pyoxigraph as ox

    for folder in ("ontology", "trials", "shapes"):
        for file in sorted(path(folder).rglob("*.ttl")):
            try:
                for _ in ox.parse(path=str(file), format=ox.RdfFormat.TURTLE):
                    pass
            except SyntaxError as error:
                yield Fault(_name(file), f"not Turtle: {error}")


def _trial_shapes() -> Iterator[Fault]:
    """Each trial file, seen together with the ontology, conforms to the form of a trial file."""
    import rdflib

    shapes = rdflib.Graph().parse(path("shapes") / "trial.ttl")
    ontology = rdflib.Graph()
    for file in sorted(path("ontology").rglob("*.ttl")):
        ontology.parse(file)
    for file in sorted(path("trials").glob("*.ttl")):
        for message in shape_faults(rdflib.Graph().parse(file), shapes, ontology):
            yield Fault(_name(file), message)


def shape_faults(data: rdflib.Graph, shapes: rdflib.Graph, background: rdflib.Graph) -> list[str]:
    """`node: message` for each violation in `data`, sorted; `background` gives classes, and is not judged itself."""
    import pyshacl
    from rdflib import SH

    subjects = {str(node) for node in data.subjects()}
    _, results, _ = pyshacl.validate(data + background, shacl_graph=shapes, inference="none")
    faults = set()
    for result in results.subjects(SH.resultSeverity, SH.Violation):
        node, message = results.value(result, SH.focusNode), results.value(result, SH.resultMessage)
        if str(node) in subjects:
            faults.add(f"{node}: {message}")
    return sorted(faults)


def _trial_contents() -> Iterator[Fault]:
    """Each trial file can be read as criteria, and its rows and passages cover its source text."""
    from sle_kg import trials

    for file, message in trials.check():
        yield Fault(file, message)


def _eligibility() -> Iterator[Fault]:
    """The committed shapes are what the compiler gives: byte for byte, none missing, none left over."""
    from sle_kg.shapes import serialize
    from sle_kg.trials import screenable

    folder = path("shapes") / "eligibility"
    expected = {f"{number}.ttl": trial for number, trial in screenable().items()}
    found = {file.name: file for file in folder.glob("*.ttl")}
    for name in sorted(expected.keys() | found.keys()):
        label = f"shapes/eligibility/{name}"
        if name not in found:
            yield Fault(label, "missing: compile it again from the trial file")
        elif name not in expected:
            yield Fault(label, "no trial file with eligibility criteria gives it: remove it")
        elif found[name].read_bytes() != serialize(expected[name]):
            yield Fault(label, "differs from what the trial file gives: compile it again")


def _queries() -> Iterator[Fault]:
    """Each query of the library says what it asks, and runs on the graph."""
    from sle_kg import queries
    from sle_kg.graph import build_graph

    graph = build_graph()
    for query in queries.library():
        label = f"queries/{query.name}.rq"
        if not query.summary:
            yield Fault(label, "no '#+ summary:' line")
        try:
            queries.run(query, graph)
        except SleKgError as error:
            yield Fault(label, str(error))


def _contexts() -> Iterator[Fault]:
    """Each JSON-LD context is JSON, and gives our prefixes their IRIs."""
    from sle_kg.namespaces import PREFIXES

    for file in sorted((Path(__file__).parent / "contexts").glob("*.jsonld")):
        label = f"contexts/{file.name}"
        try:
            context = json.loads(file.read_text(encoding="utf-8"))["@context"]
        except (ValueError, KeyError, TypeError) as error:
            yield Fault(label, f"not a JSON object with a @context: {error}")
            continue
        for prefix, iri in context.items():
            if prefix in PREFIXES and iri != PREFIXES[prefix]:
                yield Fault(label, f"prefix {prefix!r} is {iri}, not {PREFIXES[prefix]}")


def _ontology() -> Iterator[Fault]:
    """The ontology is consistent, classifies as expected, and inferred.ttl holds what the reasoner finds."""
    from sle_kg import reason

    for message in reason.check():
        yield Fault("ontology", message)


def _name(file: Path) -> str:
    """The file's name under the project's data folders."""
    for folder in ("ontology", "trials", "shapes"):
        if file.is_relative_to(path(folder)):
            return f"{folder}/{file.relative_to(path(folder)).as_posix()}"
    return file.name
