"""The ontology as plain values: every module in one store, and what the screening needs of it as dataclasses.

Reads with pyoxigraph only, so that no reasoner, Java or rdflib is needed: what a reasoner finds stands in
`ontology/inferred.ttl`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path

import pyoxigraph as ox

from sle_kg.errors import InputError
from sle_kg.namespaces import RDF, RDFS, SKOS, SLE
from sle_kg.resources import path


@dataclass(frozen=True, slots=True)
class Concept:
    """A clinical concept: its key, English label, one-sentence definition, and classes (asserted or inferred)."""

    key: str
    label: str
    definition: str
    classes: frozenset[str]


@dataclass(frozen=True, slots=True)
class CodeAssignment:
    """A code of a terminology for a concept; `rank` 1 stands first in its row. How sure it is stands apart."""

    concept: str
    system: str
    code: str
    rank: int
    verification: str
    source: str
    superseded: bool = False
    local_use: bool = False
    broader: bool = False


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A value set of the criteria: members are keys of concepts, drug classes; codes are `system|prefix` texts."""

    name: str
    label: str
    members: tuple[str, ...]
    undecided_members: tuple[str, ...]
    code_prefixes: tuple[str, ...]
    excluded_prefixes: tuple[str, ...]
    undecided_codes: tuple[str, ...]
    undecided_prefixes: tuple[str, ...]
    broadest_member: str | None
    open: bool


@dataclass(frozen=True, slots=True)
class Drug:
    """A medicine: half-life in `half_life_unit` (h or d), wash-out in whole days, equivalents for dose rules."""

    key: str
    label: str
    classes: frozenset[str]
    targets: tuple[str, ...]
    moiety: str
    half_life: Decimal | None
    half_life_unit: str | None
    washout_half_life: Decimal | None
    washout_days_3: int | None
    washout_days_5: int | None
    mg_equal_to_5mg_prednisone: Decimal | None
    topical_only: bool

    def washout_days(self, half_lives: int) -> int | None:
        """Whole days of a number of half-lives, rounded up; None where the half-life is not known.

        Three and five are as the fact base has them (drugs.csv).
        """
        if half_lives in (3, 5):
            return self.washout_days_3 if half_lives == 3 else self.washout_days_5
        if self.washout_half_life is None:
            return None
        hours = half_lives * self.washout_half_life * (1 if self.half_life_unit == "h" else 24)
        return int((hours / 24).to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True)
class LaboratoryTest:
    """A test, vital sign, score or finding: UCUM unit of comparison, molar mass in g/mol, range of a score.

    `presence`: a whole number that records may also answer by true (at least 1) or false (none).
    """

    key: str
    label: str
    canonical_unit: str | None
    molar_mass: Decimal | None
    same_as: str | None
    antibody: bool
    viral_load: bool
    qualitative: bool
    minimum: Decimal | None
    maximum: Decimal | None
    presence: bool = False


@dataclass(frozen=True, slots=True)
class AnswerLevel:
    """A numbered level of an observable that records tell by words or by a flow of oxygen of at most `flow` L/min."""

    number: int
    phrases: tuple[str, ...]
    flow: Decimal | None


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of adverse event that outcomes ask for: the words that name it, and the key of its own grade."""

    key: str
    label: str
    phrases: tuple[str, ...]
    graded_by: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """The laboratory results that propose an item: one crossing within `window_days` before the assessment suffices.

    A result of any of `tests` is compared with `value` in `unit`, or with its own `limit` of normal (`lower`,
    `upper`). `increase`: it must besides have risen by more than `value` against the result before it.
    """

    tests: tuple[str, ...]
    comparator: str
    value: Decimal | None
    unit: str | None
    limit: str | None
    window_days: int
    increase: bool


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an instrument: `key` as in local codes (`sledai2k:seizure`), points, and what kind of item it is.

    `groups` are the parts of the total to which it adds: `clinical`, `majorOrgan`, organ systems and groups.
    `biopsy_classes` are the classes of lupus nephritis of which a kidney biopsy is the item itself.
    """

    key: str
    label: str
    instrument: str
    weight: int | None
    domain: str | None
    kind: str | None
    serology_only: bool
    groups: frozenset[str] = frozenset()
    threshold: Threshold | None = None
    biopsy_classes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GradedSystems:
    """An instrument that grades organ systems by letters: test of each system by its key, points of each grade.

    `total` is the key of their sum: the name of the instrument with `Total`.
    """

    total: str
    systems: Mapping[str, str]
    points: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument, state or classification set: its name on the command line, range, window and items.

    `needed` is the sum of points from which a classification set is met.
    """

    key: str
    label: str
    score_name: str | None
    total: str | None
    minimum: Decimal | None
    maximum: Decimal | None
    window_days: int | None
    items: tuple[Item, ...]
    needed: int | None = None


def module_files() -> list[Path]:
    """The modules of the ontology, alignments and inferred types included, sorted by path."""
    return sorted(path("ontology").rglob("*.ttl"))


def parse_module(file: Path) -> Iterator[ox.Triple]:
    """The triples of one module; raises InputError naming the file and the line that cannot be read."""
    with _readable(file):
        for quad in ox.parse(path=file, format=ox.RdfFormat.TURTLE):
            yield quad.triple


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Raises InputError for a module that cannot be read."""
    try:
        yield
    except (SyntaxError, OSError, ValueError) as error:
        raise InputError(f"ontology/{file.name} is not readable as Turtle: {error}") from error


