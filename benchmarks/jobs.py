"""The jobs that are measured. `python -m benchmarks.jobs NAME [ARGUMENT…]` runs one and prints its seconds.

A job prepares, starts the clock, does the work, stops the clock: imports and preparation are not counted. Each job has
a process of its own, so that its memory is its own.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal

SEED = 20261121
SCREENED_ON = date(2026, 11, 21)
TRIAL = "NCT06106906"
"""The trial with the most criteria."""

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


def profiles(count: str) -> list:
    """Ready profiles of made-up patients: bounds near the thresholds, one feature in five unknown."""
    from sle_kg.profile import Profile
    from sle_kg.trials import load_trials

    chance = random.Random(SEED)
    features = load_trials()[TRIAL].features()
    made = []
    for number in range(int(count)):
        values = {feature.slug: Decimal(chance.choice([0, 1, 2, 5, 10, 50, 100])) for feature in features}
        known = {slug: (value, value) for slug, value in values.items() if chance.random() > 0.2}
        made.append(Profile(number, f"made-up-{number}", TRIAL, SCREENED_ON, known, {}))
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


def main() -> None:
    """Run the job named on the command line and print the seconds that its work took."""
    name, *arguments = sys.argv[1:]
    work = {"build": build, "engine": engine, "bare": bare, "matrix": matrix}[name](*arguments)
    start = time.perf_counter()
    work()
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
