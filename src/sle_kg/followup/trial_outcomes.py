"""The outcomes of a trial: every definition for every patient at every time point, and for the cohort.

Each patient's time points come from the record or from his own visits; at each the day of the assessment is chosen by
the lead measure, all questions of all patients are answered together, and a result is known only where lower and upper
bound agree. What the record leaves undefined stays undefined.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from sle_kg import criteria as c
from sle_kg.evaluate import Bound, Truth, evaluate
from sle_kg.followup.assessment import Assessment, known
from sle_kg.followup.cohort import Gap, cohort_rows, event_rows, grade_rows
from sle_kg.followup.course import CoursePlan, Courses
from sle_kg.followup.durations import lasted, longest
from sle_kg.followup.events import EventLog, dose_limiting, treatment_emergent
from sle_kg.followup.explain import sentence
from sle_kg.followup.grades import EventGrades, LaboratoryGrades
from sle_kg.followup.measures import Measure, measures_of, numbering, outcomes_of
from sle_kg.followup.moments import (
    VISIT_DAYS,
    TimePoint,
    day_name,
    named_visits,
    nearest,
    own_visits,
    parse_visits,
    previous,
    time_points,
)
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.results import OutcomeResult, OutcomeWord, PatientOutcomes, StateWord, TrialOutcomes
from sle_kg.followup.session import Findings, FollowUp, Question, instrument_of
from sle_kg.outcomes import Outcome
from sle_kg.screening import Progress
from sle_kg.trials import load_trials
from sle_kg.verdict import Evidence
from sle_kg.wording import ontology_label

GROUP = 500
"""Patients whose questions are answered together."""
WHOLE = "follow-up"
"""The time point of what is measured over all assessments, and of what has none."""

State = tuple[dt.date, StateWord]
_Key = tuple[str, dt.date, dt.date, dt.date, dt.date | None]
"""Patient, day of the assessment, first and last day of the window, day of the previous assessment."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a definition is to be evaluated: at a time point, and the day of the assessment, if there was one.

    `before` is the day of the previous assessment, of a definition that looks back at it.
    """

    measure: Measure
    point: TimePoint
    day: dt.date | None
    before: dt.date | None = None


def _key(patient: str, place: Place) -> _Key:
    """The question that a place asks; places that ask the same share the answer."""
    assert place.day is not None, f"{place.point.name} has no assessment"
    return patient, place.day, place.point.first, place.point.last, place.before


@dataclass(slots=True)
class Plan:
    """Where each definition, by its number, is to be evaluated for one patient; `why` there is no infusion."""

    patient: str
    infusion: dt.date | None
    why: str
    places: dict[int, list[Place]] = field(default_factory=dict)


def trial_outcomes(
    files: Sequence[Path],
    trial: str,
    options: FollowUpOptions,
    progress: Progress | None = None,
    passed_over: Callable[[Mapping[str, int]], None] = lambda counts: None,
) -> TrialOutcomes:
    """The outcomes of all patients in the files, in the order of the input, and of the cohort.

    `progress` is told the patients done and their number; `passed_over` what in the files is of no concern. Raises
    InputError for a trial without outcomes and for options and files that cannot be used.
    """
    engine = Engine(files, trial, options)
    passed_over(engine.session.data.skipped)
    everybody = engine.session.patients
    found: list[tuple[PatientOutcomes, list[Gap]]] = []
    for start in range(0, len(everybody), GROUP):
        found += engine.outcomes(everybody[start : start + GROUP])
        if progress is not None:
            progress(len(found), len(everybody))
    patients = tuple(patient for patient, _ in found)
    gaps = [gap for _, some in found for gap in some]
    return TrialOutcomes(
        trial=trial,
        label=load_trials()[trial].label,
        windows=windows_sentence(engine.measures, options),
        patients=patients,
        cohort=cohort_rows(patients, [(m.outcome.id, m.definition) for m in engine.measures], gaps),
        events=event_rows(patients),
        laboratory_grades=grade_rows(patients),
        caveats=engine.caveats(patients),
        options=options.words(),
    )


def windows_sentence(measures: Sequence[Measure], options: FollowUpOptions) -> str:
    """How time points were matched with days, in words."""
    if options.visit_window is None:
        window = (
            "A time point takes the assessment nearest to it within half the distance to its neighbours (the infusion "
            "before the first; the last reaches as far after as before)"
        )
    else:
        window = (
            f"A time point takes the assessment nearest to it within {options.visit_window} days before or after; a "
            "day counts for the nearest time point only"
        )
    days = "the later of two as near; the day of the infusion is baseline"
    sentences = [f"{window}, {days}."]
    if any(not measure.schedule.named for measure in measures):
        if options.visits:
            sentences.append(f"Where the record names no time point: {', '.join(options.visits)}, as asked for.")
        else:
            span = VISIT_DAYS if options.visit_window is None else options.visit_window
            sentences.append(
                "Where the record names no time point, each patient's own assessments are visits: assessments at most "
                f"{span} days apart, none of them of the same measure, are one visit, and results up to {span} days "
                "around it serve, as far as no other visit is nearer; laboratory results of other days are time points "
                "of their own."
            )
    return " ".join(sentences)


class Engine:
    """The outcomes of one trial over the patients of one call."""

    def __init__(self, files: Sequence[Path], trial: str, options: FollowUpOptions) -> None:
        self.trial = trial
        self.options = options
        self.rows: tuple[Outcome, ...] = outcomes_of(trial)
        self.numbering = numbering(self.rows)
        self.asked = parse_visits(options.visits, self.numbering)
        self.measures = measures_of(self.rows, options)
        course = CoursePlan.of(self.measures)
        self.laboratory = LaboratoryGrades(options.readings)
        self.event_grades = EventGrades(options.readings)
        features = {feature for measure in self.measures for feature in measure.features}
        features |= {*course.features, *self.laboratory.features, *self.event_grades.features}
        self.session = FollowUp(files, options, sorted(features, key=lambda feature: feature.slug))
        self.courses = Courses(course, self.session)
        self.events = EventLog(self.session)
        self._scores = tuple(sorted({test for measure in self.measures for test in measure.visit_tests}))

    # ---- what to ask --------------------------------------------------------------------------------------------

    def plan(self, patient: str) -> Plan:
        """Where every definition is to be evaluated for one patient."""
        infusion = self.session.infusion(patient, self.trial)
        plan = Plan(patient, infusion, self.session.why_no_infusion(patient, self.trial))
        if infusion is None:
            return plan
        visits = self._own_visits(patient, infusion)
        for number, measure in enumerate(self.measures):
            if measure.definition.kind in ("state", "value", "duration"):
                points = self._points(measure, patient, infusion, visits)
                plan.places[number] = [self._place(measure, patient, point) for point in points]
        return plan

    def _own_visits(self, patient: str, infusion: dt.date) -> list[TimePoint]:
        """The patient's visits by the days with a score of any outcome, items of one instrument together."""
        assessed: dict[str, set[dt.date]] = {}
        for test in self._scores:
            assessed.setdefault(instrument_of(test), set()).update(self.session.days(patient, (test,)))
        return own_visits(assessed, infusion, self.options.visit_window)

    def _points(
        self, measure: Measure, patient: str, infusion: dt.date, visits: Sequence[TimePoint]
    ) -> list[TimePoint]:
        """The time points of a definition: the record's, the user's, or the patient's own visits.

        A duration is followed over all visits. Laboratory results serve the visit around which they were taken; those
        of other days are time points of their own, named by their day.
        """
        if measure.definition.kind != "duration":
            named = named_visits(measure.schedule) or self.asked
            if named:
                return time_points(named, infusion, self.numbering, self.options.visit_window)
        if measure.visit_tests:
            tests = measure.lead_tests if measure.definition.kind == "duration" else measure.visit_tests
            days = self.session.days(patient, tests)
            return [point for point in visits if nearest(days, point) is not None]
        days = [day for day in self.session.days(patient, measure.tests) if day > infusion]
        attended = [point for point in visits if nearest(days, point) is not None]
        other = [day for day in days if not any(point.first <= day <= point.last for point in visits)]
        alone = [TimePoint(day_name(day, infusion, self.numbering), day, day, day) for day in other]
        return sorted([*attended, *alone], key=lambda point: point.target)

    def _place(self, measure: Measure, patient: str, point: TimePoint) -> Place:
        day = self._day(measure, patient, point)
        if day is None or not measure.looks_back:
            return Place(measure, point, day)
        return Place(measure, point, day, previous(self.session.days(patient, measure.lead_tests), day).target)

    def _day(self, measure: Measure, patient: str, point: TimePoint) -> dt.date | None:
        """The day of the assessment: the nearest with the lead measure, else with any.

        A component that reads no test (a dose) is judged on the days of its outcome's scores; an outcome that reads
        none at all on the target itself.
        """
        if not measure.tests and not measure.visit_tests:
            return point.target if point.target <= self.session.until else None
        for tests in (measure.lead_tests, measure.tests or measure.visit_tests):
            day = nearest(self.session.days(patient, tests), point)
            if day is not None:
                return day
        return None

    def seen(self, plans: Sequence[Plan]) -> dict[_Key, Assessment]:
        """What is found of every place: one question for each patient, day and window, with all that it needs."""
        asked: dict[_Key, dict[c.Feature, None]] = {}
        for plan in plans:
            for place in (place for some in plan.places.values() for place in some if place.day is not None):
                asked.setdefault(_key(plan.patient, place), {}).update(dict.fromkeys(place.measure.features))
        infusions = {plan.patient: plan.infusion for plan in plans}
        questions = []
        for key, features in asked.items():
            patient, day, first, last, before = key
            infusion = infusions[patient]
            assert infusion is not None
            point = TimePoint("", day, first, min(last, self.session.until))
            moments = point.moments(day, infusion, () if before is None else (before,))
            questions.append(Question(patient, day, moments, tuple(features), self.trial))
        return dict(zip(asked, self._look(questions), strict=True))

    def _look(self, questions: Sequence[Question]) -> list[Assessment]:
        return [
            Assessment(q.patient, q.on, q.moments, self.session, findings, self.trial)
            for q, findings in zip(questions, self.session.look(questions), strict=True)
        ]

    # ---- what is found ------------------------------------------------------------------------------------------

    def outcomes(self, patients: Sequence[str]) -> list[tuple[PatientOutcomes, list[Gap]]]:
        """The outcomes of some patients, each with the reasons why results are missing in the cohort."""
        plans = [self.plan(patient) for patient in patients]
        seen = self.seen(plans)
        infusions = {plan.patient: plan.infusion for plan in plans}
        self.event_grades.fill(self.session, self.events, infusions, self.trial)
        grades = self.laboratory.highest(self.session, infusions, self.trial)
        courses = self.courses.of(patients, self.trial)
        found = []
        for plan in plans:
            results = [self._results(number, measure, plan, seen) for number, measure in enumerate(self.measures)]
            states = _states(self.measures, plan, seen)
            patient = PatientOutcomes(
                patient=plan.patient,
                infusion=plan.infusion,
                results=tuple(result for some in results for result, _ in some),
                events=tuple(event.shown(plan.infusion, self.numbering) for event in self.events.of(plan.patient)),
                laboratory_grades=grades.get(plan.patient, {}),
                course=replace(courses[plan.patient], states=states),
                unread=self.session.facts.unread(plan.patient, self.trial),
                undated_infusion=plan.infusion is None and self.session.is_infused(plan.patient, self.trial),
            )
            gaps = [
                Gap(plan.patient, result.id, result.measure, result.time_point, why)
                for some in results
                for result, why in some
                if why
            ]
            found.append((patient, gaps))
        return found

    def _results(
        self,
        number: int,
        measure: Measure,
        plan: Plan,
        seen: Mapping[_Key, Assessment],
    ) -> list[tuple[OutcomeResult, str]]:
        """The results of one definition for one patient; with each, what is missing in words without dates."""
        definition = measure.definition
        blank = OutcomeResult(
            measure.outcome.id, definition.key, WHOLE, definition.words, "not-evaluable", "", unit=definition.unit
        )
        names = [visit.name for visit in named_visits(measure.schedule) or self.asked] or [WHOLE]
        if definition.kind == "undefined":
            open_ = replace(blank, reason=sentence(definition.why or "the record does not define it"))
            return [(replace(open_, time_point=name), "not defined by the record") for name in names]
        if plan.infusion is None:
            timed = names if definition.kind in ("state", "value") else [WHOLE]
            open_ = replace(blank, reason=sentence(plan.why), missing=("the date of the infusion",))
            return [(replace(open_, time_point=name), "the date of the infusion") for name in timed]
        places = plan.places.get(number, [])
        if definition.kind == "events":
            return [self._events(measure, blank, plan.patient, plan.infusion)]
        if definition.kind == "duration":
            return [self._duration(measure, blank, places, plan, seen)]
        if not places:
            return [self._never(measure, blank, plan.infusion)]
        return [self._at(place, blank, plan.patient, seen) for place in places]

    def _at(
        self,
        place: Place,
        blank: OutcomeResult,
        patient: str,
        seen: Mapping[_Key, Assessment],
    ) -> tuple[OutcomeResult, str]:
        """A state or value at one time point."""
        point = place.point
        timed = replace(blank, time_point=point.name, date=place.day, first=point.first, last=point.last)
        if place.day is None:
            return self._no_assessment(place, timed, patient)
        assessment = seen[_key(patient, place)]
        if place.measure.definition.kind == "state":
            return _state(place.measure, timed, assessment)
        return _value(place.measure, timed, assessment)

    def _no_assessment(self, place: Place, timed: OutcomeResult, patient: str) -> tuple[OutcomeResult, str]:
        """A time point without a result of the measure."""
        name, point = _measure_name(place.measure), place.point
        days = (self.session.last_day(patient), self.session.infusion(patient, self.trial))
        last = max((day for day in days if day is not None), default=None)
        between = f"from {point.first} to {point.last}"
        if point.first > self.session.until:
            reason = f"records are read up to {self.session.until} only, and {point.name} is {between}"
        elif last is not None and last < point.first:
            reason = f"follow-up ends on {last}, and {point.name} is {between}"
        else:
            reason = f"no {name} is recorded {between}"
            return replace(timed, reason=sentence(reason), missing=(f"{name} {between}",)), f"no {name} in the window"
        return replace(timed, reason=sentence(reason), missing=(f"{name} {between}",)), "follow-up not long enough"

    def _never(self, measure: Measure, blank: OutcomeResult, infusion: dt.date) -> tuple[OutcomeResult, str]:
        """A definition of which the patient has no result after the infusion."""
        name = _measure_name(measure)
        reason = sentence(f"no {name} with an exact date is recorded after the infusion on {infusion}")
        return replace(blank, reason=reason, missing=(f"{name} after {infusion}",)), f"no {name} after the infusion"

    def _duration(
        self,
        measure: Measure,
        blank: OutcomeResult,
        places: Sequence[Place],
        plan: Plan,
        seen: Mapping[_Key, Assessment],
    ) -> tuple[OutcomeResult, str]:
        """How long a state lasted: whether long enough, or the days of its longest run."""
        assert plan.infusion is not None and measure.condition is not None
        if not places:
            return self._never(measure, blank, plan.infusion)
        assessments = [seen[_key(plan.patient, place)] for place in places]
        truths = [(one.on, evaluate(measure.condition, one.findings.bounds, {})) for one in assessments]
        certain, possible = longest(truths, (True,)), longest(truths, (True, None))
        open_days = [day for day, truth in truths if truth is None]
        followed = (truths[-1][0] - plan.infusion).days
        timed = replace(blank, date=truths[-1][0], first=truths[0][0], last=truths[-1][0])
        said = f"{len(truths)} assessments over {followed} days of follow-up"
        said += (
            f"; it held from {certain.first} to {certain.last} ({certain.days} days)" if certain else "; it never held"
        )
        said += f"; not known on {_listed(open_days)}" if open_days else ""
        missing = tuple(
            dict.fromkeys(
                text
                for one, (_, truth) in zip(assessments, truths, strict=True)
                if truth is None
                for text in one.explain(measure.condition).missing
            )
        )
        evidence = assessments[-1].evidence(*measure.features)
        timed = replace(timed, reason=sentence(said), evidence=evidence)
        if measure.definition.minimum is None:
            return _longest(timed, certain.days if certain else 0, possible.days if possible else 0, truths, missing)
        truth = lasted(truths, measure.definition.minimum, plan.infusion)
        if truth is None:
            later = (f"assessments after {truths[-1][0]}",)
            return replace(timed, missing=missing or later), "too short a follow-up, or assessments not known"
        return replace(timed, result="reached" if truth else "not-reached"), ""

    def _events(
        self, measure: Measure, blank: OutcomeResult, patient: str, infusion: dt.date
    ) -> tuple[OutcomeResult, str]:
        """An outcome that counts or looks for adverse events."""
        events = self.events.of(patient)
        complete = self.session.complete_until(patient, "adverseEvents")

        def line(record: str) -> Evidence:
            return self.session.evidence(patient, record)

        asked = (blank, events, measure.schedule, self.numbering, infusion, complete, line)
        if measure.definition.events == "doseLimiting":
            return dose_limiting(*asked, measure.definition.severe_from)
        return treatment_emergent(*asked)

    def caveats(self, patients: Sequence[PatientOutcomes]) -> tuple[str, ...]:
        """What a reader of the whole must know."""
        said = []
        loose = sum(event.treatment_emergent is None for patient in patients for event in patient.events)
        if loose:
            said.append(
                "Adverse events not counted by term, because it is not known whether they began on or after the "
                f"infusion: {loose}."
            )
        if self.options.visits and any(measure.schedule.named for measure in self.measures):
            said.append("The time points asked for serve the outcomes for which the record names none.")
        if self.options.derive_items:
            said.append(
                "Items of a score that were not recorded are taken from laboratory results, without attribution."
            )
        return tuple(said)