@cache
def ontology_store() -> ox.Store:
    """Every module in one store, read once."""
    store = ox.Store()
    for file in module_files():
        with _readable(file):
            store.load(path=file, format=ox.RdfFormat.TURTLE)
    return store


@cache
def concepts() -> dict[str, Concept]:
    """Everything with a key: conditions, procedures, medicines, observables, statements, by key."""
    return {
        node.text(_SKOS_NOTATION): Concept(
            key=node.text(_SKOS_NOTATION),
            label=node.text(_LABEL),
            definition=node.text(_DEFINITION),
            classes=frozenset(node.names(_TYPE)),
        )
        for node in _subjects_of(_SKOS_NOTATION)
    }


@cache
def code_assignments() -> tuple[CodeAssignment, ...]:
    """All code assignments, sorted by concept, system, rank and code."""
    found = [
        CodeAssignment(
            concept=node.names(SLE + "ofConcept")[0],
            system=node.text(SLE + "codeSystem"),
            code=node.text(SLE + "codeValue"),
            rank=int(node.text(SLE + "codeRank")),
            verification=node.text(SLE + "verification"),
            source=node.text("http://purl.org/dc/terms/source"),
            superseded=node.true(SLE + "supersededCode"),
            local_use=node.true(SLE + "localUse"),
            broader=node.true(SLE + "broaderThanConcept"),
        )
        for node in _instances_of("CodeAssignment")
    ]
    return tuple(sorted(found, key=lambda code: (code.concept, code.system, code.rank, code.code)))


@cache
def value_sets() -> dict[str, ValueSet]:
    """The value sets by local name."""
    return {
        node.name: ValueSet(
            name=node.name,
            label=node.text(_LABEL),
            members=node.names(SLE + "member"),
            undecided_members=node.names(SLE + "undecidedMember"),
            code_prefixes=node.texts(SLE + "codePrefix"),
            excluded_prefixes=node.texts(SLE + "excludedPrefix"),
            undecided_codes=node.texts(SLE + "undecidedCode"),
            undecided_prefixes=node.texts(SLE + "undecidedPrefix"),
            broadest_member=node.first_name(SLE + "broadestMember"),
            open=node.true(SLE + "openSet"),
        )
        for node in _instances_of("ValueSet")
    }


@cache
def drugs() -> dict[str, Drug]:
    """The medicines by local name."""
    return {
        node.name: Drug(
            key=node.name,
            label=node.text(_LABEL),
            classes=frozenset(node.names(_TYPE)),
            targets=node.names(SLE + "hasTarget"),
            moiety=node.names(SLE + "activeMoiety")[0],
            half_life=node.decimal("halfLife"),
            half_life_unit=node.first_text(SLE + "halfLifeUnit"),
            washout_half_life=node.decimal("washoutHalfLife"),
            washout_days_3=node.integer("washoutDays3"),
            washout_days_5=node.integer("washoutDays5"),
            mg_equal_to_5mg_prednisone=node.decimal("mgEqualTo5mgPrednisone"),
            topical_only=node.true(SLE + "topicalOnly"),
        )
        for node in _instances_of("Drug")
    }


