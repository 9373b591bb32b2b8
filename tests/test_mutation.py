"""The suite bites: whatever number of a trial file is changed by a step, the status of some case changes.

Every mutant is evaluated over all cases of its trial, with their own readings, events and windows, by the direct
evaluator; only the changed leaf's feature is computed anew.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from caselib import ON, Case, Suite, bundle
from cases import SUITES
from mutants import Mutant, leaves, mutants, with_node
from sle_kg.criteria import Feature, Leaf, RowRef, walk
from sle_kg.evaluate import UNBOUNDED, Bound, RuleSet, evaluate, row_truths
from sle_kg.features import Ask, FeatureBuilder, FeatureOptions, resolve_events
from sle_kg.features.asks import WINDOWS
from sle_kg.patients.read import read_patients
from sle_kg.screening import Facts
from sle_kg.terminology import terminology
from sle_kg.trials import load_trials
from sle_kg.verdicts import status_of

EQUIVALENT = {
    "NCT06106906/E28b/condition/2/1: unmet not >= 88",
    "NCT06106906/E28b/condition/2/1: unmet not >= 90",
}
"""Mutants that no patient can tell: a short anticoagulation needs judgement, whether surely short or perhaps."""

Values = dict[tuple[int, str], Bound]
"""Bounds by ask and slug."""


@dataclass(frozen=True)
class Stated:
    """A row of which a case states the status, and the rules under which it does."""

    ask: int
    row: str
    rules: RuleSet


class Bench:
    """The cases of a suite, ready to be asked for features under changed parameters and windows."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self.trial = load_trials()[suite.trial]
        self.cases: list[Case] = [case for case in suite.cases if not case.asked.code_map]
        file = folder / "patients.json"
        file.write_text(bundle(self.cases), encoding="utf-8")
        data = read_patients([file], terminology())
        facts = Facts(data.tables, ON)
        self.mutants = list(mutants(self.trial))
        features = {*self.trial.features(), *(m.changed.feature for m in self.mutants if isinstance(m.changed, Leaf))}
        self._builder = FeatureBuilder(data.tables, sorted(features, key=lambda f: f.slug), terminology())
        self.asks = []
        for number, case in enumerate(self.cases):
            stated = {name: dt.date.fromisoformat(day) for name, day in case.asked.events}
            events = resolve_events(data.tables, [case.slug], suite.trial, ON, stated)[case.slug]
            self.asks.append(Ask(number, case.slug, suite.trial, ON, ON, events))
        self.attestations = [facts.attestations(case.slug, suite.trial) for case in self.cases]
        self.before = self.values(self.trial.features())
        self.bounds: list[dict[str, Bound]] = [{} for _ in self.cases]
        for (ask, slug), bound in self.before.items():
            self.bounds[ask][slug] = bound
        self.stated = list(self._stated())
        self._statuses = [self._status(place, place.rules, {}) for place in self.stated]
        self._leaves = {leaf.iri: leaf for row in self.trial.criteria for leaf in leaves(row)}

    def values(self, features: Sequence[Feature], window: str | None = None, days: int = 0) -> Values:
        """The bounds of features for every case, one kind of window longer or shorter by some days."""
        groups: dict[tuple[tuple[str, ...], tuple[tuple[str, int], ...]], list[Ask]] = {}
        for case, ask in zip(self.cases, self.asks, strict=True):
            groups.setdefault((case.asked.complete, case.asked.windows), []).append(ask)
        found: Values = {}
        for (complete, windows), asks in groups.items():
            wider = dict(windows)
            if window is not None:
                wider[window] = wider.get(window, WINDOWS[window]) + days
            options = FeatureOptions(frozenset(complete), wider)
            for value in self._builder.compute(asks, {self.trial.id: features}, options):
                found[value.ask, value.slug] = (value.lower, value.upper)
        return found

    def kills(self, mutant: Mutant, after: Values) -> bool:
        """Whether some case tells the mutant from the trial."""
        changed = {place for place in range(len(self.cases)) if self._differs(mutant, place, after)}
        if mutant.flag is not None:
            return any(self._flag_differs(mutant, place, after) for place in changed)
        return any(
            place.ask in changed
            and mutant.row in _reach(place.rules, place.row)
            and status
            != self._status(place, _mutated(place.rules, mutant), self._changed_bounds(mutant, place.ask, after))
            for place, status in zip(self.stated, self._statuses, strict=True)
        )

    def _stated(self) -> Iterator[Stated]:
        for number, case in enumerate(self.cases):
            readings = dict(case.asked.readings)
            own = RuleSet.of(self.trial, readings)
            for row in case.statuses:
                yield Stated(number, row, own)
            for row, others in case.others.items():
                for name in others:
                    ambiguity, key = name.split("/")
                    yield Stated(number, row, RuleSet.of(self.trial, {**readings, ambiguity: key}))

    def _status(self, place: Stated, rules: RuleSet, changed: Mapping[str, Bound]) -> str:
        truth = row_truths(rules, {**self.bounds[place.ask], **changed}, self.attestations[place.ask])[place.row]
        return status_of(self.trial.criterion(place.row), truth.met, truth.not_applicable)

    def _changed_bounds(self, mutant: Mutant, place: int, after: Values) -> dict[str, Bound]:
        if mutant.changed is None:
            some = [leaf.feature for leaf in leaves(self.trial.criterion(mutant.row))]
            slugs = [feature.slug for feature in some if feature.get("validFor") == mutant.kind]
        else:
            slugs = [mutant.changed.feature.slug] if isinstance(mutant.changed, Leaf) else []
        return {slug: after.get((place, slug), UNBOUNDED) for slug in slugs}

    def _differs(self, mutant: Mutant, place: int, after: Values) -> bool:
        """Whether the truth of the changed leaf differs for a case."""
        if not isinstance(mutant.changed, Leaf):
            return True
        original = self._leaves[mutant.changed.iri]
        then = self._changed_bounds(mutant, place, after)
        return evaluate(original, self.bounds[place], {}) is not evaluate(mutant.changed, then, {})

    def _flag_differs(self, mutant: Mutant, place: int, after: Values) -> bool:
        assert mutant.flag is not None and mutant.changed is not None
        wanted = self.cases[place].rows.get(mutant.row, {}).get("flags")
        if wanted is None:
            return False
        bounds = self.bounds[place]
        before = evaluate(mutant.flag.condition, bounds, {}) is True
        changed = with_node(mutant.flag.condition, mutant.changed)
        then = evaluate(changed, {**bounds, **self._changed_bounds(mutant, place, after)}, {}) is True
        return before != then and (wanted in mutant.flag.text if before else wanted == "")


