"""Small questions to the graph: the values of a property, labels, and a condition in words."""

from __future__ import annotations

import re
from decimal import Decimal

import pyoxigraph as ox

from sle_kg.namespaces import RDF, RDFS, SLE

_COMPARISONS = {
    "minInclusive": "≥",
    "minExclusive": ">",
    "maxInclusive": "≤",
    "maxExclusive": "<",
    "minDuration": "≥",
}
_UNITS = {"[ULN]": "× ULN", "[LLN]": "× LLN", "a": "years", "d": "days", "{score}": "", "{count}": "", "{presence}": ""}
_PERIOD = re.compile(r"P(\d+)([DWMY])")
_PERIOD_WORDS = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}
_CONCEPTS = ("test", "instrument", "index", "classificationSet", "valueSet", "sex", "biopsyClass")
_PRESENCE = frozenset({"AssessedPositiveCondition", "PositiveTestCondition", "QuantifiedCondition"})
_NAMED = frozenset({"ResponseState", "StateItem"})
"""Definitions of the ontology that stand in a tree by their label."""

_MEASURES = {"total": "in total", "longestRun": "in one run", "runToScreening": "in the run up to screening"}
_SEVERITIES = {"moderate": "moderate or severe"}

_SUBJECTS = {
    "AgeCondition": "age",
    "AllergyCondition": "allergy to {0}",
    "Always": "everybody",
    "BiopsyAgeCondition": "kidney biopsy",
    "BiopsyClassCondition": "kidney biopsy of class {0}",
    "BiopsyCondition": "biopsy-proven lupus nephritis",
    "ConsentCondition": "consent signed for this trial",
    "ContraindicationCondition": "{0} contraindicated",
    "CreatinineClearanceCondition": "creatinine clearance (Cockcroft–Gault)",
    "CumulativeDoseCondition": "lifetime dose of {0}",
    "DailyDoseCondition": "daily dose of {0}",
    "DaysSinceDiagnosisCondition": "time since diagnosis by {0}",
    "DiagnosisCountCondition": "episodes of {0}",
    "DonatedVolumeCondition": "blood donated",
    "DoseDurationCondition": "time on {0}",
    "DrugCountCondition": "number of drugs: {0}",
    "FertilityCondition": "can neither bear nor father a child",
    "HighestDoseCondition": "highest daily dose of {0}",
    "HighestScoreCondition": "highest {0}",
    "HighestValueCondition": "highest {0}",
    "NewGradesCondition": "organ systems newly at grade {grade} of {0}",
    "NewItemsCondition": "new items of {0}",
    "NoChildbearingPotentialCondition": "no childbearing potential",
    "PregnancyCondition": "pregnant",
    "RenalWorseningCondition": "proteinuria or eGFR worse since {0} was started",
    "RoomAirCondition": "without supplemental oxygen",
    "TreatmentChangeCondition": "begun or changed dose of {0}",
    "TreatmentDurationCondition": "duration of {0}",
}
"""The subject of a leaf in words; any other kind is called by its concepts, or by its label in the ontology."""