def _state(measure: Measure, timed: OutcomeResult, seen: Assessment) -> tuple[OutcomeResult, str]:
    assert measure.condition is not None
    explained = seen.explain(measure.condition)
    word: OutcomeWord = "reached" if explained.truth else "not-reached" if explained.truth is False else "not-evaluable"
    result = replace(
        timed, result=word, reason=explained.reason, evidence=explained.evidence, missing=explained.missing
    )
    return result, _open_measures(measure.condition, seen.findings) if explained.truth is None else ""


def _value(measure: Measure, timed: OutcomeResult, seen: Assessment) -> tuple[OutcomeResult, str]:
    """A value with its change: evaluable where the bounds of what the outcome reports agree."""
    definition = measure.definition
    nothing: Bound = (None, None)
    value = seen.bound(definition.value) if definition.value else nothing
    change = seen.bound(definition.change) if definition.change else nothing
    reported = change if definition.reports == "change" else value
    exact = known(reported)
    features = [feature for feature in (definition.value, definition.change) if feature]
    main = definition.change if definition.reports == "change" else definition.value
    assert main is not None
    said = []
    if definition.value:
        said.append(f"{seen.words.subject(definition.value)} on {seen.on}: {_shown(value, definition.unit)}")
    if definition.change:
        said.append(f"change since baseline: {_shown(change, definition.unit)}")
    result = replace(
        timed,
        result="not-evaluable" if exact is None else "value",
        value=known(value),
        change=known(change),
        lower=reported[0],
        upper=reported[1],
        reason=sentence("; ".join(said)),
        evidence=seen.evidence(*features),
        missing=() if exact is not None else seen.missing(main),
    )
    if exact is not None:
        return result, ""
    if definition.reports == "change" and known(value) is not None:
        return result, f"{_label(main)} at baseline"
    return result, f"{_label(main)} known only within bounds" if reported != nothing else _label(main)


