"""One call of a follow-up command: patients read once, their assessment days, and bounds of features on those days.

What is asked of a day is a `Question`; all questions of a call are answered together, in one pass of the feature
builder, so that a thousand patients with twenty visits cost about as much as one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache, partial
from operator import ne
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sle_kg import criteria as c
from sle_kg import ontology
from sle_kg.advice import Advisor, Attempt, OpenFeature
from sle_kg.errors import InputError
from sle_kg.evaluate import UNBOUNDED, Bound
from sle_kg.features.asks import STAND_INS, Ask, EventDate, FeatureOptions, Moment, resolve_events
from sle_kg.followup.options import FollowUpOptions
from sle_kg.screening import YEARS, Facts, Options, check_options
from sle_kg.verdict import Evidence

if TYPE_CHECKING:
    from sle_kg.features import FeatureBuilder
    from sle_kg.features.assessment import ItemState
    from sle_kg.patients.facts import PatientData
    from sle_kg.terminology import Terminology

_NO_TRIAL = ""
_A_DAY = dt.date(2000, 1, 1)
_CONTACTS = (
    "measurement",
    "condition",
    "exposure",
    "procedure",
    "immunization",
    "allergy",
    "adverse_event",
    "statement",
    "consent",
    "attestation",
)
"""Fact tables whose dates show that the patient was followed; planned events and what is said of a record do not."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one patient on one day: bounds of `features`, results looked for at `moments`.

    `trial` binds the events of that trial (infusion), None those that are bound to none.
    """

    patient: str
    on: dt.date
    moments: Mapping[str, Moment]
    features: Sequence[c.Feature]
    trial: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer: bounds and records by feature slug; a feature about which nothing is known is absent.

    `attempts` are the details of records that could settle a feature that is open.
    """

    bounds: Mapping[str, Bound] = field(default_factory=dict)
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attempts: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Infusion:
    """The day of the infusion, or why there is none."""

    day: dt.date | None
    why: str = ""