@cache
def laboratory_tests() -> dict[str, LaboratoryTest]:
    """Everything that is measured, scored or answered, items of instruments included, by key."""
    return {
        node.text(_SKOS_NOTATION): LaboratoryTest(
            key=node.text(_SKOS_NOTATION),
            label=node.text(_LABEL),
            canonical_unit=node.first_text(SLE + "canonicalUnit"),
            molar_mass=node.decimal("molarMass"),
            same_as=node.first_name(SLE + "sameTestAs"),
            antibody=node.true(SLE + "antibodyTest"),
            viral_load=node.true(SLE + "viralLoadTest"),
            qualitative=node.true(SLE + "qualitativeTest"),
            minimum=node.decimal("minimumScore"),
            maximum=node.decimal("maximumScore"),
            presence=node.true(SLE + "presenceAnswer"),
        )
        for node in _instances_of("Observable")
    }


@cache
def answer_levels() -> dict[str, tuple[AnswerLevel, ...]]:
    """The levels of the observables that are answered by words, from the least, by local name of the observable."""
    found: dict[str, list[AnswerLevel]] = {}
    for node in _instances_of("AnswerLevel"):
        level = AnswerLevel(int(node.text(SLE + "levelNumber")), node.texts(_PHRASE), node.decimal("greatestFlow"))
        found.setdefault(node.names(SLE + "levelOf")[0], []).append(level)
    return {key: tuple(sorted(levels, key=lambda level: level.number)) for key, levels in found.items()}


@cache
def event_kinds() -> dict[str, EventKind]:
    """The kinds of adverse events that records name by code or words, by key."""
    kinds = [
        EventKind(node.name, node.text(_LABEL), (node.text(_LABEL), *node.texts(_PHRASE)), graded_by)
        for node in _instances_of("AdverseEventKind")
        if (graded_by := node.first_name(SLE + "gradedBy")) is not None
    ]
    return {kind.key: kind for kind in kinds}


@cache
def instruments() -> dict[str, Instrument]:
    """Instruments that have a name on the command line, classification sets and states included, by local name."""
    items: dict[str, list[Item]] = {}
    windows = {node.name: node.integer("windowDays") for node in _subjects_of(SLE + "scoreName")}
    for node in _subjects_of(SLE + "itemOf"):
        instrument = node.names(SLE + "itemOf")[0]
        items.setdefault(instrument, []).append(_item(node, instrument, windows.get(instrument)))
    return {
        node.name: Instrument(
            key=node.name,
            label=node.text(_LABEL),
            score_name=node.first_text(SLE + "scoreName"),
            total=node.first_name(SLE + "hasTotal"),
            minimum=node.decimal("minimumScore"),
            maximum=node.decimal("maximumScore"),
            window_days=node.integer("windowDays"),
            items=tuple(items.get(node.name, ())),
            needed=node.integer("minimumSum"),
        )
        for node in _subjects_of(SLE + "scoreName")
    }


def classification_items(criteria_set: str) -> tuple[Item, ...]:
    """The criteria of a classification set (`acr1997`, `slicc2012`, `eularAcr2019`); KeyError for another name."""
    return instruments()[criteria_set].items


@cache
def graded_systems() -> dict[str, GradedSystems]:
    """Instruments whose total adds the points of the grades of organ systems (BILAG-2004), by local name."""
    points: dict[str, dict[str, Decimal]] = {}
    for node in _subjects_of(SLE + "numericValue"):
        number = node.decimal("numericValue")
        if number is not None and node.names(SLE + "gradeOf"):
            points.setdefault(node.names(SLE + "gradeOf")[0], {})[node.text(SLE + "gradeCode")] = number
    systems: dict[str, dict[str, str]] = {}
    for node in _subjects_of(SLE + "systemOf"):
        if (test := node.first_text(_SKOS_NOTATION)) is not None:
            systems.setdefault(node.names(SLE + "systemOf")[0], {})[test.rpartition(":")[2]] = test
    return {
        name: GradedSystems(f"{instruments()[name].score_name}Total", systems[name], points[name])
        for name in sorted(systems.keys() & points.keys())
    }


