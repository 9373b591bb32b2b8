"""Graded scales: CTCAE v5.0 from laboratory results, CRS and ICANS of ASTCT 2019, the SELENA flare index.

Each grade has the condition of *at least* that grade, so that missing facts bound a grade from below and above.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sle_kg.criteria import Condition, Leaf, features_of, under_readings, walk
from sle_kg.definitions import Scale
from sle_kg.evaluate import Truth
from sle_kg.followup.assessment import Assessment, Scorer, feature, known, window_of
from sle_kg.followup.explain import Explanation, sentence
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.session import tests_of
from sle_kg.ontology import Instrument
from sle_kg.wording import shown


class GradeScore(Scorer):
    """One scale of an instrument; `recorded` is the observable of an investigator's own grade, which goes first."""

    def __init__(
        self, instrument: Instrument, scale: Scale, recorded: str | None, facet: str | None, readings: Mapping[str, str]
    ) -> None:
        self.instrument, self.scale, self.facet = instrument, scale, facet
        self.conditions: dict[int, Condition | None] = {
            grade.number: None if grade.at_least is None else under_readings(grade.at_least, readings)
            for grade in scale.grades
        }
        wanted = {one for tree in self.conditions.values() if tree is not None for one in features_of(tree)}
        self.recorded = feature("AssessedScoreCondition", instrument=recorded) if recorded else None
        self.features = sorted(wanted, key=lambda one: one.slug) + ([self.recorded] if self.recorded else [])
        self.tests = sorted(
            {test for one in self.features if "at" not in dict(one.parameters) for test in tests_of(one)}
        )
        self.window = window_of(instrument)

    def result(self, seen: Assessment) -> ScoreResult:
        """The grade of one day, with bounds."""
        said = {number: seen.explain(tree) for number, tree in self.conditions.items() if tree is not None}
        computed = grade_bounds({n: said[n].truth if n in said else None for n in self.conditions}, set(said))
        lower, upper = computed
        contradictions: tuple[str, ...] = ()
        stated = known(seen.bound(self.recorded)) if self.recorded else None
        if stated is not None and (lower <= stated <= upper or stated > max(self.conditions)):
            lower = upper = int(stated)
        elif stated is not None:
            contradictions = (self._contradiction(stated, computed),)
            lower, upper = min(lower, int(stated)), max(upper, int(stated))
        exact = lower == upper
        reason, missing = self._words(seen, said, lower, upper, stated)
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

    def _contradiction(self, stated: Decimal, computed: tuple[int, int]) -> str:
        lower, upper = computed
        grades = f"grade {lower}" if lower == upper else f"grades {lower} to {upper}"
        return sentence(f"grade {shown(stated)} is recorded, and the findings of the day make {grades}")

    def _words(
        self,
        seen: Assessment,
        said: Mapping[int, Explanation],
        lower: int,
        upper: int,
        stated: Decimal | None,
    ) -> tuple[str, tuple[str, ...]]:
        """Why the grade is what it is, and what would settle it."""
        name = self.facet or self.instrument.label
        grade = f"{name}: grade {lower}" if lower == upper else f"{name}: between grade {lower} and {upper}"
        if stated is not None and lower == upper:
            return f"{grade} as recorded {seen.when()}", ()
        if stated is not None:
            return f"{grade}; the recorded grade {shown(stated)} and the findings disagree", (
                "which holds, the recorded grade or the findings of the day",
            )
        if lower == upper:
            shows = said.get(lower) or said[min(said)]
            return f"{grade}: {_inside(shows.reason)}", ()
        reached = f"{_inside(said[lower].reason)}; " if lower in said else ""
        still = range(lower + 1, upper + 1)
        open_ones = [said[number] for number in still if number in said]
        judged = [f"the investigator's judgement whether it is grade {n}" for n in still if n not in said]
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


def _inside(reason: str) -> str:
    return reason.removesuffix(".")
