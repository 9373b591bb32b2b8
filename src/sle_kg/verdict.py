"""What a screening gives: plain values that the reports print (CONTRACT section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from sle_kg.phrases import span

Status = Literal["pass", "fail", "unknown", "not-applicable"]
OpenKind = Literal["data", "test", "agreement", "judgement"]
VerdictWord = Literal["eligible", "ineligible", "undetermined"]
Period = tuple[str | None, str | None]
"""First and last day of a medicine as recorded; one may be null: the start not recorded, the end open."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record that a status rests on: `Observation/obs-3`, what it is, its value as recorded, its date.

    `period` is that of a medicine whose end is recorded or which still runs.
    """

    record: str
    what: str
    value: str
    date: str | None
    period: Period | None = None

    @property
    def when(self) -> str:
        """Its day or period in words, to be read; empty where it has no date."""
        return when([self])


def when(evidence: Iterable[Evidence]) -> str:
    """From the first to the last day of some records, in words; empty where none has a date."""
    periods = [item.period or (item.date, item.date) for item in evidence if item.period or item.date]
    days = [day for period in periods for day in period if day]
    begun = any(first for first, _ in periods)
    ended = all(last for _, last in periods)
    return span(min(days) if begun else None, max(days) if ended else None) if days else ""


@dataclass(frozen=True, slots=True)
class OtherReading:
    """A documented reading under which the row's status would differ."""

    ambiguity: str
    key: str
    status: Status


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The status of one row for one patient, with what decided it."""

    id: str
    parent: str | None
    kind: Literal["inclusion", "exclusion"]
    text: str
    sentence: str
    status: Status
    decisive: bool
    reason: str
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    open_kind: OpenKind | None = None
    needs_judgement: bool = False
    flags: tuple[str, ...] = ()
    reading: str = "default"
    other_readings: tuple[OtherReading, ...] = ()
    passes_from: str | None = None
    valid_until: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that was not understood, and why."""

    record: str
    code: str
    display: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One patient and one trial on one date."""

    patient: str
    trial: str
    trial_label: str
    on: str
    verdict: VerdictWord
    nothing_against: bool
    open_items: dict[OpenKind, int]
    source_complete: bool
    recruitment_status: str
    recruitment_as_of: str
    recruitment_source: str
    caveats: tuple[str, ...]
    earliest_eligible: str | None
    unread: tuple[Unread, ...]
    criteria: tuple[RowVerdict, ...]
    notes: tuple[str, ...] = field(default=())
