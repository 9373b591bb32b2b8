"""What a definition asks for, clause by clause, and how two definitions differ, in words.

A clause is a comparison of one feature, or a group that is no conjunction. Two trees ask for the same when they have
the same clauses, whatever their nodes are called; what differs is told by subject ("SLEDAI-2K total score: …").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyoxigraph as ox

from sle_kg import criteria as c
from sle_kg.compare.reader import Reader
from sle_kg.namespaces import SKOS, SLE

MEASURED = ("instrument", "test")
"""Parameters of a leaf that name what is assessed."""
CONCEPTS = (*MEASURED, "valueSet", "classificationSet", "diagnosis", "index")
"""Parameters of a leaf that name what it is about."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing asked for: `identity` is equal for equal clauses, `subject` names what it is about."""

    identity: tuple[object, ...]
    subject: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One respect in which two measures differ: what `left` says of it and what `right` says; empty for nothing."""

    aspect: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.aspect}: {self.left or 'nothing'} against {self.right or 'nothing'}"


def concepts(feature: c.Feature, names: Iterable[str] = CONCEPTS) -> tuple[str, ...]:
    """The local names of the concepts that a feature is about."""
    found: list[str] = []
    for name in names:
        value = feature.get(name)
        found += value if isinstance(value, tuple) else [str(value)] if value else []
    return tuple(found)


def clauses(reader: Reader, condition: c.Condition | None, negated: bool = False) -> tuple[Clause, ...]:
    """The clauses of a tree without readings (see `criteria.under_readings`), in order."""
    match condition:
        case None:
            return ()
        case c.Not(operand=operand):
            return clauses(reader, operand, not negated)
        case c.AllOf(operands=operands) if not negated:
            return tuple(clause for operand in operands for clause in clauses(reader, operand))
        case c.AnyOf(operands=operands) if negated:
            return tuple(clause for operand in operands for clause in clauses(reader, operand, True))
    about = [name for node in c.walk(condition) if isinstance(node, c.Leaf) for name in concepts(node.feature)]
    words = reader.phrase(ox.NamedNode(condition.iri), inner=True)
    return (Clause((negated, *_form(condition)), tuple(dict.fromkeys(about)), f"not {words}" if negated else words),)


def _form(condition: c.Condition) -> tuple[object, ...]:
    """A tree without the names of its nodes."""
    if isinstance(condition, c.Leaf):
        return (condition.feature, condition.operator, condition.met_bound, condition.unmet_bound)
    if isinstance(condition, c.Judgement):
        return ("Judgement", condition.question)
    count = condition.count if isinstance(condition, c.AtLeast) else None
    return (type(condition).__name__, count, *(_form(child) for child in c.children(condition)))


def clause_differences(reader: Reader, left: Iterable[Clause], right: Iterable[Clause]) -> tuple[Difference, ...]:
    """What one side asks for and the other does not, by subject."""
    left, right = tuple(left), tuple(right)
    shared = {clause.identity for clause in left} & {clause.identity for clause in right}
    sides = [[clause for clause in side if clause.identity not in shared] for side in (left, right)]
    found = []
    for subject in dict.fromkeys(clause.subject for side in sides for clause in side):
        aspect = " or ".join(label(reader, name) for name in subject) or "judgement"
        about = [[clause.words for clause in side if clause.subject == subject] for side in sides]
        found.append(
            Difference(aspect, *(" and ".join(w.removeprefix(aspect).lstrip(", ") for w in side) for side in about))
        )
    return tuple(found)


def label(reader: Reader, name: str) -> str:
    """The label of a concept of the ontology."""
    return reader.shown(ox.NamedNode(SLE + name))


def instrument_differences(reader: Reader, left: str, right: str) -> tuple[Difference, ...]:
    """How two instruments or tests that resemble each other differ, as the ontology describes them."""
    sides = [_described(reader, name) for name in (left, right)]
    found = [
        Difference(aspect, sides[0].get(aspect, ""), sides[1].get(aspect, ""))
        for aspect in dict.fromkeys([*sides[0], *sides[1]])
        if sides[0].get(aspect) != sides[1].get(aspect)
    ]
    items = [_items(reader, name) for name in (left, right)]
    changed = [key for key in items[0] if key in items[1] and items[0][key] != items[1][key]]
    if changed:
        found.append(
            Difference(
                "items defined otherwise",
                *("; ".join(side[key] for key in changed) for side in items),
            )
        )
    return tuple(found)


def _described(reader: Reader, name: str) -> dict[str, str]:
    """What the ontology says of an instrument or test: definition, range, unit, window."""
    node = ox.NamedNode(SLE + name)
    owners = reader.subjects("hasTotal", node) or [node]
    found = {"measure": label(reader, name)}
    if definition := reader.text(owners[0], "definition", SKOS):
        found["what it is"] = definition
    least, most = (reader.text(node, limit) for limit in ("minimumScore", "maximumScore"))
    if least is not None and most is not None:
        found["range"] = f"{_whole(least)} to {_whole(most)}"
    if (unit := reader.text(node, "canonicalUnit")) and unit != "{score}":
        found["unit"] = unit
    if days := reader.text(owners[0], "windowDays"):
        found["days that an assessment looks back"] = days
    return found


def _items(reader: Reader, name: str) -> dict[str, str]:
    """The items of a total by key, with their definitions."""
    owners = reader.subjects("hasTotal", ox.NamedNode(SLE + name))
    found = {}
    for owner in owners:
        for item in reader.subjects("itemOf", owner):
            key = item.value.removeprefix(owner.value + "-")
            found[key] = (reader.text(item, "definition", SKOS) or key).rstrip(".")
    return found


def _whole(number: str) -> str:
    """A score's limit without its decimal zero."""
    return number.removesuffix(".0")