class FollowUp:
    """The patients of one call. `features` are all that will be asked for.

    Raises InputError for options and files that cannot be used.
    """

    def __init__(self, files: Sequence[Path], options: FollowUpOptions, features: Sequence[c.Feature]) -> None:
        from sle_kg.features import FeatureBuilder
        from sle_kg.patients.codemap import read_code_map
        from sle_kg.patients.read import read_patients
        from sle_kg.terminology import terminology

        check_options(
            Options(
                on=options.on or _A_DAY,
                events=options.events,
                complete=options.complete,
                windows=options.windows,
                readings=options.readings,
            )
        )
        if options.baseline and not YEARS[0] <= options.baseline.year <= YEARS[1]:
            raise InputError(f"--baseline: {options.baseline} is no date of a trial; give one from 1900 to 2999")
        self.options = options
        self.terminology: Terminology = terminology()
        code_map = read_code_map(options.code_map, self.terminology) if options.code_map else None
        self.data: PatientData = _looking_back(read_patients(files, self.terminology, code_map))
        self.patients: list[str] = self.data.patients
        self.until = options.on or dt.date.max
        self.facts = Facts(self.data.tables, self.until)
        self.feature_options = FeatureOptions(
            frozenset(options.complete), options.windows, derive_items=options.derive_items
        )
        wanted = sorted(set(features), key=lambda feature: feature.slug)
        self._builder: FeatureBuilder = FeatureBuilder(self.data.tables, wanted, self.terminology)
        self._advisor = Advisor(self.data.tables, self.terminology)
        self._days = _result_days(self.data, self.until)
        self._days_of: dict[tuple[str, tuple[str, ...]], list[dt.date]] = {}
        self._last = self._last_days()
        self._complete = self._completeness()
        self._events: dict[str, dict[str, dict[str, EventDate]]] = {}

    # ---- what is known of a patient -----------------------------------------------------------------------------

    def events(self, patient: str, trial: str | None) -> Mapping[str, EventDate]:
        """The dates of the trial's events; nothing stands in for one that is not recorded."""
        name = trial or _NO_TRIAL
        if name not in self._events:
            found = resolve_events(self.data.tables, self.patients, name, self.until, self.options.events)
            self._events[name] = {
                someone: {
                    event: date
                    for event, date in events.items()
                    if not date.stand_in and (event not in STAND_INS or date.first <= self.until)
                }
                for someone, events in found.items()
            }
        return self._events[name].get(patient, {})

    def infusion(self, patient: str, trial: str | None) -> dt.date | None:
        """The day of the infusion: the command line first, then a record bound to the trial, then any record.

        A date known only to the month or year, or after the last day looked at, is no day (`why_no_infusion`).
        """
        return self._infusion(patient, trial).day

    def is_infused(self, patient: str, trial: str | None) -> bool:
        """Whether the infusion was given by the last day looked at, on whatever day."""
        date = self.events(patient, trial).get("infusion")
        return date is not None and date.last <= self.until

    def why_no_infusion(self, patient: str, trial: str | None) -> str:
        """Why there is no day of infusion, as a clause; empty where there is one."""
        return self._infusion(patient, trial).why

    def _infusion(self, patient: str, trial: str | None) -> _Infusion:
        date = self.events(patient, trial).get("infusion")
        if date is None:
            return _Infusion(None, "no infusion is recorded")
        if date.first != date.last:
            return _Infusion(None, f"the infusion is dated only from {date.first} to {date.last}")
        if date.first > self.until:
            return _Infusion(None, f"the infusion is planned for {date.first}, after {self.until}")
        return _Infusion(date.first)

    def days(self, patient: str, tests: Iterable[str]) -> list[dt.date]:
        """The days, ascending, with a result of any of the tests; results without an exact day do not count."""
        key = (patient, tuple(tests))
        if key not in self._days_of:
            known = self._days.get(patient, {})
            self._days_of[key] = sorted({day for test in key[1] for day in known.get(test, ())})
        return self._days_of[key]

    def last_day(self, patient: str) -> dt.date | None:
        """The last day of any record of the patient, whatever it is about: where the follow-up ends."""
        return self._last.get(patient)

    def complete_until(self, patient: str, section: str) -> dt.date | None:
        """The day up to which a section of the record is complete; None where nobody says so or records are unread."""
        return self._complete.get((patient, section))

    def evidence(self, patient: str, record: str) -> Evidence:
        """The evidence line of a record; what the user said for everybody has no date."""
        line = self.facts.evidence(patient, record)
        return replace(line, date=None) if line.date == dt.date.max.isoformat() else line

    def _last_days(self) -> dict[str, dt.date]:
        found: dict[str, dt.date] = {}
        for name in _CONTACTS:
            table = self.data.tables[name]
            for column in table.column_names:
                if column.endswith("_to"):
                    columns = table.select(["patient", column]).to_pydict()
                    for patient, day in zip(columns["patient"], columns[column], strict=True):
                        if day is not None and day <= self.until and day != dt.date.max:
                            found[patient] = max(day, found.get(patient, day))
        return found

    def _completeness(self) -> dict[tuple[str, str], dt.date]:
        """(patient, section) → the day up to which it is complete: a record unread leaves it open."""
        found: dict[tuple[str, str], dt.date] = {}
        for row in self.data.tables["completeness"].to_pylist():
            if row["date_from"] is not None:
                key = (row["patient"], row["section"])
                found[key] = max(min(row["date_from"], self.until), found.get(key, dt.date.min))
        found |= {(patient, section): self.until for patient in self.patients for section in self.options.complete}
        unread = {
            (row["patient"], row["section"])
            for row in self.data.tables["unread"].select(["patient", "section", "date_from"]).to_pylist()
            if row["date_from"] is None or row["date_from"] <= self.until
        }
        return {key: day for key, day in found.items() if key not in unread}

    # ---- what is asked ------------------------------------------------------------------------------------------

    def look(self, questions: Sequence[Question]) -> list[Findings]:
        """The answers, in the order of the questions."""
        sets: dict[frozenset[c.Feature], str] = {}
        asks = [
            self._ask(number, question, sets.setdefault(frozenset(question.features), str(len(sets))))
            for number, question in enumerate(questions)
        ]
        bounds: list[dict[str, Bound]] = [{} for _ in questions]
        records: list[dict[str, tuple[str, ...]]] = [{} for _ in questions]
        wanted = {name: sorted(features, key=lambda feature: feature.slug) for features, name in sets.items()}
        if asks:
            for value in self._builder.compute(asks, wanted, self.feature_options):
                bounds[value.ask][value.slug] = (value.lower, value.upper)
                records[value.ask][value.slug] = value.records
        attempts = self._attempts(asks, questions, bounds, records)
        return [Findings(*answer) for answer in zip(bounds, records, attempts, strict=True)]

    def _attempts(
        self,
        asks: Sequence[Ask],
        questions: Sequence[Question],
        bounds: Sequence[Mapping[str, Bound]],
        records: Sequence[Mapping[str, tuple[str, ...]]],
    ) -> list[dict[str, tuple[Attempt, ...]]]:
        """For each question, by feature, the details that could tell more of features that records leave open."""
        open_features = [
            OpenFeature(ask, feature, records[ask.id][feature.slug], partial(ne, bound))
            for ask, question in zip(asks, questions, strict=True)
            for feature in question.features
            if (bound := bounds[ask.id].get(feature.slug, UNBOUNDED)) == UNBOUNDED or bound[0] != bound[1]
            if records[ask.id].get(feature.slug)
        ]
        found: list[dict[str, tuple[Attempt, ...]]] = [{} for _ in questions]
        settling = self._advisor.settling(open_features, self.feature_options)
        for one, attempts in zip(open_features, settling, strict=True):
            found[one.ask.id][one.feature.slug] = attempts
        return found

    def items(self, questions: Sequence[Question], total: str) -> list[list[ItemState]]:
        """What is recorded and proposed of every item of a total at the visit of each question, in their order."""
        asks = [self._ask(number, question, _NO_TRIAL) for number, question in enumerate(questions)]
        found: list[list[ItemState]] = [[] for _ in questions]
        if asks:
            for state in self._builder.items(asks, total, self.feature_options):
                found[state.ask].append(state)
        return found

    def _ask(self, number: int, question: Question, features: str) -> Ask:
        """A question as the feature builder takes it; `features` names the set of its features."""
        return Ask(
            number,
            question.patient,
            features,
            question.on,
            question.on,
            self.events(question.patient, question.trial),
            moments=question.moments,
            complete_until=self.until,
        )


