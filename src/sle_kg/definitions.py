"""Definitions of states, grades and bands, read from the ontology: what an instrument's result means, as data.

A state (LLDAS, DORIS 2021) is a condition tree whose items are trees of their own. A graded scale (CTCAE v5.0, ASTCT
2019, a flare index) gives each grade the condition under which a patient has *at least* that grade, so that missing
facts bound a grade from below and above. Nothing here knows a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from sle_kg import criteria as c
from sle_kg.conditions import ConditionReader
from sle_kg.namespaces import RDF, RDFS, SLE
from sle_kg.resources import path

if TYPE_CHECKING:
    import pyoxigraph as ox


@dataclass(frozen=True, slots=True)
class StateItem:
    """One item of a state: its number in the definition ("1"), what it says, and its condition."""

    key: str
    text: str
    condition: c.Condition


@dataclass(frozen=True, slots=True)
class State:
    """A state or response: `key` is the local name of its instrument, `name` its name on the command line."""

    key: str
    name: str
    label: str
    condition: c.Condition
    items: tuple[StateItem, ...]


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade of a scale: `number` orders grades, `at_least` says who has this grade or a higher one.

    `at_least` is None where only an investigator can tell ("life-threatening").
    """

    code: str
    number: int
    text: str
    at_least: c.Condition | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Grades of one kind within an instrument: CTCAE "Anemia", CRS of ASTCT 2019. Grades ascend."""

    instrument: str
    facet: str
    grades: tuple[Grade, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A range of a total with a name: SLEDAI-2K 1 to 4 is "low". A bound that is None is open."""

    label: str
    least: Decimal | None
    most: Decimal | None


@cache
def states() -> dict[str, State]:
    """Every state with a condition, by its name on the command line (`doris2021`, `lldas-NCT06653556`).

    Raises TrialFileError where a definition says something that the vocabulary cannot express.
    """
    reader = _reader()
    found = [_state(reader, iri) for iri in reader.subjects(RDF + "type", SLE + "ResponseState")]
    return {state.name: state for state in found}


@cache
def scales(instrument: str) -> tuple[Scale, ...]:
    """The graded scales of an instrument (`ctcaeV5`), by facet, grades ascending; facets sorted by name."""
    reader = _reader()
    facets: dict[str, list[Grade]] = {}
    for iri in reader.subjects(SLE + "gradeOf", SLE + instrument):
        if (number := reader.optional(iri, "gradeNumber")) is not None:
            condition = reader.optional(iri, "condition")
            grade = Grade(
                code=reader.required(iri, "gradeCode"),
                number=int(number),
                text=reader.required(iri, "label", RDFS),
                at_least=reader.condition(condition, ()) if condition else None,
            )
            facets.setdefault(reader.required(iri, "gradeFacet"), []).append(grade)
    return tuple(
        Scale(instrument, facet, tuple(sorted(grades, key=lambda grade: grade.number)))
        for facet, grades in sorted(facets.items())
    )


def graded_instruments() -> list[str]:
    """Every instrument with a graded scale, sorted by name."""
    reader = _reader()
    graded = (
        reader.required(iri, "gradeOf").removeprefix(SLE)
        for iri in reader.subjects(RDF + "type", SLE + "Grade")
        if reader.optional(iri, "gradeNumber") is not None
    )
    return sorted(set(graded))


@cache
def bands(instrument: str) -> tuple[Band, ...]:
    """The bands of an instrument's total (`sledai2k`: remission, low, moderate, high), from the lowest."""
    reader = _reader()
    found = []
    for iri in reader.subjects(SLE + "gradeOf", SLE + instrument):
        least, most = (reader.optional(iri, name) for name in ("bandLeast", "bandMost"))
        if least is not None or most is not None:
            found.append(
                Band(
                    reader.required(iri, "bandLabel"),
                    None if least is None else Decimal(least),
                    None if most is None else Decimal(most),
                )
            )
    return tuple(sorted(found, key=lambda band: band.least if band.least is not None else Decimal(-1)))


def conditions_of(definitions: Iterable[State | Scale]) -> list[c.Condition]:
    """Every condition tree of some definitions."""
    found: list[c.Condition] = []
    for definition in definitions:
        if isinstance(definition, State):
            found.append(definition.condition)
        else:
            found += [grade.at_least for grade in definition.grades if grade.at_least is not None]
    return found


def _state(reader: ConditionReader, iri: str) -> State:
    items = sorted(
        (int(reader.required(item, "itemNumber")), item)
        for item in reader.subjects(SLE + "itemOf", iri)
        if reader.optional(item, "condition") is not None
    )
    return State(
        key=iri.removeprefix(SLE),
        name=reader.required(iri, "scoreName"),
        label=reader.required(iri, "label", RDFS),
        condition=reader.condition(iri, ()),
        items=tuple(
            StateItem(str(number), reader.required(item, "definition", _SKOS), reader.condition(item, ()))
            for number, item in items
        ),
    )


@cache
def definition_store() -> ox.Store:
    """The ontology with the trial files: definitions name readings that trial files describe."""
    import pyoxigraph as ox

    from sle_kg.ontology import module_files

    store = ox.Store()
    for file in [*module_files(), *sorted(path("trials").glob("NCT*.ttl"))]:
        store.load(path=str(file), format=ox.RdfFormat.TURTLE)
    return store


def _reader() -> ConditionReader:
    return ConditionReader(definition_store(), "ontology/scores.ttl")


_SKOS = "http://www.w3.org/2004/02/skos/core#"
