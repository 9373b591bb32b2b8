"""The cohort as a swimmer plot: a bar from infusion to last assessment for each patient, states and events on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from sle_kg.followup.results import AdverseEvent, PatientOutcomes, StateWord, TrialOutcomes
from sle_kg.report.outcomes_text import since
from sle_kg.report.svg import WIDTH, Scale, Tick, assessment_days, label
from sle_kg.report.text import shorten

LEFT, RIGHT = 150, WIDTH - 20
_TOP, _FOOT, _BAR, _LANE, _LEVEL, _GAP = 12, 40, 8, 12, 15, 10
SHAPES = ("circle", "square", "triangle", "diamond", "ring", "box")


@dataclass(frozen=True, slots=True)
class StateKey:
    """How a state is marked: a capital, a shape, and what the results call its definition."""

    capital: str
    shape: str
    words: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something at a place of the plot: an event with its text, or an assessment of a state with its word."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One state of one patient: where it was met without a break (`stretches`: from, to), and each assessment."""

    key: StateKey
    y: int
    stretches: tuple[tuple[int, int], ...]
    assessments: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Swimmer:
    """One patient: the bar from infusion to `end`, a lane a state, the events above."""

    patient: str
    y: int
    end: int
    lanes: tuple[Lane, ...]
    events: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class SwimmerPlot:
    """The plot with its legend: states, and (letter, adverse event)."""

    height: int
    days: tuple[Tick, ...]
    swimmers: tuple[Swimmer, ...]
    states: tuple[StateKey, ...]
    events: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    description: str
    left: int = LEFT
    right: int = RIGHT
    top: int = _TOP
    bar: int = _BAR
    width: int = WIDTH


def swimmer_plot(result: TrialOutcomes) -> SwimmerPlot | None:
    """The infused patients in the order of the input; None where nobody was infused."""
    infused = [(patient, patient.infusion) for patient in result.patients if patient.infusion is not None]
    if not infused:
        return None
    states = _legend(result, [patient for patient, _ in infused])
    terms = dict.fromkeys(event.term for patient, zero in infused for _, event in _placed(patient.events, zero))
    letters = {term: letter(number) for number, term in enumerate(terms)}
    across = Scale(Decimal(0), Decimal(max(1, *(_last_day(patient, zero) for patient, zero in infused))), LEFT, RIGHT)
    swimmers: list[Swimmer] = []
    top = _TOP
    for patient, zero in infused:
        swimmer, top = _swimmer(patient, zero, top, across, states, letters)
        swimmers.append(swimmer)
    return SwimmerPlot(
        height=top + _FOOT,
        days=tuple(across.ticks(10)),
        swimmers=tuple(swimmers),
        states=tuple(states.values()),
        events=tuple((short, term) for term, short in letters.items()),
        notes=tuple(_notes(result.patients)),
        description=" ".join(_told(patient, zero, states) for patient, zero in infused),
    )


def _legend(result: TrialOutcomes, patients: Sequence[PatientOutcomes]) -> dict[str, StateKey]:
    """How each state is marked, in the order of the record."""
    words = {row.measure: row.definition for row in result.cohort}
    states = dict.fromkeys(state for patient in patients for state in patient.course.states)
    return {
        state: StateKey(letter(number).upper(), SHAPES[number % len(SHAPES)], words.get(state) or label(state))
        for number, state in enumerate(states)
    }


def _swimmer(
    patient: PatientOutcomes,
    zero: dt.date,
    top: int,
    across: Scale,
    states: dict[str, StateKey],
    letters: dict[str, str],
) -> tuple[Swimmer, int]:
    """One patient from `top` down, and where the next one begins."""
    marks = [(across.at(day), letters[event.term] + grade_mark(event)) for day, event in _placed(patient.events, zero)]
    levels = _levels(marks)
    y = top + (max(levels, default=0) + 1) * _LEVEL
    events = tuple(Symbol(x, y - level * _LEVEL - 4, text) for (x, text), level in zip(marks, levels, strict=True))
    assessed = [state for state in states if state in patient.course.states]
    lanes = tuple(
        _lane(patient.course.states[state], zero, y + _BAR + (number + 1) * _LANE - 4, across, states[state])
        for number, state in enumerate(assessed)
    )
    end = across.at(max([since(day, zero) for day in _assessed(patient)], default=0))
    bottom = y + _BAR + len(lanes) * _LANE + _GAP
    return Swimmer(shorten(patient.patient, 20), y, end, lanes, events), bottom


