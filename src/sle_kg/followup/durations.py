"""How long a state lasted, from what is known of it at consecutive assessments. Pure functions of dates.

A run is certain where the state is known to hold at every assessment from its first to its last, and possible where it
is not known to fail. Between two assessments nothing is known; a state is taken to last where both ends show it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sle_kg.evaluate import Truth
from sle_kg.features.sql import duration_parts
from sle_kg.followup.moments import add_months

Assessments = Sequence[tuple[dt.date, Truth]]
"""Days in order, with what is known of the state on each."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive assessments with the state, from the first to the last."""

    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """The time from the first to the last assessment."""
        return (self.last - self.first).days

    def spans(self, minimum: str) -> bool:
        """Whether the run lasts the ISO duration: months and years calendar, days exact."""
        months, days = duration_parts(minimum)
        return add_months(self.first, months) + dt.timedelta(days=days) <= self.last


def longest(assessments: Assessments, allowed: Sequence[Truth]) -> Run | None:
    """The longest run of assessments whose truth is allowed, the earlier of two as long; None where there is none."""
    return max(_runs(assessments, allowed), key=lambda run: run.days, default=None)


def lasted(assessments: Assessments, minimum: str, infusion: dt.date) -> Truth:
    """Whether the state lasted at least `minimum`.

    Known not to have lasted only where no run could have, the state had ended at the last assessment, and patients
    were followed that long at all.
    """
    certain = _runs(assessments, (True,))
    if any(run.spans(minimum) for run in certain):
        return True
    if any(run.spans(minimum) for run in _runs(assessments, (True, None))):
        return None
    if not assessments or assessments[-1][1] is not False or not Run(infusion, assessments[-1][0]).spans(minimum):
        return None
    return False


def _runs(assessments: Assessments, allowed: Sequence[Truth]) -> list[Run]:
    """Every run that is not part of a longer one."""
    runs: list[Run] = []
    going = False
    for day, truth in assessments:
        if truth not in allowed:
            going = False
        elif going:
            runs[-1] = Run(runs[-1].first, day)
        else:
            runs.append(Run(day, day))
            going = True
    return runs
