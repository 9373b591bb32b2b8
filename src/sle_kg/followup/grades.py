"""Grades over the follow-up: the highest of every laboratory abnormality, and those of CRS and ICANS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from sle_kg import criteria as c
from sle_kg import ontology
from sle_kg.definitions import Scale, scales
from sle_kg.evaluate import evaluate
from sle_kg.followup.assessment import Assessment
from sle_kg.followup.events import Event, EventLog
from sle_kg.followup.moments import TimePoint
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.score_grades import GradeScore, grade_bounds
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


class EventGrades:
    """Grades of adverse events that have a scale of their own (CRS, ICANS of ASTCT 2019) and were recorded without one.

    The grade is the highest of the days from the onset to the first on which the scale is known to be 0, or to the next
    such event; it is at least the highest of the first days on which the scale is known not to be 0. A grade that the
    investigator recorded on a day goes first there.
    """

    def __init__(self, readings: Mapping[str, str]) -> None:
        self._scorers: dict[str, GradeScore] = {}
        for instrument in ontology.instruments().values():
            if instrument.key != INSTRUMENT and instrument.score_name:
                for scale in scales(instrument.key):
                    score = GradeScore(instrument, scale, instrument.total, None, readings)
                    self._scorers[instrument.score_name] = score
        self.features = tuple(feature for score in self._scorers.values() for feature in score.features)

    def fill(self, session: FollowUp, log: EventLog, infusions: Mapping[str, dt.date | None], trial: str) -> None:
        """Puts the grades into the log."""
        asked = list(self._asked(session, log, infusions, trial))
        found: dict[tuple[str, str], list[ScoreResult]] = {}
        for (event, score, question), findings in zip(asked, session.look([q for _, _, q in asked]), strict=True):
            seen = Assessment(question.patient, question.on, question.moments, session, findings, trial)
            found.setdefault((question.patient, event.record), []).append(score.result(seen))
        for (patient, record), results in found.items():
            if grade := _episode(results):
                log.grade(patient, record, grade)

    def _asked(
        self, session: FollowUp, log: EventLog, infusions: Mapping[str, dt.date | None], trial: str
    ) -> Iterator[tuple[Event, GradeScore, Question]]:
        """Each event to be graded with the days on which something of its scale is recorded."""
        for patient, infusion in infusions.items():
            for event in log.of(patient) if infusion else ():
                score = next((self._scorers[key] for key in event.concept.split("|") if key in self._scorers), None)
                if score is None or event.grade_low is not None or event.first is None or event.first != event.last:
                    continue
                same = [one.first for one in log.of(patient) if one.concept == event.concept and one.first]
                end = min((day for day in same if day > event.first), default=dt.date.max)
                for day in session.days(patient, score.tests):
                    if event.first <= day < end and infusion is not None:
                        moments = TimePoint("", day, day, day).moments(day, infusion)
                        yield event, score, Question(patient, day, moments, tuple(score.features), trial)


def _episode(results: Sequence[ScoreResult]) -> tuple[int, int] | None:
    """Bounds of the highest grade up to the day on which there is none; an event is of grade 1 at least."""
    known = [(int(result.lower or 0), int(result.upper or 0)) for result in results]
    possible = list(takewhile(lambda grade: grade[1] > 0, known))
    certain = takewhile(lambda grade: grade[0] > 0, possible)
    if not possible:
        return None
    return max((low for low, _ in certain), default=1), max(high for _, high in possible)
