"""The jobs that are measured. `python -m benchmarks.jobs NAME [ARGUMENT…]` runs one and prints its seconds.

A job prepares, starts the clock, does the work, stops the clock: imports and preparation are not counted. Each job has
a process of its own, so that its memory is its own.
"""

import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

SEED = 20261121
SCREENED_ON = date(2026, 11, 21)
TRIAL = "NCT06106906"
"""The trial with the most criteria."""

FOLLOW_UP_TRIAL = "NCT06653556"
"""The trial with the most outcomes over follow-up."""

MATRIX = """
PREFIX sle: <https://w3id.org/sle-kg/ontology#>
SELECT ?topic ?a ?b WHERE {
  ?a sle:topic ?topic ; sle:ofTrial ?first ; sle:quotation ?quotation .
  ?b sle:topic ?topic ; sle:ofTrial ?second ; sle:quotation ?other .
  FILTER(STR(?first) < STR(?second))
}"""
"""Every pair of rows of different trials about the same topic: what a comparison of trials asks of a store."""

Work = Callable[[], object]


def build() -> Work:
    """Build the whole graph."""
    from sle_kg.graph import build_graph

    return build_graph


def profiles(count: str, nct: str = TRIAL) -> list:
    """Ready profiles of made-up patients: bounds near the thresholds, one feature in five unknown."""
    from sle_kg.profile import Profile
    from sle_kg.trials import load_trials

    chance = random.Random(SEED)
    features = load_trials()[nct].features()
    made = []
    for number in range(int(count)):
        values = {feature.slug: Decimal(chance.choice([0, 1, 2, 5, 10, 50, 100])) for feature in features}
        known = {slug: (value, value) for slug, value in values.items() if chance.random() > 0.2}
        made.append(Profile(number, f"made-up-{number}", nct, SCREENED_ON, known, {}))
    return made


def engine(count: str) -> Work:
    """Row statuses of ready profiles through the project's SHACL engine, shapes parsed."""
    from sle_kg.engines import get_engine
    from sle_kg.trials import load_trials

    shacl, trial, ready = get_engine("shacl"), load_trials()[TRIAL], profiles(count)
    shacl.statuses(trial, {}, ready[:1])
    return lambda: shacl.statuses(trial, {}, ready)


def bare(count: str) -> Work:
    """The same shapes and profiles through `pyshacl.validate`, graphs ready."""
    import pyshacl
    import rdflib

    from sle_kg.engines.shacl import MAX_DEPTH
    from sle_kg.profile import data_graph
    from sle_kg.shapes import serialize
    from sle_kg.trials import load_trials

    data, shapes = data_graph(profiles(count)), rdflib.Graph().parse(data=serialize(load_trials()[TRIAL]), format="ttl")
    return lambda: pyshacl.validate(data, shacl_graph=shapes, max_validation_depth=MAX_DEPTH)


def matrix(store: str) -> Work:
    """The comparison matrix on `oxigraph` or on rdflib's own `memory` store."""
    import rdflib

    from sle_kg.graph import build_graph

    graph = build_graph()
    if store == "memory":
        memory = rdflib.Graph()
        for triple in graph:
            memory.add(triple)
        graph = memory
    return lambda: list(graph.query(MATRIX))


def sums(folder: str) -> Work:
    """A plain loop over FHIR files: parse each line and add up the SLEDAI-2K items by patient and date."""
    weights = points()
    return lambda: sum_up(weights, parsed(folder))


def sums_only(folder: str) -> Work:
    """The same loop over records that are parsed already."""
    weights, records = points(), list(parsed(folder))
    return lambda: sum_up(weights, records)


def outcomes(folder: str) -> Work:
    """The outcomes of patients whose fact tables are ready: what reads their files gives the tables at once."""
    from sle_kg.followup.options import FollowUpOptions
    from sle_kg.followup.trial_outcomes import trial_outcomes
    from sle_kg.patients import read
    from sle_kg.trials import load_trials

    load_trials()
    files = sorted(Path(folder).glob("*.ndjson"))
    ready = read.read_patients(files)
    read.read_patients = lambda *_: ready
    return lambda: trial_outcomes(files, FOLLOW_UP_TRIAL, FollowUpOptions())


def points() -> dict[str, int]:
    """The weight of each SLEDAI-2K item by its code."""
    from sle_kg.ontology import instruments

    return {item.key: item.weight for item in instruments()["sledai2k"].items}


def parsed(folder: str) -> Iterator[dict]:
    """The resources of all files, one a line."""
    for file in sorted(Path(folder).glob("*.ndjson")):
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def sum_up(weights: dict[str, int], records: Iterable[dict]) -> dict[tuple[str, str], int]:
    """The points of the items that are present, by patient and date."""
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for record in records:
        for part in record.get("component", ()):
            weight = weights.get(part["code"]["coding"][0]["code"])
            if weight is not None:
                present = part["valueBoolean"]
                totals[record["subject"]["reference"], record["effectiveDateTime"]] += weight if present else 0
    return totals


def main() -> None:
    """Run the job named on the command line and print the seconds that its work took."""
    name, *arguments = sys.argv[1:]
    jobs = (build, engine, bare, matrix, sums, sums_only, outcomes)
    work = {job.__name__: job for job in jobs}[name](*arguments)
    start = time.perf_counter()
    work()
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
