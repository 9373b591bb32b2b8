"""Mutants of a trial: the same criteria with one number, window or inner parameter a step away.

A step is small enough for the nearest cases to see it: a tenth of a milligram, a day, a point, a hundredth of a limit.
Features of 0 and 1 have no threshold in the trial files, and none is mutated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from sle_kg.criteria import AtLeast, Condition, Criterion, Feature, Flag, Leaf, Parameter, Trial, walk
from sle_kg.features.sql import duration_parts

STEPS = {
    ("MeasurementCondition", "value"): "0.1",
    ("MeasurementCondition", "timesUpperLimit"): "0.01",
    ("CreatinineClearanceCondition", None): "0.1",
    ("HighestDoseCondition", None): "0.1",
    ("DailyDoseCondition", None): "0.1",
}
"""Steps of thresholds that are no whole numbers; 1 otherwise. Doses per kg have a step of 0.01, times the threshold."""
PRESENCE = {
    f"{name}Condition"
    for name in (
        *("RoomAir", "PositiveTest", "Quantified", "Classification", "Diagnosis", "Procedure", "Immunization"),
        *("Exposure", "Washout", "Contraindication", "Statement", "Fertility", "NoChildbearingPotential", "Pregnancy"),
        *("Consent", "Allergy", "BiopsyClass", "Biopsy", "BiopsyAge", "RenalWorsening", "Sex"),
    )
}
"""Kinds whose feature is 0 or 1."""
OTHER_VALUES = {
    "halfLives": {"3": 5, "5": 3},
    "severity": {"severe": "moderate", "moderate": "severe"},
    "counting": {"difference": "inclusive", "inclusive": "difference"},
    "measure": {"total": "longestRun", "longestRun": "total", "runToScreening": "total"},
}
"""What a parameter of few values becomes."""


@dataclass(frozen=True)
class Mutant:
    """One change of a row: of the leaf or group `changed`, or (None) of the days that a `kind` of result serves."""

    row: str
    what: str
    changed: Leaf | AtLeast | None = None
    flag: Flag | None = None
    kind: str = ""
    days: int = 0


def mutants(trial: Trial) -> Iterator[Mutant]:
    """Every mutant of a trial, flags included."""
    for row in trial.criteria:
        for tree, flag in trees(row):
            for node in walk(tree):
                yield from _of_node(node, row, flag)
        kinds = {str(leaf.feature.get("validFor", "ever")) for leaf in leaves(row, flags=False)} - {"ever"}
        for kind in sorted(kinds):
            for days in (-1, 1):
                yield Mutant(row.id, f"{row.id}: {kind} of {days:+} day", kind=kind, days=days)


def trees(row: Criterion) -> list[tuple[Condition, Flag | None]]:
    """The conditions of a row, with the flag that they belong to."""
    found: list[tuple[Condition, Flag | None]] = [(row.condition, None)]
    found += [(row.not_applicable, None)] if row.not_applicable is not None else []
    return found + [(flag.condition, flag) for flag in row.flags]


def leaves(row: Criterion, *, flags: bool = True) -> Iterator[Leaf]:
    """Every leaf of a row."""
    for tree, flag in trees(row):
        if flags or flag is None:
            yield from (node for node in walk(tree) if isinstance(node, Leaf))


def _of_node(node: Condition, row: Criterion, flag: Flag | None) -> Iterator[Mutant]:
    place = node.iri.rpartition("/trial/")[2]
    if isinstance(node, AtLeast):
        for count in (node.count - 1, node.count + 1):
            yield Mutant(row.id, f"{place}: count {count}", replace(node, count=count), flag)
    elif isinstance(node, Leaf):
        for what, changed in [*_thresholds(node), *_parameters(node)]:
            yield Mutant(row.id, f"{place}: {what}", changed, flag)


def _thresholds(leaf: Leaf) -> Iterator[tuple[str, Leaf]]:
    if leaf.feature.kind in PRESENCE:
        return
    step = _step(leaf)
    for sign in (-1, 1):
        met, unmet = leaf.met_bound + sign * step, leaf.unmet_bound + sign * step
        if leaf.met_bound == leaf.unmet_bound:
            yield f"{leaf.operator} {met}", replace(leaf, met_bound=met, unmet_bound=unmet)
        else:
            yield f"met {leaf.operator} {met}", replace(leaf, met_bound=met)
            yield f"unmet not {leaf.operator} {unmet}", replace(leaf, unmet_bound=unmet)


def _step(leaf: Leaf) -> Decimal:
    if leaf.feature.get("perKilogram") and leaf.unit != "d":
        return leaf.met_bound / 100
    quantity = leaf.feature.get("quantity")
    step = Decimal(STEPS.get((leaf.feature.kind, quantity if isinstance(quantity, str) else None), "1"))
    return Decimal(1) if leaf.feature.kind == "DailyDoseCondition" and leaf.met_bound > 100 else step


def _parameters(leaf: Leaf) -> Iterator[tuple[str, Leaf]]:
    for name, value in leaf.feature.parameters:
        for other in _other_values(name, value):
            parameters = tuple((key, other if key == name else old) for key, old in leaf.feature.parameters)
            yield f"{name} {other}", replace(leaf, feature=Feature(leaf.feature.kind, parameters))


def _other_values(name: str, value: Parameter) -> list[Parameter]:
    if name in OTHER_VALUES:
        return [OTHER_VALUES[name][str(value)]]
    if name in ("lookback", "gap", "concurrentGap"):
        months, days = duration_parts(str(value))
        if months:
            return [f"P{months - 1}M29D", f"P{months}M1D"]
        # A gap of no day joins the next day already: two days are the nearest change.
        return [f"P{days - 1}D", f"P{days + 1}D"] if days else ["P2D"]
    if name == "dailyDose":
        assert isinstance(value, Decimal)
        step = value / 100 if value < 10 else Decimal("0.1")
        return [value - step, value + step]
    return []


def with_node(condition: Condition, changed: Leaf | AtLeast) -> Condition:
    """The tree with the node of that name replaced."""
    if condition.iri == changed.iri:
        return changed
    operands = getattr(condition, "operands", None)
    if operands is not None:
        return replace(condition, operands=tuple(with_node(operand, changed) for operand in operands))  # type: ignore[call-arg,type-var]
    operand = getattr(condition, "operand", None)
    return condition if operand is None else replace(condition, operand=with_node(operand, changed))  # type: ignore[call-arg,type-var]
