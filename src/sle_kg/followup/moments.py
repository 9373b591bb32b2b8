"""Time points after the infusion, their windows, and the day of the assessment at each. Pure functions of dates.

A day belongs to one time point: default windows part the time between two targets in halves, and where the user
widens them (`--visit-window`) a day still counts for the nearest target, for the later one of two as near. Where the
record names no time points, the days on which a patient was assessed are grouped into visits.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sle_kg.errors import InputError
from sle_kg.features.asks import Moment
from sle_kg.outcomes import Schedule

_VISIT = re.compile(r"(day|week|month) ([0-9]{1,4})")
_DAY = dt.timedelta(days=1)
VISIT_DAYS = 3
"""Days that one visit of a patient may take, and days around it that serve it: weekly visits are never mixed."""


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

    def moments(self, day: dt.date, infusion: dt.date, assessed: Sequence[dt.date] = ()) -> dict[str, Moment]:
        """Where the features look when `day` is the day of the assessment (docs/architecture.md, Moments).

        `assessed` are the days with the lead measure, among which the previous assessment is found.
        """
        return {
            "visit": Moment(self.first, self.last, day),
            "baseline": Moment(dt.date.min, infusion, infusion),
            "previous": previous(assessed, day),
        }


def previous(assessed: Sequence[dt.date], day: dt.date) -> Moment:
    """The moment of the latest assessment before a day, baseline included; the day before where there is none."""
    eve = day - _DAY
    return Moment(dt.date.min, eve, max((one for one in assessed if one < day), default=eve))


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
    assessed: Mapping[str, Iterable[dt.date]], infusion: dt.date, visit_window: int | None = None
) -> list[TimePoint]:
    """The patient's own visits after the infusion, "visit 1", "visit 2" …, from the days of each measure.

    Days at most `visit_window` days (default VISIT_DAYS) apart are one visit unless a measure would then be assessed
    twice; the target is its last day. Results as many days around it serve too, up to half the way to the next visit.
    """
    span = dt.timedelta(days=VISIT_DAYS if visit_window is None else visit_window)
    measures: dict[dt.date, set[str]] = {}
    for measure, days in assessed.items():
        for day in days:
            if day > infusion:
                measures.setdefault(day, set()).add(measure)
    groups: list[tuple[dt.date, dt.date]] = []
    seen: set[str] = set()
    for day, found in sorted(measures.items()):
        if groups and day - groups[-1][0] <= span and not seen & found:
            groups[-1] = (groups[-1][0], day)
            seen |= found
        else:
            groups.append((day, day))
            seen = set(found)
    points = []
    for place, (first, last) in enumerate(groups):
        before = infusion + _DAY if place == 0 else _middle(groups[place - 1][1], first) + _DAY
        after = _middle(last, groups[place + 1][0]) if place + 1 < len(groups) else dt.date.max
        reach = min(span, dt.date.max - last)
        points.append(TimePoint(f"visit {place + 1}", last, max(before, first - span), min(after, last + reach)))
    return points


def _middle(one: dt.date, other: dt.date) -> dt.date:
    """The last day that is nearer to the first date than to the second."""
    return one + dt.timedelta(days=((other - one).days - 1) // 2)


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
