"""Adverse events of patients: which are treatment-emergent, which limited the dose, and what that says of an outcome.

An onset known only in part is an interval of dates; an event counts where the whole interval does, and may count where
part of it does. Nothing is taken as absent unless adverse events are said to be complete.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sle_kg.evaluate import Truth
from sle_kg.followup.explain import Records, sentence
from sle_kg.followup.moments import add_months, day_number
from sle_kg.followup.results import AdverseEvent, OutcomeResult
from sle_kg.followup.session import FollowUp
from sle_kg.outcomes import Schedule

SECTION = "adverseEvents"
"""The section that a statement of completeness names."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Event:
    """An adverse event as recorded: onset as an interval, grade as bounds, and what the investigator said."""

    term: str
    concept: str
    record: str
    first: dt.date | None
    last: dt.date | None
    grade_low: int | None
    grade_high: int | None
    serious: bool | None
    related: bool | None
    dose_limiting: bool | None

    def began(self, first: dt.date, last: dt.date | None) -> Truth:
        """Whether the onset lies within two days, both included; no last day: at any time from the first."""
        if self.first is not None and self.first >= first and (last is None or (self.last and self.last <= last)):
            return True
        before = self.last is not None and self.last < first
        after = last is not None and self.first is not None and self.first > last
        return False if before or after else None

    def shown(self, infusion: dt.date | None, infusion_day: int) -> AdverseEvent:
        """For the output: the exact day in the trial's numbering, and whether it is treatment-emergent (A4-09)."""
        day = self.first if self.first == self.last else None
        return AdverseEvent(
            term=self.term,
            record=self.record,
            date=day,
            day=day_number(day, infusion, infusion_day) if day and infusion else None,
            grade_low=self.grade_low,
            grade_high=self.grade_high,
            serious=self.serious,
            related=self.related,
            dose_limiting=self.dose_limiting,
            treatment_emergent=self.began(infusion, None) if infusion else None,
        )

    def limits_dose(self, severe_from: int | None) -> Truth:
        """Whether it limited the dose: the investigator's word, never of an event known to be unrelated or mild.

        `severe_from` is the least grade of an event that can limit the dose, None where the definition names none.
        """
        if self.dose_limiting is False or self.related is False:
            return False
        if self.dose_limiting:
            return True
        mild = severe_from is not None and self.grade_high is not None and self.grade_high < severe_from
        return False if mild else None


class EventLog:
    """The adverse events of every patient, in the order of onset, none after the last day looked at."""

    def __init__(self, session: FollowUp) -> None:
        self._events: dict[str, list[Event]] = {}
        for row in session.data.tables["adverse_event"].to_pylist():
            if row["date_from"] is None or row["date_from"] <= session.until:
                self._events.setdefault(row["patient"], []).append(_event(row))
        for events in self._events.values():
            events.sort(key=lambda event: (event.first or dt.date.min, event.record))

    def of(self, patient: str) -> list[Event]:
        """The events of one patient."""
        return self._events.get(patient, [])

    def grade(self, patient: str, record: str, grade: tuple[int, int]) -> None:
        """Takes bounds of the grade for an event of the patient."""
        self._events[patient] = [
            replace(event, grade_low=grade[0], grade_high=grade[1]) if event.record == record else event
            for event in self._events[patient]
        ]


def onset_window(schedule: Schedule, infusion: dt.date, infusion_day: int) -> tuple[dt.date, dt.date | None]:
    """The days in which events of an outcome begin, from the infusion on; None: without end."""
    first = infusion
    if schedule.from_day is not None:
        first = max(first, infusion + dt.timedelta(days=schedule.from_day - infusion_day))
    if schedule.within_days is not None:
        return first, infusion + dt.timedelta(days=schedule.within_days)
    if schedule.to_month is not None:
        return first, add_months(infusion, schedule.to_month)
    if schedule.minimum_weeks is not None:
        return first, infusion + dt.timedelta(weeks=schedule.minimum_weeks)
    return first, None


