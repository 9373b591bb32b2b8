"""The comparison as plain values, read from the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyoxigraph as ox

from sle_kg.compare.reader import Reader
from sle_kg.errors import InputError
from sle_kg.graph import build_store
from sle_kg.landscape import SNAPSHOT_SOURCE
from sle_kg.namespaces import DCTERMS, RDFS, SLE, TRIAL

_KINDS = {
    "InclusionCriterion": "inclusion",
    "ExclusionCriterion": "exclusion",
    "OutcomeMeasure": "outcome",
    "OutcomeComponent": "outcome component",
    "ExpectedOutcome": "expected outcome",
}

_FEATURES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("phase", ("phase",), ("phase",)),
    ("recruitment status", ("recruitmentStatus",), ("overallStatus", "status")),
    ("CAR target", ("carTarget",), ("carTarget", "targetCategory")),
    ("product", ("product", "productName"), ("product",)),
    ("product type", ("productType",), ("productType",)),
    ("vector", ("vector",), ("vector",)),
    ("enrolment", ("enrollmentCount",), ("enrollment", "plannedEnrollment")),
    ("ages (registry)", ("minimumAgeText", "maximumAgeText"), ("minimumAge", "maximumAge")),
    ("design", ("studyDesign", "studyType"), ("design", "studyType")),
    ("stages", ("studyStages",), ("stages",)),
    ("allocation", ("allocation",), ("allocation",)),
    ("masking", ("masking",), ("masking",)),
    ("purpose", ("purpose",), ("purpose",)),
    ("dose", ("cellDose",), ("dose",)),
    ("route", ("administrationRoute",), ("route",)),
    ("lymphodepletion", ("lymphodepletionRegimen",), ("lymphodepletion",)),
    ("follow-up", ("followUp",), ("followUp",)),
    ("period", ("startDate", "studyPeriod"), ("startDate", "period")),
    ("sponsor", ("sponsor",), ("sponsor", "leadSponsor")),
    ("countries", ("country",), ("countries",)),
)
"""A design feature: its name, the trial's properties, and the fact nodes that say where a value is from."""


@dataclass(frozen=True, slots=True)
class TrialColumn:
    """A trial compared: its number, title, status with date, and what the copy of its record does not show."""

    id: str
    label: str
    status: str
    as_of: str
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A value of a design feature, and where it is from; `quotation` where the record itself says it."""

    value: str
    source: str
    as_of: str | None = None
    quotation: str | None = None


@dataclass(frozen=True, slots=True)
class DesignFeature:
    """A design feature with what is known of it, by trial id; a trial of which nothing is known has no entry."""

    name: str
    cells: dict[str, tuple[Statement, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """A criterion or outcome: its id, the sentence's formal reading in words, the quotation behind it.

    `condition` is the condition under the default readings, or the time frame of an outcome; `readings` holds
    `(A3-04=literal, condition)` for the others.
    """

    id: str
    kind: str
    parent: str | None
    condition: str
    quotation: str
    readings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """What rows are about, and the rows of each trial about it, in the order of the record."""

    key: str
    label: str
    cells: dict[str, tuple[Row, ...]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Trials side by side."""

    trials: tuple[TrialColumn, ...]
    design: tuple[DesignFeature, ...]
    topics: tuple[Topic, ...]


def compare(ids: Sequence[str] | None = None) -> Comparison:
    """Compare these trials (NCT numbers; registered ones by their registry fields alone), or all modelled trials.

    Raises InputError for a number that is not in the graph.
    """
    return compare_in(build_store(), ids)


def compare_in(store: ox.Store, ids: Sequence[str] | None = None) -> Comparison:
    """`compare` on a graph that is already built."""
    reader = Reader(store)
    nodes = chosen(store, ids)
    return Comparison(
        trials=tuple(column(reader, id, node) for id, node in nodes.items()),
        design=tuple(_design(reader, nodes)),
        topics=tuple(_topics(reader, nodes)),
    )


def chosen(store: ox.Store, ids: Sequence[str] | None) -> dict[str, ox.NamedNode]:
    """The nodes of these trials, or of all modelled ones, by NCT number in the order asked for.

    Raises InputError for a number that is not in the graph.
    """
    reader, modelled = Reader(store), modelled_ids(store)
    asked = list(dict.fromkeys(ids or modelled))
    nodes = {id: ox.NamedNode(TRIAL + id) for id in asked if _is_iri(TRIAL + id)}
    for id in asked:
        if id not in nodes or "Trial" not in reader.kinds(nodes[id]):
            raise InputError(f"{id}: no trial of the graph; modelled are {', '.join(modelled)} (see trials --all)")
    return nodes


def modelled_ids(store: ox.Store) -> list[str]:
    """The NCT numbers of the modelled trials, sorted."""
    found = store.quads_for_pattern(None, ox.NamedNode(SLE + "modelled"), ox.Literal(True))
    return sorted(
        str(quad.subject.value).removeprefix(TRIAL) for quad in found if isinstance(quad.subject, ox.NamedNode)
    )


def _is_iri(text: str) -> bool:
    try:
        ox.NamedNode(text)
    except ValueError:
        return False
    return True


