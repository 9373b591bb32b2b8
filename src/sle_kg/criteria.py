"""The criteria algebra: a criterion's condition as a value, and its reading from a trial file.

A condition is a tree over few leaf conditions. The tree declares the features that it needs (`features_of`), and a
leaf keeps only the final comparison of a feature's bounds with a number, so that every interpreter (SHACL shapes,
direct evaluator, later SQL) sees the same thing. Logic is Kleene's strong three-valued logic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from sle_kg.errors import InputError

Operator = Literal[">=", ">", "<=", "<"]
Parameter = str | int | Decimal | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """A number about a patient that the feature builder bounds from below and above.

    `kind` is the local name of the leaf class that declares it (`MeasurementCondition`); `parameters` are sorted
    pairs of parameter name and value, so that equal features are equal values and share one column. `slug` is a stable
    name made of both: the profile properties are `<slug>Lower` and `<slug>Upper`.
    """

    kind: str
    parameters: tuple[tuple[str, Parameter], ...]
    slug: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = [self.kind.removesuffix("Condition")]
        for name, value in self.parameters:
            text = "+".join(value) if isinstance(value, tuple) else str(value)
            words.append(f"{name}={text}")
        object.__setattr__(self, "slug", "_".join(words))

    def get(self, name: str, default: Parameter | None = None) -> Parameter | None:
        """The value of one parameter."""
        return dict(self.parameters).get(name, default)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A feature compared with a number. `met_bound` and `unmet_bound` differ only for months without an anchor.

    `>=` is met when lower >= met_bound and unmet when upper < unmet_bound; the other operators likewise. `adjustable`
    names a threshold that the source leaves open and the user may set (`bCellAplasia`).
    """

    iri: str
    feature: Feature
    operator: Operator
    met_bound: Decimal
    unmet_bound: Decimal
    unit: str | None = None
    adjustable: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Something that no code tells: known by attestation alone.

    `open_kind` says whose move it is: the investigator's (`judgement`), the patient's (`agreement`: plans) or that of
    whoever looks up the history (`data`).
    """

    iri: str
    question: str
    open_kind: Literal["judgement", "agreement", "data"] = "judgement"


@dataclass(frozen=True, slots=True)
class Always:
    """A condition that holds of everybody ("regardless of gender")."""

    iri: str


@dataclass(frozen=True, slots=True)
class RowRef:
    """Another row of the same trial, by its id: its status, attestation included, stands here.

    The value is about the *sentence*: for an exclusion row, met means that the excluding fact holds.
    """

    iri: str
    row: str


@dataclass(frozen=True, slots=True)
class Not:
    iri: str
    operand: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    iri: str
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    iri: str
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    iri: str
    count: int
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class ByReading:
    """An ambiguous sentence: one condition for each documented reading, the default named."""

    iri: str
    ambiguity: str
    default: str
    options: tuple[tuple[str, Condition], ...]

    def option(self, readings: Mapping[str, str]) -> Condition:
        """The condition under the reading chosen for this ambiguity, or under the default.

        Raises InputError for a reading that is none of its options.
        """
        key, options = readings.get(self.ambiguity, self.default), dict(self.options)
        if key not in options:
            there = ", ".join(sorted(options))
            raise InputError(f"--reading: {key!r} is no reading of {self.ambiguity}; its readings are {there}")
        return options[key]


Condition = Leaf | Judgement | Always | RowRef | Not | AllOf | AnyOf | AtLeast | ByReading


def children(condition: Condition) -> tuple[Condition, ...]:
    """The operands of a group; of `ByReading`, all its options."""
    match condition:
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            return operands
        case Not(operand=operand):
            return (operand,)
        case ByReading(options=options):
            return tuple(option for _, option in options)
    return ()


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and everything below it, parents first; rows referred to are not entered."""
    yield condition
    for child in children(condition):
        yield from walk(child)


