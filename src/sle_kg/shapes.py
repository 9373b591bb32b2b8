"""The compiler from criteria to SHACL Core: named shapes that say when a row is known to hold and known not to.

A row `I04` gives the shapes `I04-met`, `I04-unmet` and, where the row can be not applicable, `I04-na`. A profile that
conforms to neither met nor unmet leaves the row unknown. Negation is pushed to the leaves, so that a missing value
conforms to nothing: all-of becomes `sh:and` in the met shape and `sh:or` in the unmet one. A leaf is a property shape
on one bound of one feature. Row shapes constrain only by `sh:and`, `sh:or`, `sh:not`: a validation result then names
the row. There are no blank nodes; list cells have IRIs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations
from math import comb
from urllib.parse import quote

import pyoxigraph as ox

from sle_kg.criteria import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    Condition,
    Criterion,
    Judgement,
    Leaf,
    Not,
    RowRef,
    Trial,
    walk,
)
from sle_kg.errors import TrialFileError
from sle_kg.evaluate import RuleSet
from sle_kg.namespaces import BASE, DCTERMS, OWL, PREFIXES, PROFILE, RDF, RDFS, SH, SHAPE, SLE, TRIAL, XSD
from sle_kg.turtle import write_turtle

EVERYTHING = SHAPE + "everything"
NOTHING = SHAPE + "nothing"
MAX_COMBINATIONS = 1000
"""At-least-n-of is written out as combinations; a trial file that needs more is refused rather than bloated."""

_DECIMAL, _INTEGER, _BOOLEAN = (ox.NamedNode(XSD + name) for name in ("decimal", "integer", "boolean"))
_BOUND = {">=": "minInclusive", ">": "minExclusive", "<=": "maxInclusive", "<": "maxExclusive"}
_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


def profile_class(trial: str) -> str:
    """The class of the profiles that are made for one trial: the target of its row shapes."""
    return f"{PROFILE}{trial}"


def bound_property(slug: str, side: str) -> str:
    """The profile property of one bound (`Lower` or `Upper`) of a feature."""
    return f"{PROFILE}{quote(slug, safe='=+:.,-_')}{side}"


def attestation_property(row: str) -> str:
    """The profile property that holds what was attested of a row (`true`, `false`, or both)."""
    return f"{PROFILE}attested-{row}"


def row_shape(trial: str, row: str, outcome: str) -> str:
    """The IRI of a row's shape; `outcome` is `met`, `unmet` or `na`."""
    return f"{SHAPE}{trial}/{row}-{outcome}"


def compile_trial(trial: Trial, readings: Mapping[str, str] | None = None) -> list[ox.Triple]:
    """The shapes graph of a trial under chosen readings (ambiguity → key; elsewhere the defaults).

    Raises TrialFileError when rows refer to each other in a circle.
    """
    compiler = _Compiler(rules=RuleSet.of(trial, readings))
    compiler.compile()
    return compiler.triples


def serialize(trial: Trial) -> bytes:
    """The committed form of a trial's shapes: deterministic Turtle, default readings."""
    return write_turtle(compile_trial(trial), PREFIXES)


@dataclass(slots=True)
class _Writer:
    """Collects the triples of shapes."""

    triples: list[ox.Triple] = field(default_factory=list)

    def header(self, name: str, title: str, comment: str) -> None:
        """The shapes graph as an ontology: title, comment, licence."""
        graph = f"{BASE}shapes/{name}"
        self.add(graph, RDF + "type", ox.NamedNode(OWL + "Ontology"))
        self.text(graph, RDFS + "label", title)
        self.text(graph, RDFS + "comment", comment)
        self.add(graph, DCTERMS + "license", ox.NamedNode("https://creativecommons.org/licenses/by/4.0/"))

    def shape(self, iri: str, kind: str, name: str, message: str) -> None:
        """A named shape; `kind` is `NodeShape` or `PropertyShape`."""
        self.add(iri, RDF + "type", ox.NamedNode(SH + kind))
        self.add(iri, SH + "severity", ox.NamedNode(SH + "Violation"))
        self.text(iri, RDFS + "label", name)
        self.text(iri, SH + "message", message)
        if kind == "PropertyShape":
            self.text(iri, SH + "name", name)

    def property_of(
        self, form: str, path: str, message: str, *, one_iri: bool = False, datatype: str | None = None, most: int = 1
    ) -> str:
        """A property shape of the node shape `form`, with at most `most` values; returns its IRI."""
        name = re.split("[#/]", path)[-1]
        iri = f"{form}-{name}"
        self.shape(iri, "PropertyShape", name, message)
        self.add(form, SH + "property", ox.NamedNode(iri))
        self.add(iri, SH + "path", ox.NamedNode(path))
        self.add(iri, SH + "maxCount", ox.Literal(str(most), datatype=_INTEGER))
        if one_iri:
            self.add(iri, SH + "minCount", ox.Literal("1", datatype=_INTEGER))
            self.add(iri, SH + "nodeKind", ox.NamedNode(SH + "IRI"))
        if datatype:
            self.add(iri, SH + "datatype", ox.NamedNode(XSD + datatype))
        return iri

    def text(self, subject: str, predicate: str, text: str) -> None:
        """A statement with a plain string."""
        self.add(subject, predicate, ox.Literal(text))

    def add(self, subject: str, predicate: str, value: ox.NamedNode | ox.Literal) -> None:
        """A statement."""
        self.triples.append(ox.Triple(ox.NamedNode(subject), ox.NamedNode(predicate), value))


