"""What may be changed in a trial: a row dropped, or a threshold, window, wash-out, gap or dose relaxed in steps.

A limit is relaxed so that more patients may enter. Which way that is follows from its place in the tree: of a finding
that is required the threshold and the dose kept up go down, the window and the gaps in treatment get longer; of one
that excludes the threshold and the dose go up, and the window, the wash-out or the gaps get shorter. Where a row has
one comparison in both places, both ways are tried. How long results serve is one limit of the whole trial: results of
one day are too old together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from sle_kg.conditions import MONTHS_WITHOUT_ANCHOR
from sle_kg.criteria import Always, Condition, Feature, Leaf, Operator, Parameter, Trial, signed, with_leaves
from sle_kg.evaluate import RuleSet
from sle_kg.features.asks import WINDOWS
from sle_kg.features.database import names_of
from sle_kg.features.sql import days_of, duration_parts
from sle_kg.ontology import laboratory_tests
from sle_kg.phrases import lower_first
from sle_kg.sql_plan import leaf_key

if TYPE_CHECKING:
    from sle_kg.wording import Words

Limit = Literal["threshold", "lookback", "halfLives", "gap", "concurrentGap", "dailyDose"]
"""What of a leaf is relaxed: the number compared with, the look-back window, the half-lives of a wash-out, the gaps
that a treatment, or a medicine taken beside it, may have, or the daily dose that must be kept up."""
TrialLimit = Literal["validFor"]
"""What of a whole trial is relaxed: how long results serve."""
Amount = tuple[Decimal, str | None]
"""A limit as a number with its unit: `d` days, `mo` months, `{halfLife}`, or the unit of a threshold or dose."""

STEPS = 5
"""Steps by which a limit is relaxed."""
STEP_OF_UNIT = dict.fromkeys(("a", "mo", "{score}", "{count}", "{halfLife}", "%"), Decimal(1))
"""One step of a limit in such a unit: a year, a month, a point, one more, a percentage point."""
STEPS_OF_DAYS = ((14, Decimal(1)), (90, Decimal(7)))
"""Of limits up to so many days the step in days; `STEP_OF_LONG_TIMES` beyond."""
STEP_OF_LONG_TIMES = Decimal(28)
STEP_OF_TEST = {"pga": Decimal("0.1"), "lvef": Decimal(5)}
"""One step of what is told more finely, or more coarsely, than by points."""
SHARE = Decimal("0.1")
"""One step of any other threshold: this share of it."""
UNSTEPPED = (None, "{presence}")
"""Units of leaves that ask whether something is there: no threshold to relax."""
MOST_HALF_LIVES = 5
"""Half-lives up to which the days of wash-outs are known."""
RESULTS = {
    "result": "Results",
    "echocardiography": "Echocardiography",
    "serology": "Infection serology",
    "autoantibody": "Autoantibodies",
    "weight": "Body weight",
    "pregnancyTest": "Pregnancy tests",
}
"""Kinds of result that serve for some time (`asks.WINDOWS`), in words."""
READ_BESIDE = {
    "CreatinineClearanceCondition": ("weight",),
    "RoomAirCondition": ("result",),
    "HighestScoreCondition": ("result",),
    "RenalWorseningCondition": ("result",),
}
"""Kinds of result that a feature reads beside the one that its leaf names (`validFor`)."""
_MONTHS = {Decimal(most): number for number, (_, most) in MONTHS_WITHOUT_ANCHOR.items()}
"""Durations of treatment in months (`minDuration`): the days that suffice, and the months."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row dropped, or (`leaf`, and `steps` its relaxed forms) one limit of a comparison in the row relaxed."""

    row: str
    leaf: Leaf | None = None
    steps: tuple[Leaf, ...] = ()
    limit: Limit = "threshold"

    def amount(self, leaf: Leaf) -> Amount:
        """The limit as it is in one form of the leaf. Raises TrialFileError for a duration that is none."""
        return _amount(leaf, self.limit)

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """The limit as it is, then of each step; nothing where the row is dropped."""
        return () if self.leaf is None else tuple(map(self.amount, (self.leaf, *self.steps)))

    @property
    def operator(self) -> Operator | None:
        """The comparison with a threshold."""
        return self.leaf.operator if self.leaf is not None and self.limit == "threshold" else None

    def about(self, words: Words) -> str:
        """What the limit is about, without itself; a window with the event before which it lies."""
        assert self.leaf is not None
        feature = self.leaf.feature
        treated = " or ".join(map(words.label, names_of(feature, "valueSet")))
        match self.limit:
            case "threshold":
                return words.subject(feature)
            case "lookback":
                anchor = words.label(str(feature.get("anchor", "screening"))).lower()
                return f"{words.subject(_without(feature, 'lookback'))} before {anchor}"
            case "halfLives":
                return treated
            case "gap":
                return words.subject(_without(feature, "measure"))
            case "concurrentGap":
                beside = " or ".join(map(words.label, names_of(feature, "concurrentWith")))
                return f"{beside}, beside {lower_first(treated)}"
            case "dailyDose":
                return f"{treated}, dose kept up"