def _levels(marks: Sequence[tuple[int, str]]) -> list[int]:
    """For each text, left to right, the lowest level on which it covers no other."""
    ends: list[int] = []
    levels = []
    for x, text in marks:
        level = next((number for number, end in enumerate(ends) if end <= x), len(ends))
        ends[level : level + 1] = [x + 12 + 7 * len(text)]
        levels.append(level)
    return levels


def _lane(
    assessments: Sequence[tuple[dt.date, StateWord]],
    zero: dt.date,
    y: int,
    across: Scale,
    key: StateKey,
) -> Lane:
    """What was assessed from the infusion on; a stretch runs through assessments that all find the state met."""
    places = [(across.at(since(day, zero)), word) for day, word in sorted(assessments) if day >= zero]
    runs = [[x for x, _ in run] for word, run in groupby(places, key=lambda place: place[1]) if word == "met"]
    stretches = tuple((run[0], run[-1]) for run in runs if len(run) > 1)
    return Lane(key, y, stretches, tuple(Symbol(x, y, word) for x, word in places))


def _assessed(patient: PatientOutcomes) -> set[dt.date]:
    """Days of assessment from the infusion on."""
    days = assessment_days(patient.course) | {result.date for result in patient.results if result.date is not None}
    return {day for day in days if patient.infusion is None or day >= patient.infusion}


def _last_day(patient: PatientOutcomes, zero: dt.date) -> int:
    """The last day of the patient that the plot has to hold."""
    events = {event.date for event in patient.events if event.date is not None}
    return max((since(day, zero) for day in _assessed(patient) | events), default=0)


def _placed(events: Sequence[AdverseEvent], zero: dt.date) -> list[tuple[int, AdverseEvent]]:
    """The events that began on or after the infusion with their day, in the order of time."""
    dated = [(since(event.date, zero), event) for event in events if event.date is not None]
    return sorted([place for place in dated if place[0] >= 0], key=lambda place: place[0])


def letter(number: int) -> str:
    """A short name: a to z, then aa, ab …"""
    head, tail = divmod(number, 26)
    return (letter(head - 1) if head else "") + chr(ord("a") + tail)


def grade_mark(event: AdverseEvent) -> str:
    """The grade beside the letter: `2`, `1-3`, `?`."""
    low, high = event.grade_low, event.grade_high
    if low is None and high is None:
        return "?"
    if low == high:
        return str(low)
    return f"{'?' if low is None else low}-{'?' if high is None else high}"


def _notes(patients: Sequence[PatientOutcomes]) -> list[str]:
    """Who and what the plot cannot show."""
    absent = [patient.patient for patient in patients if patient.infusion is None]
    notes = [f"Not shown, because no day of infusion is known: {', '.join(absent)}."] if absent else []
    infused = [(patient.events, patient.infusion) for patient in patients if patient.infusion is not None]
    if missing := sum(len(events) - len(_placed(events, zero)) for events, zero in infused):
        notes.append(f"Adverse events not shown, because they have no date or began before the infusion: {missing}.")
    return notes


def _told(patient: PatientOutcomes, zero: dt.date, names: dict[str, StateKey]) -> str:
    """What the plot shows of a patient, for those who do not see it."""
    last = max((since(day, zero) for day in _assessed(patient)), default=0)
    states = [
        f"{names[state].words} met on day {', '.join(str(since(day, zero)) for day, word in found if word == 'met')}"
        for state, found in patient.course.states.items()
        if any(word == "met" for _, word in found)
    ]
    events = [f"{event.term} grade {grade_mark(event)} on day {day}" for day, event in _placed(patient.events, zero)]
    return f"{patient.patient}: last assessed on day {last}; {'; '.join([*states, *events]) or 'nothing else'}."
