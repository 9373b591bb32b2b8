"""Asks: who is judged for which trial on which date, with the dates of the trial's events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sle_kg.features.consent import holds, stands_against

if TYPE_CHECKING:
    import pyarrow as pa

    from sle_kg.criteria import Feature

EVENTS = ("consent", "enrollment", "leukapheresis", "lymphodepletion", "infusion")
"""The events of a trial, in their order; screening is the date judged."""
STAND_INS = ("consent", "enrollment")
"""Anchors for which the screening date stands in (CONTRACT section 4, rule 6)."""
WINDOWS: dict[str, int] = {
    "result": 28,
    "echocardiography": 90,
    "serology": 90,
    "autoantibody": 90,
    "weight": 90,
    "pregnancyTest": 14,
}
"""Days for which a result serves "at screening" (CONTRACT section 4, rule 7)."""

Fact = tuple[dt.date | None, dt.date | None, str]
"""Earliest date, latest date, record."""


@dataclass(frozen=True, slots=True)
class EventDate:
    """When an event is or was: an interval of dates. `stand_in`: the screening date, because none is known."""

    first: dt.date
    last: dt.date
    stand_in: bool = False
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which a follow-up is looked at: results from `first` to `last` may serve, the nearest to `target`."""

    first: dt.date
    last: dt.date
    target: dt.date


@dataclass(frozen=True, slots=True)
class Ask:
    """One patient, one trial, one date.

    `on` is the date judged and `base` the date up to which facts are seen; they differ when the future is searched.
    `repeat` says that results are then taken as repeated unchanged. `events` holds what is known of the anchors.
    `moments` (`visit`, `baseline`, `previous`) are where the features of a follow-up look for results. `complete_until`
    is the date up to which statements of completeness are read: later than `base` in a follow-up, where the past is
    told afterwards.
    """

    id: int
    patient: str
    trial: str
    on: dt.date
    base: dt.date
    events: Mapping[str, EventDate] = field(default_factory=dict)
    repeat: bool = False
    moments: Mapping[str, Moment] = field(default_factory=dict)
    complete_until: dt.date | None = None

    def moved(self, identifier: int, days: int, repeat: bool) -> Ask:
        """The same ask judged `days` later: stand-in and planned dates move along, past events stay."""
        step = dt.timedelta(days=days)

        def moved(event: EventDate) -> EventDate:
            if event.stand_in or event.first > self.base:
                return replace(event, first=_later(event.first, step), last=_later(event.last, step))
            return event

        events = {name: moved(event) for name, event in self.events.items()}
        return replace(self, id=identifier, on=self.on + step, events=events, repeat=repeat)


def _later(day: dt.date, step: dt.timedelta) -> dt.date:
    """The day one step later, at most the last day of the calendar (records may say 9999-12-31)."""
    return day + min(step, dt.date.max - day)


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """What the user says of every patient: sections complete up to screening, and days that results serve.

    `derive_items`: laboratory results stand for items of a score that were not recorded.
    """

    complete: frozenset[str] = frozenset()
    windows: Mapping[str, int] = field(default_factory=dict)
    derive_items: bool = False

    def window(self, kind: str) -> int | None:
        """Days that a kind of result serves; None for results that serve for ever."""
        return None if kind == "ever" else self.windows.get(kind, WINDOWS[kind])

    def of(self, feature: Feature) -> FeatureOptions:
        """The options for a feature: one that says how long results serve (`window`, "result=42") has its own days."""
        if (window := feature.get("window")) is None:
            return self
        kind, _, days = str(window).partition("=")
        return replace(self, windows={**self.windows, kind: int(days)})


def resolve_events(
    tables: Mapping[str, pa.Table],
    patients: Sequence[str],
    trial: str,
    on: dt.date,
    stated: Mapping[str, dt.date],
) -> dict[str, dict[str, EventDate]]:
    """The anchors of each patient for one trial: the command line first, then the patient's records.

    A record bound to the trial goes before an unbound one, the latest recorded date before earlier ones. The signed
    Consent of the trial that holds (`features.consent`) goes before other records of consent; where none holds, there
    is no date. Consent and enrolment fall back on the screening date. A recorded actual date after screening is a
    planned one.
    """
    records = _recorded_events(tables, trial, on)
    found: dict[str, dict[str, EventDate]] = {}
    for patient in patients:
        events: dict[str, EventDate] = {}
        for name in EVENTS:
            if name in stated:
                events[name] = EventDate(stated[name], stated[name], record=f"--event {name}={stated[name]}")
            elif fact := records.get((patient, name)):
                first, last, record = fact
                if first is not None and last is not None:
                    events[name] = EventDate(first, last, record=record)
            if name not in events and name in STAND_INS:
                events[name] = EventDate(on, on, stand_in=True)
        found[patient] = events
    return found


def _recorded_events(tables: Mapping[str, pa.Table], trial: str, on: dt.date) -> dict[tuple[str, str], Fact]:
    """(patient, event) → the date that counts: of the highest rank, the latest, the most exact."""
    best: dict[tuple[str, str], tuple[tuple[int, int, bool, int, str], Fact]] = {}

    def offer(patient: str, name: str, rank: int, fact: Fact) -> None:
        first, last, record = fact
        started, ended = (day.toordinal() if day else 0 for day in (first, last))
        key = (-rank, -started, last is not None, ended, record)
        if (patient, name) not in best or key < best[patient, name][0]:
            best[patient, name] = (key, fact)

    for row in tables["event"].to_pylist():
        if row["trial"] in (None, trial):
            dates = (row["date_from"], row["date_to"], row["record"])
            offer(row["patient"], row["event"], 2 if row["trial"] else 1, dates)
    consents: dict[str, list[dict[str, Any]]] = {}
    for row in tables["consent"].to_pylist():
        if row["trial"] == trial and (row["date_from"] is None or row["date_from"] <= on):
            consents.setdefault(row["patient"], []).append(row)
    for patient, rows in consents.items():
        contrary = [row for row in rows if stands_against(row, on)]
        for row in rows:
            first, last = (row["date_from"], row["date_to"]) if holds(row, contrary, on) else (None, None)
            offer(patient, "consent", 3, (first, last, row["record"]))
    return {key: fact for key, (_, fact) in best.items()}
