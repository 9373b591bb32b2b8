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
    """What is wrong in which file of the project, or in which check."""

    file: str
    message: str


def run_checks(report: Callable[[str], None] = lambda step: None) -> list[Fault]:
    """Every check, each announced through `report` before it begins; an empty list means sound.

    A check that cannot run (no Java for the reasoner, a file that is missing) is a fault that says so.
    """
    checks: tuple[tuple[str, Callable[[], Iterable[Fault]]], ...] = (
        ("Turtle files", lambda: turtle_faults(path(name) for name in ("ontology", "trials", "shapes"))),
        ("trial files against shapes/trial.ttl", lambda: trial_shape_faults(path("trials"))),
        (
            "definitions of states and grades against shapes/trial.ttl",
            lambda: definition_faults(path("ontology") / "scores.ttl"),
        ),
        ("trial files: conditions, quotations, coverage of the source texts", _trial_contents),
        ("compiled shapes against the trial files", lambda: generated_faults(path("shapes"))),
        ("queries", _queries),
        ("JSON-LD contexts", lambda: context_faults(Path(__file__).parent / "contexts")),
        ("ontology, with the reasoner HermiT", _ontology),
    )
    faults: list[Fault] = []
    for step, check in checks:
        report(step)
        try:
            faults += check()
        except (SleKgError, OSError) as error:
            faults.append(Fault(step, str(error)))
    return faults


def turtle_faults(folders: Iterable[Path]) -> Iterator[Fault]:
    """Every Turtle file below the folders can be read."""
    import pyoxigraph as ox

    for folder in folders:
        for file in sorted(folder.rglob("*.ttl")):
            try:
                for _ in ox.parse(path=str(file), format=ox.RdfFormat.TURTLE):
                    pass
            except SyntaxError as error:
                yield Fault(_name(file, folder), f"not Turtle: {error}")


def trial_shape_faults(folder: Path) -> Iterator[Fault]:
    """Every trial file in the folder, seen together with the ontology, has the form that shapes/trial.ttl asks for."""
    import rdflib

    shapes, ontology = _trial_shapes()
    for file in sorted(folder.glob("*.ttl")):
        for message in shape_faults(rdflib.Graph().parse(file), shapes, ontology):
            yield Fault(_name(file, folder), message)


def definition_faults(file: Path) -> Iterator[Fault]:
    """The conditions of states and grades have the form of a trial's conditions, and every definition can be read."""
    import rdflib

    from sle_kg import definitions, outcomes

    shapes, ontology = _trial_shapes()
    for message in shape_faults(rdflib.Graph().parse(file), shapes, ontology):
        yield Fault(f"ontology/{file.name}", message)
    definitions.states()
    for instrument in definitions.graded_instruments():
        definitions.scales(instrument)
    outcomes.load_outcomes()


def _trial_shapes() -> tuple[rdflib.Graph, rdflib.Graph]:
    """The form of a trial file, and the ontology as its background."""
    import rdflib

    ontology = rdflib.Graph()
    for file in sorted(path("ontology").rglob("*.ttl")):
        ontology.parse(file)
    return rdflib.Graph().parse(path("shapes") / "trial.ttl"), ontology


def shape_faults(data: rdflib.Graph, shapes: rdflib.Graph, background: rdflib.Graph) -> list[str]:
    """`node: message` for each violation in `data`, sorted; `background` gives classes, and is not judged itself."""
    import pyshacl
    from rdflib import SH

    judged = set(data.subjects())
    _, results, _ = pyshacl.validate(data + background, shacl_graph=shapes, inference="none")
    violations = {
        (results.value(result, SH.focusNode), results.value(result, SH.resultMessage))
        for result in results.subjects(SH.resultSeverity, SH.Violation)
    }
    return sorted(f"{node}: {message}" for node, message in violations if node in judged)


def generated_faults(folder: Path) -> Iterator[Fault]:
    """The committed generated shapes are what the compiler gives: byte for byte, none missing, none left over."""
    from sle_kg.shapes import generated_files

    expected = generated_files()
    found = {f"eligibility/{file.name}" for file in (folder / "eligibility").glob("*.ttl")}
    for name in sorted(expected.keys() | found):
        label, file = f"shapes/{name}", folder / name
        if name not in expected:
            yield Fault(label, "no trial file with eligibility criteria gives it: remove it")
        elif not file.is_file():
            yield Fault(label, "missing: run python -m sle_kg.shapes")
        elif file.read_bytes() != expected[name]:
            yield Fault(label, "differs from what the trial files give: run python -m sle_kg.shapes")


def context_faults(folder: Path) -> Iterator[Fault]:
    """Every JSON-LD context in the folder is JSON, and gives our prefixes their IRIs."""
    from sle_kg.namespaces import PREFIXES

    for file in sorted(folder.glob("*.jsonld")):
        try:
            context = json.loads(file.read_text(encoding="utf-8"))["@context"]
        except (ValueError, KeyError, TypeError) as error:
            yield Fault(_name(file, folder), f"not a JSON object with a @context: {error!r}")
            continue
        for prefix, iri in PREFIXES.items():
            if context.get(prefix, iri) != iri:
                yield Fault(_name(file, folder), f"prefix {prefix!r} is {context[prefix]!r}, not {iri!r}")


def _trial_contents() -> Iterator[Fault]:
    """Each trial file can be read as criteria, and its rows and passages cover its source text."""
    from sle_kg import trial_sources

    for file, message in trial_sources.check():
        yield Fault(file, message)


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


def _ontology() -> Iterator[Fault]:
    """The ontology is consistent, classifies as expected, and inferred.ttl holds what the reasoner finds."""
    from sle_kg import reason

    for message in reason.check():
        yield Fault("ontology", message)


def _name(file: Path, folder: Path) -> str:
    """The file's name as the project speaks of it: the folder and what follows."""
    return f"{folder.name}/{file.relative_to(folder).as_posix()}"
