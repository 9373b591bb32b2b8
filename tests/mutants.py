"""Mutants: the same criteria, or the same definitions, with one number, window or inner parameter a step away.

A step is small enough for the nearest cases to see it: a tenth of a milligram, a day, a point, a hundredth of a limit.
Features of 0 and 1 have no threshold in the trial files, and none is mutated. Criteria are mutated as trees, the
definitions of a follow-up as statements of the graph, so that what is read from them is mutated too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

import pyoxigraph as ox

from sle_kg import definitions, ontology, outcomes
from sle_kg.criteria import AtLeast, Condition, Criterion, Feature, Flag, Leaf, Parameter, Trial, walk
from sle_kg.features import assessed
from sle_kg.features.sql import duration_parts
from sle_kg.followup import score_classification
from sle_kg.namespaces import SLE, TRIAL, XSD
from sle_kg.resources import path

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


# ---- definitions of the follow-up ------------------------------------------------------------------------------------

FILES = ("ontology/scores.ttl", "ontology/patient.ttl", "trials/NCT06653556.ttl", "trials/NCT06710717.ttl")
"""Where scores, levels, states, grades and outcomes are defined."""
COMPARISONS = {
    "minInclusive": "minExclusive",
    "minExclusive": "minInclusive",
    "maxInclusive": "maxExclusive",
    "maxExclusive": "maxInclusive",
}
"""Comparison → the same one with or without the bound itself."""
WORDS = {
    "thresholdComparator": {"<": "<=", "<=": "<", ">": ">=", ">=": ">"},
    "thresholdLimit": {
        "lowerLimitOfNormal": "upperLimitOfNormal",
        "upperLimitOfNormal": "lowerLimitOfNormal",
    },
}
"""Words that are as good as numbers, and what each becomes."""
NUMERIC = {XSD + name for name in ("integer", "decimal", "duration", "yearMonthDuration", "dayTimeDuration")}
RATIOS = {"[ULN]", "[LLN]", "{ratio}", "{baseline}"}


@dataclass(frozen=True)
class Statement:
    """A statement of the graph that holds a number (or a word as good as one) of a definition."""

    quad: ox.Quad

    @property
    def subject(self) -> str:
        """The node, without the common part of its IRI."""
        return str(self.quad.subject.value).removeprefix(SLE).removeprefix(TRIAL)

    @property
    def name(self) -> str:
        """The local name of the property."""
        return str(self.quad.predicate.value).removeprefix(SLE)

    @property
    def value(self) -> str:
        return str(self.quad.object.value)


@dataclass(frozen=True)
class Changed:
    """A statement, and what stands in its place."""

    old: Statement
    new: Statement

    def __str__(self) -> str:
        return f"{self.old.subject} {self.old.name} {self.old.value}: {self.new.name} {self.new.value}"


def statements() -> list[Statement]:
    """Every statement with a number, a duration or one of the WORDS in the files that define a follow-up, in order."""
    store = ox.Store()
    for name in FILES:
        folder, _, file = name.partition("/")
        store.load(path=str(path(folder) / file), format=ox.RdfFormat.TURTLE)
    found = [
        Statement(quad)
        for quad in store
        if isinstance(quad.object, ox.Literal)
        and (quad.object.datatype.value in NUMERIC or quad.predicate.value.removeprefix(SLE) in WORDS)
    ]
    return sorted(found, key=lambda one: (one.subject, one.name, one.value))


def changes(one: Statement) -> Iterator[Changed]:
    """The statement a step lower and a step higher, and with or without the bound itself."""
    if one.name in WORDS:
        yield Changed(one, _with(one, value=WORDS[one.name][one.value]))
        return
    for value in _neighbours(one):
        yield Changed(one, _with(one, value=value))
    if one.name in COMPARISONS:
        yield Changed(one, _with(one, name=COMPARISONS[one.name]))


def _neighbours(one: Statement) -> list[str]:
    """A duration is a day or a month away, a whole number 1, any other and a ratio a tenth; no window is negative."""
    if one.value.startswith("P"):
        months, days = duration_parts(one.value)
        return [f"P{months + sign}M" if months else f"P{days + sign}D" for sign in (-1, 1)]
    number = Decimal(one.value)
    step = Decimal(1) if number == number.to_integral_value() and _unit(one) not in RATIOS else Decimal("0.1")
    signs = (1,) if one.name == "windowDays" and not number else (-1, 1)
    return [f"{number + sign * step}" for sign in signs]


def _unit(one: Statement) -> str | None:
    quads = definitions.definition_store().quads_for_pattern(one.quad.subject, ox.NamedNode(SLE + "unit"), None)
    return next((quad.object.value for quad in quads), None)


def _with(one: Statement, name: str | None = None, value: str | None = None) -> Statement:
    literal = one.quad.object
    predicate = one.quad.predicate if name is None else ox.NamedNode(SLE + name)
    new = literal if value is None else ox.Literal(value, datatype=literal.datatype)
    return Statement(ox.Quad(one.quad.subject, predicate, new))


CACHES = (
    *(ontology.instruments, ontology.graded_systems, ontology.laboratory_tests, ontology.answer_levels),
    *(definitions.states, definitions.scales, definitions.bands),
    *(outcomes.load_outcomes, assessed.parts, score_classification.proposals),
)
"""What remembers numbers of definitions."""


@contextmanager
def applied(changed: Changed) -> Iterator[None]:
    """The program with the change in the graphs that it reads definitions from."""
    stores = [s for s in (ontology.ontology_store(), definitions.definition_store()) if changed.old.quad in s]
    assert stores, f"{changed} is nowhere read"
    _swap(stores, changed.old, changed.new)
    try:
        yield
    finally:
        _swap(stores, changed.new, changed.old)


def _swap(stores: Iterable[ox.Store], old: Statement, new: Statement) -> None:
    for store in stores:
        store.remove(old.quad)
        store.add(new.quad)
    for cached in CACHES:
        cached.cache_clear()
