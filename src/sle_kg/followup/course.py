"""What the plots of a patient show: scores, steroid dose and items over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sle_kg import criteria as c
from sle_kg import ontology
from sle_kg.definitions import conditions_of, states
from sle_kg.features.asks import Moment
from sle_kg.followup.assessment import Results
from sle_kg.followup.measures import Measure
from sle_kg.followup.results import Course, Point
from sle_kg.followup.session import FollowUp, Question, tests_of

SCORES = ("sledai2kTotal", "pga")
"""Scores that are drawn of every trial."""
ITEMS = "sledai2k"
"""The instrument whose items are drawn."""


@dataclass(frozen=True, slots=True)
class CoursePlan:
    """What is drawn: scores by key, and the feature of the prednisone equivalent a day, if the ontology has one."""

    scores: Mapping[str, c.Feature]
    steroid: c.Feature | None

    @classmethod
    def of(cls, measures: Sequence[Measure]) -> CoursePlan:
        """The scores that the trial measures beside those of every trial, in order."""
        named = [m.definition.value for m in measures if m.definition.value is not None]
        totals = [
            str(feature.get("instrument"))
            for feature in named
            if feature.kind == "AssessedScoreCondition"
            and not {"itemGroup", "since", "at"} & set(dict(feature.parameters))
        ]
        scores = {
            key: c.Feature("AssessedScoreCondition", (("instrument", key),))
            for key in dict.fromkeys([*SCORES, *totals])
        }
        doses = sorted(
            (
                feature
                for condition in conditions_of(states().values())
                for feature in c.features_of(condition)
                if feature.kind == "DailyDoseCondition" and feature.get("equivalence") == "prednisone"
            ),
            key=lambda feature: feature.slug,
        )
        return cls(scores, doses[0] if doses else None)

    @property
    def features(self) -> tuple[c.Feature, ...]:
        """Every feature that is asked for."""
        return (*self.scores.values(), *([self.steroid] if self.steroid else []))


class Courses:
    """The courses of the patients of one call; what is read of all records is read once."""

    def __init__(self, plan: CoursePlan, session: FollowUp) -> None:
        self._plan, self._session = plan, session
        self._changes = _dose_changes(plan.steroid, session)
        self._keys = [item.key for item in ontology.instruments()[ITEMS].items]
        self._results = Results.of(session, self._keys)

    def of(self, patients: Sequence[str], trial: str) -> dict[str, Course]:
        """The course of each patient, from the first assessment to the last."""
        plan = self._plan
        questions = [question for patient in patients for question in self._questions(patient, trial)]
        series: dict[str, dict[str, list[Point]]] = {patient: {} for patient in patients}
        names = {feature.slug: key for key, feature in plan.scores.items()}
        for question, findings in zip(questions, self._session.look(questions), strict=True):
            for feature in question.features:
                lower, upper = findings.bounds.get(feature.slug, (None, None))
                point = Point(question.on, lower, upper)
                series[question.patient].setdefault(names.get(feature.slug, ""), []).append(point)
        return {
            patient: Course(
                scores={key: tuple(found[key]) for key in plan.scores if key in found},
                steroid=tuple(found.get("", ())),
                items=self._items(patient),
            )
            for patient, found in series.items()
        }

    def _questions(self, patient: str, trial: str) -> Iterator[Question]:
        """Scores on the days that have them, the dose on those and on the days between on which it changes."""
        plan = self._plan
        scored = {key: set(self._session.days(patient, tests_of(feature))) for key, feature in plan.scores.items()}
        days = sorted(set().union(*scored.values()))
        for day in days:
            features = tuple(feature for key, feature in plan.scores.items() if day in scored[key])
            yield Question(patient, day, {"visit": Moment(day, day, day)}, features, trial)
        if plan.steroid is not None and days:
            between = {day for day in self._changes.get(patient, ()) if days[0] < day <= days[-1]}
            for day in sorted(between.union(days)):
                yield Question(patient, day, {"visit": Moment(day, day, day)}, (plan.steroid,), trial)

    def _items(self, patient: str) -> dict[str, tuple[Point, ...]]:
        """Recorded items of a patient: 1 present, 0 absent, 0 to 1 where records of one day disagree."""
        found: dict[str, tuple[Point, ...]] = {}
        for key in self._keys:
            days: dict[dt.date, set[bool | None]] = {}
            for one in self._results.up_to(patient, key, self._session.until):
                if one.first is not None and one.first == one.last:
                    days.setdefault(one.first, set()).add(one.present)
            if days:
                found[key] = tuple(_point(day, answers) for day, answers in sorted(days.items()))
        return found


def _dose_changes(steroid: c.Feature | None, session: FollowUp) -> dict[str, set[dt.date]]:
    """By patient, the days on which a medicine of the dose begins, and those after it ends."""
    if steroid is None:
        return {}
    sets = steroid.get("valueSet", ())
    assert isinstance(sets, tuple)
    exposures = session.data.tables["exposure"].select(
        ["patient", "concept", "start_from", "start_to", "end_from", "end_to"]
    )
    rows = exposures.to_pylist()
    concepts = sorted({row["concept"] for row in rows if row["concept"]})
    wanted = {concept for concept, _, _ in session.terminology.membership(concepts, sets)}
    found: dict[str, set[dt.date]] = {}
    for row in rows:
        if row["concept"] in wanted:
            days = found.setdefault(row["patient"], set())
            if row["start_from"] is not None and row["start_from"] == row["start_to"]:
                days.add(row["start_from"])
            if row["end_from"] is not None and row["end_from"] == row["end_to"] < dt.date.max:
                days.add(row["end_to"] + dt.timedelta(days=1))
    return found


def _point(day: dt.date, answers: set[bool | None]) -> Point:
    lower = Decimal(1) if answers == {True} else Decimal(0)
    upper = Decimal(0) if answers == {False} else Decimal(1)
    return Point(day, lower, upper)