@dataclass(frozen=True, slots=True)
class _Node:
    """A subject of the store with its values, read as text, local names or numbers."""

    iri: ox.NamedNode

    @property
    def name(self) -> str:
        return self.iri.value.removeprefix(SLE)

    def texts(self, predicate: str) -> tuple[str, ...]:
        """The literal values, sorted."""
        return tuple(sorted(o.value for o in self._objects(predicate) if isinstance(o, ox.Literal)))

    def names(self, predicate: str) -> tuple[str, ...]:
        """The local names of the values that are terms of the ontology, sorted."""
        iris = (o.value for o in self._objects(predicate) if isinstance(o, ox.NamedNode))
        return tuple(sorted(iri.removeprefix(SLE) for iri in iris if iri.startswith(SLE)))

    def text(self, predicate: str) -> str:
        """The one literal value; InputError where the ontology lacks it."""
        found = self.first_text(predicate)
        if found is None:
            raise InputError(f"the ontology gives <{self.iri.value}> no <{predicate}>: install sle-kg again")
        return found

    def first_text(self, predicate: str) -> str | None:
        return next(iter(self.texts(predicate)), None)

    def first_name(self, predicate: str) -> str | None:
        return next(iter(self.names(predicate)), None)

    def true(self, predicate: str) -> bool:
        return self.texts(predicate) == ("true",)

    def decimal(self, name: str) -> Decimal | None:
        found = self.first_text(SLE + name)
        return None if found is None else Decimal(found)

    def integer(self, name: str) -> int | None:
        found = self.first_text(SLE + name)
        return None if found is None else int(found)

    def _objects(self, predicate: str) -> Iterator[ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple]:
        for quad in ontology_store().quads_for_pattern(self.iri, ox.NamedNode(predicate), None):
            yield quad.object


def _item(node: _Node, instrument: str, window_days: int | None) -> Item:
    return Item(
        key=node.first_text(_SKOS_NOTATION) or node.name,
        label=node.text(_LABEL),
        instrument=instrument,
        weight=node.integer("weight"),
        domain=node.first_text(SLE + "itemDomain"),
        kind=node.first_text(SLE + "itemType") or node.first_text(SLE + "itemKind"),
        serology_only=node.true(SLE + "serologyOnly"),
        groups=_groups(node),
        threshold=_threshold(node, window_days),
        biopsy_classes=frozenset(
            name
            for proposal in node.names(SLE + "proposedBy")
            for name in _Node(ox.NamedNode(SLE + proposal)).texts(SLE + "biopsyClass")
        ),
    )


def _groups(node: _Node) -> frozenset[str]:
    """The parts of the total: all items but serology, those of a major organ, and one organ system or group each."""
    found = set(node.texts(SLE + "lldasOrganGroup"))
    found |= {system.rpartition("-")[2] for system in node.names(SLE + "organSystem")}
    if node.texts(SLE + "serologyOnly") == ("false",):
        found.add("clinical")
    if node.true(SLE + "lldasMajorOrgan"):
        found.add("majorOrgan")
    return frozenset(found)


def _threshold(node: _Node, window_days: int | None) -> Threshold | None:
    """The threshold of an item of a score; states name thresholds too, and have no window."""
    days = node.integer("windowDays") or window_days
    tests, comparator = node.names(SLE + "thresholdTest"), node.first_text(SLE + "thresholdComparator")
    if not tests or comparator is None or days is None:
        return None
    limit = node.first_text(SLE + "thresholdLimit")
    return Threshold(
        tests=tests,
        comparator=comparator,
        value=node.decimal("thresholdValue"),
        unit=node.first_text(SLE + "thresholdUnit"),
        limit=None if limit is None else limit.removesuffix("LimitOfNormal"),
        window_days=days,
        increase=node.true(SLE + "thresholdIncrease"),
    )


def _instances_of(name: str) -> list[_Node]:
    """The named individuals of a class, asserted or inferred, sorted by IRI."""
    quads = ontology_store().quads_for_pattern(None, ox.NamedNode(_TYPE), ox.NamedNode(SLE + name))
    return _sorted_nodes(quad.subject for quad in quads)


def _subjects_of(predicate: str) -> list[_Node]:
    """The terms of the ontology that have a value of this property, sorted by IRI."""
    quads = ontology_store().quads_for_pattern(None, ox.NamedNode(predicate), None)
    return _sorted_nodes(quad.subject for quad in quads)


def _sorted_nodes(subjects: Iterator[ox.NamedNode | ox.BlankNode | ox.Triple]) -> list[_Node]:
    named = {subject for subject in subjects if isinstance(subject, ox.NamedNode)}
    return [_Node(subject) for subject in sorted(named, key=lambda node: node.value)]


_TYPE = RDF + "type"
_LABEL = RDFS + "label"
_SKOS_NOTATION = SKOS + "notation"
_PHRASE = SLE + "phrase"
_DEFINITION = SKOS + "definition"
