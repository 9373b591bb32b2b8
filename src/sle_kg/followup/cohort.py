"""The cohort: how many were infused, evaluable and reached an outcome, with exact intervals; values and events.

Both denominators are given: everybody infused, and those who could be evaluated. Numbers are exact decimals; means,
proportions and intervals are rounded to six places.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

from sle_kg import ontology
from sle_kg.followup.results import CohortRow, EventRow, OutcomeResult, PatientOutcomes
from sle_kg.outcomes import OutcomeDefinition
from sle_kg.patients.adverse_event import COMMON_GRADE

PLACES = Decimal("0.000001")
"""Means, proportions and ends of intervals are rounded to this."""
CONFIDENCE = Decimal("0.95")
_PRECISION = 50
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a result of one patient is not in the cohort's numbers, in words without dates."""

    patient: str
    id: str
    measure: str
    time_point: str
    why: str


def cohort_rows(
    patients: Sequence[PatientOutcomes], definitions: Sequence[tuple[str, OutcomeDefinition]], gaps: Iterable[Gap]
) -> tuple[CohortRow, ...]:
    """A row for each outcome, definition and time point, in the order of the record and of time.

    Of every row infused = evaluable + missing: a patient who has no such visit is missing too.
    """
    infused = [patient for patient in patients if patient.infusion is not None or patient.undated_infusion]
    why = {(gap.patient, gap.id, gap.measure, gap.time_point): gap.why for gap in gaps}
    found: dict[tuple[str, str], dict[str, dict[str, OutcomeResult]]] = {}
    for patient in infused:
        for one in patient.results:
            found.setdefault((one.id, one.measure), {}).setdefault(one.time_point, {})[patient.patient] = one
    rows = []
    for outcome, definition in definitions:
        points = found.get((outcome, definition.key), {})
        placed = {name: some for name, some in points.items() if any(one.first for one in some.values())} or points
        for name in sorted(placed, key=_in_time):
            missing: Counter[str] = Counter()
            evaluable = []
            for someone, result in placed[name].items():
                if reason := why.get((someone, outcome, definition.key, name)):
                    missing[reason] += 1
                else:
                    evaluable.append(result)
            if absent := len(infused) - len(placed[name]):
                missing["no assessment"] += absent
            rows.append(_row(outcome, definition, name, len(infused), evaluable, missing))
    return tuple(rows)


def _row(
    outcome: str,
    definition: OutcomeDefinition,
    time_point: str,
    infused: int,
    evaluable: Sequence[OutcomeResult],
    missing: Mapping[str, int],
) -> CohortRow:
    n = len(evaluable)
    sorted_missing = dict(sorted(missing.items()))
    words = evaluable[0].definition if evaluable else definition.words
    if is_value(definition):
        values = [reported(definition, result) for result in evaluable]
        return CohortRow(
            outcome,
            definition.key,
            time_point,
            words,
            infused,
            n,
            mean=mean(values) if values else None,
            median=median(values) if values else None,
            least=min(values, default=None),
            greatest=max(values, default=None),
            unit=evaluable[0].unit if evaluable else definition.unit,
            missing=sorted_missing,
        )
    if definition.kind == "undefined":
        return CohortRow(outcome, definition.key, time_point, words, infused, n, missing=sorted_missing)
    reached = sum(result.result == "reached" for result in evaluable)
    return CohortRow(
        outcome,
        definition.key,
        time_point,
        words,
        infused,
        n,
        reached=reached,
        proportion_of_evaluable=ratio(reached, n) if n else None,
        proportion_of_infused=ratio(reached, infused) if infused else None,
        ci95=clopper_pearson(reached, n) if n else None,
        missing=sorted_missing,
    )


def is_value(definition: OutcomeDefinition) -> bool:
    """Whether an outcome is a number: a value, a count of events, a duration without a minimum."""
    return (
        definition.kind == "value"
        or definition.events == "treatmentEmergent"
        or (definition.kind == "duration" and definition.minimum is None)
    )


def reported(definition: OutcomeDefinition, result: OutcomeResult) -> Decimal:
    """The known number that an outcome reports."""
    number = result.change if definition.reports == "change" else result.value
    assert number is not None, f"{result.id} {result.time_point}: counted as evaluable without a number"
    return number


