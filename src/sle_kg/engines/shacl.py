"""The SHACL engine: pySHACL on the compiled shapes, SHACL Core only.

It asks pySHACL's own shape objects one profile at a time and lets each stop at its first violated constraint; that
gives the results of a whole `pyshacl.validate` (a test compares them) without its report, which nobody would read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from sle_kg.criteria import Criterion, Trial
from sle_kg.engines import RowStatus
from sle_kg.namespaces import DCTERMS, RDFS, SH
from sle_kg.profile import Profile, data_graph
from sle_kg.shapes import compile_trial, row_shape

if TYPE_CHECKING:
    import rdflib

BATCH = 50
"""Profiles in one data graph: enough to share the set-up, few enough to stay small."""

MAX_DEPTH = 60
"""Nesting of shapes that is allowed: rows refer to rows, a few shapes a level; pySHACL's default of 15 is too low."""

_ANNOTATIONS = {RDFS + "label", RDFS + "comment", SH + "name", SH + "targetClass", DCTERMS + "source"}
"""Predicates that change no result when the focus node is given; pySHACL looks at each of them each time."""


class ShaclEngine:
    """pySHACL on the shapes of a trial by a choice of readings."""

    name = "shacl"
    chunk = 10
    by_rows = True

    def statuses(
        self,
        trial: Trial,
        readings: Mapping[str, str],
        profiles: Sequence[Profile],
        rows: Sequence[str] | None = None,
    ) -> dict[int, dict[str, RowStatus]]:
        """See `Engine`. A row is met by the profiles that conform to its met shape; unmet and na likewise."""
        shapes = shapes_graph(trial, tuple(sorted(readings.items())))
        wanted = [row for row in trial.criteria if rows is None or row.id in rows]
        result: dict[int, dict[str, RowStatus]] = {}
        for start in range(0, len(profiles), BATCH):
            result |= _batch(shapes, wanted, profiles[start : start + BATCH])
        return result


@lru_cache(maxsize=16)
def shapes_graph(trial: Trial, readings: tuple[tuple[str, str], ...]) -> rdflib.Graph:
    """The trial's shapes in rdflib's memory store, without annotations and targets; the last used ones are kept."""
    import pyoxigraph as ox
    import rdflib

    def term(value: ox.NamedNode | ox.Literal) -> rdflib.URIRef | rdflib.Literal:
        if isinstance(value, ox.NamedNode):
            return rdflib.URIRef(value.value)
        return rdflib.Literal(value.value, datatype=rdflib.URIRef(value.datatype.value))

    graph = rdflib.Graph(bind_namespaces="none")
    for subject, predicate, value in compile_trial(trial, dict(readings)):
        if predicate.value not in _ANNOTATIONS:
            graph.add((rdflib.URIRef(subject.value), rdflib.URIRef(predicate.value), term(value)))
    return graph


def _batch(
    shapes: rdflib.Graph, rows: Sequence[Criterion], profiles: Sequence[Profile]
) -> dict[int, dict[str, RowStatus]]:
    import rdflib
    from pyshacl.graph_abstraction import DataGraph
    from pyshacl.validator import Validator

    options = {"max_validation_depth": MAX_DEPTH, "abort_on_first": True}
    validator = Validator(DataGraph.from_rdflib(data_graph(profiles)), shacl_graph=shapes, options=options)
    executor = validator.make_executor()
    named = {str(shape.node): shape for shape in validator.shacl_graph.shapes}

    def conforms(profile: Profile, row: Criterion, outcome: str) -> bool:
        shape = named[row_shape(row.trial, row.id, outcome)]
        return bool(shape.validate(executor, validator.data_graph, focus=rdflib.URIRef(profile.iri))[0])

    def status(profile: Profile, row: Criterion) -> RowStatus:
        met = True if conforms(profile, row, "met") else False if conforms(profile, row, "unmet") else None
        return RowStatus(met, row.not_applicable is not None and conforms(profile, row, "na"))

    return {profile.ask: {row.id: status(profile, row) for row in rows} for profile in profiles}
