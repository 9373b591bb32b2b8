"""What the plots have in common: exact scales in whole units of a drawing, ticks at round numbers, day zero."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from functools import cache

from sle_kg.followup.results import Course, PatientOutcomes, Point
from sle_kg.ontology import Item, instruments
from sle_kg.shapes import decimal_text
from sle_kg.wording import ontology_label

WIDTH = 720
"""Width of a plot in units of its view box; text is 11 to 12 units high."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers from `least` to `greatest` onto whole units from `start` to `end` (which may run downwards)."""

    least: Decimal
    greatest: Decimal
    start: int
    end: int

    def at(self, value: Decimal | int) -> int:
        """The nearest whole unit; a number outside the scale lies on its border."""
        inside = min(max(Decimal(value), self.least), self.greatest)
        share = (inside - self.least) / (self.greatest - self.least)
        return self.start + int((share * (self.end - self.start)).to_integral_value(ROUND_HALF_EVEN))

    def ticks(self, count: int) -> list[Tick]:
        """At most `count` + 1 round numbers of the scale with their places."""
        step = _step((self.greatest - self.least) / count)
        first = (self.least / step).to_integral_value(ROUND_CEILING)
        last = self.greatest // step
        values = [(first + n) * step for n in range(int(last - first) + 1)]
        return [Tick(self.at(value), decimal_text(value)) for value in values]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and the text that stands there."""

    place: int
    text: str


def _step(least: Decimal) -> Decimal:
    """The smallest of 1, 2, 5 times a power of ten that is not below `least` (above 0)."""
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def values_scale(points: Iterable[Point], start: int, end: int) -> Scale:
    """A scale from 0 to the greatest known bound of the points, rounded up to a step."""
    known = [bound for point in points for bound in (point.lower, point.upper) if bound is not None]
    least, greatest = min([*known, Decimal(0)]), max([*known, Decimal(1)])
    step = _step((greatest - least) / 4)
    return Scale(_up(-least, step) * -1, _up(greatest, step), start, end)


def _up(value: Decimal, step: Decimal) -> Decimal:
    """The least multiple of `step` that is not below `value`."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def assessment_days(course: Course) -> set[dt.date]:
    """Every day on which something that the plots show was assessed."""
    points = [*course.scores.values(), *course.items.values()]
    return {point.date for series in points for point in series} | {
        day for states in course.states.values() for day, _ in states
    }


def day_zero(patient: PatientOutcomes) -> dt.date | None:
    """The infusion; where none is recorded the first day plotted; None where there is nothing to plot."""
    if patient.infusion is not None:
        return patient.infusion
    days = assessment_days(patient.course) | {point.date for point in patient.course.steroid}
    return min(days, default=None)


def label(name: str) -> str:
    """What to call a state, instrument, total or item in a plot; its name where the ontology does not know it."""
    item = _items().get(name) or _items().get(f"sledai2k:{name}")
    if item is None:
        return ontology_label(_terms().get(name, name))
    return item.label.removesuffix(f" ({instruments()[item.instrument].label})")


def items_of(name: str) -> tuple[Item, ...]:
    """The items of the instrument to which an item belongs, the heaviest first; none for an unknown item."""
    item = _items().get(name) or _items().get(f"sledai2k:{name}")
    if item is None:
        return ()
    return tuple(sorted(instruments()[item.instrument].items, key=lambda other: -(other.weight or 0)))


@cache
def _terms() -> dict[str, str]:
    return {item.score_name: item.key for item in instruments().values() if item.score_name}


@cache
def _items() -> dict[str, Item]:
    return {item.key: item for instrument in instruments().values() for item in instrument.items}
