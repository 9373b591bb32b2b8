"""The highest grade of every laboratory abnormality after the infusion, by the scales of the ontology (CTCAE v5.0)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sle_kg import criteria as c
from sle_kg.definitions import Scale, scales
from sle_kg.evaluate import evaluate
from sle_kg.followup.moments import TimePoint
from sle_kg.followup.score_grades import grade_bounds
from sle_kg.followup.session import Findings, FollowUp, Question, tests_of

INSTRUMENT = "ctcaeV5"


@dataclass(frozen=True, slots=True)
class _Scale:
    """One kind of abnormality: the conditions of "at least grade n" that can be computed, and what they read."""

    facet: str
    numbers: tuple[int, ...]
    conditions: Mapping[int, c.Condition]
    features: tuple[c.Feature, ...]
    tests: tuple[str, ...]

    def bounds(self, findings: Findings) -> tuple[int, int]:
        """Least and greatest grade on one day."""
        truths = {
            number: evaluate(self.conditions[number], findings.bounds, {}) if number in self.conditions else None
            for number in self.numbers
        }
        return grade_bounds(truths, set(self.conditions))


class LaboratoryGrades:
    """The scales whose grades follow from laboratory results."""

    def __init__(self, readings: Mapping[str, str]) -> None:
        self._scales = [one for scale in scales(INSTRUMENT) if (one := _scale(scale, readings)).tests]
        self.features = tuple(dict.fromkeys(feature for scale in self._scales for feature in scale.features))

    def highest(
        self, session: FollowUp, infusions: Mapping[str, dt.date | None], trial: str
    ) -> dict[str, dict[str, tuple[int, int]]]:
        """By patient and kind, bounds of the highest grade over all days after the infusion with a result."""
        asked: dict[tuple[str, dt.date], list[_Scale]] = {}
        questions = []
        for patient, infusion in infusions.items():
            for scale in self._scales if infusion is not None else ():
                for day in session.days(patient, scale.tests):
                    if infusion is not None and day > infusion:
                        asked.setdefault((patient, day), []).append(scale)
        for (patient, day), some in asked.items():
            infusion = infusions[patient]
            assert infusion is not None
            features = tuple(dict.fromkeys(feature for scale in some for feature in scale.features))
            moments = TimePoint("", day, day, day).moments(day, infusion)
            questions.append(Question(patient, day, moments, features, trial))
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for ((patient, _), some), findings in zip(asked.items(), session.look(questions), strict=True):
            highest = found.setdefault(patient, {})
            for scale in some:
                low, high = scale.bounds(findings)
                least, most = highest.get(scale.facet, (0, 0))
                highest[scale.facet] = (max(least, low), max(most, high))
        return {patient: dict(sorted(highest.items())) for patient, highest in found.items()}


def _scale(scale: Scale, readings: Mapping[str, str]) -> _Scale:
    conditions = {
        grade.number: c.under_readings(grade.at_least, readings) for grade in scale.grades if grade.at_least is not None
    }
    nodes = [node for condition in conditions.values() for node in c.walk(condition)]
    features = tuple(dict.fromkeys(node.feature for node in nodes if isinstance(node, c.Leaf)))
    visit = [feature for feature in features if feature.get("at", "visit") == "visit"]
    tests = sorted({test for feature in visit for test in tests_of(feature)})
    return _Scale(scale.facet, tuple(grade.number for grade in scale.grades), conditions, features, tuple(tests))
