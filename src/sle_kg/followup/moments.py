"""Time points after the infusion, their windows, and the day of the assessment at each. Pure functions of dates.

A day belongs to one time point: default windows part the time between two targets in halves, and where the user
widens them (`--visit-window`) a day still counts for the nearest target, for the later one of two as near.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sle_kg.errors import InputError
from sle_kg.features.asks import Moment
from sle_kg.outcomes import Schedule

_VISIT = re.compile(r"(day|week|month) ([0-9]{1,4})")
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Visit:
    """A time point in the user's words or the record's: `week` 12, `month` 3, `day` 29 in the trial's numbering."""

    unit: str
    number: int

    @property
    def name(self) -> str:
        """As the output names it."""
        return f"{self.unit} {self.number}"

    def date(self, infusion: dt.date, infusion_day: int) -> dt.date:
        """The calendar day: weeks exact, months calendar (clamped to the end of the month)."""
        match self.unit:
            case "week":
                return infusion + dt.timedelta(weeks=self.number)
            case "month":
                return add_months(infusion, self.number)
        return infusion + dt.timedelta(days=self.number - infusion_day)


@dataclass(frozen=True, slots=True)
class TimePoint:
    """A time point of one patient: results from `first` to `last` may serve, the nearest to `target`."""

    name: str
    target: dt.date
    first: dt.date
    last: dt.date

    def moments(self, day: dt.date, infusion: dt.date) -> dict[str, Moment]:
        """Where the features look when `day` is the day of the assessment (docs/architecture.md, Moments)."""
        return {
            "visit": Moment(self.first, self.last, day),
            "baseline": Moment(dt.date.min, infusion, infusion),
            "previous": Moment(dt.date.min, day - _DAY, day - _DAY),
        }


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day of the month so many months later, clamped to the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def parse_visits(texts: Sequence[str], infusion_day: int) -> tuple[Visit, ...]:
    """The time points that the user names, each once. Raises InputError for one that is none or not after infusion."""
    visits: dict[Visit, None] = {}
    for text in texts:
        match = _VISIT.fullmatch(" ".join(text.lower().split()))
        if match is None:
            raise InputError(f"--visits: {text!r} is no time point; write week 4, month 6 or day 29")
        visit = Visit(match[1], int(match[2]))
        if visit.number <= (infusion_day if visit.unit == "day" else 0):
            raise InputError(f"--visits: {text!r} is not after the infusion, which is day {infusion_day} in this trial")
        visits[visit] = None
    return tuple(visits)


def named_visits(schedule: Schedule) -> tuple[Visit, ...]:
    """The time points that the record names, weeks before months."""
    return (*(Visit("week", week) for week in schedule.weeks), *(Visit("month", month) for month in schedule.months))


def time_points(
    visits: Sequence[Visit], infusion: dt.date, infusion_day: int, visit_window: int | None = None
) -> list[TimePoint]:
    """The time points in order of time, each with its window.

    A window reaches from the middle between the target and the one before (the infusion before the first) to the
    middle before the next, the last one as far after its target as before; `visit_window` sets the days instead, as
    far as no other target is nearer. The infusion itself is never in a window.
    """
    dated = sorted(((visit.date(infusion, infusion_day), place, visit) for place, visit in enumerate(visits)))
    targets = sorted({target for target, _, _ in dated})
    return [
        TimePoint(visit.name, target, *_window(target, targets, infusion, visit_window)) for target, _, visit in dated
    ]


def _window(
    target: dt.date, targets: Sequence[dt.date], infusion: dt.date, visit_window: int | None
) -> tuple[dt.date, dt.date]:
    """First and last day of the window of one target among all targets of its schedule."""
    place = targets.index(target)
    before = target - (targets[place - 1] if place else infusion)
    half = dt.timedelta(days=before.days // 2)
    following = targets[place + 1] - target if place + 1 < len(targets) else None
    middle = dt.timedelta(days=(following.days - 1) // 2) if following else None
    if visit_window is None:
        return target - half, target + (half if middle is None else middle)
    wide = dt.timedelta(days=visit_window)
    first = target - (min(wide, half) if place else wide)
    return max(first, infusion + _DAY), target + (wide if middle is None else min(wide, middle))


def own_visits(
    days: Sequence[dt.date], names: Mapping[dt.date, str], infusion: dt.date, visit_window: int | None = None
) -> list[TimePoint]:
    """The patient's own assessment days after the infusion as time points.

    Each has its day alone for a window, or the days around it that the user allows (`visit_window`), after infusion.
    """
    wide = dt.timedelta(days=visit_window or 0)
    return [TimePoint(names[day], day, max(day - wide, infusion + _DAY), day + wide) for day in days if day > infusion]


def day_name(day: dt.date, infusion: dt.date, infusion_day: int) -> str:
    """A date in the trial's numbering of days; where the infusion is day 1, the day before it is day -1."""
    return f"day {day_number(day, infusion, infusion_day)}"


def day_number(day: dt.date, infusion: dt.date, infusion_day: int) -> int:
    """The number of a day in the trial's numbering, which has no day 0 where the infusion is day 1 (A4-01)."""
    distance = (day - infusion).days
    return distance + infusion_day if distance >= 0 else distance


def nearest(days: Sequence[dt.date], point: TimePoint) -> dt.date | None:
    """Of the days inside the window the nearest to the target, the later of two as near; None where there is none."""
    inside = [day for day in days if point.first <= day <= point.last]
    return min(inside, key=lambda day: (abs(day - point.target), point.target - day), default=None)