def _longest(
    timed: OutcomeResult, lower: int, upper: int, truths: Sequence[tuple[dt.date, Truth]], missing: tuple[str, ...]
) -> tuple[OutcomeResult, str]:
    """The days of the longest run, known where no assessment that is not known could lengthen it."""
    if all(truth is None for _, truth in truths):
        return replace(timed, missing=missing, unit="d"), "no assessment known"
    exact = Decimal(lower) if lower == upper else None
    result = replace(
        timed,
        result="not-evaluable" if exact is None else "value",
        value=exact,
        lower=Decimal(lower),
        upper=Decimal(upper),
        unit="d",
        missing=() if exact is not None else missing,
    )
    return result, "" if exact is not None else "some assessments not known"


def _states(measures: Sequence[Measure], plan: Plan, seen: Mapping[_Key, Assessment]) -> dict[str, tuple[State, ...]]:
    """What is known of each state on each day of assessment, by the key of its definition."""
    words: dict[Truth, StateWord] = {True: "met", False: "not-met", None: "unknown"}
    found: dict[str, dict[dt.date, StateWord]] = {}
    for number, places in plan.places.items():
        measure = measures[number]
        if measure.condition is None:
            continue
        for place in places:
            if place.day is not None:
                findings = seen[_key(plan.patient, place)].findings
                truth = evaluate(measure.condition, findings.bounds, {})
                found.setdefault(measure.definition.key, {}).setdefault(place.day, words[truth])
    return {key: tuple(sorted(states.items())) for key, states in found.items()}


