"""The score command: one instrument, state or classification for patients over time.

One result for each day on which the instrument was assessed, or for the one day asked for. What an instrument is,
and every number of it, is read from the ontology.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sle_kg.criteria import features_of, under_readings
from sle_kg.definitions import State, scales, states
from sle_kg.errors import InputError
from sle_kg.features.asks import Moment
from sle_kg.features.database import CLASSIFICATION_SETS
from sle_kg.followup.assessment import Assessment, Scorer, window_of
from sle_kg.followup.moments import previous
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.score_classification import ClassificationScore
from sle_kg.followup.score_grades import GradeScore, first_tests
from sle_kg.followup.score_totals import BilagScore, SuicidalityScore, TotalScore
from sle_kg.followup.session import FollowUp, Question, tests_of
from sle_kg.ontology import Instrument, instruments, laboratory_tests
from sle_kg.trials import load_trials

if TYPE_CHECKING:
    from sle_kg.features.assessment import ItemState

Progress = Callable[[int, int], None]

PARTS = {"clinicalSledai": ("sledai2k", "clinical")}
"""Scores that are a part of another one: instrument and group of items."""


class StateScore(Scorer):
    """A state or response: met or not, and which of its items are."""

    alone = False

    def __init__(self, state: State, window: int, readings: Mapping[str, str]) -> None:
        self.state, self.window = state, window
        self.condition = under_readings(state.condition, readings)
        self.parts = {item.key: under_readings(item.condition, readings) for item in state.items}
        self.features = sorted(features_of(self.condition), key=lambda one: one.slug)
        self.tests = first_tests(self.condition)
        self.other_tests = sorted({test for feature in self.features for test in tests_of(feature)})

    def result(self, seen: Assessment) -> ScoreResult:
        """The state on one day."""
        explained = seen.explain(self.condition)
        return ScoreResult(
            patient=seen.patient,
            date=seen.on,
            name=self.state.name,
            result={True: "met", False: "not-met", None: "unknown"}[explained.truth],  # type: ignore[arg-type]
            items={key: seen.explain(part).truth for key, part in self.parts.items()},
            reason=explained.reason,
            missing=explained.missing,
            evidence=explained.evidence,
        )


def names() -> list[str]:
    """The names of everything that can be scored, in order."""
    return sorted((one.score_name for one in instruments().values() if one.score_name), key=str.lower)


def scores(
    files: Sequence[Path],
    name: str,
    options: FollowUpOptions,
    progress: Progress | None = None,
    passed_over: Callable[[Mapping[str, int]], None] = lambda counts: None,
) -> list[ScoreResult]:
    """The results of one score: patients in the order of the input, days ascending, parts of an instrument by name.

    `passed_over` is told what was in the files and is of no concern. Raises InputError for a name that is none, and
    for options and files that cannot be used.
    """
    found = {one.score_name: one for one in instruments().values()}
    if name not in found:
        raise InputError(f"NAME: {name!r} is no score; choose among {', '.join(names())}")
    scorers = _scorers(found[name], options)
    everything = replace(options, on=None)  # so that the one day is judged as it is in the list of all days
    session = FollowUp(files, everything, [one for scorer in scorers for one in scorer.features])
    passed_over(session.data.skipped)
    for scorer in scorers:
        scorer.prepare(session)
    asked = [one for patient in session.patients for one in _questions(session, patient, scorers, options)]
    findings = session.look([one.question for one in asked])
    items = _items(session, asked)
    results = []
    for number, (one, answer) in enumerate(zip(asked, findings, strict=True)):
        question = one.question
        seen = Assessment(
            question.patient, question.on, question.moments, session, answer, question.trial, items.get(number, ())
        )
        results.append(one.scorer.result(seen))
        if progress is not None:
            progress(number + 1, len(asked))
    return results


@dataclass(frozen=True, slots=True)
class _Asked:
    scorer: Scorer
    question: Question


def _scorers(instrument: Instrument, options: FollowUpOptions) -> list[Scorer]:
    """What computes the score: one for each part that has a result of its own."""
    key, name, readings = instrument.key, instrument.score_name or "", options.readings
    if key in CLASSIFICATION_SETS:
        return [ClassificationScore(instrument)]
    if name in states():
        return [StateScore(states()[name], window_of(instrument), readings)]
    graded = [scale for scale in scales(key) if any(grade.at_least is not None for grade in scale.grades)]
    if graded:
        several = len(graded) > 1
        return [
            GradeScore(
                instrument, scale, None if several else instrument.total, scale.facet if several else None, readings
            )
            for scale in graded
        ]
    total = instrument.total or key
    if key == "bilag2004":
        systems = {test: test.partition(":")[2] for test in laboratory_tests() if test.startswith(f"{name}:")}
        return [BilagScore(systems, instrument, "bilagTotal")]
    if key == "cssrs":
        return [SuicidalityScore(instrument, total, "cssrsBehaviour")]
    if key in PARTS:
        whole, part = PARTS[key]
        base = instruments()[whole]
        merged = replace(instrument, items=base.items, window_days=base.window_days)
        return [TotalScore(merged, base.total or whole, part, options.derive_items)]
    return [TotalScore(instrument, total, derive=options.derive_items)]


def _questions(session: FollowUp, patient: str, scorers: Sequence[Scorer], options: FollowUpOptions) -> list[_Asked]:
    """What is asked of a patient: each day assessed, or the one day that the user names."""
    trial = _trial_of_infusion(session, patient)
    baseline = options.baseline or session.infusion(patient, trial)
    asked = []
    for scorer in scorers:
        days = session.days(patient, scorer.tests) or session.days(patient, scorer.other_tests)
        if options.on is not None:
            first = options.on - dt.timedelta(days=scorer.window)
            if scorer.alone and options.on in days:
                first = options.on
            assessed = max((day for day in days if first <= day <= options.on), default=options.on)
            moments = _moments(first, options.on, previous(days, assessed), baseline)
            asked.append(_Asked(scorer, Question(patient, options.on, moments, scorer.features, trial)))
            continue
        for day in days:
            first = day if scorer.alone else day - dt.timedelta(days=scorer.window)
            moments = _moments(first, day, previous(days, day), baseline)
            asked.append(_Asked(scorer, Question(patient, day, moments, scorer.features, trial)))
    return sorted(asked, key=lambda one: one.question.on)


def _moments(first: dt.date, on: dt.date, before: Moment, baseline: dt.date | None) -> dict[str, Moment]:
    """When results are looked for: in the window, at the previous assessment, and at baseline."""
    moments = {"visit": Moment(first, on, on), "previous": before}
    if baseline is not None and baseline <= on:
        moments["baseline"] = Moment(dt.date.min, baseline, baseline)
    return moments


def _trial_of_infusion(session: FollowUp, patient: str) -> str | None:
    """The trial whose infusion is the patient's, where no unbound one is recorded; None where two disagree."""
    if session.infusion(patient, None) is not None:
        return None
    days = {trial: day for trial in load_trials() if (day := session.infusion(patient, trial)) is not None}
    return next(iter(days)) if len(set(days.values())) == 1 else None


def _items(session: FollowUp, asked: Sequence[_Asked]) -> dict[int, list[ItemState]]:
    """The items of the instrument for each question, by its number."""
    wanted = [(number, one) for number, one in enumerate(asked) if one.scorer.items_of]
    if not wanted:
        return {}
    total = wanted[0][1].scorer.items_of or ""
    found = session.items([one.question for _, one in wanted], total)
    return {number: states for (number, _), states in zip(wanted, found, strict=True)}