@dataclass(slots=True)
class _Compiler(_Writer):
    """Writes the shapes of one trial."""

    rules: RuleSet = field(kw_only=True)

    @property
    def trial(self) -> str:
        return self.rules.trial.id

    def compile(self) -> None:
        self._header()
        referred = {
            node.row
            for condition in (*self.rules.conditions.values(), *self.rules.not_applicable.values())
            for node in walk(condition)
            if isinstance(node, RowRef)
        }
        for criterion in self.rules.trial.criteria:
            self._row(criterion)
            if criterion.id in referred and criterion.id in self.rules.not_applicable:
                self._counting(criterion)

    def _header(self) -> None:
        comment = f"Generated from the criteria of {self.trial}; edit the trial file instead."
        self.header(self.trial, f"Eligibility shapes of {self.trial}", comment)
        self.add(f"{BASE}shapes/{self.trial}", DCTERMS + "source", ox.NamedNode(TRIAL + self.trial))
        self._node_shape(EVERYTHING, "everything", "Every profile conforms to this shape.")
        self._node_shape(NOTHING, "nothing", "No profile conforms to this shape: only an attestation can tell.")
        self._refer(NOTHING, "not", EVERYTHING)

    def _row(self, criterion: Criterion) -> None:
        """The target shapes of one row, from its condition, its attestation and whom it exempts."""
        row = criterion.id
        condition = self.rules.conditions[row]
        met, unmet = self._condition(condition, True), self._condition(condition, False)
        stated, denied = self._attested(row, True), self._attested(row, False)
        self._target(criterion, "met", "is known to hold")
        self._settled(row, "met", met, self._undisputed(row, True, stated, unmet), denied)
        self._target(criterion, "unmet", "is known not to hold")
        self._settled(row, "unmet", unmet, self._undisputed(row, False, denied, met), stated)
        if row in self.rules.not_applicable:
            self._target(criterion, "na", "asks nothing of this patient")
            self._all(row_shape(self.trial, row, "na"), [self._condition(self.rules.not_applicable[row], True)])

    def _settled(self, row: str, outcome: str, by_data: str, by_attestation: str, contrary: str) -> None:
        """Data or an undisputed attestation settle the row, unless the contrary is attested."""
        iri = row_shape(self.trial, row, outcome)
        self._refer(iri, "not", contrary)
        self._either(iri, [by_data, by_attestation])

    def _undisputed(self, row: str, value: bool, attested: str, contrary: str) -> str:
        """The row is attested and data do not say the contrary."""
        iri = row_shape(self.trial, row, f"undisputed-{'true' if value else 'false'}")
        self._node_shape(iri, _name(iri), f"{row} is attested {'true' if value else 'false'} and data do not object.")
        self._all(iri, [attested])
        self._refer(iri, "not", contrary)
        return iri

    def _counting(self, criterion: Criterion) -> None:
        """What a row that may be not applicable counts as where another row refers to it."""
        row = criterion.id
        pass_outcome, fail_outcome = ("met", "unmet") if criterion.kind == "inclusion" else ("unmet", "met")
        exempt = row_shape(self.trial, row, "na")
        passes, fails = (row_shape(self.trial, row, f"counts-{outcome}") for outcome in (pass_outcome, fail_outcome))
        self._node_shape(passes, f"{row} counts as {pass_outcome}", f"{row} is {pass_outcome} or not applicable.")
        self._either(passes, [row_shape(self.trial, row, pass_outcome), exempt])
        self._node_shape(fails, f"{row} counts as {fail_outcome}", f"{row} is {fail_outcome} and applies.")
        self._all(fails, [row_shape(self.trial, row, fail_outcome)])
        self._refer(fails, "not", exempt)

    def _condition(self, condition: Condition, met: bool) -> str:
        """The shape of a condition (of its negation, where `met` is false), written once; returns its IRI."""
        match condition:
            case Always():
                return EVERYTHING if met else NOTHING
            case Judgement():
                return NOTHING
            case Not(operand=operand):
                return self._condition(operand, not met)
            case RowRef(row=row):
                counts = "counts-" if row in self.rules.not_applicable else ""
                return row_shape(self.trial, row, counts + ("met" if met else "unmet"))
        iri = f"{SHAPE}{condition.iri.removeprefix(TRIAL)}-{'met' if met else 'unmet'}"
        match condition:
            case Leaf():
                self._leaf(iri, condition, met)
            case AllOf(operands=operands):
                self._group(iri, operands, len(operands), met)
            case AnyOf(operands=operands):
                self._group(iri, operands, 1, met)
            case AtLeast(count=count, operands=operands):
                self._group(iri, operands, count, met)
        return iri

    def _group(self, iri: str, operands: tuple[Condition, ...], count: int, met: bool) -> None:
        """At least `count` operands hold; negated: so many are known not to hold that `count` cannot be reached."""
        needed = count if met else len(operands) - count + 1
        parts = [self._condition(operand, met) for operand in operands]
        wording = f"At least {needed} of {len(parts)} parts {'hold' if met else 'are known not to hold'}."
        self._node_shape(iri, _name(iri), wording)
        if needed == len(parts):
            self._all(iri, parts)
        elif needed == 1:
            self._either(iri, parts)
        else:
            self._either(iri, [self._choice(iri, n, c) for n, c in enumerate(self._choices(iri, parts, needed), 1)])

    def _choices(self, iri: str, parts: list[str], needed: int) -> list[tuple[str, ...]]:
        if comb(len(parts), needed) > MAX_COMBINATIONS:
            raise TrialFileError(
                f"{self.trial}: {iri} asks for {needed} of {len(parts)} conditions: write it as groups"
            )
        return list(combinations(parts, needed))

    def _choice(self, iri: str, number: int, parts: tuple[str, ...]) -> str:
        choice = f"{iri}-choice{number}"
        self._node_shape(choice, _name(choice), f"One choice of {len(parts)} parts.")
        self._all(choice, list(parts))
        return choice

    def _leaf(self, iri: str, leaf: Leaf, met: bool) -> None:
        """A leaf is met by the bound that is sure, unmet by the other one: `>= k` by lower >= k and by upper < k."""
        operator = leaf.operator if met else _OPPOSITE[leaf.operator]
        side = "Lower" if operator in (">=", ">") else "Upper"
        number = leaf.met_bound if met else leaf.unmet_bound
        wording = f"{leaf.feature.slug} is known to be {operator} {number}{f' {leaf.unit}' if leaf.unit else ''}."
        self.shape(iri, "PropertyShape", _name(iri), wording)
        self.add(iri, SH + "path", ox.NamedNode(bound_property(leaf.feature.slug, side)))
        self.add(iri, SH + "minCount", ox.Literal("1", datatype=_INTEGER))
        self.add(iri, SH + _BOUND[operator], ox.Literal(decimal_text(number), datatype=_DECIMAL))

    def _attested(self, row: str, value: bool) -> str:
        """The property shape to which profiles conform where the row is attested to hold (not to hold)."""
        word = "true" if value else "false"
        iri = row_shape(self.trial, row, f"attested-{word}")
        self.shape(iri, "PropertyShape", _name(iri), f"{row} is attested {word}.")
        self.add(iri, SH + "path", ox.NamedNode(attestation_property(row)))
        self.add(iri, SH + "hasValue", ox.Literal(word, datatype=_BOOLEAN))
        return iri

    def _target(self, criterion: Criterion, outcome: str, words: str) -> None:
        iri = row_shape(self.trial, criterion.id, outcome)
        self._node_shape(iri, f"{self.trial} {criterion.id} {outcome}", f"{criterion.id} {words}: {criterion.text}")
        self.add(iri, SH + "targetClass", ox.NamedNode(profile_class(self.trial)))
        self.add(iri, DCTERMS + "source", ox.NamedNode(f"{TRIAL}{self.trial}/{criterion.id}"))

    def _all(self, iri: str, parts: list[str]) -> None:
        self._list(iri, "and", parts)

    def _either(self, iri: str, parts: list[str]) -> None:
        self._list(iri, "or", parts)

    def _list(self, iri: str, operator: str, members: list[str]) -> None:
        """`sh:and` or `sh:or` over an RDF list whose cells have IRIs."""
        cells = [f"{iri}-{operator}{number}" for number in range(1, len(members) + 1)]
        self._refer(iri, operator, cells[0])
        for cell, member, rest in zip(cells, members, [*cells[1:], RDF + "nil"], strict=True):
            self.add(cell, RDF + "first", ox.NamedNode(member))
            self.add(cell, RDF + "rest", ox.NamedNode(rest))

    def _refer(self, iri: str, constraint: str, shape: str) -> None:
        self.add(iri, SH + constraint, ox.NamedNode(shape))

    def _node_shape(self, iri: str, name: str, message: str) -> None:
        self.shape(iri, "NodeShape", name, message)