def _measure_name(measure: Measure) -> str:
    """What a time point lacks: the lead measure."""
    return _label(measure.lead) if measure.lead else "assessment"


def _label(feature: c.Feature) -> str:
    """What a feature is about, without dates: the labels of its instrument, tests or value set."""
    for parameter in ("instrument", "test", "valueSet"):
        value = feature.get(parameter)
        if value is not None:
            names = value if isinstance(value, tuple) else (str(value),)
            return " or ".join(dict.fromkeys(ontology_label(name) for name in names))
    return feature.kind


def _open_measures(condition: c.Condition, findings: Findings) -> str:
    """The measures that leave a state open, in words without dates, so that they can be counted over a cohort."""
    open_leaves = [
        node for node in c.walk(condition) if isinstance(node, c.Leaf) and evaluate(node, findings.bounds, {}) is None
    ]
    return ", ".join(dict.fromkeys(_label(leaf.feature) for leaf in open_leaves)) or "a judgement"


def _shown(bound: Bound, unit: str | None) -> str:
    low, high = bound
    suffix = f" {unit}" if unit and not unit.startswith("{") else ""
    if low is None and high is None:
        return "not known"
    if low == high:
        return f"{low}{suffix}"
    if low is None or high is None:
        return f"at least {low}{suffix}" if high is None else f"at most {high}{suffix}"
    return f"{low} to {high}{suffix}"


def _listed(days: Sequence[dt.date]) -> str:
    """The first days of several."""
    more = f" and {len(days) - 3} more days" if len(days) > 3 else ""
    return ", ".join(map(str, days[:3])) + more
