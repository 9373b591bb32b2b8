"""What a synthetic record says, before it is written in any format: keys of the ontology, dates as texts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Value = Decimal | bool | str
Answer = Literal["positive", "negative"]
"""What a qualitative test gives; other texts are values of their own (`IV+V`, `1:160`)."""


@dataclass(frozen=True, slots=True)
class Result:
    """A result, a score with its items, or a statement.

    `test` is a key of the ontology, or a local code (`attest:NCT06106906/E13a`); `date` an ISO date that may be
    partial. `unit` is UCUM, `lower` and `upper` the reference range. `parts` are items by key. `event` is the place of
    the adverse event that the result grades. `answer` stands instead of a value.
    """

    test: str
    date: str
    value: Value | None = None
    unit: str | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    parts: tuple[tuple[str, Value], ...] = ()
    event: int | None = None
    answer: Answer | None = None
    comparator: str | None = None
    echocardiography: bool = False


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine over days; without an end it is still taken. `once`: given on one day; `ordered`: an order, no more.

    `concept` is a key, or `<system>|<code>|<words>` of a code that the ontology does not have; `system` is the code
    system to write a key in, where it has a code there. `status` is that of FHIR, by default told from the end.
    """

    concept: str
    start: str
    end: str | None = None
    dose: Decimal | None = None
    times: int = 1
    days: int = 1
    once: bool = False
    ordered: bool = False
    unit: str = "mg"
    route: Literal["oral", "intravenous"] | None = None
    status: str | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis, still there unless it abated; `concept` and `system` as of a medicine.

    `verification` and `clinical` are those of FHIR; `clinical` is by default told from the abatement.
    """

    concept: str
    onset: str | None
    abated: str | None = None
    recorded: str | None = None
    verification: str = "confirmed"
    clinical: str | None = None
    severity: Literal["mild", "moderate", "severe"] | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure on a day, or from one to another; `done` False: known not to have been done."""

    concept: str
    date: str
    end: str | None = None
    done: bool = True


@dataclass(frozen=True, slots=True)
class Vaccine:
    """A vaccine given, or known not to have been given."""

    concept: str
    date: str
    given: bool = True


@dataclass(frozen=True, slots=True)
class Allergy:
    """An allergy or intolerance; the concept `noKnownAllergy` says that there is none."""

    concept: str
    recorded: str
    kind: Literal["allergy", "intolerance"] | None = None
    criticality: Literal["high", "low"] | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """A signed research consent, to a trial or to none in particular."""

    trial: str | None
    date: str


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


Record = Result | Medicine | Diagnosis | Procedure | Vaccine | Allergy | Consent | Event | Complete | AdverseEvent


@dataclass(frozen=True, slots=True)
class SyntheticPatient:
    """One patient with everything that is recorded; `scenario` names what the patient shows."""

    id: str
    sex: str
    birth: str
    scenario: str
    records: tuple[Record, ...]
