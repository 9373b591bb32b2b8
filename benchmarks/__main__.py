"""Prints the table of benchmarks/README.md: every figure and every ratio from one run on this machine.

`python -m benchmarks follow_up` prints one part of it: `start`, `shapes`, `commands` or `follow_up`.
`python -m benchmarks.cohort` prints the table of cohorts.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.jobs import FOLLOW_UP_TRIAL
from benchmarks.measure import COMMAND, PYTHON, Line, job, run, whole
from sle_kg.resources import path

FORMATS = ("turtle", "json-ld", "n-triples", "n-quads", "trig", "rdf-xml")


def patients(count: int, folder: Path) -> list[str]:
    """Files of `count` patients: the example patients, over and over, under new ids."""
    examples = sorted((path("examples") / "patients").glob("*.json"))
    bundles = [text for file in examples if '"resourceType": "Patient"' in (text := file.read_text())]
    files = []
    for number in range(count):
        text = bundles[number % len(bundles)]
        resources = (entry["resource"] for entry in json.loads(text)["entry"])
        (old,) = {resource["id"] for resource in resources if resource["resourceType"] == "Patient"}
        files.append(folder / f"{number}.json")
        files[-1].write_text(text.replace(f"Patient/{old}", f"Patient/p{number}").replace(f'"{old}"', f'"p{number}"'))
    return list(map(str, files))


def start() -> Iterator[Line]:
    """What each call costs before it does anything, and the graph that every other one needs."""
    rdflib = whole(PYTHON, "-c", "import rdflib", runs=7)
    yield Line("`python -c 'import rdflib'`", rdflib)
    help_ = whole(COMMAND, "--help", runs=7)
    yield Line("`sle-kg --help`", help_, "import rdflib", help_.seconds / rdflib.seconds, 2)
    yield Line("build the whole graph", job("build"))


def shapes() -> Iterator[Line]:
    """The SHACL engine beside bare pyshacl."""
    for count in ("1", "100"):
        runs = 5 if count == "1" else 3
        bare, engine = job("bare", count, runs=runs), job("engine", count, runs=runs)
        yield Line(f"bare `pyshacl`, ready profiles: {count}", bare)
        yield Line(f"SHACL engine, ready profiles: {count}", engine, "bare", engine.seconds / bare.seconds, 1.3)


def commands() -> Iterator[Line]:
    """Screening, comparison and export."""
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 100):
            command = (COMMAND, "screen", *patients(count, Path(folder)), "--on", "2026-11-21", "--format", "json")
            yield Line(f"`screen`, every trial, FHIR patients: {count}", whole(*command, runs=2))
        memory, oxigraph = job("matrix", "memory", runs=1), job("matrix", "oxigraph")
        yield Line("comparison matrix, rdflib's memory store", memory)
        yield Line("comparison matrix, Oxigraph", oxigraph, "memory store", oxigraph.seconds / memory.seconds)
        yield Line("`compare`, all five trials", whole(COMMAND, "compare", "--format", "json", runs=2))
        for name in FORMATS:
            target = str(Path(folder) / name)
            cost = whole(COMMAND, "export", "--what", "graph", "--format", name, "--output", target, runs=2)
            yield Line(f"`export --what graph --format {name}`", cost)


def follow_up() -> Iterator[Line]:
    """Outcomes of a cohort beside a plain loop that does only the sums of SLEDAI-2K; one run each."""
    with tempfile.TemporaryDirectory() as folder:
        run(COMMAND, "example-cohort", "--patients", "1000", "--seed", "1", "--output", folder)
        files = sorted(map(str, Path(folder).glob("*.ndjson")))
        loop = job("sums", folder, runs=1)
        yield Line("plain loop, sums of SLEDAI-2K from FHIR: 1,000 patients", loop)
        command = whole(COMMAND, "outcomes", *files, "--trial", FOLLOW_UP_TRIAL, "--format", "json", runs=1)
        ratio = command.seconds / loop.seconds
        yield Line("`outcomes`, FHIR patients: 1,000", command, "plain loop", ratio)
        loop = job("sums_only", folder, runs=1)
        yield Line("plain loop, records parsed: 1,000 patients", loop)
        ready = job("outcomes", folder, runs=1)
        yield Line("outcomes, fact tables ready: 1,000 patients", ready, "plain loop", ready.seconds / loop.seconds)


PARTS = {part.__name__: part for part in (start, shapes, commands, follow_up)}


def main() -> None:
    """Print the parts named on the command line, or all, line by line as they are measured."""
    print("| what | seconds | MiB | ratio | limit |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or PARTS:
        for line in PARTS[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