def with_thresholds(condition: c.Condition, thresholds: Mapping[str, Decimal]) -> c.Condition:
    """The tree with the user's number in place of each adjustable threshold that he sets."""
    match condition:
        case c.Leaf(adjustable=str(name)) if name in thresholds:
            return replace(condition, met_bound=thresholds[name], unmet_bound=thresholds[name])
        case c.Not(operand=operand):
            return replace(condition, operand=with_thresholds(operand, thresholds))
        case c.AllOf() | c.AnyOf() | c.AtLeast():
            return replace(condition, operands=tuple(with_thresholds(o, thresholds) for o in condition.operands))
        case c.ByReading():
            options = tuple((key, with_thresholds(option, thresholds)) for key, option in condition.options)
            return replace(condition, options=options)
    return condition


def check_thresholds(conditions: Iterable[c.Condition], thresholds: Mapping[str, Decimal]) -> None:
    """Raises InputError for a threshold that none of the conditions leaves to the user, saying which there are."""
    nodes = [node for condition in conditions for node in c.walk(condition)]
    known = sorted({node.adjustable for node in nodes if isinstance(node, c.Leaf) and node.adjustable})
    for name in thresholds:
        if name not in known:
            there = f"choose among {', '.join(known)}" if known else "there is none to set here"
            raise InputError(f"--threshold: {name!r} is no adjustable threshold; {there}")


def tests_of(feature: c.Feature) -> tuple[str, ...]:
    """The tests whose results a feature reads, sorted: a total with its items, a test, the systems of BILAG."""
    found: set[str] = set()
    for parameter in ("test", "positiveOnlyTest", "instrument", "alsoAccepts", "classificationSet"):
        value = feature.get(parameter, ())
        for name in value if isinstance(value, tuple) else (str(value),):
            found |= {name, *_parts(name)}
    return tuple(sorted(found))


@cache
def is_score(test: str) -> bool:
    """Whether a test is an instrument or a part of one, and not a laboratory result or vital sign."""
    return test.partition(":")[0] in {name for prefix in _score_names() for name in (prefix, f"{prefix}Total")}


@cache
def instrument_of(test: str) -> str:
    """What a test belongs to: a total and the items that it adds up are one instrument, a laboratory test is itself."""
    return test.partition(":")[0].removesuffix("Total") if is_score(test) else test


@cache
def _parts(name: str) -> tuple[str, ...]:
    """The items or systems of an instrument, named by its key or its total: `bilag2004` has `bilag:renal` …"""
    prefixes = {name.removesuffix("Total")}
    for instrument in ontology.instruments().values():
        if name in (instrument.key, instrument.total) and instrument.score_name:
            prefixes.add(instrument.score_name)
    return tuple(key for key in ontology.laboratory_tests() if key.partition(":")[0] in prefixes and ":" in key)


@cache
def _score_names() -> frozenset[str]:
    found: set[str] = set()
    for instrument in ontology.instruments().values():
        found |= {name for name in (instrument.key, instrument.score_name, instrument.total) if name}
    return frozenset(found)


def _looking_back(data: PatientData) -> PatientData:
    """The same patients, whose medicines went on until their ends.

    A follow-up is written afterwards: `completed` tells of the day of writing, not of the visit that is looked at.
    """
    import pyarrow.compute as pc

    exposures = data.tables["exposure"]
    ended = pc.is_valid(exposures["end_from"])
    column = exposures.schema.get_field_index("ongoing")
    went_on = pc.if_else(ended, True, exposures["ongoing"])
    return replace(data, tables={**data.tables, "exposure": exposures.set_column(column, "ongoing", went_on)})


def _result_days(data: PatientData, until: dt.date) -> dict[str, dict[str, set[dt.date]]]:
    """Patient → test → the exact days with a result, none after the last day looked at."""
    columns: dict[str, list[Any]] = data.tables["measurement"].to_pydict()
    found: dict[str, dict[str, set[dt.date]]] = {}
    names = ("patient", "test", "date_from", "date_to")
    for patient, test, first, last in zip(*(columns[name] for name in names), strict=True):
        if first is not None and first == last and first <= until:
            found.setdefault(patient, {}).setdefault(test, set()).add(first)
    return found