def treatment_emergent(
    blank: OutcomeResult,
    events: Sequence[Event],
    schedule: Schedule,
    infusion_day: int,
    infusion: dt.date,
    complete: dt.date | None,
    line: Records,
) -> tuple[OutcomeResult, str]:
    """How many recorded adverse events began in the window.

    The outcome is a count of what is recorded, so one event is a number although there may have been more; no record
    is not none: without any, only a complete record counts. Events that may have begun outside leave it open.
    """
    first, last = onset_window(schedule, infusion, infusion_day)
    certain = [event for event in events if event.began(first, last)]
    possible = [event for event in events if event.began(first, last) is not False]
    whole = _covers(complete, last)
    upper = Decimal(len(possible)) if whole else None
    lower = Decimal(len(certain))
    exact = lower if len(certain) == len(possible) and (certain or whole) else None
    said = f"{_counted(len(certain))} began from {first} to {last or 'the last record'}"
    if len(possible) > len(certain):
        said += f", and {len(possible) - len(certain)} may have"
    if not whole:
        said += f"; {_not_complete(complete)}, so there may be more"
    result = replace(
        blank,
        first=first,
        last=last,
        result="not-evaluable" if exact is None else "value",
        value=exact,
        lower=lower,
        upper=upper,
        reason=sentence(said),
        evidence=tuple(line(event.record) for event in possible),
        missing=() if whole else (_statement(last),),
    )
    if exact is not None:
        return result, ""
    return result, "dates of adverse events" if possible else "no adverse event recorded, nor that there was none"


def dose_limiting(
    blank: OutcomeResult,
    events: Sequence[Event],
    schedule: Schedule,
    infusion_day: int,
    infusion: dt.date,
    complete: dt.date | None,
    line: Records,
    severe_from: int | None,
) -> tuple[OutcomeResult, str]:
    """Whether an event limited the dose (A4-02: the investigator's flag, causal relation, onset in the window)."""
    first, last = onset_window(schedule, infusion, infusion_day)
    inside = [event for event in events if event.began(first, last) is not False]
    timed = replace(blank, first=first, last=last, evidence=tuple(line(event.record) for event in inside))
    limiting = [event for event in inside if event.began(first, last) and event.limits_dose(severe_from)]
    if limiting:
        one = limiting[0]
        said = f"{_named([one])} limited the dose, from {first} to {last or 'the last record'}"
        day = one.first if one.first == one.last else None
        return replace(timed, result="reached", date=day, reason=sentence(said), evidence=(line(one.record),)), ""
    open_events = [event for event in inside if event.limits_dose(severe_from) is not False]
    if open_events:
        said = f"whether {_named(open_events)} limited the dose is for the investigator to say"
        missing = tuple(f"whether {_named([event])} limited the dose, and its relation" for event in open_events)
        return replace(timed, reason=sentence(said), missing=missing), "whether events limited the dose"
    if not _covers(complete, last):
        said = f"no event that limited the dose is recorded from {first} on; {_not_complete(complete)}"
        return replace(
            timed, reason=sentence(said), missing=(_statement(last),)
        ), "adverse events not said to be complete"
    said = f"adverse events are complete up to {complete}, and none from {first} to {last} limited the dose"
    return replace(timed, result="not-reached", reason=sentence(said)), ""


def _event(row: Mapping[str, Any]) -> Event:
    low, high = (None if grade is None else int(grade) for grade in (row["grade_low"], row["grade_high"]))
    return Event(
        term=" ".join((row["term"] or "adverse event").split()),
        concept=row["concept"] or "",
        record=row["record"],
        first=row["date_from"],
        last=row["date_to"],
        grade_low=low,
        grade_high=high,
        serious=row["serious"],
        related=row["related"],
        dose_limiting=row["dose_limiting"],
    )


def _covers(complete: dt.date | None, last: dt.date | None) -> bool:
    """Whether completeness reaches the end of a window; a window without end, only the end of all records."""
    return complete is not None and complete >= (last or dt.date.max)


def _not_complete(complete: dt.date | None) -> str:
    return f"adverse events are complete up to {complete} only" if complete else "nothing says that they are complete"


def _counted(number: int) -> str:
    return f"{number or 'no'} recorded adverse event{'' if number == 1 else 's'}"


def _statement(last: dt.date | None) -> str:
    return f"a statement that adverse events are complete{f' up to {last}' if last else ''}"


def _named(events: Sequence[Event]) -> str:
    names = [f"{event.term} ({event.record})" for event in events[:_MOST_NAMED]]
    more = f" and {len(events) - _MOST_NAMED} more" if len(events) > _MOST_NAMED else ""
    return " or ".join(names) + more
