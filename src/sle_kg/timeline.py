"""Dates ahead: when a failing row would pass, until when a passing row passes, when a patient would be eligible.

Days are searched with the direct evaluator over feature bounds; no calendar arithmetic is inverted. Each leaf is
probed on a grid of days and, between two days on which its truth differs, ever more finely to the day of the change.
That finds every change, provided that no leaf changes and changes back between two days of the grid; windows and
durations only run out or fill up once. Whoever asks for a date has the engine confirm it (`screening.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import UNBOUNDED, Attestations, Bounds, RowTruth, RuleSet, Truth, compare, row_truths

HORIZON = 731
"""Two years of days: no date further ahead is given for a row that fails, or for a patient."""
GRID = 28
"""Days between the first probes: no window of the trials that closes and opens again is shorter."""
PARTS = GRID
"""Into so many parts a gap is divided, so that days between two of the grid are asked for at once: rounds cost most."""
AGE_YEARS = 100
"""Upper age limits lie further ahead; they are probed year by year up to here."""

UNCHANGING = frozenset(
    {
        "AllergyCondition",
        "ConsentCondition",
        "ContraindicationCondition",
        "DrugCountCondition",
        "NoChildbearingPotentialCondition",
        "SexCondition",
        "StatementCondition",
        "BiopsyCondition",
        "BiopsyClassCondition",
        "BiopsyIndexCondition",
        "ClassificationCondition",
        "DiagnosisCountCondition",
    }
)
"""Leaf classes whose value no passing of time changes: facts of a lifetime, agreements, attestations."""
EXPIRING = frozenset(
    {
        "MeasurementCondition",
        "CreatinineClearanceCondition",
        "RoomAirCondition",
        "ScoreCondition",
        "PositiveTestCondition",
        "QuantifiedCondition",
        "PregnancyCondition",
    }
)
"""Leaf classes that time changes only by the age of a result: unchanging where results are taken as repeated."""


RUNNING_OUT = frozenset(
    {
        "DiagnosisCondition",
        "DonatedVolumeCondition",
        "ExposureCondition",
        "HighestDoseCondition",
        "ImmunizationCondition",
        "ProcedureCondition",
        "WashoutCondition",
    }
)
"""Leaf classes of facts in a window: without new facts they can leave the window, never enter it."""


RISING = frozenset({"AgeCondition", "DaysSinceDiagnosisCondition", "FertilityCondition"})
"""Leaf classes whose value only rises with time: where such a leaf is today what it is at the end, it never changes."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A request for the bounds of features of one case, some days after its screening date.

    `repeat`: results are taken as repeated unchanged on that day; otherwise they keep their dates and age.
    """

    case: int
    days: int
    repeat: bool


class Prober(Protocol):
    """Computes features on later days: the feature builder, or a table in a test."""

    def __call__(self, probes: Sequence[Probe], features: Sequence[Feature]) -> list[Bounds]: ...


@dataclass(frozen=True)
class Case:
    """One patient and one trial whose future is searched; `bounds` are those of the screening date."""

    id: int
    rules: RuleSet
    bounds: Bounds
    attestations: Attestations


@dataclass(frozen=True)
class Course:
    """The truths of a case's leaves over the days ahead: constant from each day of `days` up to the next one."""

    case: Case
    days: tuple[int, ...]
    bounds: tuple[Bounds, ...]

    @cached_property
    def truths(self) -> list[dict[str, RowTruth]]:
        """The truth of every row from each day of `days` on."""
        return [row_truths(self.case.rules, bounds, self.case.attestations) for bounds in self.bounds]

    def first_pass(self, row: str) -> int | None:
        """The first day on which the row passes, 0 the screening date; None when there is none."""
        return next((day for day, passing in self._passing(row) if passing), None)

    def last_pass(self, row: str) -> int | None:
        """The last day on which the row still passes as it does at screening; None when it still does at the end."""
        return next((day - 1 for day, passing in self._passing(row) if not passing), None)

    def first_eligible(self) -> int | None:
        """The first day on which every top-level row passes or asks nothing."""
        tops = [criterion.id for criterion in self.case.rules.trial.criteria if criterion.parent is None]
        for day, truths in zip(self.days, self.truths, strict=True):
            if all(passes(self.case.rules, row, truths[row]) for row in tops):
                return day
        return None

    def _passing(self, row: str) -> list[tuple[int, bool]]:
        rules = self.case.rules
        return [(day, passes(rules, row, truths[row])) for day, truths in zip(self.days, self.truths, strict=True)]


def passes(rules: RuleSet, row: str, truth: RowTruth) -> bool:
    """Whether a row speaks for enrolment: passed, or not applicable."""
    return truth.not_applicable or truth.met is (rules.trial.criterion(row).kind == "inclusion")