def event_rows(patients: Sequence[PatientOutcomes]) -> tuple[EventRow, ...]:
    """Treatment-emergent adverse events by term: patients, and how many by their highest grade; commonest first.

    A highest grade is known only where no event of unknown grade could be higher.
    """
    least, most = grade_range()
    grades: dict[str, list[tuple[int, int]]] = {}
    spellings: dict[str, Counter[str]] = {}
    for patient in patients:
        highest: dict[str, tuple[int, int]] = {}
        for event in patient.events:
            if not event.treatment_emergent:
                continue
            key = event.term.casefold()
            spellings.setdefault(key, Counter())[event.term] += 1
            low, high = highest.get(key, (0, 0))
            highest[key] = (max(low, event.grade_low or least), max(high, event.grade_high or most))
        for key, grade in highest.items():
            grades.setdefault(key, []).append(grade)
    rows = [_event_row(_commonest(spellings[key]), some) for key, some in grades.items()]
    return tuple(sorted(rows, key=lambda row: (-row.patients, row.term)))


def grade_rows(patients: Sequence[PatientOutcomes]) -> tuple[EventRow, ...]:
    """Laboratory abnormalities by scale: patients known to have had grade 1 at least, and their highest grade."""
    grades: dict[str, list[tuple[int, int]]] = {}
    for patient in patients:
        for facet, grade in patient.laboratory_grades.items():
            if grade[0] > 0:
                grades.setdefault(facet, []).append(grade)
    return tuple(_event_row(facet, some) for facet, some in sorted(grades.items()))


@cache
def grade_range() -> tuple[int, int]:
    """The least and greatest grade of an adverse event, which bound one that is not recorded."""
    grade = ontology.laboratory_tests()[COMMON_GRADE]
    assert grade.minimum is not None and grade.maximum is not None, "the ontology bounds the grade"
    return int(grade.minimum), int(grade.maximum)


def _event_row(term: str, grades: Sequence[tuple[int, int]]) -> EventRow:
    counted = Counter(str(low) if low == high else "unknown" for low, high in grades)
    return EventRow(term, len(grades), dict(sorted(counted.items())))


def _commonest(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda text: (-spellings[text], text))


# ---- numbers ----------------------------------------------------------------------------------------------------


def ratio(part: int, whole: int) -> Decimal:
    """part / whole, rounded to six places."""
    with localcontext(prec=_PRECISION):
        return plain((Decimal(part) / whole).quantize(PLACES))


def mean(values: Sequence[Decimal]) -> Decimal:
    """The arithmetic mean, rounded to six places."""
    with localcontext(prec=_PRECISION):
        return plain((sum(values, Decimal(0)) / len(values)).quantize(PLACES))


def median(values: Sequence[Decimal]) -> Decimal:
    """The middle value, of an even number the mean of the two middle ones."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return plain(ordered[half]) if len(ordered) % 2 else mean(ordered[half - 1 : half + 1])


@cache
def clopper_pearson(reached: int, n: int) -> tuple[Decimal, Decimal]:
    """The exact two-sided 95 % interval of a proportion (Clopper and Pearson, Biometrika 1934;26:404-413).

    The lower end is the probability at which `reached` or more of `n` have a chance of 2.5 %, the upper end that at
    which `reached` or fewer have it; found by halving, on exact binomial tails. Rounded to six places. `n` is at
    least 1.
    """
    lower = Decimal(0) if reached == 0 else _end(reached, n)
    upper = Decimal(1) if reached == n else 1 - _end(n - reached, n)
    return plain(lower.quantize(PLACES)), plain(upper.quantize(PLACES))


def _end(reached: int, n: int) -> Decimal:
    """The probability at which `reached` or more of `n` have a chance of half the remainder."""
    with localcontext(prec=_PRECISION):
        tail = (1 - CONFIDENCE) / 2
        low, high = Decimal(0), Decimal(1)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if at_least(reached, n, middle) < tail:
                low = middle
            else:
                high = middle
        return (low + high) / 2


def at_least(reached: int, n: int, chance: Decimal) -> Decimal:
    """The probability of `reached` or more of `n`, each with a `chance` strictly between 0 and 1."""
    with localcontext(prec=_PRECISION):
        odds = (1 - chance) / chance
        term = total = chance**n
        for missed in range(1, n - reached + 1):
            term = term * odds * (n - missed + 1) / missed
            total += term
        return total


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent."""
    whole = number.to_integral_value()
    return whole if whole == number else number.normalize()


def _in_time(name: str) -> list[tuple[int, int, str]]:
    """Names in the order of time within one unit: "week 4" before "week 12"; visits before other days of a row."""
    order = {"visit": 0, "day": 1, "week": 2, "month": 3}
    match = re.fullmatch(r"([a-z]+) (-?[0-9]+)", name)
    return [(order[match[1]], int(match[2]), name)] if match and match[1] in order else [(4, 0, name)]