@dataclass(frozen=True, slots=True)
class Serving:
    """Results of one kind serve longer in a whole trial: `days` as it is, `steps` relaxed."""

    kind: str
    days: int
    steps: tuple[int, ...]
    row: ClassVar[str] = ""
    limit: ClassVar[TrialLimit] = "validFor"
    operator: ClassVar[Operator | None] = None

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """The days as they are, then of each step."""
        return tuple((Decimal(days), "d") for days in (self.days, *self.steps))

    def about(self, _words: Words) -> str:
        """What serves."""
        return RESULTS[self.kind]

    def rules(self, rules: RuleSet, days: int) -> RuleSet:
        """The rules under which such results serve so many days."""

        def serving(leaf: Leaf, _wanted: bool) -> Condition:
            return self.longer(leaf, days)

        return replace(
            rules,
            conditions={row: with_leaves(one, serving) for row, one in rules.conditions.items()},
            not_applicable={row: with_leaves(one, serving) for row, one in rules.not_applicable.items()},
        )

    def is_read_by(self, leaf: Leaf) -> bool:
        """Whether the leaf is about such results."""
        return self.kind in read_by(leaf.feature)

    def longer(self, leaf: Leaf, days: int) -> Leaf:
        """The leaf if such results served so many days; itself where it reads none."""
        if not self.is_read_by(leaf):
            return leaf
        parameters = (*leaf.feature.parameters, ("window", f"{self.kind}={days}"))
        return replace(leaf, feature=Feature(leaf.feature.kind, tuple(sorted(parameters))))


def read_by(feature: Feature) -> tuple[str, ...]:
    """The kinds of result that a feature reads and that serve for some time."""
    valid = str(feature.get("validFor"))
    return (*((valid,) if valid in RESULTS else ()), *READ_BESIDE.get(feature.kind, ()))


