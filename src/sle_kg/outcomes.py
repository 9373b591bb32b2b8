"""Outcome rows of a trial file as values: what is measured, when, and how it is defined.

A row may be defined several times over (a state, its score, a second state that the fact base asks to report beside
it); what the record leaves undefined is an `Undefined` definition, never an invented one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from sle_kg import criteria as c
from sle_kg.conditions import ConditionReader
from sle_kg.definitions import definition_store
from sle_kg.errors import TrialFileError
from sle_kg.namespaces import RDF, SLE, TRIAL
from sle_kg.trials import load_trials

if TYPE_CHECKING:
    import pyoxigraph as ox

Kind = Literal["state", "value", "duration", "events", "undefined"]
KINDS: dict[str, Kind] = {
    "StateOutcome": "state",
    "ValueOutcome": "value",
    "DurationOutcome": "duration",
    "EventOutcome": "events",
    "UndefinedOutcome": "undefined",
}


@dataclass(frozen=True, slots=True)
class OutcomeDefinition:
    """One way in which an outcome is measured.

    `key` names it within the row (`clinicalSledai`), `words` is what the output calls it ("clinical SLEDAI-2K = 0").
    A state and a duration have a `condition`; a value has the `value` and, where asked for, the `change` from
    baseline, and `reports` says which of the two the outcome is. `events` says which adverse events count,
    `severe_from` the least grade of those that can limit the dose. `why` is the
    reason why an undefined outcome has no result. `reading` is the (ambiguity, key) under which alone it is used.
    `minimum` is the duration that a state must last, in months (`P12M`); `unit` is that of the number reported.
    """

    iri: str
    key: str
    words: str
    kind: Kind
    condition: c.Condition | None = None
    value: c.Feature | None = None
    change: c.Feature | None = None
    reports: Literal["value", "change"] = "value"
    unit: str | None = None
    events: Literal["treatmentEmergent", "doseLimiting", None] = None
    severe_from: int | None = None
    minimum: str | None = None
    why: str | None = None
    reading: tuple[str, str] | None = None

    def features(self) -> set[c.Feature]:
        """Every feature that the definition needs, under all readings."""
        found = {feature for feature in (self.value, self.change) if feature is not None}
        return found | (c.features_of(self.condition) if self.condition is not None else set())


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an outcome is measured: weeks, months after the infusion, or a time frame; none named: at visits.

    `infusion_day` is the number that the record gives to the day of infusion (0 or 1).
    """

    weeks: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    infusion_day: int = 0
    from_day: int | None = None
    to_month: int | None = None
    within_days: int | None = None
    minimum_weeks: int | None = None

    @property
    def named(self) -> bool:
        """Whether the record names time points."""
        return bool(self.weeks or self.months)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome row: its id (`O2`, `O7.1`, `X3`), words of the record, schedule and definitions in order."""

    id: str
    trial: str
    kind: Literal["measure", "component", "expected"]
    title: str
    text: str
    time_frame: str
    topic: str
    schedule: Schedule
    definitions: tuple[OutcomeDefinition, ...]
    parent: str | None = None


_ROWS = {"OutcomeMeasure": "measure", "OutcomeComponent": "component", "ExpectedOutcome": "expected"}


@cache
def load_outcomes() -> dict[str, tuple[Outcome, ...]]:
    """The outcome rows of every modelled trial that shows outcomes, in the order of the record.

    Raises TrialFileError where a row says something that the vocabulary cannot express.
    """
    found = {nct: outcomes_in(definition_store(), nct) for nct in load_trials()}
    return {nct: rows for nct, rows in found.items() if rows}


def outcomes_in(store: ox.Store, nct: str) -> tuple[Outcome, ...]:
    """The outcome rows of one trial in a graph that holds the ontology too; none of a trial that shows no outcomes.

    Raises TrialFileError where a row says something that the vocabulary cannot express.
    """
    reader = ConditionReader(store, f"{nct}.ttl")
    rows = [
        (int(reader.required(row, "position")), row, kind)
        for kind in _ROWS
        for row in reader.subjects(RDF + "type", SLE + kind)
        if reader.required(row, "ofTrial") == TRIAL + nct
    ]
    return tuple(_outcome(reader, row, kind, nct) for _, row, kind in sorted(rows))


def _outcome(reader: ConditionReader, iri: str, kind: str, nct: str) -> Outcome:
    parent = reader.optional(iri, "partOf")
    text = reader.required(iri, "quotation")
    definitions = sorted((int(reader.required(node, "position")), node) for node in reader.values(iri, "definedBy"))
    if not definitions:
        raise TrialFileError(f"{nct}.ttl: {iri.removeprefix(TRIAL)} lacks sle:definedBy; say how it is measured.")
    return Outcome(
        id=reader.required(iri, "criterionId"),
        trial=nct,
        kind=_ROWS[kind],  # type: ignore[arg-type]
        title=reader.optional(iri, "outcomeTitle") or text,
        text=text,
        time_frame=reader.optional(iri, "timeFrame") or "",
        topic=(reader.optional(iri, "topic") or "").removeprefix(SLE + "topic-"),
        schedule=_schedule(reader, iri),
        definitions=tuple(_definition(reader, node) for _, node in definitions),
        parent=reader.required(parent, "criterionId") if parent else None,
    )


def _schedule(reader: ConditionReader, iri: str) -> Schedule:
    def number(name: str) -> int | None:
        value = reader.optional(iri, name)
        return None if value is None else int(value)

    return Schedule(
        weeks=tuple(sorted(map(int, reader.values(iri, "atWeek")))),
        months=tuple(sorted(map(int, reader.values(iri, "atMonth")))),
        infusion_day=number("infusionDay") or 0,
        from_day=number("fromDay"),
        to_month=number("toMonth"),
        within_days=number("withinDays"),
        minimum_weeks=number("minimumWeeks"),
    )


def _definition(reader: ConditionReader, iri: str) -> OutcomeDefinition:
    kinds = [KINDS[name] for name in reader.types(iri) if name in KINDS]
    if len(kinds) != 1:
        raise reader.error(iri, f"is no outcome definition; give it one of the types {', '.join(KINDS)}")
    condition, value, change = (reader.optional(iri, name) for name in ("condition", "valueOf", "changeOf"))
    severe_from = reader.optional(iri, "severeFromGrade")
    reading = reader.optional(iri, "underReading")
    minimum = reader.optional(iri, "minDuration")
    return OutcomeDefinition(
        iri=iri,
        key=reader.required(iri, "measureKey"),
        words=reader.required(iri, "definitionWords"),
        kind=kinds[0],
        condition=reader.condition(condition, ()) if condition else None,
        value=_feature(reader, value),
        change=_feature(reader, change),
        reports=reader.optional(iri, "reports") or "value",  # type: ignore[arg-type]
        unit=reader.optional(value or change or iri, "unit"),
        events=reader.optional(iri, "countsEvents"),  # type: ignore[arg-type]
        severe_from=int(severe_from) if severe_from is not None else None,
        minimum=_months(reader, iri, minimum) if minimum else None,
        why=reader.optional(iri, "undefinedBecause"),
        reading=_reading(reader, reading) if reading else None,
    )


def _feature(reader: ConditionReader, iri: str | None) -> c.Feature | None:
    """The feature of a leaf whose value is reported as it is, without comparison."""
    if iri is None:
        return None
    leaf = reader.condition(iri, ())
    if not isinstance(leaf, c.Leaf):
        raise reader.error(iri, "is reported as a value and is no leaf condition")
    return leaf.feature


def _months(reader: ConditionReader, iri: str, duration: str) -> str:
    """A duration of whole months, `P12M` also where a store has written it `P1Y`."""
    found = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?", duration)
    if found is None or not any(found.groups()):
        raise reader.error(iri, f"lasts {duration}; give the minimum in months, as P12M")
    return f"P{12 * int(found[1] or 0) + int(found[2] or 0)}M"


def _reading(reader: ConditionReader, iri: str) -> tuple[str, str]:
    return reader.required(iri, "ofAmbiguity").rsplit("/", 1)[1], reader.required(iri, "readingKey")
