"""The reading of conditions from RDF: one vocabulary of leaves for eligibility rows, states, grades and outcomes.

What the vocabulary cannot express is an error that names the node, never skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from sle_kg import criteria as c
from sle_kg.errors import TrialFileError
from sle_kg.namespaces import RDF, SKOS, SLE, TRIAL

if TYPE_CHECKING:
    import pyoxigraph as ox

PARAMETERS: dict[str, Literal["text", "texts", "concept", "concepts", "number", "integer", "boolean"]] = {
    "anchor": "concept",
    "test": "concepts",
    "positiveOnlyTest": "concepts",
    "valueSet": "concepts",
    "concurrentWith": "concepts",
    "instrument": "concept",
    "alsoAccepts": "concept",
    "classificationSet": "concept",
    "diagnosis": "concept",
    "index": "concept",
    "biopsyClass": "texts",
    "quantity": "text",
    "validFor": "text",
    "method": "text",
    "lookback": "text",
    "when": "text",
    "severity": "text",
    "equivalence": "text",
    "route": "text",
    "gap": "text",
    "concurrentGap": "text",
    "measure": "text",
    "counting": "text",
    "statement": "text",
    "which": "text",
    "at": "text",
    "since": "text",
    "itemGroup": "text",
    "grade": "text",
    "sex": "text",
    "perKilogram": "boolean",
    "sinceFirstDose": "boolean",
    "asDocumented": "boolean",
    "dailyDose": "number",
    "halfLives": "integer",
}
"""Every parameter property of leaf conditions, and how its values are read."""
OBSERVED = frozenset({"test", "positiveOnlyTest", "instrument", "alsoAccepts"})
"""Parameters that name what is measured, by the keys of the measurement table."""

LEAVES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    kind: (frozenset(required.split()), frozenset(optional.split()))
    for kind, required, optional in [
        ("AgeCondition", "anchor", ""),
        ("MeasurementCondition", "test quantity validFor", "method"),
        ("CreatinineClearanceCondition", "validFor", ""),
        ("RoomAirCondition", "", ""),
        ("ScoreCondition", "instrument validFor", "alsoAccepts"),
        ("HighestScoreCondition", "instrument lookback", ""),
        ("PositiveTestCondition", "test validFor", "positiveOnlyTest"),
        ("QuantifiedCondition", "test validFor", ""),
        ("ClassificationCondition", "classificationSet diagnosis", ""),
        ("DaysSinceDiagnosisCondition", "classificationSet diagnosis anchor", ""),
        ("DiagnosisCondition", "valueSet when", "lookback anchor severity"),
        ("DiagnosisCountCondition", "valueSet", ""),
        ("ProcedureCondition", "valueSet when", "lookback anchor"),
        ("ImmunizationCondition", "valueSet lookback anchor", ""),
        ("ExposureCondition", "valueSet when", "lookback anchor"),
        ("DrugCountCondition", "valueSet", ""),
        ("WashoutCondition", "valueSet halfLives", ""),
        ("DailyDoseCondition", "valueSet equivalence perKilogram", ""),
        ("HighestDoseCondition", "valueSet equivalence perKilogram when", "lookback anchor"),
        (
            "DoseDurationCondition",
            "valueSet equivalence perKilogram dailyDose lookback",
            "concurrentWith concurrentGap",
        ),
        ("TreatmentDurationCondition", "valueSet gap measure counting", "lookback sinceFirstDose"),
        ("CumulativeDoseCondition", "valueSet route", ""),
        ("ContraindicationCondition", "valueSet", "asDocumented"),
        ("StatementCondition", "statement", ""),
        ("FertilityCondition", "", ""),
        ("NoChildbearingPotentialCondition", "", ""),
        ("PregnancyCondition", "validFor", ""),
        ("ConsentCondition", "", ""),
        ("AllergyCondition", "which", "valueSet"),
        ("BiopsyClassCondition", "biopsyClass", ""),
        ("BiopsyCondition", "", ""),
        ("BiopsyIndexCondition", "index", ""),
        ("BiopsyAgeCondition", "lookback", ""),
        (
            "RenalWorseningCondition",
            "valueSet equivalence perKilogram dailyDose lookback",
            "concurrentWith concurrentGap",
        ),
        ("DonatedVolumeCondition", "lookback", ""),
        ("SexCondition", "sex", ""),
        ("AssessedScoreCondition", "instrument", "itemGroup alsoAccepts at since"),
        ("AssessedValueCondition", "test quantity", "at since"),
        ("AssessedPositiveCondition", "test", "at"),
        ("NewItemsCondition", "instrument since", ""),
        ("NewGradesCondition", "instrument grade since", ""),
        ("HighestValueCondition", "test anchor", ""),
        ("TreatmentChangeCondition", "valueSet since", ""),
    ]
}
"""Leaf class → (required parameters, optional parameters)."""

COMPARISONS: dict[str, c.Operator] = {
    "minInclusive": ">=",
    "minExclusive": ">",
    "maxInclusive": "<=",
    "maxExclusive": "<",
}

MONTHS_WITHOUT_ANCHOR = {1: (28, 31), 2: (59, 62), 3: (89, 92), 6: (181, 184), 12: (365, 366)}
"""Fewest and most days of n consecutive calendar months (CONTRACT section 4, rule 5)."""


@dataclass
class ConditionReader:
    """Reads conditions from one graph; every accessor names the node it fails on.

    `file` is how an error names the graph.
    """

    store: ox.Store
    file: str

    # ---- graph access -------------------------------------------------------------------------------------------

    def values(self, subject: str, name: str, prefix: str = SLE) -> list[str]:
        """The values of a property, IRIs and literals as text, sorted."""
        import pyoxigraph as ox

        found = self.store.quads_for_pattern(ox.NamedNode(subject), ox.NamedNode(prefix + name), None)
        return sorted(quad.object.value for quad in found)  # type: ignore[union-attr]

    def optional(self, subject: str, name: str, prefix: str = SLE) -> str | None:
        """The one value of a property, None where there is none."""
        found = self.values(subject, name, prefix)
        if len(found) > 1:
            raise self.error(subject, f"has {len(found)} values of {name}; one is allowed")
        return found[0] if found else None

    def required(self, subject: str, name: str, prefix: str = SLE) -> str:
        """The one value of a property that must be there."""
        found = self.optional(subject, name, prefix)
        if found is None:
            raise self.error(subject, f"lacks {name}; add it")
        return found

    def subjects(self, name: str, value: str) -> list[str]:
        """The subjects that have this IRI as value of the property."""
        import pyoxigraph as ox

        quads = self.store.quads_for_pattern(None, ox.NamedNode(name), ox.NamedNode(value))
        return sorted(quad.subject.value for quad in quads)  # type: ignore[union-attr]

    def types(self, subject: str) -> list[str]:
        """Local names of the sle: classes of a node."""
        return [iri.removeprefix(SLE) for iri in self.values(subject, "type", RDF) if iri.startswith(SLE)]

    def error(self, subject: str, problem: str) -> TrialFileError:
        return TrialFileError(f"{self.file}: {subject.removeprefix(TRIAL)} {problem}.")

    def condition(self, iri: str, above: tuple[str, ...]) -> c.Condition:
        """The tree under a node. `above` are the nodes on the way down, to find a cycle."""
        if iri in above:
            raise self.error(iri, "contains itself; break the cycle")
        types = self.types(iri)
        if not types:
            raise self.error(iri, "is used as a condition and not described; describe it")
        if {"InclusionCriterion", "ExclusionCriterion"} & set(types):
            return c.RowRef(iri, self.required(iri, "criterionId"))
        if {"ResponseState", "StateItem"} & set(types):
            return self.condition(self.required(iri, "condition"), (*above, iri))
        if len(types) != 1:
            raise self.error(iri, f"has the types {', '.join(types)}; a condition has one")
        kind, below = types[0], (*above, iri)
        match kind:
            case "Always":
                return c.Always(iri)
            case "JudgementCondition":
                return self.judgement(iri)
            case "ByReading":
                return self.by_reading(iri, below)
            case "Not":
                return c.Not(iri, self.condition(self.required(iri, "operand"), below))
            case "AllOf" | "AnyOf" | "AtLeast":
                return self.group(iri, kind, below)
        return self.leaf(iri, kind)

    def judgement(self, iri: str) -> c.Judgement:
        move = self.optional(iri, "openKind") or "judgement"
        if move not in ("judgement", "agreement", "data"):
            raise self.error(iri, f"has the unknown openKind {move}")
        return c.Judgement(iri, self.required(iri, "question"), move)  # type: ignore[arg-type]

    def group(self, iri: str, kind: str, above: tuple[str, ...]) -> c.Condition:
        operands = tuple(self.condition(node, above) for node in sorted(self.values(iri, "operand"), key=_natural))
        if not operands:
            raise self.error(iri, "lacks operand; add it")
        if kind == "AtLeast":
            return c.AtLeast(iri, int(self.required(iri, "count")), operands)
        return c.AllOf(iri, operands) if kind == "AllOf" else c.AnyOf(iri, operands)

    def by_reading(self, iri: str, above: tuple[str, ...]) -> c.ByReading:
        options, default = [], None
        for option in self.values(iri, "option"):
            reading = self.required(option, "reading")
            key = self.required(reading, "readingKey")
            options.append((key, self.condition(self.required(option, "condition"), above)))
            if self.required(reading, "isDefault") == "true":
                default = key
        if default is None:
            raise self.error(iri, "has no default reading; mark one")
        return c.ByReading(iri, self.required(iri, "ambiguity").rsplit("/", 1)[1], default, tuple(options))

    def leaf(self, iri: str, kind: str) -> c.Leaf:
        if kind not in LEAVES:
            raise self.error(iri, f"has the type sle:{kind}, which is no condition of the vocabulary")
        required, optional = LEAVES[kind]
        names = {name for name in PARAMETERS if self.values(iri, name)}
        if missing := sorted(required - names):
            raise self.error(iri, f"lacks {', '.join(missing)}; a {kind} needs it")
        if surplus := sorted(names - required - optional):
            raise self.error(iri, f"has {', '.join(surplus)}, which a {kind} does not know")
        parameters = tuple((name, self.parameter(iri, name)) for name in sorted(names))
        operator, met, unmet = self.comparison(iri)
        return c.Leaf(
            iri,
            c.Feature(kind, parameters),
            operator,
            met,
            unmet,
            self.optional(iri, "unit"),
            self.optional(iri, "adjustable"),
        )

    def parameter(self, iri: str, name: str) -> c.Parameter:
        values = [self.key(value) if name in OBSERVED else value.removeprefix(SLE) for value in self.values(iri, name)]
        how = PARAMETERS[name]
        if how in ("texts", "concepts"):
            return tuple(values)
        if len(values) > 1:
            raise self.error(iri, f"has {len(values)} values of {name}; one is allowed")
        match how:
            case "number":
                return Decimal(values[0])
            case "integer":
                return int(values[0])
            case "boolean":
                return values[0] == "true"
        return values[0]

    def key(self, iri: str) -> str:
        """The key of a test: its local name, or its notation where the name cannot say it (`icans:seizure`)."""
        return self.optional(iri, "notation", SKOS) or iri.removeprefix(SLE)

    def comparison(self, iri: str) -> tuple[c.Operator, Decimal, Decimal]:
        """Operator, bound to be met, bound to be unmet; presence (>= 1) where none is stated."""
        stated = [name for name in (*COMPARISONS, "minDuration") if self.values(iri, name)]
        if len(stated) > 1:
            raise self.error(iri, f"compares twice ({', '.join(stated)}); one comparison is allowed")
        if not stated:
            return ">=", Decimal(1), Decimal(1)
        text = self.required(iri, stated[0])
        if self.optional(iri, "unit") is None:
            raise self.error(iri, "has a threshold without unit; add sle:unit")
        if stated[0] == "minDuration":
            fewest, most = months_as_days(text)
            return ">=", Decimal(most), Decimal(fewest)
        bound = Decimal(text)
        return COMPARISONS[stated[0]], bound, bound


def months_as_days(duration: str) -> tuple[int, int]:
    """Fewest and most days of a duration in months that has no anchor: `P3M` gives (89, 92).

    Raises TrialFileError for anything but whole months that the table knows.
    """
    number = "12" if duration == "P1Y" else duration.removeprefix("P").removesuffix("M")  # so Oxigraph writes P12M
    if not number.isdecimal() or int(number) not in MONTHS_WITHOUT_ANCHOR:
        raise TrialFileError(f"The duration {duration} without an anchor is not one of P1M, P2M, P3M, P6M, P12M.")
    return MONTHS_WITHOUT_ANCHOR[int(number)]


def _natural(iri: str) -> list[tuple[int, str]]:
    """Sort key that puts …/10 after …/9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in iri.split("/")]