def servings_of(rules: RuleSet, windows: Mapping[str, int]) -> list[Serving]:
    """How long results of each kind that a trial reads serve: half as long again, and twice as long.

    `windows` are the days that the user sets. Every step is a further feature of many rows, so there are but two.
    """
    read = {kind for leaf in rules.leaves(rules.conditions) for kind in read_by(leaf.feature)}
    found = []
    for kind in RESULTS:
        if kind in read:
            days = windows.get(kind, WINDOWS[kind])
            found.append(Serving(kind, days, tuple(sorted({days * 3 // 2, days * 2} - {days}))))
    return [serving for serving in found if serving.steps]


def changes_of(rules: RuleSet) -> list[Change]:
    """Every change of a trial: each row dropped, then each of its limits that can be relaxed."""
    found = []
    for criterion in rules.trial.criteria:
        found.append(Change(criterion.id))
        uses = {
            (leaf_key(leaf), sign): leaf
            for leaf, sign in signed(rules.conditions[criterion.id], criterion.kind == "inclusion")
            if isinstance(leaf, Leaf)
        }
        for (_, sign), leaf in uses.items():
            changes = [Change(criterion.id, leaf, relaxed(leaf, sign, limit), limit) for limit in _LIMITS]
            found += [change for change in changes if change.steps]
    return found


def further_features(
    trials: Sequence[Trial], readings: Mapping[str, str], windows: Mapping[str, int]
) -> dict[str, list[Feature]]:
    """The features that the changes of each trial compare, many of which the trial itself does not."""
    found = {}
    for trial in trials:
        rules = RuleSet.of(trial, readings)
        features = [step.feature for change in changes_of(rules) for step in change.steps]
        for serving in servings_of(rules, windows):
            for days in serving.steps:
                features += [leaf.feature for leaf in serving.rules(rules, days).leaves(rules.conditions)]
        found[trial.id] = list(dict.fromkeys(features))
    return found


def changed_rules(rules: RuleSet, change: Change, becomes: Condition | None = None) -> RuleSet:
    """The rules with a change made: the row dropped, or its leaf replaced by `becomes`."""
    if change.leaf is None:
        exempt = {**rules.not_applicable, change.row: Always(f"{change.row}/dropped")}
        return replace(rules, not_applicable=exempt)
    assert becomes is not None
    key, by = leaf_key(change.leaf), becomes
    condition = with_leaves(rules.conditions[change.row], lambda leaf, _: by if leaf_key(leaf) == key else leaf)
    return replace(rules, conditions={**rules.conditions, change.row: condition})


def relaxed(leaf: Leaf, wanted: bool, limit: Limit = "threshold") -> tuple[Leaf, ...]:
    """The leaf with a limit moved by one step, two steps …, so that more patients may enter.

    `wanted`: enrolment asks that the leaf holds (else that it does not). None for a leaf without such a limit; a limit
    above zero stays above zero.
    """
    more = (leaf.operator in (">=", ">")) == wanted
    match limit:
        case "threshold":
            return tuple(_thresholds(leaf, more=not more))
        case "lookback":
            return tuple(_windows(leaf, more))
        case "halfLives":
            return tuple(_washouts(leaf, more))
        case "gap" | "concurrentGap":
            return tuple(_gaps(leaf, more, limit))
        case "dailyDose":
            return tuple(_doses(leaf, not more))


_LIMITS = get_args(Limit)


def _thresholds(leaf: Leaf, more: bool) -> Iterator[Leaf]:
    if leaf.unit in UNSTEPPED:
        return
    if (months := _months(leaf)) is not None:
        others = [number for number in MONTHS_WITHOUT_ANCHOR if (number > months if more else number < months)]
        for number in sorted(others, reverse=not more):
            fewest, most = MONTHS_WITHOUT_ANCHOR[number]
            yield replace(leaf, met_bound=Decimal(most), unmet_bound=Decimal(fewest))
        return
    for moved in _moved(leaf.met_bound, _step(leaf), more):
        by = moved - leaf.met_bound
        if leaf.unmet_bound + by > 0 and not _beyond_scale(leaf, moved):
            yield replace(leaf, met_bound=moved, unmet_bound=leaf.unmet_bound + by)


def _windows(leaf: Leaf, more: bool) -> Iterator[Leaf]:
    """A longer window finds more; one of both months and days is left alone."""
    lookback = leaf.feature.get("lookback")
    if lookback is None or all(duration_parts(str(lookback))):
        return
    number, unit = _amount(leaf, "lookback")
    step = STEP_OF_UNIT[unit] if unit == "mo" else _step_of_days(number)
    for moved in _moved(number, step, more):
        yield _with(leaf, "lookback", f"P{moved}{'M' if unit == 'mo' else 'D'}")


def _washouts(leaf: Leaf, more: bool) -> Iterator[Leaf]:
    """A longer wash-out finds more medicines within it."""
    if leaf.feature.get("halfLives") is None:
        return
    number, unit = _amount(leaf, "halfLives")
    for moved in _moved(number, STEP_OF_UNIT[str(unit)], more):
        if moved <= MOST_HALF_LIVES:
            yield _with(leaf, "halfLives", int(moved))


def _gaps(leaf: Leaf, more: bool, limit: Literal["gap", "concurrentGap"]) -> Iterator[Leaf]:
    """Longer gaps make longer treatments; where none is permitted, none is."""
    if not (gap := leaf.feature.get(limit)) or not days_of(str(gap)):
        return
    number, _ = _amount(leaf, limit)
    for moved in _moved(number, _step_of_days(number), more):
        yield _with(leaf, limit, f"P{moved}D")


def _doses(leaf: Leaf, more: bool) -> Iterator[Leaf]:
    """A lower dose is kept up for longer."""
    if leaf.feature.get("dailyDose") is None:
        return
    number, _ = _amount(leaf, "dailyDose")
    for moved in _moved(number, number * SHARE, more):
        yield _with(leaf, "dailyDose", moved)


def _moved(number: Decimal, step: Decimal, more: bool) -> list[Decimal]:
    """The number one step, two steps … up or down, as long as it is above zero."""
    moved = [number + step * n * (1 if more else -1) for n in range(1, STEPS + 1)]
    return [one for one in moved if one > 0]


def _amount(leaf: Leaf, limit: Limit) -> Amount:
    if limit == "halfLives":
        return Decimal(str(leaf.feature.get("halfLives"))), "{halfLife}"
    if limit == "dailyDose":
        return Decimal(str(leaf.feature.get("dailyDose"))), "mg/kg/d" if leaf.feature.get("perKilogram") else "mg/d"
    if limit in ("gap", "concurrentGap"):
        return Decimal(days_of(str(leaf.feature.get(limit)))), "d"
    if limit == "lookback":
        months, days = duration_parts(str(leaf.feature.get("lookback")))
        return (Decimal(months), "mo") if months else (Decimal(days), "d")
    months_asked = _months(leaf)
    return (leaf.met_bound, leaf.unit) if months_asked is None else (Decimal(months_asked), "mo")


def _months(leaf: Leaf) -> int | None:
    """The months of a duration without an anchor; None for any other threshold."""
    return _MONTHS.get(leaf.met_bound) if leaf.met_bound != leaf.unmet_bound else None


def _with(leaf: Leaf, name: str, value: Parameter) -> Leaf:
    """The leaf with one parameter of its feature changed."""
    parameters = tuple((key, value if key == name else old) for key, old in leaf.feature.parameters)
    return replace(leaf, feature=Feature(leaf.feature.kind, parameters))


def _without(feature: Feature, name: str) -> Feature:
    return Feature(feature.kind, tuple(pair for pair in feature.parameters if pair[0] != name))


def _step(leaf: Leaf) -> Decimal:
    """One step of a threshold: see `STEP_OF_UNIT`."""
    for test in _tests_of(leaf):
        if test in STEP_OF_TEST:
            return STEP_OF_TEST[test]
    if leaf.unit == "d":
        return _step_of_days(leaf.met_bound)
    return STEP_OF_UNIT.get(str(leaf.unit)) or abs(leaf.met_bound) * SHARE


def _beyond_scale(leaf: Leaf, threshold: Decimal) -> bool:
    """Whether no score can be as high as the threshold."""
    if leaf.unit != "{score}":
        return False
    greatest = [laboratory_tests()[test].maximum for test in _tests_of(leaf)]
    return any(most is not None and threshold > most for most in greatest)


def _tests_of(leaf: Leaf) -> tuple[str, ...]:
    """The instrument or the tests whose result is compared."""
    instrument = leaf.feature.get("instrument")
    return names_of(leaf.feature, "test") if instrument is None else (str(instrument),)


def _step_of_days(days: Decimal) -> Decimal:
    """One step of a limit in days: a day, a week, or four weeks."""
    return next((step for most, step in STEPS_OF_DAYS if days <= most), STEP_OF_LONG_TIMES)