def signed(condition: Condition, sign: bool = True) -> Iterator[tuple[Condition, bool]]:
    """What `walk` gives, each with whether it is wanted to hold where the condition is wanted to be `sign`."""
    yield condition, sign
    for child in children(condition):
        yield from signed(child, sign != isinstance(condition, Not))


def with_leaves(condition: Condition, made: Callable[[Leaf, bool], Condition], sign: bool = True) -> Condition:
    """The tree, readings chosen, with each leaf as `made` has it, which is told what `signed` says of the leaf."""
    match condition:
        case Leaf():
            return made(condition, sign)
        case Not(operand=operand):
            return replace(condition, operand=with_leaves(operand, made, not sign))
        case AllOf(operands=operands) | AnyOf(operands=operands) | AtLeast(operands=operands):
            return replace(condition, operands=tuple(with_leaves(one, made, sign) for one in operands))
    return condition


def features_of(condition: Condition) -> set[Feature]:
    """Every feature that the condition needs, under all readings."""
    return {node.feature for node in walk(condition) if isinstance(node, Leaf)}


def under_readings(condition: Condition, readings: Mapping[str, str]) -> Condition:
    """The tree with every `ByReading` replaced by the option chosen (default where nothing is chosen)."""
    match condition:
        case ByReading():
            return under_readings(condition.option(readings), readings)
        case Not(iri, operand):
            return Not(iri, under_readings(operand, readings))
        case AllOf(iri, operands):
            return AllOf(iri, tuple(under_readings(o, readings) for o in operands))
        case AnyOf(iri, operands):
            return AnyOf(iri, tuple(under_readings(o, readings) for o in operands))
        case AtLeast(iri, count, operands):
            return AtLeast(iri, count, tuple(under_readings(o, readings) for o in operands))
    return condition


@dataclass(frozen=True, slots=True)
class Flag:
    """A warning or review that the fact base asks for, shown when its condition is met."""

    text: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Criterion:
    """One eligibility row of a trial: the quotation, its place in the tree, and its condition.

    `condition` says when the *sentence* holds; for an exclusion row the excluding fact. `not_applicable` says of whom
    the row asks nothing. `parent` is the id of the row of which this is a part. `type` is the kind of fact asked for,
    in the words of the fact base ("lab (qualitative)", "investigator judgement").
    """

    id: str
    trial: str
    kind: Literal["inclusion", "exclusion"]
    parent: str | None
    text: str
    sentence: str
    computability: Literal["computable", "partly", "judgement"]
    condition: Condition
    not_applicable: Condition | None = None
    flags: tuple[Flag, ...] = ()
    anchor: str | None = None
    topic: str | None = None
    ambiguities: tuple[str, ...] = ()
    formal_reading: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One documented, switchable reading of an ambiguous sentence (facts/readings.csv)."""

    ambiguity: str
    key: str
    default: bool
    rows: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What screening needs of a trial; everything else is in its graph.

    `criteria` are in the record's order. `source_complete` is true when the copy of the record shows exclusion
    criteria; `caveats` are the sentences that every verdict must carry.
    """

    id: str
    label: str
    criteria: tuple[Criterion, ...]
    readings: tuple[Reading, ...]
    source_complete: bool
    recruitment_status: str
    recruitment_as_of: str
    recruitment_source: str
    caveats: tuple[str, ...] = ()

    def criterion(self, row: str) -> Criterion:
        """The row with this id; KeyError where there is none."""
        for criterion in self.criteria:
            if criterion.id == row:
                return criterion
        raise KeyError(row)

    def features(self) -> list[Feature]:
        """Every feature that any row needs under any reading, sorted by slug."""
        found: set[Feature] = set()
        for criterion in self.criteria:
            found |= features_of(criterion.condition)
            if criterion.not_applicable is not None:
                found |= features_of(criterion.not_applicable)
            for flag in criterion.flags:
                found |= features_of(flag.condition)
        return sorted(found, key=lambda feature: feature.slug)