class Reader:
    """Reads one store; `phrase` renders condition trees under the default readings."""

    def __init__(self, store: ox.Store) -> None:
        self._store = store

    def values(self, subject: ox.NamedNode, name: str, namespace: str = SLE) -> list[ox.NamedNode | ox.Literal]:
        """The objects of a property, sorted by their text."""
        found = [quad.object for quad in self._store.quads_for_pattern(subject, ox.NamedNode(namespace + name), None)]
        return sorted(
            (value for value in found if isinstance(value, ox.NamedNode | ox.Literal)), key=lambda value: value.value
        )

    def text(self, subject: ox.NamedNode, name: str, namespace: str = SLE) -> str | None:
        """The first value of a property as text."""
        values = self.values(subject, name, namespace)
        return values[0].value if values else None

    def node(self, subject: ox.NamedNode, name: str) -> ox.NamedNode | None:
        """The first value of a property that is a node."""
        return next((value for value in self.values(subject, name) if isinstance(value, ox.NamedNode)), None)

    def nodes(self, subject: ox.NamedNode, name: str) -> list[ox.NamedNode]:
        """The values of a property that are nodes."""
        return [value for value in self.values(subject, name) if isinstance(value, ox.NamedNode)]

    def subjects(self, name: str, value: ox.NamedNode) -> list[ox.NamedNode]:
        """The nodes that have a value for a property, sorted."""
        found = self._store.quads_for_pattern(None, ox.NamedNode(SLE + name), value)
        return sorted((q.subject for q in found if isinstance(q.subject, ox.NamedNode)), key=lambda node: node.value)

    def kinds(self, subject: ox.NamedNode) -> set[str]:
        """The local names of a node's types."""
        return {value.value.removeprefix(SLE) for value in self.values(subject, "type", RDF)}

    def shown(self, value: ox.NamedNode | ox.Literal) -> str:
        """A value for people: a literal's text, else the node's label, else its local name."""
        if isinstance(value, ox.Literal):
            return value.value
        return self.text(value, "label", RDFS) or re.split(r"[#/]", value.value)[-1]

    def phrase(self, condition: ox.NamedNode, inner: bool = False) -> str:
        """A condition in words; `inner` sets brackets around a group of several."""
        if row := self.text(condition, "criterionId"):
            return row
        kinds = self.kinds(condition)
        if kinds & _NAMED:
            return self.shown(condition)
        operands = [self.phrase(operand, inner=True) for operand in self._in_order(condition)]
        if "Not" in kinds:
            return f"not {operands[0]}"
        if "ByReading" in kinds:
            return self.phrase(self.default_option(condition), inner)
        if "AtLeast" in kinds:
            return f"at least {self.text(condition, 'count')} of ({', '.join(operands)})"
        if operands:
            joined = (" and " if "AllOf" in kinds else " or ").join(operands)
            return f"({joined})" if inner and len(operands) > 1 else joined
        if question := self.text(condition, "question"):
            return f"judgement: {question}"
        return self._leaf(condition, min(kinds))

    def default_option(self, choice: ox.NamedNode) -> ox.NamedNode:
        """The condition under the default reading of a `sle:ByReading`."""
        return next(node for is_default, _, node in self.options(choice) if is_default)

    def options(self, choice: ox.NamedNode) -> list[tuple[bool, str, ox.NamedNode]]:
        """The readings of a `sle:ByReading`: default or not, `A3-04=literal`, the condition."""
        found = []
        for option in self.nodes(choice, "option"):
            reading, condition = self.node(option, "reading"), self.node(option, "condition")
            ambiguity = self.node(choice, "ambiguity")
            if reading is not None and condition is not None and ambiguity is not None:
                key = f"{self.text(ambiguity, 'ambiguityId')}={self.text(reading, 'readingKey')}"
                found.append((self.text(reading, "isDefault") == "true", key, condition))
        return found

    def alternatives(self, condition: ox.NamedNode) -> list[tuple[str, str]]:
        """Every reading of the tree that is not the default, with its condition in words; rows are not entered."""
        if self.text(condition, "criterionId"):
            return []
        found = []
        below = self._in_order(condition)
        for is_default, key, option in self.options(condition):
            if not is_default:
                found.append((key, self.phrase(option)))
            below.append(option)
        for node in below:
            found += [pair for pair in self.alternatives(node) if pair not in found]
        return found

    def leaves(self, condition: ox.NamedNode) -> list[ox.NamedNode]:
        """The leaf conditions of a tree under the default readings, in order; rows and states are not entered."""
        if self.text(condition, "criterionId") or self.kinds(condition) & _NAMED:
            return []
        if "ByReading" in self.kinds(condition):
            return self.leaves(self.default_option(condition))
        operands = self._in_order(condition)
        return [leaf for operand in operands for leaf in self.leaves(operand)] if operands else [condition]

    def _in_order(self, group: ox.NamedNode) -> list[ox.NamedNode]:
        """The operands of a group, numbers in their IRIs counted as numbers, rows first."""

        def order(node: ox.NamedNode) -> tuple[bool, list[tuple[int, str]]]:
            parts = re.split(r"(\d+)", node.value)
            is_row = self.text(node, "criterionId") is not None
            return not is_row, [(int(part), "") if part.isdigit() else (0, part) for part in parts]

        return sorted(self.nodes(group, "operand"), key=order)

    def _leaf(self, leaf: ox.NamedNode, kind: str) -> str:
        concepts = [self.shown(value) for name in _CONCEPTS for value in self.values(leaf, name)]
        concepts += [self.shown(ox.NamedNode(SLE + value.value)) for value in self.values(leaf, "statement")]
        several = " or ".join(concepts) or "anything"
        subject = _SUBJECTS.get(kind, "{0}" if concepts else self.shown(ox.NamedNode(SLE + kind)))
        grade = self.text(leaf, "grade") or ""
        subject = subject.format(f"({several})" if len(concepts) > 1 else several, grade=grade)
        if part := self.text(leaf, "itemGroup"):
            subject += f", {_spaced(part)} items"
        severity = self.text(leaf, "severity") or self.text(leaf, "which")
        if severity not in (None, "any", "substance"):
            subject = f"{_SEVERITIES.get(str(severity), severity)} {subject}"
        words = [subject, *self._dose(leaf), *self._time(leaf)]
        if kind in _PRESENCE:
            words.append(self._presence(leaf, kind))
        elif comparison := self._comparison(leaf):
            words.append(comparison)
        return " ".join(words)

    def _presence(self, leaf: ox.NamedNode, kind: str) -> str:
        negative = self.text(leaf, "maxInclusive") is not None
        if kind == "QuantifiedCondition":
            return "not quantified" if negative else "quantified"
        return "negative" if negative else "positive"

    def _dose(self, leaf: ox.NamedNode) -> list[str]:
        """The dose that a duration is about, the equivalence, the route, the drugs taken with it."""
        words = []
        equivalence = self.text(leaf, "equivalence")
        if equivalence not in (None, "none"):
            words.append(f"(as {_spaced(str(equivalence))})")
        if dose := self.text(leaf, "dailyDose"):
            unit = "mg/kg/d" if self.text(leaf, "perKilogram") == "true" else "mg/d"
            words.append(f"at ≥ {_plain(dose)} {unit}")
        if beside := self.values(leaf, "concurrentWith"):
            words.append("with " + " or ".join(self.shown(value) for value in beside))
        words += [f"({value.value})" for name in ("route", "method") for value in self.values(leaf, name)]
        if others := self.values(leaf, "alsoAccepts"):
            words.append("(or " + " or ".join(self.shown(value) for value in others) + ")")
        return words

    def _time(self, leaf: ox.NamedNode) -> list[str]:
        """When it counts: ever, now, within a window before an anchor, within half-lives."""
        anchor = self.node(leaf, "anchor")
        event = _spaced(re.split(r"[#/]", anchor.value)[-1]) if anchor else "screening"
        if moment := self.text(leaf, "since"):
            return [f"since the {moment} assessment" if moment == "previous" else f"since {moment}"]
        if half_lives := self.text(leaf, "halfLives"):
            return [f"within {half_lives} half-lives before screening"]
        if lookback := self.text(leaf, "lookback"):
            return [f"within {_period(lookback)} before {event}"]
        if measure := self.text(leaf, "measure"):
            return [_MEASURES.get(measure, measure)]
        when = self.text(leaf, "when") or ("ever" if self.text(leaf, "validFor") == "ever" else None)
        return [f"({when})"] if when else [f"at {event}"] if anchor else []

    def _comparison(self, leaf: ox.NamedNode) -> str:
        for name, sign in _COMPARISONS.items():
            if value := self.text(leaf, name):
                if name == "minDuration":
                    return f"{sign} {_period(value)}"
                unit = self.text(leaf, "unit") or ""
                return f"{sign} {_plain(value)} {_UNITS.get(unit, unit)}".strip()
        return ""


def _plain(number: str) -> str:
    """A decimal without trailing zeros: `18.0` is `18`."""
    return f"{Decimal(number).normalize():f}"


def _period(duration: str) -> str:
    """`P28D` as `28 days`, `P1M` as `1 month`; others as they stand."""
    match = _PERIOD.fullmatch(duration)
    if match is None:
        return duration
    words = _PERIOD_WORDS[match[2]]
    return f"{match[1]} {words.removesuffix('s') if match[1] == '1' else words}"


def _spaced(name: str) -> str:
    """`mycophenolateMofetil` as `mycophenolate mofetil`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
