"""Dates as recorded, to closed intervals of days: a partial date is an interval (rule 5 of CONTRACT section 4)."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from functools import lru_cache

Interval = tuple[date | None, date | None]
"""First and last possible day; None means unknown on that side."""

UNKNOWN: Interval = (None, None)
OPEN = ".."
"""Stands for the end of a period that has a start and no end (ISO 8601-2): not over, or its end is not known."""
_TIME = r"T([01]\d|2[0-4])(:[0-5]\d(:[0-5]\d|:60)?(\.\d+)?)?"
_DATE = re.compile(rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d)(?:{_TIME})?)?)?(?:Z|[+-]\d\d:\d\d)?")


@lru_cache(maxsize=65536)
def interval(text: str) -> tuple[date, date]:
    """The days that a recorded date may mean; of a time with any zone, the day as written.

    Raises ValueError for what is no date of FHIR or XML Schema.
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no date")
    year, month, day = int(match[1]), match[2], match[3]
    try:
        if month is None:
            return date(year, 1, 1), date(year, 12, 31)
        if day is None:
            return date(year, int(month), 1), date(year, int(month), monthrange(year, int(month))[1])
        exact = date(year, int(month), int(day))
    except (ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is no date of the calendar") from error
    return exact, exact


def words(days: Interval) -> str | None:
    """The date that such days mean, as it was recorded: `2026-09-01`, `2026-09`, `2026`; None for any others."""
    first, last = days
    if first is None or last is None:
        return None
    shorter = (f"{first}"[:length] for length in (4, 7, 10))
    return next((text for text in shorter if interval(text) == days), None)


def in_order(start: Interval, end: Interval) -> bool:
    """Whether an end can come after its start."""
    return start[0] is None or end[1] is None or start[0] <= end[1]
