"""What a synthetic record says, before it is written in any format: keys of the ontology, dates as texts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

Value = Decimal | bool | str


@dataclass(frozen=True, slots=True)
class Result:
    """A result, a score with its items, or a statement.

    `test` is a key of the ontology, `date` an ISO date that may be partial. `unit` is UCUM, `lower` and `upper` the
    reference range. `parts` are items by key. `event` is the place of the adverse event that the result grades.
    """

    test: str
    date: str
    value: Value | None = None
    unit: str | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    parts: tuple[tuple[str, Value], ...] = ()
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine over days; without an end it is still taken. `once`: given on one day."""

    concept: str
    start: str
    end: str | None = None
    dose: Decimal | None = None
    times: int = 1
    days: int = 1
    once: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis that is still there."""

    concept: str
    onset: str


@dataclass(frozen=True, slots=True)
class Event:
    """A dated event of a trial (`infusion`)."""

    name: str
    date: str


@dataclass(frozen=True, slots=True)
class Complete:
    """A statement that a section of the record is complete up to a date."""

    section: str
    date: str


@dataclass(frozen=True, slots=True)
class AdverseEvent:
    """An adverse event; `place` tells it apart within the patient. `grade` is None where results grade it."""

    place: int
    term: str
    date: str
    serious: bool
    related: bool | None
    grade: int | None = None
    dose_limiting: bool | None = None


Record = Result | Medicine | Diagnosis | Event | Complete | AdverseEvent


@dataclass(frozen=True, slots=True)
class SyntheticPatient:
    """One patient with everything that is recorded; `scenario` names what the patient shows."""

    id: str
    sex: str
    birth: str
    scenario: str
    records: tuple[Record, ...]