def courses(
    cases: Sequence[Case], wanted: Mapping[int, Sequence[str]], repeat: bool, probe: Prober
) -> dict[int, Course]:
    """The course of each case, as far as the rows `wanted` of it (by case id) depend on time.

    Cases that wait for nothing have no course. Probes of all cases of a trial go together, in a few rounds.
    """
    found: dict[int, Course] = {}
    by_trial: dict[str, list[_Search]] = {}
    for case in cases:
        leaves = changing_leaves(case, wanted.get(case.id, ()), repeat)
        if leaves:
            by_trial.setdefault(case.rules.trial.id, []).append(_Search(case, leaves, repeat))
    for searches in by_trial.values():
        rising = [search for search in searches if only_rising(search.leaves)]
        others = [search for search in searches if not only_rising(search.leaves)]
        _search(rising, [HORIZON], probe, lambda leaf: True)
        _search(others, [*range(GRID, HORIZON, GRID), HORIZON], probe, lambda leaf: True)
        if not repeat:
            aging = [search for search in searches if any(map(_age_limit, search.leaves))]
            _search(aging, [HORIZON + 365 * year for year in range(1, AGE_YEARS)], probe, _age_limit)
        found |= {search.case.id: search.course() for search in searches}
    return found


def only_rising(leaves: Sequence[Leaf]) -> bool:
    """Whether the value of every one of these leaves only rises with time."""
    return all(leaf.feature.kind in RISING for leaf in leaves)


def may_pass_later(case: Case, row: str) -> bool:
    """Whether time could make a failing or unknown row pass, results taken as repeated.

    It cannot where no leaf changes, nor where the row fails whatever the changing leaves are.
    """
    leaves = changing_leaves(case, [row], True)
    if not leaves:
        return False
    open_slugs = {leaf.feature.slug for leaf in leaves}
    still = {slug: bound for slug, bound in case.bounds.items() if slug not in open_slugs}
    criterion = case.rules.trial.criterion(row)
    fails = criterion.kind == "exclusion"
    return row_truths(case.rules, still, case.attestations)[row].met is not fails


def changing_leaves(case: Case, rows: Sequence[str], repeat: bool) -> list[Leaf]:
    """The leaves of the rows whose truth time alone can change."""
    leaves = case.rules.leaves(case.rules.reached(rows))
    return [
        leaf for leaf in leaves if changes(leaf, compare(leaf, case.bounds.get(leaf.feature.slug, UNBOUNDED)), repeat)
    ]


def changes(leaf: Leaf, truth: Truth, repeat: bool) -> bool:
    """Whether time alone can change a leaf whose truth is this today, results taken as repeated or not."""
    kind = leaf.feature.kind
    if kind in UNCHANGING or (repeat and kind in EXPIRING):
        return False
    if kind == "DiagnosisCondition" and leaf.feature.get("when") == "ever":
        return False
    return not (kind in RUNNING_OUT and leaf.operator in (">=", ">") and truth is False)


class _Search:
    """The days probed so far for one case, with the bounds found."""

    def __init__(self, case: Case, leaves: Sequence[Leaf], repeat: bool) -> None:
        self.case, self.leaves, self.repeat = case, leaves, repeat
        self.known: dict[int, Bounds] = {0: case.bounds}
        self._slugs = [leaf.feature.slug for leaf in leaves]
        self._truths: dict[int, tuple[Truth, ...]] = {}

    def truths(self, day: int) -> tuple[Truth, ...]:
        """The truth of each leaf on a day that was probed."""
        if day not in self._truths:
            bounds = self.known[day]
            self._truths[day] = tuple(
                compare(leaf, bounds.get(slug, UNBOUNDED)) for leaf, slug in zip(self.leaves, self._slugs, strict=True)
            )
        return self._truths[day]

    def gaps(self) -> list[tuple[list[int], set[Feature]]]:
        """Between neighbours that differ: the days to probe next, and the features that differ."""
        found = []
        for before, after in pairwise(sorted(self.known)):
            changed = {
                leaf.feature
                for leaf, now, then in zip(self.leaves, self.truths(before), self.truths(after), strict=True)
                if now is not then
            }
            if changed and after - before > 1:
                step = -(-(after - before) // PARTS)
                found.append((list(range(before + step, after, step)), changed))
        return found

    def learn(self, day: int, bounds: Bounds) -> None:
        """What was computed for a day; features that were not asked for stay as on the day known before it."""
        before = max(known for known in self.known if known < day)
        self.known[day] = {**self.known[before], **bounds}

    def course(self) -> Course:
        """The days on which some leaf changes, the screening date first."""
        days = sorted(self.known)
        turns = [0] + [after for before, after in pairwise(days) if self.truths(before) != self.truths(after)]
        return Course(self.case, tuple(turns), tuple(self.known[day] for day in turns))


def _age_limit(leaf: Leaf) -> bool:
    return leaf.feature.kind == "AgeCondition" and leaf.operator in ("<=", "<")


def _search(searches: Sequence[_Search], first: Sequence[int], probe: Prober, concerns: Callable[[Leaf], bool]) -> None:
    """Probe the `first` days of every search, then the gaps that open, until each change is known to the day."""
    features = {leaf.feature for search in searches for leaf in search.leaves if concerns(leaf)}
    todo = [(search, day) for search in searches for day in first] if features else []
    while todo:
        probes = [Probe(search.case.id, day, search.repeat) for search, day in todo]
        found = probe(probes, sorted(features, key=lambda feature: feature.slug))
        for (search, day), bounds in zip(todo, found, strict=True):
            search.learn(day, {feature.slug: bounds.get(feature.slug, UNBOUNDED) for feature in features})
        todo, features = [], set()
        for search in searches:
            for days, changed in search.gaps():
                todo += [(search, day) for day in days]
                features |= changed