def _name(iri: str) -> str:
    return iri.removeprefix(SHAPE).replace("/", " ")


def decimal_text(number: Decimal) -> str:
    """The number as xsd:decimal: no exponent, no trailing zeros."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def profile_form(trials: Iterable[Trial]) -> bytes:
    """`shapes/profile.ttl`: the form of the profiles that are made for these trials, as deterministic Turtle.

    A profile has one patient, trial and date; each feature at most one lower and one upper bound, in this order.
    """
    writer = _Writer()
    form = SHAPE + "profile"
    writer.header(
        "profile",
        "Form of profiles",
        "Generated from the features that the trials declare; edit the trial files instead.",
    )
    writer.shape(form, "NodeShape", "profile", "A profile has a patient, a trial, a date and bounds of features.")
    writer.add(form, SH + "targetClass", ox.NamedNode(SLE + "Profile"))
    writer.property_of(form, SLE + "profileOf", "A profile has exactly one patient, an IRI.", one_iri=True)
    writer.property_of(form, SLE + "ofTrial", "A profile has exactly one trial, an IRI.", one_iri=True)
    day = writer.property_of(form, SLE + "onDate", "A profile has exactly one date, an xsd:date.", datatype="date")
    writer.add(day, SH + "minCount", ox.Literal("1", datatype=_INTEGER))
    several = list(trials)
    for slug in sorted({feature.slug for trial in several for feature in trial.features()}):
        lower, upper = (bound_property(slug, side) for side in ("Lower", "Upper"))
        iri = writer.property_of(form, lower, f"{slug}: one lower bound, not above the upper one.", datatype="decimal")
        writer.add(iri, SH + "lessThanOrEquals", ox.NamedNode(upper))
        writer.property_of(form, upper, f"{slug}: one upper bound, an xsd:decimal.", datatype="decimal")
    for row in sorted({criterion.id for trial in several for criterion in trial.criteria}):
        message = f"What is attested of {row} is true, false, or both where attestations contradict each other."
        writer.property_of(form, attestation_property(row), message, datatype="boolean", most=2)
    return write_turtle(writer.triples, PREFIXES)


def generated_files() -> dict[str, bytes]:
    """Every generated file of `shapes/`, by its path below that folder, as it must be committed."""
    from sle_kg.trials import screenable

    trials = screenable()
    files = {f"eligibility/{nct}.ttl": serialize(trial) for nct, trial in trials.items()}
    return files | {"profile.ttl": profile_form(trials.values())}


def write_generated_files() -> None:
    """Write `generated_files` into the folder `shapes/`: after every change of a trial file."""
    from sle_kg.files import write_whole
    from sle_kg.resources import path

    (path("shapes") / "eligibility").mkdir(exist_ok=True)
    for name, content in generated_files().items():
        write_whole(path("shapes") / name, content)


if __name__ == "__main__":
    write_generated_files()