def _mutated(rules: RuleSet, mutant: Mutant) -> RuleSet:
    """The rules with the changed node in place of the old one; a change of window changes bounds alone."""
    if mutant.changed is None:
        return rules
    conditions = {**rules.conditions, mutant.row: with_node(rules.conditions[mutant.row], mutant.changed)}
    return replace(rules, conditions=conditions)


def _reach(rules: RuleSet, row: str) -> set[str]:
    """The row and every row that it refers to."""
    found, todo = set(), [row]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            trees = [tree for tree in (rules.conditions[one], rules.not_applicable.get(one)) if tree is not None]
            todo += [node.row for tree in trees for node in walk(tree) if isinstance(node, RowRef)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.trial)
def test_no_number_of_a_trial_can_change_unseen(suite: Suite, tmp_path: Path) -> None:
    bench = Bench(suite, tmp_path)
    nodes = [mutant for mutant in bench.mutants if mutant.changed is not None]
    features = {mutant.changed.feature for mutant in nodes if isinstance(mutant.changed, Leaf)}
    after = bench.values(sorted(features, key=lambda feature: feature.slug))
    survivors = [mutant.what for mutant in nodes if not bench.kills(mutant, after)]
    windows = [mutant for mutant in bench.mutants if mutant.changed is None]
    for kind, days in sorted({(mutant.kind, mutant.days) for mutant in windows}):
        aging = [feature for feature in bench.trial.features() if feature.get("validFor") == kind]
        after = bench.values(aging, kind, days)
        survivors += [m.what for m in windows if (m.kind, m.days) == (kind, days) and not bench.kills(m, after)]
    assert len(bench.mutants) > 50
    known = {what for what in EQUIVALENT if what.startswith(suite.trial)}
    assert set(survivors) == known, json.dumps(survivors, indent=1)
