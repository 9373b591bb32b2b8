"""Graded scales: CTCAE v5.0 from laboratory results, CRS and ICANS of ASTCT 2019, the SELENA flare index.

Each grade has the condition of *at least* that grade, so that missing facts bound a grade from below and above.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sle_kg.criteria import Condition, Leaf, features_of, under_readings, walk
from sle_kg.definitions import Scale
from sle_kg.evaluate import UNBOUNDED, Truth, evaluate
from sle_kg.followup.assessment import Assessment, Scorer, feature, window_of
from sle_kg.followup.explain import sentence
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.session import tests_of
from sle_kg.ontology import Instrument


class GradeScore(Scorer):
    """One scale of an instrument; `recorded` is the observable of an investigator's own grade, which goes first."""

    def __init__(
        self, instrument: Instrument, scale: Scale, recorded: str | None, facet: str | None, readings: Mapping[str, str]
    ) -> None:
        self.instrument, self.scale, self.facet = instrument, scale, facet
        self.numbers = [grade.number for grade in scale.grades]
        self.trees = {
            grade.number: under_readings(grade.at_least, readings)
            for grade in scale.grades
            if grade.at_least is not None
        }
        wanted = {one for tree in self.trees.values() for one in features_of(tree)}
        self.recorded = feature("AssessedScoreCondition", instrument=recorded) if recorded else None
        self.features = sorted(wanted, key=lambda one: one.slug) + ([self.recorded] if self.recorded else [])
        self.tests = sorted(
            {test for one in self.features if "at" not in dict(one.parameters) for test in tests_of(one)}
        )
        self.window = window_of(instrument)

    def result(self, seen: Assessment) -> ScoreResult:
        """The grade of one day, with bounds."""
        truths = {number: evaluate(tree, seen.findings.bounds, {}) for number, tree in self.trees.items()}
        lower, upper = grade_bounds({number: truths.get(number) for number in self.numbers}, set(truths))
        stated = self._stated(seen)
        contradictions: tuple[str, ...] = ()
        if stated is None:
            reason, missing = self._words(seen, lower, upper)
        elif stated[0] > self.numbers[-1] or (lower <= stated[0] and stated[1] <= upper):
            lower, upper = stated
            reason, missing = f"{self._grade(*stated)} as recorded {seen.when()}", (f"which grade holds {seen.when()}",)
        else:
            contradictions = (self._contradiction(stated, (lower, upper)),)
            lower, upper = min(lower, stated[0]), max(upper, stated[1])
            reason = f"{self._grade(lower, upper)}; the recorded grade and the findings of the day disagree"
            missing = ("which holds, the recorded grade or the findings of the day",)
        exact = lower == upper
        return ScoreResult(
            patient=seen.patient,
            date=seen.on,
            name=self.instrument.score_name or self.instrument.key,
            value=Decimal(lower) if exact else None,
            lower=Decimal(lower),
            upper=Decimal(upper),
            reason=sentence(reason),
            missing=() if exact else missing,
            facet=self.facet,
            contradictions=contradictions,
            evidence=seen.evidence(*self.features),
        )

    def _stated(self, seen: Assessment) -> tuple[int, int] | None:
        """The recorded grade of the day, as a range where several are recorded."""
        lower, upper = seen.bound(self.recorded) if self.recorded else UNBOUNDED
        return None if lower is None or upper is None else (int(lower), int(upper))

    def _grade(self, lower: int, upper: int) -> str:
        name = self.facet or self.instrument.label
        return f"{name}: {_range(lower, upper)}"

    def _contradiction(self, stated: tuple[int, int], computed: tuple[int, int]) -> str:
        return sentence(f"{_range(*stated)} is recorded, and the findings of the day make {_range(*computed)}")

    def _words(self, seen: Assessment, lower: int, upper: int) -> tuple[str, tuple[str, ...]]:
        """Why the computed grade is what it is, and what would settle it."""
        grade = self._grade(lower, upper)
        if lower == upper:
            shows = seen.explain(self.trees.get(lower) or self.trees[min(self.trees)])
            return f"{grade}: {_inside(shows.reason)}", ()
        reached = f"{_inside(seen.explain(self.trees[lower]).reason)}; " if lower in self.trees else ""
        still = range(lower + 1, upper + 1)
        open_ones = [seen.explain(self.trees[number]) for number in still if number in self.trees]
        judged = [f"the investigator's judgement whether it is grade {n}" for n in still if n not in self.trees]
        why = [_inside(one.reason) for one in open_ones[:1]] or [f"whether it is grade {upper} is to be judged"]
        missing = [text for one in open_ones for text in one.missing]
        return f"{grade}: {reached}{'; '.join(why)}", tuple(dict.fromkeys([*missing, *judged]))


def grade_bounds(truths: Mapping[int, Truth], computable: set[int]) -> tuple[int, int]:
    """Least and greatest grade that the truths of "at least grade n" leave possible; 0 is no grade.

    A grade that is not `computable` is for the investigator to tell: it stays possible only where the one below it is
    reached.
    """
    lower = max((number for number, truth in truths.items() if truth is True), default=0)
    upper = lower
    for number in sorted(number for number in truths if number > lower):
        possible = truths[number] is None if number in computable else number - 1 == lower
        if not possible:
            break
        upper = number
    return lower, upper


def first_tests(condition: Condition) -> tuple[str, ...]:
    """The tests of a tree's lead measure: the first leaf that reads any."""
    leaves = (node for node in walk(condition) if isinstance(node, Leaf))
    return next((tests for leaf in leaves if (tests := tests_of(leaf.feature))), ())


def _range(lower: int, upper: int) -> str:
    return f"grade {lower}" if lower == upper else f"between grade {lower} and {upper}"


def _inside(reason: str) -> str:
    return reason.removesuffix(".")
