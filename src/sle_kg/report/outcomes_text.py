"""Words and numbers that every human-readable report of outcomes uses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from typing import TypeVar

from sle_kg.followup.results import AdverseEvent, CohortRow, OutcomeResult, OutcomeWord, StateWord, TrialOutcomes
from sle_kg.report.text import plain
from sle_kg.shapes import decimal_text

AID_SENTENCE = (
    "sle-kg is an aid to analysis: it reads the public registry text, not the protocol or the analysis plan; "
    "the investigator decides what a result means."
)
DENOMINATORS_SENTENCE = (
    "Proportions are given of the evaluable patients, with the exact 95 % confidence interval (Clopper-Pearson), "
    "and of all infused patients."
)
NOT_INFUSED = "no day of infusion is known"

RESULT_MARKS: dict[OutcomeWord, str] = {"reached": "✓", "not-reached": "✗", "not-evaluable": "?", "value": "="}
RESULT_WORDS: dict[OutcomeWord, str] = {
    "reached": "reached",
    "not-reached": "not reached",
    "not-evaluable": "not evaluable",
    "value": "value",
}
STATE_WORDS: dict[StateWord, str] = {"met": "met", "not-met": "not met", "unknown": "unknown"}
GRADES = ("1", "2", "3", "4", "5", "unknown")

_HUNDREDTH, _TENTH = Decimal("0.01"), Decimal("0.1")


def caveats_of(result: TrialOutcomes) -> tuple[str, ...]:
    """What a reader must know besides the general sentence, each once."""
    asked = [f"Asked for: {' '.join(result.options)}"] if result.options else []
    return tuple(dict.fromkeys([*asked, *(caveat for caveat in result.caveats if caveat != AID_SENTENCE)]))


def number(value: Decimal | None) -> str:
    """A number for people, at most two decimals; nothing where there is none."""
    if value is None:
        return ""
    if value.as_tuple().exponent in range(-2, 1):
        return decimal_text(value)
    return decimal_text(_rounded(value, _HUNDREDTH))


def signed(value: Decimal) -> str:
    """A change with its sign."""
    return f"{'+' if value > 0 else ''}{number(value)}"


def percent(proportion: Decimal | None) -> str:
    """A proportion as a percentage with at most one decimal; nothing where there is none."""
    return "" if proportion is None else f"{decimal_text(_rounded(proportion * 100, _TENTH))} %"


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of a power of ten; numbers too long for that stay as they are."""
    return value if value.adjusted() > 20 else value.quantize(step, rounding=ROUND_HALF_EVEN)


def interval(row: CohortRow) -> str:
    """The 95 % confidence interval in percent and brackets; nothing where there is none."""
    if row.ci95 is None:
        return ""
    low, high = (percent(bound).removesuffix(" %") for bound in row.ci95)
    return f"({low} to {high})"


def spread(row: CohortRow) -> str:
    """Least and greatest value; nothing where there are none."""
    return "" if row.least is None else f"{number(row.least)} to {number(row.greatest)}"


def unit_text(unit: str | None) -> str:
    """The unit for people; annotations such as `{score}` are none."""
    return "" if unit is None or unit.startswith("{") else plain(unit)


def result_text(result: OutcomeResult) -> str:
    """The result in words: what was reached, or the value and its change, or the bounds of what is not known."""
    unit = unit_text(result.unit)
    parts = [] if result.result == "value" else [RESULT_WORDS[result.result]]
    if result.value is not None:
        parts.append(f"{number(result.value)} {unit}".strip())
    elif result.lower is not None or result.upper is not None:
        parts.append(f"{bounds(result.lower, result.upper)} {unit}".strip())
    if result.change is not None:
        parts.append(f"change {signed(result.change)}")
    return ", ".join(parts) or RESULT_WORDS[result.result]


def bounds(lower: Decimal | None, upper: Decimal | None) -> str:
    """What is known of a number: itself, a range, or one side of it."""
    if lower is None and upper is None:
        return "unknown"
    if lower is None:
        return f"at most {number(upper)}"
    if upper is None:
        return f"at least {number(lower)}"
    return number(lower) if lower == upper else f"{number(lower)} to {number(upper)}"


_Row = TypeVar("_Row", CohortRow, OutcomeResult)


def grouped(rows: Iterable[_Row]) -> list[list[_Row]]:
    """The time points of one outcome by one definition together."""
    return [list(group) for _, group in groupby(rows, key=lambda row: (row.id, row.measure, row.definition))]


@dataclass(frozen=True, slots=True)
class Gap:
    """Why patients are not evaluable for one outcome: what is missing, and of how many at which time points."""

    id: str
    definition: str
    what: str
    places: str


def gaps_of(result: TrialOutcomes) -> list[Gap]:
    """What is missing of the cohort, each thing once for an outcome, in the order of the record."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for row in result.cohort:
        for what, patients in row.missing.items():
            places.setdefault((row.id, row.definition, what), []).append(f"{row.time_point} ({patients})")
    return [Gap(*key, places=", ".join(found)) for key, found in places.items()]


def grade_text(low: int | None, high: int | None) -> str:
    """A grade or its bounds: `2`, `1 to 3`, `at least 2`, `unknown`."""
    return bounds(*(None if grade is None else Decimal(grade) for grade in (low, high)))


def highest_grades(grades: Mapping[str, int]) -> str:
    """How many patients had which highest grade: `grade 1: 5, grade 2: 2, grade unknown: 1`."""
    known = [grade for grade in GRADES if grades.get(grade)]
    return ", ".join(f"grade {grade}: {grades[grade]}" for grade in known)


def yes_no(value: bool | None) -> str:
    """A recorded answer in words."""
    return "unknown" if value is None else "yes" if value else "no"


def event_day(event: AdverseEvent) -> str:
    """When the event began, with the day in the trial's own numbering where it is known."""
    if event.date is None:
        return "undated"
    return f"{event.date}" if event.day is None else f"{event.date} (day {event.day})"


def since(day: dt.date, zero: dt.date) -> int:
    """Whole days from `zero` to `day`."""
    return (day - zero).days
