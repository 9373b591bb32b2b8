"""What is found of patients in follow-up: values of the outcome and score commands, ready for every report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from sle_kg.verdict import Evidence, Unread

OutcomeWord = Literal["reached", "not-reached", "not-evaluable", "value"]
StateWord = Literal["met", "not-met", "unknown"]


@dataclass(frozen=True, slots=True)
class OutcomeResult:
    """One outcome of one patient at one time point, by one definition.

    `measure` is the key of the definition within the row. `date` is the day of the assessment used, `first` and `last`
    the window in which it was looked for. `value` and `change` are known numbers in `unit`; `lower` and `upper` bound
    what is reported where it is not exactly known. `missing` says what would settle an open result.
    """

    id: str
    measure: str
    time_point: str
    definition: str
    result: OutcomeWord
    reason: str
    date: dt.date | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    value: Decimal | None = None
    change: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    unit: str | None = None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdverseEvent:
    """An adverse event of a patient: term as recorded, grade bounds (equal when known), days after the infusion.

    `day` uses the trial's own numbering of days. `related` and `dose_limiting` are what the investigator recorded.
    """

    term: str
    record: str
    date: dt.date | None
    day: int | None
    grade_low: int | None
    grade_high: int | None
    serious: bool | None
    related: bool | None
    dose_limiting: bool | None
    treatment_emergent: bool | None


@dataclass(frozen=True, slots=True)
class Point:
    """A dated value for a plot: a score, a dose, or an item (1 present, 0 absent)."""

    date: dt.date
    lower: Decimal | None
    upper: Decimal | None


@dataclass(frozen=True, slots=True)
class Course:
    """What the plots of one patient show: series by key, from the first assessment to the last.

    `scores` by total (`sledai2kTotal`, `pga`), `steroid` the prednisone equivalent a day (each point holds until the
    next), `items` by SLEDAI item, `states` the results at each assessment by state.
    """

    scores: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    steroid: tuple[Point, ...] = ()
    items: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    states: Mapping[str, tuple[tuple[dt.date, StateWord], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatientOutcomes:
    """Every result of one patient, in the order of the record and of time.

    `infusion` is None where no exact day of it is known; `undated_infusion`: it was given nevertheless, and the patient
    is one of those infused.
    """

    patient: str
    infusion: dt.date | None
    results: tuple[OutcomeResult, ...]
    events: tuple[AdverseEvent, ...] = ()
    laboratory_grades: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    course: Course = field(default_factory=Course)
    unread: tuple[Unread, ...] = ()
    undated_infusion: bool = False


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One outcome of all patients at one time point, by one definition.

    `infused` and `evaluable` are the two denominators. States have `reached`, both proportions and the exact 95 %
    interval of the first (Clopper and Pearson); values have mean, median, least and greatest value. Numbers are those
    of what the outcome reports (value or change).
    """

    id: str
    measure: str
    time_point: str
    definition: str
    infused: int
    evaluable: int
    reached: int | None = None
    proportion_of_evaluable: Decimal | None = None
    proportion_of_infused: Decimal | None = None
    ci95: tuple[Decimal, Decimal] | None = None
    mean: Decimal | None = None
    median: Decimal | None = None
    least: Decimal | None = None
    greatest: Decimal | None = None
    unit: str | None = None
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An adverse event term over the cohort: patients who had it, and how many by their highest grade.

    Grades are "1" to "5" and "unknown".
    """

    term: str
    patients: int
    highest_grade: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TrialOutcomes:
    """Everything that `sle-kg outcomes` found: patients in the order of the input, cohort rows in that of the record.

    `windows` says in words how time points were matched; `label` is the trial's title, `caveats` what a reader must
    know (the tool's and the record's limits), `options` what the user asked for, as on the command line.
    """

    trial: str
    label: str
    windows: str
    patients: tuple[PatientOutcomes, ...]
    cohort: tuple[CohortRow, ...]
    events: tuple[EventRow, ...]
    laboratory_grades: tuple[EventRow, ...] = ()
    caveats: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """One instrument, state or classification of one patient on one day.

    `value` is set where lower and upper agree; `result` only for states and classifications. `items` are known present,
    known absent or None. `grades` are letters or numbers by system or domain (BILAG). `facet` tells the parts of one
    instrument apart (CTCAE "Anemia"). `proposed` are items that laboratory results suggest; `contradictions` say where
    a recorded item and a result disagree.
    """

    patient: str
    date: dt.date
    name: str
    value: Decimal | None = None
    result: StateWord | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    items: Mapping[str, bool | None] = field(default_factory=dict)
    reason: str = ""
    missing: tuple[str, ...] = ()
    facet: str | None = None
    band: str | None = None
    change: Decimal | None = None
    unit: str | None = None
    grades: Mapping[str, str] = field(default_factory=dict)
    proposed: Mapping[str, bool] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
