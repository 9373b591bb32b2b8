"""What is measured for a trial: its outcome definitions under the readings and thresholds that the user chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sle_kg import criteria as c
from sle_kg.errors import InputError
from sle_kg.followup.options import FollowUpOptions
from sle_kg.followup.session import check_thresholds, is_score, tests_of, with_thresholds
from sle_kg.outcomes import Outcome, OutcomeDefinition, Schedule, load_outcomes
from sle_kg.trials import load_trials


@dataclass(frozen=True, slots=True)
class Measure:
    """One definition of one outcome, ready to be evaluated: `condition` without readings, thresholds set.

    `features` are all that it needs, `lead` is the one by which the day of the assessment is chosen: the first of its
    tree that reads tests, or the value (None: it reads none). `tests` are those of every feature, `lead_tests` those of
    the lead measure. `visit_tests` are the scores of the outcome and its
    components, whose days are visits where the record names none; empty for an outcome without a score.
    """

    outcome: Outcome
    definition: OutcomeDefinition
    condition: c.Condition | None
    features: tuple[c.Feature, ...]
    lead: c.Feature | None
    schedule: Schedule
    tests: tuple[str, ...]
    lead_tests: tuple[str, ...]
    visit_tests: tuple[str, ...] = ()

    @property
    def looks_back(self) -> bool:
        """Whether a feature compares with the previous assessment."""
        return any("previous" in (feature.get("at"), feature.get("since")) for feature in self.features)


def outcomes_of(trial: str) -> tuple[Outcome, ...]:
    """The outcome rows of a trial.

    Raises InputError for a name that is no modelled trial and for a trial whose record states no outcomes.
    """
    found = load_outcomes()
    if trial not in load_trials():
        raise InputError(f"--trial: {trial!r} is no modelled trial; choose among {', '.join(found)}")
    if trial not in found:
        raise InputError(
            f"--trial: the record of {trial}, in the copy used, states no outcomes, so none can be computed; "
            "check the registry or the protocol"
        )
    return found[trial]


def measures_of(outcomes: Sequence[Outcome], options: FollowUpOptions) -> list[Measure]:
    """The definitions that serve under the readings chosen, in the order of the record.

    Raises InputError for a threshold that no definition leaves open.
    """
    conditions = [d.condition for outcome in outcomes for d in outcome.definitions if d.condition is not None]
    check_thresholds(conditions, options.thresholds)
    chosen = _readings(outcomes[0].trial) | dict(options.readings)
    plain = [
        _measure(outcome, definition, chosen, options, outcomes)
        for outcome in outcomes
        for definition in outcome.definitions
        if definition.reading is None or chosen.get(definition.reading[0]) == definition.reading[1]
    ]
    scores: dict[str, set[str]] = {}
    for measure in plain:
        family = measure.outcome.parent or measure.outcome.id
        scores.setdefault(family, set()).update(filter(is_score, measure.tests))
    return [
        replace(measure, visit_tests=tuple(sorted(scores[measure.outcome.parent or measure.outcome.id])))
        for measure in plain
    ]


def numbering(outcomes: Sequence[Outcome]) -> int:
    """The number that the record gives to the day of infusion: 0 or 1."""
    return max(outcome.schedule.infusion_day for outcome in outcomes)


def _measure(
    outcome: Outcome,
    definition: OutcomeDefinition,
    readings: Mapping[str, str],
    options: FollowUpOptions,
    outcomes: Sequence[Outcome],
) -> Measure:
    condition = definition.condition
    if condition is not None:
        condition = c.under_readings(condition, readings)
        changed = _adjusted(condition, options)
        condition = with_thresholds(condition, options.thresholds)
        definition = replace(definition, words=f"{definition.words} ({changed})" if changed else definition.words)
    if definition.reports == "change":
        definition = replace(definition, words=f"{definition.words}, change since baseline")
    leaves = [node.feature for node in c.walk(condition) if isinstance(node, c.Leaf)] if condition is not None else []
    reported = [feature for feature in (definition.value, definition.change) if feature is not None]
    features = tuple(dict.fromkeys([*leaves, *reported]))
    parent = next((other for other in outcomes if other.id == outcome.parent), outcome)
    lead = next((feature for feature in features if tests_of(feature)), None)
    return Measure(
        outcome=outcome,
        definition=definition,
        condition=condition,
        features=features,
        lead=lead,
        schedule=outcome.schedule if outcome.schedule.named else parent.schedule,
        tests=tuple(sorted({test for feature in features for test in tests_of(feature)})),
        lead_tests=tests_of(lead) if lead else (),
    )


def _adjusted(condition: c.Condition, options: FollowUpOptions) -> str:
    """The user's own thresholds of a condition, as the output names them."""
    names = {node.adjustable for node in c.walk(condition) if isinstance(node, c.Leaf) and node.adjustable}
    return ", ".join(f"{name} = {options.thresholds[name]}" for name in sorted(names & set(options.thresholds)))


def _readings(trial: str) -> dict[str, str]:
    """The default reading of each ambiguity of a trial."""
    return {reading.ambiguity: reading.key for reading in load_trials()[trial].readings if reading.default}