def column(reader: Reader, id: str, node: ox.NamedNode) -> TrialColumn:
    """The trial as a column's head."""
    status = ", ".join(reader.shown(value) for value in reader.values(node, "recruitmentStatus"))
    as_of = reader.text(node, "recruitmentAsOf") or reader.text(node, "asOf") or ""
    absent = [value.value for value in reader.values(node, "absentFromCopy")]
    if reader.text(node, "modelled") != "true":
        absent.append("Not modelled: only the registry's structured fields are compared.")
    return TrialColumn(id, reader.text(node, "label", RDFS) or id, status, as_of, tuple(absent))


def _design(reader: Reader, nodes: dict[str, ox.NamedNode]) -> list[DesignFeature]:
    features = [
        DesignFeature(name, _known({id: _statements(reader, node, properties, facts) for id, node in nodes.items()}))
        for name, properties, facts in _FEATURES
    ]
    features.append(DesignFeature("sites", _known({id: _sites(reader, node) for id, node in nodes.items()})))
    return [feature for feature in features if feature.cells]


def _known(cells: dict[str, tuple[Statement, ...]]) -> dict[str, tuple[Statement, ...]]:
    return {id: statements for id, statements in cells.items() if statements}


def _statements(
    reader: Reader, trial: ox.NamedNode, properties: tuple[str, ...], facts: tuple[str, ...]
) -> tuple[Statement, ...]:
    """The facts about a feature; where there are none, the trial's own values with the trial's source."""
    nodes = [node for node in reader.subjects("aboutTrial", trial) if reader.text(node, "property") in facts]
    if nodes:
        return _merged(_fact(reader, node) for node in nodes)
    values = [reader.shown(value) for name in properties for value in reader.values(trial, name)]
    if not values:
        return ()
    return (Statement(", ".join(dict.fromkeys(values)), _source(reader, trial), reader.text(trial, "asOf")),)


def _merged(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements in order of date and value, those of one value as one with all its sources and the last date."""
    merged: dict[str, Statement] = {}
    for new in sorted(statements, key=lambda statement: (statement.as_of or "", statement.value, statement.source)):
        old = merged.get(new.value)
        source = "; ".join(dict.fromkeys([old.source, new.source])) if old else new.source
        quotation = (old.quotation if old else None) or new.quotation
        merged[new.value] = Statement(new.value, source, new.as_of, quotation)
    return tuple(merged.values())


def _fact(reader: Reader, node: ox.NamedNode) -> Statement:
    values = ", ".join(value.value for value in reader.values(node, "value"))
    prefix = {"minimumAge": "from ", "maximumAge": "to ", "plannedEnrollment": "planned: "}
    value = prefix.get(reader.text(node, "property") or "", "") + values
    return Statement(value, _source(reader, node), reader.text(node, "asOf"), reader.text(node, "quotation"))


def _source(reader: Reader, node: ox.NamedNode) -> str:
    """The sources in words; the snapshot's address by what it is."""
    snapshot = "Rheumatology CAR-T Trials Monitor, snapshot "
    sources = (value.value for value in reader.values(node, "source", DCTERMS))
    return ", ".join(source.replace(f"{SNAPSHOT_SOURCE}/", snapshot) for source in sources)


def _sites(reader: Reader, trial: ox.NamedNode) -> tuple[Statement, ...]:
    found = []
    for site in reader.nodes(trial, "site"):
        place = [reader.text(site, "label", RDFS), reader.text(site, "city"), reader.text(site, "country")]
        value = ", ".join(part for part in place if part)
        states = [reader.shown(state).lower() for state in reader.values(site, "recruitmentStatus")]
        value += f" ({', '.join(states)})" if states else ""
        found.append(Statement(value, _source(reader, site), reader.text(site, "asOf")))
    return tuple(found)


def _topics(reader: Reader, nodes: dict[str, ox.NamedNode]) -> list[Topic]:
    """The topics, those that most trials share first, then as they come in the records."""
    cells: dict[ox.NamedNode, dict[str, list[Row]]] = {}
    for id, trial in nodes.items():
        rows = [row for row in reader.subjects("ofTrial", trial) if reader.text(row, "criterionId")]
        for row in sorted(rows, key=lambda row: int(reader.text(row, "position") or 0)):
            for topic in reader.nodes(row, "topic"):
                cells.setdefault(topic, {}).setdefault(id, []).append(_row(reader, row))
    topics = [
        Topic(node.value.removeprefix(SLE), reader.shown(node), {id: tuple(rows) for id, rows in by_trial.items()})
        for node, by_trial in cells.items()
    ]
    return sorted(topics, key=lambda topic: -len(topic.cells))


def _row(reader: Reader, row: ox.NamedNode) -> Row:
    parent, condition = reader.node(row, "partOf"), reader.node(row, "condition")
    words = reader.phrase(condition) if condition else reader.text(row, "timeFrame") or ""
    return Row(
        id=reader.text(row, "criterionId") or "",
        kind=next((_KINDS[kind] for kind in sorted(reader.kinds(row)) if kind in _KINDS), ""),
        parent=None if parent is None else reader.text(parent, "criterionId"),
        condition=words,
        quotation=reader.text(row, "quotation") or "",
        readings=tuple(reader.alternatives(condition)) if condition else (),
    )
