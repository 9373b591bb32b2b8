"""What every score is computed from: one patient on one day, what was found there, and how to say it."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from sle_kg.criteria import Condition, Feature, Leaf
from sle_kg.evaluate import UNBOUNDED, Bound
from sle_kg.features.asks import Moment
from sle_kg.followup.explain import Explanation, explain
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.session import Findings, FollowUp
from sle_kg.ontology import Instrument
from sle_kg.verdict import Evidence
from sle_kg.wording import Words, ontology_label

if TYPE_CHECKING:
    from sle_kg.features.assessment import ItemState

DEFAULT_WINDOW = 30
"""Days before an assessment in which the other measures of a state serve, where the instrument names no window."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """One patient on one day. `items` are the states of an instrument's items."""

    patient: str
    on: dt.date
    moments: Mapping[str, Moment]
    session: FollowUp
    findings: Findings
    trial: str | None = None
    items: Sequence[ItemState] = ()

    @property
    def words(self) -> Words:
        """Sentences about this day."""
        events = self.session.events(self.patient, self.trial)
        anchors = {name: date.first for name, date in events.items()}
        return Words(
            ontology_label,
            self.session.terminology.is_open,
            self.session.feature_options.window,
            self.on,
            anchors,
            self.session.facts.blocking(self.patient),
            self.moments,
            self.session.facts.complete(self.patient, self.session.options.complete),
            {name: date.last for name, date in events.items()},
            self.findings.attempts,
            self.line,
        )

    def bound(self, feature: Feature) -> Bound:
        """What is known of a feature."""
        return self.findings.bounds.get(feature.slug, UNBOUNDED)

    def evidence(self, *features: Feature) -> tuple[Evidence, ...]:
        """The records that features rest on, each once."""
        records = (record for feature in features for record in self.findings.records.get(feature.slug, ()))
        return in_order(map(self.line, records))

    def line(self, record: str) -> Evidence:
        """The evidence line of a record."""
        return self.session.evidence(self.patient, record)

    def explain(self, condition: Condition) -> Explanation:
        """Why a condition holds, does not hold, or is open."""
        return explain(condition, self.findings, self.words, self.line)

    def missing(self, feature: Feature) -> tuple[str, ...]:
        """What would settle a feature."""
        return self.words.missing(value_leaf(feature), "", lambda bound: known(bound) is not None)

    def when(self) -> str:
        """The day, or the days in which the assessment was looked for."""
        visit = self.moments["visit"]
        return f"on {self.on}" if visit.first == visit.last else f"from {visit.first} to {visit.last}"


class Scorer(ABC):
    """Computes one result for an assessment.

    `features` are those it reads, `tests` those of which a result makes a day an assessment, `window` the days before
    an assessment in which results serve; `alone` says that on a day assessed only the results of that day do. Where
    a patient has no result of `tests`, those of `other_tests` make the assessments, so that what is missing is said.
    `items_of` is the total whose items it shows.
    """

    features: Sequence[Feature]
    tests: Collection[str]
    other_tests: Collection[str] = ()
    window: int = DEFAULT_WINDOW
    alone: bool = True
    items_of: str | None = None

    def prepare(self, session: FollowUp) -> None:  # noqa: B027 - most scores need nothing beside features
        """Reads what is needed beside features, once for all patients."""

    @abstractmethod
    def result(self, seen: Assessment) -> ScoreResult:
        """The score of one patient on one day."""


def window_of(instrument: Instrument) -> int:
    """Days before an assessment in which results of an instrument serve."""
    return DEFAULT_WINDOW if instrument.window_days is None else instrument.window_days


@dataclass(frozen=True, slots=True)
class Result:
    """A recorded result of a test: dates as an interval, value as bounds, answer, text."""

    first: dt.date | None
    last: dt.date | None
    low: Decimal | None
    high: Decimal | None
    positive: bool | None
    text: str | None
    record: str

    @property
    def present(self) -> bool | None:
        """Whether a yes-or-no result, or a count of what was found, says yes."""
        if self.positive is not None:
            return self.positive
        return None if self.low is None else self.low > 0


@dataclass(frozen=True, slots=True)
class Results:
    """The results of some tests, by patient and test."""

    found: Mapping[tuple[str, str], Sequence[Result]] = field(default_factory=dict)

    @classmethod
    def of(cls, session: FollowUp, tests: Collection[str]) -> Results:
        """The results of these tests in the records of all patients."""
        found: dict[tuple[str, str], list[Result]] = {}
        columns = session.data.tables["measurement"].select(
            ["patient", "test", "date_from", "date_to", "low", "high", "positive", "text", "record"]
        )
        for patient, test, *rest in zip(*columns.to_pydict().values(), strict=True):
            if test in tests:
                found.setdefault((patient, test), []).append(Result(*rest))
        return cls(found)

    def up_to(self, patient: str, test: str, day: dt.date) -> list[Result]:
        """The results of one test that are not dated after a day."""
        return [one for one in self.found.get((patient, test), ()) if one.first is None or one.first <= day]

    def of_records(self, patient: str, test: str, records: Collection[str]) -> list[Result]:
        """The results of one test that come from certain records."""
        return [one for one in self.found.get((patient, test), ()) if one.record in records]


def feature(kind: str, **parameters: str | tuple[str, ...]) -> Feature:
    """A feature of a follow-up with its parameters in order."""
    return Feature(kind, tuple(sorted(parameters.items())))


def value_leaf(of: Feature) -> Leaf:
    """A leaf for sentences about a feature that is reported as it is."""
    return Leaf("", of, ">=", Decimal(0), Decimal(0))


def in_order(lines: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Evidence lines, each once, by date and record."""
    return tuple(sorted(set(lines), key=lambda line: (line.date or "", len(line.record), line.record)))


def known(bound: Bound) -> Decimal | None:
    """The value, where both bounds agree."""
    return bound[0] if bound[0] == bound[1] else None


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    names = list(words)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
