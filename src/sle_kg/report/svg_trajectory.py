"""The course of one patient: each score over days with its bounds, the steroid dose as steps beneath."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from sle_kg.followup.results import PatientOutcomes, Point
from sle_kg.report.outcomes_text import bounds, since
from sle_kg.report.svg import WIDTH, Scale, Tick, assessment_days, day_zero, label, values_scale

LEFT, RIGHT = 60, WIDTH - 20
_PANEL, _GAP, _TOP, _FOOT = 90, 34, 30, 10
STEROID = "Glucocorticoids, prednisone equivalent (mg/d)"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point: a known value at `y`, or a whisker from `low` to `high`; an open end runs to the panel's border.

    Without `y`, `low` and `high` nothing is known of that day.
    """

    x: int
    y: int | None = None
    low: int | None = None
    high: int | None = None
    open_low: bool = False
    open_high: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A dose from `x` to `end`: a line at `y`, or the area from `low` to `high` in which it lies."""

    x: int
    end: int
    y: int | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One axis: marks joined where neighbours are known (`segments`: x1, y1, x2, y2), or steps."""

    title: str
    top: int
    bottom: int
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...] = ()
    steps: tuple[Step, ...] = ()
    segments: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The plot: panels one below the other above one axis of days; `infusion` is the place of day zero."""

    height: int
    axis: str
    days: tuple[Tick, ...]
    infusion: int | None
    panels: tuple[Panel, ...]
    description: str
    left: int = LEFT
    right: int = RIGHT
    width: int = WIDTH


def trajectory(patient: PatientOutcomes) -> Trajectory | None:
    """The course of the patient; None where no score and no dose is recorded."""
    zero, course = day_zero(patient), patient.course
    series = [(label(name), _dated(points)) for name, points in course.scores.items() if points]
    if zero is None or not (series or course.steroid):
        return None
    doses = _dated(course.steroid)
    days = [since(day, zero) for day in assessment_days(course) | {point.date for point in doses}]
    across = Scale(Decimal(min(0, *days)), Decimal(max(1, *days)), LEFT, RIGHT)
    panels = [_scores(title, points, number, across, zero) for number, (title, points) in enumerate(series)]
    if doses:
        panels.append(_steroid(doses, len(panels), across, zero))
    infused = patient.infusion is not None
    return Trajectory(
        height=_TOP + len(panels) * (_PANEL + _GAP) + _FOOT,
        axis=f"days since the {'infusion' if infused else 'first assessment'} ({zero})",
        days=tuple(across.ticks(10)),
        infusion=across.at(0) if infused else None,
        panels=tuple(panels),
        description=" ".join(_told(title, points, zero) for title, points in (*series, (STEROID, doses))),
    )


def _dated(points: Sequence[Point]) -> list[Point]:
    return sorted(points, key=lambda point: point.date)


def _scores(title: str, points: Sequence[Point], number: int, across: Scale, zero: dt.date) -> Panel:
    top, bottom = _place(number)
    up = values_scale(points, bottom, top)
    marks = tuple(_mark(point, across.at(since(point.date, zero)), up) for point in points)
    segments = tuple((a.x, a.y, b.x, b.y) for a, b in pairwise(marks) if a.y is not None and b.y is not None)
    return Panel(title, top, bottom, tuple(up.ticks(4)), marks=marks, segments=segments)


def _mark(point: Point, x: int, up: Scale) -> Mark:
    if point.lower is None and point.upper is None:
        return Mark(x)
    if point.lower is not None and point.lower == point.upper:
        return Mark(x, y=up.at(point.lower))
    return Mark(x, None, *_ends(point, up), open_low=point.lower is None, open_high=point.upper is None)


def _ends(point: Point, up: Scale) -> tuple[int, int]:
    """Places of lower and upper bound; an open side reaches the border."""
    low = up.start if point.lower is None else up.at(point.lower)
    high = up.end if point.upper is None else up.at(point.upper)
    return low, high


def _steroid(points: Sequence[Point], number: int, across: Scale, zero: dt.date) -> Panel:
    """Each dose holds until the next one is recorded, the last to the end of the plot."""
    top, bottom = _place(number)
    up = values_scale(points, bottom, top)
    places = [*(across.at(since(point.date, zero)) for point in points), RIGHT]
    steps = tuple(_dose(point, x, end, up) for point, (x, end) in zip(points, pairwise(places), strict=True))
    rises = tuple((b.x, a.y, b.x, b.y) for a, b in pairwise(steps) if a.y is not None and b.y is not None)
    return Panel(STEROID, top, bottom, tuple(up.ticks(4)), steps=steps, segments=rises)


def _dose(point: Point, x: int, end: int, up: Scale) -> Step:
    if point.lower is not None and point.lower == point.upper:
        return Step(x, end, y=up.at(point.lower))
    low, high = _ends(point, up)
    return Step(x, end, low=low, high=high)


def _place(number: int) -> tuple[int, int]:
    """Top and bottom of a panel."""
    top = _TOP + number * (_PANEL + _GAP)
    return top, top + _PANEL


def _told(title: str, points: Sequence[Point], zero: dt.date) -> str:
    """The numbers of a panel for those who do not see it."""
    told = "; ".join(f"day {since(point.date, zero)}: {bounds(point.lower, point.upper)}" for point in points)
    return f"{title}: {told or 'nothing recorded'}."
