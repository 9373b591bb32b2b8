"""Prints the table of benchmarks/README.md: every figure and every ratio from one run on this machine.

`python -m benchmarks follow_up` prints one part of it: `start`, `shapes`, `commands` or `follow_up`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.jobs import FOLLOW_UP_TRIAL
from sle_kg.resources import path

PYTHON = sys.executable
COMMAND = str(Path(sys.executable).with_name("sle-kg"))
FORMATS = ("turtle", "json-ld", "n-triples", "n-quads", "trig", "rdf-xml")


@dataclass(frozen=True)
class Cost:
    """Seconds (the median of the runs) and peak memory in MiB (the highest of the runs)."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Line:
    """One line of the table; `ratio` is to the line that `against` describes, `limit` what it should stay under."""

    what: str
    cost: Cost
    against: str = ""
    ratio: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}× {self.against}"
        limit = (
            "" if self.limit is None else f"≤ {self.limit}×: {'met' if (self.ratio or 0) <= self.limit else 'missed'}"
        )
        return f"| {self.what} | {self.cost.seconds:.3f} | {self.cost.memory:.0f} | {ratio} | {limit} |"


def run(*command: str) -> tuple[float, float, str]:
    """Wall seconds, peak MiB and output of one process."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"{' '.join(command)} failed")
        output.seek(0)
        return seconds, usage.ru_maxrss / 1024, output.read().decode()


def whole(*command: str, runs: int = 3) -> Cost:
    """The cost of a whole process, from start to exit."""
    results = [run(*command) for _ in range(runs)]
    return Cost(median(result[0] for result in results), max(result[1] for result in results))


def job(*name: str, runs: int = 3) -> Cost:
    """The cost of the timed part of a job; memory is that of its process."""
    results = [run(PYTHON, "-m", "benchmarks.jobs", *name) for _ in range(runs)]
    return Cost(median(float(result[2]) for result in results), max(result[1] for result in results))


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
